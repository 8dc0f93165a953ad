/* How many FP32 multiply-adds a second this machine can do at most. */
#ifndef QMT_TRAIN_PEAK_H
#define QMT_TRAIN_PEAK_H

#include "runtime/base/threads.h"

/* Measured: each thread of the pool (NULL: this one) runs independent fused multiply-adds in registers, with the widest
 * vectors of this processor, for about `seconds`. The best of several turns, since a disturbed one says less. */
double qmt_measure_peak(qmt_pool *pool, double seconds);

#endif
