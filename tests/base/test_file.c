#include "common/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "toolkit/base/file.h"

static void appears_whole(void **state)
{
    (void)state;
    qmtcnn_error error;
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "a/b/file.txt");
    qmt_writer *writer;
    assert_ok(qmt_writer_open(path, &writer, &error), &error);
    assert_ok(qmt_writer_write(writer, "hello ", 6, &error), &error);
    assert_ok(qmt_writer_print(writer, &error, "%d", 42), &error);
    assert_false(qmt_file_exists(path));
    assert_ok(qmt_writer_commit(writer, &error), &error);
    void *data;
    size_t size;
    assert_ok(qmt_file_read(path, 100, &data, &size, &error), &error);
    assert_int_equal(size, 8);
    assert_string_equal(data, "hello 42");
    qmt_free(data);
    assert_int_equal(qmt_file_read(path, 7, &data, &size, &error), QMTCNN_ERROR_FORMAT);
    assert_null(data);
    qmt_free(path);
    test_remove_folder(folder);
}

static void abandoned_leaves_nothing(void **state)
{
    (void)state;
    qmtcnn_error error;
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "kept"), **names;
    size_t count;
    qmt_writer *writer;
    assert_ok(qmt_file_write(path, "old", 3, &error), &error);
    assert_ok(qmt_writer_open(path, &writer, &error), &error);
    assert_ok(qmt_writer_write(writer, "new", 3, &error), &error);
    qmt_writer_abandon(writer);
    assert_ok(qmt_folder_list(folder, &names, &count, &error), &error);
    assert_int_equal(count, 1);
    assert_string_equal(names[0], "kept");
    qmt_names_free(names, count);
    qmt_mapping mapping;
    assert_ok(qmt_file_map(path, &mapping, &error), &error);
    assert_int_equal(mapping.size, 3);
    assert_memory_equal(mapping.data, "old", 3);
    qmt_file_unmap(&mapping);
    qmt_free(path);
    test_remove_folder(folder);
}

/* A link stays, and what it leads to is written; a device is written as it is. */
static void links_and_devices_stay(void **state)
{
    (void)state;
    qmtcnn_error error;
    void *data;
    size_t size;
    char *folder = test_make_folder(), *file = qmt_path_join(folder, "file"), *link = qmt_path_join(folder, "link");
    struct stat info;
    assert_ok(qmt_file_write(file, "old", 3, &error), &error);
    assert_int_equal(symlink("file", link), 0);
    assert_true(qmt_is_same_file(file, link));
    assert_ok(qmt_file_write(link, "newer", 5, &error), &error);
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_ok(qmt_file_read(file, 10, &data, &size, &error), &error);
    assert_int_equal(size, 5);
    qmt_free(data);
    assert_false(qmt_is_same_file(file, folder));
    assert_false(qmt_is_same_file("/nowhere/at-all", file));
    char *pipe = qmt_path_join(folder, "pipe");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    int reader = open(pipe, O_RDONLY | O_NONBLOCK);
    char got[8] = "";
    assert_true(reader >= 0);
    assert_ok(qmt_file_write(pipe, "text", 4, &error), &error);
    assert_int_equal(read(reader, got, sizeof got), 4);
    assert_string_equal(got, "text");
    assert_int_equal(lstat(pipe, &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
    close(reader);
    qmt_free(pipe);
    qmt_free(link);
    qmt_free(file);
    test_remove_folder(folder);
}

static void last_names_of_paths(void **state)
{
    (void)state;
    static const char *const paths[][2] = {{"/pictures/data/", "data"},  {"data", "data"}, {"./data//", "data"},
                                           {"C:\\data\\wider", "wider"}, {"/", ""},        {"", ""}};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char path[32];
        snprintf(path, sizeof path, "%s", paths[i][0]);
        qmt_path_keep_name(path);
        assert_string_equal(path, paths[i][1]);
    }
}

static void failures_name_the_file(void **state)
{
    (void)state;
    qmtcnn_error error;
    void *data;
    size_t size;
    char *folder = test_make_folder();
    assert_int_equal(qmt_file_read("/nowhere/at-all", 10, &data, &size, &error), QMTCNN_ERROR_IO);
    assert_non_null(strstr(error.message, "/nowhere/at-all"));
    assert_int_equal(qmt_file_read(folder, 10, &data, &size, &error), QMTCNN_ERROR_IO);
    assert_non_null(strstr(error.message, "is not a file"));
    char *file = qmt_path_join(folder, "file"), *below = qmt_path_join(file, "below");
    assert_ok(qmt_file_write(file, "", 0, &error), &error);
    assert_int_equal(qmt_file_write(below, "x", 1, &error), QMTCNN_ERROR_IO);
    qmt_free(below);
    qmt_free(file);
    test_remove_folder(folder);
}

static void full_disk_is_reported(void **state)
{
    (void)state;
    qmtcnn_error error;
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        skip();
    fclose(full);
    /* /dev/full can't be renamed over, but a write through the writer's stream shows how the error travels. */
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "file");
    qmt_writer *writer;
    assert_ok(qmt_writer_open(path, &writer, &error), &error);
    assert_non_null(freopen("/dev/full", "w", qmt_writer_stream(writer)));
    assert_ok(qmt_writer_write(writer, "x", 1, &error), &error);
    assert_int_equal(qmt_writer_commit(writer, &error), QMTCNN_ERROR_IO);
    assert_non_null(strstr(error.message, path));
    assert_false(qmt_file_exists(path));
    qmt_free(path);
    test_remove_folder(folder);
}

static void hashes_known_text(void **state)
{
    (void)state;
    /* XXH3_64bits of nothing, from the specification's test vectors. */
    assert_true(qmt_hash("", 0) == 0x2d06800538d394c2u);
    assert_true(qmt_hash("a", 1) != qmt_hash("b", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appears_whole),          cmocka_unit_test(abandoned_leaves_nothing),
        cmocka_unit_test(last_names_of_paths),    cmocka_unit_test(links_and_devices_stay),
        cmocka_unit_test(failures_name_the_file), cmocka_unit_test(full_disk_is_reported),
        cmocka_unit_test(hashes_known_text),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
