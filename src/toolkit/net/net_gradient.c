/* Gradients of the weights. Compiled once an instruction set (net_vector.h). */
#include "toolkit/net/net_vector.h"

/* Where each tap (channel, i, j) starts in x. */
static void set_offsets(const qmt_conv_shape *s, int32_t *offsets)
{
    for (int c = 0; c < s->in_channels; c++)
        for (int i = 0; i < s->kernel; i++)
            for (int j = 0; j < s->kernel; j++)
                *offsets++ = ((c * s->in_side + i) * s->in_side + j) * lanes;
}

/* ---- Outputs in the lanes ------------------------------------------------------------------------- */

/* Adds to `sums` [n][16 outputs] what `count` values of `n` taps give with as many rows of `turned` [count][16]. */
ALWAYS_INLINE void add_taps(int n, const float *turned, const float *const x[block], ptrdiff_t count, float *sums)
{
    vec s[block][vectors];
    for (int t = 0; t < n; t++)
        for (int v = 0; v < vectors; v++)
            s[t][v] = load(sums + t * lanes + v * vector_lanes);
    for (ptrdiff_t i = 0; i < count; i++) {
        vec d[vectors];
        for (int v = 0; v < vectors; v++)
            d[v] = load(turned + i * lanes + v * vector_lanes);
        for (int t = 0; t < n; t++) {
            vec value = splat(x[t][i]);
            for (int v = 0; v < vectors; v++)
                s[t][v] += d[v] * value;
        }
    }
    for (int t = 0; t < n; t++)
        for (int v = 0; v < vectors; v++)
            store(sums + t * lanes + v * vector_lanes, s[t][v]);
}

static void add_taps_of(int n, const float *turned, const float *const x[block], ptrdiff_t count, float *sums)
{
    switch (n) {
    case 1: add_taps(1, turned, x, count, sums); break;
    case 2: add_taps(2, turned, x, count, sums); break;
    case 3: add_taps(3, turned, x, count, sums); break;
#if defined(__AVX2__) || defined(__aarch64__)
    case 4: add_taps(4, turned, x, count, sums); break;
    case 5: add_taps(5, turned, x, count, sums); break;
    case 6: add_taps(6, turned, x, count, sums); break;
#endif
#if defined(__AVX512F__)
    case 7: add_taps(7, turned, x, count, sums); break;
    case 8: add_taps(8, turned, x, count, sums); break;
    case 9: add_taps(9, turned, x, count, sums); break;
    case 10: add_taps(10, turned, x, count, sums); break;
    case 11: add_taps(11, turned, x, count, sums); break;
    case 12: add_taps(12, turned, x, count, sums); break;
#endif
    default: break;
    }
}

/* sums [taps][16] -> dw [n][taps]. */
static void turn_sums(const float *sums, int taps, int n, float *dw)
{
    int tap = 0;
    float tile[lanes * lanes] __attribute__((aligned(64)));
    for (; tap + lanes <= taps; tap += lanes) {
        const float *rows[lanes];
        for (int i = 0; i < lanes; i++)
            rows[i] = sums + (ptrdiff_t)(tap + i) * lanes;
        turn(rows, tile);
        for (int o = 0; o < n; o++)
            memcpy(dw + (ptrdiff_t)o * taps + tap, tile + o * lanes, sizeof(float) * lanes);
    }
    for (; tap < taps; tap++)
        for (int o = 0; o < n; o++)
            dw[(ptrdiff_t)o * taps + tap] = sums[(ptrdiff_t)tap * lanes + o];
}

/* dw of the `n` <= 16 output channels from `start` on. A row of dy is turned, so that the channels fill the lanes, and
 * stays in the first-level cache while all taps use it. */
static void gradient_in_lanes(const qmt_conv_shape *s, const float *x, const qmt_output_gradient *gradient, int start,
                              int n, const int32_t *offsets, float *scratch, float *dw)
{
    int taps = s->in_channels * s->kernel * s->kernel, width = s->out_side, parts = qmt_block_count(taps, block);
    ptrdiff_t in_row = (ptrdiff_t)s->in_side * lanes, out_row = (ptrdiff_t)width * lanes;
    const float *from_row = x;
    float *sums = scratch, *turned = sums + (ptrdiff_t)taps * lanes, *zeros = turned + out_row * lanes;
    memset(sums, 0, sizeof(float) * (size_t)taps * lanes);
    memset(zeros, 0, sizeof(float) * (size_t)out_row);
    for (int row = 0; row < width; row++) {
        const float *rows[lanes];
        for (int o = 0; o < lanes; o++)
            rows[o] = o < n ? QMT_VARIANT(qmt_net_dy_row)(gradient, start + o, row, NULL) : zeros;
        for (int column = 0; column < width; column++) {
            turn(rows, turned + (ptrdiff_t)column * lanes * lanes);
            for (int o = 0; o < lanes; o++)
                rows[o] += lanes;
        }
        for (int first = 0, part = 0; first < taps; first += block, part++) {
            fetch_row(x, s->in_channels, s->in_side, row + s->kernel, part, parts);
            const float *from[block];
            int m = taps - first < block ? taps - first : block;
            for (int t = 0; t < m; t++)
                from[t] = from_row + offsets[first + t];
            add_taps_of(m, turned, from, out_row, sums + (ptrdiff_t)first * lanes);
        }
        from_row += in_row;
    }
    turn_sums(sums, taps, n, dw + (ptrdiff_t)start * taps);
}

/* ---- Samples in the lanes --------------------------------------------------------------------------- */

ALWAYS_INLINE float sum_lanes_float(vec value)
{
    float part[vector_lanes];
    memcpy(part, &value, sizeof part);
    for (int width = vector_lanes / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            part[i] += part[i + width];
    return part[0];
}

/* dw of `n` output channels and `m` taps over `rows` rows: partial sums by lane, added to sums[4][3]. */
ALWAYS_INLINE void add_tile(int n, int m, const float *dy, ptrdiff_t dy_channel, const float *const x[gradient_taps],
                            int rows, int width, ptrdiff_t x_row, float *sums)
{
    vec s[gradient_outputs][gradient_taps];
    for (int o = 0; o < n; o++)
        for (int t = 0; t < m; t++)
            s[o][t] = load(sums + (o * gradient_taps + t) * vector_lanes);
    for (int row = 0; row < rows; row++, dy += (ptrdiff_t)width * lanes)
        for (ptrdiff_t i = 0; i < (ptrdiff_t)width * lanes; i += vector_lanes) {
            vec taps_here[gradient_taps];
            for (int t = 0; t < m; t++)
                taps_here[t] = load(x[t] + row * x_row + i);
            for (int o = 0; o < n; o++) {
                vec d = load(dy + o * dy_channel + i);
                for (int t = 0; t < m; t++)
                    s[o][t] += d * taps_here[t];
            }
        }
    for (int o = 0; o < n; o++)
        for (int t = 0; t < m; t++)
            store(sums + (o * gradient_taps + t) * vector_lanes, s[o][t]);
}

static void add_tile_of(int n, int m, const float *dy, ptrdiff_t dy_channel, const float *const x[gradient_taps],
                        int rows, int width, ptrdiff_t x_row, float *sums)
{
    if (n == 4 && m == 3)
        add_tile(4, 3, dy, dy_channel, x, rows, width, x_row, sums);
    else if (n == 3 && m == 3)
        add_tile(3, 3, dy, dy_channel, x, rows, width, x_row, sums);
    else
        for (int o = 0; o < n; o++)
            for (int t = 0; t < m; t++)
                add_tile(1, 1, dy + o * dy_channel, 0, x + t, rows, width, x_row,
                         sums + (o * gradient_taps + t) * vector_lanes);
}

/* dw of `n` <= 4 output channels from `start` on, in strips of rows: a strip of dy is made in the first-level cache,
 * and is written nowhere else. */
static void gradient_by_samples(const qmt_conv_shape *s, const float *x, const qmt_output_gradient *gradient, int start,
                                int n, const int32_t *offsets, float *scratch, float *dw)
{
    enum { tile = gradient_outputs * gradient_taps * vector_lanes, most = 3072 };
    int taps = s->in_channels * s->kernel * s->kernel, width = s->out_side;
    ptrdiff_t in_row = (ptrdiff_t)s->in_side * lanes, out_row = (ptrdiff_t)width * lanes;
    int strip = most / (int)(gradient_outputs * out_row) > 1 ? most / (int)(gradient_outputs * out_row) : 1;
    ptrdiff_t tiles = (taps + gradient_taps - 1) / gradient_taps;
    float *sums = scratch, *dy = sums + tiles * tile;
    memset(sums, 0, sizeof(float) * (size_t)(tiles * tile));
    for (int row = 0; row < width; row += strip) {
        int rows = width - row < strip ? width - row : strip;
        for (int o = 0; o < n; o++)
            for (int i = 0; i < rows; i++)
                QMT_VARIANT(qmt_net_dy_row)(gradient, start + o, row + i, dy + ((ptrdiff_t)o * strip + i) * out_row);
        for (int tap = 0; tap < taps; tap += gradient_taps) {
            int m = taps - tap < gradient_taps ? taps - tap : gradient_taps;
            const float *inputs[gradient_taps];
            for (int t = 0; t < m; t++)
                inputs[t] = x + offsets[tap + t] + row * in_row;
            add_tile_of(n, m, dy, strip * out_row, inputs, rows, width, in_row, sums + tap / gradient_taps * tile);
        }
    }
    for (int o = 0; o < n; o++)
        for (int tap = 0; tap < taps; tap++) {
            const float *part =
                sums + tap / gradient_taps * tile + (o * gradient_taps + tap % gradient_taps) * vector_lanes;
            dw[((ptrdiff_t)start + o) * taps + tap] = sum_lanes_float(load(part));
        }
}

/* ---- Taps in the lanes ------------------------------------------------------------------------------ */

/* dw of `n` output channels at 16 taps: one pixel, so the sum runs over the samples only. `turned`: [16][16 taps]. */
ALWAYS_INLINE void dense_tile(int n, const float *dy, const float *turned, float *dw, ptrdiff_t dw_stride, int count)
{
    vec sums[block][vectors];
    for (int o = 0; o < n; o++)
        for (int v = 0; v < vectors; v++)
            sums[o][v] = splat(0);
    for (int sample = 0; sample < lanes; sample++) {
        vec x[vectors];
        for (int v = 0; v < vectors; v++)
            x[v] = load(turned + sample * lanes + v * vector_lanes);
        for (int o = 0; o < n; o++) {
            vec d = splat(dy[o * lanes + sample]);
            for (int v = 0; v < vectors; v++)
                sums[o][v] += x[v] * d;
        }
    }
    for (int o = 0; o < n; o++) {
        float row[lanes] __attribute__((aligned(64)));
        for (int v = 0; v < vectors; v++)
            store(row + v * vector_lanes, sums[o][v]);
        if (count == lanes)
            memcpy(dw + o * dw_stride, row, sizeof row);
        else
            memcpy(dw + o * dw_stride, row, sizeof(float) * (size_t)count);
    }
}

/* The output map is one pixel (fully connected layers, heads). A stretch of taps stays in the first-level cache while
 * all outputs use it. */
static void dense_gradient(const qmt_conv_shape *s, const float *x, const qmt_output_gradient *gradient, float *dw)
{
    enum { outputs = block < 6 ? block : 6, stretch = 8 * lanes };
    int taps = s->in_channels * s->kernel * s->kernel;
    float turned[stretch * lanes] __attribute__((aligned(64)));
    static const float zeros[lanes] __attribute__((aligned(64)));
    const float *dy = QMT_VARIANT(qmt_net_dy_row)(gradient, 0, 0, NULL); /* one after the other in either place */
    for (int o = 1; o < s->out_channels; o++)
        QMT_VARIANT(qmt_net_dy_row)(gradient, o, 0, NULL);
    for (int first = 0; first < taps; first += stretch) {
        int end = taps - first < stretch ? taps : first + stretch;
        for (int tap = first; tap < end; tap += lanes) {
            const float *rows[lanes]; /* the map is as large as the kernel */
            for (int t = 0; t < lanes; t++)
                rows[t] = tap + t < end ? x + (ptrdiff_t)(tap + t) * lanes : zeros;
            turn(rows, turned + (ptrdiff_t)(tap - first) * lanes);
        }
        for (int start = 0; start < s->out_channels; start += outputs)
            for (int tap = first; tap < end; tap += lanes) {
                int n = s->out_channels - start < outputs ? s->out_channels - start : outputs;
                int count = end - tap < lanes ? end - tap : lanes;
                const float *from = turned + (ptrdiff_t)(tap - first) * lanes, *d = dy + (ptrdiff_t)start * lanes;
                float *to = dw + (ptrdiff_t)start * taps + tap;
                if (n == outputs)
                    dense_tile(outputs, d, from, to, taps, count);
                else
                    for (int o = 0; o < n; o++)
                        dense_tile(1, d + (ptrdiff_t)o * lanes, from, to + (ptrdiff_t)o * taps, taps, count);
            }
    }
}

/* Few taps would leave the lanes' turning too much of the time. */
enum { few_taps = 48 };

void QMT_VARIANT(qmt_net_weight_gradient)(const qmt_conv_shape *s, const float *x, const qmt_output_gradient *gradient,
                                          float *scratch, float *dw)
{
    if (s->out_side == 1) {
        dense_gradient(s, x, gradient, dw);
        return;
    }
    int32_t *offsets = (int32_t *)(void *)scratch;
    ptrdiff_t taps = (ptrdiff_t)s->in_channels * s->kernel * s->kernel;
    set_offsets(s, offsets);
    scratch += (taps + lanes - 1) / lanes * lanes;
    bool turn_dy = taps > few_taps || gradient->keep;
    int most = turn_dy ? lanes : gradient_outputs, blocks = qmt_block_count(s->out_channels, most);
    for (int b = 0; b < blocks; b++) {
        int start = turn_dy ? b * lanes : qmt_block_start(s->out_channels, most, b);
        int end = turn_dy ? start + lanes : qmt_block_start(s->out_channels, most, b + 1);
        int n = (end < s->out_channels ? end : s->out_channels) - start;
        if (turn_dy)
            gradient_in_lanes(s, x, gradient, start, n, offsets, scratch, dw);
        else
            gradient_by_samples(s, x, gradient, start, n, offsets, scratch, dw);
    }
}
