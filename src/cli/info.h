/* The parts of `qmtcnn info`: each collects what there is to say about one kind of file as JSON; text is drawn from
 * that. */
#ifndef QMT_CLI_INFO_H
#define QMT_CLI_INFO_H

#include "toolkit/config/config.h"

#include <jansson.h>

typedef struct qmt_info_request {
    const char *path;
    bool json;
    bool check;  /* against TensorRT's rules */
    bool decode; /* all of every picture, not only its header */
    int threads;
    qmt_config config;
    bool faults; /* found: exit with 1 */
} qmt_info_request;

/* Each sets *info to a new object (NULL on failure). */
qmtcnn_status qmt_info_build(json_t **info, qmtcnn_error *error);
qmtcnn_status qmt_info_onnx(qmt_info_request *request, json_t **info, qmtcnn_error *error);
qmtcnn_status qmt_info_tensors(qmt_info_request *request, json_t **info, qmtcnn_error *error);
qmtcnn_status qmt_info_store(qmt_info_request *request, json_t **info, qmtcnn_error *error);
qmtcnn_status qmt_info_dataset(qmt_info_request *request, json_t **info, qmtcnn_error *error);
/* All ONNX files and checkpoints in a folder. */
qmtcnn_status qmt_info_folder(qmt_info_request *request, json_t **info, qmtcnn_error *error);

/* An object or array as text on standard output: "key  value" lines, tables for lists of objects. Control characters of
 * hostile files become question marks. */
void qmt_info_print(const json_t *info);
/* Fails for an object that could not be made. */
qmtcnn_status qmt_info_finish(json_t *object, json_t **info, qmtcnn_error *error);

#endif
