/* The linter's inside: an index over an ONNX graph, and groups of rules. */
#ifndef QMT_DEPLOY_LINT_H
#define QMT_DEPLOY_LINT_H

#include "runtime/model/onnx.pb-c.h"
#include "toolkit/deploy/deploy.h"

#include <string.h>

/* ONNX's TensorProto.DataType. */
typedef enum qmt_onnx_type {
    QMT_ONNX_FLOAT = 1,
    QMT_ONNX_UINT8 = 2,
    QMT_ONNX_INT8 = 3,
    QMT_ONNX_INT32 = 6,
    QMT_ONNX_INT64 = 7,
    QMT_ONNX_FLOAT16 = 10,
    QMT_ONNX_DOUBLE = 11
} qmt_onnx_type;

/* Who makes or reads a tensor. `name` points into the message. */
typedef struct qmt_lint_entry {
    const char *name;
    size_t node; /* or initializer */
    size_t slot; /* which input */
} qmt_lint_entry;

typedef struct qmt_lint {
    const QmtOnnx__Model *model;
    const QmtOnnx__Graph *graph;
    qmt_lint_entry *constants, *makers, *readers; /* sorted by name */
    size_t constant_count, maker_count, reader_count;
    qmt_lint_sink sink;
    void *state;
    int findings;
} qmt_lint;

/* Sorts names. `constants` counts initializers first and then Constant nodes (node >= n_initializer). */
qmtcnn_status qmt_lint_index(qmt_lint *lint, qmtcnn_error *error);
void qmt_lint_clear(qmt_lint *lint);

/* The initializer of that name, or the value of the Constant node that makes it; NULL: there is none. */
const QmtOnnx__Tensor *qmt_lint_constant(const qmt_lint *lint, const char *name);
/* The node that makes a tensor; NULL: an input of the graph, an initializer, or nothing. */
const QmtOnnx__Node *qmt_lint_maker(const qmt_lint *lint, const char *name);
/* The readers of a tensor, side by side; of very many, the first. */
const qmt_lint_entry *qmt_lint_readers(const qmt_lint *lint, const char *name, size_t *count);
bool qmt_lint_is_output(const qmt_lint *lint, const char *name);
/* "" where a node has fewer inputs or outputs. */
const char *qmt_lint_input(const QmtOnnx__Node *node, size_t index);
const char *qmt_lint_output(const QmtOnnx__Node *node, size_t index);
const QmtOnnx__Attribute *qmt_lint_attribute(const QmtOnnx__Node *node, const char *name);
int64_t qmt_lint_int(const QmtOnnx__Node *node, const char *name, int64_t fallback);
bool qmt_lint_is(const QmtOnnx__Node *node, const char *kind);

/* Elements of a tensor by its dimensions; false: negative, too many, or other than the data that is there. Data in
 * another file counts as there. */
bool qmt_lint_elements(const QmtOnnx__Tensor *tensor, size_t *count);
bool qmt_lint_is_external(const QmtOnnx__Tensor *tensor);
/* Element `index` as a number; false: no such element, or a type that is not read here. */
bool qmt_lint_number(const QmtOnnx__Tensor *tensor, size_t index, double *number);

/* Reports a broken rule at `node` (NULL: `where` names the place). */
void qmt_lint_report(qmt_lint *lint, const char *rule, bool error, const QmtOnnx__Node *node, const char *where,
                     const char *format, ...) QMT_PRINTF(6, 7);

void qmt_lint_model_rules(qmt_lint *lint);     /* versions, types, external data */
void qmt_lint_quantizer_rules(qmt_lint *lint); /* scales, zero points, pairs */
void qmt_lint_layer_rules(qmt_lint *lint);     /* what stands between quantizers and layers */

#endif
