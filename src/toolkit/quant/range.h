/* Ranges from histograms: where clipping a few values makes all others finer. */
#ifndef QMT_QUANT_RANGE_H
#define QMT_QUANT_RANGE_H

#include "toolkit/quant/quant.h"

/* The range of a symmetric 8-bit quantizer that makes the least squared error on the observer's histogram, to about
 * 2 %; values count as their bin's center. 0 without values over 0. */
float qmt_mse_range(const qmt_observer *observer);

/* The range, a bin's upper edge, at which 128 levels lose the least information (Kullback-Leibler divergence) of the
 * histogram with what lies outside counted in its last bin. Zeros are no part of the distribution: a ReLU makes many,
 * and every quantizer has an exact 0. 0 without values over 0. */
float qmt_entropy_range(const qmt_observer *observer);

/* The range of a symmetric 8-bit quantizer that makes the least squared error on `count` weights, at most max|w|. */
float qmt_weight_mse_range(const float *weights, size_t count);

#endif
