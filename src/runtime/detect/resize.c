#include "runtime/detect/resize.h"

#include "runtime/detect/resize_kernels.h"

#include <math.h>
#include <string.h>

enum {
    fine_bits = qmt_resize_weight_bits,
    coarse_taps = 64, /* where more pixels than this make one, 14 bits are too few ... */
    coarse_bits = 22, /* ... and 22 are used: 8-bit pixels times these still fit 32 bits */
    middle_bits = qmt_resize_middle_bits,
    row_block = 512, /* values of a row whose sums stay in the first-level cache */
    max_side = 65535
};

/* The pixels that make each output pixel, along one axis: count[i] (0 where it lies outside the picture) from first[i]
 * on, with weights [i][taps], of which those from count[i] on are 0. */
struct axis {
    int out_size, taps;
    int bits;
    int32_t *first, *count;
    int16_t *fine; /* one of these is used, as `bits` says */
    int32_t *coarse;
    int low, high; /* source pixels [low, high) are read */
};

void qmt_resizer_clear(qmt_resizer *resizer)
{
    qmt_free(resizer->memory);
    resizer->memory = NULL;
    resizer->size = 0;
}

qmtcnn_status qmt_resizer_reserve(qmt_resizer *resizer, size_t size, qmtcnn_error *error)
{
    if (size <= resizer->size)
        return QMTCNN_OK;
    void *memory = qmt_alloc(size, 1);
    if (!memory)
        return qmt_fail_memory(error, size, "resizing a picture");
    qmt_resizer_clear(resizer);
    resizer->memory = memory;
    resizer->size = size;
    return QMTCNN_OK;
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
static int mean_taps(int32_t *first_pixel, int32_t *weights, double start, double length, int size, int bits)
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
    *first_pixel = first;
    return last - first;
}

/* The two pixels around `center` (in pixel centers). Pixels that the rectangle, [low, high], doesn't touch are not
 * used: its edge repeats instead. */
static int linear_taps(int32_t *first_pixel, int32_t *weights, double center, double low, double high, int size)
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
            *first_pixel = position;
        weights[count++] = pair[i];
    }
    return count;
}

static int round_up(int value, int step)
{
    return (value + step - 1) / step * step;
}

/* Taps that an output pixel can need, at most all of the picture. */
static int most_taps(double ratio, int size)
{
    int taps = ratio > 1 ? (ratio < size ? ceil_int(ratio) + 1 : size) : 2;
    return round_up(taps < size ? taps : size, 2);
}

static void store_weights(struct axis *axis, int i, const int32_t *weights, int count)
{
    const size_t at = (size_t)i * (size_t)axis->taps;
    axis->count[i] = count;
    for (int t = 0; t < axis->taps; t++) {
        const int32_t weight = t < count ? weights[t] : 0;
        if (axis->bits == fine_bits)
            axis->fine[at + (size_t)t] = (int16_t)weight;
        else
            axis->coarse[at + (size_t)t] = weight;
    }
}

/* Fills an axis whose memory is there. `weights` has room for those of a pixel. */
static void plan_axis(struct axis *axis, double start, double length, int size, int32_t *weights)
{
    const double ratio = length / axis->out_size;
    const double low = floor_int(start), high = ceil_int(start + length) - 1;
    axis->low = size;
    axis->high = 0;
    for (int i = 0; i < axis->out_size; i++) {
        int32_t first = 0;
        const int count = ratio > 1 ? mean_taps(&first, weights, start + i * ratio, ratio, size, axis->bits)
                                    : linear_taps(&first, weights, start + (i + 0.5) * ratio - 0.5, low, high, size);
        store_weights(axis, i, weights, count);
        axis->first[i] = first;
        if (count == 0)
            continue;
        if (first < axis->low)
            axis->low = first;
        if (first + count > axis->high)
            axis->high = first + count;
    }
    if (axis->high < axis->low)
        axis->low = axis->high = 0;
}

/* Columns count from the first that is read; pixels past the last fill its group. */
static void finish_columns(struct axis *axis)
{
    for (int i = 0; i < axis->out_size; i++)
        axis->first[i] = axis->count[i] > 0 ? axis->first[i] - axis->low : 0;
    for (int i = axis->out_size; i < round_up(axis->out_size, qmt_resize_column_group); i++) {
        axis->first[i] = 0;
        store_weights(axis, i, NULL, 0);
    }
}

static void size_axis(struct axis *axis, double length, int size, int out_size)
{
    const double ratio = length / out_size;
    axis->out_size = out_size;
    axis->taps = most_taps(ratio, size);
    axis->bits = ratio > coarse_taps ? coarse_bits : fine_bits;
}

/* 32-bit values that an axis takes. */
static size_t axis_values(const struct axis *axis)
{
    const size_t pixels = (size_t)round_up(axis->out_size, qmt_resize_column_group);
    return pixels * (2 + (size_t)axis->taps);
}

static void place_axis(struct axis *axis, int32_t **memory)
{
    const size_t pixels = (size_t)round_up(axis->out_size, qmt_resize_column_group);
    axis->first = *memory;
    axis->count = axis->first + pixels;
    axis->coarse = axis->count + pixels;
    axis->fine = (int16_t *)(void *)axis->coarse;
    *memory += axis_values(axis);
}

/* Gives the axes, a pixel's weights and the middle row their memory. */
static qmtcnn_status reserve(qmt_resizer *resizer, int width, struct axis *columns, struct axis *rows,
                             int32_t **weights, int16_t **row, qmtcnn_error *error)
{
    const int taps = columns->taps > rows->taps ? columns->taps : rows->taps;
    const size_t values = axis_values(columns) + axis_values(rows) + (size_t)taps;
    const size_t row_values = 3 * ((size_t)width + (size_t)columns->taps) + qmt_resize_row_slack;
    const size_t size = values * sizeof(int32_t) + row_values * sizeof(int16_t);
    qmtcnn_status status = qmt_resizer_reserve(resizer, size, error);
    if (status != QMTCNN_OK)
        return status;
    int32_t *at = resizer->memory;
    place_axis(columns, &at);
    place_axis(rows, &at);
    *weights = at;
    *row = (int16_t *)(void *)(at + taps);
    return QMTCNN_OK;
}

/* First pass where many pixels make one; as the kernels' sum_rows(). */
static void sum_rows_coarse(const uint8_t *source, ptrdiff_t stride, const int32_t *weights, int taps, size_t count,
                            int16_t *row)
{
    int32_t sums[row_block];
    const int shift = coarse_bits - middle_bits;
    for (size_t at = 0; at < count; at += row_block) {
        const int block = count - at < row_block ? (int)(count - at) : row_block;
        for (int i = 0; i < block; i++)
            sums[i] = 1 << (shift - 1);
        for (int t = 0; t < taps; t++) {
            const uint8_t *pixels = source + t * stride + at;
            for (int i = 0; i < block; i++)
                sums[i] += weights[t] * pixels[i];
        }
        for (int i = 0; i < block; i++)
            row[at + (size_t)i] = (int16_t)(sums[i] >> shift);
    }
}

/* Second pass where many pixels make one. */
static void sum_columns_coarse(const struct axis *axis, const int16_t *row, uint8_t *output)
{
    const int shift = middle_bits + coarse_bits;
    for (int x = 0; x < axis->out_size; x++) {
        const int32_t *weights = axis->coarse + (size_t)x * (size_t)axis->taps;
        const int16_t *source = row + 3 * (size_t)axis->first[x];
        for (int c = 0; c < 3; c++) {
            int64_t sum = (int64_t)1 << (shift - 1);
            for (int t = 0; t < axis->count[x]; t++)
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

static void make_row(const qmt_resize_kernels *kernels, const qmt_pixels *source, const struct axis *columns,
                     const struct axis *rows, int i, int16_t *row, uint8_t *output)
{
    const size_t count = 3 * (size_t)(columns->high - columns->low), weights = (size_t)i * (size_t)rows->taps;
    const uint8_t *from = source->data + rows->first[i] * source->stride + 3 * (ptrdiff_t)columns->low;
    if (rows->bits == fine_bits)
        kernels->sum_rows(from, source->stride, rows->fine + weights, rows->count[i], count, row);
    else
        sum_rows_coarse(from, source->stride, rows->coarse + weights, rows->count[i], count, row);
    if (columns->bits == fine_bits)
        kernels->sum_columns(&(qmt_resize_columns){columns->taps, columns->first, columns->fine}, row, output,
                             columns->out_size);
    else
        sum_columns_coarse(columns, row, output);
}

qmtcnn_status qmt_resize(qmt_resizer *resizer, const qmt_pixels *source, double x, double y, double width,
                         double height, uint8_t *output, int out_width, int out_height, ptrdiff_t out_stride,
                         qmtcnn_error *error)
{
    struct axis columns = {0}, rows = {0};
    int32_t *weights = NULL;
    int16_t *row = NULL;
    qmtcnn_status status = check(source, x, y, width, height, output, out_width, out_height, error);
    if (status != QMTCNN_OK)
        return status;
    size_axis(&columns, width, source->width, out_width);
    size_axis(&rows, height, source->height, out_height);
    status = reserve(resizer, source->width, &columns, &rows, &weights, &row, error);
    if (status != QMTCNN_OK)
        return status;
    if (!resizer->kernels)
        resizer->kernels = qmt_resize_kernels_select(NULL);
    plan_axis(&columns, x, width, source->width, weights);
    plan_axis(&rows, y, height, source->height, weights);
    finish_columns(&columns);
    const size_t count = 3 * (size_t)(columns.high - columns.low);
    memset(row + count, 0, (3 * (size_t)columns.taps + qmt_resize_row_slack) * sizeof *row);
    for (int i = 0; i < out_height; i++, output += out_stride) {
        if (rows.count[i] == 0 || count == 0)
            memset(output, 0, 3 * (size_t)out_width);
        else
            make_row(resizer->kernels, source, &columns, &rows, i, row, output);
    }
    return QMTCNN_OK;
}
