/* Validation figures of cases computed by hand. */
#include "common/test.h"

#include "toolkit/train/validation.h"

#include <math.h>
#include <string.h>

static const qmt_train_config config = {.class_weight = 1, .box_weight = 0.5f, .landmark_weight = 0.5f};

static void near(double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-6))
        fail_msg("%.9g instead of %.9g", got, expected);
}

static qmt_figures figures_of(const qmt_prediction *predictions, size_t count)
{
    qmtcnn_error error;
    qmt_figures figures;
    assert_ok(qmt_figures_from(predictions, count, &config, &figures, &error), &error);
    return figures;
}

/* By score: P P N P (N P, equal) N. Precision after each step: 1, 1, 2/3, 3/4, 4/6. */
static void ranking(void **state)
{
    (void)state;
    const float scores[7] = {0.9f, 0.8f, 0.7f, 0.6f, 0.5f, 0.5f, 0.1f};
    const qmt_sample_class kinds[7] = {QMT_POSITIVE, QMT_POSITIVE, QMT_NEGATIVE, QMT_POSITIVE,
                                       QMT_NEGATIVE, QMT_POSITIVE, QMT_NEGATIVE};
    const int order[7] = {3, 6, 0, 5, 2, 4, 1};
    qmt_prediction predictions[7] = {0};
    for (int i = 0; i < 7; i++)
        predictions[i] = (qmt_prediction){.sample_class = kinds[order[i]], .score = scores[order[i]]};
    qmt_figures figures = figures_of(predictions, 7);
    near(figures.average_precision, (1 + 1 + 0.75 + 4.0 / 6) / 4);
    near(figures.recall_at_90, 0.5);
    near(figures.recall_at_97, 0.5);
    near(figures.accuracy[0], 1.0 / 3);
    near(figures.accuracy[1], 1);
    assert_true(isnan(figures.landmark_error) && isnan(figures.part_iou) && isnan(figures.face_share[0]));
    near(figures.box_iou, 1); /* all offsets are 0 */
    near(figures.score, (figures.average_precision + 0.5) / 1.5);
    assert_int_equal(figures.samples, 7);
}

/* True box: the crop itself. Found: its right half, and a box that is inside out. */
static void boxes(void **state)
{
    (void)state;
    qmt_prediction predictions[3] = {
        {.sample_class = QMT_POSITIVE, .box = {0.5f, 0, 0, 0}},
        {.sample_class = QMT_POSITIVE, .box = {0.9f, 0, -0.9f, 0}},
        {.sample_class = QMT_PART, .box = {0.25f, 0, 0.25f, 0}, .score = 0.75f},
    };
    qmt_figures figures = figures_of(predictions, 3);
    near(figures.box_iou, 0.25);
    near(figures.part_iou, 0.75 / 1.25);
    near(figures.face_share[0], 1);
    assert_true(isnan(figures.average_precision));
    near(figures.score, 0.25);
}

/* Eyes 0.4 apart; one point is off by (0.03, 0.04), one by (0.1, 0). A face with eyes in one place says nothing. */
static void landmarks(void **state)
{
    (void)state;
    qmt_prediction predictions[2] = {{.sample_class = QMT_LANDMARK, .score = 0.2f},
                                     {.sample_class = QMT_LANDMARK, .score = 0.8f}};
    const float points[10] = {0.3f, 0.4f, 0.7f, 0.4f, 0.5f, 0.6f, 0.35f, 0.8f, 0.65f, 0.8f};
    memcpy(predictions[0].true_landmarks, points, sizeof points);
    memcpy(predictions[0].landmarks, points, sizeof points);
    predictions[0].landmarks[0] += 0.03f;
    predictions[0].landmarks[1] += 0.04f;
    predictions[0].landmarks[8] -= 0.1f;
    predictions[1].landmarks[0] = 100;
    qmt_figures figures = figures_of(predictions, 2);
    near(figures.landmark_error, 0.15 / 5 / 0.4);
    near(figures.face_share[1], 0.5);
    near(figures.score, 1 - 0.075);
}

static void nothing_at_all(void **state)
{
    (void)state;
    qmt_prediction none;
    memset(&none, 0, sizeof none);
    qmt_figures figures = figures_of(&none, 0);
    assert_true(isnan(figures.score));
    json_t *object = qmt_figures_json(&figures);
    assert_non_null(object);
    assert_true(json_is_null(json_object_get(object, "score")));
    assert_true(json_is_null(json_object_get(json_object_get(object, "accuracy"), "negative")));
    assert_true(json_is_integer(json_object_get(object, "samples")));
    json_decref(object);
}

/* A NaN can't be ranked: an error, not an endless search for its equals. */
static void nan_is_refused(void **state)
{
    (void)state;
    qmt_config settings;
    qmt_figures figures;
    qmtcnn_error error;
    const qmt_prediction predictions[2] = {{.sample_class = QMT_NEGATIVE, .score = 0.5f},
                                           {.sample_class = QMT_POSITIVE, .score = (float)NAN}};
    qmt_config_default(&settings);
    assert_int_equal(qmt_figures_from(predictions, 2, &settings.train[0], &figures, &error), QMTCNN_ERROR_NUMERIC);
    assert_non_null(strstr(error.message, "sample 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranking),        cmocka_unit_test(boxes),          cmocka_unit_test(landmarks),
        cmocka_unit_test(nothing_at_all), cmocka_unit_test(nan_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
