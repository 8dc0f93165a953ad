#include "common/test.h"
#include "toolkit/base/file.h"
#include "toolkit/base/random.h"
#include "toolkit/image/exif.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

/* A smooth picture, so that JPEG changes it little. */
static qmt_image make_picture(int width, int height)
{
    qmt_image image;
    qmtcnn_error error;
    assert_ok(qmt_image_create(width, height, &image, &error), &error);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint8_t *p = image.data + ((size_t)y * (size_t)width + (size_t)x) * 3;
            p[0] = (uint8_t)(x * 255 / width);
            p[1] = (uint8_t)(y * 255 / height);
            p[2] = (uint8_t)(128 + (x - y) * 60 / (width + height));
        }
    }
    return image;
}

static int largest_difference(const qmt_image *a, const qmt_image *b)
{
    int largest = 0;
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (size_t i = 0; i < (size_t)a->width * (size_t)a->height * 3; i++)
        largest = abs(a->data[i] - b->data[i]) > largest ? abs(a->data[i] - b->data[i]) : largest;
    return largest;
}

static void test_png_keeps_every_pixel(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_image image = make_picture(37, 23), back;
    void *data;
    size_t size;
    int width, height;
    assert_ok(qmt_image_encode_png(&image, &data, &size, &error), &error);
    assert_ok(qmt_image_decode(data, size, "a.png", QMT_UPRIGHT, &back, &error), &error);
    assert_int_equal(largest_difference(&image, &back), 0);
    assert_ok(qmt_image_decode_size(data, size, "a.png", &width, &height, &error), &error);
    assert_int_equal(width, 37);
    assert_int_equal(height, 23);
    qmt_free(data);
    qmt_image_clear(&image);
    qmt_image_clear(&back);
}

static void test_jpeg_keeps_the_picture(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_image image = make_picture(80, 61), back;
    void *data, *small;
    size_t size, small_size;
    assert_ok(qmt_image_encode_jpeg(&image, 95, &data, &size, &error), &error);
    assert_ok(qmt_image_decode(data, size, "a.jpg", QMT_UPRIGHT, &back, &error), &error);
    assert_in_range(largest_difference(&image, &back), 0, 12);
    assert_ok(qmt_image_encode_jpeg(&image, 20, &small, &small_size, &error), &error);
    assert_true(small_size < size);
    qmt_free(small);
    assert_int_equal(qmt_image_encode_jpeg(&image, 101, &small, &small_size, &error), QMTCNN_ERROR_ARGUMENT);
    assert_null(small);
    qmt_free(data);
    qmt_image_clear(&image);
    qmt_image_clear(&back);
}

/* Writes any kind of PNG with libpng itself. */
static void write_png(const char *path, int type, int depth, int interlace, const png_bytep *rows, png_uint_32 width,
                      png_uint_32 height, bool transparent)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, file);
    png_set_IHDR(png, info, width, height, depth, type, interlace, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        const png_color palette[3] = {{200, 10, 20}, {0, 255, 0}, {40, 50, 60}};
        const png_byte alpha[2] = {255, 0};
        png_set_PLTE(png, info, palette, 3);
        if (transparent)
            png_set_tRNS(png, info, alpha, 2, NULL);
    }
    png_set_rows(png, info, (png_bytepp)(uintptr_t)rows);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(file);
}

static void expect_pixels(const char *path, const uint8_t *expected, int width, int height)
{
    qmtcnn_error error;
    qmt_image image;
    assert_ok(qmt_image_read(path, QMT_UPRIGHT, &image, &error), &error);
    assert_int_equal(image.width, width);
    assert_int_equal(image.height, height);
    assert_memory_equal(image.data, expected, (size_t)width * (size_t)height * 3);
    qmt_image_clear(&image);
}

static void test_png_kinds(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    char *path = qmt_path_join(folder, "a.png");
    png_byte gray[4] = {0x00, 0x10, 0xff, 0xfe}; /* 16 bits: 16, 65534 */
    png_byte rgba[8] = {100, 200, 50, 255, 100, 200, 50, 128}, bits[1] = {0x40}, index[3] = {0, 1, 2};
    png_bytep row = gray;
    write_png(path, PNG_COLOR_TYPE_GRAY, 16, PNG_INTERLACE_NONE, &row, 2, 1, false);
    expect_pixels(path, (const uint8_t[]){0, 0, 0, 255, 255, 255}, 2, 1);
    row = rgba; /* over black: 128 / 255 of each channel */
    write_png(path, PNG_COLOR_TYPE_RGB_ALPHA, 8, PNG_INTERLACE_NONE, &row, 2, 1, false);
    expect_pixels(path, (const uint8_t[]){100, 200, 50, 50, 100, 25}, 2, 1);
    row = bits;
    write_png(path, PNG_COLOR_TYPE_GRAY, 1, PNG_INTERLACE_NONE, &row, 2, 1, false);
    expect_pixels(path, (const uint8_t[]){0, 0, 0, 255, 255, 255}, 2, 1);
    row = index;
    write_png(path, PNG_COLOR_TYPE_PALETTE, 8, PNG_INTERLACE_NONE, &row, 3, 1, false);
    expect_pixels(path, (const uint8_t[]){200, 10, 20, 0, 255, 0, 40, 50, 60}, 3, 1);
    write_png(path, PNG_COLOR_TYPE_PALETTE, 8, PNG_INTERLACE_NONE, &row, 3, 1, true);
    expect_pixels(path, (const uint8_t[]){200, 10, 20, 0, 0, 0, 40, 50, 60}, 3, 1);
    qmt_free(path);
    test_remove_folder(folder);
}

static void test_png_interlaced(void **state)
{
    (void)state;
    enum { side = 19 };
    char *folder = test_make_folder();
    char *path = qmt_path_join(folder, "a.png");
    qmt_image image = make_picture(side, side);
    png_bytep rows[side];
    for (int y = 0; y < side; y++)
        rows[y] = image.data + (size_t)y * side * 3;
    write_png(path, PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_ADAM7, rows, side, side, false);
    expect_pixels(path, image.data, side, side);
    qmt_image_clear(&image);
    qmt_free(path);
    test_remove_folder(folder);
}

/* One plain color in any of libjpeg's color spaces. The caller frees with free(). */
static unsigned char *plain_jpeg(J_COLOR_SPACE space, const JSAMPLE *color, int components, unsigned long *size)
{
    enum { side = 16 };
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    JSAMPLE row[side * 4];
    for (int i = 0; i < side * components; i++)
        row[i] = color[i % components];
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    *size = 0;
    jpeg_mem_dest(&jpeg, &data, size);
    jpeg.image_width = jpeg.image_height = side;
    jpeg.input_components = components;
    jpeg.in_color_space = space == JCS_YCCK ? JCS_CMYK : space;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, space);
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    JSAMPROW rows = row;
    for (int y = 0; y < side; y++)
        jpeg_write_scanlines(&jpeg, &rows, 1);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return data;
}

static void expect_color(J_COLOR_SPACE space, const JSAMPLE *color, int components, const uint8_t *rgb)
{
    unsigned long size;
    qmt_image image;
    qmtcnn_error error;
    unsigned char *data = plain_jpeg(space, color, components, &size);
    assert_ok(qmt_image_decode(data, size, "a.jpg", QMT_AS_STORED, &image, &error), &error);
    for (int c = 0; c < 3; c++)
        assert_in_range(image.data[3 * 40 + c] + 3, rgb[c], rgb[c] + 6);
    qmt_image_clear(&image);
    free(data);
}

static void test_jpeg_color_spaces(void **state)
{
    (void)state;
    expect_color(JCS_GRAYSCALE, (const JSAMPLE[]){77}, 1, (const uint8_t[]){77, 77, 77});
    /* libjpeg writes an Adobe marker, with which 255 is no ink: 200 * 128 / 255 = 100. */
    expect_color(JCS_CMYK, (const JSAMPLE[]){200, 100, 255, 128}, 4, (const uint8_t[]){100, 50, 128});
    expect_color(JCS_YCCK, (const JSAMPLE[]){200, 100, 255, 128}, 4, (const uint8_t[]){100, 50, 128});
}

/* EXIF with one entry, in either byte order. */
static size_t make_exif(uint8_t *out, bool big, unsigned orientation)
{
    static const uint8_t little_end[] = {'E',  'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0,
                                         0x12, 1,   3,   0,   1, 0, 0,   0,   0,  0, 0, 0, 0, 0, 0, 0};
    static const uint8_t big_end[] = {'E', 'x',  'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                                      1,   0x12, 0,   3,   0, 0, 0,   1,   0, 0,  0, 0, 0, 0, 0, 0};
    memcpy(out, big ? big_end : little_end, sizeof big_end);
    out[big ? 25 : 24] = (uint8_t)orientation;
    return sizeof big_end;
}

/* Puts an APP1 segment behind the first two bytes of a JPEG. For qmt_free(). */
static uint8_t *insert_exif(const uint8_t *jpeg, size_t size, const uint8_t *exif, size_t exif_size, size_t *out_size)
{
    *out_size = size + exif_size + 4;
    uint8_t *out = qmt_alloc(*out_size, 1);
    assert_non_null(out);
    memcpy(out, jpeg, 2);
    out[2] = 0xff;
    out[3] = 0xe1;
    out[4] = (uint8_t)((exif_size + 2) >> 8);
    out[5] = (uint8_t)(exif_size + 2);
    memcpy(out + 6, exif, exif_size);
    memcpy(out + 6 + exif_size, jpeg + 2, size - 2);
    return out;
}

static void test_exif_all_orientations(void **state)
{
    (void)state;
    /* Where stored pixel (x, y) of a w x h picture stands upright, written out by hand from EXIF's table. */
    enum { w = 32, h = 16 };
    qmtcnn_error error;
    qmt_image image;
    void *jpeg;
    size_t size;
    assert_ok(qmt_image_create(w, h, &image, &error), &error);
    memset(image.data, 20, (size_t)w * h * 3);
    qmt_draw_box(&image, 2, 1, 3, 2, 3, (qmt_color){250, 250, 250}); /* a spot near the stored upper left */
    assert_ok(qmt_image_encode_jpeg(&image, 100, &jpeg, &size, &error), &error);
    const int spot[9][2] = {{0},    {3, 2},     {w - 4, 2},     {w - 4, h - 3}, {3, h - 3},
                            {2, 3}, {h - 3, 3}, {h - 3, w - 4}, {2, w - 4}};
    for (unsigned orientation = 1; orientation <= 8; orientation++) {
        for (int big = 0; big <= 1; big++) {
            uint8_t exif[64];
            size_t all;
            uint8_t *data = insert_exif(jpeg, size, exif, make_exif(exif, big, orientation), &all);
            qmt_image upright, stored;
            assert_ok(qmt_image_decode(data, all, "a.jpg", QMT_UPRIGHT, &upright, &error), &error);
            assert_ok(qmt_image_decode(data, all, "a.jpg", QMT_AS_STORED, &stored, &error), &error);
            assert_int_equal(upright.width, orientation >= 5 ? h : w);
            assert_int_equal(stored.width, w);
            const uint8_t *p =
                upright.data +
                ((size_t)spot[orientation][1] * (size_t)upright.width + (size_t)spot[orientation][0]) * 3;
            assert_true(p[0] > 180);
            assert_true(stored.data[(2 * w + 3) * 3] > 180);
            qmt_image_clear(&upright);
            qmt_image_clear(&stored);
            qmt_free(data);
        }
    }
    qmt_free(jpeg);
    qmt_image_clear(&image);
}

static void test_exif_hostile(void **state)
{
    (void)state;
    uint8_t exif[64], changed[64];
    qmt_random random = qmt_random_stream(1, 2, 3);
    size_t size = make_exif(exif, true, 6);
    assert_int_equal(qmt_exif_orientation(exif, size), 6);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *exact = qmt_alloc(cut, 1); /* so that a read past the end shows under a sanitizer */
        memcpy(exact, exif, cut);
        assert_in_range(qmt_exif_orientation(exact, cut), 1, 8);
        qmt_free(exact);
    }
    for (int i = 0; i < 2000; i++) {
        memcpy(changed, exif, size);
        for (int k = 0; k < 3; k++)
            changed[6 + qmt_random_below(&random, size - 6)] = (uint8_t)qmt_random_next(&random);
        assert_in_range(qmt_exif_orientation(changed, size), 1, 8);
    }
}

/* Every cut of a file is an error. A cut within the last bytes of a PNG (IEND's checksum) may be read in full. */
static void expect_cuts_to_fail(const uint8_t *data, size_t size, const char *name)
{
    for (size_t cut = 0; cut + 4 < size; cut += cut < 40 ? 1 : 17) {
        qmtcnn_error error = {0};
        qmt_image image;
        uint8_t *exact = qmt_alloc(cut, 1);
        memcpy(exact, data, cut);
        assert_int_equal(qmt_image_decode(exact, cut, name, QMT_UPRIGHT, &image, &error), QMTCNN_ERROR_FORMAT);
        assert_non_null(strstr(error.message, name));
        assert_null(image.data);
        qmt_free(exact);
    }
}

static void mutate(const uint8_t *data, size_t size, const char *name, uint64_t seed)
{
    enum { rounds = 400 };
    uint8_t *changed = qmt_alloc(size, 1);
    qmt_random random = qmt_random_stream(seed, 0, 0);
    int failed = 0;
    for (int i = 0; i < rounds; i++) {
        qmtcnn_error error = {0};
        qmt_image image;
        memcpy(changed, data, size);
        for (uint64_t k = 1 + qmt_random_below(&random, 4); k > 0; k--)
            changed[qmt_random_below(&random, i % 2 ? size : size / 4)] = (uint8_t)qmt_random_next(&random);
        qmtcnn_status status = qmt_image_decode(changed, size, name, QMT_UPRIGHT, &image, &error);
        failed += status != QMTCNN_OK;
        assert_true((status == QMTCNN_OK) == (image.data != NULL));
        if (status != QMTCNN_OK)
            assert_true(error.message[0] != 0);
        qmt_image_clear(&image);
    }
    assert_true(failed > rounds / 20);
    qmt_free(changed);
}

static void test_damaged_files(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_image image = make_picture(64, 48);
    void *jpeg, *png;
    size_t jpeg_size, png_size;
    assert_ok(qmt_image_encode_jpeg(&image, 90, &jpeg, &jpeg_size, &error), &error);
    assert_ok(qmt_image_encode_png(&image, &png, &png_size, &error), &error);
    expect_cuts_to_fail(jpeg, jpeg_size, "cut.jpg");
    expect_cuts_to_fail(png, png_size, "cut.png");
    mutate(jpeg, jpeg_size, "hostile.jpg", 1);
    mutate(png, png_size, "hostile.png", 2);
    qmt_free(jpeg);
    qmt_free(png);
    qmt_image_clear(&image);
}

/* A header that promises far more pixels than the bytes can hold fails before memory is taken. */
static void test_huge_sizes(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_image image = make_picture(16, 16), back;
    void *jpeg;
    size_t size;
    assert_ok(qmt_image_encode_jpeg(&image, 90, &jpeg, &size, &error), &error);
    uint8_t *bytes = jpeg;
    size_t at = 0;
    while (!(bytes[at] == 0xff && bytes[at + 1] == 0xc0))
        at++;
    bytes[at + 5] = bytes[at + 6] = bytes[at + 7] = 0x3f; /* 16191 x 16144 */
    assert_int_equal(qmt_image_decode(jpeg, size, "huge.jpg", QMT_UPRIGHT, &back, &error), QMTCNN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "can't hold"));
    assert_int_equal(qmt_image_create(65535, 65535, &back, &error), QMTCNN_ERROR_UNSUPPORTED);
    assert_int_equal(qmt_image_create(0, 5, &back, &error), QMTCNN_ERROR_UNSUPPORTED);
    qmt_free(jpeg);
    qmt_image_clear(&image);
}

static void test_files(void **state)
{
    (void)state;
    qmtcnn_error error;
    char *folder = test_make_folder();
    char *jpg = qmt_path_join(folder, "a.JPG"), *gif = qmt_path_join(folder, "a.gif"),
         *none = qmt_path_join(folder, "no.png");
    qmt_image image = make_picture(20, 10), back;
    int width, height;
    assert_ok(qmt_image_write(&image, jpg, &error), &error);
    assert_ok(qmt_image_read_size(jpg, &width, &height, &error), &error);
    assert_int_equal(width, 20);
    assert_int_equal(height, 10);
    assert_int_equal(qmt_image_write(&image, gif, &error), QMTCNN_ERROR_ARGUMENT);
    assert_int_equal(qmt_image_read(none, QMT_UPRIGHT, &back, &error), QMTCNN_ERROR_IO);
    assert_ok(qmt_file_write(gif, "GIF89a....", 10, &error), &error);
    assert_int_equal(qmt_image_read(gif, QMT_UPRIGHT, &back, &error), QMTCNN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, gif));
    qmt_image_clear(&image);
    qmt_free(jpg);
    qmt_free(gif);
    qmt_free(none);
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png_keeps_every_pixel),
        cmocka_unit_test(test_jpeg_keeps_the_picture),
        cmocka_unit_test(test_png_kinds),
        cmocka_unit_test(test_png_interlaced),
        cmocka_unit_test(test_jpeg_color_spaces),
        cmocka_unit_test(test_exif_all_orientations),
        cmocka_unit_test(test_exif_hostile),
        cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_huge_sizes),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
