/* Convolution and its gradients, and the table of all kernels. Compiled once an instruction set (net_vector.h). */
#include "toolkit/net/net_vector.h"

#include "toolkit/quant/fake_quantize.h"

#define QMT_STRING(text) #text
#define QMT_VARIANT_STRING(variant) QMT_STRING(variant)

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
                /* Channels outside: the other way round compilers keep n weights in registers, and spill sums. */
                vec x[vectors];
                for (int v = 0; v < vectors; v++)
                    x[v] = load(row + j * t->column_stride + v * vector_lanes);
                for (int o = 0; o < n; o++) {
                    vec weight = splat(w[j * n + o]);
                    for (int v = 0; v < vectors; v++)
                        sums[o][v] += x[v] * weight;
                }
            }
        }
    }
}

/* Kernels of up to 3 x 3, and what of them a border leaves, are unrolled. */
ALWAYS_INLINE void sum_pixel(const taps *t, int n, vec sums[block][vectors])
{
    switch (t->columns < 4 ? t->rows * 4 + t->columns : 0) {
    case 3 * 4 + 3: sum_taps(t, 3, 3, n, sums); break;
    case 3 * 4 + 2: sum_taps(t, 3, 2, n, sums); break;
    case 3 * 4 + 1: sum_taps(t, 3, 1, n, sums); break;
    case 2 * 4 + 3: sum_taps(t, 2, 3, n, sums); break;
    case 2 * 4 + 2: sum_taps(t, 2, 2, n, sums); break;
    case 2 * 4 + 1: sum_taps(t, 2, 1, n, sums); break;
    case 1 * 4 + 3: sum_taps(t, 1, 3, n, sums); break;
    case 1 * 4 + 2: sum_taps(t, 1, 2, n, sums); break;
    case 1 * 4 + 1: sum_taps(t, 1, 1, n, sums); break;
    default: sum_taps(t, t->rows, t->columns, n, sums); break;
    }
}

/* One row of `n` output channels: y[o * y_stride + pixel * 16]. `bias` may be NULL. */
ALWAYS_INLINE void convolve_row(const taps *first, int width, int n, const float *bias, float *y, ptrdiff_t y_stride)
{
    taps t = *first;
    for (int pixel = 0; pixel < width; pixel++, t.from += lanes) {
        vec sums[block][vectors];
        for (int o = 0; o < n; o++) {
            vec start = splat(bias ? bias[o] : 0.0f);
            for (int v = 0; v < vectors; v++)
                sums[o][v] = start;
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

/* Adds a row's y - center and its square to `sums` [2][16], by lane. */
static void add_row_statistics(const float *row, int width, float center, float *sums)
{
    enum { chains = vectors < 4 ? 4 : vectors }; /* enough sums at a time to hide an addition's latency */
    vec sum[chains], square[chains], middle = splat(center);
    ptrdiff_t count = (ptrdiff_t)width * vectors, i = 0;
    for (int v = 0; v < chains; v++)
        sum[v] = square[v] = splat(0);
    for (; i + chains <= count; i += chains)
        for (int v = 0; v < chains; v++) {
            vec d = load(row + (i + v) * vector_lanes) - middle;
            sum[v] += d;
            square[v] += d * d;
        }
    for (int v = 0; i < count; i++, v++) {
        vec d = load(row + i * vector_lanes) - middle;
        sum[v] += d;
        square[v] += d * d;
    }
    for (int v = 0; v < vectors; v++) {
        float *to = sums + v * vector_lanes;
        for (int k = v; k < chains; k += vectors) {
            store(to, load(to) + sum[k]);
            store(to + lanes, load(to + lanes) + square[k]);
        }
    }
}

/* Moves sums by lane to doubles: floats add up few pixels only. */
static void flush_statistics(int channels, float *by_lane, double *sums)
{
    for (int i = 0; i < 2 * channels; i++) {
        double sum = 0;
        for (int lane = 0; lane < lanes; lane++)
            sum += (double)by_lane[i * lanes + lane];
        sums[i] += sum;
    }
    memset(by_lane, 0, sizeof(float) * 2 * lanes * (size_t)channels);
}

/* Pools those windows of the `n` channels from `start` on whose last row is `row`. */
static void pool_after_row(const qmt_conv_pool *pool, int start, int n, int row, const float *y)
{
    const qmt_finish_shape *s = pool->shape;
    ptrdiff_t conv_plane = (ptrdiff_t)s->conv_side * s->conv_side * lanes,
              plane = (ptrdiff_t)s->out_side * s->out_side * lanes;
    for (int window = 0; window < s->out_side; window++) {
        int end = window * s->pool_stride + s->pool_kernel - 1;
        if ((end < s->conv_side ? end : s->conv_side - 1) != row)
            continue;
        for (int c = start; c < start + n; c++)
            if (pool->direction[c] != 0)
                QMT_VARIANT(qmt_net_pool_row)
        (s, pool->direction[c], y + c * conv_plane, window, pool->peak + c * plane, pool->place + c * plane);
    }
}

enum { flush_pixels = 64 };

static void convolve(const qmt_conv_shape *s, const float *x, const float *packed, const float *bias,
                     const float *center, float *y, const qmt_conv_pool *pool, float *scratch, double *sums)
{
    ptrdiff_t in_row = (ptrdiff_t)s->in_side * lanes, out_row = (ptrdiff_t)s->out_side * lanes;
    int blocks = qmt_block_count(s->out_channels, block), pending = 0;
    size_t rest = (size_t)s->in_channels * (size_t)s->kernel * (size_t)s->kernel;
    memset(sums, 0, 2 * (size_t)s->out_channels * sizeof *sums);
    memset(scratch, 0, sizeof(float) * 2 * lanes * (size_t)s->out_channels);
    for (int row = 0; row < s->kernel; row++)
        fetch_row(x, s->in_channels, s->in_side, row, 0, 1);
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
            fetch_row(x, s->in_channels, s->in_side, row + s->kernel, b, blocks);
            float *to = y + (start * s->out_side + row) * out_row;
            convolve_row_of(n, &t, s->out_side, bias ? bias + start : NULL, to, out_row * s->out_side);
            for (int o = 0; o < n; o++)
                add_row_statistics(to + o * out_row * s->out_side, s->out_side, center[start + o],
                                   scratch + (ptrdiff_t)(start + o) * 2 * lanes);
            if (pool)
                pool_after_row(pool, start, n, row, y);
        }
        pending += s->out_side;
        if (pending >= flush_pixels || row + 1 == s->out_side) {
            flush_statistics(s->out_channels, scratch, sums);
            pending = 0;
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
            fetch_row(dy, s->out_channels, out, row + 1, b, blocks);
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

/* ---- Fake quantization ----------------------------------------------------------------------------- */

/* The very operations of qmt_fake_quantize_some(), in registers. */
ALWAYS_INLINE vec fake_quantize_vector(vec x, vec scale, ivec *inside)
{
    const vec magic = splat(12582912.0f), limit = splat(200.0f), most = splat(127.0f);
    vec steps = x / scale;
    steps = choose(steps > limit, limit, steps);
    steps = choose(steps < -limit, -limit, steps);
    vec rounded = (steps + magic) - magic, kept = choose(rounded > most, most, rounded);
    kept = choose(kept < -most, -most, kept);
    *inside = kept == rounded;
    return kept * scale;
}

static size_t fake_quantize(const float *x, float *y, uint8_t *passes, size_t count, float scale)
{
    enum { stretch = 1 << 20 }; /* counts by lane stay whole in 32 bits */
    size_t clipped = 0, whole = count - count % lanes;
    vec by = splat(scale);
    for (size_t start = 0; start < whole; start += stretch) {
        size_t end = whole - start < stretch ? whole : start + stretch;
        ivec in = {0};
        for (size_t i = start; i < end; i += vector_lanes) {
            ivec inside;
            store(y + i, fake_quantize_vector(load(x + i), by, &inside));
            in -= inside;
            if (passes)
                store_bytes(passes + i, inside & 1);
        }
        clipped += end - start;
        for (int lane = 0; lane < vector_lanes; lane++)
            clipped -= (size_t)in[lane];
    }
    return clipped +
           qmt_fake_quantize_inline(x + whole, y + whole, passes ? passes + whole : NULL, count - whole, scale);
}

const qmt_net_kernels *QMT_VARIANT(qmt_net_kernels)(void);
const qmt_net_kernels *QMT_VARIANT(qmt_net_kernels)(void)
{
    static const qmt_net_kernels kernels = {
        QMT_VARIANT_STRING(QMT_NET_VARIANT),
        block,
        convolve,
        input_gradient,
        QMT_VARIANT(qmt_net_weight_gradient),
        QMT_VARIANT(qmt_net_finish),
        QMT_VARIANT(qmt_net_finish_gradient),
        fake_quantize,
    };
    return &kernels;
}
