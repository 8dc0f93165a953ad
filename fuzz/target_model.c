/* A network in the place of one of the three: what is opened detects. The first byte says which. */
#include "fuzz.h"
#include "networks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { width = 41, height = 30 };
    static uint8_t pixels[3 * width * height];
    const qmtcnn_image image = {pixels, width, height, 3 * width, QMTCNN_RGB, NULL, 0};
    qmtcnn_error error = {0};
    qmtcnn_model *model = NULL;
    qmtcnn_context *context = NULL;
    qmtcnn_options options;
    const qmtcnn_face *faces = NULL;
    size_t count = 0;
    if (size < 2)
        return 0;
    const qmtcnn_buffer other = {data + 1, size - 1};
    qmtcnn_status status = fuzz_detector(&other, (qmt_net_id)(data[0] % qmt_net_count), &model, &error);
    fuzz_check_message(status, &error);
    fuzz_check(status == QMTCNN_OK || !model, "a model after a failure");
    if (status != QMTCNN_OK)
        return 0;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * i >> 3);
    qmtcnn_options_default(model, &options);
    options.min_face = 12;
    options.max_proposals = 20;
    status = qmtcnn_context_create(model, &options, &context, &error);
    fuzz_check_message(status, &error);
    if (status == QMTCNN_OK) {
        status = qmtcnn_detect(context, &image, &faces, &count, &error);
        fuzz_check_message(status, &error);
    }
    fuzz_check_faces(faces, count, &image, &options);
    qmtcnn_context_free(context);
    qmtcnn_model_close(model);
    return 0;
}
