/* Pictures in every pixel format, as the RGB that the detector works on. */
#include "common/test.h"

#include "runtime/detect/view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { width = 37, height = 131 };

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void fill(uint8_t *bytes, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)next_random(&seed);
}

/* Puts an RGB picture into a format, rows `stride` apart; memory has exactly the bytes that a view may read. */
static uint8_t *encode(const uint8_t *rgb, qmtcnn_format format, ptrdiff_t stride, uint8_t **first)
{
    const ptrdiff_t step = stride < 0 ? -stride : stride;
    const int order[][4] = {{0, 1, 2, 2}, {2, 1, 0, 0}, {0, 0, 0, 0}, {0, 1, 2, 2}, {2, 1, 0, 0}};
    const int bytes = format == QMTCNN_GRAY ? 1 : format >= QMTCNN_RGBA ? 4 : 3;
    uint8_t *memory = malloc((size_t)(step * (height - 1) + width * bytes));
    assert_non_null(memory);
    *first = stride < 0 ? memory + step * (height - 1) : memory;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < bytes; c++)
                (*first)[y * stride + x * bytes + c] =
                    c == 3 ? (uint8_t)(x + y) : rgb[3 * (width * y + x) + order[format][c]];
    return memory;
}

static void check_same(const qmt_pixels *pixels, const uint8_t *rgb)
{
    assert_int_equal(pixels->width, width);
    assert_int_equal(pixels->height, height);
    for (int y = 0; y < height; y++)
        assert_memory_equal(pixels->data + y * pixels->stride, rgb + 3 * width * y, 3 * width);
}

static void test_packed_formats(void **state)
{
    static uint8_t rgb[3 * width * height];
    qmt_view_buffer buffer = {0};
    qmt_pool *pool;
    qmtcnn_error error = {0};
    const ptrdiff_t strides[] = {4 * width, 4 * width + 13, -4 * width, -4 * width - 3};
    (void)state;
    assert_ok(qmt_pool_create(2, &pool, &error), &error);
    for (int format = QMTCNN_RGB; format <= QMTCNN_BGRA; format++) {
        fill(rgb, sizeof rgb, (uint32_t)format);
        for (int i = 0; format == QMTCNN_GRAY && i < width * height; i++)
            rgb[3 * i + 1] = rgb[3 * i + 2] = rgb[3 * i];
        for (size_t i = 0; i < sizeof strides / sizeof *strides; i++) {
            uint8_t *first, *memory = encode(rgb, (qmtcnn_format)format, strides[i], &first);
            qmtcnn_image image = {first, width, height, strides[i], (qmtcnn_format)format, NULL, 0};
            qmt_pixels pixels;
            assert_ok(qmt_view_pixels(&image, pool, &buffer, &pixels, &error), &error);
            check_same(&pixels, rgb);
            if (format == QMTCNN_RGB) /* no copy */
                assert_ptr_equal(pixels.data, first);
            free(memory);
        }
    }
    qmt_free(buffer.memory);
    qmt_pool_free(pool);
}

static double limit(double value)
{
    return fmin(fmax(value, 0), 255);
}

static void test_nv12(void **state)
{
    enum { y_stride = width + 9, c_stride = width + 5, rows = (height + 1) / 2 };
    static uint8_t luma[y_stride * height], chroma[c_stride * rows];
    qmt_view_buffer buffer = {0};
    qmt_pixels pixels;
    qmtcnn_error error = {0};
    qmtcnn_image image = {luma, width, height, y_stride, QMTCNN_NV12, chroma, c_stride};
    (void)state;
    fill(luma, sizeof luma, 1);
    fill(chroma, sizeof chroma, 2);
    assert_ok(qmt_view_pixels(&image, NULL, &buffer, &pixels, &error), &error);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            /* ITU-R BT.601: Kr = 0.299, Kb = 0.114; luma over 219 steps, chroma over 224 */
            const double light = 255 * (luma[y * y_stride + x] - 16.0) / 219;
            const double blue = 255 * (chroma[y / 2 * c_stride + x / 2 * 2] - 128.0) / 224;
            const double red = 255 * (chroma[y / 2 * c_stride + x / 2 * 2 + 1] - 128.0) / 224;
            const uint8_t *pixel = pixels.data + y * pixels.stride + 3 * x;
            const double green = -(0.299 * 1.402 * red + 0.114 * 1.772 * blue) / 0.587;
            assert_float_equal(pixel[0], limit(light + 1.402 * red), 1.5);
            assert_float_equal(pixel[1], limit(light + green), 1.5);
            assert_float_equal(pixel[2], limit(light + 1.772 * blue), 1.5);
        }
    }
    /* Known colors: black, white, and the primaries of the standard's tables (full amplitude). */
    const uint8_t known[][6] = {{16, 128, 128, 0, 0, 0},
                                {235, 128, 128, 255, 255, 255},
                                {81, 90, 240, 255, 0, 0},
                                {145, 54, 34, 0, 255, 0},
                                {41, 240, 110, 0, 0, 255}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint8_t one[3] = {known[i][0], known[i][1], known[i][2]};
        qmtcnn_image dot = {one, 1, 1, 2, QMTCNN_NV12, one + 1, 2};
        assert_ok(qmt_view_pixels(&dot, NULL, &buffer, &pixels, &error), &error);
        for (int c = 0; c < 3; c++)
            assert_float_equal(pixels.data[c], known[i][3 + c], 2);
    }
    qmt_free(buffer.memory);
}

/* The chroma plane is found after the Y plane, and its stride defaults to the same. */
static void test_nv12_in_one_piece(void **state)
{
    static uint8_t memory[40 * (20 + 10)];
    qmt_view_buffer a = {0}, b = {0};
    qmt_pixels first, second;
    qmtcnn_error error = {0};
    qmtcnn_image whole = {memory, 38, 20, 40, QMTCNN_NV12, NULL, 0};
    qmtcnn_image parts = {memory, 38, 20, 40, QMTCNN_NV12, memory + 800, 40};
    (void)state;
    fill(memory, sizeof memory, 4);
    assert_ok(qmt_view_pixels(&whole, NULL, &a, &first, &error), &error);
    assert_ok(qmt_view_pixels(&parts, NULL, &b, &second, &error), &error);
    assert_memory_equal(first.data, second.data, 38 * 20 * 3);
    qmt_free(a.memory);
    qmt_free(b.memory);
}

static void test_wrong_views(void **state)
{
    static uint8_t memory[4096];
    const qmtcnn_image wrong[] = {
        {NULL, 10, 10, 30, QMTCNN_RGB, NULL, 0},
        {memory, 0, 10, 30, QMTCNN_RGB, NULL, 0},
        {memory, 10, -1, 30, QMTCNN_RGB, NULL, 0},
        {memory, 65536, 1, 200000, QMTCNN_RGB, NULL, 0},
        {memory, 65535, 65535, 200000, QMTCNN_RGB, NULL, 0}, /* too many pixels */
        {memory, 10, 10, 29, QMTCNN_RGB, NULL, 0},
        {memory, 10, 10, -29, QMTCNN_RGB, NULL, 0},
        {memory, 10, 10, 30, QMTCNN_RGBA, NULL, 0},
        {memory, 10, 10, 30, (qmtcnn_format)6, NULL, 0},
        {memory, 10, 10, 30, (qmtcnn_format)-1, NULL, 0},
        {memory, 10, 10, -10, QMTCNN_NV12, NULL, 0},
        {memory, 11, 10, 11, QMTCNN_NV12, NULL, 0}, /* 11 pixels have 6 pairs of chroma */
        {memory, 10, 10, 10, QMTCNN_NV12, memory, 9},
    };
    qmt_view_buffer buffer = {0};
    qmt_pixels pixels;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        qmtcnn_error error = {0};
        assert_int_equal(qmt_view_pixels(&wrong[i], NULL, &buffer, &pixels, &error), QMTCNN_ERROR_ARGUMENT);
        assert_true(strlen(error.message) > 10);
    }
    assert_int_equal(qmt_view_pixels(NULL, NULL, &buffer, &pixels, NULL), QMTCNN_ERROR_ARGUMENT);
    assert_null(buffer.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packed_formats),
        cmocka_unit_test(test_nv12),
        cmocka_unit_test(test_nv12_in_one_piece),
        cmocka_unit_test(test_wrong_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
