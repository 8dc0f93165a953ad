/* FP32 layers in tiles, compiled for the instruction set of the file that includes this (real_vector.h). Private to
 * runtime/kernels.
 *
 * A tile is a few pixels times 8, 16 or 32 output channels: its sums stay in registers from the first input to the
 * last, and each register of weights serves all of its pixels. Tiles run over a strip's rows as if these were one row,
 * so that a narrow map has few tiles that aren't full. All pixels come before the next channels, whose weights stay in
 * the first-level cache meanwhile. */
#ifndef QMT_REAL_TILES_H
#define QMT_REAL_TILES_H

#include "runtime/kernels/real.h"
#include "runtime/kernels/real_plane.h"
#include "runtime/kernels/real_vector.h"

#ifdef QMT_REAL_LANES
enum {
    qmt_tile_most_pixels = qmt_tile8 > qmt_tile16 ? qmt_tile8 : qmt_tile16,
    qmt_tile_most_channels = 32,
    qmt_tile_most_vectors = qmt_tile_most_channels / qmt_vec_lanes,
    qmt_tile_most_sums = qmt_tile32 * qmt_tile_most_vectors > qmt_tile16 *qmt_channel_step / qmt_vec_lanes
                             ? qmt_tile32 *qmt_tile_most_vectors
                             : qmt_tile16 *qmt_channel_step / qmt_vec_lanes,
    qmt_band_pixels = 96 /* pixels whose sums wait for the pool at a time, if a pooled row needs no more */
};

/* What becomes of a sum. */
enum qmt_real_finish { QMT_REAL_RAW, QMT_REAL_RELU, QMT_REAL_SLOPE };

/* A layer over a strip. Sizes are in floats. Where several pictures lie side by side, a pixel's neighbor in memory is
 * another picture's. */
struct qmt_real_walk {
    const qmt_packed_layer *packed;
    const float *input;
    size_t input_row, step; /* from row to row, and to the next pixel in memory */
    size_t column;          /* to the next pixel of the same picture */
    size_t spans, span;     /* a kernel row reads `spans` x `span` inputs, one span a `column` after the other */
    size_t block_weights;   /* of 16 channels */
    int width;              /* pixels of a row of convolution output, of all pictures */
    int pictures;
    enum qmt_real_finish finish;
};

/* Where values go. */
struct qmt_real_output {
    float *real;   /* the first pixel's first channel */
    int8_t *bytes; /* the same of INT8 output; NULL: none */
    size_t pitch;  /* values from pixel to pixel */
    enum qmt_real_finish finish;
};

/* ---- After the sums ------------------------------------------------------------------------------ */

QMT_INLINE qmt_vec qmt_real_finish_value(qmt_vec value, enum qmt_real_finish finish, const float *slope)
{
    const float nothing = 0.0f;
    if (finish == QMT_REAL_RELU)
        return qmt_vec_larger(qmt_vec_spread(&nothing), value);
    return finish == QMT_REAL_SLOPE ? qmt_real_activate(value, qmt_vec_load(slope)) : value;
}

/* Values in steps of `scale`: rounded half to even by adding and taking away 1.5 * 2^23, saturated at +-127. A NaN
 * becomes 127. */
static inline void qmt_real_quantize(const float *value, int count, float scale, int8_t *output)
{
    const float to_integer = 12582912.0f;
    for (int i = 0; i < count; i++) {
        float x = value[i] / scale;
        x = x < 127.0f ? x : 127.0f;
        x = x > -127.0f ? x : -127.0f;
        output[i] = (int8_t)(int32_t)((x + to_integer) - to_integer);
    }
}

/* ---- Tiles --------------------------------------------------------------------------------------- */

/* One input of each pixel, times its weights. */
QMT_INLINE void qmt_real_tap(qmt_vec *sum, const float *weight, size_t block_weights, const float *const *from,
                             size_t at, const int pixels, const int vectors)
{
    qmt_vec w[qmt_tile_most_vectors];
    QMT_UNROLL
    for (int v = 0; v < vectors; v++)
        w[v] = qmt_vec_load(weight + (size_t)(v * qmt_vec_lanes / qmt_channel_step) * block_weights +
                            v * qmt_vec_lanes % qmt_channel_step);
    QMT_UNROLL
    for (int p = 0; p < pixels; p++) {
        const qmt_vec x = qmt_vec_spread(from[p] + at);
        QMT_UNROLL
        for (int v = 0; v < vectors; v++)
            sum[p * vectors + v] = qmt_vec_multiply_add(x, w[v], sum[p * vectors + v]);
    }
}

/* `pixels` and `vectors` are constants after inlining; so is `constant_span`, unless 0: as the walk says. */
QMT_INLINE void qmt_real_sum(const struct qmt_real_walk *walk, int channel, const float *const *from, qmt_vec *sum,
                             const int pixels, const int vectors, const size_t constant_span)
{
    const size_t spans = walk->spans, column = walk->column;
    const size_t block_weights = walk->block_weights, input_row = walk->input_row;
    const int rows = walk->packed->kernel_height;
    const float *weight = (const float *)walk->packed->weight + (size_t)(channel / qmt_channel_step) * block_weights;
    const float *bias = walk->packed->bias + channel;
    QMT_UNROLL
    for (int p = 0; p < pixels; p++)
        QMT_UNROLL
    for (int v = 0; v < vectors; v++)
        sum[p * vectors + v] = qmt_vec_load(bias + v * qmt_vec_lanes);
    for (int ky = 0; ky < rows; ky++)
        for (size_t s = 0; s < spans; s++) {
            size_t at = (size_t)ky * input_row + s * column;
            QMT_UNROLL
            for (size_t i = 0; i < constant_span; i++, weight += qmt_channel_step)
                qmt_real_tap(sum, weight, block_weights, from, at + i, pixels, vectors);
            if (constant_span)
                continue;
            const size_t end = at + walk->span;
            for (; at + 2 <= end; at += 2, weight += 2 * qmt_channel_step) {
                qmt_real_tap(sum, weight, block_weights, from, at, pixels, vectors);
                qmt_real_tap(sum, weight + qmt_channel_step, block_weights, from, at + 1, pixels, vectors);
            }
            if (at < end) {
                qmt_real_tap(sum, weight, block_weights, from, at, pixels, vectors);
                weight += qmt_channel_step;
            }
        }
}

/* Results go to to[pixel * pitch + channel]. from[]: each pixel's first input. */
QMT_INLINE void qmt_real_tile(const struct qmt_real_walk *walk, int channel, const float *const *inputs,
                              enum qmt_real_finish finish, float *to, size_t pitch, const int pixels,
                              const int channels)
{
    const int vectors = channels > qmt_vec_lanes ? channels / qmt_vec_lanes : 1;
    const float *slope = walk->packed->slope + channel;
    const float *from[qmt_tile_most_pixels];
    qmt_vec sum[qmt_tile_most_sums];
    QMT_UNROLL
    for (int p = 0; p < pixels; p++)
        from[p] = inputs[p];
    if (walk->span == 3)
        qmt_real_sum(walk, channel, from, sum, pixels, vectors, 3);
    else
        qmt_real_sum(walk, channel, from, sum, pixels, vectors, 0);
    if (finish == QMT_REAL_RELU) {
        QMT_UNROLL
        for (int i = 0; i < pixels * vectors; i++)
            sum[i] = qmt_real_finish_value(sum[i], QMT_REAL_RELU, slope);
    } else if (finish == QMT_REAL_SLOPE) {
        QMT_UNROLL
        for (int i = 0; i < pixels * vectors; i++)
            sum[i] = qmt_real_finish_value(sum[i], QMT_REAL_SLOPE, slope + i % vectors * qmt_vec_lanes);
    }
    QMT_UNROLL
    for (int p = 0; p < pixels; p++)
        QMT_UNROLL
    for (int v = 0; v < vectors; v++)
        qmt_vec_store(to + (size_t)p * pitch + v * qmt_vec_lanes, sum[p * vectors + v]);
}

/* The same with counts that are known only when it runs. */
static inline void qmt_real_tile8(const struct qmt_real_walk *walk, int channel, const float *const *inputs,
                                  enum qmt_real_finish finish, float *to, size_t pitch, int pixels)
{
#if QMT_REAL_LANES < 16 /* whose registers hold 16 channels */
    switch (pixels) {
    case 1: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 1, 8); break;
    case 2: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 2, 8); break;
    case 3: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 3, 8); break;
    case 4: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 4, 8); break;
    case 5: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 5, 8); break;
    case 6: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 6, 8); break;
    case 7: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 7, 8); break;
    default: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 8, 8); break;
    }
#else
    (void)walk, (void)channel, (void)inputs, (void)finish, (void)to, (void)pitch, (void)pixels;
#endif
}

static inline void qmt_real_tile16(const struct qmt_real_walk *walk, int channel, const float *const *inputs,
                                   enum qmt_real_finish finish, float *to, size_t pitch, int pixels)
{
    switch (pixels) {
    case 1: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 1, 16); break;
    case 2: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 2, 16); break;
    case 3: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 3, 16); break;
    case 4: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 4, 16); break;
    case 5: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 5, 16); break;
#if QMT_REAL_LANES == 16
    case 6: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 6, 16); break;
    case 7: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 7, 16); break;
    case 8: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 8, 16); break;
    case 9: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 9, 16); break;
    case 10: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 10, 16); break;
    case 11: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 11, 16); break;
#endif
    default: qmt_real_tile(walk, channel, inputs, finish, to, pitch, qmt_tile16, 16); break;
    }
}

static inline void qmt_real_tile32(const struct qmt_real_walk *walk, int channel, const float *const *inputs,
                                   enum qmt_real_finish finish, float *to, size_t pitch, int pixels)
{
    switch (pixels) {
    case 1: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 1, 32); break;
    case 2: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 2, 32); break;
#if QMT_REAL_LANES == 16
    case 3: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 3, 32); break;
    case 4: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 4, 32); break;
    case 5: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 5, 32); break;
    case 6: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 6, 32); break;
    case 7: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 7, 32); break;
    case 8: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 8, 32); break;
    case 9: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 9, 32); break;
    case 10: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 10, 32); break;
    case 11: qmt_real_tile(walk, channel, inputs, finish, to, pitch, 11, 32); break;
#endif
    default: qmt_real_tile(walk, channel, inputs, finish, to, pitch, qmt_tile32, 32); break;
    }
}

static inline void qmt_real_tile_of(const struct qmt_real_walk *walk, int channel, int channels,
                                    const float *const *inputs, enum qmt_real_finish finish, float *to, size_t pitch,
                                    int pixels)
{
    if (channels == 8)
        qmt_real_tile8(walk, channel, inputs, finish, to, pitch, pixels);
    else if (channels == 16)
        qmt_real_tile16(walk, channel, inputs, finish, to, pitch, pixels);
    else
        qmt_real_tile32(walk, channel, inputs, finish, to, pitch, pixels);
}

/* Pixels [0, count) of the convolution output, rows one after the other from `input` on. */
static inline void qmt_real_pixels(const struct qmt_real_walk *walk, const float *input, int channel, int channels,
                                   int count, const struct qmt_real_output *first)
{
    struct qmt_real_output output = *first;
    const int most = channels == 8 ? qmt_tile8 : channels == 16 ? qmt_tile16 : qmt_tile32;
    const int tiles = (count + most - 1) / most, least = count / tiles, longer = count % tiles;
    const float *next = input;
    int left = walk->width; /* pixels of this row */
    for (int tile = 0; tile < tiles; tile++) {
        const float *inputs[qmt_tile_most_pixels];
        const int pixels = least + (tile < longer); /* all tiles alike, within one pixel */
        for (int p = 0; p < pixels; p++, next += walk->step) {
            if (left == 0) {
                next += walk->input_row - (size_t)walk->width * walk->step;
                left = walk->width;
            }
            inputs[p] = next;
            left--;
        }
        if (!output.bytes) {
            qmt_real_tile_of(walk, channel, channels, inputs, output.finish, output.real, output.pitch, pixels);
            output.real += (size_t)pixels * output.pitch;
            continue;
        }
        float values[qmt_tile_most_sums * qmt_vec_lanes];
        qmt_real_tile_of(walk, channel, channels, inputs, output.finish, values, (size_t)channels, pixels);
        for (int p = 0; p < pixels; p++, output.bytes += output.pitch)
            qmt_real_quantize(values + p * channels, channels, walk->packed->output_scale, output.bytes);
    }
}

/* ---- Pool ---------------------------------------------------------------------------------------- */

/* Rows of convolution output that wait for the pool: [row][width][channels]. */
static inline int qmt_real_band_rows(const qmt_packed_layer *packed, int width)
{
    const int pooled = (qmt_band_pixels / width - packed->pool_kernel) / packed->pool_stride + 1;
    return ((pooled > 1 ? pooled : 1) - 1) * packed->pool_stride + packed->pool_kernel;
}

/* The largest of `rows` pixels, one under the other. */
QMT_INLINE void qmt_real_column(const float *from, size_t row, const int rows, qmt_vec *largest, const int vectors)
{
    for (int v = 0; v < vectors; v++)
        largest[v] = qmt_vec_load(from + v * qmt_vec_lanes);
    for (int y = 1; y < rows; y++)
        for (int v = 0; v < vectors; v++)
            largest[v] = qmt_vec_larger(largest[v], qmt_vec_load(from + (size_t)y * row + v * qmt_vec_lanes));
}

/* One row of one picture's pool output. `band`: its first pixel in the first of `rows` rows (0: pool_kernel, a constant
 * after inlining) that it looks at. */
QMT_INLINE void qmt_real_pool_row(const struct qmt_real_walk *walk, int channel, const float *band, const int rows,
                                  const int kernel, int output_width, const struct qmt_real_output *output,
                                  const int channels)
{
    const qmt_packed_layer *packed = walk->packed;
    const int vectors = channels / qmt_vec_lanes, width = walk->width / walk->pictures;
    const size_t row = (size_t)walk->width * (size_t)channels, step = (size_t)(walk->pictures * channels);
    const bool overlaps = packed->pool_stride == kernel - 1; /* a window begins with the last one's last column */
    qmt_vec last[qmt_tile_most_vectors], largest[qmt_tile_most_vectors];
    qmt_real_column(band, row, rows, last, vectors);
    for (int x = 0; x < output_width; x++) {
        const int first = x * packed->pool_stride, end = first + kernel < width ? first + kernel : width;
        if (!overlaps)
            qmt_real_column(band + (size_t)first * step, row, rows, last, vectors);
        for (int v = 0; v < vectors; v++)
            largest[v] = last[v];
        for (int i = first + 1; i < end; i++) {
            qmt_real_column(band + (size_t)i * step, row, rows, last, vectors);
            for (int v = 0; v < vectors; v++)
                largest[v] = qmt_vec_larger(largest[v], last[v]);
        }
        float values[qmt_tile_most_channels];
        const size_t at = (size_t)(x * walk->pictures) * output->pitch;
        float *to = output->bytes ? values : output->real + at;
        for (int v = 0; v < vectors; v++)
            qmt_vec_store(to + v * qmt_vec_lanes, qmt_real_finish_value(largest[v], output->finish,
                                                                        packed->slope + channel + v * qmt_vec_lanes));
        if (output->bytes)
            qmt_real_quantize(values, channels, packed->output_scale, output->bytes + at);
    }
}

/* The same with counts that are known only when it runs. */
static inline void qmt_real_pool_row_of(const struct qmt_real_walk *walk, int channel, int channels, const float *band,
                                        int rows, int output_width, const struct qmt_real_output *output)
{
    const int kernel = walk->packed->pool_kernel;
    if (channels == 32 && kernel == 3 && rows == 3)
        qmt_real_pool_row(walk, channel, band, 3, 3, output_width, output, 32);
    else if (channels == 32)
        qmt_real_pool_row(walk, channel, band, rows, kernel, output_width, output, 32);
    else if (kernel == 3 && rows == 3)
        qmt_real_pool_row(walk, channel, band, 3, 3, output_width, output, 16);
    else if (kernel == 2 && rows == 2)
        qmt_real_pool_row(walk, channel, band, 2, 2, output_width, output, 16);
    else
        qmt_real_pool_row(walk, channel, band, rows, kernel, output_width, output, 16);
}

/* The rows [y, y + rows) of the pool's output, from a band that begins with the first row that they need and holds
 * `band_rows`. */
static inline void qmt_real_pool_band(const struct qmt_real_walk *walk, const qmt_strip *strip, int channel,
                                      int channels, int y, int rows, int band_rows, const struct qmt_real_output *first)
{
    const int kernel = walk->packed->pool_kernel, stride = walk->packed->pool_stride;
    const float *band = strip->scratch;
    for (int i = 0; i < rows; i++)
        for (int n = 0; n < walk->pictures; n++) {
            struct qmt_real_output output = *first;
            const size_t pixel = (size_t)(y + i) * (size_t)(strip->output_width * walk->pictures) + (size_t)n;
            const int left = band_rows - i * stride;
            if (output.bytes)
                output.bytes += pixel * output.pitch;
            else
                output.real += pixel * output.pitch;
            qmt_real_pool_row_of(walk, channel, channels,
                                 band + ((size_t)(i * stride) * (size_t)walk->width + (size_t)n) * (size_t)channels,
                                 left < kernel ? left : kernel, strip->output_width, &output);
        }
}

/* Some channels over a strip with a pool: band after band of convolution rows, and the pool after each. */
static inline void qmt_real_pooled(const struct qmt_real_walk *walk, const qmt_strip *strip, int channel, int channels,
                                   const struct qmt_real_output *output)
{
    const qmt_packed_layer *packed = walk->packed;
    const int kernel = packed->pool_kernel, stride = packed->pool_stride, width = walk->width;
    const int pooled = (qmt_real_band_rows(packed, width) - kernel) / stride + 1;
    const size_t row = (size_t)width * (size_t)channels;
    float *band = strip->scratch;
    int begin = 0, end = 0; /* the convolution rows in the band */
    for (int y = 0; y < strip->output_rows; y += pooled) {
        const int rows = pooled < strip->output_rows - y ? pooled : strip->output_rows - y;
        int needed = (y + rows - 1) * stride + kernel;
        needed = needed < strip->convolution_height ? needed : strip->convolution_height;
        const int kept = end > y * stride ? end - y * stride : 0; /* rows that the last band made and this one needs */
        if (kept > 0)
            memmove(band, band + (size_t)(y * stride - begin) * row, (size_t)kept * row * sizeof *band);
        begin = y * stride;
        const struct qmt_real_output sums = {.real = band + (size_t)kept * row,
                                             .pitch = (size_t)channels,
                                             .finish = packed->pools_sums ? QMT_REAL_RAW : walk->finish};
        if (needed > begin + kept)
            qmt_real_pixels(walk, walk->input + (size_t)(begin + kept) * walk->input_row, channel, channels,
                            (needed - begin - kept) * width, &sums);
        end = needed;
        qmt_real_pool_band(walk, strip, channel, channels, y, rows, end - begin, output);
    }
}

/* ---- Strips -------------------------------------------------------------------------------------- */

/* Bytes of scratch, as qmt_kernels wants them. */
static inline size_t qmt_real_scratch(const qmt_packed_layer *packed, int input_width)
{
    if (packed->pool_kernel == 0)
        return 0;
    const size_t row = (size_t)packed->pool_kernel * (size_t)input_width;
    const size_t band = (row > qmt_band_pixels ? row : qmt_band_pixels) * qmt_tile_most_channels * sizeof(float);
    const size_t planes = qmt_plane_fits(packed) ? qmt_plane_scratch(packed, input_width) : 0;
    return band > planes ? band : planes;
}

static inline struct qmt_real_walk qmt_real_walk_start(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    const int pictures = strip->pictures > 1 ? strip->pictures : 1;
    const size_t channels = (size_t)packed->in_channels, columns = (size_t)packed->kernel_width;
    const size_t step = (size_t)packed->in_padded;
    const bool whole = pictures == 1 && channels == step; /* a kernel row's inputs lie side by side */
    return (struct qmt_real_walk){.packed = packed,
                                  .input = strip->input,
                                  .input_row = (size_t)(pictures * strip->input_width) * step,
                                  .step = step,
                                  .column = (size_t)pictures * step,
                                  .spans = whole ? 1 : columns,
                                  .span = whole ? columns * channels : channels,
                                  .block_weights =
                                      (size_t)packed->kernel_height * columns * channels * qmt_channel_step,
                                  .width = (strip->input_width - packed->kernel_width + 1) * pictures,
                                  .pictures = pictures,
                                  .finish = packed->activation == QMT_ACTIVATION_RELU    ? QMT_REAL_RELU
                                            : packed->activation == QMT_ACTIVATION_PRELU ? QMT_REAL_SLOPE
                                                                                         : QMT_REAL_RAW};
}

/* Channels to compute at a time, from `channel` on. 32 where there are too few pixels for a
 * tile of 16, and where the registers are many; 8 where no more are wanted. */
static inline int qmt_real_channels(const struct qmt_real_walk *walk, int channel, int wanted, int pixels)
{
    const int left = walk->packed->out_padded - channel;
    if (wanted - channel <= 8 && qmt_vec_lanes <= 8 && walk->packed->pool_kernel == 0 &&
        walk->packed->output_scale <= 0)
        return 8;
    if (left < 32)
        return 16;
    return pixels <= qmt_tile32 || qmt_tile32 == qmt_tile16 ? 32 : 16;
}

/* Runs an FP32 layer over a strip. */
static inline void qmt_real_strip(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    if (qmt_plane_fits(packed) && strip->pictures <= 1) { /* the same sums in the same order */
        qmt_plane_strip(packed, strip);
        return;
    }
    const struct qmt_real_walk walk = qmt_real_walk_start(packed, strip);
    const bool bytes = packed->output_scale > 0;
    const int wanted = strip->channels > 0 && !bytes ? strip->channels : packed->out_padded;
    const int pixels = strip->output_rows * walk.width; /* without a pool */
    int channels;
    for (int channel = 0; channel < wanted; channel += channels) {
        const struct qmt_real_output output = {.real = bytes ? NULL : (float *)strip->output + channel,
                                               .bytes = bytes ? (int8_t *)strip->output + channel : NULL,
                                               .pitch = (size_t)packed->out_padded,
                                               .finish = packed->pool_kernel && !packed->pools_sums ? QMT_REAL_RAW
                                                                                                    : walk.finish};
        channels = qmt_real_channels(&walk, channel, wanted, pixels);
        if (packed->pool_kernel)
            qmt_real_pooled(&walk, strip, channel, channels, &output);
        else
            qmt_real_pixels(&walk, walk.input, channel, channels, pixels, &output);
    }
}
#endif

#endif
