/* Pictures, JPEG and PNG, with their EXIF data. */
#include "fuzz.h"
#include "toolkit/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { most_pixels = 1 << 20 }; /* larger ones are sound, and slow */
    qmtcnn_error error = {0};
    qmt_image image = {0};
    int width, height;
    qmtcnn_status status = qmt_image_decode_size(data, size, "input", &width, &height, &error);
    fuzz_check_message(status, &error);
    if (status != QMTCNN_OK || (int64_t)width * height > most_pixels)
        return 0;
    status = qmt_image_decode(data, size, "input", QMT_UPRIGHT, &image, &error);
    fuzz_check_message(status, &error);
    if (status == QMTCNN_OK)
        fuzz_check((image.width == width && image.height == height) || (image.width == height && image.height == width),
                   "header and picture differ in size");
    else
        fuzz_check(!image.data, "pixels after a failure");
    qmt_image_clear(&image);
    return 0;
}
