/* What the files of toolkit/net share. */
#ifndef QMT_NET_INTERNAL_H
#define QMT_NET_INTERNAL_H

#include "toolkit/net/net.h"
#include "toolkit/net/net_kernels.h"

/* torch's default; also the folding of exported networks uses it. */
static const double qmt_batch_norm_epsilon = 1e-5;

enum { qmt_net_max_parameters = 6 * qmt_net_max_layers, qmt_net_max_channels = 1024 };

/* A layer's arrays: where there is no such thing, NULL. All belong to the net. */
typedef struct qmt_layer_values {
    float *weight, *bias, *gamma, *beta, *mean, *variance, *slope;
    float *weight_gradient, *bias_gradient, *gamma_gradient, *beta_gradient, *slope_gradient;
    qmt_observer input; /* watches the layer's input; unused in the first layer */
    float input_range;  /* what input is quantized with: up to +-range; 0: not known yet */
} qmt_layer_values;

struct qmt_net {
    qmt_net_table table;
    qmt_layer_values layers[qmt_net_max_layers];
    qmt_parameter parameters[qmt_net_max_parameters];
    char names[qmt_net_max_parameters][32];
    int parameter_count;
    float *values, *gradients; /* all arrays above, one after the other */
};

/* Memory of one layer in a pass. [groups] is the first axis of all. */
typedef struct qmt_layer_pass {
    qmt_conv_shape conv; /* over the whole map: as a 1 x 1 convolution of as many channels as taps */
    qmt_finish_shape finish;
    size_t in_size, conv_size, out_size, weights; /* floats in a group's x, y, pooled map; in weight */
    float *x;        /* the (quantized) input; backward leaves the gradient of the layer before's output here */
    uint8_t *passes; /* QAT: the estimator's mask of x; not in the first layer */
    float *y;        /* convolution; backward leaves its gradient here, but not in the heads */
    float *peak;     /* with a pool: the y that won */
    uint8_t *place;
    int8_t *direction;                       /* with a pool, see qmt_finish_values: [out channels] */
    float *effective, *packed, *packed_back; /* weights that the convolution uses, and both packings */
    double *sums;                            /* [groups][3 channels] */
    float *maxima;                           /* [groups][out channels] */
    uint64_t *clipped;                       /* [groups]: input values that were clipped */
    float *coefficients;                     /* [qmt_row_count][out channels] */
    bool quantized;                          /* in the last forward pass: weights and input */
    float input_scale, weight_range;
} qmt_layer_pass;

/* Rows of qmt_layer_pass.coefficients. */
enum {
    qmt_row_scale, /* z = scale * y + shift */
    qmt_row_shift,
    qmt_row_center,  /* forward: what sums are taken around; then the mean that normalization used */
    qmt_row_inverse, /* 1 / standard deviation that normalization used */
    qmt_row_slope,   /* qmt_norm_gradient */
    qmt_row_offset,
    qmt_row_gain,
    qmt_row_count
};

struct qmt_pass {
    qmt_net_table table; /* the net's */
    const qmt_net_kernels *kernels;
    qmt_pool *pool;
    qmt_ranks *ranks;
    int groups, workers; /* room for */
    qmt_layer_pass layers[qmt_net_max_layers];
    float *input, *output_gradient;
    float *gradients;  /* [groups][largest layer]: dw before the sum */
    float **scratch;   /* [workers]: of kernels */
    uint64_t *bins;    /* [workers][qmt_histogram_bins] */
    float *all_maxima; /* [ranks] */
    size_t bytes;
    int last_groups;  /* of the last forward pass */
    bool can_go_back; /* the last forward pass was for training, and backward did not use it up yet */
};

/* The input of a layer's convolution. */
static inline float *qmt_layer_input(const qmt_pass *pass, int layer, int group)
{
    const qmt_layer_pass *l = &pass->layers[layer];
    float *all = layer == 0 && !l->quantized ? pass->input : l->x;
    return all + (size_t)group * l->in_size;
}

static inline float *qmt_row(const qmt_layer_pass *layer, int row)
{
    return layer->coefficients + (size_t)row * (size_t)layer->conv.out_channels;
}

/* ---- table.c */
/* Checks a table's sizes against each other and against limits; fills in conv_side and out_side. */
qmtcnn_status qmt_net_table_check(qmt_net_table *table, qmtcnn_error *error);
/* A table as one line of text, and back. */
enum { qmt_table_text_size = 1024 };
void qmt_net_table_text(const qmt_net_table *table, char text[qmt_table_text_size]);
qmtcnn_status qmt_net_table_parse(const char *text, qmt_net_table *table, qmtcnn_error *error);

/* ---- fold.c */
/* scale[c] = gamma / sqrt(variance + epsilon), 1 without batch normalization. Never 0, so that one can divide by it:
 * smaller values become +-1e-8. */
void qmt_fold_scales(const qmt_net_layer *layer, const qmt_layer_values *values, double *scale);
/* Folded weights weight * scale[c], rounded once. */
void qmt_fold_weights(const qmt_net_layer *layer, const qmt_layer_values *values, const double *scale, float *folded);
/* Weight scales of folded weights, per channel or all the same; returns the largest |w|. */
float qmt_weight_scales(const qmt_net_layer *layer, const float *folded, bool per_channel, float *scales);
/* Makes the weights that each layer's convolution uses, and packs them. */
void qmt_prepare_weights(const qmt_net *net, qmt_pass *pass, const qmt_net_state *state);

/* ---- sums.c: the fixed tree over groups. `items`: [groups][stride]; the sum ends in the first. */
void qmt_sum_floats(float *items, size_t stride, size_t count, int groups);
void qmt_sum_doubles(double *items, size_t stride, size_t count, int groups);

/* ---- observe.c */
/* The first quantized layer without a known input range; -1: none. The first layer's range is fixed. */
int qmt_layer_without_range(const qmt_net *net, const qmt_pass *pass);
/* Does this pass watch the input of layer `layer`? */
bool qmt_observes(const qmt_pass *pass, int layer, const qmt_net_state *state);
/* After the finish of the layer before in all groups of all ranks: takes layer's input into its observer; in QAT also
 * moves its range. */
qmtcnn_status qmt_observe_input(qmt_net *net, qmt_pass *pass, int layer, int groups, const qmt_net_state *state,
                                qmtcnn_error *error);

#endif
