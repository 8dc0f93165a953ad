/* Vectors of one instruction set, for the files that are compiled once for each: QMT_NET_VARIANT names it
 * (variants.cmake). Macros, because names and types must differ from one compilation to the next. */
#ifndef QMT_NET_VECTOR_H
#define QMT_NET_VECTOR_H

#include "toolkit/net/net_kernels.h"

#include <string.h>

#ifndef QMT_NET_VARIANT
#define QMT_NET_VARIANT baseline
#endif
#define QMT_JOIN_NOW(a, b) a##_##b
#define QMT_JOIN(a, b) QMT_JOIN_NOW(a, b)
/* NAME_avx2 and the like: what one instruction set's files call in each other. */
#define QMT_VARIANT(name) QMT_JOIN(name, QMT_NET_VARIANT)

/* A register, how many of them hold 16 samples, and how many output channels' sums fit into the register file. */
enum {
#if defined(__AVX512F__)
    register_bytes = 64,
    block = 12,
#elif defined(__AVX2__)
    register_bytes = 32,
    block = 6,
#elif defined(__aarch64__)
    register_bytes = 16,
    block = 6,
#else
    register_bytes = 16,
    block = 3,
#endif
    lanes = 16,
    vectors = lanes * 4 / register_bytes,
    vector_lanes = register_bytes / 4,
    gradient_outputs = 4, /* a tile of the weight gradient: 4 output channels x 3 taps */
    gradient_taps = 3
};

typedef float vec __attribute__((vector_size(register_bytes), may_alias));
typedef int32_t ivec __attribute__((vector_size(register_bytes), may_alias));
typedef uint8_t bvec __attribute__((vector_size(register_bytes / 4)));

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE vec load(const float *from)
{
    return *(const vec *)from;
}

ALWAYS_INLINE void store(float *to, vec value)
{
    *(vec *)to = value;
}

/* Sums in a fixed order. */
ALWAYS_INLINE double sum_lanes(vec value)
{
    double sum = 0;
    for (int i = 0; i < vector_lanes; i++)
        sum += (double)value[i];
    return sum;
}

void QMT_VARIANT(qmt_net_finish)(const qmt_finish_shape *s, const qmt_finish_values *values, const float *y, float *out,
                                 float *peak, uint8_t *place, float *maxima);
void QMT_VARIANT(qmt_net_finish_gradient)(const qmt_finish_shape *s, const qmt_finish_values *values,
                                          const float *winner, const float *center, float *gradient, double *sums);
void QMT_VARIANT(qmt_net_spread_gradient)(const qmt_finish_shape *s, const qmt_norm_gradient *norm, const float *dz,
                                          const uint8_t *place, float *y);

#endif
