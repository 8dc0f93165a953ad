/* Lots: what is written is a superset of what stays, and not much more. */
#include "common/test.h"

#include "toolkit/data/prepare_lots.h"

#include <stdlib.h>

enum { made = 200000, limit = 1000 };

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void test_the_smallest_are_taken(void **state)
{
    static qmt_lots lots;
    static uint64_t drawn[made], taken[made];
    qmt_prepare_config config = {.max_parts = limit};
    size_t count = 0;
    (void)state;
    qmt_lots_init(&lots, &config);
    for (uint32_t i = 0; i < made; i++) {
        drawn[i] = qmt_lot_draw(7, QMT_ONET, i / 100, i % 100);
        if (qmt_lots_take(&lots, QMT_PART, drawn[i]))
            taken[count++] = drawn[i];
        if (i % 100 == 99)
            qmt_lots_tighten(&lots);
    }
    qsort(drawn, made, sizeof *drawn, compare);
    qsort(taken, count, sizeof *taken, compare);
    for (size_t i = 0; i < made - 1; i++)
        assert_true(drawn[i] < drawn[i + 1]);
    assert_memory_equal(drawn, taken, (limit + 1) * sizeof *drawn); /* and the first that goes */
    /* 1000 (1 + ln 200) = 6300; bins are a little wider than what stays. */
    assert_true(count > 5800 && count < 7200);
}

static void test_no_limit_takes_all(void **state)
{
    static qmt_lots lots;
    qmt_prepare_config config = {.max_parts = limit};
    (void)state;
    qmt_lots_init(&lots, &config);
    for (uint32_t i = 0; i < 5000; i++) {
        assert_true(qmt_lots_take(&lots, QMT_NEGATIVE, qmt_lot_draw(7, QMT_ONET, i, 0)));
        qmt_lots_tighten(&lots);
    }
    assert_true(qmt_lots_limit(&config, QMT_NEGATIVE) == UINT64_MAX && qmt_lots_limit(&config, QMT_PART) == limit);
}

/* Another seed, network, picture or number is another lot, and as many lie in each sixteenth. */
static void test_lots_differ(void **state)
{
    int sixteenths[16] = {0};
    const uint64_t lot = qmt_lot_draw(1, QMT_PNET, 2, 3);
    (void)state;
    assert_true(lot == qmt_lot_draw(1, QMT_PNET, 2, 3));
    assert_true(lot != qmt_lot_draw(2, QMT_PNET, 2, 3) && lot != qmt_lot_draw(1, QMT_RNET, 2, 3));
    assert_true(lot != qmt_lot_draw(1, QMT_PNET, 3, 3) && lot != qmt_lot_draw(1, QMT_PNET, 2, 4));
    for (uint32_t i = 0; i < 16000; i++)
        sixteenths[qmt_lot_draw(1, QMT_RNET, i / 7, i % 7) >> 60]++;
    for (int i = 0; i < 16; i++)
        assert_true(sixteenths[i] > 850 && sixteenths[i] < 1150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_smallest_are_taken),
                                       cmocka_unit_test(test_no_limit_takes_all), cmocka_unit_test(test_lots_differ)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
