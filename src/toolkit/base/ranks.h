/* Many processes on one job (MPI). Every rank calls the same functions in the same order. Outside mpirun
 * there is one rank and all of this does nothing. Sums travel in the order of a fixed tree, never by the
 * library's own reduction, so that any number of ranks gives the same bytes. */
#ifndef QMT_TOOLKIT_RANKS_H
#define QMT_TOOLKIT_RANKS_H

#include "runtime/base/status.h"

#include <stdint.h>

typedef struct qmt_ranks qmt_ranks;

/* Joins the job that mpirun started; one rank elsewhere. Fails where mpirun started several processes of a program
 * that was built without MPI. Call once a process. */
qmtcnn_status qmt_ranks_create(qmt_ranks **ranks, qmtcnn_error *error);
void qmt_ranks_free(qmt_ranks *ranks);
/* "MPI 3.1": the standard that this program was built with; "none". */
const char *qmt_ranks_library(void);
/* 0 .. size - 1; NULL is rank 0 of 1. */
int qmt_ranks_rank(const qmt_ranks *ranks);
int qmt_ranks_size(const qmt_ranks *ranks);

/* Adds up `count` floats (doubles) of all ranks, pairwise: (0 + 1) + (2 + 3) ...; all ranks get the same bytes. The
 * number of ranks must be a power of two. */
qmtcnn_status qmt_ranks_sum(qmt_ranks *ranks, float *values, size_t count, qmtcnn_error *error);
qmtcnn_status qmt_ranks_sum_double(qmt_ranks *ranks, double *values, size_t count, qmtcnn_error *error);
/* Every rank's `bytes`, in the order of ranks, to all of them. */
qmtcnn_status qmt_ranks_gather(qmt_ranks *ranks, const void *mine, size_t bytes, void *all, qmtcnn_error *error);
qmtcnn_status qmt_ranks_barrier(qmt_ranks *ranks, qmtcnn_error *error);
/* The worst status of all ranks, so that they stop together. */
qmtcnn_status qmt_ranks_agree(qmt_ranks *ranks, qmtcnn_status status);

#endif
