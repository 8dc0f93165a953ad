/* What the toolkit needs of the public API's objects, beyond the public header. */
#ifndef QMT_DETECT_API_H
#define QMT_DETECT_API_H

#include "runtime/kernels/network.h"

/* One of the networks of an open model; it lives as long as the model. */
const qmt_network *qmt_api_network(const qmtcnn_model *model, qmt_net_id net);

/* Checks every option; the message names the option, its value and its range. */
qmtcnn_status qmt_options_check(const qmtcnn_options *options, qmtcnn_error *error);

#endif
