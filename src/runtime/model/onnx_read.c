/* An ONNX graph as a model. Each output's chain of nodes is followed back to the picture; what all chains share is the
 * trunk, the rest of each is a head. */
#include "runtime/model/onnx.h"
#include "runtime/model/onnx_graph.h"
#include "runtime/model/onnx_names.h"
#include "runtime/model/onnx_weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The nodes from the picture to an output, in order. */
struct chain {
    const QmtOnnx__Node **nodes;
    size_t count;
    const char *output;
};

struct reader {
    qmt_onnx_graph graph;
    qmt_model *model;
    const QmtOnnx__ValueInfo *input;
    struct chain chains[qmt_head_count];
    int chain_count;
    size_t trunk;   /* nodes that all chains share */
    bool in_heads;  /* behind them */
    size_t weights; /* taken so far, in all layers */
};

/* Where the walk along a chain is. */
struct walk {
    int channels, height, width; /* 0: any */
    bool flat;                   /* [N, channels * height * width] */
    float scale;                 /* of the Q/DQ that the current tensor went through; 0: none */
    bool in_int8;                /* between QuantizeLinear and DequantizeLinear */
    qmt_layer *layer;            /* the last one; NULL at the picture */
    bool softmax;
};

typedef qmtcnn_status (*node_reader)(struct reader *reader, struct walk *walk, const QmtOnnx__Node *node,
                                     qmtcnn_error *error);

static qmtcnn_status unsupported(const QmtOnnx__Node *node, const char *why, qmtcnn_error *error)
{
    return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED, "%s", why);
}

/* ---- Layers with weights -------------------------------------------------------------------------- */

static bool is_head_walk(const struct reader *reader, const struct walk *walk)
{
    return walk->layer != NULL && walk->layer >= reader->model->heads &&
           walk->layer < reader->model->heads + qmt_head_count;
}

/* The place for a new layer: the next of the trunk. */
static qmtcnn_status next_layer(struct reader *reader, const QmtOnnx__Node *node, qmt_layer **layer,
                                qmtcnn_error *error)
{
    qmt_model *model = reader->model;
    if (model->layer_count == qmt_max_layers)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED, "more than %d layers", qmt_max_layers);
    *layer = &model->layers[model->layer_count++];
    return QMTCNN_OK;
}

/* Which head a layer of `channels` is: 2 face, 4 box, 10 landmarks. */
static qmtcnn_status head_layer(struct reader *reader, const QmtOnnx__Node *node, int channels, qmt_layer **layer,
                                qmtcnn_error *error)
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
static qmtcnn_status add_layer(struct reader *reader, struct walk *walk, const QmtOnnx__Node *node, const int dims[4],
                               qmt_layer **layer, qmtcnn_error *error)
{
    char name[qmt_max_name];
    qmtcnn_status status;
    if (is_head_walk(reader, walk))
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

/* INT8 where both input and weights went through Q/DQ. */
static qmtcnn_status finish_layer(struct walk *walk, const QmtOnnx__Node *node, const qmt_onnx_weights *weights,
                                  qmt_layer *layer, qmtcnn_error *error)
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
    }
    walk->layer = layer;
    walk->scale = 0;
    walk->channels = layer->out_channels;
    return status;
}

static qmtcnn_status read_convolution(struct reader *reader, struct walk *walk, const QmtOnnx__Node *node,
                                      qmtcnn_error *error)
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
static qmtcnn_status gemm_shape(const struct walk *walk, const QmtOnnx__Node *node, const qmt_onnx_weights *weights,
                                bool transposed, int dims[4], qmtcnn_error *error)
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

static qmtcnn_status read_gemm(struct reader *reader, struct walk *walk, const QmtOnnx__Node *node, qmtcnn_error *error)
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

static qmtcnn_status read_batch_norm(struct reader *reader, struct walk *walk, const QmtOnnx__Node *node,
                                     qmtcnn_error *error)
{
    qmt_layer *layer = walk->layer;
    if (!layer || layer->activation != QMT_ACTIVATION_NONE || layer->pool_kernel || walk->softmax ||
        (reader->in_heads && !is_head_walk(reader, walk)))
        return unsupported(node, "batch normalization that does not follow a convolution", error);
    if (layer->weight_int8 || walk->scale > 0)
        return unsupported(node, "batch normalization after a quantized convolution; fold it before quantizing", error);
    return qmt_onnx_fold_batch_norm(&reader->graph, node, layer, error);
}

/* An activation belongs to a layer of the trunk that has none yet. */
static qmtcnn_status check_activation(const struct reader *reader, const struct walk *walk, const QmtOnnx__Node *node,
                                      qmtcnn_error *error)
{
    if (!walk->layer || walk->layer->activation != QMT_ACTIVATION_NONE || reader->in_heads)
        return unsupported(node, "an activation that does not follow a layer of the trunk", error);
    if (walk->scale > 0)
        return unsupported(node, "a quantizer between a layer and its activation", error);
    return QMTCNN_OK;
}

static qmtcnn_status read_relu(struct reader *reader, struct walk *walk, const QmtOnnx__Node *node, qmtcnn_error *error)
{
    qmtcnn_status status = check_activation(reader, walk, node, error);
    if (status == QMTCNN_OK)
        walk->layer->activation = QMT_ACTIVATION_RELU; /* after a pool too: the two commute */
    return status;
}

/* Are the slopes along the channels? Their axis is the first of [C, 1, 1], the second of [1, C, 1, 1]. */
static bool slopes_fit(const QmtOnnx__Tensor *slope, const struct walk *walk)
{
    size_t after = walk->flat ? 0 : 2; /* axes behind the channels */
    for (size_t i = 0; i < slope->n_dims; i++)
        if (slope->dims[i] != 1 && slope->n_dims - 1 - i != after)
            return false;
    return true;
}

static qmtcnn_status read_prelu(struct reader *reader, struct walk *walk, const QmtOnnx__Node *node,
                                qmtcnn_error *error)
{
    qmtcnn_status status = check_activation(reader, walk, node, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_layer *layer = walk->layer;
    if (layer->pool_kernel)
        return unsupported(node, "PReLU after a pool", error);
    const QmtOnnx__Tensor *slope = qmt_onnx_constant(&reader->graph, qmt_onnx_input(node, 1));
    if (!slope || !slopes_fit(slope, walk))
        return unsupported(node, "slopes that are not constant, one a channel", error);
    layer->slope = qmt_alloc((size_t)layer->out_channels, sizeof(float));
    if (!layer->slope)
        return qmt_fail_memory(error, (size_t)layer->out_channels * sizeof(float), "slopes");
    layer->activation = QMT_ACTIVATION_PRELU;
    return qmt_onnx_read_vector(&reader->graph, node, 1, (size_t)layer->out_channels, layer->slope, error);
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

static qmtcnn_status read_pool(struct reader *reader, struct walk *walk, const QmtOnnx__Node *node, qmtcnn_error *error)
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

static qmtcnn_status read_flatten(struct reader *reader, struct walk *walk, const QmtOnnx__Node *node,
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
static qmtcnn_status read_reshape(struct reader *reader, struct walk *walk, const QmtOnnx__Node *node,
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

static qmtcnn_status read_softmax(struct reader *reader, struct walk *walk, const QmtOnnx__Node *node,
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

static qmtcnn_status read_quantize(struct reader *reader, struct walk *walk, const QmtOnnx__Node *node,
                                   qmtcnn_error *error)
{
    float scale;
    qmtcnn_status status = qmt_onnx_read_scale(&reader->graph, node, &scale, error);
    if (status != QMTCNN_OK)
        return status;
    if (walk->softmax || is_head_walk(reader, walk))
        return unsupported(node, "a quantized output; heads end in FP32", error);
    if (walk->scale > 0 && walk->scale != scale)
        return unsupported(node, "a tensor that is quantized twice, with different scales", error);
    walk->scale = scale;
    walk->in_int8 = true;
    return QMTCNN_OK;
}

static qmtcnn_status read_dequantize(struct reader *reader, struct walk *walk, const QmtOnnx__Node *node,
                                     qmtcnn_error *error)
{
    float scale;
    qmtcnn_status status = qmt_onnx_read_scale(&reader->graph, node, &scale, error);
    if (status != QMTCNN_OK)
        return status;
    if (!walk->in_int8 || walk->scale != scale)
        return unsupported(node, "its scale differs from that of the QuantizeLinear before it", error);
    walk->in_int8 = false;
    return QMTCNN_OK;
}

static qmtcnn_status read_nothing(struct reader *reader, struct walk *walk, const QmtOnnx__Node *node,
                                  qmtcnn_error *error)
{
    (void)reader;
    (void)walk;
    (void)node;
    (void)error;
    return QMTCNN_OK;
}

static node_reader find_reader(const char *kind)
{
    static const struct {
        const char *kind;
        node_reader read;
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

/* ---- The graph ------------------------------------------------------------------------------------ */

/* A fixed dimension; 0: open; -1: impossible. */
static int dimension(const QmtOnnx__Shape *shape, size_t i)
{
    const QmtOnnx__Dimension *dim = shape->dim[i];
    if (dim->value_case != QMT_ONNX__DIMENSION__VALUE_DIM_VALUE || dim->dim_value == -1)
        return 0;
    return dim->dim_value >= 0 && dim->dim_value <= 1 << 16 ? (int)dim->dim_value : -1;
}

/* The one input that is not a constant: [N, 3, height, width]. */
static qmtcnn_status find_input(struct reader *reader, qmtcnn_error *error)
{
    const QmtOnnx__Graph *graph = reader->graph.graph;
    for (size_t i = 0; i < graph->n_input; i++) {
        if (qmt_onnx_find(&reader->graph, graph->input[i]->name))
            continue; /* an initializer with a default, as before IR version 4 */
        if (reader->input)
            return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "two inputs, %s and %s; MTCNN's networks have one",
                            reader->input->name, graph->input[i]->name);
        reader->input = graph->input[i];
    }
    if (!reader->input || !*reader->input->name)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "the graph has no input");
    const QmtOnnx__TensorType *type = reader->input->type ? reader->input->type->tensor_type : NULL;
    if (!type || type->elem_type != QMT_ONNX_FLOAT || !type->shape || type->shape->n_dim != 4)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "input %s is not FP32 of four dimensions (N, 3, H, W)",
                        reader->input->name);
    int height = dimension(type->shape, 2), width = dimension(type->shape, 3);
    if (dimension(type->shape, 1) != 3 || height < 0 || width < 0)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "input %s has not 3 channels in its second dimension",
                        reader->input->name);
    bool fixed = height > 0 && width > 0;
    reader->model->input_height = fixed ? height : 0;
    reader->model->input_width = fixed ? width : 0;
    return qmt_set_string(&reader->model->input_name, reader->input->name, error);
}

/* Follows the nodes from an output back to the input. */
static qmtcnn_status follow(struct reader *reader, const char *output, struct chain *chain, qmtcnn_error *error)
{
    size_t limit = reader->graph.graph->n_node;
    const char *tensor = output;
    chain->output = output;
    chain->nodes = qmt_alloc(limit, sizeof *chain->nodes);
    if (!chain->nodes)
        return qmt_fail_memory(error, limit * sizeof *chain->nodes, "nodes");
    while (strcmp(tensor, reader->input->name) != 0) {
        const qmt_onnx_entry *entry = qmt_onnx_find(&reader->graph, tensor);
        if (!entry || !entry->node)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "output %s: nothing computes tensor \"%s\" from the input",
                            output, tensor);
        if (chain->count == limit)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "output %s: the graph has a cycle at tensor %s", output,
                            tensor);
        if (!find_reader(entry->node->op_type) || strcmp(entry->node->output[0], tensor) != 0)
            return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED,
                            "node %s is of kind %s, which this runtime does not know; it reads Conv, Gemm, "
                            "BatchNormalization, Relu, PRelu, MaxPool, Flatten, Reshape, Softmax, Q/DQ",
                            qmt_onnx_node_name(entry->node), entry->node->op_type);
        chain->nodes[chain->count++] = entry->node;
        tensor = qmt_onnx_input(entry->node, 0);
    }
    for (size_t i = 0; i < chain->count / 2; i++) {
        const QmtOnnx__Node *other = chain->nodes[i];
        chain->nodes[i] = chain->nodes[chain->count - 1 - i];
        chain->nodes[chain->count - 1 - i] = other;
    }
    return QMTCNN_OK;
}

static bool has_weights(const QmtOnnx__Node *node)
{
    return strcmp(node->op_type, "Conv") == 0 || strcmp(node->op_type, "Gemm") == 0;
}

/* Finds all chains, and how many nodes they share. A single chain's head starts at its last layer. */
static qmtcnn_status find_chains(struct reader *reader, qmtcnn_error *error)
{
    const QmtOnnx__Graph *graph = reader->graph.graph;
    if (graph->n_output < 1 || graph->n_output > qmt_head_count)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "%zu outputs; MTCNN's networks have 1 to %d", graph->n_output,
                        qmt_head_count);
    for (size_t i = 0; i < graph->n_output; i++) {
        struct chain *chain = &reader->chains[reader->chain_count++];
        qmtcnn_status status = follow(reader, graph->output[i]->name, chain, error);
        if (status != QMTCNN_OK)
            return status;
        size_t last = chain->count;
        while (last > 0 && !has_weights(chain->nodes[last - 1]))
            last--;
        if (last == 0)
            return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "output %s comes from no layer with weights",
                            chain->output);
        size_t shared = i == 0 ? last - 1 : reader->trunk;
        for (size_t j = 0; j < shared; j++)
            if (j >= last - 1 || chain->nodes[j] != reader->chains[0].nodes[j])
                shared = j;
        reader->trunk = shared;
    }
    return QMTCNN_OK;
}

static qmtcnn_status read_nodes(struct reader *reader, struct walk *walk, const QmtOnnx__Node *const *nodes,
                                size_t count, qmtcnn_error *error)
{
    for (size_t i = 0; i < count; i++) {
        bool quantizer = strcmp(nodes[i]->op_type, "DequantizeLinear") == 0;
        if (walk->in_int8 && !quantizer && strcmp(nodes[i]->op_type, "Identity") != 0)
            return unsupported(nodes[i], "it works on integers; a DequantizeLinear is missing before it", error);
        if (*nodes[i]->domain && strcmp(nodes[i]->domain, "ai.onnx") != 0)
            return qmt_onnx_fail(nodes[i], error, QMTCNN_ERROR_UNSUPPORTED, "an operator of domain %s",
                                 nodes[i]->domain);
        qmtcnn_status status = find_reader(nodes[i]->op_type)(reader, walk, nodes[i], error);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}

static qmtcnn_status read_head(struct reader *reader, const struct walk *trunk, const struct chain *chain,
                               struct walk *walk, qmtcnn_error *error)
{
    *walk = *trunk;
    qmtcnn_status status = read_nodes(reader, walk, chain->nodes + reader->trunk, chain->count - reader->trunk, error);
    if (status != QMTCNN_OK)
        return status;
    if (walk->in_int8 || !is_head_walk(reader, walk))
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "output %s has no layer of its own", chain->output);
    return qmt_set_string(&reader->model->output_names[walk->layer - reader->model->heads], chain->output, error);
}

/* R- and O-Net take 24 x 24 and 48 x 48 pixels and end in one; everything else slides over a picture. */
static void tell_net(qmt_model *model, const struct walk *walk)
{
    bool one = walk->height == 1 && walk->width == 1 && model->input_height == model->input_width;
    model->net = QMT_PNET;
    for (int net = QMT_RNET; net < qmt_net_count; net++)
        if (one && model->input_height == qmt_net_side((qmt_net_id)net))
            model->net = (qmt_net_id)net;
}

static qmtcnn_status read_layers(struct reader *reader, qmtcnn_error *error)
{
    qmt_model *model = reader->model;
    struct walk trunk = {.channels = 3, .height = model->input_height, .width = model->input_width}, walk = trunk;
    qmtcnn_status status = read_nodes(reader, &trunk, reader->chains[0].nodes, reader->trunk, error);
    if (status == QMTCNN_OK && !trunk.layer)
        status =
            qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "the outputs share no layer; a network has a trunk and heads");
    reader->in_heads = true;
    for (int i = 0; i < reader->chain_count && status == QMTCNN_OK; i++)
        status = read_head(reader, &trunk, &reader->chains[i], &walk, error);
    if (status == QMTCNN_OK)
        tell_net(model, &walk);
    return status;
}

static qmtcnn_status read_metadata(struct reader *reader, qmtcnn_error *error)
{
    const QmtOnnx__Model *file = reader->graph.file;
    reader->model->landmarks_planar = reader->model->heads[QMT_HEAD_LANDMARKS].out_channels > 0;
    for (size_t i = 0; i < file->n_metadata_props; i++) {
        const QmtOnnx__StringEntry *entry = file->metadata_props[i];
        if (strcmp(entry->key, QMT_ONNX_LANDMARK_KEY) == 0) {
            reader->model->landmarks_planar = strcmp(entry->value, QMT_ONNX_LANDMARK_PAIRS) != 0;
            continue;
        }
        qmtcnn_status status = qmt_model_set_metadata(reader->model, entry->key, entry->value, error);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}

static qmtcnn_status read_model(struct reader *reader, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_model_create(QMT_PNET, qmt_max_layers, &reader->model, error);
    if (status != QMTCNN_OK)
        return status;
    reader->model->layer_count = 0;
    status = find_input(reader, error);
    if (status == QMTCNN_OK)
        status = find_chains(reader, error);
    if (status == QMTCNN_OK)
        status = read_layers(reader, error);
    if (status == QMTCNN_OK)
        status = read_metadata(reader, error);
    return status == QMTCNN_OK ? qmt_model_check(reader->model, error) : status;
}

qmtcnn_status qmt_onnx_read(const void *data, size_t size, const char *name, qmt_model **model, qmtcnn_error *error)
{
    struct reader reader = {0};
    *model = NULL;
    qmtcnn_status status = qmt_onnx_graph_open(&reader.graph, data, size, error);
    if (status != QMTCNN_OK)
        return qmt_fail_in(error, status, "%s", name);
    status = read_model(&reader, error);
    for (int i = 0; i < qmt_head_count; i++)
        qmt_free(reader.chains[i].nodes);
    qmt_onnx_graph_close(&reader.graph);
    if (status != QMTCNN_OK) {
        qmt_model_free(reader.model);
        return qmt_fail_in(error, status, "%s", name);
    }
    *model = reader.model;
    return QMTCNN_OK;
}

static qmtcnn_status read_all(FILE *file, const char *path, void **data, size_t *size, qmtcnn_error *error)
{
    long end = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (end < 0 || fseek(file, 0, SEEK_SET) != 0)
        return qmt_fail(error, QMTCNN_ERROR_IO, "%s: can't be read", path);
    if (end > 256L << 20)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: %ld bytes are no MTCNN network", path, end);
    *size = (size_t)end;
    *data = qmt_alloc(*size, 1);
    if (!*data)
        return qmt_fail_memory(error, *size, path);
    if (fread(*data, 1, *size, file) != *size)
        return qmt_fail(error, QMTCNN_ERROR_IO, "%s: can't be read", path);
    return QMTCNN_OK;
}

qmtcnn_status qmt_onnx_read_file(const char *path, qmt_model **model, qmtcnn_error *error)
{
    void *data = NULL;
    size_t size = 0;
    *model = NULL;
    FILE *file = fopen(path, "rb");
    if (!file)
        return qmt_fail(error, QMTCNN_ERROR_IO, "%s: can't be opened", path);
    qmtcnn_status status = read_all(file, path, &data, &size, error);
    fclose(file);
    if (status == QMTCNN_OK)
        status = qmt_onnx_read(data, size, path, model, error);
    qmt_free(data);
    return status;
}
