/* qmtcnn train: samples in, checkpoints out. */
#include "toolkit/train/train.h"
#include "cli/command.h"
#include "toolkit/base/file.h"
#include "toolkit/base/stop.h"

#include <stdio.h>
#include <string.h>

/* What the command line asks for. */
typedef struct train_request {
    qmt_config config;
    const char *model, *samples, *checkpoints, *logs, *models, *finetune;
    bool resume;
} train_request;

/* "FOLDER/NET" where it holds samples, else FOLDER itself where that does; for qmt_free(). NULL: neither, or out of
 * memory. */
static char *samples_in(const char *folder, const char *net, bool or_itself)
{
    char *path = qmt_path_join(folder, net), *manifest = path ? qmt_path_join(path, "manifest.json") : NULL;
    bool found = manifest && qmt_file_exists(manifest);
    qmt_free(manifest);
    if (found)
        return path;
    qmt_free(path);
    manifest = or_itself ? qmt_path_join(folder, "manifest.json") : NULL;
    found = manifest && qmt_file_exists(manifest);
    qmt_free(manifest);
    return found ? qmt_copy_string(folder) : NULL;
}

/* Where a network's samples are: --samples, else WORKDIR/samples, else samples. */
static char *find_samples(const train_request *request, const char *net)
{
    if (request->samples)
        return samples_in(request->samples, net, strcmp(request->model, "all") != 0);
    char *folder = qmt_path_join(request->config.run.workdir, "samples");
    char *found = folder ? samples_in(folder, net, false) : NULL;
    qmt_free(folder);
    return found ? found : samples_in("samples", net, false);
}

/* Says how to make samples that are missing. */
static qmtcnn_status missing_samples(const train_request *request, const char *net, qmtcnn_error *error)
{
    const char *folder = request->samples ? request->samples : "samples";
    bool first = strcmp(net, "pnet") == 0;
    return qmt_fail(error, QMTCNN_ERROR_IO,
                    "no samples of %s in %s/%s%s%s%s; make them: qmtcnn prepare --data DIR --net %s --out %s/%s%s", net,
                    folder, net, request->samples ? "" : " or ", request->samples ? "" : request->config.run.workdir,
                    request->samples ? "" : "/samples", net, folder, net,
                    first ? "" : " --models DIR (of the networks before it)");
}

static qmtcnn_status train_net(const train_request *request, qmt_net_id net, qmt_ranks *ranks, qmtcnn_error *error)
{
    const char *name = qmt_net_name(net);
    char *store = find_samples(request, name);
    if (!store)
        return missing_samples(request, name, error);
    const qmt_train_options options = {
        .net = net,
        .store = store,
        .checkpoints = request->checkpoints,
        .logs = request->logs,
        .pictures = request->config.data.dir[0] ? request->config.data.dir : NULL,
        .models = request->models,
        .finetune = request->finetune,
        .resume = request->resume,
        .threads = request->config.run.threads,
        .seed = request->config.run.seed,
    };
    qmtcnn_status status = qmt_train(&request->config, &options, ranks, error);
    qmt_free(store);
    return status;
}

/* All networks asked for, in order. Samples are looked for first, so that hours don't pass before one is missed. */
static qmtcnn_status train_nets(const train_request *request, qmt_ranks *ranks, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    bool all = strcmp(request->model, "all") == 0;
    for (int turn = 0; turn < 2; turn++)
        for (int net = 0; status == QMTCNN_OK && net < qmt_net_count; net++) {
            const char *name = qmt_net_name((qmt_net_id)net);
            if (!all && strcmp(request->model, name) != 0)
                continue;
            if (turn == 1) {
                status = train_net(request, (qmt_net_id)net, ranks, error);
                continue;
            }
            char *store = find_samples(request, name);
            if (!store)
                status = missing_samples(request, name, error);
            qmt_free(store);
        }
    if (status == QMTCNN_OK && qmt_ranks_rank(ranks) == 0)
        printf("%s\n", request->checkpoints);
    return status;
}

static int run_train(int argc, char **argv)
{
    train_request request = {.checkpoints = "checkpoints", .logs = "logs"};
    qmt_config_default(&request.config);
    const qmt_option options[] = {
        {.name = "model",
         .kind = QMT_OPTION_CHOICE,
         .value = &request.model,
         .argument = "NET",
         .help = "network to train; all: one after the other, from samples that are there",
         .choices = "pnet|rnet|onet|all",
         .required = true},
        {.name = "num-epochs",
         .kind = QMT_OPTION_CONFIG,
         .value = &request.config,
         .argument = "N",
         .help = "epochs in all, FP32 and QAT",
         .key = "train.epochs"},
        {.name = "samples",
         .kind = QMT_OPTION_TEXT,
         .value = &request.samples,
         .argument = "DIR",
         .help = "samples of one network, or a folder of them by network (default: WORKDIR/samples, else samples)"},
        {.name = "checkpoints",
         .kind = QMT_OPTION_TEXT,
         .value = &request.checkpoints,
         .argument = "DIR",
         .help = "where checkpoints go, below it one folder a network (default: checkpoints)"},
        {.name = "logs",
         .kind = QMT_OPTION_TEXT,
         .value = &request.logs,
         .argument = "DIR",
         .help = "where TensorBoard's event files go (default: logs)"},
        {.name = "data",
         .kind = QMT_OPTION_CONFIG,
         .value = &request.config,
         .argument = "DIR",
         .key = "data.dir",
         .help = "data set of which TensorBoard shows four pictures an epoch, with what the cascade finds so far"},
        {.name = "models",
         .kind = QMT_OPTION_TEXT,
         .value = &request.models,
         .argument = "DIR",
         .help = "with --data: folder of the networks before this one (pnet.onnx, rnet.onnx)"},
        {.name = "resume",
         .kind = QMT_OPTION_FLAG,
         .value = &request.resume,
         .help = "go on from the newest checkpoint, where there is one"},
        {.name = "finetune",
         .kind = QMT_OPTION_TEXT,
         .value = &request.finetune,
         .argument = "FILE|DIR",
         .help = "start from a checkpoint, an ONNX file, or a folder of either, instead of random weights"},
        {.name = "threads",
         .kind = QMT_OPTION_CONFIG,
         .value = &request.config,
         .argument = "N",
         .help = "threads that compute; as many make batches; 0: one a processor",
         .key = "run.threads"},
        {.name = "seed",
         .kind = QMT_OPTION_CONFIG,
         .value = &request.config,
         .argument = "N",
         .help = "of weights, order and augmentation",
         .key = "run.seed"},
        {.name = NULL},
    };
    const qmt_usage usage = {
        .synopsis = "qmtcnn train --model pnet|rnet|onet|all [OPTION]...",
        .text = "Trains a network on samples that `qmtcnn prepare` made: FP32 epochs, calibration, and QAT epochs.\n"
                "Writes CHECKPOINTS/NET/{fp32,ptq,qat}.safetensors, checkpoints to resume from, and history.json.\n"
                "Ctrl-C saves a checkpoint and stops; the same command with --resume goes on, to the same bytes.\n"
                "A NaN, or a loss over 10 times its lowest for train.divergence_steps steps, stops it with the step,\n"
                "the layer, and the last good checkpoint.\n\n"
                "--threads N computes with N threads. `mpirun -np R qmtcnn train ...` shares each batch among R\n"
                "processes, on one machine or many that share a file system: R must be a power of two that divides\n"
                "batch / 16, and each process has --threads threads (give processors / R on one machine). The seed\n"
                "alone decides the result: any R and N give checkpoints that are equal byte for byte.\n\n"
                "Example:\n"
                "  qmtcnn prepare --data widerface --net pnet --out samples/pnet\n"
                "  qmtcnn train --model pnet --num-epochs 10\n"
                "  mpirun -np 4 qmtcnn train --model rnet --threads 2 --data widerface --models models/mtcnn_fp32\n"
                "  tensorboard --logdir logs",
        .options = options,
        .config = &request.config,
        .min_inputs = 0,
        .max_inputs = 0,
    };
    int inputs = 0;
    qmt_parse_result parsed = qmt_parse_options(argc, argv, &usage, &inputs);
    if (parsed != QMT_PARSED)
        return qmt_parse_exit(parsed);
    qmt_stop_watch();
    qmt_ranks *ranks = NULL;
    qmtcnn_error error = {0};
    qmtcnn_status status = qmt_ranks_create(&ranks, &error);
    if (status == QMTCNN_OK)
        status = train_nets(&request, ranks, &error);
    qmt_ranks_free(ranks);
    return status == QMTCNN_OK ? qmt_exit_done : qmt_command_failed("train", status, &error);
}

const qmt_command qmt_command_train = {
    .name = "train",
    .summary = "train a network from samples: FP32, calibration, QAT",
    .run = run_train,
};
