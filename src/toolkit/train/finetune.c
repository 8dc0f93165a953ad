#include "toolkit/train/finetune.h"

#include "runtime/model/onnx.h"
#include "toolkit/log/progress.h"

#include <string.h>

static qmtcnn_status take_checkpoint(qmt_net *net, const char *path, qmtcnn_error *error)
{
    qmt_tensors_file *file = NULL;
    qmtcnn_status status = qmt_tensors_open(path, &file, error);
    if (status == QMTCNN_OK)
        status = qmt_net_load(net, file, error);
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

static qmtcnn_status take_file(qmt_net *net, const char *path, qmtcnn_error *error)
{
    qmtcnn_status status = ends_with(path, ".onnx") ? take_model(net, path, error) : take_checkpoint(net, path, error);
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
