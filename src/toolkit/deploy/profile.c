#include "toolkit/deploy/profile.h"

#include "toolkit/base/file.h"
#include "toolkit/config/document.h"
#include "toolkit/config/nearest.h"

#include <stdio.h>
#include <string.h>

enum { points = 5, values = 2 * points };

static const char *const upright_outputs[qmt_head_count] = {"prob", "bbox", "landmark"};

static const char *const caffe_outputs[qmt_net_count][qmt_head_count] = {
    {"prob1", "conv4-2", "conv4-3"}, {"prob1", "conv5-2", "conv5-3"}, {"prob1", "conv6-2", "conv6-3"}};

static void fill(qmt_profile *profile, const char *name)
{
    bool caffe = strcmp(name, "caffe") == 0;
    memset(profile, 0, sizeof *profile);
    snprintf(profile->name, sizeof profile->name, "%s", name);
    profile->landmarks_planar = caffe;
    for (int net = 0; net < qmt_net_count; net++) {
        snprintf(profile->input[net], qmt_tensor_name_size, "%s", caffe ? "data" : "input");
        for (int head = 0; head < qmt_head_count; head++)
            snprintf(profile->outputs[net][head], qmt_tensor_name_size, "%s",
                     caffe ? caffe_outputs[net][head] : upright_outputs[head]);
    }
}

/* A name of 1 to 63 printable characters. Quotation marks, backslashes and dollars would need care in the scripts that
 * repeat it. */
static bool is_name(const char *text)
{
    size_t length = strlen(text);
    for (const char *c = text; *c; c++) {
        if (*c <= 32 || *c >= 127 || strchr("\"'\\$`%!,;:<>|&()*?[]{}", *c))
            return false;
    }
    return length > 0 && length < qmt_tensor_name_size;
}

/* Head -1: the input. */
static qmtcnn_status set_name(qmt_profile *profile, int net, int head, const char *path, const yaml_node_t *node,
                              qmtcnn_error *error)
{
    if (!node || node->type != YAML_SCALAR_NODE || !is_name(qmt_yaml_text(node)))
        return qmt_yaml_fail(error, path, node ? node->start_mark : (yaml_mark_t){0, 0, 0},
                             "a tensor's name has 1 to %d letters, digits, or one of - _ . / +",
                             qmt_tensor_name_size - 1);
    snprintf(head < 0 ? profile->input[net] : profile->outputs[net][head], qmt_tensor_name_size, "%s",
             qmt_yaml_text(node));
    return QMTCNN_OK;
}

/* One name for all networks, or a list of three. */
static qmtcnn_status set_names(qmt_profile *profile, int head, const char *path, yaml_document_t *document,
                               const yaml_node_t *node, qmtcnn_error *error)
{
    bool list = node->type == YAML_SEQUENCE_NODE;
    const yaml_node_item_t *items = list ? node->data.sequence.items.start : NULL;
    if (list && node->data.sequence.items.top - items != qmt_net_count)
        return qmt_yaml_fail(error, path, node->start_mark, "give three names: of P-Net, R-Net and O-Net");
    qmtcnn_status status = QMTCNN_OK;
    for (int net = 0; net < qmt_net_count && status == QMTCNN_OK; net++)
        status = set_name(profile, net, head, path, list ? yaml_document_get_node(document, items[net]) : node, error);
    return status;
}

static qmtcnn_status read_pair(qmt_profile *profile, const char *path, yaml_document_t *document,
                               const yaml_node_t *key, const yaml_node_t *value, qmtcnn_error *error)
{
    static const char *const keys[] = {"input", "face", "box", "landmarks", "landmark_order"};
    const char *name = key->type == YAML_SCALAR_NODE ? qmt_yaml_text(key) : "";
    for (int i = 0; i < 4; i++) {
        if (strcmp(name, keys[i]) == 0)
            return set_names(profile, i - 1, path, document, value, error);
    }
    if (strcmp(name, keys[4]) == 0) {
        const char *order = value->type == YAML_SCALAR_NODE ? qmt_yaml_text(value) : "";
        profile->landmarks_planar = strcmp(order, "planar") == 0;
        if (profile->landmarks_planar || strcmp(order, "pairs") == 0)
            return QMTCNN_OK;
        return qmt_yaml_fail(error, path, value->start_mark,
                             "landmark_order is pairs (x1 y1 ..) or planar (x1 .. x5 y1 ..)");
    }
    qmt_nearest nearest;
    qmt_nearest_start(&nearest, name);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        qmt_nearest_try(&nearest, keys[i]);
    const char *found = qmt_nearest_found(&nearest);
    return qmt_yaml_fail(error, path, key->start_mark, "unknown key '%.60s'; %s%s", name,
                         found ? "did you mean " : "a profile has input, face, box, landmarks and landmark_order",
                         found ? found : "");
}

static qmtcnn_status read_profile(const char *path, qmt_profile *profile, qmtcnn_error *error)
{
    void *data;
    size_t size;
    yaml_document_t document;
    qmtcnn_status status = qmt_file_read(path, qmt_yaml_limit, &data, &size, error);
    if (status != QMTCNN_OK)
        return status;
    status = qmt_yaml_load(data, size, path, &document, error);
    qmt_free(data);
    if (status != QMTCNN_OK)
        return status;
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    if (!root || root->type != YAML_MAPPING_NODE) {
        status =
            qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: a profile is a mapping with input, face, box, landmarks", path);
    } else {
        for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
             pair < root->data.mapping.pairs.top && status == QMTCNN_OK; pair++)
            status = read_pair(profile, path, &document, yaml_document_get_node(&document, pair->key),
                               yaml_document_get_node(&document, pair->value), error);
    }
    yaml_document_delete(&document);
    return status;
}

qmtcnn_status qmt_profile_load(const char *name, qmt_profile *profile, qmtcnn_error *error)
{
    fill(profile, name);
    if (strcmp(name, "upright") == 0 || strcmp(name, "caffe") == 0)
        return QMTCNN_OK;
    if (!strchr(name, '.'))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "unknown profile '%.60s'; give upright, caffe, or a YAML file",
                        name);
    return read_profile(name, profile, error);
}

/* Which channel of one order channel `c` of the other comes from. */
static int source_channel(int c, bool to_planar)
{
    return to_planar ? c % points * 2 + c / points : c % 2 * points + c / 2;
}

/* New rows of `size` bytes each, in the other order. */
static void permute(void *rows, size_t size, bool to_planar, char *scratch)
{
    if (!rows)
        return;
    memcpy(scratch, rows, values * size);
    for (int c = 0; c < values; c++)
        memcpy((char *)rows + (size_t)c * size, scratch + (size_t)source_channel(c, to_planar) * size, size);
}

static qmtcnn_status reorder_landmarks(qmt_layer *head, bool to_planar, qmtcnn_error *error)
{
    size_t row = (size_t)head->in_channels * (size_t)head->kernel_height * (size_t)head->kernel_width;
    if (head->out_channels != values)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s has %d landmark channels, not %d", head->name,
                        head->out_channels, values);
    char *scratch = qmt_alloc(values * row, sizeof(float));
    if (!scratch)
        return qmt_fail_memory(error, values * row * sizeof(float), "landmark weights");
    permute(head->weight, row * sizeof *head->weight, to_planar, scratch);
    permute(head->bias, sizeof *head->bias, to_planar, scratch);
    permute(head->slope, sizeof *head->slope, to_planar, scratch);
    permute(head->weight_scale, sizeof *head->weight_scale, to_planar, scratch);
    permute(head->weight_int8, row * sizeof *head->weight_int8, to_planar, scratch);
    permute(head->bias_int32, sizeof *head->bias_int32, to_planar, scratch);
    qmt_free(scratch);
    return QMTCNN_OK;
}

static qmtcnn_status replace_string(char **string, const char *text, qmtcnn_error *error)
{
    char *copy = qmt_copy_string(text);
    if (!copy)
        return qmt_fail_memory(error, strlen(text), "a tensor's name");
    qmt_free(*string);
    *string = copy;
    return QMTCNN_OK;
}

qmtcnn_status qmt_profile_apply(const qmt_profile *profile, qmt_model *model, qmtcnn_error *error)
{
    qmtcnn_status status = replace_string(&model->input_name, profile->input[model->net], error);
    for (int head = 0; head < qmt_head_count && status == QMTCNN_OK; head++) {
        if (model->heads[head].out_channels > 0)
            status = replace_string(&model->output_names[head], profile->outputs[model->net][head], error);
    }
    qmt_layer *landmarks = &model->heads[QMT_HEAD_LANDMARKS];
    if (status != QMTCNN_OK || landmarks->out_channels == 0 || model->landmarks_planar == profile->landmarks_planar)
        return status;
    status = reorder_landmarks(landmarks, profile->landmarks_planar, error);
    if (status == QMTCNN_OK)
        model->landmarks_planar = profile->landmarks_planar;
    return status;
}
