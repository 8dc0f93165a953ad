/* Networks as ONNX files. */
#ifndef QMT_MODEL_ONNX_H
#define QMT_MODEL_ONNX_H

#include "runtime/model/model.h"

/* Reads an ONNX network of the layer kinds that qmt_model holds: Conv, BatchNormalization (folded), Relu, PRelu,
 * MaxPool, Gemm, Flatten/Reshape, Softmax, QuantizeLinear, DequantizeLinear, Identity, Dropout. The net (P, R or O) is
 * told from the input shape. Activations may be INT8 (zero point 0), or uint8 with zero point 128, or 0 behind a ReLU
 * (or in its place). `name` is used in messages. Anything else is an error that names the node and its kind. */
qmtcnn_status qmt_onnx_read(const void *data, size_t size, const char *name, qmt_model **model, qmtcnn_error *error);
qmtcnn_status qmt_onnx_read_file(const char *path, qmt_model **model, qmtcnn_error *error);

/* How quantized layers are written. */
typedef enum qmt_onnx_form {
    QMT_ONNX_TENSORRT,   /* FP32 weights -> Q -> DQ, FP32 biases, INT8 activations: TensorRT's explicit quantization */
    QMT_ONNX_ONNXRUNTIME /* INT8 weights -> DQ, INT32 biases -> DQ, uint8 activations: ONNX Runtime's QLinearConv */
} qmt_onnx_form;

typedef struct qmt_onnx_options {
    int opset;                    /* 13 (default for 0) to 17 */
    bool fp32;                    /* leave Q/DQ out although layers are INT8 */
    bool flatten_outputs;         /* R- and O-Net: outputs [N, k] instead of [N, k, 1, 1] */
    const char *producer_version; /* NULL: this library's */
    int batch;                    /* pictures; 0: any */
    qmt_onnx_form form;
} qmt_onnx_options;

/* The bytes of an ONNX file for a model; *data is for qmt_free(). Follows TensorRT's rules for explicit quantization:
 * FP32 weights -> QuantizeLinear -> DequantizeLinear -> Conv, INT8 zero points present and 0, FP32 bias, nothing
 * between a convolution and its activation, MaxPool with ceil_mode = 1, one quantizer a tensor. IR version 8.
 * In ONNX Runtime's form weights are INT8 and biases INT32, behind DequantizeLinear, and activations uint8: with zero
 * point 0 where a layer's input is unsigned, with 128 (and the same integers, 128 higher) elsewhere. */
qmtcnn_status qmt_onnx_write(const qmt_model *model, const qmt_onnx_options *options, void **data, size_t *size,
                             qmtcnn_error *error);

#endif
