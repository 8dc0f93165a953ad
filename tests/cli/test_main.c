/* The program itself, where it was built beside the tests: exit statuses, and that every command has help. */
#define _XOPEN_SOURCE 700
#include "common/test.h"

#include "toolkit/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char printed[1 << 16];

/* Runs `qmtcnn OPTIONS 2>&1`; returns its exit status. */
static int run(const char *options)
{
    char command[512];
    if (!qmt_file_exists("./qmtcnn"))
        skip();
    snprintf(command, sizeof command, "./qmtcnn %s 2>&1", options);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    printed[fread(printed, 1, sizeof printed - 1, pipe)] = 0;
    int result = pclose(pipe);
    assert_true(WIFEXITED(result));
    return WEXITSTATUS(result);
}

static void test_commands(void **state)
{
    (void)state;
    static const char *const commands[] = {"run",      "synth", "prepare", "train", "export",
                                           "validate", "eval",  "detect",  "bench", "info"};
    assert_int_equal(run("--help"), 0);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char line[64];
        snprintf(line, sizeof line, "\n  %s ", commands[i]);
        assert_int_equal(run("--help"), 0);
        assert_non_null(strstr(printed, line));
        snprintf(line, sizeof line, "%s --help", commands[i]);
        assert_int_equal(run(line), 0);
        assert_non_null(strstr(printed, "sage: qmtcnn "));
        snprintf(line, sizeof line, "%s --no-such-option", commands[i]);
        assert_int_equal(run(line), 2);
    }
}

static void test_statuses(void **state)
{
    (void)state;
    assert_int_equal(run("--version"), 0);
    assert_non_null(strstr(printed, qmtcnn_version()));
    assert_int_equal(run("--help-config"), 0);
    assert_non_null(strstr(printed, "train.learning_rate"));
    assert_int_equal(run(""), 2);
    assert_int_equal(run("trian"), 2);
    assert_non_null(strstr(printed, "did you mean 'train'?"));
    assert_int_equal(run("info /no/such/file"), 1);
    assert_int_equal(run("info >/dev/full"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_commands), cmocka_unit_test(test_statuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
