/* Which settings differ, which checkpoints stay, which one is taken, and the history. */
#include "common/test.h"

#include "toolkit/train/checkpoint.h"
#include "toolkit/train/history.h"

#include <math.h>
#include <string.h>

static void check_difference(const char *a, const char *b, const char *except, const char *expected)
{
    char *key = qmt_config_difference(a, b, except);
    if (expected)
        assert_non_null(key);
    else
        assert_null(key);
    if (expected)
        assert_string_equal(key, expected);
    qmt_free(key);
}

static void differences_are_named(void **state)
{
    (void)state;
    const char *text = "run:\n  seed: 1\ntrain:\n  epochs: 10\n  pnet:\n    batch: 512\n  rate: 0.1\n";
    check_difference(text, text, NULL, NULL);
    check_difference(text, "run:\n  seed: 2\ntrain:\n  epochs: 10\n  pnet:\n    batch: 512\n  rate: 0.1\n", NULL,
                     "run.seed");
    check_difference(text, "run:\n  seed: 1\ntrain:\n  epochs: 10\n  pnet:\n    batch: 256\n  rate: 0.1\n", NULL,
                     "train.pnet.batch");
    check_difference(text, "run:\n  seed: 1\ntrain:\n  epochs: 12\n  pnet:\n    batch: 512\n  rate: 0.2\n",
                     "train.epochs", "train.rate");
    check_difference(text, "run:\n  seed: 1\ntrain:\n  epochs: 12\n  pnet:\n    batch: 512\n  rate: 0.1\n",
                     "train.epochs", NULL);
    check_difference(text, "run:\n  seed: 1\ntrain:\n  epochs: 10\n  pnet:\n    batch: 512\n", NULL, "train.rate");
    check_difference("", text, NULL, "run");
}

static void only_what_matters_is_compared(void **state)
{
    (void)state;
    qmt_config config;
    qmt_config_default(&config);
    char *before = qmt_training_config_text(&config, QMT_RNET, 3);
    assert_non_null(strstr(before, "train:\n"));
    assert_null(strstr(before, "calibrate:\n")); /* another program's default of it is no difference */
    config.run.threads = 7;
    config.train[QMT_PNET].learning_rate = 0.5f;
    config.train[QMT_RNET].log_steps = 1;
    config.train[QMT_RNET].keep_checkpoints = 9;
    config.train[QMT_RNET].checkpoint_seconds = 1;
    strcpy(config.run.workdir, "elsewhere");
    char *after = qmt_training_config_text(&config, QMT_RNET, 3);
    check_difference(before, after, NULL, NULL);
    qmt_free(after);
    config.train[QMT_RNET].learning_rate = 0.5f;
    after = qmt_training_config_text(&config, QMT_RNET, 3);
    check_difference(before, after, NULL, "train.learning_rate");
    qmt_free(after);
    qmt_free(before);
}

static void touch(const char *folder, const char *name)
{
    qmtcnn_error error;
    char *path = qmt_path_join(folder, name);
    assert_ok(qmt_file_write(path, "x", 1, &error), &error);
    qmt_free(path);
}

static bool has(const char *folder, const char *name)
{
    char *path = qmt_path_join(folder, name);
    bool there = qmt_file_exists(path);
    qmt_free(path);
    return there;
}

/* Epochs of 10 steps, the last 2 epochs' ends stay, and the newest. */
static void old_checkpoints_go(void **state)
{
    (void)state;
    qmtcnn_error error;
    char *folder = test_make_folder();
    const char *names[] = {"step-00000007.safetensors", "step-00000010.safetensors",
                           "step-00000020.safetensors", "step-00000025.safetensors",
                           "step-00000030.safetensors", "step-00000033.safetensors",
                           "step-00000038.safetensors", "fp32.safetensors",
                           "step-1.safetensors",        "step-00000010.safetensors.4711.tmp"};
    const bool stay[] = {false, false, true, false, true, false, true, true, true, false};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        touch(folder, names[i]);
    assert_ok(qmt_checkpoint_prune(folder, 10, 2, &error), &error);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(has(folder, names[i]), stay[i]);
    touch(folder, "step-00000040.safetensors");
    assert_ok(qmt_checkpoint_prune(folder, 10, 2, &error), &error);
    assert_false(has(folder, "step-00000038.safetensors"));
    assert_false(has(folder, "step-00000020.safetensors"));
    assert_true(has(folder, "step-00000030.safetensors"));
    assert_true(has(folder, "step-00000040.safetensors"));
    test_remove_folder(folder);
}

static const qmt_origin origin = {"pnet", "train:\n  epochs: 10\n  batch: 64\n", 0xabcu, "{}"};

/* A network, an optimizer that made a step, and a checkpoint of both. */
static void write_one(const char *folder, int64_t step, qmt_net **net, qmt_optimizer **optimizer)
{
    qmtcnn_error error;
    qmt_net_table table = qmt_net_table_for(QMT_PNET, QMT_ACTIVATION_RELU, true);
    qmt_train_config config = {.optimizer = QMT_ADAM, .beta1 = 0.9f, .beta2 = 0.999f};
    assert_ok(qmt_net_create(&table, 3, net, &error), &error);
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(*net, &count);
    assert_ok(qmt_optimizer_create(&config, parameters, count, optimizer, &error), &error);
    qmt_position position = {.step = step,
                             .qat_start = 4,
                             .epochs = 10,
                             .best_epoch = {2, -1},
                             .diverging = 3,
                             .best_score = {0.5, 0},
                             .sums = {1, 2, 3, 4, 5},
                             .average = 6,
                             .lowest = 0.1};
    assert_ok(qmt_checkpoint_write(folder, &origin, &position, *net, *optimizer, &error), &error);
}

static void a_checkpoint_comes_back(void **state)
{
    (void)state;
    qmtcnn_error error;
    char *folder = test_make_folder(), *path = NULL;
    qmt_net *net = NULL;
    qmt_optimizer *optimizer = NULL;
    qmt_position position;
    assert_ok(qmt_checkpoint_newest(folder, &path, &error), &error);
    assert_null(path);
    write_one(folder, 1234, &net, &optimizer);
    touch(folder, "step-00009999.safetensors"); /* damaged: passed over */
    assert_ok(qmt_checkpoint_newest(folder, &path, &error), &error);
    assert_non_null(strstr(path, "/step-00001234.safetensors"));
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(net, &count);
    float kept = parameters[0].value[5];
    parameters[0].value[5] = 99;
    assert_ok(qmt_checkpoint_read(path, &origin, 10, &position, net, optimizer, &error), &error);
    assert_true(parameters[0].value[5] == kept);
    assert_true(position.step == 1234 && position.qat_start == 4 && position.finished == 0 && position.epochs == 10);
    assert_true(position.best_epoch[0] == 2 && position.best_epoch[1] == -1 && position.diverging == 3);
    assert_true(position.best_score[0] == 0.5 && position.average == 6 && position.lowest == 0.1);
    for (int i = 0; i < qmt_loss_sums; i++)
        assert_true(position.sums[i] == i + 1);

    qmt_origin other = origin;
    other.config = "train:\n  epochs: 12\n  batch: 64\n";
    assert_ok(qmt_checkpoint_read(path, &other, 12, &position, net, optimizer, &error), &error);
    assert_int_equal(qmt_checkpoint_read(path, &other, 9, &position, net, optimizer, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "train.epochs"));
    other.config = "train:\n  epochs: 10\n  batch: 32\n";
    assert_int_equal(qmt_checkpoint_read(path, &other, 10, &position, net, optimizer, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "train.batch"));
    other = origin;
    other.samples = 1;
    assert_int_equal(qmt_checkpoint_read(path, &other, 10, &position, net, optimizer, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "samples"));
    other = origin;
    other.net = "rnet";
    assert_int_equal(qmt_checkpoint_read(path, &other, 10, &position, net, optimizer, &error), QMTCNN_ERROR_ARGUMENT);
    qmt_free(path);
    qmt_optimizer_free(optimizer);
    qmt_net_free(net);
    test_remove_folder(folder);
}

/* Every cut of a checkpoint is refused or passed over; nothing crashes. */
static void cut_checkpoints_are_refused(void **state)
{
    (void)state;
    qmtcnn_error error;
    char *folder = test_make_folder(), *path = NULL;
    qmt_net *net = NULL;
    qmt_optimizer *optimizer = NULL;
    void *data = NULL;
    size_t size = 0;
    write_one(folder, 5, &net, &optimizer);
    char *whole = qmt_path_join(folder, "step-00000005.safetensors");
    assert_ok(qmt_file_read(whole, 1 << 26, &data, &size, &error), &error);
    for (size_t cut = 0; cut < size; cut += 1 + size / 50) {
        assert_ok(qmt_file_write(whole, data, cut, &error), &error);
        assert_ok(qmt_checkpoint_newest(folder, &path, &error), &error);
        assert_null(path);
    }
    qmt_free(data);
    qmt_free(whole);
    qmt_optimizer_free(optimizer);
    qmt_net_free(net);
    test_remove_folder(folder);
}

static void older_runs_move_aside(void **state)
{
    (void)state;
    qmtcnn_error error;
    char *base = test_make_folder();
    char *folder = qmt_path_join(base, "pnet"), *first = qmt_path_join(base, "pnet.1"),
         *second = qmt_path_join(base, "pnet.2");
    assert_ok(qmt_checkpoint_set_aside(folder, &error), &error); /* not there */
    for (int i = 0; i < 2; i++) {
        touch(folder, "notes.txt");
        assert_ok(qmt_checkpoint_set_aside(folder, &error), &error); /* no checkpoints */
        assert_true(has(folder, "notes.txt"));
        touch(folder, "step-00000010.safetensors");
        assert_ok(qmt_checkpoint_set_aside(folder, &error), &error);
        assert_false(qmt_folder_exists(folder));
        assert_true(has(i ? second : first, "step-00000010.safetensors"));
    }
    touch(folder, "qat.safetensors"); /* results alone are an older run's, too */
    assert_ok(qmt_checkpoint_set_aside(folder, &error), &error);
    assert_false(qmt_folder_exists(folder));
    qmt_free(second);
    qmt_free(first);
    qmt_free(folder);
    test_remove_folder(base);
}

static void history_is_cut_back(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_history *history = NULL;
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "history.json");
    qmt_figures figures = {.samples = 9, .score = 0.25, .landmark_error = NAN};
    assert_ok(qmt_history_open(folder, "pnet", 0, false, &history, &error), &error);
    for (int64_t i = 0; i < 4; i++) {
        qmt_epoch epoch = {.epoch = i, .step = 10 * i, .qat = i > 1, .total = 2.5, .fp32 = &figures};
        assert_ok(qmt_history_add(history, &epoch, &error), &error);
    }
    assert_ok(qmt_history_set_ptq(history, 1, &figures, &figures, &error), &error);
    assert_ok(qmt_history_set_best(history, false, 1, 0.25, &error), &error);
    qmt_history_free(history);
    assert_ok(qmt_history_open(folder, "pnet", 3, true, &history, &error), &error);
    qmt_epoch again = {.epoch = 3, .qat = true, .total = NAN, .fp32 = &figures, .int8 = &figures};
    assert_ok(qmt_history_add(history, &again, &error), &error);
    qmt_history_free(history);
    json_t *root = json_load_file(path, 0, NULL);
    json_t *list = json_object_get(root, "epochs"), *last = json_array_get(list, 3);
    assert_int_equal(json_array_size(list), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(json_integer_value(json_object_get(json_array_get(list, i), "epoch")), i);
    assert_string_equal(json_string_value(json_object_get(last, "phase")), "qat");
    assert_true(json_is_null(json_object_get(json_object_get(last, "loss"), "total")));
    json_t *int8 = json_object_get(json_object_get(last, "validation"), "int8");
    assert_true(json_real_value(json_object_get(int8, "score")) == 0.25);
    assert_true(json_is_null(json_object_get(int8, "landmark_error")));
    assert_true(json_is_object(json_object_get(root, "ptq")));
    json_decref(root);
    assert_ok(qmt_history_open(folder, "pnet", 0, true, &history, &error),
              &error); /* calibrated before the first epoch */
    assert_ok(qmt_history_add(history, &again, &error), &error);
    qmt_history_free(history);
    root = json_load_file(path, 0, NULL);
    assert_true(json_is_object(json_object_get(root, "ptq")));
    json_decref(root);
    touch(folder, "history.json"); /* damaged: a new one */
    assert_ok(qmt_history_open(folder, "pnet", 3, true, &history, &error), &error);
    assert_ok(qmt_history_add(history, &again, &error), &error);
    qmt_history_free(history);
    root = json_load_file(path, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(root, "epochs")), 1);
    json_decref(root);
    qmt_free(path);
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_named),       cmocka_unit_test(only_what_matters_is_compared),
        cmocka_unit_test(old_checkpoints_go),          cmocka_unit_test(a_checkpoint_comes_back),
        cmocka_unit_test(cut_checkpoints_are_refused), cmocka_unit_test(older_runs_move_aside),
        cmocka_unit_test(history_is_cut_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
