#include "toolkit/train/validation.h"

#include <math.h>
#include <stdlib.h>

/* Best score first; equal ones in any order, since they count together. */
static int compare_scores(const void *a, const void *b)
{
    float x = (*(const qmt_prediction *const *)a)->score, y = (*(const qmt_prediction *const *)b)->score;
    return (x < y) - (x > y);
}

/* Walks down the scores of `count` negatives and positives. */
static void rank_figures(const qmt_prediction **ranked, size_t count, size_t positives, qmt_figures *figures)
{
    size_t found = 0;
    figures->average_precision = figures->recall_at_90 = figures->recall_at_97 = 0;
    for (size_t i = 0; i < count;) {
        float score = ranked[i]->score;
        size_t before = found;
        for (; i < count && ranked[i]->score == score; i++)
            found += ranked[i]->sample_class == QMT_POSITIVE;
        double precision = (double)found / (double)i, recall = (double)found / (double)positives;
        figures->average_precision += precision * (double)(found - before) / (double)positives;
        if (precision >= 0.90)
            figures->recall_at_90 = recall;
        if (precision >= 0.97)
            figures->recall_at_97 = recall;
    }
}

static qmtcnn_status class_figures(const qmt_prediction *predictions, size_t count, qmt_figures *figures,
                                   qmtcnn_error *error)
{
    const qmt_prediction **ranked = qmt_alloc(count, sizeof *ranked);
    if (!ranked)
        return qmt_fail_memory(error, count * sizeof *ranked, "the order of scores");
    size_t total[qmt_class_count] = {0}, called_face[qmt_class_count] = {0}, candidates = 0;
    for (size_t i = 0; i < count; i++) {
        qmt_sample_class kind = predictions[i].sample_class;
        if (isnan(predictions[i].score)) { /* it has no place in an order */
            qmt_free(ranked);
            return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "the score of validation sample %zu is not a number", i);
        }
        total[kind]++;
        called_face[kind] += predictions[i].score >= 0.5f;
        if (kind == QMT_NEGATIVE || kind == QMT_POSITIVE)
            ranked[candidates++] = &predictions[i];
    }
    if (total[QMT_NEGATIVE])
        figures->accuracy[0] = 1 - (double)called_face[QMT_NEGATIVE] / (double)total[QMT_NEGATIVE];
    if (total[QMT_POSITIVE])
        figures->accuracy[1] = (double)called_face[QMT_POSITIVE] / (double)total[QMT_POSITIVE];
    if (total[QMT_PART])
        figures->face_share[0] = (double)called_face[QMT_PART] / (double)total[QMT_PART];
    if (total[QMT_LANDMARK])
        figures->face_share[1] = (double)called_face[QMT_LANDMARK] / (double)total[QMT_LANDMARK];
    if (total[QMT_NEGATIVE] && total[QMT_POSITIVE]) {
        qsort(ranked, candidates, sizeof *ranked, compare_scores);
        rank_figures(ranked, candidates, total[QMT_POSITIVE], figures);
    }
    qmt_free(ranked);
    return QMTCNN_OK;
}

/* IoU of two boxes given as offsets from the corners of a crop whose side is 1. */
static double offsets_iou(const float a[4], const float b[4])
{
    double ax1 = (double)a[0], ay1 = (double)a[1], ax2 = 1 + (double)a[2], ay2 = 1 + (double)a[3];
    double bx1 = (double)b[0], by1 = (double)b[1], bx2 = 1 + (double)b[2], by2 = 1 + (double)b[3];
    double width = fmin(ax2, bx2) - fmax(ax1, bx1), height = fmin(ay2, by2) - fmax(ay1, by1);
    double overlap = fmax(width, 0) * fmax(height, 0);
    double whole = fmax(ax2 - ax1, 0) * fmax(ay2 - ay1, 0) + fmax(bx2 - bx1, 0) * fmax(by2 - by1, 0) - overlap;
    return whole > 0 ? overlap / whole : 0;
}

/* Mean distance of the points over the eyes' distance; negative where the eyes are too close. */
static double landmark_error(const float points[10], const float truth[10])
{
    double eyes = hypot((double)truth[2] - (double)truth[0], (double)truth[3] - (double)truth[1]), sum = 0;
    if (eyes < 0.05)
        return -1;
    for (int i = 0; i < 5; i++)
        sum +=
            hypot((double)points[2 * i] - (double)truth[2 * i], (double)points[2 * i + 1] - (double)truth[2 * i + 1]);
    return sum / 5 / eyes;
}

static void place_figures(const qmt_prediction *predictions, size_t count, qmt_figures *figures)
{
    double box = 0, part = 0, landmarks = 0;
    size_t boxes = 0, parts = 0, faces = 0;
    for (size_t i = 0; i < count; i++) {
        const qmt_prediction *at = &predictions[i];
        if (at->sample_class == QMT_POSITIVE) {
            box += offsets_iou(at->box, at->true_box);
            boxes++;
        } else if (at->sample_class == QMT_PART) {
            part += offsets_iou(at->box, at->true_box);
            parts++;
        } else if (at->sample_class == QMT_LANDMARK) {
            double wrong = landmark_error(at->landmarks, at->true_landmarks);
            landmarks += wrong >= 0 ? wrong : 0;
            faces += wrong >= 0;
        }
    }
    if (boxes)
        figures->box_iou = box / (double)boxes;
    if (parts)
        figures->part_iou = part / (double)parts;
    if (faces)
        figures->landmark_error = landmarks / (double)faces;
}

static double overall_score(const qmt_train_config *config, const qmt_figures *figures)
{
    double quality[3] = {figures->average_precision, figures->box_iou, fmax(0, 1 - figures->landmark_error)};
    double weight[3] = {(double)config->class_weight, (double)config->box_weight, (double)config->landmark_weight};
    double sum = 0, weights = 0;
    if (isnan(figures->landmark_error)) /* fmax takes the number */
        quality[2] = NAN;
    for (int i = 0; i < 3; i++)
        if (!isnan(quality[i])) {
            sum += weight[i] * quality[i];
            weights += weight[i];
        }
    return weights > 0 ? sum / weights : NAN;
}

qmtcnn_status qmt_figures_from(const qmt_prediction *predictions, size_t count, const qmt_train_config *config,
                               qmt_figures *figures, qmtcnn_error *error)
{
    *figures = (qmt_figures){
        .samples = (int)count,
        .accuracy = {NAN, NAN},
        .face_share = {NAN, NAN},
        .average_precision = NAN,
        .recall_at_90 = NAN,
        .recall_at_97 = NAN,
        .box_iou = NAN,
        .part_iou = NAN,
        .landmark_error = NAN,
    };
    qmtcnn_status status = class_figures(predictions, count, figures, error);
    if (status != QMTCNN_OK)
        return status;
    place_figures(predictions, count, figures);
    figures->score = overall_score(config, figures);
    return QMTCNN_OK;
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *qmt_figures_json(const qmt_figures *figures)
{
    return json_pack("{s:i, s:o, s:{s:o, s:o}, s:{s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:o}", "samples",
                     figures->samples, "score", number(figures->score), "accuracy", "negative",
                     number(figures->accuracy[0]), "positive", number(figures->accuracy[1]), "face_share", "part",
                     number(figures->face_share[0]), "landmark", number(figures->face_share[1]), "average_precision",
                     number(figures->average_precision), "recall_at_90", number(figures->recall_at_90), "recall_at_97",
                     number(figures->recall_at_97), "box_iou", number(figures->box_iou), "part_iou",
                     number(figures->part_iou), "landmark_error", number(figures->landmark_error));
}
