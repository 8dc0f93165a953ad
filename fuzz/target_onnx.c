/* Networks: what is read can be written, and the written file reads back. */
#include "fuzz.h"
#include "runtime/model/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const qmt_onnx_options options = {0};
    qmtcnn_error error = {0};
    qmt_model *model = NULL, *again = NULL;
    void *bytes = NULL;
    size_t count = 0;
    qmtcnn_status status = qmt_onnx_read(data, size, "input.onnx", &model, &error);
    fuzz_check_message(status, &error);
    fuzz_check(status == QMTCNN_OK || !model, "a model after a failure");
    if (status != QMTCNN_OK)
        return 0;
    fuzz_check(qmt_model_check(model, &error) == QMTCNN_OK, "a model that was read is not sound");
    if (qmt_onnx_write(model, &options, &bytes, &count, &error) == QMTCNN_OK) {
        fuzz_check(qmt_onnx_read(bytes, count, "again.onnx", &again, &error) == QMTCNN_OK, error.message);
        fuzz_check(again->layer_count == model->layer_count, "a model reads back with other layers");
    }
    qmt_free(bytes);
    qmt_model_free(again);
    qmt_model_free(model);
    return 0;
}
