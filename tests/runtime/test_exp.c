#include "common/test.h"
#include "runtime/kernels/kernels.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The correctly rounded values, from a table of e's powers to 20 digits. */
static void known_bits(void **state)
{
    (void)state;
    assert_int_equal(bits_of(qmt_exp(0.0f)), 0x3f800000);
    assert_int_equal(bits_of(qmt_exp(1.0f)), 0x402df854);  /* 2.71828182845904523536 */
    assert_int_equal(bits_of(qmt_exp(-1.0f)), 0x3ebc5ab2); /* 0.36787944117144232160 */
    assert_int_equal(bits_of(qmt_exp(10.0f)), 0x46ac14ee); /* 22026.4657948067165170 */
    assert_int_equal(bits_of(qmt_sigmoid(0.0f)), 0x3f000000);
}

static void relative_error_is_small(void **state)
{
    (void)state;
    double worst = 0, worst_sigmoid = 0;
    for (int i = -873000; i <= 887000; i += 7) {
        float x = (float)i / 10000.0f;
        double exact = exp((double)x), sigmoid = 1 / (1 + exp(-(double)x));
        worst = fmax(worst, fabs((double)qmt_exp(x) / exact - 1));
        worst_sigmoid = fmax(worst_sigmoid, fabs((double)qmt_sigmoid(x) / sigmoid - 1));
    }
    print_message("largest relative error: exp %.3g, sigmoid %.3g\n", worst, worst_sigmoid);
    assert_true(worst < 6.1e-8); /* half a unit in the last place, and little more */
    assert_true(worst_sigmoid < 6.1e-8);
}

static void ends_of_the_range(void **state)
{
    (void)state;
    assert_true(isinf(qmt_exp(89.0f)) && isinf(qmt_exp(INFINITY)));
    assert_true(isfinite(qmt_exp(88.7228f)));
    assert_true(qmt_exp(-87.3365f) > 0);
    assert_true(qmt_exp(-88.0f) == 0 && qmt_exp(-INFINITY) == 0);
    assert_true(isnan(qmt_exp(NAN)) && isnan(qmt_sigmoid(NAN)));
    assert_true(qmt_sigmoid(1000.0f) == 1 && qmt_sigmoid(INFINITY) == 1);
    assert_true(qmt_sigmoid(-1000.0f) >= 0 && qmt_sigmoid(-1000.0f) < 1e-37f);
    float before = 0;
    for (float x = -30; x < 30; x += 0.01f) {
        assert_true(qmt_sigmoid(x) >= before);
        before = qmt_sigmoid(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_bits), cmocka_unit_test(relative_error_is_small),
                                       cmocka_unit_test(ends_of_the_range)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
