/* What the files of quantization without training share. */
#ifndef QMT_QUANT_PTQ_INTERNAL_H
#define QMT_QUANT_PTQ_INTERNAL_H

#include "toolkit/quant/ptq.h"
#include "toolkit/quant/quant.h"

/* A feature map of every sample in two networks side by side: the FP32 one, and the one quantized so far. */
typedef struct qmt_maps {
    int height, width, channels;
    size_t size;             /* floats of one sample */
    float *real, *quantized; /* [samples][height][width][channels] */
} qmt_maps;

qmtcnn_status qmt_maps_init(qmt_maps *maps, int count, int height, int width, int channels, qmtcnn_error *error);
void qmt_maps_clear(qmt_maps *maps);

/* A layer at work. Taps of a patch are in the order of the maps: [ky][kx][channel]. */
typedef struct qmt_ptq_job {
    const qmt_quantize_config *config;
    qmt_pool *pool;
    int count;      /* samples */
    qmt_maps *maps; /* the layer's input; `quantized` is on the input's grid */
    qmt_layer *layer;
    int height, width; /* of the convolution's output */
    size_t taps, positions;
    qmtcnn_error *error;
} qmt_ptq_job;

/* The taps of one place of one sample's map. */
void qmt_ptq_patch(const qmt_ptq_job *job, const float *map, size_t position, float *patch);
/* Weight index in the model's order of tap number `tap` of a patch. */
size_t qmt_ptq_weight_at(const qmt_layer *layer, size_t tap);

/* Sums over all places of all samples, of one output channel before its activation. */
typedef struct qmt_ptq_sums {
    double signal, noise; /* squares of the FP32 network's value, and of the difference */
} qmt_ptq_sums;

/* Convolutions of both networks: the FP32 one with `original` ([out][taps], the model's order) and `original_bias`, the
 * quantized one with the layer's own. Fills `sums` ([out]) and, if `output` is not NULL, what comes after activation
 * and pool. */
qmtcnn_status qmt_ptq_convolve(const qmt_ptq_job *job, const float *original, const float *original_bias,
                               qmt_ptq_sums *sums, qmt_maps *output);

/* The mean patch ([taps]) over all places of all samples, of the FP32 network and of the quantized one. */
qmtcnn_status qmt_ptq_means(const qmt_ptq_job *job, double *real, double *quantized);

/* Rounds the layer's weights (now FP32) to multiples of `scales` ([out]), as job->config->rounding says. Weights at or
 * beyond 126.5 steps become +-127 steps whatever the rounding: so the largest weight still tells the scale. */
qmtcnn_status qmt_ptq_round(const qmt_ptq_job *job, const float *scales);

#endif
