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

/* Minus 0, which changes no value, so that compilers leave it out; plus 0 would change -0. */
ALWAYS_INLINE vec splat(float value)
{
    return value - (vec){0};
}

/* mask is all ones or all zeros in each lane. */
ALWAYS_INLINE vec keep(ivec mask, vec value)
{
    return (vec)(mask & (ivec)value);
}

ALWAYS_INLINE vec choose(ivec mask, vec yes, vec no)
{
    return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

ALWAYS_INLINE ivec load_bytes(const uint8_t *from)
{
    bvec bytes;
    memcpy(&bytes, from, sizeof bytes);
    return __builtin_convertvector(bytes, ivec);
}

ALWAYS_INLINE void store_bytes(uint8_t *to, ivec value)
{
    bvec bytes = __builtin_convertvector(value, bvec);
    memcpy(to, &bytes, sizeof bytes);
}

/* Asks for what the next row will need: the many rows of a map are too many streams for the processor to foresee. */
ALWAYS_INLINE void fetch(const float *from, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i += lanes)
        __builtin_prefetch(from + i, 0, 2);
}

ALWAYS_INLINE void fetch_to_write(const float *to, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i += lanes)
        __builtin_prefetch(to + i, 1, 2);
}

/* Part `part` of `parts` of row `row` of all channels. */
ALWAYS_INLINE void fetch_row(const float *map, int channels, int side, int row, int part, int parts)
{
    if (row >= side)
        return;
    ptrdiff_t size = (ptrdiff_t)side * lanes;
    for (int c = channels * part / parts; c < channels * (part + 1) / parts; c++)
        fetch(map + ((ptrdiff_t)c * side + row) * size, size);
}

/* Sums in a fixed order. */
ALWAYS_INLINE double sum_lanes(vec value)
{
    double sum = 0;
    for (int i = 0; i < vector_lanes; i++)
        sum += (double)value[i];
    return sum;
}

/* What turns squares: half registers where whole ones would need more steps. */
#if defined(__AVX2__)
enum { turn_lanes = 8 };
#else
enum { turn_lanes = 4 };
#endif
typedef float turn_vec __attribute__((vector_size(turn_lanes * 4), may_alias));

/* to[i][j] = rows[j][i] of a square of turn_lanes; `stride` is to's. */
ALWAYS_INLINE void turn_square(const float *const *rows, ptrdiff_t at, float *to, ptrdiff_t stride)
{
    turn_vec a[turn_lanes], b[turn_lanes];
    for (int i = 0; i < turn_lanes; i++)
        a[i] = *(const turn_vec *)(rows[i] + at);
#if defined(__AVX2__)
    for (int i = 0; i < 8; i += 2) {
        b[i] = __builtin_shufflevector(a[i], a[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        b[i + 1] = __builtin_shufflevector(a[i], a[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; k++) {
            a[i + 2 * k] = __builtin_shufflevector(b[i + k], b[i + 2 + k], 0, 1, 8, 9, 4, 5, 12, 13);
            a[i + 2 * k + 1] = __builtin_shufflevector(b[i + k], b[i + 2 + k], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int i = 0; i < 4; i++) {
        b[i] = __builtin_shufflevector(a[i], a[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        b[i + 4] = __builtin_shufflevector(a[i], a[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
#else
    for (int i = 0; i < 4; i += 2) {
        b[i] = __builtin_shufflevector(a[i], a[i + 1], 0, 4, 1, 5);
        b[i + 1] = __builtin_shufflevector(a[i], a[i + 1], 2, 6, 3, 7);
    }
    for (int k = 0; k < 2; k++) {
        a[2 * k] = __builtin_shufflevector(b[k], b[2 + k], 0, 1, 4, 5);
        a[2 * k + 1] = __builtin_shufflevector(b[k], b[2 + k], 2, 3, 6, 7);
    }
    for (int i = 0; i < 4; i++)
        b[i] = a[i];
#endif
    for (int i = 0; i < turn_lanes; i++)
        *(turn_vec *)(to + i * stride) = b[i];
}

/* to[i * 16 + j] = rows[j][i], 16 x 16. */
ALWAYS_INLINE void turn(const float *const rows[lanes], float *to)
{
    for (int i = 0; i < lanes; i += turn_lanes)
        for (int j = 0; j < lanes; j += turn_lanes)
            turn_square(rows + j, i, to + i * lanes + j, lanes);
}

/* What the files call in each other: see qmt_net_kernels. */
void QMT_VARIANT(qmt_net_weight_gradient)(const qmt_conv_shape *s, const float *x, const qmt_output_gradient *gradient,
                                          float *scratch, float *dw);
/* One row of dy of one channel. It goes to `to`, or (`to` NULL) into y's place, or stays where it is if dz is dy; the
 * result says where it is. */
const float *QMT_VARIANT(qmt_net_dy_row)(const qmt_output_gradient *gradient, int channel, int row, float *to);
/* Row `row` of the pooled map of one channel: peak and place from the plane y. */
void QMT_VARIANT(qmt_net_pool_row)(const qmt_finish_shape *s, int direction, const float *y, int row, float *peak,
                                   uint8_t *place);
void QMT_VARIANT(qmt_net_finish)(const qmt_finish_shape *s, const qmt_finish_values *values, const float *y, float *out,
                                 float *peak, uint8_t *place, float *maxima);
void QMT_VARIANT(qmt_net_finish_gradient)(const qmt_finish_shape *s, const qmt_finish_values *values,
                                          const float *winner, const float *center, float *gradient, double *sums);

#endif
