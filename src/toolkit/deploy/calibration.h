/* Calibration samples from pictures: what each network of a cascade is asked about there. */
#ifndef QMT_DEPLOY_CALIBRATION_H
#define QMT_DEPLOY_CALIBRATION_H

#include "runtime/base/threads.h"
#include "runtime/model/model.h"
#include "toolkit/config/config.h"

typedef struct qmt_calibration {
    int count[qmt_net_count];
    uint8_t *pixels[qmt_net_count]; /* [count][side][side][3] RGB */
    int pictures, unreadable;       /* used; left out with a warning */
} qmt_calibration;

/* Runs the cascade of FP32 `models` (P-Net first; those after the last are NULL) on up to 256 of the pictures, spread
 * evenly, at detect.min_face and the thresholds of evaluate.thresholds, and takes about config->quantize.ptq_samples of
 * each network's inputs: for P-Net half are windows of all pyramid levels at random, half its own proposals; R- and
 * O-Net's are crops that reach them, spread over their scores. The same for any number of threads. A network that
 * nothing reached has count 0. Clear it also after a failure. */
qmtcnn_status qmt_calibration_gather(qmt_model *const models[qmt_net_count], const char *const *pictures, size_t count,
                                     const qmt_config *config, qmt_pool *pool, qmt_calibration *calibration,
                                     qmtcnn_error *error);
void qmt_calibration_clear(qmt_calibration *calibration);

#endif
