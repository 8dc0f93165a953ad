/* The single changes that augmentation makes to a crop of side x side RGB pixels. Strengths are drawn by the caller. */
#ifndef QMT_AUGMENT_STEPS_H
#define QMT_AUGMENT_STEPS_H

#include "toolkit/base/random.h"
#include "toolkit/data/augment.h"

/* Copies a crop, left and right swapped. */
void qmt_crop_mirror(int side, const uint8_t *source, uint8_t *target);
/* The box of a mirrored crop, and its landmarks with the left and right points swapped. */
void qmt_box_mirror(float box[4]);
void qmt_landmarks_mirror(float landmarks[10]);

/* A rotation about the crop's center. */
typedef struct qmt_rotation {
    double sine, cosine;
} qmt_rotation;
/* Copies a crop, turned (bilinear); what comes from outside repeats the border. */
void qmt_crop_rotate(const qmt_rotation *rotation, int side, const uint8_t *source, uint8_t *target);
void qmt_box_rotate(const qmt_rotation *rotation, float box[4]);
void qmt_landmarks_rotate(const qmt_rotation *rotation, float landmarks[10]);

/* Factors of brightness, contrast (about the crop's mean) and saturation; 1: no change. */
void qmt_crop_color(int side, uint8_t *pixels, float brightness, float contrast, float saturation);
/* p -> 255 (p / 255)^exponent, exponent in [0, 16]. `logarithms`: of qmt_pixel_logarithms(). */
void qmt_crop_gamma(int side, uint8_t *pixels, float exponent, const double logarithms[256]);
/* Luma (BT.601) in all channels. */
void qmt_crop_gray(int side, uint8_t *pixels);
/* Nearly normal noise of this deviation, of 255: no value is further than 4.9 deviations. */
void qmt_crop_noise(int side, uint8_t *pixels, float deviation, qmt_random *random);
/* A rectangle of one color. */
void qmt_crop_patch(int side, uint8_t *pixels, int x, int y, int width, int height, const uint8_t color[3]);
/* A Gaussian of `sigma` pixels, cut off at 12; the border is repeated. `scratch`: qmt_blur_floats() of them. */
size_t qmt_blur_floats(int side);
void qmt_crop_blur(int side, uint8_t *pixels, float sigma, float *scratch);
/* JPEG compression and back. */
qmtcnn_status qmt_crop_jpeg(int side, uint8_t *pixels, int quality, qmtcnn_error *error);

#endif
