/* Checkpoints to ONNX files. */
#include "toolkit/base/file.h"
#include "toolkit/base/safetensors.h"
#include "toolkit/deploy/deploy.h"
#include "toolkit/deploy/profile.h"
#include "toolkit/deploy/scales.h"
#include "toolkit/deploy/scores.h"
#include "toolkit/log/progress.h"
#include "toolkit/net/net.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *variant_name(qmt_variant variant)
{
    switch (variant) {
    case QMT_VARIANT_FP32: return "fp32";
    case QMT_VARIANT_PTQ: return "ptq";
    case QMT_VARIANT_QAT: return "qat";
    }
    return "?";
}

/* One network on its way out. */
struct exporting {
    const qmt_config *config;
    const qmt_profile *profile;
    qmt_variant variant;
    const qmt_tensors_file *checkpoint;
    const qmt_score_maps *maps; /* NULL: scores as they were trained */
    bool calibrated;            /* maps held one for this very network */
    qmt_model *model;
    qmtcnn_status status; /* the first failure; later calls do nothing */
    qmtcnn_error *error;
};

static void note(struct exporting *exporting, const char *key, const char *value)
{
    if (exporting->status == QMTCNN_OK && value)
        exporting->status = qmt_model_set_metadata(exporting->model, key, value, exporting->error);
}

static void note_format(struct exporting *exporting, const char *key, const char *format, ...) QMT_PRINTF(3, 4);

static void note_format(struct exporting *exporting, const char *key, const char *format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    note(exporting, key, text);
}

static bool for_onnxruntime(const struct exporting *exporting)
{
    return strcmp(exporting->config->export.target, "onnxruntime") == 0;
}

/* How the cascade gets the most out of the networks: in O-Net's file, the last. */
static void note_cascade(struct exporting *exporting)
{
    const qmt_detect_config *detect = &exporting->config->detect;
    if (detect->fusion >= 0)
        note_format(exporting, "qmtcnn.fusion", "%.2f", (double)detect->fusion);
    if (exporting->calibrated && detect->fusion > 0 && detect->fusion == exporting->maps->fusion)
        note_format(exporting, "qmtcnn.fusion.odds", "%.9f", (double)exporting->maps->fusion_odds);
    if (detect->last_nms[0])
        note(exporting, "qmtcnn.last_nms", detect->last_nms);
    else if (detect->nms[3] != 0.7f)
        note_format(exporting, "qmtcnn.last_nms", "min:%.6f", (double)detect->nms[3]);
    if (detect->vote >= 0)
        note_format(exporting, "qmtcnn.vote", "%.6f", (double)detect->vote);
    if (detect->refined_nms[0] >= 0)
        note_format(exporting, "qmtcnn.refined_nms.pnet", "%.6f", (double)detect->refined_nms[0]);
    if (detect->refined_nms[1] >= 0)
        note_format(exporting, "qmtcnn.refined_nms.rnet", "%.6f", (double)detect->refined_nms[1]);
}

/* What a program needs to use the network without having read our documents. */
static void note_use(struct exporting *exporting)
{
    const qmt_model *model = exporting->model;
    note(exporting, "qmtcnn.net", qmt_net_name(model->net));
    note(exporting, "qmtcnn.version", qmtcnn_version());
    note(exporting, "qmtcnn.variant", variant_name(exporting->variant));
    note(exporting, "qmtcnn.profile", exporting->profile->name);
    note(exporting, "qmtcnn.target", exporting->config->export.target);
    if (for_onnxruntime(exporting) && exporting->variant != QMT_VARIANT_FP32)
        note_format(exporting, "qmtcnn.weight_bits", "%d", exporting->config->export.weight_bits);
    note_format(exporting, "qmtcnn.opset", "%d", exporting->config->export.opset);
    note_format(exporting, "qmtcnn.threshold", "%.6f", (double)exporting->config->detect.thresholds[model->net]);
    note(exporting, "qmtcnn.input.layout", "NCHW");
    note(exporting, "qmtcnn.input.color", "RGB");
    note(exporting, "qmtcnn.input.mean", "127.5");
    note(exporting, "qmtcnn.input.scale", "0.0078125");
    note(exporting, "qmtcnn.input.normalization", "(pixel - 127.5) / 128");
    note_format(exporting, "qmtcnn.input.side", "%d", qmt_net_side(model->net));
    note(exporting, "qmtcnn.box", "offsets of x1 y1 x2 y2 from the corners of the input, over its side");
    note(exporting, "qmtcnn.landmarks", model->landmarks_planar ? "planar" : "pairs");
    if (model->net == QMT_PNET) {
        note(exporting, "qmtcnn.cell", "12");
        note(exporting, "qmtcnn.stride", "2");
    }
    if (model->net == QMT_ONET)
        note_cascade(exporting);
}

/* Where the weights come from: all of the checkpoint's "train.*", and the settings that people ask for first by
 * themselves. */
static void note_training(struct exporting *exporting)
{
    static const char *const copied[] = {"phase",           "epoch",   "step",   "validation.fp32",
                                         "validation.int8", "samples", "config", "manifest"};
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++) {
        char from[64], to[64];
        snprintf(from, sizeof from, "train.%s", copied[i]);
        snprintf(to, sizeof to, "qmtcnn.train.%s", copied[i]);
        note(exporting, to, qmt_tensors_metadata(exporting->checkpoint, from));
    }
    const char *text = qmt_tensors_metadata(exporting->checkpoint, "train.config");
    qmt_config trained;
    qmt_config_default(&trained);
    if (!text || qmt_config_parse(text, strlen(text), "train.config", &trained, NULL) != QMTCNN_OK)
        return;
    note_format(exporting, "qmtcnn.train.seed", "%" PRIu64, trained.run.seed);
    note_format(exporting, "qmtcnn.train.epochs", "%d", trained.train[exporting->model->net].epochs);
}

static qmtcnn_status load_model(const qmt_tensors_file *file, qmt_net_id net, bool fp32,
                                const qmt_quantize_config *quantize, qmt_model **model, qmtcnn_error *error)
{
    qmt_net_table table;
    qmt_net *trained = NULL;
    qmtcnn_status status = qmt_net_table_load(file, &table, error);
    if (status != QMTCNN_OK)
        return status;
    if (table.id != net)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "the checkpoint is of %s, but lies in %s's folder",
                        qmt_net_name(table.id), qmt_net_name(net));
    status = qmt_net_create(&table, 0, &trained, error);
    if (status == QMTCNN_OK)
        status = qmt_net_load(trained, file, error);
    if (status == QMTCNN_OK)
        status = qmt_net_to_model(trained, fp32, quantize, model, error);
    qmt_net_free(trained);
    return status;
}

/* The quantization settings that a checkpoint was trained with: whether scales are per channel and which layers stay
 * FP32 must be as they were, unless `config` names layers itself. Those of `config` where the checkpoint doesn't say.
 */
static qmt_quantize_config quantize_of(const qmt_tensors_file *file, const qmt_config *config)
{
    const char *text = qmt_tensors_metadata(file, "train.config");
    qmt_config trained;
    qmt_config_default(&trained);
    if (!text || qmt_config_parse(text, strlen(text), "train.config", &trained, NULL) != QMTCNN_OK)
        return config->quantize;
    if (config->quantize.keep_fp32[0])
        memcpy(trained.quantize.keep_fp32, config->quantize.keep_fp32, sizeof trained.quantize.keep_fp32);
    return trained.quantize;
}

/* A file ready to be written. */
struct exported {
    char *path;
    void *data;
    size_t size;
};

static void exported_clear(struct exported *exported)
{
    qmt_free(exported->data);
    qmt_free(exported->path);
    memset(exported, 0, sizeof *exported);
}

static qmtcnn_status encode_model(const struct exporting *exporting, const char *out, struct exported *exported)
{
    qmt_onnx_options options = {.opset = exporting->config->export.opset,
                                .fp32 = exporting->variant == QMT_VARIANT_FP32,
                                .producer_version = qmtcnn_version(),
                                .form = for_onnxruntime(exporting) ? QMT_ONNX_ONNXRUNTIME : QMT_ONNX_TENSORRT};
    exported->path = qmt_format("%s/%s.onnx", out, qmt_net_name(exporting->model->net));
    if (!exported->path)
        return qmt_fail_memory(exporting->error, strlen(out) + 16, "a path");
    qmtcnn_status status =
        qmt_onnx_write(exporting->model, &options, &exported->data, &exported->size, exporting->error);
    /* Layers' names are ours: where tensors' names meet, the profile chose them. */
    return status == QMTCNN_OK ? status
                               : qmt_fail_in(exporting->error, status, "with the names of profile %s",
                                             exporting->config->export.profile);
}

/* Scores as the hold-out says that they should be, where that is known of this very checkpoint. */
static qmtcnn_status calibrate(struct exporting *exporting, const char *path, qmtcnn_error *error)
{
    const qmt_net_id net = exporting->model->net;
    uint64_t hash = 0;
    if (!exporting->maps || !exporting->maps->known[net])
        return QMTCNN_OK;
    const qmt_score_map map = exporting->maps->nets[net];
    qmtcnn_status status = qmt_file_hash(path, &hash, error);
    if (status == QMTCNN_OK && hash != exporting->maps->checkpoint[net]) {
        qmt_log_warning("%s: its scores were calibrated before it changed; they stay as they are", path);
        return QMTCNN_OK;
    }
    if (status == QMTCNN_OK)
        status = qmt_scores_fold(exporting->model, &map, error);
    if (status == QMTCNN_OK) {
        exporting->calibrated = true;
        note_format(exporting, "qmtcnn.score", "logit = %.9g * trained logit %+.9g", map.scale, map.shift);
        status = exporting->status;
    }
    return status;
}

static qmtcnn_status encode_net(const char *path, qmt_net_id net, qmt_variant variant, const qmt_config *config,
                                const qmt_profile *profile, const qmt_score_maps *maps, const char *out,
                                struct exported *exported, qmtcnn_error *error)
{
    qmt_tensors_file *file = NULL;
    struct exporting exporting = {
        .config = config, .profile = profile, .variant = variant, .maps = maps, .error = error};
    qmtcnn_status status = qmt_tensors_open(path, &file, error);
    if (status != QMTCNN_OK)
        return status;
    exporting.checkpoint = file;
    qmt_quantize_config quantize = quantize_of(file, config);
    status = load_model(file, net, variant == QMT_VARIANT_FP32, &quantize, &exporting.model, error);
    if (status == QMTCNN_OK)
        status = calibrate(&exporting, path, error);
    if (status == QMTCNN_OK && for_onnxruntime(&exporting))
        status = qmt_model_for_onnxruntime(exporting.model, config->export.weight_bits, error);
    if (status == QMTCNN_OK)
        status = qmt_profile_apply(profile, exporting.model, error);
    if (status == QMTCNN_OK) {
        note_use(&exporting);
        note_training(&exporting);
        status = exporting.status;
    }
    if (status == QMTCNN_OK)
        status = qmt_model_note_scales(exporting.model, error);
    if (status == QMTCNN_OK)
        status = encode_model(&exporting, out, exported);
    qmt_model_free(exporting.model);
    qmt_tensors_close(file);
    return status == QMTCNN_OK ? status : qmt_fail_in(error, status, "%s", path);
}

/* Encodes what is trained; names of the networks without a checkpoint go to `missing`. */
static qmtcnn_status encode_all(const char *checkpoints, qmt_variant variant, const qmt_config *config, const char *out,
                                struct exported *exported, char missing[64], qmtcnn_error *error)
{
    qmt_profile profile;
    qmt_score_maps maps[3];
    qmtcnn_status status = qmt_profile_load(config->export.profile, &profile, error);
    if (status == QMTCNN_OK && config->export.calibrated)
        status = qmt_scores_read(checkpoints, maps, error);
    for (int net = 0; net < qmt_net_count && status == QMTCNN_OK; net++) {
        const char *name = qmt_net_name((qmt_net_id)net);
        char *path = qmt_checkpoint_path(checkpoints, (qmt_net_id)net, variant);
        if (!path)
            return qmt_fail_memory(error, strlen(checkpoints) + 64, "a path");
        if (qmt_file_exists(path)) {
            status = encode_net(path, (qmt_net_id)net, variant, config, &profile,
                                config->export.calibrated ? &maps[variant] : NULL, out, &exported[net], error);
        } else {
            size_t length = strlen(missing);
            snprintf(missing + length, 64 - length, "%s%s", length ? ", " : "", name);
        }
        qmt_free(path);
    }
    return status;
}

qmtcnn_status qmt_export(const char *checkpoints, qmt_variant variant, const qmt_config *config, const char *out,
                         qmtcnn_error *error)
{
    struct exported exported[qmt_net_count] = {{0}};
    char missing[64] = "";
    int written = 0;
    /* All are encoded before the first is written: an export that fails leaves no mix of old and new files. */
    qmtcnn_status status = encode_all(checkpoints, variant, config, out, exported, missing, error);
    for (int net = 0; net < qmt_net_count && status == QMTCNN_OK; net++) {
        if (!exported[net].data)
            continue;
        status = qmt_file_write(exported[net].path, exported[net].data, exported[net].size, error);
        if (status == QMTCNN_OK)
            qmt_log_info("[export] %s: %s, %zu bytes", exported[net].path, variant_name(variant), exported[net].size);
        written++;
    }
    for (int net = 0; net < qmt_net_count; net++)
        exported_clear(&exported[net]);
    if (status == QMTCNN_OK && !written)
        return qmt_fail(error, QMTCNN_ERROR_IO,
                        "%s holds no {pnet,rnet,onet}/%s.safetensors; train first: qmtcnn train --model all",
                        checkpoints, variant_name(variant));
    if (status == QMTCNN_OK && missing[0])
        qmt_log_info("[export] %s: without %s, which is not trained yet", out, missing);
    return status;
}
