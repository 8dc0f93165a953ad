/* Calibration's arithmetic on made-up scores. */
#include "common/test.h"

#include "toolkit/base/file.h"
#include "toolkit/data/synth.h"
#include "toolkit/evaluate/figures.h"
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
    assert_float_equal(qmt_score_scale_between(1, 0, 0.51, 0.5), 0.1, 0);
    assert_float_equal(qmt_score_scale_between(0.5, 0.5, 0.9, 0.1), 1, 0);
    assert_float_equal(qmt_score_scale_between(NAN, NAN, 0.9, 0.1), 1, 0);
}

/* ---- The whole fit, with the networks that the repository holds, on drawn pictures ------------- */

/* Labeled faces that P-Net finds at IoU 0.5 with a score over the threshold. */
static size_t found_faces(const qmt_network_source *sources, const qmt_score_map *maps, const qmt_dataset *dataset,
                          const qmt_config *config, float threshold)
{
    qmtcnn_options options = qmt_evaluate_options(config);
    qmt_detector *detector = NULL;
    qmt_detections *found = NULL;
    qmt_truth *truth = NULL;
    qmtcnn_error error;
    size_t count = 0;
    options.thresholds[QMT_PNET] = threshold;
    assert_ok(qmt_truth_from_dataset(dataset, config->evaluate.min_face, &truth, &error), &error);
    assert_ok(qmt_detector_open_mapped(sources, maps, QMT_PNET, &detector, &error), &error);
    assert_ok(qmt_detector_run(detector, dataset, &options, 2, "test", &found, &error), &error);
    for (size_t i = 0; i < truth->count; i++) {
        for (size_t k = 0; k < truth->pictures[i].count; k++) {
            bool hit = false;
            if (!(truth->pictures[i].faces[k].settings & QMT_SETTING_ALL))
                continue;
            for (size_t b = 0; b < found->pictures[i].count; b++)
                hit = hit || qmt_overlap_of(&truth->pictures[i].faces[k], &found->pictures[i].boxes[b], 0) >= 0.5;
            count += hit;
        }
    }
    qmt_detections_free(found);
    qmt_detector_close(detector);
    qmt_truth_free(truth);
    return count;
}

static void test_both_thresholds_keep_their_shares(void **state)
{
    qmt_network_source sources[qmt_net_count];
    qmt_config config;
    qmt_score_maps maps;
    qmt_dataset *dataset = NULL;
    qmtcnn_error error;
    char *folder = test_make_folder();
    (void)state;
    qmt_config_default(&config);
    config.synth.images = 40;
    config.synth.val_images = 1;
    config.synth.width = config.synth.height = 200;
    config.synth.max_face = 100;
    config.run.threads = 2;
    config.calibrate.keep[0] = 0.8f;
    config.calibrate.keep_low[0] = 0.95f;
    assert_ok(qmt_synth_write(&config.synth, 3, folder, 2, &error), &error);
    assert_ok(qmt_dataset_open_as(&config.data, folder, "train", &dataset, &error), &error);
    qmt_sources_all(sources, QMT_SOURCE_DIR "/models/mtcnn_fp32", QMTCNN_PRECISION_FP32);
    assert_ok(qmt_scores_fit(sources, dataset, &config, &maps, &error), &error);
    assert_true(maps.known[QMT_PNET]);
    qmt_score_map none[qmt_net_count] = {{1, 0}, {1, 0}, {1, 0}};
    const double all = (double)found_faces(sources, none, dataset, &config, 0.01f);
    const double usual = (double)found_faces(sources, maps.nets, dataset, &config, 0.6f) / all;
    const double low = (double)found_faces(sources, maps.nets, dataset, &config, 0.3f) / all;
    print_message("%g faces; %g at 0.6, %g at 0.3\n", all, usual, low);
    /* Whole faces: a share is rounded up to the next. */
    assert_true(all > 40);
    assert_float_equal(usual, 0.8, 0.04);
    assert_float_equal(low, 0.95, 0.03);
    qmt_dataset_free(dataset);
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logits),        cmocka_unit_test(test_keeping),
        cmocka_unit_test(test_rate),          cmocka_unit_test(test_slope),
        cmocka_unit_test(test_scale_between), cmocka_unit_test(test_both_thresholds_keep_their_shares)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
