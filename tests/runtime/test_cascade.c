/* The cascade with made-up networks whose "faces" are red rectangles: boxes must come back where they were painted. */
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

static bool is_red(const uint8_t *pixel)
{
    return pixel[0] > 150 && pixel[1] < 100;
}

/* The rectangle around red pixels in a window, pixels; false where there is none, or red is scattered. */
static bool find_red(const qmt_pixels *picture, int x, int y, int side, float box[4])
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
static float judge(const float box[4], int side)
{
    const float larger = fmaxf(box[2] - box[0], box[3] - box[1]);
    const float margin = fminf(fminf(box[0], box[1]), fminf((float)side - box[2], (float)side - box[3]));
    if (larger < 0.4f * (float)side || (side == 12 && margin < 1))
        return 0.1f;
    return 0.61f + 0.38f * larger / (float)side;
}

/* P- and R-Net frame the rectangle with a tenth of its size to spare, as networks that keep all of a face for the next
 * one; O-Net frames it exactly. */
static void see(const struct fake *fake, const qmt_pixels *picture, int x, int y, int side, float *face,
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

static bool fake_size(void *state, int height, int width, int *out_height, int *out_width)
{
    const struct fake *fake = state;
    if (height < 12 || width < 12)
        return false;
    *out_height = (height - 2 + 1) / 2 - 4 - fake->wrong_geometry;
    *out_width = (width - 2 + 1) / 2 - 4;
    return true;
}

static qmtcnn_status fake_pnet(void *state, int worker, const qmt_pixels *level, qmt_face_cells *cells,
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

static qmtcnn_status fake_crops(void *state, int worker, qmt_net_id net, const uint8_t *crops, int count, float *face,
                                float *box, float *landmarks, qmtcnn_error *error)
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

static void rig_open(struct rig *rig, int threads)
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

static void rig_close(struct rig *rig)
{
    qmt_cascade_free(rig->cascade);
    qmt_pool_free(rig->pool);
}

static size_t rig_run(struct rig *rig, const qmt_pixels *picture, const qmt_candidate **found)
{
    qmtcnn_error error = {0};
    size_t count;
    assert_ok(qmt_cascade_run(rig->cascade, picture, &rig->options, found, &count, NULL, &error), &error);
    return count;
}

static qmt_pixels gray_picture(int width, int height)
{
    uint8_t *data = malloc(3 * (size_t)width * (size_t)height);
    uint32_t seed = 9;
    assert_non_null(data);
    for (size_t i = 0; i < 3 * (size_t)width * (size_t)height; i++)
        data[i] = (uint8_t)(110 + (seed = seed * 1664525u + 1013904223u) % 30);
    return (qmt_pixels){data, width, height, 3 * (ptrdiff_t)width};
}

static void free_picture(qmt_pixels *picture)
{
    free((void *)(uintptr_t)picture->data);
}

/* Paints pixels [x1, x2) x [y1, y2) red. */
static void paint(qmt_pixels *picture, int x1, int y1, int x2, int y2)
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
static const qmt_candidate *find_box(const qmt_candidate *found, size_t count, qmt_box box, float tolerance)
{
    for (size_t i = 0; i < count; i++) {
        const qmt_box at = found[i].box;
        if (fabsf(at.x1 - box.x1) <= tolerance && fabsf(at.y1 - box.y1) <= tolerance &&
            fabsf(at.x2 - box.x2) <= tolerance && fabsf(at.y2 - box.y2) <= tolerance)
            return &found[i];
    }
    return NULL;
}

static void check_found(const qmt_candidate *found, size_t count, int x1, int y1, int x2, int y2)
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

/* ---- Tests ------------------------------------------------------------------------------------ */

static void test_one_face_of_every_size(void **state)
{
    struct rig rig;
    const qmt_candidate *found;
    (void)state;
    rig_open(&rig, 1);
    for (int side = 18; side <= 140; side += side / 6) {
        for (int place = 0; place < 3; place++) {
            const int width = side, height = side * (8 + place) / 9;
            const int x = 13 + 29 * place, y = 60 - 17 * place;
            qmt_pixels picture = gray_picture(341 + place, 277 - place);
            paint(&picture, x, y, x + width, y + height);
            const size_t count = rig_run(&rig, &picture, &found);
            assert_int_equal(count, 1);
            check_found(found, count, x, y, x + width, y + height);
            free_picture(&picture);
        }
    }
    rig_close(&rig);
}

static void test_odd_pictures(void **state)
{
    const int sizes[][2] = {{60, 31}, {33, 400}, {401, 37}, {97, 53}, {35, 35}, {1000, 61}};
    struct rig rig;
    const qmt_candidate *found;
    (void)state;
    rig_open(&rig, 1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        qmt_pixels picture = gray_picture(sizes[i][0], sizes[i][1]);
        const int x = sizes[i][0] - 22, y = sizes[i][1] - 21; /* near the lower right corner */
        paint(&picture, x, y, x + 16, y + 16);
        const size_t count = rig_run(&rig, &picture, &found);
        assert_int_equal(count, 1);
        check_found(found, count, x, y, x + 16, y + 16);
        free_picture(&picture);
    }
    rig_close(&rig);
}

/* Where the faces of a crowd are. */
static void crowd_face(int row, int column, int corners[4])
{
    corners[0] = 20 + 74 * column;
    corners[1] = 20 + 75 * row;
    corners[2] = corners[0] + 20 + row;
    corners[3] = corners[1] + 22 + column / 2;
}

static qmt_pixels crowd(int rows, int columns)
{
    qmt_pixels picture = gray_picture(20 + 74 * columns, 25 + 75 * rows);
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
            int at[4];
            crowd_face(row, column, at);
            paint(&picture, at[0], at[1], at[2], at[3]);
        }
    }
    return picture;
}

/* A picture large enough to be cut into many tiles: faces lie on the cuts too. */
static void test_crowd_across_tiles(void **state)
{
    struct rig rig;
    const qmt_candidate *found;
    qmt_pixels picture = crowd(13, 20);
    (void)state;
    rig_open(&rig, 2);
    const size_t count = rig_run(&rig, &picture, &found);
    assert_int_equal(count, 13 * 20);
    for (int i = 0; i < 13 * 20; i++) {
        int at[4];
        crowd_face(i / 20, i % 20, at);
        check_found(found, count, at[0], at[1], at[2], at[3]);
    }
    for (size_t i = 1; i < count; i++)
        assert_true(found[i - 1].score >= found[i].score);
    free_picture(&picture);
    rig_close(&rig);
}

static void test_threads_give_the_same_bytes(void **state)
{
    qmt_pixels picture = crowd(5, 9);
    qmt_candidate *first = NULL;
    size_t first_count = 0;
    (void)state;
    for (int everything = 0; everything < 2; everything++) {
        for (int last = QMT_PNET; last <= QMT_ONET; last++) {
            for (int threads = 1; threads <= 3; threads++) {
                struct rig rig;
                const qmt_candidate *found;
                rig_open(&rig, threads);
                rig.options.last = (qmt_net_id)last;
                rig.fake.everything = everything;
                rig.options.detect.min_face = everything ? 60 : 20;
                const size_t count = rig_run(&rig, &picture, &found);
                assert_true(count > 0);
                if (threads == 1) {
                    first_count = count;
                    first = malloc(count * sizeof *found);
                    assert_non_null(first);
                    memcpy(first, found, count * sizeof *found);
                } else {
                    assert_int_equal(count, first_count);
                    assert_memory_equal(found, first, count * sizeof *found);
                }
                rig_close(&rig);
            }
            free(first);
        }
    }
    free_picture(&picture);
}

static void test_history_and_memory(void **state)
{
    struct rig rig;
    const qmt_candidate *found;
    qmt_pixels large = crowd(5, 9), small = gray_picture(200, 150);
    (void)state;
    paint(&small, 50, 60, 90, 100);
    for (int threads = 1; threads <= 3; threads += 2) {
        qmt_candidate one;
        rig_open(&rig, threads);
        assert_int_equal(rig_run(&rig, &small, &found), 1);
        one = found[0];
        rig_run(&rig, &large, &found);
        const size_t bytes = qmt_cascade_bytes(rig.cascade);
        assert_true(bytes > 100000);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(rig_run(&rig, &small, &found), 1);
            assert_memory_equal(&found[0], &one, sizeof one);
            rig_run(&rig, &large, &found);
        }
        if (threads == 1)
            assert_int_equal(qmt_cascade_bytes(rig.cascade), bytes);
        rig_close(&rig);
    }
    free_picture(&small);
    free_picture(&large);
}

static void test_stages_and_limit(void **state)
{
    struct rig rig;
    const qmt_candidate *found;
    qmt_pixels picture = crowd(5, 9);
    qmtcnn_error error = {0};
    qmtcnn_timing timing;
    size_t count;
    (void)state;
    rig_open(&rig, 1);
    for (int last = QMT_PNET; last <= QMT_RNET; last++) {
        rig.options.last = (qmt_net_id)last;
        count = rig_run(&rig, &picture, &found);
        assert_true(count >= 5 * 9);
        for (size_t i = 0; i < count; i++) {
            const qmt_box box = found[i].box;
            assert_float_equal(box.x2 - box.x1, box.y2 - box.y1, 1e-3f);
        }
    }
    rig.options.last = QMT_ONET;
    rig.options.detect.max_proposals = 17;
    assert_ok(qmt_cascade_run(rig.cascade, &picture, &rig.options, &found, &count, &timing, &error), &error);
    assert_int_equal(timing.proposals, 17);
    assert_true(timing.refined <= 17 && timing.faces <= timing.refined && timing.faces > 0);
    assert_int_equal(timing.faces, count);
    assert_true(timing.total_ms > 0 && timing.pnet_ms > 0 && timing.resize_ms > 0);
    free_picture(&picture);
    rig_close(&rig);
}

static void test_failures_leave_it_usable(void **state)
{
    struct rig rig;
    const qmt_candidate *found;
    qmt_pixels picture = gray_picture(200, 150);
    size_t count;
    (void)state;
    paint(&picture, 50, 60, 90, 100);
    rig_open(&rig, 2);
    for (int net = QMT_PNET; net <= QMT_ONET; net++) {
        qmtcnn_error error = {0};
        rig.fake.fail_net = net;
        assert_int_equal(qmt_cascade_run(rig.cascade, &picture, &rig.options, &found, &count, NULL, &error),
                         QMTCNN_ERROR_NUMERIC);
        assert_non_null(strstr(error.message, "fails as told"));
        assert_null(found);
        assert_int_equal(count, 0);
        rig.fake.fail_net = -1;
        assert_int_equal(rig_run(&rig, &picture, &found), 1);
    }
    rig.fake.not_a_number = true;
    assert_int_equal(rig_run(&rig, &picture, &found), 0);
    rig.fake.not_a_number = false;
    rig.fake.wrong_geometry = true;
    assert_int_equal(qmt_cascade_run(rig.cascade, &picture, &rig.options, &found, &count, NULL, NULL),
                     QMTCNN_ERROR_UNSUPPORTED);
    free_picture(&picture);
    rig_close(&rig);
}

static void test_too_small_for_a_face(void **state)
{
    struct rig rig;
    const qmt_candidate *found;
    (void)state;
    rig_open(&rig, 1);
    for (int side = 1; side < 20; side++) {
        qmt_pixels picture = gray_picture(side, 3 * side);
        assert_int_equal(rig_run(&rig, &picture, &found), 0);
        free_picture(&picture);
    }
    assert_int_equal(rig.fake.calls, 0);
    rig_close(&rig);
}

static void test_scales_by_hand(void **state)
{
    double scales[qmt_max_levels];
    qmtcnn_options options;
    (void)state;
    qmtcnn_options_default(NULL, &options);
    assert_int_equal(qmt_pyramid_scales(640, 480, &options, scales), 10); /* 480 * 0.6 * 0.709^9 = 13.04, ^10 = 9.2 */
    assert_float_equal(scales[0], 0.6, 1e-12);
    assert_float_equal(scales[1], 0.6 * 0.709, 1e-6);
    assert_float_equal(scales[9] * 480, 13.04, 0.01);
    options.max_face = 60; /* 20, 28.2, 39.8, 56.1, and 79.2, whose faces begin at 66 */
    assert_int_equal(qmt_pyramid_scales(640, 480, &options, scales), 4);
    options.max_face = 70;
    assert_int_equal(qmt_pyramid_scales(640, 480, &options, scales), 5);
    options.max_face = 0;
    options.min_face = 481;
    assert_int_equal(qmt_pyramid_scales(640, 480, &options, scales), 0);
    options.min_face = 480;
    assert_int_equal(qmt_pyramid_scales(640, 480, &options, scales), 1);
    options.min_face = 12;
    options.scale_factor = 0.95f;
    const int most = qmt_pyramid_scales(65535, 65535, &options, scales);
    assert_true(most > 160 && most < qmt_max_levels);
}

/* Each cell of each level lies in exactly one tile, and tiles show the pixels of the whole level. */
static void test_tiles_cover_every_cell_once(void **state)
{
    struct rig rig;
    uint32_t seed = 77;
    qmt_tile *tiles = NULL;
    size_t capacity = 0, count;
    qmtcnn_error error = {0};
    (void)state;
    rig_open(&rig, 1);
    for (int i = 0; i < 200; i++) {
        const int width = 12 + (int)((seed = seed * 1664525u + 1013904223u) >> 8) % (i < 100 ? 300 : 6000);
        const int height = 12 + (int)((seed = seed * 1664525u + 1013904223u) >> 8) % (i < 100 ? 300 : 6000);
        rig.options.detect.min_face = 12 + i % 30;
        assert_ok(qmt_pyramid_tiles(&rig.backend, width, height, &rig.options.detect, 1 << i % 5, &tiles, &capacity,
                                    &count, &error),
                  &error);
        double scales[qmt_max_levels];
        const int levels = qmt_pyramid_scales(width, height, &rig.options.detect, scales);
        size_t t = 0;
        for (int level = 0; level < levels; level++) {
            int rows, columns, row = 0;
            assert_true(t < count);
            fake_size(&rig.fake, tiles[t].level_height, tiles[t].level_width, &rows, &columns);
            for (; t < count && tiles[t].level == level; t++) {
                assert_int_equal(tiles[t].cell_row, row);
                assert_int_equal(tiles[t].cell_columns, columns);
                assert_int_equal(tiles[t].y, 2 * row);
                assert_true(tiles[t].y + tiles[t].height <= tiles[t].level_height);
                row += tiles[t].cell_rows;
            }
            assert_int_equal(row, rows);
        }
        assert_int_equal(t, count);
    }
    qmt_free(tiles);
    rig_close(&rig);
}

/* All scores are 0.9: odds of 9. */
static void test_fused_scores(void **state)
{
    struct rig rig;
    const qmt_candidate *found;
    (void)state;
    rig_open(&rig, 1);
    rig.fake.everything = true;
    qmt_pixels picture = gray_picture(60, 50);
    qmtcnn_options *options = &rig.options.detect;
    assert_true(rig_run(&rig, &picture, &found) > 0);
    assert_float_equal(found[0].score, 0.9, 0);
    options->fusion = 0.5f;
    assert_true(rig_run(&rig, &picture, &found) > 0);
    assert_float_equal(found[0].score, 0.9, 1e-6);
    options->fusion_odds = 3;
    options->thresholds[QMT_ONET] = 0.95f; /* the last threshold is for the fused score */
    assert_true(rig_run(&rig, &picture, &found) > 0);
    assert_float_equal(found[0].score, 27.0 / 28, 1e-6);
    options->thresholds[QMT_ONET] = 0.6f;
    options->fusion_odds = 1.0f / 9;
    assert_int_equal(rig_run(&rig, &picture, &found), 0);
    free_picture(&picture);
    rig_close(&rig);
}

/* By union no two that remain overlap by more than was asked for, but one may lie within another; the original rule
 * leaves no such pair. */
static void test_last_suppression_by_union(void **state)
{
    struct rig rig;
    const qmt_candidate *found;
    int within = 0;
    (void)state;
    rig_open(&rig, 1);
    rig.fake.everything = true;
    qmt_pixels picture = gray_picture(150, 120);
    for (int rule = 0; rule < 2; rule++) {
        rig.options.detect.last_overlap = rule ? QMTCNN_OVERLAP_UNION : QMTCNN_OVERLAP_SMALLER;
        rig.options.detect.nms[3] = rule ? 0.4f : 0.7f;
        const size_t count = rig_run(&rig, &picture, &found);
        assert_true(count > 1);
        for (size_t i = 0; i < count; i++) {
            for (size_t k = 0; k < i; k++) {
                const qmt_box a = found[i].box, b = found[k].box;
                const float share = qmt_box_intersection(a, b) / fminf(qmt_box_area(a), qmt_box_area(b));
                within += share > 0.71f;
                assert_true(rule == 1 ? qmt_box_iou(a, b) <= 0.4001f : share <= 0.7001f);
            }
        }
        assert_true(rule == 1 ? within > 0 : within == 0);
    }
    free_picture(&picture);
    rig_close(&rig);
}

/* Votes move a box a little, never to another face; the same for any number of threads. */
static void test_votes_in_a_crowd(void **state)
{
    qmt_candidate *first = NULL;
    size_t first_count = 0;
    qmt_pixels picture = crowd(5, 6);
    (void)state;
    for (int threads = 1; threads <= 3; threads += 2) {
        struct rig rig;
        const qmt_candidate *found;
        rig_open(&rig, threads);
        rig.options.detect.vote = 0.5f;
        rig.options.detect.fusion = 0.5f;
        const size_t count = rig_run(&rig, &picture, &found);
        assert_int_equal(count, 30);
        for (int i = 0; i < 30; i++) {
            int at[4];
            crowd_face(i / 6, i % 6, at);
            check_found(found, count, at[0], at[1], at[2], at[3]);
        }
        if (threads == 1) {
            first_count = count;
            first = malloc(count * sizeof *first);
            assert_non_null(first);
            memcpy(first, found, count * sizeof *first);
        } else {
            assert_int_equal(count, first_count);
            for (size_t i = 0; i < count; i++)
                assert_memory_equal(&found[i], &first[i], offsetof(qmt_candidate, order));
        }
        const size_t bytes = qmt_cascade_bytes(rig.cascade);
        rig_run(&rig, &picture, &found);
        if (threads == 1) /* of several, each may meet its largest crops later */
            assert_int_equal(qmt_cascade_bytes(rig.cascade), bytes);
        rig_close(&rig);
    }
    free(first);
    free_picture(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_face_of_every_size),
        cmocka_unit_test(test_odd_pictures),
        cmocka_unit_test(test_crowd_across_tiles),
        cmocka_unit_test(test_threads_give_the_same_bytes),
        cmocka_unit_test(test_history_and_memory),
        cmocka_unit_test(test_stages_and_limit),
        cmocka_unit_test(test_failures_leave_it_usable),
        cmocka_unit_test(test_too_small_for_a_face),
        cmocka_unit_test(test_scales_by_hand),
        cmocka_unit_test(test_tiles_cover_every_cell_once),
        cmocka_unit_test(test_fused_scores),
        cmocka_unit_test(test_last_suppression_by_union),
        cmocka_unit_test(test_votes_in_a_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
