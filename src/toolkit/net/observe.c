#include "toolkit/net/net_internal.h"

#include <math.h>
#include <string.h>

int qmt_layer_without_range(const qmt_net *net, const qmt_pass *pass)
{
    for (int i = 1; i < net->table.layer_count; i++)
        if (pass->layers[i].quantized && !(net->layers[i].input_range > 0))
            return i;
    return -1;
}

bool qmt_observes(const qmt_pass *pass, int layer, const qmt_net_state *state)
{
    if (layer == 0 || layer >= pass->table.layer_count || state->observers_frozen)
        return false;
    return state->mode == QMT_MODE_CALIBRATE ||
           (state->mode == QMT_MODE_QAT && state->training && pass->layers[layer].quantized);
}

/* The largest |x| of a layer's input in the batch, over all ranks. */
static qmtcnn_status batch_maximum(qmt_pass *pass, int layer, int groups, float *result, qmtcnn_error *error)
{
    const qmt_layer_pass *before = &pass->layers[layer - 1];
    size_t count = (size_t)groups * (size_t)before->conv.out_channels;
    float mine = 0;
    for (size_t i = 0; i < count; i++)
        mine = fmaxf(mine, before->maxima[i]);
    int ranks = qmt_ranks_size(pass->ranks);
    *result = mine;
    if (ranks == 1)
        return QMTCNN_OK;
    qmtcnn_status status = qmt_ranks_gather(pass->ranks, &mine, sizeof mine, pass->all_maxima, error);
    for (int i = 0; i < ranks && status == QMTCNN_OK; i++)
        *result = fmaxf(*result, pass->all_maxima[i]);
    return status;
}

typedef struct count_task {
    qmt_pass *pass;
    int layer;
    float limit;
} count_task;

static void count_group(void *state, int group, int worker)
{
    const count_task *task = state;
    const qmt_layer_pass *layer = &task->pass->layers[task->layer];
    qmt_count_values(task->limit, layer->x + (size_t)group * layer->in_size, layer->in_size,
                     task->pass->bins + (size_t)worker * qmt_histogram_bins);
}

/* Counts are whole numbers: any order gives the same sums. */
static qmtcnn_status count_batch(qmt_pass *pass, int layer, int groups, qmt_observer *observer, qmtcnn_error *error)
{
    count_task task = {pass, layer, observer->histogram_limit};
    memset(pass->bins, 0, (size_t)pass->workers * qmt_histogram_bins * sizeof *pass->bins);
    qmt_pool_run(pass->pool, groups, count_group, &task);
    double sums[qmt_histogram_bins];
    for (int bin = 0; bin < qmt_histogram_bins; bin++) {
        uint64_t sum = 0;
        for (int worker = 0; worker < pass->workers; worker++)
            sum += pass->bins[(size_t)worker * qmt_histogram_bins + (size_t)bin];
        sums[bin] = (double)sum;
    }
    qmtcnn_status status = QMTCNN_OK;
    if (qmt_ranks_size(pass->ranks) > 1)
        status = qmt_ranks_sum_double(pass->ranks, sums, qmt_histogram_bins, error);
    for (int bin = 0; bin < qmt_histogram_bins && status == QMTCNN_OK; bin++)
        observer->histogram[bin] += (uint64_t)sums[bin];
    return status;
}

qmtcnn_status qmt_observe_input(qmt_net *net, qmt_pass *pass, int layer, int groups, const qmt_net_state *state,
                                qmtcnn_error *error)
{
    qmt_layer_values *values = &net->layers[layer];
    const qmt_quantize_config *config = &state->quantize;
    bool calibrate = state->mode == QMT_MODE_CALIBRATE;
    qmt_observer_kind kind = calibrate ? config->calibration_observer : config->activation_observer;
    float maximum;
    qmtcnn_status status = batch_maximum(pass, layer, groups, &maximum, error);
    if (status != QMTCNN_OK)
        return status;
    if (!isfinite(maximum))
        return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "%s: infinite values after layer %s", qmt_net_name(net->table.id),
                        net->table.layers[layer - 1].name);
    qmt_observe_range(&values->input, kind, config->observer_momentum, maximum);
    if (calibrate || qmt_observer_counts(kind)) {
        qmt_observer_make_room(&values->input, maximum);
        status = count_batch(pass, layer, groups, &values->input, error);
    }
    if (!calibrate)
        values->input_range = qmt_observer_range(&values->input, kind, config->percentile);
    return status;
}

void qmt_net_reset_observers(qmt_net *net)
{
    for (int i = 0; i < net->table.layer_count; i++) {
        qmt_observer_reset(&net->layers[i].input);
        net->layers[i].input_range = 0;
    }
}

void qmt_net_finish_calibration(qmt_net *net, const qmt_quantize_config *quantize)
{
    for (int i = 1; i < net->table.layer_count; i++) {
        qmt_layer_values *values = &net->layers[i];
        if (values->input.batches == 0)
            continue;
        values->input_range = qmt_observer_range(&values->input, quantize->calibration_observer, quantize->percentile);
        values->input.maximum = values->input_range;
    }
}

void qmt_net_set_input_range(qmt_net *net, int layer, float range)
{
    qmt_layer_values *values = &net->layers[layer];
    qmt_observer_reset(&values->input);
    values->input_range = values->input.maximum = range;
    values->input.batches = 1;
}

/* Share of output channels that were 0 in all groups. */
static float dead_share(const qmt_layer_pass *layer, int groups)
{
    int channels = layer->conv.out_channels, dead = 0;
    for (int c = 0; c < channels; c++) {
        float most = 0;
        for (int group = 0; group < groups; group++)
            most = fmaxf(most, layer->maxima[(size_t)group * (size_t)channels + (size_t)c]);
        dead += most == 0 ? 1 : 0;
    }
    return groups > 0 ? (float)dead / (float)channels : 0;
}

int qmt_net_quant_stats(const qmt_net *net, const qmt_pass *pass, qmt_layer_quant_stats stats[qmt_net_max_layers])
{
    int count = net->table.layer_count;
    for (int i = 0; i < count; i++) {
        const qmt_layer_pass *layer = &pass->layers[i];
        uint64_t clipped = 0;
        for (int group = 0; group < pass->last_groups && layer->quantized; group++)
            clipped += layer->clipped[group];
        double all = (double)pass->last_groups * (double)layer->in_size;
        stats[i].name = net->table.layers[i].name;
        stats[i].input_range = i == 0 ? qmt_input_scale() * 127.0f : net->layers[i].input_range;
        stats[i].input_saturation = all > 0 ? (float)((double)clipped / all) : 0;
        stats[i].weight_range = layer->weight_range;
        stats[i].dead_channels = i + 1 < count ? dead_share(layer, pass->last_groups) : 0;
    }
    return count;
}
