/* The public header's self-test: built-in networks, and models of the caller's. */
#include "runtime/kernels/selftest.h"
#include "runtime/model/onnx.h"

#include <stdio.h>
#include <string.h>

static qmtcnn_status test_file(const char *folder, qmt_net_id net, const qmt_kernels *kernels, qmtcnn_error *error)
{
    const size_t length = strlen(folder) + 32;
    qmt_model *model = NULL;
    char *path = qmt_alloc(length, 1);
    if (!path)
        return qmt_fail_memory(error, length, "a file name");
    snprintf(path, length, "%s/%s.onnx", folder, qmt_net_name(net));
    qmtcnn_status status = qmt_onnx_read_file(path, &model, error);
    if (status == QMTCNN_OK)
        status = qmt_selftest_model(model, path, kernels, NULL, NULL, error);
    qmt_model_free(model);
    qmt_free(path);
    return status;
}

qmtcnn_status qmtcnn_selftest(const char *models, const char *kernels, qmtcnn_error *error)
{
    qmtcnn_error local;
    if (!error)
        error = &local;
    const qmt_kernels *table = qmt_kernels_select(kernels);
    if (!table)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "no kernels called \"%.40s\" that this processor can run",
                        kernels);
    qmtcnn_status status = qmt_selftest_builtin(table, NULL, NULL, error);
    for (int net = 0; models && status == QMTCNN_OK && net < qmt_net_count; net++)
        status = test_file(models, (qmt_net_id)net, table, error);
    return status;
}
