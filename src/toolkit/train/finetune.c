#include "toolkit/train/finetune.h"

#include "runtime/model/onnx.h"
#include "toolkit/log/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { settle_batches = 4 };

/* Do two tables differ in nothing but where they normalize? */
static bool differ_in_normalization(const qmt_net_table *a, const qmt_net_table *b)
{
    bool differ = false;
    if (a->id != b->id || a->side != b->side || a->layer_count != b->layer_count)
        return false;
    for (int i = 0; i < a->layer_count; i++) {
        const qmt_net_layer *x = &a->layers[i], *y = &b->layers[i];
        if (strcmp(x->name, y->name) != 0 || x->out_channels != y->out_channels || x->kernel != y->kernel ||
            x->activation != y->activation || x->pool_kernel != y->pool_kernel || x->pool_stride != y->pool_stride)
            return false;
        differ = differ || x->batch_norm != y->batch_norm;
    }
    return differ;
}

/* By way of the folded network, which all of them have in common. */
static qmtcnn_status take_folded(qmt_net *net, const qmt_net_table *table, const qmt_tensors_file *file,
                                 qmtcnn_error *error)
{
    const qmt_quantize_config none = {0};
    qmt_net *other = NULL;
    qmt_model *model = NULL;
    qmtcnn_status status = qmt_net_create(table, 0, &other, error);
    if (status == QMTCNN_OK)
        status = qmt_net_load(other, file, error);
    if (status == QMTCNN_OK)
        status = qmt_net_to_model(other, true, &none, &model, error);
    if (status == QMTCNN_OK)
        status = qmt_net_from_model(net, model, error);
    qmt_model_free(model);
    qmt_net_free(other);
    return status;
}

static qmtcnn_status take_checkpoint(qmt_net *net, const char *path, qmtcnn_error *error)
{
    qmt_tensors_file *file = NULL;
    qmt_net_table table;
    qmtcnn_status status = qmt_tensors_open(path, &file, error);
    if (status == QMTCNN_OK)
        status = qmt_net_table_load(file, &table, error);
    if (status == QMTCNN_OK)
        status = differ_in_normalization(&table, qmt_net_get_table(net)) ? take_folded(net, &table, file, error)
                                                                         : qmt_net_load(net, file, error);
    qmt_tensors_close(file);
    return status;
}

static qmtcnn_status take_model(qmt_net *net, const char *path, qmtcnn_error *error)
{
    qmt_model *model = NULL;
    qmtcnn_status status = qmt_onnx_read_file(path, &model, error);
    if (status == QMTCNN_OK)
        status = qmt_net_from_model(net, model, error);
    qmt_model_free(model);
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* No training makes such weights, but damage to a file does; squares of what they lead to would overflow. */
static qmtcnn_status check_weights(qmt_net *net, qmtcnn_error *error)
{
    const float most = 1e9f;
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(net, &count);
    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < parameters[i].count; k++)
            if (!(parameters[i].value[k] >= -most && parameters[i].value[k] <= most))
                return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s holds %g, so the file is damaged: take another copy",
                                parameters[i].name, (double)parameters[i].value[k]);
    return QMTCNN_OK;
}

static qmtcnn_status take_file(qmt_net *net, const char *path, qmtcnn_error *error)
{
    qmtcnn_status status = ends_with(path, ".onnx") ? take_model(net, path, error) : take_checkpoint(net, path, error);
    if (status == QMTCNN_OK)
        status = check_weights(net, error);
    if (status != QMTCNN_OK)
        return qmt_fail_in(error, status, "can't start from %s", path);
    qmt_log_info("%s starts from %s", qmt_net_name(qmt_net_get_table(net)->id), path);
    return QMTCNN_OK;
}

qmtcnn_status qmt_finetune(qmt_net *net, const char *path, qmtcnn_error *error)
{
    const char *endings[] = {".onnx", "/qat.safetensors", "/fp32.safetensors"};
    const char *name = qmt_net_name(qmt_net_get_table(net)->id);
    if (!qmt_folder_exists(path))
        return take_file(net, path, error);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char *file = qmt_format("%s/%s%s", path, name, endings[i]);
        if (!file)
            return qmt_fail_memory(error, strlen(path) + 64, "a path");
        if (qmt_file_exists(file)) {
            qmtcnn_status status = take_file(net, file, error);
            qmt_free(file);
            return status;
        }
        qmt_free(file);
    }
    return qmt_fail(
        error, QMTCNN_ERROR_IO,
        "nothing to start %s from in %s: it holds neither %s.onnx nor %s/qat.safetensors nor %s/fp32.safetensors", name,
        path, name, name, name);
}

/* ---- Normalization of a folded network -------------------------------------------------------- */

static const qmt_parameter *find(qmt_net *net, const char *layer, const char *what)
{
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(net, &count);
    char name[64];
    snprintf(name, sizeof name, "%s.bn.%s", layer, what);
    for (int i = 0; i < count; i++)
        if (strcmp(parameters[i].name, name) == 0)
            return &parameters[i];
    return NULL;
}

static const double epsilon = 1e-5; /* torch's, see net.h */

bool qmt_finetune_is_folded(qmt_net *net)
{
    const qmt_net_table *table = qmt_net_get_table(net);
    bool any = false;
    for (int i = 0; i < table->layer_count; i++) {
        if (!table->layers[i].batch_norm)
            continue;
        const char *name = table->layers[i].name;
        const qmt_parameter *gamma = find(net, name, "gamma"), *mean = find(net, name, "mean"),
                            *variance = find(net, name, "variance");
        for (int c = 0; c < table->layers[i].out_channels; c++)
            if (gamma->value[c] != 1 || mean->value[c] != 0 || fabs((double)variance->value[c] + epsilon - 1) > 1e-7)
                return false;
        any = true;
    }
    return any;
}

/* Running statistics of all layers: the mean over the first batches. */
static qmtcnn_status measure(qmt_training *training, qmtcnn_error *error)
{
    qmt_net_state state = {.mode = QMT_MODE_FP32, .training = true, .quantize = training->config->quantize};
    qmtcnn_status status = qmt_loader_seek(training->loader, training->position.step, error);
    for (int i = 0; status == QMTCNN_OK && i < settle_batches; i++) {
        state.batch_norm_momentum = 1 / (float)(i + 1);
        status = qmt_training_forward_next(training, &state, error);
    }
    return status;
}

qmtcnn_status qmt_finetune_settle(qmt_training *training, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; status == QMTCNN_OK && i < training->table.layer_count; i++) {
        if (!training->table.layers[i].batch_norm)
            continue;
        /* The layers before compute what they did already, so this one's input is right. */
        status = measure(training, error);
        const char *name = training->table.layers[i].name;
        const qmt_parameter *gamma = find(training->net, name, "gamma"), *beta = find(training->net, name, "beta"),
                            *mean = find(training->net, name, "mean"),
                            *variance = find(training->net, name, "variance");
        for (int c = 0; status == QMTCNN_OK && c < training->table.layers[i].out_channels; c++) {
            gamma->value[c] = (float)sqrt((double)variance->value[c] + epsilon);
            beta->value[c] += mean->value[c];
        }
    }
    if (status == QMTCNN_OK)
        status = qmt_loader_seek(training->loader, training->position.step, error);
    return status;
}
