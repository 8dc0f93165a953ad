/* Convolution and its gradients, and the table of all kernels. Compiled once an instruction set (net_vector.h). */
#include "toolkit/net/net_vector.h"

#include "toolkit/quant/fake_quantize.h"

#define QMT_STRING(text) #text
#define QMT_VARIANT_STRING(variant) QMT_STRING(variant)

ALWAYS_INLINE float sum_lanes_float(vec value)
{
    float part[vector_lanes];
    memcpy(part, &value, sizeof part);
    for (int width = vector_lanes / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            part[i] += part[i + width];
    return part[0];
}

/* ---- Convolution -------------------------------------------------------------------------------- */

/* Sums of `n` channels at one pixel over `channels` planes and `rows` x `columns` taps. Strides are in floats, so that
 * the same loop walks x forwards (convolution) and dy backwards (input gradient). With a constant n the sums stay in
 * registers. */
typedef struct taps {
    const float *from, *weights;
    int channels, rows, columns;
    ptrdiff_t channel_stride, row_stride, column_stride;
    ptrdiff_t weight_channel, weight_row; /* steps in `weights` */
} taps;

ALWAYS_INLINE void sum_taps(const taps *t, int rows, int columns, int n, vec sums[block][vectors])
{
    const float *plane = t->from, *plane_weights = t->weights;
    for (int c = 0; c < t->channels; c++, plane += t->channel_stride, plane_weights += t->weight_channel) {
        const float *row = plane, *w = plane_weights;
        for (int i = 0; i < rows; i++, row += t->row_stride, w += t->weight_row) {
            for (int j = 0; j < columns; j++) {
                for (int v = 0; v < vectors; v++) {
                    vec x = load(row + j * t->column_stride + v * vector_lanes);
                    for (int o = 0; o < n; o++)
                        sums[o][v] += x * w[j * n + o];
                }
            }
        }
    }
}

/* The whole kernel, of the sizes that occur unrolled. */
ALWAYS_INLINE void sum_pixel(const taps *t, int n, vec sums[block][vectors])
{
    if (t->rows == 3 && t->columns == 3)
        sum_taps(t, 3, 3, n, sums);
    else if (t->rows == 2 && t->columns == 2)
        sum_taps(t, 2, 2, n, sums);
    else if (t->rows == 1 && t->columns == 1)
        sum_taps(t, 1, 1, n, sums);
    else
        sum_taps(t, t->rows, t->columns, n, sums);
}

/* One row of `n` output channels: y[o * y_stride + pixel * 16]. */
ALWAYS_INLINE void convolve_row(const taps *first, int width, int n, const float *bias, float *y, ptrdiff_t y_stride)
{
    taps t = *first;
    for (int pixel = 0; pixel < width; pixel++, t.from += lanes) {
        vec sums[block][vectors];
        for (int o = 0; o < n; o++) {
            float start = bias ? bias[o] : 0.0f;
            for (int v = 0; v < vectors; v++)
                sums[o][v] = (vec){0} + start;
        }
        sum_pixel(&t, n, sums);
        for (int o = 0; o < n; o++)
            for (int v = 0; v < vectors; v++)
                store(y + o * y_stride + pixel * lanes + v * vector_lanes, sums[o][v]);
    }
}

static void convolve_row_of(int n, const taps *t, int width, const float *bias, float *y, ptrdiff_t y_stride)
{
    switch (n) {
    case 1: convolve_row(t, width, 1, bias, y, y_stride); break;
    case 2: convolve_row(t, width, 2, bias, y, y_stride); break;
    case 3: convolve_row(t, width, 3, bias, y, y_stride); break;
#if defined(__AVX2__) || defined(__aarch64__)
    case 4: convolve_row(t, width, 4, bias, y, y_stride); break;
    case 5: convolve_row(t, width, 5, bias, y, y_stride); break;
    case 6: convolve_row(t, width, 6, bias, y, y_stride); break;
#endif
#if defined(__AVX512F__)
    case 7: convolve_row(t, width, 7, bias, y, y_stride); break;
    case 8: convolve_row(t, width, 8, bias, y, y_stride); break;
    case 9: convolve_row(t, width, 9, bias, y, y_stride); break;
    case 10: convolve_row(t, width, 10, bias, y, y_stride); break;
    case 11: convolve_row(t, width, 11, bias, y, y_stride); break;
    case 12: convolve_row(t, width, 12, bias, y, y_stride); break;
#endif
    default: break;
    }
}

/* Adds a row's sums of y - center and its square. Floats within a row, doubles over rows. */
static void add_row_sums(const float *row, int width, float center, double *sums)
{
    vec sum[2] = {{0}, {0}}, square[2] = {{0}, {0}};
    int count = width * vectors, i = 0;
    for (; i + 2 <= count; i += 2)
        for (int k = 0; k < 2; k++) {
            vec d = load(row + (i + k) * vector_lanes) - center;
            sum[k] += d;
            square[k] += d * d;
        }
    if (i < count) {
        vec d = load(row + i * vector_lanes) - center;
        sum[0] += d;
        square[0] += d * d;
    }
    sums[0] += sum_lanes(sum[0] + sum[1]);
    sums[1] += sum_lanes(square[0] + square[1]);
}

static void convolve(const qmt_conv_shape *s, const float *x, const float *packed, const float *bias,
                     const float *center, float *y, double *sums)
{
    ptrdiff_t in_row = (ptrdiff_t)s->in_side * lanes, out_row = (ptrdiff_t)s->out_side * lanes;
    int blocks = qmt_block_count(s->out_channels, block);
    size_t rest = (size_t)s->in_channels * (size_t)s->kernel * (size_t)s->kernel;
    memset(sums, 0, 2 * (size_t)s->out_channels * sizeof *sums);
    for (int row = 0; row < s->out_side; row++) {
        for (int b = 0; b < blocks; b++) {
            int start = qmt_block_start(s->out_channels, block, b);
            int n = qmt_block_start(s->out_channels, block, b + 1) - start;
            taps t = {x + row * in_row,
                      packed + (size_t)start * rest,
                      s->in_channels,
                      s->kernel,
                      s->kernel,
                      in_row * s->in_side,
                      in_row,
                      lanes,
                      (ptrdiff_t)s->kernel * s->kernel * n,
                      (ptrdiff_t)s->kernel * n};
            float *to = y + (start * s->out_side + row) * out_row;
            convolve_row_of(n, &t, s->out_side, bias ? bias + start : NULL, to, out_row * s->out_side);
            for (int o = 0; o < n; o++)
                add_row_sums(to + o * out_row * s->out_side, s->out_side, center[start + o], sums + 2 * (start + o));
        }
    }
}

/* ---- Gradient of the input ------------------------------------------------------------------------- */

/* dx at (row, column) sums dy at (row - i, column - j) over the taps (i, j) that stay inside. */
static void input_gradient(const qmt_conv_shape *s, const float *dy, const float *packed, const uint8_t *passes,
                           float *dx)
{
    ptrdiff_t in_row = (ptrdiff_t)s->in_side * lanes, out_row = (ptrdiff_t)s->out_side * lanes;
    int k = s->kernel, out = s->out_side, blocks = qmt_block_count(s->in_channels, block);
    size_t rest = (size_t)s->out_channels * (size_t)k * (size_t)k;
    for (int row = 0; row < s->in_side; row++) {
        int i0 = row - out + 1 > 0 ? row - out + 1 : 0, i1 = row < k - 1 ? row : k - 1;
        for (int b = 0; b < blocks; b++) {
            int start = qmt_block_start(s->in_channels, block, b);
            int n = qmt_block_start(s->in_channels, block, b + 1) - start;
            const float *weights = packed + (size_t)start * rest;
            float *to = dx + (start * s->in_side + row) * in_row;
            for (int column = 0; column < s->in_side;) {
                int j0 = column - out + 1 > 0 ? column - out + 1 : 0, j1 = column < k - 1 ? column : k - 1;
                /* Columns that see the whole kernel go in one run. */
                int run = j0 == 0 && j1 == k - 1 ? out - column : 1;
                taps t = {dy + (row - i0) * out_row + (column - j0) * lanes,
                          weights + (i0 * k + j0) * n,
                          s->out_channels,
                          i1 - i0 + 1,
                          j1 - j0 + 1,
                          out_row * out,
                          -out_row,
                          -lanes,
                          (ptrdiff_t)k * k * n,
                          (ptrdiff_t)k * n};
                convolve_row_of(n, &t, run, NULL, to + column * lanes, in_row * s->in_side);
                column += run;
            }
            for (int o = 0; passes && o < n; o++) {
                float *values = to + o * in_row * s->in_side;
                const uint8_t *pass = passes + (values - dx);
                for (ptrdiff_t i = 0; i < in_row; i++)
                    values[i] = pass[i] ? values[i] : 0.0f;
            }
        }
    }
}

/* ---- Gradient of the weights ------------------------------------------------------------------------ */

/* dw of `n` output channels and `m` taps over `rows` rows: partial sums by lane, added to sums[4][3]. */
ALWAYS_INLINE void add_tile(int n, int m, const float *const dy[gradient_outputs], const float *const x[gradient_taps],
                            int rows, int width, ptrdiff_t dy_row, ptrdiff_t x_row, float *sums)
{
    vec s[gradient_outputs][gradient_taps];
    for (int o = 0; o < n; o++)
        for (int t = 0; t < m; t++)
            s[o][t] = load(sums + (o * gradient_taps + t) * vector_lanes);
    for (int row = 0; row < rows; row++)
        for (ptrdiff_t i = 0; i < (ptrdiff_t)width * lanes; i += vector_lanes) {
            vec taps_here[gradient_taps];
            for (int t = 0; t < m; t++)
                taps_here[t] = load(x[t] + row * x_row + i);
            for (int o = 0; o < n; o++) {
                vec d = load(dy[o] + row * dy_row + i);
                for (int t = 0; t < m; t++)
                    s[o][t] += d * taps_here[t];
            }
        }
    for (int o = 0; o < n; o++)
        for (int t = 0; t < m; t++)
            store(sums + (o * gradient_taps + t) * vector_lanes, s[o][t]);
}

static void add_tile_of(int n, int m, const float *const dy[gradient_outputs], const float *const x[gradient_taps],
                        int rows, int width, ptrdiff_t dy_row, ptrdiff_t x_row, float *sums)
{
    if (n == 4 && m == 3) {
        add_tile(4, 3, dy, x, rows, width, dy_row, x_row, sums);
        return;
    }
    for (int o = 0; o < n; o++)
        for (int t = 0; t < m; t++)
            add_tile(1, 1, dy + o, x + t, rows, width, dy_row, x_row, sums + (o * gradient_taps + t) * vector_lanes);
}

/* Where tap `tap` = (channel, i, j) starts in x. */
static const float *tap_start(const qmt_conv_shape *s, const float *x, int tap)
{
    int area = s->kernel * s->kernel, channel = tap / area, i = tap % area / s->kernel, j = tap % s->kernel;
    return x + (((ptrdiff_t)channel * s->in_side + i) * s->in_side + j) * lanes;
}

/* One block of output channels over the whole map, in strips of rows whose dy stays in the first-level cache. */
static void gradient_block(const qmt_conv_shape *s, const float *x, const float *dy, int start, int n, float *sums,
                           float *dw)
{
    enum { tile = gradient_outputs * gradient_taps * vector_lanes };
    int taps_all = s->in_channels * s->kernel * s->kernel, width = s->out_side;
    ptrdiff_t in_row = (ptrdiff_t)s->in_side * lanes, out_row = (ptrdiff_t)width * lanes;
    int strip = 3072 / (gradient_outputs * width * lanes) > 1 ? 3072 / (gradient_outputs * width * lanes) : 1;
    memset(sums, 0, (size_t)((taps_all + gradient_taps - 1) / gradient_taps) * tile * sizeof *sums);
    for (int row = 0; row < width; row += strip) {
        int rows = width - row < strip ? width - row : strip;
        const float *gradients[gradient_outputs];
        for (int o = 0; o < n; o++)
            gradients[o] = dy + (((ptrdiff_t)start + o) * width + row) * out_row;
        for (int tap = 0; tap < taps_all; tap += gradient_taps) {
            int m = taps_all - tap < gradient_taps ? taps_all - tap : gradient_taps;
            const float *inputs[gradient_taps];
            for (int t = 0; t < m; t++)
                inputs[t] = tap_start(s, x, tap + t) + row * in_row;
            add_tile_of(n, m, gradients, inputs, rows, width, out_row, in_row, sums + tap / gradient_taps * tile);
        }
    }
    for (int o = 0; o < n; o++)
        for (int tap = 0; tap < taps_all; tap++) {
            const float *part =
                sums + tap / gradient_taps * tile + (o * gradient_taps + tap % gradient_taps) * vector_lanes;
            dw[((ptrdiff_t)start + o) * taps_all + tap] = sum_lanes_float(load(part));
        }
}

/* dw of `n` output channels at 16 taps: one pixel, so the sum runs over the samples only. `turned`: [16][stride]. */
ALWAYS_INLINE void dense_tile(int n, const float *dy, const float *turned, ptrdiff_t stride, float *dw,
                              ptrdiff_t dw_stride, int count)
{
    vec sums[block][vectors];
    for (int o = 0; o < n; o++)
        for (int v = 0; v < vectors; v++)
            sums[o][v] = (vec){0};
    for (int sample = 0; sample < lanes; sample++)
        for (int v = 0; v < vectors; v++) {
            vec x = load(turned + sample * stride + v * vector_lanes);
            for (int o = 0; o < n; o++)
                sums[o][v] += x * dy[o * lanes + sample];
        }
    for (int o = 0; o < n; o++) {
        float row[lanes] __attribute__((aligned(64)));
        for (int v = 0; v < vectors; v++)
            store(row + v * vector_lanes, sums[o][v]);
        memcpy(dw + o * dw_stride, row, (size_t)count * sizeof *row);
    }
}

/* The output map is one pixel (fully connected layers, heads): taps in the lanes instead of samples. */
static void dense_gradient(const qmt_conv_shape *s, const float *x, const float *dy, float *turned, float *dw)
{
    int taps_all = s->in_channels * s->kernel * s->kernel;
    ptrdiff_t stride = (taps_all + 15) / 16 * 16;
    for (int tap = 0; tap < taps_all; tap++) {
        const float *from = x + (ptrdiff_t)tap * lanes; /* the map is as large as the kernel */
        for (int sample = 0; sample < lanes; sample++)
            turned[sample * stride + tap] = from[sample];
    }
    for (int sample = 0; sample < lanes; sample++)
        for (ptrdiff_t tap = taps_all; tap < stride; tap++)
            turned[sample * stride + tap] = 0;
    enum { outputs = block < 6 ? block : 6 };
    for (int start = 0; start < s->out_channels; start += outputs) {
        int n = s->out_channels - start < outputs ? s->out_channels - start : outputs;
        const float *d = dy + (ptrdiff_t)start * lanes;
        for (int tap = 0; tap < taps_all; tap += lanes) {
            int count = taps_all - tap < lanes ? taps_all - tap : lanes;
            float *to = dw + (ptrdiff_t)start * taps_all + tap;
            if (n == outputs)
                dense_tile(outputs, d, turned + tap, stride, to, taps_all, count);
            else
                for (int o = 0; o < n; o++)
                    dense_tile(1, d + o * lanes, turned + tap, stride, to + (ptrdiff_t)o * taps_all, taps_all, count);
        }
    }
}

static void weight_gradient(const qmt_conv_shape *s, const float *x, const float *dy, float *scratch, float *dw)
{
    if (s->out_side == 1) {
        dense_gradient(s, x, dy, scratch, dw);
        return;
    }
    for (int start = 0; start < s->out_channels; start += gradient_outputs) {
        int n = s->out_channels - start < gradient_outputs ? s->out_channels - start : gradient_outputs;
        gradient_block(s, x, dy, start, n, scratch, dw);
    }
}

static size_t fake_quantize(const float *x, float *y, uint8_t *passes, size_t count, float scale)
{
    return qmt_fake_quantize_inline(x, y, passes, count, scale);
}

const qmt_net_kernels *QMT_VARIANT(qmt_net_kernels)(void);
const qmt_net_kernels *QMT_VARIANT(qmt_net_kernels)(void)
{
    static const qmt_net_kernels kernels = {
        QMT_VARIANT_STRING(QMT_NET_VARIANT),
        block,
        convolve,
        input_gradient,
        weight_gradient,
        QMT_VARIANT(qmt_net_finish),
        QMT_VARIANT(qmt_net_finish_gradient),
        QMT_VARIANT(qmt_net_spread_gradient),
        fake_quantize,
    };
    return &kernels;
}
