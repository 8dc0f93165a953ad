#include "runtime/detect/cascade.h"

#include "runtime/base/clock.h"

#include <string.h>

enum {
    cell = 12,
    stride = 2,
    rnet_batch = 32, /* crops a turn at most: equal bytes of both */
    onet_batch = 8,
    shared_batch = 16, /* ... where threads share them */
    largest_batch = rnet_batch
};

/* Where a tile's cells are, those that passed. */
struct span {
    int worker;
    size_t first, count;
};

/* What one worker owns. Everything grows and is kept. */
struct worker {
    qmt_resizer resizer;
    uint8_t *pixels; /* a tile, or a batch of crops */
    size_t pixels_size;
    qmt_face_cell *cells; /* that passed P-Net, tile after tile */
    size_t cells_size, cell_count;
    double resize_seconds, network_seconds;
    qmtcnn_status status;
    qmtcnn_error error;
};

struct qmt_cascade {
    qmt_backend backend;
    qmt_pool *pool;
    int worker_count;
    struct worker *workers;
    qmt_tile *tiles;
    size_t tiles_size, tile_count;
    struct span *spans; /* one a tile */
    size_t spans_size;
    qmt_candidate *candidates;
    size_t candidates_size, count;
    int *scratch; /* qmt_suppress_ints a candidate */
    size_t scratch_size;
    qmt_candidate *voters; /* what the last suppression began with; only where boxes are voted on */
    size_t voters_size;
    qmt_vote_sums *sums; /* one a voter */
    size_t sums_size;
    /* The run that is on. */
    const qmt_pixels *picture;
    const qmtcnn_options *options;
    qmt_net_id net;
    int batch; /* crops a turn */
    int levels;
    size_t level_first[qmt_max_levels + 1]; /* a level's candidates, before suppression */
    size_t level_count[qmt_max_levels];     /* ... and after it */
};

qmtcnn_status qmt_cascade_create(const qmt_backend *backend, qmt_pool *pool, qmt_cascade **result, qmtcnn_error *error)
{
    int workers = qmt_pool_threads(pool);
    *result = NULL;
    qmt_cascade *cascade = qmt_alloc_zero(1, sizeof *cascade);
    struct worker *memory = qmt_alloc_zero((size_t)workers, sizeof *memory);
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
        struct worker *worker = &cascade->workers[i];
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
        const struct worker *worker = &cascade->workers[i];
        bytes += worker->resizer.size + worker->pixels_size + worker->cells_size * sizeof *worker->cells;
    }
    return bytes;
}

/* ---- Workers --------------------------------------------------------------------------------- */

static void start_workers(qmt_cascade *cascade)
{
    for (int i = 0; i < cascade->worker_count; i++) {
        struct worker *worker = &cascade->workers[i];
        worker->cell_count = 0;
        worker->resize_seconds = worker->network_seconds = 0;
        worker->status = QMTCNN_OK;
    }
}

/* Shares the seconds that a loop took among its two parts, as the workers spent them, and hands on a failure. */
static qmtcnn_status end_workers(const qmt_cascade *cascade, double seconds, double *resize_ms, double *network_ms,
                                 qmtcnn_error *error)
{
    double resize = 0, network = 0;
    for (int i = 0; i < cascade->worker_count; i++) {
        const struct worker *worker = &cascade->workers[i];
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

/* Each may get next time what another got: all take the memory for resizing that one of them needed, so that the same
 * picture never takes memory twice. */
static qmtcnn_status reserve_resizers(const qmt_cascade *cascade, qmtcnn_error *error)
{
    size_t most = 0;
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; i < cascade->worker_count; i++)
        most = cascade->workers[i].resizer.size > most ? cascade->workers[i].resizer.size : most;
    for (int i = 0; i < cascade->worker_count && status == QMTCNN_OK; i++)
        status = qmt_resizer_reserve(&cascade->workers[i].resizer, most, error);
    return status;
}

/* ---- P-Net ----------------------------------------------------------------------------------- */

/* Any worker may get any tile, and next time another: all get room for the largest, so that the same picture never
 * takes memory twice. */
static qmtcnn_status reserve_workers(qmt_cascade *cascade, qmtcnn_error *error)
{
    size_t pixels = 3 * rnet_batch * 24 * 24, most_cells = 0, found = 0;
    for (size_t i = 0; i < cascade->tile_count; i++) {
        const qmt_tile *tile = &cascade->tiles[i];
        const size_t tile_pixels = 3 * (size_t)tile->level_width * (size_t)tile->height;
        const size_t tile_cells = (size_t)tile->cell_rows * (size_t)tile->cell_columns;
        pixels = tile_pixels > pixels ? tile_pixels : pixels;
        most_cells = tile_cells > most_cells ? tile_cells : most_cells;
    }
    for (int i = 0; i < cascade->worker_count; i++)
        found += cascade->workers[i].cell_count;
    for (int i = 0; i < cascade->worker_count; i++) {
        struct worker *worker = &cascade->workers[i];
        qmtcnn_status status = qmt_grow((void **)&worker->pixels, &worker->pixels_size, 0, pixels, 1, error);
        if (status == QMTCNN_OK)
            status = qmt_grow((void **)&worker->cells, &worker->cells_size, worker->cell_count, found + most_cells,
                              sizeof *worker->cells, error);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}

static qmtcnn_status run_tile(qmt_cascade *cascade, const qmt_tile *tile, int number, qmtcnn_error *error)
{
    struct worker *worker = &cascade->workers[number];
    const qmt_pixels *picture = cascade->picture;
    const double start = qmt_seconds();
    const size_t most = (size_t)tile->cell_rows * (size_t)tile->cell_columns;
    const ptrdiff_t row = 3 * (ptrdiff_t)tile->level_width;
    const double ratio = (double)picture->height / tile->level_height;
    qmtcnn_status status =
        qmt_resize(&worker->resizer, picture, 0, tile->y * ratio, picture->width, tile->height * ratio, worker->pixels,
                   tile->level_width, tile->height, row, error);
    const double middle = qmt_seconds();
    qmt_pixels pixels = {worker->pixels, tile->level_width, tile->height, row};
    if (status == QMTCNN_OK)
        status = qmt_grow((void **)&worker->cells, &worker->cells_size, worker->cell_count, worker->cell_count + most,
                          sizeof *worker->cells, error);
    if (status == QMTCNN_OK) {
        qmt_face_cells cells = {cascade->options->thresholds[QMT_PNET], worker->cells + worker->cell_count, most, 0};
        status = cascade->backend.run_pnet(cascade->backend.state, number, &pixels, &cells, error);
        worker->cell_count += cells.count;
    }
    worker->resize_seconds += middle - start;
    worker->network_seconds += qmt_seconds() - middle;
    return status;
}

static void tile_task(void *state, int index, int number)
{
    qmt_cascade *cascade = state;
    struct worker *worker = &cascade->workers[number];
    struct span *span = &cascade->spans[index];
    if (worker->status != QMTCNN_OK)
        return;
    span->worker = number;
    span->first = worker->cell_count;
    worker->status = run_tile(cascade, &cascade->tiles[index], number, &worker->error);
    span->count = worker->cell_count - span->first;
}

static qmtcnn_status reserve_candidates(qmt_cascade *cascade, size_t count, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_grow((void **)&cascade->candidates, &cascade->candidates_size, 0, count,
                                    sizeof *cascade->candidates, error);
    if (status == QMTCNN_OK)
        status = qmt_grow((void **)&cascade->scratch, &cascade->scratch_size, 0, count, qmt_suppress_ints * sizeof(int),
                          error);
    return status;
}

/* Cells to candidates in the order of tiles, whichever workers found them. */
static qmtcnn_status gather(qmt_cascade *cascade, qmtcnn_error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < cascade->tile_count; i++)
        count += cascade->spans[i].count;
    /* At least one, so that there is an array to point into. */
    qmtcnn_status status = reserve_candidates(cascade, count > 0 ? count : 1, error);
    if (status != QMTCNN_OK)
        return status;
    cascade->levels = 0;
    cascade->count = 0;
    for (size_t i = 0; i < cascade->tile_count; i++) {
        const qmt_tile *tile = &cascade->tiles[i];
        const struct span *span = &cascade->spans[i];
        const double ratio_x = (double)cascade->picture->width / tile->level_width;
        const double ratio_y = (double)cascade->picture->height / tile->level_height;
        if (tile->level == cascade->levels)
            cascade->level_first[cascade->levels++] = cascade->count;
        for (size_t j = 0; j < span->count; j++) {
            const qmt_face_cell *hit = &cascade->workers[span->worker].cells[span->first + j];
            const double x = stride * hit->column, y = stride * (tile->cell_row + hit->row);
            qmt_candidate *candidate = &cascade->candidates[cascade->count];
            *candidate = (qmt_candidate){.score = hit->face, .order = (int)cascade->count};
            candidate->box = (qmt_box){(float)(x * ratio_x), (float)(y * ratio_y), (float)((x + cell) * ratio_x),
                                       (float)((y + cell) * ratio_y)};
            memcpy(candidate->offset, hit->box, sizeof candidate->offset);
            cascade->count++;
        }
    }
    cascade->level_first[cascade->levels] = cascade->count;
    return QMTCNN_OK;
}

static void suppress_level_task(void *state, int level, int worker)
{
    qmt_cascade *cascade = state;
    size_t first = cascade->level_first[level];
    (void)worker;
    cascade->level_count[level] =
        qmt_suppress(cascade->candidates + first, cascade->level_first[level + 1] - first, cascade->options->nms[0],
                     QMT_OVERLAP_UNION, cascade->scratch + qmt_suppress_ints * first);
}

/* Suppression in each level, then over all. */
static void suppress_proposals(qmt_cascade *cascade)
{
    qmt_pool_run(cascade->pool, cascade->levels, suppress_level_task, cascade);
    cascade->count = 0;
    for (int i = 0; i < cascade->levels; i++) {
        memmove(cascade->candidates + cascade->count, cascade->candidates + cascade->level_first[i],
                cascade->level_count[i] * sizeof *cascade->candidates);
        cascade->count += cascade->level_count[i];
    }
    cascade->count = qmt_suppress(cascade->candidates, cascade->count, cascade->options->nms[1], QMT_OVERLAP_UNION,
                                  cascade->scratch);
    if (cascade->count > (size_t)cascade->options->max_proposals)
        cascade->count = (size_t)cascade->options->max_proposals;
}

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

static qmtcnn_status find_proposals(qmt_cascade *cascade, qmtcnn_timing *timing, qmtcnn_error *error)
{
    qmtcnn_status status =
        qmt_pyramid_tiles(&cascade->backend, cascade->picture->width, cascade->picture->height, cascade->options,
                          cascade->worker_count, &cascade->tiles, &cascade->tiles_size, &cascade->tile_count, error);
    if (status == QMTCNN_OK)
        status = qmt_grow((void **)&cascade->spans, &cascade->spans_size, 0, cascade->tile_count,
                          sizeof *cascade->spans, error);
    if (status != QMTCNN_OK)
        return status;
    start_workers(cascade);
    status = reserve_workers(cascade, error);
    if (status != QMTCNN_OK)
        return status;
    const double start = qmt_seconds();
    qmt_pool_run(cascade->pool, (int)cascade->tile_count, tile_task, cascade);
    const double end = qmt_seconds();
    status = end_workers(cascade, end - start, &timing->resize_ms, &timing->pnet_ms, error);
    if (status == QMTCNN_OK)
        status = reserve_workers(cascade, error); /* now the cells are known */
    if (status == QMTCNN_OK)
        status = reserve_resizers(cascade, error);
    if (status == QMTCNN_OK)
        status = gather(cascade, error);
    if (status != QMTCNN_OK)
        return status;
    suppress_proposals(cascade);
    refine(cascade, cascade->options->refined_nms[0]);
    timing->levels = cascade->levels;
    timing->proposals = (int)cascade->count;
    timing->nms_ms += 1e3 * (qmt_seconds() - end);
    return QMTCNN_OK;
}

/* ---- R-Net and O-Net ------------------------------------------------------------------------- */

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
    size_t most = net == QMT_RNET ? rnet_batch : onet_batch;
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
    struct worker *worker = &cascade->workers[number];
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
    struct worker *worker = &cascade->workers[number];
    const int batch = cascade->batch;
    const size_t first = (size_t)index * (size_t)batch;
    const size_t left = cascade->count - first;
    if (worker->status == QMTCNN_OK)
        worker->status = run_batch(cascade, cascade->candidates + first, left < (size_t)batch ? (int)left : batch,
                                   number, &worker->error);
}

/* Scores the candidates anew with R- or O-Net and drops those that don't pass. */
static qmtcnn_status judge(qmt_cascade *cascade, qmt_net_id net, double *network_ms, double *crop_ms,
                           qmtcnn_error *error)
{
    const size_t batch = (size_t)batch_size(cascade, net);
    cascade->net = net;
    cascade->batch = (int)batch;
    start_workers(cascade);
    const double start = qmt_seconds();
    qmt_pool_run(cascade->pool, (int)((cascade->count + batch - 1) / batch), batch_task, cascade);
    qmtcnn_status status = end_workers(cascade, qmt_seconds() - start, crop_ms, network_ms, error);
    if (status == QMTCNN_OK)
        status = reserve_resizers(cascade, error);
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
    qmtcnn_status status = find_proposals(cascade, timing, error);
    if (status != QMTCNN_OK || last == QMT_PNET)
        return status;
    status = judge(cascade, QMT_RNET, &timing->rnet_ms, &timing->crop_ms, error);
    if (status != QMTCNN_OK)
        return status;
    double start = qmt_seconds();
    cascade->count = qmt_suppress(cascade->candidates, cascade->count, cascade->options->nms[2], QMT_OVERLAP_UNION,
                                  cascade->scratch);
    refine(cascade, cascade->options->refined_nms[1]);
    timing->nms_ms += 1e3 * (qmt_seconds() - start);
    timing->refined = (int)cascade->count;
    if (last == QMT_RNET)
        return QMTCNN_OK;
    status = judge(cascade, QMT_ONET, &timing->onet_ms, &timing->crop_ms, error);
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
