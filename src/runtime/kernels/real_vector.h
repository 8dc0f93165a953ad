/* A register of floats of one instruction set, for the FP32 kernels, which are one source compiled for each
 * (real_tiles.h). A product and its sum round once. Where the compiler is told of no such set, QMT_REAL_LANES is
 * undefined, and nothing else is here. Private to runtime/kernels. */
#ifndef QMT_KERNELS_REAL_VECTOR_H
#define QMT_KERNELS_REAL_VECTOR_H

#include "runtime/kernels/packed.h"

/* How many floats a register holds, and how many sums the register file holds beside the weights and the input that
 * they are made of: those of 8, 16 or 32 neighboring channels of qmt_tile8, qmt_tile16 or qmt_tile32 pixels, and those
 * of qmt_plane_channels channels of qmt_plane_vectors registers of pixels. */
#if defined(__AVX512F__) || defined(QMT_EMULATED_AVX512) /* emulated: by tests */
#include <immintrin.h>
#define QMT_REAL_LANES 16
typedef __m512 qmt_vec;
enum {
    qmt_vec_lanes = 16,
    qmt_tile8 = 12,
    qmt_tile16 = 12,
    qmt_tile32 = 12,
    qmt_plane_vectors = 2,
    qmt_plane_channels = 12
};

QMT_INLINE qmt_vec qmt_vec_load(const float *from)
{
    return _mm512_loadu_ps(from);
}

QMT_INLINE void qmt_vec_store(float *to, qmt_vec value)
{
    _mm512_storeu_ps(to, value);
}

QMT_INLINE qmt_vec qmt_vec_spread(const float *from)
{
    return _mm512_set1_ps(*from);
}

QMT_INLINE qmt_vec qmt_vec_multiply_add(qmt_vec a, qmt_vec b, qmt_vec sum)
{
    return _mm512_fmadd_ps(a, b, sum);
}

/* The larger; `b` where one is no number. */
QMT_INLINE qmt_vec qmt_vec_larger(qmt_vec a, qmt_vec b)
{
    return _mm512_max_ps(a, b);
}

QMT_INLINE qmt_vec qmt_vec_smaller(qmt_vec a, qmt_vec b)
{
    return _mm512_min_ps(a, b);
}
/* The larger of each two neighbors of 32 floats. */
QMT_INLINE qmt_vec qmt_vec_pairs(qmt_vec low, qmt_vec high)
{
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    return _mm512_max_ps(_mm512_permutex2var_ps(low, even, high), _mm512_permutex2var_ps(low, odd, high));
}

/* 16 pixels of 4 channels to 4 registers of 16 pixels. */
QMT_INLINE void qmt_vec_split(const float *from, qmt_vec *plane)
{
    const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    const qmt_vec v0 = qmt_vec_load(from), v1 = qmt_vec_load(from + 16);
    const qmt_vec v2 = qmt_vec_load(from + 32), v3 = qmt_vec_load(from + 48);
    const qmt_vec a = _mm512_unpacklo_ps(v0, v1), b = _mm512_unpackhi_ps(v0, v1);
    const qmt_vec c = _mm512_unpacklo_ps(v2, v3), d = _mm512_unpackhi_ps(v2, v3);
    plane[0] = _mm512_permutexvar_ps(order, _mm512_shuffle_ps(a, c, 0x44));
    plane[1] = _mm512_permutexvar_ps(order, _mm512_shuffle_ps(a, c, 0xee));
    plane[2] = _mm512_permutexvar_ps(order, _mm512_shuffle_ps(b, d, 0x44));
    plane[3] = _mm512_permutexvar_ps(order, _mm512_shuffle_ps(b, d, 0xee));
}

/* Turns 16 registers of 16 around: value j of register i becomes value i of register j. */
QMT_INLINE void qmt_vec_transpose(qmt_vec *v)
{
    qmt_vec t[16];
    for (int i = 0; i < 16; i += 4) { /* 4 x 4 in each quarter of four registers */
        const qmt_vec a = _mm512_unpacklo_ps(v[i], v[i + 1]), b = _mm512_unpackhi_ps(v[i], v[i + 1]);
        const qmt_vec c = _mm512_unpacklo_ps(v[i + 2], v[i + 3]), d = _mm512_unpackhi_ps(v[i + 2], v[i + 3]);
        t[i] = _mm512_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
    }
    for (int i = 0; i < 4; i++) { /* the quarters themselves */
        const qmt_vec a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88), b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
        const qmt_vec c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
        const qmt_vec d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
        v[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        v[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        v[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        v[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
}
#elif defined(__AVX2__)
#include <immintrin.h>
#define QMT_REAL_LANES 8
typedef __m256 qmt_vec;
enum {
    qmt_vec_lanes = 8,
    qmt_tile8 = 8,
    qmt_tile16 = 6,
    qmt_tile32 = 3,
    qmt_plane_vectors = 2,
    qmt_plane_channels = 6
};

QMT_INLINE qmt_vec qmt_vec_load(const float *from)
{
    return _mm256_loadu_ps(from);
}

QMT_INLINE void qmt_vec_store(float *to, qmt_vec value)
{
    _mm256_storeu_ps(to, value);
}

QMT_INLINE qmt_vec qmt_vec_spread(const float *from)
{
    return _mm256_broadcast_ss(from);
}

QMT_INLINE qmt_vec qmt_vec_multiply_add(qmt_vec a, qmt_vec b, qmt_vec sum)
{
    return _mm256_fmadd_ps(a, b, sum);
}

QMT_INLINE qmt_vec qmt_vec_larger(qmt_vec a, qmt_vec b)
{
    return _mm256_max_ps(a, b);
}

QMT_INLINE qmt_vec qmt_vec_smaller(qmt_vec a, qmt_vec b)
{
    return _mm256_min_ps(a, b);
}

/* The larger of each two neighbors of 16 floats. */
QMT_INLINE qmt_vec qmt_vec_pairs(qmt_vec low, qmt_vec high)
{
    const qmt_vec largest = _mm256_max_ps(_mm256_shuffle_ps(low, high, 0x88), _mm256_shuffle_ps(low, high, 0xdd));
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(largest), 0xd8)); /* quarters 0 2 1 3: in order */
}

/* 8 pixels of 4 channels to 4 registers of 8 pixels. */
QMT_INLINE void qmt_vec_split(const float *from, qmt_vec *plane)
{
    qmt_vec v[4]; /* pixels i and i + 4 */
    for (int i = 0; i < 4; i++)
        v[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from + 4 * i)), _mm_loadu_ps(from + 16 + 4 * i),
                                    1);
    const qmt_vec a = _mm256_unpacklo_ps(v[0], v[1]), b = _mm256_unpackhi_ps(v[0], v[1]);
    const qmt_vec c = _mm256_unpacklo_ps(v[2], v[3]), d = _mm256_unpackhi_ps(v[2], v[3]);
    plane[0] = _mm256_shuffle_ps(a, c, 0x44);
    plane[1] = _mm256_shuffle_ps(a, c, 0xee);
    plane[2] = _mm256_shuffle_ps(b, d, 0x44);
    plane[3] = _mm256_shuffle_ps(b, d, 0xee);
}

/* Turns 8 registers of 8 around: value j of register i becomes value i of register j. */
QMT_INLINE void qmt_vec_transpose(qmt_vec *v)
{
    qmt_vec t[8];
    for (int i = 0; i < 8; i += 4) { /* 4 x 4 in each half of four registers */
        const qmt_vec a = _mm256_unpacklo_ps(v[i], v[i + 1]), b = _mm256_unpackhi_ps(v[i], v[i + 1]);
        const qmt_vec c = _mm256_unpacklo_ps(v[i + 2], v[i + 3]), d = _mm256_unpackhi_ps(v[i + 2], v[i + 3]);
        t[i] = _mm256_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
    }
    for (int i = 0; i < 4; i++) { /* the halves themselves */
        v[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
        v[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
    }
}
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#define QMT_REAL_LANES 4
typedef float32x4_t qmt_vec;
enum {
    qmt_vec_lanes = 4,
    qmt_tile8 = 8,
    qmt_tile16 = 6,
    qmt_tile32 = 3,
    qmt_plane_vectors = 4,
    qmt_plane_channels = 6
};

QMT_INLINE qmt_vec qmt_vec_load(const float *from)
{
    return vld1q_f32(from);
}

QMT_INLINE void qmt_vec_store(float *to, qmt_vec value)
{
    vst1q_f32(to, value);
}

QMT_INLINE qmt_vec qmt_vec_spread(const float *from)
{
    return vld1q_dup_f32(from);
}

QMT_INLINE qmt_vec qmt_vec_multiply_add(qmt_vec a, qmt_vec b, qmt_vec sum)
{
    return vfmaq_f32(sum, a, b);
}

QMT_INLINE qmt_vec qmt_vec_larger(qmt_vec a, qmt_vec b)
{
    return vmaxq_f32(a, b);
}

QMT_INLINE qmt_vec qmt_vec_smaller(qmt_vec a, qmt_vec b)
{
    return vminq_f32(a, b);
}

/* The larger of each two neighbors of 8 floats. */
QMT_INLINE qmt_vec qmt_vec_pairs(qmt_vec low, qmt_vec high)
{
    return vpmaxq_f32(low, high);
}

/* 4 pixels of 4 channels to 4 registers of 4 pixels. */
QMT_INLINE void qmt_vec_split(const float *from, qmt_vec *plane)
{
    const float32x4x4_t planes = vld4q_f32(from);
    for (int i = 0; i < 4; i++)
        plane[i] = planes.val[i];
}

/* Turns 4 registers of 4 around: value j of register i becomes value i of register j. */
QMT_INLINE void qmt_vec_transpose(qmt_vec *v)
{
    const float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(v[0], v[1])),
                      b = vreinterpretq_f64_f32(vtrn2q_f32(v[0], v[1])),
                      c = vreinterpretq_f64_f32(vtrn1q_f32(v[2], v[3])),
                      d = vreinterpretq_f64_f32(vtrn2q_f32(v[2], v[3]));
    v[0] = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
    v[1] = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
    v[2] = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
    v[3] = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
}
#endif

#endif
