#include "runtime/base/clock.h"
#include "runtime/detect/cascade_state.h"

#include <string.h>

qmtcnn_status qmt_cascade_create(const qmt_backend *backend, qmt_pool *pool, qmt_cascade **result, qmtcnn_error *error)
{
    int workers = qmt_pool_threads(pool);
    *result = NULL;
    qmt_cascade *cascade = qmt_alloc_zero(1, sizeof *cascade);
    qmt_cascade_worker *memory = qmt_alloc_zero((size_t)workers, sizeof *memory);
    if (!cascade || !memory) {
        qmt_free(memory);
        qmt_free(cascade);
        return qmt_fail_memory(error, sizeof *cascade + (size_t)workers * sizeof *memory, "a detector");
    }
    cascade->backend = *backend;
    cascade->pool = pool;
    cascade->worker_count = workers;
    cascade->workers = memory;
    *result = cascade;
    return QMTCNN_OK;
}

void qmt_cascade_free(qmt_cascade *cascade)
{
    if (!cascade)
        return;
    for (int i = 0; i < cascade->worker_count; i++) {
        qmt_cascade_worker *worker = &cascade->workers[i];
        qmt_resizer_clear(&worker->resizer);
        qmt_free(worker->pixels);
        qmt_free(worker->cells);
    }
    qmt_free(cascade->workers);
    qmt_free(cascade->tiles);
    qmt_free(cascade->spans);
    qmt_free(cascade->candidates);
    qmt_free(cascade->scratch);
    qmt_free(cascade->voters);
    qmt_free(cascade->sums);
    qmt_free(cascade);
}

size_t qmt_cascade_bytes(const qmt_cascade *cascade)
{
    size_t bytes = sizeof *cascade + (size_t)cascade->worker_count * sizeof *cascade->workers +
                   cascade->tiles_size * sizeof *cascade->tiles + cascade->spans_size * sizeof *cascade->spans +
                   cascade->candidates_size * sizeof *cascade->candidates +
                   cascade->scratch_size * qmt_suppress_ints * sizeof(int) +
                   cascade->voters_size * sizeof *cascade->voters + cascade->sums_size * sizeof *cascade->sums;
    for (int i = 0; i < cascade->worker_count; i++) {
        const qmt_cascade_worker *worker = &cascade->workers[i];
        bytes += worker->resizer.size + worker->pixels_size + worker->cells_size * sizeof *worker->cells;
    }
    return bytes;
}

/* ---- Workers --------------------------------------------------------------------------------- */

void qmt_cascade_start(qmt_cascade *cascade)
{
    for (int i = 0; i < cascade->worker_count; i++) {
        qmt_cascade_worker *worker = &cascade->workers[i];
        worker->cell_count = 0;
        worker->resize_seconds = worker->network_seconds = 0;
        worker->status = QMTCNN_OK;
    }
}

qmtcnn_status qmt_cascade_end(const qmt_cascade *cascade, double seconds, double *resize_ms, double *network_ms,
                              qmtcnn_error *error)
{
    double resize = 0, network = 0;
    for (int i = 0; i < cascade->worker_count; i++) {
        const qmt_cascade_worker *worker = &cascade->workers[i];
        if (worker->status != QMTCNN_OK) {
            if (error)
                *error = worker->error;
            return worker->status;
        }
        resize += worker->resize_seconds;
        network += worker->network_seconds;
    }
    double share = resize + network > 0 ? resize / (resize + network) : 0;
    *resize_ms += 1e3 * seconds * share;
    *network_ms += 1e3 * seconds * (1 - share);
    return QMTCNN_OK;
}

qmtcnn_status qmt_cascade_reserve_resizers(const qmt_cascade *cascade, qmtcnn_error *error)
{
    size_t most = 0;
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; i < cascade->worker_count; i++)
        most = cascade->workers[i].resizer.size > most ? cascade->workers[i].resizer.size : most;
    for (int i = 0; i < cascade->worker_count && status == QMTCNN_OK; i++)
        status = qmt_resizer_reserve(&cascade->workers[i].resizer, most, error);
    return status;
}

/* ---- Boxes ----------------------------------------------------------------------------------- */

/* Corrected by the network, then made square; without those that hold nothing of the picture (or come from numbers that
 * are not finite). Boxes that lay apart may now lie on the same face: where they are suppressed once more, the next
 * network sees it less often. */
static void refine(qmt_cascade *cascade, float suppress_at)
{
    const float largest = 1 << 20;
    const qmt_box whole = {0, 0, (float)cascade->picture->width, (float)cascade->picture->height};
    size_t kept = 0;
    for (size_t i = 0; i < cascade->count; i++) {
        qmt_candidate candidate = cascade->candidates[i];
        qmt_regress(&candidate);
        candidate.box = qmt_square(candidate.box);
        const float side = candidate.box.x2 - candidate.box.x1;
        if (side > 0 && side < largest && qmt_box_intersection(candidate.box, whole) > 0)
            cascade->candidates[kept++] = candidate;
    }
    cascade->count = kept;
    if (suppress_at > 0)
        cascade->count = qmt_suppress(cascade->candidates, kept, suppress_at, QMT_OVERLAP_UNION, cascade->scratch);
}

static bool is_finite_face(const qmt_candidate *face)
{
    const float limit = 1 << 24;
    const float *landmarks = face->landmarks[0];
    bool sound = face->box.x1 > -limit && face->box.y1 > -limit && face->box.x2 < limit && face->box.y2 < limit &&
                 qmt_box_area(face->box) > 0;
    for (int i = 0; i < 10; i++)
        sound = sound && landmarks[i] > -limit && landmarks[i] < limit;
    return sound;
}

/* Final boxes: corrected, not square; what overlaps a better one goes, after it voted for where that one lies. */
static qmtcnn_status finish_faces(qmt_cascade *cascade, qmtcnn_error *error)
{
    const qmtcnn_options *options = cascade->options;
    const qmt_overlap overlap = options->last_overlap == QMTCNN_OVERLAP_UNION ? QMT_OVERLAP_UNION : QMT_OVERLAP_SMALLER;
    const bool voting = options->vote > 0;
    qmtcnn_status status = QMTCNN_OK;
    size_t kept = 0;
    for (size_t i = 0; i < cascade->count; i++) {
        qmt_candidate face = cascade->candidates[i];
        qmt_regress(&face);
        if (is_finite_face(&face))
            cascade->candidates[kept++] = face;
    }
    if (voting)
        status = qmt_grow((void **)&cascade->voters, &cascade->voters_size, 0, kept, sizeof *cascade->voters, error);
    if (voting && status == QMTCNN_OK)
        status = qmt_grow((void **)&cascade->sums, &cascade->sums_size, 0, kept, sizeof *cascade->sums, error);
    if (status != QMTCNN_OK)
        return status;
    if (voting && kept > 0)
        memcpy(cascade->voters, cascade->candidates, kept * sizeof *cascade->voters);
    cascade->count = qmt_suppress(cascade->candidates, kept, options->nms[3], overlap, cascade->scratch);
    if (voting && kept > 0)
        qmt_vote(cascade->candidates, cascade->count, cascade->voters, kept, options->vote, cascade->sums,
                 cascade->scratch);
    return QMTCNN_OK;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static qmtcnn_status run_stages(qmt_cascade *cascade, qmt_net_id last, qmtcnn_timing *timing, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_cascade_propose(cascade, timing, error);
    if (status != QMTCNN_OK)
        return status;
    double start = qmt_seconds();
    refine(cascade, cascade->options->refined_nms[0]);
    timing->nms_ms += 1e3 * (qmt_seconds() - start);
    timing->proposals = (int)cascade->count;
    if (last == QMT_PNET)
        return QMTCNN_OK;
    status = qmt_cascade_judge(cascade, QMT_RNET, &timing->rnet_ms, &timing->crop_ms, error);
    if (status != QMTCNN_OK)
        return status;
    start = qmt_seconds();
    cascade->count = qmt_suppress(cascade->candidates, cascade->count, cascade->options->nms[2], QMT_OVERLAP_UNION,
                                  cascade->scratch);
    refine(cascade, cascade->options->refined_nms[1]);
    timing->nms_ms += 1e3 * (qmt_seconds() - start);
    timing->refined = (int)cascade->count;
    if (last == QMT_RNET)
        return QMTCNN_OK;
    status = qmt_cascade_judge(cascade, QMT_ONET, &timing->onet_ms, &timing->crop_ms, error);
    if (status != QMTCNN_OK)
        return status;
    start = qmt_seconds();
    status = finish_faces(cascade, error);
    timing->nms_ms += 1e3 * (qmt_seconds() - start);
    timing->faces = (int)cascade->count;
    return status;
}

qmtcnn_status qmt_cascade_run(qmt_cascade *cascade, const qmt_pixels *picture, const qmt_cascade_options *options,
                              const qmt_candidate **candidates, size_t *count, qmtcnn_timing *timing,
                              qmtcnn_error *error)
{
    qmtcnn_timing unused;
    qmtcnn_timing *spent = timing ? timing : &unused;
    const double start = qmt_seconds();
    memset(spent, 0, sizeof *spent);
    *candidates = NULL;
    *count = 0;
    cascade->picture = picture;
    cascade->options = &options->detect;
    cascade->count = 0;
    qmtcnn_status status = run_stages(cascade, options->last, spent, error);
    cascade->picture = NULL;
    cascade->options = NULL;
    spent->total_ms = 1e3 * (qmt_seconds() - start);
    if (status != QMTCNN_OK)
        return status;
    *candidates = cascade->candidates;
    *count = cascade->count;
    return QMTCNN_OK;
}
