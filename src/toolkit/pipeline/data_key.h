/* Which pictures and labels a step was made from. */
#ifndef QMT_PIPELINE_DATA_KEY_H
#define QMT_PIPELINE_DATA_KEY_H

#include "toolkit/data/dataset.h"

/* A hash over every label of a split (boxes, landmarks, what is ignored), and over every picture's name, size and time
 * of change: another number says that the pictures or their labels are others. The pictures themselves are not read, so
 * this takes a fraction of a second for ten thousand of them. A picture that is missing counts as one of size 0. */
qmtcnn_status qmt_data_key(const qmt_data_config *data, const char *folder, const char *split, uint64_t *key,
                           qmtcnn_error *error);

#endif
