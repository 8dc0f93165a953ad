/* The loops around vectors that the SIMD tables of resizing share, inlined into each. Private to runtime/detect. */
#ifndef QMT_DETECT_RESIZE_LOOPS_H
#define QMT_DETECT_RESIZE_LOOPS_H

#include "runtime/base/inline.h"
#include "runtime/detect/resize_kernels.h"

#include <string.h>

/* The first pass where a row is shorter than a vector. */
static inline void qmt_resize_sum_few(const uint8_t *source, ptrdiff_t stride, const int16_t *weights, int taps,
                                      size_t count, int16_t *output)
{
    for (size_t i = 0; i < count; i++) {
        int32_t sum = 1 << (qmt_resize_row_shift - 1);
        for (int t = 0; t < taps; t++)
            sum += weights[t] * (int16_t)source[t * stride + (ptrdiff_t)i];
        output[i] = (int16_t)(sum >> qmt_resize_row_shift);
    }
}

/* Makes pixels [x, x + column_group) of the second pass: 24 bytes. */
typedef void (*qmt_resize_sum_group)(const qmt_resize_columns *columns, const int16_t *row, int x, int taps,
                                     uint8_t *output);

QMT_INLINE void qmt_resize_sum_groups(const qmt_resize_columns *columns, const int16_t *row, int taps, uint8_t *output,
                                      int out_width, qmt_resize_sum_group sum_group)
{
    int x = 0;
    for (; x + qmt_resize_column_group <= out_width; x += qmt_resize_column_group)
        sum_group(columns, row, x, taps, output + 3 * x);
    if (x < out_width) {
        uint8_t group[3 * qmt_resize_column_group];
        sum_group(columns, row, x, taps, group);
        memcpy(output + 3 * x, group, 3 * (size_t)(out_width - x));
    }
}

/* The second pass. The usual numbers of taps are constants here, so that their loops unroll. */
QMT_INLINE void qmt_resize_sum_columns(const qmt_resize_columns *columns, const int16_t *row, uint8_t *output,
                                       int out_width, qmt_resize_sum_group sum_group)
{
    switch (columns->taps) {
    case 2: qmt_resize_sum_groups(columns, row, 2, output, out_width, sum_group); break;
    case 4: qmt_resize_sum_groups(columns, row, 4, output, out_width, sum_group); break;
    case 6: qmt_resize_sum_groups(columns, row, 6, output, out_width, sum_group); break;
    default: qmt_resize_sum_groups(columns, row, columns->taps, output, out_width, sum_group); break;
    }
}

#endif
