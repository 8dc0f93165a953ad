/* Which pictures and labels a step was made from. */
#ifndef QMT_PIPELINE_DATA_KEY_H
#define QMT_PIPELINE_DATA_KEY_H

#include "toolkit/data/dataset.h"

/* A hash over every label of a split (boxes, landmarks, what is ignored), and over every picture's name, size, and
 * first and last 4,096 bytes: another number says that the pictures or their labels are others; a copy of a data set
 * has the number of the original. What lies between those bytes alone is not seen. Less than a second for ten thousand
 * pictures on a solid-state disk. A picture that isn't there counts as missing; one that can't be read is
 * QMTCNN_ERROR_IO. */
qmtcnn_status qmt_data_key(const qmt_data_config *data, const char *folder, const char *split, uint64_t *key,
                           qmtcnn_error *error);

#endif
