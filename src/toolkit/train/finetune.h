/* Starts a network from one that was trained before. */
#ifndef QMT_TRAIN_FINETUNE_H
#define QMT_TRAIN_FINETUNE_H

#include "toolkit/net/net.h"

/* `path` is a checkpoint (.safetensors), an ONNX file, or a folder with NET.onnx, NET/qat.safetensors or
 * NET/fp32.safetensors (looked for in this order). Its shape must be the net's. */
qmtcnn_status qmt_finetune(qmt_net *net, const char *path, qmtcnn_error *error);

#endif
