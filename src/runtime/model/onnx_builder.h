/* Pieces of an ONNX graph, made of protobuf-c's structures in one arena. Inside of qmt_onnx_write(). Names and values
 * are kept, not copied, where nothing else is said; a failure is in `status`, and later calls do nothing and return
 * NULL. */
#ifndef QMT_MODEL_ONNX_BUILDER_H
#define QMT_MODEL_ONNX_BUILDER_H

#include "runtime/model/onnx.h"
#include "runtime/model/onnx.pb-c.h"
#include "runtime/model/onnx_names.h"

enum { qmt_onnx_max_items = 1024 };

typedef struct qmt_onnx_block qmt_onnx_block;

/* A tensor that has been quantized already: it is not quantized twice. */
typedef struct qmt_onnx_quantized {
    const char *tensor, *result;
    float scale;
} qmt_onnx_quantized;

typedef struct qmt_onnx_builder {
    qmt_onnx_block *blocks;
    qmtcnn_status status; /* the first failure */
    qmtcnn_error *error;
    const qmt_onnx_options *options;
    QmtOnnx__Node *nodes[qmt_onnx_max_items];
    QmtOnnx__Tensor *initializers[qmt_onnx_max_items];
    size_t node_count, initializer_count;
    qmt_onnx_quantized quantized[qmt_head_count];
    int quantized_count;
} qmt_onnx_builder;

/* Memory until qmt_onnx_release(), zeroed. */
void *qmt_onnx_take(qmt_onnx_builder *builder, size_t bytes);
void qmt_onnx_release(qmt_onnx_builder *builder);
QMT_PRINTF(2, 3) char *qmt_onnx_text(qmt_onnx_builder *builder, const char *format, ...);

/* Adds an initializer, with copies of dims and values; `values` NULL: zeros. Returns its name. */
char *qmt_onnx_add_tensor(qmt_onnx_builder *builder, char *name, int type, const int64_t *dims, size_t dim_count,
                          const void *values);
/* Adds a node with at most 4 inputs (the list is copied) and one output. */
QmtOnnx__Node *qmt_onnx_add_node(qmt_onnx_builder *builder, const char *kind, char *name, char *const *inputs,
                                 size_t count, char *output);
/* At most 5 attributes a node. add_ints: first, second, first, second ... */
void qmt_onnx_add_int(qmt_onnx_builder *builder, QmtOnnx__Node *node, const char *name, int64_t value);
void qmt_onnx_add_ints(qmt_onnx_builder *builder, QmtOnnx__Node *node, const char *name, size_t count, int64_t first,
                       int64_t second);

#endif
