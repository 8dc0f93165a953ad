/* Quantization without training, layer after layer. */
#include "toolkit/base/stop.h"
#include "toolkit/quant/ptq_internal.h"
#include "toolkit/quant/range.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct ptq {
    qmt_model *model;
    const qmt_quantize_config *config;
    qmt_pool *pool;
    int count;
    qmt_ptq_report *report;
    qmtcnn_error *error;
} ptq;

static bool stays_fp32(const ptq *all, const qmt_layer *layer, bool head)
{
    const char *net = qmt_net_name(all->model->net), *list = all->config->keep_fp32;
    return qmt_in_list(list, net, layer->name) || (head && qmt_in_list(list, net, "heads"));
}

/* The first layer's input is the picture: its range is that of a pixel. */
static void take_pixels(const ptq *all, const uint8_t *pixels, qmt_maps *maps)
{
    for (size_t i = 0; i < (size_t)all->count * maps->size; i++)
        maps->real[i] = maps->quantized[i] = ((float)pixels[i] - 127.5f) / 128.0f;
}

static float input_range(const ptq *all, const qmt_maps *maps)
{
    static const size_t portion = 65536;
    size_t values = (size_t)all->count * maps->size;
    qmt_observer observer;
    qmt_observer_reset(&observer);
    for (size_t i = 0; i < values; i += portion) {
        size_t some = values - i < portion ? values - i : portion;
        float maximum = 0;
        for (size_t k = i; k < i + some; k++)
            maximum = fmaxf(maximum, fabsf(maps->real[k]));
        qmt_observe_range(&observer, all->config->calibration_observer, all->config->observer_momentum, maximum);
        qmt_observe_values(&observer, maps->real + i, some);
    }
    return qmt_observer_range(&observer, all->config->calibration_observer, all->config->percentile);
}

/* Puts the quantized network's input on the grid; the share of values that were clipped. */
static double quantize_input(const ptq *all, qmt_maps *maps, float scale)
{
    size_t values = (size_t)all->count * maps->size;
    size_t clipped = qmt_fake_quantize(maps->quantized, maps->quantized, NULL, values, scale);
    return values ? (double)clipped / (double)values : 0;
}

/* The weight scales of all layers that read one tensor: heads share one where scales are per tensor, as in training. */
static void weight_scales(const ptq *all, const qmt_layer *layers, int layer_count, const qmt_layer *layer,
                          float *scales)
{
    size_t taps = qmt_layer_taps(layer);
    bool mse = all->config->weight_range == QMT_WEIGHT_MSE;
    for (size_t c = 0; c < (size_t)layer->out_channels; c++) {
        float largest = 0;
        for (size_t i = c * taps; i < (c + 1) * taps; i++)
            largest = fmaxf(largest, fabsf(layer->weight[i]));
        scales[c] = qmt_scale_for(mse ? qmt_weight_mse_range(layer->weight + c * taps, taps) : largest);
    }
    if (all->config->per_channel)
        return;
    float most = 0;
    for (int i = 0; i < layer_count; i++) {
        size_t weights = layers[i].out_channels > 0 ? (size_t)layers[i].out_channels * qmt_layer_taps(&layers[i]) : 0;
        for (size_t k = 0; k < weights; k++)
            most = fmaxf(most, fabsf(layers[i].weight[k]));
    }
    for (int c = 0; c < layer->out_channels; c++)
        scales[c] = qmt_scale_for(most);
}

/* The bias takes up the mean difference. */
static qmtcnn_status correct_bias(const qmt_ptq_job *job, const float *original)
{
    qmt_layer *layer = job->layer;
    double *means = qmt_alloc(2 * job->taps, sizeof *means);
    if (!means)
        return qmt_fail_memory(job->error, 2 * job->taps * sizeof *means, "calibration");
    qmtcnn_status status = qmt_ptq_means(job, means, means + job->taps);
    for (size_t c = 0; status == QMTCNN_OK && c < (size_t)layer->out_channels; c++) {
        double difference = 0;
        for (size_t t = 0; t < job->taps; t++) {
            size_t at = c * job->taps + qmt_ptq_weight_at(layer, t);
            difference += (double)original[at] * means[t] - (double)layer->weight[at] * means[job->taps + t];
        }
        layer->bias[c] = (float)((double)layer->bias[c] + difference);
    }
    qmt_free(means);
    return status;
}

static void note(const ptq *all, const qmt_layer *layer, float range, double clipped, const qmt_ptq_sums *sums)
{
    double signal = 0, noise = 0;
    for (int c = 0; c < layer->out_channels; c++) {
        signal += sums[c].signal;
        noise += sums[c].noise;
    }
    if (!all->report)
        return;
    qmt_ptq_layer *to = &all->report->layers[all->report->count++];
    snprintf(to->name, sizeof to->name, "%s", layer->name);
    to->int8 = layer->weight_int8 != NULL;
    to->input_range = range;
    to->clipped = clipped;
    to->sqnr = noise > 0 ? 10 * log10(signal / noise) : INFINITY;
}

/* Weights, scales and bias of one layer, whose input is on its grid; `siblings` read the same input. */
static qmtcnn_status quantize_weights(const ptq *all, const qmt_ptq_job *job, const float *original, float scale,
                                      const qmt_layer *siblings, int sibling_count)
{
    float *scales = qmt_alloc((size_t)job->layer->out_channels, sizeof *scales);
    if (!scales)
        return qmt_fail_memory(all->error, (size_t)job->layer->out_channels * sizeof *scales, "weight scales");
    weight_scales(all, siblings, sibling_count, job->layer, scales);
    qmtcnn_status status = qmt_ptq_round(job, scales);
    if (status == QMTCNN_OK && all->config->bias_correction)
        status = correct_bias(job, original);
    if (status == QMTCNN_OK)
        status = qmt_layer_quantize(job->layer, scale, scales, all->error);
    /* What the runtime adds: a whole number of the sum's steps. */
    for (int c = 0; status == QMTCNN_OK && c < job->layer->out_channels; c++)
        job->layer->bias[c] = (float)((double)job->layer->bias_int32[c] * (double)(scale * scales[c]));
    qmt_free(scales);
    return status;
}

/* One layer: range, weights, bias, and what comes out of it. `maps` is its input, on the grid of `range` already if
 * `clipped` is not negative. */
static qmtcnn_status quantize_layer(const ptq *all, qmt_layer *layer, bool int8, float range, double clipped,
                                    qmt_maps *maps, const qmt_layer *siblings, int sibling_count, qmt_maps *output)
{
    size_t channels = (size_t)layer->out_channels, taps = qmt_layer_taps(layer);
    qmt_ptq_job job = {.config = all->config,
                       .pool = all->pool,
                       .count = all->count,
                       .maps = maps,
                       .layer = layer,
                       .height = maps->height - layer->kernel_height + 1,
                       .width = maps->width - layer->kernel_width + 1,
                       .taps = taps,
                       .error = all->error};
    job.positions = (size_t)job.height * (size_t)job.width;
    float *original = qmt_alloc(channels * taps, sizeof *original), *bias = qmt_alloc(channels, sizeof *bias);
    qmt_ptq_sums *sums = qmt_alloc(channels, sizeof *sums);
    qmtcnn_status status = QMTCNN_OK;
    if (!original || !bias || !sums) {
        status = qmt_fail_memory(all->error, channels * taps * sizeof *original, "weights");
        goto done;
    }
    memcpy(original, layer->weight, channels * taps * sizeof *original);
    memcpy(bias, layer->bias, channels * sizeof *bias);
    if (int8)
        status = quantize_weights(all, &job, original, range / 127.0f, siblings, sibling_count);
    if (status == QMTCNN_OK)
        status = qmt_ptq_convolve(&job, original, bias, sums, output);
    if (status == QMTCNN_OK)
        note(all, layer, range, clipped, sums);
done:
    qmt_free(sums);
    qmt_free(bias);
    qmt_free(original);
    return status;
}

/* Layers that read one tensor: those that stay FP32 first, since putting the tensor on its grid loses what was there.
 */
static qmtcnn_status quantize_readers(const ptq *all, qmt_layer *layers, int layer_count, bool head, float range,
                                      qmt_maps *maps, qmt_maps *output)
{
    qmtcnn_status status = QMTCNN_OK;
    double clipped = 0;
    for (int int8 = 0; int8 <= 1; int8++) {
        bool on_grid = false;
        for (int i = 0; i < layer_count && status == QMTCNN_OK; i++) {
            if (layers[i].out_channels == 0 || stays_fp32(all, &layers[i], head) == (int8 == 1))
                continue;
            if (qmt_stop_requested())
                return qmt_fail(all->error, QMTCNN_ERROR_INTERRUPTED, "%s: stopped", qmt_net_name(all->model->net));
            if (int8 == 1 && !on_grid) {
                clipped = quantize_input(all, maps, range / 127.0f);
                on_grid = true;
            }
            status = quantize_layer(all, &layers[i], int8 == 1, range, clipped, maps, layers, layer_count, output);
        }
    }
    return status;
}

static qmtcnn_status quantize_trunk(const ptq *all, qmt_maps *maps)
{
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; i < all->model->layer_count && status == QMTCNN_OK; i++) {
        qmt_layer *layer = &all->model->layers[i];
        qmt_maps output = {0};
        int height, width;
        if (!qmt_layer_output_size(layer, maps->height, maps->width, &height, &width))
            return qmt_fail(all->error, QMTCNN_ERROR_FORMAT, "%s: layer %s is larger than its input of %d x %d",
                            qmt_net_name(all->model->net), layer->name, maps->height, maps->width);
        status = qmt_maps_init(&output, all->count, height, width, layer->out_channels, all->error);
        float range = i == 0 ? qmt_input_scale() * 127.0f : input_range(all, maps);
        if (status == QMTCNN_OK)
            status = quantize_readers(all, layer, 1, false, range, maps, &output);
        qmt_maps_clear(maps);
        *maps = output;
    }
    return status;
}

static qmtcnn_status check_model(const ptq *all)
{
    const qmt_model *model = all->model;
    qmtcnn_status status = qmt_model_check(model, all->error);
    for (int i = 0; i < model->layer_count + qmt_head_count && status == QMTCNN_OK; i++) {
        const qmt_layer *layer = i < model->layer_count ? &model->layers[i] : &model->heads[i - model->layer_count];
        if (layer->out_channels > 0 && layer->weight_int8)
            status = qmt_fail(all->error, QMTCNN_ERROR_ARGUMENT,
                              "layer %s is INT8 already: quantization without training starts from FP32 models",
                              layer->name);
    }
    return status;
}

qmtcnn_status qmt_ptq(qmt_model *model, const uint8_t *pixels, int count, const qmt_quantize_config *config,
                      qmt_pool *pool, qmt_ptq_report *report, qmtcnn_error *error)
{
    ptq all = {model, config, pool, count, report, error};
    int side = qmt_net_side(model->net);
    qmt_maps maps = {0};
    if (report)
        memset(report, 0, sizeof *report);
    if (count < 1)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%s: no samples to calibrate on", qmt_net_name(model->net));
    qmtcnn_status status = check_model(&all);
    if (status == QMTCNN_OK && config->equalize)
        qmt_equalize(model);
    if (status == QMTCNN_OK)
        status = qmt_maps_init(&maps, count, side, side, 3, error);
    if (status == QMTCNN_OK) {
        take_pixels(&all, pixels, &maps);
        status = quantize_trunk(&all, &maps);
    }
    for (int h = 0; h < qmt_head_count && status == QMTCNN_OK; h++)
        if (model->heads[h].out_channels > 0 &&
            (model->heads[h].kernel_height > maps.height || model->heads[h].kernel_width > maps.width))
            status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: head %s is larger than its input",
                              qmt_net_name(model->net), model->heads[h].name);
    if (status == QMTCNN_OK)
        status = quantize_readers(&all, model->heads, qmt_head_count, true, input_range(&all, &maps), &maps, NULL);
    qmt_maps_clear(&maps);
    return status;
}
