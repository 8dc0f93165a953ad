/* The picture under a 3 x 3 kernel and a 2 x 2 pool, with few output channels: P-Net's first layer. Here pixels are the
 * lanes, so that no lane is wasted on channels that aren't there, and the pool takes the largest of four sums before
 * any of them is requantized.
 *
 * A row of the picture becomes three rows of words: red and green of its even pixels, the same of its odd pixels, and
 * blue of all. Eight even pixels' (or odd pixels') pairs of inputs are neighbors in memory then: red with green, and
 * blue with the next pixel's blue. Fifteen VPMADDWD make eight outputs of a channel. */
#if defined(__AVX2__)
#include "runtime/kernels/avx2_int8_finish.h"

enum {
    lanes = 8,       /* pooled pixels of a tile */
    pairs = 15,      /* of inputs: five a kernel row */
    row_pairs = 5,   /* red and green at each of three columns, blue at 0 and 1, blue at 2 */
    side = 3,        /* of the kernel */
    row_reserve = 16 /* pairs behind a row's last, which tiles may read */
};

bool qmt_avx2_first_suits(const qmt_layer *layer, const qmt_pack_options *options)
{
    bool monotone = true; /* no negative slopes: then the largest sum makes the largest output */
    for (int c = 0; c < layer->out_channels && layer->activation == QMT_ACTIVATION_PRELU; c++)
        monotone = monotone && layer->slope[c] >= 0;
    return options->picture && options->signed_input && options->output_scale > 0 && layer->in_channels == 3 &&
           layer->kernel_height == side && layer->kernel_width == side && layer->pool_kernel == 2 &&
           layer->pool_stride == 2 && monotone;
}

size_t qmt_avx2_first_weight_bytes(int out_channels)
{
    return (size_t)qmt_padded_channels(out_channels, false) * pairs * 2 * sizeof(int16_t);
}

/* Weights: [out / 2][pair][2 channels][2 inputs]. */
void qmt_avx2_first_pack(const qmt_layer *layer, int16_t *weight)
{
    const size_t taps = qmt_layer_taps(layer);
    for (int channel = 0; channel < qmt_padded_channels(layer->out_channels, false); channel++) {
        int16_t *to = weight + (size_t)(channel / 2) * pairs * 4 + (size_t)(channel % 2) * 2;
        if (channel >= layer->out_channels)
            continue; /* the memory was cleared */
        const int8_t *red = layer->weight_int8 + (size_t)channel * taps;
        const int8_t *green = red + side * side, *blue = green + side * side;
        for (int ky = 0; ky < side; ky++, to += row_pairs * 4) {
            for (int kx = 0; kx < side; kx++) {
                to[4 * kx] = red[ky * side + kx];
                to[4 * kx + 1] = green[ky * side + kx];
            }
            to[12] = blue[ky * side];
            to[13] = blue[ky * side + 1];
            to[16] = blue[ky * side + 2];
        }
    }
}

/* Words of red and green of half a row's pixels. */
static size_t half_row(int width)
{
    return 2 * ((size_t)(width + 1) / 2 + row_reserve);
}

size_t qmt_avx2_first_row_bytes(int width)
{
    return (2 * half_row(width) + (size_t)width + 2 * row_reserve) * sizeof(int16_t);
}

void qmt_avx2_first_fill(const int8_t *input, int width, int16_t *words)
{
    /* Eight pixels of four bytes: red and green of the even ones, then of the odd ones; blue in order. */
    const __m256i order = _mm256_setr_epi8(0, 1, 8, 9, 4, 5, 12, 13, 2, 6, 10, 14, -1, -1, -1, -1, 0, 1, 8, 9, 4, 5, 12,
                                           13, 2, 6, 10, 14, -1, -1, -1, -1);
    const __m256i gather = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    int16_t *even = words, *odd = words + half_row(width), *blue = odd + half_row(width);
    int x = 0;
    for (; x + 8 <= width; x += 8) {
        __m256i eight = _mm256_loadu_si256((const __m256i *)(const void *)(input + 4 * x));
        eight = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(eight, order), gather);
        const __m128i high = _mm256_extracti128_si256(eight, 1);
        const __m256i red_green = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(eight));
        _mm_storeu_si128((__m128i *)(void *)(even + x), _mm256_castsi256_si128(red_green));
        _mm_storeu_si128((__m128i *)(void *)(odd + x), _mm256_extracti128_si256(red_green, 1));
        _mm_storeu_si128((__m128i *)(void *)(blue + x), _mm_cvtepi8_epi16(high));
    }
    for (; x < width; x++) {
        int16_t *half = x % 2 ? odd + (x - 1) : even + x;
        half[0] = input[4 * x];
        half[1] = input[4 * x + 1];
        blue[x] = input[4 * x + 2];
    }
}

/* Where a tile's inputs lie in the rows of one kernel row, for the pool's upper and its lower row. */
struct source {
    const int16_t *even[2], *odd[2], *blue[2];
};

QMT_INLINE __m256i load(const int16_t *words)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)words);
}

QMT_INLINE __m256i two_weights(const int16_t *weight)
{
    int32_t two;
    memcpy(&two, weight, sizeof two);
    return _mm256_set1_epi32(two);
}

QMT_INLINE __m256i add_products(__m256i sum, __m256i words, __m256i weight)
{
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(words, weight));
#if defined(__clang__)
    return sum; /* finds a better order by itself */
#else
    return qmt_avx2_in_order(sum);
#endif
}

/* One pair of inputs: two channels of even and odd pixels in two rows. sum: [channel][row][even, odd]. */
QMT_INLINE void add_pair(__m256i *sum, const int16_t *const *even, const int16_t *const *odd, int at_even, int at_odd,
                         const int16_t *weight)
{
    const __m256i first = two_weights(weight), second = two_weights(weight + 2);
    const __m256i a = load(even[0] + at_even), b = load(odd[0] + at_odd);
    sum[0] = add_products(sum[0], a, first);
    sum[4] = add_products(sum[4], a, second);
    sum[1] = add_products(sum[1], b, first);
    sum[5] = add_products(sum[5], b, second);
    const __m256i c = load(even[1] + at_even), d = load(odd[1] + at_odd);
    sum[2] = add_products(sum[2], c, first);
    sum[6] = add_products(sum[6], c, second);
    sum[3] = add_products(sum[3], d, first);
    sum[7] = add_products(sum[7], d, second);
}

QMT_INLINE void add_row(__m256i *sum, const struct source *from, const int16_t *weight)
{
    add_pair(sum, from->even, from->odd, 0, 0, weight);
    add_pair(sum, from->odd, from->even, 0, 2, weight + 4);
    add_pair(sum, from->even, from->odd, 2, 2, weight + 8);
    add_pair(sum, from->blue, from->blue, 0, 1, weight + 12);
    add_pair(sum, from->blue, from->blue, 2, 3, weight + 16);
}

/* The largest of four sums, requantized. `odd`: which lanes have odd pixels. */
QMT_INLINE __m256i pool_and_round(const qmt_packed_layer *packed, int channel, const __m256i *sum, __m256i odd)
{
    const __m256i least = _mm256_set1_epi32(INT32_MIN);
    __m256i right = _mm256_blendv_epi8(least, _mm256_max_epi32(sum[1], sum[3]), odd);
    __m256i largest = _mm256_max_epi32(_mm256_max_epi32(sum[0], sum[2]), right);
    const __m256 factor = _mm256_set1_ps(packed->factor[channel]);
    return packed->finish == QMT_FINISH_RELU
               ? _mm256_max_epi32(qmt_avx2_relu(largest, factor), _mm256_setzero_si256())
               : qmt_avx2_byte(largest, factor, _mm256_set1_ps(packed->negative_factor[channel]));
}

/* Four channels of eight pixels to a pixel's four bytes in each lane. */
QMT_INLINE __m256i four_channels(const __m256i *values)
{
    const __m256i transpose = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5,
                                               9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm256_shuffle_epi8(
        _mm256_packs_epi16(_mm256_packs_epi32(values[0], values[1]), _mm256_packs_epi32(values[2], values[3])),
        transpose);
}

QMT_INLINE void store_two(__m256i two, int8_t *output, size_t pixel)
{
    _mm_storeu_si128((__m128i *)(void *)output, _mm256_castsi256_si128(two));
    _mm_storeu_si128((__m128i *)(void *)(output + 4 * pixel), _mm256_extracti128_si256(two, 1));
}

/* Sixteen channels of eight pixels, `pixel` bytes apart. */
static void store_tile(const __m256i *values, int8_t *output, size_t pixel)
{
    const __m256i a = four_channels(values), b = four_channels(values + 4);
    const __m256i c = four_channels(values + 8), d = four_channels(values + 12);
    const __m256i ab_low = _mm256_unpacklo_epi32(a, b), ab_high = _mm256_unpackhi_epi32(a, b);
    const __m256i cd_low = _mm256_unpacklo_epi32(c, d), cd_high = _mm256_unpackhi_epi32(c, d);
    store_two(_mm256_unpacklo_epi64(ab_low, cd_low), output, pixel);
    store_two(_mm256_unpackhi_epi64(ab_low, cd_low), output + pixel, pixel);
    store_two(_mm256_unpacklo_epi64(ab_high, cd_high), output + 2 * pixel, pixel);
    store_two(_mm256_unpackhi_epi64(ab_high, cd_high), output + 3 * pixel, pixel);
}

/* Sixteen channels from `block` on. */
static void compute_tile(const qmt_packed_layer *packed, int block, const int16_t *weight, const struct source *source,
                         __m256i odd, int8_t *output, size_t pixel)
{
    __m256i values[qmt_channel_step];
    const __m256i zero = _mm256_setzero_si256();
    const int left = packed->out_channels - block;
    const int channels = left < qmt_channel_step ? left : qmt_channel_step;
    weight += (size_t)(block / 2) * pairs * 4;
    for (int c = 0; c < qmt_channel_step; c++)
        values[c] = zero;
    for (int c = 0; c < channels; c += 2, weight += pairs * 4) {
        const __m256i first = _mm256_set1_epi32(packed->bias_int32[block + c]);
        const __m256i second = _mm256_set1_epi32(packed->bias_int32[block + c + 1]);
        __m256i sum[8] = {first, first, first, first, second, second, second, second};
        add_row(sum, &source[0], weight);
        add_row(sum, &source[1], weight + row_pairs * 4);
        add_row(sum, &source[2], weight + 2 * row_pairs * 4);
        values[c] = pool_and_round(packed, block + c, sum, odd);
        values[c + 1] = pool_and_round(packed, block + c + 1, sum + 4, odd);
    }
    store_tile(values, output, pixel);
}

/* The sources of a tile that begins with pooled pixel x. rows: four rows of words, `row` words apart; `lower`: how many
 * rows the pool's lower row lies below its upper one (0: there is none, and it is the upper one again). */
static void place_tile(const int16_t *rows, size_t row, int lower, int width, int x, struct source source[side])
{
    for (int ky = 0; ky < side; ky++)
        for (int i = 0; i < 2; i++) {
            const int16_t *from = rows + (size_t)(ky + i * lower) * row;
            source[ky].even[i] = from + 2 * x;
            source[ky].odd[i] = from + half_row(width) + 2 * x;
            source[ky].blue[i] = from + 2 * half_row(width) + 2 * x;
        }
}

void qmt_avx2_first_row(const qmt_packed_layer *packed, const int16_t *weight, const int16_t *rows, size_t row,
                        bool has_lower, int width, int8_t *output, int output_width)
{
    const size_t pixel = (size_t)packed->out_padded;
    const int columns = width - side + 1;
    for (int at = 0; at < output_width; at += lanes) {
        const int x = at + lanes <= output_width || output_width < lanes ? at : output_width - lanes;
        const int odd_pixels = columns / 2 - x; /* the last window may be cut off */
        const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        const __m256i odd = _mm256_cmpgt_epi32(_mm256_set1_epi32(odd_pixels), lane);
        struct source source[side];
        int8_t narrow[lanes * qmt_channel_step];
        place_tile(rows, row, has_lower ? 1 : 0, width, x, source);
        for (int block = 0; block < packed->out_padded; block += qmt_channel_step) {
            if (output_width >= lanes) {
                compute_tile(packed, block, weight, source, odd, output + (size_t)x * pixel + block, pixel);
                continue;
            }
            compute_tile(packed, block, weight, source, odd, narrow, qmt_channel_step);
            for (int i = 0; i < output_width; i++)
                memcpy(output + (size_t)i * pixel + block, narrow + i * qmt_channel_step, qmt_channel_step);
        }
    }
}
#endif
