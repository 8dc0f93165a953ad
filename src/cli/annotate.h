/* Pictures with the faces that were found drawn into them. */
#ifndef QMT_CLI_ANNOTATE_H
#define QMT_CLI_ANNOTATE_H

#include "cli/pictures.h"

#include <jansson.h>

/* Draws boxes, landmarks and scores, best on top, and writes the picture below `folder` under its own name, with a
 * number where another picture of this run has that name already. Never writes over the picture itself.
 * `written`: an object whose keys are the paths written so far. */
qmtcnn_status qmt_write_annotated(json_t *written, const char *folder, const qmt_picture *picture, qmt_image *image,
                                  const qmtcnn_face *faces, size_t count, qmtcnn_error *error);

#endif
