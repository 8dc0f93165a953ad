/* Resizing on 64-bit Arm: SMLAL multiplies four values by a tap's weight and adds the products. */
#include "runtime/detect/resize_loops.h"

#if defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#include <string.h>

enum {
    wide = 16 /* values that the first pass makes at once */
};

/* 16 values. */
QMT_INLINE void sum_wide(const uint8_t *source, ptrdiff_t stride, const int16_t *weights, int taps, int16_t *output)
{
    int32x4_t a = vdupq_n_s32(0), b = a, c = a, d = a;
    for (int t = 0; t < taps; t++, source += stride) {
        const uint8x16_t bytes = vld1q_u8(source);
        const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes)));
        const int16x8_t high = vreinterpretq_s16_u16(vmovl_high_u8(bytes));
        const int16x8_t weight = vdupq_n_s16(weights[t]);
        a = vmlal_s16(a, vget_low_s16(low), vget_low_s16(weight));
        b = vmlal_high_s16(b, low, weight);
        c = vmlal_s16(c, vget_low_s16(high), vget_low_s16(weight));
        d = vmlal_high_s16(d, high, weight);
    }
    vst1q_s16(output, vcombine_s16(vrshrn_n_s32(a, qmt_resize_row_shift), vrshrn_n_s32(b, qmt_resize_row_shift)));
    vst1q_s16(output + 8, vcombine_s16(vrshrn_n_s32(c, qmt_resize_row_shift), vrshrn_n_s32(d, qmt_resize_row_shift)));
}

/* The last block begins earlier where it would pass the end: some values are then made twice. */
static void sum_rows(const uint8_t *source, ptrdiff_t stride, const int16_t *weights, int taps, size_t count,
                     int16_t *output)
{
    size_t at = 0;
    if (count < wide) {
        qmt_resize_sum_few(source, stride, weights, taps, count, output);
        return;
    }
    for (; at + wide <= count; at += wide)
        sum_wide(source + at, stride, weights, taps, output + at);
    if (at < count)
        sum_wide(source + count - wide, stride, weights, taps, output + count - wide);
}

/* An output pixel: R G B and a value that is not used. */
QMT_INLINE int16x4_t sum_pixel(const qmt_resize_columns *columns, const int16_t *row, int x, int taps)
{
    const int16_t *from = row + 3 * (size_t)columns->first[x], *weights = columns->weights + (size_t)x * (size_t)taps;
    int32x4_t sum = vdupq_n_s32(0);
    for (int t = 0; t < taps; t++)
        sum = vmlal_n_s16(sum, vld1_s16(from + 3 * t), weights[t]);
    return vqmovn_s32(vrshrq_n_s32(sum, qmt_resize_column_shift));
}

/* Eight pixels, 24 bytes. */
QMT_INLINE void sum_group(const qmt_resize_columns *columns, const int16_t *row, int x, int taps, uint8_t *output)
{
    static const uint8_t order[16] = {0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 255, 255, 255, 255};
    const uint8x16_t gather = vld1q_u8(order);
    uint8x8_t pairs[4];
    for (int i = 0; i < 4; i++) {
        const int16x4_t even = sum_pixel(columns, row, x + 2 * i, taps);
        const int16x4_t odd = sum_pixel(columns, row, x + 2 * i + 1, taps);
        pairs[i] = vqmovun_s16(vcombine_s16(even, odd));
    }
    const uint8x16_t first = vqtbl1q_u8(vcombine_u8(pairs[0], pairs[1]), gather);
    const uint8x16_t second = vqtbl1q_u8(vcombine_u8(pairs[2], pairs[3]), gather);
    const uint32_t last = vgetq_lane_u32(vreinterpretq_u32_u8(second), 2);
    vst1q_u8(output, first); /* four bytes too many, which the next lines overwrite */
    vst1_u8(output + 12, vget_low_u8(second));
    memcpy(output + 20, &last, sizeof last);
}

static void sum_columns(const qmt_resize_columns *columns, const int16_t *row, uint8_t *output, int out_width)
{
    qmt_resize_sum_columns(columns, row, output, out_width, sum_group);
}

const qmt_resize_kernels *qmt_resize_kernels_neon(void)
{
    static const qmt_resize_kernels kernels = {"neon", sum_rows, sum_columns};
    return &kernels;
}
#else
const qmt_resize_kernels *qmt_resize_kernels_neon(void)
{
    return NULL;
}
#endif
