/* INT8 kernels for 64-bit Arm processors with dot products (Cortex-A55 and A75 and later, such as Orin's A78AE; Apple).
 * SDOT multiplies 16 by 16 signed bytes and adds them, four at a time, to 4 sums of 32 bits: four registers hold 16
 * output channels, and a pixel's four inputs are taken from a lane of a register that holds 16 of them. FP32 runs on
 * the NEON table's kernels. */
#ifdef QMT_KERNELS_NEONDOT
#include "runtime/kernels/int8_walk.h"
#include "runtime/kernels/neon_finish.h"

#include <arm_neon.h>

enum { lanes = qmt_channel_step, quarters = 4, most_quarters = 20, most_pixels = 5 };

/* Adds the products of one group of four inputs; `lane` is a constant after inlining. */
QMT_INLINE void add_group(int32x4_t *sum, const int8x16_t *value, const int8_t *weight, size_t block_bytes,
                          const int pixels, const int count, const int lane)
{
    for (int q = 0; q < count; q++) {
        const int8x16_t w = vld1q_s8(weight + (size_t)(q / quarters) * block_bytes + (size_t)(q % quarters) * 16);
        for (int p = 0; p < pixels; p++) {
            int32x4_t *at = &sum[p * count + q];
            *at = lane == 0   ? vdotq_laneq_s32(*at, w, value[p], 0)
                  : lane == 1 ? vdotq_laneq_s32(*at, w, value[p], 1)
                  : lane == 2 ? vdotq_laneq_s32(*at, w, value[p], 2)
                              : vdotq_laneq_s32(*at, w, value[p], 3);
        }
    }
}

/* Sums of `pixels` x `blocks`, constants after inlining. Sums stay in registers. */
QMT_INLINE void sum_tile(const qmt_packed_layer *packed, int channel, const qmt_tile_input *input, int32_t *sums,
                         const int pixels, const int blocks)
{
    const size_t step = input->pixel_step, groups = ((size_t)packed->in_channels + 3) / 4;
    const size_t block_bytes = (size_t)(packed->kernel_height * packed->kernel_width) * groups * 4 * lanes;
    const int8_t *weight = (const int8_t *)packed->weight + (size_t)(channel / lanes) * block_bytes;
    const int count = quarters * blocks;
    int32x4_t sum[most_quarters];
    int8x16_t value[most_pixels];
    for (int p = 0; p < pixels; p++)
        for (int q = 0; q < count; q++)
            sum[p * count + q] = vld1q_s32(packed->bias_int32 + channel + q * 4);
    for (int ky = 0; ky < packed->kernel_height; ky++) {
        const int8_t *row = (const int8_t *)input->rows[ky] + input->offset;
        for (int kx = 0; kx < packed->kernel_width; kx++, row += input->column_step) {
            size_t group = 0;
            for (; group + 4 <= groups; group += 4, weight += 16 * lanes) {
                for (int p = 0; p < pixels; p++)
                    value[p] = vld1q_s8(row + (size_t)p * step + 4 * group);
                add_group(sum, value, weight, block_bytes, pixels, count, 0);
                add_group(sum, value, weight + 4 * lanes, block_bytes, pixels, count, 1);
                add_group(sum, value, weight + 8 * lanes, block_bytes, pixels, count, 2);
                add_group(sum, value, weight + 12 * lanes, block_bytes, pixels, count, 3);
            }
            for (; group < groups; group++, weight += 4 * lanes) {
                for (int p = 0; p < pixels; p++) {
                    const void *four = row + (size_t)p * step + 4 * group;
                    value[p] = vreinterpretq_s8_s32(vld1q_dup_s32((const int32_t *)four));
                }
                add_group(sum, value, weight, block_bytes, pixels, count, 0);
            }
        }
    }
    for (int i = 0; i < pixels * count; i++)
        vst1q_s32(sums + i * 4, sum[i]);
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
    case two + 1: sum_tile(packed, channel, input, sums, 1, 2); break;
    case two + 2: sum_tile(packed, channel, input, sums, 2, 2); break;
    case four + 1: sum_tile(packed, channel, input, sums, 1, 4); break;
    default: break; /* no such tile: see most_pixels */
    }
}

/* ---- The table ----------------------------------------------------------------------------------- */

static const qmt_tile_kernels tiles = {
    .most_pixels = {most_pixels, 2, 1}, .sum = sum_any, .finish = qmt_neon_finish_tile, .pool = qmt_neon_pool_tile};

static qmtcnn_status pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                          qmtcnn_error *error)
{
    return options->int8 ? qmt_tile_pack(layer, options, tiles.unsigned_input, false, packed, error)
                         : qmt_kernels_neon()->pack(layer, options, packed, error);
}

static size_t scratch_size(const qmt_packed_layer *packed, int input_width)
{
    return packed->int8 ? qmt_tile_scratch_size(packed, &tiles, input_width)
                        : qmt_kernels_neon()->scratch_size(packed, input_width);
}

static void run(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    if (packed->int8)
        qmt_tile_run(packed, strip, &tiles);
    else
        qmt_kernels_neon()->run(packed, strip);
}

const qmt_kernels *qmt_kernels_neondot(void)
{
    static const qmt_kernels kernels = {"neondot",    pack, qmt_packed_release, qmt_packed_bytes,
                                        scratch_size, run,  qmt_normalize};
    return &kernels;
}
#endif
