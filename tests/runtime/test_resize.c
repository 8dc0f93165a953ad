/* Resizing against the same definition in double precision. */
#include "common/test.h"

#include "runtime/detect/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static double uniform(uint32_t *state, double low, double high)
{
    return low + (high - low) * (next_random(state) / 16777216.0);
}

static uint8_t *random_picture(int width, int height, ptrdiff_t stride, uint32_t seed)
{
    uint8_t *data = malloc((size_t)stride * (size_t)height);
    (void)width;
    assert_non_null(data);
    for (size_t i = 0; i < (size_t)stride * (size_t)height; i++)
        data[i] = (uint8_t)next_random(&seed);
    return data;
}

/* ---- The definition ---------------------------------------------------------------------------- */

/* The share of source pixel `k` in output pixel `i` of an axis. */
static double share(int k, int i, double start, double length, int out_size)
{
    const double ratio = length / out_size;
    if (ratio > 1) {
        const double from = start + i * ratio, to = from + ratio;
        const double overlap = fmin(to, k + 1.0) - fmax(from, k);
        return overlap > 0 ? overlap / ratio : 0;
    }
    double center = start + (i + 0.5) * ratio - 0.5; /* in pixel centers; the rectangle's edge pixels repeat */
    center = fmin(fmax(center, floor(start)), ceil(start + length) - 1);
    const double distance = fabs(center - k);
    return distance < 1 ? 1 - distance : 0;
}

static double reference(const qmt_pixels *source, double x, double y, double width, double height, int out_width,
                        int out_height, int column, int row, int channel)
{
    double sum = 0;
    for (int sy = 0; sy < source->height; sy++) {
        const double vertical = share(sy, row, y, height, out_height);
        if (vertical == 0)
            continue;
        for (int sx = 0; sx < source->width; sx++)
            sum += vertical * share(sx, column, x, width, out_width) *
                   source->data[sy * source->stride + 3 * sx + channel];
    }
    return sum;
}

static void check_rectangle(qmt_resizer *resizer, const qmt_pixels *source, double x, double y, double width,
                            double height, int out_width, int out_height)
{
    qmtcnn_error error = {0};
    const ptrdiff_t stride = 3 * out_width + 5;
    uint8_t *output = malloc((size_t)stride * (size_t)out_height);
    assert_non_null(output);
    memset(output, 0xa5, (size_t)stride * (size_t)out_height);
    assert_ok(qmt_resize(resizer, source, x, y, width, height, output, out_width, out_height, stride, &error), &error);
    for (int row = 0; row < out_height; row++) {
        for (int i = 0; i < 3 * out_width; i++) {
            double wanted = reference(source, x, y, width, height, out_width, out_height, i / 3, row, i % 3);
            double difference = fabs(output[row * stride + i] - wanted);
            if (difference > 0.75) { /* half a level of rounding, a quarter for the weights */
                print_error("%d x %d, rectangle %g %g %g %g to %d x %d, row %d value %d: %d, should be %.3f\n",
                            source->width, source->height, x, y, width, height, out_width, out_height, row, i,
                            output[row * stride + i], wanted);
                fail();
            }
        }
        for (int i = 0; i < 5; i++) /* nothing beside the row is touched */
            assert_int_equal(output[row * stride + 3 * out_width + i], 0xa5);
    }
    free(output);
}

static void test_random_rectangles(void **state)
{
    qmt_resizer resizer = {0};
    uint32_t seed = 11;
    (void)state;
    for (int i = 0; i < 300; i++) {
        const int width = 1 + (int)(next_random(&seed) % 70), height = 1 + (int)(next_random(&seed) % 50);
        const ptrdiff_t stride = 3 * width + (int)(next_random(&seed) % 9);
        uint8_t *data = random_picture(width, height, stride, seed);
        qmt_pixels source = {data, width, height, stride};
        const double x = uniform(&seed, -30, width + 5), y = uniform(&seed, -30, height + 5);
        const double w = exp(uniform(&seed, -2, 4.6)), h = exp(uniform(&seed, -2, 4.6));
        check_rectangle(&resizer, &source, x, y, w, h, 1 + (int)(next_random(&seed) % 40),
                        1 + (int)(next_random(&seed) % 40));
        free(data);
    }
    qmt_resizer_clear(&resizer);
}

static void test_whole_numbers_and_borders(void **state)
{
    qmt_resizer resizer = {0};
    uint8_t *data = random_picture(40, 30, 120, 3);
    qmt_pixels source = {data, 40, 30, 120};
    (void)state;
    check_rectangle(&resizer, &source, 0, 0, 40, 30, 24, 24);
    check_rectangle(&resizer, &source, 0, 0, 40, 30, 80, 60);
    check_rectangle(&resizer, &source, 10, 5, 20, 20, 20, 20);
    check_rectangle(&resizer, &source, 10, 5, 20, 20, 10, 5);
    check_rectangle(&resizer, &source, -20, -20, 80, 70, 48, 48);
    check_rectangle(&resizer, &source, -5, -5, 10, 10, 24, 24);
    check_rectangle(&resizer, &source, 35, 25, 10, 10, 24, 24);
    check_rectangle(&resizer, &source, 3.25, 7.75, 0.5, 0.5, 12, 12);
    qmt_resizer_clear(&resizer);
    free(data);
}

/* Ratios over 64 take other weights. */
static void test_large_ratios(void **state)
{
    qmt_resizer resizer = {0};
    uint8_t *wide = random_picture(2000, 9, 6000, 5), *tall = random_picture(9, 2000, 27, 6);
    qmt_pixels source = {wide, 2000, 9, 6000};
    (void)state;
    check_rectangle(&resizer, &source, 0, 0, 2000, 9, 12, 12);
    check_rectangle(&resizer, &source, 0.3, 0.2, 1999, 8.5, 1, 3);
    source = (qmt_pixels){tall, 9, 2000, 27};
    check_rectangle(&resizer, &source, 0, 0, 9, 2000, 12, 12);
    check_rectangle(&resizer, &source, -100, -100, 300, 3000, 2, 3);
    /* Stripes of four columns would show weights that are too coarse. */
    for (int i = 0; i < 6000 * 9; i++)
        wide[i] = (i % 6000) / 3 % 4 == 0 ? 255 : 0;
    source = (qmt_pixels){wide, 2000, 9, 6000};
    check_rectangle(&resizer, &source, 0, 0, 2000, 9, 1, 1);
    check_rectangle(&resizer, &source, 1, 0, 1997, 9, 3, 1);
    qmt_resizer_clear(&resizer);
    free(tall);
    free(wide);
}

static void test_constant_stays_constant(void **state)
{
    qmt_resizer resizer = {0};
    uint8_t *data = malloc(300 * 200 * 3), output[3 * 64 * 64];
    uint32_t seed = 1;
    qmtcnn_error error = {0};
    (void)state;
    assert_non_null(data);
    for (int value = 0; value < 256; value += 5) {
        memset(data, value, 300 * 200 * 3);
        qmt_pixels source = {data, 300, 200, 900};
        for (int i = 0; i < 20; i++) {
            const double w = uniform(&seed, 0.1, 299), h = uniform(&seed, 0.1, 199);
            const double x = uniform(&seed, 0, 300 - w), y = uniform(&seed, 0, 200 - h);
            const int out_w = 1 + (int)(next_random(&seed) % 64), out_h = 1 + (int)(next_random(&seed) % 64);
            assert_ok(qmt_resize(&resizer, &source, x, y, w, h, output, out_w, out_h, 3 * out_w, &error), &error);
            for (int k = 0; k < 3 * out_w * out_h; k++)
                assert_int_equal(output[k], value);
        }
    }
    qmt_resizer_clear(&resizer);
    free(data);
}

static void test_identity_and_bottom_up(void **state)
{
    qmt_resizer resizer = {0};
    uint8_t *data = random_picture(33, 21, 99, 8), output[33 * 21 * 3];
    qmt_pixels source = {data, 33, 21, 99};
    qmtcnn_error error = {0};
    (void)state;
    assert_ok(qmt_resize(&resizer, &source, 0, 0, 33, 21, output, 33, 21, 99, &error), &error);
    assert_memory_equal(output, data, sizeof output);
    assert_ok(qmt_resize(&resizer, &source, 4, 3, 10, 6, output, 10, 6, 30, &error), &error);
    for (int y = 0; y < 6; y++)
        assert_memory_equal(output + 30 * y, data + 99 * (y + 3) + 12, 30);
    source = (qmt_pixels){data + 20 * 99, 33, 21, -99};
    assert_ok(qmt_resize(&resizer, &source, 0, 0, 33, 21, output, 33, 21, 99, &error), &error);
    for (int y = 0; y < 21; y++)
        assert_memory_equal(output + 99 * y, data + 99 * (20 - y), 99);
    qmt_resizer_clear(&resizer);
    free(data);
}

/* A ramp of 4 levels a pixel, moved by a fraction of a pixel, changes by 4 times that, whether it grows or shrinks. */
static void test_fractions_of_pixels(void **state)
{
    qmt_resizer resizer = {0};
    uint8_t data[60 * 60 * 3], output[3 * 40 * 40];
    qmt_pixels source = {data, 60, 60, 180};
    qmtcnn_error error = {0};
    (void)state;
    for (int i = 0; i < 60 * 60 * 3; i++)
        data[i] = (uint8_t)(4 * (i % 180 / 3));
    for (int step = 0; step <= 8; step++) {
        const double x = 10 + step / 8.0;
        assert_ok(qmt_resize(&resizer, &source, x, 10, 20, 20, output, 40, 40, 120, &error), &error);
        for (int i = 4; i < 36; i++)
            assert_float_equal(output[3 * i], 4 * (x + (i + 0.5) / 2 - 0.5), 0.51);
        assert_ok(qmt_resize(&resizer, &source, x, 10, 40, 40, output, 10, 10, 30, &error), &error);
        for (int i = 0; i < 10; i++)
            assert_float_equal(output[3 * i], 4 * (x + 4 * i + 2 - 0.5), 0.51);
    }
    qmt_resizer_clear(&resizer);
}

static void test_black_outside(void **state)
{
    qmt_resizer resizer = {0};
    uint8_t data[10 * 10 * 3], output[3 * 24 * 24];
    qmt_pixels source = {data, 10, 10, 30};
    const double places[][2] = {{-100, 0}, {0, -100}, {10, 0}, {0, 10}, {1e7, 1e7}, {-1e7, -1e7}};
    qmtcnn_error error = {0};
    (void)state;
    memset(data, 255, sizeof data);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        memset(output, 1, sizeof output);
        assert_ok(qmt_resize(&resizer, &source, places[i][0], places[i][1], 30, 30, output, 24, 24, 72, &error),
                  &error);
        if (places[i][0] != 10 && places[i][1] != 10)
            for (size_t k = 0; k < sizeof output; k++)
                assert_int_equal(output[k], 0);
    }
    /* Half outside on the left: columns 0 .. 11 are black, the others white. */
    assert_ok(qmt_resize(&resizer, &source, -10, -7, 20, 24, output, 24, 24, 72, &error), &error);
    assert_int_equal(output[72 * 12 + 3 * 5], 0);
    assert_int_equal(output[72 * 12 + 3 * 18], 255);
    qmt_resizer_clear(&resizer);
}

static void test_wrong_arguments(void **state)
{
    qmt_resizer resizer = {0};
    uint8_t data[12] = {0}, output[12];
    qmt_pixels source = {data, 2, 2, 6}, none = {NULL, 2, 2, 6}, flat = {data, 0, 2, 6};
    (void)state;
    qmtcnn_error error = {0};
    const struct {
        const qmt_pixels *source;
        double x, y, width, height;
        int out_width, out_height;
    } wrong[] = {{&none, 0, 0, 2, 2, 2, 2},     {&flat, 0, 0, 2, 2, 2, 2},       {&source, 0, 0, 0, 2, 2, 2},
                 {&source, 0, 0, 2, -1, 2, 2},  {&source, NAN, 0, 2, 2, 2, 2},   {&source, 0, INFINITY, 2, 2, 2, 2},
                 {&source, 0, 0, NAN, 2, 2, 2}, {&source, 0, 0, 2, 1e300, 2, 2}, {&source, 0, 0, 2, 2, 0, 2},
                 {&source, 0, 0, 2, 2, 2, -4},  {&source, 0, 0, 2, 2, 70000, 2}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(qmt_resize(&resizer, wrong[i].source, wrong[i].x, wrong[i].y, wrong[i].width, wrong[i].height,
                                    output, wrong[i].out_width, wrong[i].out_height, 6, &error),
                         QMTCNN_ERROR_ARGUMENT);
    qmt_resizer_clear(&resizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_rectangles),      cmocka_unit_test(test_whole_numbers_and_borders),
        cmocka_unit_test(test_large_ratios),           cmocka_unit_test(test_constant_stays_constant),
        cmocka_unit_test(test_identity_and_bottom_up), cmocka_unit_test(test_fractions_of_pixels),
        cmocka_unit_test(test_black_outside),          cmocka_unit_test(test_wrong_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
