#include "runtime/model/model.h"

#include <math.h>
#include <string.h>

/* Adding and taking away 1.5 * 2^23 rounds |x| < 2^22 to a whole number, half to even, in plain FP32 arithmetic. */
static const float to_integer = 12582912.0f;
static const float smallest_scale = 1e-8f;

float qmt_scale_for(float maximum)
{
    float scale = maximum / 127.0f;
    return scale > smallest_scale ? scale : smallest_scale;
}

int8_t qmt_quantize_value(float x, float scale)
{
    float q = x / scale;
    q = q < 127.0f ? q : 127.0f;
    q = q > -127.0f ? q : -127.0f;
    return (int8_t)((q + to_integer) - to_integer);
}

uint8_t qmt_quantize_unsigned(float x, float scale)
{
    float q = x / scale;
    q = q < 255.0f ? q : 255.0f;
    q = q > 0.0f ? q : 0.0f;
    return (uint8_t)((q + to_integer) - to_integer);
}

float qmt_input_scale(void)
{
    return (127.5f / 128.0f) / 127.0f;
}

size_t qmt_layer_taps(const qmt_layer *layer)
{
    return (size_t)layer->in_channels * (size_t)layer->kernel_height * (size_t)layer->kernel_width;
}

qmtcnn_status qmt_set_string(char **string, const char *text, qmtcnn_error *error)
{
    char *copy = qmt_copy_string(text);
    if (!copy)
        return qmt_fail_memory(error, strlen(text) + 1, "a name");
    qmt_free(*string);
    *string = copy;
    return QMTCNN_OK;
}

static bool between(int value, int low, int high)
{
    return value >= low && value <= high;
}

qmtcnn_status qmt_layer_init(qmt_layer *layer, const char *name, int in_channels, int out_channels, int kernel_height,
                             int kernel_width, qmt_activation activation, qmtcnn_error *error)
{
    memset(layer, 0, sizeof *layer);
    if (!between(in_channels, 1, qmt_max_channels) || !between(out_channels, 1, qmt_max_channels) ||
        !between(kernel_height, 1, qmt_max_kernel) || !between(kernel_width, 1, qmt_max_kernel))
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED,
                        "layer %s: %d to %d channels with a %d x %d kernel; at most %d channels and %d x %d", name,
                        in_channels, out_channels, kernel_height, kernel_width, qmt_max_channels, qmt_max_kernel,
                        qmt_max_kernel);
    layer->in_channels = in_channels;
    layer->out_channels = out_channels;
    layer->kernel_height = kernel_height;
    layer->kernel_width = kernel_width;
    layer->activation = activation;
    size_t outputs = (size_t)out_channels;
    if (qmt_layer_taps(layer) > (size_t)qmt_max_weights / outputs) {
        memset(layer, 0, sizeof *layer);
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "layer %s: more than %d weights", name, qmt_max_weights);
    }
    size_t weights = outputs * qmt_layer_taps(layer);
    layer->name = qmt_copy_string(name);
    layer->weight = qmt_alloc_zero(weights, sizeof(float));
    layer->bias = qmt_alloc_zero(outputs, sizeof(float));
    if (activation == QMT_ACTIVATION_PRELU)
        layer->slope = qmt_alloc_zero(outputs, sizeof(float));
    if (!layer->name || !layer->weight || !layer->bias || (activation == QMT_ACTIVATION_PRELU && !layer->slope)) {
        qmt_layer_clear(layer);
        return qmt_fail_memory(error, weights * sizeof(float), name);
    }
    return QMTCNN_OK;
}

void qmt_layer_dequantize(qmt_layer *layer)
{
    qmt_free(layer->bias_int32);
    qmt_free(layer->weight_int8);
    qmt_free(layer->weight_scale);
    layer->bias_int32 = NULL;
    layer->weight_int8 = NULL;
    layer->weight_scale = NULL;
    layer->input_scale = 0;
    layer->input_unsigned = false;
}

void qmt_layer_clear(qmt_layer *layer)
{
    qmt_layer_dequantize(layer);
    qmt_free(layer->slope);
    qmt_free(layer->bias);
    qmt_free(layer->weight);
    qmt_free(layer->name);
    memset(layer, 0, sizeof *layer);
}

static float largest_size(const float *values, size_t count)
{
    float largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fabsf(values[i]) > largest ? fabsf(values[i]) : largest;
    return largest;
}

static int32_t quantize_bias(float bias, float scale)
{
    const double limit = 1 << 30;
    double q = (double)bias / (double)scale;
    q = q < limit ? q : limit;
    q = q > -limit ? q : -limit;
    return (int32_t)nearbyint(q);
}

qmtcnn_status qmt_layer_quantize(qmt_layer *layer, float input_scale, const float *weight_scale, qmtcnn_error *error)
{
    size_t outputs = (size_t)layer->out_channels, taps = qmt_layer_taps(layer);
    if (!(input_scale > 0) || !isfinite(input_scale))
        return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "layer %s: its input scale is %g; a scale is above 0", layer->name,
                        (double)input_scale);
    if (taps > qmt_max_int8_taps)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "layer %s: %zu weights an output; INT8 takes %d", layer->name,
                        taps, qmt_max_int8_taps);
    float *scale = qmt_alloc(outputs, sizeof *scale);
    int8_t *weight = qmt_alloc(outputs * taps, sizeof *weight);
    int32_t *bias = qmt_alloc(outputs, sizeof *bias);
    qmtcnn_status status = QMTCNN_OK;
    if (!scale || !weight || !bias) {
        status = qmt_fail_memory(error, outputs * taps, layer->name);
        goto done;
    }
    for (size_t c = 0; c < outputs; c++) {
        scale[c] = weight_scale ? weight_scale[c] : qmt_scale_for(largest_size(layer->weight + c * taps, taps));
        /* The product may underflow; the sum would then be worth nothing. */
        if (!(scale[c] > 0) || !isfinite(scale[c]) || !(input_scale * scale[c] > 0)) {
            status = qmt_fail(error, QMTCNN_ERROR_NUMERIC, "layer %s: the weight scale of channel %zu is %g",
                              layer->name, c, (double)scale[c]);
            goto done;
        }
        for (size_t i = 0; i < taps; i++)
            weight[c * taps + i] = qmt_quantize_value(layer->weight[c * taps + i], scale[c]);
        bias[c] = quantize_bias(layer->bias[c], input_scale * scale[c]);
    }
    qmt_layer_dequantize(layer);
    layer->input_scale = input_scale;
    layer->weight_scale = scale;
    layer->weight_int8 = weight;
    layer->bias_int32 = bias;
    return QMTCNN_OK;
done:
    qmt_free(bias);
    qmt_free(weight);
    qmt_free(scale);
    return status;
}

/* Windows of `kernel` at every `stride`, the last cut off by the border (ceil mode). */
static int pooled_size(int size, int kernel, int stride)
{
    return (size - kernel + stride - 1) / stride + 1;
}

bool qmt_layer_output_size(const qmt_layer *layer, int in_height, int in_width, int *out_height, int *out_width)
{
    if (in_height < layer->kernel_height || in_width < layer->kernel_width)
        return false;
    int height = in_height - layer->kernel_height + 1, width = in_width - layer->kernel_width + 1;
    if (layer->pool_kernel > 0) {
        if (height < layer->pool_kernel || width < layer->pool_kernel)
            return false;
        height = pooled_size(height, layer->pool_kernel, layer->pool_stride);
        width = pooled_size(width, layer->pool_kernel, layer->pool_stride);
    }
    *out_height = height;
    *out_width = width;
    return true;
}
