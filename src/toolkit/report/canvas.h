/* A drawing in the making: Cairo's shapes and our words. */
#ifndef QMT_CANVAS_H
#define QMT_CANVAS_H

#include "toolkit/evaluate/text.h"

#include <cairo.h>

typedef struct qmt_canvas {
    cairo_t *cairo;
    cairo_surface_t *surface;
    qmt_text shapes; /* the file that Cairo writes */
    qmt_text words;
    double width, height;
} qmt_canvas;

typedef enum qmt_anchor { QMT_ANCHOR_START, QMT_ANCHOR_MIDDLE, QMT_ANCHOR_END } qmt_anchor;

qmtcnn_status qmt_canvas_create(double width, double height, qmt_canvas *canvas, qmtcnn_error *error);
/* Ends the drawing and gives <svg>...</svg>, for qmt_free(). Frees the canvas, whatever comes of it. */
qmtcnn_status qmt_canvas_finish(qmt_canvas *canvas, const char *description, char **svg, qmtcnn_error *error);

/* The palette: tones that stand out on white and on black. */
void qmt_canvas_color(qmt_canvas *canvas, int color, double opacity);
void qmt_canvas_gray(qmt_canvas *canvas, double opacity);
void qmt_canvas_line(qmt_canvas *canvas, double x1, double y1, double x2, double y2, double thickness);
void qmt_canvas_bar(qmt_canvas *canvas, double x, double y, double width, double height);
/* Words with their baseline at y; `small`: 11 units high, else 12. */
void qmt_canvas_words(qmt_canvas *canvas, double x, double y, qmt_anchor anchor, bool small, const char *words);
/* Words that run upwards. */
void qmt_canvas_words_upright(qmt_canvas *canvas, double x, double y, const char *words);

#endif
