#include "common/test.h"

#include <math.h>

#include "toolkit/base/random.h"

static void streams_repeat_and_differ(void **state)
{
    (void)state;
    qmt_random a = qmt_random_stream(1, 2, 3), b = qmt_random_stream(1, 2, 3), c = qmt_random_stream(1, 3, 2),
               d = qmt_random_stream(2, 2, 3);
    uint64_t x = qmt_random_next(&a);
    assert_true(x == qmt_random_next(&b));
    assert_true(x != qmt_random_next(&c));
    assert_true(x != qmt_random_next(&d));
}

static void numbers_are_spread(void **state)
{
    (void)state;
    enum { draws = 100000 };
    qmt_random random = qmt_random_stream(5, 0, 0);
    double sum = 0, square = 0;
    int counts[10] = {0};
    for (int i = 0; i < draws; i++) {
        double x = qmt_random_normal(&random);
        sum += x;
        square += x * x;
        counts[qmt_random_below(&random, 10)]++;
        float u = qmt_random_range(&random, -2, 3);
        assert_true(u >= -2 && u < 3);
    }
    /* Five standard errors. */
    assert_true(fabs(sum / draws) < 5 / sqrt(draws));
    assert_true(fabs(square / draws - 1) < 5 * sqrt(2.0 / draws));
    for (int i = 0; i < 10; i++)
        assert_true(fabs(counts[i] - draws / 10.0) < 5 * sqrt(draws * 0.09));
}

static void shuffle_is_a_permutation(void **state)
{
    (void)state;
    uint32_t order[1000];
    int seen[1000] = {0}, moved = 0;
    qmt_random random = qmt_random_stream(7, 0, 0);
    qmt_random_shuffle(&random, order, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        seen[order[i]]++;
        moved += order[i] != i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(seen[i], 1);
    assert_true(moved > 900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_repeat_and_differ),
        cmocka_unit_test(numbers_are_spread),
        cmocka_unit_test(shuffle_is_a_permutation),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
