/* How many multiply-adds a second this machine can do at most, in FP32 and in INT8. */
#ifndef QMT_TRAIN_PEAK_H
#define QMT_TRAIN_PEAK_H

#include "runtime/base/threads.h"

/* Measured: each thread of the pool (NULL: this one) runs independent fused multiply-adds in registers, with the widest
 * vectors of this processor, for about `seconds`. The best of several turns, since a disturbed one says less. */
double qmt_measure_peak(qmt_pool *pool, double seconds);

/* The same of 8-bit products summed in 32 bits, with what is best here: VPDPBUSD, VPMADDUBSW with VPMADDWD and VPADDD,
 * SDOT, or SMULL with SADALP. *instructions (may be NULL): its name, in static storage. 0: not measured on such a
 * processor. */
double qmt_measure_int8_peak(qmt_pool *pool, double seconds, const char **instructions);

/* What both do: a loop of `operations` multiply-adds, on every thread of the pool, for about `seconds`. It returns
 * something that depends on all of them, so that none is left out. */
typedef float (*qmt_peak_loop)(float seed);
double qmt_measure_loop(qmt_pool *pool, qmt_peak_loop loop, double operations, double seconds);

#endif
