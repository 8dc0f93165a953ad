/* Resizing on x86 processors with AVX2: VPMADDWD multiplies two taps by their weights and adds the products. */
#include "runtime/detect/resize_loops.h"

#if defined(__AVX2__)
#include <immintrin.h>
#include <string.h>

enum {
    wide = 32, /* values that the first pass makes at once */
    narrow = 16
};

static int32_t pair_of(const int16_t *weights)
{
    int32_t pair;
    memcpy(&pair, weights, sizeof pair);
    return pair;
}

/* The weights of rows t and t + 1, for every lane; the second is 0 where there is no such row. */
QMT_INLINE __m256i row_weights(const int16_t *weights, int t, int taps)
{
    const int16_t pair[2] = {weights[t], t + 1 < taps ? weights[t + 1] : (int16_t)0};
    return _mm256_set1_epi32(pair_of(pair));
}

QMT_INLINE __m256i add_products(__m256i sum, __m256i bytes_low, __m256i weights)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(bytes_low, weights));
}

/* 32 values. Unpacking and packing both work in halves of a register, so that the order comes out right. */
QMT_INLINE void sum_wide(const uint8_t *source, ptrdiff_t stride, const int16_t *weights, int taps, int16_t *output)
{
    const __m256i zero = _mm256_setzero_si256(), half = _mm256_set1_epi32(1 << (qmt_resize_row_shift - 1));
    __m256i a = half, b = half, c = half, d = half;
    for (int t = 0; t < taps; t += 2, source += 2 * stride) {
        const __m256i pair = row_weights(weights, t, taps);
        const __m256i first = _mm256_loadu_si256((const __m256i *)(const void *)source);
        const __m256i second =
            t + 1 < taps ? _mm256_loadu_si256((const __m256i *)(const void *)(source + stride)) : zero;
        const __m256i low = _mm256_unpacklo_epi8(first, second), high = _mm256_unpackhi_epi8(first, second);
        a = add_products(a, _mm256_unpacklo_epi8(low, zero), pair);
        b = add_products(b, _mm256_unpackhi_epi8(low, zero), pair);
        c = add_products(c, _mm256_unpacklo_epi8(high, zero), pair);
        d = add_products(d, _mm256_unpackhi_epi8(high, zero), pair);
    }
    const __m256i low =
        _mm256_packs_epi32(_mm256_srai_epi32(a, qmt_resize_row_shift), _mm256_srai_epi32(b, qmt_resize_row_shift));
    const __m256i high =
        _mm256_packs_epi32(_mm256_srai_epi32(c, qmt_resize_row_shift), _mm256_srai_epi32(d, qmt_resize_row_shift));
    __m256i *to = (__m256i *)(void *)output;
    _mm256_storeu_si256(to, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(low, high, 0x31));
}

/* 16 values. */
QMT_INLINE void sum_narrow(const uint8_t *source, ptrdiff_t stride, const int16_t *weights, int taps, int16_t *output)
{
    const __m256i half = _mm256_set1_epi32(1 << (qmt_resize_row_shift - 1));
    __m256i a = half, b = half;
    for (int t = 0; t < taps; t += 2, source += 2 * stride) {
        const __m256i pair = row_weights(weights, t, taps);
        const __m128i first = _mm_loadu_si128((const __m128i *)(const void *)source);
        const __m128i second =
            t + 1 < taps ? _mm_loadu_si128((const __m128i *)(const void *)(source + stride)) : _mm_setzero_si128();
        a = add_products(a, _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(first, second)), pair);
        b = add_products(b, _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(first, second)), pair);
    }
    const __m256i both =
        _mm256_packs_epi32(_mm256_srai_epi32(a, qmt_resize_row_shift), _mm256_srai_epi32(b, qmt_resize_row_shift));
    _mm256_storeu_si256((__m256i *)(void *)output, _mm256_permute4x64_epi64(both, 0xd8)); /* quarters 0 2 1 3 */
}

/* The last block begins earlier where it would pass the end: some values are then made twice. */
static void sum_rows(const uint8_t *source, ptrdiff_t stride, const int16_t *weights, int taps, size_t count,
                     int16_t *output)
{
    size_t at = 0;
    if (count < narrow) {
        qmt_resize_sum_few(source, stride, weights, taps, count, output);
        return;
    }
    for (; at + wide <= count; at += wide)
        sum_wide(source + at, stride, weights, taps, output + at);
    if (at == count)
        return;
    if (count >= wide && count - at > narrow) {
        sum_wide(source + count - wide, stride, weights, taps, output + count - wide);
        return;
    }
    if (count - at > narrow)
        sum_narrow(source + at, stride, weights, taps, output + at);
    sum_narrow(source + count - narrow, stride, weights, taps, output + count - narrow);
}

/* Output pixels x (low half) and x + 4 (high half): R G B and a value that is not used, in 32 bits each. */
QMT_INLINE __m256i sum_pixels(const qmt_resize_columns *columns, const int16_t *row, int x, int taps)
{
    /* R R G G B B of two pixels, then anything. */
    const __m256i order = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, 0, 1, 6, 7));
    const int16_t *low = row + 3 * (size_t)columns->first[x], *high = row + 3 * (size_t)columns->first[x + 4];
    const int16_t *low_weights = columns->weights + (size_t)x * (size_t)taps, *high_weights = low_weights + 4 * taps;
    __m256i sum = _mm256_set1_epi32(1 << (qmt_resize_column_shift - 1));
    for (int t = 0; t < taps; t += 2) {
        const __m256i pixels = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(low + 3 * t))),
            _mm_loadu_si128((const __m128i *)(const void *)(high + 3 * t)), 1);
        const __m256i pair = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_set1_epi32(pair_of(low_weights + t))),
                                                     _mm_set1_epi32(pair_of(high_weights + t)), 1);
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, order), pair));
    }
    return _mm256_srai_epi32(sum, qmt_resize_column_shift);
}

/* Eight pixels, 24 bytes. */
QMT_INLINE void sum_group(const qmt_resize_columns *columns, const int16_t *row, int x, int taps, uint8_t *output)
{
    const __m256i gather =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
    const __m256i a = sum_pixels(columns, row, x, taps), b = sum_pixels(columns, row, x + 1, taps);
    const __m256i c = sum_pixels(columns, row, x + 2, taps), d = sum_pixels(columns, row, x + 3, taps);
    const __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    const __m256i packed = _mm256_shuffle_epi8(bytes, gather);
    const __m128i high = _mm256_extracti128_si256(packed, 1);
    const int32_t last = _mm_extract_epi32(high, 2);
    _mm_storeu_si128((__m128i *)(void *)output, _mm256_castsi256_si128(packed));
    _mm_storel_epi64((__m128i *)(void *)(output + 12), high);
    memcpy(output + 20, &last, sizeof last);
}

static void sum_columns(const qmt_resize_columns *columns, const int16_t *row, uint8_t *output, int out_width)
{
    qmt_resize_sum_columns(columns, row, output, out_width, sum_group);
}

const qmt_resize_kernels *qmt_resize_kernels_avx2(void)
{
    static const qmt_resize_kernels kernels = {"avx2", sum_rows, sum_columns};
    return &kernels;
}
#else
const qmt_resize_kernels *qmt_resize_kernels_avx2(void)
{
    return NULL;
}
#endif
