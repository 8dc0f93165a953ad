#include "toolkit/image/codec.h"
#include "toolkit/image/exif.h"

/* jpeglib.h wants size_t and FILE declared first. */
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

/* libjpeg's own structures come first, so that its pointers to them are pointers to ours. */
typedef struct reader_errors {
    struct jpeg_error_mgr base;
    qmt_trap trap;
} reader_errors;

typedef struct reader {
    struct jpeg_decompress_struct jpeg;
    reader_errors errors;
    struct jpeg_progress_mgr progress;
} reader;

static void on_error(j_common_ptr jpeg)
{
    reader_errors *errors = (reader_errors *)jpeg->err;
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    snprintf(errors->trap.message, sizeof errors->trap.message, "%s", text);
    longjmp(errors->trap.jump, 1);
}

/* libjpeg goes on with gray pixels where data is missing, and warns; we call that an error. Stray bytes between
 * segments and odd Adobe markers change no pixel. */
static void on_message(j_common_ptr jpeg, int level)
{
    int code = jpeg->err->msg_code;
    if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM)
        on_error(jpeg);
}

/* A progressive file of a few kilobytes can hold thousands of scans of a huge picture. */
static void on_progress(j_common_ptr jpeg)
{
    enum { max_scans = 500 };
    reader *r = (reader *)jpeg;
    if (r->jpeg.input_scan_number > max_scans) {
        snprintf(r->errors.trap.message, sizeof r->errors.trap.message, "more than %d scans", (int)max_scans);
        longjmp(r->errors.trap.jump, 1);
    }
}

static int find_orientation(const reader *r)
{
    for (jpeg_saved_marker_ptr marker = r->jpeg.marker_list; marker; marker = marker->next) {
        if (marker->data_length >= 6 && memcmp(marker->data, "Exif", 4) == 0)
            return qmt_exif_orientation(marker->data, marker->data_length);
    }
    return 1;
}

/* Adobe stores CMYK inverted: 0 is full ink. */
static void cmyk_to_rgb(const JSAMPLE *cmyk, int width, bool inverted, uint8_t *rgb)
{
    for (int x = 0; x < width; x++, cmyk += 4, rgb += 3) {
        for (int c = 0; c < 3; c++) {
            unsigned ink = inverted ? cmyk[c] : 255u - cmyk[c], black = inverted ? cmyk[3] : 255u - cmyk[3];
            rgb[c] = (uint8_t)((ink * black + 127) / 255);
        }
    }
}

static void read_header(reader *r, const uint8_t *data, size_t size)
{
    jpeg_create_decompress(&r->jpeg);
    jpeg_mem_src(&r->jpeg, data, (unsigned long)size);
    jpeg_save_markers(&r->jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&r->jpeg, TRUE);
    r->progress.progress_monitor = on_progress;
    r->jpeg.progress = &r->progress;
}

static void read_rows(reader *r, qmt_image *image)
{
    bool cmyk = r->jpeg.jpeg_color_space == JCS_CMYK || r->jpeg.jpeg_color_space == JCS_YCCK;
    r->jpeg.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&r->jpeg);
    JSAMPARRAY scratch = NULL;
    if (cmyk)
        scratch = r->jpeg.mem->alloc_sarray((j_common_ptr)&r->jpeg, JPOOL_IMAGE, r->jpeg.output_width * 4, 1);
    while (r->jpeg.output_scanline < r->jpeg.output_height) {
        uint8_t *row = image->data + (size_t)r->jpeg.output_scanline * (size_t)image->width * 3;
        if (cmyk) {
            jpeg_read_scanlines(&r->jpeg, scratch, 1);
            cmyk_to_rgb(scratch[0], image->width, r->jpeg.saw_Adobe_marker, row);
        } else {
            jpeg_read_scanlines(&r->jpeg, &row, 1);
        }
    }
    jpeg_finish_decompress(&r->jpeg);
}

/* Huffman codes take a bit a block of 64 pixels at the least, so a small file with a huge size is lying: found before
 * memory is taken for it. */
static bool size_is_plausible(const reader *r, size_t size)
{
    size_t pixels = (size_t)r->jpeg.image_width * r->jpeg.image_height;
    return pixels / 512 <= size * (r->jpeg.arith_code ? 16u : 1u);
}

qmtcnn_status qmt_jpeg_decode(const uint8_t *data, size_t size, const char *name, qmt_image *image, int *width,
                              int *height, int *orientation, qmtcnn_error *error)
{
    if (size > (size_t)1 << 30)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "%s: a JPEG of more than 1 GiB", name);
    reader *r = qmt_alloc_zero(1, sizeof *r);
    if (!r)
        return qmt_fail_memory(error, sizeof *r, name);
    qmtcnn_status status = QMTCNN_OK;
    r->jpeg.err = jpeg_std_error(&r->errors.base);
    r->errors.base.error_exit = on_error;
    r->errors.base.emit_message = on_message;
    if (setjmp(r->errors.trap.jump)) {
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: damaged JPEG: %s", name, r->errors.trap.message);
        if (image)
            qmt_image_clear(image);
    } else {
        read_header(r, data, size);
        *width = (int)r->jpeg.image_width;
        *height = (int)r->jpeg.image_height;
        *orientation = find_orientation(r);
        if (image && !size_is_plausible(r, size))
            status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: damaged JPEG: %zu bytes can't hold %d x %d pixels", name,
                              size, *width, *height);
        else if (image && (status = qmt_image_create(*width, *height, image, error)) == QMTCNN_OK)
            read_rows(r, image);
        else if (status != QMTCNN_OK)
            status = qmt_fail_in(error, status, "%s", name);
    }
    jpeg_destroy_decompress(&r->jpeg);
    qmt_free(r);
    return status;
}
