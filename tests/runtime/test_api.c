/* The public header, on networks with random weights written as ONNX. */
#include "runtime/api_models.h"
#include "runtime/detect/api.h"

#include <pthread.h>

/* ---- Models ------------------------------------------------------------------------------------- */

static void write_file(const char *folder, const char *name, const void *data, size_t size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

static void test_folder_and_memory_agree(void **state)
{
    char *folder = test_make_folder();
    qmtcnn_buffer buffers[3];
    qmtcnn_error error = {0};
    qmtcnn_model *a, *b = open_model(true, NULL);
    (void)state;
    make_networks(true, NULL, buffers);
    write_file(folder, "pnet.onnx", buffers[0].data, buffers[0].size);
    write_file(folder, "rnet.onnx", buffers[1].data, buffers[1].size);
    assert_int_not_equal(qmtcnn_model_open(folder, QMTCNN_PRECISION_AUTO, &a, &error), QMTCNN_OK);
    assert_null(a);
    assert_non_null(strstr(error.message, "onet.onnx"));
    write_file(folder, "onet.onnx", buffers[2].data, buffers[2].size);
    assert_ok(qmtcnn_model_open(folder, QMTCNN_PRECISION_AUTO, &a, &error), &error);
    uint8_t *pixels = random_picture(3 * 120 * 90, 1);
    qmtcnn_image image = {pixels, 120, 90, 360, QMTCNN_RGB, NULL, 0};
    const qmtcnn_options options = loose_options(1);
    qmtcnn_context *first = open_context(a, &options), *second = open_context(b, &options);
    size_t m, n;
    qmtcnn_face *x = detect(first, &image, &m), *y = detect(second, &image, &n);
    assert_true(m > 0);
    assert_int_equal(m, n);
    assert_memory_equal(x, y, m * sizeof *x);
    assert_int_equal(qmtcnn_model_bytes(a), qmtcnn_model_bytes(b));
    free(x);
    free(y);
    free(pixels);
    qmtcnn_context_free(first);
    qmtcnn_context_free(second);
    qmtcnn_model_close(a);
    qmtcnn_model_close(b);
    free_networks(buffers);
    test_remove_folder(folder);
}

static void test_precisions(void **state)
{
    qmtcnn_buffer int8[3], fp32[3];
    qmtcnn_model *model;
    qmtcnn_error error = {0};
    (void)state;
    make_networks(true, NULL, int8);
    make_networks(false, NULL, fp32);
    assert_ok(qmtcnn_model_open_memory(int8, QMTCNN_PRECISION_AUTO, &model, &error), &error);
    assert_int_equal(qmtcnn_model_precision(model), QMTCNN_PRECISION_INT8);
    const size_t small = qmtcnn_model_bytes(model);
    qmtcnn_model_close(model);
    assert_ok(qmtcnn_model_open_memory(int8, QMTCNN_PRECISION_INT8, &model, &error), &error);
    qmtcnn_model_close(model);
    assert_ok(qmtcnn_model_open_memory(int8, QMTCNN_PRECISION_FP32, &model, &error), &error);
    assert_int_equal(qmtcnn_model_precision(model), QMTCNN_PRECISION_FP32);
    assert_true(small < qmtcnn_model_bytes(model));
    qmtcnn_model_close(model);
    assert_ok(qmtcnn_model_open_memory(fp32, QMTCNN_PRECISION_AUTO, &model, &error), &error);
    assert_int_equal(qmtcnn_model_precision(model), QMTCNN_PRECISION_FP32);
    qmtcnn_model_close(model);
    assert_int_not_equal(qmtcnn_model_open_memory(fp32, QMTCNN_PRECISION_INT8, &model, &error), QMTCNN_OK);
    assert_null(model);
    assert_int_equal(qmtcnn_model_open_memory(fp32, (qmtcnn_precision)9, &model, &error), QMTCNN_ERROR_ARGUMENT);
    free_networks(int8);
    free_networks(fp32);
}

static void test_wrong_models(void **state)
{
    qmtcnn_buffer buffers[3], wrong[3];
    qmtcnn_model *model;
    qmtcnn_error error = {0};
    (void)state;
    make_networks(false, NULL, buffers);
    memcpy(wrong, buffers, sizeof wrong);
    wrong[0] = buffers[1];
    assert_int_equal(qmtcnn_model_open_memory(wrong, QMTCNN_PRECISION_AUTO, &model, &error), QMTCNN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "right order"));
    wrong[0] = (qmtcnn_buffer){NULL, 10};
    assert_int_equal(qmtcnn_model_open_memory(wrong, QMTCNN_PRECISION_AUTO, &model, NULL), QMTCNN_ERROR_ARGUMENT);
    wrong[0] = (qmtcnn_buffer){buffers[0].data, buffers[0].size / 2};
    assert_int_not_equal(qmtcnn_model_open_memory(wrong, QMTCNN_PRECISION_AUTO, &model, NULL), QMTCNN_OK);
    assert_null(model);
    assert_int_equal(qmtcnn_model_open_memory(NULL, QMTCNN_PRECISION_AUTO, &model, NULL), QMTCNN_ERROR_ARGUMENT);
    assert_int_equal(qmtcnn_model_open(NULL, QMTCNN_PRECISION_AUTO, &model, NULL), QMTCNN_ERROR_ARGUMENT);
    assert_int_equal(qmtcnn_model_open("/nowhere", QMTCNN_PRECISION_AUTO, &model, &error), QMTCNN_ERROR_IO);
    assert_non_null(strstr(error.message, "/nowhere/pnet.onnx"));
    assert_int_equal(qmtcnn_model_open("/nowhere", QMTCNN_PRECISION_AUTO, NULL, NULL), QMTCNN_ERROR_ARGUMENT);
    qmtcnn_model_close(NULL);
    qmtcnn_context_free(NULL);
    free_networks(buffers);
}

static void test_thresholds_from_the_files(void **state)
{
    static const char *const bad[] = {"", "x", "1", "1.5", "-0.1", "0.5x", "0,5", "."};
    qmtcnn_model *model = open_model(false, "0.6125");
    qmtcnn_options options;
    (void)state;
    qmtcnn_options_default(model, &options);
    for (int i = 0; i < 3; i++)
        assert_float_equal(options.thresholds[i], 0.6125, 1e-6);
    qmtcnn_model_close(model);
    model = open_model(false, NULL);
    qmtcnn_options_default(model, &options);
    assert_float_equal(options.thresholds[0], 0.6, 1e-6);
    assert_float_equal(options.thresholds[2], 0.7, 1e-6);
    qmtcnn_model_close(model);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        qmtcnn_buffer buffers[3];
        qmtcnn_error error = {0};
        make_networks(false, bad[i], buffers);
        assert_int_equal(qmtcnn_model_open_memory(buffers, QMTCNN_PRECISION_AUTO, &model, &error), QMTCNN_ERROR_FORMAT);
        assert_non_null(strstr(error.message, "qmtcnn.threshold"));
        free_networks(buffers);
    }
}

/* ---- Options ------------------------------------------------------------------------------------ */

static void check_wrong(const qmtcnn_options *options, const char *name)
{
    qmtcnn_error error = {0};
    assert_int_equal(qmt_options_check(options, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, name));
}

static void test_wrong_options(void **state)
{
    qmtcnn_options good, options;
    qmtcnn_error error = {0};
    (void)state;
    qmtcnn_options_default(NULL, &good);
    assert_ok(qmt_options_check(&good, &error), &error);
#define WRONG(field, value, name)                                                                                      \
    options = good;                                                                                                    \
    options.field = value;                                                                                             \
    check_wrong(&options, name)
    WRONG(min_face, 11, "min_face");
    WRONG(max_face, -1, "max_face");
    WRONG(max_face, 19, "max_face");
    WRONG(scale_factor, 0.1f, "scale_factor");
    WRONG(scale_factor, 0.96f, "scale_factor");
    WRONG(scale_factor, NAN, "scale_factor");
    WRONG(thresholds[0], 1, "P-Net");
    WRONG(thresholds[1], -0.1f, "R-Net");
    WRONG(thresholds[2], NAN, "O-Net");
    WRONG(nms[3], 1.1f, "nms[3]");
    WRONG(max_proposals, 0, "max_proposals");
    WRONG(threads, 257, "threads");
    WRONG(threads, -1, "threads");
    WRONG(clip, (qmtcnn_clip)2, "clip");
    WRONG(reserved[9], 1, "reserved[9]");
    WRONG(fusion, 0.3f, "fusion");
    WRONG(fusion, 1, "fusion");
    WRONG(fusion, NAN, "fusion");
    WRONG(fusion_odds, -1, "fusion_odds");
    WRONG(fusion_odds, NAN, "fusion_odds");
    WRONG(vote, 0.1f, "vote");
    WRONG(vote, NAN, "vote");
    WRONG(refined_nms[0], 0.4f, "refined_nms[0]");
    WRONG(refined_nms[1], NAN, "refined_nms[1]");
    WRONG(last_overlap, (qmtcnn_overlap)2, "last_overlap");
#undef WRONG
}

/* ---- Detection ---------------------------------------------------------------------------------- */

static void test_formats_agree(void **state)
{
    enum { width = 110, height = 83 };
    static uint8_t rgb[3 * width * height], bgr[sizeof rgb], rgba[4 * width * height], bgra[4 * width * height],
        gray[width * height];
    qmtcnn_model *model = open_model(true, NULL);
    const qmtcnn_options options = loose_options(2);
    qmtcnn_context *context = open_context(model, &options);
    uint32_t seed = 5;
    (void)state;
    for (int i = 0; i < width * height; i++) {
        gray[i] = (uint8_t)(next_random(&seed) % 256);
        for (int c = 0; c < 3; c++)
            rgb[3 * i + c] = bgr[3 * i + c] = rgba[4 * i + c] = bgra[4 * i + c] = gray[i];
    }
    for (int colored = 0; colored < 2; colored++) {
        for (int i = 0; colored && i < width * height; i++) {
            for (int c = 0; c < 3; c++)
                rgb[3 * i + c] = bgr[3 * i + 2 - c] = rgba[4 * i + c] = bgra[4 * i + 2 - c] =
                    (uint8_t)next_random(&seed);
        }
        const qmtcnn_image images[] = {{rgb, width, height, 3 * width, QMTCNN_RGB, NULL, 0},
                                       {bgr, width, height, 3 * width, QMTCNN_BGR, NULL, 0},
                                       {rgba, width, height, 4 * width, QMTCNN_RGBA, NULL, 0},
                                       {bgra, width, height, 4 * width, QMTCNN_BGRA, NULL, 0},
                                       {gray, width, height, width, QMTCNN_GRAY, NULL, 0}};
        size_t count, other_count;
        qmtcnn_face *faces = detect(context, &images[0], &count);
        assert_true(count > 0);
        for (int i = 1; i < 5 - colored; i++) {
            qmtcnn_face *other = detect(context, &images[i], &other_count);
            assert_int_equal(count, other_count);
            assert_memory_equal(faces, other, count * sizeof *faces);
            free(other);
        }
        free(faces);
    }
    qmtcnn_context_free(context);
    qmtcnn_model_close(model);
}

static void test_threads_agree(void **state)
{
    (void)state;
    uint8_t *pixels = random_picture(3 * 500 * 400, 3);
    qmtcnn_image image = {pixels, 500, 400, 1500, QMTCNN_RGB, NULL, 0};
    for (int int8 = 0; int8 < 2; int8++) {
        qmtcnn_model *model = open_model(int8, NULL);
        qmtcnn_face *first = NULL;
        size_t first_count = 0;
        for (int threads = 1; threads <= 3; threads++) {
            qmtcnn_options options = loose_options(threads);
            size_t count;
            options.min_face = 40;
            options.max_proposals = 40; /* more than one batch for each network */
            qmtcnn_context *context = open_context(model, &options);
            qmtcnn_face *faces = detect(context, &image, &count);
            if (threads == 1) {
                first = faces;
                first_count = count;
                assert_true(count > 0);
            } else {
                assert_int_equal(count, first_count);
                assert_memory_equal(faces, first, count * sizeof *faces);
                free(faces);
            }
            qmtcnn_context_free(context);
        }
        free(first);
        qmtcnn_model_close(model);
    }
    free(pixels);
}

/* Any size and stride; memory that ends with the last pixel shows reads past it under a sanitizer. In between, a fixed
 * picture must give what it gave at first. */
static void test_sizes_and_history(void **state)
{
    qmtcnn_model *model = open_model(true, NULL);
    qmtcnn_options options = loose_options(1);
    options.max_proposals = 3;
    qmtcnn_context *context = open_context(model, &options);
    uint8_t *fixed = random_picture(3 * 64 * 48, 8);
    qmtcnn_image fixed_image = {fixed, 64, 48, 192, QMTCNN_RGB, NULL, 0};
    size_t count, again;
    qmtcnn_face *faces = detect(context, &fixed_image, &count);
    uint32_t seed = 21;
    (void)state;
    assert_true(count > 0);
    for (int i = 0; i < 60; i++) {
        const int width = 1 + (int)(next_random(&seed) % 120), height = 1 + (int)(next_random(&seed) % 120);
        const ptrdiff_t row = 3 * width + (ptrdiff_t)(next_random(&seed) % 20);
        uint8_t *pixels = random_picture((size_t)(row * (height - 1) + 3 * width), seed);
        const bool bottom_up = next_random(&seed) % 2;
        qmtcnn_image image = {bottom_up ? pixels + row * (height - 1) : pixels,
                              width,
                              height,
                              bottom_up ? -row : row,
                              i % 3 ? QMTCNN_RGB : QMTCNN_BGR,
                              NULL,
                              0};
        qmtcnn_face *other = detect(context, &image, &again);
        for (size_t k = 0; k < again; k++) {
            assert_true(other[k].x >= 0 && other[k].y >= 0 && other[k].width > 0 && other[k].height > 0);
            assert_true((double)other[k].x + (double)other[k].width <= width);
            assert_true((double)other[k].y + (double)other[k].height <= height);
            assert_true(other[k].score > 0.3f && other[k].score <= 1);
            assert_true(k == 0 || other[k].score <= other[k - 1].score);
        }
        free(other);
        free(pixels);
        other = detect(context, &fixed_image, &again);
        assert_int_equal(again, count);
        assert_memory_equal(other, faces, count * sizeof *faces);
        free(other);
    }
    free(faces);
    free(fixed);
    qmtcnn_context_free(context);
    qmtcnn_model_close(model);
}

static void test_clip(void **state)
{
    qmtcnn_model *model = open_model(false, NULL);
    qmtcnn_options options = loose_options(1);
    options.max_proposals = 40;
    uint8_t *pixels = random_picture(3 * 100 * 80, 2);
    qmtcnn_image image = {pixels, 100, 80, 300, QMTCNN_RGB, NULL, 0};
    size_t clipped_count, count, outside = 0;
    (void)state;
    qmtcnn_context *context = open_context(model, &options);
    qmtcnn_face *clipped = detect(context, &image, &clipped_count);
    qmtcnn_context_free(context);
    options.clip = QMTCNN_CLIP_NONE;
    context = open_context(model, &options);
    qmtcnn_face *faces = detect(context, &image, &count);
    qmtcnn_context_free(context);
    size_t k = 0;
    for (size_t i = 0; i < count; i++) {
        const float x1 = fmaxf(faces[i].x, 0), x2 = fminf(faces[i].x + faces[i].width, 100);
        const float y1 = fmaxf(faces[i].y, 0), y2 = fminf(faces[i].y + faces[i].height, 80);
        outside += faces[i].x < 0 || faces[i].y < 0 || faces[i].x + faces[i].width > 100;
        if (x2 - x1 <= 0 || y2 - y1 <= 0)
            continue;
        assert_true(k < clipped_count);
        assert_float_equal(clipped[k].x, x1, 1e-3);
        assert_float_equal(clipped[k].width, x2 - x1, 1e-3);
        assert_float_equal(clipped[k].height, y2 - y1, 1e-3);
        assert_memory_equal(clipped[k].landmarks, faces[i].landmarks, sizeof faces[i].landmarks);
        k++;
    }
    assert_int_equal(k, clipped_count);
    assert_true(outside > 0);
    free(clipped);
    free(faces);
    free(pixels);
    qmtcnn_model_close(model);
}

static void test_wrong_calls_leave_it_usable(void **state)
{
    qmtcnn_model *model = open_model(false, NULL);
    const qmtcnn_options options = loose_options(1);
    qmtcnn_context *context = open_context(model, &options);
    uint8_t *pixels = random_picture(3 * 50 * 40, 2);
    qmtcnn_image image = {pixels, 50, 40, 150, QMTCNN_RGB, NULL, 0}, wrong = {pixels, 50, 40, 10, QMTCNN_RGB, NULL, 0};
    const qmtcnn_face *faces = (const qmtcnn_face *)pixels;
    size_t count = 99;
    (void)state;
    assert_int_equal(qmtcnn_detect(context, &wrong, &faces, &count, NULL), QMTCNN_ERROR_ARGUMENT);
    assert_null(faces);
    assert_int_equal(count, 0);
    assert_int_equal(qmtcnn_detect(context, NULL, &faces, &count, NULL), QMTCNN_ERROR_ARGUMENT);
    assert_int_equal(qmtcnn_detect(NULL, &image, &faces, &count, NULL), QMTCNN_ERROR_ARGUMENT);
    assert_int_equal(qmtcnn_detect(context, &image, NULL, &count, NULL), QMTCNN_ERROR_ARGUMENT);
    assert_int_equal(qmtcnn_context_create(NULL, &options, &context, NULL), QMTCNN_ERROR_ARGUMENT);
    assert_int_equal(qmtcnn_detect(context, &image, &faces, &count, NULL), QMTCNN_OK);
    free(pixels);
    qmtcnn_context_free(context);
    qmtcnn_model_close(model);
}

/* ---- One model, many threads --------------------------------------------------------------------- */

struct user {
    const qmtcnn_model *model;
    const qmtcnn_image *image;
    qmtcnn_face first;
    size_t count;
    qmtcnn_status status;
};

static void *use_model(void *argument)
{
    struct user *user = argument;
    const qmtcnn_options options = loose_options(1);
    qmtcnn_context *context = NULL;
    const qmtcnn_face *faces;
    user->status = qmtcnn_context_create(user->model, &options, &context, NULL);
    for (int i = 0; i < 5 && user->status == QMTCNN_OK; i++)
        user->status = qmtcnn_detect(context, user->image, &faces, &user->count, NULL);
    if (user->status == QMTCNN_OK && user->count > 0)
        user->first = faces[0];
    qmtcnn_context_free(context);
    return NULL;
}

static void test_one_model_many_threads(void **state)
{
    enum { users = 4 };
    qmtcnn_model *model = open_model(true, NULL);
    uint8_t *pixels = random_picture(3 * 90 * 70, 6);
    qmtcnn_image image = {pixels, 90, 70, 270, QMTCNN_RGB, NULL, 0};
    struct user user[users];
    pthread_t threads[users];
    (void)state;
    memset(user, 0, sizeof user);
    for (int i = 0; i < users; i++) {
        user[i].model = model;
        user[i].image = &image;
        assert_int_equal(pthread_create(&threads[i], NULL, use_model, &user[i]), 0);
    }
    for (int i = 0; i < users; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(user[i].status, QMTCNN_OK);
        assert_true(user[i].count > 0);
        assert_int_equal(user[i].count, user[0].count);
        assert_memory_equal(&user[i].first, &user[0].first, sizeof user[i].first);
    }
    free(pixels);
    qmtcnn_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder_and_memory_agree),
        cmocka_unit_test(test_precisions),
        cmocka_unit_test(test_wrong_models),
        cmocka_unit_test(test_thresholds_from_the_files),
        cmocka_unit_test(test_wrong_options),
        cmocka_unit_test(test_formats_agree),
        cmocka_unit_test(test_threads_agree),
        cmocka_unit_test(test_sizes_and_history),
        cmocka_unit_test(test_clip),
        cmocka_unit_test(test_wrong_calls_leave_it_usable),
        cmocka_unit_test(test_one_model_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
