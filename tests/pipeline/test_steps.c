#define _POSIX_C_SOURCE 200809L /* utimensat */
#include "common/test.h"

#include "toolkit/base/file.h"
#include "toolkit/pipeline/data_key.h"
#include "toolkit/pipeline/steps.h"

#include <fcntl.h>
#include <sys/stat.h>

static const char config[] =
    "run:\n  seed: 1\ndata:\n  dir: x\ntrain:\n  epochs: 3\n  pnet:\n    epochs: 4\nexport:\n  opset: 13\n";
static const char other_train[] =
    "run:\n  seed: 1\ndata:\n  dir: x\ntrain:\n  epochs: 3\n  pnet:\n    epochs: 5\nexport:\n  opset: 13\n";

static void keys_depend_on_their_sections(void **state)
{
    (void)state;
    qmt_steps a = {"", config, 0}, b = {"", other_train, 0};
    assert_true(qmt_step_key(&a, "data", "run,data") == qmt_step_key(&b, "data", "run,data"));
    assert_true(qmt_step_key(&a, "train", "train") != qmt_step_key(&b, "train", "train"));
    /* What comes later depends on what came before. */
    assert_true(qmt_step_key(&a, "export", "export") != qmt_step_key(&b, "export", "export"));
}

static void remembers_what_is_done(void **state)
{
    (void)state;
    qmtcnn_error error;
    char *folder = test_make_folder(), *output = qmt_path_join(folder, "out");
    qmt_steps steps = {folder, config, 0};
    uint64_t key = qmt_step_key(&steps, "train", "train");
    assert_false(qmt_step_done(&steps, "train", key, "out"));
    assert_ok(qmt_step_finish(&steps, "train", key, 1.5, &error), &error);
    assert_false(qmt_step_done(&steps, "train", key, "out")); /* its output was removed */
    assert_ok(qmt_file_write(output, "x", 1, &error), &error);
    assert_true(qmt_step_done(&steps, "train", key, "out"));
    assert_false(qmt_step_done(&steps, "train", key + 1, "out"));
    assert_true(qmt_step_seconds(&steps, "train") == 1.5);
    assert_true(qmt_step_seconds(&steps, "never") == -1);
    qmt_free(output);
    test_remove_folder(folder);
}

static void only_the_same_settings_resume(void **state)
{
    (void)state;
    qmtcnn_error error;
    char *folder = test_make_folder();
    qmt_steps steps = {folder, config, 0};
    assert_false(qmt_step_was_started(&steps, "train", 7));
    assert_ok(qmt_step_start(&steps, "train", 7, &error), &error);
    assert_true(qmt_step_was_started(&steps, "train", 7));
    assert_false(qmt_step_was_started(&steps, "train", 8));
    assert_ok(qmt_step_start(&steps, "train", 8, &error), &error);
    assert_false(qmt_step_was_started(&steps, "train", 7));
    assert_false(qmt_step_done(&steps, "train", 8, "steps"));
    test_remove_folder(folder);
}

static void damaged_state_runs_again(void **state)
{
    (void)state;
    qmtcnn_error error;
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "steps/train.json");
    qmt_steps steps = {folder, config, 0};
    assert_ok(qmt_file_write(path, "{\"key\": 7", 9, &error), &error);
    assert_false(qmt_step_done(&steps, "train", 7, "steps/train.json"));
    assert_true(qmt_step_seconds(&steps, "train") == -1);
    qmt_free(path);
    test_remove_folder(folder);
}

static uint64_t key_of(const char *folder)
{
    qmt_config settings;
    qmtcnn_error error;
    uint64_t key = 0;
    qmt_config_default(&settings);
    assert_ok(qmt_data_key(&settings.data, folder, "train", &key, &error), &error);
    return key;
}

/* The key of a data set whose picture has `size` bytes, the one at `at` changed. */
static uint64_t key_with(const char *folder, const char *picture, size_t size, size_t at)
{
    static uint8_t bytes[20000];
    qmtcnn_error error;
    assert_true(size <= sizeof bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256 + (i == at));
    assert_ok(qmt_file_write(picture, bytes, size, &error), &error);
    return key_of(folder);
}

/* Other labels, another size or other bytes at either end of a picture: each gives another key, and times do not. */
static void the_data_has_a_key(void **state)
{
    (void)state;
    qmtcnn_error error;
    static const char one[] = "a.jpg\n1\n1 2 30 40 0 0 0 0 0 0\n", other[] = "a.jpg\n1\n1 2 30 41 0 0 0 0 0 0\n";
    enum { none = 1 << 20 };
    char *folder = test_make_folder(), *picture = qmt_path_join(folder, "WIDER_train/images/a.jpg");
    char *list = qmt_path_join(folder, "wider_face_split/wider_face_train_bbx_gt.txt");
    const struct timespec times[2] = {{1000, 5}, {1000, 5}};
    assert_ok(qmt_file_write(list, one, sizeof one - 1, &error), &error);
    const uint64_t missing = key_of(folder);
    static const size_t sizes[] = {0, 2, 4095, 4096, 4097, 8191, 8192, 20000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t size = sizes[i];
        const uint64_t first = key_with(folder, picture, size, none);
        assert_true(first != missing);
        assert_int_equal(utimensat(AT_FDCWD, picture, times, 0), 0);
        assert_true(first == key_of(folder));
        assert_ok(qmt_file_write(list, other, sizeof other - 1, &error), &error);
        assert_true(first != key_of(folder));
        assert_ok(qmt_file_write(list, one, sizeof one - 1, &error), &error);
        assert_true(first == key_with(folder, picture, size, none));
        assert_true(first != key_with(folder, picture, size + (size < 20000 ? 1 : (size_t)-1), none));
        assert_true(size == 0 || (first != key_with(folder, picture, size, 0) &&
                                  first != key_with(folder, picture, size, size - 1) &&
                                  first != key_with(folder, picture, size, size / 2 < 4096 ? size / 2 : 4095)));
    }
    qmt_free(list);
    qmt_free(picture);
    test_remove_folder(folder);
}

static void later_steps_depend_on_the_data(void **state)
{
    (void)state;
    qmt_steps a = {"", config, 0}, b = {"", config, 0};
    assert_true(qmt_step_key(&a, "synth", "data") == qmt_step_key(&b, "synth", "data"));
    qmt_step_mix(&a, 1);
    qmt_step_mix(&b, 2);
    assert_true(qmt_step_key(&a, "prepare", "data") != qmt_step_key(&b, "prepare", "data"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_depend_on_their_sections),
        cmocka_unit_test(remembers_what_is_done),
        cmocka_unit_test(only_the_same_settings_resume),
        cmocka_unit_test(damaged_state_runs_again),
        cmocka_unit_test(the_data_has_a_key),
        cmocka_unit_test(later_steps_depend_on_the_data),
    };
    return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
