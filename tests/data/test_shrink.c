/* Shrunk copies of pictures: labels, pixels, and what the seed decides. */
#include "data/scenes.h"
#include "toolkit/data/shrink.h"

#include <math.h>

static qmt_scene scene_of(const qmt_image *image, const qmt_label *labels, size_t count)
{
    return (qmt_scene){.pixels = qmt_image_pixels(image), .labels = labels, .label_count = count, .picture = 3};
}

static void test_labels(void **state)
{
    (void)state;
    qmt_image image;
    qmt_shrunk shrunk;
    qmtcnn_error error;
    bool usable = false;
    scene_paint(&image);
    memset(&shrunk, 0, sizeof shrunk);
    const qmt_label labels[] = {scene_face_with_points(40, 60, 80, 100), scene_face(200, 10, 19, 40)};
    qmt_scene scene = scene_of(&image, labels, 2);
    assert_ok(qmt_shrink(&shrunk, &scene, 0.5f, 10, &usable, &error), &error);
    assert_true(usable);
    assert_int_equal(shrunk.scene.pixels.width, 128);
    assert_int_equal(shrunk.scene.pixels.height, 128);
    assert_int_equal(shrunk.scene.label_count, 2);
    assert_int_equal(shrunk.scene.picture, 3);
    const qmt_label *face = &shrunk.scene.labels[0];
    assert_true(face->box.x1 == 20 && face->box.y1 == 30 && face->box.x2 == 60 && face->box.y2 == 80);
    assert_false(face->ignore);
    for (int i = 0; i < 5; i++) {
        assert_true(face->landmarks[i][0] == 0.5f * labels[0].landmarks[i][0]);
        assert_true(face->landmarks[i][1] == 0.5f * labels[0].landmarks[i][1]);
    }
    /* 9.5 pixels wide: neither a face to learn from nor background. */
    assert_true(shrunk.scene.labels[1].ignore);
    assert_false(labels[1].ignore);
    qmt_shrunk_clear(&shrunk);
    qmt_image_clear(&image);
}

/* The picture's colors tell where a pixel comes from: pixel x of the copy covers 2 x and 2 x + 1. */
static void test_pixels(void **state)
{
    (void)state;
    qmt_image image;
    qmt_shrunk shrunk;
    qmtcnn_error error;
    bool usable = false;
    scene_paint(&image);
    memset(&shrunk, 0, sizeof shrunk);
    qmt_scene scene = scene_of(&image, NULL, 0);
    assert_ok(qmt_shrink(&shrunk, &scene, 0.5f, 10, &usable, &error), &error);
    const qmt_pixels *pixels = &shrunk.scene.pixels;
    for (int y = 0; y < pixels->height; y++) {
        for (int x = 0; x < pixels->width; x++) {
            const uint8_t *pixel = pixels->data + y * pixels->stride + 3 * x;
            assert_true(fabs(pixel[0] - (2 * x + 0.5)) <= 1 && fabs(pixel[1] - (2 * y + 0.5)) <= 1 && pixel[2] == 100);
        }
    }
    /* One that would be too small is left out, and the next call works again. */
    assert_ok(qmt_shrink(&shrunk, &scene, 0.09f, 10, &usable, &error), &error);
    assert_false(usable);
    assert_ok(qmt_shrink(&shrunk, &scene, 0.9f, 10, &usable, &error), &error);
    assert_true(usable);
    assert_int_equal(shrunk.scene.pixels.width, 230);
    qmt_shrunk_clear(&shrunk);
    qmt_image_clear(&image);
}

static void test_factor(void **state)
{
    (void)state;
    double sum = 0;
    enum { draws = 20000 };
    for (uint32_t picture = 0; picture < draws; picture++) {
        float factor = qmt_shrink_factor(1, picture, 1, 0.25f);
        assert_true(factor >= 0.25f && factor < 1);
        sum += log((double)factor);
    }
    /* Uniform in the logarithm: its mean is half of log 0.25, give or take 5 deviations. */
    assert_true(fabs(sum / draws - 0.5 * log(0.25)) < 5 * -log(0.25) / sqrt(12.0 * draws));
    assert_true(qmt_shrink_factor(1, 5, 1, 0.25f) == qmt_shrink_factor(1, 5, 1, 0.25f));
    assert_true(qmt_shrink_factor(1, 5, 1, 0.25f) != qmt_shrink_factor(1, 5, 2, 0.25f));
    assert_true(qmt_shrink_factor(1, 5, 1, 0.25f) != qmt_shrink_factor(2, 5, 1, 0.25f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_labels), cmocka_unit_test(test_pixels),
                                       cmocka_unit_test(test_factor)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
