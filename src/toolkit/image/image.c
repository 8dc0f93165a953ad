#include "toolkit/image/image.h"

#include <math.h>

qmtcnn_status qmt_image_create(int width, int height, qmt_image *image, qmtcnn_error *error)
{
    enum { max_side = 65535, max_pixels = 1 << 28 };
    *image = (qmt_image){0};
    if (width < 1 || height < 1 || width > max_side || height > max_side ||
        (size_t)width * (size_t)height > (size_t)max_pixels)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED,
                        "a picture of %d x %d pixels: sides must be 1 to %d and pixels at most %d", width, height,
                        max_side, (int)max_pixels);
    size_t size = (size_t)width * (size_t)height * 3;
    image->data = qmt_alloc_zero(size, 1);
    if (!image->data)
        return qmt_fail_memory(error, size, "a picture");
    image->width = width;
    image->height = height;
    return QMTCNN_OK;
}

void qmt_image_clear(qmt_image *image)
{
    qmt_free(image->data);
    *image = (qmt_image){0};
}

qmt_pixels qmt_image_pixels(const qmt_image *image)
{
    return (qmt_pixels){image->data, image->width, image->height, (ptrdiff_t)3 * image->width};
}

qmtcnn_status qmt_image_shrink(const qmt_image *from, int longest, qmt_image *to, double *scale, qmtcnn_error *error)
{
    qmt_resizer resizer = {0};
    const qmt_pixels pixels = qmt_image_pixels(from);
    int longer = from->width > from->height ? from->width : from->height;
    *scale = longer > longest ? (double)longest / longer : 1;
    int width = (int)fmax(1, round(from->width * *scale)), height = (int)fmax(1, round(from->height * *scale));
    qmtcnn_status status = qmt_image_create(width, height, to, error);
    if (status == QMTCNN_OK)
        status = qmt_resize(&resizer, &pixels, 0, 0, from->width, from->height, to->data, width, height,
                            3 * (ptrdiff_t)width, error);
    qmt_resizer_clear(&resizer);
    if (status != QMTCNN_OK)
        qmt_image_clear(to);
    return status;
}
