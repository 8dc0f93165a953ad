/* INT8 kernels for any 64-bit Arm processor (such as Cortex-A53, A57 and A72). SMULL and SMLAL multiply 8 by 8 bytes
 * into 8 sums of 16 bits; two products fit (2 * 127 * 127 < 32768), and SADALP adds such pairs of sums, which belong to
 * one output channel, to 32 bits. FP32: real_tiles.h. */
#ifdef QMT_KERNELS_NEON
#include "runtime/kernels/neon_finish.h"
#include "runtime/kernels/real_tiles.h"

#include <arm_neon.h>

/* A loop over a tile's pixels must be unrolled, so that its sums live in registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

enum { lanes = qmt_channel_step, quarters = 4, most_quarters = 20 };

/* A pixel's next two inputs, in every pair of lanes. */
QMT_INLINE int8x16_t load_two(const int8_t *pixel)
{
    const void *two = pixel;
    return vreinterpretq_s8_s16(vld1q_dup_s16((const int16_t *)two));
}

/* Sums of 16 channels of `pixels` (a constant after inlining). Weights: [ky][kx][in / 4][2][16][2]. */
QMT_INLINE void sum_tile(const qmt_packed_layer *packed, int channel, const qmt_tile_input *input, int32_t *sums,
                         const int pixels)
{
    const size_t step = input->pixel_step, groups = ((size_t)packed->in_channels + 3) / 4;
    const size_t block_bytes = (size_t)(packed->kernel_height * packed->kernel_width) * groups * 4 * lanes;
    const int8_t *weight = (const int8_t *)packed->weight + (size_t)(channel / lanes) * block_bytes;
    int32x4_t sum[most_quarters];
    for (int p = 0; p < pixels; p++)
        for (int q = 0; q < quarters; q++)
            sum[p * quarters + q] = vld1q_s32(packed->bias_int32 + channel + q * 4);
    for (int ky = 0; ky < packed->kernel_height; ky++) {
        const int8_t *row = (const int8_t *)input->rows[ky] + input->offset;
        for (int kx = 0; kx < packed->kernel_width; kx++, row += input->column_step)
            for (size_t group = 0; group < groups; group++, weight += 4 * lanes) {
                const int8x16_t first_low = vld1q_s8(weight), first_high = vld1q_s8(weight + 16);
                const int8x16_t second_low = vld1q_s8(weight + 32), second_high = vld1q_s8(weight + 48);
                UNROLL
                for (int p = 0; p < pixels; p++) {
                    const int8_t *four = row + (size_t)p * step + 4 * group;
                    const int8x16_t a = load_two(four), b = load_two(four + 2);
                    const int8x8_t half_a = vget_low_s8(a), half_b = vget_low_s8(b);
                    int32x4_t *at = &sum[p * quarters];
                    at[0] = vpadalq_s16(
                        at[0], vmlal_s8(vmull_s8(vget_low_s8(first_low), half_a), vget_low_s8(second_low), half_b));
                    at[1] = vpadalq_s16(at[1], vmlal_high_s8(vmull_high_s8(first_low, a), second_low, b));
                    at[2] = vpadalq_s16(
                        at[2], vmlal_s8(vmull_s8(vget_low_s8(first_high), half_a), vget_low_s8(second_high), half_b));
                    at[3] = vpadalq_s16(at[3], vmlal_high_s8(vmull_high_s8(first_high, a), second_high, b));
                }
            }
    }
    for (int i = 0; i < pixels * quarters; i++)
        vst1q_s32(sums + i * 4, sum[i]);
}

/* The same with a count that is known only when it runs. One block at a time: see most_pixels. */
static void sum_any(const qmt_packed_layer *packed, int channel, const qmt_tile_input *input, int pixels, int blocks,
                    int32_t *sums)
{
    (void)blocks;
    switch (pixels) {
    case 1: sum_tile(packed, channel, input, sums, 1); break;
    case 2: sum_tile(packed, channel, input, sums, 2); break;
    case 3: sum_tile(packed, channel, input, sums, 3); break;
    case 4: sum_tile(packed, channel, input, sums, 4); break;
    default: sum_tile(packed, channel, input, sums, 5); break;
    }
}

/* ---- After the sums ------------------------------------------------------------------------------ */

QMT_INLINE void max16(int32_t *to, const int32_t *from)
{
    for (int i = 0; i < lanes; i += 4)
        vst1q_s32(to + i, vmaxq_s32(vld1q_s32(to + i), vld1q_s32(from + i)));
}

/* 4 sums, each times the factor of its sign. */
QMT_INLINE float32x4_t scale_sums(const qmt_packed_layer *packed, int channel, const int32_t *sums)
{
    const int32x4_t sum = vld1q_s32(sums);
    const float32x4_t factor =
        vbslq_f32(vcgtzq_s32(sum), vld1q_f32(packed->factor + channel), vld1q_f32(packed->negative_factor + channel));
    return vmulq_f32(vcvtq_f32_s32(sum), factor);
}

/* Rounded half to even and saturated at +-127. */
QMT_INLINE int16x4_t to_int16(float32x4_t value)
{
    value = vmaxq_f32(vminq_f32(value, vdupq_n_f32(127.0f)), vdupq_n_f32(-127.0f));
    return vmovn_s32(vcvtnq_s32_f32(value));
}

QMT_INLINE void finish16(const qmt_packed_layer *packed, int channel, const int32_t *sums, char *output)
{
    float32x4_t value[quarters];
    for (int q = 0; q < quarters; q++)
        value[q] = scale_sums(packed, channel + 4 * q, sums + 4 * q);
    if (packed->output_scale > 0) {
        const int16x8_t low = vcombine_s16(to_int16(value[0]), to_int16(value[1]));
        const int16x8_t high = vcombine_s16(to_int16(value[2]), to_int16(value[3]));
        vst1q_s8((int8_t *)output + channel, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
    } else {
        for (int q = 0; q < quarters; q++)
            vst1q_f32((float *)(void *)output + channel + 4 * q, value[q]);
    }
}

void qmt_neon_finish_tile(const qmt_packed_layer *packed, int channel, const int32_t *sums, int pixels, int blocks,
                          char *output)
{
    qmt_finish_tile(packed, channel, sums, pixels, blocks, output, finish16);
}

void qmt_neon_pool_tile(const qmt_packed_layer *packed, int channel, const int32_t *sums, const qmt_tile_pool *pool)
{
    qmt_pool_tile(packed, channel, sums, pool, max16, finish16);
}

/* ---- The table ----------------------------------------------------------------------------------- */

static const qmt_tile_kernels tiles = {
    .most_pixels = {5, 0, 0}, .sum = sum_any, .finish = qmt_neon_finish_tile, .pool = qmt_neon_pool_tile};

static qmtcnn_status pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                          qmtcnn_error *error)
{
    return options->int8 ? qmt_tile_pack(layer, options, tiles.unsigned_input, true, packed, error)
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

const qmt_kernels *qmt_kernels_neon(void)
{
    static const qmt_kernels kernels = {"neon",       pack, qmt_packed_release, qmt_packed_bytes,
                                        scratch_size, run,  qmt_normalize};
    return &kernels;
}
#endif
