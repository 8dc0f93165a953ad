/* Whole pictures with what the cascade finds on them while its newest network is being trained, for TensorBoard. */
#ifndef QMT_TRAIN_SHOWCASE_H
#define QMT_TRAIN_SHOWCASE_H

#include "toolkit/config/config.h"
#include "toolkit/log/events.h"

typedef struct qmt_showcase qmt_showcase;

/* Picks four pictures with faces, evenly spread over split "val" of the data set in `folder` (split "train" where there
 * is no other), and loads the networks before `net` from MODELS/{pnet,rnet}.onnx. Where that fails (a folder or network
 * is missing), *showcase is NULL, and a line in the log says why: training goes on without. */
void qmt_showcase_open(const qmt_config *config, const char *folder, const char *models, qmt_net_id net,
                       qmt_showcase **showcase);
void qmt_showcase_close(qmt_showcase *showcase);
/* Runs the cascade up to `model`, a network of the kind that it was opened for, and adds pictures "detections/1" to
 * "detections/4": labels white, boxes green with landmarks (P- and R-Net: the squares that the next network gets), by
 * the thresholds of detect.*. `model`'s arithmetic is its own: INT8 where it holds it. NULL does nothing. */
qmtcnn_status qmt_showcase_write(qmt_showcase *showcase, qmt_events *events, int64_t step, const qmt_model *model,
                                 qmtcnn_error *error);

#endif
