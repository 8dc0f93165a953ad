/* The cascade with made-up networks whose "faces" are red rectangles: boxes must come back where they were painted. */
#include "runtime/red_faces.h"

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

/* What reaches the last network: once R-Net's corrected boxes are suppressed again, no two of them overlap by more, all
 * of them were there before, and the best one stays. */
static void test_refined_boxes_are_suppressed(void **state)
{
    struct rig rig;
    const qmt_candidate *found;
    (void)state;
    rig_open(&rig, 1);
    rig.fake.everything = true;
    rig.options.last = QMT_RNET;
    rig.options.detect.nms[2] = 1; /* nothing goes before they are corrected */
    qmt_pixels picture = gray_picture(150, 120);
    const size_t all = rig_run(&rig, &picture, &found);
    qmt_candidate *before = malloc(all * sizeof *before);
    assert_non_null(before);
    memcpy(before, found, all * sizeof *before);
    rig.options.detect.refined_nms[1] = 0.5f;
    const size_t count = rig_run(&rig, &picture, &found);
    assert_true(count > 1 && count < all);
    assert_memory_equal(&found[0].box, &before[0].box, sizeof found[0].box);
    for (size_t i = 0, k = 0; i < count; i++) {
        while (k < all && memcmp(&found[i].box, &before[k].box, sizeof found[i].box) != 0)
            k++;
        assert_true(k < all);
        for (size_t j = 0; j < i; j++)
            assert_true(qmt_box_iou(found[i].box, found[j].box) <= 0.5001f);
    }
    rig.options.detect.refined_nms[0] = 0.5f; /* fewer come from P-Net then */
    assert_true(rig_run(&rig, &picture, &found) <= count);
    rig.options.last = QMT_PNET;
    const size_t few = rig_run(&rig, &picture, &found);
    rig.options.detect.refined_nms[0] = 0;
    assert_true(rig_run(&rig, &picture, &found) > few);
    free(before);
    free_picture(&picture);
    rig_close(&rig);
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
        cmocka_unit_test(test_refined_boxes_are_suppressed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
