#include "toolkit/base/file.h"
#include "toolkit/image/codec.h"
#include "toolkit/image/exif.h"

#include <string.h>

typedef enum format { FORMAT_UNKNOWN, FORMAT_JPEG, FORMAT_PNG } format;

static format find_format(const uint8_t *data, size_t size)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff}, png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    if (size >= sizeof jpeg && memcmp(data, jpeg, sizeof jpeg) == 0)
        return FORMAT_JPEG;
    return size >= sizeof png && memcmp(data, png, sizeof png) == 0 ? FORMAT_PNG : FORMAT_UNKNOWN;
}

static qmtcnn_status decode(const uint8_t *data, size_t size, const char *name, qmt_image *image, int *width,
                            int *height, int *orientation, qmtcnn_error *error)
{
    *orientation = 1;
    switch (find_format(data, size)) {
    case FORMAT_JPEG: return qmt_jpeg_decode(data, size, name, image, width, height, orientation, error);
    case FORMAT_PNG: return qmt_png_decode(data, size, name, image, width, height, error);
    case FORMAT_UNKNOWN: break;
    }
    if (size == 0)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: the file is empty", name);
    return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: neither a JPEG nor a PNG picture (by its first bytes)", name);
}

qmtcnn_status qmt_image_decode(const void *data, size_t size, const char *name, qmt_orientation orientation,
                               qmt_image *image, qmtcnn_error *error)
{
    int width, height, stored;
    *image = (qmt_image){0};
    qmtcnn_status status = decode(data, size, name, image, &width, &height, &stored, error);
    if (status == QMTCNN_OK && orientation == QMT_UPRIGHT)
        status = qmt_image_turn(image, stored, error);
    if (status != QMTCNN_OK)
        qmt_image_clear(image);
    return status;
}

qmtcnn_status qmt_image_read(const char *path, qmt_orientation orientation, qmt_image *image, qmtcnn_error *error)
{
    enum { max_file = 1 << 30 };
    void *data = NULL;
    size_t size = 0;
    *image = (qmt_image){0};
    qmtcnn_status status = qmt_file_read(path, max_file, &data, &size, error);
    if (status == QMTCNN_OK)
        status = qmt_image_decode(data, size, path, orientation, image, error);
    qmt_free(data);
    return status;
}

qmtcnn_status qmt_image_decode_size(const void *data, size_t size, const char *name, int *width, int *height,
                                    qmtcnn_error *error)
{
    int orientation;
    return decode(data, size, name, NULL, width, height, &orientation, error);
}

qmtcnn_status qmt_image_read_size(const char *path, int *width, int *height, qmtcnn_error *error)
{
    qmt_mapping mapping = {0};
    qmtcnn_status status = qmt_file_map(path, &mapping, error);
    if (status != QMTCNN_OK)
        return status;
    status = qmt_image_decode_size(mapping.data, mapping.size, path, width, height, error);
    qmt_file_unmap(&mapping);
    return status;
}
