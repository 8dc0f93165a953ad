/* `qmtcnn selftest`: does this processor compute our integers? */
#include "runtime/kernels/selftest.h"
#include "cli/command.h"
#include "cli/results.h"
#include "runtime/base/clock.h"
#include "runtime/base/cpu.h"
#include "runtime/model/onnx.h"
#include "toolkit/base/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct selftest {
    const qmt_kernels *kernels;
    bool json;
    json_t *rows; /* JSON only */
    char network[512];
    int total, wrong;
    char first[600]; /* "P-Net, layer conv1"; "" if all are right */
};

static void add_json(struct selftest *test, const qmt_selftest_row *row)
{
    char hash[17], expected[17];
    snprintf(hash, sizeof hash, "%016" PRIx64, row->hash);
    snprintf(expected, sizeof expected, "%016" PRIx64, row->expected);
    json_t *object = json_pack("{s:s,s:s,s:b,s:s,s:s}", "network", row->network, "layer", row->layer, "same", row->same,
                               "hash", hash, "expected", expected);
    if (object && row->values > 0) {
        json_object_set_new(object, "values", json_integer((json_int_t)row->values));
        json_object_set_new(object, "differ", json_integer((json_int_t)row->differ));
        json_object_set_new(object, "largest", json_real(row->largest));
    }
    json_array_append_new(test->rows, object);
}

static void print_row(struct selftest *test, const qmt_selftest_row *row)
{
    if (strcmp(test->network, row->network) != 0) {
        snprintf(test->network, sizeof test->network, "%s", row->network);
        printf("%s\n", row->network);
    }
    printf("  %-24s %016" PRIx64 "  ", row->layer, row->hash);
    if (row->values == 0 && row->same)
        printf("right\n");
    else if (row->values == 0)
        printf("WRONG, not %016" PRIx64 "\n", row->expected);
    else if (row->differ == 0)
        printf("equal, %zu values\n", row->values);
    else
        printf("%s, %zu of %zu values differ, by up to %.3g\n", row->same ? "close" : "WRONG", row->differ, row->values,
               row->largest);
}

static void take_row(void *state, const qmt_selftest_row *row)
{
    struct selftest *test = state;
    test->total++;
    if (!row->same && test->wrong++ == 0)
        snprintf(test->first, sizeof test->first, "%s, layer %s", row->network, row->layer);
    if (test->json)
        add_json(test, row);
    else
        print_row(test, row);
}

/* NUMERIC is a verdict, which rows have told; anything else is a failure. */
static qmtcnn_status test_models(struct selftest *test, const char *folder, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    for (int net = 0; net < qmt_net_count && status == QMTCNN_OK; net++) {
        qmt_model *model = NULL;
        char *path = qmt_format("%s/%s.onnx", folder, qmt_net_name((qmt_net_id)net));
        if (!path)
            return qmt_fail_memory(error, strlen(folder) + 16, "a path");
        status = qmt_onnx_read_file(path, &model, error);
        if (status == QMTCNN_OK)
            status = qmt_selftest_model(model, path, test->kernels, take_row, test, error);
        if (status == QMTCNN_ERROR_NUMERIC && test->wrong > 0)
            status = QMTCNN_OK;
        qmt_model_free(model);
        qmt_free(path);
    }
    return status;
}

static qmtcnn_status print_end(const struct selftest *test, double seconds, qmtcnn_error *error)
{
    char cpu[256];
    qmt_cpu_name(cpu, sizeof cpu);
    if (test->json) {
        json_t *first = test->wrong ? json_string(test->first) : json_null();
        return qmt_print_json(json_pack("{s:b,s:s,s:s,s:f,s:o,s:O}", "passed", test->wrong == 0, "kernels",
                                        test->kernels->name, "cpu", cpu, "seconds", seconds, "first_difference", first,
                                        "layers", test->rows),
                              NULL, error);
    }
    if (test->wrong)
        printf("FAILED: kernels %s on %s: %d of %d results are wrong, the first at %s\n", test->kernels->name, cpu,
               test->wrong, test->total, test->first);
    else
        printf("passed: kernels %s on %s: %d of %d results are right, in %.3f s\n", test->kernels->name, cpu,
               test->total, test->total, seconds);
    return QMTCNN_OK;
}

static qmtcnn_status run_tests(struct selftest *test, const char *models, qmtcnn_error *error)
{
    const double start = qmt_seconds();
    test->rows = json_array();
    if (!test->rows)
        return qmt_fail_memory(error, 64, "a list");
    qmtcnn_status status = qmt_selftest_builtin(test->kernels, take_row, test, error);
    if (status == QMTCNN_ERROR_NUMERIC && test->wrong > 0)
        status = QMTCNN_OK;
    if (status == QMTCNN_OK && models)
        status = test_models(test, models, error);
    if (status == QMTCNN_OK)
        status = print_end(test, qmt_seconds() - start, error);
    json_decref(test->rows);
    return status;
}

static int run(int argc, char **argv)
{
    const char *models = NULL, *kernels = NULL, *format = "text";
    qmtcnn_error error = {0};
    int inputs;
    const qmt_option options[] = {
        {.name = "models",
         .kind = QMT_OPTION_TEXT,
         .value = &models,
         .argument = "DIR",
         .help = "also compare every layer of pnet.onnx, rnet.onnx and onet.onnx in it with plain C kernels"},
        {.name = "kernels",
         .kind = QMT_OPTION_TEXT,
         .value = &kernels,
         .argument = "NAME",
         .help = "kernels to test, such as c (the best for this processor)"},
        {.name = "format",
         .kind = QMT_OPTION_CHOICE,
         .value = &format,
         .argument = "NAME",
         .choices = "text|json",
         .help = "text or json (text)"},
        {.name = NULL}};
    const qmt_usage usage = {
        .synopsis = "qmtcnn selftest [OPTION]...",
        .text = "Does this processor compute our integers? Built-in networks run on a built-in picture, and a hash of\n"
                "every layer's result is compared with the one that plain C gives everywhere. Exit status 1, with the\n"
                "first layer that differs, where it doesn't.\n\n"
                "Example:\n"
                "  qmtcnn selftest --models models/mtcnn_qat",
        .options = options};
    qmt_parse_result parsed = qmt_parse_options(argc, argv, &usage, &inputs);
    if (parsed != QMT_PARSED)
        return qmt_parse_exit(parsed);
    struct selftest test = {.kernels = qmt_kernels_select(kernels), .json = strcmp(format, "json") == 0};
    if (!test.kernels) {
        fprintf(stderr, "qmtcnn selftest: no kernels called '%s' that this processor can run; the best are '%s'\n",
                kernels, qmt_kernels_select(NULL)->name);
        return qmt_exit_usage;
    }
    qmtcnn_status status = run_tests(&test, models, &error);
    if (status != QMTCNN_OK)
        return qmt_command_failed("selftest", status, &error);
    return test.wrong ? qmt_exit_failed : qmt_exit_done;
}

const qmt_command qmt_command_selftest = {"selftest", "prove that this processor computes our integers", run};
