#include "toolkit/net/net_internal.h"

#include <math.h>

typedef struct forward_task {
    qmt_net *net;
    qmt_pass *pass;
    int layer;
    bool finish_first; /* the layer before is not finished yet */
} forward_task;

/* Normalization, activation and pool of one layer; its output is the next one's input. */
static void finish_layer(const qmt_net *net, qmt_pass *pass, int index, int group)
{
    qmt_layer_pass *layer = &pass->layers[index];
    size_t g = (size_t)group, channels = (size_t)layer->conv.out_channels;
    qmt_finish_values values = {qmt_row(layer, qmt_row_scale), qmt_row(layer, qmt_row_shift), net->layers[index].slope,
                                layer->direction};
    pass->kernels->finish(&layer->finish, &values, layer->y + g * layer->conv_size,
                          pass->layers[index + 1].x + g * layer->out_size,
                          layer->peak ? layer->peak + g * layer->out_size : NULL,
                          layer->place ? layer->place + g * layer->out_size : NULL, layer->maxima + g * channels);
}

static void finish_group(void *state, int group, int worker)
{
    (void)worker;
    const forward_task *task = state;
    finish_layer(task->net, task->pass, task->layer, group);
}

static void start_group(void *state, int group, int worker)
{
    const forward_task *task = state;
    qmt_pass *pass = task->pass;
    qmt_layer_pass *layer = &pass->layers[task->layer];
    size_t g = (size_t)group, channels = (size_t)layer->conv.out_channels;
    if (task->finish_first)
        finish_layer(task->net, pass, task->layer - 1, group);
    float *x = qmt_layer_input(pass, task->layer, group);
    if (layer->quantized) {
        const float *from = task->layer == 0 ? pass->input + g * layer->in_size : x;
        uint8_t *passes = layer->passes ? layer->passes + g * layer->in_size : NULL;
        layer->clipped[group] = pass->kernels->fake_quantize(from, x, passes, layer->in_size, layer->input_scale);
    }
    qmt_conv_pool pool = {&layer->finish, layer->direction, NULL, NULL};
    if (layer->place) {
        pool.peak = layer->peak + g * layer->out_size;
        pool.place = layer->place + g * layer->out_size;
    }
    pass->kernels->convolve(&layer->conv, x, layer->packed, task->net->layers[task->layer].bias,
                            qmt_row(layer, qmt_row_center), layer->y + g * layer->conv_size,
                            layer->place ? &pool : NULL, pass->scratch[worker], layer->sums + g * 3 * channels);
}

/* Sums over all groups of all ranks, in the tree's order; the first group's place takes the result. */
static qmtcnn_status sum_statistics(qmt_pass *pass, qmt_layer_pass *layer, int groups, bool all_ranks,
                                    qmtcnn_error *error)
{
    size_t channels = (size_t)layer->conv.out_channels;
    qmt_sum_doubles(layer->sums, 3 * channels, 2 * channels, groups);
    if (!all_ranks || qmt_ranks_size(pass->ranks) == 1)
        return QMTCNN_OK;
    return qmt_ranks_sum_double(pass->ranks, layer->sums, 2 * channels, error);
}

/* Batch statistics, the running ones' update, and z = scale * y + shift. `count`: values a channel, in all ranks. */
static void set_normalization(qmt_net *net, qmt_layer_pass *layer, int index, double count, const qmt_net_state *state)
{
    qmt_layer_values *values = &net->layers[index];
    float *scale = qmt_row(layer, qmt_row_scale), *shift = qmt_row(layer, qmt_row_shift);
    float *center = qmt_row(layer, qmt_row_center), *inverse = qmt_row(layer, qmt_row_inverse);
    for (int c = 0; c < layer->conv.out_channels; c++) {
        if (!values->gamma) {
            scale[c] = inverse[c] = 1;
            shift[c] = 0;
            continue;
        }
        double mean = values->mean[c], variance = values->variance[c];
        if (state->training && !state->batch_norm_frozen) {
            double off = layer->sums[2 * c] / count, momentum = state->batch_norm_momentum;
            mean = center[c] + off;
            variance = layer->sums[2 * c + 1] / count - off * off;
            variance = variance > 0 ? variance : 0;
            double unbiased = count > 1 ? variance * count / (count - 1) : variance;
            values->mean[c] = (float)((1 - momentum) * values->mean[c] + momentum * mean);
            values->variance[c] = (float)((1 - momentum) * values->variance[c] + momentum * unbiased);
        }
        double inverse_deviation = 1 / sqrt(variance + qmt_batch_norm_epsilon);
        center[c] = (float)mean;
        inverse[c] = (float)inverse_deviation;
        scale[c] = (float)(values->gamma[c] * inverse_deviation);
        shift[c] = (float)(values->beta[c] - mean * values->gamma[c] * inverse_deviation);
    }
}

/* Normalization with a negative gamma turns the order around; so would a falling slope on one side only. */
static void set_directions(const qmt_layer_values *values, qmt_layer_pass *layer)
{
    for (int c = 0; c < layer->conv.out_channels; c++) {
        int8_t direction = values->gamma && values->gamma[c] < 0 ? -1 : 1;
        layer->direction[c] = values->slope && !(values->slope[c] >= 0) ? 0 : direction;
    }
}

/* One layer's convolution over the batch, and what its finish needs. */
static qmtcnn_status run_layer(forward_task *task, int groups, const qmt_net_state *state, qmtcnn_error *error)
{
    qmt_net *net = task->net;
    qmt_pass *pass = task->pass;
    qmt_layer_pass *layer = &pass->layers[task->layer];
    const qmt_layer_values *values = &net->layers[task->layer];
    float *center = qmt_row(layer, qmt_row_center);
    for (int c = 0; c < layer->conv.out_channels; c++)
        center[c] = values->mean ? values->mean[c] : 0;
    if (layer->direction)
        set_directions(values, layer);
    layer->input_scale = task->layer == 0 ? qmt_input_scale() : qmt_scale_for(values->input_range);
    qmt_pool_run(pass->pool, groups, start_group, task);
    bool all_ranks = state->training || state->mode == QMT_MODE_CALIBRATE;
    qmtcnn_status status = sum_statistics(pass, layer, groups, all_ranks, error);
    if (status != QMTCNN_OK)
        return status;
    for (int c = 0; c < layer->conv.out_channels; c++)
        if (!isfinite(layer->sums[2 * c + 1]))
            return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "%s: NaN or infinity in the output of layer %s (channel %d)",
                            qmt_net_name(net->table.id), net->table.layers[task->layer].name, c);
    double area = (double)layer->conv.out_side * layer->conv.out_side;
    double ranks = all_ranks ? qmt_ranks_size(pass->ranks) : 1;
    set_normalization(net, layer, task->layer, area * groups * qmt_lanes * ranks, state);
    return QMTCNN_OK;
}

static qmtcnn_status check_forward(const qmt_net *net, const qmt_pass *pass, int groups, const qmt_net_state *state,
                                   qmtcnn_error *error)
{
    if (groups < 1 || groups > pass->groups)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%d groups: this pass has room for 1 to %d", groups,
                        pass->groups);
    int unknown = qmt_layer_without_range(net, pass);
    if (unknown >= 0 && !qmt_observes(pass, unknown, state))
        return qmt_fail(
            error, QMTCNN_ERROR_ARGUMENT,
            "%s: the range of layer %s's input is not known yet: calibrate, or train with observers on, first",
            qmt_net_name(net->table.id), net->table.layers[unknown].name);
    return QMTCNN_OK;
}

qmtcnn_status qmt_net_forward(qmt_net *net, qmt_pass *pass, int groups, const qmt_net_state *state, qmtcnn_error *error)
{
    pass->can_go_back = false;
    qmt_prepare_weights(net, pass, state);
    qmtcnn_status status = check_forward(net, pass, groups, state, error);
    if (status != QMTCNN_OK)
        return status;
    pass->last_groups = groups;
    forward_task task = {net, pass, 0, false};
    for (int i = 0; i < net->table.layer_count; i++) {
        task.layer = i;
        status = run_layer(&task, groups, state, error);
        /* A range that this very batch moves must be known before its values are quantized. */
        task.finish_first = !qmt_observes(pass, i + 1, state);
        if (status == QMTCNN_OK && !task.finish_first) {
            qmt_pool_run(pass->pool, groups, finish_group, &task);
            status = qmt_observe_input(net, pass, i + 1, groups, state, error);
        }
        if (status != QMTCNN_OK)
            return status;
    }
    pass->can_go_back = state->training;
    return QMTCNN_OK;
}
