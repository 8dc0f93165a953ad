/* Each kind of ONNX node, as a layer or as what follows one. */
#include "runtime/model/onnx_names.h"
#include "runtime/model/onnx_reader.h"
#include "runtime/model/onnx_weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static qmtcnn_status unsupported(const QmtOnnx__Node *node, const char *why, qmtcnn_error *error)
{
    return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED, "%s", why);
}

/* ---- Layers with weights -------------------------------------------------------------------------- */

bool qmt_onnx_in_head(const struct qmt_onnx_reader *reader, const struct qmt_onnx_walk *walk)
{
    return walk->layer != NULL && walk->layer >= reader->model->heads &&
           walk->layer < reader->model->heads + qmt_head_count;
}

/* The place for a new layer: the next of the trunk. */
static qmtcnn_status next_layer(struct qmt_onnx_reader *reader, const QmtOnnx__Node *node, qmt_layer **layer,
                                qmtcnn_error *error)
{
    qmt_model *model = reader->model;
    if (model->layer_count == qmt_max_layers)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED, "more than %d layers", qmt_max_layers);
    *layer = &model->layers[model->layer_count++];
    return QMTCNN_OK;
}

/* Which head a layer of `channels` is: 2 face, 4 box, 10 landmarks. */
static qmtcnn_status head_layer(struct qmt_onnx_reader *reader, const QmtOnnx__Node *node, int channels,
                                qmt_layer **layer, qmtcnn_error *error)
{
    qmt_head head;
    switch (channels) {
    case 2: head = QMT_HEAD_FACE; break;
    case 4: head = QMT_HEAD_BOX; break;
    case 10: head = QMT_HEAD_LANDMARKS; break;
    default:
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED,
                             "an output of %d channels; heads have 2 (face), 4 (box) or 10 (landmarks)", channels);
    }
    *layer = &reader->model->heads[head];
    if ((*layer)->out_channels)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED, "a second output of %d channels", channels);
    return QMTCNN_OK;
}

/* Kernel, stride, padding and so on of a convolution or pool: only what the runtime computes. */
static qmtcnn_status check_window(const QmtOnnx__Node *node, qmtcnn_error *error)
{
    const QmtOnnx__Attribute *automatic = qmt_onnx_attribute(node, "auto_pad");
    bool same = automatic && automatic->s.len >= 4 && memcmp(automatic->s.data, "SAME", 4) == 0;
    if (same || !qmt_onnx_ints_are(node, "pads", 0))
        return unsupported(node, "padding; MTCNN's layers have none", error);
    if (!qmt_onnx_ints_are(node, "dilations", 1) || qmt_onnx_int(node, "group", 1) != 1)
        return unsupported(node, "dilation or groups", error);
    return QMTCNN_OK;
}

/* Takes a layer for weights [out][in][kernel_height][kernel_width], head or trunk. */
static qmtcnn_status add_layer(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk, const QmtOnnx__Node *node,
                               const int dims[4], qmt_layer **layer, qmtcnn_error *error)
{
    char name[qmt_max_name];
    qmtcnn_status status;
    if (qmt_onnx_in_head(reader, walk))
        return unsupported(node, "a second layer in a head; each output is one layer behind the trunk", error);
    if (dims[1] != walk->channels)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_FORMAT, "weights for %d channels, but %d come in", dims[1],
                             walk->channels);
    size_t count = (size_t)dims[0] * (size_t)dims[1] * (size_t)dims[2] * (size_t)dims[3];
    if (count > (size_t)qmt_max_weights - reader->weights)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED, "more than %d weights in all", qmt_max_weights);
    reader->weights += count;
    status =
        reader->in_heads ? head_layer(reader, node, dims[0], layer, error) : next_layer(reader, node, layer, error);
    if (status != QMTCNN_OK)
        return status;
    if (*node->name)
        snprintf(name, sizeof name, "%s", node->name);
    else
        snprintf(name, sizeof name, "%.200s_layer", qmt_onnx_node_name(node));
    return qmt_layer_init(*layer, name, dims[1], dims[0], dims[2], dims[3], QMT_ACTIVATION_NONE, error);
}

/* Weights that alone went through Q/DQ: FP32, but those that the two nodes make of them. */
static void round_weights(const qmt_onnx_weights *weights, qmt_layer *layer)
{
    const size_t taps = qmt_layer_taps(layer);
    for (int c = 0; c < layer->out_channels; c++) {
        const float scale = weights->scale[weights->scale_count == 1 ? 0 : c];
        float *row = layer->weight + (size_t)c * taps;
        for (size_t i = 0; i < taps; i++)
            if (isfinite(row[i]))
                row[i] = fminf(fmaxf(rintf(row[i] / scale), -127), 127) * scale;
    }
}

/* INT8 where both input and weights went through Q/DQ. */
static qmtcnn_status finish_layer(struct qmt_onnx_walk *walk, const QmtOnnx__Node *node,
                                  const qmt_onnx_weights *weights, qmt_layer *layer, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    float input_scale = walk->scale;
    if (input_scale > 0 && !weights->scale)
        return unsupported(node, "its input is quantized and its weights are not; quantize both or neither", error);
    if (input_scale > 0) {
        float scales[qmt_max_channels];
        for (int c = 0; c < layer->out_channels; c++)
            scales[c] = weights->scale[weights->scale_count == 1 ? 0 : c];
        status = qmt_layer_quantize(layer, input_scale, scales, error);
        layer->input_unsigned = status == QMTCNN_OK && walk->integers == QMT_ONNX_UINT8_0;
        if (layer->input_unsigned && qmt_layer_taps(layer) > qmt_max_uint8_taps)
            status = qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED, "more than %d weights an output on uint8",
                                   qmt_max_uint8_taps);
    }
    if (input_scale <= 0 && weights->scale)
        round_weights(weights, layer);
    walk->layer = layer;
    walk->scale = 0;
    walk->channels = layer->out_channels;
    return status;
}

static qmtcnn_status read_convolution(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk,
                                      const QmtOnnx__Node *node, qmtcnn_error *error)
{
    qmt_onnx_weights weights;
    qmt_layer *layer;
    if (walk->flat)
        return unsupported(node, "a convolution of a flat tensor", error);
    if (!qmt_onnx_ints_are(node, "strides", 1))
        return unsupported(node, "a stride above 1", error);
    qmtcnn_status status = check_window(node, error);
    if (status == QMTCNN_OK)
        status = qmt_onnx_read_weights(&reader->graph, node, 1, &weights, error);
    if (status != QMTCNN_OK)
        return status;
    if (weights.rank != 4 || (weights.scale_count > 1 && weights.scale_axis != 0)) {
        status = unsupported(node, "weights that are not [out, in, height, width] with scales along axis 0", error);
        goto done;
    }
    const QmtOnnx__Attribute *kernel = qmt_onnx_attribute(node, "kernel_shape");
    if (kernel && (kernel->n_ints != 2 || kernel->ints[0] != weights.dims[2] || kernel->ints[1] != weights.dims[3])) {
        status = qmt_onnx_fail(node, error, QMTCNN_ERROR_FORMAT, "kernel_shape differs from its weights");
        goto done;
    }
    status = add_layer(reader, walk, node, weights.dims, &layer, error);
    if (status == QMTCNN_OK) {
        memcpy(layer->weight, weights.values, weights.count * sizeof(float));
        if (*qmt_onnx_input(node, 2))
            status = qmt_onnx_read_vector(&reader->graph, node, 2, (size_t)layer->out_channels, layer->bias, error);
    }
    if (status == QMTCNN_OK)
        status = finish_layer(walk, node, &weights, layer, error);
    if (status == QMTCNN_OK && walk->height > 0 &&
        !qmt_layer_output_size(layer, walk->height, walk->width, &walk->height, &walk->width))
        status = qmt_onnx_fail(node, error, QMTCNN_ERROR_FORMAT, "a kernel larger than its input");
done:
    qmt_onnx_weights_clear(&weights);
    return status;
}

/* The shape of a fully connected layer's weights, as a convolution over all that comes in. */
static qmtcnn_status gemm_shape(const struct qmt_onnx_walk *walk, const QmtOnnx__Node *node,
                                const qmt_onnx_weights *weights, bool transposed, int dims[4], qmtcnn_error *error)
{
    if (!walk->flat || walk->height < 1 || walk->width < 1)
        return unsupported(node, "a matrix product of a tensor that is not flat, or whose size the file leaves open",
                           error);
    if (weights->rank != 2)
        return unsupported(node, "weights that are no matrix", error);
    dims[0] = weights->dims[transposed ? 0 : 1];
    dims[1] = walk->channels;
    dims[2] = walk->height;
    dims[3] = walk->width;
    uint64_t features = (uint64_t)walk->channels * (uint64_t)walk->height * (uint64_t)walk->width;
    if ((uint64_t)weights->dims[transposed ? 1 : 0] != features)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_FORMAT, "weights for %d values, but %llu come in",
                             weights->dims[transposed ? 1 : 0], (unsigned long long)features);
    if (weights->scale_count > 1 && weights->scale_axis != (transposed ? 0 : 1))
        return unsupported(node, "weight scales that are not one for each output", error);
    return QMTCNN_OK;
}

static qmtcnn_status read_gemm(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk, const QmtOnnx__Node *node,
                               qmtcnn_error *error)
{
    qmt_onnx_weights weights;
    qmt_layer *layer;
    int dims[4];
    bool transposed = qmt_onnx_int(node, "transB", 0) != 0;
    const QmtOnnx__Attribute *alpha = qmt_onnx_attribute(node, "alpha"), *beta = qmt_onnx_attribute(node, "beta");
    if (qmt_onnx_int(node, "transA", 0) != 0 || (alpha && alpha->f != 1) || (beta && beta->f != 1))
        return unsupported(node, "transA, or alpha or beta other than 1", error);
    qmtcnn_status status = qmt_onnx_read_weights(&reader->graph, node, 1, &weights, error);
    if (status != QMTCNN_OK)
        return status;
    status = gemm_shape(walk, node, &weights, transposed, dims, error);
    if (status == QMTCNN_OK)
        status = add_layer(reader, walk, node, dims, &layer, error);
    if (status != QMTCNN_OK)
        goto done;
    size_t outputs = (size_t)layer->out_channels, taps = qmt_layer_taps(layer);
    for (size_t c = 0; c < outputs; c++)
        for (size_t i = 0; i < taps; i++)
            layer->weight[c * taps + i] = weights.values[transposed ? c * taps + i : i * outputs + c];
    if (*qmt_onnx_input(node, 2))
        status = qmt_onnx_read_vector(&reader->graph, node, 2, outputs, layer->bias, error);
    if (status == QMTCNN_OK)
        status = finish_layer(walk, node, &weights, layer, error);
    walk->height = walk->width = 1;
done:
    qmt_onnx_weights_clear(&weights);
    return status;
}

/* ---- What follows a layer ------------------------------------------------------------------------- */

static qmtcnn_status read_batch_norm(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk,
                                     const QmtOnnx__Node *node, qmtcnn_error *error)
{
    qmt_layer *layer = walk->layer;
    if (!layer || layer->activation != QMT_ACTIVATION_NONE || layer->pool_kernel || walk->softmax ||
        (reader->in_heads && !qmt_onnx_in_head(reader, walk)))
        return unsupported(node, "batch normalization that does not follow a convolution", error);
    if (layer->weight_int8 || walk->scale > 0)
        return unsupported(node, "batch normalization after a quantized convolution; fold it before quantizing", error);
    return qmt_onnx_fold_batch_norm(&reader->graph, node, layer, error);
}

/* An activation belongs to a layer of the trunk that has none yet. */
static qmtcnn_status check_activation(const struct qmt_onnx_reader *reader, const struct qmt_onnx_walk *walk,
                                      const QmtOnnx__Node *node, qmtcnn_error *error)
{
    if (!walk->layer || walk->layer->activation != QMT_ACTIVATION_NONE || reader->in_heads)
        return unsupported(node, "an activation that does not follow a layer of the trunk", error);
    if (walk->scale > 0)
        return unsupported(node, "a quantizer between a layer and its activation", error);
    return QMTCNN_OK;
}

static qmtcnn_status read_relu(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk, const QmtOnnx__Node *node,
                               qmtcnn_error *error)
{
    qmtcnn_status status = check_activation(reader, walk, node, error);
    if (status == QMTCNN_OK)
        walk->layer->activation = QMT_ACTIVATION_RELU; /* after a pool too: the two commute */
    return status;
}

/* Are the slopes along the channels? Their axis is the first of [C, 1, 1], the second of [1, C, 1, 1]. */
static bool slopes_fit(const QmtOnnx__Tensor *slope, const struct qmt_onnx_walk *walk)
{
    size_t after = walk->flat ? 0 : 2; /* axes behind the channels */
    for (size_t i = 0; i < slope->n_dims; i++)
        if (slope->dims[i] != 1 && slope->n_dims - 1 - i != after)
            return false;
    return true;
}

/* Does an Unsqueeze node make [C, 1, 1] of [C]? PyTorch writes slopes so where it does not fold constants. */
static bool unsqueezed_to_channels(const qmt_onnx_graph *graph, const QmtOnnx__Node *node, const QmtOnnx__Tensor *slope)
{
    const QmtOnnx__Attribute *list = qmt_onnx_attribute(node, "axes");
    const QmtOnnx__Tensor *tensor = qmt_onnx_constant(graph, qmt_onnx_input(node, 1));
    size_t count = 0;
    if (slope->n_dims != 1)
        return false;
    if (list)
        return list->n_ints == 2 && list->ints[0] == 1 && list->ints[1] == 2;
    return tensor && qmt_onnx_count(tensor, node, &count, NULL) == QMTCNN_OK && count == 2 &&
           qmt_onnx_value(tensor, 0) == 1 && qmt_onnx_value(tensor, 1) == 2;
}

static qmtcnn_status read_prelu(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk, const QmtOnnx__Node *node,
                                qmtcnn_error *error)
{
    qmtcnn_status status = check_activation(reader, walk, node, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_layer *layer = walk->layer;
    if (layer->pool_kernel)
        return unsupported(node, "PReLU after a pool", error);
    const QmtOnnx__Node *owner = node;
    size_t at = 1;
    const qmt_onnx_entry *entry = qmt_onnx_find(&reader->graph, qmt_onnx_input(node, 1));
    if (entry && entry->node && strcmp(entry->node->op_type, "Unsqueeze") == 0 && !walk->flat) {
        owner = entry->node;
        at = 0;
    }
    const QmtOnnx__Tensor *slope = qmt_onnx_constant(&reader->graph, qmt_onnx_input(owner, at));
    if (!slope || !(owner == node ? slopes_fit(slope, walk) : unsqueezed_to_channels(&reader->graph, owner, slope)))
        return unsupported(node, "slopes that are not constant, one a channel", error);
    layer->slope = qmt_alloc((size_t)layer->out_channels, sizeof(float));
    if (!layer->slope)
        return qmt_fail_memory(error, (size_t)layer->out_channels * sizeof(float), "slopes");
    layer->activation = QMT_ACTIVATION_PRELU;
    return qmt_onnx_read_vector(&reader->graph, owner, at, (size_t)layer->out_channels, layer->slope, error);
}

/* The one number of a list attribute, such as [3, 3]; `missing` where there is none. 0: not one number, or out of
 * range. */
static int square(const QmtOnnx__Node *node, const char *name, int missing)
{
    const QmtOnnx__Attribute *list = qmt_onnx_attribute(node, name);
    if (!list)
        return missing;
    if (list->n_ints != 2 || list->ints[0] != list->ints[1] || list->ints[0] < 1 || list->ints[0] > qmt_max_pool)
        return 0;
    return (int)list->ints[0];
}

static qmtcnn_status read_pool(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk, const QmtOnnx__Node *node,
                               qmtcnn_error *error)
{
    qmt_layer *layer = walk->layer;
    if (!layer || layer->pool_kernel || reader->in_heads || walk->flat)
        return unsupported(node, "a pool that does not follow a layer of the trunk", error);
    int kernel = square(node, "kernel_shape", 0), stride = square(node, "strides", 1);
    if (kernel == 0 || stride == 0 || stride > kernel)
        return unsupported(node, "a pool that is not square, or with a stride above its kernel", error);
    qmtcnn_status status = check_window(node, error);
    if (status != QMTCNN_OK)
        return status;
    bool exact = walk->height >= kernel && walk->width >= kernel && (walk->height - kernel) % stride == 0 &&
                 (walk->width - kernel) % stride == 0;
    if (qmt_onnx_int(node, "ceil_mode", 0) == 0 && !exact && stride > 1)
        return unsupported(node, "a pool that rounds its size down; MTCNN's pools have ceil_mode = 1", error);
    if (walk->height > 0 && (walk->height < kernel || walk->width < kernel))
        return unsupported(node, "a pool larger than its input", error);
    layer->pool_kernel = kernel;
    layer->pool_stride = stride;
    if (walk->height > 0) {
        walk->height = (walk->height - kernel + stride - 1) / stride + 1;
        walk->width = (walk->width - kernel + stride - 1) / stride + 1;
    }
    return QMTCNN_OK;
}

static qmtcnn_status read_flatten(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk, const QmtOnnx__Node *node,
                                  qmtcnn_error *error)
{
    (void)reader;
    int64_t axis = qmt_onnx_int(node, "axis", 1);
    if (axis != 1 && !(axis == -3 && !walk->flat) && !(axis == -1 && walk->flat))
        return unsupported(node, "flattening along another axis than 1", error);
    walk->flat = true;
    return QMTCNN_OK;
}

/* Only to [N, everything]. */
static qmtcnn_status read_reshape(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk, const QmtOnnx__Node *node,
                                  qmtcnn_error *error)
{
    const QmtOnnx__Tensor *shape = qmt_onnx_constant(&reader->graph, qmt_onnx_input(node, 1));
    size_t count = 0;
    qmtcnn_status status =
        shape ? qmt_onnx_count(shape, node, &count, error) : unsupported(node, "a shape that is not a constant", error);
    if (status != QMTCNN_OK)
        return status;
    double features = (double)walk->channels * (double)walk->height * (double)walk->width;
    double second = count == 2 ? qmt_onnx_value(shape, 1) : 0;
    if (count != 2 || walk->height < 1 || (second != features && second != -1))
        return unsupported(node, "reshaping to anything but [pictures, all values of each]", error);
    if (second == -1 && qmt_onnx_value(shape, 0) == -1)
        return unsupported(node, "a shape with two open dimensions", error);
    walk->flat = true;
    return QMTCNN_OK;
}

static qmtcnn_status read_softmax(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk, const QmtOnnx__Node *node,
                                  qmtcnn_error *error)
{
    int64_t axis = qmt_onnx_int(node, "axis", reader->graph.opset < 13 ? 1 : -1);
    bool channels = axis == 1 || axis == (walk->flat ? -1 : -3);
    /* Before opset 13 softmax runs over all axes from `axis` on. */
    bool wide = reader->graph.opset < 13 && !walk->flat && (walk->height != 1 || walk->width != 1);
    if (!walk->layer || walk->layer->out_channels != 2 || !channels || wide || walk->softmax)
        return unsupported(node, "a softmax over anything but the two face channels", error);
    walk->softmax = true;
    return QMTCNN_OK;
}

/* uint8 with zero point 0 cuts off what is below 0: it needs a ReLU before it, or is one. */
static qmtcnn_status check_absorbed(const struct qmt_onnx_reader *reader, const struct qmt_onnx_walk *walk,
                                    const QmtOnnx__Node *node, qmtcnn_error *error)
{
    qmt_layer *layer = walk->layer;
    if (!layer)
        return unsupported(node, "a picture in UINT8 with zero point 0, which loses its values below 0", error);
    if (layer->activation == QMT_ACTIVATION_NONE && !reader->in_heads)
        layer->activation = QMT_ACTIVATION_RELU; /* with a pool before it too: the two commute */
    if (layer->activation != QMT_ACTIVATION_RELU)
        return unsupported(node, "UINT8 with zero point 0 behind another activation than ReLU", error);
    return QMTCNN_OK;
}

static qmtcnn_status read_quantize(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk,
                                   const QmtOnnx__Node *node, qmtcnn_error *error)
{
    float scale;
    qmt_onnx_integers integers;
    qmtcnn_status status = qmt_onnx_read_scale(&reader->graph, node, &scale, &integers, error);
    if (status != QMTCNN_OK)
        return status;
    if (walk->softmax || qmt_onnx_in_head(reader, walk))
        return unsupported(node, "a quantized output; heads end in FP32", error);
    if (walk->scale > 0 && (walk->scale != scale || walk->integers != integers))
        return unsupported(node, "a tensor that is quantized twice, with different scales", error);
    walk->scale = scale;
    walk->integers = integers;
    walk->in_int8 = true;
    return integers == QMT_ONNX_UINT8_0 ? check_absorbed(reader, walk, node, error) : QMTCNN_OK;
}

static qmtcnn_status read_dequantize(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk,
                                     const QmtOnnx__Node *node, qmtcnn_error *error)
{
    float scale;
    qmt_onnx_integers integers;
    qmtcnn_status status = qmt_onnx_read_scale(&reader->graph, node, &scale, &integers, error);
    if (status != QMTCNN_OK)
        return status;
    /* A missing zero point of a DequantizeLinear has the type of its input. */
    if (!*qmt_onnx_input(node, 2) && walk->integers == QMT_ONNX_UINT8_0)
        integers = QMT_ONNX_UINT8_0;
    if (!walk->in_int8 || walk->scale != scale || walk->integers != integers)
        return unsupported(node, "its scale or zero point differs from that of the QuantizeLinear before it", error);
    walk->in_int8 = false;
    return QMTCNN_OK;
}

static qmtcnn_status read_nothing(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk, const QmtOnnx__Node *node,
                                  qmtcnn_error *error)
{
    (void)reader;
    (void)walk;
    (void)node;
    (void)error;
    return QMTCNN_OK;
}

qmt_onnx_node_reader qmt_onnx_find_reader(const char *kind)
{
    static const struct {
        const char *kind;
        qmt_onnx_node_reader read;
    } readers[] = {{"Conv", read_convolution},
                   {"Gemm", read_gemm},
                   {"BatchNormalization", read_batch_norm},
                   {"Relu", read_relu},
                   {"PRelu", read_prelu},
                   {"MaxPool", read_pool},
                   {"Flatten", read_flatten},
                   {"Reshape", read_reshape},
                   {"Softmax", read_softmax},
                   {"QuantizeLinear", read_quantize},
                   {"DequantizeLinear", read_dequantize},
                   {"Identity", read_nothing},
                   {"Dropout", read_nothing}};
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (strcmp(readers[i].kind, kind) == 0)
            return readers[i].read;
    return NULL;
}
