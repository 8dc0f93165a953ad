/* toolkit/quant: how real numbers become INT8 in training. It owns observers, fake quantization and its gradient, and
 * scales. Batch normalization is folded in toolkit/net, where its statistics live. */
#ifndef QMT_QUANT_H
#define QMT_QUANT_H

#include "toolkit/config/config.h"

enum { qmt_histogram_bins = 2048 };

/* Watches the largest absolute value of one tensor. A plain value: it is saved in checkpoints as it is. */
typedef struct qmt_observer {
    float maximum;         /* the range so far: min-max keeps the largest, average a moving average */
    float histogram_limit; /* upper edge of the histogram: 0, or the least power of two that no value has passed */
    uint64_t histogram[qmt_histogram_bins];
    int64_t batches; /* seen so far */
} qmt_observer;

void qmt_observer_reset(qmt_observer *observer);

/* Takes in a batch whose largest absolute value is `batch_maximum` (finite, >= 0). The first batch sets the range; then
 * average moves it by `momentum` of the way, and min-max and histogram keep the largest. */
void qmt_observe_range(qmt_observer *observer, qmt_observer_kind kind, float momentum, float batch_maximum);

/* Adds values to the histogram. Edges are powers of two, so that bins merge exactly when it grows: the histogram of
 * many values is the same in whatever order and portions they come. */
void qmt_observe_values(qmt_observer *observer, const float *values, size_t count);

/* The same in two steps, for counting in parallel: make room for values up to `maximum`, then count values into bins
 * of one's own, to be added to observer->histogram. No value may pass the limit. */
void qmt_observer_make_room(qmt_observer *observer, float maximum);
void qmt_count_values(float limit, const float *values, size_t count, uint64_t bins[qmt_histogram_bins]);

/* Does this kind of observer need the histogram? */
bool qmt_observer_counts(qmt_observer_kind kind);

/* The range that a kind of observer has come to, never over the largest value seen and never under the range of the
 * floor of qmt_scale_for().
 * Histogram: the upper edge of the first bin with at least `percentile` % of all values in it and the bins below.
 * MSE: the range whose quantizer has the least squared error over the histogram.
 * Entropy: the one whose 128 levels keep most of the distribution's information (least Kullback-Leibler divergence), as
 * TensorRT calibrates (Migacz, 2017). Both of the latter go by the histogram alone: min-max where it is empty. */
float qmt_observer_range(const qmt_observer *observer, qmt_observer_kind kind, float percentile);

/* y = scale * clamp(round_half_even(x / scale), -127, 127), and passes[i] = 1 where the rounded value was inside the
 * range (the straight-through estimator's mask: 0 where it was clipped). Returns how many were clipped. `passes` may be
 * NULL; x and y may be the same. `scale` > 0; x may be infinite (clipped) but no NaN. */
size_t qmt_fake_quantize(const float *x, float *y, uint8_t *passes, size_t count, float scale);

/* Does `known` know each entry of a list such as keep_fp32? Else the first that it does not, cut to fit. */
typedef bool (*qmt_list_check)(const void *state, const char *entry);
bool qmt_list_is_known(const char *list, qmt_list_check known, const void *state, char unknown[qmt_max_name + 8]);
/* Is this layer (its name, with or without "pnet/" before it) in a comma-separated list, such as keep_fp32? */
bool qmt_in_list(const char *list, const char *net, const char *name);

#endif
