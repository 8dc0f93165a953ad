/* Resizing's inner loops of every processor family against the plain C ones: the same integers, and not a byte read or
 * written beside those that they own. */
#include "common/test.h"

#include "runtime/detect/resize.h"
#include "runtime/detect/resize_kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { guard = 64 };

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static int below(uint32_t *state, int count)
{
    return (int)(next_random(state) % (uint32_t)count);
}

/* Weights that add up to 2^14, as use has them, in random parts; 0 from `used` on. */
static void random_weights(uint32_t *seed, int16_t *weights, int used, int taps)
{
    int left = 1 << qmt_resize_weight_bits;
    for (int t = 0; t < taps; t++) {
        int part = t >= used ? 0 : t == used - 1 ? left : below(seed, left + 1);
        weights[t] = (int16_t)part;
        left -= part;
    }
}

/* The plain definition in 64 bits. */
static void plain_rows(const uint8_t *source, ptrdiff_t stride, const int16_t *weights, int taps, int count,
                       int16_t *output)
{
    for (int i = 0; i < count; i++) {
        int64_t sum = 0;
        for (int t = 0; t < taps; t++)
            sum += (int64_t)weights[t] * source[t * stride + i];
        output[i] = (int16_t)floor((double)sum / 128 + 0.5);
    }
}

static void check_rows(const qmt_resize_kernels *kernels, uint32_t *seed, int taps, int count)
{
    const ptrdiff_t stride = (below(seed, 2) ? 1 : -1) * (ptrdiff_t)(count + below(seed, 40));
    const ptrdiff_t length = labs((long)stride);
    /* The last row ends where the memory ends, so that a sanitizer sees what is read past it. */
    const size_t size = (size_t)(length * (taps - 1)) + (size_t)count;
    uint8_t *source = malloc(size);
    int16_t *output = malloc((size_t)count * sizeof *output + 2 * guard),
            *wanted = malloc((size_t)count * sizeof *wanted);
    int16_t *weights = malloc((size_t)taps * sizeof *weights);
    assert_true(source && output && wanted && weights);
    const bool extreme = below(seed, 4) == 0;
    for (size_t i = 0; i < size; i++)
        source[i] = extreme ? 255 : (uint8_t)next_random(seed);
    random_weights(seed, weights, taps, taps);
    memset(output, 0x5a, (size_t)count * sizeof *output + 2 * guard);
    const uint8_t *first = stride < 0 ? source + length * (taps - 1) : source;
    int16_t *inside = output + guard / 2;
    if (stride < 0 && size < (size_t)(length * (taps - 1) + count))
        fail();
    plain_rows(first, stride, weights, taps, count, wanted);
    kernels->sum_rows(first, stride, weights, taps, (size_t)count, inside);
    assert_memory_equal(inside, wanted, (size_t)count * sizeof *wanted);
    for (int i = 0; i < guard / 2; i++) {
        assert_int_equal(output[i], 0x5a5a);
        assert_int_equal(inside[count + i], 0x5a5a);
    }
    free(weights);
    free(wanted);
    free(output);
    free(source);
}

static void check_columns(const qmt_resize_kernels *kernels, uint32_t *seed, int taps, int out_width)
{
    const int group = qmt_resize_column_group, pixels = (out_width + group - 1) / group * group;
    const int in_width = 1 + below(seed, 300);
    const size_t values = 3 * ((size_t)in_width + (size_t)taps) + qmt_resize_row_slack;
    int16_t *row = malloc(values * sizeof *row), *weights = calloc((size_t)pixels * (size_t)taps, sizeof *weights);
    int32_t *first = calloc((size_t)pixels, sizeof *first);
    uint8_t *output = malloc(3 * (size_t)out_width + 2 * guard);
    assert_true(row && weights && first && output);
    const bool extreme = below(seed, 4) == 0;
    for (size_t i = 0; i < values; i++) /* what lies past the row must not count */
        row[i] = (int16_t)(extreme || i >= 3 * (size_t)in_width ? 255 << qmt_resize_middle_bits : below(seed, 32641));
    for (int x = 0; x < out_width; x++) {
        const int used = 1 + below(seed, taps < in_width ? taps : in_width);
        first[x] = below(seed, in_width - used + 1);
        if (below(seed, 10) > 0) /* else outside the picture */
            random_weights(seed, weights + x * taps, used, taps);
    }
    memset(output, 0x5a, 3 * (size_t)out_width + 2 * guard);
    kernels->sum_columns(&(qmt_resize_columns){taps, first, weights}, row, output + guard, out_width);
    for (int i = 0; i < 3 * out_width; i++) {
        int64_t sum = 0;
        for (int t = 0; t < taps; t++)
            sum += (int64_t)weights[i / 3 * taps + t] * row[3 * (first[i / 3] + t) + i % 3];
        assert_int_equal(output[guard + i], (int)floor((double)sum / (1 << 21) + 0.5));
    }
    for (int i = 0; i < guard; i++) {
        assert_int_equal(output[i], 0x5a);
        assert_int_equal(output[guard + 3 * out_width + i], 0x5a);
    }
    free(output);
    free(first);
    free(weights);
    free(row);
}

/* All tables that run here. */
static size_t all_kernels(const qmt_resize_kernels *kernels[3])
{
    static const char *const names[] = {"c", "avx2", "neon"};
    size_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (qmt_resize_kernels_select(names[i]))
            kernels[count++] = qmt_resize_kernels_select(names[i]);
    return count;
}

static void test_rows(void **state)
{
    const qmt_resize_kernels *kernels[3];
    uint32_t seed = 1;
    (void)state;
    for (size_t k = 0; k < all_kernels(kernels); k++) {
        for (int count = 1; count <= 200; count++)
            check_rows(kernels[k], &seed, 1 + below(&seed, 9), count);
        for (int i = 0; i < 2000; i++)
            check_rows(kernels[k], &seed, 1 + below(&seed, 67), 1 + below(&seed, 1200));
    }
}

static void test_columns(void **state)
{
    const qmt_resize_kernels *kernels[3];
    uint32_t seed = 2;
    (void)state;
    for (size_t k = 0; k < all_kernels(kernels); k++) {
        for (int out_width = 1; out_width <= 60; out_width++)
            check_columns(kernels[k], &seed, 2 * (1 + below(&seed, 5)), out_width);
        for (int i = 0; i < 2000; i++)
            check_columns(kernels[k], &seed, 2 * (1 + below(&seed, 33)), 1 + below(&seed, 400));
    }
}

/* Whole rectangles, where plan and loops meet: ratios from 1/30 to 100, in and beside the picture. */
static void test_whole_rectangles(void **state)
{
    qmt_resizer plain = {.kernels = qmt_resize_kernels_c()}, best = {0};
    uint32_t seed = 3;
    qmtcnn_error error = {0};
    (void)state;
    for (int i = 0; i < 1500; i++) {
        const int width = 1 + below(&seed, 200), height = 1 + below(&seed, 150);
        uint8_t *data = malloc(3 * (size_t)width * (size_t)height);
        assert_non_null(data);
        for (int k = 0; k < 3 * width * height; k++)
            data[k] = (uint8_t)next_random(&seed);
        const qmt_pixels source = {data, width, height, 3 * (ptrdiff_t)width};
        const int out_width = 1 + below(&seed, 70), out_height = 1 + below(&seed, 70);
        const double w = exp(below(&seed, 8000) / 1000.0 - 1), h = exp(below(&seed, 8000) / 1000.0 - 1);
        const double x = below(&seed, 3000) / 10.0 - 80, y = below(&seed, 2500) / 10.0 - 80;
        const size_t size = 3 * (size_t)out_width * (size_t)out_height;
        uint8_t *first = malloc(size), *second = malloc(size);
        assert_true(first && second);
        assert_ok(qmt_resize(&plain, &source, x, y, w, h, first, out_width, out_height, 3 * out_width, &error), &error);
        assert_ok(qmt_resize(&best, &source, x, y, w, h, second, out_width, out_height, 3 * out_width, &error), &error);
        assert_memory_equal(first, second, size);
        free(second);
        free(first);
        free(data);
    }
    qmt_resizer_clear(&plain);
    qmt_resizer_clear(&best);
}

static void test_select(void **state)
{
    (void)state;
    assert_non_null(qmt_resize_kernels_select(NULL));
    assert_ptr_equal(qmt_resize_kernels_select("c"), qmt_resize_kernels_c());
    assert_null(qmt_resize_kernels_select("no such"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_whole_rectangles),
        cmocka_unit_test(test_select),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
