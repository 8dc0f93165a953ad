#define _GNU_SOURCE /* sched_getaffinity */
#include "runtime/base/threads.h"

#include <pthread.h>
#include <stdatomic.h>

#ifdef __linux__
#include <sched.h>
#endif
#ifdef _WIN32
#include <windows.h>
#else
#include <unistd.h>
#endif

enum { max_threads = 256 };

struct worker {
    qmt_pool *pool;
    pthread_t thread;
    int number;
};

struct qmt_pool {
    int threads;
    struct worker *workers; /* threads - 1 of them; the caller is worker 0 */
    pthread_mutex_t lock;
    pthread_cond_t start, finish;
    /* Guarded by lock. */
    bool open;   /* a loop is on that workers may join */
    int waiting; /* workers that sleep */
    int running; /* workers that have joined */
    bool stop;
    qmt_task task;
    void *state;
    int count;
    atomic_int next;
};

static void run_turns(qmt_pool *pool, int worker)
{
    for (;;) {
        int index = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (index >= pool->count)
            return;
        pool->task(pool->state, index, worker);
    }
}

static bool has_turns(qmt_pool *pool)
{
    return pool->open && atomic_load_explicit(&pool->next, memory_order_relaxed) < pool->count;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    qmt_pool *pool = worker->pool;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->stop && !has_turns(pool)) {
            pool->waiting++;
            pthread_cond_wait(&pool->start, &pool->lock);
            pool->waiting--;
        }
        if (pool->stop)
            break;
        pool->running++;
        pthread_mutex_unlock(&pool->lock);
        run_turns(pool, worker->number);
        pthread_mutex_lock(&pool->lock);
        if (--pool->running == 0)
            pthread_cond_signal(&pool->finish);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

int qmt_processor_count(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
#endif
#ifdef _WIN32
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwNumberOfProcessors > 0 ? (int)info.dwNumberOfProcessors : 1;
#else
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
#endif
}

/* Ends the first `started` workers and frees everything. */
static void pool_end(qmt_pool *pool, int started)
{
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->finish);
    pthread_cond_destroy(&pool->start);
    pthread_mutex_destroy(&pool->lock);
    qmt_free(pool->workers);
    qmt_free(pool);
}

qmtcnn_status qmt_pool_create(int threads, qmt_pool **result, qmtcnn_error *error)
{
    *result = NULL;
    if (threads < 0 || threads > max_threads)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%d threads: give 0 (one per processor) to %d", threads,
                        max_threads);
    if (threads == 0)
        threads = qmt_processor_count();
    if (threads > max_threads)
        threads = max_threads;
    qmt_pool *pool = qmt_alloc_zero(1, sizeof *pool);
    struct worker *workers = qmt_alloc_zero((size_t)threads, sizeof *workers);
    if (!pool || !workers) {
        qmt_free(workers);
        qmt_free(pool);
        return qmt_fail_memory(error, (size_t)threads * sizeof *workers, "the thread pool");
    }
    pool->threads = threads;
    pool->workers = workers;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->start, NULL);
    pthread_cond_init(&pool->finish, NULL);
    for (int i = 0; i < threads - 1; i++) {
        workers[i].pool = pool;
        workers[i].number = i + 1;
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0) {
            pool_end(pool, i);
            return qmt_fail(error, QMTCNN_ERROR_MEMORY, "can't start thread %d of %d: give fewer threads", i + 2,
                            threads);
        }
    }
    *result = pool;
    return QMTCNN_OK;
}

void qmt_pool_free(qmt_pool *pool)
{
    if (pool)
        pool_end(pool, pool->threads - 1);
}

int qmt_pool_threads(const qmt_pool *pool)
{
    return pool ? pool->threads : 1;
}

void qmt_pool_run(qmt_pool *pool, int count, qmt_task task, void *state)
{
    if (!pool || pool->threads == 1 || count <= 1) {
        for (int i = 0; i < count; i++)
            task(state, i, 0);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->task = task;
    pool->state = state;
    pool->count = count;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    pool->open = true;
    const int wanted = count - 1 < pool->waiting ? count - 1 : pool->waiting;
    for (int i = 0; i < wanted; i++)
        pthread_cond_signal(&pool->start);
    pthread_mutex_unlock(&pool->lock);
    run_turns(pool, 0);
    /* Workers that have not woken up by now have nothing left to do, and nobody waits for them. */
    pthread_mutex_lock(&pool->lock);
    pool->open = false;
    while (pool->running > 0)
        pthread_cond_wait(&pool->finish, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}
