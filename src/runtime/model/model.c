#include "runtime/model/model.h"

#include <math.h>
#include <string.h>

const char *qmt_net_name(qmt_net_id net)
{
    static const char *const names[qmt_net_count] = {"pnet", "rnet", "onet"};
    return names[net];
}

int qmt_net_side(qmt_net_id net)
{
    static const int sides[qmt_net_count] = {12, 24, 48};
    return sides[net];
}

qmtcnn_status qmt_model_create(qmt_net_id net, int layer_count, qmt_model **result, qmtcnn_error *error)
{
    static const char *const output_names[qmt_head_count] = {"prob", "bbox", "landmark"};
    *result = NULL;
    if ((int)net < 0 || (int)net >= qmt_net_count || layer_count < 1 || layer_count > qmt_max_layers)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "a network of %d layers; 1 to %d are possible", layer_count,
                        qmt_max_layers);
    qmtcnn_status status = QMTCNN_OK;
    qmt_model *model = qmt_alloc_zero(1, sizeof *model);
    if (!model)
        return qmt_fail_memory(error, sizeof *model, "a network");
    model->net = net;
    model->input_height = model->input_width = net == QMT_PNET ? 0 : qmt_net_side(net);
    model->layer_count = layer_count;
    model->layers = qmt_alloc_zero((size_t)layer_count, sizeof *model->layers);
    if (!model->layers)
        status = qmt_fail_memory(error, (size_t)layer_count * sizeof *model->layers, "a network's layers");
    if (status == QMTCNN_OK)
        status = qmt_set_string(&model->input_name, "input", error);
    for (int i = 0; i < qmt_head_count && status == QMTCNN_OK; i++)
        status = qmt_set_string(&model->output_names[i], output_names[i], error);
    if (status != QMTCNN_OK) {
        qmt_model_free(model);
        return status;
    }
    *result = model;
    return QMTCNN_OK;
}

void qmt_model_free(qmt_model *model)
{
    if (!model)
        return;
    for (int i = 0; i < model->metadata_count; i++) {
        qmt_free(model->metadata[i].key);
        qmt_free(model->metadata[i].value);
    }
    qmt_free(model->metadata);
    for (int i = 0; i < qmt_head_count; i++) {
        qmt_free(model->output_names[i]);
        qmt_layer_clear(&model->heads[i]);
    }
    qmt_free(model->input_name);
    for (int i = 0; model->layers && i < model->layer_count; i++)
        qmt_layer_clear(&model->layers[i]);
    qmt_free(model->layers);
    qmt_free(model);
}

static int find_metadata(const qmt_model *model, const char *key)
{
    for (int i = 0; i < model->metadata_count; i++)
        if (strcmp(model->metadata[i].key, key) == 0)
            return i;
    return -1;
}

qmtcnn_status qmt_model_set_metadata(qmt_model *model, const char *key, const char *value, qmtcnn_error *error)
{
    int at = find_metadata(model, key);
    if (at >= 0)
        return qmt_set_string(&model->metadata[at].value, value, error);
    if (model->metadata_count >= qmt_max_metadata)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "more than %d metadata entries", qmt_max_metadata);
    size_t count = (size_t)model->metadata_count;
    qmt_metadata *grown = qmt_alloc(count + 1, sizeof *grown);
    char *new_key = qmt_copy_string(key), *new_value = qmt_copy_string(value);
    if (!grown || !new_key || !new_value) {
        qmt_free(new_value);
        qmt_free(new_key);
        qmt_free(grown);
        return qmt_fail_memory(error, strlen(key) + strlen(value), "metadata");
    }
    if (count)
        memcpy(grown, model->metadata, count * sizeof *grown);
    grown[count] = (qmt_metadata){new_key, new_value};
    qmt_free(model->metadata);
    model->metadata = grown;
    model->metadata_count++;
    return QMTCNN_OK;
}

const char *qmt_model_metadata(const qmt_model *model, const char *key)
{
    int at = find_metadata(model, key);
    return at < 0 ? NULL : model->metadata[at].value;
}

static bool all_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

/* Far beyond what quantizers choose, and near enough for the product of two, over a third, times a slope, to be a
 * finite number: no sum becomes a NaN, which processors would round to different integers. */
static const float least_scale = 1e-20f, largest_scale = 1e6f, largest_slope = 1e6f;

static bool all_scales(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(values[i] >= least_scale && values[i] <= largest_scale))
            return false;
    return true;
}

static qmtcnn_status check_numbers(const qmt_layer *layer, qmtcnn_error *error)
{
    size_t outputs = (size_t)layer->out_channels, weights = outputs * qmt_layer_taps(layer);
    if (!all_finite(layer->weight, weights) || !all_finite(layer->bias, outputs) ||
        (layer->slope && !all_finite(layer->slope, outputs)))
        return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "layer %s: a weight, bias or slope is not a finite number",
                        layer->name);
    if (!layer->weight_int8)
        return QMTCNN_OK;
    const size_t most_taps = layer->input_unsigned ? qmt_max_uint8_taps : qmt_max_int8_taps;
    if (!layer->weight_scale || !layer->bias_int32 || qmt_layer_taps(layer) > most_taps)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "layer %s: INT8, but not quantized by qmt_layer_quantize()",
                        layer->name);
    if (!all_scales(&layer->input_scale, 1) || !all_scales(layer->weight_scale, outputs))
        return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "layer %s: a scale is not in %g .. %g", layer->name,
                        (double)least_scale, (double)largest_scale);
    for (size_t c = 0; layer->slope && c < outputs; c++)
        if (fabsf(layer->slope[c]) > largest_slope)
            return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "layer %s: the slope of channel %zu is %g; INT8 takes %g",
                            layer->name, c, (double)layer->slope[c], (double)largest_slope);
    for (size_t i = 0; i < weights; i++)
        if (layer->weight_int8[i] == -128)
            return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "layer %s: an INT8 weight is -128; -127 is the least",
                            layer->name);
    return QMTCNN_OK;
}

/* Sizes and arrays of one layer that is to take `in_channels`. */
static qmtcnn_status check_layer(const qmt_layer *layer, int in_channels, qmtcnn_error *error)
{
    const char *name = layer->name ? layer->name : "without a name";
    if (!layer->name || !*layer->name || strlen(layer->name) >= qmt_max_name)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "a layer's name is missing, or longer than %d bytes",
                        qmt_max_name - 1);
    if (layer->in_channels != in_channels)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "layer %s takes %d channels, but gets %d", name, layer->in_channels,
                        in_channels);
    if (layer->out_channels < 1 || layer->out_channels > qmt_max_channels || layer->kernel_height < 1 ||
        layer->kernel_height > qmt_max_kernel || layer->kernel_width < 1 || layer->kernel_width > qmt_max_kernel ||
        qmt_layer_taps(layer) > (size_t)(qmt_max_weights / layer->out_channels))
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "layer %s: %d channels with a %d x %d kernel are too many",
                        name, layer->out_channels, layer->kernel_height, layer->kernel_width);
    if (!layer->weight || !layer->bias || (layer->activation == QMT_ACTIVATION_PRELU) != (layer->slope != NULL))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "layer %s: weights, bias or slopes are missing", name);
    bool pool = layer->pool_kernel != 0 || layer->pool_stride != 0;
    if (pool && (layer->pool_kernel < 1 || layer->pool_kernel > qmt_max_pool || layer->pool_stride < 1 ||
                 layer->pool_stride > layer->pool_kernel))
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED,
                        "layer %s: a pool of %d with stride %d; at most %d, and no stride above the kernel", name,
                        layer->pool_kernel, layer->pool_stride, qmt_max_pool);
    return check_numbers(layer, error);
}

static qmtcnn_status check_heads(const qmt_model *model, int in_channels, qmtcnn_error *error)
{
    static const int channels[qmt_head_count] = {2, 4, 10};
    const qmt_layer *first = NULL;
    for (int i = 0; i < qmt_head_count; i++) {
        const qmt_layer *head = &model->heads[i];
        if (head->out_channels == 0)
            continue;
        qmtcnn_status status = check_layer(head, in_channels, error);
        if (status != QMTCNN_OK)
            return status;
        if (head->out_channels != channels[i] || head->activation != QMT_ACTIVATION_NONE || head->pool_kernel)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                            "head %s: %d channels; a head has %d, no activation and no pool", head->name,
                            head->out_channels, channels[i]);
        if (first && (head->kernel_height != first->kernel_height || head->kernel_width != first->kernel_width))
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "heads %s and %s have kernels of different sizes", first->name,
                            head->name);
        if (!model->output_names[i] || !*model->output_names[i])
            return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "head %s: its output has no name", head->name);
        first = first ? first : head;
    }
    if (model->heads[QMT_HEAD_FACE].out_channels == 0)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "there is no output of 2 channels (not a face, face)");
    return QMTCNN_OK;
}

/* R- and O-Net are to end in one pixel; any net in at least one. */
static qmtcnn_status check_sizes(const qmt_model *model, qmtcnn_error *error)
{
    int height = model->input_height, width = model->input_width;
    if (model->net == QMT_PNET && height == 0 && width == 0)
        return QMTCNN_OK;
    if (height < 1 || width < 1)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "an input of %d x %d pixels", height, width);
    for (int i = 0; i <= model->layer_count; i++) {
        const qmt_layer *layer = i < model->layer_count ? &model->layers[i] : &model->heads[QMT_HEAD_FACE];
        if (!qmt_layer_output_size(layer, height, width, &height, &width))
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "layer %s gets %d x %d pixels, fewer than its kernel",
                            layer->name, height, width);
    }
    if (model->net != QMT_PNET && (height != 1 || width != 1))
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s ends in %d x %d pixels, not in one", qmt_net_name(model->net),
                        height, width);
    return QMTCNN_OK;
}

/* An unsigned input is what a ReLU left: anything else would lose its negative half. */
static qmtcnn_status check_unsigned(const qmt_model *model, qmtcnn_error *error)
{
    for (int i = 0; i < model->layer_count + qmt_head_count; i++) {
        const int before = i < model->layer_count ? i - 1 : model->layer_count - 1;
        const qmt_layer *layer = i < model->layer_count ? &model->layers[i] : &model->heads[i - model->layer_count];
        if (layer->out_channels > 0 && layer->input_unsigned &&
            (before < 0 || model->layers[before].activation != QMT_ACTIVATION_RELU))
            return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "layer %s: its input is unsigned, but not behind a ReLU",
                            layer->name);
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_model_check(const qmt_model *model, qmtcnn_error *error)
{
    int channels = 3;
    if (model->layer_count < 1 || model->layer_count > qmt_max_layers || !model->layers)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%d layers; a network has 1 to %d", model->layer_count,
                        qmt_max_layers);
    for (int i = 0; i < model->layer_count; i++) {
        qmtcnn_status status = check_layer(&model->layers[i], channels, error);
        if (status != QMTCNN_OK)
            return status;
        channels = model->layers[i].out_channels;
    }
    qmtcnn_status status = check_heads(model, channels, error);
    if (status == QMTCNN_OK)
        status = check_unsigned(model, error);
    return status == QMTCNN_OK ? check_sizes(model, error) : status;
}
