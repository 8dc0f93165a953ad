#include "cli/command.h"
#include "cli/results.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char synopsis[] = "qmtcnn validate --data DIR --fp32 DIR --int8 DIR [OPTION]...";
static const char text[] =
    "Compares INT8 models with FP32 ones: average precision with a 95 % interval for the difference, box\n"
    "by box, layer by layer (signal to quantization noise, cosine, saturation, dead channels, the worst\n"
    "first), speed and memory. The exit status is 1 where INT8 keeps less of FP32's average precision\n"
    "than --min-retention. --sensitivity tells which layer to keep in FP32 (quantize.keep_fp32), if any.\n"
    "\n"
    "Examples:\n"
    "  qmtcnn validate --data WIDER --fp32 models/mtcnn_fp32 --int8 models/mtcnn_qat\n"
    "  qmtcnn validate --data WIDER --fp32 models/mtcnn_fp32 --int8 models/mtcnn_qat --stages\n"
    "                  --ptq models/mtcnn_ptq --format html --out validation.html\n"
    "  qmtcnn validate --data WIDER --fp32 models/mtcnn_fp32 --int8 models/mtcnn_qat --sensitivity";

enum { worst_examples = 6, best_examples = 6, most_options = 24 };

struct request {
    qmt_result_request result;
    qmt_compare_options compare;
};

static qmtcnn_status give_page(const qmt_result_request *result, const qmt_dataset *dataset,
                               const qmt_comparison *comparison, qmtcnn_error *error)
{
    qmt_examples examples = {0};
    qmt_report report = {.title = "qmtcnn: INT8 against FP32",
                         .subtitle = comparison->int8.detector,
                         .comparison = comparison,
                         .examples = &examples};
    qmtcnn_status status = qmt_examples_make(dataset, comparison->found_int8, &result->config, worst_examples,
                                             best_examples, &examples, error);
    if (status == QMTCNN_OK)
        status = qmt_give_page(result, &report, error);
    qmt_examples_clear(&examples);
    return status;
}

static void explain_failure(const qmt_comparison *comparison)
{
    if (comparison->fp32.faces == 0)
        fprintf(stderr, "qmtcnn validate: none of the labeled faces counts (evaluate.min_face, data.min_face)\n");
    else if (isnan(comparison->retention))
        fprintf(stderr, "qmtcnn validate: FP32's average precision is 0 on these pictures: there is nothing to keep\n");
    else
        fprintf(stderr, "qmtcnn validate: INT8 keeps %.4f of FP32's average precision; at least %.4f is wanted\n",
                comparison->retention, comparison->min_retention);
}

static qmtcnn_status validate(struct request *request, bool *passes, qmtcnn_error *error)
{
    const qmt_result_request *result = &request->result;
    const qmt_config *config = &result->config;
    qmt_dataset *dataset = NULL;
    qmt_comparison *comparison = NULL;
    request->compare.min_retention = config->evaluate.min_retention;
    request->compare.threads = config->run.threads;
    qmtcnn_status status = qmt_dataset_open_as(&config->data, config->data.dir, result->split, &dataset, error);
    if (status == QMTCNN_OK)
        status = qmt_compare(dataset, config, &request->compare, &comparison, error);
    if (status == QMTCNN_OK) {
        *passes = qmt_comparison_passes(comparison);
        if (qmt_is(result->format, "json"))
            status = qmt_give_json(result, qmt_comparison_json(comparison), error);
        else if (qmt_is(result->format, "html"))
            status = give_page(result, dataset, comparison, error);
        else
            status = qmt_give_text(result, qmt_comparison_text(comparison), error);
        if (status == QMTCNN_OK && !*passes)
            explain_failure(comparison);
    }
    qmt_comparison_free(comparison);
    qmt_dataset_free(dataset);
    return status;
}

static int run(int argc, char **argv)
{
    struct request request = {.compare = {.sensitivity_pictures = qmt_sensitivity_pictures}};
    qmt_config *config = &request.result.config;
    qmtcnn_error error = {0};
    int inputs = 0;
    bool passes = false;
    qmt_result_request_init(&request.result);
    const qmt_option own[] = {
        {.name = "fp32",
         .kind = QMT_OPTION_TEXT,
         .value = &request.compare.fp32,
         .argument = "DIR",
         .help = "folder of FP32 models",
         .required = true},
        {.name = "int8",
         .kind = QMT_OPTION_TEXT,
         .value = &request.compare.int8,
         .argument = "DIR",
         .help = "folder of INT8 models",
         .required = true},
        {.name = "ptq",
         .kind = QMT_OPTION_TEXT,
         .value = &request.compare.ptq,
         .argument = "DIR",
         .help = "folder of INT8 models without training, to see what training gains"},
        {.name = "stages",
         .kind = QMT_OPTION_FLAG,
         .value = &request.compare.stages,
         .help = "also all eight mixes of FP32 and INT8 networks"},
        {.name = "sensitivity",
         .kind = QMT_OPTION_FLAG,
         .value = &request.compare.sensitivity,
         .help = "also AP and noise of each layer: alone in INT8, and alone in FP32; some 30 more runs"},
        {.name = "sensitivity-pictures",
         .kind = QMT_OPTION_INT,
         .value = &request.compare.sensitivity_pictures,
         .argument = "N",
         .help = "with --sensitivity: over N pictures, spread over the data set; 0: all (default 200)"},
        {.name = "min-retention",
         .kind = QMT_OPTION_CONFIG,
         .value = config,
         .argument = "R",
         .key = "evaluate.min_retention",
         .help = "share of FP32's average precision that INT8 must keep (default .95)"},
        {0},
    };
    qmt_option options[most_options];
    qmt_result_options(&request.result, own, options, most_options);
    const qmt_usage usage = {.synopsis = synopsis, .text = text, .options = options, .config = config};
    qmt_parse_result parsed = qmt_parse_options(argc, argv, &usage, &inputs);
    if (parsed != QMT_PARSED)
        return qmt_parse_exit(parsed);
    if (!config->data.dir[0]) {
        fprintf(stderr, "qmtcnn validate: option --data is missing\nTry 'qmtcnn validate --help'.\n");
        return qmt_exit_usage;
    }
    qmtcnn_status status = validate(&request, &passes, &error);
    if (status != QMTCNN_OK)
        return qmt_command_failed("validate", status, &error);
    return passes ? qmt_exit_done : qmt_exit_failed;
}

const qmt_command qmt_command_validate = {"validate", "INT8 against FP32: accuracy, layers, speed, memory", run};
