#include "common/test.h"
#include "toolkit/image/font.h"
#include "toolkit/image/image.h"

#include <math.h>
#include <string.h>

static qmt_image make_canvas(int width, int height)
{
    qmt_image image;
    qmtcnn_error error;
    assert_ok(qmt_image_create(width, height, &image, &error), &error);
    return image;
}

static bool is_set(const qmt_image *image, int x, int y)
{
    return image->data[((size_t)y * (size_t)image->width + (size_t)x) * 3] == 255;
}

static int count_set(const qmt_image *image)
{
    int count = 0;
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++)
            count += is_set(image, x, y);
    return count;
}

static const qmt_color white = {255, 255, 255};

static void test_box(void **state)
{
    (void)state;
    qmt_image image = make_canvas(20, 20);
    qmt_draw_box(&image, 2, 3, 10, 8, 1, white);
    assert_true(is_set(&image, 2, 3) && is_set(&image, 11, 10) && is_set(&image, 2, 10));
    assert_false(is_set(&image, 12, 3) || is_set(&image, 2, 11) || is_set(&image, 5, 5));
    assert_int_equal(count_set(&image), 2 * 10 + 2 * 6);
    qmt_image_clear(&image);
}

/* Nothing outside is touched; a sanitizer sees it if it is. */
static void test_all_is_cut(void **state)
{
    (void)state;
    const float places[] = {-1e30f, -1000, -5, 3, 30, 1000, 1e30f, NAN, INFINITY};
    enum { count = sizeof places / sizeof *places };
    qmt_image image = make_canvas(16, 12), patch = make_canvas(5, 4);
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < count; j++) {
            qmt_draw_box(&image, places[i], places[j], 7, 1e9f, 2, white);
            qmt_draw_dot(&image, places[i], places[j], 3, white);
            qmt_draw_line(&image, places[i], places[j], places[j], places[i], white);
        }
    }
    for (int y = -20; y < 20; y++)
        for (int x = -20; x < 20; x++) {
            qmt_draw_image(&image, x, y, &patch);
            qmt_draw_text(&image, x, y, 1 + (x & 3), "a\x80~", white);
        }
    qmt_image_clear(&patch);
    qmt_image_clear(&image);
}

static void test_line_and_dot(void **state)
{
    (void)state;
    qmt_image image = make_canvas(30, 30);
    qmt_draw_line(&image, 2.5f, 2.5f, 12.5f, 2.5f, white);
    assert_int_equal(count_set(&image), 11);
    assert_true(is_set(&image, 2, 2) && is_set(&image, 12, 2));
    memset(image.data, 0, 30 * 30 * 3);
    qmt_draw_dot(&image, 15, 15, 4, white);
    assert_in_range(count_set(&image), 46, 54); /* pi 4^2 = 50.3 */
    assert_true(is_set(&image, 15, 15) && !is_set(&image, 20, 15));
    qmt_image_clear(&image);
}

static void test_text(void **state)
{
    (void)state;
    qmt_image image = make_canvas(40, 20);
    qmt_draw_text(&image, 1, 1, 2, "L", white);
    assert_int_equal(count_set(&image), (7 + 4) * 4); /* a stem of 7 and a foot of 4 more, 2 x 2 each */
    assert_true(is_set(&image, 1, 1) && is_set(&image, 10, 13) && !is_set(&image, 10, 1));
    qmt_image_clear(&image);
}

/* All 95 characters differ, and all but the space show something. */
static void test_glyphs_differ(void **state)
{
    (void)state;
    for (int a = 32; a < 127; a++) {
        int set = 0;
        for (int i = 0; i < 35; i++)
            set += qmt_glyph_pixel((char)a, i % 5, i / 5);
        assert_true((set > 0) == (a != ' '));
        for (int b = 32; b < a; b++) {
            bool same = true;
            for (int i = 0; i < 35 && same; i++)
                same = qmt_glyph_pixel((char)a, i % 5, i / 5) == qmt_glyph_pixel((char)b, i % 5, i / 5);
            if (same)
                print_error("characters %c and %c look alike\n", a, b);
            assert_false(same);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_box),  cmocka_unit_test(test_all_is_cut),    cmocka_unit_test(test_line_and_dot),
        cmocka_unit_test(test_text), cmocka_unit_test(test_glyphs_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
