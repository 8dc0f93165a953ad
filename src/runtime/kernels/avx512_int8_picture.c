/* One picture under a 3 x 3 kernel and a pool of 2 x 2: P-Net's first layer. A vector of windows runs down the strip,
 * so that rows of the picture become inputs once; these stay in registers until bytes are stored. */
#ifdef QMT_KERNELS_AVX512VNNI
#include "runtime/kernels/avx512_int8_picture.h"

enum {
    lanes = qmt_picture_lanes,
    side = qmt_picture_kernel,
    pixel_bytes = qmt_picture_channels,
    reach_bytes = pixel_bytes * (2 * lanes + side - 1) /* of a row of the picture: what a vector of windows needs */
};

/* ---- Packing ------------------------------------------------------------------------------------ */

static int32_t four_weights(int8_t a, int8_t b, int8_t c, int8_t d)
{
    const int8_t bytes[4] = {a, b, c, d};
    int32_t four;
    memcpy(&four, bytes, sizeof four);
    return four;
}

void qmt_avx512_picture_pack(const qmt_layer *layer, qmt_avx512_picture_channel *channels)
{
    for (int c = 0; c < layer->out_channels; c++) {
        const int8_t *red = layer->weight_int8 + (size_t)c * qmt_layer_taps(layer);
        const int8_t *green = red + side * side, *blue = green + side * side;
        int32_t *parts = channels[c].parts;
        for (int ky = 0; ky < side; ky++) {
            const int at = ky * side;
            parts[2 * ky] = four_weights(red[at], green[at], blue[at], red[at + 1]);
            parts[2 * ky + 1] = four_weights(green[at + 1], blue[at + 1], green[at + 2], blue[at + 2]);
        }
        parts[2 * side] = four_weights(red[side - 1], red[2 * side - 1], red[3 * side - 1], 0);
    }
}

/* ---- Inputs ------------------------------------------------------------------------------------- */

/* The lanes' windows, in an order that leaves neighbors in a vector when they become bytes (qmt_picture_transpose). */
QMT_INLINE __m512i windows(void)
{
    return _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

/* 16 pixels, every other one from `at` on: from the first, and from the second. */
QMT_INLINE void load_columns(const char *at, __m512i *even, __m512i *odd)
{
    const __m512i evens = _mm512_slli_epi32(windows(), 1), odds = _mm512_or_si512(evens, _mm512_set1_epi32(1));
    const __m512i sign = _mm512_set1_epi32(0x00808080);
    const __m512i low = qmt_picture_load(at), high = qmt_picture_load(at + qmt_picture_vector);
    *even = _mm512_xor_si512(_mm512_permutex2var_epi32(low, evens, high), sign);
    *odd = _mm512_xor_si512(_mm512_permutex2var_epi32(low, odds, high), sign);
}

/* What rows of the picture hold for a vector of windows. */
struct view {
    qmt_picture_inputs inputs;
    __m512i second[side + 1], third[side + 1]; /* pixels two columns right of even ones, and of odd ones */
};

/* Makes row i's parts. */
QMT_INLINE void look_at(struct view *view, const char *row, const int i)
{
    __m512i even, odd;
    load_columns(row, &even, &odd);
    load_columns(row + 2 * pixel_bytes, &view->second[i], &view->third[i]);
    qmt_picture_parts_of(even, odd, view->second[i], view->inputs.part[i]);
    qmt_picture_parts_of(odd, view->second[i], view->third[i], view->inputs.part[i] + 2);
}

/* Makes the reds of row i of convolution output. */
QMT_INLINE void find_reds(struct view *view, const int i)
{
    const __m512i *second = view->second + i, *third = view->third + i;
    view->inputs.reds[i][0] = qmt_picture_reds_of(second[0], second[1], second[2]);
    view->inputs.reds[i][1] = qmt_picture_reds_of(third[0], third[1], third[2]);
}

/* Row i + 2 becomes row i. */
QMT_INLINE void move_down(struct view *view, const int i)
{
    for (int k = 0; k < 4; k++)
        view->inputs.part[i][k] = view->inputs.part[i + 2][k];
    view->second[i] = view->second[i + 2];
    view->third[i] = view->third[i + 2];
}

/* ---- A vector of windows, from the strip's first row to its last ------------------------------------ */

struct job {
    const qmt_packed_layer *packed;
    const qmt_avx512_picture_channel *channels;
    const qmt_strip *strip;
    int x;          /* the first window */
    __mmask16 odd;  /* windows that have a second column */
    int8_t *values; /* [block of channels] of two rows, in turn */
};

static size_t values_bytes(const qmt_packed_layer *packed)
{
    return (size_t)packed->out_padded / qmt_picture_block * qmt_picture_values;
}

/* The vector's pixels in row y of the picture; where they end too soon, they are copied. */
QMT_INLINE const char *find_row(const struct job *job, int y, char *copy)
{
    const size_t bytes = (size_t)job->strip->input_width * pixel_bytes, from = (size_t)(2 * job->x) * pixel_bytes;
    const char *row = (const char *)job->strip->input + (size_t)y * bytes + from;
    if (from + reach_bytes <= bytes)
        return row;
    memcpy(copy, row, bytes - from);
    return copy;
}

/* Stores row y. */
static void store_pixels(const struct job *job, int y, const bool relu)
{
    const size_t pixel = (size_t)job->packed->out_padded, blocks = pixel / qmt_picture_block;
    const int8_t *values = job->values + (size_t)(y % 2) * values_bytes(job->packed);
    char *output = (char *)job->strip->output + ((size_t)y * (size_t)job->strip->output_width + (size_t)job->x) * pixel;
    const int left = job->strip->output_width - job->x, count = left < lanes ? left : lanes;
    for (size_t i = 0; i < blocks; i++, values += qmt_picture_values, output += qmt_picture_block) {
        __m512i pixels[4];
        qmt_picture_transpose(values, relu, pixels);
        if (count == lanes && blocks == 1) {
            for (int j = 0; j < 4; j++)
                _mm512_storeu_si512((void *)(output + j * qmt_picture_vector), pixels[j]);
            continue;
        }
        char narrow[lanes * qmt_picture_block];
        for (int j = 0; j < 4; j++)
            _mm512_storeu_si512((void *)(narrow + j * qmt_picture_vector), pixels[j]);
        for (int j = 0; j < count; j++)
            memcpy(output + (size_t)j * pixel, narrow + j * qmt_picture_block, qmt_picture_block);
    }
}

/* A channel of row y, over one row of convolution output or two. */
QMT_INLINE __m512i pool_channel(const struct job *job, const struct view *view, int channel, const int rows,
                                const bool relu)
{
    __m512i sum[2][2];
    qmt_picture_sums(&view->inputs, &job->channels[channel], job->packed->bias_int32[channel], rows, sum);
    if (rows > 1) {
        sum[0][0] = _mm512_max_epi32(sum[0][0], sum[1][0]);
        sum[0][1] = _mm512_max_epi32(sum[0][1], sum[1][1]);
    }
    const __m512i largest = _mm512_mask_max_epi32(sum[0][0], job->odd, sum[0][0], sum[0][1]);
    return qmt_picture_requantize(job->packed, channel, largest, relu);
}

QMT_INLINE void pool_row(const struct job *job, const struct view *view, int y, const int rows, const bool relu)
{
    int8_t *values = job->values + (size_t)(y % 2) * values_bytes(job->packed);
    for (int c = 0; c < job->packed->out_channels; c += 2, values += qmt_picture_vector) {
        const __m512i first = pool_channel(job, view, c, rows, relu);
        qmt_picture_keep(first, pool_channel(job, view, c + 1, rows, relu), values);
    }
}

QMT_INLINE void run_column(const struct job *job, const bool relu)
{
    char copy[reach_bytes] = {0};
    struct view view;
    const int rows = job->strip->output_rows, whole = job->strip->convolution_height / 2 < rows ? rows - 1 : rows;
    look_at(&view, find_row(job, 0, copy), 2);
    look_at(&view, find_row(job, 1, copy), 3);
    for (int y = 0; y < whole; y++) {
        move_down(&view, 0);
        move_down(&view, 1);
        look_at(&view, find_row(job, 2 * y + 2, copy), 2);
        look_at(&view, find_row(job, 2 * y + 3, copy), 3);
        find_reds(&view, 0);
        find_reds(&view, 1);
        if (y > 0) /* late, so that its bytes have left the processor's queue of stores */
            store_pixels(job, y - 1, relu);
        pool_row(job, &view, y, 2, relu);
    }
    if (whole > 0)
        store_pixels(job, whole - 1, relu);
    if (whole == rows)
        return;
    move_down(&view, 0);
    move_down(&view, 1);
    look_at(&view, find_row(job, 2 * whole + 2, copy), 2);
    find_reds(&view, 0);
    pool_row(job, &view, whole, 1, relu);
    store_pixels(job, whole, relu);
}

size_t qmt_avx512_picture_scratch_size(const qmt_packed_layer *packed)
{
    return 2 * values_bytes(packed);
}

void qmt_avx512_picture_run(const qmt_packed_layer *packed, const qmt_avx512_picture_channel *channels,
                            const qmt_strip *strip)
{
    struct job job = {.packed = packed, .channels = channels, .strip = strip, .values = strip->scratch};
    const int odd = (strip->input_width - side + 1) / 2;
    memset(job.values, 0, qmt_avx512_picture_scratch_size(packed));
    for (; job.x < strip->output_width; job.x += lanes) {
        job.odd = _mm512_cmpgt_epi32_mask(_mm512_set1_epi32(odd - job.x), windows());
        if (packed->finish == QMT_FINISH_RELU)
            run_column(&job, true);
        else
            run_column(&job, false);
    }
}
#endif
