/* A JPEG or PNG file from its bytes to faces, as `qmtcnn detect` takes it. */
#include "fuzz.h"
#include "networks.h"
#include "toolkit/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { most_pixels = 1 << 16 }; /* larger ones are sound, and slow */
    static qmtcnn_model *model;     /* kept for all inputs, as a program keeps it */
    static qmtcnn_context *context;
    qmtcnn_error error = {0};
    qmtcnn_options options;
    qmt_image picture = {0};
    int width, height;
    const qmtcnn_face *faces = NULL;
    size_t count = 0;
    qmtcnn_options_default(model, &options);
    options.thresholds[0] = options.thresholds[1] = options.thresholds[2] = 0.4f;
    options.max_proposals = 20;
    options.threads = 2;
    if (!context) {
        fuzz_check(fuzz_detector(NULL, QMT_PNET, &model, &error) == QMTCNN_OK, error.message);
        fuzz_check(qmtcnn_context_create(model, &options, &context, &error) == QMTCNN_OK, error.message);
    }
    if (qmt_image_decode_size(data, size, "input", &width, &height, &error) != QMTCNN_OK ||
        (int64_t)width * height > most_pixels)
        return 0;
    qmtcnn_status status = qmt_image_decode(data, size, "input", QMT_UPRIGHT, &picture, &error);
    fuzz_check_message(status, &error);
    if (status == QMTCNN_OK) {
        const qmtcnn_image image = {
            picture.data, picture.width, picture.height, 3 * picture.width, QMTCNN_RGB, NULL, 0};
        fuzz_check(qmtcnn_detect(context, &image, &faces, &count, &error) == QMTCNN_OK, error.message);
        fuzz_check_faces(faces, count, &image, &options);
    }
    qmt_image_clear(&picture);
    return 0;
}
