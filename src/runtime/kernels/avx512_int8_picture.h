/* The picture's layer with AVX-512 VNNI: what its two kinds of pool share. Inlined into the avx512 files.
 *
 * Pixels are the lanes, so that none is wasted on channels that aren't there and 27 inputs take seven instructions; the
 * pool takes the largest sum before any is requantized. A pool's window begins in every other column, so that a vector
 * holds 16 even columns, or 16 odd ones. The inputs of a vector of windows stay in registers for all channels. */
#ifndef QMT_AVX512_INT8_PICTURE_H
#define QMT_AVX512_INT8_PICTURE_H

#include "runtime/kernels/avx512_int8.h"

#if defined(QMT_KERNELS_AVX512VNNI)
#include <immintrin.h>
#include <string.h>

enum {
    qmt_picture_lanes = 16,
    qmt_picture_vector = 64,                       /* bytes */
    qmt_picture_block = qmt_channel_step,          /* channels whose bytes are stored together */
    qmt_picture_values = 8 * qmt_picture_vector,   /* bytes of a block: two channels of 16 pixels a vector */
    qmt_picture_choose = 0xca,                     /* VPTERNLOGD: first ? second : third, bit by bit */
    qmt_picture_most_rows = qmt_picture_kernel + 1 /* of the picture, under two of convolution output */
};

/* The inputs of 16 windows, q + 128: the parts of even columns, then of odd ones, of each row of the picture; and the
 * last reds of each row of convolution output, of even and odd columns. */
typedef struct qmt_picture_inputs {
    __m512i part[qmt_picture_most_rows][4], reds[2][2];
} qmt_picture_inputs;

QMT_INLINE __m512i qmt_picture_load(const void *at)
{
    return _mm512_loadu_si512(at);
}

/* The parts of 16 pixels, from them and those one and two columns further. A fourth byte may hold anything. */
QMT_INLINE void qmt_picture_parts_of(__m512i here, __m512i right, __m512i next, __m512i *part)
{
    const __m512i colors = _mm512_set1_epi32(0x00ffffff), low = _mm512_set1_epi32(0x0000ffff);
    part[0] = _mm512_ternarylogic_epi32(colors, here, _mm512_slli_epi32(right, 24), qmt_picture_choose);
    part[1] =
        _mm512_ternarylogic_epi32(low, _mm512_srli_epi32(right, 8), _mm512_slli_epi32(next, 8), qmt_picture_choose);
}

/* The reds of three rows' pixels; the fourth byte is none of them. */
QMT_INLINE __m512i qmt_picture_reds_of(__m512i first, __m512i second, __m512i third)
{
    const __m512i one = _mm512_set1_epi32(0x000000ff), two = _mm512_set1_epi32(0x0000ffff);
    const __m512i both = _mm512_ternarylogic_epi32(one, first, _mm512_slli_epi32(second, 8), qmt_picture_choose);
    return _mm512_ternarylogic_epi32(two, both, _mm512_slli_epi32(third, 16), qmt_picture_choose);
}

/* A channel's sums of even and odd columns, of one row of convolution output or two: sum[row][odd]. */
QMT_INLINE void qmt_picture_sums(const qmt_picture_inputs *inputs, const qmt_avx512_picture_channel *channel,
                                 int32_t first, const int rows, __m512i sum[2][2])
{
    const __m512i bias = _mm512_set1_epi32(first);
    sum[0][0] = sum[0][1] = sum[1][0] = sum[1][1] = bias;
    QMT_UNROLL
    for (int part = 0; part < qmt_picture_parts; part++) {
        const __m512i weights = _mm512_set1_epi32(channel->parts[part]);
        QMT_UNROLL
        for (int i = 0; i < 2 * rows; i++) {
            const int row = i / 2, odd = i % 2;
            const __m512i four = part < 2 * qmt_picture_kernel ? inputs->part[row + part / 2][2 * odd + part % 2]
                                                               : inputs->reds[row][odd];
            sum[row][odd] = _mm512_dpbusd_epi32(sum[row][odd], four, weights);
        }
    }
}

/* The first `count` lanes of vector j on. */
QMT_INLINE __mmask16 qmt_picture_mask(int count, int j)
{
    const int left = count - j * qmt_picture_lanes;
    return (__mmask16)(left >= qmt_picture_lanes ? 0xffff : left <= 0 ? 0 : (1 << left) - 1);
}

/* ---- From sums to bytes -------------------------------------------------------------------------- */

/* A channel of 16 pixels. relu: what is negative becomes 0 later, as bytes. */
QMT_INLINE __m512i qmt_picture_requantize(const qmt_packed_layer *packed, int channel, __m512i sum, const bool relu)
{
    const __m512 factor = _mm512_set1_ps(packed->factor[channel]);
    __m512 value = _mm512_cvtepi32_ps(sum);
    if (relu) {
        value = _mm512_mul_ps(value, factor);
    } else {
        const __m512 negative = _mm512_set1_ps(packed->negative_factor[channel]);
        const __mmask16 positive = _mm512_cmpgt_epi32_mask(sum, _mm512_setzero_si512());
        value = _mm512_mul_ps(value, _mm512_mask_blend_ps(positive, negative, factor));
        /* The order of operands sends a NaN to 127, as in C. */
        value = _mm512_max_ps(_mm512_min_ps(value, _mm512_set1_ps(127.0f)), _mm512_set1_ps(-127.0f));
    }
    return _mm512_cvtps_epi32(value); /* half to even */
}

/* Two channels of 16 pixels, saturated to 16 bits: of each quarter, the first's four, then the second's. */
QMT_INLINE void qmt_picture_keep(__m512i first, __m512i second, int8_t *values)
{
    _mm512_store_si512((void *)values, _mm512_packs_epi32(first, second));
}

/* Four channels: four bytes of each pixel, where it was in the sums. */
QMT_INLINE __m512i qmt_picture_turn(const int8_t *values, __m512i least)
{
    const __m512i turn = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    const __m512i bytes = _mm512_packs_epi16(qmt_picture_load(values), qmt_picture_load(values + qmt_picture_vector));
    return _mm512_shuffle_epi8(_mm512_max_epi8(bytes, least), turn);
}

/* 16 channels of 16 pixels to four vectors: quarter i of vector j has the pixel that was in lane 4 * i + j. */
QMT_INLINE void qmt_picture_transpose(const int8_t *values, const bool relu, __m512i *pixels)
{
    enum { four = 2 * qmt_picture_vector };
    const __m512i least = _mm512_set1_epi8(relu ? 0 : -128);
    const __m512i a = qmt_picture_turn(values, least), b = qmt_picture_turn(values + four, least);
    const __m512i c = qmt_picture_turn(values + 2 * four, least), d = qmt_picture_turn(values + 3 * four, least);
    const __m512i ab_low = _mm512_unpacklo_epi32(a, b), ab_high = _mm512_unpackhi_epi32(a, b);
    const __m512i cd_low = _mm512_unpacklo_epi32(c, d), cd_high = _mm512_unpackhi_epi32(c, d);
    pixels[0] = _mm512_unpacklo_epi64(ab_low, cd_low);
    pixels[1] = _mm512_unpackhi_epi64(ab_low, cd_low);
    pixels[2] = _mm512_unpacklo_epi64(ab_high, cd_high);
    pixels[3] = _mm512_unpackhi_epi64(ab_high, cd_high);
}
#endif
#endif
