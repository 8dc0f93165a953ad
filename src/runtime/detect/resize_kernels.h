/* The inner loops of resizing, for each processor family: all give the same integers. Private to runtime/detect, and
 * open to tests. */
#ifndef QMT_DETECT_RESIZE_KERNELS_H
#define QMT_DETECT_RESIZE_KERNELS_H

#include "runtime/base/status.h"

#include <stdint.h>

/* Two passes: rows of source bytes to one row of 15-bit sums, then that row to bytes. The first pass runs over
 * contiguous memory whatever the ratio, so that it takes most of the work. */
enum {
    qmt_resize_weight_bits = 14, /* weights in units of 2^-14 fit 16-bit multipliers; their sum is at most 2^14 */
    qmt_resize_middle_bits = 7,  /* fraction bits between the passes: 255 << 7 fits a signed 16-bit value */
    qmt_resize_row_shift = qmt_resize_weight_bits - qmt_resize_middle_bits,    /* from the first pass's sums */
    qmt_resize_column_shift = qmt_resize_weight_bits + qmt_resize_middle_bits, /* ... and the second's */
    qmt_resize_column_group = 8, /* output pixels that the second pass makes at once */
    qmt_resize_row_slack = 8     /* values that the second pass may read past a pixel's last tap */
};

/* What makes each output pixel of a row: `taps` source pixels from first[x] on. */
typedef struct qmt_resize_columns {
    int taps;               /* even; those that a pixel does not need have weight 0 */
    const int32_t *first;   /* [out_width rounded up to the group], source pixels from the row's start */
    const int16_t *weights; /* [out_width rounded up to the group][taps] */
} qmt_resize_columns;

typedef struct qmt_resize_kernels {
    const char *name; /* "c", "avx2", ... */
    /* output[i] = the rounded sum of weights[t] * source[t * stride + i] over `taps` rows (at least 1), with
     * middle_bits of fraction, for i in [0, count). Reads and writes nothing else. */
    void (*sum_rows)(const uint8_t *source, ptrdiff_t stride, const int16_t *weights, int taps, size_t count,
                     int16_t *output);
    /* `out_width` RGB pixels from a row of RGB sums. Reads up to 3 * taps + row_slack values from a pixel's first on;
     * writes 3 * out_width bytes. */
    void (*sum_columns)(const qmt_resize_columns *columns, const int16_t *row, uint8_t *output, int out_width);
} qmt_resize_kernels;

/* The plain C loops: the reference for all others. */
const qmt_resize_kernels *qmt_resize_kernels_c(void);
/* For x86 processors with AVX2; NULL where this build has none. */
const qmt_resize_kernels *qmt_resize_kernels_avx2(void);
/* For 64-bit Arm, which always has NEON; NULL elsewhere. */
const qmt_resize_kernels *qmt_resize_kernels_neon(void);
/* The best for this processor, or the one called `name` (NULL: best). NULL where it is unknown or can't run here. */
const qmt_resize_kernels *qmt_resize_kernels_select(const char *name);

#endif
