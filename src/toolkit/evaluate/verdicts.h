/* Scratch memory to judge one picture after the other. */
#ifndef QMT_VERDICTS_H
#define QMT_VERDICTS_H

#include "toolkit/evaluate/figures.h"

typedef struct qmt_judge {
    qmt_verdict *verdicts; /* of the picture judged last; a box each */
    size_t *matched;
    uint8_t *taken;
} qmt_judge;

/* Room for the largest picture of both sets. Free with qmt_judge_clear(), also after a failure. */
qmtcnn_status qmt_judge_create(const qmt_truth *truth, const qmt_detections *detections, qmt_judge *judge,
                               qmtcnn_error *error);
void qmt_judge_clear(qmt_judge *judge);

#endif
