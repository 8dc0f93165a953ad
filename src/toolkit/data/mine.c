#include "toolkit/data/mine.h"
#include "runtime/model/onnx.h"
#include "toolkit/base/file.h"

#include <string.h>

/* WIDER FACE's rule for a found face. */
static const float found_iou = 0.5f;

typedef struct mining_worker {
    qmt_backend backend;
    qmt_cascade *cascade;
} mining_worker;

struct qmt_miner {
    qmt_network *networks[qmt_net_count];
    mining_worker *workers;
    int worker_count;
    qmt_cascade_options options;
};

char *qmt_miner_path(const char *folder, qmt_net_id net)
{
    return qmt_format("%s/%s.onnx", folder, qmt_net_name(net));
}

static qmtcnn_status load_network(const char *folder, qmt_net_id net, qmtcnn_precision precision, qmt_network **network,
                                  qmtcnn_error *error)
{
    qmt_model *model = NULL;
    char *path = qmt_miner_path(folder, net);
    if (!path)
        return qmt_fail_memory(error, strlen(folder), "a path");
    qmtcnn_status status = qmt_onnx_read_file(path, &model, error);
    if (status == QMTCNN_OK && model->net != net)
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: its input is that of %s, not of %s", path,
                          qmt_net_name(model->net), qmt_net_name(net));
    if (status == QMTCNN_OK) {
        status = qmt_network_create(model, precision, NULL, network, error);
        if (status != QMTCNN_OK)
            status = qmt_fail_in(error, status, "%s (prepare.mine_precision)", path);
    }
    qmt_model_free(model);
    qmt_free(path);
    return status;
}

static void set_options(const qmt_config *config, qmt_net_id net, qmt_cascade_options *options)
{
    const qmt_prepare_config *prepare = &config->prepare[net];
    qmtcnn_options_default(NULL, &options->detect);
    options->detect.min_face = prepare->mine_min_face;
    options->detect.max_face = 0;
    options->detect.scale_factor = config->detect.scale_factor;
    options->detect.max_proposals = config->detect.max_proposals;
    options->detect.threads = 1;
    for (int i = 0; i < 2; i++)
        options->detect.thresholds[i] = prepare->mine_thresholds[i];
    memcpy(options->detect.nms, config->detect.nms, sizeof options->detect.nms);
    options->last = net == QMT_ONET ? QMT_RNET : QMT_PNET;
}

qmtcnn_status qmt_miner_open(const char *folder, qmt_net_id net, const qmt_config *config, int workers,
                             qmt_miner **result, qmtcnn_error *error)
{
    bool int8 = strcmp(config->prepare[net].mine_precision, "int8") == 0;
    qmtcnn_precision precision = int8 ? QMTCNN_PRECISION_INT8 : QMTCNN_PRECISION_FP32;
    qmtcnn_status status = QMTCNN_OK;
    *result = NULL;
    qmt_miner *miner = qmt_alloc_zero(1, sizeof *miner);
    if (!miner)
        return qmt_fail_memory(error, sizeof *miner, "mining");
    set_options(config, net, &miner->options);
    for (int i = 0; status == QMTCNN_OK && i < (int)net; i++)
        status = load_network(folder, (qmt_net_id)i, precision, &miner->networks[i], error);
    if (status == QMTCNN_OK) {
        miner->workers = qmt_alloc_zero((size_t)workers, sizeof *miner->workers);
        if (!miner->workers)
            status = qmt_fail_memory(error, (size_t)workers * sizeof *miner->workers, "mining");
    }
    const qmt_network *const networks[qmt_net_count] = {miner->networks[0], miner->networks[1], miner->networks[2]};
    for (int i = 0; status == QMTCNN_OK && i < workers; i++) {
        mining_worker *worker = &miner->workers[i];
        miner->worker_count = i + 1;
        /* A backend each: a cascade without a pool is always worker 0 of its backend. */
        status = qmt_backend_create(networks, 1, &worker->backend, error);
        if (status == QMTCNN_OK)
            status = qmt_cascade_create(&worker->backend, NULL, &worker->cascade, error);
    }
    if (status != QMTCNN_OK) {
        qmt_miner_close(miner);
        return status;
    }
    *result = miner;
    return QMTCNN_OK;
}

void qmt_miner_close(qmt_miner *miner)
{
    if (!miner)
        return;
    for (int i = 0; i < miner->worker_count; i++) {
        qmt_cascade_free(miner->workers[i].cascade);
        qmt_backend_free(&miner->workers[i].backend);
    }
    qmt_free(miner->workers);
    for (int i = 0; i < qmt_net_count; i++)
        qmt_network_free(miner->networks[i]);
    qmt_free(miner);
}

qmtcnn_status qmt_miner_run(qmt_miner *miner, int worker, const qmt_pixels *picture, const qmt_candidate **candidates,
                            size_t *count, qmtcnn_error *error)
{
    return qmt_cascade_run(miner->workers[worker].cascade, picture, &miner->options, candidates, count, NULL, error);
}

static bool is_found(qmt_box face, const qmt_candidate *candidates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (qmt_box_iou(face, candidates[i].box) >= found_iou)
            return true;
    }
    return false;
}

void qmt_count_recall(const qmt_scene *scene, int min_face, const qmt_candidate *candidates, size_t count,
                      qmt_mining_recall *recall)
{
    for (size_t i = 0; i < scene->label_count; i++) {
        qmt_box box = scene->labels[i].box;
        if (scene->labels[i].ignore || box.x2 - box.x1 < (float)min_face || box.y2 - box.y1 < (float)min_face)
            continue;
        recall->faces++;
        recall->found += is_found(box, candidates, count);
    }
}
