/* What a model's files recommend to the cascade, in their metadata. */
#ifndef QMT_DETECT_ADVICE_H
#define QMT_DETECT_ADVICE_H

#include "qmtcnn/qmtcnn.h"
#include "runtime/model/model.h"

/* Each file holds qmtcnn.threshold, its own score to pass. O-Net's may hold
 *     qmtcnn.fusion       "0.5": qmtcnn_options.fusion       qmtcnn.last_nms  "union:0.4": see qmt_last_nms_parse()
 *     qmtcnn.fusion.odds  "1.25": fusion_odds                qmtcnn.vote      "0.5": vote
 *     qmtcnn.refined_nms.pnet, qmtcnn.refined_nms.rnet  "0.8": refined_nms[0], refined_nms[1] */
typedef struct qmt_advice {
    float thresholds[qmt_net_count];
    float fusion, fusion_odds, vote, refined_nms[2];
    qmtcnn_overlap last_overlap;
    float last_nms;
    bool has_last_nms; /* the last two are the files' own */
} qmt_advice;

/* In qmtcnn_options.last_overlap, inside the toolkit: as the models say, and where they say nothing, over the smaller
 * box. */
enum { qmt_overlap_as_models_say = 2 };

/* MTCNN's own: .6 .7 .7, the last suppression over the smaller box at .7, and nothing else. */
void qmt_advice_default(qmt_advice *advice);
/* Takes what a network's file says over what `advice` holds. A value that is none is QMTCNN_ERROR_FORMAT; the message
 * names the file (`name`) and the key. */
qmtcnn_status qmt_advice_read(const qmt_model *file, const char *name, qmt_advice *advice, qmtcnn_error *error);

/* "union:0.4" or "min:0.7": how the last suppression measures overlap, and from where on it suppresses, 0 to 1. */
bool qmt_last_nms_parse(const char *text, qmtcnn_overlap *overlap, float *threshold);

#endif
