#include "cli/command.h"
#include "toolkit/base/ranks.h"
#include "toolkit/pipeline/pipeline.h"

static const char help_text[] =
    "Takes a face data set to checked INT8 models: samples, training, quantization, export, validation,\n"
    "report. Everything lands below the configuration's run.workdir. What is done already is not done\n"
    "again, so a stopped run goes on where it was; samples and what follows are made anew where labels\n"
    "changed, or a picture's name, size, first or last 4 KB. The exit status is 1, after all steps and\n"
    "the report, where INT8 keeps less of FP32's average precision than --min-retention.\n"
    "\n"
    "Examples:\n"
    "  qmtcnn run configs/demo.yaml                                   synthetic faces, 3 to 6 minutes\n"
    "  qmtcnn run configs/wider.yaml --data wider                     real pictures\n"
    "  qmtcnn run configs/wider.yaml --data wider --limit 500 --workdir runs/first   a first look";

static int run(int argc, char **argv)
{
    qmt_config config;
    qmtcnn_error error;
    qmt_ranks *ranks = NULL;
    int inputs = 0;
    const qmt_option options[] = {
        {.name = "data",
         .kind = QMT_OPTION_CONFIG,
         .value = &config,
         .key = "data.dir",
         .argument = "DIR",
         .help = "data set in WIDER FACE's layout"},
        {.name = "limit",
         .kind = QMT_OPTION_CONFIG,
         .value = &config,
         .key = "data.limit",
         .argument = "N",
         .help = "first N pictures of each split; 0: all"},
        {.name = "real-data",
         .kind = QMT_OPTION_CONFIG,
         .value = &config,
         .key = "evaluate.real_data",
         .argument = "DIR",
         .help = "pictures of another kind, such as real ones where faces are synthetic, on whose val split "
                 "the report also tells how good it is"},
        {.name = "min-retention",
         .kind = QMT_OPTION_CONFIG,
         .value = &config,
         .key = "evaluate.min_retention",
         .argument = "R",
         .help = "share of FP32's average precision that INT8 must keep (default .95)"},
        {.name = "workdir",
         .kind = QMT_OPTION_CONFIG,
         .value = &config,
         .key = "run.workdir",
         .argument = "DIR",
         .help = "where everything lands"},
        {.name = "threads",
         .kind = QMT_OPTION_CONFIG,
         .value = &config,
         .key = "run.threads",
         .argument = "N",
         .help = "0: one per processor"},
        {.name = "seed",
         .kind = QMT_OPTION_CONFIG,
         .value = &config,
         .key = "run.seed",
         .argument = "N",
         .help = "the same seed gives the same models"},
        {.name = NULL},
    };
    const qmt_usage usage = {.synopsis = "qmtcnn run CONFIG [--data DIR] [--limit N] [OPTION]...",
                             .text = help_text,
                             .options = options,
                             .config = &config,
                             .min_inputs = 1,
                             .max_inputs = 1,
                             .config_input = true};
    qmt_config_default(&config);
    qmt_parse_result parsed = qmt_parse_options(argc, argv, &usage, &inputs);
    if (parsed != QMT_PARSED)
        return qmt_parse_exit(parsed);
    qmtcnn_status status = qmt_ranks_create(&ranks, &error);
    if (status == QMTCNN_OK)
        status = qmt_pipeline_run(&config, ranks, &error);
    qmt_ranks_free(ranks);
    return status == QMTCNN_OK ? qmt_exit_done : qmt_command_failed("run", status, &error);
}

const qmt_command qmt_command_run = {"run", "everything below, in order, resumable", run};
