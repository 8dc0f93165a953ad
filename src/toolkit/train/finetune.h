/* Starts a network from one that was trained before. */
#ifndef QMT_TRAIN_FINETUNE_H
#define QMT_TRAIN_FINETUNE_H

#include "toolkit/train/loop.h"

/* `path` is a checkpoint (.safetensors), an ONNX file, or a folder with NET.onnx, NET/qat.safetensors or
 * NET/fp32.safetensors (looked for in this order). Its shape must be the net's; a checkpoint may have been trained with
 * or without batch normalization in other layers. */
qmtcnn_status qmt_finetune(qmt_net *net, const char *path, qmtcnn_error *error);

/* Was normalization folded into the weights, so that it does nothing now, as qmt_net_from_model() leaves it? So are
 * ONNX files, ptq.safetensors, and checkpoints that normalized in other layers. Then training needs
 * qmt_finetune_settle() first. */
bool qmt_finetune_is_folded(qmt_net *net);

/* Gives a folded network normalization again that changes nothing: mean and variance of each layer's convolution are
 * measured on the first batches, layer after layer, and scale and shift set to what undoes them. Without this, batch
 * statistics would replace the network's own scale at the first step. All ranks together; the position stays. */
qmtcnn_status qmt_finetune_settle(qmt_training *training, qmtcnn_error *error);

#endif
