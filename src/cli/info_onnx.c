/* What is in an ONNX file: any one by its nodes, and one of an MTCNN network by its layers. */
#include "cli/info.h"
#include "toolkit/base/file.h"
#include "toolkit/deploy/deploy.h"
#include "toolkit/deploy/message.h"

#include <stdio.h>
#include <string.h>

enum { most_kinds = 256 };

/* Names in hostile files need not be UTF-8, which JSON must be. */
static json_t *plain_string(const char *text)
{
    json_t *string = json_string(text);
    char copy[256];
    size_t length = 0;
    if (string)
        return string;
    for (; *text && length < sizeof copy - 1; text++)
        copy[length++] = *text >= 32 && *text < 127 ? *text : '?';
    copy[length] = 0;
    return json_string(copy);
}

/* "float [N, 3, 24, 24]" */
static json_t *port_json(const QmtOnnx__ValueInfo *port)
{
    char shape[160] = "";
    const QmtOnnx__TensorType *type = port->type ? port->type->tensor_type : NULL;
    size_t at = 0;
    for (size_t i = 0; type && type->shape && i < type->shape->n_dim && at + 32 < sizeof shape; i++) {
        const QmtOnnx__Dimension *dimension = type->shape->dim[i];
        const char *comma = i ? ", " : "";
        if (dimension->value_case == QMT_ONNX__DIMENSION__VALUE_DIM_VALUE)
            at += (size_t)snprintf(shape + at, sizeof shape - at, "%s%lld", comma, (long long)dimension->dim_value);
        else
            at += (size_t)snprintf(shape + at, sizeof shape - at, "%s%.16s", comma,
                                   dimension->value_case == QMT_ONNX__DIMENSION__VALUE_DIM_PARAM ? dimension->dim_param
                                                                                                 : "?");
    }
    return json_pack("{s:o, s:o, s:i}", "name", plain_string(port->name), "shape", plain_string(shape), "type",
                     type ? (int)type->elem_type : 0);
}

static json_t *ports_json(QmtOnnx__ValueInfo *const *ports, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count && i < most_kinds; i++)
        json_array_append_new(list, port_json(ports[i]));
    return list;
}

/* How many nodes of each kind. */
static json_t *kinds_json(const QmtOnnx__Graph *graph)
{
    json_t *kinds = json_object();
    for (size_t i = 0; i < graph->n_node; i++) {
        json_t *name = plain_string(graph->node[i]->op_type);
        const char *kind = json_string_value(name);
        json_t *number = kind ? json_object_get(kinds, kind) : NULL;
        if (number)
            json_integer_set(number, json_integer_value(number) + 1);
        else if (kind && json_object_size(kinds) < most_kinds)
            json_object_set_new(kinds, kind, json_integer(1));
        json_decref(name);
    }
    return kinds;
}

static json_t *metadata_json(const QmtOnnx__Model *message)
{
    json_t *metadata = json_object();
    for (size_t i = 0; i < message->n_metadata_props && i < most_kinds; i++) {
        json_t *key = plain_string(message->metadata_props[i]->key);
        if (key)
            json_object_set_new(metadata, json_string_value(key), plain_string(message->metadata_props[i]->value));
        json_decref(key);
    }
    return metadata;
}

static json_t *graph_json(const QmtOnnx__Model *message)
{
    const QmtOnnx__Graph *graph = message->graph;
    long long opset = 0;
    for (size_t i = 0; i < message->n_opset_import; i++) {
        if (!message->opset_import[i]->domain[0])
            opset = message->opset_import[i]->version;
    }
    return json_pack("{s:I, s:I, s:o, s:o, s:I, s:I, s:o, s:o, s:o}", "ir_version", (json_int_t)message->ir_version,
                     "opset", (json_int_t)opset, "producer", plain_string(message->producer_name), "producer_version",
                     plain_string(message->producer_version), "nodes", (json_int_t)graph->n_node, "initializers",
                     (json_int_t)graph->n_initializer, "inputs", ports_json(graph->input, graph->n_input), "outputs",
                     ports_json(graph->output, graph->n_output), "operators", kinds_json(graph));
}

/* ---- Layers of an MTCNN network ---- */

static const char *activation_name(qmt_activation activation)
{
    return activation == QMT_ACTIVATION_RELU ? "relu" : activation == QMT_ACTIVATION_PRELU ? "prelu" : "-";
}

static json_t *layer_json(const qmt_layer *layer)
{
    char size[32], pool[32] = "-";
    float low = 0, high = 0;
    long long weights =
        (long long)layer->out_channels * layer->in_channels * layer->kernel_height * layer->kernel_width;
    for (int i = 0; i < layer->out_channels && layer->weight_scale; i++) {
        low = i == 0 || layer->weight_scale[i] < low ? layer->weight_scale[i] : low;
        high = layer->weight_scale[i] > high ? layer->weight_scale[i] : high;
    }
    snprintf(size, sizeof size, "%dx%d", layer->kernel_height, layer->kernel_width);
    if (layer->pool_kernel)
        snprintf(pool, sizeof pool, "%d/%d", layer->pool_kernel, layer->pool_stride);
    return json_pack("{s:o, s:i, s:i, s:s, s:s, s:s, s:I, s:s, s:f, s:f, s:f}", "layer", plain_string(layer->name),
                     "in", layer->in_channels, "out", layer->out_channels, "kernel", size, "activation",
                     activation_name(layer->activation), "pool", pool, "weights", (json_int_t)weights, "precision",
                     layer->weight_int8 ? "int8" : "fp32", "input_scale", (double)layer->input_scale,
                     "weight_scale_min", (double)low, "weight_scale_max", (double)high);
}

/* Adds "net" and "layers" where the file is an MTCNN network; others are sound ONNX files all the same. */
static void add_layers(const char *path, json_t *info)
{
    qmt_model *model = NULL;
    qmtcnn_error error;
    if (qmt_onnx_read_file(path, &model, &error) != QMTCNN_OK) {
        json_object_set_new(info, "not_mtcnn", plain_string(error.message));
        return;
    }
    json_t *layers = json_array();
    for (int i = 0; i < model->layer_count; i++)
        json_array_append_new(layers, layer_json(&model->layers[i]));
    for (int i = 0; i < qmt_head_count; i++) {
        if (model->heads[i].out_channels)
            json_array_append_new(layers, layer_json(&model->heads[i]));
    }
    json_object_set_new(info, "net", json_string(qmt_net_name(model->net)));
    json_object_set_new(info, "landmark_order", json_string(model->landmarks_planar ? "planar" : "pairs"));
    json_object_set_new(info, "layers", layers);
    qmt_model_free(model);
}

/* ---- The check ---- */

struct checking {
    json_t *findings;
    int errors;
};

static void take_finding(void *state, const qmt_lint_finding *finding)
{
    struct checking *checking = state;
    checking->errors += finding->error;
    json_array_append_new(checking->findings,
                          json_pack("{s:s, s:s, s:o, s:o}", "level", finding->error ? "error" : "warning", "rule",
                                    finding->rule, "node", plain_string(finding->node), "text",
                                    plain_string(finding->text)));
}

static void print_findings(const struct checking *checking, const char *path)
{
    size_t index;
    json_t *finding;
    json_array_foreach(checking->findings, index, finding)
        printf("%s: %s: %s at %s: %s\n", path, json_string_value(json_object_get(finding, "level")),
               json_string_value(json_object_get(finding, "rule")), json_string_value(json_object_get(finding, "node")),
               json_string_value(json_object_get(finding, "text")));
}

static qmtcnn_status check_file(qmt_info_request *request, json_t **info, qmtcnn_error *error)
{
    struct checking checking = {json_array(), 0};
    int count;
    qmtcnn_status status = qmt_lint_tensorrt(request->path, take_finding, &checking, &count, error);
    if (status != QMTCNN_OK) {
        json_decref(checking.findings);
        return status;
    }
    request->faults = request->faults || checking.errors > 0;
    if (!request->json)
        print_findings(&checking, request->path);
    json_t *object = json_pack("{s:o, s:s, s:i, s:i}", "file", plain_string(request->path), "check",
                               "TensorRT 8.5 to 11, by its published rules; not run against TensorRT", "errors",
                               checking.errors, "warnings", count - checking.errors);
    if (object && request->json)
        json_object_set(object, "findings", checking.findings);
    json_decref(checking.findings);
    return qmt_info_finish(object, info, error);
}

qmtcnn_status qmt_info_onnx(qmt_info_request *request, json_t **info, qmtcnn_error *error)
{
    QmtOnnx__Model *message;
    if (request->check)
        return check_file(request, info, error);
    qmtcnn_status status = qmt_onnx_message_read(request->path, &message, error);
    if (status != QMTCNN_OK)
        return status;
    json_t *object = json_pack("{s:o, s:s}", "file", plain_string(request->path), "kind", "ONNX network");
    json_t *graph = graph_json(message), *metadata = metadata_json(message);
    qmt_onnx_message_free(message);
    if (object)
        add_layers(request->path, object);
    if (object && graph)
        json_object_update(object, graph);
    if (object && metadata)
        json_object_set(object, "metadata", metadata);
    json_decref(graph);
    json_decref(metadata);
    return qmt_info_finish(object, info, error);
}
