#include "common/test.h"

#include "toolkit/base/file.h"
#include "toolkit/pipeline/steps.h"

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
    bool again = true;
    char *folder = test_make_folder();
    qmt_steps steps = {folder, config, 0};
    assert_ok(qmt_step_start(&steps, "train", 7, &again, &error), &error);
    assert_false(again);
    assert_ok(qmt_step_start(&steps, "train", 7, &again, &error), &error);
    assert_true(again);
    assert_ok(qmt_step_start(&steps, "train", 8, &again, &error), &error);
    assert_false(again);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_depend_on_their_sections),
        cmocka_unit_test(remembers_what_is_done),
        cmocka_unit_test(only_the_same_settings_resume),
        cmocka_unit_test(damaged_state_runs_again),
    };
    return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
