/* What the steps of one pipeline share. */
#ifndef QMT_PIPELINE_RUN_H
#define QMT_PIPELINE_RUN_H

#include "toolkit/base/ranks.h"
#include "toolkit/config/config.h"
#include "toolkit/data/dataset.h"
#include "toolkit/deploy/deploy.h"
#include "toolkit/pipeline/steps.h"

enum { qmt_variant_count = 3 };

typedef struct qmt_run {
    const qmt_config *config;
    qmt_ranks *ranks;
    qmt_steps steps;
    char data[qmt_path_size], samples[qmt_path_size], checkpoints[qmt_path_size], logs[qmt_path_size];
    char models[qmt_variant_count][qmt_path_size], report[qmt_path_size];
} qmt_run;

/* "fp32", "ptq", "qat". */
const char *qmt_variant_name(qmt_variant variant);
qmtcnn_status qmt_run_open_data(const qmt_run *run, const char *split, qmt_dataset **dataset, qmtcnn_error *error);
/* The last step: evaluation on the val split, and the report. */
qmtcnn_status qmt_run_report(const qmt_run *run, qmtcnn_error *error);
/* Fails with QMTCNN_ERROR_NUMERIC where the report says that INT8 keeps less of FP32's AP than
 * evaluate.min_retention asks for. */
qmtcnn_status qmt_run_judge(const qmt_run *run, qmtcnn_error *error);

#endif
