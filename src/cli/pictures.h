/* Pictures that a user names on the command line: files, folders, and - for standard input. */
#ifndef QMT_CLI_PICTURES_H
#define QMT_CLI_PICTURES_H

#include "toolkit/image/image.h"

typedef struct qmt_picture {
    const char *path; /* as the user would open it; "-" for standard input */
    const char *name; /* for pictures of a folder: the path below it; else as `path` */
} qmt_picture;

/* Reads a picture, turned upright. */
qmtcnn_status qmt_picture_load(const qmt_picture *picture, qmt_image *image, qmtcnn_error *error);

/* Is this a file name of a JPEG or PNG? */
bool qmt_is_picture_name(const char *path);

/* Gets a status other than QMTCNN_OK to stop the visit with it. */
typedef qmtcnn_status (*qmt_picture_visitor)(void *state, const qmt_picture *picture, qmtcnn_error *error);

/* Calls `visitor` for an input: a file (whatever its name), each picture below a folder in the order of names, or
 * standard input. A folder without pictures is an error. */
qmtcnn_status qmt_pictures_visit(const char *input, qmt_picture_visitor visitor, void *state, qmtcnn_error *error);

/* "auto", "fp32" or "int8". */
qmtcnn_precision qmt_parse_precision(const char *name);
/* Opens the models in `folder`; `kernels` names those to run them, or is NULL for the best. */
qmtcnn_status qmt_open_models(const char *folder, const char *precision, const char *kernels, qmtcnn_model **model,
                              qmtcnn_error *error);

#endif
