/* toolkit/log: what a user sees while work goes on. It owns the progress bar and messages on standard error, and
 * TensorBoard event files. */
#ifndef QMT_LOG_PROGRESS_H
#define QMT_LOG_PROGRESS_H

#include "runtime/base/status.h"

/* "[train pnet] message" on standard error, on a line of its own even while a bar is shown. */
void qmt_log_info(const char *format, ...) QMT_PRINTF(1, 2);
void qmt_log_warning(const char *format, ...) QMT_PRINTF(1, 2);

/* A bar with rate and time left on a terminal; elsewhere a plain line at most every 10 seconds. Calls may come from any
 * thread. */
typedef struct qmt_progress qmt_progress;
/* `total` 0: unknown. `unit`: "pictures". Never NULL unless out of memory, and all calls take NULL. */
qmt_progress *qmt_progress_start(const char *title, const char *unit, double total);
void qmt_progress_set(qmt_progress *progress, double done, const char *note); /* `note` (may be NULL): "loss 0.123" */
void qmt_progress_add(qmt_progress *progress, double more);
/* Ends the bar with a summary line and frees it. */
void qmt_progress_finish(qmt_progress *progress);

#endif
