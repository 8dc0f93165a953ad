/* Pixels to the first layer's input, with AVX2. */
#if defined(__AVX2__)
#include "runtime/kernels/avx2_int8.h"

#include <immintrin.h>
#include <string.h>

/* Eight pixels' bytes, 24 in a row, to 32 with a zero behind each three. Reads 28 bytes. */
QMT_INLINE __m256i spread_eight(const uint8_t *pixels)
{
    const __m256i order = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, 0, 1, 2, -1, 3, 4, 5,
                                           -1, 6, 7, 8, -1, 9, 10, 11, -1);
    const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)pixels);
    const __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(pixels + 12));
    return _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1), order);
}

/* With the usual scale. */
static void normalize_row(const qmt_pixel_table *table, const uint8_t *pixels, int width, int8_t *output)
{
    const __m256i sign = _mm256_set1_epi32(0x00808080), zero = _mm256_setzero_si256();
    int x = 0;
    for (; x + 10 <= width; x += 8) {                                               /* ten pixels: what a turn reads */
        const __m256i value = _mm256_xor_si256(spread_eight(pixels + 3 * x), sign); /* p - 128; the fourth stays 0 */
        const __m256i below = _mm256_cmpgt_epi8(zero, value);                       /* -1 where negative */
        _mm256_storeu_si256((__m256i *)(void *)(output + 4 * x), _mm256_sub_epi8(value, below));
    }
    for (; x < width; x++) {
        for (int c = 0; c < 3; c++)
            output[4 * x + c] = table->quantized[pixels[3 * x + c]];
        output[4 * x + 3] = 0;
    }
}

void qmt_avx2_normalize(const qmt_pixel_table *table, const uint8_t *pixels, ptrdiff_t stride, int width, int rows,
                        void *output)
{
    if (!table->usual) {
        qmt_normalize(table, pixels, stride, width, rows, output);
        return;
    }
    for (int y = 0; y < rows; y++)
        normalize_row(table, pixels + y * stride, width, (int8_t *)output + (size_t)y * (size_t)width * 4);
}
#endif
