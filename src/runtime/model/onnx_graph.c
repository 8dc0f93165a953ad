#include "runtime/model/onnx_graph.h"
#include "runtime/model/model.h"
#include "runtime/model/onnx_names.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { max_items = 4096, max_identities = 16 };
static const size_t max_file = (size_t)256 << 20;
static const size_t parse_memory = (size_t)64 << 20; /* on top of four times the file's size */

/* ---- Bounded memory for protobuf-c ---------------------------------------------------------------- */

enum { header_size = 16 }; /* a block's size is kept before it */

static void *bounded_alloc(void *data, size_t size)
{
    qmt_onnx_graph *graph = data;
    if (size > SIZE_MAX - header_size || size + header_size > graph->memory_left)
        return NULL;
    char *block = malloc(size + header_size);
    if (!block) {
        graph->out_of_memory = true;
        return NULL;
    }
    memcpy(block, &size, sizeof size);
    graph->memory_left -= size + header_size;
    return block + header_size;
}

static void bounded_free(void *data, void *pointer)
{
    qmt_onnx_graph *graph = data;
    size_t size;
    if (!pointer)
        return;
    char *block = (char *)pointer - header_size;
    memcpy(&size, block, sizeof size);
    graph->memory_left += size + header_size;
    free(block);
}

/* ---- Checks -------------------------------------------------------------------------------------- */

/* Names go into messages of one line, and are compared often. */
static bool sound_name(const char *name)
{
    size_t length = 0;
    for (; name[length]; length++)
        if (length + 1 >= qmt_max_name || (unsigned char)name[length] < 0x20 || name[length] == 0x7f)
            return false;
    return true;
}

static bool sound_node(const QmtOnnx__Node *node)
{
    bool sound = sound_name(node->name) && sound_name(node->op_type) && sound_name(node->domain);
    for (size_t i = 0; i < node->n_input; i++)
        sound = sound && sound_name(node->input[i]);
    for (size_t i = 0; i < node->n_output; i++)
        sound = sound && sound_name(node->output[i]);
    for (size_t i = 0; i < node->n_attribute; i++)
        sound = sound && sound_name(node->attribute[i]->name);
    return sound;
}

static qmtcnn_status check_graph(const QmtOnnx__Graph *graph, qmtcnn_error *error)
{
    bool sound = true;
    if (!graph || graph->n_node == 0)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "an ONNX file without a graph, or not an ONNX file");
    if (graph->n_node > max_items || graph->n_initializer > max_items || graph->n_input > max_items ||
        graph->n_output > max_items)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "%zu nodes and %zu initializers; MTCNN has under %d",
                        graph->n_node, graph->n_initializer, max_items);
    for (size_t i = 0; i < graph->n_node; i++)
        sound = sound && sound_node(graph->node[i]);
    for (size_t i = 0; i < graph->n_initializer; i++)
        sound = sound && sound_name(graph->initializer[i]->name);
    for (size_t i = 0; i < graph->n_input; i++)
        sound = sound && sound_name(graph->input[i]->name);
    for (size_t i = 0; i < graph->n_output; i++)
        sound = sound && sound_name(graph->output[i]->name);
    if (!sound)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "a name in the file is longer than %d bytes, or not printable",
                        qmt_max_name - 1);
    return QMTCNN_OK;
}

static qmtcnn_status find_opset(qmt_onnx_graph *graph, qmtcnn_error *error)
{
    const QmtOnnx__Model *file = graph->file;
    graph->opset = 0;
    for (size_t i = 0; i < file->n_opset_import; i++) {
        const char *domain = file->opset_import[i]->domain;
        if (!*domain || strcmp(domain, "ai.onnx") == 0)
            graph->opset = file->opset_import[i]->version;
    }
    if (graph->opset < 7 || graph->opset > 100)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "ONNX opset %lld; 7 or later is needed (0: none named)",
                        (long long)graph->opset);
    return QMTCNN_OK;
}

/* ---- Index --------------------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const qmt_onnx_entry *)a)->name, ((const qmt_onnx_entry *)b)->name);
}

static qmtcnn_status build_index(qmt_onnx_graph *graph, qmtcnn_error *error)
{
    const QmtOnnx__Graph *g = graph->graph;
    size_t count = g->n_initializer, at = 0;
    for (size_t i = 0; i < g->n_node; i++)
        count += g->node[i]->n_output; /* each takes two bytes of the file at least */
    graph->entries = qmt_alloc_zero(count + 1, sizeof *graph->entries);
    if (!graph->entries)
        return qmt_fail_memory(error, count * sizeof *graph->entries, "the names of an ONNX file");
    for (size_t i = 0; i < g->n_initializer; i++)
        graph->entries[at++] = (qmt_onnx_entry){g->initializer[i]->name, NULL, g->initializer[i]};
    for (size_t i = 0; i < g->n_node; i++)
        for (size_t j = 0; j < g->node[i]->n_output; j++)
            if (*g->node[i]->output[j])
                graph->entries[at++] = (qmt_onnx_entry){g->node[i]->output[j], g->node[i], NULL};
    graph->entry_count = at;
    qsort(graph->entries, at, sizeof *graph->entries, compare_entries);
    for (size_t i = 1; i < at; i++)
        if (strcmp(graph->entries[i - 1].name, graph->entries[i].name) == 0)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "tensor %s is made twice", graph->entries[i].name);
    return QMTCNN_OK;
}

qmtcnn_status qmt_onnx_graph_open(qmt_onnx_graph *graph, const void *data, size_t size, qmtcnn_error *error)
{
    memset(graph, 0, sizeof *graph);
    if (size == 0 || size > max_file)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%zu bytes are no MTCNN network in ONNX", size);
    graph->memory_limit = graph->memory_left = parse_memory + 4 * size;
    graph->allocator = (ProtobufCAllocator){bounded_alloc, bounded_free, graph};
    graph->file = qmt_onnx__model__unpack(&graph->allocator, size, data);
    if (!graph->file && graph->out_of_memory)
        return qmt_fail_memory(error, size, "an ONNX file");
    if (!graph->file)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "damaged, or not an ONNX file (%zu bytes)", size);
    graph->graph = graph->file->graph;
    qmtcnn_status status = check_graph(graph->graph, error);
    if (status == QMTCNN_OK)
        status = find_opset(graph, error);
    if (status == QMTCNN_OK)
        status = build_index(graph, error);
    if (status != QMTCNN_OK)
        qmt_onnx_graph_close(graph);
    return status;
}

void qmt_onnx_graph_close(qmt_onnx_graph *graph)
{
    qmt_free(graph->entries);
    qmt_onnx__model__free_unpacked(graph->file, &graph->allocator);
    graph->entries = NULL;
    graph->file = NULL;
}

const qmt_onnx_entry *qmt_onnx_find(const qmt_onnx_graph *graph, const char *tensor)
{
    const qmt_onnx_entry key = {.name = tensor};
    return bsearch(&key, graph->entries, graph->entry_count, sizeof *graph->entries, compare_entries);
}

const QmtOnnx__Tensor *qmt_onnx_constant(const qmt_onnx_graph *graph, const char *tensor)
{
    for (int i = 0; i < max_identities; i++) {
        const qmt_onnx_entry *entry = qmt_onnx_find(graph, tensor);
        if (!entry)
            return NULL;
        if (entry->tensor)
            return entry->tensor;
        if (strcmp(entry->node->op_type, "Constant") == 0) {
            const QmtOnnx__Attribute *value = qmt_onnx_attribute(entry->node, "value");
            return value ? value->t : NULL;
        }
        if (strcmp(entry->node->op_type, "Identity") != 0)
            return NULL;
        tensor = qmt_onnx_input(entry->node, 0);
    }
    return NULL;
}

/* ---- Nodes --------------------------------------------------------------------------------------- */

const char *qmt_onnx_node_name(const QmtOnnx__Node *node)
{
    if (*node->name)
        return node->name;
    return node->n_output ? node->output[0] : "without a name";
}

qmtcnn_status qmt_onnx_fail(const QmtOnnx__Node *node, qmtcnn_error *error, qmtcnn_status status, const char *format,
                            ...)
{
    char message[QMTCNN_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return qmt_fail(error, status, "node %s (%s): %s", qmt_onnx_node_name(node), node->op_type, message);
}

const char *qmt_onnx_input(const QmtOnnx__Node *node, size_t i)
{
    return i < node->n_input ? node->input[i] : "";
}

const QmtOnnx__Attribute *qmt_onnx_attribute(const QmtOnnx__Node *node, const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (strcmp(node->attribute[i]->name, name) == 0)
            return node->attribute[i];
    return NULL;
}

int64_t qmt_onnx_int(const QmtOnnx__Node *node, const char *name, int64_t missing)
{
    const QmtOnnx__Attribute *attribute = qmt_onnx_attribute(node, name);
    return attribute ? attribute->i : missing;
}

bool qmt_onnx_ints_are(const QmtOnnx__Node *node, const char *name, int64_t value)
{
    const QmtOnnx__Attribute *attribute = qmt_onnx_attribute(node, name);
    for (size_t i = 0; attribute && i < attribute->n_ints; i++)
        if (attribute->ints[i] != value)
            return false;
    return true;
}

/* ---- Values -------------------------------------------------------------------------------------- */

/* Bytes of a value in raw_data; 0: a type that is not read here. */
static size_t raw_size(int type)
{
    switch (type) {
    case QMT_ONNX_UINT8:
    case QMT_ONNX_INT8: return 1;
    case QMT_ONNX_FLOAT:
    case QMT_ONNX_INT32: return 4;
    case QMT_ONNX_INT64:
    case QMT_ONNX_DOUBLE: return 8;
    default: return 0;
    }
}

/* Values in the typed list of a tensor without raw_data. */
static size_t listed(const QmtOnnx__Tensor *tensor)
{
    switch (tensor->data_type) {
    case QMT_ONNX_FLOAT: return tensor->n_float_data;
    case QMT_ONNX_DOUBLE: return tensor->n_double_data;
    case QMT_ONNX_INT64: return tensor->n_int64_data;
    default: return tensor->n_int32_data;
    }
}

qmtcnn_status qmt_onnx_count(const QmtOnnx__Tensor *tensor, const QmtOnnx__Node *node, size_t *count,
                             qmtcnn_error *error)
{
    size_t size = raw_size(tensor->data_type), product = 1;
    if (tensor->data_location != 0)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED,
                             "its constant lies in another file; save the network as one file");
    if (size == 0)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED,
                             "a constant of ONNX type %d%s; export the network in FP32", tensor->data_type,
                             tensor->data_type == QMT_ONNX_FLOAT16 ? " (FP16)" : "");
    for (size_t i = 0; i < tensor->n_dims; i++)
        if (tensor->dims[i] < 0 || (uint64_t)tensor->dims[i] > SIZE_MAX ||
            !qmt_size_multiply(product, (size_t)tensor->dims[i], &product))
            return qmt_onnx_fail(node, error, QMTCNN_ERROR_FORMAT, "a constant with impossible dimensions");
    size_t held = tensor->raw_data.len ? tensor->raw_data.len / size : listed(tensor);
    if (held != product || tensor->raw_data.len % size != 0)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_FORMAT, "a constant claims %zu values and holds %zu", product,
                             held);
    *count = product;
    return QMTCNN_OK;
}

/* An unsigned little-endian number. */
static uint64_t raw_bits(const uint8_t *bytes, size_t size)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++)
        bits |= (uint64_t)bytes[i] << 8 * i;
    return bits;
}

static double raw_value(const QmtOnnx__Tensor *tensor, size_t i)
{
    size_t size = raw_size(tensor->data_type);
    uint64_t bits = raw_bits(tensor->raw_data.data + i * size, size);
    uint32_t low = (uint32_t)bits;
    float real;
    double wide;
    switch (tensor->data_type) {
    case QMT_ONNX_FLOAT: memcpy(&real, &low, sizeof real); return (double)real;
    case QMT_ONNX_DOUBLE: memcpy(&wide, &bits, sizeof wide); return wide;
    case QMT_ONNX_INT8: return (double)(int8_t)low;
    case QMT_ONNX_INT32: return (double)(int32_t)low;
    case QMT_ONNX_INT64: return (double)(int64_t)bits;
    default: return (double)low;
    }
}

double qmt_onnx_value(const QmtOnnx__Tensor *tensor, size_t i)
{
    if (tensor->raw_data.len)
        return raw_value(tensor, i);
    switch (tensor->data_type) {
    case QMT_ONNX_FLOAT: return (double)tensor->float_data[i];
    case QMT_ONNX_DOUBLE: return tensor->double_data[i];
    case QMT_ONNX_INT64: return (double)tensor->int64_data[i];
    default: return (double)tensor->int32_data[i];
    }
}
