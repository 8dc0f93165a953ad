#include "common/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "toolkit/base/random.h"
#include "toolkit/base/safetensors.h"

static void write_example(const char *path)
{
    qmtcnn_error error;
    qmt_tensors_writer *writer;
    static const float weights[6] = {1, 2, 3, 4, 5, 6.5f};
    static const uint8_t bytes[3] = {7, 8, 9};
    assert_ok(qmt_tensors_writer_create(&writer, &error), &error);
    assert_ok(qmt_tensors_add(writer, "w", QMT_F32, 2, (size_t[]){2, 3}, weights, &error), &error);
    assert_ok(qmt_tensors_add(writer, "b", QMT_U8, 1, (size_t[]){3}, bytes, &error), &error);
    assert_ok(qmt_tensors_add(writer, "empty", QMT_I64, 1, (size_t[]){0}, NULL, &error), &error);
    assert_ok(qmt_tensors_add_metadata(writer, "net", "pnet", &error), &error);
    assert_ok(qmt_tensors_write(writer, path, &error), &error);
    qmt_tensors_writer_free(writer);
}

static void reads_what_it_wrote(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_tensors_file *file;
    const void *data;
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "t.safetensors");
    write_example(path);
    assert_ok(qmt_tensors_open(path, &file, &error), &error);
    assert_int_equal(qmt_tensors_count(file), 3);
    assert_ok(qmt_tensors_get(file, "w", QMT_F32, 2, (size_t[]){2, 3}, &data, &error), &error);
    assert_true(((const float *)data)[5] == 6.5f);
    assert_int_equal((uintptr_t)data % 64, 0);
    assert_string_equal(qmt_tensors_metadata(file, "net"), "pnet");
    assert_null(qmt_tensors_metadata(file, "other"));
    assert_int_equal(qmt_tensors_get(file, "w", QMT_F32, 2, (size_t[]){3, 2}, &data, &error), QMTCNN_ERROR_FORMAT);
    assert_int_equal(qmt_tensors_get(file, "x", QMT_F32, 2, (size_t[]){3, 2}, &data, &error), QMTCNN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "no tensor 'x'"));
    qmt_tensors_close(file);
    qmt_free(path);
    test_remove_folder(folder);
}

static void refuses_two_of_one_name(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_tensors_writer *writer;
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "t.safetensors");
    assert_ok(qmt_tensors_writer_create(&writer, &error), &error);
    assert_ok(qmt_tensors_add(writer, "a", QMT_U8, 1, (size_t[]){1}, "x", &error), &error);
    assert_ok(qmt_tensors_add(writer, "a", QMT_U8, 1, (size_t[]){1}, "y", &error), &error);
    assert_int_equal(qmt_tensors_write(writer, path, &error), QMTCNN_ERROR_ARGUMENT);
    assert_false(qmt_file_exists(path));
    qmt_tensors_writer_free(writer);
    qmt_free(path);
    test_remove_folder(folder);
}

/* Writes a file with this header before 64 bytes of data and expects it to be refused with `reason` in the message. */
static void expect_refused(const char *path, const char *header, const char *reason)
{
    qmtcnn_error error;
    qmt_tensors_file *file;
    uint8_t bytes[1024] = {0};
    size_t length = strlen(header);
    bytes[0] = (uint8_t)length;
    bytes[1] = (uint8_t)(length >> 8);
    memcpy(bytes + 8, header, length);
    assert_ok(qmt_file_write(path, bytes, 8 + length + 64, &error), &error);
    assert_int_equal(qmt_tensors_open(path, &file, &error), QMTCNN_ERROR_FORMAT);
    assert_null(file);
    if (!strstr(error.message, reason))
        fail_msg("'%s' lacks '%s'", error.message, reason);
}

static void refuses_hostile_headers(void **state)
{
    (void)state;
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "t.safetensors");
    expect_refused(path, "[]", "not JSON");
    expect_refused(path, "{\"a\":", "not JSON");
    expect_refused(path, "{\"a\":{\"dtype\":\"X9\",\"shape\":[1],\"data_offsets\":[0,1]}}", "type");
    expect_refused(path, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", "dimensions");
    expect_refused(path, "{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", "bad shape");
    expect_refused(path, "{\"a\":{\"dtype\":\"U8\",\"shape\":[65],\"data_offsets\":[0,65]}}", "outside");
    expect_refused(path, "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[5,2]}}", "outside");
    expect_refused(path, "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,11]}}", "fit its shape");
    expect_refused(path, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}", "aligned");
    expect_refused(path, "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}",
                   "shape");
    expect_refused(path,
                   "{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]},"
                   "\"b\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[4,12]}}",
                   "overlaps");
    qmt_free(path);
    test_remove_folder(folder);
}

static void survives_mutations(void **state)
{
    (void)state;
    qmtcnn_error error;
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "t.safetensors");
    uint8_t *whole;
    size_t size;
    write_example(path);
    assert_ok(qmt_file_read(path, 1 << 20, (void **)&whole, &size, &error), &error);
    qmt_random random = qmt_random_stream(1, 2, 3);
    uint8_t *bytes = malloc(size);
    for (int i = 0; i < 500; i++) {
        qmt_tensors_file *file;
        memcpy(bytes, whole, size);
        size_t length = i % 3 ? size : qmt_random_below(&random, size);
        for (int k = 0; k < i % 4; k++)
            bytes[qmt_random_below(&random, size)] = (uint8_t)qmt_random_next(&random);
        assert_ok(qmt_file_write(path, bytes, length, &error), &error);
        if (qmt_tensors_open(path, &file, &error) == QMTCNN_OK)
            qmt_tensors_close(file);
    }
    free(bytes);
    qmt_free(whole);
    qmt_free(path);
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(refuses_two_of_one_name),
        cmocka_unit_test(refuses_hostile_headers),
        cmocka_unit_test(survives_mutations),
    };
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
