/* Which samples of a store teach and which only validate, and how a batch is composed. */
#ifndef QMT_TRAIN_SPLIT_H
#define QMT_TRAIN_SPLIT_H

#include "toolkit/data/store.h"

/* Indices into one class of a store. */
typedef struct qmt_indices {
    uint32_t *items;
    uint32_t count;
} qmt_indices;

/* Samples of a held-out picture all validate, so that no picture is on both sides. A picture is held out if the hash of
 * its number is under the share: the same pictures for every seed and network. */
typedef struct qmt_split {
    qmt_indices training[qmt_class_count], validation[qmt_class_count];
} qmt_split;

/* `holdout` 0 to 1. Validation samples of a class beyond `most` are thinned out evenly (0: no limit). */
qmtcnn_status qmt_split_create(const qmt_store *store, double holdout, uint32_t most, qmt_split *split,
                               qmtcnn_error *error);
void qmt_split_clear(qmt_split *split);
bool qmt_picture_held_out(uint32_t picture, double holdout);

/* Samples of each class in a batch, by largest remainder (of equal ones the first class), adding up to `batch`. A class
 * that has no samples or a ratio of 0 gets none, and the others share its part. Without negatives or without positives
 * there is nothing to learn: QMTCNN_ERROR_ARGUMENT. */
qmtcnn_status qmt_batch_counts(const float ratio[qmt_class_count], const uint32_t available[qmt_class_count], int batch,
                               int counts[qmt_class_count], qmtcnn_error *error);

#endif
