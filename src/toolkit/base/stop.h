/* Ctrl-C and SIGTERM: a long step asks now and then whether to stop, saves what it has, and ends with
 * QMTCNN_ERROR_INTERRUPTED. */
#ifndef QMT_TOOLKIT_STOP_H
#define QMT_TOOLKIT_STOP_H

#include <stdbool.h>

/* From now on the first SIGINT or SIGTERM sets a flag, and the second ends the process at once. */
void qmt_stop_watch(void);
bool qmt_stop_requested(void);

#endif
