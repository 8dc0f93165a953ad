/* The learning rate, step by step. */
#ifndef QMT_TRAIN_SCHEDULE_H
#define QMT_TRAIN_SCHEDULE_H

#include "toolkit/config/config.h"

#include <stdint.h>

/* A phase (FP32 or QAT) runs its own schedule from its first step to its last. */
typedef struct qmt_schedule {
    qmt_schedule_kind kind;
    double base;            /* learning rate after the warm-up */
    int64_t steps;          /* of the phase */
    int64_t warmup;         /* linear, from base / warmup on; at most half of the phase */
    int64_t steps_per_fall; /* step schedule: the rate is multiplied by `fall` after so many steps */
    double fall;
} qmt_schedule;

/* The schedule of a phase of `epochs` epochs; `factor` scales the learning rate (1 in FP32, learning_rate_factor in
 * QAT). */
qmt_schedule qmt_schedule_for(const qmt_train_config *config, double factor, int epochs, int64_t steps_per_epoch);

/* Learning rate of a phase's step 0 .. steps - 1. Cosine: from base at the warm-up's end down to 0 just after the last
 * step. */
double qmt_learning_rate(const qmt_schedule *schedule, int64_t step);

#endif
