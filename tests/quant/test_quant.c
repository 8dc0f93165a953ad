#include "common/test.h"
#include "toolkit/base/random.h"
#include "toolkit/quant/quant.h"
#include "toolkit/quant/range.h"

#include <math.h>
#include <string.h>

static void test_ties_go_to_even(void **state)
{
    (void)state;
    /* Scale 0.5: exact halves of a step. */
    const float x[] = {0.25f, 0.75f, 1.25f, -0.25f, -0.75f, -1.25f, 0.26f, 0.24f, 0, -0.0f, 63.25f, 62.75f};
    const float expected[] = {0, 1.0f, 1.0f, 0, -1.0f, -1.0f, 0.5f, 0, 0, 0, 63.0f, 63.0f};
    float y[12];
    uint8_t passes[12];
    assert_int_equal(qmt_fake_quantize(x, y, passes, 12, 0.5f), 0);
    for (int i = 0; i < 12; i++) {
        assert_true(y[i] == expected[i]);
        assert_int_equal(passes[i], 1);
    }
}

static void test_clipping(void **state)
{
    (void)state;
    /* The mask is that of the rounded value: 127.4 steps round into the range, 127.5 steps round (to even) out of it.
     */
    const float x[] = {127, 127.4f, 127.5f, 128, 1e9f, INFINITY, -127, -127.4f, -127.5f, -128, -1e9f, -INFINITY};
    const uint8_t mask[] = {1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0};
    float y[12];
    uint8_t passes[12];
    assert_int_equal(qmt_fake_quantize(x, y, passes, 12, 1.0f), 8);
    for (int i = 0; i < 12; i++) {
        assert_true(y[i] == (i < 6 ? 127.0f : -127.0f));
        assert_int_equal(passes[i], mask[i]);
    }
}

/* Against the runtime's quantizer and rint() of a true division, for all lengths around the loop's steps, in place and
 * not. */
static void test_equals_division(void **state)
{
    (void)state;
    qmt_random random = qmt_random_stream(1, 2, 3);
    float x[300], y[300];
    for (int count = 0; count < 300; count += count < 130 ? 1 : 37) {
        float scale = qmt_random_range(&random, 0.001f, 0.1f);
        size_t clipped = 0;
        for (int i = 0; i < count; i++)
            x[i] = qmt_random_normal(&random) * scale * 60;
        for (int i = 0; i < count; i++)
            clipped += fabsf(rintf(x[i] / scale)) > 127 ? 1 : 0;
        assert_int_equal(qmt_fake_quantize(x, y, NULL, (size_t)count, scale), clipped);
        for (int i = 0; i < count; i++) {
            assert_true(y[i] == scale * fminf(fmaxf(rintf(x[i] / scale), -127), 127));
            assert_true(y[i] == scale * (float)qmt_quantize_value(x[i], scale));
        }
        qmt_fake_quantize(x, x, NULL, (size_t)count, scale);
        assert_memory_equal(x, y, (size_t)count * sizeof *x);
    }
}

static void test_range_observers(void **state)
{
    (void)state;
    qmt_observer a, b;
    qmt_observer_reset(&a);
    qmt_observer_reset(&b);
    const float batches[] = {2, 6, 1, 4};
    for (int i = 0; i < 4; i++) {
        qmt_observe_range(&a, QMT_OBSERVE_MINMAX, 0.5f, batches[i]);
        qmt_observe_range(&b, QMT_OBSERVE_AVERAGE, 0.5f, batches[i]);
    }
    assert_true(qmt_observer_range(&a, QMT_OBSERVE_MINMAX, 0) == 6);
    /* 2, then (2 + 6) / 2 = 4, (4 + 1) / 2 = 2.5, (2.5 + 4) / 2 = 3.25. */
    assert_true(qmt_observer_range(&b, QMT_OBSERVE_AVERAGE, 0) == 3.25f);
    assert_int_equal(b.batches, 4);
}

static void test_floor(void **state)
{
    (void)state;
    qmt_observer observer;
    qmt_observer_reset(&observer);
    float zeros[20] = {0};
    qmt_observe_range(&observer, QMT_OBSERVE_AVERAGE, 0.1f, 0);
    qmt_observe_values(&observer, zeros, 20);
    for (int kind = QMT_OBSERVE_MINMAX; kind <= QMT_OBSERVE_ENTROPY; kind++) {
        float range = qmt_observer_range(&observer, (qmt_observer_kind)kind, 99.9f);
        assert_true(range > 0 && range < 1e-5f);
        float y[20];
        assert_int_equal(qmt_fake_quantize(zeros, y, NULL, 20, range / 127), 0);
        for (int i = 0; i < 20; i++)
            assert_true(y[i] == 0);
    }
    assert_true(observer.histogram_limit == 0 && observer.histogram[0] == 20);
}

static void observe(qmt_observer *observer, const float *values, size_t count)
{
    float most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmaxf(most, fabsf(values[i]));
    qmt_observe_range(observer, QMT_OBSERVE_HISTOGRAM, 0, most);
    qmt_observe_values(observer, values, count);
}

static void test_percentile_by_hand(void **state)
{
    (void)state;
    /* 1 to 1000 over 1024: the limit becomes 1, a bin is 1 / 2048, and value k / 1024 is the lower edge of bin 2 k. */
    float values[1000];
    for (int i = 0; i < 1000; i++)
        values[i] = (i % 2 ? -1.0f : 1.0f) * (float)(i + 1) / 1024;
    qmt_observer observer;
    qmt_observer_reset(&observer);
    observe(&observer, values, 1000);
    assert_true(observer.histogram_limit == 1);
    assert_int_equal(observer.histogram[2], 1);
    assert_int_equal(observer.histogram[3], 0);
    /* 99 % of 1000 are reached with value 990, in bin 1980: up to 1981 / 2048. */
    assert_true(qmt_observer_range(&observer, QMT_OBSERVE_HISTOGRAM, 99) == 1981.0f / 2048);
    /* 50.05 % need the 501st value. */
    assert_true(qmt_observer_range(&observer, QMT_OBSERVE_HISTOGRAM, 50.05f) == 1003.0f / 2048);
    /* All of them: not past the largest value. */
    assert_true(qmt_observer_range(&observer, QMT_OBSERVE_HISTOGRAM, 100) == 1000.0f / 1024);
    /* One value of 3 doubles the limit twice; bins merge in fours. */
    float three = 3;
    observe(&observer, &three, 1);
    assert_true(observer.histogram_limit == 4);
    assert_int_equal(observer.histogram[0],
                     1); /* 1/1024; 2/1024 is the lower edge of the second of 2048 bins of 4/2048 */
    assert_int_equal(observer.histogram[1], 2);
    assert_int_equal(observer.histogram[1536], 1);
    assert_true(qmt_observer_range(&observer, QMT_OBSERVE_HISTOGRAM, 100) == 3);
}

/* The squared error that the training's own quantizer makes. */
static double quantization_error(const float *values, size_t count, float range)
{
    double error = 0;
    for (size_t i = 0; i < count; i++) {
        float y;
        qmt_fake_quantize(values + i, &y, NULL, 1, range / 127);
        error += ((double)values[i] - (double)y) * ((double)values[i] - (double)y);
    }
    return error;
}

/* Against all ranges in fine steps: bell-shaped values with long tails, and even ones, of which none may be clipped. */
static void test_mse_range(void **state)
{
    (void)state;
    enum { count = 20000 };
    static float values[count];
    for (int shape = 0; shape < 3; shape++) {
        qmt_random random = qmt_random_stream(7, 8, (uint64_t)shape);
        for (int i = 0; i < count; i++) {
            float normal = qmt_random_normal(&random);
            values[i] = shape == 0 ? normal : shape == 1 ? normal * normal * normal : qmt_random_range(&random, -3, 3);
        }
        qmt_observer observer;
        qmt_observer_reset(&observer);
        observe(&observer, values, count);
        float range = qmt_observer_range(&observer, QMT_OBSERVE_MSE, 0);
        double least = INFINITY, maximum = quantization_error(values, count, observer.maximum);
        for (float r = observer.maximum; r > observer.maximum / 8; r *= 0.99f)
            least = fmin(least, quantization_error(values, count, r));
        double found = quantization_error(values, count, range);
        assert_true(found < 1.03 * least);
        assert_true(shape == 2 ? range > 0.97f * observer.maximum : found < 0.97 * maximum);
        assert_true(range <= observer.maximum);
        /* The same of plain numbers. */
        float weights = qmt_weight_mse_range(values, count);
        assert_true(quantization_error(values, count, weights) < 1.02 * least && weights <= observer.maximum);
    }
    assert_true(qmt_weight_mse_range(values, 0) == 0);
}

/* Expected bins by an independent program (numpy, from the published slides). */
static void test_entropy_range(void **state)
{
    (void)state;
    static const struct {
        double slope;
        int outlier, bin;
    } cases[] = {{60, 0, 956}, {60, 1900, 957}, {150, 0, 2044}, {300, 0, 2048}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        qmt_observer observer;
        qmt_observer_reset(&observer);
        observer.histogram_limit = 4;
        observer.maximum = 4;
        for (int i = 0; i < qmt_histogram_bins; i++)
            observer.histogram[i] = (uint64_t)(1e6 * exp2(-i / cases[k].slope));
        if (cases[k].outlier)
            observer.histogram[cases[k].outlier] = 3;
        /* Zeros must not matter. */
        observer.histogram[0] = 100000000;
        float expected = 4.0f * (float)cases[k].bin / qmt_histogram_bins;
        assert_true(qmt_observer_range(&observer, QMT_OBSERVE_ENTROPY, 0) == expected);
    }
}

static void test_histogram_order_does_not_matter(void **state)
{
    (void)state;
    qmt_random random = qmt_random_stream(4, 5, 6);
    float values[4000];
    for (int i = 0; i < 4000; i++)
        values[i] = qmt_random_normal(&random) * expf(qmt_random_range(&random, -8, 4));
    values[17] = 0;
    qmt_observer forward, backward;
    qmt_observer_reset(&forward);
    qmt_observer_reset(&backward);
    qmt_observe_values(&forward, values, 4000);
    for (int i = 3999; i >= 0; i--)
        qmt_observe_values(&backward, values + i, 1);
    assert_true(forward.histogram_limit == backward.histogram_limit);
    assert_memory_equal(forward.histogram, backward.histogram, sizeof forward.histogram);
    uint64_t total = 0;
    for (int i = 0; i < qmt_histogram_bins; i++)
        total += forward.histogram[i];
    assert_int_equal(total, 4000);
}

static void test_extreme_values(void **state)
{
    (void)state;
    const float values[] = {3e38f, 1e-40f, 0, -3.4e38f, NAN, INFINITY};
    qmt_observer observer;
    qmt_observer_reset(&observer);
    for (int i = 0; i < 6; i++)
        qmt_observe_values(&observer, values + i, 1);
    uint64_t total = 0;
    for (int i = 0; i < qmt_histogram_bins; i++)
        total += observer.histogram[i];
    assert_int_equal(total, 6);
    assert_true(isfinite(observer.histogram_limit));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ties_go_to_even),
        cmocka_unit_test(test_clipping),
        cmocka_unit_test(test_equals_division),
        cmocka_unit_test(test_range_observers),
        cmocka_unit_test(test_floor),
        cmocka_unit_test(test_percentile_by_hand),
        cmocka_unit_test(test_mse_range),
        cmocka_unit_test(test_entropy_range),
        cmocka_unit_test(test_histogram_order_does_not_matter),
        cmocka_unit_test(test_extreme_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
