/* From sums to outputs, with AVX2. Inlined into the avx2 files. */
#ifndef QMT_AVX2_INT8_FINISH_H
#define QMT_AVX2_INT8_FINISH_H

#include "runtime/kernels/avx2_int8.h"

#if defined(__AVX2__)
#include <immintrin.h>
#include <string.h>

/* The same value, computed at this place: integer sums may be regrouped, and compilers do it, at the price of registers
 * and order (measured: 5 to 8 % of a convolution). */
QMT_INLINE __m256i qmt_avx2_in_order(__m256i value)
{
#if defined(__GNUC__)
    __asm__("" : "+x"(value));
#endif
    return value;
}

/* A sum times the factor of its sign. */
QMT_INLINE __m256 qmt_avx2_scale(__m256i sum, __m256 factor, __m256 negative_factor)
{
    __m256 positive = _mm256_castsi256_ps(_mm256_cmpgt_epi32(sum, _mm256_setzero_si256()));
    return _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_blendv_ps(negative_factor, factor, positive));
}

/* Rounds half to even. Saturates at +-127: the order of operands sends a NaN to 127, as in C. */
QMT_INLINE __m256i qmt_avx2_round(__m256 value)
{
    return _mm256_cvtps_epi32(_mm256_max_ps(_mm256_min_ps(value, _mm256_set1_ps(127.0f)), _mm256_set1_ps(-127.0f)));
}

/* Four pixels x eight channels: a pixel's eight bytes in each quarter. */
QMT_INLINE __m256i qmt_avx2_to_bytes(__m256i a, __m256i b, __m256i c, __m256i d)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    return _mm256_permutevar8x32_epi32(bytes, order);
}

QMT_INLINE void qmt_avx2_store_bytes(__m256i bytes, char *output, size_t pixel)
{
    const __m128i low = _mm256_castsi256_si128(bytes), high = _mm256_extracti128_si256(bytes, 1);
    _mm_storel_epi64((__m128i *)(void *)output, low);
    _mm_storeh_pd((double *)(void *)(output + pixel), _mm_castsi128_pd(low));
    _mm_storel_epi64((__m128i *)(void *)(output + 2 * pixel), high);
    _mm_storeh_pd((double *)(void *)(output + 3 * pixel), _mm_castsi128_pd(high));
}

QMT_INLINE __m256i qmt_avx2_relu(__m256i sum, __m256 factor)
{
    return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), factor));
}

QMT_INLINE __m256i qmt_avx2_byte(__m256i sum, __m256 factor, __m256 negative_factor)
{
    return qmt_avx2_round(qmt_avx2_scale(sum, factor, negative_factor));
}

/* Eight channels of four pixels, as bytes. */
QMT_INLINE void qmt_avx2_finish_four(const __m256i *sum, __m256 factor, __m256 negative, bool relu, char *output,
                                     size_t pixel)
{
    __m256i bytes;
    if (relu) {
        bytes = qmt_avx2_to_bytes(qmt_avx2_relu(sum[0], factor), qmt_avx2_relu(sum[1], factor),
                                  qmt_avx2_relu(sum[2], factor), qmt_avx2_relu(sum[3], factor));
        bytes = _mm256_max_epi8(bytes, _mm256_setzero_si256());
    } else {
        bytes = qmt_avx2_to_bytes(qmt_avx2_byte(sum[0], factor, negative), qmt_avx2_byte(sum[1], factor, negative),
                                  qmt_avx2_byte(sum[2], factor, negative), qmt_avx2_byte(sum[3], factor, negative));
    }
    qmt_avx2_store_bytes(bytes, output, pixel);
}

QMT_INLINE void qmt_avx2_finish_real(const __m256i *sum, __m256 factor, __m256 negative, char *output, size_t pixel,
                                     const int pixels)
{
    _mm256_storeu_ps((float *)(void *)output, qmt_avx2_scale(sum[0], factor, negative));
    if (pixels >= 4) {
        _mm256_storeu_ps((float *)(void *)(output + pixel), qmt_avx2_scale(sum[1], factor, negative));
        _mm256_storeu_ps((float *)(void *)(output + 2 * pixel), qmt_avx2_scale(sum[2], factor, negative));
        _mm256_storeu_ps((float *)(void *)(output + 3 * pixel), qmt_avx2_scale(sum[3], factor, negative));
    }
}

/* Eight channels, from `channel` on, of 1, 4 or 8 pixels. `output`: the first pixel. */
QMT_INLINE void qmt_avx2_finish_pixels(const qmt_packed_layer *packed, int channel, const __m256i *sum,
                                       const int pixels, char *output, size_t pixel)
{
    const __m256 factor = _mm256_loadu_ps(packed->factor + channel);
    const __m256 negative = _mm256_loadu_ps(packed->negative_factor + channel);
    if (packed->finish == QMT_FINISH_REAL) {
        output += (size_t)channel * sizeof(float);
        qmt_avx2_finish_real(sum, factor, negative, output, pixel, pixels);
        if (pixels == 8)
            qmt_avx2_finish_real(sum + 4, factor, negative, output + 4 * pixel, pixel, pixels);
        return;
    }
    output += channel;
    if (pixels < 4) {
        const __m256i byte = qmt_avx2_byte(sum[0], factor, negative);
        const __m256i bytes = qmt_avx2_to_bytes(byte, byte, byte, byte);
        _mm_storel_epi64((__m128i *)(void *)output, _mm256_castsi256_si128(bytes));
    } else {
        const bool relu = packed->finish == QMT_FINISH_RELU;
        qmt_avx2_finish_four(sum, factor, negative, relu, output, pixel);
        if (pixels == 8)
            qmt_avx2_finish_four(sum + 4, factor, negative, relu, output + 4 * pixel, pixel);
    }
}
#endif
#endif
