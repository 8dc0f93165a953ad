/* Makes batches ahead of the training loop, on threads of its own. */
#ifndef QMT_TRAIN_LOADER_H
#define QMT_TRAIN_LOADER_H

#include "toolkit/train/losses.h"
#include "toolkit/train/split.h"

typedef struct qmt_loader_options {
    const qmt_store *store;      /* these three must outlive the loader */
    const qmt_indices *training; /* [qmt_class_count] */
    const qmt_augment_config *augment;
    int counts[qmt_class_count]; /* of a batch, all ranks together */
    int first_group, groups;     /* this rank's part of the batch */
    uint64_t seed;
    int threads; /* at least 1 */
} qmt_loader_options;

/* One rank's part of a batch, valid until the next call. A batch holds its negatives first, then positives, parts and
 * landmarks; rank r has groups first_group .. first_group + groups - 1 of it. */
typedef struct qmt_batch {
    int64_t step;
    const float *input;      /* [groups][3][side][side][16], (p - 127.5) / 128 */
    const qmt_label *labels; /* [groups * 16] */
    double waited;           /* seconds that the caller waited for it */
} qmt_batch;

/* The content of a batch depends on the seed and the step alone: each class is walked in an order of its own, shuffled
 * anew for each pass, and each sample's random changes have a stream of their own. One thread calls these functions. */
typedef struct qmt_loader qmt_loader;
qmtcnn_status qmt_loader_create(const qmt_loader_options *options, qmt_loader **loader, qmtcnn_error *error);
void qmt_loader_free(qmt_loader *loader);
/* The next batch will be that of `step` (>= 0); those after it are made ahead. */
qmtcnn_status qmt_loader_seek(qmt_loader *loader, int64_t step, qmtcnn_error *error);
/* Waits for the next batch. */
qmtcnn_status qmt_loader_next(qmt_loader *loader, qmt_batch *batch, qmtcnn_error *error);

#endif
