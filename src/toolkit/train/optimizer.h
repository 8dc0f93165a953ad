/* How gradients change weights: SGD with momentum, and Adam. */
#ifndef QMT_TRAIN_OPTIMIZER_H
#define QMT_TRAIN_OPTIMIZER_H

#include "toolkit/base/safetensors.h"
#include "toolkit/config/config.h"
#include "toolkit/net/net.h"

/* SGD:  g += decay * w (L2);  m = momentum * m + g;  w -= rate * m
 * Adam: m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
 *       w -= rate * (m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + 1e-8) + decay * w)   (decoupled: Loshchilov and Hutter,
 * 2019) Decay is 0 for parameters that take no part in it. Gradients are clipped first. */
typedef struct qmt_optimizer qmt_optimizer;

/* Moments at 0 for the trainable ones among a net's parameters. Keeps no pointer to them. */
qmtcnn_status qmt_optimizer_create(const qmt_train_config *config, const qmt_parameter *parameters, int count,
                                   qmt_optimizer **optimizer, qmtcnn_error *error);
void qmt_optimizer_free(qmt_optimizer *optimizer);
/* Moments and the count of steps back to 0. */
void qmt_optimizer_reset(qmt_optimizer *optimizer);

/* One step on the same parameters (values and gradients) in the same order. *norm (may be NULL) gets the norm of all
 * gradients before clipping, summed in a fixed order. A gradient that is not finite is QMTCNN_ERROR_NUMERIC, names the
 * parameter and changes nothing. */
qmtcnn_status qmt_optimizer_step(qmt_optimizer *optimizer, const qmt_parameter *parameters, int count, double rate,
                                 double *norm, qmtcnn_error *error);

/* Moments and steps, under "optimizer." in a checkpoint. The writer borrows them. */
qmtcnn_status qmt_optimizer_save(const qmt_optimizer *optimizer, qmt_tensors_writer *writer, qmtcnn_error *error);
qmtcnn_status qmt_optimizer_load(qmt_optimizer *optimizer, const qmt_tensors_file *file, qmtcnn_error *error);

#endif
