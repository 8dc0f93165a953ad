/* toolkit/pipeline: `qmtcnn run`. It owns the order of the steps, where each puts its results, and which are done
 * already. */
#ifndef QMT_PIPELINE_H
#define QMT_PIPELINE_H

#include "toolkit/base/ranks.h"
#include "toolkit/config/config.h"

/* From pictures to checked INT8 models, below config->run.workdir:
 *   config.yaml           the effective configuration
 *   data/                 synthetic pictures, where no data set is given
 *   samples/NET/          training samples
 *   checkpoints/NET/      see toolkit/train
 *   logs/NET/             TensorBoard event files
 *   models/mtcnn_{fp32,ptq,qat}/   {pnet,rnet,onet}.onnx; qat also the TensorRT scripts
 *   report/               index.html, report.json, pictures/
 *   steps/                a small file for each finished step
 * A step whose settings, and those of all steps before it, are as they were is not run again, so a stopped run goes on
 * where it was. With QMTCNN_ERROR_INTERRUPTED the message says how. Samples and all that follows are also made anew
 * where labels or pictures changed (data_key.h).
 *
 * QMTCNN_ERROR_NUMERIC, after all steps are done and the report is written: INT8 keeps less of FP32's AP than
 * evaluate.min_retention. */
qmtcnn_status qmt_pipeline_run(const qmt_config *config, qmt_ranks *ranks, qmtcnn_error *error);

#endif
