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
/* The val split of evaluate.real_data, all of it: data.leave_out names folders of the data set to train on. */
qmtcnn_status qmt_run_open_real(const qmt_run *run, qmt_dataset **dataset, qmtcnn_error *error);

/* Keys of steps. All ranks call these together.
 *
 * The next step of one network, with the sections of the configuration that it depends on. What is set for the other
 * two networks does not count: who changes O-Net's training keeps the P-Net and R-Net that are there. Nor do where the
 * data lies (its bytes are looked at), how often training logs and saves, and what of the detector mining does not use.
 */
qmtcnn_status qmt_run_net_key(qmt_run *run, const char *name, const char *sections, qmt_net_id net, uint64_t *key,
                              qmtcnn_error *error);
/* All steps from here on depend on the pictures and labels as they are now, of the data set or of evaluate.real_data.
 */
qmtcnn_status qmt_run_take_data(qmt_run *run, qmtcnn_error *error);
qmtcnn_status qmt_run_take_real_data(qmt_run *run, qmtcnn_error *error);
/* ... and on the bytes of a file that export.profile names. */
qmtcnn_status qmt_run_take_profile(qmt_run *run, qmtcnn_error *error);

/* Settings that can't work together, but would show it only after training. */
qmtcnn_status qmt_run_check_settings(const qmt_config *config, qmtcnn_error *error);
/* Pictures to judge by: val splits that hold a face which counts. */
qmtcnn_status qmt_run_check_data(const qmt_run *run, qmtcnn_error *error);
/* The last step: evaluation on the val split, and the report. */
qmtcnn_status qmt_run_report(const qmt_run *run, qmtcnn_error *error);
/* Fails with QMTCNN_ERROR_NUMERIC where the report says that INT8 keeps less of FP32's AP than
 * evaluate.min_retention asks for. */
qmtcnn_status qmt_run_judge(const qmt_run *run, qmtcnn_error *error);

#endif
