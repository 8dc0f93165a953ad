#include "common/test.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/threads.h"

enum { turns = 1000 };

struct counted {
    atomic_int calls[turns];
    atomic_int busy[8];
    int clashes;
    int workers;
};

static void count_turn(void *state, int index, int worker)
{
    struct counted *counted = state;
    assert_true(worker >= 0 && worker < counted->workers);
    if (atomic_fetch_add(&counted->busy[worker], 1) != 0)
        counted->clashes++;
    atomic_fetch_add(&counted->calls[index], 1);
    atomic_fetch_sub(&counted->busy[worker], 1);
}

static void every_turn_runs_once(void **state)
{
    (void)state;
    qmtcnn_error error;
    for (int threads = 1; threads <= 4; threads++) {
        qmt_pool *pool;
        assert_ok(qmt_pool_create(threads, &pool, &error), &error);
        assert_int_equal(qmt_pool_threads(pool), threads);
        struct counted *counted = calloc(1, sizeof *counted);
        counted->workers = threads;
        for (int round = 1; round <= 200; round++) {
            qmt_pool_run(pool, round % 7 == 0 ? turns : 5, count_turn, counted);
            qmt_pool_run(pool, 0, count_turn, counted);
        }
        for (int i = 0; i < turns; i++)
            assert_int_equal(atomic_load(&counted->calls[i]), i < 5 ? 200 : 200 / 7);
        assert_int_equal(counted->clashes, 0);
        free(counted);
        qmt_pool_free(pool);
    }
}

static void no_pool_runs_in_order(void **state)
{
    (void)state;
    struct counted *counted = calloc(1, sizeof *counted);
    counted->workers = 1;
    qmt_pool_run(NULL, 10, count_turn, counted);
    for (int i = 0; i < 10; i++)
        assert_int_equal(atomic_load(&counted->calls[i]), 1);
    free(counted);
}

static void refuses_odd_numbers(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_pool *pool;
    assert_int_equal(qmt_pool_create(-1, &pool, &error), QMTCNN_ERROR_ARGUMENT);
    assert_null(pool);
    assert_int_equal(qmt_pool_create(100000, &pool, &error), QMTCNN_ERROR_ARGUMENT);
    assert_ok(qmt_pool_create(0, &pool, &error), &error);
    assert_int_equal(qmt_pool_threads(pool), qmt_processor_count());
    qmt_pool_free(pool);
    qmt_pool_free(NULL);
}

static void sizes_do_not_overflow(void **state)
{
    (void)state;
    size_t result = 5;
    assert_false(qmt_size_multiply(SIZE_MAX / 2, 3, &result));
    assert_false(qmt_size_add(SIZE_MAX, 1, &result));
    assert_int_equal(result, 5);
    assert_null(qmt_alloc(SIZE_MAX / 2, 3));
    assert_null(qmt_alloc(SIZE_MAX - 10, 1));
    void *empty = qmt_alloc(0, 8);
    assert_non_null(empty);
    qmt_free(empty);
}

static void messages_nest(void **state)
{
    (void)state;
    qmtcnn_error error;
    assert_int_equal(qmt_fail(&error, QMTCNN_ERROR_IO, "inner %d", 1), QMTCNN_ERROR_IO);
    assert_int_equal(qmt_fail_in(&error, QMTCNN_ERROR_FORMAT, "outer"), QMTCNN_ERROR_FORMAT);
    assert_string_equal(error.message, "outer: inner 1");
    assert_int_equal(error.status, QMTCNN_ERROR_FORMAT);
    assert_int_equal(qmt_fail(NULL, QMTCNN_ERROR_IO, "nobody listens"), QMTCNN_ERROR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_turn_runs_once), cmocka_unit_test(no_pool_runs_in_order),
        cmocka_unit_test(refuses_odd_numbers),  cmocka_unit_test(sizes_do_not_overflow),
        cmocka_unit_test(messages_nest),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
