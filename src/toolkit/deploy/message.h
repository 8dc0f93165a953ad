/* ONNX messages from files that may be hostile, without the limits on layer kinds that runtime/model has. */
#ifndef QMT_DEPLOY_MESSAGE_H
#define QMT_DEPLOY_MESSAGE_H

#include "runtime/base/status.h"
#include "runtime/model/onnx.pb-c.h"

/* Parses the bytes of an ONNX file that holds a graph with at least one node. `name` stands for the file in messages.
 * For qmt_onnx_message_free(). */
qmtcnn_status qmt_onnx_message_parse(const void *data, size_t size, const char *name, QmtOnnx__Model **message,
                                     qmtcnn_error *error);
qmtcnn_status qmt_onnx_message_read(const char *path, QmtOnnx__Model **message, qmtcnn_error *error);
void qmt_onnx_message_free(QmtOnnx__Model *message);

#endif
