/* What stands around synthetic people: backgrounds, things in front of faces, and what a camera does to a picture. */
#ifndef QMT_SYNTH_SCENE_H
#define QMT_SYNTH_SCENE_H

#include "toolkit/data/synth_face.h"

/* A cluttered background without faces over the whole canvas. */
qmtcnn_status qmt_scene_background(qmt_canvas *canvas, qmt_random *random, qmtcnn_error *error);
/* A hand, a phone, a microphone, a pole or leaves in front of a face. */
void qmt_scene_occlude(qmt_canvas *canvas, qmt_random *random, const qmt_synth_face *face, qmt_box box);
/* Blur, color cast, contrast and noise. */
qmtcnn_status qmt_scene_expose(qmt_image *image, qmt_random *random, qmtcnn_error *error);
/* `passes` times the mean of a pixel and its neighbors, weighted 1 2 1, along rows and columns. */
qmtcnn_status qmt_scene_blur(qmt_image *image, int passes, qmtcnn_error *error);

/* A turned ellipse, lit from the upper left to a share of `relief`, its rim `soft` wide (a share of the radius). */
typedef struct qmt_ellipse {
    float x, y, rx, ry, angle;
    qmt_vec color;
    float alpha, relief, soft;
} qmt_ellipse;
void qmt_scene_ellipse(qmt_canvas *canvas, const qmt_ellipse *ellipse);
/* A turned rectangle around x, y; `stripes` of the second color, 0: plain. */
typedef struct qmt_slab {
    float x, y, half_width, half_height, angle;
    qmt_vec color, color2;
    int stripes;
    float alpha;
} qmt_slab;
void qmt_scene_slab(qmt_canvas *canvas, const qmt_slab *slab);

#endif
