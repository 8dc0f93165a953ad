#include "toolkit/net/net_internal.h"

#include <math.h>
#include <string.h>

typedef struct backward_task {
    qmt_net *net;
    qmt_pass *pass;
    int layer, groups;
    size_t stride; /* of pass->gradients */
} backward_task;

/* Where the gradient with respect to a layer's output lies. */
static float *output_gradient(qmt_pass *pass, int index, int group)
{
    const qmt_layer_pass *layer = &pass->layers[index];
    float *all = index + 1 < pass->table.layer_count ? pass->layers[index + 1].x : pass->output_gradient;
    return all + (size_t)group * layer->out_size;
}

/* Back through pool and activation, and the sums that normalization needs. */
static void unfinish_layer(const qmt_net *net, qmt_pass *pass, int index, int group)
{
    qmt_layer_pass *layer = &pass->layers[index];
    size_t g = (size_t)group, channels = (size_t)layer->conv.out_channels;
    qmt_finish_values values = {qmt_row(layer, qmt_row_scale), qmt_row(layer, qmt_row_shift), net->layers[index].slope,
                                layer->direction};
    const float *winner = layer->peak ? layer->peak + g * layer->out_size : layer->y + g * layer->conv_size;
    pass->kernels->finish_gradient(&layer->finish, &values, winner, qmt_row(layer, qmt_row_center),
                                   output_gradient(pass, index, group), layer->sums + g * 3 * channels);
}

static void unfinish_group(void *state, int group, int worker)
{
    (void)worker;
    const backward_task *task = state;
    unfinish_layer(task->net, task->pass, task->layer, group);
}

/* Back through normalization and convolution, and into the layer before. */
static void unconvolve_group(void *state, int group, int worker)
{
    const backward_task *task = state;
    qmt_pass *pass = task->pass;
    qmt_layer_pass *layer = &pass->layers[task->layer];
    size_t g = (size_t)group;
    qmt_norm_gradient norm = {qmt_row(layer, qmt_row_gain), qmt_row(layer, qmt_row_slope),
                              qmt_row(layer, qmt_row_center), qmt_row(layer, qmt_row_offset)};
    /* In the heads dz is dy already, and their output stays readable. */
    bool heads = task->layer + 1 == pass->table.layer_count;
    const uint8_t *place = layer->place ? layer->place + g * layer->out_size : NULL;
    float *y = layer->y + g * layer->conv_size;
    qmt_output_gradient gradient = {
        &layer->finish, heads ? NULL : &norm, output_gradient(pass, task->layer, group), place, y, task->layer > 0};
    float *x = qmt_layer_input(pass, task->layer, group);
    pass->kernels->weight_gradient(&layer->conv, x, &gradient, pass->scratch[worker],
                                   pass->gradients + g * task->stride);
    if (task->layer == 0)
        return;
    const uint8_t *passes = layer->quantized ? layer->passes + g * layer->in_size : NULL;
    pass->kernels->input_gradient(&layer->conv, heads ? gradient.dz : y, layer->packed_back, passes, x);
    unfinish_layer(task->net, pass, task->layer - 1, group);
}

enum { sum_chunk = 4096 };

static void sum_gradients(void *state, int index, int worker)
{
    (void)worker;
    const backward_task *task = state;
    size_t start = (size_t)index * sum_chunk, all = task->pass->layers[task->layer].weights;
    size_t count = all - start < sum_chunk ? all - start : sum_chunk;
    float *items = task->pass->gradients + start;
    qmt_sum_floats(items, task->stride, count, task->groups);
    memcpy(task->net->layers[task->layer].weight_gradient + start, items, count * sizeof *items);
}

/* Gradients of normalization, bias and slope, and the coefficients of dy. `count` as in set_normalization(). */
static void set_norm_gradient(qmt_net *net, qmt_layer_pass *layer, int index, double count, bool batch_statistics)
{
    qmt_layer_values *values = &net->layers[index];
    for (int c = 0; c < layer->conv.out_channels; c++) {
        double sum = layer->sums[3 * c], product = layer->sums[3 * c + 1];
        double inverse = qmt_row(layer, qmt_row_inverse)[c], gain = values->gamma ? values->gamma[c] * inverse : 1;
        bool through = values->gamma && batch_statistics;
        qmt_row(layer, qmt_row_gain)[c] = (float)gain;
        qmt_row(layer, qmt_row_slope)[c] = through ? (float)(-gain * product * inverse * inverse / count) : 0;
        qmt_row(layer, qmt_row_offset)[c] = through ? (float)(-gain * sum / count) : 0;
        if (values->gamma) {
            values->gamma_gradient[c] = (float)(product * inverse);
            values->beta_gradient[c] = (float)sum;
        } else {
            values->bias_gradient[c] = (float)sum;
        }
        if (values->slope)
            values->slope_gradient[c] = (float)layer->sums[3 * c + 2];
    }
}

/* Folded quantization computes y = convolution(x, fake(w s)) / s with s = gamma / deviation, and the estimator takes
 * fake for the identity: gamma also learns through s, by sum of dw * (w - fake(w s) / s) / gamma. */
static void add_fold_gradient(qmt_net *net, const qmt_layer_pass *layer, int index)
{
    qmt_layer_values *values = &net->layers[index];
    size_t rest = layer->weights / (size_t)layer->conv.out_channels;
    for (int c = 0; c < layer->conv.out_channels; c++) {
        if (fabsf(values->gamma[c]) < 1e-8f)
            continue;
        double sum = 0;
        for (size_t i = (size_t)c * rest; i < (size_t)(c + 1) * rest; i++)
            sum += (double)values->weight_gradient[i] * ((double)values->weight[i] - (double)layer->effective[i]);
        values->gamma_gradient[c] = (float)(values->gamma_gradient[c] + sum / values->gamma[c]);
    }
}

static qmtcnn_status check_gradients(const qmt_net *net, qmtcnn_error *error)
{
    for (int i = 0; i < net->parameter_count; i++) {
        const qmt_parameter *parameter = &net->parameters[i];
        /* A product with 0 is 0 unless it is NaN: the sum tells, and the loop stays short. */
        float sums[16] = {0};
        for (size_t k = 0; parameter->gradient && k < parameter->count; k++)
            sums[k % 16] += parameter->gradient[k] * 0.0f;
        for (int k = 0; k < 16; k++)
            if (sums[k] != 0.0f)
                return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "%s: NaN or infinity in the gradient of %s",
                                qmt_net_name(net->table.id), parameter->name);
    }
    return QMTCNN_OK;
}

static qmtcnn_status back_through(backward_task *task, const qmt_net_state *state, qmtcnn_error *error)
{
    qmt_net *net = task->net;
    qmt_pass *pass = task->pass;
    qmt_layer_pass *layer = &pass->layers[task->layer];
    size_t channels = (size_t)layer->conv.out_channels;
    int ranks = qmt_ranks_size(pass->ranks);
    qmtcnn_status status = QMTCNN_OK;
    qmt_sum_doubles(layer->sums, 3 * channels, 3 * channels, task->groups);
    if (ranks > 1)
        status = qmt_ranks_sum_double(pass->ranks, layer->sums, 3 * channels, error);
    if (status != QMTCNN_OK)
        return status;
    double area = (double)layer->conv.out_side * layer->conv.out_side;
    set_norm_gradient(net, layer, task->layer, area * task->groups * qmt_lanes * ranks, !state->batch_norm_frozen);
    qmt_pool_run(pass->pool, task->groups, unconvolve_group, task);
    qmt_pool_run(pass->pool, (int)((layer->weights + sum_chunk - 1) / sum_chunk), sum_gradients, task);
    if (ranks > 1)
        status = qmt_ranks_sum(pass->ranks, net->layers[task->layer].weight_gradient, layer->weights, error);
    if (layer->quantized && net->layers[task->layer].gamma)
        add_fold_gradient(net, layer, task->layer);
    return status;
}

qmtcnn_status qmt_net_backward(qmt_net *net, qmt_pass *pass, int groups, const qmt_net_state *state,
                               qmtcnn_error *error)
{
    if (!pass->can_go_back || groups != pass->last_groups)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "a backward pass of %d groups needs a training forward pass of as many before it", groups);
    pass->can_go_back = false;
    size_t stride = 0;
    for (int i = 0; i < net->table.layer_count; i++)
        stride = pass->layers[i].weights > stride ? pass->layers[i].weights : stride;
    backward_task task = {net, pass, net->table.layer_count - 1, groups, (stride + 15) / 16 * 16};
    qmt_pool_run(pass->pool, groups, unfinish_group, &task);
    qmtcnn_status status = QMTCNN_OK;
    for (; task.layer >= 0 && status == QMTCNN_OK; task.layer--)
        status = back_through(&task, state, error);
    return status == QMTCNN_OK ? check_gradients(net, error) : status;
}
