#include "toolkit/deploy/scores.h"

#include "toolkit/base/file.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const variants[3] = {"fp32", "ptq", "qat"};

void qmt_score_maps_init(qmt_score_maps *maps)
{
    memset(maps, 0, sizeof *maps);
    for (int net = 0; net < qmt_net_count; net++)
        maps->nets[net] = (qmt_score_map){1, 0};
}

char *qmt_checkpoint_path(const char *checkpoints, qmt_net_id net, qmt_variant variant)
{
    return qmt_format("%s/%s/%s.safetensors", checkpoints, qmt_net_name(net), variants[variant]);
}

/* ---- Folding --------------------------------------------------------------------------------- */

/* Quantized again with the scaled scales, each weight must be the integer that it was. Rounding can carry one over a
 * tie: then it becomes the very value that the integer stands for. */
static void hold_integers(qmt_layer *head, const int8_t *integers, const float *scales)
{
    const size_t taps = qmt_layer_taps(head), count = (size_t)head->out_channels * taps;
    for (size_t i = 0; i < count; i++) {
        const float scale = scales[i / taps];
        if (qmt_quantize_value(head->weight[i], scale) != integers[i])
            head->weight[i] = (float)integers[i] * scale;
    }
}

static qmtcnn_status quantize_again(qmt_layer *head, float scale, qmtcnn_error *error)
{
    const size_t outputs = (size_t)head->out_channels, count = outputs * qmt_layer_taps(head);
    float *scales = qmt_alloc(outputs, sizeof *scales);
    int8_t *integers = qmt_alloc(count, sizeof *integers);
    qmtcnn_status status = QMTCNN_OK;
    if (!scales || !integers) {
        status = qmt_fail_memory(error, count, head->name);
    } else {
        memcpy(integers, head->weight_int8, count);
        for (size_t c = 0; c < outputs; c++)
            scales[c] = head->weight_scale[c] * scale;
        hold_integers(head, integers, scales);
        status = qmt_layer_quantize(head, head->input_scale, scales, error);
    }
    qmt_free(integers);
    qmt_free(scales);
    return status;
}

qmtcnn_status qmt_scores_fold(qmt_model *model, const qmt_score_map *map, qmtcnn_error *error)
{
    qmt_layer *head = &model->heads[QMT_HEAD_FACE];
    const float scale = (float)map->scale;
    if (head->out_channels != 2)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "%s has no face output of two channels to calibrate",
                        qmt_net_name(model->net));
    if (!(scale > 0) || !isfinite(scale) || !isfinite(map->shift))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%s: scores can't be scaled by %g and shifted by %g",
                        qmt_net_name(model->net), map->scale, map->shift);
    if (map->scale == 1 && map->shift == 0)
        return QMTCNN_OK;
    const size_t count = 2 * qmt_layer_taps(head);
    const bool unsigned_input = head->input_unsigned;
    for (size_t i = 0; i < count && scale != 1; i++)
        head->weight[i] *= scale;
    head->bias[0] = (float)((double)head->bias[0] * map->scale);
    head->bias[1] = (float)((double)head->bias[1] * map->scale + map->shift);
    qmtcnn_status status = head->weight_int8 ? quantize_again(head, scale, error) : QMTCNN_OK;
    head->input_unsigned = unsigned_input;
    return status;
}

/* ---- The file -------------------------------------------------------------------------------- */

static bool read_number(const json_t *object, const char *key, double low, double high, double *value)
{
    const json_t *number = json_object_get(object, key);
    *value = json_number_value(number);
    return json_is_number(number) && *value >= low && *value <= high;
}

static bool read_map(const json_t *object, qmt_score_map *map, uint64_t *checkpoint)
{
    return qmt_hash_parse(json_string_value(json_object_get(object, "checkpoint")), checkpoint) &&
           read_number(object, "scale", 0.01, 100, &map->scale) && read_number(object, "shift", -100, 100, &map->shift);
}

static bool read_variant(const json_t *object, qmt_score_maps *maps)
{
    double fusion = 0, odds = 0;
    for (int net = 0; net < qmt_net_count; net++) {
        const json_t *entry = json_object_get(object, qmt_net_name((qmt_net_id)net));
        maps->known[net] = entry != NULL;
        if (entry && !read_map(entry, &maps->nets[net], &maps->checkpoint[net]))
            return false;
    }
    if (json_object_get(object, "fusion") &&
        (!read_number(object, "fusion", 0, 0.75, &fusion) || !read_number(object, "fusion_odds", 1e-6, 1e6, &odds)))
        return false;
    maps->fusion = (float)fusion;
    maps->fusion_odds = (float)odds;
    return true;
}

qmtcnn_status qmt_scores_read(const char *checkpoints, qmt_score_maps maps[3], qmtcnn_error *error)
{
    enum { limit = 65536 };
    void *data = NULL;
    size_t size = 0;
    qmtcnn_status status = QMTCNN_OK;
    for (int v = 0; v < 3; v++)
        qmt_score_maps_init(&maps[v]);
    char *path = qmt_format("%s/scores.json", checkpoints);
    if (!path)
        return qmt_fail_memory(error, strlen(checkpoints) + 16, "a path");
    if (qmt_file_exists(path))
        status = qmt_file_read(path, limit, &data, &size, error);
    json_t *root = data ? json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    bool sound = !data || json_is_object(root);
    for (int v = 0; v < 3 && data && sound; v++) {
        const json_t *entry = json_object_get(root, variants[v]);
        sound = !entry || read_variant(entry, &maps[v]);
    }
    if (status == QMTCNN_OK && !sound)
        status =
            qmt_fail(error, QMTCNN_ERROR_FORMAT,
                     "%s is damaged: remove it, and `qmtcnn run` makes it anew where calibrate.scores is true", path);
    json_decref(root);
    qmt_free(data);
    qmt_free(path);
    return status;
}

static json_t *variant_json(const qmt_score_maps *maps)
{
    json_t *object = json_object();
    for (int net = 0; net < qmt_net_count; net++) {
        char hash[17];
        if (!maps->known[net])
            continue;
        snprintf(hash, sizeof hash, "%016" PRIx64, maps->checkpoint[net]);
        json_object_set_new(object, qmt_net_name((qmt_net_id)net),
                            json_pack("{s:f,s:f,s:s}", "scale", maps->nets[net].scale, "shift", maps->nets[net].shift,
                                      "checkpoint", hash));
    }
    if (maps->fusion > 0) {
        json_object_set_new(object, "fusion", json_real((double)maps->fusion));
        json_object_set_new(object, "fusion_odds", json_real((double)maps->fusion_odds));
    }
    return object;
}

qmtcnn_status qmt_scores_write(const char *checkpoints, const qmt_score_maps maps[3], qmtcnn_error *error)
{
    json_t *root = json_object();
    for (int v = 0; v < 3; v++)
        json_object_set_new(root, variants[v], variant_json(&maps[v]));
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    char *path = qmt_format("%s/scores.json", checkpoints);
    qmtcnn_status status = text && path ? qmt_file_write(path, text, strlen(text), error)
                                        : qmt_fail_memory(error, 4096, "the calibration of scores");
    qmt_free(path);
    free(text);
    json_decref(root);
    return status;
}
