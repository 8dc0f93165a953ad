/* R- and O-Net on crops of the picture, in batches. */
#include "runtime/base/clock.h"
#include "runtime/detect/cascade_state.h"

#include <string.h>

enum {
    onet_batch = 8,    /* crops a turn at most: as many bytes as R-Net's */
    shared_batch = 16, /* ... where threads share them */
    largest_batch = qmt_rnet_batch
};

static void place_landmarks(qmt_candidate *candidate, const float *landmarks)
{
    const qmt_box box = candidate->box;
    for (int i = 0; i < 5; i++) {
        candidate->landmarks[i][0] = box.x1 + landmarks[2 * i] * (box.x2 - box.x1);
        candidate->landmarks[i][1] = box.y1 + landmarks[2 * i + 1] * (box.y2 - box.y1);
    }
}

/* Crops a turn: where threads share them, as many turns for each. */
static int batch_size(const qmt_cascade *cascade, qmt_net_id net)
{
    size_t most = net == QMT_RNET ? qmt_rnet_batch : onet_batch;
    const size_t workers = (size_t)cascade->worker_count;
    if (workers > 1 && most > shared_batch)
        most = shared_batch;
    const size_t batches = (cascade->count + most - 1) / most;
    const size_t turns = (batches + workers - 1) / workers * workers;
    return turns == 0 ? 1 : (int)((cascade->count + turns - 1) / turns);
}

/* O-Net's score, or its mean with R-Net's. */
static float last_score(const qmtcnn_options *options, const qmt_candidate *candidate, float onet)
{
    if (!(options->fusion > 0))
        return onet;
    const float odds = options->fusion_odds > 0 ? options->fusion_odds : 1;
    return qmt_fuse_scores(candidate->rnet_score, onet, options->fusion, odds);
}

static qmtcnn_status run_batch(qmt_cascade *cascade, qmt_candidate *candidates, int count, int number,
                               qmtcnn_error *error)
{
    qmt_cascade_worker *worker = &cascade->workers[number];
    const qmt_net_id net = cascade->net;
    const int side = qmt_net_side(net);
    const size_t crop = 3 * (size_t)side * (size_t)side;
    float face[largest_batch], box[4 * largest_batch], landmarks[10 * largest_batch];
    const double start = qmt_seconds();
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; i < count && status == QMTCNN_OK; i++) {
        const qmt_box at = candidates[i].box;
        status = qmt_resize(&worker->resizer, cascade->picture, at.x1, at.y1, at.x2 - at.x1, at.y2 - at.y1,
                            worker->pixels + (size_t)i * crop, side, side, 3 * side, error);
    }
    const double middle = qmt_seconds();
    if (status == QMTCNN_OK)
        status = cascade->backend.run_crops(cascade->backend.state, number, net, worker->pixels, count, face, box,
                                            net == QMT_ONET ? landmarks : NULL, error);
    for (int i = 0; i < count && status == QMTCNN_OK; i++) {
        if (net == QMT_RNET)
            candidates[i].rnet_score = face[i];
        candidates[i].score = net == QMT_ONET ? last_score(cascade->options, &candidates[i], face[i]) : face[i];
        memcpy(candidates[i].offset, box + 4 * i, sizeof candidates[i].offset);
        if (net == QMT_ONET)
            place_landmarks(&candidates[i], landmarks + 10 * i);
    }
    worker->resize_seconds += middle - start;
    worker->network_seconds += qmt_seconds() - middle;
    return status;
}

static void batch_task(void *state, int index, int number)
{
    qmt_cascade *cascade = state;
    qmt_cascade_worker *worker = &cascade->workers[number];
    const int batch = cascade->batch;
    const size_t first = (size_t)index * (size_t)batch;
    const size_t left = cascade->count - first;
    if (worker->status == QMTCNN_OK)
        worker->status = run_batch(cascade, cascade->candidates + first, left < (size_t)batch ? (int)left : batch,
                                   number, &worker->error);
}

qmtcnn_status qmt_cascade_judge(qmt_cascade *cascade, qmt_net_id net, double *network_ms, double *crop_ms,
                                qmtcnn_error *error)
{
    const size_t batch = (size_t)batch_size(cascade, net);
    cascade->net = net;
    cascade->batch = (int)batch;
    qmt_cascade_start(cascade);
    const double start = qmt_seconds();
    qmt_pool_run(cascade->pool, (int)((cascade->count + batch - 1) / batch), batch_task, cascade);
    qmtcnn_status status = qmt_cascade_end(cascade, qmt_seconds() - start, crop_ms, network_ms, error);
    if (status == QMTCNN_OK)
        status = qmt_cascade_reserve_resizers(cascade, error);
    if (status != QMTCNN_OK)
        return status;
    size_t kept = 0;
    for (size_t i = 0; i < cascade->count; i++) {
        if (cascade->candidates[i].score > cascade->options->thresholds[net])
            cascade->candidates[kept++] = cascade->candidates[i];
    }
    cascade->count = kept;
    return QMTCNN_OK;
}
