/* An ONNX file as parsed: nodes and constants by name, and the values of constants. Everything is checked against
 * limits before memory is taken. Private to runtime/model. */
#ifndef QMT_ONNX_GRAPH_H
#define QMT_ONNX_GRAPH_H

#include "runtime/base/status.h"
#include "runtime/model/onnx.pb-c.h"

#include <stdint.h>

/* A tensor's name, and the node or initializer that makes it. */
typedef struct qmt_onnx_entry {
    const char *name;
    const QmtOnnx__Node *node;     /* NULL: an initializer */
    const QmtOnnx__Tensor *tensor; /* NULL: a node's output */
} qmt_onnx_entry;

typedef struct qmt_onnx_graph {
    QmtOnnx__Model *file;
    const QmtOnnx__Graph *graph;
    ProtobufCAllocator allocator;
    size_t memory_left, memory_limit;
    bool out_of_memory; /* the system's, not the limit's */
    int64_t opset;
    qmt_onnx_entry *entries; /* sorted by name */
    size_t entry_count;
} qmt_onnx_graph;

/* Parses `data`. On failure there is nothing to close. *graph must stay where it is until it is closed. */
qmtcnn_status qmt_onnx_graph_open(qmt_onnx_graph *graph, const void *data, size_t size, qmtcnn_error *error);
void qmt_onnx_graph_close(qmt_onnx_graph *graph);

/* What makes a tensor; NULL: an input of the graph, or nothing. */
const qmt_onnx_entry *qmt_onnx_find(const qmt_onnx_graph *graph, const char *tensor);
/* The constant that a tensor is: an initializer, a Constant node, or either behind Identity. NULL: it is none. */
const QmtOnnx__Tensor *qmt_onnx_constant(const qmt_onnx_graph *graph, const char *tensor);

/* A node's name, or its first output where it has none. */
const char *qmt_onnx_node_name(const QmtOnnx__Node *node);
/* Fails with "node NAME (KIND): " before the message. */
qmtcnn_status qmt_onnx_fail(const QmtOnnx__Node *node, qmtcnn_error *error, qmtcnn_status status, const char *format,
                            ...) QMT_PRINTF(4, 5);

/* Input `i` of a node; "" where it has none. */
const char *qmt_onnx_input(const QmtOnnx__Node *node, size_t i);
/* NULL where a node has no such attribute. */
const QmtOnnx__Attribute *qmt_onnx_attribute(const QmtOnnx__Node *node, const char *name);
int64_t qmt_onnx_int(const QmtOnnx__Node *node, const char *name, int64_t missing);
/* Are all numbers of a list attribute `value`? True where it is missing. */
bool qmt_onnx_ints_are(const QmtOnnx__Node *node, const char *name, int64_t value);

/* Number of values, which the file really holds: a claim is checked against its data before memory is taken. `node` is
 * named in messages. */
qmtcnn_status qmt_onnx_count(const QmtOnnx__Tensor *tensor, const QmtOnnx__Node *node, size_t *count,
                             qmtcnn_error *error);
/* Value i (of those that qmt_onnx_count() told) of a FLOAT, DOUBLE, INT8, UINT8, INT32 or INT64 tensor. */
double qmt_onnx_value(const QmtOnnx__Tensor *tensor, size_t i);

#endif
