#include "toolkit/deploy/quantize.h"

#include "runtime/model/onnx.h"
#include "toolkit/base/file.h"
#include "toolkit/config/schema.h"
#include "toolkit/deploy/calibration.h"
#include "toolkit/deploy/scales.h"
#include "toolkit/log/progress.h"
#include "toolkit/quant/quant.h"

#include <stdlib.h>
#include <string.h>

typedef struct quantizing {
    const qmt_quantize_request *request;
    const qmt_config *config;
    qmt_quantized *results;
    qmt_pool *pool;
    qmt_model *models[qmt_net_count];
    qmt_calibration calibration;
    void *data[qmt_net_count]; /* files ready to be written */
    size_t size[qmt_net_count];
    qmtcnn_error *error;
} quantizing;

static char *file_path(const char *folder, int net)
{
    return qmt_format("%s/%s.onnx", folder, qmt_net_name((qmt_net_id)net));
}

static qmtcnn_status check_fp32(const qmt_model *model, int net, const char *path, qmtcnn_error *error)
{
    if (model->net != (qmt_net_id)net)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: its input is that of %s, not of %s", path,
                        qmt_net_name(model->net), qmt_net_name((qmt_net_id)net));
    for (int i = 0; i < model->layer_count + qmt_head_count; i++) {
        const qmt_layer *layer = i < model->layer_count ? &model->layers[i] : &model->heads[i - model->layer_count];
        if (layer->out_channels > 0 && layer->weight_int8)
            return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                            "%s: layer %s is INT8 already; give the FP32 models that it was made from", path,
                            layer->name);
    }
    return QMTCNN_OK;
}

/* P-Net must be there; the first one that is missing ends the cascade. */
static qmtcnn_status read_models(quantizing *all)
{
    qmtcnn_status status = QMTCNN_OK;
    for (int net = 0; net < qmt_net_count && status == QMTCNN_OK; net++) {
        char *path = file_path(all->request->models, net);
        if (!path)
            return qmt_fail_memory(all->error, strlen(all->request->models) + 16, "a path");
        bool there = qmt_file_exists(path);
        if (there || net == QMT_PNET)
            status = qmt_onnx_read_file(path, &all->models[net], all->error);
        if (status == QMTCNN_OK && there)
            status = check_fp32(all->models[net], net, path, all->error);
        if (status == QMTCNN_OK && there && !all->models[net > 0 ? net - 1 : 0])
            status = qmt_fail(all->error, QMTCNN_ERROR_IO,
                              "%s: the network before it is missing, and with it the crops that this one gets", path);
        qmt_free(path);
    }
    return status;
}

/* The settings in one line. */
static qmtcnn_status note_settings(quantizing *all, qmt_model *model, int samples)
{
    static const char *const names[] = {"calibration_observer", "percentile", "per_channel",     "equalize",
                                        "weight_range",         "rounding",   "bias_correction", "keep_fp32"};
    qmt_text text = {0};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const qmt_setting *setting = qmt_find_setting("quantize", names[i]);
        qmt_text_add(&text, "%s%s ", i ? ", " : "", names[i]);
        qmt_setting_print(setting, all->config, 0, &text);
    }
    qmt_text_add(&text, ", %d samples of %d pictures", samples, all->calibration.pictures);
    char *settings = qmt_text_take(&text);
    qmtcnn_status status = settings ? qmt_model_set_metadata(model, "qmtcnn.quantize", settings, all->error)
                                    : qmt_fail_memory(all->error, 1024, "the settings' text");
    qmt_free(settings);
    return status;
}

static qmtcnn_status encode(quantizing *all, int net)
{
    qmt_model *model = all->models[net];
    const char *opset = qmt_model_metadata(model, "qmtcnn.opset");
    int given = opset ? atoi(opset) : 0;
    qmt_onnx_options options = {.opset = given >= 13 && given <= 17 ? given : all->config->export.opset,
                                .producer_version = qmtcnn_version()};
    qmtcnn_status status = qmt_model_set_metadata(model, "qmtcnn.variant", "ptq", all->error);
    if (status == QMTCNN_OK)
        status = qmt_model_set_metadata(model, "qmtcnn.net", qmt_net_name(model->net), all->error);
    if (status == QMTCNN_OK)
        status = note_settings(all, model, all->calibration.count[net]);
    if (status == QMTCNN_OK)
        status = qmt_model_note_scales(model, all->error);
    if (status == QMTCNN_OK)
        status = qmt_onnx_write(model, &options, &all->data[net], &all->size[net], all->error);
    return status;
}

static qmtcnn_status quantize_net(quantizing *all, int net)
{
    qmt_quantized *result = &all->results[net];
    const char *name = qmt_net_name((qmt_net_id)net);
    result->samples = all->calibration.count[net];
    if (result->samples == 0)
        return qmt_fail(all->error, QMTCNN_ERROR_ARGUMENT,
                        "nothing on the %d pictures reaches %s: give pictures with faces of at least detect.min_face = "
                        "%d pixels",
                        all->calibration.pictures, name, all->config->detect.min_face);
    if (result->samples < all->config->quantize.ptq_samples / 4)
        qmt_log_warning("%s: only %d samples to calibrate on; more pictures with faces make better scales", name,
                        result->samples);
    qmtcnn_status status = qmt_ptq(all->models[net], all->calibration.pixels[net], result->samples,
                                   &all->config->quantize, all->pool, &result->report, all->error);
    if (status == QMTCNN_OK)
        status = encode(all, net);
    result->done = status == QMTCNN_OK;
    return status;
}

static qmtcnn_status write_files(quantizing *all)
{
    qmtcnn_status status = QMTCNN_OK;
    for (int net = 0; net < qmt_net_count && status == QMTCNN_OK; net++) {
        if (!all->data[net])
            continue;
        char *path = file_path(all->request->out, net);
        status = path ? qmt_file_write(path, all->data[net], all->size[net], all->error)
                      : qmt_fail_memory(all->error, strlen(all->request->out) + 16, "a path");
        if (status == QMTCNN_OK)
            qmt_log_info("[quantize] %s: %zu bytes", path, all->size[net]);
        qmt_free(path);
    }
    return status;
}

static bool is_layer(const void *state, const char *entry)
{
    const quantizing *all = state;
    for (int net = 0; net < qmt_net_count; net++) {
        const qmt_model *model = all->models[net];
        const char *name = qmt_net_name((qmt_net_id)net);
        if (!model)
            continue;
        for (int i = 0; i < model->layer_count; i++)
            if (qmt_in_list(entry, name, model->layers[i].name))
                return true;
        for (int i = 0; i < qmt_head_count; i++)
            if (model->heads[i].out_channels > 0 && qmt_in_list(entry, name, model->heads[i].name))
                return true;
        if (qmt_in_list(entry, name, "heads"))
            return true;
    }
    return false;
}

static qmtcnn_status check_keep(const quantizing *all)
{
    char unknown[qmt_max_name + 8];
    if (qmt_list_is_known(all->config->quantize.keep_fp32, is_layer, all, unknown))
        return QMTCNN_OK;
    return qmt_fail(
        all->error, QMTCNN_ERROR_ARGUMENT,
        "'quantize.keep_fp32' (--keep): these models have no layer '%s'; `qmtcnn info %s` lists their layers, "
        "and heads names all heads of a network",
        unknown, all->request->models);
}

qmtcnn_status qmt_quantize_models(const qmt_quantize_request *request, const qmt_config *config,
                                  qmt_quantized results[qmt_net_count], qmtcnn_error *error)
{
    quantizing all = {.request = request, .config = config, .results = results, .error = error};
    memset(results, 0, qmt_net_count * sizeof *results);
    if (qmt_is_same_file(request->models, request->out))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "%s holds the FP32 models, and the INT8 ones would take their place; give another folder to "
                        "write to",
                        request->out);
    qmtcnn_status status = read_models(&all);
    if (status == QMTCNN_OK)
        status = check_keep(&all);
    if (status == QMTCNN_OK)
        status = qmt_pool_create(config->run.threads, &all.pool, error);
    if (status == QMTCNN_OK)
        status = qmt_calibration_gather(all.models, request->pictures, request->picture_count, config, all.pool,
                                        &all.calibration, error);
    for (int net = 0; net < qmt_net_count && status == QMTCNN_OK; net++)
        if (all.models[net])
            status = quantize_net(&all, net);
    if (status == QMTCNN_OK)
        status = write_files(&all);
    for (int net = 0; net < qmt_net_count; net++) {
        qmt_free(all.data[net]);
        qmt_model_free(all.models[net]);
    }
    qmt_calibration_clear(&all.calibration);
    qmt_pool_free(all.pool);
    return status;
}
