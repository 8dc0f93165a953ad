/* toolkit/report: results as pages for people. It owns plots (plot.h), HTML (html.h), annotated pictures (pictures.h),
 * and the pages that `run`, `eval` and `validate` write. A page is one file that needs nothing else. It computes no
 * figure of its own: all come from toolkit/evaluate, toolkit/train's history and toolkit/data's manifests. */
#ifndef QMT_REPORT_H
#define QMT_REPORT_H

#include "toolkit/data/dataset.h"
#include "toolkit/evaluate/compare.h"
#include "toolkit/evaluate/stage.h"
#include "toolkit/report/pictures.h"

/* How long a step of the pipeline took. */
typedef struct qmt_report_step {
    const char *name;
    double seconds;   /* negative: unknown */
    const char *note; /* "done before"; NULL: none */
} qmt_report_step;

/* The same models on another data set, of real pictures, where training and the rest of the page were on synthetic
 * ones. */
typedef struct qmt_real_results {
    const char *name;                     /* of the data set; NULL: there is none, which the page says */
    const qmt_evaluation *evaluations[3]; /* FP32, PTQ (may be NULL), INT8 */
} qmt_real_results;

/* All that can stand on a page. What is NULL (or 0) is left out. Everything is borrowed. */
typedef struct qmt_report {
    const char *title, *subtitle;
    const qmt_config *config; /* the settings that the results were made with */
    const char *data_name;    /* of the data set */
    const qmt_check_summary *train_data, *val_data;
    const char *manifests[qmt_net_count];    /* text of each store's manifest.json */
    const char *histories[qmt_net_count];    /* text of each network's history.json */
    const qmt_evaluation *fp32, *ptq, *int8; /* int8: after QAT */
    const qmt_stage_result *stages;          /* any number of networks and precisions */
    size_t stage_count;
    const qmt_comparison *comparison; /* its evaluations stand in for fp32, ptq and int8 that are NULL */
    const qmt_real_results *real;
    const qmt_examples *examples;
    const qmt_report_step *steps;
    size_t step_count;
} qmt_report;

/* The page, for qmt_free(). Damaged histories and manifests are skipped with a remark on the page. */
qmtcnn_status qmt_report_html(const qmt_report *report, char **html, qmtcnn_error *error);
/* Writes it to a file (atomically). */
qmtcnn_status qmt_report_write(const qmt_report *report, const char *path, qmtcnn_error *error);
/* The same results as one JSON object: {"title", "fp32", "ptq", "int8", "comparison", "findings", "real_data",
 * "stages", "steps", "configuration"}; for json_decref(), NULL when out of memory. */
json_t *qmt_report_json(const qmt_report *report);

#endif
