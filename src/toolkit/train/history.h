/* history.json: what each epoch came to. Its form is described in train.h. */
#ifndef QMT_TRAIN_HISTORY_H
#define QMT_TRAIN_HISTORY_H

#include "toolkit/train/validation.h"

typedef struct qmt_history qmt_history;

/* What an epoch came to. NULL figures are null in the file. */
typedef struct qmt_epoch {
    int64_t epoch, step;
    bool qat;
    double learning_rate;
    double total, classes, box, landmarks; /* mean losses */
    double gradient_norm, samples_per_second, loader_wait;
    const qmt_figures *fp32, *int8;
} qmt_epoch;

/* The history in "FOLDER/history.json", cut back to the epochs before `epochs`; an empty one, whatever is there,
 * unless `resumed`. A damaged file gives an empty history and a warning: it decides nothing. */
qmtcnn_status qmt_history_open(const char *folder, const char *net, int64_t epochs, bool resumed, qmt_history **history,
                               qmtcnn_error *error);
void qmt_history_free(qmt_history *history);
/* These write the file anew, whole. */
qmtcnn_status qmt_history_add(qmt_history *history, const qmt_epoch *epoch, qmtcnn_error *error);
qmtcnn_status qmt_history_set_ptq(qmt_history *history, int64_t epoch, const qmt_figures *fp32, const qmt_figures *int8,
                                  qmtcnn_error *error);
qmtcnn_status qmt_history_set_best(qmt_history *history, bool qat, int64_t epoch, double score, qmtcnn_error *error);

#endif
