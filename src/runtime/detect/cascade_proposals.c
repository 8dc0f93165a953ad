/* The pyramid and P-Net. */
#include "runtime/base/clock.h"
#include "runtime/detect/cascade_state.h"

#include <string.h>

enum { cell = 12, stride = 2 };

/* Any worker may get any tile, and next time another: all get room for the largest, so that the same picture never
 * takes memory twice. */
static qmtcnn_status reserve_workers(qmt_cascade *cascade, qmtcnn_error *error)
{
    size_t pixels = 3 * qmt_rnet_batch * 24 * 24, most_cells = 0, found = 0;
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
        qmt_cascade_worker *worker = &cascade->workers[i];
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
    qmt_cascade_worker *worker = &cascade->workers[number];
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
    qmt_cascade_worker *worker = &cascade->workers[number];
    qmt_span *span = &cascade->spans[index];
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
        const qmt_span *span = &cascade->spans[i];
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

qmtcnn_status qmt_cascade_propose(qmt_cascade *cascade, qmtcnn_timing *timing, qmtcnn_error *error)
{
    qmtcnn_status status =
        qmt_pyramid_tiles(&cascade->backend, cascade->picture->width, cascade->picture->height, cascade->options,
                          cascade->worker_count, &cascade->tiles, &cascade->tiles_size, &cascade->tile_count, error);
    if (status == QMTCNN_OK)
        status = qmt_grow((void **)&cascade->spans, &cascade->spans_size, 0, cascade->tile_count,
                          sizeof *cascade->spans, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_cascade_start(cascade);
    status = reserve_workers(cascade, error);
    if (status != QMTCNN_OK)
        return status;
    const double start = qmt_seconds();
    qmt_pool_run(cascade->pool, (int)cascade->tile_count, tile_task, cascade);
    const double end = qmt_seconds();
    status = qmt_cascade_end(cascade, end - start, &timing->resize_ms, &timing->pnet_ms, error);
    if (status == QMTCNN_OK)
        status = reserve_workers(cascade, error); /* now the cells are known */
    if (status == QMTCNN_OK)
        status = qmt_cascade_reserve_resizers(cascade, error);
    if (status == QMTCNN_OK)
        status = gather(cascade, error);
    if (status != QMTCNN_OK)
        return status;
    suppress_proposals(cascade);
    timing->levels = cascade->levels;
    timing->nms_ms += 1e3 * (qmt_seconds() - end);
    return QMTCNN_OK;
}
