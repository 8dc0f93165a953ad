/* What commands that evaluate share: their common options, and results in the form that a user asked for, on standard
 * output or in a file, with the settings that they were made with. */
#ifndef QMT_CLI_RESULTS_H
#define QMT_CLI_RESULTS_H

#include "cli/command.h"
#include "toolkit/report/report.h"

/* Settings, and where and how the result goes. */
typedef struct qmt_result_request {
    qmt_config config;
    const char *split;  /* "train" or "val" */
    const char *format; /* "text", "json", "html" */
    const char *out;    /* a file; NULL: standard output */
} qmt_result_request;

/* Defaults. */
void qmt_result_request_init(qmt_result_request *request);
/* Fills `options` (room for `size`) with --data and --split, the command's `own` options (they end with one without a
 * name), and --fuse, --last-nms, --vote, --refined-nms, --threads, --limit, --format and --out. */
void qmt_result_options(qmt_result_request *request, const qmt_option *own, qmt_option *options, int size);
/* Are both there and equal? */
bool qmt_is(const char *a, const char *b);

/* Writes `text` to the file `out` (atomically), or to standard output where it is NULL. Takes the text and frees it;
 * NULL is an out-of-memory error. */
qmtcnn_status qmt_print_text(char *text, const char *out, qmtcnn_error *error);
/* The same for a JSON value, on one line. Takes the reference. */
qmtcnn_status qmt_print_json(json_t *value, const char *out, qmtcnn_error *error);

/* Results with their settings: JSON under "configuration", a page under "Configuration"; beside a file always as
 * "FILE.config.yaml". They take the text or the value as the functions above do. */
qmtcnn_status qmt_give_text(const qmt_result_request *request, char *text, qmtcnn_error *error);
qmtcnn_status qmt_give_json(const qmt_result_request *request, json_t *value, qmtcnn_error *error);
/* Sets report->config. */
qmtcnn_status qmt_give_page(const qmt_result_request *request, qmt_report *report, qmtcnn_error *error);

#endif
