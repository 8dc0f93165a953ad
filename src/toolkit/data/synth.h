/* Synthetic faces from a seed, in WIDER FACE's layout: for the demo, for tests, and where no pictures are at hand. */
#ifndef QMT_SYNTH_H
#define QMT_SYNTH_H

#include "toolkit/config/config.h"
#include "toolkit/data/dataset.h"
#include "toolkit/image/image.h"

enum { qmt_synth_max_faces = 64 };

/* Draws picture `number` of `seed`: the same bytes whatever else is drawn. `labels` holds room for config->max_faces;
 * each box is the exact extent of the face (hairline to chin, cheek to cheek), with landmarks. *frontal[i] (may be
 * NULL): is face i looking ahead (for tests)? */
qmtcnn_status qmt_synth_picture(const qmt_synth_config *config, uint64_t seed, uint64_t number, qmt_image *image,
                                qmt_label *labels, bool *frontal, int *count, qmtcnn_error *error);

/* Writes config->images pictures for train and config->val_images for val under FOLDER (WIDER_train, WIDER_val,
 * wider_face_split, landmarks_train.txt, landmarks_val.txt). Pictures that are there from a stopped run are kept. */
qmtcnn_status qmt_synth_write(const qmt_synth_config *config, uint64_t seed, const char *folder, int threads,
                              qmtcnn_error *error);

#endif
