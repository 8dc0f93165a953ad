/* safetensors files (checkpoints and sample shards), and folders of them and of networks. */
#include "cli/info.h"
#include "toolkit/base/file.h"
#include "toolkit/base/safetensors.h"

#include <stdio.h>
#include <string.h>

enum { length_bytes = 8 };

static const char *type_name(qmt_dtype type)
{
    static const char *const names[] = {"U8", "I8", "I32", "I64", "U64", "F32", "F64"};
    return names[type];
}

static json_t *tensor_json(const qmt_tensor *tensor)
{
    char shape[160] = "[";
    size_t at = 1;
    for (int i = 0; i < tensor->dims && at + 24 < sizeof shape; i++)
        at += (size_t)snprintf(shape + at, sizeof shape - at, "%s%zu", i ? ", " : "", tensor->shape[i]);
    snprintf(shape + at, sizeof shape - at, "]");
    return json_pack("{s:s, s:s, s:s, s:I}", "tensor", tensor->name, "type", type_name(tensor->type), "shape", shape,
                     "bytes", (json_int_t)tensor->bytes);
}

/* All of __metadata__. The file was opened, so its header is sound. */
static json_t *read_metadata(const char *path, qmtcnn_error *error)
{
    qmt_mapping mapping;
    if (qmt_file_map(path, &mapping, error) != QMTCNN_OK)
        return NULL;
    uint64_t length = 0;
    json_t *metadata = NULL;
    for (int i = 0; i < length_bytes && mapping.size >= length_bytes; i++)
        length |= (uint64_t)mapping.data[i] << (8 * i);
    if (mapping.size >= length_bytes && length <= mapping.size - length_bytes) {
        json_t *header =
            json_loadb((const char *)mapping.data + length_bytes, (size_t)length, JSON_DISABLE_EOF_CHECK, NULL);
        metadata = json_incref(json_object_get(header, "__metadata__"));
        json_decref(header);
    }
    qmt_file_unmap(&mapping);
    return metadata ? metadata : json_object();
}

qmtcnn_status qmt_info_tensors(qmt_info_request *request, json_t **info, qmtcnn_error *error)
{
    qmt_tensors_file *file;
    *info = NULL;
    if (request->check)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "--check tensorrt is for ONNX files; export this checkpoint first");
    qmtcnn_status status = qmt_tensors_open(request->path, &file, error);
    if (status != QMTCNN_OK)
        return status;
    json_t *tensors = json_array();
    size_t bytes = 0;
    for (size_t i = 0; i < qmt_tensors_count(file); i++) {
        json_array_append_new(tensors, tensor_json(qmt_tensors_at(file, i)));
        bytes += qmt_tensors_at(file, i)->bytes;
    }
    json_t *object = json_pack("{s:s, s:s, s:I, s:I, s:o, s:o}", "file", request->path, "kind", "safetensors", "count",
                               (json_int_t)qmt_tensors_count(file), "bytes", (json_int_t)bytes, "tensors", tensors,
                               "metadata", read_metadata(request->path, error));
    qmt_tensors_close(file);
    return qmt_info_finish(object, info, error);
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

qmtcnn_status qmt_info_folder(qmt_info_request *request, json_t **info, qmtcnn_error *error)
{
    char **names;
    size_t count;
    const char *folder = request->path;
    *info = NULL;
    qmtcnn_status status = qmt_folder_list(folder, &names, &count, error);
    if (status != QMTCNN_OK)
        return status;
    json_t *files = json_object();
    for (size_t i = 0; i < count && status == QMTCNN_OK; i++) {
        bool onnx = ends_with(names[i], ".onnx");
        if (!onnx && (request->check || !ends_with(names[i], ".safetensors")))
            continue;
        json_t *one = NULL;
        char *path = qmt_path_join(folder, names[i]);
        request->path = path;
        if (!path)
            status = qmt_fail_memory(error, strlen(folder), "a path");
        else
            status = onnx ? qmt_info_onnx(request, &one, error) : qmt_info_tensors(request, &one, error);
        if (one)
            json_object_set_new(files, names[i], one);
        qmt_free(path);
    }
    request->path = folder;
    qmt_names_free(names, count);
    if (status == QMTCNN_OK && json_object_size(files) == 0)
        status =
            qmt_fail(error, QMTCNN_ERROR_FORMAT,
                     "%s is neither a data set (wider_face_split, images), nor samples (manifest.json), nor a folder "
                     "of .onnx or .safetensors files",
                     folder);
    if (status == QMTCNN_OK)
        return qmt_info_finish(files, info, error);
    json_decref(files);
    return status;
}
