/* Rules on layers: what is quantized around them, and their own limits. */
#include "toolkit/deploy/lint.h"

enum { most_hops = 64 /* a damaged graph may run in a circle */ };

static bool is_one_of(const QmtOnnx__Node *node, const char *const *kinds, size_t count)
{
    for (size_t i = 0; node && i < count; i++) {
        if (strcmp(node->op_type, kinds[i]) == 0)
            return true;
    }
    return false;
}

static bool has_weights(const QmtOnnx__Node *node)
{
    static const char *const kinds[] = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
    return is_one_of(node, kinds, sizeof kinds / sizeof kinds[0]);
}

/* Layers that a quantizer may be moved across, since they only choose or move values. */
static bool is_transparent(const QmtOnnx__Node *node)
{
    static const char *const kinds[] = {"MaxPool",  "Flatten", "Reshape", "Transpose",
                                        "Identity", "Dropout", "Squeeze", "Unsqueeze"};
    return is_one_of(node, kinds, sizeof kinds / sizeof kinds[0]);
}

static bool is_activation(const QmtOnnx__Node *node)
{
    static const char *const kinds[] = {"Relu", "PRelu", "LeakyRelu", "Clip", "Sigmoid", "Tanh", "Elu", "HardSwish"};
    return is_one_of(node, kinds, sizeof kinds / sizeof kinds[0]);
}

/* Does a tensor come out of a DQ, if need be through layers that only move values? */
static bool is_dequantized(const qmt_lint *lint, const char *name)
{
    const QmtOnnx__Node *node = qmt_lint_maker(lint, name);
    for (int hop = 0; hop < most_hops && is_transparent(node); hop++)
        node = qmt_lint_maker(lint, qmt_lint_input(node, 0));
    return qmt_lint_is(node, "DequantizeLinear");
}

/* The constant weight of a layer, seen through Q and DQ; NULL: computed. */
static const QmtOnnx__Tensor *weight_of(const qmt_lint *lint, const QmtOnnx__Node *layer)
{
    const char *name = qmt_lint_input(layer, 1);
    for (int hop = 0; hop < 3; hop++) {
        const QmtOnnx__Tensor *constant = qmt_lint_constant(lint, name);
        const QmtOnnx__Node *maker = qmt_lint_maker(lint, name);
        if (constant || !maker)
            return constant;
        name = qmt_lint_input(maker, 0);
    }
    return NULL;
}

/* Along which dimension of its weight a layer's output channels lie. */
static int64_t channel_axis(const QmtOnnx__Node *layer, const QmtOnnx__Tensor *weight)
{
    if (qmt_lint_is(layer, "Gemm"))
        return qmt_lint_int(layer, "transB", 0) ? 0 : 1;
    if (qmt_lint_is(layer, "MatMul"))
        return (int64_t)weight->n_dims - 1;
    return qmt_lint_is(layer, "ConvTranspose") ? 1 : 0;
}

static void check_weight_axis(qmt_lint *lint, const QmtOnnx__Node *layer)
{
    const QmtOnnx__Node *dequantizer = qmt_lint_maker(lint, qmt_lint_input(layer, 1));
    const QmtOnnx__Tensor *weight = weight_of(lint, layer);
    if (!weight || !qmt_lint_is(dequantizer, "DequantizeLinear"))
        return;
    const QmtOnnx__Tensor *scale = qmt_lint_constant(lint, qmt_lint_input(dequantizer, 1));
    const QmtOnnx__Attribute *attribute = qmt_lint_attribute(dequantizer, "axis");
    size_t count;
    if (!scale || !attribute || !qmt_lint_elements(scale, &count) || count < 2)
        return;
    int64_t axis = attribute->i < 0 ? attribute->i + (int64_t)weight->n_dims : attribute->i;
    int64_t wanted = channel_axis(layer, weight);
    if (axis >= 0 && axis < (int64_t)weight->n_dims && axis != wanted)
        qmt_lint_report(
            lint, "weight-axis", true, dequantizer, NULL,
            "weight scales run along axis %lld, but the output channels of '%.60s' lie along axis %lld: no INT8 "
            "kernel can take them out of the sum; quantize along axis %lld",
            (long long)axis, layer->name, (long long)wanted, (long long)wanted);
}

static void check_quantized(qmt_lint *lint, const QmtOnnx__Node *layer, bool others)
{
    bool input = is_dequantized(lint, qmt_lint_input(layer, 0));
    bool weight = is_dequantized(lint, qmt_lint_input(layer, 1));
    if (weight && !input)
        qmt_lint_report(
            lint, "input-not-quantized", true, layer, NULL,
            "the weight is quantized and the input '%.60s' is not: TensorRT then computes in FP32 with weights "
            "rounded for nothing; put QuantizeLinear and DequantizeLinear before it",
            qmt_lint_input(layer, 0));
    else if (input && !weight)
        qmt_lint_report(lint, "weight-not-quantized", true, layer, NULL,
                        "the input is quantized and the weight '%.60s' is not: TensorRT then computes in FP32; put "
                        "QuantizeLinear and DequantizeLinear behind the weight",
                        qmt_lint_input(layer, 1));
    else if (!input && others)
        qmt_lint_report(
            lint, "layer-not-quantized", false, layer, NULL,
            "other layers are INT8 and this one is not: it runs in FP32, slower, with conversions before and "
            "after; quantize it unless it is kept FP32 for accuracy");
}

/* Convolution -> Q -> DQ -> activation. */
static void check_activation(qmt_lint *lint, const QmtOnnx__Node *activation)
{
    static const char *const makers[] = {"Conv", "ConvTranspose", "Gemm", "BatchNormalization", "Add"};
    const QmtOnnx__Node *dequantizer = qmt_lint_maker(lint, qmt_lint_input(activation, 0));
    if (!qmt_lint_is(dequantizer, "DequantizeLinear"))
        return;
    const QmtOnnx__Node *quantizer = qmt_lint_maker(lint, qmt_lint_input(dequantizer, 0));
    if (!qmt_lint_is(quantizer, "QuantizeLinear"))
        return;
    const QmtOnnx__Node *maker = qmt_lint_maker(lint, qmt_lint_input(quantizer, 0));
    if (is_one_of(maker, makers, sizeof makers / sizeof makers[0]))
        qmt_lint_report(
            lint, "quantizer-before-activation", true, quantizer, NULL,
            "it stands between '%.40s' and its activation '%.40s': TensorRT can't fuse the two, and negative "
            "values use up half of the range; move it behind the activation",
            maker->name[0] ? maker->name : qmt_lint_output(maker, 0),
            activation->name[0] ? activation->name : qmt_lint_output(activation, 0));
}

static void check_prelu(qmt_lint *lint, const QmtOnnx__Node *node)
{
    size_t count;
    const char *output = qmt_lint_output(node, 0);
    const qmt_lint_entry *readers = qmt_lint_readers(lint, output, &count);
    bool quantized = false;
    for (size_t i = 0; i < count; i++)
        quantized = quantized || qmt_lint_is(lint->graph->node[readers[i].node], "QuantizeLinear") ||
                    is_transparent(lint->graph->node[readers[i].node]);
    const QmtOnnx__Node *layer = qmt_lint_maker(lint, qmt_lint_input(node, 0));
    if (quantized && has_weights(layer) && is_dequantized(lint, qmt_lint_input(layer, 1)))
        qmt_lint_report(
            lint, "prelu-quantized", false, node, NULL,
            "PReLU in an INT8 network: TensorRT is reported not to fuse it with the convolution before it, which "
            "costs a pass in FP32; train with ReLU");
}

/* Dimension `index` of a graph's input or output; 0: open, or not there. */
static int64_t port_dimension(const QmtOnnx__ValueInfo *port, size_t rank, size_t index)
{
    const QmtOnnx__Shape *shape = port->type && port->type->tensor_type ? port->type->tensor_type->shape : NULL;
    if (!shape || index >= shape->n_dim || (rank && shape->n_dim != rank) ||
        shape->dim[index]->value_case != QMT_ONNX__DIMENSION__VALUE_DIM_VALUE)
        return 0;
    return shape->dim[index]->dim_value;
}

/* Is this one of MTCNN's three networks (a picture in, 2 scores and 4 offsets out)? Then a pool that rounds down gives
 * boxes from wrong cells. */
static bool is_mtcnn(const qmt_lint *lint)
{
    enum { rank = 4, most_outputs = 3, most_nodes = 400 };
    const QmtOnnx__Graph *graph = lint->graph;
    bool four = false, two = false, picture = false;
    if (graph->n_output < 2 || graph->n_output > most_outputs || graph->n_node > most_nodes)
        return false;
    for (size_t i = 0; i < graph->n_output; i++) {
        two = two || port_dimension(graph->output[i], 0, 1) == 2;
        four = four || port_dimension(graph->output[i], 0, 1) == 4;
    }
    for (size_t i = 0; i < graph->n_input; i++)
        picture = picture || port_dimension(graph->input[i], rank, 1) == 3;
    return two && four && picture;
}

static void check_pool(qmt_lint *lint, const QmtOnnx__Node *node, bool mtcnn)
{
    const QmtOnnx__Attribute *kernel = qmt_lint_attribute(node, "kernel_shape");
    if (mtcnn && !qmt_lint_int(node, "ceil_mode", 0))
        qmt_lint_report(
            lint, "pool-rounds-down", true, node, NULL,
            "MTCNN's pools round their output size up: with odd sizes this one loses a row, and boxes come from "
            "wrong cells without any error; set ceil_mode = 1");
    if (kernel && kernel->n_ints != 2 && kernel->n_ints != 3)
        qmt_lint_report(lint, "dimensions", true, node, NULL, "a pool over %zu dimensions; TensorRT pools over 2 or 3",
                        kernel->n_ints);
}

static void check_dimensions(qmt_lint *lint, const QmtOnnx__Node *layer)
{
    const QmtOnnx__Tensor *weight = weight_of(lint, layer);
    if (!weight || (!qmt_lint_is(layer, "Conv") && !qmt_lint_is(layer, "ConvTranspose")))
        return;
    if (weight->n_dims < 3 || weight->n_dims > 5)
        qmt_lint_report(lint, "dimensions", true, layer, NULL,
                        "a convolution whose weight has %zu dimensions; TensorRT takes 3 to 5 (1D to 3D)",
                        weight->n_dims);
}

/* Operators that compute scales while they run, or on integers: another way of quantizing, which TensorRT does not
 * parse. */
static void check_operator(qmt_lint *lint, const QmtOnnx__Node *node)
{
    static const char *const kinds[] = {"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger",
                                        "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"};
    if (strncmp(node->op_type, "QLinear", 7) == 0 || is_one_of(node, kinds, sizeof kinds / sizeof kinds[0]))
        qmt_lint_report(
            lint, "operator-based-quantization", true, node, NULL,
            "TensorRT does not parse %.40s: it wants QuantizeLinear and DequantizeLinear around FP32 layers; "
            "quantize statically in QDQ form",
            node->op_type);
}

void qmt_lint_layer_rules(qmt_lint *lint)
{
    bool others = false, mtcnn = is_mtcnn(lint);
    for (size_t i = 0; i < lint->graph->n_node; i++) {
        const QmtOnnx__Node *node = lint->graph->node[i];
        others = others || (has_weights(node) && is_dequantized(lint, qmt_lint_input(node, 0)) &&
                            is_dequantized(lint, qmt_lint_input(node, 1)));
    }
    for (size_t i = 0; i < lint->graph->n_node; i++) {
        const QmtOnnx__Node *node = lint->graph->node[i];
        check_operator(lint, node);
        if (has_weights(node)) {
            check_quantized(lint, node, others);
            check_weight_axis(lint, node);
            check_dimensions(lint, node);
        }
        if (is_activation(node))
            check_activation(lint, node);
        if (qmt_lint_is(node, "PRelu"))
            check_prelu(lint, node);
        if (qmt_lint_is(node, "MaxPool"))
            check_pool(lint, node, mtcnn);
    }
}
