#include "common/test.h"
#include "runtime/base/clock.h"
#include "toolkit/data/augment.h"
#include "toolkit/data/augment_math.h"
#include "toolkit/data/augment_steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { side = 24, count = side * side, bytes = count * 3 };
static const double pi = 3.14159265358979323846;

static void fill(uint8_t *pixels, size_t size, uint64_t seed)
{
    qmt_random random = qmt_random_stream(seed, 0, 0);
    for (size_t i = 0; i < size; i++)
        pixels[i] = (uint8_t)qmt_random_below(&random, 256);
}

static qmt_sample face_sample(const uint8_t *pixels)
{
    qmt_sample sample = {.pixels = pixels,
                         .sample_class = QMT_LANDMARK,
                         .box = {0.1f, -0.05f, -0.2f, 0.15f},
                         .landmarks = {0.3f, 0.35f, 0.7f, 0.4f, 0.5f, 0.6f, 0.35f, 0.8f, 0.65f, 0.75f},
                         .iou = 0.7f};
    return sample;
}

static double difference(double a, double b)
{
    return fabs(a - b);
}

static void test_mathematics(void **state)
{
    (void)state;
    double logarithms[256];
    uint8_t powers[256];
    qmt_pixel_logarithms(logarithms);
    for (int i = 1; i <= 255; i++)
        assert_true(difference(logarithms[i], log(i / 255.0)) <= 1e-14);
    for (double y = 0; y <= 16; y += 0.0371) {
        qmt_pixel_powers(logarithms, y, powers);
        assert_int_equal(powers[0], 0);
        for (int i = 1; i <= 255; i++)
            assert_true(difference(powers[i], 255 * pow(i / 255.0, y)) <= 0.5 + 1e-7);
    }
    for (double x = -700; x < 700; x += 3.3)
        assert_true(difference(qmt_exponential(x), exp(x)) <= 1e-11 * exp(x));
    for (double degrees = -45; degrees <= 45; degrees += 0.7) {
        double sine, cosine;
        qmt_sine_cosine(degrees, &sine, &cosine);
        assert_true(difference(sine, sin(degrees * pi / 180)) < 1e-15);
        assert_true(difference(cosine, cos(degrees * pi / 180)) < 1e-15);
    }
}

static void test_mirror(void **state)
{
    uint8_t source[bytes], once[bytes], twice[bytes];
    (void)state;
    fill(source, bytes, 1);
    qmt_crop_mirror(side, source, once);
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++)
            assert_memory_equal(once + 3 * (y * side + x), source + 3 * (y * side + side - 1 - x), 3);
    }
    qmt_crop_mirror(side, once, twice);
    assert_memory_equal(source, twice, bytes);

    /* A face from 0.25 to 0.875 of the crop, seen from behind: from 0.125 to 0.75. */
    float box[4] = {0.25f, -0.5f, -0.125f, 0.5f};
    qmt_box_mirror(box);
    assert_true(box[0] == 0.125f && box[1] == -0.5f && box[2] == -0.25f && box[3] == 0.5f);
    qmt_box_mirror(box);
    assert_true(box[0] == 0.25f && box[2] == -0.125f);

    float points[10] = {0.25f, 0.5f, 0.625f, 0.375f, 0.5f, 0.625f, 0.25f, 0.875f, 0.75f, 0.75f};
    const float kept[10] = {0.25f, 0.5f, 0.625f, 0.375f, 0.5f, 0.625f, 0.25f, 0.875f, 0.75f, 0.75f};
    const float wanted[10] = {0.375f, 0.375f, 0.75f, 0.5f, 0.5f, 0.625f, 0.25f, 0.75f, 0.75f, 0.875f};
    qmt_landmarks_mirror(points);
    assert_memory_equal(points, wanted, sizeof wanted);
    qmt_landmarks_mirror(points);
    assert_memory_equal(points, kept, sizeof kept);
}

/* A blob drawn where a landmark is must turn with it. */
static void test_rotation_moves_pixels_and_points_alike(void **state)
{
    (void)state;
    for (double degrees = -40; degrees <= 40; degrees += 10) {
        uint8_t source[bytes], target[bytes];
        qmt_rotation rotation;
        float points[10] = {0.7f, 0.35f};
        memset(source, 0, bytes);
        for (int i = 0; i < count; i++) {
            double dx = (i % side + 0.5) / side - 0.7, dy = (i / side + 0.5) / side - 0.35;
            source[3 * i] = (uint8_t)(200 * exp(-(dx * dx + dy * dy) / 0.004));
        }
        qmt_sine_cosine(degrees, &rotation.sine, &rotation.cosine);
        qmt_crop_rotate(&rotation, side, source, target);
        qmt_landmarks_rotate(&rotation, points);
        double sum = 0, x = 0, y = 0;
        for (int i = 0; i < count; i++) {
            sum += target[3 * i];
            x += target[3 * i] * (i % side + 0.5) / side;
            y += target[3 * i] * (i / side + 0.5) / side;
        }
        assert_true(difference(x / sum, points[0]) < 0.005 && difference(y / sum, points[1]) < 0.005);
        double radius = hypot(0.2, -0.15), angle = atan2(-0.15, 0.2) + degrees * pi / 180;
        assert_true(difference(points[0], 0.5 + radius * cos(angle)) < 1e-6);
        assert_true(difference(points[1], 0.5 + radius * sin(angle)) < 1e-6);
    }
}

/* The stated rule, from points all around the ellipse. */
static void test_rotated_box(void **state)
{
    (void)state;
    for (double degrees = -30; degrees <= 30; degrees += 7.5) {
        float box[4] = {0.1f, -0.05f, -0.2f, 0.15f};
        double x1 = 9, y1 = 9, x2 = -9, y2 = -9, turn = degrees * pi / 180;
        for (int i = 0; i < 36000; i++) {
            double t = i * pi / 18000, x = 0.45 + 0.35 * cos(t) - 0.5, y = 0.55 + 0.6 * sin(t) - 0.5;
            double u = 0.5 + x * cos(turn) - y * sin(turn), v = 0.5 + x * sin(turn) + y * cos(turn);
            x1 = fmin(x1, u);
            x2 = fmax(x2, u);
            y1 = fmin(y1, v);
            y2 = fmax(y2, v);
        }
        qmt_rotation rotation;
        qmt_sine_cosine(degrees, &rotation.sine, &rotation.cosine);
        qmt_box_rotate(&rotation, box);
        assert_true(difference(box[0], x1) < 1e-5 && difference(box[1], y1) < 1e-5);
        assert_true(difference(1 + (double)box[2], x2) < 1e-5 && difference(1 + (double)box[3], y2) < 1e-5);
    }
}

static void test_color(void **state)
{
    uint8_t pixels[bytes], source[bytes];
    double mean = 0;
    (void)state;
    fill(source, bytes, 2);
    for (int i = 0; i < count; i++)
        mean += (77 * source[3 * i] + 150 * source[3 * i + 1] + 29 * source[3 * i + 2]) / 256.0 / count;
    const float brightness = 1.2f, contrast = 0.75f, saturation = 0.6f;
    memcpy(pixels, source, bytes);
    qmt_crop_color(side, pixels, brightness, contrast, saturation);
    for (int i = 0; i < bytes; i++) {
        const uint8_t *p = source + i / 3 * 3;
        double gray = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2], own = gray + 0.6 * (source[i] - gray);
        double wanted = 1.2 * (mean + 0.75 * (own - mean));
        wanted = wanted < 0 ? 0 : wanted > 255 ? 255 : wanted;
        assert_true(difference(pixels[i], wanted) <= 1);
    }
    memcpy(pixels, source, bytes);
    qmt_crop_color(side, pixels, 1, 1, 1);
    assert_memory_equal(pixels, source, bytes);
    qmt_crop_gray(side, pixels);
    for (int i = 0; i < count; i++) {
        const uint8_t *p = source + 3 * i;
        assert_true(difference(pixels[3 * i], 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]) <= 1);
        assert_true(pixels[3 * i] == pixels[3 * i + 1] && pixels[3 * i] == pixels[3 * i + 2]);
    }
    memcpy(pixels, source, bytes);
    double logarithms[256];
    qmt_pixel_logarithms(logarithms);
    qmt_crop_gamma(side, pixels, 1.4f, logarithms);
    for (int i = 0; i < bytes; i++)
        assert_true(difference(pixels[i], 255 * pow(source[i] / 255.0, 1.4)) <= 0.5001);
}

static void test_blur(void **state)
{
    uint8_t pixels[bytes];
    float scratch[2 * bytes];
    const double sigma = 1.3;
    (void)state;
    assert_true(qmt_blur_floats(side) <= sizeof scratch / sizeof *scratch);
    memset(pixels, 77, bytes);
    qmt_crop_blur(side, pixels, (float)sigma, scratch);
    for (int i = 0; i < bytes; i++)
        assert_int_equal(pixels[i], 77);
    memset(pixels, 0, bytes);
    memset(pixels + 3 * (12 * side + 12), 255, 3);
    qmt_crop_blur(side, pixels, (float)sigma, scratch);
    double sum = 0;
    for (int i = -4; i <= 4; i++)
        sum += exp(-i * i / (2 * sigma * sigma));
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            double dx = x - 12, dy = y - 12;
            double wanted =
                fabs(dx) > 4 || fabs(dy) > 4 ? 0 : 255 * exp(-(dx * dx + dy * dy) / (2 * sigma * sigma)) / (sum * sum);
            assert_true(difference(pixels[3 * (y * side + x)], wanted) <= 0.51);
        }
    }
}

static void test_noise_patch_and_jpeg(void **state)
{
    uint8_t pixels[bytes];
    const uint8_t color[3] = {1, 2, 3};
    qmtcnn_error error;
    qmt_random random = qmt_random_stream(3, 0, 0);
    double sum = 0, squares = 0;
    (void)state;
    memset(pixels, 128, bytes);
    qmt_crop_noise(side, pixels, 8, &random);
    for (int i = 0; i < bytes; i++) {
        sum += pixels[i] - 128;
        squares += (pixels[i] - 128) * (pixels[i] - 128);
    }
    assert_true(fabs(sum / bytes) < 1);
    assert_true(difference(sqrt(squares / bytes), 8) < 0.6);
    memset(pixels, 128, bytes);
    qmt_crop_patch(side, pixels, 5, 20, 3, 9, color); /* cut off below */
    for (int i = 0; i < count; i++) {
        bool inside = i % side >= 5 && i % side < 8 && i / side >= 20;
        assert_int_equal(pixels[3 * i], inside ? 1 : 128);
        assert_int_equal(pixels[3 * i + 2], inside ? 3 : 128);
    }
    for (int i = 0; i < bytes; i++)
        pixels[i] = (uint8_t)(i / 3 % side * 8 + i % 3 * 20);
    uint8_t before[bytes];
    memcpy(before, pixels, bytes);
    assert_ok(qmt_crop_jpeg(side, pixels, 30, &error), &error);
    assert_memory_not_equal(before, pixels, bytes);
    for (int i = 0; i < bytes; i++)
        assert_true(abs(before[i] - pixels[i]) < 60);
}

static void augment(const qmt_augment_config *config, const qmt_sample *sample, uint64_t seed, uint8_t *pixels,
                    float box[4], float landmarks[10], unsigned *made)
{
    qmt_augmenter augmenter = {0};
    qmtcnn_error error;
    qmt_random random = qmt_random_stream(seed, 1, 2);
    assert_ok(qmt_augment(&augmenter, config, side, sample, &random, pixels, box, landmarks, made, &error), &error);
    qmt_augmenter_clear(&augmenter);
}

static void test_nothing_and_everything(void **state)
{
    uint8_t source[bytes], pixels[bytes], again[bytes];
    float box[4], landmarks[10];
    unsigned made;
    (void)state;
    fill(source, bytes, 4);
    qmt_sample sample = face_sample(source);
    qmt_augment_config none = {0};
    augment(&none, &sample, 5, pixels, box, landmarks, &made);
    assert_int_equal(made, 0);
    assert_memory_equal(pixels, source, bytes);
    assert_memory_equal(box, sample.box, sizeof box);
    assert_memory_equal(landmarks, sample.landmarks, sizeof landmarks);

    qmt_augment_config all = {1, 1, 0.3f, 1, 0.4f, 1, 1, 1, 1, 1, 10, 1, 8, 1, 0.4f};
    augment(&all, &sample, 5, pixels, box, landmarks, &made);
    assert_int_equal(made, 511);
    augment(&all, &sample, 5, again, box, landmarks, NULL);
    assert_memory_equal(pixels, again, bytes);
    augment(&all, &sample, 6, again, box, landmarks, NULL);
    assert_memory_not_equal(pixels, again, bytes);

    /* A negative has no targets to move. */
    const float zero[10] = {0};
    sample.sample_class = QMT_NEGATIVE;
    memset(sample.box, 0, sizeof sample.box);
    memset(sample.landmarks, 0, sizeof sample.landmarks);
    augment(&all, &sample, 5, pixels, box, landmarks, NULL);
    assert_memory_equal(box, zero, sizeof box);
    assert_memory_equal(landmarks, zero, sizeof landmarks);
    /* A positive has a box and no landmarks. */
    sample.sample_class = QMT_POSITIVE;
    sample.box[0] = 0.1f;
    augment(&all, &sample, 5, pixels, box, landmarks, NULL);
    assert_memory_not_equal(box, sample.box, sizeof box);
    assert_memory_equal(landmarks, zero, sizeof landmarks);
}

/* Each happens as often as its chance says, and on its own. */
static void test_chances(void **state)
{
    enum { rounds = 6000, small = 12 };
    qmt_augment_config config = {0.5f, 0.4f, 0.3f, 0.2f, 0.4f, 0.05f, 0.1f, 1, 0.02f, 0.3f, 10, 0.15f, 8, 0.25f, 0.4f};
    const double chances[] = {0.5, 0.4, 0.2, 0.05, 0.1, 0.02, 0.3, 0.15, 0.25};
    uint8_t source[small * small * 3], pixels[small * small * 3];
    float box[4], landmarks[10];
    int seen[9] = {0};
    qmt_augmenter augmenter = {0};
    qmtcnn_error error;
    (void)state;
    fill(source, sizeof source, 9);
    qmt_sample sample = face_sample(source);
    for (uint64_t i = 0; i < rounds; i++) {
        unsigned made;
        qmt_random random = qmt_random_stream(1, i, 0);
        assert_ok(qmt_augment(&augmenter, &config, small, &sample, &random, pixels, box, landmarks, &made, &error),
                  &error);
        for (int k = 0; k < 9; k++)
            seen[k] += (made >> k) & 1;
    }
    qmt_augmenter_clear(&augmenter);
    for (int k = 0; k < 9; k++) {
        double deviation = sqrt(rounds * chances[k] * (1 - chances[k]));
        assert_true(difference(seen[k], rounds * chances[k]) < 4 * deviation);
    }
}

/* Not a limit, which would depend on the machine's load: the rate is printed. */
static void test_rate(void **state)
{
    enum { rounds = 20000, small = 12 };
    qmt_augment_config config = {.mirror = 0.5f, .color = 0.5f, .color_strength = 0.3f};
    uint8_t source[small * small * 3], pixels[small * small * 3];
    float box[4], landmarks[10];
    qmt_augmenter augmenter = {0};
    qmtcnn_error error;
    qmt_random random = qmt_random_stream(1, 0, 0);
    (void)state;
    fill(source, sizeof source, 9);
    qmt_sample sample = face_sample(source);
    double start = qmt_seconds();
    for (int i = 0; i < rounds; i++)
        assert_ok(qmt_augment(&augmenter, &config, small, &sample, &random, pixels, box, landmarks, NULL, &error),
                  &error);
    print_message("mirror and color of 12 x 12: %.0f samples/s\n", rounds / (qmt_seconds() - start));
    qmt_augmenter_clear(&augmenter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mathematics),
        cmocka_unit_test(test_mirror),
        cmocka_unit_test(test_rotation_moves_pixels_and_points_alike),
        cmocka_unit_test(test_rotated_box),
        cmocka_unit_test(test_color),
        cmocka_unit_test(test_blur),
        cmocka_unit_test(test_noise_patch_and_jpeg),
        cmocka_unit_test(test_nothing_and_everything),
        cmocka_unit_test(test_chances),
        cmocka_unit_test(test_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
