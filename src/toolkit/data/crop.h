/* Cuts the samples of one picture, by the published recipe: random negatives, negatives that overlap a face, positives,
 * parts and landmark crops. Sides of negatives are uniform in the logarithm, so that every level of the pyramid is
 * trained on. Pixels come from qmt_resize(), as in use. */
#ifndef QMT_CROP_H
#define QMT_CROP_H

#include "runtime/detect/cascade.h"
#include "toolkit/base/random.h"
#include "toolkit/config/config.h"
#include "toolkit/data/dataset.h"
#include "toolkit/data/store.h"

/* Which random numbers of a picture: independent of each other. */
typedef enum qmt_crop_purpose {
    QMT_CROP_NEGATIVE,
    QMT_CROP_OVERLAP,
    QMT_CROP_FACE,
    QMT_CROP_LANDMARK,
    QMT_CROP_MINED
} qmt_crop_purpose;

/* Takes a sample; its pixels are the caller's for the duration of the call. */
typedef qmtcnn_status (*qmt_sample_sink)(void *state, const qmt_sample *sample, qmtcnn_error *error);

/* Cuts crops. Belongs to one thread. Set the fields down to sink_state, zero the rest. */
typedef struct qmt_cropper {
    const qmt_prepare_config *config;
    qmt_net_id net;
    uint64_t seed;
    int copy; /* 0: the picture itself, else its shrunk copy of this number */
    qmt_sample_sink sink;
    void *sink_state;
    /* private */
    qmt_resizer resizer;
    uint8_t *pixels;
} qmt_cropper;
void qmt_cropper_clear(qmt_cropper *cropper);

/* A picture with what is labeled on it. */
typedef struct qmt_scene {
    qmt_pixels pixels;
    const qmt_label *labels;
    size_t label_count;
    uint32_t picture;     /* its number */
    bool faces_unlabeled; /* gives no negatives */
} qmt_scene;

/* The face (not ignored) with the largest IoU with `box`: that IoU, and its index in *face (label_count where there is
 * no face that overlaps). */
float qmt_nearest_face(const qmt_scene *scene, qmt_box box, size_t *face);
/* May `box` be a negative, for all that is ignored? Not where its IoU with an ignored region, or the share of it that
 * lies in one, is 0.3 or more, nor on a picture with unlabeled faces. Faces are not looked at. */
bool qmt_may_be_negative(const qmt_scene *scene, qmt_box box);
/* Does this face make samples: not ignored, both sides at least `min_face`, inside the picture (by a pixel)? */
bool qmt_face_makes_samples(const qmt_label *label, int min_face, int width, int height);

/* Random numbers for a picture and purpose. */
qmt_random qmt_crop_random(const qmt_cropper *cropper, const qmt_scene *scene, qmt_crop_purpose purpose);
/* Cuts the square `box` out and gives it to the sink: with the offsets of `face` (NULL for negatives), and with
 * landmarks for QMT_LANDMARK. */
qmtcnn_status qmt_crop_emit(qmt_cropper *cropper, const qmt_scene *scene, qmt_box box, qmt_sample_class sample_class,
                            const qmt_label *face, float iou, qmtcnn_error *error);

/* The recipe on one picture. */
qmtcnn_status qmt_crop_picture(qmt_cropper *cropper, const qmt_scene *scene, qmtcnn_error *error);

/* Samples among the candidates of the networks before: labeled by IoU, at most config->mine_* of a class; half of the
 * negatives are the best scored ones, the others are drawn from the rest. Candidates are best first. */
qmtcnn_status qmt_crop_candidates(qmt_cropper *cropper, const qmt_scene *scene, const qmt_candidate *candidates,
                                  size_t count, qmtcnn_error *error);

#endif
