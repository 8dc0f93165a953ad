/* Normalization, activation and pool, and their gradients. Compiled once an instruction set (net_vector.h). */
#include "toolkit/net/net_vector.h"

/* mask is all ones or all zeros in each lane. */
ALWAYS_INLINE vec keep(ivec mask, vec value)
{
    return (vec)(mask & (ivec)value);
}

ALWAYS_INLINE vec choose(ivec mask, vec yes, vec no)
{
    return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

ALWAYS_INLINE ivec load_bytes(const uint8_t *from)
{
    bvec bytes;
    memcpy(&bytes, from, sizeof bytes);
    return __builtin_convertvector(bytes, ivec);
}

ALWAYS_INLINE void store_bytes(uint8_t *to, ivec value)
{
    bvec bytes = __builtin_convertvector(value, bvec);
    memcpy(to, &bytes, sizeof bytes);
}

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
    ptrdiff_t count = (ptrdiff_t)s->conv_side * s->conv_side * lanes;
    for (ptrdiff_t i = 0; i < count; i += vector_lanes) {
        vec value = activate(activation, load(y + i) * scale + shift, slope);
        store(out + i, value);
        *most = larger(*most, size_of(value));
    }
}

/* The kinds that occur get loops of their own. */
static void finish_channel(const qmt_finish_shape *s, float scale, float shift, float slope, const float *y, float *out,
                           float *peak, uint8_t *place, vec *most)
{
    bool relu = s->activation == QMT_ACTIVATION_RELU;
    if (s->pool_kernel == 3 && relu)
        pool_channel(s, QMT_ACTIVATION_RELU, 3, scale, shift, slope, y, out, peak, place, most);
    else if (s->pool_kernel == 2 && relu)
        pool_channel(s, QMT_ACTIVATION_RELU, 2, scale, shift, slope, y, out, peak, place, most);
    else if (s->pool_kernel > 0)
        pool_channel(s, s->activation, s->pool_kernel, scale, shift, slope, y, out, peak, place, most);
    else if (relu)
        plain_channel(s, QMT_ACTIVATION_RELU, scale, shift, slope, y, out, most);
    else
        plain_channel(s, s->activation, scale, shift, slope, y, out, most);
}

void QMT_VARIANT(qmt_net_finish)(const qmt_finish_shape *s, const qmt_finish_values *values, const float *y, float *out,
                                 float *peak, uint8_t *place, float *maxima)
{
    ptrdiff_t conv_plane = (ptrdiff_t)s->conv_side * s->conv_side * lanes,
              plane = (ptrdiff_t)s->out_side * s->out_side * lanes;
    bool pool = s->pool_kernel > 0;
    for (int c = 0; c < s->channels; c++) {
        vec most = {0};
        finish_channel(s, values->scale[c], values->shift[c], values->slope ? values->slope[c] : 0, y + c * conv_plane,
                       out + c * plane, pool ? peak + c * plane : NULL, pool ? place + c * plane : NULL, &most);
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

static void spread_row(const qmt_finish_shape *s, int row, const float *dz, const uint8_t *place, float scale,
                       float slope, float center, float offset, float *y)
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
            float *to = y + column * lanes + v * vector_lanes;
            store(to, g * scale + (load(to) - center) * slope + offset);
        }
    }
}

void QMT_VARIANT(qmt_net_spread_gradient)(const qmt_finish_shape *s, const qmt_norm_gradient *norm, const float *dz,
                                          const uint8_t *place, float *y)
{
    ptrdiff_t row_stride = (ptrdiff_t)s->conv_side * lanes, plane = (ptrdiff_t)s->out_side * s->out_side * lanes;
    for (int c = 0; c < s->channels; c++) {
        float scale = norm->scale[c], slope = norm->slope[c], center = norm->center[c], offset = norm->offset[c];
        float *to = y + c * s->conv_side * row_stride;
        const float *from = dz + c * plane;
        if (s->pool_kernel > 0) {
            for (int row = 0; row < s->conv_side; row++)
                spread_row(s, row, from, place + c * plane, scale, slope, center, offset, to + row * row_stride);
            continue;
        }
        for (ptrdiff_t i = 0; i < plane; i += vector_lanes)
            store(to + i, load(from + i) * scale + (load(to + i) - center) * slope + offset);
    }
}
