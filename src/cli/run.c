#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "toolkit/base/ranks.h"
#include "toolkit/pipeline/pipeline.h"

static const char help_text[] =
    "Takes a face data set to checked INT8 models: samples, training, quantization, export, validation, report.\n"
    "Everything lands below the configuration's run.workdir. What is done already is not done again, so a stopped\n"
    "run goes on where it was.\n"
    "\n"
    "Examples:\n"
    "  qmtcnn run configs/demo.yaml                             synthetic faces, about 10 minutes\n"
    "  qmtcnn run configs/wider.yaml --data wider --limit 500   a first look at real pictures";

/* The configuration is an argument here and no option, so it has to be found before the options that override it are read. */
static qmt_parse_result find_config(int argc, char **argv, qmt_usage usage, const char **path)
{
    char *copy[256];
    int inputs = 0;
    if (argc > (int)(sizeof copy / sizeof copy[0]) - 1) {
        fprintf(stderr, "qmtcnn run: too many arguments\n");
        return QMT_PARSED_WRONG;
    }
    memcpy(copy, argv, (size_t)argc * sizeof *copy);
    copy[argc] = NULL;
    qmt_parse_result result = qmt_parse_options(argc, copy, &usage, &inputs);
    if (result == QMT_PARSED)
        *path = copy[1];
    return result;
}

static int run(int argc, char **argv)
{
    qmt_config config;
    qmtcnn_error error;
    qmt_ranks *ranks = NULL;
    const char *path = NULL;
    int inputs = 0;
    const qmt_option options[] = {
        {.name = "data", .kind = QMT_OPTION_CONFIG, .value = &config, .key = "data.dir", .argument = "DIR",
         .help = "data set in WIDER FACE's layout"},
        {.name = "limit", .kind = QMT_OPTION_CONFIG, .value = &config, .key = "data.limit", .argument = "N",
         .help = "first N pictures of each split; 0: all"},
        {.name = "workdir", .kind = QMT_OPTION_CONFIG, .value = &config, .key = "run.workdir", .argument = "DIR",
         .help = "where everything lands"},
        {.name = "threads", .kind = QMT_OPTION_CONFIG, .value = &config, .key = "run.threads", .argument = "N",
         .help = "0: one per processor"},
        {.name = "seed", .kind = QMT_OPTION_CONFIG, .value = &config, .key = "run.seed", .argument = "N",
         .help = "the same seed gives the same models"},
        {.name = NULL},
    };
    qmt_usage usage = {.synopsis = "qmtcnn run CONFIG [--data DIR] [--limit N] [OPTION]...",
                       .text = help_text, .options = options, .config = &config, .min_inputs = 1, .max_inputs = 1};
    qmt_config_default(&config);
    qmt_parse_result parsed = find_config(argc, argv, usage, &path);
    if (parsed != QMT_PARSED)
        return parsed == QMT_PARSED_HELP ? qmt_exit_done : qmt_exit_usage;
    qmt_config_default(&config);
    qmtcnn_status status = qmt_config_read(path, &config, &error);
    if (status != QMTCNN_OK)
        return qmt_command_failed("run", status, &error);
    if (qmt_parse_options(argc, argv, &usage, &inputs) != QMT_PARSED)
        return qmt_exit_usage;
    status = qmt_config_check(&config, &error);
    if (status == QMTCNN_OK)
        status = qmt_ranks_create(&ranks, &error);
    if (status == QMTCNN_OK)
        status = qmt_pipeline_run(&config, ranks, &error);
    qmt_ranks_free(ranks);
    return status == QMTCNN_OK ? qmt_exit_done : qmt_command_failed("run", status, &error);
}

const qmt_command qmt_command_run = {"run", "everything below, in order, resumable", run};
