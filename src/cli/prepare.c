#include "toolkit/data/prepare.h"
#include "cli/command.h"
#include "toolkit/base/stop.h"
#include "toolkit/config/json.h"

#include <stdio.h>
#include <string.h>

static const char synopsis[] = "qmtcnn prepare --data DIR --net pnet|rnet|onet --out STORE [OPTION]...";
static const char text[] =
    "Cuts training samples for one network out of a face data set: negatives, positives, parts and\n"
    "landmark crops. R-Net and O-Net also get what the networks before them let through (mining), so\n"
    "those must be trained first.\n"
    "\n"
    "STORE gets shard-NNNNN.safetensors, manifest.json (counts, IoU histograms, hashes, settings) and\n"
    "contact sheets (negative.png, positive.png, part.png, landmark.png, augment.png), and config.yaml\n"
    "(all settings). The same seed gives the same bytes, for any number of threads, and of processes\n"
    "under mpirun. A stopped run goes on with --resume.\n"
    "\n"
    "Examples:\n"
    "  qmtcnn prepare --data WIDER --net pnet --out samples/pnet\n"
    "  qmtcnn prepare --data WIDER --net rnet --models models/mtcnn_fp32 --out samples/rnet";

struct request {
    qmt_config config;
    const char *net, *out, *models, *split;
    bool resume;
};

static qmt_net_id net_of(const char *name)
{
    for (int net = 0; net < qmt_net_count; net++) {
        if (strcmp(name, qmt_net_name((qmt_net_id)net)) == 0)
            return (qmt_net_id)net;
    }
    return QMT_PNET;
}

static qmtcnn_status prepare(const struct request *request, qmtcnn_error *error)
{
    qmt_dataset *dataset = NULL;
    qmt_ranks *ranks = NULL;
    qmt_prepare_options options = {.net = net_of(request->net),
                                   .out = request->out,
                                   .models = request->models,
                                   .threads = request->config.run.threads,
                                   .resume = request->resume,
                                   .seed = request->config.run.seed};
    qmtcnn_status status = qmt_ranks_create(&ranks, error);
    if (status == QMTCNN_OK)
        status = qmt_dataset_open_as(&request->config.data, request->config.data.dir, request->split, &dataset, error);
    if (status == QMTCNN_OK)
        status = qmt_prepare(dataset, &request->config, &options, ranks, error);
    if (status == QMTCNN_OK && qmt_ranks_rank(ranks) == 0)
        status = qmt_config_write_into(&request->config, request->out, error);
    qmt_dataset_free(dataset);
    qmt_ranks_free(ranks);
    return status;
}

static int run(int argc, char **argv)
{
    struct request request = {.split = "train"};
    qmtcnn_error error = {0};
    int inputs = 0;
    const qmt_option options[] = {
        {.name = "data",
         .kind = QMT_OPTION_CONFIG,
         .value = &request.config,
         .argument = "DIR",
         .key = "data.dir",
         .help = "data set in WIDER FACE's layout, or images/train with labels beside"},
        {.name = "net",
         .kind = QMT_OPTION_CHOICE,
         .value = &request.net,
         .argument = "NET",
         .choices = "pnet|rnet|onet",
         .help = "the network that the samples are for",
         .required = true},
        {.name = "out",
         .kind = QMT_OPTION_TEXT,
         .value = &request.out,
         .argument = "STORE",
         .help = "folder for the samples; those of an earlier run there are replaced",
         .required = true},
        {.name = "models",
         .kind = QMT_OPTION_TEXT,
         .value = &request.models,
         .argument = "DIR",
         .help = "folder with pnet.onnx (for rnet), and rnet.onnx (for onet), to mine with"},
        {.name = "split",
         .kind = QMT_OPTION_CHOICE,
         .value = &request.split,
         .argument = "SPLIT",
         .choices = "train|val",
         .help = "part of the data set (default train)"},
        {.name = "limit",
         .kind = QMT_OPTION_CONFIG,
         .value = &request.config,
         .argument = "N",
         .key = "data.limit",
         .help = "only the first N pictures; 0: all"},
        {.name = "seed",
         .kind = QMT_OPTION_CONFIG,
         .value = &request.config,
         .argument = "N",
         .key = "run.seed",
         .help = "decides all that is random"},
        {.name = "threads",
         .kind = QMT_OPTION_CONFIG,
         .value = &request.config,
         .argument = "N",
         .key = "run.threads",
         .help = "0: one per processor"},
        {.name = "resume",
         .kind = QMT_OPTION_FLAG,
         .value = &request.resume,
         .help = "go on with a stopped run; what is finished stays"},
        {.name = NULL},
    };
    const qmt_usage usage = {
        .synopsis = synopsis, .text = text, .options = options, .config = &request.config, .max_inputs = 0};
    qmt_config_default(&request.config);
    qmt_parse_result parsed = qmt_parse_options(argc, argv, &usage, &inputs);
    if (parsed != QMT_PARSED)
        return qmt_parse_exit(parsed);
    if (!request.config.data.dir[0]) {
        fprintf(stderr, "qmtcnn prepare: option --data is missing\nTry 'qmtcnn prepare --help'.\n");
        return qmt_exit_usage;
    }
    qmt_stop_watch();
    qmtcnn_status status = prepare(&request, &error);
    return status == QMTCNN_OK ? qmt_exit_done : qmt_command_failed(argv[0], status, &error);
}

const qmt_command qmt_command_prepare = {"prepare", "cut and mine training samples", run};
