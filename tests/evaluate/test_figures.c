/* Average precision and its relatives, against arithmetic done by hand and against a slow second implementation. */
#include "common/test.h"

#include "toolkit/base/random.h"
#include "toolkit/evaluate/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Small worlds ---------------------------------------------------------------------------- */

static qmt_truth *make_truth(size_t pictures)
{
    qmt_truth *truth = qmt_alloc_zero(1, sizeof *truth);
    truth->pictures = qmt_alloc_zero(pictures, sizeof *truth->pictures);
    truth->count = pictures;
    truth->settings = QMT_SETTING_ALL;
    for (size_t i = 0; i < pictures; i++) {
        char key[32];
        snprintf(key, sizeof key, "event/picture%zu", i);
        truth->pictures[i].key = qmt_copy_string(key);
        truth->pictures[i].faces = qmt_alloc(64, sizeof *truth->pictures[i].faces);
    }
    return truth;
}

static void add_face(qmt_truth *truth, size_t picture, double x, double y, double side, bool counts)
{
    qmt_truth_picture *to = &truth->pictures[picture];
    to->faces[to->count++] = (qmt_truth_face){x, y, side, side, counts ? QMT_SETTING_ALL : 0, false, {{0}}};
}

static qmt_detection box_at(double x, double y, double side, double score)
{
    return (qmt_detection){x, y, side, side, score, false, {{0}}};
}

static qmt_detections *make_detections(size_t pictures)
{
    qmt_detections *detections;
    qmtcnn_error error;
    assert_ok(qmt_detections_create(pictures, &detections, &error), &error);
    return detections;
}

static void set_boxes(qmt_detections *detections, size_t picture, const qmt_detection *boxes, size_t count)
{
    char name[32];
    qmtcnn_error error;
    snprintf(name, sizeof name, "event/picture%zu.jpg", picture);
    assert_ok(qmt_detections_set(detections, picture, name, boxes, count, &error), &error);
}

static size_t *align(const qmt_truth *truth, const qmt_detections *detections)
{
    size_t missing;
    size_t *index = qmt_alloc(truth->count, sizeof *index);
    qmtcnn_error error;
    assert_ok(qmt_truth_align(truth, detections, index, &missing, &error), &error);
    return index;
}

static qmt_ranking *rank(const qmt_truth *truth, const qmt_detections *detections, const qmt_match_rule *rule)
{
    qmt_ranking *ranking;
    qmtcnn_error error;
    size_t *index = align(truth, detections);
    assert_ok(qmt_ranking_create(truth, detections, index, rule, &ranking, &error), &error);
    qmt_free(index);
    return ranking;
}

/* Picture 0: faces A (0,0) and B (100,0), both 20 wide, and I (200,0), ignored.
 *   0.9 on A: hit             0.8 on A again: false alarm    0.7 on I: neither
 *   0.6 at (300,0): false alarm                              0.5 on B: hit
 * Picture 1: face C (0,0), 50 wide.   0.85 on C: hit
 * Picture 2: no face.                 0.4 anywhere: false alarm */
static void make_example(qmt_truth **truth, qmt_detections **detections)
{
    qmt_detection first[] = {box_at(100, 0, 20, 0.5), box_at(0, 0, 20, 0.9), box_at(1, 0, 20, 0.8),
                             box_at(200, 0, 20, 0.7), box_at(300, 0, 20, 0.6)};
    qmt_detection second[] = {box_at(0, 0, 50, 0.85)};
    qmt_detection third[] = {box_at(7, 7, 25, 0.4)};
    *truth = make_truth(3);
    add_face(*truth, 0, 0, 0, 20, true);
    add_face(*truth, 0, 100, 0, 20, true);
    add_face(*truth, 0, 200, 0, 20, false);
    add_face(*truth, 1, 0, 0, 50, true);
    *detections = make_detections(3);
    set_boxes(*detections, 0, first, 5);
    set_boxes(*detections, 1, second, 1);
    set_boxes(*detections, 2, third, 1);
}

static void free_example(qmt_truth *truth, qmt_detections *detections)
{
    qmt_truth_free(truth);
    qmt_detections_free(detections);
}

/* ---- By hand --------------------------------------------------------------------------------- */

/* Over the whole set, best first: 0.9 hit, 0.85 hit, 0.8 false, 0.6 false, 0.5 hit, 0.4 false; 3 faces.
 *   score      0.9   0.85  0.8   0.6   0.5   0.4
 *   precision  1     1     2/3   2/4   3/5   3/6
 *   recall     1/3   2/3   2/3   2/3   1     1
 * Envelope: 1 up to recall 2/3, then 3/5. AP = 2/3 * 1 + 1/3 * 3/5 = 13/15. */
static void exact_ap(void **state)
{
    (void)state;
    qmt_truth *truth;
    qmt_detections *detections;
    const qmt_match_rule rule = qmt_match_rule_plain(0.5);
    make_example(&truth, &detections);
    qmt_ranking *ranking = rank(truth, detections, &rule);
    assert_int_equal(ranking->face_count, 3);
    assert_int_equal(ranking->count, 6);
    assert_float_equal(qmt_ranking_ap(ranking, NULL), 13.0 / 15, 1e-12);
    qmt_ranking_free(ranking);
    free_example(truth, detections);
}

/* Normalized: (s - 0.4) / 0.5: 0.9 -> 1, 0.85 -> 0.9, 0.8 -> 0.8, 0.6 -> 0.4, 0.5 -> 0.2, 0.4 -> 0. Thresholds 0.999 to
 * 0 in steps of 0.001 meet each of these scores apart, so the curve has the same steps and AP is 13/15 if picture 2
 * counts. In the official code it does not: then precision at recall 1 is 3/5 all the same (0.4 is the last box). With
 * a false alarm of 0.95 in picture 2 the two differ: precision at recall 1/3, 2/3, 1 becomes 1/2, 2/3, 3/6: the
 * envelope is 2/3 to recall 2/3 and 1/2 beyond: 2/3 * 2/3 + 1/3 * 1/2 = 11/18. */
static void official_ap(void **state)
{
    (void)state;
    qmt_truth *truth;
    qmt_detections *detections;
    qmt_wider_curve curve;
    qmtcnn_error error;
    make_example(&truth, &detections);
    size_t *index = align(truth, detections);
    assert_ok(qmt_wider_evaluate(truth, detections, index, QMT_SETTING_ALL, true, &curve, &error), &error);
    assert_float_equal(curve.ap, 13.0 / 15, 1e-12);
    assert_int_equal(curve.faces, 3);
    const qmt_detection loud[] = {box_at(7, 7, 25, 0.95), box_at(7, 70, 25, 0.4)};
    set_boxes(detections, 2, loud, 2);
    assert_ok(qmt_wider_evaluate(truth, detections, index, QMT_SETTING_ALL, true, &curve, &error), &error);
    assert_float_equal(curve.ap, 11.0 / 18, 1e-12);
    assert_ok(qmt_wider_evaluate(truth, detections, index, QMT_SETTING_ALL, false, &curve, &error), &error);
    assert_float_equal(curve.ap, 13.0 / 15, 1e-12);
    qmt_free(index);
    free_example(truth, detections);
}

/* A face from 0 to 10 and a box from 5 to 15, both 10 high. Plain: 50 / 150. With a pixel added to each side the face
 * is 11 x 11, the box too, and they share 6 x 11: 66 / 176. */
static void overlap_conventions(void **state)
{
    (void)state;
    const qmt_truth_face face = {.width = 10, .height = 10};
    const qmt_detection box = {.x = 5, .width = 10, .height = 10};
    assert_float_equal(qmt_overlap_of(&face, &box, 0), 50.0 / 150, 1e-15);
    assert_float_equal(qmt_overlap_of(&face, &box, 1), 66.0 / 176, 1e-15);
    const qmt_detection apart = {.x = 10.5, .width = 10, .height = 10};
    assert_true(qmt_overlap_of(&face, &apart, 0) == 0);
    assert_float_equal(qmt_overlap_of(&face, &apart, 1), 0.5 * 11 / (121 + 121 - 5.5), 1e-15);
}

/* Recall with at most 0.1 and 1 false alarms a picture, 3 pictures: at 0.85 there is none (0 <= 0.3) and recall 2/3; at
 * 0.5 there are two (2 <= 3) and recall is 1. Precision and recall at 0.6: of 0.9 0.85 0.8 0.6 two are hits: 2/4, 2/3.
 */
static void froc_and_operating_point(void **state)
{
    (void)state;
    qmt_truth *truth;
    qmt_detections *detections;
    double precision, recall;
    const qmt_match_rule rule = qmt_match_rule_plain(0.5);
    make_example(&truth, &detections);
    qmt_ranking *ranking = rank(truth, detections, &rule);
    assert_float_equal(qmt_ranking_recall_at(ranking, 0.1), 2.0 / 3, 1e-12);
    assert_float_equal(qmt_ranking_recall_at(ranking, 1), 1.0, 1e-12);
    qmt_ranking_at_score(ranking, 0.6, &precision, &recall);
    assert_float_equal(precision, 0.5, 1e-12);
    assert_float_equal(recall, 2.0 / 3, 1e-12);
    qmt_ranking_at_score(ranking, 0.99, &precision, &recall);
    assert_true(isnan(precision) && recall == 0);
    qmt_ranking_free(ranking);
    free_example(truth, detections);
}

/* Sizes 40 to 80: only C counts and is found (0.85). The boxes on A and B (20 pixels) count neither way, and neither do
 * the unmatched boxes of 20 and 25 pixels: AP 1. Sizes 20 to 40: A and B count; 0.9 hit, 0.8 false, 0.6 false, 0.5 hit,
 * 0.4 false: precision 1 at 1/2, 2/4 at 1: AP = 1/2 + 1/2 * 1/2 = 3/4. */
static void size_bins(void **state)
{
    (void)state;
    qmt_truth *truth;
    qmt_detections *detections;
    qmt_match_rule rule = qmt_match_rule_plain(0.5);
    make_example(&truth, &detections);
    rule.low = 40;
    rule.high = 80;
    qmt_ranking *ranking = rank(truth, detections, &rule);
    assert_int_equal(ranking->face_count, 1);
    assert_int_equal(ranking->count, 1);
    assert_float_equal(qmt_ranking_ap(ranking, NULL), 1, 1e-12);
    qmt_ranking_free(ranking);
    rule.low = 20;
    rule.high = 40;
    ranking = rank(truth, detections, &rule);
    assert_int_equal(ranking->face_count, 2);
    assert_float_equal(qmt_ranking_ap(ranking, NULL), 0.75, 1e-12);
    qmt_ranking_free(ranking);
    rule.low = 160;
    rule.high = INFINITY;
    ranking = rank(truth, detections, &rule);
    assert_true(isnan(qmt_ranking_ap(ranking, NULL)));
    qmt_ranking_free(ranking);
    free_example(truth, detections);
}

/* Boxes of equal score are one step: a hit and a false alarm at 0.5 give precision 1/2 at recall 1, in whatever order.
 */
static void ties_are_one_step(void **state)
{
    (void)state;
    const qmt_match_rule rule = qmt_match_rule_plain(0.5);
    const qmt_detection boxes[] = {box_at(0, 0, 20, 0.5), box_at(300, 0, 20, 0.5)};
    qmt_truth *truth = make_truth(1);
    qmt_detections *detections = make_detections(1);
    add_face(truth, 0, 0, 0, 20, true);
    set_boxes(detections, 0, boxes, 2);
    qmt_ranking *ranking = rank(truth, detections, &rule);
    assert_float_equal(qmt_ranking_ap(ranking, NULL), 0.5, 1e-12);
    assert_true(qmt_ranking_recall_at(ranking, 0.5) == 0);
    qmt_ranking_free(ranking);
    free_example(truth, detections);
}

/* Eyes 20 apart; found points are off by (3, 4), that is 5 pixels, in all five: 5 / 20. */
static void landmark_error(void **state)
{
    (void)state;
    const qmt_match_rule rule = qmt_match_rule_plain(0.5);
    qmt_truth *truth = make_truth(1);
    qmt_detections *detections = make_detections(1);
    qmt_detection boxes[2] = {box_at(0, 0, 60, 0.9), box_at(2, 0, 60, 0.8)};
    const float points[5][2] = {{20, 20}, {40, 20}, {30, 30}, {22, 40}, {38, 40}};
    double mean;
    size_t count;
    qmtcnn_error error;
    add_face(truth, 0, 0, 0, 60, true);
    add_face(truth, 0, 200, 0, 60, true); /* without landmarks, and not found */
    truth->pictures[0].faces[0].has_landmarks = true;
    memcpy(truth->pictures[0].faces[0].landmarks, points, sizeof points);
    for (int b = 0; b < 2; b++) {
        boxes[b].has_landmarks = true;
        for (int i = 0; i < 5; i++) {
            boxes[b].landmarks[i][0] = points[i][0] + (b == 0 ? 3 : 100);
            boxes[b].landmarks[i][1] = points[i][1] + (b == 0 ? 4 : 100);
        }
    }
    set_boxes(detections, 0, boxes, 2);
    size_t *index = align(truth, detections);
    assert_ok(qmt_landmark_error(truth, detections, index, &rule, &mean, &count, &error), &error);
    assert_int_equal(count, 1);
    assert_float_equal(mean, 0.25, 1e-12);
    qmt_free(index);
    free_example(truth, detections);
}

static void points_of_a_curve(void **state)
{
    (void)state;
    qmt_truth *truth;
    qmt_detections *detections;
    qmt_curve_point points[qmt_curve_points];
    const qmt_match_rule rule = qmt_match_rule_plain(0.5);
    make_example(&truth, &detections);
    qmt_ranking *ranking = rank(truth, detections, &rule);
    int count = qmt_ranking_curve(ranking, points);
    assert_int_equal(count, 4); /* 0.9, 0.85, 0.5 and the last */
    assert_float_equal(points[2].recall, 1, 1e-12);
    assert_float_equal(points[2].precision, 0.6, 1e-12);
    assert_float_equal(points[3].false_alarms, 1, 1e-12);
    qmt_ranking_free(ranking);
    free_example(truth, detections);
}

/* ---- A second implementation ----------------------------------------------------------------- */

/* Random faces and boxes near them, many of them overlapping, with few different scores, so that all rules come up. */
static void make_random(uint64_t seed, size_t pictures, qmt_truth **truth, qmt_detections **detections)
{
    qmt_random random = qmt_random_stream(seed, 1, 2);
    *truth = make_truth(pictures);
    *detections = make_detections(pictures);
    for (size_t i = 0; i < pictures; i++) {
        qmt_detection boxes[40];
        size_t faces = qmt_random_below(&random, 6), count = 0;
        for (size_t k = 0; k < faces; k++) {
            double x = qmt_random_range(&random, 0, 150), y = qmt_random_range(&random, 0, 150);
            double side = qmt_random_range(&random, 8, 90);
            add_face(*truth, i, floor(x), floor(y), floor(side), qmt_random_below(&random, 4) != 0);
            for (size_t c = qmt_random_below(&random, 4); c > 0; c--)
                boxes[count++] = box_at(x + qmt_random_range(&random, -6, 6), y + qmt_random_range(&random, -6, 6),
                                        side * (double)qmt_random_range(&random, 0.7F, 1.3F),
                                        (double)qmt_random_below(&random, 400) / 37.0 - 3);
        }
        for (size_t c = qmt_random_below(&random, 3); c > 0; c--)
            boxes[count++] = box_at(qmt_random_range(&random, 0, 200), 50, 30, (double)qmt_random_float(&random) * 8);
        set_boxes(*detections, i, boxes, count);
    }
}

/* The official protocol as plainly as it can be put, quadratic where it may be: for each threshold anew, over arrays
 * that hold what image_evaluation and image_pr_info of the published code return. */
static double slow_official_ap(const qmt_truth *truth, const qmt_detections *detections)
{
    static double precision[1002], recall[1002];
    double low = 1e300, high = -1e300, faces = 0, ap = 0;
    for (size_t i = 0; i < detections->count; i++) {
        for (size_t k = 0; k < detections->pictures[i].count; k++) {
            double score = detections->pictures[i].boxes[k].score;
            low = score < low ? score : low;
            high = score > high ? score : high;
        }
        for (size_t k = 0; k < truth->pictures[i].count; k++)
            faces += truth->pictures[i].faces[k].settings ? 1 : 0;
    }
    for (int t = 1; t <= 1000; t++) {
        double threshold = 1 - t / 1000.0, proposals = 0, found = 0;
        for (size_t i = 0; i < truth->count; i++) {
            const qmt_truth_picture *picture = &truth->pictures[i];
            const qmt_found *boxes = &detections->pictures[i];
            int state[64] = {0};
            if (picture->count == 0)
                continue;
            for (size_t b = 0; b < boxes->count; b++) {
                double largest = -1;
                size_t at = 0;
                if ((boxes->boxes[b].score - low) / (high - low) < threshold)
                    break;
                for (size_t k = 0; k < picture->count; k++) {
                    const qmt_truth_face *f = &picture->faces[k];
                    const qmt_detection *d = &boxes->boxes[b];
                    double w = fmin(f->x + f->width, d->x + d->width) - fmax(f->x, d->x) + 1;
                    double h = fmin(f->y + f->height, d->y + d->height) - fmax(f->y, d->y) + 1;
                    double area = w > 0 && h > 0 ? w * h : 0;
                    double o = area / ((f->width + 1) * (f->height + 1) + (d->width + 1) * (d->height + 1) - area);
                    if (o > largest) {
                        largest = o;
                        at = k;
                    }
                }
                bool on_face = largest >= 0.5;
                if (on_face && !picture->faces[at].settings)
                    continue;
                proposals++;
                if (on_face)
                    state[at] = 1;
            }
            for (size_t k = 0; k < picture->count; k++)
                found += state[k];
        }
        precision[t] = proposals > 0 ? found / proposals : 0;
        recall[t] = found / faces;
    }
    recall[0] = precision[0] = 0;
    recall[1001] = 1;
    precision[1001] = 0;
    for (int t = 1000; t >= 0; t--)
        precision[t] = fmax(precision[t], precision[t + 1]);
    for (int t = 1; t <= 1001; t++)
        if (recall[t] != recall[t - 1])
            ap += (recall[t] - recall[t - 1]) * precision[t];
    return ap;
}

static void official_ap_agrees_with_a_slow_one(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        qmt_truth *truth;
        qmt_detections *detections;
        qmt_wider_curve curve;
        qmtcnn_error error;
        make_random(seed, 12 + seed, &truth, &detections);
        size_t *index = align(truth, detections);
        assert_ok(qmt_wider_evaluate(truth, detections, index, QMT_SETTING_ALL, false, &curve, &error), &error);
        double slow = slow_official_ap(truth, detections);
        assert_true(slow > 0.05 && slow < 0.95);
        assert_float_equal(curve.ap, slow, 1e-9);
        qmt_free(index);
        free_example(truth, detections);
    }
}

/* The exact curve by brute force: every distinct score is a threshold, and the envelope a maximum over all lower ones.
 */
static double slow_exact_ap(const qmt_ranking *ranking)
{
    double ap = 0, last = 0;
    for (size_t i = 0; i < ranking->count; i++) {
        double best = 0, recall = 0;
        if (i + 1 < ranking->count && ranking->boxes[i + 1].score == ranking->boxes[i].score)
            continue;
        for (size_t j = i; j < ranking->count; j++) {
            double hits = 0, all = 0;
            for (size_t k = 0; k < ranking->count; k++) {
                if (ranking->boxes[k].score < ranking->boxes[j].score)
                    continue;
                all++;
                hits += ranking->boxes[k].hit;
            }
            best = fmax(best, hits / all);
            if (j == i)
                recall = hits / (double)ranking->face_count;
        }
        ap += (recall - last) * best;
        last = recall;
    }
    return ap;
}

static void exact_ap_agrees_with_a_slow_one(void **state)
{
    (void)state;
    const qmt_match_rule rule = qmt_match_rule_plain(0.5);
    for (uint64_t seed = 20; seed < 26; seed++) {
        qmt_truth *truth;
        qmt_detections *detections;
        make_random(seed, 14, &truth, &detections);
        qmt_ranking *ranking = rank(truth, detections, &rule);
        assert_float_equal(qmt_ranking_ap(ranking, NULL), slow_exact_ap(ranking), 1e-9);
        qmt_ranking_free(ranking);
        free_example(truth, detections);
    }
}

/* ---- Bootstrap ------------------------------------------------------------------------------- */

static void bootstrap_of_equals_is_zero(void **state)
{
    (void)state;
    qmt_truth *truth;
    qmt_detections *detections;
    qmt_difference one, two;
    qmtcnn_error error;
    const qmt_match_rule rule = qmt_match_rule_plain(0.5);
    make_random(31, 40, &truth, &detections);
    qmt_ranking *ranking = rank(truth, detections, &rule);
    assert_ok(qmt_bootstrap(ranking, ranking, 200, 5, &one, &error), &error);
    assert_true(one.difference == 0 && one.low == 0 && one.high == 0);
    assert_true(one.ratio == 1 && one.ratio_low == 1 && one.ratio_high == 1);
    assert_int_equal(qmt_bootstrap(ranking, ranking, 0, 5, &two, &error), QMTCNN_ERROR_ARGUMENT);
    qmt_ranking_free(ranking);
    free_example(truth, detections);
}

/* Without any box in every second picture b is worse than a: the interval must lie below 0, hold the difference
 * itself, be the same again for the same seed and another one for another seed. */
static void bootstrap_finds_a_loss(void **state)
{
    (void)state;
    qmt_truth *truth;
    qmt_detections *a, *b;
    qmt_difference one, two, other;
    qmtcnn_error error;
    const qmt_match_rule rule = qmt_match_rule_plain(0.5);
    make_random(32, 60, &truth, &a);
    b = make_detections(60);
    for (size_t i = 0; i < 60; i++) {
        const qmt_found *found = &a->pictures[i];
        set_boxes(b, i, found->boxes, i % 2 ? 0 : found->count);
    }
    qmt_ranking *rank_a = rank(truth, a, &rule), *rank_b = rank(truth, b, &rule);
    assert_ok(qmt_bootstrap(rank_a, rank_b, 300, 5, &one, &error), &error);
    assert_ok(qmt_bootstrap(rank_a, rank_b, 300, 5, &two, &error), &error);
    assert_ok(qmt_bootstrap(rank_a, rank_b, 300, 6, &other, &error), &error);
    assert_true(one.difference == two.difference && one.low == two.low && one.high == two.high);
    assert_true(one.ratio_low == two.ratio_low && one.ratio_high == two.ratio_high);
    assert_true(one.low != other.low || one.high != other.high);
    assert_true(one.low <= one.difference && one.difference <= one.high && one.high < 0);
    assert_true(one.ratio_high < 1);
    qmt_ranking_free(rank_b);
    qmt_ranking_free(rank_a);
    qmt_detections_free(b);
    free_example(truth, a);
}

/* A picture of weight 2 is that picture twice. */
static void weights_are_copies(void **state)
{
    (void)state;
    qmt_truth *truth, *twice;
    qmt_detections *detections, *doubled = make_detections(4);
    const qmt_match_rule rule = qmt_match_rule_plain(0.5);
    const uint32_t weights[] = {2, 1, 1};
    make_example(&truth, &detections);
    twice = make_truth(4);
    for (size_t i = 0; i < 4; i++) {
        size_t from = i < 3 ? i : 0;
        twice->pictures[i].count = truth->pictures[from].count;
        memcpy(twice->pictures[i].faces, truth->pictures[from].faces,
               truth->pictures[from].count * sizeof *truth->pictures[from].faces);
        set_boxes(doubled, i, detections->pictures[from].boxes, detections->pictures[from].count);
    }
    qmt_ranking *a = rank(truth, detections, &rule), *b = rank(twice, doubled, &rule);
    assert_float_equal(qmt_ranking_ap(a, weights), qmt_ranking_ap(b, NULL), 1e-12);
    assert_true(fabs(qmt_ranking_ap(a, weights) - qmt_ranking_ap(a, NULL)) > 1e-6);
    qmt_ranking_free(b);
    qmt_ranking_free(a);
    free_example(twice, doubled);
    free_example(truth, detections);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_ap),
        cmocka_unit_test(official_ap),
        cmocka_unit_test(overlap_conventions),
        cmocka_unit_test(froc_and_operating_point),
        cmocka_unit_test(size_bins),
        cmocka_unit_test(ties_are_one_step),
        cmocka_unit_test(landmark_error),
        cmocka_unit_test(points_of_a_curve),
        cmocka_unit_test(official_ap_agrees_with_a_slow_one),
        cmocka_unit_test(exact_ap_agrees_with_a_slow_one),
        cmocka_unit_test(bootstrap_of_equals_is_zero),
        cmocka_unit_test(bootstrap_finds_a_loss),
        cmocka_unit_test(weights_are_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
