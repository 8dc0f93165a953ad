/* What TensorBoard shows of a training run. */
#ifndef QMT_TRAIN_MONITOR_H
#define QMT_TRAIN_MONITOR_H

#include "toolkit/log/events.h"
#include "toolkit/train/loader.h"
#include "toolkit/train/validation.h"

/* Figures of one step. */
typedef struct qmt_step_figures {
    const qmt_loss_values *losses;
    double learning_rate, gradient_norm, samples_per_second, loader_wait; /* seconds */
} qmt_step_figures;

/* loss/..., train/learning_rate, train/gradient_norm, speed/... */
qmtcnn_status qmt_monitor_step(qmt_events *events, int64_t step, const qmt_step_figures *figures, qmtcnn_error *error);
/* quant/LAYER/..., after a QAT or calibration pass. */
qmtcnn_status qmt_monitor_quantization(qmt_events *events, int64_t step, const qmt_net *net, const qmt_pass *pass,
                                       qmtcnn_error *error);
/* weights/NAME: histograms of all parameters. */
qmtcnn_status qmt_monitor_weights(qmt_events *events, int64_t step, qmt_net *net, qmtcnn_error *error);
/* validation/KIND/..., KIND being "fp32", "int8" or "ptq". Figures that are missing are left out. */
qmtcnn_status qmt_monitor_validation(qmt_events *events, int64_t step, const char *kind, const qmt_figures *figures,
                                     qmtcnn_error *error);
/* samples: a grid of a batch as the network saw it (augmented), with true boxes and points in white and the network's
 * in green. Outputs are those of `pass` for `batch`. */
qmtcnn_status qmt_monitor_samples(qmt_events *events, int64_t step, const qmt_batch *batch, const qmt_pass *pass,
                                  int groups, int side, qmtcnn_error *error);

#endif
