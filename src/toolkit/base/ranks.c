#include "toolkit/base/ranks.h"

#include <stdlib.h>
#include <string.h>

#ifdef QMT_MPI
#include <limits.h>
#include <mpi.h>
#endif

struct qmt_ranks {
    int rank, size;
    bool initialized; /* by us, so that we finalize */
};

int qmt_ranks_rank(const qmt_ranks *ranks)
{
    return ranks ? ranks->rank : 0;
}

int qmt_ranks_size(const qmt_ranks *ranks)
{
    return ranks ? ranks->size : 1;
}

#ifdef QMT_MPI

/* The text of a macro's value. */
#define TEXT_OF(x) TEXT_OF_VALUE(x)
#define TEXT_OF_VALUE(x) #x

const char *qmt_ranks_library(void)
{
    return "MPI " TEXT_OF(MPI_VERSION) "." TEXT_OF(MPI_SUBVERSION);
}

/* MPI_Init() starts helpers even in a lone process, so it is called only under mpirun, which sets one of these. */
static bool started_by_mpirun(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE") || getenv("PMIX_RANK");
}

static qmtcnn_status check(int code, const char *what, qmtcnn_error *error)
{
    if (code == MPI_SUCCESS)
        return QMTCNN_OK;
    return qmt_fail(error, QMTCNN_ERROR_IO, "MPI can't %s (code %d): another rank may have ended", what, code);
}

static qmtcnn_status join(qmt_ranks *ranks, qmtcnn_error *error)
{
    int provided = 0;
    if (!started_by_mpirun())
        return QMTCNN_OK;
    qmtcnn_status status = check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), "start", error);
    if (status != QMTCNN_OK)
        return status;
    ranks->initialized = true;
    MPI_Comm_rank(MPI_COMM_WORLD, &ranks->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks->size);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    return QMTCNN_OK;
}

/* Swaps `bytes` with a partner, in pieces that MPI's int counts can hold. */
static int swap(const void *mine, void *theirs, size_t bytes, int partner)
{
    const size_t piece = 1 << 30;
    for (size_t at = 0; at < bytes; at += piece) {
        int count = (int)(bytes - at < piece ? bytes - at : piece);
        int code = MPI_Sendrecv((const char *)mine + at, count, MPI_BYTE, partner, 0, (char *)theirs + at, count,
                                MPI_BYTE, partner, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (code != MPI_SUCCESS)
            return code;
    }
    return MPI_SUCCESS;
}

static void add_floats(void *sum, const void *more, size_t count)
{
    float *a = sum;
    const float *b = more;
    for (size_t i = 0; i < count; i++)
        a[i] += b[i];
}

static void add_doubles(void *sum, const void *more, size_t count)
{
    double *a = sum;
    const double *b = more;
    for (size_t i = 0; i < count; i++)
        a[i] += b[i];
}

/* Recursive doubling: after step k every rank holds the sum of its aligned group of 2^(k + 1). Addition of two floats
 * commutes, so both partners get the same bits, and the order is the pairwise tree over ranks. */
static qmtcnn_status sum_by_tree(const qmt_ranks *ranks, void *values, size_t count, size_t size,
                                 void (*add)(void *, const void *, size_t), qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    if ((ranks->size & (ranks->size - 1)) != 0)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%d ranks: sums need a power of two", ranks->size);
    void *received = qmt_alloc(count, size);
    if (!received)
        return qmt_fail_memory(error, count * size, "sums over ranks");
    for (int step = 1; status == QMTCNN_OK && step < ranks->size; step *= 2) {
        status = check(swap(values, received, count * size, ranks->rank ^ step), "exchange sums", error);
        if (status == QMTCNN_OK)
            add(values, received, count);
    }
    qmt_free(received);
    return status;
}

qmtcnn_status qmt_ranks_sum(qmt_ranks *ranks, float *values, size_t count, qmtcnn_error *error)
{
    return qmt_ranks_size(ranks) == 1 ? QMTCNN_OK
                                      : sum_by_tree(ranks, values, count, sizeof *values, add_floats, error);
}

qmtcnn_status qmt_ranks_sum_double(qmt_ranks *ranks, double *values, size_t count, qmtcnn_error *error)
{
    return qmt_ranks_size(ranks) == 1 ? QMTCNN_OK
                                      : sum_by_tree(ranks, values, count, sizeof *values, add_doubles, error);
}

qmtcnn_status qmt_ranks_gather(qmt_ranks *ranks, const void *mine, size_t bytes, void *all, qmtcnn_error *error)
{
    if (qmt_ranks_size(ranks) == 1) {
        memcpy(all, mine, bytes);
        return QMTCNN_OK;
    }
    if (bytes > INT_MAX)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%zu bytes are too many to gather from a rank", bytes);
    return check(MPI_Allgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, MPI_COMM_WORLD), "gather", error);
}

qmtcnn_status qmt_ranks_barrier(qmt_ranks *ranks, qmtcnn_error *error)
{
    return qmt_ranks_size(ranks) == 1 ? QMTCNN_OK : check(MPI_Barrier(MPI_COMM_WORLD), "wait for the others", error);
}

qmtcnn_status qmt_ranks_agree(qmt_ranks *ranks, qmtcnn_status status)
{
    int mine = (int)status, worst = mine;
    if (qmt_ranks_size(ranks) > 1 && MPI_Allreduce(&mine, &worst, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD) != MPI_SUCCESS)
        return QMTCNN_ERROR_IO;
    return (qmtcnn_status)worst;
}

void qmt_ranks_free(qmt_ranks *ranks)
{
    if (ranks && ranks->initialized)
        MPI_Finalize();
    qmt_free(ranks);
}

#else

const char *qmt_ranks_library(void)
{
    return "none";
}

/* Each of mpirun's processes would take itself for the only one, and all would write the same files. */
static qmtcnn_status join(qmt_ranks *ranks, qmtcnn_error *error)
{
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
    (void)ranks;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const char *size = getenv(sizes[i]);
        if (size && strtol(size, NULL, 10) > 1)
            return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                            "mpirun started %s processes, but this program was built without MPI: install it "
                            "(scripts/setup_environment.sh --test) and build again, or run one process",
                            size);
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_ranks_sum(qmt_ranks *ranks, float *values, size_t count, qmtcnn_error *error)
{
    (void)ranks;
    (void)values;
    (void)count;
    (void)error;
    return QMTCNN_OK;
}

qmtcnn_status qmt_ranks_sum_double(qmt_ranks *ranks, double *values, size_t count, qmtcnn_error *error)
{
    (void)ranks;
    (void)values;
    (void)count;
    (void)error;
    return QMTCNN_OK;
}

qmtcnn_status qmt_ranks_gather(qmt_ranks *ranks, const void *mine, size_t bytes, void *all, qmtcnn_error *error)
{
    (void)ranks;
    (void)error;
    memcpy(all, mine, bytes);
    return QMTCNN_OK;
}

qmtcnn_status qmt_ranks_barrier(qmt_ranks *ranks, qmtcnn_error *error)
{
    (void)ranks;
    (void)error;
    return QMTCNN_OK;
}

qmtcnn_status qmt_ranks_agree(qmt_ranks *ranks, qmtcnn_status status)
{
    (void)ranks;
    return status;
}

void qmt_ranks_free(qmt_ranks *ranks)
{
    qmt_free(ranks);
}

#endif

qmtcnn_status qmt_ranks_create(qmt_ranks **result, qmtcnn_error *error)
{
    *result = NULL;
    qmt_ranks *ranks = qmt_alloc_zero(1, sizeof *ranks);
    if (!ranks)
        return qmt_fail_memory(error, sizeof *ranks, "ranks");
    ranks->size = 1;
    qmtcnn_status status = join(ranks, error);
    if (status != QMTCNN_OK) {
        qmt_ranks_free(ranks);
        return status;
    }
    *result = ranks;
    return QMTCNN_OK;
}
