/* toolkit/deploy: what leaves the toolkit. It owns export (names, profiles, metadata), the check against TensorRT's
 * rules, and the scripts that build engines. */
#ifndef QMT_DEPLOY_H
#define QMT_DEPLOY_H

#include "runtime/model/onnx.h"
#include "toolkit/config/config.h"

/* Which of a network's checkpoints to export. */
typedef enum qmt_variant { QMT_VARIANT_FP32, QMT_VARIANT_PTQ, QMT_VARIANT_QAT } qmt_variant;

/* Writes OUT/{pnet,rnet,onet}.onnx from CHECKPOINTS/{net}/VARIANT.safetensors; networks without a checkpoint are
 * left out, with a line in the log, unless none is there (an error that says how to train one). Scores
 * are calibrated by CHECKPOINTS/scores.json (scores.h) if it is there and export.calibrated. Thresholds, scales,
 * training facts and the samples' manifest hash go into metadata_props. */
qmtcnn_status qmt_export(const char *checkpoints, qmt_variant variant, const qmt_config *config, const char *out,
                         qmtcnn_error *error);
/* Gives a quantized model the integers that ONNX Runtime's QLinearConv likes: behind a ReLU, 0 .. 255 for the same
 * range of values (finer steps than 0 .. 127), and weights of `weight_bits` (7 or 8), quantized again from FP32. */
qmtcnn_status qmt_model_for_onnxruntime(qmt_model *model, int weight_bits, qmtcnn_error *error);
/* OUT/build_tensorrt_engines.sh and .bat. */
qmtcnn_status qmt_write_tensorrt_scripts(const char *out, const qmt_config *config, qmtcnn_error *error);
/* Those of an earlier export, which would stand beside files that TensorRT can't take. */
qmtcnn_status qmt_remove_tensorrt_scripts(const char *out, qmtcnn_error *error);

/* One broken rule. */
typedef struct qmt_lint_finding {
    const char *rule; /* short name: "bias-quantized" */
    char node[128];   /* the node's name, or its first output */
    char text[400];   /* what is wrong, why TensorRT minds, what to do */
    bool error;       /* false: works, but slower or not on every version */
} qmt_lint_finding;
typedef void (*qmt_lint_sink)(void *state, const qmt_lint_finding *finding);
/* Checks any ONNX file against TensorRT's rules for explicit quantization (8.5 to 11). *findings: how many. The rules
 * were taken from TensorRT's documents and sources; the check itself needs no TensorRT. `sink` may be NULL; a finding
 * lives only during the call. */
qmtcnn_status qmt_lint_tensorrt(const char *path, qmt_lint_sink sink, void *state, int *findings, qmtcnn_error *error);
/* The same for a file in memory; `name` stands for it in messages. */
qmtcnn_status qmt_lint_tensorrt_memory(const void *data, size_t size, const char *name, qmt_lint_sink sink, void *state,
                                       int *findings, qmtcnn_error *error);

#endif
