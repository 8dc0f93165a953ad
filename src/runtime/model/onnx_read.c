/* An ONNX graph as a model. Each output's chain of nodes is followed back to the picture; what all chains share is the
 * trunk, the rest of each is a head. */
#include "runtime/model/onnx.h"
#include "runtime/model/onnx_names.h"
#include "runtime/model/onnx_reader.h"

#include <stdio.h>
#include <string.h>

/* A fixed dimension; 0: open; -1: impossible. */
static int dimension(const QmtOnnx__Shape *shape, size_t i)
{
    const QmtOnnx__Dimension *dim = shape->dim[i];
    if (dim->value_case != QMT_ONNX__DIMENSION__VALUE_DIM_VALUE || dim->dim_value == -1)
        return 0;
    return dim->dim_value >= 0 && dim->dim_value <= 1 << 16 ? (int)dim->dim_value : -1;
}

/* The one input that is not a constant: [N, 3, height, width]. */
static qmtcnn_status find_input(struct qmt_onnx_reader *reader, qmtcnn_error *error)
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
static qmtcnn_status follow(struct qmt_onnx_reader *reader, const char *output, struct qmt_onnx_chain *chain,
                            qmtcnn_error *error)
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
        if (!qmt_onnx_find_reader(entry->node->op_type) || strcmp(entry->node->output[0], tensor) != 0)
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
static qmtcnn_status find_chains(struct qmt_onnx_reader *reader, qmtcnn_error *error)
{
    const QmtOnnx__Graph *graph = reader->graph.graph;
    if (graph->n_output < 1 || graph->n_output > qmt_head_count)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "%zu outputs; MTCNN's networks have 1 to %d", graph->n_output,
                        qmt_head_count);
    for (size_t i = 0; i < graph->n_output; i++) {
        struct qmt_onnx_chain *chain = &reader->chains[reader->chain_count++];
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

static qmtcnn_status read_nodes(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk,
                                const QmtOnnx__Node *const *nodes, size_t count, qmtcnn_error *error)
{
    for (size_t i = 0; i < count; i++) {
        bool quantizer = strcmp(nodes[i]->op_type, "DequantizeLinear") == 0;
        if (walk->in_int8 && !quantizer && strcmp(nodes[i]->op_type, "Identity") != 0)
            return qmt_onnx_fail(nodes[i], error, QMTCNN_ERROR_UNSUPPORTED,
                                 "it works on integers; a DequantizeLinear is missing before it");
        if (*nodes[i]->domain && strcmp(nodes[i]->domain, "ai.onnx") != 0)
            return qmt_onnx_fail(nodes[i], error, QMTCNN_ERROR_UNSUPPORTED, "an operator of domain %s",
                                 nodes[i]->domain);
        qmtcnn_status status = qmt_onnx_find_reader(nodes[i]->op_type)(reader, walk, nodes[i], error);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}

static qmtcnn_status read_head(struct qmt_onnx_reader *reader, const struct qmt_onnx_walk *trunk,
                               const struct qmt_onnx_chain *chain, struct qmt_onnx_walk *walk, qmtcnn_error *error)
{
    *walk = *trunk;
    qmtcnn_status status = read_nodes(reader, walk, chain->nodes + reader->trunk, chain->count - reader->trunk, error);
    if (status != QMTCNN_OK)
        return status;
    if (walk->in_int8 || !qmt_onnx_in_head(reader, walk))
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "output %s has no layer of its own", chain->output);
    return qmt_set_string(&reader->model->output_names[walk->layer - reader->model->heads], chain->output, error);
}

/* R- and O-Net take 24 x 24 and 48 x 48 pixels and end in one; everything else slides over a picture. */
static void tell_net(qmt_model *model, const struct qmt_onnx_walk *walk)
{
    bool one = walk->height == 1 && walk->width == 1 && model->input_height == model->input_width;
    model->net = QMT_PNET;
    for (int net = QMT_RNET; net < qmt_net_count; net++)
        if (one && model->input_height == qmt_net_side((qmt_net_id)net))
            model->net = (qmt_net_id)net;
}

static qmtcnn_status read_layers(struct qmt_onnx_reader *reader, qmtcnn_error *error)
{
    qmt_model *model = reader->model;
    struct qmt_onnx_walk trunk = {.channels = 3, .height = model->input_height, .width = model->input_width},
                         walk = trunk;
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

static qmtcnn_status read_metadata(struct qmt_onnx_reader *reader, qmtcnn_error *error)
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

static qmtcnn_status read_model(struct qmt_onnx_reader *reader, qmtcnn_error *error)
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
    struct qmt_onnx_reader reader = {0};
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
