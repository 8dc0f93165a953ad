/* Rules on QuantizeLinear (Q) and DequantizeLinear (DQ) themselves: scales, zero points, pairs. */
#include "toolkit/deploy/lint.h"

#include <math.h>

static bool is_quantizer(const QmtOnnx__Node *node)
{
    return qmt_lint_is(node, "QuantizeLinear") || qmt_lint_is(node, "DequantizeLinear");
}

/* The tensor in FP32 that a Q reads, also when asked for its DQ. */
static const char *source_of(const qmt_lint *lint, const QmtOnnx__Node *node)
{
    const QmtOnnx__Node *maker = qmt_lint_maker(lint, qmt_lint_input(node, 0));
    if (qmt_lint_is(node, "DequantizeLinear") && qmt_lint_is(maker, "QuantizeLinear"))
        return qmt_lint_input(maker, 0);
    return qmt_lint_input(node, 0);
}

static void check_zero_point(qmt_lint *lint, const QmtOnnx__Node *node)
{
    const char *name = qmt_lint_input(node, 2);
    if (!name[0]) {
        qmt_lint_report(
            lint, "zero-point-missing", true, node, NULL,
            "there is no zero point: TensorRT 8.5 and 8.6 want three inputs, and a missing one means uint8 in "
            "ONNX; add an INT8 zero point of 0");
        return;
    }
    const QmtOnnx__Tensor *zero = qmt_lint_constant(lint, name);
    if (!zero) {
        qmt_lint_report(lint, "zero-point-not-constant", true, node, NULL,
                        "the zero point '%.60s' is computed: TensorRT must see 0 when it builds; make it a constant",
                        name);
        return;
    }
    if (zero->data_type == QMT_ONNX_UINT8)
        qmt_lint_report(
            lint, "zero-point-uint8", true, node, NULL,
            "the zero point is uint8: TensorRT quantizes to signed INT8 only; quantize symmetrically to INT8");
    else if (zero->data_type != QMT_ONNX_INT8)
        qmt_lint_report(lint, "zero-point-type", false, node, NULL,
                        "the zero point is of ONNX type %d, not INT8: TensorRT 8.5 knows INT8 alone; quantize to INT8",
                        (int)zero->data_type);
    size_t count = 0;
    double number;
    qmt_lint_elements(zero, &count);
    for (size_t i = 0; i < count; i++) {
        if (!qmt_lint_number(zero, i, &number))
            return;
        if (number != 0) {
            qmt_lint_report(lint, "zero-point-not-zero", true, node, NULL,
                            "zero point %zu is %g: TensorRT quantizes symmetrically only; quantize with zero point 0",
                            i, number);
            return;
        }
    }
}

/* One scale a channel: only for constant weights, along the output channels. */
static void check_channels(qmt_lint *lint, const QmtOnnx__Node *node, size_t scales)
{
    const QmtOnnx__Tensor *weight = qmt_lint_constant(lint, source_of(lint, node));
    if (!weight) {
        qmt_lint_report(
            lint, "activation-scale-per-channel", true, node, NULL,
            "%zu scales on an activation: TensorRT takes one scale a tensor there, several only on constant "
            "weights; use one scale",
            scales);
        return;
    }
    const QmtOnnx__Attribute *attribute = qmt_lint_attribute(node, "axis");
    int64_t axis = attribute ? attribute->i : 1; /* ONNX's default */
    if (axis < 0)
        axis += (int64_t)weight->n_dims;
    if (!attribute || axis < 0 || axis >= (int64_t)weight->n_dims) {
        qmt_lint_report(lint, "weight-axis", true, node, NULL,
                        "axis is %s: ONNX then takes 1 and TensorRT 8.5 takes 0; say axis = 0, the output channels",
                        attribute ? "out of range" : "missing");
        return;
    }
    if (weight->dims[axis] != (int64_t)scales)
        qmt_lint_report(lint, "weight-scale-count", true, node, NULL,
                        "%zu scales, but the weight has %lld channels along axis %lld; give one scale a channel",
                        scales, (long long)weight->dims[axis], (long long)axis);
}

static void check_scale(qmt_lint *lint, const QmtOnnx__Node *node)
{
    const char *name = qmt_lint_input(node, 1);
    const QmtOnnx__Tensor *scale = qmt_lint_constant(lint, name);
    if (!scale) {
        qmt_lint_report(lint, "scale-not-constant", true, node, NULL,
                        "the scale '%.60s' is no constant: TensorRT must know it when it builds; export with fixed "
                        "observers",
                        name);
        return;
    }
    if (scale->data_type != QMT_ONNX_FLOAT && scale->data_type != QMT_ONNX_DOUBLE)
        qmt_lint_report(lint, "scale-type", scale->data_type != QMT_ONNX_FLOAT16, node, NULL,
                        "the scale is of ONNX type %d: TensorRT 8.5 and 8.6 take FP32 scales only; store FP32",
                        (int)scale->data_type);
    size_t count = 0;
    double number;
    qmt_lint_elements(scale, &count);
    for (size_t i = 0; i < count && qmt_lint_number(scale, i, &number); i++) {
        if (!(number > 0) || !isfinite(number)) {
            qmt_lint_report(
                lint, "scale-not-positive", true, node, NULL,
                "scale %zu is %g: TensorRT refuses what is not over 0 and finite; put a floor under ranges (dead "
                "channels) and calibrate again",
                i, number);
            break;
        }
    }
    if (count > 1)
        check_channels(lint, node, count);
}

/* A Q whose result anything but a DQ reads. */
static void check_pair(qmt_lint *lint, const QmtOnnx__Node *node)
{
    size_t count;
    const char *output = qmt_lint_output(node, 0);
    const qmt_lint_entry *readers = qmt_lint_readers(lint, output, &count);
    for (size_t i = 0; i < count; i++) {
        const QmtOnnx__Node *reader = lint->graph->node[readers[i].node];
        if (!qmt_lint_is(reader, "DequantizeLinear")) {
            qmt_lint_report(
                lint, "q-without-dq", true, node, NULL,
                "'%.40s' (%.40s) reads the quantized tensor: TensorRT wants a DequantizeLinear behind every "
                "QuantizeLinear; insert one",
                reader->name[0] ? reader->name : qmt_lint_output(reader, 0), reader->op_type);
            return;
        }
    }
    if (!count || qmt_lint_is_output(lint, output))
        qmt_lint_report(
            lint, "q-without-dq", true, node, NULL,
            "no DequantizeLinear follows: TensorRT wants them in pairs; add one, or leave this quantizer out");
}

/* A DQ reads a Q's result; constants there have rules of their own. */
static void check_source(qmt_lint *lint, const QmtOnnx__Node *node)
{
    const char *input = qmt_lint_input(node, 0);
    const QmtOnnx__Tensor *constant = qmt_lint_constant(lint, input);
    if (!constant) {
        if (!qmt_lint_is(qmt_lint_maker(lint, input), "QuantizeLinear"))
            qmt_lint_report(
                lint, "dq-without-q", true, node, NULL,
                "'%.60s' does not come from a QuantizeLinear: TensorRT wants them in pairs; quantize it in the "
                "graph",
                input);
        return;
    }
    if (constant->data_type == QMT_ONNX_INT32)
        qmt_lint_report(
            lint, "bias-quantized", true, node, NULL,
            "it dequantizes an INT32 bias: TensorRT's parser stops at that; leave the bias an FP32 constant "
            "(ONNX Runtime's quantizer: QuantizeBias = False)");
    else
        qmt_lint_report(
            lint, "int8-initializer", true, node, NULL,
            "the weight is stored as INT8: TensorRT 8 refuses such constants (11 takes them); store FP32 weights "
            "with QuantizeLinear and DequantizeLinear behind them");
}

/* Several Qs with different scales on one tensor. Each is compared with the first. */
static void check_twins(qmt_lint *lint, const QmtOnnx__Node *node)
{
    size_t count;
    const char *source = qmt_lint_input(node, 0);
    const qmt_lint_entry *readers = qmt_lint_readers(lint, source, &count);
    for (size_t i = 0; i < count; i++) {
        const QmtOnnx__Node *first = lint->graph->node[readers[i].node];
        if (!qmt_lint_is(first, "QuantizeLinear") || readers[i].slot != 0)
            continue;
        const QmtOnnx__Tensor *a = qmt_lint_constant(lint, qmt_lint_input(first, 1));
        const QmtOnnx__Tensor *b = qmt_lint_constant(lint, qmt_lint_input(node, 1));
        double x, y;
        if (first != node && a && b && qmt_lint_number(a, 0, &x) && qmt_lint_number(b, 0, &y) && x != y)
            qmt_lint_report(
                lint, "two-quantizers", true, node, NULL,
                "'%.60s' is quantized twice, here with scale %.7g and in '%.40s' with %.7g: TensorRT keeps two "
                "copies and can't fuse; give one tensor one quantizer",
                source, y, first->name[0] ? first->name : qmt_lint_output(first, 0), x);
        return;
    }
}

/* Does a DQ take all that it needs from the Q before it? Then faults in there are reported there, and only once. */
static bool repeats_quantizer(qmt_lint *lint, const QmtOnnx__Node *node)
{
    const QmtOnnx__Node *before = qmt_lint_maker(lint, qmt_lint_input(node, 0));
    if (!qmt_lint_is(node, "DequantizeLinear") || !qmt_lint_is(before, "QuantizeLinear"))
        return false;
    const QmtOnnx__Tensor *a = qmt_lint_constant(lint, qmt_lint_input(before, 1));
    const QmtOnnx__Tensor *b = qmt_lint_constant(lint, qmt_lint_input(node, 1));
    double x, y;
    size_t count_a = 0, count_b = 0;
    bool counted = a && b && qmt_lint_elements(a, &count_a) && qmt_lint_elements(b, &count_b);
    for (size_t i = 0; counted && a != b && count_a == count_b && i < count_a; i++) {
        if (qmt_lint_number(a, i, &x) && qmt_lint_number(b, i, &y) && x != y) {
            qmt_lint_report(
                lint, "pair-differs", true, node, NULL,
                "scale %zu is %.7g, but %.7g in the QuantizeLinear before: values come back larger or smaller "
                "than they went in; give both nodes the same scale",
                i, y, x);
            break;
        }
    }
    const QmtOnnx__Attribute *axis_a = qmt_lint_attribute(before, "axis"), *axis_b = qmt_lint_attribute(node, "axis");
    return strcmp(qmt_lint_input(before, 1), qmt_lint_input(node, 1)) == 0 &&
           strcmp(qmt_lint_input(before, 2), qmt_lint_input(node, 2)) == 0 && !axis_a == !axis_b &&
           (!axis_a || axis_a->i == axis_b->i);
}

void qmt_lint_quantizer_rules(qmt_lint *lint)
{
    for (size_t i = 0; i < lint->graph->n_node; i++) {
        const QmtOnnx__Node *node = lint->graph->node[i];
        if (!is_quantizer(node))
            continue;
        bool bias = qmt_lint_is(node, "DequantizeLinear") && qmt_lint_constant(lint, qmt_lint_input(node, 0)) &&
                    qmt_lint_constant(lint, qmt_lint_input(node, 0))->data_type == QMT_ONNX_INT32;
        if (!repeats_quantizer(lint, node) && !bias) { /* one finding a fault is enough */
            check_scale(lint, node);
            check_zero_point(lint, node);
        }
        if (qmt_lint_is(node, "QuantizeLinear")) {
            check_pair(lint, node);
            check_twins(lint, node);
        } else {
            check_source(lint, node);
        }
    }
}
