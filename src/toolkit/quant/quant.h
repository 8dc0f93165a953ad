/* toolkit/quant: how real numbers become INT8 in training. It owns observers, fake quantization and its gradient, and
 * scales. Batch normalization is folded in toolkit/net, where its statistics live. */
#ifndef QMT_QUANT_H
#define QMT_QUANT_H

#include "toolkit/config/config.h"

enum { qmt_histogram_bins = 2048 };

/* Watches the largest absolute value of one tensor. A plain value: it is saved in checkpoints as it is. */
typedef struct qmt_observer {
    float maximum;      /* the range so far: min-max keeps the largest, average a moving average */
    float histogram_limit; /* upper edge of the histogram, grows by doubling (bins are merged) */
    uint64_t histogram[qmt_histogram_bins];
    int64_t batches;    /* seen so far */
} qmt_observer;

/* One batch's summary, made by each group of 16 samples on its own and merged in any order (all are exact). */
void qmt_observer_reset(qmt_observer *observer);
/* Takes in a batch whose largest absolute value is `batch_maximum`. */
void qmt_observe_range(qmt_observer *observer, qmt_observer_kind kind, float momentum, float batch_maximum);
/* Adds values to the histogram. */
void qmt_observe_values(qmt_observer *observer, const float *values, size_t count);
/* The range that a kind of observer has come to; `percentile` for histograms. Never under a floor. */
float qmt_observer_range(const qmt_observer *observer, qmt_observer_kind kind, float percentile);

/* y = scale * clamp(round_half_even(x / scale), -127, 127), and passes[i] = 1 where x was inside the range (the
 * straight-through estimator's mask: 0 where it was clipped). Returns how many were clipped. `passes` may be NULL; x and y may be the same. */
size_t qmt_fake_quantize(const float *x, float *y, uint8_t *passes, size_t count, float scale);

#endif
