/* runtime/model: a network as data. It owns layers, shapes, weights, scales and names, and reads and writes them as
 * ONNX (FP32, or INT8 as QuantizeLinear/DequantizeLinear pairs). It computes nothing but quantized weights.
 *
 * Every MTCNN network is a trunk of layers followed by up to three heads that read the trunk's last tensor. A fully
 * connected layer is a convolution whose kernel covers the whole of its input. */
#ifndef QMT_MODEL_H
#define QMT_MODEL_H

#include "runtime/base/status.h"

#include <stdint.h>

typedef enum qmt_net_id { QMT_PNET = 0, QMT_RNET = 1, QMT_ONET = 2 } qmt_net_id;
enum { qmt_net_count = 3 };

/* "pnet", "rnet", "onet". */
const char *qmt_net_name(qmt_net_id net);
/* The side of the input in training: 12, 24, 48. */
int qmt_net_side(qmt_net_id net);

typedef enum qmt_activation { QMT_ACTIVATION_NONE, QMT_ACTIVATION_RELU, QMT_ACTIVATION_PRELU } qmt_activation;

/* Limits that a file may not pass, so that a hostile one costs nothing. A file has at most 256 MB; reading takes memory
 * in proportion to it, since every claim is checked against the bytes that are there. Scales of INT8 layers lie in
 * 1e-20 to 1e6, slopes of PReLU before them in -1e6 to 1e6; weights, biases and slopes are finite. */
enum {
    qmt_max_layers = 32,
    qmt_max_channels = 4096,
    qmt_max_kernel = 64,
    qmt_max_weights = 64 * 1024 * 1024, /* in one layer */
    qmt_max_int8_taps = 65536,          /* weights of one INT8 output: their sum and the bias fit 32 bits */
    qmt_max_uint8_taps = 32768,         /* the same where the input is uint8 */
    qmt_max_pool = 16,
    qmt_max_name = 256, /* bytes of a name, with its zero */
    qmt_max_metadata = 256
};

/* y = pool(activation(convolution(x) + bias)). Stride 1, no padding; the pool rounds its output size up (ceil mode).
 * A layer is INT8 if weight_int8 is set; then its input is quantized with input_scale (symmetric, zero point 0) and
 *     sum  = bias_int32[c] + sum of input_int8 * weight_int8            (exact, 32 bits)
 *     real = sum * (input_scale * weight_scale[c])                      (FP32)
 *     next = saturate(round_half_to_even(sum * ((input_scale * weight_scale[c]) / next input_scale)))
 * saturated to -127 .. 127, or to 0 .. 255 where the next layer's input is unsigned (ONNX Runtime's form).
 * All arrays belong to the layer (qmt_alloc). */
typedef struct qmt_layer {
    char *name; /* "conv1"; the ONNX node's name */
    int in_channels, out_channels, kernel_height, kernel_width;
    qmt_activation activation;
    int pool_kernel, pool_stride; /* 0, 0: no pool */
    float *weight;                /* [out][in][kernel_height][kernel_width], never NULL */
    float *bias;                  /* [out], never NULL */
    float *slope;                 /* [out], PReLU only */
    float input_scale;            /* > 0 for an INT8 layer, 0 otherwise */
    bool input_unsigned;          /* INT8: the input is 0 .. 255 (what a ReLU left), not -127 .. 127 */
    float *weight_scale;          /* [out], INT8 only */
    int8_t *weight_int8;          /* as weight, -127 .. 127 */
    int32_t *bias_int32;          /* [out], round(bias / (input_scale * weight_scale)), saturated at +-2^30 */
} qmt_layer;

typedef enum qmt_head { QMT_HEAD_FACE = 0, QMT_HEAD_BOX = 1, QMT_HEAD_LANDMARKS = 2 } qmt_head;
enum { qmt_head_count = 3 };

typedef struct qmt_metadata {
    char *key, *value;
} qmt_metadata;

/* Heads: face has 2 channels (not a face, face: logits here, softmax in the ONNX file), box 4 (offsets of x1 y1 x2 y2
 * over the side), landmarks 10 (x1 y1 x2 y2 .. x5 y5 as this project trains them; see `landmarks_planar`). */
typedef struct qmt_model {
    qmt_net_id net;
    int input_height, input_width; /* 0: any (P-Net) */
    int layer_count;
    qmt_layer *layers;
    qmt_layer heads[qmt_head_count]; /* out_channels 0: the network has no such head */
    char *input_name;
    char *output_names[qmt_head_count]; /* read only where there is a head */
    bool landmarks_planar;              /* x1..x5 y1..y5, as the Caffe networks have them, instead of pairs */
    int metadata_count;
    qmt_metadata *metadata;
} qmt_model;

/* A model with the net's input size, empty layers, and the default names "input", "prob", "bbox" and "landmark". */
qmtcnn_status qmt_model_create(qmt_net_id net, int layer_count, qmt_model **model, qmtcnn_error *error);
void qmt_model_free(qmt_model *model);

/* Replaces a string of a model or layer by a copy of `text`. */
qmtcnn_status qmt_set_string(char **string, const char *text, qmtcnn_error *error);

/* Sets the sizes of a layer and takes cleared arrays for weight, bias and (PReLU) slope. *layer is overwritten without
 * freeing what it held; no pool. On failure it is left cleared. */
qmtcnn_status qmt_layer_init(qmt_layer *layer, const char *name, int in_channels, int out_channels, int kernel_height,
                             int kernel_width, qmt_activation activation, qmtcnn_error *error);
void qmt_layer_clear(qmt_layer *layer);

/* Makes a layer INT8: weight_int8, weight_scale and bias_int32 from weight, bias, `input_scale` and `weight_scale`
 * ([out], each > 0; NULL: max|w| / 127 a channel, with a floor). */
qmtcnn_status qmt_layer_quantize(qmt_layer *layer, float input_scale, const float *weight_scale, qmtcnn_error *error);
/* Makes it FP32 again. */
void qmt_layer_dequantize(qmt_layer *layer);

/* Adds or replaces a metadata entry. The strings are copied. */
qmtcnn_status qmt_model_set_metadata(qmt_model *model, const char *key, const char *value, qmtcnn_error *error);
/* NULL where there is no such key. */
const char *qmt_model_metadata(const qmt_model *model, const char *key);

/* Weights of one output channel. */
size_t qmt_layer_taps(const qmt_layer *layer);

/* Output size of a layer for an input size. false where the input is smaller than the kernel. */
bool qmt_layer_output_size(const qmt_layer *layer, int in_height, int in_width, int *out_height, int *out_width);

/* Checks that channels chain, arrays are there, values are finite and scales positive. Readers and writers call it. */
qmtcnn_status qmt_model_check(const qmt_model *model, qmtcnn_error *error);

/* Scale of a symmetric quantizer for values up to `maximum`: maximum / 127, not under the floor 1e-8 (so that a dead
 * channel makes no NaN). */
float qmt_scale_for(float maximum);
/* saturate(round half to even(x / scale)) in [-127, 127]: divides, as ONNX QuantizeLinear does. */
int8_t qmt_quantize_value(float x, float scale);
/* The same in [0, 255]. */
uint8_t qmt_quantize_unsigned(float x, float scale);
/* The scale of the first layer's input: (127.5 / 128) / 127 (design: never 1/128). */
float qmt_input_scale(void);

#endif
