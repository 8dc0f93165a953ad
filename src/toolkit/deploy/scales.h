/* What an INT8 model's metadata says of its scales. */
#ifndef QMT_DEPLOY_SCALES_H
#define QMT_DEPLOY_SCALES_H

#include "runtime/model/model.h"

/* Sets "qmtcnn.scales" to "conv1 0.00790513, conv2 ...": the scale of each INT8 layer's input. Nothing where no layer
 * is INT8. */
qmtcnn_status qmt_model_note_scales(qmt_model *model, qmtcnn_error *error);

#endif
