#include "toolkit/image/codec.h"

#include <stdio.h>
#include <string.h>

#include <png.h>

typedef struct reader {
    qmt_trap trap;
    const uint8_t *data;
    size_t size, at;
    png_structp png;
    png_infop info;
    uint8_t *pixels; /* with alpha; else the image's own */
    png_bytep *rows;
} reader;

static void on_error(png_structp png, png_const_charp message)
{
    qmt_trap *trap = &((reader *)png_get_error_ptr(png))->trap;
    snprintf(trap->message, sizeof trap->message, "%s", message);
    longjmp(trap->jump, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png; /* Faulty color profiles and the like: they change no pixel here. */
    (void)message;
}

static void read_data(png_structp png, png_bytep out, size_t bytes)
{
    reader *r = png_get_io_ptr(png);
    if (r->size - r->at < bytes)
        png_error(png, "the data ends early");
    memcpy(out, r->data + r->at, bytes);
    r->at += bytes;
}

static void read_header(reader *r)
{
    enum { max_side = 65535, max_chunk = 1 << 24, max_chunks = 1000 };
    png_set_read_fn(r->png, r, read_data);
    png_set_user_limits(r->png, max_side, max_side);
    png_set_chunk_malloc_max(r->png, max_chunk);
    png_set_chunk_cache_max(r->png, max_chunks);
    png_set_crc_action(r->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_read_info(r->png, r->info);
}

/* Whatever the file holds becomes 8-bit RGB or RGBA. Returns whether there is alpha. */
static bool set_transforms(reader *r)
{
    int type = png_get_color_type(r->png, r->info);
    bool alpha = (type & PNG_COLOR_MASK_ALPHA) || png_get_valid(r->png, r->info, PNG_INFO_tRNS);
    png_set_expand(r->png);
    if (png_get_bit_depth(r->png, r->info) == 16)
        png_set_scale_16(r->png);
    if (!(type & PNG_COLOR_MASK_COLOR))
        png_set_gray_to_rgb(r->png);
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    return alpha;
}

static void lay_over_black(const uint8_t *rgba, size_t pixels, uint8_t *rgb)
{
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < 3; c++)
            rgb[3 * i + c] = (uint8_t)((rgba[4 * i + c] * rgba[4 * i + 3] + 127u) / 255u);
}

static qmtcnn_status read_pixels(reader *r, const char *name, qmt_image *image, qmtcnn_error *error)
{
    bool alpha = set_transforms(r);
    size_t channels = alpha ? 4 : 3, stride = channels * (size_t)image->width, height = (size_t)image->height;
    if (png_get_rowbytes(r->png, r->info) != stride)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "%s: a PNG of an unknown color type", name);
    r->rows = qmt_alloc(height, sizeof *r->rows);
    if (!r->rows)
        return qmt_fail_memory(error, height * sizeof *r->rows, "rows of a PNG");
    if (alpha && !(r->pixels = qmt_alloc(stride, height)))
        return qmt_fail_memory(error, stride * height, "a PNG with alpha");
    uint8_t *pixels = alpha ? r->pixels : image->data;
    for (size_t y = 0; y < height; y++)
        r->rows[y] = pixels + y * stride;
    png_read_image(r->png, r->rows);
    png_read_end(r->png, NULL);
    if (alpha)
        lay_over_black(pixels, (size_t)image->width * height, image->data);
    return QMTCNN_OK;
}

static qmtcnn_status read_all(reader *r, const char *name, qmt_image *image, int *width, int *height,
                              qmtcnn_error *error)
{
    read_header(r);
    *width = (int)png_get_image_width(r->png, r->info);
    *height = (int)png_get_image_height(r->png, r->info);
    if (!image)
        return QMTCNN_OK;
    /* Deflate shrinks by 1,032 at the most, so a small file with a huge size is lying. */
    size_t bits = (size_t)png_get_bit_depth(r->png, r->info) * png_get_channels(r->png, r->info);
    if (bits * (size_t)*width * (size_t)*height / 8 / 1032 > r->size)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: damaged PNG: %zu bytes can't hold %d x %d pixels", name,
                        r->size, *width, *height);
    qmtcnn_status status = qmt_image_create(*width, *height, image, error);
    return status == QMTCNN_OK ? read_pixels(r, name, image, error) : qmt_fail_in(error, status, "%s", name);
}

qmtcnn_status qmt_png_decode(const uint8_t *data, size_t size, const char *name, qmt_image *image, int *width,
                             int *height, qmtcnn_error *error)
{
    qmtcnn_status status;
    reader *r = qmt_alloc_zero(1, sizeof *r);
    if (!r)
        return qmt_fail_memory(error, sizeof *r, name);
    r->data = data;
    r->size = size;
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, on_error, on_warning);
    r->info = r->png ? png_create_info_struct(r->png) : NULL;
    if (!r->info)
        status = qmt_fail_memory(error, 0, "a PNG reader");
    else if (setjmp(r->trap.jump))
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: damaged PNG: %s", name, r->trap.message);
    else
        status = read_all(r, name, image, width, height, error);
    if (status != QMTCNN_OK && image)
        qmt_image_clear(image);
    png_destroy_read_struct(&r->png, &r->info, NULL);
    qmt_free(r->pixels);
    qmt_free(r->rows);
    qmt_free(r);
    return status;
}
