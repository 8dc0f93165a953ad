#include "runtime/detect/resize.h"

#include <math.h>
#include <string.h>

/* Two passes: columns of source pixels to a row of 15-bit sums, then that row to bytes. The first pass runs over
 * contiguous memory whatever the ratio, so that it takes most of the work. */
enum {
    fine_bits = 14,   /* weights in units of 2^-14 fit 16-bit multipliers; their sum is exact */
    coarse_taps = 64, /* where more pixels than this make one, 14 bits are too few ... */
    coarse_bits = 22, /* ... and 22 are used: 8-bit pixels times these still fit 32 bits */
    middle_bits = 7,  /* fraction bits between the passes: 255 << 7 fits a signed 16-bit value */
    row_block = 512,  /* values of a row whose sums stay in the first-level cache */
    max_side = 65535,
    pad = 8 /* the second pass reads a fourth channel past the last pixel */
};

/* The pixels that make one output pixel, along one axis; none where it lies outside the picture. */
struct tap {
    int first, count;
    int weights; /* index of the first weight */
};

struct axis {
    struct tap *taps;
    int32_t *weights;
    int bits;
    int low, high; /* source pixels [low, high) are read */
};

void qmt_resizer_clear(qmt_resizer *resizer)
{
    qmt_free(resizer->memory);
    resizer->memory = NULL;
    resizer->size = 0;
}

/* floor() and ceil() as one conversion, for the numbers here, which stay under 2^26. */
static int floor_int(double x)
{
    const int whole = (int)x; /* toward zero */
    return whole - (x < whole);
}

static int ceil_int(double x)
{
    return -floor_int(-x);
}

static int32_t round_weight(double share, int bits)
{
    return (int32_t)(share * (double)(1 << bits) + 0.5);
}

static int clamp(int x, int low, int high)
{
    return x < low ? low : x > high ? high : x;
}

/* Shares of the pixels that [start, start + length) covers. Rounding the running sum instead of each share keeps the
 * total exact, so that a constant picture stays constant. */
static int mean_taps(struct tap *tap, int32_t *weights, double start, double length, int size, int bits)
{
    double end = start + length;
    int first = clamp(floor_int(start), 0, size);
    int last = clamp(ceil_int(end), 0, size);
    if (last <= first)
        return 0;
    int32_t before = first <= start ? 0 : round_weight((first - start) / length, bits);
    for (int i = first; i < last; i++) {
        int32_t after = i + 1 >= end ? 1 << bits : round_weight((i + 1 - start) / length, bits);
        weights[i - first] = after - before;
        before = after;
    }
    tap->first = first;
    tap->count = last - first;
    return tap->count;
}

/* The two pixels around `center` (in pixel centers). Pixels that the rectangle, [low, high], doesn't touch are not
 * used: its edge repeats instead. */
static int linear_taps(struct tap *tap, int32_t *weights, double center, double low, double high, int size)
{
    if (center < low)
        center = low;
    if (center > high)
        center = high;
    int whole = floor_int(center);
    int32_t second = round_weight(center - whole, fine_bits);
    int32_t pair[2] = {(1 << fine_bits) - second, second};
    int count = 0;
    for (int i = 0; i < 2; i++) {
        int position = whole + i;
        if (pair[i] == 0 || position < 0 || position >= size)
            continue;
        if (count == 0)
            tap->first = position;
        weights[count++] = pair[i];
    }
    tap->count = count;
    return count;
}

/* Fills an axis whose memory is there. */
static void plan_axis(struct axis *axis, double start, double length, int size, int out_size)
{
    double ratio = length / out_size;
    const double low = floor_int(start), high = ceil_int(start + length) - 1;
    int used = 0;
    axis->bits = ratio > coarse_taps ? coarse_bits : fine_bits;
    axis->low = size;
    axis->high = 0;
    for (int i = 0; i < out_size; i++) {
        struct tap *tap = &axis->taps[i];
        *tap = (struct tap){0, 0, used};
        if (ratio > 1)
            used += mean_taps(tap, axis->weights + used, start + i * ratio, ratio, size, axis->bits);
        else
            used += linear_taps(tap, axis->weights + used, start + (i + 0.5) * ratio - 0.5, low, high, size);
        if (tap->count == 0)
            continue;
        if (tap->first < axis->low)
            axis->low = tap->first;
        if (tap->first + tap->count > axis->high)
            axis->high = tap->first + tap->count;
    }
    if (axis->high < axis->low)
        axis->low = axis->high = 0;
}

/* Weights that an axis can need: neighbors share at most one pixel where it shrinks; two a pixel where it grows. */
static size_t axis_weights(int size, int out_size)
{
    return (size_t)size + 2 * (size_t)out_size + 2;
}

/* Gives the axes and the middle row their memory. */
static qmtcnn_status reserve(qmt_resizer *resizer, int width, int height, int out_width, int out_height,
                             struct axis axes[2], int16_t **row, qmtcnn_error *error)
{
    size_t weights[2] = {axis_weights(width, out_width), axis_weights(height, out_height)};
    size_t taps[2] = {(size_t)out_width, (size_t)out_height};
    size_t row_size = 3 * (size_t)width + pad;
    size_t size = (weights[0] + weights[1]) * sizeof(int32_t) + (taps[0] + taps[1]) * sizeof(struct tap) +
                  row_size * sizeof(int16_t);
    if (size > resizer->size) {
        void *memory = qmt_alloc(size, 1);
        if (!memory)
            return qmt_fail_memory(error, size, "resizing a picture");
        qmt_resizer_clear(resizer);
        resizer->memory = memory;
        resizer->size = size;
    }
    axes[0].weights = resizer->memory;
    axes[1].weights = axes[0].weights + weights[0];
    axes[0].taps = (struct tap *)(axes[1].weights + weights[1]);
    axes[1].taps = axes[0].taps + taps[0];
    *row = (int16_t *)(axes[1].taps + taps[1]);
    return QMTCNN_OK;
}

static void add_fine(int32_t *sums, const uint8_t *pixels, int count, int16_t weight)
{
    for (int i = 0; i < count; i++)
        sums[i] += weight * (int16_t)pixels[i];
}

static void add_coarse(int32_t *sums, const uint8_t *pixels, int count, int32_t weight)
{
    for (int i = 0; i < count; i++)
        sums[i] += weight * pixels[i];
}

/* First pass: the weighted sum of some source rows, `count` values from `pixels` on, with middle_bits of fraction. */
static void sum_rows(const struct tap *tap, const struct axis *axis, const uint8_t *pixels, ptrdiff_t stride,
                     size_t count, int16_t *row)
{
    int32_t sums[row_block];
    const int32_t *weights = axis->weights + tap->weights;
    const int shift = axis->bits - middle_bits;
    for (size_t at = 0; at < count; at += row_block) {
        int block = count - at < row_block ? (int)(count - at) : row_block;
        for (int i = 0; i < block; i++)
            sums[i] = 1 << (shift - 1);
        for (int t = 0; t < tap->count; t++) {
            const uint8_t *source = pixels + (ptrdiff_t)(tap->first + t) * stride + at;
            if (axis->bits == fine_bits)
                add_fine(sums, source, block, (int16_t)weights[t]);
            else
                add_coarse(sums, source, block, weights[t]);
        }
        for (int i = 0; i < block; i++)
            row[at + (size_t)i] = (int16_t)(sums[i] >> shift);
    }
}

/* Second pass, few pixels to one. Four channels at a time fill a register; the fourth is not used. */
static void sum_columns_fine(const struct axis *axis, const int16_t *row, uint8_t *output, int out_width)
{
    const int shift = middle_bits + fine_bits;
    for (int x = 0; x < out_width; x++) {
        const struct tap *tap = &axis->taps[x];
        const int32_t *weights = axis->weights + tap->weights;
        const int16_t *source = row + 3 * (ptrdiff_t)(tap->first - axis->low);
        int32_t sums[4] = {1 << (shift - 1), 1 << (shift - 1), 1 << (shift - 1), 0};
        for (int t = 0; t < tap->count; t++, source += 3) {
            for (int c = 0; c < 4; c++)
                sums[c] += (int16_t)weights[t] * source[c];
        }
        for (int c = 0; c < 3; c++)
            output[3 * x + c] = (uint8_t)(sums[c] >> shift);
    }
}

/* Second pass, many pixels to one. */
static void sum_columns_coarse(const struct axis *axis, const int16_t *row, uint8_t *output, int out_width)
{
    const int shift = middle_bits + coarse_bits;
    for (int x = 0; x < out_width; x++) {
        const struct tap *tap = &axis->taps[x];
        const int32_t *weights = axis->weights + tap->weights;
        const int16_t *source = row + 3 * (ptrdiff_t)(tap->first - axis->low);
        for (int c = 0; c < 3; c++) {
            int64_t sum = (int64_t)1 << (shift - 1);
            for (int t = 0; t < tap->count; t++)
                sum += (int64_t)weights[t] * source[3 * t + c];
            output[3 * x + c] = (uint8_t)(sum >> shift);
        }
    }
}

static qmtcnn_status check(const qmt_pixels *source, double x, double y, double width, double height,
                           const uint8_t *output, int out_width, int out_height, qmtcnn_error *error)
{
    /* Far enough for every box around a picture, and near enough for fractions of pixels to be exact. */
    const double limit = 1 << 24;
    if (!source || !source->data || !output || source->width < 1 || source->height < 1 || source->width > max_side ||
        source->height > max_side)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "resize: no picture, or its sides are not in 1 .. %d", max_side);
    if (out_width < 1 || out_height < 1 || out_width > max_side || out_height > max_side)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "resize to %d x %d: sides must be in 1 .. %d", out_width,
                        out_height, max_side);
    if (!(fabs(x) <= limit && fabs(y) <= limit && width > 0 && width <= limit && height > 0 && height <= limit))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "resize of the rectangle at %g, %g of %g x %g pixels: it must have a size, and no number may "
                        "pass %g",
                        x, y, width, height, limit);
    return QMTCNN_OK;
}

qmtcnn_status qmt_resize(qmt_resizer *resizer, const qmt_pixels *source, double x, double y, double width,
                         double height, uint8_t *output, int out_width, int out_height, ptrdiff_t out_stride,
                         qmtcnn_error *error)
{
    struct axis axes[2];
    struct axis *columns = &axes[0], *rows = &axes[1];
    int16_t *row = NULL;
    qmtcnn_status status = check(source, x, y, width, height, output, out_width, out_height, error);
    if (status == QMTCNN_OK)
        status = reserve(resizer, source->width, source->height, out_width, out_height, axes, &row, error);
    if (status != QMTCNN_OK)
        return status;
    plan_axis(columns, x, width, source->width, out_width);
    plan_axis(rows, y, height, source->height, out_height);
    const uint8_t *left = source->data + 3 * (ptrdiff_t)columns->low;
    size_t count = 3 * (size_t)(columns->high - columns->low);
    memset(row + count, 0, pad * sizeof *row);
    for (int i = 0; i < out_height; i++, output += out_stride) {
        if (rows->taps[i].count == 0 || count == 0) {
            memset(output, 0, 3 * (size_t)out_width);
            continue;
        }
        sum_rows(&rows->taps[i], rows, left, source->stride, count, row);
        if (columns->bits == fine_bits)
            sum_columns_fine(columns, row, output, out_width);
        else
            sum_columns_coarse(columns, row, output, out_width);
    }
    return QMTCNN_OK;
}
