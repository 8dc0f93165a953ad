/* A pool of threads for loops whose turns are independent. Our own, so that a program that links libqmtcnn gets no
 * OpenMP runtime with it. */
#ifndef QMT_BASE_THREADS_H
#define QMT_BASE_THREADS_H

#include "runtime/base/status.h"

typedef struct qmt_pool qmt_pool;

/* Computes turn `index` of a loop. `worker` is in [0, qmt_pool_threads()): one worker runs one turn at a time, so it
 * can index scratch memory. */
typedef void (*qmt_task)(void *state, int index, int worker);

/* A pool of `threads` workers, the calling thread being one. 0 means one per processor. */
qmtcnn_status qmt_pool_create(int threads, qmt_pool **pool, qmtcnn_error *error);
void qmt_pool_free(qmt_pool *pool);

/* Workers of a pool; 1 for NULL. */
int qmt_pool_threads(const qmt_pool *pool);

/* Calls task(state, 0 .. count - 1, worker), each once, in any order, and returns when all are done. A NULL pool runs
 * them here, in order. One caller at a time; a task must not run another loop on the same pool. */
void qmt_pool_run(qmt_pool *pool, int count, qmt_task task, void *state);

/* Processors that this process may use. At least 1. */
int qmt_processor_count(void);

#endif
