#include "toolkit/net/net_internal.h"

#include "toolkit/base/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Arrays start on cache lines. */
static size_t padded(size_t count)
{
    return (count + 15) / 16 * 16;
}

static size_t layer_weights(const qmt_net_layer *layer)
{
    return (size_t)layer->out_channels * (size_t)layer->in_channels * (size_t)layer->kernel * (size_t)layer->kernel;
}

/* Describes one array; its memory comes later. `learns`: has a gradient. */
static void add_parameter(qmt_net *net, const qmt_net_layer *layer, const char *what, int dims, bool learns, bool decay)
{
    qmt_parameter *parameter = &net->parameters[net->parameter_count];
    char *name = net->names[net->parameter_count++];
    snprintf(name, sizeof net->names[0], "%s.%s", layer->name, what);
    parameter->name = name;
    parameter->dims = dims;
    parameter->shape[0] = (size_t)layer->out_channels;
    parameter->shape[1] = (size_t)layer->in_channels;
    parameter->shape[2] = parameter->shape[3] = (size_t)layer->kernel;
    parameter->count = parameter->shape[0];
    for (int i = dims; i < 4; i++)
        parameter->shape[i] = 0;
    if (dims == 4)
        parameter->count = layer_weights(layer);
    parameter->decay = decay;
    parameter->gradient = learns ? net->values : NULL; /* a mark: set by place_parameters() */
}

static void add_parameters(qmt_net *net)
{
    for (int i = 0; i < net->table.layer_count; i++) {
        const qmt_net_layer *layer = &net->table.layers[i];
        add_parameter(net, layer, "weight", 4, true, true);
        if (layer->batch_norm) {
            add_parameter(net, layer, "bn.gamma", 1, true, false);
            add_parameter(net, layer, "bn.beta", 1, true, false);
            add_parameter(net, layer, "bn.mean", 1, false, false);
            add_parameter(net, layer, "bn.variance", 1, false, false);
        } else {
            add_parameter(net, layer, "bias", 1, true, false);
        }
        if (layer->activation == QMT_ACTIVATION_PRELU)
            add_parameter(net, layer, "slope", 1, true, false);
    }
}

/* Gives each array its place in the net's two blocks. */
static void place_parameters(qmt_net *net)
{
    size_t offset = 0;
    for (int i = 0; i < net->parameter_count; i++) {
        qmt_parameter *parameter = &net->parameters[i];
        parameter->value = net->values + offset;
        parameter->gradient = parameter->gradient ? net->gradients + offset : NULL;
        offset += padded(parameter->count);
    }
    const qmt_parameter *next = net->parameters;
    for (int i = 0; i < net->table.layer_count; i++) {
        const qmt_net_layer *layer = &net->table.layers[i];
        qmt_layer_values *values = &net->layers[i];
        values->weight = next->value;
        values->weight_gradient = next++->gradient;
        if (layer->batch_norm) {
            values->gamma = next->value;
            values->gamma_gradient = next++->gradient;
            values->beta = next->value;
            values->beta_gradient = next++->gradient;
            values->mean = next++->value;
            values->variance = next++->value;
        } else {
            values->bias = next->value;
            values->bias_gradient = next++->gradient;
        }
        if (layer->activation == QMT_ACTIVATION_PRELU) {
            values->slope = next->value;
            values->slope_gradient = next++->gradient;
        }
    }
}

static void fill(float *values, int count, float value)
{
    for (int i = 0; values && i < count; i++)
        values[i] = value;
}

/* He and others (2015), equation 15, for PReLU; ReLU is slope 0. The heads start at a tenth of what keeps their input's
 * variance: boxes and landmarks are small numbers, and random outputs ten times as large are lowered soonest by
 * silencing the layer before, half of whose units never came back. */
static void initialize(qmt_net *net, uint64_t seed)
{
    const float first_slope = 0.25f;
    const double head_gain = 0.01;
    for (int i = 0; i < net->table.layer_count; i++) {
        const qmt_net_layer *layer = &net->table.layers[i];
        qmt_layer_values *values = &net->layers[i];
        qmt_random random = qmt_random_stream(seed, (uint64_t)net->table.id, (uint64_t)i);
        double gain = layer->activation == QMT_ACTIVATION_RELU    ? 2.0
                      : layer->activation == QMT_ACTIVATION_PRELU ? 2.0 / (1.0 + first_slope * first_slope)
                                                                  : head_gain;
        float deviation = (float)sqrt(gain / ((double)layer->in_channels * layer->kernel * layer->kernel));
        size_t count = layer_weights(layer);
        for (size_t k = 0; k < count; k++)
            values->weight[k] = deviation * qmt_random_normal(&random);
        fill(values->gamma, layer->out_channels, 1.0f);
        fill(values->variance, layer->out_channels, 1.0f);
        fill(values->slope, layer->out_channels, first_slope);
    }
}

qmtcnn_status qmt_net_create(const qmt_net_table *table, uint64_t seed, qmt_net **result, qmtcnn_error *error)
{
    *result = NULL;
    qmt_net *net = qmt_alloc_zero(1, sizeof *net);
    if (!net)
        return qmt_fail_memory(error, sizeof *net, "a network");
    net->table = *table;
    qmtcnn_status status = qmt_net_table_check(&net->table, error);
    if (status != QMTCNN_OK) {
        qmt_net_free(net);
        return status;
    }
    size_t total = 0;
    for (int i = 0; i < net->table.layer_count; i++)
        total += padded(layer_weights(&net->table.layers[i])) + 5 * padded((size_t)net->table.layers[i].out_channels);
    net->values = qmt_alloc_zero(total, sizeof(float));
    net->gradients = qmt_alloc_zero(total, sizeof(float));
    if (!net->values || !net->gradients) {
        qmt_net_free(net);
        return qmt_fail_memory(error, 2 * total * sizeof(float), "a network's parameters");
    }
    add_parameters(net);
    place_parameters(net);
    initialize(net, seed);
    *result = net;
    return QMTCNN_OK;
}

void qmt_net_free(qmt_net *net)
{
    if (!net)
        return;
    qmt_free(net->gradients);
    qmt_free(net->values);
    qmt_free(net);
}

const qmt_net_table *qmt_net_get_table(const qmt_net *net)
{
    return &net->table;
}

const qmt_parameter *qmt_net_parameters(qmt_net *net, int *count)
{
    *count = net->parameter_count;
    return net->parameters;
}
