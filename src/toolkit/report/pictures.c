#include "toolkit/report/pictures.h"

#include "toolkit/base/file.h"
#include "toolkit/evaluate/verdicts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { largest_side = 480, jpeg_quality = 82, most_examples = 200 };

static const qmt_color green = {40, 200, 90}, red = {235, 50, 50}, orange = {255, 150, 20}, blue = {70, 140, 255},
                       gray = {150, 150, 150};

static void draw(qmt_image *image, double scale, double x, double y, double width, double height, int thickness,
                 qmt_color color)
{
    qmt_draw_box(image, (float)(x * scale), (float)(y * scale), (float)(width * scale), (float)(height * scale),
                 thickness, color);
}

static void draw_landmarks(qmt_image *image, double scale, const qmt_detection *box)
{
    float radius = (float)fmax(1, box->width * scale / 45);
    for (int i = 0; box->has_landmarks && i < 5; i++)
        qmt_draw_dot(image, (float)(box->landmarks[i][0] * scale), (float)(box->landmarks[i][1] * scale), radius, blue);
}

static void draw_score(qmt_image *image, double scale, const qmt_detection *box, qmt_color color)
{
    char text[16];
    int y = (int)(box->y * scale) - 9;
    snprintf(text, sizeof text, "%.2f", box->score);
    qmt_draw_text(image, (int)(box->x * scale), y < 0 ? 0 : y, 1, text, color);
}

static size_t boxes_over(const qmt_found *boxes, double score)
{
    size_t count = 0;
    while (boxes && count < boxes->count && boxes->boxes[count].score >= score)
        count++;
    return count;
}

static void draw_boxes(qmt_image *image, double scale, const qmt_found *boxes, size_t count,
                       const qmt_verdict *verdicts)
{
    for (size_t i = 0; i < count; i++) {
        const qmt_detection *box = &boxes->boxes[i];
        qmt_color color = verdicts[i] == QMT_HIT ? blue : verdicts[i] == QMT_NEITHER ? gray : orange;
        draw(image, scale, box->x, box->y, box->width, box->height, verdicts[i] == QMT_FALSE_ALARM ? 2 : 1, color);
        draw_landmarks(image, scale, box);
        if (verdicts[i] == QMT_FALSE_ALARM)
            draw_score(image, scale, box, color);
    }
}

qmtcnn_status qmt_annotate(qmt_image *image, double scale, const qmt_truth_picture *truth, const qmt_found *boxes,
                           double iou, double score, int *found, int *missed, int *false_alarms, qmtcnn_error *error)
{
    const qmt_match_rule rule = qmt_match_rule_plain(iou);
    size_t count = boxes_over(boxes, score);
    qmt_verdict *verdicts = qmt_alloc(count, sizeof *verdicts);
    uint8_t *taken = qmt_alloc_zero(truth->count, 1);
    *found = *missed = *false_alarms = 0;
    if (!verdicts || !taken) {
        qmt_free(taken);
        qmt_free(verdicts);
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: drawing %zu boxes", count);
    }
    qmt_match_picture(truth, boxes ? boxes->boxes : NULL, count, &rule, verdicts, NULL, taken);
    for (size_t i = 0; i < count; i++)
        *false_alarms += verdicts[i] == QMT_FALSE_ALARM;
    for (size_t i = 0; i < truth->count; i++) {
        const qmt_truth_face *face = &truth->faces[i];
        bool counts = qmt_face_counts(face, &rule);
        *found += counts && taken[i];
        *missed += counts && !taken[i];
        if (image)
            draw(image, scale, face->x, face->y, face->width, face->height, counts ? 2 : 1,
                 !counts    ? gray
                 : taken[i] ? green
                            : red);
    }
    if (image)
        draw_boxes(image, scale, boxes, count, verdicts);
    qmt_free(taken);
    qmt_free(verdicts);
    return QMTCNN_OK;
}

/* ---- Choosing -------------------------------------------------------------------------------- */

struct candidate {
    size_t picture;
    int found, missed, false_alarms;
};

static int worst_first(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    int wrong_a = a->missed + a->false_alarms, wrong_b = b->missed + b->false_alarms;
    if (wrong_a != wrong_b)
        return wrong_b - wrong_a;
    return (a->picture > b->picture) - (a->picture < b->picture);
}

static int best_first(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    int wrong_a = a->missed + a->false_alarms, wrong_b = b->missed + b->false_alarms;
    if (wrong_a != wrong_b)
        return wrong_a - wrong_b;
    if (a->found != b->found)
        return b->found - a->found;
    return (a->picture > b->picture) - (a->picture < b->picture);
}

/* ---- Making ---------------------------------------------------------------------------------- */

static qmtcnn_status make_example(const qmt_picture *picture, const qmt_truth_picture *truth, const qmt_found *found,
                                  const qmt_config *config, bool worst, qmt_example *example, qmtcnn_error *error)
{
    qmt_image whole = {0}, small = {0};
    int hits, missed, false_alarms;
    double scale;
    example->worst = worst;
    qmtcnn_status status = qmt_image_read(picture->path, QMT_AS_STORED, &whole, error);
    if (status == QMTCNN_OK)
        status = qmt_image_shrink(&whole, largest_side, &small, &scale, error);
    if (status == QMTCNN_OK)
        status = qmt_annotate(&small, scale, truth, found, config->evaluate.iou, config->detect.thresholds[QMT_ONET],
                              &hits, &missed, &false_alarms, error);
    if (status == QMTCNN_OK)
        status = qmt_image_encode_jpeg(&small, jpeg_quality, &example->jpeg, &example->size, error);
    if (status == QMTCNN_OK) {
        example->caption =
            qmt_format("%s: found %d, missed %d, false alarms %d", picture->name, hits, missed, false_alarms);
        if (!example->caption)
            status = qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: a caption");
    }
    qmt_image_clear(&small);
    qmt_image_clear(&whole);
    return status;
}

/* Judges every picture without drawing. */
static qmtcnn_status judge(const qmt_truth *truth, const qmt_detections *detections, const size_t *index,
                           const qmt_config *config, struct candidate *candidates, size_t *count, qmtcnn_error *error)
{
    *count = 0;
    for (size_t i = 0; i < truth->count; i++) {
        struct candidate *one = &candidates[*count];
        if (index[i] == SIZE_MAX || detections->pictures[index[i]].unreadable)
            continue;
        one->picture = i;
        qmtcnn_status status =
            qmt_annotate(NULL, 1, &truth->pictures[i], &detections->pictures[index[i]], config->evaluate.iou,
                         config->detect.thresholds[QMT_ONET], &one->found, &one->missed, &one->false_alarms, error);
        if (status != QMTCNN_OK)
            return status;
        ++*count;
    }
    return QMTCNN_OK;
}

static qmtcnn_status make_some(const qmt_dataset *dataset, const qmt_truth *truth, const qmt_detections *detections,
                               const size_t *index, const qmt_config *config, const struct candidate *candidates,
                               size_t count, int wanted, bool worst, qmt_examples *examples, qmtcnn_error *error)
{
    for (size_t i = 0; i < count && i < (size_t)wanted; i++) {
        const struct candidate *one = &candidates[i];
        int wrong = one->missed + one->false_alarms;
        if (worst ? wrong == 0 : wrong > 0 || one->found == 0)
            break;
        qmtcnn_status status = make_example(&dataset->pictures[one->picture], &truth->pictures[one->picture],
                                            &detections->pictures[index[one->picture]], config, worst,
                                            &examples->items[examples->count++], error);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_examples_make(const qmt_dataset *dataset, const qmt_detections *detections, const qmt_config *config,
                                int worst, int best, qmt_examples *examples, qmtcnn_error *error)
{
    qmt_truth *truth = NULL;
    size_t *index = NULL, missing, count = 0;
    struct candidate *candidates = NULL;
    memset(examples, 0, sizeof *examples);
    if (worst < 0 || best < 0 || worst + best > most_examples)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%d and %d example pictures: at most %d", worst, best,
                        most_examples);
    qmtcnn_status status = qmt_truth_from_dataset(dataset, config->evaluate.min_face, &truth, error);
    if (status != QMTCNN_OK)
        return status;
    index = qmt_alloc(truth->count, sizeof *index);
    candidates = qmt_alloc_zero(truth->count, sizeof *candidates);
    examples->items = qmt_alloc_zero((size_t)(worst + best), sizeof *examples->items);
    status = index && candidates && examples->items
                 ? qmt_truth_align(truth, detections, index, &missing, error)
                 : qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: example pictures");
    if (status == QMTCNN_OK)
        status = judge(truth, detections, index, config, candidates, &count, error);
    if (status == QMTCNN_OK && count) {
        qsort(candidates, count, sizeof *candidates, worst_first);
        status = make_some(dataset, truth, detections, index, config, candidates, count, worst, true, examples, error);
    }
    if (status == QMTCNN_OK && count) {
        qsort(candidates, count, sizeof *candidates, best_first);
        status = make_some(dataset, truth, detections, index, config, candidates, count, best, false, examples, error);
    }
    qmt_free(candidates);
    qmt_free(index);
    qmt_truth_free(truth);
    if (status != QMTCNN_OK)
        qmt_examples_clear(examples);
    return status;
}

void qmt_examples_clear(qmt_examples *examples)
{
    for (size_t i = 0; i < examples->count; i++) {
        qmt_free(examples->items[i].caption);
        qmt_free(examples->items[i].jpeg);
    }
    qmt_free(examples->items);
    *examples = (qmt_examples){0};
}
