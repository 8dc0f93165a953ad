/* The check of any ONNX file against TensorRT's rules. */
#include "fuzz.h"
#include "toolkit/deploy/deploy.h"

#include <string.h>

static void take(void *state, const qmt_lint_finding *finding)
{
    size_t *bytes = state;
    *bytes += strlen(finding->rule) + strlen(finding->node) + strlen(finding->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qmtcnn_error error = {0};
    size_t bytes = 0;
    int findings = 0;
    fuzz_check_message(qmt_lint_tensorrt_memory(data, size, "input.onnx", take, &bytes, &findings, &error), &error);
    return 0;
}
