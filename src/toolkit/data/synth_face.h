/* A synthetic person: a head with its features, hair, neck and clothes, as parameters and as pixels.
 *
 * Head space: x to the right as seen from the front, y down, z toward the viewer; y is -1 at the hairline and 1 at the
 * chin, so the face is 2 units tall. View space is head space turned by roll, pitch and yaw; pixels are view space
 * times `scale`, moved to `x`, `y`. */
#ifndef QMT_SYNTH_FACE_H
#define QMT_SYNTH_FACE_H

#include "toolkit/base/random.h"
#include "toolkit/data/dataset.h"
#include "toolkit/data/synth_math.h"
#include "toolkit/image/image.h"

/* A picture being drawn, and whose face each pixel shows: face number + 1, or 0. */
typedef struct qmt_canvas {
    qmt_image image;
    uint8_t *owner;
} qmt_canvas;

/* Covers pixel x, y with a color to a share of `alpha`; a mostly covered pixel changes its owner. Outside: nothing. */
void qmt_canvas_cover(qmt_canvas *canvas, int x, int y, qmt_vec color, float alpha, uint8_t owner);

enum { qmt_shape_steps = 160 };

/* The head is a stack of half ellipses: at each y a half width, and a depth to the front and to the back. */
typedef struct qmt_head_shape {
    float width[qmt_shape_steps + 1], front[qmt_shape_steps + 1], back[qmt_shape_steps + 1];
} qmt_head_shape;

typedef enum qmt_hair_style {
    QMT_HAIR_NONE,
    QMT_HAIR_SHORT,
    QMT_HAIR_FRINGE,
    QMT_HAIR_LONG,
    QMT_HAIR_CURLY,
    QMT_HAIR_HAT,
    QMT_HAIR_CAP,
    QMT_HAIR_SCARF,
    qmt_hair_style_count
} qmt_hair_style;

typedef enum qmt_eyewear { QMT_EYES_FREE, QMT_GLASSES, QMT_SUNGLASSES } qmt_eyewear;

typedef struct qmt_synth_face {
    float x, y, scale;
    float yaw, pitch, roll; /* radians */
    float turn[3][3];       /* head to view */
    qmt_head_shape shape;
    uint32_t seed; /* of textures */

    qmt_vec light, light_color; /* view space, unit; color times strength */
    float ambient, shine;

    qmt_vec skin, hair_color, iris, lip, cloth, cloth2;
    float eye_x, eye_y, eye_width, eye_open, gaze_x, gaze_y;
    float brow_y, brow_arch, brow_tilt, brow_thick, brow_dark;
    float nose_y, nose_size, nose_wide;
    float mouth_y, mouth_width, lip_upper, lip_lower, smile, mouth_open;
    float blush, age, stubble, beard, moustache;
    qmt_hair_style hair;
    float hair_volume, hairline, side_length;
    qmt_eyewear eyewear;
    bool mask; /* over mouth and nose */
    float shoulder_y, shoulder_width;
    int cloth_pattern;
} qmt_synth_face;

/* Draws all parameters but the place. `extreme` 0 to 1: how far the head may turn. */
void qmt_face_random(qmt_synth_face *face, qmt_random *random, float extreme);
/* Head space to pixels. */
void qmt_face_project(const qmt_synth_face *face, qmt_vec point, float *x, float *y);
/* The extent in pixels of the face's surface: from hairline to chin, ear to ear. */
qmt_box qmt_face_box(const qmt_synth_face *face);
/* Left eye, right eye, nose, left and right mouth corner as seen in the picture. */
void qmt_face_landmarks(const qmt_synth_face *face, float landmarks[5][2]);
/* Draws body and head. *pixels: how many of the canvas are mostly face; `owner` owns them then. */
qmtcnn_status qmt_face_draw(const qmt_synth_face *face, qmt_canvas *canvas, uint8_t owner, int *pixels,
                            qmtcnn_error *error);

/* ---- For the files of this part ---- */

typedef struct qmt_hit {
    qmt_vec point;  /* head space */
    qmt_vec normal; /* head space, unit */
    float depth;    /* along the view, larger is nearer */
} qmt_hit;

/* Fills shape and turn from the angles; `wide`, `jaw` and `chin` around 1. */
void qmt_face_shape(qmt_synth_face *face, float wide, float jaw, float chin);
qmt_vec qmt_face_to_view(const qmt_synth_face *face, qmt_vec point);
/* Where the line of sight through view position x, y first meets the head, grown by 1 + `grow` about its middle. */
bool qmt_face_hit(const qmt_synth_face *face, float x, float y, float grow, qmt_hit *hit);
bool qmt_face_hit_ellipsoid(const qmt_synth_face *face, float x, float y, qmt_vec center, qmt_vec radii, qmt_hit *hit);
/* The surface's front at x, y of head space. */
qmt_vec qmt_face_surface(const qmt_synth_face *face, float x, float y);
/* How far the nose stands out there, as a share of the depth. */
float qmt_face_nose(const qmt_synth_face *face, float x, float y);
/* Slopes of the features' relief. */
void qmt_face_relief(const qmt_synth_face *face, float x, float y, float *slope_x, float *slope_y);
/* The skin's color with all that is on it; `pixel` is a pixel's size in head units. */
qmt_vec qmt_face_color(const qmt_synth_face *face, float x, float y, float pixel, float *shine);
/* Is there hair at a point of the (grown) surface? */
bool qmt_face_is_hair(const qmt_synth_face *face, qmt_vec point);
qmt_vec qmt_face_hair_color(const qmt_synth_face *face, qmt_vec point);
/* Neck, clothes and the hair behind them. */
void qmt_face_draw_body(const qmt_synth_face *face, qmt_canvas *canvas);

#endif
