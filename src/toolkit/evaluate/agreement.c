/* Do two detectors find the same boxes? */
#include "toolkit/evaluate/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double pair_iou = 0.5;

void qmt_agreement_clear(qmt_agreement *agreement)
{
    qmt_free(agreement->each);
    agreement->each = NULL;
}

static size_t boxes_over(const qmt_found *found, double score)
{
    size_t count = 0;
    while (count < found->count && found->boxes[count].score >= score)
        count++;
    return count;
}

static double box_iou(const qmt_detection *a, const qmt_detection *b)
{
    const qmt_truth_face face = {.x = a->x, .y = a->y, .width = a->width, .height = a->height};
    return qmt_overlap_of(&face, b, 0);
}

/* Sums over pairs. */
struct sums {
    double iou, difference, shift, largest;
    size_t pairs;
};

static void add_pair(const qmt_detection *a, const qmt_detection *b, double iou, struct sums *sums)
{
    sums->iou += iou;
    sums->shift += b->score - a->score;
    sums->difference += fabs(b->score - a->score);
    sums->largest = fmax(sums->largest, fabs(b->score - a->score));
    sums->pairs++;
}

/* Each FP32 box, best first, takes the free INT8 box that it overlaps most. `taken`: room for the INT8 boxes. */
static void pair_boxes(const qmt_found *fp32, size_t fp32_count, const qmt_found *int8, size_t int8_count,
                       uint8_t *taken, struct sums *sums)
{
    if (int8_count)
        memset(taken, 0, int8_count);
    for (size_t i = 0; i < fp32_count; i++) {
        double best = pair_iou;
        size_t nearest = SIZE_MAX;
        for (size_t k = 0; k < int8_count; k++) {
            double iou = taken[k] ? 0 : box_iou(&fp32->boxes[i], &int8->boxes[k]);
            if (iou >= best && (nearest == SIZE_MAX || iou > best)) {
                best = iou;
                nearest = k;
            }
        }
        if (nearest == SIZE_MAX)
            continue;
        taken[nearest] = 1;
        add_pair(&fp32->boxes[i], &int8->boxes[nearest], best, sums);
    }
}

static int worse_first(const void *left, const void *right)
{
    const qmt_picture_agreement *a = left, *b = right;
    size_t alone_a = a->fp32 + a->int8 - 2 * a->matched, alone_b = b->fp32 + b->int8 - 2 * b->matched;
    if (alone_a != alone_b)
        return alone_a < alone_b ? 1 : -1;
    if (a->largest_score_difference != b->largest_score_difference)
        return a->largest_score_difference < b->largest_score_difference ? 1 : -1;
    return strcmp(a->name, b->name);
}

static void finish(qmt_agreement *agreement, const struct sums *all)
{
    double pairs = (double)all->pairs;
    agreement->matched = all->pairs;
    agreement->mean_iou = all->pairs ? all->iou / pairs : NAN;
    agreement->mean_score_difference = all->pairs ? all->difference / pairs : NAN;
    agreement->mean_score_shift = all->pairs ? all->shift / pairs : NAN;
    agreement->largest_score_difference = all->pairs ? all->largest : NAN;
    if (agreement->pictures)
        qsort(agreement->each, agreement->pictures, sizeof *agreement->each, worse_first);
}

qmtcnn_status qmt_agreement_compute(const qmt_detections *fp32, const qmt_detections *int8, double score,
                                    qmt_agreement *agreement, qmtcnn_error *error)
{
    struct sums all = {0};
    size_t most = 0;
    memset(agreement, 0, sizeof *agreement);
    if (fp32->count != int8->count)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%zu pictures against %zu", fp32->count, int8->count);
    for (size_t i = 0; i < int8->count; i++)
        most = int8->pictures[i].count > most ? int8->pictures[i].count : most;
    uint8_t *taken = qmt_alloc(most, 1);
    agreement->each = qmt_alloc_zero(fp32->count, sizeof *agreement->each);
    if (!taken || !agreement->each) {
        qmt_free(taken);
        qmt_agreement_clear(agreement);
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: comparing %zu pictures", fp32->count);
    }
    agreement->score = score;
    agreement->pictures = fp32->count;
    for (size_t i = 0; i < fp32->count; i++) {
        const qmt_found *a = &fp32->pictures[i], *b = &int8->pictures[i];
        qmt_picture_agreement *one = &agreement->each[i];
        struct sums here = {0};
        one->name = a->name;
        one->fp32 = boxes_over(a, score);
        one->int8 = boxes_over(b, score);
        pair_boxes(a, one->fp32, b, one->int8, taken, &here);
        one->matched = here.pairs;
        one->mean_iou = here.pairs ? here.iou / (double)here.pairs : NAN;
        one->largest_score_difference = here.largest;
        agreement->fp32 += one->fp32;
        agreement->int8 += one->int8;
        agreement->same_pictures += one->fp32 == here.pairs && one->int8 == here.pairs;
        all.iou += here.iou;
        all.difference += here.difference;
        all.shift += here.shift;
        all.largest = fmax(all.largest, here.largest);
        all.pairs += here.pairs;
    }
    finish(agreement, &all);
    qmt_free(taken);
    return QMTCNN_OK;
}
