/* The one routine that takes a part of a picture to a given size: for the pyramid, for R- and O-Net's crops, for
 * training samples and for mining, so that training sees the pixels that use sees. Integer arithmetic: the same bytes
 * everywhere. */
#ifndef QMT_DETECT_RESIZE_H
#define QMT_DETECT_RESIZE_H

#include "runtime/base/status.h"

#include <stdint.h>

/* 3 bytes a pixel, R G B. */
typedef struct qmt_pixels {
    const uint8_t *data;
    int width, height;
    ptrdiff_t stride;
} qmt_pixels;

/* Reusable memory; zero it before first use. One thread at a time. */
typedef struct qmt_resizer {
    void *memory;
    size_t size;
    const struct qmt_resize_kernels *kernels; /* NULL: the best for this processor, found at the first use */
} qmt_resizer;
void qmt_resizer_clear(qmt_resizer *resizer);
/* Makes its memory at least `size` bytes. */
qmtcnn_status qmt_resizer_reserve(qmt_resizer *resizer, size_t size, qmtcnn_error *error);

/* Resamples the rectangle [x, x + width) x [y, y + height) of `source` (fractions of pixels count) to out_width x
 * out_height. Along an axis that shrinks a pixel is the mean over the area that it covers; along one that grows it is
 * interpolated linearly. Outside the picture all is black (0), as in the published MTCNN. */
qmtcnn_status qmt_resize(qmt_resizer *resizer, const qmt_pixels *source, double x, double y, double width,
                         double height, uint8_t *output, int out_width, int out_height, ptrdiff_t out_stride,
                         qmtcnn_error *error);

#endif
