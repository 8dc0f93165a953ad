#ifndef QMT_BASE_CLOCK_H
#define QMT_BASE_CLOCK_H

/* Seconds on a clock that never goes back; only differences mean anything. */
double qmt_seconds(void);

#endif
