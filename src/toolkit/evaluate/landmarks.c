#include "toolkit/evaluate/verdicts.h"

#include <math.h>

/* Mean distance over the eye distance; NAN where the labeled eyes are one point. */
static double normalized_error(const float truth[5][2], const float found[5][2])
{
    double eyes = hypot((double)truth[1][0] - truth[0][0], (double)truth[1][1] - truth[0][1]), sum = 0;
    if (eyes <= 0)
        return NAN;
    for (int i = 0; i < 5; i++)
        sum += hypot((double)found[i][0] - truth[i][0], (double)found[i][1] - truth[i][1]);
    return sum / 5 / eyes;
}

qmtcnn_status qmt_landmark_error(const qmt_truth *truth, const qmt_detections *detections, const size_t *index,
                                 const qmt_match_rule *rule, double *mean, size_t *count, qmtcnn_error *error)
{
    qmt_judge judge = {0};
    double sum = 0;
    *mean = NAN;
    *count = 0;
    qmtcnn_status status = qmt_judge_create(truth, detections, &judge, error);
    for (size_t i = 0; status == QMTCNN_OK && i < truth->count; i++) {
        if (index[i] == SIZE_MAX)
            continue;
        const qmt_found *found = &detections->pictures[index[i]];
        qmt_match_picture(&truth->pictures[i], found->boxes, found->count, rule, judge.verdicts, judge.matched,
                          judge.taken);
        for (size_t k = 0; k < found->count; k++) {
            if (judge.matched[k] == SIZE_MAX || !found->boxes[k].has_landmarks)
                continue;
            const qmt_truth_face *face = &truth->pictures[i].faces[judge.matched[k]];
            double one = face->has_landmarks ? normalized_error(face->landmarks, found->boxes[k].landmarks) : NAN;
            if (!isnan(one)) {
                sum += one;
                ++*count;
            }
        }
    }
    if (*count)
        *mean = sum / (double)*count;
    qmt_judge_clear(&judge);
    return status;
}
