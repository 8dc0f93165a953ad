/* Three networks that see red squares, and a cascade on them, for tests of what lies around networks. */
#ifndef TEST_RUNTIME_RED_FACES_H
#define TEST_RUNTIME_RED_FACES_H

#include "common/test.h"
#include "runtime/detect/cascade.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Networks that see red -------------------------------------------------------------------- */

/* How the made-up networks behave in a test. */
struct fake {
    int workers;
    atomic_int calls;
    bool not_a_number;   /* scores and offsets are NaN */
    bool everything;     /* every cell and crop passes, all with the same score */
    int fail_net;        /* this network fails; -1: none */
    bool wrong_geometry; /* P-Net makes one row less */
};

static inline bool is_red(const uint8_t *pixel)
{
    return pixel[0] > 150 && pixel[1] < 100;
}

/* The rectangle around red pixels in a window, pixels; false where there is none, or red is scattered. */
static inline bool find_red(const qmt_pixels *picture, int x, int y, int side, float box[4])
{
    int x1 = side, y1 = side, x2 = -1, y2 = -1, red = 0;
    for (int row = 0; row < side && y + row < picture->height; row++) {
        for (int column = 0; column < side && x + column < picture->width; column++) {
            if (!is_red(picture->data + (y + row) * picture->stride + 3 * (x + column)))
                continue;
            red++;
            x1 = column < x1 ? column : x1;
            x2 = column > x2 ? column : x2;
            y1 = row < y1 ? row : y1;
            y2 = row > y2 ? row : y2;
        }
    }
    box[0] = (float)x1;
    box[1] = (float)y1;
    box[2] = (float)(x2 + 1);
    box[3] = (float)(y2 + 1);
    return red > 0 && 10 * red > 8 * (x2 + 1 - x1) * (y2 + 1 - y1);
}

/* Good where the rectangle fills much of the window; P-Net's windows must hold all of it, with a pixel to spare.
 * Nothing but the window counts, as with a real network. */
static inline float judge(const float box[4], int side)
{
    const float larger = fmaxf(box[2] - box[0], box[3] - box[1]);
    const float margin = fminf(fminf(box[0], box[1]), fminf((float)side - box[2], (float)side - box[3]));
    if (larger < 0.4f * (float)side || (side == 12 && margin < 1))
        return 0.1f;
    return 0.61f + 0.38f * larger / (float)side;
}

/* P- and R-Net frame the rectangle with a tenth of its size to spare, as networks that keep all of a face for the next
 * one; O-Net frames it exactly. */
static inline void see(const struct fake *fake, const qmt_pixels *picture, int x, int y, int side, float *face,
                       float offset[4])
{
    float box[4] = {0, 0, 0, 0};
    const float size = (float)side;
    *face = find_red(picture, x, y, side, box) ? judge(box, side) : 0.0f;
    const float spare_x = side < 48 ? 0.1f * (box[2] - box[0]) : 0, spare_y = side < 48 ? 0.1f * (box[3] - box[1]) : 0;
    offset[0] = (box[0] - spare_x) / size;
    offset[1] = (box[1] - spare_y) / size;
    offset[2] = (box[2] + spare_x) / size - 1;
    offset[3] = (box[3] + spare_y) / size - 1;
    if (fake->everything) {
        *face = 0.9f;
        memset(offset, 0, 4 * sizeof *offset);
    }
    if (fake->not_a_number)
        offset[0] = offset[3] = NAN;
}

static inline bool fake_size(void *state, int height, int width, int *out_height, int *out_width)
{
    const struct fake *fake = state;
    if (height < 12 || width < 12)
        return false;
    *out_height = (height - 2 + 1) / 2 - 4 - fake->wrong_geometry;
    *out_width = (width - 2 + 1) / 2 - 4;
    return true;
}

static inline qmtcnn_status fake_pnet(void *state, int worker, const qmt_pixels *level, qmt_face_cells *cells,
                                      qmtcnn_error *error)
{
    struct fake *fake = state;
    int rows = 0, columns = 0;
    assert_true(worker >= 0 && worker < fake->workers);
    atomic_fetch_add(&fake->calls, 1);
    if (fake->fail_net == QMT_PNET)
        return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "P-Net fails as told");
    fake_size(state, level->height, level->width, &rows, &columns);
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
            qmt_face_cell cell = {.row = r, .column = c};
            see(fake, level, 2 * c, 2 * r, 12, &cell.face, cell.box);
            if (!(cell.face > cells->threshold))
                continue;
            assert_true(cells->count < cells->room);
            cells->found[cells->count++] = cell;
        }
    }
    return QMTCNN_OK;
}

/* Where the made-up O-Net sees the five points in the red rectangle, shares of its sides. */
static const float points[5][2] = {{0.3f, 0.35f}, {0.7f, 0.35f}, {0.5f, 0.6f}, {0.35f, 0.8f}, {0.65f, 0.8f}};

static inline qmtcnn_status fake_crops(void *state, int worker, qmt_net_id net, const uint8_t *crops, int count,
                                       float *face, float *box, float *landmarks, qmtcnn_error *error)
{
    struct fake *fake = state;
    const int side = qmt_net_side(net);
    assert_true(worker >= 0 && worker < fake->workers);
    assert_true(net == QMT_ONET ? landmarks != NULL : landmarks == NULL);
    if (fake->fail_net == (int)net)
        return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "%s fails as told", qmt_net_name(net));
    for (int i = 0; i < count; i++) {
        qmt_pixels crop = {crops + (ptrdiff_t)i * 3 * side * side, side, side, 3 * side};
        see(fake, &crop, 0, 0, side, &face[i], box + 4 * i);
        for (int k = 0; landmarks && k < 5; k++) {
            const float *at = box + 4 * i;
            landmarks[10 * i + 2 * k] = at[0] + points[k][0] * (at[2] + 1 - at[0]);
            landmarks[10 * i + 2 * k + 1] = at[1] + points[k][1] * (at[3] + 1 - at[1]);
        }
    }
    return QMTCNN_OK;
}

/* ---- A detector on them ----------------------------------------------------------------------- */

struct rig {
    struct fake fake;
    qmt_backend backend;
    qmt_pool *pool;
    qmt_cascade *cascade;
    qmt_cascade_options options;
};

static inline void rig_open(struct rig *rig, int threads)
{
    qmtcnn_error error = {0};
    memset(rig, 0, sizeof *rig);
    rig->fake.fail_net = -1;
    rig->fake.workers = threads;
    rig->backend = (qmt_backend){&rig->fake, fake_pnet, fake_size, fake_crops};
    assert_ok(qmt_pool_create(threads, &rig->pool, &error), &error);
    assert_ok(qmt_cascade_create(&rig->backend, rig->pool, &rig->cascade, &error), &error);
    qmtcnn_options_default(NULL, &rig->options.detect);
    rig->options.last = QMT_ONET;
}

static inline void rig_close(struct rig *rig)
{
    qmt_cascade_free(rig->cascade);
    qmt_pool_free(rig->pool);
}

static inline size_t rig_run(struct rig *rig, const qmt_pixels *picture, const qmt_candidate **found)
{
    qmtcnn_error error = {0};
    size_t count;
    assert_ok(qmt_cascade_run(rig->cascade, picture, &rig->options, found, &count, NULL, &error), &error);
    return count;
}

static inline qmt_pixels gray_picture(int width, int height)
{
    uint8_t *data = malloc(3 * (size_t)width * (size_t)height);
    uint32_t seed = 9;
    assert_non_null(data);
    for (size_t i = 0; i < 3 * (size_t)width * (size_t)height; i++)
        data[i] = (uint8_t)(110 + (seed = seed * 1664525u + 1013904223u) % 30);
    return (qmt_pixels){data, width, height, 3 * (ptrdiff_t)width};
}

static inline void free_picture(qmt_pixels *picture)
{
    free((void *)(uintptr_t)picture->data);
}

/* Paints pixels [x1, x2) x [y1, y2) red. */
static inline void paint(qmt_pixels *picture, int x1, int y1, int x2, int y2)
{
    uint8_t *data = (uint8_t *)(uintptr_t)picture->data;
    for (int y = y1; y < y2; y++) {
        for (int x = x1; x < x2; x++) {
            uint8_t *pixel = data + y * picture->stride + 3 * x;
            pixel[0] = 250;
            pixel[1] = 10;
            pixel[2] = 10;
        }
    }
}

/* Is there a found box within `tolerance` pixels of the painted one? Points too. */
static inline const qmt_candidate *find_box(const qmt_candidate *found, size_t count, qmt_box box, float tolerance)
{
    for (size_t i = 0; i < count; i++) {
        const qmt_box at = found[i].box;
        if (fabsf(at.x1 - box.x1) <= tolerance && fabsf(at.y1 - box.y1) <= tolerance &&
            fabsf(at.x2 - box.x2) <= tolerance && fabsf(at.y2 - box.y2) <= tolerance)
            return &found[i];
    }
    return NULL;
}

static inline void check_found(const qmt_candidate *found, size_t count, int x1, int y1, int x2, int y2)
{
    const qmt_box box = {(float)x1, (float)y1, (float)x2, (float)y2};
    const float side = fmaxf(box.x2 - box.x1, box.y2 - box.y1);
    const float tolerance = 0.5f + 1.5f * side / 48; /* a pixel and a half of O-Net's crop */
    const qmt_candidate *hit = find_box(found, count, box, tolerance);
    if (!hit) {
        print_error("no box at %d %d %d %d among %zu\n", x1, y1, x2, y2, count);
        fail();
        return;
    }
    for (int k = 0; k < 5; k++) {
        assert_float_equal(hit->landmarks[k][0], box.x1 + points[k][0] * (box.x2 - box.x1), tolerance);
        assert_float_equal(hit->landmarks[k][1], box.y1 + points[k][1] * (box.y2 - box.y1), tolerance);
    }
}

#endif
