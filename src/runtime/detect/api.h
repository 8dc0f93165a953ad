/* What the toolkit needs of the public API's objects, beyond the public header. */
#ifndef QMT_DETECT_API_H
#define QMT_DETECT_API_H

#include "runtime/kernels/network.h"

/* One of the networks of an open model; it lives as long as the model. */
const qmt_network *qmt_api_network(const qmtcnn_model *model, qmt_net_id net);

/* qmtcnn_model_open() with kernels of the caller's choice; NULL: the best for this processor. */
qmtcnn_status qmt_api_open(const char *folder, qmtcnn_precision precision, const qmt_kernels *kernels,
                           qmtcnn_model **model, qmtcnn_error *error);

/* Checks every option; the message names the option, its value and its range. */
qmtcnn_status qmt_options_check(const qmtcnn_options *options, qmtcnn_error *error);

#endif
