/* The first FP32 layer where its output channels would leave many lanes of a register empty (P-Net's 10 of 16): pixels
 * are the lanes instead, and each weight is spread over a register. The picture's channels are first put into planes.
 * Private to runtime/kernels, see real_tiles.h. */
#ifndef QMT_REAL_PLANE_H
#define QMT_REAL_PLANE_H

#include "runtime/kernels/real_vector.h"

#include <string.h>

#ifdef QMT_REAL_LANES
enum { qmt_plane_tile = qmt_plane_vectors * qmt_vec_lanes }; /* pixels */

/* Sums of a tile of two rows, before the pool and after it. */
struct qmt_plane_sums {
    float value[2][qmt_channel_step][qmt_plane_tile];
    float pooled[qmt_channel_step][qmt_vec_lanes];
};

/* The two rows of convolution output that a row of the pool's output needs. */
struct qmt_plane_rows {
    const qmt_packed_layer *packed;
    const float *input[qmt_max_kernel + 1]; /* planes of the input rows: [channel][plane_width] */
    size_t plane_width;
    int rows, width; /* of convolution output; 1 row at the border */
};

static inline bool qmt_plane_fits(const qmt_packed_layer *packed)
{
    return packed->in_padded == qmt_picture_channels && packed->out_channels <= qmt_channel_step * 3 / 4 &&
           packed->pool_kernel == 2 && packed->pool_stride == 2 && packed->pools_sums && packed->output_scale <= 0;
}

/* Room for the last tile to read past the row's end. */
static inline size_t qmt_plane_width(int input_width)
{
    return ((size_t)input_width + qmt_plane_tile + qmt_channel_step) / qmt_channel_step * qmt_channel_step;
}

static inline size_t qmt_plane_scratch(const qmt_packed_layer *packed, int input_width)
{
    const size_t rows = (size_t)packed->kernel_height + 1;
    return rows * (size_t)packed->in_channels * qmt_plane_width(input_width) * sizeof(float);
}

/* A row of the picture into planes; zeros after its end. */
static inline void qmt_plane_split(const float *pixels, int width, int channels, size_t plane_width, float *planes)
{
    int x = 0;
    for (; x + qmt_vec_lanes <= width; x += qmt_vec_lanes) {
        qmt_vec plane[qmt_picture_channels];
        qmt_vec_split(pixels + (size_t)x * qmt_picture_channels, plane);
        qmt_vec_store(planes + x, plane[0]);
        if (channels > 1)
            qmt_vec_store(planes + plane_width + x, plane[1]);
        if (channels > 2)
            qmt_vec_store(planes + 2 * plane_width + x, plane[2]);
        if (channels > 3)
            qmt_vec_store(planes + 3 * plane_width + x, plane[3]);
    }
    for (int c = 0; c < channels; c++) {
        float *plane = planes + (size_t)c * plane_width;
        for (int rest = x; rest < width; rest++)
            plane[rest] = pixels[(size_t)rest * qmt_picture_channels + (size_t)c];
        memset(plane + width, 0, (plane_width - (size_t)width) * sizeof *plane);
    }
}

/* `n` channels of a tile; constant after inlining, as are `channels` and `columns`. */
QMT_INLINE void qmt_plane_sum(const struct qmt_plane_rows *rows, int row, size_t x, int channel, const int n,
                              const int channels, const int columns, float (*value)[qmt_plane_tile])
{
    const float *weight = (const float *)rows->packed->weight + channel;
    qmt_vec sum[qmt_plane_channels][qmt_plane_vectors];
    QMT_UNROLL
    for (int o = 0; o < n; o++)
        QMT_UNROLL
    for (int v = 0; v < qmt_plane_vectors; v++)
        sum[o][v] = qmt_vec_spread(rows->packed->bias + channel + o);
    for (int ky = 0; ky < rows->packed->kernel_height; ky++) {
        const float *from = rows->input[row + ky] + x;
        for (int kx = 0; kx < columns; kx++)
            for (int c = 0; c < channels; c++, weight += qmt_channel_step) {
                qmt_vec pixels[qmt_plane_vectors];
                QMT_UNROLL
                for (int v = 0; v < qmt_plane_vectors; v++)
                    pixels[v] = qmt_vec_load(from + (size_t)c * rows->plane_width + kx + v * qmt_vec_lanes);
                QMT_UNROLL
                for (int o = 0; o < n; o++) {
                    const qmt_vec w = qmt_vec_spread(weight + o);
                    QMT_UNROLL
                    for (int v = 0; v < qmt_plane_vectors; v++)
                        sum[o][v] = qmt_vec_multiply_add(pixels[v], w, sum[o][v]);
                }
            }
    }
    QMT_UNROLL
    for (int o = 0; o < n; o++)
        QMT_UNROLL
    for (int v = 0; v < qmt_plane_vectors; v++)
        qmt_vec_store(value[channel + o] + v * qmt_vec_lanes, sum[o][v]);
}

QMT_INLINE void qmt_plane_sum_n(const struct qmt_plane_rows *rows, int row, size_t x, int channel, const int n,
                                float (*value)[qmt_plane_tile])
{
    const qmt_packed_layer *packed = rows->packed;
    if (packed->in_channels == 3 && packed->kernel_width == 3)
        qmt_plane_sum(rows, row, x, channel, n, 3, 3, value);
    else
        qmt_plane_sum(rows, row, x, channel, n, packed->in_channels, packed->kernel_width, value);
}

/* All channels of a tile of one row, in groups that fit the registers. */
static inline void qmt_plane_row(const struct qmt_plane_rows *rows, int row, size_t x, float (*value)[qmt_plane_tile])
{
    const int outputs = rows->packed->out_channels, groups = (outputs + qmt_plane_channels - 1) / qmt_plane_channels;
    for (int group = 0, channel = 0; group < groups; group++) {
        const int n = (outputs - channel + groups - group - 1) / (groups - group);
        switch (n) {
        case 1: qmt_plane_sum_n(rows, row, x, channel, 1, value); break;
        case 2: qmt_plane_sum_n(rows, row, x, channel, 2, value); break;
        case 3: qmt_plane_sum_n(rows, row, x, channel, 3, value); break;
        case 4: qmt_plane_sum_n(rows, row, x, channel, 4, value); break;
        case 5: qmt_plane_sum_n(rows, row, x, channel, 5, value); break;
        case 6: qmt_plane_sum_n(rows, row, x, channel, 6, value); break;
#if QMT_REAL_LANES == 16
        case 7: qmt_plane_sum_n(rows, row, x, channel, 7, value); break;
        case 8: qmt_plane_sum_n(rows, row, x, channel, 8, value); break;
        case 9: qmt_plane_sum_n(rows, row, x, channel, 9, value); break;
        case 10: qmt_plane_sum_n(rows, row, x, channel, 10, value); break;
        case 11: qmt_plane_sum_n(rows, row, x, channel, 11, value); break;
        case 12: qmt_plane_sum_n(rows, row, x, channel, 12, value); break;
#endif
        default: break;
        }
        channel += n;
    }
}

/* x > 0 ? x : x * slope. */
QMT_INLINE qmt_vec qmt_real_activate(qmt_vec x, qmt_vec slope)
{
    const float nothing = 0.0f;
    const qmt_vec zero = qmt_vec_spread(&nothing);
    return qmt_vec_multiply_add(qmt_vec_smaller(zero, x), slope, qmt_vec_larger(zero, x));
}

/* Pools 2 x 2 pixels of a tile's channels: `rows` rows of two registers each, of which `left` pixels exist. Results go
 * to pooled[channel]. */
static inline void qmt_plane_pool(const qmt_packed_layer *packed, struct qmt_plane_sums *sums, int first, int rows,
                                  int left, float (*pooled)[qmt_vec_lanes])
{
    for (int c = 0; c < packed->out_channels; c++) {
        float *upper = sums->value[0][c] + first, *lower = sums->value[rows - 1][c] + first;
        if (left < 2 * qmt_vec_lanes && left % 2 == 1) { /* the last window has one column */
            upper[left] = upper[left - 1];
            lower[left] = lower[left - 1];
        }
        const qmt_vec low = qmt_vec_larger(qmt_vec_load(upper), qmt_vec_load(lower));
        const qmt_vec high = qmt_vec_larger(qmt_vec_load(upper + qmt_vec_lanes), qmt_vec_load(lower + qmt_vec_lanes));
        qmt_vec_store(pooled[c], qmt_real_activate(qmt_vec_pairs(low, high), qmt_vec_spread(packed->slope + c)));
    }
}

/* Turns `count` pooled pixels from pixels of a channel to channels of a pixel. */
static inline void qmt_plane_write(float (*pooled)[qmt_vec_lanes], int count, float *output)
{
    for (int block = 0; block < qmt_channel_step; block += qmt_vec_lanes) {
        qmt_vec v[qmt_vec_lanes];
        for (int i = 0; i < qmt_vec_lanes; i++)
            v[i] = qmt_vec_load(pooled[block + i]);
        qmt_vec_transpose(v);
        if (count >= qmt_vec_lanes) {
            for (int i = 0; i < qmt_vec_lanes; i++)
                qmt_vec_store(output + i * qmt_channel_step + block, v[i]);
            continue;
        }
        float rest[qmt_vec_lanes][qmt_vec_lanes];
        for (int i = 0; i < qmt_vec_lanes; i++)
            qmt_vec_store(rest[i], v[i]);
        for (int i = 0; i < count; i++)
            memcpy(output + i * qmt_channel_step + block, rest[i], sizeof rest[i]);
    }
}

static inline void qmt_plane_pooled_row(const struct qmt_plane_rows *rows, struct qmt_plane_sums *sums, float *output)
{
    for (int x = 0; x < rows->width; x += qmt_plane_tile) {
        for (int row = 0; row < rows->rows; row++)
            qmt_plane_row(rows, row, (size_t)x, sums->value[row]);
        for (int first = 0; first < qmt_plane_tile && x + first < rows->width; first += 2 * qmt_vec_lanes) {
            const int left = rows->width - x - first, windows = (left + 1) / 2;
            qmt_plane_pool(rows->packed, sums, first, rows->rows, left, sums->pooled);
            qmt_plane_write(sums->pooled, windows < qmt_vec_lanes ? windows : qmt_vec_lanes,
                            output + (x + first) / 2 * qmt_channel_step);
        }
    }
}

static inline void qmt_plane_strip(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    const size_t plane_width = qmt_plane_width(strip->input_width);
    const size_t row_size = (size_t)packed->in_channels * plane_width;
    const int ring = packed->kernel_height + 1;
    struct qmt_plane_rows rows = {
        .packed = packed, .plane_width = plane_width, .width = strip->input_width - packed->kernel_width + 1};
    struct qmt_plane_sums sums;
    memset(&sums, 0, sizeof sums); /* channels that don't exist stay zero */
    int split = 0;                 /* input rows that are in planes */
    for (int y = 0; y < strip->output_rows; y++) {
        const int left = strip->convolution_height - 2 * y;
        rows.rows = left < 2 ? left : 2;
        for (; split < 2 * y + rows.rows + packed->kernel_height - 1; split++)
            qmt_plane_split((const float *)strip->input +
                                (size_t)split * (size_t)strip->input_width * qmt_picture_channels,
                            strip->input_width, packed->in_channels, plane_width,
                            (float *)strip->scratch + (size_t)(split % ring) * row_size);
        for (int i = 0; i < rows.rows + packed->kernel_height - 1; i++)
            rows.input[i] = (const float *)strip->scratch + (size_t)((2 * y + i) % ring) * row_size;
        qmt_plane_pooled_row(&rows, &sums,
                             (float *)strip->output + (size_t)y * (size_t)strip->output_width * qmt_channel_step);
    }
}

#endif

#endif
