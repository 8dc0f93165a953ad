/* Quantization without training: an FP32 network and pictures of what it will see become an INT8 network. */
#ifndef QMT_QUANT_PTQ_H
#define QMT_QUANT_PTQ_H

#include "runtime/base/threads.h"
#include "toolkit/config/config.h"

/* What quantization did to one layer. */
typedef struct qmt_ptq_layer {
    char name[64];
    bool int8;
    float input_range; /* scale * 127; also of a layer that stays FP32 */
    double clipped;    /* share of input values outside */
    double sqnr;       /* decibels, of what the convolution gives, against the FP32 network; INFINITY without noise */
} qmt_ptq_layer;

typedef struct qmt_ptq_report {
    int count; /* trunk layers, then the heads that there are */
    qmt_ptq_layer layers[qmt_max_layers + qmt_head_count];
} qmt_ptq_report;

/* Makes `model`, whose layers are all FP32, INT8, but for those in config->keep_fp32 ("heads" names all heads), layer
 * after layer:
 * - weights are equalized across layers (config->equalize; see equalize.h);
 * - the input's range comes from the FP32 network's values on the samples (calibration_observer, percentile);
 * - each channel's weights are scaled (weight_range, per_channel) and rounded to the nearest step, or one up or down so
 *   that the layer's output on the samples, as quantized so far, is nearest to the FP32 network's (rounding);
 * - biases take up the mean difference that is left, before the activation (bias_correction; Nagel and others, 2019).
 * Rounded weights replace the FP32 ones, so that the same quantizer gives the same integers again.
 *
 * `pixels`: [count][side][side][3] RGB, side being qmt_net_side(). `report` may be NULL. The same samples give the same
 * bytes for any number of threads (`pool` NULL: one). Takes some 300 KB a sample for O-Net. On failure `model` is of no
 * use but to be freed; QMTCNN_ERROR_INTERRUPTED after Ctrl-C. */
qmtcnn_status qmt_ptq(qmt_model *model, const uint8_t *pixels, int count, const qmt_quantize_config *config,
                      qmt_pool *pool, qmt_ptq_report *report, qmtcnn_error *error);

/* Cross-layer equalization (Nagel and others, 2019): moves a factor a channel from each layer's weights to the next
 * one's, so that both need equal ranges. ReLU, PReLU and max pooling keep a positive factor, so that the network
 * computes what it did, but for rounding. Layers must be FP32. */
void qmt_equalize(qmt_model *model);

#endif
