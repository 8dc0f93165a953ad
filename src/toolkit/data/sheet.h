/* Contact sheets: what the samples of a store look like, with their boxes and landmarks. */
#ifndef QMT_SHEET_H
#define QMT_SHEET_H

#include "toolkit/data/store.h"
#include "toolkit/image/image.h"

/* Up to columns x rows samples of a class, spread evenly over the store, enlarged. The picture is the caller's. */
qmtcnn_status qmt_sheet_class(const qmt_store *store, qmt_sample_class sample_class, int columns, int rows,
                              qmt_image *sheet, qmtcnn_error *error);
/* For each augmentation a row of samples as they are and a row as it makes them, at the strength of `config`, whatever
 * its chances. */
qmtcnn_status qmt_sheet_augment(const qmt_store *store, const qmt_augment_config *config, uint64_t seed,
                                qmt_image *sheet, qmtcnn_error *error);
/* Writes negative.png, positive.png, part.png, landmark.png and augment.png into the store's folder, those that are not
 * there. */
qmtcnn_status qmt_sheets_write(const char *folder, const qmt_augment_config *config, uint64_t seed,
                               qmtcnn_error *error);

#endif
