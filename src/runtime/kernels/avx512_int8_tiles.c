/* Convolution in tiles of some neighboring pixels x one or two blocks of 16 channels, whose sums stay in registers
 * until they are bytes. Tiles are small: then the processor can begin with the next one while a tile's sums
 * become bytes (measured: 2 % faster than 13 pixels x 2 blocks in P-Net). */
#ifdef QMT_KERNELS_AVX512VNNI
#include "runtime/kernels/avx512_int8.h"
#include "runtime/kernels/int8_walk.h"

#include <immintrin.h>
#include <string.h>

enum {
    lanes = qmt_channel_step,
    block_bytes = 4 * lanes,
    most_sums = 16,
    most_one = 12,
    most_two = 8,
    five = 5,
    narrow_words = 8
};

/* A tile on its way. */
struct tile {
    const qmt_packed_layer *packed;
    const qmt_avx512_row *row;
    const int8_t *weight; /* of its first block */
    size_t block_weights; /* bytes */
    int channel, x;
};

/* The next four inputs of pixel p. base[i] points at those of pixel 5 * i: so few registers hold all addresses. */
QMT_INLINE int32_t four_inputs(const uint8_t *const *base, size_t step, const int p)
{
    int32_t four;
    memcpy(&four, base[p / five] + (size_t)(p % five) * step, sizeof four);
    return four;
}

/* Sums of `pixels` x `blocks`, constants after inlining: sum[pixel * blocks + block]. */
QMT_INLINE void sum_tile(const struct tile *tile, __m512i *sum, const int pixels, const int blocks)
{
    const qmt_avx512_row *row = tile->row;
    const size_t step = row->step, start = (size_t)tile->x * step, next = tile->block_weights;
    const int8_t *weight = tile->weight;
    QMT_UNROLL
    for (int i = 0; i < pixels * blocks; i++)
        sum[i] = _mm512_loadu_si512((const void *)(tile->packed->bias_int32 + tile->channel + i % blocks * lanes));
    for (int ky = 0; ky < tile->packed->kernel_height; ky++) {
        const uint8_t *from = row->rows[ky] + start;
        for (int i = 0; i < row->words; i++, weight += block_bytes) {
            const uint8_t *base[most_sums / five + 1];
            base[0] = from + row->offsets[i];
            QMT_UNROLL
            for (int b = 1; b * five < pixels; b++)
                base[b] = base[b - 1] + five * step;
            const __m512i low = _mm512_load_si512((const void *)weight);
            const __m512i high = blocks > 1 ? _mm512_load_si512((const void *)(weight + next)) : low;
            QMT_UNROLL
            for (int p = 0; p < pixels; p++) {
                const __m512i inputs = _mm512_set1_epi32(four_inputs(base, step, p));
                sum[p * blocks] = _mm512_dpbusd_epi32(sum[p * blocks], inputs, low);
                if (blocks > 1)
                    sum[p * blocks + 1] = _mm512_dpbusd_epi32(sum[p * blocks + 1], inputs, high);
            }
        }
    }
}

/* ---- From sums to outputs ------------------------------------------------------------------------ */

/* Without clamping: packing saturates, and has proven that the product fits 32 bits. */
QMT_INLINE __m512i relu(__m512i sum, __m512 factor)
{
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), factor));
}

/* Four registers of sums to 64 bytes, in their order. */
QMT_INLINE __m512i relu_bytes(const __m512i *sum, const __m512 *factor, const int blocks)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i a = _mm512_packs_epi32(relu(sum[0], factor[0]), relu(sum[1], factor[1 % blocks]));
    const __m512i b = _mm512_packs_epi32(relu(sum[2], factor[0]), relu(sum[3], factor[1 % blocks]));
    const __m512i bytes = _mm512_max_epi8(_mm512_packs_epi16(a, b), _mm512_setzero_si512());
    return _mm512_permutexvar_epi32(order, bytes);
}

/* Stores the first `count` (1 .. 4) registers' bytes: pixels of `blocks` x 16 bytes. */
QMT_INLINE void store_bytes(__m512i bytes, char *output, size_t pixel, const int count, const int blocks)
{
    const __m256i low = _mm512_castsi512_si256(bytes), high = _mm512_extracti64x4_epi64(bytes, 1);
    if (blocks == 2) {
        _mm256_storeu_si256((__m256i *)(void *)output, low);
        if (count > 2)
            _mm256_storeu_si256((__m256i *)(void *)(output + pixel), high);
        return;
    }
    _mm_storeu_si128((__m128i *)(void *)output, _mm256_castsi256_si128(low));
    if (count > 1)
        _mm_storeu_si128((__m128i *)(void *)(output + pixel), _mm256_extracti128_si256(low, 1));
    if (count > 2)
        _mm_storeu_si128((__m128i *)(void *)(output + 2 * pixel), _mm256_castsi256_si128(high));
    if (count > 3)
        _mm_storeu_si128((__m128i *)(void *)(output + 3 * pixel), _mm256_extracti128_si256(high, 1));
}

QMT_INLINE void finish_relu(const struct tile *tile, __m512i *sum, const int pixels, const int blocks)
{
    const float *factors = tile->packed->factor + tile->channel;
    const __m512 factor[2] = {_mm512_loadu_ps(factors), _mm512_loadu_ps(factors + (blocks - 1) * lanes)};
    const size_t pixel = tile->row->output_pixel;
    const bool whole = pixel == (size_t)(blocks * lanes); /* pixels are neighbors */
    char *output = (char *)tile->row->output + (size_t)tile->x * pixel + tile->channel;
    QMT_UNROLL
    for (int i = 0; i < pixels * blocks; i += 4, output += (size_t)(4 / blocks) * pixel) {
        const int count = pixels * blocks - i < 4 ? pixels * blocks - i : 4;
        const __m512i four[4] = {sum[i], count > 1 ? sum[i + 1] : sum[i], count > 2 ? sum[i + 2] : sum[i],
                                 count > 3 ? sum[i + 3] : sum[i]};
        const __m512i bytes = relu_bytes(four, factor, blocks);
        if (count == 4 && whole)
            _mm512_storeu_si512((void *)output, bytes);
        else
            store_bytes(bytes, output, pixel, count, blocks);
    }
}

/* A block of a pixel, with any activation. `output`: the pixel's first channel. */
QMT_INLINE void finish_block(const qmt_packed_layer *packed, int channel, const int32_t *sums, char *output)
{
    const __m512i sum = _mm512_loadu_si512((const void *)sums);
    const __mmask16 positive = _mm512_cmpgt_epi32_mask(sum, _mm512_setzero_si512());
    const __m512 factor = _mm512_mask_blend_ps(positive, _mm512_loadu_ps(packed->negative_factor + channel),
                                               _mm512_loadu_ps(packed->factor + channel));
    __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), factor);
    if (packed->output_scale > 0) {
        /* The order of operands sends a NaN to 127, as in C. */
        value = _mm512_max_ps(_mm512_min_ps(value, _mm512_set1_ps(127.0f)), _mm512_set1_ps(-127.0f));
        const __m128i bytes = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(value)); /* half to even */
        _mm_storeu_si128((__m128i *)(void *)(output + channel), bytes);
    } else {
        _mm512_storeu_ps((float *)(void *)output + channel, value);
    }
}

static void finish_any(const struct tile *tile, const int32_t *sums, int pixels, int blocks)
{
    char *output = (char *)tile->row->output + (size_t)tile->x * tile->row->output_pixel;
    qmt_finish_tile(tile->packed, tile->channel, sums, pixels, blocks, output, finish_block);
}

QMT_INLINE void run_tile(const struct tile *tile, const int pixels, const int blocks)
{
    __m512i sum[most_sums];
    sum_tile(tile, sum, pixels, blocks);
    if (tile->packed->finish == QMT_FINISH_RELU) {
        finish_relu(tile, sum, pixels, blocks);
        return;
    }
    int32_t sums[most_sums * lanes];
    QMT_UNROLL
    for (int i = 0; i < pixels * blocks; i++)
        _mm512_storeu_si512((void *)(sums + i * lanes), sum[i]);
    finish_any(tile, sums, pixels, blocks);
}

/* ---- P-Net's heads, where landmarks are not asked for ---------------------------------------------- */

/* The sums of a pixel's eight channels, each in two lanes: of even fours of its 32 inputs, and of odd ones. */
QMT_INLINE __m512i narrow_sum(const uint8_t *input, const __m512i *weights, __m512i sum)
{
    QMT_UNROLL
    for (int i = 0; i < narrow_words / 2; i++) {
        int64_t eight;
        memcpy(&eight, input + 8 * i, sizeof eight);
        sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi64(eight), weights[i]);
    }
    return sum;
}

/* Two pixels' values: the first's channels, then the second's. */
QMT_INLINE __m512i narrow_values(__m512i first, __m512i second, __m512 factor, __m512 negative)
{
    const __m512i order = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    const __m512i even = _mm512_add_epi32(first, _mm512_srli_epi64(first, 32));
    const __m512i odd = _mm512_add_epi32(second, _mm512_slli_epi64(second, 32));
    const __m512i sum = _mm512_mask_blend_epi32(0xaaaa, even, odd);
    const __mmask16 positive = _mm512_cmpgt_epi32_mask(sum, _mm512_setzero_si512());
    const __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_mask_blend_ps(positive, negative, factor));
    return _mm512_permutexvar_epi32(order, _mm512_castps_si512(value));
}

/* Is this a layer, and are those the channels, that narrow_row() computes? */
static bool suits_narrow(const qmt_packed_layer *packed, const qmt_avx512_row *row)
{
    return packed->finish == QMT_FINISH_REAL && packed->kernel_height == 1 && packed->kernel_width == 1 &&
           row->words == narrow_words && row->channels <= lanes / 2;
}

/* Eight channels of a 1 x 1 kernel over 32, as floats: with two lanes a channel none is idle. */
static void narrow_row(const qmt_packed_layer *packed, const qmt_avx512_row *row)
{
    const __m512i pairs = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    const __m512 factor = _mm512_permutexvar_ps(twice, _mm512_loadu_ps(packed->factor));
    const __m512 negative = _mm512_permutexvar_ps(twice, _mm512_loadu_ps(packed->negative_factor));
    const __m512i biases = _mm512_permutexvar_epi32(twice, _mm512_loadu_si512((const void *)packed->bias_int32));
    const __m512i bias = _mm512_mask_blend_epi32(0x5555, _mm512_setzero_si512(), biases);
    const int8_t *weight = packed->weight;
    const size_t step = row->step, pixel = row->output_pixel;
    const uint8_t *input = row->rows[0];
    char *output = row->output;
    __m512i weights[narrow_words / 2];
    for (int i = 0; i < narrow_words / 2; i++, weight += 2 * block_bytes)
        weights[i] = _mm512_permutex2var_epi32(_mm512_load_si512((const void *)weight), pairs,
                                               _mm512_load_si512((const void *)(weight + block_bytes)));
    for (int x = 0; x < row->pixels; x += 2, input += 2 * step, output += 2 * pixel) {
        const bool two = x + 1 < row->pixels;
        const __m512i first = narrow_sum(input, weights, bias);
        const __m512i second = two ? narrow_sum(input + step, weights, bias) : first;
        const __m512i values = narrow_values(first, second, factor, negative);
        _mm256_storeu_si256((__m256i *)(void *)output, _mm512_castsi512_si256(values));
        if (two)
            _mm256_storeu_si256((__m256i *)(void *)(output + pixel), _mm512_extracti64x4_epi64(values, 1));
    }
}

/* ---- Rows ---------------------------------------------------------------------------------------- */

static void run_two(const struct tile *tile, int pixels)
{
    switch (pixels) {
    case 1: run_tile(tile, 1, 2); break;
    case 2: run_tile(tile, 2, 2); break;
    case 4: run_tile(tile, 4, 2); break;
    case 6: run_tile(tile, 6, 2); break;
    default: run_tile(tile, most_two, 2); break;
    }
}

static void run_one(const struct tile *tile, int pixels)
{
    switch (pixels) {
    case 1: run_tile(tile, 1, 1); break;
    case 2: run_tile(tile, 2, 1); break;
    case 4: run_tile(tile, 4, 1); break;
    case 8: run_tile(tile, 8, 1); break;
    default: run_tile(tile, most_one, 1); break;
    }
}

/* The tile that takes `pixels` of a row that has `all`, or as many as it can. */
static int tile_size(int pixels, int all, int blocks)
{
    enum { sizes = 5 };
    static const int one[sizes] = {1, 2, 4, 8, most_one}, two[sizes] = {1, 2, 4, 6, most_two};
    const int *size = blocks == 2 ? two : one;
    int i = 0;
    while (i < sizes - 1 && size[i] < pixels && size[i + 1] <= all)
        i++;
    return size[i];
}

void qmt_avx512_tiles_row(const qmt_packed_layer *packed, const qmt_avx512_row *row)
{
    const int pixels = row->pixels;
    struct tile tile = {.packed = packed, .row = row};
    tile.block_weights = (size_t)(packed->kernel_height * row->words) * block_bytes;
    if (suits_narrow(packed, row)) {
        narrow_row(packed, row);
        return;
    }
    int blocks;
    for (int channel = 0; channel < row->channels; channel += blocks * lanes) {
        blocks = packed->out_padded - channel > lanes ? 2 : 1;
        const int step = qmt_tile_share(pixels, blocks == 2 ? most_two : most_one);
        tile.channel = channel;
        tile.weight = (const int8_t *)packed->weight + (size_t)(channel / lanes) * tile.block_weights;
        for (int x = 0; x < pixels;) { /* overlapping tiles give the same numbers twice */
            const int size = tile_size(step < pixels - x ? step : pixels - x, pixels, blocks);
            tile.x = x + size <= pixels ? x : pixels - size;
            if (blocks == 2)
                run_two(&tile, size);
            else
                run_one(&tile, size);
            x += size;
        }
    }
}
#endif
