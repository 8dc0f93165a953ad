/* Runs one network of our runtime on raw pixels and writes every layer's output as safetensors, for comparison with
 * other runtimes: dump_layers MODEL.onnx fp32|int8 WIDTH HEIGHT KERNELS OUT.safetensors < RGB-bytes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/network.h"
#include "runtime/model/onnx.h"
#include "toolkit/base/safetensors.h"

struct dump {
    qmt_tensors_writer *writer;
    void *copies[qmt_max_layers + qmt_head_count];
    int count;
    qmtcnn_status status;
    qmtcnn_error *error;
};

/* Tensors are borrowed by the writer and gone after the tap, so each is copied. */
static void keep(void *state, const qmt_tap_tensor *tensor)
{
    struct dump *dump = state;
    size_t count = (size_t)tensor->height * (size_t)tensor->width * (size_t)tensor->channels;
    size_t size = tensor->int8 ? 1 : sizeof(float);
    void *copy = qmt_alloc(count, size);
    if (!copy || dump->count == qmt_max_layers + qmt_head_count || dump->status != QMTCNN_OK) {
        qmt_free(copy);
        dump->status = QMTCNN_ERROR_MEMORY;
        return;
    }
    memcpy(copy, tensor->int8 ? (const void *)tensor->int8 : (const void *)tensor->real, count * size);
    dump->copies[dump->count++] = copy;
    dump->status = qmt_tensors_add(
        dump->writer, tensor->name,
        tensor->is_unsigned ? QMT_U8
        : tensor->int8      ? QMT_I8
                            : QMT_F32,
        3, (size_t[]){(size_t)tensor->height, (size_t)tensor->width, (size_t)tensor->channels}, copy, dump->error);
}

static qmtcnn_status run(char **argv, const uint8_t *pixels, int width, int height, struct dump *dump,
                         qmtcnn_error *error)
{
    qmt_model *model = NULL;
    qmt_network *network = NULL;
    qmt_workspace *workspace = NULL;
    qmtcnn_precision precision = strcmp(argv[2], "int8") == 0 ? QMTCNN_PRECISION_INT8 : QMTCNN_PRECISION_FP32;
    const qmt_outputs nothing = {.face = NULL};
    qmtcnn_status status = qmt_onnx_read_file(argv[1], &model, error);
    if (status == QMTCNN_OK)
        status = qmt_network_create(model, precision, qmt_kernels_select(argv[5]), &network, error);
    if (status == QMTCNN_OK)
        status = qmt_workspace_create(&workspace, error);
    if (status == QMTCNN_OK)
        status = qmt_network_run(network, workspace, pixels, 3 * (ptrdiff_t)width, 1, height, width, &nothing, keep,
                                 dump, error);
    if (status == QMTCNN_OK)
        status = dump->status;
    if (status == QMTCNN_OK)
        status = qmt_tensors_write(dump->writer, argv[6], error);
    qmt_workspace_free(workspace);
    qmt_network_free(network);
    qmt_model_free(model);
    return status;
}

int main(int argc, char **argv)
{
    qmtcnn_error error = {QMTCNN_OK, ""};
    struct dump dump = {.error = &error};
    int width = argc == 7 ? atoi(argv[3]) : 0, height = argc == 7 ? atoi(argv[4]) : 0;
    if (width < 1 || height < 1 || width > 8192 || height > 8192) {
        fprintf(stderr, "usage: dump_layers MODEL.onnx fp32|int8 WIDTH HEIGHT KERNELS OUT.safetensors < RGB\n");
        return 2;
    }
    size_t size = 3 * (size_t)width * (size_t)height;
    uint8_t *pixels = qmt_alloc(size, 1);
    qmtcnn_status status = qmt_tensors_writer_create(&dump.writer, &error);
    if (pixels && status == QMTCNN_OK && fread(pixels, 1, size, stdin) != size)
        status = qmt_fail(&error, QMTCNN_ERROR_IO, "standard input has fewer than %zu bytes", size);
    if (pixels && status == QMTCNN_OK)
        status = run(argv, pixels, width, height, &dump, &error);
    qmt_tensors_writer_free(dump.writer);
    for (int i = 0; i < dump.count; i++)
        qmt_free(dump.copies[i]);
    qmt_free(pixels);
    if (status != QMTCNN_OK)
        fprintf(stderr, "dump_layers: %s\n", error.message);
    return status == QMTCNN_OK ? 0 : 1;
}
