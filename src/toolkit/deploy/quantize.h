/* FP32 networks to INT8 networks, without training. */
#ifndef QMT_DEPLOY_QUANTIZE_H
#define QMT_DEPLOY_QUANTIZE_H

#include "toolkit/config/config.h"
#include "toolkit/quant/ptq.h"

typedef struct qmt_quantize_request {
    const char *models;          /* folder with pnet.onnx, and rnet.onnx and onet.onnx if there are any; FP32 */
    const char *out;             /* folder for the INT8 files of the same names */
    const char *const *pictures; /* files like those that the detector will see */
    size_t picture_count;
} qmt_quantize_request;

/* What became of one network. */
typedef struct qmt_quantized {
    bool done;   /* false: there is no such file */
    int samples; /* that it was calibrated on */
    qmt_ptq_report report;
} qmt_quantized;

/* Calibrates and quantizes by config->quantize (see ptq.h and calibration.h); run.threads and run.seed count. Files
 * keep their tensors' names and their metadata; "qmtcnn.variant" becomes "ptq", and "qmtcnn.quantize" tells the
 * settings. All networks are quantized before the first file is written. */
qmtcnn_status qmt_quantize_models(const qmt_quantize_request *request, const qmt_config *config,
                                  qmt_quantized results[qmt_net_count], qmtcnn_error *error);

#endif
