/* An independent training network for tests: double precision, [sample][C][H][W], plain loops, no folding tricks.
 * Forward only: gradients come from central differences. Fake quantization is differentiable here because of a stand-in
 * with the straight-through estimator's slope: quantized + mask * (x - x_at_the_base_point). */
#ifndef QMT_TEST_REFERENCE_H
#define QMT_TEST_REFERENCE_H

#include "common/test.h"
#include "toolkit/base/random.h"
#include "toolkit/net/net_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ref_weight, ref_bias, ref_gamma, ref_beta, ref_mean, ref_variance, ref_slope, ref_arrays };

typedef struct ref_net {
    qmt_net_table table;
    int samples;
    bool batch_statistics;
    double *values[qmt_net_max_layers][ref_arrays];   /* NULL where the layer has none */
    double variance_at_fold[qmt_net_max_layers][256]; /* running variance before the forward pass */
    /* Quantization: set by ref_take_quantized(). */
    bool quantized[qmt_net_max_layers];
    bool recording; /* the next forward pass keeps its x and folded weights as the base point */
    double *base_x[qmt_net_max_layers], *quantized_x[qmt_net_max_layers], *mask[qmt_net_max_layers];
    double *base_w[qmt_net_max_layers], *quantized_w[qmt_net_max_layers];
    /* Which of a window won, from the pass: sums of whole numbers tie often, and at a tie central differences mean
     * nothing. */
    uint8_t *winner[qmt_net_max_layers];
    double batch_mean[qmt_net_max_layers][256], batch_variance[qmt_net_max_layers][256];
} ref_net;

static inline double *ref_alloc(size_t count)
{
    double *memory = calloc(count ? count : 1, sizeof *memory);
    assert_non_null(memory);
    return memory;
}

static inline size_t ref_weights(const qmt_net_layer *l)
{
    return (size_t)l->out_channels * (size_t)l->in_channels * (size_t)l->kernel * (size_t)l->kernel;
}

static inline size_t ref_inputs(const ref_net *ref, int layer)
{
    const qmt_net_layer *l = &ref->table.layers[layer];
    return (size_t)ref->samples * (size_t)l->in_channels * (size_t)l->in_side * (size_t)l->in_side;
}

/* The parameter "LAYER.WHAT" of a net, or NULL. */
static inline const qmt_parameter *find_parameter(qmt_net *net, const char *layer, const char *what)
{
    char name[64];
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(net, &count);
    snprintf(name, sizeof name, "%s.%s", layer, what);
    for (int i = 0; i < count; i++)
        if (strcmp(parameters[i].name, name) == 0)
            return &parameters[i];
    return NULL;
}

static inline const char *ref_array_name(int array)
{
    static const char *const names[ref_arrays] = {"weight",  "bias",        "bn.gamma", "bn.beta",
                                                  "bn.mean", "bn.variance", "slope"};
    return names[array];
}

static inline ref_net *ref_create(qmt_net *net, int samples, bool batch_statistics)
{
    ref_net *ref = calloc(1, sizeof *ref);
    assert_non_null(ref);
    ref->table = *qmt_net_get_table(net);
    ref->samples = samples;
    ref->batch_statistics = batch_statistics;
    for (int i = 0; i < ref->table.layer_count; i++) {
        for (int a = 0; a < ref_arrays; a++) {
            const qmt_parameter *p = find_parameter(net, ref->table.layers[i].name, ref_array_name(a));
            if (!p)
                continue;
            ref->values[i][a] = ref_alloc(p->count);
            for (size_t k = 0; k < p->count; k++)
                ref->values[i][a][k] = p->value[k];
        }
        for (int c = 0; c < ref->table.layers[i].out_channels && ref->values[i][ref_variance]; c++)
            ref->variance_at_fold[i][c] = ref->values[i][ref_variance][c];
    }
    return ref;
}

static inline void ref_free(ref_net *ref)
{
    for (int i = 0; i < qmt_net_max_layers; i++) {
        for (int a = 0; a < ref_arrays; a++)
            free(ref->values[i][a]);
        free(ref->base_x[i]);
        free(ref->quantized_x[i]);
        free(ref->mask[i]);
        free(ref->base_w[i]);
        free(ref->quantized_w[i]);
        free(ref->winner[i]);
    }
    free(ref);
}

static inline double ref_fold_scale(const ref_net *ref, int layer, int c)
{
    if (!ref->values[layer][ref_gamma])
        return 1;
    return ref->values[layer][ref_gamma][c] / sqrt(ref->variance_at_fold[layer][c] + 1e-5);
}

/* After a QAT forward pass: which layers it quantized, and the very values that it computed with. */
static inline void ref_take_quantized(ref_net *ref, const qmt_pass *pass)
{
    for (int l = 0; l < ref->table.layer_count; l++) {
        const qmt_layer_pass *from = &pass->layers[l];
        size_t inputs = ref_inputs(ref, l), per_sample = inputs / (size_t)ref->samples;
        ref->quantized[l] = from->quantized;
        size_t pooled = from->out_size / 16, all = pooled * (size_t)ref->samples;
        if (from->place) {
            ref->winner[l] = calloc(all, 1);
            assert_non_null(ref->winner[l]);
        }
        for (size_t i = 0; i < all && from->place; i++) {
            size_t sample = i / pooled;
            ref->winner[l][i] = from->place[sample / 16 * from->out_size + i % pooled * 16 + sample % 16];
        }
        if (!from->quantized)
            continue;
        ref->base_x[l] = ref_alloc(inputs);
        ref->quantized_x[l] = ref_alloc(inputs);
        ref->mask[l] = ref_alloc(inputs);
        ref->base_w[l] = ref_alloc(from->weights);
        ref->quantized_w[l] = ref_alloc(from->weights);
        for (size_t i = 0; i < inputs; i++) {
            size_t sample = i / per_sample, at = i % per_sample;
            ref->quantized_x[l][i] = from->x[sample / 16 * from->in_size + at * 16 + sample % 16];
        }
        size_t rest = from->weights / (size_t)from->conv.out_channels;
        for (size_t i = 0; i < from->weights; i++)
            ref->quantized_w[l][i] = from->effective[i] * ref_fold_scale(ref, l, (int)(i / rest));
    }
    ref->recording = true;
}

/* x with the stand-in for fake quantization, in place. */
static inline void ref_quantize_input(ref_net *ref, int l, double scale, double *x)
{
    size_t count = ref_inputs(ref, l);
    for (size_t i = 0; i < count; i++) {
        if (ref->recording) {
            ref->base_x[l][i] = x[i];
            ref->mask[l][i] = fabs(rint(x[i] / scale)) <= 127 ? 1 : 0;
        }
        x[i] = ref->quantized_x[l][i] + ref->mask[l][i] * (x[i] - ref->base_x[l][i]);
    }
}

static inline void ref_convolve(ref_net *ref, int l, const double *x, double *y)
{
    const qmt_net_layer *layer = &ref->table.layers[l];
    int in = layer->in_side, out = layer->conv_side, k = layer->kernel;
    size_t rest = ref_weights(layer) / (size_t)layer->out_channels;
    double *w = ref_alloc(ref_weights(layer));
    for (size_t i = 0; i < ref_weights(layer); i++) {
        double scale = ref_fold_scale(ref, l, (int)(i / rest));
        w[i] = ref->values[l][ref_weight][i];
        if (ref->quantized[l]) {
            double folded = w[i] * scale;
            if (ref->recording)
                ref->base_w[l][i] = folded;
            w[i] = (ref->quantized_w[l][i] + folded - ref->base_w[l][i]) / scale;
        }
    }
    for (int s = 0; s < ref->samples; s++)
        for (int o = 0; o < layer->out_channels; o++) {
            double *plane = y + ((size_t)s * (size_t)layer->out_channels + (size_t)o) * (size_t)(out * out);
            for (int i = 0; i < out * out; i++)
                plane[i] = ref->values[l][ref_bias] ? ref->values[l][ref_bias][o] : 0;
            for (int c = 0; c < layer->in_channels; c++)
                for (int t = 0; t < k * k; t++) {
                    const double *from =
                        x +
                        (((size_t)s * (size_t)layer->in_channels + (size_t)c) * (size_t)in + (size_t)(t / k)) *
                            (size_t)in +
                        t % k;
                    double weight =
                        w[((size_t)o * (size_t)layer->in_channels + (size_t)c) * (size_t)(k * k) + (size_t)t];
                    for (int row = 0; row < out; row++)
                        for (int column = 0; column < out; column++)
                            plane[row * out + column] += weight * from[row * in + column];
                }
        }
    free(w);
}

static inline void ref_normalize(ref_net *ref, int l, double *y)
{
    const qmt_net_layer *layer = &ref->table.layers[l];
    size_t area = (size_t)layer->conv_side * (size_t)layer->conv_side, channels = (size_t)layer->out_channels;
    for (size_t c = 0; c < channels && layer->batch_norm; c++) {
        double mean = 0, variance = 0, count = (double)area * ref->samples;
        for (size_t s = 0; s < (size_t)ref->samples; s++)
            for (size_t i = 0; i < area; i++)
                mean += y[(s * channels + c) * area + i] / count;
        for (size_t s = 0; s < (size_t)ref->samples; s++)
            for (size_t i = 0; i < area; i++)
                variance += pow(y[(s * channels + c) * area + i] - mean, 2) / count;
        ref->batch_mean[l][c] = mean;
        ref->batch_variance[l][c] = variance;
        if (!ref->batch_statistics) {
            mean = ref->values[l][ref_mean][c];
            variance = ref->values[l][ref_variance][c];
        }
        for (size_t s = 0; s < (size_t)ref->samples; s++)
            for (size_t i = 0; i < area; i++) {
                double *v = &y[(s * channels + c) * area + i];
                *v = (*v - mean) / sqrt(variance + 1e-5) * ref->values[l][ref_gamma][c] + ref->values[l][ref_beta][c];
            }
    }
}

static inline double ref_activate(const ref_net *ref, int l, int c, double z)
{
    switch (ref->table.layers[l].activation) {
    case QMT_ACTIVATION_RELU: return z > 0 ? z : 0;
    case QMT_ACTIVATION_PRELU: return z > 0 ? z : z * ref->values[l][ref_slope][c];
    default: return z;
    }
}

/* Activation and pool: windows are cut at the border. */
static inline double *ref_pool(const ref_net *ref, int l, const double *y)
{
    const qmt_net_layer *layer = &ref->table.layers[l];
    int side = layer->conv_side, out = layer->out_side;
    int kernel = layer->pool_kernel ? layer->pool_kernel : 1, stride = layer->pool_kernel ? layer->pool_stride : 1;
    size_t planes = (size_t)ref->samples * (size_t)layer->out_channels;
    double *result = ref_alloc(planes * (size_t)(out * out));
    for (size_t p = 0; p < planes; p++)
        for (int row = 0; row < out; row++)
            for (int column = 0; column < out; column++) {
                double best = -INFINITY;
                for (int i = row * stride; i < row * stride + kernel && i < side; i++)
                    for (int j = column * stride; j < column * stride + kernel && j < side; j++)
                        best = fmax(best, ref_activate(ref, l, (int)(p % (size_t)layer->out_channels),
                                                       y[p * (size_t)(side * side) + (size_t)(i * side + j)]));
                size_t to = p * (size_t)(out * out) + (size_t)(row * out + column);
                if (ref->winner[l]) {
                    int at = (row * stride + ref->winner[l][to] / kernel) * side + column * stride +
                             ref->winner[l][to] % kernel;
                    double won = ref_activate(ref, l, (int)(p % (size_t)layer->out_channels),
                                              y[p * (size_t)(side * side) + (size_t)at]);
                    assert_true(won >= best - 1e-5 * (1 + fabs(best)));
                    best = won;
                }
                result[to] = best;
            }
    return result;
}

/* [samples][16] outputs of [samples][3][side][side]; for free(). `scales`: of each quantized layer's input. */
static inline double *ref_forward(ref_net *ref, const double *input, const double *scales)
{
    double *x = ref_alloc(ref_inputs(ref, 0));
    memcpy(x, input, ref_inputs(ref, 0) * sizeof *x);
    for (int l = 0; l < ref->table.layer_count; l++) {
        const qmt_net_layer *layer = &ref->table.layers[l];
        if (ref->quantized[l])
            ref_quantize_input(ref, l, scales[l], x);
        double *y = ref_alloc((size_t)ref->samples * (size_t)layer->out_channels *
                              (size_t)(layer->conv_side * layer->conv_side));
        ref_convolve(ref, l, x, y);
        ref_normalize(ref, l, y);
        free(x);
        x = ref_pool(ref, l, y);
        free(y);
    }
    ref->recording = false;
    return x;
}

/* Random pixels as (p - 127.5) / 128, smooth enough that networks see structure, into the pass and as
 * [sample][3][side][side]. */
static inline double *fill_inputs(const qmt_net_table *table, qmt_pass *pass, int samples, uint64_t seed)
{
    qmt_random random = qmt_random_stream(seed, 77, 0);
    size_t area = (size_t)table->side * (size_t)table->side;
    double *input = ref_alloc((size_t)samples * 3 * area);
    for (size_t s = 0; s < (size_t)samples; s++)
        for (size_t c = 0; c < 3; c++) {
            double level = qmt_random_range(&random, 40, 200), wave = qmt_random_range(&random, 0.1f, 0.8f);
            for (size_t i = 0; i < area; i++) {
                double pixel =
                    level +
                    40 * sin(wave * (double)(i % (size_t)table->side) + wave * 2 * (double)(i / (size_t)table->side)) +
                    qmt_random_range(&random, -40, 40);
                pixel = rint(fmin(fmax(pixel, 0), 255));
                input[(s * 3 + c) * area + i] = (pixel - 127.5) / 128;
                qmt_pass_input(pass, (int)(s / 16))[(c * area + i) * 16 + s % 16] = (float)((pixel - 127.5) / 128);
            }
        }
    return input;
}

/* Random coefficients r for the loss sum r * output, as the output gradient of a pass and [samples][16]. */
static inline double *fill_loss(qmt_pass *pass, int samples, uint64_t seed)
{
    qmt_random random = qmt_random_stream(seed, 78, 0);
    double *r = ref_alloc((size_t)samples * 16);
    for (size_t s = 0; s < (size_t)samples; s++)
        for (size_t c = 0; c < 16; c++) {
            float value = qmt_random_range(&random, -1, 1);
            r[s * 16 + c] = value;
            qmt_pass_output_gradient(pass, (int)(s / 16))[c * 16 + s % 16] = value;
        }
    return r;
}

static inline double ref_loss(ref_net *ref, const double *input, const double *scales, const double *r)
{
    double *out = ref_forward(ref, input, scales), loss = 0;
    for (size_t i = 0; i < (size_t)ref->samples * 16; i++)
        loss += out[i] * r[i];
    free(out);
    return loss;
}

/* Random normalization, biases and slopes, so that nothing is hidden by zeros and ones. */
static inline void shake(qmt_net *net, uint64_t seed)
{
    qmt_random random = qmt_random_stream(seed, 79, 0);
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(net, &count);
    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < parameters[i].count && parameters[i].dims == 1; k++) {
            float u = qmt_random_range(&random, -1, 1);
            const char *what = strchr(parameters[i].name, '.') + 1;
            float *v = &parameters[i].value[k];
            if (strcmp(what, "bn.gamma") == 0 || strcmp(what, "bn.variance") == 0)
                *v = 1 + 0.5f * u;
            else if (strcmp(what, "slope") == 0)
                *v = 0.4f * u;
            else
                *v = 0.3f * u;
        }
}

static inline qmt_net_state state_for(qmt_net_mode mode, bool training)
{
    qmt_net_state state = {0};
    state.mode = mode;
    state.training = training;
    state.batch_norm_momentum = 0.1f;
    state.quantize.activation_observer = QMT_OBSERVE_AVERAGE;
    state.quantize.calibration_observer = QMT_OBSERVE_HISTOGRAM;
    state.quantize.percentile = 99.99f;
    state.quantize.observer_momentum = 0.01f;
    state.quantize.per_channel = true;
    return state;
}

/* A small network with every kind of layer: 3/2 pool cut off at the border, 2/2 pool, kernels 3, 2 and 1, no pool. */
static inline qmt_net_table small_table(qmt_activation activation, bool batch_norm)
{
    static const struct {
        const char *name;
        int channels, kernel, pool, stride;
    } layers[] = {{"conv1", 7, 3, 3, 2}, {"conv2", 13, 2, 2, 2}, {"conv3", 5, 2, 0, 0},
                  {"conv4", 9, 1, 0, 0}, {"fc", 19, 2, 0, 0},    {"heads", 16, 1, 0, 0}};
    qmt_net_table table = {0};
    table.id = QMT_PNET;
    table.side = 16;
    table.layer_count = 6;
    for (int i = 0; i < 6; i++) {
        qmt_net_layer *l = &table.layers[i];
        snprintf(l->name, sizeof l->name, "%s", layers[i].name);
        l->in_channels = i ? layers[i - 1].channels : 3;
        l->out_channels = layers[i].channels;
        l->kernel = layers[i].kernel;
        l->pool_kernel = layers[i].pool;
        l->pool_stride = layers[i].stride;
        l->batch_norm = batch_norm && i < 4;
        l->activation = i < 5 ? activation : QMT_ACTIVATION_NONE;
    }
    return table;
}

#endif
