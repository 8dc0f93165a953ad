/* Boxes, and suppression against the plain way of doing it. */
#include "common/test.h"

#include "runtime/detect/box.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static float uniform(uint32_t *state, float low, float high)
{
    return low + (high - low) * ((float)next_random(state) / 16777216.0f);
}

static void test_areas_by_hand(void **state)
{
    (void)state;
    const qmt_box a = {0, 0, 10, 10}, b = {5, 5, 15, 15}, c = {10, 0, 20, 10}, empty = {3, 3, 3, 8},
                  turned = {9, 9, 1, 1};
    assert_float_equal(qmt_box_area(a), 100, 0);
    assert_float_equal(qmt_box_area(empty), 0, 0);
    assert_float_equal(qmt_box_area(turned), 0, 0);
    assert_float_equal(qmt_box_intersection(a, b), 25, 0);
    assert_float_equal(qmt_box_iou(a, b), 25.0f / 175.0f, 1e-7f);
    assert_float_equal(qmt_box_iou(a, a), 1, 0);
    assert_float_equal(qmt_box_iou(a, c), 0, 0); /* they only touch */
    assert_float_equal(qmt_box_iou(empty, empty), 0, 0);
    assert_float_equal(qmt_box_iou(a, turned), 0, 0);
}

static void test_regress_and_square_by_hand(void **state)
{
    (void)state;
    qmt_candidate candidate = {.box = {10, 20, 30, 60}, .offset = {0.1f, -0.25f, -0.05f, 0.5f}};
    qmt_regress(&candidate);
    assert_float_equal(candidate.box.x1, 12, 1e-5f);
    assert_float_equal(candidate.box.y1, 10, 1e-5f);
    assert_float_equal(candidate.box.x2, 29, 1e-5f);
    assert_float_equal(candidate.box.y2, 80, 1e-5f);
    qmt_box square = qmt_square((qmt_box){10, 20, 30, 60});
    assert_float_equal(square.x1, 0, 1e-5f);
    assert_float_equal(square.y1, 20, 1e-5f);
    assert_float_equal(square.x2, 40, 1e-5f);
    assert_float_equal(square.y2, 60, 1e-5f);
    square = qmt_square((qmt_box){0, 0, 8, 2});
    assert_float_equal(square.y1, -3, 1e-5f);
    assert_float_equal(square.y2, 5, 1e-5f);
}

/* ---- The plain way ---------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const qmt_candidate *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static bool plain_overlaps(qmt_box a, qmt_box b, float threshold, qmt_overlap overlap)
{
    float width = fminf(a.x2, b.x2) - fmaxf(a.x1, b.x1), height = fminf(a.y2, b.y2) - fmaxf(a.y1, b.y1);
    if (!(width > 0 && height > 0))
        return false;
    float both = width * height, area_a = (a.x2 - a.x1) * (a.y2 - a.y1), area_b = (b.x2 - b.x1) * (b.y2 - b.y1);
    float whole = overlap == QMT_OVERLAP_SMALLER ? fminf(area_a, area_b) : area_a + area_b - both;
    return both > threshold * whole;
}

static size_t plain_suppress(qmt_candidate *candidates, size_t count, float threshold, qmt_overlap overlap)
{
    size_t kept = 0;
    qsort(candidates, count, sizeof *candidates, compare);
    for (size_t i = 0; i < count; i++) {
        bool good = true;
        for (size_t j = 0; j < kept && good; j++)
            good = !plain_overlaps(candidates[i].box, candidates[j].box, threshold, overlap);
        if (good)
            candidates[kept++] = candidates[i];
    }
    return kept;
}

/* Kinds of boxes: 0 equal squares on a grid (as P-Net's in a level), 1 squares of many sizes, 2 any shape, 3 tiny and
 * huge, 4 clusters that nearly coincide, 5 some empty, turned, or on power-of-two borders. */
enum { kinds = 6 };

static qmt_box random_box(uint32_t *seed, int kind)
{
    float x = uniform(seed, -100, 2000), y = uniform(seed, -100, 1500), w = 40, h = 40;
    if (kind == 0) {
        x = (float)(next_random(seed) % 300) * 3.3f;
        y = (float)(next_random(seed) % 200) * 3.3f;
    } else if (kind == 1) {
        w = h = expf(uniform(seed, 2.4f, 6.5f));
    } else if (kind == 2) {
        w = expf(uniform(seed, 0, 6));
        h = expf(uniform(seed, 0, 6));
    } else if (kind == 3) {
        w = expf(uniform(seed, -12, 12));
        h = w * uniform(seed, 0.5f, 2);
    } else if (kind == 4) {
        x = 100 * (float)(next_random(seed) % 10) + uniform(seed, 0, 8);
        y = 100 * (float)(next_random(seed) % 10) + uniform(seed, 0, 8);
        w = uniform(seed, 30, 60);
        h = uniform(seed, 30, 60);
    } else {
        x = (float)((int)(next_random(seed) % 64) - 16) * 8;
        y = (float)((int)(next_random(seed) % 64) - 16) * 8;
        w = (float)(next_random(seed) % 5) * 16 - 16;
        h = (float)(next_random(seed) % 4) * 16 - 16;
    }
    return (qmt_box){x, y, x + w, y + h};
}

static void check_against_plain(int kind, size_t count, float threshold, qmt_overlap overlap, uint32_t seed)
{
    qmt_candidate *ours = calloc(count + 1, sizeof *ours), *plain = calloc(count + 1, sizeof *plain);
    int *scratch = malloc((count + 1) * qmt_suppress_ints * sizeof *scratch);
    assert_true(ours && plain && scratch);
    const bool backwards = seed % 2;
    for (size_t i = 0; i < count; i++) {
        ours[i].box = random_box(&seed, kind);
        ours[i].score = (float)(next_random(&seed) % 97) / 97; /* many ties */
        ours[i].order = backwards ? 5 - (int)i : (int)i;       /* a list may come in any order */
    }
    memcpy(plain, ours, count * sizeof *ours);
    size_t a = qmt_suppress(ours, count, threshold, overlap, scratch);
    size_t b = plain_suppress(plain, count, threshold, overlap);
    assert_int_equal(a, b);
    assert_memory_equal(ours, plain, a * sizeof *ours);
    free(scratch);
    free(plain);
    free(ours);
}

static void test_same_as_plain(void **state)
{
    const float thresholds[] = {0, 0.1f, 0.5f, 0.7f, 1};
    const size_t counts[] = {0, 1, 2, 24, 25, 26, 300, 2000};
    (void)state;
    for (int kind = 0; kind < kinds; kind++) {
        for (size_t t = 0; t < sizeof thresholds / sizeof *thresholds; t++) {
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                uint32_t seed = (uint32_t)(kind * 1000 + (int)t * 100 + (int)c);
                check_against_plain(kind, counts[c], thresholds[t], QMT_OVERLAP_UNION, seed);
                check_against_plain(kind, counts[c], thresholds[t], QMT_OVERLAP_SMALLER, seed);
            }
        }
    }
}

/* As many as the cascade lets through. */
static void test_ten_thousand_are_as_plain(void **state)
{
    (void)state;
    check_against_plain(0, 10000, 0.7f, QMT_OVERLAP_UNION, 1);
    check_against_plain(1, 10000, 0.7f, QMT_OVERLAP_UNION, 2);
    check_against_plain(2, 10000, 0.5f, QMT_OVERLAP_UNION, 3);
    check_against_plain(3, 10000, 0.3f, QMT_OVERLAP_SMALLER, 4);
}

static void test_order_breaks_ties(void **state)
{
    (void)state;
    int scratch[3 * qmt_suppress_ints];
    qmt_candidate candidates[3] = {{.box = {0, 0, 10, 10}, .score = 0.5f, .order = 7},
                                   {.box = {1, 0, 11, 10}, .score = 0.5f, .order = 3},
                                   {.box = {2, 0, 12, 10}, .score = 0.5f, .order = 5}};
    assert_int_equal(qmt_suppress(candidates, 3, 0.5f, QMT_OVERLAP_UNION, scratch), 1);
    assert_int_equal(candidates[0].order, 3);
}

static void test_a_box_inside_another(void **state)
{
    (void)state;
    int scratch[2 * qmt_suppress_ints];
    const qmt_candidate pair[2] = {{.box = {0, 0, 100, 100}, .score = 0.9f}, {.box = {20, 20, 40, 40}, .score = 0.8f}};
    qmt_candidate candidates[2];
    memcpy(candidates, pair, sizeof pair); /* the IoU is 0.04, all of the smaller box is covered */
    assert_int_equal(qmt_suppress(candidates, 2, 0.7f, QMT_OVERLAP_UNION, scratch), 2);
    memcpy(candidates, pair, sizeof pair);
    assert_int_equal(qmt_suppress(candidates, 2, 0.7f, QMT_OVERLAP_SMALLER, scratch), 1);
}

static void test_numbers_that_are_not_finite(void **state)
{
    (void)state;
    qmt_candidate candidates[200] = {{.order = 0}};
    int scratch[200 * qmt_suppress_ints];
    for (int i = 0; i < 200; i++) {
        candidates[i].box = (qmt_box){0, 0, 10, 10};
        candidates[i].score = 0.5f;
        candidates[i].order = i;
    }
    candidates[10].box.x1 = NAN;
    candidates[11].box.x2 = INFINITY;
    candidates[12].box = (qmt_box){-INFINITY, -INFINITY, INFINITY, INFINITY};
    candidates[13].box = (qmt_box){-3e38f, -3e38f, 3e38f, 3e38f};
    assert_int_equal(qmt_suppress(candidates, 200, 0.5f, QMT_OVERLAP_SMALLER, scratch), 5);
}

/* Where nothing overlaps, all pairs would be 5,000,000,000 comparisons. */
static void test_many_boxes_stay_fast(void **state)
{
    enum { count = 100000 };
    (void)state;
    qmt_candidate *candidates = calloc(count, sizeof *candidates);
    int *scratch = malloc(count * qmt_suppress_ints * sizeof *scratch);
    uint32_t seed = 5;
    assert_true(candidates && scratch);
    for (int i = 0; i < count; i++) {
        const float x = (float)(i % 400) * 30, y = (float)(i / 400) * 30;
        candidates[i] = (qmt_candidate){.box = {x, y, x + 25, y + 25}, .score = uniform(&seed, 0, 1), .order = i};
    }
    const clock_t start = clock(); /* of this process: the machine may be busy */
    assert_int_equal(qmt_suppress(candidates, count, 0.5f, QMT_OVERLAP_UNION, scratch), count);
    assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
    free(scratch);
    free(candidates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_areas_by_hand),        cmocka_unit_test(test_regress_and_square_by_hand),
        cmocka_unit_test(test_same_as_plain),        cmocka_unit_test(test_order_breaks_ties),
        cmocka_unit_test(test_a_box_inside_another), cmocka_unit_test(test_numbers_that_are_not_finite),
        cmocka_unit_test(test_many_boxes_stay_fast), cmocka_unit_test(test_ten_thousand_are_as_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
