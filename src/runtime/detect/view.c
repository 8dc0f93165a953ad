#include "runtime/detect/view.h"

enum {
    max_side = 65535,
    max_pixels = 1 << 28,
    band_rows = 64 /* rows that one turn converts */
};

static int bytes_a_pixel(qmtcnn_format format)
{
    switch (format) {
    case QMTCNN_RGB: return 3;
    case QMTCNN_BGR: return 3;
    case QMTCNN_GRAY: return 1;
    case QMTCNN_RGBA: return 4;
    case QMTCNN_BGRA: return 4;
    case QMTCNN_NV12: return 1; /* of the Y plane */
    }
    return 0;
}

/* Do `rows` rows of `bytes` fit a stride, and all of them the address space? */
static bool stride_fits(ptrdiff_t stride, int rows, size_t bytes)
{
    const size_t step = stride < 0 ? 0 - (size_t)stride : (size_t)stride;
    return step >= bytes && step <= (size_t)PTRDIFF_MAX / (size_t)rows;
}

static qmtcnn_status check_view(const qmtcnn_image *image, qmtcnn_error *error)
{
    if (!image || !image->pixels)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "the image, or its pixels, are NULL");
    const int width = image->width, height = image->height, bytes = bytes_a_pixel(image->format);
    if (bytes == 0)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "unknown pixel format %d", (int)image->format);
    if (width < 1 || height < 1 || width > max_side || height > max_side || (int64_t)width * height > max_pixels)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "an image of %d x %d pixels: sides must be in 1 .. %d, and all at most %d", width, height,
                        max_side, max_pixels);
    if (!stride_fits(image->stride, height, (size_t)width * (size_t)bytes))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "a stride of %lld bytes does not fit %d rows of %d pixels of %d bytes",
                        (long long)image->stride, height, width, bytes);
    return QMTCNN_OK;
}

/* Where NV12's chroma is. */
static qmtcnn_status find_chroma(const qmtcnn_image *image, const uint8_t **chroma, ptrdiff_t *stride,
                                 qmtcnn_error *error)
{
    *stride = image->chroma_stride ? image->chroma_stride : image->stride;
    *chroma = image->chroma;
    if (!image->chroma && image->stride < 0)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "NV12 with a negative stride: give the chroma plane's address");
    if (!image->chroma)
        *chroma = image->pixels + image->stride * image->height;
    if (!stride_fits(*stride, (image->height + 1) / 2, 2 * (((size_t)image->width + 1) / 2)))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "a chroma stride of %lld bytes does not fit %d pixels: two bytes for every two of them, "
                        "rounded up",
                        (long long)*stride, image->width);
    return QMTCNN_OK;
}

struct conversion {
    const qmtcnn_image *image;
    const uint8_t *chroma;
    ptrdiff_t chroma_stride;
    uint8_t *output;
};

static void convert_gray(const uint8_t *in, int width, uint8_t *out)
{
    for (int x = 0; x < width; x++)
        out[3 * x] = out[3 * x + 1] = out[3 * x + 2] = in[x];
}

static void convert_packed(const uint8_t *in, int width, int bytes, int red, uint8_t *out)
{
    for (int x = 0; x < width; x++, in += bytes, out += 3) {
        out[0] = in[red];
        out[1] = in[1];
        out[2] = in[2 - red];
    }
}

/* 8 fraction bits to a byte. */
static uint8_t to_byte(int value)
{
    value += 128;
    return value < 0 ? 0 : value >= 256 * 256 ? 255 : (uint8_t)(value / 256);
}

/* ITU-R BT.601 with Y in 16 .. 235 and chroma in 16 .. 240; coefficients in 1/256. Chroma is repeated, not
 * interpolated. */
static void convert_nv12(const uint8_t *luma, const uint8_t *chroma, int width, uint8_t *out)
{
    for (int x = 0; x < width; x++, out += 3) {
        const int y = 298 * (luma[x] - 16);
        const int u = chroma[x / 2 * 2] - 128, v = chroma[x / 2 * 2 + 1] - 128;
        out[0] = to_byte(y + 409 * v);
        out[1] = to_byte(y - 100 * u - 208 * v);
        out[2] = to_byte(y + 516 * u);
    }
}

static void convert_band(void *state, int index, int worker)
{
    const struct conversion *conversion = state;
    const qmtcnn_image *image = conversion->image;
    const int width = image->width;
    const int end = (index + 1) * band_rows < image->height ? (index + 1) * band_rows : image->height;
    (void)worker;
    for (int y = index * band_rows; y < end; y++) {
        const uint8_t *in = image->pixels + y * image->stride;
        uint8_t *out = conversion->output + 3 * (ptrdiff_t)width * y;
        switch (image->format) {
        case QMTCNN_RGB: convert_packed(in, width, 3, 0, out); break;
        case QMTCNN_BGR: convert_packed(in, width, 3, 2, out); break;
        case QMTCNN_RGBA: convert_packed(in, width, 4, 0, out); break;
        case QMTCNN_BGRA: convert_packed(in, width, 4, 2, out); break;
        case QMTCNN_GRAY: convert_gray(in, width, out); break;
        case QMTCNN_NV12: convert_nv12(in, conversion->chroma + y / 2 * conversion->chroma_stride, width, out); break;
        }
    }
}

qmtcnn_status qmt_view_pixels(const qmtcnn_image *image, qmt_pool *pool, qmt_view_buffer *buffer, qmt_pixels *pixels,
                              qmtcnn_error *error)
{
    struct conversion conversion = {.image = image};
    qmtcnn_status status = check_view(image, error);
    if (status == QMTCNN_OK && image->format == QMTCNN_NV12)
        status = find_chroma(image, &conversion.chroma, &conversion.chroma_stride, error);
    if (status != QMTCNN_OK)
        return status;
    const ptrdiff_t row = 3 * (ptrdiff_t)image->width;
    *pixels = (qmt_pixels){image->pixels, image->width, image->height, image->stride};
    if (image->format == QMTCNN_RGB)
        return QMTCNN_OK;
    status = qmt_grow(&buffer->memory, &buffer->size, 0, (size_t)row * (size_t)image->height, 1, error);
    if (status != QMTCNN_OK)
        return status;
    conversion.output = buffer->memory;
    qmt_pool_run(pool, (image->height + band_rows - 1) / band_rows, convert_band, &conversion);
    pixels->data = buffer->memory;
    pixels->stride = row;
    return QMTCNN_OK;
}
