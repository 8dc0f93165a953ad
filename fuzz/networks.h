/* Small networks with the shapes of the real ones, as ONNX files. */
#ifndef QMT_FUZZ_NETWORKS_H
#define QMT_FUZZ_NETWORKS_H

#include "runtime/model/model.h"

/* The bytes of a network; *data is for qmt_free(). Ends the process where that fails. */
void fuzz_network(qmt_net_id net, bool int8, qmt_activation activation, void **data, size_t *size);
/* All three, ready to detect with, made at the first call. `other`: instead of network `place`, which may then fail. */
qmtcnn_status fuzz_detector(const qmtcnn_buffer *other, qmt_net_id place, qmtcnn_model **model, qmtcnn_error *error);

#endif
