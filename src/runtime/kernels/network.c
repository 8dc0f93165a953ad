/* Packs a network: every trunk layer, and the heads side by side as one layer. */
#include "runtime/kernels/network_parts.h"
#include "runtime/kernels/packed.h"

#include <string.h>

static bool runs_int8(const qmt_layer *layer, qmtcnn_precision precision)
{
    return precision != QMTCNN_PRECISION_FP32 && layer->weight_int8 != NULL;
}

/* Puts each head into the group of its precision and input scale. */
static void group_heads(qmt_network *network, const qmt_model *model, qmtcnn_precision precision)
{
    for (int i = 0; i < qmt_head_count; i++) {
        const qmt_layer *head = &model->heads[i];
        network->head_group[i] = -1;
        if (head->out_channels == 0)
            continue;
        bool int8 = runs_int8(head, precision);
        float scale = int8 ? head->input_scale : 0;
        bool is_unsigned = int8 && head->input_unsigned;
        int g = 0;
        while (g < network->group_count &&
               (network->groups[g].int8 != int8 || network->groups[g].input_scale != scale ||
                network->groups[g].input_unsigned != is_unsigned))
            g++;
        if (g == network->group_count) {
            network->groups[g] =
                (struct qmt_head_group){.int8 = int8, .input_scale = scale, .input_unsigned = is_unsigned};
            network->group_count++;
        }
        network->head_group[i] = g;
        network->head_channel[i] = network->groups[g].channels;
        network->groups[g].channels += head->out_channels;
        network->groups[g].padded = qmt_channel_step;
    }
}

/* One layer with the channels of a group's heads side by side. */
static qmtcnn_status merge_heads(const qmt_network *network, const qmt_model *model, int g, qmt_layer *merged,
                                 qmtcnn_error *error)
{
    const qmt_layer *shape = &network->head_shape;
    const struct qmt_head_group *group = &network->groups[g];
    qmtcnn_status status = qmt_layer_init(merged, "heads", shape->in_channels, group->channels, shape->kernel_height,
                                          shape->kernel_width, QMT_ACTIVATION_NONE, error);
    if (status != QMTCNN_OK)
        return status;
    size_t taps = qmt_layer_taps(merged);
    if (group->int8) {
        merged->input_scale = group->input_scale;
        merged->input_unsigned = group->input_unsigned;
        merged->weight_scale = qmt_alloc((size_t)group->channels, sizeof(float));
        merged->weight_int8 = qmt_alloc((size_t)group->channels * taps, sizeof(int8_t));
        merged->bias_int32 = qmt_alloc((size_t)group->channels, sizeof(int32_t));
        if (!merged->weight_scale || !merged->weight_int8 || !merged->bias_int32) {
            qmt_layer_clear(merged);
            return qmt_fail_memory(error, (size_t)group->channels * taps, "heads");
        }
    }
    for (int i = 0; i < qmt_head_count; i++) {
        if (network->head_group[i] != g)
            continue;
        const qmt_layer *head = &model->heads[i];
        size_t at = (size_t)network->head_channel[i], count = (size_t)head->out_channels;
        memcpy(merged->weight + at * taps, head->weight, count * taps * sizeof(float));
        memcpy(merged->bias + at, head->bias, count * sizeof(float));
        if (group->int8) {
            memcpy(merged->weight_scale + at, head->weight_scale, count * sizeof(float));
            memcpy(merged->weight_int8 + at * taps, head->weight_int8, count * taps);
            memcpy(merged->bias_int32 + at, head->bias_int32, count * sizeof(int32_t));
        }
    }
    return QMTCNN_OK;
}

static qmtcnn_status pack_heads(qmt_network *network, const qmt_model *model, bool signed_input, qmtcnn_error *error)
{
    for (int g = 0; g < network->group_count; g++) {
        struct qmt_head_group *group = &network->groups[g];
        qmt_pack_options options = {.int8 = group->int8, .signed_input = signed_input};
        qmt_layer merged;
        qmtcnn_status status = merge_heads(network, model, g, &merged, error);
        if (status != QMTCNN_OK)
            return status;
        group->kernels = group->input_unsigned ? qmt_kernels_uint8() : network->kernels;
        status = group->kernels->pack(&merged, &options, &group->packed, error);
        qmt_layer_clear(&merged);
        if (status != QMTCNN_OK)
            return status;
        group->quantize = group->int8 && network->group_count > 1;
        network->is_int8 = network->is_int8 || group->int8;
    }
    return QMTCNN_OK;
}

/* The scale of what layer i hands on: 0 where that stays FP32. */
static float scale_after(const qmt_network *network, const qmt_model *model, qmtcnn_precision precision, int i)
{
    if (i + 1 < model->layer_count)
        return runs_int8(&model->layers[i + 1], precision) ? model->layers[i + 1].input_scale : 0;
    return network->group_count == 1 ? network->groups[0].input_scale : 0;
}

/* Is what layer i hands on uint8? */
static bool unsigned_after(const qmt_network *network, const qmt_model *model, qmtcnn_precision precision, int i)
{
    if (i + 1 < model->layer_count)
        return runs_int8(&model->layers[i + 1], precision) && model->layers[i + 1].input_unsigned;
    return network->group_count == 1 && network->groups[0].input_unsigned;
}

static qmtcnn_status pack_trunk(qmt_network *network, const qmt_model *model, qmtcnn_precision precision,
                                bool *signed_output, qmtcnn_error *error)
{
    *signed_output = true; /* the picture */
    for (int i = 0; i < model->layer_count; i++) {
        const qmt_layer *layer = &model->layers[i];
        struct qmt_stage *stage = &network->stages[i];
        qmt_pack_options options = {.int8 = runs_int8(layer, precision),
                                    .signed_input = *signed_output,
                                    .picture = i == 0,
                                    .output_scale = scale_after(network, model, precision, i),
                                    .output_unsigned = unsigned_after(network, model, precision, i)};
        const bool uint8 = options.output_unsigned || (options.int8 && layer->input_unsigned);
        stage->shape = (qmt_layer){.in_channels = layer->in_channels,
                                   .out_channels = layer->out_channels,
                                   .kernel_height = layer->kernel_height,
                                   .kernel_width = layer->kernel_width,
                                   .pool_kernel = layer->pool_kernel,
                                   .pool_stride = layer->pool_stride};
        stage->output_scale = options.output_scale;
        stage->output_int8 = options.output_scale > 0;
        stage->output_unsigned = options.output_unsigned;
        stage->kernels = uint8 ? qmt_kernels_uint8() : network->kernels;
        qmtcnn_status status = qmt_set_string(&stage->shape.name, layer->name, error);
        if (status == QMTCNN_OK)
            status = stage->kernels->pack(layer, &options, &stage->packed, error);
        if (status != QMTCNN_OK)
            return status;
        network->is_int8 = network->is_int8 || options.int8;
        *signed_output = layer->activation != QMT_ACTIVATION_RELU;
    }
    return QMTCNN_OK;
}

static bool all_interleave(const qmt_network *network)
{
    bool all = true;
    for (int i = 0; i < network->stage_count; i++)
        all = all && network->stages[i].packed->interleaves;
    for (int g = 0; g < network->group_count; g++)
        all = all && network->groups[g].packed->interleaves;
    return all;
}

static qmtcnn_status pack_network(qmt_network *network, const qmt_model *model, qmtcnn_precision precision,
                                  qmtcnn_error *error)
{
    const qmt_layer *face = &model->heads[QMT_HEAD_FACE];
    bool signed_output;
    network->head_shape = (qmt_layer){.in_channels = face->in_channels,
                                      .out_channels = face->out_channels,
                                      .kernel_height = face->kernel_height,
                                      .kernel_width = face->kernel_width};
    group_heads(network, model, precision);
    qmtcnn_status status = pack_trunk(network, model, precision, &signed_output, error);
    if (status == QMTCNN_OK)
        status = pack_heads(network, model, signed_output, error);
    for (int i = 0; i < qmt_head_count && status == QMTCNN_OK; i++)
        if (network->head_group[i] >= 0)
            status = qmt_set_string(&network->head_name[i], model->heads[i].name, error);
    network->interleaves = status == QMTCNN_OK && all_interleave(network);
    if (status == QMTCNN_OK && precision == QMTCNN_PRECISION_INT8 && !network->is_int8)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED,
                        "%s has no INT8 layers (no QuantizeLinear nodes in its file); quantize it, or ask for FP32",
                        qmt_net_name(model->net));
    return status;
}

qmtcnn_status qmt_network_create(const qmt_model *model, qmtcnn_precision precision, const qmt_kernels *kernels,
                                 qmt_network **result, qmtcnn_error *error)
{
    *result = NULL;
    qmtcnn_status status = qmt_model_check(model, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_network *network = qmt_alloc_zero(1, sizeof *network);
    if (!network)
        return qmt_fail_memory(error, sizeof *network, "a network");
    network->kernels = kernels ? kernels : qmt_kernels_select(NULL);
    network->net = model->net;
    network->input_height = model->input_height;
    network->input_width = model->input_width;
    network->landmarks_planar = model->landmarks_planar;
    network->stage_count = model->layer_count;
    network->stages = qmt_alloc_zero((size_t)model->layer_count, sizeof *network->stages);
    if (!network->stages)
        status = qmt_fail_memory(error, (size_t)model->layer_count * sizeof *network->stages, "a network");
    if (status == QMTCNN_OK)
        status = pack_network(network, model, precision, error);
    if (status != QMTCNN_OK) {
        qmt_network_free(network);
        return status;
    }
    qmt_pixel_table_init(&network->pixels, runs_int8(&model->layers[0], precision) ? model->layers[0].input_scale : 0);
    *result = network;
    return QMTCNN_OK;
}

void qmt_network_free(qmt_network *network)
{
    if (!network)
        return;
    for (int i = 0; i < qmt_head_count; i++)
        qmt_free(network->head_name[i]);
    for (int g = 0; g < network->group_count; g++)
        if (network->groups[g].packed)
            network->groups[g].kernels->release(network->groups[g].packed);
    for (int i = 0; network->stages && i < network->stage_count; i++) {
        if (network->stages[i].packed)
            network->stages[i].kernels->release(network->stages[i].packed);
        qmt_free(network->stages[i].shape.name);
    }
    qmt_free(network->stages);
    qmt_free(network);
}

size_t qmt_network_bytes(const qmt_network *network)
{
    size_t bytes = sizeof *network + (size_t)network->stage_count * sizeof *network->stages;
    for (int i = 0; i < network->stage_count; i++)
        bytes += network->stages[i].kernels->bytes(network->stages[i].packed);
    for (int g = 0; g < network->group_count; g++)
        bytes += network->groups[g].kernels->bytes(network->groups[g].packed);
    return bytes;
}

bool qmt_network_is_int8(const qmt_network *network)
{
    return network->is_int8;
}

bool qmt_network_has_head(const qmt_network *network, qmt_head head)
{
    return network->head_group[head] >= 0;
}

bool qmt_network_output_size(const qmt_network *network, int height, int width, int *out_height, int *out_width)
{
    if (height > qmt_max_side || width > qmt_max_side)
        return false;
    for (int i = 0; i < network->stage_count; i++)
        if (!qmt_layer_output_size(&network->stages[i].shape, height, width, &height, &width))
            return false;
    return qmt_layer_output_size(&network->head_shape, height, width, out_height, out_width);
}
