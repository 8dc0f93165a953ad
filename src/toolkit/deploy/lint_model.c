/* Rules on the file as a whole: versions, types, where the data lies. */
#include "toolkit/deploy/lint.h"

enum { oldest_opset = 13, newest_opset = 17, newest_ir = 8, most_dimensions = 8 };

static bool has_quantizers(const qmt_lint *lint)
{
    for (size_t i = 0; i < lint->graph->n_node; i++) {
        if (qmt_lint_is(lint->graph->node[i], "QuantizeLinear") ||
            qmt_lint_is(lint->graph->node[i], "DequantizeLinear"))
            return true;
    }
    return false;
}

static void check_versions(qmt_lint *lint)
{
    long long opset = 0, ir = lint->model->ir_version;
    for (size_t i = 0; i < lint->model->n_opset_import; i++) {
        const QmtOnnx__OperatorSet *set = lint->model->opset_import[i];
        if (!set->domain[0] || strcmp(set->domain, "ai.onnx") == 0)
            opset = set->version;
    }
    if (opset < 1)
        qmt_lint_report(
            lint, "opset", true, NULL, "opset_import",
            "the file names no ONNX operator set, so a parser must guess; export it again with opset 13 to 17");
    else if (opset < oldest_opset && has_quantizers(lint))
        qmt_lint_report(
            lint, "opset", true, NULL, "opset_import",
            "opset %lld: QuantizeLinear has its axis, which per-channel weights need, from 13 on; export with "
            "opset 13 to 17",
            opset);
    else if (opset > newest_opset)
        qmt_lint_report(
            lint, "opset", false, NULL, "opset_import",
            "opset %lld: TensorRT 8.5 and 8.6 know operators up to 17, 10.0 up to 20; export with opset 13 to 17",
            opset);
    if (ir > newest_ir)
        qmt_lint_report(lint, "ir-version", false, NULL, "ir_version",
                        "IR version %lld is newer than TensorRT 8.5's parser (8); export with IR version 8", ir);
}

/* Our own files say whom they are for. */
static void check_target(qmt_lint *lint)
{
    for (size_t i = 0; i < lint->model->n_metadata_props; i++) {
        const QmtOnnx__StringEntry *entry = lint->model->metadata_props[i];
        if (strcmp(entry->key, "qmtcnn.target") == 0 && strcmp(entry->value, "onnxruntime") == 0 &&
            has_quantizers(lint))
            qmt_lint_report(lint, "target-onnxruntime", true, NULL, "qmtcnn.target",
                            "this file is not for TensorRT: it was exported in ONNX Runtime's form (INT8 initializers, "
                            "INT32 biases, uint8 activations); export it again with --target tensorrt");
    }
}

static void check_tensor(qmt_lint *lint, const QmtOnnx__Tensor *tensor, const QmtOnnx__Node *node, const char *name)
{
    size_t count;
    if (tensor->data_type == QMT_ONNX_DOUBLE)
        qmt_lint_report(lint, "double", true, node, name,
                        "constant '%.60s' is double: TensorRT has no double and converts or refuses it; export float",
                        name);
    if (qmt_lint_is_external(tensor))
        qmt_lint_report(
            lint, "external-data", false, node, name,
            "constant '%.60s' lies in another file, which this check doesn't open and a copied model loses; save "
            "the model in one file",
            name);
    if (!qmt_lint_elements(tensor, &count))
        qmt_lint_report(lint, "damaged-tensor", true, node, name,
                        "constant '%.60s' has other dimensions than data: the file is damaged", name);
    if (tensor->n_dims > most_dimensions)
        qmt_lint_report(lint, "dimensions", true, node, name,
                        "constant '%.60s' has %zu dimensions; TensorRT takes at most %d", name, tensor->n_dims,
                        most_dimensions);
}

static void check_port(qmt_lint *lint, const QmtOnnx__ValueInfo *port, const char *kind)
{
    const QmtOnnx__TensorType *type = port->type ? port->type->tensor_type : NULL;
    if (!type)
        return;
    if (type->elem_type == QMT_ONNX_DOUBLE)
        qmt_lint_report(lint, "double", true, NULL, port->name,
                        "%s '%.60s' is double, which TensorRT has not; export float", kind, port->name);
    if (type->shape && type->shape->n_dim > most_dimensions)
        qmt_lint_report(lint, "dimensions", true, NULL, port->name,
                        "%s '%.60s' has %zu dimensions; TensorRT takes at most %d", kind, port->name,
                        type->shape->n_dim, most_dimensions);
}

void qmt_lint_model_rules(qmt_lint *lint)
{
    const QmtOnnx__Graph *graph = lint->graph;
    check_versions(lint);
    check_target(lint);
    for (size_t i = 0; i < graph->n_input; i++)
        check_port(lint, graph->input[i], "input");
    for (size_t i = 0; i < graph->n_output; i++)
        check_port(lint, graph->output[i], "output");
    for (size_t i = 0; i < graph->n_initializer; i++)
        check_tensor(lint, graph->initializer[i], NULL, graph->initializer[i]->name);
    for (size_t i = 0; i < graph->n_node; i++) {
        const QmtOnnx__Attribute *value =
            qmt_lint_is(graph->node[i], "Constant") ? qmt_lint_attribute(graph->node[i], "value") : NULL;
        if (value && value->t)
            check_tensor(lint, value->t, graph->node[i], qmt_lint_output(graph->node[i], 0));
    }
}
