/* toolkit/image: pictures in memory. It owns decoding (JPEG by libjpeg-turbo, PNG by libpng), encoding, and drawing. */
#ifndef QMT_IMAGE_H
#define QMT_IMAGE_H

#include "runtime/detect/resize.h"

/* 8-bit RGB, rows packed (stride = 3 * width). */
typedef struct qmt_image {
    uint8_t *data; /* qmt_alloc */
    int width, height;
} qmt_image;

/* Black. Sides 1 to 65,535, at most 2^28 pixels. */
qmtcnn_status qmt_image_create(int width, int height, qmt_image *image, qmtcnn_error *error);
void qmt_image_clear(qmt_image *image); /* frees the pixels; a cleared image may be cleared again */
qmt_pixels qmt_image_pixels(const qmt_image *image);

/* A copy whose longer side is at most `longest` (never enlarged), and by how much its sides were multiplied. */
qmtcnn_status qmt_image_shrink(const qmt_image *from, int longest, qmt_image *to, double *scale, qmtcnn_error *error);

/* What to do with the orientation in a JPEG's EXIF data. WIDER FACE's boxes were drawn on the pixels as stored, as
 * OpenCV and MATLAB showed them, so data sets are read as stored; pictures that a user gives to `detect` are turned
 * upright. */
typedef enum qmt_orientation { QMT_AS_STORED, QMT_UPRIGHT } qmt_orientation;

/* Reads a JPEG or PNG, told by its first bytes. Gray becomes RGB; alpha is laid over black. Damaged data is an error,
 * not gray pixels. */
qmtcnn_status qmt_image_read(const char *path, qmt_orientation orientation, qmt_image *image, qmtcnn_error *error);
qmtcnn_status qmt_image_decode(const void *data, size_t size, const char *name, qmt_orientation orientation,
                               qmt_image *image, qmtcnn_error *error);
/* Size, as stored, from the header alone. */
qmtcnn_status qmt_image_read_size(const char *path, int *width, int *height, qmtcnn_error *error);
qmtcnn_status qmt_image_decode_size(const void *data, size_t size, const char *name, int *width, int *height,
                                    qmtcnn_error *error);

/* *data is for qmt_free(). quality 1 to 100. */
qmtcnn_status qmt_image_encode_jpeg(const qmt_image *image, int quality, void **data, size_t *size,
                                    qmtcnn_error *error);
qmtcnn_status qmt_image_encode_png(const qmt_image *image, void **data, size_t *size, qmtcnn_error *error);
/* By the name's ending (.jpg .jpeg .png), atomically. */
qmtcnn_status qmt_image_write(const qmt_image *image, const char *path, qmtcnn_error *error);

typedef struct qmt_color {
    uint8_t r, g, b;
} qmt_color;
/* All drawing is cut at the border. */
void qmt_draw_box(qmt_image *image, float x, float y, float width, float height, int thickness, qmt_color color);
void qmt_draw_dot(qmt_image *image, float x, float y, float radius, qmt_color color);
void qmt_draw_line(qmt_image *image, float x1, float y1, float x2, float y2, qmt_color color);
/* A small built-in font of our own (ASCII 32 to 126), `scale` 1 is 6 x 8 pixels a character; x, y is the upper left
 * corner. */
void qmt_draw_text(qmt_image *image, int x, int y, int scale, const char *text, qmt_color color);
/* Copies `source` onto `image` at x, y. */
void qmt_draw_image(qmt_image *image, int x, int y, const qmt_image *source);

#endif
