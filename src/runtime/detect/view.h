/* A caller's picture in any pixel format, as the RGB that all else works on. */
#ifndef QMT_DETECT_VIEW_H
#define QMT_DETECT_VIEW_H

#include "runtime/base/threads.h"
#include "runtime/detect/resize.h"

/* Memory for converted pixels; zero it before first use, free `memory` with qmt_free(). Grows and is kept. */
typedef struct qmt_view_buffer {
    void *memory;
    size_t size;
} qmt_view_buffer;

/* Checks a view (format, sizes, strides) and gives its pixels as RGB: the caller's own where they are RGB, else
 * converted into `buffer`. */
qmtcnn_status qmt_view_pixels(const qmtcnn_image *image, qmt_pool *pool, qmt_view_buffer *buffer, qmt_pixels *pixels,
                              qmtcnn_error *error);

#endif
