/* The multi-task loss of a batch and its gradient with respect to the heads' outputs. */
#ifndef QMT_TRAIN_LOSSES_H
#define QMT_TRAIN_LOSSES_H

#include "toolkit/base/ranks.h"
#include "toolkit/config/config.h"
#include "toolkit/data/store.h"
#include "toolkit/net/net.h"

/* What a sample should give. */
typedef struct qmt_label {
    qmt_sample_class sample_class;
    float box[4];
    float landmarks[10];
} qmt_label;

/* Each task's loss is the mean over the samples that count for it, in the whole batch of all ranks:
 *   classes:   negatives and positives. Softmax cross entropy over all of them (plain), over the hardest ohem_keep of
 *              them (ohem: round(keep * n), at least 1; of equally hard ones those earlier in the batch), or the focal
 *              loss -a (1 - p)^gamma log p over all of them, a = alpha for faces and 1 - alpha for others (Lin and
 *              others, 2017). With label_smoothing s, cross entropy is against 1 - s / 2 and s / 2 instead of 1 and 0.
 *   box:       positives and parts; landmarks: landmark samples. Sum over the 4 or 10 numbers of d^2 (mse, the squared
 *              Euclidean distance of Zhang and others, 2016), of the smooth L1 loss or of the wing loss; or, of a box,
 *              the generalized IoU loss (regression.h).
 * total = class_weight * classes + box_weight * box + landmark_weight * landmarks. A task without samples is 0. */
typedef struct qmt_loss_values {
    double total, classes, box, landmarks;
    int class_samples, class_kept, box_samples, landmark_samples;
} qmt_loss_values;

/* Scratch for batches of one size. */
typedef struct qmt_losses qmt_losses;
/* `groups` of 16 samples in this rank. `ranks` NULL: one rank. */
qmtcnn_status qmt_losses_create(const qmt_train_config *config, int groups, qmt_ranks *ranks, qmt_losses **losses,
                                qmtcnn_error *error);
void qmt_losses_free(qmt_losses *losses);

/* outputs[g] and gradients[g] are [16 head channels][16 lanes] of this rank's group g, labels are [groups * 16]. Fills
 * all gradients (0 where a sample has no say). All ranks together; all get the same values. A loss that is NaN or
 * infinite is QMTCNN_ERROR_NUMERIC. */
qmtcnn_status qmt_losses_compute(qmt_losses *losses, const qmt_label *labels, const float *const *outputs,
                                 float *const *gradients, qmt_loss_values *values, qmtcnn_error *error);

#endif
