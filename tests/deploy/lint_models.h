/* Small networks as ONNX messages with faults planted in them, and what the linter finds. */
#ifndef TEST_DEPLOY_LINT_MODELS_H
#define TEST_DEPLOY_LINT_MODELS_H

#include "common/test.h"
#include "runtime/model/onnx.pb-c.h"
#include "toolkit/deploy/lint.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { most_findings = 64 };

struct findings {
    qmt_lint_finding all[most_findings];
    int count;
};

static inline void collect(void *state, const qmt_lint_finding *finding)
{
    struct findings *findings = state;
    if (findings->count < most_findings)
        findings->all[findings->count++] = *finding;
}

static inline void add_layer(qmt_layer *layer, const char *name, int in, int out, int kernel, qmt_activation activation,
                             int pool)
{
    qmtcnn_error error;
    assert_ok(qmt_layer_init(layer, name, in, out, kernel, kernel, activation, &error), &error);
    layer->pool_kernel = layer->pool_stride = pool;
    for (int i = 0; i < out * in * kernel * kernel; i++)
        layer->weight[i] = (float)((i * 7 + 3) % 11 - 5) / 11.0f;
    for (int i = 0; i < out; i++) {
        layer->bias[i] = (float)i / 16.0f;
        if (layer->slope)
            layer->slope[i] = 0.25f;
    }
}

/* P-Net's shape with few channels, INT8 throughout, as an ONNX message. */
static inline QmtOnnx__Model *make_model(qmt_activation activation)
{
    qmt_model *model;
    qmtcnn_error error;
    void *data;
    size_t size;
    static const char *const names[qmt_head_count] = {"head1", "head2", "head3"};
    static const int channels[qmt_head_count] = {2, 4, 10};
    static const char *const outputs[qmt_head_count] = {"prob", "bbox", "landmark"};
    assert_ok(qmt_model_create(QMT_PNET, 3, &model, &error), &error);
    add_layer(&model->layers[0], "conv1", 3, 4, 3, activation, 2);
    add_layer(&model->layers[1], "conv2", 4, 5, 3, activation, 0);
    add_layer(&model->layers[2], "conv3", 5, 6, 3, activation, 0);
    for (int i = 0; i < 3; i++)
        assert_ok(qmt_layer_quantize(&model->layers[i], i ? 0.02f + 0.01f * (float)i : qmt_input_scale(), NULL, &error),
                  &error);
    for (int i = 0; i < qmt_head_count; i++) {
        add_layer(&model->heads[i], names[i], 6, channels[i], 1, QMT_ACTIVATION_NONE, 0);
        assert_ok(qmt_layer_quantize(&model->heads[i], 0.05f, NULL, &error), &error);
        qmt_free(model->output_names[i]);
        model->output_names[i] = qmt_copy_string(outputs[i]);
    }
    qmt_onnx_options options = {.opset = 13, .producer_version = "test"};
    assert_ok(qmt_onnx_write(model, &options, &data, &size, &error), &error);
    qmt_model_free(model);
    QmtOnnx__Model *message = qmt_onnx__model__unpack(NULL, size, data);
    assert_non_null(message);
    qmt_free(data);
    return message;
}

/* Checks the edited message and frees it. */
static inline void lint(QmtOnnx__Model *message, struct findings *findings)
{
    size_t size = qmt_onnx__model__get_packed_size(message);
    uint8_t *data = malloc(size);
    qmtcnn_error error;
    int count;
    findings->count = 0;
    qmt_onnx__model__pack(message, data);
    assert_ok(qmt_lint_tensorrt_memory(data, size, "a.onnx", collect, findings, &count, &error), &error);
    assert_int_equal(count, findings->count);
    free(data);
    qmt_onnx__model__free_unpacked(message, NULL);
}

/* The edited message breaks `rule` at `node`, and no other rule. */
static inline void expect(QmtOnnx__Model *message, const char *rule, const char *node, bool error)
{
    struct findings findings;
    char wanted[128];
    bool found = false, others = false;
    snprintf(wanted, sizeof wanted, "%s", node);
    lint(message, &findings);
    for (int i = 0; i < findings.count; i++) {
        const qmt_lint_finding *finding = &findings.all[i];
        if (strcmp(finding->rule, rule) != 0)
            others = true;
        else if (strcmp(finding->node, wanted) == 0 && finding->error == error && strlen(finding->text) > 40)
            found = true;
    }
    if (!found || others) {
        for (int i = 0; i < findings.count; i++)
            print_error("%s at %s (%d): %s\n", findings.all[i].rule, findings.all[i].node, findings.all[i].error,
                        findings.all[i].text);
        fail_msg("wanted %s at %s alone", rule, wanted);
    }
}

static inline QmtOnnx__Node *node_of(QmtOnnx__Model *model, const char *kind, int skip)
{
    for (size_t i = 0; i < model->graph->n_node; i++) {
        if (strcmp(model->graph->node[i]->op_type, kind) == 0 && skip-- == 0)
            return model->graph->node[i];
    }
    fail_msg("no node %s", kind);
    return NULL;
}

static inline QmtOnnx__Node *maker_of(QmtOnnx__Model *model, const char *tensor)
{
    for (size_t i = 0; i < model->graph->n_node; i++) {
        for (size_t j = 0; j < model->graph->node[i]->n_output; j++) {
            if (strcmp(model->graph->node[i]->output[j], tensor) == 0)
                return model->graph->node[i];
        }
    }
    return NULL;
}

static inline QmtOnnx__Tensor *tensor_of(QmtOnnx__Model *model, const char *name)
{
    for (size_t i = 0; i < model->graph->n_initializer; i++) {
        if (strcmp(model->graph->initializer[i]->name, name) == 0)
            return model->graph->initializer[i];
    }
    fail_msg("no initializer %s", name);
    return NULL;
}

/* The Q before the DQ that feeds input `slot` of convolution `number`. */
static inline QmtOnnx__Node *quantizer_of(QmtOnnx__Model *model, int number, int slot, bool dequantizer)
{
    QmtOnnx__Node *node = maker_of(model, node_of(model, "Conv", number)->input[slot]);
    assert_non_null(node);
    assert_string_equal(node->op_type, "DequantizeLinear");
    return dequantizer ? node : maker_of(model, node->input[0]);
}

static inline char *copy_text(const char *text)
{
    char *copy = malloc(strlen(text) + 1);
    assert_non_null(copy);
    return strcpy(copy, text);
}

static inline void rename_to(char **name, const char *text)
{
    free(*name);
    *name = copy_text(text);
}

/* A new initializer; messages that protobuf-c frees come from malloc(). */
static inline QmtOnnx__Tensor *add_tensor(QmtOnnx__Model *model, const char *name, int type, const void *data,
                                          size_t bytes, int64_t dims)
{
    QmtOnnx__Graph *graph = model->graph;
    QmtOnnx__Tensor *tensor = malloc(sizeof *tensor);
    qmt_onnx__tensor__init(tensor);
    tensor->name = copy_text(name);
    tensor->data_type = type;
    tensor->raw_data.data = malloc(bytes);
    tensor->raw_data.len = bytes;
    memcpy(tensor->raw_data.data, data, bytes);
    if (dims >= 0) {
        tensor->dims = malloc(sizeof *tensor->dims);
        tensor->dims[0] = dims;
        tensor->n_dims = 1;
    }
    graph->initializer = realloc(graph->initializer, (graph->n_initializer + 1) * sizeof *graph->initializer);
    graph->initializer[graph->n_initializer++] = tensor;
    return tensor;
}

static inline QmtOnnx__Node *add_node(QmtOnnx__Model *model, const char *kind, const char *name,
                                      const char *const *inputs, size_t count, const char *output)
{
    QmtOnnx__Graph *graph = model->graph;
    QmtOnnx__Node *node = malloc(sizeof *node);
    qmt_onnx__node__init(node);
    node->op_type = copy_text(kind);
    node->name = copy_text(name);
    node->input = malloc(count * sizeof *node->input);
    for (size_t i = 0; i < count; i++)
        node->input[i] = copy_text(inputs[i]);
    node->n_input = count;
    node->output = malloc(sizeof *node->output);
    node->output[0] = copy_text(output);
    node->n_output = 1;
    graph->node = realloc(graph->node, (graph->n_node + 1) * sizeof *graph->node);
    graph->node[graph->n_node++] = node;
    return node;
}

/* A scale or zero point for this node alone. */
static inline void give_input(QmtOnnx__Model *model, QmtOnnx__Node *node, int slot, const char *name, int type,
                              const void *data, size_t bytes)
{
    add_tensor(model, name, type, data, bytes, -1);
    rename_to(&node->input[slot], name);
}

static inline const char *name_of(const QmtOnnx__Node *node)
{
    return node->name[0] ? node->name : node->output[0];
}

#endif
