/* Normalization, activation and pool, and their gradients. Compiled once an instruction set (net_vector.h). */
#include "toolkit/net/net_vector.h"

ALWAYS_INLINE vec activate(qmt_activation activation, vec z, float slope)
{
    if (activation == QMT_ACTIVATION_RELU)
        return keep(z > 0.0f, z);
    if (activation == QMT_ACTIVATION_PRELU)
        return choose(z > 0.0f, z, z * slope);
    return z;
}

ALWAYS_INLINE vec larger(vec a, vec b)
{
    return choose(b > a, b, a);
}

ALWAYS_INLINE vec size_of(vec a)
{
    return (vec)((ivec)a & 0x7fffffff);
}

static float largest_lane(vec value)
{
    float most = 0;
    for (int i = 0; i < vector_lanes; i++)
        most = value[i] > most ? value[i] : most;
    return most;
}

/* One window: the first of the largest. rows, columns: what of it lies inside. */
ALWAYS_INLINE vec pool_window(qmt_activation activation, float scale, float shift, float slope, const float *y,
                              ptrdiff_t row_stride, int rows, int columns, int kernel, float *peak, uint8_t *place)
{
    vec from = load(y), best = activate(activation, from * scale + shift, slope);
    ivec where = {0};
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            if (i == 0 && j == 0)
                continue;
            vec here = load(y + i * row_stride + j * lanes), value = activate(activation, here * scale + shift, slope);
            ivec wins = value > best;
            best = choose(wins, value, best);
            from = choose(wins, here, from);
            where = (wins & (i * kernel + j)) | (~wins & where);
        }
    store(peak, from);
    store_bytes(place, where);
    return best;
}

ALWAYS_INLINE void pool_channel(const qmt_finish_shape *s, qmt_activation activation, int kernel, float scale,
                                float shift, float slope, const float *y, float *out, float *peak, uint8_t *place,
                                vec *most)
{
    ptrdiff_t row_stride = (ptrdiff_t)s->conv_side * lanes;
    for (int row = 0; row < s->out_side; row++) {
        int top = row * s->pool_stride, rows = s->conv_side - top < kernel ? s->conv_side - top : kernel;
        for (int column = 0; column < s->out_side; column++) {
            int left = column * s->pool_stride;
            int columns = s->conv_side - left < kernel ? s->conv_side - left : kernel;
            const float *corner = y + top * row_stride + left * lanes;
            ptrdiff_t to = ((ptrdiff_t)row * s->out_side + column) * lanes;
            for (int v = 0; v < vectors; v++, corner += vector_lanes, to += vector_lanes) {
                vec value;
                if (rows == kernel && columns == kernel)
                    value = pool_window(activation, scale, shift, slope, corner, row_stride, kernel, kernel, kernel,
                                        peak + to, place + to);
                else
                    value = pool_window(activation, scale, shift, slope, corner, row_stride, rows, columns, kernel,
                                        peak + to, place + to);
                store(out + to, value);
                *most = larger(*most, size_of(value));
            }
        }
    }
}

ALWAYS_INLINE void plain_channel(const qmt_finish_shape *s, qmt_activation activation, float scale, float shift,
                                 float slope, const float *y, float *out, vec *most)
{
    ptrdiff_t count = (ptrdiff_t)s->out_side * s->out_side * lanes;
    for (ptrdiff_t i = 0; i < count; i += vector_lanes) {
        vec value = activate(activation, load(y + i) * scale + shift, slope);
        store(out + i, value);
        *most = larger(*most, size_of(value));
    }
}

/* One window by y itself, the largest or (falling) the smallest: where activation keeps or turns the order, that is the
 * one whose activation wins. */
ALWAYS_INLINE void pool_raw(bool falling, const float *y, ptrdiff_t row_stride, int rows, int columns, int kernel,
                            float *peak, uint8_t *place)
{
    vec best = load(y), where = {0}; /* as floats: compilers pack each mask of whole numbers into bytes */
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            if (i == 0 && j == 0)
                continue;
            vec here = load(y + i * row_stride + j * lanes);
            ivec wins = falling ? here < best : here > best;
            best = choose(wins, here, best);
            where = choose(wins, splat((float)(i * kernel + j)), where);
        }
    store(peak, best);
    store_bytes(place, __builtin_convertvector(where, ivec));
}

ALWAYS_INLINE void pool_row(const qmt_finish_shape *s, bool falling, int kernel, const float *y, int row, float *peak,
                            uint8_t *place)
{
    ptrdiff_t row_stride = (ptrdiff_t)s->conv_side * lanes;
    int top = row * s->pool_stride, rows = s->conv_side - top < kernel ? s->conv_side - top : kernel;
    for (int column = 0; column < s->out_side; column++) {
        int left = column * s->pool_stride, columns = s->conv_side - left < kernel ? s->conv_side - left : kernel;
        const float *corner = y + top * row_stride + left * lanes;
        ptrdiff_t to = ((ptrdiff_t)row * s->out_side + column) * lanes;
        for (int v = 0; v < vectors; v++, corner += vector_lanes, to += vector_lanes)
            if (rows == kernel && columns == kernel)
                pool_raw(falling, corner, row_stride, kernel, kernel, kernel, peak + to, place + to);
            else
                pool_raw(falling, corner, row_stride, rows, columns, kernel, peak + to, place + to);
    }
}

void QMT_VARIANT(qmt_net_pool_row)(const qmt_finish_shape *s, int direction, const float *y, int row, float *peak,
                                   uint8_t *place)
{
    if (s->pool_kernel == 3 && direction > 0)
        pool_row(s, false, 3, y, row, peak, place);
    else if (s->pool_kernel == 3)
        pool_row(s, true, 3, y, row, peak, place);
    else if (s->pool_kernel == 2 && direction > 0)
        pool_row(s, false, 2, y, row, peak, place);
    else if (s->pool_kernel == 2)
        pool_row(s, true, 2, y, row, peak, place);
    else
        pool_row(s, direction < 0, s->pool_kernel, y, row, peak, place);
}

/* The kinds that occur get loops of their own. `pool`: from y; otherwise y has the output's size. */
static void finish_channel(const qmt_finish_shape *s, bool pool, float scale, float shift, float slope, const float *y,
                           float *out, float *peak, uint8_t *place, vec *most)
{
    if (pool)
        pool_channel(s, s->activation, s->pool_kernel, scale, shift, slope, y, out, peak, place, most);
    else if (s->activation == QMT_ACTIVATION_RELU)
        plain_channel(s, QMT_ACTIVATION_RELU, scale, shift, slope, y, out, most);
    else
        plain_channel(s, s->activation, scale, shift, slope, y, out, most);
}

void QMT_VARIANT(qmt_net_finish)(const qmt_finish_shape *s, const qmt_finish_values *values, const float *y, float *out,
                                 float *peak, uint8_t *place, float *maxima)
{
    ptrdiff_t conv_plane = (ptrdiff_t)s->conv_side * s->conv_side * lanes,
              plane = (ptrdiff_t)s->out_side * s->out_side * lanes;
    for (int c = 0; c < s->channels; c++) {
        vec most = {0};
        float scale = values->scale[c], shift = values->shift[c], slope = values->slope ? values->slope[c] : 0;
        if (s->pool_kernel > 0 && values->direction[c] == 0)
            finish_channel(s, true, scale, shift, slope, y + c * conv_plane, out + c * plane, peak + c * plane,
                           place + c * plane, &most);
        else
            finish_channel(s, false, scale, shift, slope, s->pool_kernel > 0 ? peak + c * plane : y + c * conv_plane,
                           out + c * plane, NULL, NULL, &most);
        maxima[c] = largest_lane(most);
    }
}

ALWAYS_INLINE void gradient_channel(qmt_activation activation, float scale, float shift, float slope, float center,
                                    ptrdiff_t count, const float *winner, float *gradient, double *sums)
{
    enum { stretch = 64 * lanes };
    for (ptrdiff_t start = 0; start < count; start += stretch) {
        ptrdiff_t end = count - start < stretch ? count : start + stretch;
        vec sum = {0}, product = {0}, slopes = {0};
        for (ptrdiff_t i = start; i < end; i += vector_lanes) {
            vec y = load(winner + i), g = load(gradient + i), z = y * scale + shift;
            if (activation == QMT_ACTIVATION_RELU)
                g = keep(z > 0.0f, g);
            if (activation == QMT_ACTIVATION_PRELU) {
                ivec positive = z > 0.0f;
                slopes += keep(~positive, g * z);
                g = choose(positive, g, g * slope);
            }
            sum += g;
            product += g * (y - center);
            store(gradient + i, g);
        }
        sums[0] += sum_lanes(sum);
        sums[1] += sum_lanes(product);
        sums[2] += sum_lanes(slopes);
    }
}

void QMT_VARIANT(qmt_net_finish_gradient)(const qmt_finish_shape *s, const qmt_finish_values *values,
                                          const float *winner, const float *center, float *gradient, double *sums)
{
    ptrdiff_t plane = (ptrdiff_t)s->out_side * s->out_side * lanes;
    memset(sums, 0, 3 * (size_t)s->channels * sizeof *sums);
    for (int c = 0; c < s->channels; c++) {
        float scale = values->scale[c], shift = values->shift[c], slope = values->slope ? values->slope[c] : 0;
        const float *from = winner + c * plane;
        float *to = gradient + c * plane;
        if (s->activation == QMT_ACTIVATION_RELU)
            gradient_channel(QMT_ACTIVATION_RELU, scale, shift, slope, center[c], plane, from, to, sums + 3 * c);
        else if (s->activation == QMT_ACTIVATION_PRELU)
            gradient_channel(QMT_ACTIVATION_PRELU, scale, shift, slope, center[c], plane, from, to, sums + 3 * c);
        else
            gradient_channel(QMT_ACTIVATION_NONE, scale, shift, slope, center[c], plane, from, to, sums + 3 * c);
    }
}

/* First and last window (along one axis) that holds position `at`. */
ALWAYS_INLINE int first_window(int at, int kernel, int stride)
{
    return at >= kernel ? (at - kernel) / stride + 1 : 0;
}

ALWAYS_INLINE int last_window(int at, int stride, int count)
{
    return at / stride < count ? at / stride : count - 1;
}

/* What dy of one channel is made from. */
typedef struct norm_values {
    float scale, slope, center, offset;
} norm_values;

ALWAYS_INLINE vec normalize_gradient(const norm_values *norm, vec dz, vec y)
{
    return dz * norm->scale + (y - norm->center) * norm->slope + norm->offset;
}

/* Any pool: each position gathers from the windows that hold it. */
static void spread_any(const qmt_finish_shape *s, int row, const float *dz, const uint8_t *place,
                       const norm_values *norm, const float *y, float *to)
{
    int kernel = s->pool_kernel, stride = s->pool_stride, side = s->out_side;
    int top = first_window(row, kernel, stride), bottom = last_window(row, stride, side);
    for (int column = 0; column < s->conv_side; column++) {
        int left = first_window(column, kernel, stride), right = last_window(column, stride, side);
        for (int v = 0; v < vectors; v++) {
            vec g = {0};
            for (int wy = top; wy <= bottom; wy++)
                for (int wx = left; wx <= right; wx++) {
                    ptrdiff_t at = ((ptrdiff_t)wy * side + wx) * lanes + v * vector_lanes;
                    int here = (row - wy * stride) * kernel + column - wx * stride;
                    g += keep(load_bytes(place + at) == here, load(dz + at));
                }
            ptrdiff_t at = column * lanes + v * vector_lanes;
            store(to + at, normalize_gradient(norm, g, load(y + at)));
        }
    }
}

/* Pools 3 / 2 and 2 / 2, window by window along the row: `rows` (1 or 2) rows of windows hold it. dz, place: of the
 * first of them; `first`: the place of the row's first position in that one. */
ALWAYS_INLINE void spread_pairs(const qmt_finish_shape *s, int kernel, int rows, int first, const float *dz,
                                const uint8_t *place, const norm_values *norm, const float *y, float *to)
{
    ptrdiff_t row_stride = (ptrdiff_t)s->out_side * lanes;
    vec carried[vectors];
    for (int v = 0; v < vectors; v++)
        carried[v] = splat(0);
    for (int window = 0; window < s->out_side; window++)
        for (int v = 0; v < vectors; v++) {
            vec g[3] = {carried[v], {0}, {0}};
            for (int r = 0; r < rows; r++) {
                ptrdiff_t from = r * row_stride + window * lanes + v * vector_lanes;
                ivec where = load_bytes(place + from);
                vec d = load(dz + from);
                for (int j = 0; j < kernel; j++) /* a row of windows further down, the place is 2 rows further up */
                    g[j] += keep(where == first + j - r * 2 * kernel, d);
            }
            ptrdiff_t at = window * 2 * lanes + v * vector_lanes;
            store(to + at, normalize_gradient(norm, g[0], load(y + at)));
            if (window * 2 + 1 < s->conv_side)
                store(to + at + lanes, normalize_gradient(norm, g[1], load(y + at + lanes)));
            carried[v] = g[2];
        }
    ptrdiff_t last = (ptrdiff_t)s->out_side * 2 * lanes;
    for (int v = 0; v < vectors && s->out_side * 2 < s->conv_side; v++, last += vector_lanes)
        store(to + last, normalize_gradient(norm, carried[v], load(y + last)));
}

static void spread_row(const qmt_finish_shape *s, int row, const float *dz, const uint8_t *place,
                       const norm_values *norm, const float *y, float *to)
{
    int kernel = s->pool_kernel, top = first_window(row, kernel, s->pool_stride);
    int rows = last_window(row, s->pool_stride, s->out_side) - top + 1, first = (row - top * s->pool_stride) * kernel;
    ptrdiff_t from = (ptrdiff_t)top * s->out_side * lanes;
    if (kernel == 3 && s->pool_stride == 2 && rows == 1)
        spread_pairs(s, 3, 1, first, dz + from, place + from, norm, y, to);
    else if (kernel == 3 && s->pool_stride == 2)
        spread_pairs(s, 3, 2, first, dz + from, place + from, norm, y, to);
    else if (kernel == 2 && s->pool_stride == 2)
        spread_pairs(s, 2, 1, first, dz + from, place + from, norm, y, to);
    else
        spread_any(s, row, dz, place, norm, y, to);
}

const float *QMT_VARIANT(qmt_net_dy_row)(const qmt_output_gradient *gradient, int channel, int row, float *to)
{
    const qmt_finish_shape *s = gradient->finish;
    ptrdiff_t row_size = (ptrdiff_t)s->conv_side * lanes, plane = (ptrdiff_t)s->out_side * s->out_side * lanes;
    ptrdiff_t at = ((ptrdiff_t)channel * s->conv_side + row) * row_size;
    const float *dz = gradient->dz + channel * plane;
    if (!gradient->norm) {
        if (to)
            memcpy(to, gradient->dz + at, sizeof(float) * (size_t)row_size);
        return to ? to : gradient->dz + at;
    }
    float *y = gradient->y + at;
    to = to ? to : y;
    const qmt_norm_gradient *n = gradient->norm;
    /* Two strips of a large map ahead. */
    fetch(y + 4 * row_size, row_size);
    norm_values norm = {n->scale[channel], n->slope[channel], n->center[channel], n->offset[channel]};
    if (s->pool_kernel > 0)
        spread_row(s, row, dz, gradient->place + channel * plane, &norm, y, to);
    else
        for (ptrdiff_t i = 0; i < row_size; i += vector_lanes)
            store(to + i, normalize_gradient(&norm, load(dz + row * row_size + i), load(y + i)));
    return to;
}
