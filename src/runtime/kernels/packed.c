#include "runtime/kernels/packed.h"

#include "runtime/kernels/int8_runs.h"

#include <math.h>
#include <string.h>

int qmt_padded_channels(int channels, bool picture)
{
    return picture ? qmt_picture_channels : (channels + qmt_channel_step - 1) / qmt_channel_step * qmt_channel_step;
}

void qmt_packed_release(qmt_packed_layer *packed)
{
    if (!packed)
        return;
    qmt_run_plan_free(packed->runs);
    qmt_free(packed->negative_factor);
    qmt_free(packed->factor);
    qmt_free(packed->bias_int32);
    qmt_free(packed->slope);
    qmt_free(packed->bias);
    qmt_free(packed->weight);
    qmt_free(packed);
}

/* FP32: bias, and slope (0 for ReLU, 1 for none), so that one rule serves all: x > 0 ? x : x * slope. */
static void fill_real(qmt_packed_layer *packed, const qmt_layer *layer)
{
    for (int c = 0; c < layer->out_channels; c++) {
        packed->bias[c] = layer->bias[c];
        packed->slope[c] = layer->slope ? layer->slope[c] : layer->activation == QMT_ACTIVATION_NONE ? 1.0f : 0.0f;
    }
}

/* Does a channel's largest sum, times its factor, surely fit 32 bits? Its inputs are in -127 .. 127. */
static bool product_fits(const qmt_layer *layer, int channel, float factor)
{
    const double limit = 2e9; /* leaves room for the product's rounding */
    const size_t taps = qmt_layer_taps(layer);
    const int8_t *weight = layer->weight_int8 + (size_t)channel * taps;
    const int32_t bias = layer->bias_int32[channel];
    int64_t size = bias < 0 ? -(int64_t)bias : bias;
    for (size_t i = 0; i < taps; i++)
        size += 127 * (int64_t)(weight[i] < 0 ? -weight[i] : weight[i]);
    return (double)size * (double)factor < limit;
}

static qmtcnn_status fill_int8(qmt_packed_layer *packed, const qmt_layer *layer, qmtcnn_error *error)
{
    packed->finish = packed->output_scale > 0 ? QMT_FINISH_RELU : QMT_FINISH_REAL;
    for (int c = 0; c < layer->out_channels; c++) {
        float factor = layer->input_scale * layer->weight_scale[c];
        if (packed->output_scale > 0)
            factor /= packed->output_scale;
        float negative = layer->activation == QMT_ACTIVATION_RELU    ? 0.0f
                         : layer->activation == QMT_ACTIVATION_PRELU ? factor * layer->slope[c]
                                                                     : factor;
        if (!isfinite(factor) || !isfinite(negative))
            return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "layer %s: the scales of channel %d give no finite factor",
                            layer->name, c);
        if (packed->output_scale > 0 && (layer->activation != QMT_ACTIVATION_RELU || !product_fits(layer, c, factor)))
            packed->finish = QMT_FINISH_BYTE;
        packed->bias_int32[c] = layer->bias_int32[c];
        packed->factor[c] = factor;
        packed->negative_factor[c] = negative;
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_packed_create(const qmt_layer *layer, const qmt_pack_options *options, size_t weight_bytes,
                                qmt_packed_layer **result, qmtcnn_error *error)
{
    *result = NULL;
    if (options->picture && layer->in_channels > qmt_picture_channels)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "layer %s reads %d channels; a picture has at most %d",
                        layer->name, layer->in_channels, qmt_picture_channels);
    if (options->int8 && !layer->weight_int8)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "layer %s is not quantized", layer->name);
    qmt_packed_layer *packed = qmt_alloc_zero(1, sizeof *packed);
    if (!packed)
        return qmt_fail_memory(error, sizeof *packed, layer->name);
    *packed = (qmt_packed_layer){.in_channels = layer->in_channels,
                                 .in_padded = qmt_padded_channels(layer->in_channels, options->picture),
                                 .out_channels = layer->out_channels,
                                 .out_padded = qmt_padded_channels(layer->out_channels, false),
                                 .kernel_height = layer->kernel_height,
                                 .kernel_width = layer->kernel_width,
                                 .pool_kernel = layer->pool_kernel,
                                 .pool_stride = layer->pool_stride,
                                 .activation = layer->activation,
                                 .int8 = options->int8,
                                 .signed_input = options->signed_input,
                                 .input_unsigned = options->int8 && layer->input_unsigned,
                                 .output_unsigned = options->output_unsigned && options->output_scale > 0,
                                 .output_scale = options->output_scale,
                                 .weight_bytes = weight_bytes};
    size_t padded = (size_t)packed->out_padded;
    bool complete = (packed->weight = qmt_alloc_zero(weight_bytes, 1)) != NULL;
    if (options->int8)
        complete = complete && (packed->bias_int32 = qmt_alloc_zero(padded, sizeof(int32_t))) &&
                   (packed->factor = qmt_alloc_zero(padded, sizeof(float))) &&
                   (packed->negative_factor = qmt_alloc_zero(padded, sizeof(float)));
    else
        complete = complete && (packed->bias = qmt_alloc_zero(padded, sizeof(float))) &&
                   (packed->slope = qmt_alloc_zero(padded, sizeof(float)));
    qmtcnn_status status = QMTCNN_OK;
    if (!complete)
        status = qmt_fail_memory(error, weight_bytes, layer->name);
    else if (options->int8)
        status = fill_int8(packed, layer, error);
    else
        fill_real(packed, layer);
    if (status != QMTCNN_OK) {
        qmt_packed_release(packed);
        return status;
    }
    *result = packed;
    return QMTCNN_OK;
}

size_t qmt_packed_bytes(const qmt_packed_layer *packed)
{
    size_t arrays = packed->int8 ? 3 : 2; /* over output channels, 4 bytes a value */
    return sizeof *packed + packed->weight_bytes + arrays * (size_t)packed->out_padded * sizeof(float) +
           (packed->runs ? qmt_run_plan_bytes(packed->runs) : 0);
}

size_t qmt_packed_output_pixel(const qmt_packed_layer *packed)
{
    return (size_t)packed->out_padded * (packed->output_scale > 0 ? sizeof(int8_t) : sizeof(float));
}

size_t qmt_packed_input_pixel(const qmt_packed_layer *packed)
{
    return (size_t)packed->in_padded * (packed->int8 ? sizeof(int8_t) : sizeof(float));
}

void qmt_packed_subtract_offset(qmt_packed_layer *packed, const qmt_layer *layer)
{
    const size_t taps = qmt_layer_taps(layer);
    for (int c = 0; c < layer->out_channels; c++) {
        uint32_t sum = 0; /* unsigned: sums may pass 2^31 on the way; modulo 2^32 the result is right */
        for (size_t i = 0; i < taps; i++)
            sum += (uint32_t)layer->weight_int8[(size_t)c * taps + i];
        packed->bias_int32[c] = (int32_t)((uint32_t)packed->bias_int32[c] - 128u * sum);
    }
}

size_t qmt_packed_scratch_size(const qmt_packed_layer *packed, int input_width)
{
    if (packed->pool_kernel == 0)
        return 0;
    return (size_t)packed->pool_kernel * (size_t)(input_width - packed->kernel_width + 1) *
           qmt_packed_output_pixel(packed);
}

void qmt_walk_rows(const qmt_packed_layer *packed, const qmt_strip *strip, const qmt_row_steps *steps)
{
    const size_t pixel = (size_t)(strip->pictures > 1 ? strip->pictures : 1) * qmt_packed_output_pixel(packed);
    const size_t ring_row = (size_t)(strip->input_width - packed->kernel_width + 1) * pixel;
    char *output = strip->output;
    int done = 0; /* rows of convolution output */
    for (int y = 0; y < strip->output_rows; y++, output += (size_t)strip->output_width * pixel) {
        if (packed->pool_kernel == 0) {
            steps->convolve(steps->state, y, output);
            continue;
        }
        const int first = y * packed->pool_stride, last = first + packed->pool_kernel;
        const int end = last < strip->convolution_height ? last : strip->convolution_height;
        for (; done < end; done++)
            steps->convolve(steps->state, done, steps->ring + (size_t)(done % packed->pool_kernel) * ring_row);
        const void *rows[qmt_max_pool];
        for (int i = first; i < end; i++)
            rows[i - first] = steps->ring + (size_t)(i % packed->pool_kernel) * ring_row;
        steps->pool(steps->state, rows, end - first, output);
    }
}

/* A strip of one picture on its way. */
struct plain_walk {
    const qmt_packed_layer *packed;
    const qmt_strip *strip;
    int width; /* pixels of a row of convolution output */
    qmt_convolve_row convolve;
    qmt_pool_row pool;
};

static void plain_convolve(void *state, int y, void *output)
{
    const struct plain_walk *walk = state;
    const size_t input_row = (size_t)walk->strip->input_width * qmt_packed_input_pixel(walk->packed);
    walk->convolve(walk->packed, (const char *)walk->strip->input + (size_t)y * input_row, walk->strip->input_width,
                   output, walk->width);
}

static void plain_pool(void *state, const void *const *rows, int row_count, void *output)
{
    const struct plain_walk *walk = state;
    walk->pool(walk->packed, rows, row_count, walk->width, output, walk->strip->output_width);
}

void qmt_run_strip(const qmt_packed_layer *packed, const qmt_strip *strip, qmt_convolve_row convolve, qmt_pool_row pool)
{
    struct plain_walk walk = {packed, strip, strip->input_width - packed->kernel_width + 1, convolve, pool};
    const qmt_row_steps steps = {
        .state = &walk, .convolve = plain_convolve, .pool = plain_pool, .ring = strip->scratch};
    qmt_walk_rows(packed, strip, &steps);
}

void qmt_pixel_table_init(qmt_pixel_table *table, float scale)
{
    table->scale = scale;
    table->usual = scale > 0;
    for (int p = 0; p < 256; p++) {
        table->real[p] = ((float)p - 127.5f) / 128.0f;
        table->quantized[p] = scale > 0 ? qmt_quantize_value(table->real[p], scale) : 0;
        table->usual = table->usual && table->quantized[p] == (p < 128 ? p - 127 : p - 128);
    }
}

void qmt_normalize(const qmt_pixel_table *table, const uint8_t *pixels, ptrdiff_t stride, int width, int rows,
                   void *output)
{
    float *real = output;
    int8_t *quantized = output;
    for (int y = 0; y < rows; y++) {
        const uint8_t *pixel = pixels + y * stride;
        if (table->scale > 0)
            for (int x = 0; x < width; x++, pixel += 3, quantized += 4) {
                for (int c = 0; c < 3; c++)
                    quantized[c] = table->quantized[pixel[c]];
                quantized[3] = 0;
            }
        else
            for (int x = 0; x < width; x++, pixel += 3, real += 4) {
                for (int c = 0; c < 3; c++)
                    real[c] = table->real[pixel[c]];
                real[3] = 0;
            }
    }
}

void qmt_pack_real(qmt_packed_layer *packed, const qmt_layer *layer)
{
    enum { lanes = qmt_channel_step };
    float *weight = packed->weight;
    size_t taps = qmt_layer_taps(layer), kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    for (int block = 0; block < packed->out_padded; block += lanes)
        for (size_t tap = 0; tap < kernel; tap++)
            for (size_t in = 0; in < (size_t)layer->in_channels; in++, weight += lanes)
                for (int lane = 0; lane < lanes && block + lane < layer->out_channels; lane++)
                    weight[lane] = layer->weight[(size_t)(block + lane) * taps + in * kernel + tap];
}
