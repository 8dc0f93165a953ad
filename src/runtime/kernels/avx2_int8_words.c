/* Convolution of signed inputs, widened to 16 bits: VPMADDWD on pairs of inputs, six pixels x sixteen channels in
 * registers. The picture's layers come here: three channels, whose third is paired with that of the next pixel. */
#if defined(__AVX2__)
#include "runtime/kernels/avx2_int8_finish.h"

enum { tile = 6, half_tile = 2, lanes = qmt_channel_step, register_bytes = 32, pair_words = 2 * lanes };

/* Channels 0 and 1 of every tap, and channel 2 of two neighboring taps at a time. */
static bool pairs_third(const qmt_packed_layer *packed)
{
    return packed->in_channels == 3 && packed->in_padded == qmt_picture_channels;
}

int qmt_avx2_words_pairs(const qmt_packed_layer *packed)
{
    if (pairs_third(packed))
        return packed->kernel_height * (packed->kernel_width + (packed->kernel_width + 1) / 2);
    return packed->kernel_height * packed->kernel_width * ((packed->in_channels + 1) / 2);
}

/* Two inputs of a kernel row; channel -1: none. */
struct pair {
    int ky, kx, channel; /* of the first; its place in a row of words */
    int second_kx, second_channel;
};

static struct pair pair_at(const qmt_packed_layer *packed, int number)
{
    const int kernel_width = packed->kernel_width;
    if (pairs_third(packed)) {
        const int row = kernel_width + (kernel_width + 1) / 2, ky = number / row, i = number % row;
        if (i < kernel_width)
            return (struct pair){ky, i, 0, i, 1};
        const int kx = 2 * (i - kernel_width);
        return (struct pair){ky, kx, 2, kx + 1, kx + 1 < kernel_width ? 2 : -1};
    }
    const int row = (packed->in_channels + 1) / 2, channel = 2 * (number % row), tap = number / row;
    const int second = channel + 1 < packed->in_channels ? channel + 1 : -1;
    return (struct pair){tap / kernel_width, tap % kernel_width, channel, tap % kernel_width, second};
}

void qmt_avx2_words_offsets(const qmt_packed_layer *packed, size_t row, int pictures, int32_t *offsets)
{
    const int pairs = qmt_avx2_words_pairs(packed);
    const size_t column = (size_t)pictures * (size_t)packed->in_padded * sizeof(int16_t);
    for (int i = 0; i < pairs; i++) {
        const struct pair pair = pair_at(packed, i);
        offsets[i] =
            (int32_t)((size_t)pair.ky * row + (size_t)pair.kx * column + (size_t)pair.channel * sizeof(int16_t));
    }
}

size_t qmt_avx2_words_bytes(const qmt_packed_layer *packed, size_t pixels)
{
    return pixels * (size_t)packed->in_padded * sizeof(int16_t);
}

/* Weights: [out / 16][pair][16][2], in 16 bits for the picture, else in 8. */
static void pack_weights(qmt_packed_layer *packed, const qmt_layer *layer)
{
    const size_t taps = qmt_layer_taps(layer), kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    const int pairs = qmt_avx2_words_pairs(packed);
    size_t at = 0;
    for (int block = 0; block < packed->out_padded; block += lanes)
        for (int i = 0; i < pairs; i++) {
            const struct pair pair = pair_at(packed, i);
            for (int lane = 0; lane < lanes; lane++, at += 2) {
                int8_t two[2] = {0};
                const int8_t *weight = layer->weight_int8 + (size_t)(block + lane) * taps;
                const size_t row = (size_t)(pair.ky * layer->kernel_width);
                if (block + lane < layer->out_channels)
                    two[0] = weight[(size_t)pair.channel * kernel + row + (size_t)pair.kx];
                if (block + lane < layer->out_channels && pair.second_channel >= 0)
                    two[1] = weight[(size_t)pair.second_channel * kernel + row + (size_t)pair.second_kx];
                for (int j = 0; j < 2; j++)
                    if (packed->in_padded == qmt_picture_channels)
                        ((int16_t *)packed->weight)[at + (size_t)j] = two[j];
                    else
                        ((int8_t *)packed->weight)[at + (size_t)j] = two[j];
            }
        }
}

qmtcnn_status qmt_avx2_words_pack(const qmt_layer *layer, const qmt_pack_options *options, size_t more,
                                  qmt_packed_layer **packed, qmtcnn_error *error)
{
    const size_t padded = (size_t)qmt_padded_channels(layer->out_channels, false);
    const size_t kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    /* At most as many pairs as this, also where the third channel is paired with itself. */
    const size_t words = padded * kernel * (((size_t)layer->in_channels + 1) / 2 * 2);
    const size_t bytes = words * (options->picture ? sizeof(int16_t) : sizeof(int8_t));
    qmtcnn_status status = qmt_packed_create(layer, options, bytes + more, packed, error);
    if (status == QMTCNN_OK)
        pack_weights(*packed, layer);
    return status;
}

/* Channels 0, 1, 2 of pixels, and behind them channel 2 of the same picture's next pixel. */
static void fill_third(const int8_t *input, size_t pixels, size_t pictures, int16_t *words)
{
    const __m256i third = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, -1, -1, 8, 9, 10, 11, 12, 13, -1, -1, 0, 1, 2, 3, 4, 5, -1,
                                           -1, 8, 9, 10, 11, 12, 13, -1, -1);
    const __m256i next = _mm256_setr_epi8(-1, -1, -1, -1, -1, -1, 4, 5, -1, -1, -1, -1, -1, -1, 12, 13, -1, -1, -1, -1,
                                          -1, -1, 4, 5, -1, -1, -1, -1, -1, -1, 12, 13);
    size_t i = 0;
    for (; i + 4 + pictures <= pixels; i += 4) {
        __m256i here = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(input + 4 * i)));
        __m256i there =
            _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(input + 4 * (i + pictures))));
        here = _mm256_or_si256(_mm256_shuffle_epi8(here, third), _mm256_shuffle_epi8(there, next));
        _mm256_storeu_si256((__m256i *)(void *)(words + 4 * i), here);
    }
    for (; i < pixels; i++) {
        for (size_t c = 0; c < 3; c++)
            words[4 * i + c] = input[4 * i + c];
        words[4 * i + 3] = i + pictures < pixels ? input[4 * (i + pictures) + 2] : 0;
    }
}

void qmt_avx2_words_fill(const qmt_packed_layer *packed, const int8_t *input, int width, int pictures, int16_t *words)
{
    const size_t pixels = (size_t)width * (size_t)pictures, values = pixels * (size_t)packed->in_padded;
    if (pairs_third(packed)) {
        fill_third(input, pixels, (size_t)pictures, words);
        return;
    }
    size_t i = 0;
    for (; i + 16 <= values; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(words + i),
                            _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(input + i))));
    for (; i < values; i++)
        words[i] = input[i];
}

/* Two words, in every channel's place. */
QMT_INLINE __m256i two_words(const char *at)
{
    int32_t two;
    memcpy(&two, at, sizeof two);
    return _mm256_set1_epi32(two);
}

QMT_INLINE void add_pair(__m256i *sum, const char *input, __m256i low, __m256i high)
{
    const __m256i words = two_words(input);
    sum[0] = _mm256_add_epi32(sum[0], _mm256_madd_epi16(words, low));
    sum[8] = _mm256_add_epi32(sum[8], _mm256_madd_epi16(words, high));
}

/* Sixteen channels of a pixel, or of two. */
QMT_INLINE void finish_sixteen(const qmt_packed_layer *packed, int channel, const __m256i *sum, char *output,
                               size_t pixel, const bool two)
{
    const __m256 low = _mm256_loadu_ps(packed->factor + channel), high = _mm256_loadu_ps(packed->factor + channel + 8);
    const __m256 low_negative = _mm256_loadu_ps(packed->negative_factor + channel);
    const __m256 high_negative = _mm256_loadu_ps(packed->negative_factor + channel + 8);
    if (packed->finish == QMT_FINISH_REAL) {
        float *to = (float *)(void *)output + channel;
        _mm256_storeu_ps(to, qmt_avx2_scale(sum[0], low, low_negative));
        _mm256_storeu_ps(to + 8, qmt_avx2_scale(sum[8], high, high_negative));
        if (two) {
            to = (float *)(void *)(output + pixel) + channel;
            _mm256_storeu_ps(to, qmt_avx2_scale(sum[1], low, low_negative));
            _mm256_storeu_ps(to + 8, qmt_avx2_scale(sum[9], high, high_negative));
        }
        return;
    }
    __m256i bytes;
    if (packed->finish == QMT_FINISH_RELU) {
        bytes = qmt_avx2_to_bytes(qmt_avx2_relu(sum[0], low), qmt_avx2_relu(sum[8], high), qmt_avx2_relu(sum[1], low),
                                  qmt_avx2_relu(sum[9], high));
        bytes = _mm256_max_epi8(bytes, _mm256_setzero_si256());
    } else {
        bytes = qmt_avx2_to_bytes(qmt_avx2_byte(sum[0], low, low_negative), qmt_avx2_byte(sum[8], high, high_negative),
                                  qmt_avx2_byte(sum[1], low, low_negative), qmt_avx2_byte(sum[9], high, high_negative));
    }
    _mm_storeu_si128((__m128i *)(void *)(output + channel), _mm256_castsi256_si128(bytes));
    if (two)
        _mm_storeu_si128((__m128i *)(void *)(output + pixel + (size_t)channel), _mm256_extracti128_si256(bytes, 1));
}

/* Sixteen channels of `pixels` (1, 2 or 6). sum[0 ..]: the first eight of each pixel; sum[8 ..]: the others. */
QMT_INLINE void convolve(const qmt_packed_layer *packed, int block, const qmt_avx2_row *row, int x, const size_t step,
                         const int pixels, const bool wide)
{
    const int pairs = qmt_avx2_words_pairs(packed);
    const char *input = (const char *)row->input + (size_t)x * step;
    const char *weight =
        (const char *)packed->weight + (size_t)block * (size_t)pairs * 2 * (wide ? sizeof(int16_t) : sizeof(int8_t));
    const size_t output_pixel = row->output_pixel;
    char *output = (char *)row->output + (size_t)x * output_pixel;
    const __m256i low_bias = _mm256_loadu_si256((const __m256i *)(const void *)(packed->bias_int32 + block));
    const __m256i high_bias = _mm256_loadu_si256((const __m256i *)(const void *)(packed->bias_int32 + block + 8));
    __m256i sum[16] = {low_bias,  low_bias,  low_bias,  low_bias,  low_bias,  low_bias,  low_bias,  low_bias,
                       high_bias, high_bias, high_bias, high_bias, high_bias, high_bias, high_bias, high_bias};
    for (int i = 0; i < pairs; i++) {
        const char *at = input + row->offsets[i];
        __m256i low, high;
        if (wide) {
            low = _mm256_load_si256((const __m256i *)(const void *)weight);
            high = _mm256_load_si256((const __m256i *)(const void *)(weight + register_bytes));
            weight += 2 * register_bytes;
        } else {
            low = _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(const void *)weight));
            high = _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(const void *)(weight + register_bytes / 2)));
            weight += register_bytes;
        }
        add_pair(sum, at, low, high);
        if (pixels >= half_tile)
            add_pair(sum + 1, at + step, low, high);
        if (pixels >= tile) {
            add_pair(sum + 2, at + 2 * step, low, high);
            add_pair(sum + 3, at + 3 * step, low, high);
            add_pair(sum + 4, at + 4 * step, low, high);
            add_pair(sum + 5, at + 5 * step, low, high);
        }
    }
    finish_sixteen(packed, block, sum, output, output_pixel, pixels >= half_tile);
    if (pixels >= tile) {
        finish_sixteen(packed, block, sum + 2, output + 2 * output_pixel, output_pixel, true);
        finish_sixteen(packed, block, sum + 4, output + 4 * output_pixel, output_pixel, true);
    }
}

/* Overlapping tiles give the same numbers twice. */
QMT_INLINE void convolve_block(const qmt_packed_layer *packed, int block, const qmt_avx2_row *row, const size_t step,
                               const bool wide)
{
    const int pixels = row->pixels;
    if (pixels >= tile)
        for (int x = 0; x < pixels; x += tile)
            convolve(packed, block, row, x + tile <= pixels ? x : pixels - tile, step, tile, wide);
    else if (pixels >= half_tile)
        for (int x = 0; x < pixels; x += half_tile)
            convolve(packed, block, row, x + half_tile <= pixels ? x : pixels - half_tile, step, half_tile, wide);
    else
        convolve(packed, block, row, 0, step, 1, wide);
}

void qmt_avx2_words_row(const qmt_packed_layer *packed, const qmt_avx2_row *row)
{
    for (int block = 0; block < row->blocks * qmt_run_lanes; block += lanes)
        if (packed->in_padded == qmt_picture_channels)
            convolve_block(packed, block, row, qmt_picture_channels * sizeof(int16_t), true);
        else
            convolve_block(packed, block, row, (size_t)packed->in_padded * sizeof(int16_t), false);
}
#endif
