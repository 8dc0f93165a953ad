/* A model as an ONNX file. The graph is built, checked for names that meet, and packed. */
#include "runtime/model/onnx.h"
#include "runtime/model/onnx_builder.h"
#include "runtime/model/onnx_names.h"

#include <stdlib.h>
#include <string.h>

/* ---- Quantizers ---------------------------------------------------------------------------------- */

/* Zero points of a quantizer. */
typedef enum zero_kind { ZERO_INT8, ZERO_UINT8, ZERO_UINT8_MIDDLE } zero_kind;

/* QuantizeLinear and DequantizeLinear after a tensor; `name` starts the names of both and of their tensors. Scales
 * along axis 0, or one scale (count 0). TensorRT takes no zero points but INT8 ones of 0. */
static char *add_quantizer(qmt_onnx_builder *builder, char *tensor, const char *name, const float *scales, size_t count,
                           zero_kind zero_point)
{
    static const uint8_t middle = 128;
    int64_t dims[1] = {(int64_t)count};
    size_t rank = count ? 1 : 0;
    char *scale =
        qmt_onnx_add_tensor(builder, qmt_onnx_text(builder, "%s_scale", name), QMT_ONNX_FLOAT, dims, rank, scales);
    char *zero = qmt_onnx_add_tensor(builder, qmt_onnx_text(builder, "%s_zero_point", name),
                                     zero_point == ZERO_INT8 ? QMT_ONNX_INT8 : QMT_ONNX_UINT8, dims, rank,
                                     zero_point == ZERO_UINT8_MIDDLE ? &middle : NULL);
    char *quantized = qmt_onnx_text(builder, "%s_quantized", name),
         *result = qmt_onnx_text(builder, "%s_dequantized", name);
    QmtOnnx__Node *q = qmt_onnx_add_node(builder, "QuantizeLinear", qmt_onnx_text(builder, "%s_quantize", name),
                                         (char *[]){tensor, scale, zero}, 3, quantized);
    QmtOnnx__Node *dq = qmt_onnx_add_node(builder, "DequantizeLinear", qmt_onnx_text(builder, "%s_dequantize", name),
                                          (char *[]){quantized, scale, zero}, 3, result);
    if (count) {
        qmt_onnx_add_int(builder, q, "axis", 0);
        qmt_onnx_add_int(builder, dq, "axis", 0);
    }
    return result;
}

/* The quantized form of a layer's input; made once for each tensor and scale. */
static char *quantize_input(qmt_onnx_builder *builder, char *tensor, const qmt_layer *layer)
{
    const float scale = layer->input_scale;
    const zero_kind zero_point = builder->options->form == QMT_ONNX_TENSORRT ? ZERO_INT8
                                 : layer->input_unsigned                     ? ZERO_UINT8
                                                                             : ZERO_UINT8_MIDDLE;
    int same = 0; /* quantizers of this tensor with other scales */
    if (builder->status != QMTCNN_OK)
        return NULL;
    for (int i = 0; i < builder->quantized_count; i++) {
        const qmt_onnx_quantized *old = &builder->quantized[i];
        if (strcmp(old->tensor, tensor) != 0)
            continue;
        if (old->scale == scale)
            return (char *)old->result;
        same++;
    }
    char *name = same ? qmt_onnx_text(builder, "%s_%d", tensor, same + 1) : tensor;
    char *result = add_quantizer(builder, tensor, name, &scale, 0, zero_point);
    if (builder->quantized_count == qmt_head_count) /* the trunk goes on: its older tensors are read no more */
        builder->quantized_count = 0;
    builder->quantized[builder->quantized_count++] = (qmt_onnx_quantized){tensor, result, scale};
    return result;
}

/* ---- Layers -------------------------------------------------------------------------------------- */

/* The bias that our INT8 kernels add, as FP32: whole steps of the accumulator. Other runtimes keep biases in FP32; with
 * this one their sums are ours, and a value can differ only where FP32 rounds across a tie. */
static const float *whole_bias(qmt_onnx_builder *builder, const qmt_layer *layer)
{
    float *bias = qmt_onnx_take(builder, (size_t)layer->out_channels * sizeof *bias);
    for (int c = 0; bias && c < layer->out_channels; c++)
        bias[c] = (float)layer->bias_int32[c] * (layer->input_scale * layer->weight_scale[c]);
    return bias;
}

/* A constant of INT8 or INT32 and the DequantizeLinear after it, with a scale for each of `outputs` along axis 0. */
static char *add_dequantized(qmt_onnx_builder *builder, const char *name, int type, const int64_t *dims, size_t rank,
                             const void *values, const float *scales)
{
    char *tensor = qmt_onnx_add_tensor(builder, qmt_onnx_text(builder, "%s_quantized", name), type, dims, rank, values);
    char *scale =
        qmt_onnx_add_tensor(builder, qmt_onnx_text(builder, "%s_scale", name), QMT_ONNX_FLOAT, dims, 1, scales);
    char *zero = qmt_onnx_add_tensor(builder, qmt_onnx_text(builder, "%s_zero_point", name), type, dims, 1, NULL);
    char *result = qmt_onnx_text(builder, "%s", name);
    QmtOnnx__Node *node = qmt_onnx_add_node(builder, "DequantizeLinear", qmt_onnx_text(builder, "%s_dequantize", name),
                                            (char *[]){tensor, scale, zero}, 3, result);
    qmt_onnx_add_int(builder, node, "axis", 0);
    return result;
}

/* The scale of a bias is that of the sums. */
static const float *sum_scales(qmt_onnx_builder *builder, const qmt_layer *layer)
{
    float *scales = qmt_onnx_take(builder, (size_t)layer->out_channels * sizeof *scales);
    for (int c = 0; scales && c < layer->out_channels; c++)
        scales[c] = layer->input_scale * layer->weight_scale[c];
    return scales;
}

static char *add_convolution(qmt_onnx_builder *builder, const qmt_layer *layer, char *input, char *output)
{
    bool int8 = layer->weight_int8 && !builder->options->fp32;
    bool integers = int8 && builder->options->form == QMT_ONNX_ONNXRUNTIME;
    size_t outputs = (size_t)layer->out_channels;
    int64_t dims[4] = {layer->out_channels, layer->in_channels, layer->kernel_height, layer->kernel_width};
    char *weight = qmt_onnx_text(builder, "%s_weight", layer->name),
         *bias = qmt_onnx_text(builder, "%s_bias", layer->name);
    if (integers) {
        input = quantize_input(builder, input, layer);
        add_dequantized(builder, weight, QMT_ONNX_INT8, dims, 4, layer->weight_int8, layer->weight_scale);
        add_dequantized(builder, bias, QMT_ONNX_INT32, dims, 1, layer->bias_int32, sum_scales(builder, layer));
    } else {
        qmt_onnx_add_tensor(builder, weight, QMT_ONNX_FLOAT, dims, 4, layer->weight);
        qmt_onnx_add_tensor(builder, bias, QMT_ONNX_FLOAT, dims, 1, int8 ? whole_bias(builder, layer) : layer->bias);
    }
    if (int8 && !integers) {
        input = quantize_input(builder, input, layer);
        weight = add_quantizer(builder, weight, weight, layer->weight_scale, outputs, ZERO_INT8);
    }
    QmtOnnx__Node *node = qmt_onnx_add_node(builder, "Conv", qmt_onnx_text(builder, "%s", layer->name),
                                            (char *[]){input, weight, bias}, 3, output);
    qmt_onnx_add_ints(builder, node, "kernel_shape", 2, layer->kernel_height, layer->kernel_width);
    qmt_onnx_add_ints(builder, node, "strides", 2, 1, 1);
    qmt_onnx_add_ints(builder, node, "pads", 4, 0, 0);
    qmt_onnx_add_ints(builder, node, "dilations", 2, 1, 1);
    qmt_onnx_add_int(builder, node, "group", 1);
    return output;
}

/* Convolution, activation and pool. Returns the last tensor. */
static char *add_layer(qmt_onnx_builder *builder, const qmt_layer *layer, char *input)
{
    char *last = add_convolution(builder, layer, input, qmt_onnx_text(builder, "%s_output", layer->name));
    if (layer->activation == QMT_ACTIVATION_RELU) {
        char *output = qmt_onnx_text(builder, "%s_relu_output", layer->name);
        qmt_onnx_add_node(builder, "Relu", qmt_onnx_text(builder, "%s_relu", layer->name), (char *[]){last}, 1, output);
        last = output;
    } else if (layer->activation == QMT_ACTIVATION_PRELU) {
        int64_t dims[3] = {layer->out_channels, 1, 1};
        char *output = qmt_onnx_text(builder, "%s_prelu_output", layer->name);
        char *slope = qmt_onnx_add_tensor(builder, qmt_onnx_text(builder, "%s_slope", layer->name), QMT_ONNX_FLOAT,
                                          dims, 3, layer->slope);
        qmt_onnx_add_node(builder, "PRelu", qmt_onnx_text(builder, "%s_prelu", layer->name), (char *[]){last, slope}, 2,
                          output);
        last = output;
    }
    if (layer->pool_kernel) {
        char *output = qmt_onnx_text(builder, "%s_pool_output", layer->name);
        QmtOnnx__Node *node = qmt_onnx_add_node(builder, "MaxPool", qmt_onnx_text(builder, "%s_pool", layer->name),
                                                (char *[]){last}, 1, output);
        qmt_onnx_add_ints(builder, node, "kernel_shape", 2, layer->pool_kernel, layer->pool_kernel);
        qmt_onnx_add_ints(builder, node, "strides", 2, layer->pool_stride, layer->pool_stride);
        qmt_onnx_add_ints(builder, node, "pads", 4, 0, 0);
        qmt_onnx_add_int(builder, node, "ceil_mode", 1);
        last = output;
    }
    return last;
}

/* A head: convolution, flatten (optional), softmax (face). Its last tensor is the network's output. */
static void add_head(qmt_onnx_builder *builder, const qmt_model *model, qmt_head head, char *input)
{
    const qmt_layer *layer = &model->heads[head];
    bool flatten = builder->options->flatten_outputs && model->net != QMT_PNET, softmax = head == QMT_HEAD_FACE;
    char *output = qmt_onnx_text(builder, "%s", model->output_names[head]);
    char *last = flatten || softmax ? qmt_onnx_text(builder, "%s_output", layer->name) : output;
    add_convolution(builder, layer, input, last);
    if (flatten) {
        char *flat = softmax ? qmt_onnx_text(builder, "%s_flat", layer->name) : output;
        QmtOnnx__Node *node = qmt_onnx_add_node(builder, "Flatten", qmt_onnx_text(builder, "%s_flatten", layer->name),
                                                (char *[]){last}, 1, flat);
        qmt_onnx_add_int(builder, node, "axis", 1);
        last = flat;
    }
    if (softmax) {
        QmtOnnx__Node *node = qmt_onnx_add_node(builder, "Softmax", qmt_onnx_text(builder, "%s_softmax", layer->name),
                                                (char *[]){last}, 1, output);
        qmt_onnx_add_int(builder, node, "axis", 1);
    }
}

/* ---- The graph ----------------------------------------------------------------------------------- */

/* A FP32 input or output. Dimensions of 0 are any, and called by `names`. */
static QmtOnnx__ValueInfo *value_info(qmt_onnx_builder *builder, const char *name, const int64_t *dims,
                                      const char *const *names, size_t count)
{
    QmtOnnx__ValueInfo *info = qmt_onnx_take(builder, sizeof *info);
    QmtOnnx__Type *type = qmt_onnx_take(builder, sizeof *type);
    QmtOnnx__TensorType *tensor = qmt_onnx_take(builder, sizeof *tensor);
    QmtOnnx__Shape *shape = qmt_onnx_take(builder, sizeof *shape);
    QmtOnnx__Dimension **dimensions = qmt_onnx_take(builder, count * sizeof *dimensions);
    char *own_name = qmt_onnx_text(builder, "%s", name);
    for (size_t i = 0; i < count; i++) {
        QmtOnnx__Dimension *dimension = qmt_onnx_take(builder, sizeof *dimension);
        char *parameter = qmt_onnx_text(builder, "%s", names[i]);
        if (builder->status != QMTCNN_OK)
            return NULL;
        qmt_onnx__dimension__init(dimension);
        dimension->value_case = dims[i] ? QMT_ONNX__DIMENSION__VALUE_DIM_VALUE : QMT_ONNX__DIMENSION__VALUE_DIM_PARAM;
        if (dims[i])
            dimension->dim_value = dims[i];
        else
            dimension->dim_param = parameter;
        dimensions[i] = dimension;
    }
    if (builder->status != QMTCNN_OK)
        return NULL;
    qmt_onnx__value_info__init(info);
    qmt_onnx__type__init(type);
    qmt_onnx__tensor_type__init(tensor);
    qmt_onnx__shape__init(shape);
    shape->n_dim = count;
    shape->dim = dimensions;
    tensor->elem_type = QMT_ONNX_FLOAT;
    tensor->shape = shape;
    type->tensor_type = tensor;
    info->name = own_name;
    info->type = type;
    return info;
}

static void add_values(qmt_onnx_builder *builder, const qmt_model *model, QmtOnnx__Graph *graph)
{
    static const char *const input_names[4] = {"batch", "channels", "height", "width"};
    static const char *const output_names[4] = {"batch", "channels", "output_height", "output_width"};
    int height = model->input_height, width = model->input_width;
    int64_t dims[4] = {builder->options->batch, 3, height, width};
    bool fixed = height > 0;
    graph->input = qmt_onnx_take(builder, sizeof *graph->input);
    graph->output = qmt_onnx_take(builder, qmt_head_count * sizeof *graph->output);
    if (builder->status != QMTCNN_OK)
        return;
    graph->n_input = 1;
    graph->input[0] = value_info(builder, model->input_name, dims, input_names, 4);
    for (int i = 0; fixed && i <= model->layer_count; i++)
        qmt_layer_output_size(i < model->layer_count ? &model->layers[i] : &model->heads[QMT_HEAD_FACE], height, width,
                              &height, &width);
    size_t rank = builder->options->flatten_outputs && model->net != QMT_PNET ? 2 : 4;
    for (int i = 0; i < qmt_head_count; i++) {
        if (model->heads[i].out_channels == 0)
            continue;
        int64_t output_dims[4] = {builder->options->batch, model->heads[i].out_channels, height, width};
        graph->output[graph->n_output++] = value_info(builder, model->output_names[i], output_dims, output_names, rank);
    }
}

static QmtOnnx__Graph *build_graph(qmt_onnx_builder *builder, const qmt_model *model)
{
    QmtOnnx__Graph *graph = qmt_onnx_take(builder, sizeof *graph);
    char *name = qmt_onnx_text(builder, "%s", qmt_net_name(model->net)),
         *last = qmt_onnx_text(builder, "%s", model->input_name);
    if (builder->status != QMTCNN_OK)
        return NULL;
    qmt_onnx__graph__init(graph);
    graph->name = name;
    for (int i = 0; i < model->layer_count; i++)
        last = add_layer(builder, &model->layers[i], last);
    for (int i = 0; i < qmt_head_count; i++)
        if (model->heads[i].out_channels)
            add_head(builder, model, (qmt_head)i, last);
    add_values(builder, model, graph);
    graph->n_node = builder->node_count;
    graph->node = builder->nodes;
    graph->n_initializer = builder->initializer_count;
    graph->initializer = builder->initializers;
    return graph;
}

static void add_property(qmt_onnx_builder *builder, QmtOnnx__Model *file, const char *key, const char *value)
{
    QmtOnnx__StringEntry *entry = qmt_onnx_take(builder, sizeof *entry);
    char *own_key = qmt_onnx_text(builder, "%s", key), *own_value = qmt_onnx_text(builder, "%s", value);
    if (builder->status != QMTCNN_OK)
        return;
    qmt_onnx__string_entry__init(entry);
    entry->key = own_key;
    entry->value = own_value;
    file->metadata_props[file->n_metadata_props++] = entry;
}

static QmtOnnx__Model *build_file(qmt_onnx_builder *builder, const qmt_model *model)
{
    QmtOnnx__Model *file = qmt_onnx_take(builder, sizeof *file);
    QmtOnnx__OperatorSet *opset = qmt_onnx_take(builder, sizeof *opset),
                         **opsets = qmt_onnx_take(builder, sizeof *opsets);
    QmtOnnx__StringEntry **entries = qmt_onnx_take(builder, ((size_t)model->metadata_count + 1) * sizeof *entries);
    char *producer = qmt_onnx_text(builder, "qmtcnn");
    const char *given = builder->options->producer_version;
    char *version = qmt_onnx_text(builder, "%s", given ? given : qmtcnn_version());
    QmtOnnx__Graph *graph = build_graph(builder, model);
    if (builder->status != QMTCNN_OK)
        return NULL;
    qmt_onnx__model__init(file);
    qmt_onnx__operator_set__init(opset);
    opset->version = builder->options->opset ? builder->options->opset : 13;
    opsets[0] = opset;
    file->ir_version = 8;
    file->producer_name = producer;
    file->producer_version = version;
    file->graph = graph;
    file->n_opset_import = 1;
    file->opset_import = opsets;
    file->metadata_props = entries;
    for (int i = 0; i < model->metadata_count; i++)
        if (strcmp(model->metadata[i].key, QMT_ONNX_LANDMARK_KEY) != 0)
            add_property(builder, file, model->metadata[i].key, model->metadata[i].value);
    if (model->heads[QMT_HEAD_LANDMARKS].out_channels)
        add_property(builder, file, QMT_ONNX_LANDMARK_KEY,
                     model->landmarks_planar ? QMT_ONNX_LANDMARK_PLANAR : QMT_ONNX_LANDMARK_PAIRS);
    return file;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static qmtcnn_status check_unique(const char **names, size_t count, const char *what, qmtcnn_error *error)
{
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                            "two %s of the ONNX file would be called \"%s\"; rename a layer, the input or an output",
                            what, names[i]);
    return QMTCNN_OK;
}

/* ONNX wants every tensor's name once; TensorRT wants that of nodes too. */
static qmtcnn_status check_names(const qmt_onnx_builder *builder, const qmt_model *model, qmtcnn_error *error)
{
    const char *names[2 * qmt_onnx_max_items + 1];
    size_t count = 0;
    for (size_t i = 0; i < builder->node_count; i++)
        names[count++] = builder->nodes[i]->name;
    qmtcnn_status status = check_unique(names, count, "nodes", error);
    if (status != QMTCNN_OK)
        return status;
    count = 0;
    names[count++] = model->input_name;
    for (size_t i = 0; i < builder->node_count; i++)
        names[count++] = builder->nodes[i]->output[0];
    for (size_t i = 0; i < builder->initializer_count; i++)
        names[count++] = builder->initializers[i]->name;
    return check_unique(names, count, "tensors", error);
}

static bool has_unsigned(const qmt_model *model)
{
    for (int i = 0; i < model->layer_count + qmt_head_count; i++)
        if ((i < model->layer_count ? &model->layers[i] : &model->heads[i - model->layer_count])->input_unsigned)
            return true;
    return false;
}

qmtcnn_status qmt_onnx_write(const qmt_model *model, const qmt_onnx_options *options, void **data, size_t *size,
                             qmtcnn_error *error)
{
    const qmt_onnx_options defaults = {0};
    qmt_onnx_builder builder = {.error = error, .options = options ? options : &defaults};
    *data = NULL;
    *size = 0;
    int opset = builder.options->opset;
    if ((opset != 0 && (opset < 13 || opset > 17)) || builder.options->batch < 0)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "ONNX opset %d, batch %d: give an opset of 13 to 17", opset,
                        builder.options->batch);
    if (!model->input_name || !*model->input_name)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "the network's input has no name");
    qmtcnn_status status = qmt_model_check(model, error);
    if (status != QMTCNN_OK)
        return status;
    if (has_unsigned(model) && builder.options->form == QMT_ONNX_TENSORRT && !builder.options->fp32)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "a layer's input is uint8, which TensorRT doesn't take; write ONNX Runtime's form");
    QmtOnnx__Model *file = build_file(&builder, model);
    status = builder.status;
    if (status == QMTCNN_OK)
        status = check_names(&builder, model, error);
    if (status != QMTCNN_OK)
        goto done;
    size_t bytes = qmt_onnx__model__get_packed_size(file);
    uint8_t *packed = qmt_alloc(bytes, 1);
    if (!packed) {
        status = qmt_fail_memory(error, bytes, "an ONNX file");
        goto done;
    }
    *size = qmt_onnx__model__pack(file, packed);
    *data = packed;
done:
    qmt_onnx_release(&builder);
    return status;
}
