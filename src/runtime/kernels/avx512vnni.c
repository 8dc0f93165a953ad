/* INT8 kernels for x86 processors with AVX-512 VNNI (Ice Lake, Zen 4 and later). VPDPBUSD multiplies 64 unsigned by 64
 * signed bytes and adds them, four at a time, to 16 sums of 32 bits, without saturation: a register holds 16 output
 * channels, and a pixel's next four inputs are broadcast to all of them. FP32: real_tiles.h. */
#ifdef QMT_KERNELS_AVX512VNNI
#include "runtime/kernels/avx2_int8.h"
#include "runtime/kernels/int8_walk.h"
#include "runtime/kernels/real_tiles.h"

#include <immintrin.h>
#include <string.h>

enum { lanes = qmt_channel_step, most_sums = 26, most_blocks = 8 };

/* Sums of `pixels` x `blocks`, constants after inlining. Sums and the blocks' weights stay in registers. */
QMT_INLINE void sum_tile(const qmt_packed_layer *packed, int channel, const qmt_tile_input *input, int32_t *sums,
                         const int pixels, const int blocks)
{
    const size_t step = input->pixel_step, groups = ((size_t)packed->in_channels + 3) / 4;
    const size_t block_bytes = (size_t)(packed->kernel_height * packed->kernel_width) * groups * 4 * lanes;
    const int8_t *weight = (const int8_t *)packed->weight + (size_t)(channel / lanes) * block_bytes;
    __m512i sum[most_sums], w[most_blocks];
    for (int p = 0; p < pixels; p++)
        for (int b = 0; b < blocks; b++)
            sum[p * blocks + b] = _mm512_loadu_si512((const void *)(packed->bias_int32 + channel + b * lanes));
    for (int ky = 0; ky < packed->kernel_height; ky++) {
        const uint8_t *row = input->rows[ky] + input->offset;
        for (int kx = 0; kx < packed->kernel_width; kx++, row += input->column_step)
            for (size_t group = 0; group < groups; group++, weight += 4 * lanes) {
                for (int b = 0; b < blocks; b++)
                    w[b] = _mm512_loadu_si512((const void *)(weight + (size_t)b * block_bytes));
                for (int p = 0; p < pixels; p++) {
                    int four;
                    memcpy(&four, row + (size_t)p * step + 4 * group, sizeof four);
                    const __m512i value = _mm512_set1_epi32(four);
                    for (int b = 0; b < blocks; b++)
                        sum[p * blocks + b] = _mm512_dpbusd_epi32(sum[p * blocks + b], value, w[b]);
                }
            }
    }
    for (int i = 0; i < pixels * blocks; i++)
        _mm512_storeu_si512((void *)(sums + i * lanes), sum[i]);
}

/* The same with counts that are known only when it runs. */
static void sum_one(const qmt_packed_layer *packed, int channel, const qmt_tile_input *input, int pixels, int32_t *sums)
{
    switch (pixels) {
    case 1: sum_tile(packed, channel, input, sums, 1, 1); break;
    case 2: sum_tile(packed, channel, input, sums, 2, 1); break;
    case 3: sum_tile(packed, channel, input, sums, 3, 1); break;
    case 4: sum_tile(packed, channel, input, sums, 4, 1); break;
    case 5: sum_tile(packed, channel, input, sums, 5, 1); break;
    case 6: sum_tile(packed, channel, input, sums, 6, 1); break;
    case 7: sum_tile(packed, channel, input, sums, 7, 1); break;
    case 8: sum_tile(packed, channel, input, sums, 8, 1); break;
    case 9: sum_tile(packed, channel, input, sums, 9, 1); break;
    case 10: sum_tile(packed, channel, input, sums, 10, 1); break;
    case 11: sum_tile(packed, channel, input, sums, 11, 1); break;
    case 12: sum_tile(packed, channel, input, sums, 12, 1); break;
    default: sum_tile(packed, channel, input, sums, 13, 1); break;
    }
}

static void sum_two(const qmt_packed_layer *packed, int channel, const qmt_tile_input *input, int pixels, int32_t *sums)
{
    switch (pixels) {
    case 1: sum_tile(packed, channel, input, sums, 1, 2); break;
    case 2: sum_tile(packed, channel, input, sums, 2, 2); break;
    case 3: sum_tile(packed, channel, input, sums, 3, 2); break;
    case 4: sum_tile(packed, channel, input, sums, 4, 2); break;
    case 5: sum_tile(packed, channel, input, sums, 5, 2); break;
    case 6: sum_tile(packed, channel, input, sums, 6, 2); break;
    case 7: sum_tile(packed, channel, input, sums, 7, 2); break;
    case 8: sum_tile(packed, channel, input, sums, 8, 2); break;
    case 9: sum_tile(packed, channel, input, sums, 9, 2); break;
    case 10: sum_tile(packed, channel, input, sums, 10, 2); break;
    case 11: sum_tile(packed, channel, input, sums, 11, 2); break;
    case 12: sum_tile(packed, channel, input, sums, 12, 2); break;
    default: sum_tile(packed, channel, input, sums, 13, 2); break;
    }
}

static void sum_many(const qmt_packed_layer *packed, int channel, const qmt_tile_input *input, int pixels, int blocks,
                     int32_t *sums)
{
    switch (blocks * 8 + pixels) {
    case 33: sum_tile(packed, channel, input, sums, 1, 4); break;
    case 34: sum_tile(packed, channel, input, sums, 2, 4); break;
    case 35: sum_tile(packed, channel, input, sums, 3, 4); break;
    case 36: sum_tile(packed, channel, input, sums, 4, 4); break;
    case 37: sum_tile(packed, channel, input, sums, 5, 4); break;
    case 38: sum_tile(packed, channel, input, sums, 6, 4); break;
    case 65: sum_tile(packed, channel, input, sums, 1, 8); break;
    default: sum_tile(packed, channel, input, sums, 2, 8); break;
    }
}

static void sum_any(const qmt_packed_layer *packed, int channel, const qmt_tile_input *input, int pixels, int blocks,
                    int32_t *sums)
{
    if (blocks == 1)
        sum_one(packed, channel, input, pixels, sums);
    else if (blocks == 2)
        sum_two(packed, channel, input, pixels, sums);
    else
        sum_many(packed, channel, input, pixels, blocks, sums);
}

/* ---- After the sums ------------------------------------------------------------------------------ */

QMT_INLINE void max16(int32_t *to, const int32_t *from)
{
    const __m512i a = _mm512_loadu_si512((const void *)to), b = _mm512_loadu_si512((const void *)from);
    _mm512_storeu_si512((void *)to, _mm512_max_epi32(a, b));
}

QMT_INLINE void finish16(const qmt_packed_layer *packed, int channel, const int32_t *sums, char *output)
{
    const __m512i sum = _mm512_loadu_si512((const void *)sums);
    const __mmask16 positive = _mm512_cmpgt_epi32_mask(sum, _mm512_setzero_si512());
    const __m512 factor = _mm512_mask_blend_ps(positive, _mm512_loadu_ps(packed->negative_factor + channel),
                                               _mm512_loadu_ps(packed->factor + channel));
    __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), factor);
    if (packed->output_scale > 0) {
        value = _mm512_max_ps(_mm512_min_ps(value, _mm512_set1_ps(127.0f)), _mm512_set1_ps(-127.0f));
        const __m128i bytes = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(value)); /* half to even */
        _mm_storeu_si128((__m128i *)(void *)((int8_t *)output + channel), bytes);
    } else {
        _mm512_storeu_ps((float *)(void *)output + channel, value);
    }
}

static void finish_tile(const qmt_packed_layer *packed, int channel, const int32_t *sums, int pixels, int blocks,
                        char *output)
{
    qmt_finish_tile(packed, channel, sums, pixels, blocks, output, finish16);
}

static void pool_tile(const qmt_packed_layer *packed, int channel, const int32_t *sums, const qmt_tile_pool *pool)
{
    qmt_pool_tile(packed, channel, sums, pool, max16, finish16);
}

/* ---- The table ----------------------------------------------------------------------------------- */

static const qmt_tile_kernels tiles = {
    .unsigned_input = true, .most_pixels = {13, 13, 6, 2}, .sum = sum_any, .finish = finish_tile, .pool = pool_tile};

static qmtcnn_status pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                          qmtcnn_error *error)
{
    return options->int8 ? qmt_tile_pack(layer, options, tiles.unsigned_input, false, packed, error)
                         : qmt_real_pack(layer, options, packed, error);
}

static size_t scratch_size(const qmt_packed_layer *packed, int input_width)
{
    return packed->int8 ? qmt_tile_scratch_size(packed, &tiles, input_width) : qmt_real_scratch(packed, input_width);
}

static void run(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    if (packed->int8)
        qmt_tile_run(packed, strip, &tiles);
    else
        qmt_real_strip(packed, strip);
}

const qmt_kernels *qmt_kernels_avx512vnni(void)
{
    static const qmt_kernels kernels = {"avx512vnni", pack, qmt_packed_release, qmt_packed_bytes,
                                        scratch_size, run,  qmt_avx2_normalize};
    return &kernels;
}
#endif
