#include "toolkit/deploy/message.h"

#include "toolkit/base/file.h"

#include <stdlib.h>

enum { file_limit = 1024 * 1024 * 1024 };

/* Memory for a parsed message. Two bytes of a file can ask for a structure of a hundred, so what parsing may take is
 * tied to the file's size. */
struct budget {
    size_t left;
};

static void *take(void *state, size_t size)
{
    struct budget *budget = state;
    if (size > budget->left)
        return NULL;
    budget->left -= size;
    return malloc(size);
}

static void give(void *state, void *memory)
{
    (void)state;
    free(memory);
}

qmtcnn_status qmt_onnx_message_parse(const void *data, size_t size, const char *name, QmtOnnx__Model **message,
                                     qmtcnn_error *error)
{
    enum { least = 64 * 1024 * 1024, times = 4 };
    struct budget budget = {size > (SIZE_MAX - least) / times ? SIZE_MAX : size * times + least};
    ProtobufCAllocator allocator = {take, give, &budget};
    *message = qmt_onnx__model__unpack(&allocator, size, data);
    if (!*message)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                        "%s is no ONNX file, or a damaged one: its protobuf message does not parse", name);
    if ((*message)->graph && (*message)->graph->n_node > 0)
        return QMTCNN_OK;
    qmt_onnx_message_free(*message);
    *message = NULL;
    return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s holds no ONNX graph", name);
}

qmtcnn_status qmt_onnx_message_read(const char *path, QmtOnnx__Model **message, qmtcnn_error *error)
{
    void *data;
    size_t size;
    *message = NULL;
    qmtcnn_status status = qmt_file_read(path, file_limit, &data, &size, error);
    if (status != QMTCNN_OK)
        return status;
    status = qmt_onnx_message_parse(data, size, path, message, error);
    qmt_free(data);
    return status;
}

void qmt_onnx_message_free(QmtOnnx__Model *message)
{
    ProtobufCAllocator allocator = {take, give, NULL};
    if (message)
        qmt_onnx__model__free_unpacked(message, &allocator);
}
