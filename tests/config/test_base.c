/* "base: FILE": settings of another file come first. */
#include "common/test.h"

#include "toolkit/base/file.h"
#include "toolkit/config/config.h"

#include <string.h>

static qmtcnn_status read_as(const char *folder, const char *name, qmt_config *config, qmtcnn_error *error)
{
    char *path = qmt_path_join(folder, name);
    assert_non_null(path);
    qmt_config_default(config);
    qmtcnn_status status = qmt_config_read(path, config, error);
    qmt_free(path);
    return status;
}

static void write(const char *folder, const char *name, const char *text)
{
    qmtcnn_error error;
    char *path = qmt_path_join(folder, name);
    assert_non_null(path);
    assert_ok(qmt_file_write(path, text, strlen(text), &error), &error);
    qmt_free(path);
}

/* Wherever it stands, the base's settings come first, each file's general values before its networks'. */
static void test_settings_of_the_base_come_first(void **state)
{
    (void)state;
    qmt_config config;
    qmtcnn_error error;
    char *folder = test_make_folder();
    write(folder, "first.yaml", "run: {seed: 7}\ntrain: {epochs: 3, onet: {epochs: 5}}\naugment: {blur: 0.5}\n");
    write(folder, "inner/second.yaml", "augment: {blur: 0.25}\nbase: ../first.yaml\n");
    write(folder, "inner/third.yaml", "base: second.yaml\ntrain: {epochs: 9, rnet: {epochs: 2}}\n");
    assert_ok(read_as(folder, "inner/third.yaml", &config, &error), &error);
    assert_int_equal(config.run.seed, 7);
    assert_float_equal(config.augment.blur, 0.25f, 0);
    assert_int_equal(config.train[QMT_PNET].epochs, 9);
    assert_int_equal(config.train[QMT_RNET].epochs, 2);
    assert_int_equal(config.train[QMT_ONET].epochs, 9);
    assert_ok(read_as(folder, "inner/second.yaml", &config, &error), &error);
    assert_int_equal(config.train[QMT_ONET].epochs, 5);
    char *path = qmt_path_join(folder, "inner/third.yaml"), *text = qmt_format("base: %s\n", path);
    write(folder, "fourth.yaml", text); /* by a whole path */
    write(folder, "fifth.yaml", "base: fourth.yaml\n");
    write(folder, "sixth.yaml", "base: fifth.yaml\n");
    assert_ok(read_as(folder, "fifth.yaml", &config, &error), &error); /* four bases in a row */
    assert_int_equal(config.run.seed, 7);
    assert_int_equal(read_as(folder, "sixth.yaml", &config, &error), QMTCNN_ERROR_FORMAT);
    qmt_free(text);
    qmt_free(path);
    test_remove_folder(folder);
}

static void refuse(const char *folder, const char *name, qmtcnn_status expected, const char *part)
{
    qmt_config config, before;
    qmtcnn_error error;
    qmt_config_default(&before);
    assert_int_equal(read_as(folder, name, &config, &error), expected);
    if (!strstr(error.message, part))
        fail_msg("'%s' lacks '%s'", error.message, part);
    assert_memory_equal(&config, &before, sizeof config);
}

static void test_bases_that_are_none(void **state)
{
    (void)state;
    qmt_config config;
    qmtcnn_error error;
    char *folder = test_make_folder();
    write(folder, "gone.yaml", "base: nowhere.yaml\n");
    write(folder, "list.yaml", "base: [a.yaml]\n");
    write(folder, "empty.yaml", "base:\n");
    write(folder, "self.yaml", "base: self.yaml\n");
    write(folder, "twice.yaml", "base: good.yaml\nbase: good.yaml\n");
    write(folder, "good.yaml", "run: {seed: 1}\n");
    write(folder, "wrong.yaml", "run: {sed: 1}\n");
    write(folder, "on_wrong.yaml", "run: {seed: 3}\nbase: wrong.yaml\n");
    refuse(folder, "gone.yaml", QMTCNN_ERROR_IO, "gone.yaml:1:7");
    refuse(folder, "gone.yaml", QMTCNN_ERROR_IO, "nowhere.yaml");
    refuse(folder, "list.yaml", QMTCNN_ERROR_FORMAT, "list.yaml:1:7");
    refuse(folder, "empty.yaml", QMTCNN_ERROR_FORMAT, "'base' takes the name of a file");
    refuse(folder, "self.yaml", QMTCNN_ERROR_FORMAT, "over 4 files");
    refuse(folder, "twice.yaml", QMTCNN_ERROR_FORMAT, "second time");
    refuse(folder, "on_wrong.yaml", QMTCNN_ERROR_FORMAT, "wrong.yaml:1:7");
    qmt_config_default(&config);
    assert_int_equal(qmt_config_parse("base: good.yaml\n", 16, "memory", &config, &error), QMTCNN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "'base' is for files"));
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_settings_of_the_base_come_first),
                                       cmocka_unit_test(test_bases_that_are_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
