/* How good a network is on samples of pictures that it never learned from. */
#ifndef QMT_TRAIN_VALIDATION_H
#define QMT_TRAIN_VALIDATION_H

#include "runtime/base/threads.h"
#include "runtime/kernels/network.h"
#include "toolkit/train/split.h"

#include <jansson.h>

/* NAN where there are no samples for a figure. */
typedef struct qmt_figures {
    int samples;
    double accuracy[2];       /* of negatives and positives: share on the right side of a score of 0.5 */
    double face_share[2];     /* of parts and landmark samples: share with a score of at least 0.5 */
    double average_precision; /* positives against negatives, area under the precision-recall steps; equal scores count
                                 together */
    double recall_at_90,
        recall_at_97; /* highest recall of positives at a precision of at least 0.90, 0.97; 0 if it isn't reached */
    double box_iou,
        part_iou; /* mean IoU of the box moved by the network's offsets with the one moved by the true offsets */
    double landmark_error; /* mean distance of the five points over the distance of the eyes, where that is at least
                              5 % of the side (in profiles it nears 0 and says nothing) */
    double score;          /* what "best" means: weighted mean, by train's loss weights, of average_precision, box_iou
                              and 1 - landmark_error (not under 0), of those that are there */
} qmt_figures;

/* Runs a model's FP32 or INT8 arithmetic on the runtime's kernels over the samples. `pool` NULL: one thread. The same
 * figures for any number of threads. */
qmtcnn_status qmt_validate_samples(const qmt_store *store, const qmt_indices validation[qmt_class_count],
                                   const qmt_model *model, qmtcnn_precision precision, const qmt_train_config *config,
                                   qmt_pool *pool, qmt_figures *figures, qmtcnn_error *error);

/* The figures from what a network gave. */
typedef struct qmt_prediction {
    qmt_sample_class sample_class;
    float score;
    float box[4], true_box[4];
    float landmarks[10], true_landmarks[10];
} qmt_prediction;
qmtcnn_status qmt_figures_from(const qmt_prediction *predictions, size_t count, const qmt_train_config *config,
                               qmt_figures *figures, qmtcnn_error *error);

/* FIGURES of history.json (see train.h); NULL when out of memory. The caller owns the reference. */
json_t *qmt_figures_json(const qmt_figures *figures);

#endif
