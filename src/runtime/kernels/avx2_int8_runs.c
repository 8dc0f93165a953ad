/* Convolution of unsigned inputs (0 .. 127): eight pixels x eight channels in registers, runs of VPMADDUBSW. */
#if defined(__AVX2__)
#include "runtime/kernels/avx2_int8.h"
#include "runtime/kernels/avx2_int8_finish.h"

enum { tile = 8, half_tile = 4, register_bytes = 32 };

/* Four inputs, in every channel's place. */
QMT_INLINE __m256i four_inputs(const int8_t *at)
{
    int32_t four;
    memcpy(&four, at, sizeof four);
    return _mm256_set1_epi32(four);
}

/* The products of a group, added to those of the run so far. */
QMT_INLINE __m256i add_group(__m256i run, const int8_t *input, __m256i weight)
{
    return qmt_avx2_in_order(_mm256_add_epi16(run, _mm256_maddubs_epi16(four_inputs(input), weight)));
}

/* Adds a run of `length` groups to a pixel's eight sums. */
QMT_INLINE __m256i add_run(__m256i sum, const int8_t *const *input, size_t at, const __m256i *weight, const int length)
{
    __m256i run = _mm256_maddubs_epi16(four_inputs(input[0] + at), weight[0]);
    if (length > 1)
        run = add_group(run, input[1] + at, weight[1]);
    if (length > 2)
        run = add_group(run, input[2] + at, weight[2]);
    if (length > 3)
        run = add_group(run, input[3] + at, weight[3]);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(run, _mm256_set1_epi16(1)));
}

/* What is left of a block's weights and offsets. */
struct rest {
    const int8_t *weight;
    const int32_t *offset;
};

/* All runs of one length. `pixels`, `length` and mostly `step` are constants after inlining. */
QMT_INLINE struct rest add_runs(struct rest rest, int count, const int8_t *input, const size_t step, const int pixels,
                                const int length, __m256i *sum)
{
    for (; count > 0; count--) {
        __m256i weight[qmt_run_most];
        const int8_t *from[qmt_run_most];
        for (int i = 0; i < length; i++) {
            weight[i] = _mm256_load_si256((const __m256i *)(const void *)(rest.weight + i * register_bytes));
            from[i] = input + rest.offset[i];
        }
        sum[0] = add_run(sum[0], from, 0, weight, length);
        if (pixels >= half_tile) {
            sum[1] = add_run(sum[1], from, step, weight, length);
            sum[2] = add_run(sum[2], from, 2 * step, weight, length);
            sum[3] = add_run(sum[3], from, 3 * step, weight, length);
        }
        if (pixels >= tile) {
            sum[4] = add_run(sum[4], from, 4 * step, weight, length);
            sum[5] = add_run(sum[5], from, 5 * step, weight, length);
            sum[6] = add_run(sum[6], from, 6 * step, weight, length);
            sum[7] = add_run(sum[7], from, 7 * step, weight, length);
        }
        rest.weight += length * register_bytes;
        rest.offset += length;
    }
    return rest;
}

QMT_INLINE void convolve(const qmt_packed_layer *packed, const qmt_run_block *block, int channel,
                         const qmt_avx2_row *row, int x, const size_t step, const int pixels)
{
    const int8_t *input = (const int8_t *)row->input + (size_t)x * step;
    struct rest rest = {packed->runs->weights + (size_t)block->first * register_bytes, row->offsets + block->first};
    const __m256i bias = _mm256_loadu_si256((const __m256i *)(const void *)(packed->bias_int32 + channel));
    __m256i sum[tile] = {bias, bias, bias, bias, bias, bias, bias, bias};
    rest = add_runs(rest, block->runs[4], input, step, pixels, 4, sum);
    rest = add_runs(rest, block->runs[3], input, step, pixels, 3, sum);
    rest = add_runs(rest, block->runs[2], input, step, pixels, 2, sum);
    add_runs(rest, block->runs[1], input, step, pixels, 1, sum);
    qmt_avx2_finish_pixels(packed, channel, sum, pixels, (char *)row->output + (size_t)x * row->output_pixel,
                           row->output_pixel);
}

/* A block of a row in tiles; the last may overlap the one before, and gives the same numbers again. */
QMT_INLINE void convolve_block(const qmt_packed_layer *packed, int number, const qmt_avx2_row *row, const size_t step)
{
    const qmt_run_block *block = &packed->runs->blocks[number];
    for (int x = 0; x < row->pixels; x += tile)
        convolve(packed, block, number * qmt_run_lanes, row, x + tile <= row->pixels ? x : row->pixels - tile, step,
                 tile);
}

static void narrow_block(const qmt_packed_layer *packed, int number, const qmt_avx2_row *row)
{
    const qmt_run_block *block = &packed->runs->blocks[number];
    const size_t step = (size_t)packed->in_padded;
    const int channel = number * qmt_run_lanes, pixels = row->pixels;
    for (int x = 0; x < pixels && pixels >= half_tile; x += half_tile)
        convolve(packed, block, channel, row, x + half_tile <= pixels ? x : pixels - half_tile, step, half_tile);
    for (int x = 0; x < pixels && pixels < half_tile; x++)
        convolve(packed, block, channel, row, x, step, 1);
}

void qmt_avx2_runs_row(const qmt_packed_layer *packed, const qmt_avx2_row *row)
{
    for (int number = 0; number < row->blocks; number++) {
        if (row->pixels < tile) {
            narrow_block(packed, number, row);
            continue;
        }
        switch (packed->in_padded) {
        case 16: convolve_block(packed, number, row, 16); break;
        case 32: convolve_block(packed, number, row, 32); break;
        case 48: convolve_block(packed, number, row, 48); break;
        case 64: convolve_block(packed, number, row, 64); break;
        case 128: convolve_block(packed, number, row, 128); break;
        default: convolve_block(packed, number, row, (size_t)packed->in_padded); break;
        }
    }
}
#endif
