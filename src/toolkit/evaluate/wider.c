/* WIDER FACE's evaluation (Yang and others, "WIDER FACE: A Face Detection Benchmark", CVPR 2016), as its published
 * MATLAB code computes it. */
#include "toolkit/evaluate/verdicts.h"

#include <math.h>
#include <string.h>

static const double wider_iou = 0.5;

/* Sums over pictures, a threshold each. */
struct totals {
    double boxes[qmt_wider_thresholds]; /* that count */
    double hits[qmt_wider_thresholds];
};

static void score_range(const qmt_truth *truth, const qmt_detections *detections, const size_t *index, double *low,
                        double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < truth->count; i++) {
        const qmt_found *found = index[i] == SIZE_MAX ? NULL : &detections->pictures[index[i]];
        if (!found || found->count == 0)
            continue;
        *high = fmax(*high, found->boxes[0].score);
        *low = fmin(*low, found->boxes[found->count - 1].score);
    }
}

/* Adds a judged picture: at each threshold the boxes up to the last one that reaches it. */
static void add_picture(const qmt_found *found, const qmt_verdict *verdicts, double low, double high,
                        struct totals *totals)
{
    size_t used = 0;
    double boxes = 0, hits = 0;
    for (int t = 0; t < qmt_wider_thresholds; t++) {
        double threshold = 1 - (double)(t + 1) / qmt_wider_thresholds;
        while (used < found->count) {
            double score = high > low ? (found->boxes[used].score - low) / (high - low) : 1;
            if (!(score >= threshold))
                break;
            boxes += verdicts[used] != QMT_NEITHER;
            hits += verdicts[used] == QMT_HIT;
            used++;
        }
        totals->boxes[t] += boxes;
        totals->hits[t] += hits;
    }
}

/* Area under the precision envelope, with the points (0, 0) and (1, 0) added, as in PASCAL VOC. */
static double envelope_area(const double *precision, const double *recall)
{
    double area = 0, envelope = 0;
    for (int t = qmt_wider_thresholds - 1; t >= 0; t--) {
        envelope = fmax(envelope, precision[t]);
        area += (recall[t] - (t > 0 ? recall[t - 1] : 0)) * envelope;
    }
    return area;
}

static void finish(const struct totals *totals, qmt_wider_curve *curve)
{
    for (int t = 0; t < qmt_wider_thresholds; t++) {
        /* Without a box precision is 0/0; recall is 0 there, so the point has no area whatever it is. */
        curve->precision[t] = totals->boxes[t] > 0 ? totals->hits[t] / totals->boxes[t] : 0;
        curve->recall[t] = curve->faces ? totals->hits[t] / (double)curve->faces : 0;
    }
    curve->ap = curve->faces ? envelope_area(curve->precision, curve->recall) : NAN;
}

qmtcnn_status qmt_wider_evaluate(const qmt_truth *truth, const qmt_detections *detections, const size_t *index,
                                 qmt_setting setting, bool count_empty, qmt_wider_curve *curve, qmtcnn_error *error)
{
    const qmt_match_rule rule = {wider_iou, 1, setting, -INFINITY, INFINITY};
    qmt_judge judge = {0};
    double low, high;
    struct totals *totals = qmt_alloc_zero(1, sizeof *totals);
    qmtcnn_status status = totals ? qmt_judge_create(truth, detections, &judge, error)
                                  : qmt_fail_memory(error, sizeof *totals, "1,000 thresholds");
    if (status != QMTCNN_OK)
        goto done;
    memset(curve, 0, sizeof *curve);
    curve->faces = qmt_truth_faces(truth, setting);
    score_range(truth, detections, index, &low, &high);
    for (size_t i = 0; i < truth->count; i++) {
        const qmt_truth_picture *picture = &truth->pictures[i];
        const qmt_found *found = index[i] == SIZE_MAX ? NULL : &detections->pictures[index[i]];
        if (!found || found->count == 0 || (picture->count == 0 && !count_empty))
            continue;
        qmt_match_picture(picture, found->boxes, found->count, &rule, judge.verdicts, NULL, judge.taken);
        add_picture(found, judge.verdicts, low, high, totals);
    }
    finish(totals, curve);
done:
    qmt_judge_clear(&judge);
    qmt_free(totals);
    return status;
}
