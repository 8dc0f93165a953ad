/* ONNX files taken apart, changed and read again. */
#ifndef TEST_ONNX_EDIT_H
#define TEST_ONNX_EDIT_H

#include "runtime/model/onnx.h"
#include "runtime/model/onnx.pb-c.h"
#include "runtime/models.h"

#include <stdlib.h>
#include <string.h>

/* From malloc(), as protobuf-c frees it. */
static inline char *test_copy_text(const char *text)
{
    char *copy = malloc(strlen(text) + 1);
    assert_non_null(copy);
    return strcpy(copy, text);
}

static inline QmtOnnx__Model *test_unpack(const qmt_model *model, const qmt_onnx_options *options)
{
    qmtcnn_error error;
    void *data;
    size_t size;
    assert_ok(qmt_onnx_write(model, options, &data, &size, &error), &error);
    QmtOnnx__Model *file = qmt_onnx__model__unpack(NULL, size, data);
    assert_non_null(file);
    qmt_free(data);
    return file;
}

/* Packs, frees and reads a file. */
static inline qmtcnn_status test_read_edited(QmtOnnx__Model *file, qmt_model **model, qmtcnn_error *error)
{
    size_t size = qmt_onnx__model__get_packed_size(file);
    uint8_t *data = malloc(size);
    assert_non_null(data);
    qmt_onnx__model__pack(file, data);
    qmt_onnx__model__free_unpacked(file, NULL);
    qmtcnn_status status = qmt_onnx_read(data, size, "test.onnx", model, error);
    free(data);
    return status;
}

static inline QmtOnnx__Node *test_find_node(const QmtOnnx__Model *file, const char *name)
{
    for (size_t i = 0; i < file->graph->n_node; i++)
        if (strcmp(file->graph->node[i]->name, name) == 0)
            return file->graph->node[i];
    fail_msg("no node %s", name);
    return NULL;
}

static inline QmtOnnx__Tensor *test_find_tensor(const QmtOnnx__Model *file, const char *name)
{
    for (size_t i = 0; i < file->graph->n_initializer; i++)
        if (strcmp(file->graph->initializer[i]->name, name) == 0)
            return file->graph->initializer[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static inline void test_set_text(char **text, const char *value)
{
    free(*text);
    *text = test_copy_text(value);
}

static inline QmtOnnx__Attribute *test_find_attribute(const QmtOnnx__Node *node, const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (strcmp(node->attribute[i]->name, name) == 0)
            return node->attribute[i];
    fail_msg("no attribute %s", name);
    return NULL;
}

static inline QmtOnnx__Node *test_new_node(const char *kind, const char *const *inputs, size_t count,
                                           const char *output)
{
    QmtOnnx__Node *node = malloc(sizeof *node);
    assert_non_null(node);
    qmt_onnx__node__init(node);
    node->op_type = test_copy_text(kind);
    node->name = test_copy_text(output);
    node->n_input = count;
    node->input = malloc(count * sizeof *node->input);
    for (size_t i = 0; i < count; i++)
        node->input[i] = test_copy_text(inputs[i]);
    node->n_output = 1;
    node->output = malloc(sizeof *node->output);
    node->output[0] = test_copy_text(output);
    return node;
}

static inline void test_add_node(QmtOnnx__Model *file, QmtOnnx__Node *node)
{
    QmtOnnx__Graph *graph = file->graph;
    graph->node = realloc(graph->node, (graph->n_node + 1) * sizeof *graph->node);
    assert_non_null(graph->node);
    graph->node[graph->n_node++] = node;
}

static inline void test_add_floats(QmtOnnx__Model *file, const char *name, const float *values, size_t count)
{
    QmtOnnx__Graph *graph = file->graph;
    QmtOnnx__Tensor *tensor = malloc(sizeof *tensor);
    assert_non_null(tensor);
    qmt_onnx__tensor__init(tensor);
    tensor->name = test_copy_text(name);
    tensor->data_type = 1;
    tensor->n_dims = 1;
    tensor->dims = malloc(sizeof *tensor->dims);
    tensor->dims[0] = (int64_t)count;
    tensor->n_float_data = count; /* the typed list, where our own files have raw bytes */
    tensor->float_data = malloc(count * sizeof(float));
    memcpy(tensor->float_data, values, count * sizeof(float));
    graph->initializer = realloc(graph->initializer, (graph->n_initializer + 1) * sizeof(QmtOnnx__Tensor *));
    graph->initializer[graph->n_initializer++] = tensor;
}

static inline void test_raw_float(QmtOnnx__Tensor *tensor, size_t i, float value)
{
    memcpy(tensor->raw_data.data + 4 * i, &value, sizeof value);
}

#endif
