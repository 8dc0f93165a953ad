#include "toolkit/base/file.h"
#include "toolkit/image/codec.h"

#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

typedef struct jpeg_writer {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr destination;
    qmt_trap trap;
    qmt_block block;
} jpeg_writer;

static void fail_jpeg(j_common_ptr jpeg)
{
    jpeg_writer *w = (jpeg_writer *)jpeg;
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    snprintf(w->trap.message, sizeof w->trap.message, "%s", text);
    longjmp(w->trap.jump, 1);
}

static void ignore_message(j_common_ptr jpeg, int level)
{
    (void)jpeg;
    (void)level;
}

static void offer_room(jpeg_writer *w)
{
    enum { step = 1 << 16 };
    if (qmt_grow((void **)&w->block.data, &w->block.capacity, w->block.size, w->block.size + step, 1, NULL) !=
        QMTCNN_OK) {
        snprintf(w->trap.message, sizeof w->trap.message, "out of memory");
        longjmp(w->trap.jump, 1);
    }
    w->destination.next_output_byte = w->block.data + w->block.size;
    w->destination.free_in_buffer = w->block.capacity - w->block.size;
}

static void start_output(j_compress_ptr jpeg)
{
    offer_room((jpeg_writer *)jpeg);
}

/* libjpeg calls this only when the room is used up, whatever free_in_buffer says. */
static boolean go_on_output(j_compress_ptr jpeg)
{
    jpeg_writer *w = (jpeg_writer *)jpeg;
    w->block.size = w->block.capacity;
    offer_room(w);
    return TRUE;
}

static void end_output(j_compress_ptr jpeg)
{
    jpeg_writer *w = (jpeg_writer *)jpeg;
    w->block.size = w->block.capacity - w->destination.free_in_buffer;
}

static void write_jpeg(jpeg_writer *w, const qmt_image *image, int quality)
{
    jpeg_create_compress(&w->jpeg);
    w->destination = (struct jpeg_destination_mgr){NULL, 0, start_output, go_on_output, end_output};
    w->jpeg.dest = &w->destination;
    w->jpeg.image_width = (JDIMENSION)image->width;
    w->jpeg.image_height = (JDIMENSION)image->height;
    w->jpeg.input_components = 3;
    w->jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&w->jpeg);
    jpeg_set_quality(&w->jpeg, quality, TRUE);
    jpeg_start_compress(&w->jpeg, TRUE);
    while (w->jpeg.next_scanline < w->jpeg.image_height) {
        JSAMPROW row = image->data + (size_t)w->jpeg.next_scanline * (size_t)image->width * 3;
        jpeg_write_scanlines(&w->jpeg, &row, 1);
    }
    jpeg_finish_compress(&w->jpeg);
}

qmtcnn_status qmt_image_encode_jpeg(const qmt_image *image, int quality, void **data, size_t *size, qmtcnn_error *error)
{
    *data = NULL;
    *size = 0;
    if (image->width < 1 || image->height < 1 || image->width > JPEG_MAX_DIMENSION ||
        image->height > JPEG_MAX_DIMENSION || quality < 1 || quality > 100)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "a JPEG of %d x %d pixels, quality %d: sides must be 1 to %ld, quality 1 to 100", image->width,
                        image->height, quality, (long)JPEG_MAX_DIMENSION);
    jpeg_writer *w = qmt_alloc_zero(1, sizeof *w);
    if (!w)
        return qmt_fail_memory(error, sizeof *w, "a JPEG encoder");
    qmtcnn_status status = QMTCNN_OK;
    w->jpeg.err = jpeg_std_error(&w->errors);
    w->errors.error_exit = fail_jpeg;
    w->errors.emit_message = ignore_message;
    if (setjmp(w->trap.jump)) {
        status = qmt_fail(error, QMTCNN_ERROR_MEMORY, "encoding a JPEG: %s", w->trap.message);
        qmt_free(w->block.data);
    } else {
        write_jpeg(w, image, quality);
        *data = w->block.data;
        *size = w->block.size;
    }
    jpeg_destroy_compress(&w->jpeg);
    qmt_free(w);
    return status;
}

typedef struct png_writer {
    qmt_trap trap;
    qmt_block block;
    png_structp png;
    png_infop info;
} png_writer;

static void fail_png(png_structp png, png_const_charp message)
{
    png_writer *w = png_get_error_ptr(png);
    snprintf(w->trap.message, sizeof w->trap.message, "%s", message);
    longjmp(w->trap.jump, 1);
}

static void ignore_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void append_png(png_structp png, png_bytep data, size_t bytes)
{
    qmt_block *block = &((png_writer *)png_get_io_ptr(png))->block;
    if (qmt_grow((void **)&block->data, &block->capacity, block->size, block->size + bytes, 1, NULL) != QMTCNN_OK)
        png_error(png, "out of memory");
    memcpy(block->data + block->size, data, bytes);
    block->size += bytes;
}

static void write_png(png_writer *w, const qmt_image *image)
{
    png_set_write_fn(w->png, w, append_png, NULL);
    png_set_IHDR(w->png, w->info, (png_uint_32)image->width, (png_uint_32)image->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(w->png, w->info);
    for (int y = 0; y < image->height; y++)
        png_write_row(w->png, image->data + (size_t)y * (size_t)image->width * 3);
    png_write_end(w->png, NULL);
}

qmtcnn_status qmt_image_encode_png(const qmt_image *image, void **data, size_t *size, qmtcnn_error *error)
{
    *data = NULL;
    *size = 0;
    if (image->width < 1 || image->height < 1)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "a PNG of %d x %d pixels", image->width, image->height);
    qmtcnn_status status = QMTCNN_OK;
    png_writer *w = qmt_alloc_zero(1, sizeof *w);
    if (!w)
        return qmt_fail_memory(error, sizeof *w, "a PNG encoder");
    w->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, w, fail_png, ignore_warning);
    w->info = w->png ? png_create_info_struct(w->png) : NULL;
    if (!w->info) {
        status = qmt_fail_memory(error, 0, "a PNG encoder");
    } else if (setjmp(w->trap.jump)) {
        status = qmt_fail(error, QMTCNN_ERROR_MEMORY, "encoding a PNG: %s", w->trap.message);
        qmt_free(w->block.data);
    } else {
        write_png(w, image);
        *data = w->block.data;
        *size = w->block.size;
    }
    png_destroy_write_struct(&w->png, &w->info);
    qmt_free(w);
    return status;
}

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), end = strlen(ending);
    if (length < end)
        return false;
    for (size_t i = 0; i < end; i++) {
        char c = text[length - end + i];
        if ((c >= 'A' && c <= 'Z' ? (char)(c + 32) : c) != ending[i])
            return false;
    }
    return true;
}

qmtcnn_status qmt_image_write(const qmt_image *image, const char *path, qmtcnn_error *error)
{
    enum { quality = 92 };
    void *data = NULL;
    size_t size = 0;
    qmtcnn_status status;
    if (ends_with(path, ".jpg") || ends_with(path, ".jpeg"))
        status = qmt_image_encode_jpeg(image, quality, &data, &size, error);
    else if (ends_with(path, ".png"))
        status = qmt_image_encode_png(image, &data, &size, error);
    else
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%s: a picture's name must end in .jpg, .jpeg or .png", path);
    if (status != QMTCNN_OK)
        return qmt_fail_in(error, status, "%s", path);
    status = qmt_file_write(path, data, size, error);
    qmt_free(data);
    return status;
}
