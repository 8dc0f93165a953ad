/* Calibration's arithmetic on made-up scores. */
#include "common/test.h"

#include "toolkit/evaluate/scores.h"

#include <math.h>
#include <string.h>

static void test_logits(void **state)
{
    (void)state;
    assert_float_equal(qmt_score_logit(0.5), 0, 1e-15);
    assert_float_equal(qmt_score_logit(0.8), 1.3862943611, 1e-9); /* ln 4 */
    assert_float_equal(qmt_score_logit(1), -qmt_score_logit(0), 1e-6);
    assert_float_equal(qmt_score_logit(0), -16.635532, 1e-5);
}

/* Of ten faces, the best nine score at least 0.2. */
static void test_keeping(void **state)
{
    (void)state;
    double scores[10] = {0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.95, 0.5, 0.6, 0.4};
    assert_float_equal(qmt_score_keeping(scores, 10, 0.9), 0.2, 0);
    assert_float_equal(qmt_score_keeping(scores, 10, 0.91), 0.1, 0);
    assert_float_equal(qmt_score_keeping(scores, 10, 1), 0.1, 0);
    assert_float_equal(qmt_score_keeping(scores, 10, 0.5), 0.6, 0);
    assert_float_equal(qmt_score_keeping(scores, 10, 0), 0.95, 0);
    assert_true(isnan(qmt_score_keeping(scores, 0, 0.5)));
}

/* Four pictures; false alarms at 0.9, 0.7 and twice 0.5. */
static void test_rate(void **state)
{
    (void)state;
    qmt_ranked boxes[7] = {{0.95, 0, true}, {0.9, 0, false}, {0.8, 1, true}, {0.7, 1, false},
                           {0.6, 2, true},  {0.5, 2, false}, {0.5, 3, false}};
    qmt_ranking ranking = {.boxes = boxes, .count = 7, .picture_count = 4};
    assert_float_equal(qmt_score_of_rate(&ranking, 0), 0.95, 0);
    assert_float_equal(qmt_score_of_rate(&ranking, 0.25), 0.8, 0);
    assert_float_equal(qmt_score_of_rate(&ranking, 0.5), 0.6, 0);
    assert_float_equal(qmt_score_of_rate(&ranking, 0.75), 0.6, 0); /* both at 0.5 or none */
    assert_float_equal(qmt_score_of_rate(&ranking, 1), 0.5, 0);
    ranking.boxes = boxes + 1;
    ranking.count = 1;
    assert_true(isnan(qmt_score_of_rate(&ranking, 0)));
}

/* Labels drawn with chances sigmoid(1.5 z - 0.5): the slope is found again. */
static void test_slope(void **state)
{
    enum { count = 20000 };
    static double logits[count];
    static bool faces[count];
    uint32_t random = 1;
    (void)state;
    for (int i = 0; i < count; i++) {
        double uniform[2];
        for (int k = 0; k < 2; k++)
            uniform[k] = ((random = random * 1664525u + 1013904223u) >> 8) / 16777216.0;
        logits[i] = 8 * uniform[0] - 4;
        faces[i] = uniform[1] < 1 / (1 + exp(-(1.5 * logits[i] - 0.5)));
    }
    assert_float_equal(qmt_score_slope(logits, faces, count), 1.5, 0.08);
    assert_float_equal(qmt_score_slope(logits, faces, 0), 1, 0);
    memset(faces, 0, sizeof faces);
    assert_float_equal(qmt_score_slope(logits, faces, count), 1, 0); /* of one kind only */
    for (int i = 0; i < count; i++)
        faces[i] = logits[i] > 0;
    assert_float_equal(qmt_score_slope(logits, faces, count), 4, 0); /* told apart: as steep as may be */
}

/* ln 9 lies between 0.75 and 0.25, twice ln 9 between 0.9 and 0.1. */
static void test_scale_between(void **state)
{
    (void)state;
    assert_float_equal(qmt_score_scale_between(0.75, 0.25, 0.9, 0.1), 2, 1e-12);
    assert_float_equal(qmt_score_scale_between(0.9, 0.1, 0.75, 0.25), 0.5, 1e-12);
    assert_float_equal(qmt_score_scale_between(0.5000001, 0.5, 0.9, 0.1), 4, 0);
    assert_float_equal(qmt_score_scale_between(1, 0, 0.51, 0.5), 0.25, 0);
    assert_float_equal(qmt_score_scale_between(0.5, 0.5, 0.9, 0.1), 1, 0);
    assert_float_equal(qmt_score_scale_between(NAN, NAN, 0.9, 0.1), 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_logits), cmocka_unit_test(test_keeping),
                                       cmocka_unit_test(test_rate), cmocka_unit_test(test_slope),
                                       cmocka_unit_test(test_scale_between)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
