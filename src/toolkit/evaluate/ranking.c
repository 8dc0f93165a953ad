/* The exact precision and recall curve: a step at every score. */
#include "toolkit/evaluate/verdicts.h"

#include <math.h>
#include <stdlib.h>

void qmt_ranking_free(qmt_ranking *ranking)
{
    if (!ranking)
        return;
    qmt_free(ranking->faces);
    qmt_free(ranking->boxes);
    qmt_free(ranking);
}

/* Best first; the rest of the order changes no figure and only makes it the same everywhere. */
static int compare_ranked(const void *left, const void *right)
{
    const qmt_ranked *a = left, *b = right;
    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    if (a->picture != b->picture)
        return a->picture > b->picture ? 1 : -1;
    return (int)b->hit - (int)a->hit;
}

static qmtcnn_status make_room(const qmt_truth *truth, const qmt_detections *detections, const size_t *index,
                               qmt_ranking **result, qmtcnn_error *error)
{
    size_t boxes = 0;
    for (size_t i = 0; i < truth->count; i++)
        if (index[i] != SIZE_MAX)
            boxes += detections->pictures[index[i]].count;
    qmt_ranking *ranking = qmt_alloc_zero(1, sizeof *ranking);
    if (ranking) {
        ranking->boxes = qmt_alloc(boxes, sizeof *ranking->boxes);
        ranking->faces = qmt_alloc_zero(truth->count, sizeof *ranking->faces);
        ranking->picture_count = truth->count;
    }
    if (!ranking || !ranking->boxes || !ranking->faces) {
        qmt_ranking_free(ranking);
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: ranking %zu boxes", boxes);
    }
    *result = ranking;
    return QMTCNN_OK;
}

qmtcnn_status qmt_ranking_create(const qmt_truth *truth, const qmt_detections *detections, const size_t *index,
                                 const qmt_match_rule *rule, qmt_ranking **result, qmtcnn_error *error)
{
    qmt_judge judge = {0};
    qmt_ranking *ranking = NULL;
    *result = NULL;
    qmtcnn_status status = make_room(truth, detections, index, &ranking, error);
    if (status == QMTCNN_OK)
        status = qmt_judge_create(truth, detections, &judge, error);
    for (size_t i = 0; status == QMTCNN_OK && i < truth->count; i++) {
        const qmt_found none = {0};
        const qmt_found *found = index[i] == SIZE_MAX ? &none : &detections->pictures[index[i]];
        size_t faces =
            qmt_match_picture(&truth->pictures[i], found->boxes, found->count, rule, judge.verdicts, NULL, judge.taken);
        ranking->faces[i] = (uint32_t)faces;
        ranking->face_count += faces;
        for (size_t k = 0; k < found->count; k++)
            if (judge.verdicts[k] != QMT_NEITHER)
                ranking->boxes[ranking->count++] =
                    (qmt_ranked){found->boxes[k].score, (uint32_t)i, judge.verdicts[k] == QMT_HIT};
    }
    qmt_judge_clear(&judge);
    if (status != QMTCNN_OK) {
        qmt_ranking_free(ranking);
        return status;
    }
    qsort(ranking->boxes, ranking->count, sizeof *ranking->boxes, compare_ranked);
    *result = ranking;
    return QMTCNN_OK;
}

double qmt_ranking_ap(const qmt_ranking *ranking, const uint32_t *weights)
{
    double faces = 0, hits = 0, boxes = 0;
    for (size_t i = 0; i < ranking->picture_count; i++)
        faces += (double)ranking->faces[i] * (weights ? weights[i] : 1);
    if (faces <= 0)
        return NAN;
    for (size_t i = 0; i < ranking->count; i++) {
        double weight = weights ? weights[ranking->boxes[i].picture] : 1;
        boxes += weight;
        hits += ranking->boxes[i].hit ? weight : 0;
    }
    /* From the lowest score up, so that the envelope (the best precision at this recall or a higher one) is at hand. */
    double area = 0, envelope = 0;
    for (size_t end = ranking->count; end > 0;) {
        size_t start = end;
        double step_hits = 0, step_boxes = 0;
        while (start > 0 && ranking->boxes[start - 1].score == ranking->boxes[end - 1].score) {
            const qmt_ranked *box = &ranking->boxes[--start];
            double weight = weights ? weights[box->picture] : 1;
            step_boxes += weight;
            step_hits += box->hit ? weight : 0;
        }
        if (boxes > 0)
            envelope = fmax(envelope, hits / boxes);
        area += step_hits * envelope;
        hits -= step_hits;
        boxes -= step_boxes;
        end = start;
    }
    return area / faces;
}

double qmt_ranking_recall_at(const qmt_ranking *ranking, double rate)
{
    double allowed = rate * (double)ranking->picture_count;
    size_t hits = 0, false_alarms = 0;
    double recall = 0;
    if (ranking->face_count == 0)
        return NAN;
    for (size_t i = 0; i < ranking->count; i++) {
        if (ranking->boxes[i].hit)
            hits++;
        else
            false_alarms++;
        bool step_ends = i + 1 == ranking->count || ranking->boxes[i + 1].score != ranking->boxes[i].score;
        if (step_ends && (double)false_alarms <= allowed)
            recall = (double)hits / (double)ranking->face_count;
    }
    return recall;
}

void qmt_ranking_at_score(const qmt_ranking *ranking, double score, double *precision, double *recall)
{
    size_t hits = 0, boxes = 0;
    while (boxes < ranking->count && ranking->boxes[boxes].score >= score)
        hits += ranking->boxes[boxes++].hit;
    *precision = boxes ? (double)hits / (double)boxes : NAN;
    *recall = ranking->face_count ? (double)hits / (double)ranking->face_count : NAN;
}

int qmt_ranking_curve(const qmt_ranking *ranking, qmt_curve_point points[qmt_curve_points])
{
    int count = 0;
    size_t hits = 0;
    double last_recall = -1;
    if (ranking->face_count == 0)
        return 0;
    for (size_t i = 0; i < ranking->count; i++) {
        hits += ranking->boxes[i].hit;
        bool last = i + 1 == ranking->count;
        if (!last && ranking->boxes[i + 1].score == ranking->boxes[i].score)
            continue;
        double recall = (double)hits / (double)ranking->face_count;
        /* A step every 1/250 of recall leaves room for the first and the last point. */
        if (!last && recall - last_recall < 1.0 / (qmt_curve_points - 6))
            continue;
        points[count++] = (qmt_curve_point){ranking->boxes[i].score, recall, (double)hits / (double)(i + 1),
                                            (double)(i + 1 - hits) / (double)ranking->picture_count};
        last_recall = recall;
    }
    return count;
}
