#define _XOPEN_SOURCE 700
#include "common/test.h"

#include "cli/command.h"
#include "toolkit/base/file.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { most_arguments = 24 };

struct values {
    bool resume;
    int count;
    uint64_t seed;
    float rate, list[3];
    const char *out, *model;
    qmt_config config;
    bool config_input; /* set before parsing */
};

/* What a call printed. */
static char printed_out[1 << 16], printed_error[1 << 16];

static void read_back(int file, char *text, size_t size)
{
    lseek(file, 0, SEEK_SET);
    ssize_t got = read(file, text, size - 1);
    text[got > 0 ? got : 0] = 0;
    close(file);
}

static int temporary(void)
{
    char path[] = "/tmp/qmtcnn-test-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    unlink(path);
    return file;
}

/* Parses "a b c" (cut at spaces) with standard output and error taken aside. argv holds what is left. */
static qmt_parse_result parse(const char *line, struct values *values, bool config, char **argv, int *inputs)
{
    static char copy[2048];
    int argc = 0, out = temporary(), err = temporary(), old_out, old_err;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word && argc < most_arguments - 1; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    const bool config_input = values->config_input;
    memset(values, 0, sizeof *values);
    const qmt_option options[] = {
        {"resume", QMT_OPTION_FLAG, &values->resume, NULL, "go on", NULL, NULL, 0, false},
        {"count", QMT_OPTION_INT, &values->count, "N", "how many", NULL, NULL, 0, false},
        {"seed", QMT_OPTION_UINT64, &values->seed, "S", "seed", NULL, NULL, 0, false},
        {"rate", QMT_OPTION_FLOAT, &values->rate, "R", "rate", NULL, NULL, 0, false},
        {"list", QMT_OPTION_FLOATS, &values->list, "A,B,C", "three", NULL, NULL, 3, false},
        {"out", QMT_OPTION_TEXT, &values->out, "DIR", "where to", NULL, NULL, 0, true},
        {"model", QMT_OPTION_CHOICE, &values->model, NULL, "which", "pnet|rnet|all", NULL, 0, false},
        {"num-epochs", QMT_OPTION_CONFIG, &values->config, "N", "epochs", NULL, "train.epochs", 0, false},
        {NULL, QMT_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL, 0, false}};
    const qmt_usage usage = {.synopsis = "qmtcnn test [OPTION]... FILE...",
                             .text = "Does a test.",
                             .options = options,
                             .config = config ? &values->config : NULL,
                             .max_inputs = 2,
                             .config_input = config_input};
    qmt_config_default(&values->config);
    fflush(stdout);
    fflush(stderr);
    old_out = dup(1);
    old_err = dup(2);
    dup2(out, 1);
    dup2(err, 2);
    qmt_parse_result result = qmt_parse_options(argc, argv, &usage, inputs);
    fflush(stdout);
    fflush(stderr);
    dup2(old_out, 1);
    dup2(old_err, 2);
    close(old_out);
    close(old_err);
    read_back(out, printed_out, sizeof printed_out);
    read_back(err, printed_error, sizeof printed_error);
    return result;
}

static void refuse(const char *line, const char *message)
{
    struct values values = {0};
    char *argv[most_arguments];
    int inputs;
    assert_int_equal(parse(line, &values, true, argv, &inputs), QMT_PARSED_WRONG);
    if (!strstr(printed_error, message) || strncmp(printed_error, "qmtcnn test: ", 13) != 0)
        fail_msg("for '%s': '%s' lacks '%s'", line, printed_error, message);
    assert_string_equal(printed_out, "");
}

static void test_values(void **state)
{
    (void)state;
    struct values values = {0};
    char *argv[most_arguments];
    int inputs;
    assert_int_equal(
        parse("test a --out=x=y --count -7 --resume --seed 18446744073709551615 --rate 1e-3 --list 1,2.5,-3 "
              "--model rnet --num_epochs 12 --train.pnet.batch=64 --detect.min-face 33 -- --b",
              &values, true, argv, &inputs),
        QMT_PARSED);
    assert_int_equal(inputs, 2);
    assert_string_equal(argv[1], "a");
    assert_string_equal(argv[2], "--b");
    assert_string_equal(values.out, "x=y");
    assert_int_equal(values.count, -7);
    assert_true(values.resume);
    assert_true(values.seed == UINT64_MAX);
    assert_true(values.rate == 0.001f);
    assert_true(values.list[1] == 2.5f && values.list[2] == -3);
    assert_string_equal(values.model, "rnet");
    assert_int_equal(values.config.train[QMT_ONET].epochs, 12);
    assert_int_equal(values.config.train[QMT_PNET].batch, 64);
    assert_int_equal(values.config.train[QMT_RNET].batch, 512);
    assert_int_equal(values.config.detect.min_face, 33);
    assert_int_equal(parse("test --out d -", &values, false, argv, &inputs), QMT_PARSED);
    assert_int_equal(inputs, 1);
    assert_string_equal(argv[1], "-");
    assert_false(values.resume);
}

/* --config is read first, wherever it stands, so that options win over it. */
static void test_config(void **state)
{
    (void)state;
    struct values values = {0};
    char *argv[most_arguments], line[1500], *folder = test_make_folder();
    qmtcnn_error error;
    int inputs;
    static const char yaml[] = "train: {epochs: 30, batch: 128}\n", bad[] = "train: {epohcs: 30}\n";
    char *path = qmt_path_join(folder, "a.yaml"), *bad_path = qmt_path_join(folder, "b.yaml");
    assert_ok(qmt_file_write(path, yaml, sizeof yaml - 1, &error), &error);
    assert_ok(qmt_file_write(bad_path, bad, sizeof bad - 1, &error), &error);
    snprintf(line, sizeof line, "test --out d --num-epochs 5 --config %s", path);
    assert_int_equal(parse(line, &values, true, argv, &inputs), QMT_PARSED);
    assert_int_equal(values.config.train[0].epochs, 5);
    assert_int_equal(values.config.train[0].batch, 128);
    snprintf(line, sizeof line, "test --out d --config=%s", bad_path);
    assert_int_equal(parse(line, &values, true, argv, &inputs), QMT_PARSED_FAILED);
    assert_non_null(strstr(printed_error, "b.yaml:1:9: unknown key 'train.epohcs'; did you mean 'train.epochs'?"));
    assert_int_equal(parse("test --out d --config /no/such.yaml", &values, true, argv, &inputs), QMT_PARSED_FAILED);
    assert_non_null(strstr(printed_error, "/no/such.yaml"));
    qmt_free(path);
    qmt_free(bad_path);
    test_remove_folder(folder);
}

/* Values that don't go together: the file's fault where it has them alone, and cured by an option all the same. */
static void test_unsound_file(void **state)
{
    (void)state;
    struct values values = {0};
    char *argv[most_arguments], line[1500], *folder = test_make_folder();
    char *path = qmt_path_join(folder, "a.yaml");
    qmtcnn_error error;
    int inputs;
    static const char yaml[] = "synth: {min_face: 300, max_face: 200}\n";
    assert_ok(qmt_file_write(path, yaml, sizeof yaml - 1, &error), &error);
    snprintf(line, sizeof line, "test --out d --config %s", path);
    assert_int_equal(parse(line, &values, true, argv, &inputs), QMT_PARSED_FAILED);
    assert_non_null(strstr(printed_error, path));
    assert_int_equal(qmt_parse_exit(QMT_PARSED_FAILED), 1);
    assert_int_equal(qmt_parse_exit(QMT_PARSED_WRONG), 2);
    assert_int_equal(qmt_parse_exit(QMT_PARSED_HELP), 0);
    snprintf(line, sizeof line, "test --out d --config %s --synth.max-face 400", path);
    assert_int_equal(parse(line, &values, true, argv, &inputs), QMT_PARSED);
    refuse("test --out d --synth.max-face 400 --synth.min-face 500", "min_face");
    qmt_free(path);
    test_remove_folder(folder);
}

/* The first argument as the configuration file; options win over it. */
static void test_config_input(void **state)
{
    (void)state;
    struct values values = {.config_input = true};
    char *argv[most_arguments], line[1500], *folder = test_make_folder();
    char *path = qmt_path_join(folder, "a.yaml");
    qmtcnn_error error;
    int inputs;
    static const char yaml[] = "train: {epochs: 30, batch: 128}\n";
    assert_ok(qmt_file_write(path, yaml, sizeof yaml - 1, &error), &error);
    snprintf(line, sizeof line, "test --out d --num-epochs 5 %s other", path);
    assert_int_equal(parse(line, &values, true, argv, &inputs), QMT_PARSED);
    assert_int_equal(inputs, 2);
    assert_int_equal(values.config.train[0].epochs, 5);
    assert_int_equal(values.config.train[0].batch, 128);
    values.config_input = true;
    assert_int_equal(parse("test --out d /no/such.yaml", &values, true, argv, &inputs), QMT_PARSED_FAILED);
    values.config_input = true;
    assert_int_equal(parse("test --otu d /no/such.yaml", &values, true, argv, &inputs), QMT_PARSED_WRONG);
    qmt_free(path);
    test_remove_folder(folder);
}

static void test_wrong(void **state)
{
    (void)state;
    refuse("test", "option --out is missing");
    refuse("test --out", "option --out needs a value");
    refuse("test --out d --cuont 3", "unknown option --cuont; did you mean --count?");
    refuse("test --out d --train.epohcs 3", "did you mean 'train.epochs'?");
    refuse("test --out d --qqqqqqq", "unknown option --qqqqqqq");
    refuse("test --out d -x", "unknown option -x");
    refuse("test --out d --count 3x", "takes an integer; got '3x'");
    refuse("test --out d --count 99999999999", "integer");
    refuse("test --out d --seed -1", "integer");
    refuse("test --out d --rate nan", "number");
    refuse("test --out d --rate 1e99", "number");
    refuse("test --out d --list 1,2", "takes 3 numbers");
    refuse("test --out d --list 1,2,3,4", "takes 3 numbers");
    refuse("test --out d --model onet", "takes one of pnet|rnet|all");
    refuse("test --out d --model pnet|rnet", "takes one of");
    refuse("test --out d --resume=maybe", "true or false");
    refuse("test --out d --num-epochs 0", "1 to 100000");
    refuse("test --out d --train.batch 17", "multiple of 16");
    refuse("test --out d a b c", "unexpected argument 'c'");
}

static void test_help(void **state)
{
    (void)state;
    struct values values = {0};
    char *argv[most_arguments];
    int inputs;
    assert_int_equal(parse("test --help --nonsense", &values, true, argv, &inputs), QMT_PARSED_HELP);
    assert_string_equal(printed_error, "");
    assert_non_null(strstr(printed_out, "Usage: qmtcnn test [OPTION]... FILE...\n\nDoes a test.\n\nOptions:\n"));
    assert_non_null(strstr(printed_out, "\n  --count N              how many\n"));
    assert_non_null(strstr(printed_out, "\n  --model pnet|rnet|all  which\n"));
    assert_non_null(strstr(printed_out, "\n  --config FILE          settings"));
    assert_int_equal(parse("test --help-config", &values, true, argv, &inputs), QMT_PARSED_HELP);
    assert_non_null(strstr(printed_out, "train.ohem_keep"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values),       cmocka_unit_test(test_config),
                                       cmocka_unit_test(test_unsound_file), cmocka_unit_test(test_config_input),
                                       cmocka_unit_test(test_wrong),        cmocka_unit_test(test_help)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
