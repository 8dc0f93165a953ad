/* Recall of one network, and agreement of two detectors, on boxes set by hand. */
#include "common/test.h"

#include "toolkit/evaluate/compare.h"
#include "toolkit/evaluate/stage.h"
#include "toolkit/evaluate/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static qmt_detection box_at(double x, double side, double score)
{
    return (qmt_detection){x, 0, side, side, score, false, {{0}}};
}

static qmt_detections *one_picture(const qmt_detection *boxes, size_t count)
{
    qmt_detections *detections;
    qmtcnn_error error;
    assert_ok(qmt_detections_create(1, &detections, &error), &error);
    assert_ok(qmt_detections_set(detections, 0, "event/a.jpg", boxes, count, &error), &error);
    return detections;
}

/* Faces at 0 (100 pixels) and at 500 (30 pixels), and one that does not count.
 * On the first: score 0.35 shifted by 30 (IoU 70 / 130 = 0.54), score 0.15 shifted by 10 (IoU 90 / 110 = 0.82).
 * On the second nothing. A far box of 0.95.
 * Threshold 0.1: 3 boxes, recall 1/2 at both IoUs; 0.2 and 0.3: 2 boxes, 1/2 at 0.5 and 0 at 0.65; from 0.4 on 1 box,
 * 0. */
static void recall_by_threshold(void **state)
{
    (void)state;
    qmt_truth_face faces[3] = {{.width = 100, .height = 100, .settings = QMT_SETTING_ALL},
                               {.x = 500, .width = 30, .height = 30, .settings = QMT_SETTING_ALL},
                               {.x = 900, .width = 30, .height = 30, .settings = 0}};
    char key[] = "event/a";
    qmt_truth_picture picture = {key, faces, 3};
    const qmt_truth truth = {&picture, 1, QMT_SETTING_ALL};
    const qmt_detection boxes[] = {box_at(30, 100, 0.35), box_at(10, 100, 0.15), box_at(2000, 40, 0.95)};
    qmt_detections *detections = one_picture(boxes, 3);
    qmt_stage_result result = {.net = QMT_PNET, .precision = "fp32", .operating = 5};
    qmtcnn_error error;
    assert_ok(qmt_stage_count(&truth, detections, &result, &error), &error);
    assert_int_equal(result.faces, 2);
    assert_int_equal(result.faces_by_size[0], 1);
    assert_int_equal(result.faces_by_size[2], 1);
    assert_true(result.points[0].proposals == 3 && result.points[1].proposals == 2 && result.points[3].proposals == 1);
    assert_true(result.points[0].recall[0] == 0.5 && result.points[0].recall[1] == 0.5);
    assert_true(result.points[2].recall[0] == 0.5 && result.points[2].recall[1] == 0);
    assert_true(result.points[3].recall[0] == 0);
    assert_true(result.points[0].by_size[0][2] == 1 && result.points[0].by_size[0][0] == 0);
    assert_true(isnan(result.points[0].by_size[0][1]));
    char *text = qmt_stage_text(&result);
    assert_non_null(strstr(text, "97.0 %"));
    assert_non_null(strstr(text, "missed"));
    json_t *json = qmt_stage_json(&result);
    assert_float_equal(json_number_value(json_object_get(json, "target_recall")), 0.97, 1e-12);
    assert_int_equal(json_array_size(json_object_get(json, "points")), qmt_stage_thresholds);
    json_decref(json);
    qmt_free(text);
    qmt_detections_free(detections);
}

/* FP32: boxes at 0 (0.9), 200 (0.8), 400 (0.2). INT8: at 10 (0.7; IoU 90/110 with the first), 600 (0.6), 400 (0.6).
 * Over 0.5: two and three boxes, one pair. Over 0.1: three and three, two pairs with gaps 0.2 and 0.4. */
static void agreement(void **state)
{
    (void)state;
    const qmt_detection left[] = {box_at(0, 100, 0.9), box_at(200, 100, 0.8), box_at(400, 100, 0.2)};
    const qmt_detection right[] = {box_at(10, 100, 0.7), box_at(600, 100, 0.6), box_at(400, 100, 0.6)};
    qmt_detections *fp32 = one_picture(left, 3), *int8 = one_picture(right, 3);
    qmt_agreement result;
    qmtcnn_error error;
    assert_ok(qmt_agreement_compute(fp32, int8, 0.5, &result, &error), &error);
    assert_true(result.fp32 == 2 && result.int8 == 3 && result.matched == 1 && result.same_pictures == 0);
    assert_float_equal(result.mean_iou, 90.0 / 110, 1e-12);
    assert_float_equal(result.mean_score_shift, -0.2, 1e-12);
    qmt_agreement_clear(&result);
    assert_ok(qmt_agreement_compute(fp32, int8, 0.1, &result, &error), &error);
    assert_true(result.matched == 2);
    assert_float_equal(result.mean_score_difference, 0.3, 1e-12);
    assert_float_equal(result.mean_score_shift, 0.1, 1e-12);
    assert_float_equal(result.largest_score_difference, 0.4, 1e-12);
    qmt_agreement_clear(&result);
    assert_ok(qmt_agreement_compute(fp32, fp32, 0, &result, &error), &error);
    assert_true(result.same_pictures == 1 && result.mean_iou == 1 && result.largest_score_difference == 0);
    qmt_agreement_clear(&result);
    qmt_detections_free(int8);
    qmt_detections_free(fp32);
}

static void lines_are_broken_between_words(void **state)
{
    (void)state;
    qmt_text text = {0};
    qmt_text_add_wrapped(&text, 10, "one two three\nfour a-very-long-word five\n");
    char *whole = qmt_text_take(&text);
    assert_string_equal(whole, "one two\nthree\nfour\na-very-long-word\nfive\n");
    qmt_free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recall_by_threshold),
        cmocka_unit_test(agreement),
        cmocka_unit_test(lines_are_broken_between_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
