#include "toolkit/train/losses.h"
#include "toolkit/train/regression.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { box_channel = 2, landmark_channel = 6, box_numbers = 4, landmark_numbers = 10 };

/* A sample's losses before means and weights; -1 where a task doesn't concern it. */
typedef struct sample_loss {
    double classes, box, landmarks;
} sample_loss;

typedef struct ranked {
    double loss;
    int index;
} ranked;

struct qmt_losses {
    qmt_train_config config;
    qmt_ranks *ranks;
    int samples;       /* in this rank */
    int all_samples;   /* in all ranks */
    sample_loss *mine; /* [samples] */
    sample_loss *all;  /* [all_samples], in the order of ranks */
    ranked *order;     /* [all_samples] */
    bool *kept;        /* [all_samples]: counts for the class loss */
};

qmtcnn_status qmt_losses_create(const qmt_train_config *config, int groups, qmt_ranks *ranks, qmt_losses **losses,
                                qmtcnn_error *error)
{
    *losses = NULL;
    int size = qmt_ranks_size(ranks);
    if (groups < 1 || groups > 1 << 20 || size > 1 << 10)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "a batch of %d groups in %d ranks is out of range", groups, size);
    qmt_losses *made = qmt_alloc_zero(1, sizeof *made);
    if (!made)
        return qmt_fail_memory(error, sizeof *made, "losses");
    made->config = *config;
    made->ranks = ranks;
    made->samples = groups * qmt_lanes;
    made->all_samples = made->samples * size;
    size_t all = (size_t)made->all_samples;
    made->mine = qmt_alloc((size_t)made->samples, sizeof *made->mine);
    made->all = qmt_alloc(all, sizeof *made->all);
    made->order = qmt_alloc(all, sizeof *made->order);
    made->kept = qmt_alloc(all, sizeof *made->kept);
    if (!made->mine || !made->all || !made->order || !made->kept) {
        qmt_losses_free(made);
        return qmt_fail_memory(error, all * sizeof *made->all, "losses of a batch");
    }
    *losses = made;
    return QMTCNN_OK;
}

void qmt_losses_free(qmt_losses *losses)
{
    if (!losses)
        return;
    qmt_free(losses->kept);
    qmt_free(losses->order);
    qmt_free(losses->all);
    qmt_free(losses->mine);
    qmt_free(losses);
}

/* log(1 + exp(x)) without overflow. */
static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

/* Loss of a two-class softmax whose true logit leads by `lead`. *slope is its derivative by the lead. */
static double class_loss(const qmt_train_config *config, bool face, double lead, double *slope)
{
    double log_p = -softplus(-lead), miss = 1 / (1 + exp(lead)); /* log p and 1 - p of the true class */
    if (config->class_loss != QMT_CLASS_FOCAL) {
        double other = 0.5 * (double)config->label_smoothing; /* the wrong class's share of the target */
        *slope = other - miss;
        return (1 - other) * -log_p + other * softplus(lead);
    }
    double alpha = face ? (double)config->focal_alpha : 1 - (double)config->focal_alpha;
    double gamma = (double)config->focal_gamma, factor = alpha * pow(miss, gamma), p = 1 - miss;
    *slope = factor * (gamma * p * log_p - miss);
    return -factor * log_p;
}

/* Loss of `count` outputs from channel `first` on; their slopes, not yet averaged, go to the gradient. */
static double regress(qmt_regression_loss kind, const float *output, float *gradient, int lane, int first, int count,
                      const float *target)
{
    double sum = 0;
    for (int i = 0; i < count; i++) {
        int at = (first + i) * qmt_lanes + lane;
        double slope;
        sum += qmt_regression_loss_of(kind, (double)output[at] - (double)target[i], &slope);
        gradient[at] = (float)slope;
    }
    return sum;
}

/* The same for a box as a whole. */
static double regress_overlap(const float *output, float *gradient, int lane, const float *target)
{
    double prediction[box_numbers], wanted[box_numbers], slope[box_numbers];
    for (int i = 0; i < box_numbers; i++) {
        prediction[i] = (double)output[(box_channel + i) * qmt_lanes + lane];
        wanted[i] = (double)target[i];
    }
    double loss = qmt_giou_loss(prediction, wanted, slope);
    for (int i = 0; i < box_numbers; i++)
        gradient[(box_channel + i) * qmt_lanes + lane] = (float)slope[i];
    return loss;
}

/* Losses of one sample, and their slopes in its lane of the gradient. */
static sample_loss sample_losses(const qmt_train_config *config, const qmt_label *label, const float *output,
                                 float *gradient, int lane)
{
    sample_loss loss = {-1, -1, -1};
    qmt_sample_class kind = label->sample_class;
    if (kind == QMT_NEGATIVE || kind == QMT_POSITIVE) {
        bool face = kind == QMT_POSITIVE;
        double lead = (double)output[qmt_lanes + lane] - (double)output[lane], slope;
        loss.classes = class_loss(config, face, face ? lead : -lead, &slope);
        gradient[qmt_lanes + lane] = (float)(face ? slope : -slope);
        gradient[lane] = (float)(face ? -slope : slope);
    }
    if (kind == QMT_POSITIVE || kind == QMT_PART)
        loss.box = config->box_loss == QMT_LOSS_GIOU
                       ? regress_overlap(output, gradient, lane, label->box)
                       : regress(config->box_loss, output, gradient, lane, box_channel, box_numbers, label->box);
    if (kind == QMT_LANDMARK)
        loss.landmarks = regress(config->landmark_loss, output, gradient, lane, landmark_channel, landmark_numbers,
                                 label->landmarks);
    return loss;
}

/* Hardest first; of equals the one that comes first in the batch. */
static int compare_ranked(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->loss != y->loss)
        return x->loss > y->loss ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Marks the samples that count for the class loss. Returns how many. */
static int keep_hardest(qmt_losses *losses, int *candidates)
{
    int count = 0;
    for (int i = 0; i < losses->all_samples; i++) {
        losses->kept[i] = losses->all[i].classes >= 0;
        if (losses->kept[i])
            losses->order[count++] = (ranked){losses->all[i].classes, i};
    }
    *candidates = count;
    if (losses->config.class_loss != QMT_CLASS_OHEM || count == 0)
        return count;
    int keep = (int)lround((double)losses->config.ohem_keep * count);
    keep = keep < 1 ? 1 : keep > count ? count : keep;
    qsort(losses->order, (size_t)count, sizeof *losses->order, compare_ranked);
    for (int i = keep; i < count; i++)
        losses->kept[losses->order[i].index] = false;
    return keep;
}

/* Means over the whole batch, in the batch's order on every rank. */
static void average(qmt_losses *losses, qmt_loss_values *values)
{
    *values = (qmt_loss_values){0};
    values->class_kept = keep_hardest(losses, &values->class_samples);
    for (int i = 0; i < losses->all_samples; i++) {
        const sample_loss *loss = &losses->all[i];
        if (losses->kept[i])
            values->classes += loss->classes;
        if (loss->box >= 0) {
            values->box += loss->box;
            values->box_samples++;
        }
        if (loss->landmarks >= 0) {
            values->landmarks += loss->landmarks;
            values->landmark_samples++;
        }
    }
    values->classes /= values->class_kept ? values->class_kept : 1;
    values->box /= values->box_samples ? values->box_samples : 1;
    values->landmarks /= values->landmark_samples ? values->landmark_samples : 1;
    values->total = (double)losses->config.class_weight * values->classes +
                    (double)losses->config.box_weight * values->box +
                    (double)losses->config.landmark_weight * values->landmarks;
}

static void scale_channels(float *gradient, int lane, int first, int count, double factor)
{
    for (int c = first; c < first + count; c++)
        gradient[c * qmt_lanes + lane] = (float)((double)gradient[c * qmt_lanes + lane] * factor);
}

/* Slopes of single samples become the gradient of the weighted means. */
static void scale_gradients(const qmt_losses *losses, const qmt_loss_values *values, float *const *gradients)
{
    const qmt_train_config *config = &losses->config;
    const bool *kept = losses->kept + (size_t)qmt_ranks_rank(losses->ranks) * (size_t)losses->samples;
    double classes = values->class_kept ? (double)config->class_weight / values->class_kept : 0;
    double box = values->box_samples ? (double)config->box_weight / values->box_samples : 0;
    double landmarks = values->landmark_samples ? (double)config->landmark_weight / values->landmark_samples : 0;
    for (int i = 0; i < losses->samples; i++) {
        float *gradient = gradients[i / qmt_lanes];
        int lane = i % qmt_lanes;
        scale_channels(gradient, lane, 0, box_channel, kept[i] ? classes : 0);
        scale_channels(gradient, lane, box_channel, box_numbers, box);
        scale_channels(gradient, lane, landmark_channel, landmark_numbers, landmarks);
    }
}

qmtcnn_status qmt_losses_compute(qmt_losses *losses, const qmt_label *labels, const float *const *outputs,
                                 float *const *gradients, qmt_loss_values *values, qmtcnn_error *error)
{
    for (int i = 0; i < losses->samples; i++) {
        int group = i / qmt_lanes, lane = i % qmt_lanes;
        if (lane == 0)
            memset(gradients[group], 0, sizeof(float) * qmt_head_channels * qmt_lanes);
        losses->mine[i] = sample_losses(&losses->config, &labels[i], outputs[group], gradients[group], lane);
    }
    qmtcnn_status status = qmt_ranks_gather(losses->ranks, losses->mine, (size_t)losses->samples * sizeof *losses->mine,
                                            losses->all, error);
    if (status != QMTCNN_OK)
        return status;
    average(losses, values);
    /* A NaN would fail each comparison above and so be left out in silence. */
    for (int i = 0; i < losses->all_samples; i++)
        if (!isfinite(losses->all[i].classes + losses->all[i].box + losses->all[i].landmarks))
            return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "the loss of sample %d of the batch is not a finite number",
                            i);
    scale_gradients(losses, values, gradients);
    return QMTCNN_OK;
}
