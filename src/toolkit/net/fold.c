#include "toolkit/net/net_internal.h"

#include <math.h>
#include <string.h>

void qmt_fold_scales(const qmt_net_layer *layer, const qmt_layer_values *values, double *scale)
{
    for (int c = 0; c < layer->out_channels; c++) {
        scale[c] = 1.0;
        if (!layer->batch_norm)
            continue;
        scale[c] = (double)values->gamma[c] / sqrt((double)values->variance[c] + qmt_batch_norm_epsilon);
        if (fabs(scale[c]) < 1e-8)
            scale[c] = copysign(1e-8, scale[c]);
    }
}

void qmt_fold_weights(const qmt_net_layer *layer, const qmt_layer_values *values, const double *scale, float *folded)
{
    size_t rest = (size_t)layer->in_channels * (size_t)layer->kernel * (size_t)layer->kernel;
    for (int c = 0; c < layer->out_channels; c++)
        for (size_t i = 0; i < rest; i++)
            folded[(size_t)c * rest + i] = (float)(scale[c] * (double)values->weight[(size_t)c * rest + i]);
}

float qmt_weight_scales(const qmt_net_layer *layer, const float *folded, bool per_channel, float *scales)
{
    size_t rest = (size_t)layer->in_channels * (size_t)layer->kernel * (size_t)layer->kernel;
    float most = 0;
    for (int c = 0; c < layer->out_channels; c++) {
        float largest = 0;
        for (size_t i = 0; i < rest; i++)
            largest = fmaxf(largest, fabsf(folded[(size_t)c * rest + i]));
        scales[c] = qmt_scale_for(largest);
        most = fmaxf(most, largest);
    }
    for (int c = 0; c < layer->out_channels && !per_channel; c++)
        scales[c] = qmt_scale_for(most);
    return most;
}

/* [out][in][k][k] -> blocks of output channels [in][k][k][n]. */
static void pack_forward(const qmt_conv_shape *s, int block, const float *weights, float *packed)
{
    size_t rest = (size_t)s->in_channels * (size_t)s->kernel * (size_t)s->kernel;
    for (int b = 0; b < qmt_block_count(s->out_channels, block); b++) {
        size_t start = (size_t)qmt_block_start(s->out_channels, block, b);
        size_t n = (size_t)qmt_block_start(s->out_channels, block, b + 1) - start;
        for (size_t i = 0; i < rest; i++)
            for (size_t o = 0; o < n; o++)
                packed[start * rest + i * n + o] = weights[(start + o) * rest + i];
    }
}

/* [out][in][k][k] -> blocks of input channels [out][k][k][n]. */
static void pack_backward(const qmt_conv_shape *s, int block, const float *weights, float *packed)
{
    size_t area = (size_t)s->kernel * (size_t)s->kernel, in = (size_t)s->in_channels, out = (size_t)s->out_channels;
    for (int b = 0; b < qmt_block_count(s->in_channels, block); b++) {
        size_t start = (size_t)qmt_block_start(s->in_channels, block, b);
        size_t n = (size_t)qmt_block_start(s->in_channels, block, b + 1) - start;
        float *to = packed + start * out * area;
        for (size_t o = 0; o < out; o++)
            for (size_t k = 0; k < area; k++)
                for (size_t i = 0; i < n; i++)
                    *to++ = weights[(o * in + start + i) * area + k];
    }
}

typedef struct prepare_task {
    const qmt_net *net;
    qmt_pass *pass;
    const qmt_net_state *state;
} prepare_task;

/* The weights of one layer: as they are, or folded, fake-quantized and unfolded again. */
static void prepare_layer(void *state, int index, int worker)
{
    (void)worker;
    const prepare_task *task = state;
    const qmt_net_layer *layer = &task->net->table.layers[index];
    const qmt_layer_values *values = &task->net->layers[index];
    qmt_layer_pass *to = &task->pass->layers[index];
    size_t rest = to->weights / (size_t)layer->out_channels;
    to->quantized = task->state->mode == QMT_MODE_QAT &&
                    !qmt_in_list(task->state->quantize.keep_fp32, qmt_net_name(task->net->table.id), layer->name);
    to->weight_range = 0;
    memcpy(to->effective, values->weight, to->weights * sizeof(float));
    if (task->state->mode != QMT_MODE_FP32) {
        /* The layer's own scratch: packing comes after it. */
        double scale[qmt_net_max_channels];
        float quantizer[qmt_net_max_channels], *folded = to->packed;
        qmt_fold_scales(layer, values, scale);
        qmt_fold_weights(layer, values, scale, folded);
        to->weight_range = qmt_weight_scales(layer, folded, task->state->quantize.per_channel, quantizer);
        for (int c = 0; to->quantized && c < layer->out_channels; c++) {
            float *row = to->effective + (size_t)c * rest;
            qmt_fake_quantize(folded + (size_t)c * rest, row, NULL, rest, quantizer[c]);
            for (size_t i = 0; i < rest && layer->batch_norm; i++)
                row[i] = (float)((double)row[i] / scale[c]);
        }
    }
    pack_forward(&to->conv, task->pass->kernels->block, to->effective, to->packed);
    if (index > 0 && task->state->training)
        pack_backward(&to->conv, task->pass->kernels->block, to->effective, to->packed_back);
}

void qmt_prepare_weights(const qmt_net *net, qmt_pass *pass, const qmt_net_state *state)
{
    prepare_task task = {net, pass, state};
    qmt_pool_run(pass->pool, net->table.layer_count, prepare_layer, &task);
}
