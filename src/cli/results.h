/* Results in the form that a user asked for, on standard output or in a file. */
#ifndef QMT_CLI_RESULTS_H
#define QMT_CLI_RESULTS_H

#include "runtime/base/status.h"

#include <jansson.h>

/* Writes `text` to the file `out` (atomically), or to standard output where it is NULL. Takes the text and frees it;
 * NULL is an out-of-memory error. */
qmtcnn_status qmt_print_text(char *text, const char *out, qmtcnn_error *error);
/* The same for a JSON value, on one line. Takes the reference. */
qmtcnn_status qmt_print_json(json_t *value, const char *out, qmtcnn_error *error);

#endif
