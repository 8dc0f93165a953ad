/* The two picture formats, behind one small interface for decode.c and encode.c. */
#ifndef QMT_IMAGE_CODEC_H
#define QMT_IMAGE_CODEC_H

#include "toolkit/image/image.h"

#include <setjmp.h>

/* Where a library's fatal error returns to, and what it said. */
typedef struct qmt_trap {
    jmp_buf jump;
    char message[256];
} qmt_trap;

/* A growing block of encoded bytes. */
typedef struct qmt_block {
    uint8_t *data;
    size_t size, capacity;
} qmt_block;

/* Decodes all of it, or (image NULL) only the size. `orientation` is EXIF's, 1 to 8. */
qmtcnn_status qmt_jpeg_decode(const uint8_t *data, size_t size, const char *name, qmt_image *image, int *width,
                              int *height, int *orientation, qmtcnn_error *error);
qmtcnn_status qmt_png_decode(const uint8_t *data, size_t size, const char *name, qmt_image *image, int *width,
                             int *height, qmtcnn_error *error);

#endif
