/* Writes pnet.onnx, rnet.onnx and onet.onnx with random weights, INT8, into a folder: make_models FOLDER. For tests
 * that need files to load and not faces to find. */
#include "runtime/models.h"

#include "runtime/model/onnx.h"
#include "toolkit/base/file.h"

int main(int argc, char **argv)
{
    qmtcnn_error error = {QMTCNN_OK, ""};
    qmtcnn_status status = QMTCNN_OK;
    if (argc != 2) {
        fprintf(stderr, "usage: make_models FOLDER\n");
        return 2;
    }
    for (int net = 0; status == QMTCNN_OK && net < qmt_net_count; net++) {
        qmt_model *model = test_make_model((qmt_net_id)net, true, QMT_ACTIVATION_RELU, 5);
        qmt_onnx_options options = {.flatten_outputs = net != QMT_PNET};
        void *data = NULL;
        size_t size = 0;
        char path[1024];
        snprintf(path, sizeof path, "%s/%s.onnx", argv[1], qmt_net_name((qmt_net_id)net));
        status = qmt_onnx_write(model, &options, &data, &size, &error);
        if (status == QMTCNN_OK)
            status = qmt_file_write(path, data, size, &error);
        qmt_free(data);
        qmt_model_free(model);
    }
    if (status != QMTCNN_OK)
        fprintf(stderr, "make_models: %s\n", error.message);
    return status == QMTCNN_OK ? 0 : 1;
}
