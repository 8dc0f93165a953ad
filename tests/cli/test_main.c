/* The program itself ($QMT_TOOL, or ./qmtcnn): exit statuses, and that every command has help. */
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
    char command[2048];
    const char *tool = getenv("QMT_TOOL") ? getenv("QMT_TOOL") : "./qmtcnn";
    if (!qmt_file_exists(tool))
        skip();
    snprintf(command, sizeof command, "'%s' %s 2>&1", tool, options);
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

/* One form for all: usage, what it does, an example, options; at most 100 columns; each option's text in one column. */
static void check_help(const char *command)
{
    char line[128];
    snprintf(line, sizeof line, "%s --help", command);
    assert_int_equal(run(line), 0);
    snprintf(line, sizeof line, "Usage: qmtcnn %s ", command);
    if (strncmp(printed, line, strlen(line)) != 0)
        fail_msg("%s --help does not begin with '%s'", command, line);
    char *example = strstr(printed, "\n\nExample"), *options = strstr(printed, "\n\nOptions:\n  --");
    assert_non_null(example);
    assert_non_null(options);
    assert_true(example < options);
    assert_null(strstr(printed, "\n\n\n"));
    snprintf(line, sizeof line, "  qmtcnn %s ", command);
    assert_non_null(strstr(example, line));
    size_t column = 0;
    for (char *start = printed, *end; (end = strchr(start, '\n')); start = end + 1) {
        size_t length = (size_t)(end - start);
        if (length > 100)
            fail_msg("%s --help: more than 100 columns: %.*s", command, (int)length, start);
        if (start < options || strncmp(start, "  --", 4) != 0)
            continue;
        char *gap = strstr(start + 4, "  ");
        size_t at = gap && gap < end ? (size_t)(gap - start) + strspn(gap, " ") : 0;
        if (at == 0 || at == length || (column && at != column))
            fail_msg("%s --help: not aligned: %.*s", command, (int)length, start);
        column = at;
    }
}

static void test_help(void **state)
{
    (void)state;
    static const char *const commands[] = {"run",  "synth",  "prepare", "train",        "export",      "validate",
                                           "eval", "detect", "bench",   "bench detect", "bench train", "info"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        check_help(commands[i]);
    assert_int_equal(run("bench trian"), 2);
    assert_non_null(strstr(printed, "did you mean 'train'?"));
    assert_int_equal(run("detect --formta json a.jpg"), 2);
    assert_non_null(strstr(printed, "did you mean --format?"));
}

/* The exit status tells a bad file (1) from a bad command line (2), in every command that takes one. */
static void test_bad_config(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "run",  "synth --out x", "prepare --net pnet --out x", "train --model pnet", "export --checkpoint x --out x",
        "eval", "info",          "validate --fp32 x --int8 x"};
    static const char yaml[] = "train:\n  epohcs: 3\n";
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "bad.yaml"), line[256];
    qmtcnn_error error;
    assert_ok(qmt_file_write(path, yaml, sizeof yaml - 1, &error), &error);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        snprintf(line, sizeof line, "%s %s%s", commands[i], i ? "--config=" : "", path);
        assert_int_equal(run(line), 1);
        assert_non_null(strstr(printed, "bad.yaml:2:3: unknown key 'train.epohcs'"));
        snprintf(line, sizeof line, "%s --train.epohcs 3", commands[i]);
        assert_int_equal(run(line), 2);
    }
    qmt_free(path);
    test_remove_folder(folder);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_commands), cmocka_unit_test(test_help),
                                       cmocka_unit_test(test_bad_config), cmocka_unit_test(test_statuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
