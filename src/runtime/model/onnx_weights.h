/* The numbers of layers in an ONNX graph: weights, biases, scales, with or without Q/DQ. Private to runtime/model. */
#ifndef QMT_ONNX_WEIGHTS_H
#define QMT_ONNX_WEIGHTS_H

#include "runtime/model/model.h"
#include "runtime/model/onnx_graph.h"

enum { qmt_onnx_max_rank = 4 };

/* A layer's weights: real numbers in the file's order, and the scales that they were quantized with. */
typedef struct qmt_onnx_weights {
    int rank;
    int dims[qmt_onnx_max_rank];
    size_t count;
    float *values;
    float *scale; /* along scale_axis, or one (scale_count 1); NULL: not quantized */
    size_t scale_count;
    int64_t scale_axis;
} qmt_onnx_weights;

/* Reads input `i` of `node` behind any QuantizeLinear and DequantizeLinear. On success *weights is for
 * qmt_onnx_weights_clear(). */
qmtcnn_status qmt_onnx_read_weights(const qmt_onnx_graph *graph, const QmtOnnx__Node *node, size_t i,
                                    qmt_onnx_weights *weights, qmtcnn_error *error);
void qmt_onnx_weights_clear(qmt_onnx_weights *weights);

/* A constant input of `expected` real numbers (1 stands for all), written to values[]. INT32 behind DequantizeLinear is
 * read too. */
qmtcnn_status qmt_onnx_read_vector(const qmt_onnx_graph *graph, const QmtOnnx__Node *node, size_t i, size_t expected,
                                   float *values, qmtcnn_error *error);

/* The integers that a tensor is quantized to. */
typedef enum qmt_onnx_integers {
    QMT_ONNX_INT8_0,    /* INT8 with zero point 0 */
    QMT_ONNX_UINT8_128, /* uint8 with zero point 128: the same, 128 higher */
    QMT_ONNX_UINT8_0    /* uint8 with zero point 0: nothing is below 0 */
} qmt_onnx_integers;

/* The one scale of a QuantizeLinear or DequantizeLinear on an activation, and its integers. */
qmtcnn_status qmt_onnx_read_scale(const qmt_onnx_graph *graph, const QmtOnnx__Node *node, float *scale,
                                  qmt_onnx_integers *integers, qmtcnn_error *error);

/* Folds a BatchNormalization node into a layer's weights and bias, in double precision. */
qmtcnn_status qmt_onnx_fold_batch_norm(const qmt_onnx_graph *graph, const QmtOnnx__Node *node, qmt_layer *layer,
                                       qmtcnn_error *error);

#endif
