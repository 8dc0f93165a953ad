#include "runtime/detect/resize_kernels.h"

#include "runtime/base/cpu.h"

#include <string.h>

enum { row_block = 512 }; /* values of a row whose sums stay in the first-level cache */

static void sum_rows(const uint8_t *source, ptrdiff_t stride, const int16_t *weights, int taps, size_t count,
                     int16_t *output)
{
    int32_t sums[row_block];
    for (size_t at = 0; at < count; at += row_block) {
        const int block = count - at < row_block ? (int)(count - at) : row_block;
        for (int i = 0; i < block; i++)
            sums[i] = 1 << (qmt_resize_row_shift - 1);
        for (int t = 0; t < taps; t++) {
            const uint8_t *pixels = source + t * stride + at;
            for (int i = 0; i < block; i++)
                sums[i] += weights[t] * (int16_t)pixels[i];
        }
        for (int i = 0; i < block; i++)
            output[at + (size_t)i] = (int16_t)(sums[i] >> qmt_resize_row_shift);
    }
}

/* Four channels at a time fill a register; the fourth is not used. */
static void sum_columns(const qmt_resize_columns *columns, const int16_t *row, uint8_t *output, int out_width)
{
    const int32_t half = 1 << (qmt_resize_column_shift - 1);
    for (int x = 0; x < out_width; x++) {
        const int16_t *weights = columns->weights + (size_t)x * (size_t)columns->taps;
        const int16_t *source = row + 3 * (size_t)columns->first[x];
        int32_t sums[4] = {half, half, half, 0};
        for (int t = 0; t < columns->taps; t++, source += 3) {
            for (int c = 0; c < 4; c++)
                sums[c] += weights[t] * source[c];
        }
        for (int c = 0; c < 3; c++)
            output[3 * x + c] = (uint8_t)(sums[c] >> qmt_resize_column_shift);
    }
}

const qmt_resize_kernels *qmt_resize_kernels_c(void)
{
    static const qmt_resize_kernels kernels = {"c", sum_rows, sum_columns};
    return &kernels;
}

const qmt_resize_kernels *qmt_resize_kernels_select(const char *name)
{
    const qmt_resize_kernels *avx2 = qmt_resize_kernels_avx2(), *neon = qmt_resize_kernels_neon();
    if (avx2 && qmt_cpu_detect().avx2 && (!name || strcmp(name, avx2->name) == 0))
        return avx2;
    if (neon && (!name || strcmp(name, neon->name) == 0))
        return neon;
    return !name || strcmp(name, qmt_resize_kernels_c()->name) == 0 ? qmt_resize_kernels_c() : NULL;
}
