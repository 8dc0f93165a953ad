/* Random pictures of 1 x 1 to 5000 x 5000, with random strides, formats and options: no fault, no box where none may
 * be, and the same faces however the same pixels lie in memory. test_random_pictures [--rounds N] [--seed S] [--size N]
 * more than the few that the tests take */
#include "runtime/detector.h"

#include <time.h>

struct settings {
    long rounds;
    uint64_t seed;
    int size;
};

/* A picture as the library gets it: a block of exactly the bytes that it may read. */
struct laid {
    uint8_t *block;
    qmtcnn_image image;
};

/* Log-uniform: as many small pictures as large ones. One in 25 is large for sure. */
static int random_side(test_random *random, int size, bool large)
{
    double t = (double)(test_bits(random) % 1000000) / 999999;
    return large ? 1 + (int)(t * (size - 1)) : (int)floor(exp(t * log(size)) + 0.5);
}

static int pixel_bytes(qmtcnn_format format)
{
    return format == QMTCNN_RGB || format == QMTCNN_BGR ? 3 : format == QMTCNN_RGBA || format == QMTCNN_BGRA ? 4 : 1;
}

static void put_pixel(const uint8_t *rgb, qmtcnn_format format, test_random *random, uint8_t *to)
{
    bool swapped = format == QMTCNN_BGR || format == QMTCNN_BGRA;
    to[0] = rgb[swapped ? 2 : 0];
    if (pixel_bytes(format) == 1)
        return;
    to[1] = rgb[1];
    to[2] = rgb[swapped ? 0 : 2];
    if (pixel_bytes(format) == 4)
        to[3] = (uint8_t)test_bits(random);
}

/* `rows` of `bytes` each, `pad` bytes apart, upside down in memory if asked for. Returns the first row's place. */
static uint8_t *lay_rows(int rows, size_t bytes, size_t pad, bool flip, uint8_t *at, ptrdiff_t *stride)
{
    *stride = flip ? -(ptrdiff_t)(bytes + pad) : (ptrdiff_t)(bytes + pad);
    return flip ? at + (size_t)(rows - 1) * (bytes + pad) : at;
}

/* The last row has no padding: none may be read. */
static size_t rows_size(int rows, size_t bytes, size_t pad)
{
    return (size_t)(rows - 1) * (bytes + pad) + bytes;
}

/* Lays RGB pixels in a format (gray: the red ones) at a random stride and alignment. */
static struct laid lay(const uint8_t *rgb, int width, int height, qmtcnn_format format, bool tight, test_random *random)
{
    size_t bytes = (size_t)width * (size_t)pixel_bytes(format), pad = tight ? 0 : (size_t)test_below(random, 70);
    size_t shift = tight ? 0 : (size_t)test_below(random, 17);
    bool flip = !tight && test_below(random, 3) == 0;
    struct laid laid = {.image = {.width = width, .height = height, .format = format}};
    laid.block = malloc(shift + rows_size(height, bytes, pad));
    assert_non_null(laid.block);
    uint8_t *first = lay_rows(height, bytes, pad, flip, laid.block + shift, &laid.image.stride);
    laid.image.pixels = first;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            put_pixel(rgb + 3 * ((size_t)y * (size_t)width + (size_t)x), format, random,
                      first + y * laid.image.stride + x * pixel_bytes(format));
    return laid;
}

/* NV12 from any numbers: Y is red, U and V are green and blue of every other pixel. Tight: chroma right behind Y. */
static struct laid lay_nv12(const uint8_t *rgb, int width, int height, bool tight, test_random *random)
{
    size_t pairs = ((size_t)width + 1) / 2, pad = tight ? 2 * pairs - (size_t)width : (size_t)test_below(random, 40);
    size_t chroma_pad = tight ? 0 : (size_t)test_below(random, 40), row = (size_t)width + pad;
    int chroma_rows = (height + 1) / 2;
    bool flip = !tight && test_below(random, 3) == 0, flip_chroma = !tight && test_below(random, 3) == 0;
    size_t luma = (size_t)height * row; /* with the last row's padding: chroma may follow it */
    ptrdiff_t chroma_stride;
    struct laid laid = {.image = {.width = width, .height = height, .format = QMTCNN_NV12}};
    laid.block = malloc(luma + rows_size(chroma_rows, 2 * pairs, chroma_pad));
    assert_non_null(laid.block);
    uint8_t *first = lay_rows(height, (size_t)width, pad, flip, laid.block, &laid.image.stride);
    uint8_t *chroma = lay_rows(chroma_rows, 2 * pairs, chroma_pad, flip_chroma, laid.block + luma, &chroma_stride);
    laid.image.pixels = first;
    if (!tight) {
        laid.image.chroma = chroma;
        laid.image.chroma_stride = chroma_stride;
    }
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const uint8_t *from = rgb + 3 * ((size_t)y * (size_t)width + (size_t)x);
            first[y * laid.image.stride + x] = from[0];
            if (y % 2 == 0 && x % 2 == 0) {
                chroma[y / 2 * chroma_stride + x] = from[1];
                chroma[y / 2 * chroma_stride + x + 1] = from[2];
            }
        }
    return laid;
}

static qmtcnn_options random_options(test_random *random, double pixels)
{
    qmtcnn_options options;
    qmtcnn_options_default(NULL, &options);
    options.min_face = 12 + test_below(random, test_below(random, 2) ? 30 : 400);
    options.max_face = test_below(random, 4) ? 0 : options.min_face + test_below(random, 300);
    options.scale_factor = 0.3f + 0.5f * (float)test_below(random, 1000) / 1000;
    for (int i = 0; i < 4; i++)
        options.nms[i] = (float)test_below(random, 1001) / 1000;
    /* To a random network noise is full of faces: let fewer pass where there is more of it. */
    float chance = (float)test_below(random, 1000) / 1000;
    options.thresholds[0] = pixels > 3e5   ? 0.58f + 0.1f * chance
                            : pixels > 3e4 ? 0.5f + 0.1f * chance
                            : pixels > 3e3 ? 0.45f + 0.1f * chance
                                           : 0.5f * chance;
    options.thresholds[1] = 0.5f * (float)test_below(random, 1000) / 1000;
    options.thresholds[2] = 0.5f * (float)test_below(random, 1000) / 1000;
    options.max_proposals = 1 + test_below(random, 64);
    options.threads = 1 + test_below(random, 3);
    options.clip = test_below(random, 2) ? QMTCNN_CLIP_IMAGE : QMTCNN_CLIP_NONE;
    return options;
}

/* Detects in a context of its own; for free(). */
static qmtcnn_face *detect(const qmtcnn_model *model, const qmtcnn_options *options, const qmtcnn_image *image,
                           size_t *count)
{
    qmtcnn_error error = {0};
    qmtcnn_context *context;
    const qmtcnn_face *found;
    assert_ok(qmtcnn_context_create(model, options, &context, &error), &error);
    assert_ok(qmtcnn_detect(context, image, &found, count, &error), &error);
    test_check_faces(found, *count, image, options);
    qmtcnn_face *faces = malloc((*count + 1) * sizeof *faces);
    assert_non_null(faces);
    if (*count)
        memcpy(faces, found, *count * sizeof *faces);
    qmtcnn_context_free(context);
    return faces;
}

/* One picture twice: laid tightly and by one thread, then as it comes. Returns how many faces there were. */
static size_t run_round(qmtcnn_model *const models[2], test_random *random, int size, bool large)
{
    int width = random_side(random, size, large), height = random_side(random, size, large);
    qmtcnn_format format = (qmtcnn_format)test_below(random, 6);
    const qmtcnn_model *model = models[test_below(random, 2)];
    qmtcnn_options options = random_options(random, (double)width * height), plain = options;
    uint8_t *rgb = test_picture(random, width, height);
    struct laid first, second;
    size_t count, again;
    plain.threads = 1;
    if (format == QMTCNN_GRAY) /* equal to RGB with three equal channels */
        for (size_t i = 0; i < (size_t)width * (size_t)height; i++)
            rgb[3 * i + 1] = rgb[3 * i + 2] = rgb[3 * i];
    if (format == QMTCNN_NV12) {
        first = lay_nv12(rgb, width, height, true, random);
        second = lay_nv12(rgb, width, height, false, random);
    } else {
        first = lay(rgb, width, height, QMTCNN_RGB, true, random);
        second = lay(rgb, width, height, format, false, random);
    }
    free(rgb);
    qmtcnn_face *expected = detect(model, &plain, &first.image, &count);
    qmtcnn_face *faces = detect(model, &options, &second.image, &again);
    if (count != again || memcmp(expected, faces, count * sizeof *faces) != 0)
        fail_msg("%d x %d pixels, format %d, stride %td, %d threads: %zu faces, not the same %zu", width, height,
                 (int)format, second.image.stride, options.threads, again, count);
    free(faces);
    free(expected);
    free(second.block);
    free(first.block);
    return count;
}

static void random_pictures(void **state)
{
    const struct settings *settings = *state;
    test_random random = {settings->seed};
    size_t faces = 0;
    qmtcnn_model *models[2] = {test_detector_open(false), test_detector_open(true)};
    clock_t start = clock();
    for (long i = 0; i < settings->rounds; i++) {
        faces += run_round(models, &random, settings->size, i % 25 == 24);
        if (i % 500 == 499)
            print_message("%ld pictures, %zu faces, %.0f s of processor time\n", i + 1, faces,
                          (double)(clock() - start) / CLOCKS_PER_SEC);
    }
    assert_true(faces > (size_t)settings->rounds / 10);
    print_message("%ld pictures, %zu faces\n", settings->rounds, faces);
    for (int i = 0; i < 2; i++)
        qmtcnn_model_close(models[i]);
}

/* Views that can't be: all refused, with a message. */
static void impossible_pictures(void **state)
{
    static uint8_t pixels[4];
    const qmtcnn_image views[] = {
        {pixels, 0, 1, 3, QMTCNN_RGB, NULL, 0},
        {pixels, 1, -1, 3, QMTCNN_RGB, NULL, 0},
        {pixels, 65536, 1, 1 << 20, QMTCNN_RGB, NULL, 0},
        {pixels, 65535, 65535, 1 << 20, QMTCNN_GRAY, NULL, 0},
        {pixels, 2, 1, 5, QMTCNN_RGB, NULL, 0},
        {pixels, 2, 1, -5, QMTCNN_BGR, NULL, 0},
        {pixels, 1, 1, 0, QMTCNN_GRAY, NULL, 0},
        {pixels, 1, 1, PTRDIFF_MIN, QMTCNN_RGB, NULL, 0},
        {pixels, 1, 2, PTRDIFF_MAX, QMTCNN_RGB, NULL, 0},
        {pixels, 1, 1, 4, (qmtcnn_format)6, NULL, 0},
        {pixels, 1, 1, 4, (qmtcnn_format)-1, NULL, 0},
        {NULL, 1, 1, 4, QMTCNN_RGB, NULL, 0},
        {pixels, 3, 1, -3, QMTCNN_NV12, NULL, 0},
        {pixels, 3, 1, 3, QMTCNN_NV12, pixels, 3},
        {pixels, 1, 1, 1, QMTCNN_NV12, pixels, PTRDIFF_MIN},
    };
    qmtcnn_model *model = test_detector_open(true);
    qmtcnn_error error;
    qmtcnn_context *context;
    (void)state;
    assert_ok(qmtcnn_context_create(model, NULL, &context, &error), &error);
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        const qmtcnn_face *faces = (const qmtcnn_face *)pixels;
        size_t count = 1;
        error = (qmtcnn_error){0};
        if (qmtcnn_detect(context, &views[i], &faces, &count, &error) != QMTCNN_ERROR_ARGUMENT)
            fail_msg("view %zu was not refused: %s", i, error.message);
        assert_true(!faces && count == 0 && error.message[0]);
    }
    qmtcnn_context_free(context);
    qmtcnn_model_close(model);
}

int main(int argc, char **argv)
{
    struct settings settings = {.rounds = 300, .seed = 1, .size = 700};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--rounds") == 0) {
            settings.rounds = strtol(argv[i + 1], NULL, 10);
            settings.size = 5000;
        } else if (strcmp(argv[i], "--seed") == 0) {
            settings.seed = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--size") == 0) {
            settings.size = atoi(argv[i + 1]);
        }
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(random_pictures, &settings),
                                       cmocka_unit_test(impossible_pictures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
