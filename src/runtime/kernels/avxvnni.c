/* INT8 kernels for x86 processors with AVX-VNNI but no AVX-512 (Alder Lake and later): VPDPBUSD as in avx512vnni.c, on
 * 32 bytes, so that two registers hold 16 output channels. FP32 runs on the AVX2 table's kernels. */
#ifdef QMT_KERNELS_AVXVNNI
#include "runtime/kernels/avx2_int8.h"
#include "runtime/kernels/int8_walk.h"

#include <immintrin.h>
#include <string.h>

enum { lanes = qmt_channel_step, halves = 2, most_halves = 12 };

QMT_INLINE __m256i load(const void *at)
{
    return _mm256_loadu_si256((const __m256i *)at);
}

/* A pixel's next four inputs, in every lane. */
QMT_INLINE __m256i load_four(const uint8_t *pixel)
{
    int four;
    memcpy(&four, pixel, sizeof four);
    return _mm256_set1_epi32(four);
}

/* Adds the products of one group of inputs. Of weights and pixels, the fewer wait in registers for the others: there
 * are four beside the sums. */
QMT_INLINE void add_by_pixel(__m256i *sum, const uint8_t *inputs, size_t step, const int8_t *weight, const int pixels)
{
    const __m256i low = load(weight), high = load(weight + 32);
    for (int p = 0; p < pixels; p++) {
        const __m256i value = load_four(inputs + (size_t)p * step);
        sum[2 * p] = _mm256_dpbusd_avx_epi32(sum[2 * p], value, low);
        sum[2 * p + 1] = _mm256_dpbusd_avx_epi32(sum[2 * p + 1], value, high);
    }
}

QMT_INLINE void add_by_channel(__m256i *sum, const uint8_t *inputs, size_t step, const int8_t *weight,
                               size_t block_bytes, const int pixels, const int count)
{
    __m256i value[3];
    for (int p = 0; p < pixels; p++)
        value[p] = load_four(inputs + (size_t)p * step);
    for (int h = 0; h < count; h++) {
        const __m256i w = load(weight + (size_t)(h / halves) * block_bytes + (size_t)(h % halves) * 32);
        for (int p = 0; p < pixels; p++)
            sum[p * count + h] = _mm256_dpbusd_avx_epi32(sum[p * count + h], value[p], w);
    }
}

/* Sums of `pixels` x `blocks`, constants after inlining. Sums stay in registers. */
QMT_INLINE void sum_tile(const qmt_packed_layer *packed, int channel, const qmt_tile_input *input, int32_t *sums,
                         const int pixels, const int blocks)
{
    const size_t step = input->pixel_step, groups = ((size_t)packed->in_channels + 3) / 4;
    const size_t block_bytes = (size_t)(packed->kernel_height * packed->kernel_width) * groups * 4 * lanes;
    const int8_t *weight = (const int8_t *)packed->weight + (size_t)(channel / lanes) * block_bytes;
    const int count = halves * blocks;
    __m256i sum[most_halves];
    for (int p = 0; p < pixels; p++)
        for (int h = 0; h < count; h++)
            sum[p * count + h] = load(packed->bias_int32 + channel + h * 8);
    for (int ky = 0; ky < packed->kernel_height; ky++) {
        const uint8_t *row = input->rows[ky] + input->offset;
        for (int kx = 0; kx < packed->kernel_width; kx++, row += input->column_step)
            for (size_t group = 0; group < groups; group++, weight += 4 * lanes) {
                if (blocks == 1)
                    add_by_pixel(sum, row + 4 * group, step, weight, pixels);
                else
                    add_by_channel(sum, row + 4 * group, step, weight, block_bytes, pixels, count);
            }
    }
    for (int i = 0; i < pixels * count; i++)
        _mm256_storeu_si256((__m256i *)(void *)(sums + i * 8), sum[i]);
}

/* The same with counts that are known only when it runs. */
static void sum_any(const qmt_packed_layer *packed, int channel, const qmt_tile_input *input, int pixels, int blocks,
                    int32_t *sums)
{
    enum { one = 8, two = 16, four = 32 };
    switch (blocks * 8 + pixels) {
    case one + 1: sum_tile(packed, channel, input, sums, 1, 1); break;
    case one + 2: sum_tile(packed, channel, input, sums, 2, 1); break;
    case one + 3: sum_tile(packed, channel, input, sums, 3, 1); break;
    case one + 4: sum_tile(packed, channel, input, sums, 4, 1); break;
    case one + 5: sum_tile(packed, channel, input, sums, 5, 1); break;
    case one + 6: sum_tile(packed, channel, input, sums, 6, 1); break;
    case two + 1: sum_tile(packed, channel, input, sums, 1, 2); break;
    case two + 2: sum_tile(packed, channel, input, sums, 2, 2); break;
    case two + 3: sum_tile(packed, channel, input, sums, 3, 2); break;
    case four + 1: sum_tile(packed, channel, input, sums, 1, 4); break;
    default: break; /* no such tile: see most_pixels */
    }
}

/* ---- After the sums ------------------------------------------------------------------------------ */

QMT_INLINE void max16(int32_t *to, const int32_t *from)
{
    for (int i = 0; i < lanes; i += 8)
        _mm256_storeu_si256((__m256i *)(void *)(to + i), _mm256_max_epi32(load(to + i), load(from + i)));
}

/* 8 sums, each times the factor of its sign. */
QMT_INLINE __m256 scale_sums(const qmt_packed_layer *packed, int channel, const int32_t *sums)
{
    const __m256i sum = load(sums);
    const __m256 positive = _mm256_castsi256_ps(_mm256_cmpgt_epi32(sum, _mm256_setzero_si256()));
    const __m256 factor = _mm256_blendv_ps(_mm256_loadu_ps(packed->negative_factor + channel),
                                           _mm256_loadu_ps(packed->factor + channel), positive);
    return _mm256_mul_ps(_mm256_cvtepi32_ps(sum), factor);
}

/* Rounded half to even and saturated at +-127. */
QMT_INLINE __m256i to_int32(__m256 value)
{
    return _mm256_cvtps_epi32(_mm256_max_ps(_mm256_min_ps(value, _mm256_set1_ps(127.0f)), _mm256_set1_ps(-127.0f)));
}

QMT_INLINE void finish16(const qmt_packed_layer *packed, int channel, const int32_t *sums, char *output)
{
    const __m256 low = scale_sums(packed, channel, sums), high = scale_sums(packed, channel + 8, sums + 8);
    if (packed->output_scale > 0) {
        const __m256i mixed = _mm256_packs_epi32(to_int32(low), to_int32(high));
        const __m256i words = _mm256_permute4x64_epi64(mixed, 0xd8); /* quarters 0 2 1 3: in order again */
        const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        _mm_storeu_si128((__m128i *)(void *)((int8_t *)output + channel), bytes);
    } else {
        _mm256_storeu_ps((float *)(void *)output + channel, low);
        _mm256_storeu_ps((float *)(void *)output + channel + 8, high);
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
    .unsigned_input = true, .most_pixels = {6, 3, 1}, .sum = sum_any, .finish = finish_tile, .pool = pool_tile};

static qmtcnn_status pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                          qmtcnn_error *error)
{
    return options->int8 ? qmt_tile_pack(layer, options, tiles.unsigned_input, false, packed, error)
                         : qmt_kernels_avx2()->pack(layer, options, packed, error);
}

static size_t scratch_size(const qmt_packed_layer *packed, int input_width)
{
    return packed->int8 ? qmt_tile_scratch_size(packed, &tiles, input_width)
                        : qmt_kernels_avx2()->scratch_size(packed, input_width);
}

static void run(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    if (packed->int8)
        qmt_tile_run(packed, strip, &tiles);
    else
        qmt_kernels_avx2()->run(packed, strip);
}

const qmt_kernels *qmt_kernels_avxvnni(void)
{
    static const qmt_kernels kernels = {"avxvnni",    pack, qmt_packed_release, qmt_packed_bytes,
                                        scratch_size, run,  qmt_avx2_normalize};
    return &kernels;
}
#endif
