/* Training arithmetic on one group of 16 samples: [C][H][W][16] floats, 64-byte aligned. One source, compiled once an
 * instruction set. Results are the same for any number of threads; between instruction sets the last bits differ, since
 * sums are split differently and only some have fused multiply-add. */
#ifndef QMT_NET_KERNELS_H
#define QMT_NET_KERNELS_H

#include "runtime/model/model.h"

#include <stddef.h>
#include <stdint.h>

/* A convolution without padding, stride 1, square. */
typedef struct qmt_conv_shape {
    int in_channels, out_channels, kernel, in_side, out_side;
} qmt_conv_shape;

/* Batch normalization (or nothing: scale 1, shift 0), activation and max pool of one layer. */
typedef struct qmt_finish_shape {
    int channels, conv_side, out_side, pool_kernel, pool_stride; /* pool_kernel 0: no pool */
    qmt_activation activation;
} qmt_finish_shape;

/* What one channel's finish needs; all [channels]. */
typedef struct qmt_finish_values {
    const float *scale, *shift; /* z = scale * y + shift */
    const float *slope;         /* PReLU only */
    /* With a pool: which y of a window wins, the largest (1) or the smallest (-1), so that the convolution could pool
     * already; 0: neither (a falling slope), finish pools. */
    const int8_t *direction;
} qmt_finish_values;

/* Coefficients of the gradient through batch normalization: dy = scale * dz + slope * (y - center) + offset; all
 * [channels]. */
typedef struct qmt_norm_gradient {
    const float *scale, *slope, *center, *offset;
} qmt_norm_gradient;

/* Where a layer's dy comes from. */
typedef struct qmt_output_gradient {
    const qmt_finish_shape *finish;
    const qmt_norm_gradient *norm; /* NULL: dz is dy */
    const float *dz;               /* on the pooled map */
    const uint8_t *place;          /* with a pool */
    float *y;                      /* the convolution's output; dy takes its place */
    bool keep;                     /* dy is needed in y afterwards; otherwise y is undefined then */
} qmt_output_gradient;

/* The pool of a convolution's output, made while that is still in the cache. */
typedef struct qmt_conv_pool {
    const qmt_finish_shape *shape;
    const int8_t *direction; /* see qmt_finish_values */
    float *peak;
    uint8_t *place;
} qmt_conv_pool;

typedef struct qmt_net_kernels {
    const char *name;
    int block; /* output channels computed together: weights are packed in such blocks, see qmt_block_start() */

    /* y = x * weights + bias. `bias` may be NULL. sums[2 c] and [2 c + 1]: the sum of y - center[c] and of its square
     * over the group. `pool` (may be NULL): takes the y that won each window, and where in the window it was (the first
     * of equals). `scratch`: qmt_net_scratch() floats. */
    void (*convolve)(const qmt_conv_shape *shape, const float *x, const float *packed, const float *bias,
                     const float *center, float *y, const qmt_conv_pool *pool, float *scratch, double *sums);
    /* dx from dy, with weights packed by input channel. Where `passes` (as dx; may be NULL) is 0, dx is 0. */
    void (*input_gradient)(const qmt_conv_shape *shape, const float *dy, const float *packed, const uint8_t *passes,
                           float *dx);
    /* Makes dy, and dw [out][in][k][k] from x and dy, summed over the group. `scratch`: qmt_net_scratch() floats. */
    void (*weight_gradient)(const qmt_conv_shape *shape, const float *x, const qmt_output_gradient *gradient,
                            float *scratch, float *dw);

    /* out = pool(activation(scale * y + shift)). With a pool, channels with a direction take it from `peak`; others
     * pool here, and set `peak` and `place`. maxima[c]: the largest |out|. */
    void (*finish)(const qmt_finish_shape *shape, const qmt_finish_values *values, const float *y, float *out,
                   float *peak, uint8_t *place, float *maxima);
    /* First half of the gradient: `gradient` (of out) becomes dz in place; `winner` is peak, or y without a pool.
     * sums[3 c ...]: the sums of dz, of dz * (winner - center), and of the slope's gradient. weight_gradient is the
     * second half. */
    void (*finish_gradient)(const qmt_finish_shape *shape, const qmt_finish_values *values, const float *winner,
                            const float *center, float *gradient, double *sums);

    /* qmt_fake_quantize(), compiled for this instruction set. */
    size_t (*fake_quantize)(const float *x, float *y, uint8_t *passes, size_t count, float scale);
} qmt_net_kernels;

/* The fastest table that this processor runs. */
const qmt_net_kernels *qmt_net_kernels_best(void);
/* The table called `name` ("baseline", "avx2", "avx512"); NULL where it was not built or can't run here. */
const qmt_net_kernels *qmt_net_kernels_named(const char *name);

/* Channels are cut into the fewest blocks of at most `block`, of sizes that differ by at most 1. How many, and where
 * block `index` starts (index == count: the end). The weights of a block starting at s with n channels are packed at
 * s * rest as [rest][n], where rest runs over the other channels and the kernel's positions. */
int qmt_block_count(int channels, int block);
int qmt_block_start(int channels, int block, int index);

/* Floats of scratch memory that kernels want for a shape, whatever the table. */
size_t qmt_net_scratch(const qmt_conv_shape *shape);

#endif
