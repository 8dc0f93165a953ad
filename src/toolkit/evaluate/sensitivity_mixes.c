#include "toolkit/evaluate/sensitivity_mixes.h"

#include "runtime/model/onnx.h"
#include "toolkit/base/file.h"

#include <math.h>
#include <string.h>

static const qmt_layer *layer_at(const qmt_model *model, int i)
{
    return i < model->layer_count ? &model->layers[i] : &model->heads[i - model->layer_count];
}

static int unit_of(const qmt_model *model, int i)
{
    return i < model->layer_count ? i : qmt_heads_unit;
}

/* ---- A layer without quantization ------------------------------------------------------------ */

/* Are `weights` the layer's integers times their scales? Then quantizing them changes nothing. */
static bool on_grid(const qmt_layer *layer, const float *weights)
{
    size_t taps = qmt_layer_taps(layer), count = taps * (size_t)layer->out_channels;
    for (size_t i = 0; i < count; i++) {
        const float scale = layer->weight_scale[i / taps];
        if (fabsf(weights[i] - (float)layer->weight_int8[i] * scale) > 1e-4F * scale)
            return false;
    }
    return true;
}

/* Would quantizing `other` with the layer's scales give its integers, up or down? */
static bool rounds_to(const qmt_layer *layer, const qmt_layer *other)
{
    if (other->in_channels != layer->in_channels || other->out_channels != layer->out_channels ||
        other->kernel_height != layer->kernel_height || other->kernel_width != layer->kernel_width ||
        other->activation != layer->activation)
        return false;
    size_t taps = qmt_layer_taps(layer), count = taps * (size_t)layer->out_channels;
    for (size_t i = 0; i < count; i++)
        if (fabsf(other->weight[i] / layer->weight_scale[i / taps] - (float)layer->weight_int8[i]) > 1.001F)
            return false;
    return true;
}

static void make_real(qmt_mixed_models *models, int net, int i)
{
    const qmt_model *int8 = models->int8[net], *fp32 = models->fp32[net];
    qmt_layer *real = &models->real[net][i];
    *real = *layer_at(int8, i);
    if (real->out_channels == 0 || !real->weight_int8)
        return;
    models->rounded_before[net][i] = on_grid(real, real->weight);
    const qmt_layer *other = fp32->layer_count == int8->layer_count ? layer_at(fp32, i) : NULL;
    if (models->rounded_before[net][i] && other && rounds_to(real, other)) {
        models->rounded_before[net][i] = on_grid(real, other->weight);
        real->weight = other->weight;
        real->bias = other->bias;
        real->slope = other->slope;
    }
    real->weight_int8 = NULL;
    real->weight_scale = NULL;
    real->bias_int32 = NULL;
    real->input_scale = 0;
    real->input_unsigned = false;
}

/* ---- Models ---------------------------------------------------------------------------------- */

static qmtcnn_status read_model(const char *folder, qmt_net_id net, qmt_model **model, qmtcnn_error *error)
{
    char *path = qmt_format("%s/%s.onnx", folder, qmt_net_name(net));
    if (!path)
        return qmt_fail_memory(error, strlen(folder) + 16, "a path");
    qmtcnn_status status = qmt_onnx_read_file(path, model, error);
    if (status == QMTCNN_OK && (*model)->net != net)
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s holds a network of the kind %s: was it renamed?", path,
                          qmt_net_name((*model)->net));
    qmt_free(path);
    return status;
}

static void find_units(qmt_mixed_models *models, int net)
{
    const qmt_model *model = models->int8[net];
    int last = -1;
    for (int i = 0; i < model->layer_count + qmt_head_count; i++) {
        const int unit = unit_of(model, i);
        if (layer_at(model, i)->out_channels == 0 || !layer_at(model, i)->weight_int8 || unit == last)
            continue;
        models->units[models->unit_count++] = (qmt_unit){(qmt_net_id)net, unit};
        last = unit;
    }
}

qmtcnn_status qmt_mixed_models_open(const char *fp32, const char *int8, qmt_mixed_models *models, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    memset(models, 0, sizeof *models);
    for (int net = 0; status == QMTCNN_OK && net < qmt_net_count; net++) {
        status = read_model(int8, (qmt_net_id)net, &models->int8[net], error);
        if (status == QMTCNN_OK)
            status = read_model(fp32, (qmt_net_id)net, &models->fp32[net], error);
        if (status != QMTCNN_OK)
            break;
        for (int i = 0; i < models->int8[net]->layer_count + qmt_head_count; i++)
            make_real(models, net, i);
        find_units(models, net);
    }
    if (status == QMTCNN_OK && models->unit_count == 0)
        status =
            qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED,
                     "%s: no layer is INT8 (no QuantizeLinear nodes in its files), so none can be sensitive", int8);
    if (status != QMTCNN_OK)
        qmt_mixed_models_close(models);
    return status;
}

void qmt_mixed_models_close(qmt_mixed_models *models)
{
    for (int net = 0; net < qmt_net_count; net++) {
        qmt_model_free(models->fp32[net]);
        qmt_model_free(models->int8[net]);
        models->fp32[net] = models->int8[net] = NULL;
    }
}

/* ---- Units ----------------------------------------------------------------------------------- */

const char *qmt_unit_name(const qmt_mixed_models *models, const qmt_unit *unit)
{
    return unit->layer == qmt_heads_unit ? "heads" : models->int8[unit->net]->layers[unit->layer].name;
}

bool qmt_unit_rounded_before(const qmt_mixed_models *models, const qmt_unit *unit)
{
    const qmt_model *model = models->int8[unit->net];
    bool any = false;
    for (int i = 0; i < model->layer_count + qmt_head_count; i++)
        any = any || (unit_of(model, i) == unit->layer && models->rounded_before[unit->net][i]);
    return any;
}

double qmt_unit_macs(const qmt_mixed_models *models, const qmt_unit *unit)
{
    const qmt_model *model = models->int8[unit->net];
    int height = qmt_net_side(unit->net), width = height;
    double all = 0, own = 0;
    for (int i = 0; i < model->layer_count + qmt_head_count; i++) {
        const qmt_layer *layer = layer_at(model, i);
        if (layer->out_channels == 0 || height < layer->kernel_height || width < layer->kernel_width)
            continue;
        double macs = (double)(height - layer->kernel_height + 1) * (width - layer->kernel_width + 1) *
                      (double)qmt_layer_taps(layer) * layer->out_channels;
        all += macs;
        own += unit_of(model, i) == unit->layer ? macs : 0;
        if (i < model->layer_count && !qmt_layer_output_size(layer, height, width, &height, &width))
            return 0;
    }
    return all > 0 ? own / all : 0;
}

/* ---- Mixes ----------------------------------------------------------------------------------- */

void qmt_mix_make(const qmt_mixed_models *models, qmt_net_id net, qmt_mix_kind kind, const qmt_unit *unit,
                  qmt_mix_view *view)
{
    const qmt_model *int8 = models->int8[net];
    view->model = *int8;
    view->model.layers = view->layers;
    for (int i = 0; i < int8->layer_count + qmt_head_count; i++) {
        bool is_unit = unit && unit->net == net && unit->layer == unit_of(int8, i);
        bool quantized =
            kind == QMT_MIX_INT8 || (kind == QMT_MIX_ALONE && is_unit) || (kind == QMT_MIX_KEPT && !is_unit);
        const qmt_layer *from = quantized ? layer_at(int8, i) : &models->real[net][i];
        if (i < int8->layer_count)
            view->layers[i] = *from;
        else
            view->model.heads[i - int8->layer_count] = *from;
    }
}
