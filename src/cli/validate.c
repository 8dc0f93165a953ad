#include "cli/command.h"
#include "cli/results.h"
#include "toolkit/evaluate/compare.h"
#include "toolkit/report/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char synopsis[] = "qmtcnn validate --data DIR --fp32 DIR --int8 DIR [OPTION]...";
static const char text[] =
    "Compares INT8 models with FP32 ones: average precision with a 95 % interval for the difference, box\n"
    "by box, layer by layer (signal to quantization noise, cosine, saturation, dead channels, the worst\n"
    "first), speed and memory. The exit status is 1 where INT8 keeps less of FP32's average precision\n"
    "than --min-retention.\n"
    "\n"
    "Examples:\n"
    "  qmtcnn validate --data WIDER --fp32 models/mtcnn_fp32 --int8 models/mtcnn_qat\n"
    "  qmtcnn validate --data WIDER --fp32 models/mtcnn_fp32 --int8 models/mtcnn_qat --stages\n"
    "                  --ptq models/mtcnn_ptq --format html --out validation.html";

enum { worst_examples = 6, best_examples = 6 };

struct request {
    qmt_config config;
    const char *split, *format, *out;
    qmt_compare_options compare;
};

static bool is(const char *text_a, const char *text_b)
{
    return text_a && strcmp(text_a, text_b) == 0;
}

static qmtcnn_status open_dataset(const struct request *request, qmt_dataset **dataset, qmtcnn_error *error)
{
    const qmt_data_config *data = &request->config.data;
    const char *lists[qmt_max_lists];
    for (int i = 0; i < data->landmark_lists; i++)
        lists[i] = data->landmarks[i];
    const qmt_dataset_options options = {data->limit, data->min_face, lists, data->landmark_lists};
    return qmt_dataset_open(data->dir, request->split, &options, dataset, error);
}

static qmtcnn_status print_page(const struct request *request, const qmt_dataset *dataset,
                                const qmt_comparison *comparison, qmtcnn_error *error)
{
    qmt_examples examples = {0};
    char *configuration = qmt_config_text(&request->config), *html = NULL;
    const qmt_report report = {.title = "qmtcnn: INT8 against FP32",
                               .subtitle = comparison->int8.detector,
                               .configuration = configuration,
                               .comparison = comparison,
                               .examples = &examples};
    qmtcnn_status status = qmt_examples_make(dataset, comparison->found_int8, &request->config, worst_examples,
                                             best_examples, &examples, error);
    if (status == QMTCNN_OK)
        status = qmt_report_html(&report, &html, error);
    if (status == QMTCNN_OK)
        status = qmt_print_text(html, request->out, error);
    qmt_examples_clear(&examples);
    qmt_free(configuration);
    return status;
}

static void explain_failure(const qmt_comparison *comparison)
{
    if (isnan(comparison->retention))
        fprintf(stderr, "qmtcnn validate: FP32's average precision is 0 on these pictures: there is nothing to keep\n");
    else
        fprintf(stderr, "qmtcnn validate: INT8 keeps %.4f of FP32's average precision; at least %.4f is wanted\n",
                comparison->retention, comparison->min_retention);
}

static qmtcnn_status validate(struct request *request, bool *passes, qmtcnn_error *error)
{
    qmt_dataset *dataset = NULL;
    qmt_comparison *comparison = NULL;
    request->compare.min_retention = request->config.evaluate.min_retention;
    request->compare.threads = request->config.run.threads;
    qmtcnn_status status = open_dataset(request, &dataset, error);
    if (status == QMTCNN_OK)
        status = qmt_compare(dataset, &request->config, &request->compare, &comparison, error);
    if (status == QMTCNN_OK) {
        *passes = qmt_comparison_passes(comparison);
        if (is(request->format, "json"))
            status = qmt_print_json(qmt_comparison_json(comparison), request->out, error);
        else if (is(request->format, "html"))
            status = print_page(request, dataset, comparison, error);
        else
            status = qmt_print_text(qmt_comparison_text(comparison), request->out, error);
        if (status == QMTCNN_OK && !*passes)
            explain_failure(comparison);
    }
    qmt_comparison_free(comparison);
    qmt_dataset_free(dataset);
    return status;
}

static int run(int argc, char **argv)
{
    struct request request = {.split = "val", .format = "text"};
    qmt_config *config = &request.config;
    qmtcnn_error error = {0};
    int inputs = 0;
    bool passes = false;
    const qmt_option options[] = {
        {.name = "data",
         .kind = QMT_OPTION_CONFIG,
         .value = config,
         .argument = "DIR",
         .key = "data.dir",
         .help = "data set in WIDER FACE's layout, or images/val with labels beside"},
        {.name = "split",
         .kind = QMT_OPTION_CHOICE,
         .value = &request.split,
         .argument = "SPLIT",
         .choices = "train|val",
         .help = "part of the data set (default val)"},
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
        {.name = "min-retention",
         .kind = QMT_OPTION_CONFIG,
         .value = config,
         .argument = "R",
         .key = "evaluate.min_retention",
         .help = "share of FP32's average precision that INT8 must keep (default .95)"},
        {.name = "threads",
         .kind = QMT_OPTION_CONFIG,
         .value = config,
         .argument = "N",
         .key = "run.threads",
         .help = "pictures at a time; 0: one per processor"},
        {.name = "limit",
         .kind = QMT_OPTION_CONFIG,
         .value = config,
         .argument = "N",
         .key = "data.limit",
         .help = "only the first N pictures; 0: all"},
        {.name = "format",
         .kind = QMT_OPTION_CHOICE,
         .value = &request.format,
         .choices = "text|json|html",
         .help = "form of the result"},
        {.name = "out",
         .kind = QMT_OPTION_TEXT,
         .value = &request.out,
         .argument = "FILE",
         .help = "write the result there instead of standard output"},
        {0},
    };
    const qmt_usage usage = {.synopsis = synopsis, .text = text, .options = options, .config = config};
    qmt_config_default(config);
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
