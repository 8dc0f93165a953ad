/* Pictures with the faces that were found drawn into them. */
#ifndef QMT_CLI_ANNOTATE_H
#define QMT_CLI_ANNOTATE_H

#include "cli/pictures.h"

/* Hashes of the paths written so far, in a table of open addressing: 0 is an empty place. Starts as zeros; hashes for
 * qmt_free(). */
typedef struct qmt_written_names {
    uint64_t *hashes;
    size_t capacity, count;
} qmt_written_names;

/* Draws boxes, landmarks and scores, best on top, and writes the picture below `folder` under its own name, with a
 * number where another picture of this run has that name already. Never writes over the picture itself. */
qmtcnn_status qmt_write_annotated(qmt_written_names *written, const char *folder, const qmt_picture *picture,
                                  qmt_image *image, const qmtcnn_face *faces, size_t count, qmtcnn_error *error);

#endif
