#include "runtime/detect/cascade.h"

#include <math.h>
#include <stdint.h>

enum {
    cell = 12,
    stride = 2,
    tile_pixels = 65536, /* maps of this size stay in the second- or third-level cache */
    least_rows = 48,     /* cells; tiles share cell - stride rows of pixels, whose work costs about one row of cells */
    least_shared_rows = 24, /* ... where threads share a picture */
    turns_a_thread = 2      /* of the largest levels' tiles; small levels come last and level out what is left */
};

int qmt_pyramid_scales(int width, int height, const qmtcnn_options *options, double scales[qmt_max_levels])
{
    double smaller = width < height ? width : height;
    double scale = (double)cell / options->min_face;
    int count = 0;
    while (count < qmt_max_levels && smaller * scale >= cell) {
        /* A level finds faces from sqrt(factor) below its size on. */
        if (options->max_face > 0 && count > 0 && cell / scale * sqrt(options->scale_factor) > options->max_face)
            break;
        scales[count++] = scale;
        scale *= options->scale_factor;
    }
    return count;
}

static int level_side(int side, double scale)
{
    int rounded = (int)floor(side * scale + 0.5);
    return rounded < cell ? cell : rounded;
}

/* The part of a level with cells [first, first + rows). */
static qmt_tile make_tile(const qmt_tile *level, int first, int rows)
{
    qmt_tile tile = *level;
    int needed = stride * (rows - 1) + cell;
    tile.cell_row = first;
    tile.cell_rows = rows;
    tile.y = stride * first;
    tile.height = first + rows == level->cell_rows ? level->level_height - tile.y : needed;
    return tile;
}

/* Does P-Net make so many cells of so many pixels? */
static qmtcnn_status check_cells(const qmt_backend *backend, int width, int height, int cell_columns, int cell_rows,
                                 qmtcnn_error *error)
{
    int rows = 0, columns = 0;
    if (height < cell || !backend->pnet_size(backend->state, height, width, &rows, &columns) || rows != cell_rows ||
        columns != cell_columns)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED,
                        "P-Net makes %d x %d cells from %d x %d pixels, not %d x %d: a network with stride 2 and cells "
                        "of 12 pixels is needed",
                        columns, rows, width, height, cell_columns, cell_rows);
    return QMTCNN_OK;
}

/* Rows of cells that a tile may have. `share`: pixels that a thread should get at a time. */
static int most_rows(int width, int64_t share)
{
    const int64_t pixels = share < tile_pixels ? share : tile_pixels;
    const int rows = (int)(pixels / width - (cell - stride)) / stride;
    const int least = share < tile_pixels ? least_shared_rows : least_rows;
    return rows < least ? least : rows;
}

static qmtcnn_status add_level(const qmt_backend *backend, qmt_tile *level, int64_t share, qmt_tile **tiles,
                               size_t *capacity, size_t *count, qmtcnn_error *error)
{
    if (!backend->pnet_size(backend->state, level->level_height, level->level_width, &level->cell_rows,
                            &level->cell_columns))
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED,
                        "P-Net can't run on %d x %d pixels: a network with cells of "
                        "12 pixels is needed",
                        level->level_width, level->level_height);
    int most = most_rows(level->level_width, share);
    int parts = (level->cell_rows + most - 1) / most;
    int rows = (level->cell_rows + parts - 1) / parts;
    for (int first = 0; first < level->cell_rows; first += rows) {
        int left = level->cell_rows - first;
        qmt_tile tile = make_tile(level, first, left < rows ? left : rows);
        qmtcnn_status status =
            check_cells(backend, tile.level_width, tile.height, tile.cell_columns, tile.cell_rows, error);
        if (status == QMTCNN_OK)
            status = qmt_grow((void **)tiles, capacity, *count, *count + 1, sizeof tile, error);
        if (status != QMTCNN_OK)
            return status;
        (*tiles)[(*count)++] = tile;
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_pyramid_tiles(const qmt_backend *backend, int width, int height, const qmtcnn_options *options,
                                int threads, qmt_tile **tiles, size_t *capacity, size_t *count, qmtcnn_error *error)
{
    double scales[qmt_max_levels];
    int levels = qmt_pyramid_scales(width, height, options, scales);
    *count = 0;
    qmtcnn_status sound = check_cells(backend, cell, cell, 1, 1, error);
    if (sound == QMTCNN_OK)
        sound = check_cells(backend, cell + 20 * stride, cell + 30 * stride, 21, 31, error);
    if (sound != QMTCNN_OK)
        return sound;
    int64_t share = 0;
    for (int i = 0; i < levels; i++)
        share += (int64_t)level_side(width, scales[i]) * level_side(height, scales[i]);
    share = threads > 1 ? share / (turns_a_thread * threads) : INT64_MAX;
    for (int i = 0; i < levels; i++) {
        qmt_tile level = {
            .level = i, .level_width = level_side(width, scales[i]), .level_height = level_side(height, scales[i])};
        qmtcnn_status status = add_level(backend, &level, share, tiles, capacity, count, error);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}
