/* toolkit/net: networks that learn. It owns the tables of P-, R- and O-Net, their parameters, forward and backward
 * passes in FP32 and with fake quantization, folding, and their part of a checkpoint.
 *
 * Training tensors are [group][C][H][W][16]: 16 samples side by side fill the SIMD lanes. A batch is a whole number of
 * groups. Sums over a batch (gradients, statistics) go over groups in a fixed binary tree, so any number of threads and
 * ranks gives the same bytes on one kind of processor; FP32 training differs in the last bits between instruction sets.
 *
 * Normalization is torch's: epsilon 1e-5, batch statistics over the whole batch of all ranks, running variance
 * unbiased. Quantization in training is that of torch.ao.nn.intrinsic.qat.ConvBnReLU2d, for a convolution with
 * normalization:
 * - s = gamma / sqrt(running variance + epsilon), before this step's update, |s| not under 1e-8;
 * - y = convolution(fake(x), fake(weight * s) / s);
 * - z = normalization(y) with the batch's statistics (once frozen: the running ones), then activation and pool.
 *
 * So weights are scaled with running statistics even while batch statistics normalize, and gamma also learns through s.
 * The pool's output is what the next layer quantizes. Weight scales are max|weight * s| / 127 of the current weights,
 * so no weight is ever clipped. */
#ifndef QMT_NET_H
#define QMT_NET_H

#include "runtime/base/threads.h"
#include "toolkit/base/ranks.h"
#include "toolkit/base/safetensors.h"
#include "toolkit/config/config.h"
#include "toolkit/quant/quant.h"

enum { qmt_lanes = 16, qmt_head_channels = 16, qmt_net_max_layers = 8 };

/* convolution (no padding, stride 1) -> batch normalization or bias -> activation -> max pool (ceil mode). */
typedef struct qmt_net_layer {
    char name[16];
    int in_channels, out_channels, kernel;
    bool batch_norm;
    qmt_activation activation;
    int pool_kernel, pool_stride;     /* 0: none */
    int in_side, conv_side, out_side; /* in training */
} qmt_net_layer;

/* A network as a table. The last layer is the three heads side by side: channels 0-1 class logits, 2-5 box, 6-15
 * landmarks. */
typedef struct qmt_net_table {
    qmt_net_id id;
    int side, layer_count; /* trunk layers and the heads */
    qmt_net_layer layers[qmt_net_max_layers];
} qmt_net_table;

/* The design's table with the given activation (ReLU or PReLU) and with or without batch normalization in all layers
 * but the heads. Fully connected layers are convolutions over the whole map. */
qmt_net_table qmt_net_table_for(qmt_net_id id, qmt_activation activation, bool batch_norm);
/* Does each entry of quantize.keep_fp32 name a layer of these networks? */
qmtcnn_status qmt_net_check_keep(const char *keep_fp32, qmtcnn_error *error);
/* Multiply-adds of one sample: forward pass, and all that training does (forward, both gradients, none for the
 * input's). */
double qmt_net_forward_macs(const qmt_net_table *table);
double qmt_net_training_macs(const qmt_net_table *table);

typedef struct qmt_net qmt_net;

/* A trainable array or a running value. Belongs to the net. */
typedef struct qmt_parameter {
    const char *name; /* "conv1.weight", "conv1.bn.gamma", ... */
    int dims;
    size_t shape[4], count;
    float *value;
    float *gradient; /* NULL for buffers (running mean and variance) */
    bool decay;      /* takes part in weight decay (weights yes; bias, gamma, beta, slope no) */
} qmt_parameter;

/* Kaiming initialization (He and others, 2015; fan in) from `seed`; the heads start at a tenth of it. */
qmtcnn_status qmt_net_create(const qmt_net_table *table, uint64_t seed, qmt_net **net, qmtcnn_error *error);
void qmt_net_free(qmt_net *net);
const qmt_net_table *qmt_net_get_table(const qmt_net *net);
const qmt_parameter *qmt_net_parameters(qmt_net *net, int *count);

typedef enum qmt_net_mode {
    QMT_MODE_FP32,      /* no quantization */
    QMT_MODE_CALIBRATE, /* FP32 arithmetic; observers of all tensors take histograms */
    QMT_MODE_QAT        /* fake quantization of weights and activations */
} qmt_net_mode;

typedef struct qmt_net_state {
    qmt_net_mode mode;
    bool training; /* batch statistics and gradients; false: running statistics, forward only */
    bool observers_frozen;
    bool batch_norm_frozen; /* running statistics also in training, and not updated; gamma and beta still learn */
    float batch_norm_momentum;
    qmt_quantize_config quantize;
} qmt_net_state;

/* Memory for passes of up to `batch` samples (a multiple of 16) in this rank. */
typedef struct qmt_pass qmt_pass;
qmtcnn_status qmt_pass_create(const qmt_net *net, int batch, qmt_pool *pool, qmt_ranks *ranks, qmt_pass **pass,
                              qmtcnn_error *error);
void qmt_pass_free(qmt_pass *pass);
size_t qmt_pass_bytes(const qmt_pass *pass);
/* Where the input of group g goes: [3][side][side][16], normalized pixels. Passes leave it as it is. */
float *qmt_pass_input(qmt_pass *pass, int group);
/* After forward: [16 head channels][16 lanes] of group g, until the next forward. Before backward: the loss's gradient
 * with respect to them goes to the second, which backward leaves as it is. */
const float *qmt_pass_output(const qmt_pass *pass, int group);
float *qmt_pass_output_gradient(qmt_pass *pass, int group);

/* Forward over `groups` groups in this rank. Training and calibrating: all ranks together, with the same number of
 * groups each (a power of two of ranks); otherwise each rank on its own. A NaN or infinity is QMTCNN_ERROR_NUMERIC and
 * names the layer. QAT needs the ranges of all quantized inputs: from calibration, an earlier QAT batch, or this one
 * (training, observers not frozen; a batch moves the ranges before its values are quantized). */
qmtcnn_status qmt_net_forward(qmt_net *net, qmt_pass *pass, int groups, const qmt_net_state *state,
                              qmtcnn_error *error);
/* Gradients of all parameters (summed over the batch, all ranks) from the output gradients; they replace the old ones.
 * Once after each training forward, with the same groups and state: it overwrites what forward kept. */
qmtcnn_status qmt_net_backward(qmt_net *net, qmt_pass *pass, int groups, const qmt_net_state *state,
                               qmtcnn_error *error);

/* What quantization does to each layer in the last QAT or calibrate pass: for logs. Of this rank's part of the batch.
 */
typedef struct qmt_layer_quant_stats {
    const char *name;
    float input_range;      /* scale * 127 */
    float input_saturation; /* share of input values clipped */
    float weight_range;     /* largest over channels */
    float dead_channels;    /* share of output channels that were 0 for the whole batch */
} qmt_layer_quant_stats;
int qmt_net_quant_stats(const qmt_net *net, const qmt_pass *pass, qmt_layer_quant_stats stats[qmt_net_max_layers]);

/* Forgets what the observers saw, and the ranges. */
void qmt_net_reset_observers(qmt_net *net);
/* Ends calibration: activation ranges from the histograms (percentile); QAT starts from them. */
void qmt_net_finish_calibration(qmt_net *net, const qmt_quantize_config *quantize);
/* Sets what the input of layer 1 .. layer_count - 1 is quantized with: up to +-range (> 0), known from elsewhere. */
void qmt_net_set_input_range(qmt_net *net, int layer, float range);

/* The deployable network: batch normalization folded with the running statistics; INT8 with the observers' scales and
 * per-channel weight scales (or per-tensor) unless `fp32`. Layers in quantize.keep_fp32 stay FP32. */
qmtcnn_status qmt_net_to_model(const qmt_net *net, bool fp32, const qmt_quantize_config *quantize, qmt_model **model,
                               qmtcnn_error *error);
/* Takes weights, and ranges of INT8 layers, from a model of the same shape (fine-tuning): folded weights become
 * convolution weights, and normalization by running statistics the identity (gamma 1, beta the bias, mean 0, variance 1
 * - epsilon). So the net computes what the model did while normalization is frozen; batch statistics change that at
 * once (toolkit/train/finetune.h mends it). Heads that the model lacks keep their values. */
qmtcnn_status qmt_net_from_model(qmt_net *net, const qmt_model *model, qmtcnn_error *error);

/* Parameters, running statistics and observers, under "net." in a checkpoint. */
qmtcnn_status qmt_net_save(const qmt_net *net, qmt_tensors_writer *writer, qmtcnn_error *error);
qmtcnn_status qmt_net_load(qmt_net *net, const qmt_tensors_file *file, qmtcnn_error *error);
/* The table that a checkpoint was made with (from its metadata). */
qmtcnn_status qmt_net_table_load(const qmt_tensors_file *file, qmt_net_table *table, qmtcnn_error *error);

#endif
