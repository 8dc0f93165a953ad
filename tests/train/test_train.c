/* Whole trainings of P-Net on a small synthetic store: it learns, and ends with the same bytes however it got there. */
#define _DEFAULT_SOURCE /* usleep */
#include "train/synthetic.h"

#include "runtime/model/onnx.h"
#include "toolkit/base/stop.h"
#include "toolkit/train/loop.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct fixture {
    char *folder, *store;
    qmt_config config;
} fixture;

static int set_up(void **state)
{
    const uint32_t counts[qmt_class_count] = {900, 300, 300, 500};
    qmtcnn_error error;
    fixture *made = calloc(1, sizeof *made);
    made->folder = test_make_folder();
    made->store = qmt_path_join(made->folder, "store");
    assert_ok(qmt_folder_make(made->store, &error), &error);
    synthetic_store(made->store, counts);
    qmt_config_default(&made->config);
    qmt_train_config *train = &made->config.train[QMT_PNET];
    train->epochs = 4;
    train->steps_per_epoch = 12;
    train->batch = 64;
    train->warmup_steps = 4;
    train->learning_rate = 0.01f;
    train->holdout = 0.2f;
    train->keep_checkpoints = 2;
    train->log_steps = 5;
    made->config.quantize.start_epoch = 2;
    made->config.quantize.freeze_observers_epoch = 3;
    made->config.quantize.freeze_batch_norm_epoch = 3;
    made->config.quantize.calibration_batches = 3;
    *state = made;
    return 0;
}

static int tear_down(void **state)
{
    fixture *made = *state;
    qmt_free(made->store);
    test_remove_folder(made->folder);
    free(made);
    return 0;
}

/* Trains into FOLDER/NAME. */
static qmtcnn_status train(const fixture *made, const char *name, int threads, bool resume, qmtcnn_error *error)
{
    char checkpoints[512], logs[512];
    snprintf(checkpoints, sizeof checkpoints, "%s/%s", made->folder, name);
    snprintf(logs, sizeof logs, "%s/%s-logs", made->folder, name);
    qmt_train_options options = {.net = QMT_PNET,
                                 .store = made->store,
                                 .checkpoints = checkpoints,
                                 .logs = logs,
                                 .resume = resume,
                                 .threads = threads,
                                 .seed = 7};
    return qmt_train(&made->config, &options, NULL, error);
}

static bool is_checkpoint(const char *name)
{
    return strstr(name, ".safetensors") != NULL;
}

/* Both folders hold checkpoints of the same names and bytes. */
static void assert_same_checkpoints(const fixture *made, const char *a, const char *b)
{
    qmtcnn_error error;
    char **names[2];
    size_t counts[2], at[2] = {0, 0}, compared = 0;
    char folders[2][512];
    for (int i = 0; i < 2; i++) {
        snprintf(folders[i], sizeof folders[i], "%s/%s/pnet", made->folder, i ? b : a);
        assert_ok(qmt_folder_list(folders[i], &names[i], &counts[i], &error), &error);
    }
    for (;; at[0]++, at[1]++, compared++) {
        for (int i = 0; i < 2; i++)
            while (at[i] < counts[i] && !is_checkpoint(names[i][at[i]]))
                at[i]++;
        if (at[0] >= counts[0] || at[1] >= counts[1])
            break;
        assert_string_equal(names[0][at[0]], names[1][at[1]]);
        void *data[2];
        size_t sizes[2];
        for (int i = 0; i < 2; i++) {
            char *path = qmt_path_join(folders[i], names[i][at[i]]);
            assert_ok(qmt_file_read(path, 1 << 26, &data[i], &sizes[i], &error), &error);
            qmt_free(path);
        }
        assert_int_equal(sizes[0], sizes[1]);
        assert_memory_equal(data[0], data[1], sizes[0]);
        qmt_free(data[0]);
        qmt_free(data[1]);
    }
    assert_true(at[0] >= counts[0] && at[1] >= counts[1]);
    assert_int_equal(compared, 5); /* fp32, ptq, qat, and two epochs' ends */
    qmt_names_free(names[0], counts[0]);
    qmt_names_free(names[1], counts[1]);
}

static json_t *read_history(const fixture *made, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/pnet/history.json", made->folder, name);
    json_t *root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    return root;
}

static double number_at(const json_t *root, const char *a, const char *b, const char *c)
{
    json_t *at = json_object_get(root, a);
    at = b ? json_object_get(at, b) : at;
    at = c ? json_object_get(at, c) : at;
    return json_is_number(at) ? json_number_value(at) : (double)NAN;
}

static void it_learns(void **state)
{
    const fixture *made = *state;
    qmtcnn_error error;
    assert_ok(train(made, "whole", 2, false, &error), &error);
    json_t *root = read_history(made, "whole"), *epochs = json_object_get(root, "epochs");
    assert_int_equal(json_array_size(epochs), 4);
    const json_t *first = json_array_get(epochs, 0), *second = json_array_get(epochs, 1),
                 *last = json_array_get(epochs, 3);
    assert_true(number_at(second, "loss", "total", NULL) < 0.5 * number_at(first, "loss", "total", NULL));
    assert_true(number_at(second, "validation", "fp32", "average_precision") > 0.95);
    assert_true(number_at(last, "validation", "int8", "average_precision") > 0.95);
    assert_true(number_at(last, "validation", "int8", "box_iou") > 0.6);
    assert_true(number_at(last, "validation", "int8", "landmark_error") < 0.5);
    assert_true(isnan(number_at(first, "validation", "int8", "score")));
    assert_string_equal(json_string_value(json_object_get(second, "phase")), "fp32");
    assert_string_equal(json_string_value(json_object_get(last, "phase")), "qat");
    const json_t *ptq = json_object_get(root, "ptq");
    assert_true(number_at(ptq, "validation", "int8", "score") > 0.5);
    assert_true(number_at(root, "best", "qat", "score") >= number_at(last, "validation", "int8", "score"));
    json_decref(root);
    char logs[512];
    char **names;
    size_t count;
    snprintf(logs, sizeof logs, "%s/whole-logs/pnet", made->folder);
    assert_ok(qmt_folder_list(logs, &names, &count, &error), &error);
    assert_true(count == 1 && strstr(names[0], "tfevents"));
    qmt_names_free(names, count);
}

static void threads_change_nothing(void **state)
{
    const fixture *made = *state;
    qmtcnn_error error;
    assert_ok(train(made, "one", 1, false, &error), &error);
    assert_ok(train(made, "three", 3, false, &error), &error);
    assert_same_checkpoints(made, "whole", "one");
    assert_same_checkpoints(made, "whole", "three");
}

/* Runs training in a child process, which gets `signal_number` after a while. True: it ended by itself, with status OK.
 */
static bool train_in_child(const fixture *made, const char *name, int signal_number, unsigned microseconds, int *status)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        qmtcnn_error error;
        qmt_stop_watch();
        qmtcnn_status result = train(made, name, 2, true, &error);
        _exit((int)result);
    }
    usleep(microseconds);
    kill(child, signal_number);
    assert_int_equal(waitpid(child, status, 0), child);
    return WIFEXITED(*status) && WEXITSTATUS(*status) == QMTCNN_OK;
}

/* Ctrl-C saves: each run goes further than the one before. Waits grow, for a busy machine may need long to start. */
static void interrupted_is_as_never_stopped(void **state)
{
    const fixture *made = *state;
    int status, interrupted = 0, runs = 0;
    for (unsigned wait = 40000; !train_in_child(made, "interrupted", SIGINT, wait, &status); wait += 15000 + wait / 8) {
        if (WIFEXITED(status))
            assert_int_equal(WEXITSTATUS(status), QMTCNN_ERROR_INTERRUPTED);
        interrupted++;
        assert_true(++runs < 100);
    }
    assert_true(interrupted > 0);
    assert_same_checkpoints(made, "whole", "interrupted");
    json_t *root = read_history(made, "interrupted");
    assert_int_equal(json_array_size(json_object_get(root, "epochs")), 4);
    json_decref(root);
}

/* SIGKILL, at growing times so that some run gets to the end, with a checkpoint every second. */
static void killed_is_as_never_stopped(void **state)
{
    fixture *made = *state;
    int status, runs = 0, killed = 0;
    made->config.train[QMT_PNET].checkpoint_seconds = 1;
    for (unsigned wait = 20000; !train_in_child(made, "killed", SIGKILL, wait, &status); wait += 37000 + wait / 8) {
        killed += WIFSIGNALED(status);
        assert_true(++runs < 100);
    }
    made->config.train[QMT_PNET].checkpoint_seconds = 120;
    assert_true(killed > 1);
    assert_same_checkpoints(made, "whole", "killed");
}

static void a_finished_run_is_left_alone(void **state)
{
    fixture *made = *state;
    qmtcnn_error error;
    assert_ok(train(made, "one", 1, true, &error), &error);
    assert_same_checkpoints(made, "whole", "one");
    made->config.train[QMT_PNET].learning_rate = 0.02f;
    assert_int_equal(train(made, "one", 1, true, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "train.learning_rate"));
    made->config.train[QMT_PNET].learning_rate = 0.01f;
    assert_same_checkpoints(made, "whole", "one");
}

static void more_epochs_go_on(void **state)
{
    fixture *made = *state;
    qmtcnn_error error;
    made->config.train[QMT_PNET].epochs = 5;
    assert_ok(train(made, "one", 1, true, &error), &error);
    made->config.train[QMT_PNET].epochs = 4;
    json_t *root = read_history(made, "one"), *epochs = json_object_get(root, "epochs");
    assert_int_equal(json_array_size(epochs), 5);
    assert_string_equal(json_string_value(json_object_get(json_array_get(epochs, 4), "phase")), "qat");
    json_decref(root);
}

/* QAT off: FP32 for all epochs, then calibration. */
static void calibration_alone(void **state)
{
    fixture *made = *state;
    qmtcnn_error error;
    char path[512];
    made->config.quantize.qat = false;
    made->config.train[QMT_PNET].epochs = 2;
    assert_ok(train(made, "ptq", 2, false, &error), &error);
    snprintf(path, sizeof path, "%s/ptq/pnet/qat.safetensors", made->folder);
    assert_false(qmt_file_exists(path));
    json_t *root = read_history(made, "ptq");
    assert_true(number_at(json_object_get(root, "ptq"), "validation", "int8", "average_precision") > 0.9);
    assert_true(json_is_null(json_object_get(json_object_get(root, "best"), "qat")));
    json_decref(root);
    made->config.train[QMT_PNET].epochs = 3; /* and then one more */
    assert_ok(train(made, "ptq", 2, true, &error), &error);
    root = read_history(made, "ptq");
    assert_int_equal(json_array_size(json_object_get(root, "epochs")), 3);
    json_decref(root);
    made->config.quantize.qat = true;
    made->config.train[QMT_PNET].epochs = 4;
}

/* A learning rate that throws the weights out of the range of floats: the error names step, layer and checkpoint. */
static void explosions_are_named(void **state)
{
    const fixture *made = *state;
    qmtcnn_error error;
    fixture wild = *made;
    qmt_train_config *settings = &wild.config.train[QMT_PNET];
    settings->optimizer = QMT_SGD;
    settings->learning_rate = 1e30f;
    settings->gradient_clip = 0;
    settings->warmup_steps = 0;
    qmtcnn_status status = train(&wild, "wild", 1, false, &error);
    print_message("%s\n", error.message);
    assert_int_equal(status, QMTCNN_ERROR_NUMERIC);
    assert_non_null(strstr(error.message, "step 1 "));
    assert_non_null(strstr(error.message, "conv"));
    assert_non_null(strstr(error.message, "last good checkpoint is none"));
}

/* The rule by hand: with an average of 1 - 0.98^n of a loss of 100 after a loss of 1, the limit of 10 is passed at the
 * fifth loss (1 + 99 (1 - 0.98^5) = 10.5), and from there steps are counted. Under the floor nothing diverges. */
static void the_rule_of_divergence(void **state)
{
    (void)state;
    qmt_position position = {0};
    for (int i = 0; i < 50; i++)
        assert_false(qmt_training_diverges(&position, 1, 3));
    for (int i = 0; i < 4; i++)
        assert_false(qmt_training_diverges(&position, 100, 3));
    assert_int_equal(position.diverging, 0);
    assert_false(qmt_training_diverges(&position, 100, 3));
    assert_int_equal(position.diverging, 1);
    assert_false(qmt_training_diverges(&position, 100, 3));
    assert_true(qmt_training_diverges(&position, 100, 3));
    position = (qmt_position){0};
    for (int i = 0; i < 100; i++) /* 400 times the lowest, and still small */
        assert_false(qmt_training_diverges(&position, i == 0 ? 0.001 : 0.4, 3));
}

/* Two sound epochs, and then a warm-up that never ends in sight of sense: the loss rises and stays high. */
static void divergence_is_named(void **state)
{
    const fixture *made = *state;
    qmtcnn_error error;
    fixture wild = *made;
    qmt_train_config *settings = &wild.config.train[QMT_PNET];
    wild.config.quantize.qat = false;
    settings->optimizer = QMT_SGD;
    settings->schedule = QMT_SCHEDULE_CONSTANT;
    settings->learning_rate = 10;
    settings->momentum = 0;
    settings->gradient_clip = 5;
    settings->warmup_steps = 48; /* all steps: the rate grows from 0.2 to 10 */
    settings->divergence_steps = 4;
    settings->keep_checkpoints = 4;
    qmtcnn_status status = train(&wild, "diverging", 1, false, &error);
    print_message("%s\n", error.message);
    assert_int_equal(status, QMTCNN_ERROR_NUMERIC);
    assert_non_null(strstr(error.message, "training diverges"));
    assert_non_null(strstr(error.message, " moves fastest"));
    /* Epochs have 12 steps: the checkpoint named is the last one from before the loss rose, and it is there. */
    long long step = -1, good = -1;
    const char *at = strstr(error.message, "step "), *name = strstr(error.message, "/step-");
    assert_non_null(at);
    assert_non_null(name);
    assert_int_equal(sscanf(at, "step %lld", &step), 1);
    assert_int_equal(sscanf(name, "/step-%lld", &good), 1);
    assert_true(good % 12 == 0 && good > 0 && good <= step - 3 && good > step - 3 - 12);
}

static void wrong_samples_are_refused(void **state)
{
    const fixture *made = *state;
    qmtcnn_error error;
    qmt_train_options options = {
        .net = QMT_RNET, .store = made->store, .checkpoints = made->folder, .threads = 1, .seed = 1};
    assert_int_equal(qmt_train(&made->config, &options, NULL, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "pnet"));
    options.net = QMT_PNET;
    options.store = "/nowhere";
    assert_int_not_equal(qmt_train(&made->config, &options, NULL, &error), QMTCNN_OK);
}

/* Fine-tuning from the finished run starts where that ended. */
static void finetuning_starts_from_another_network(void **state)
{
    fixture *made = *state;
    qmtcnn_error error;
    char from[512], to[512];
    snprintf(from, sizeof from, "%s/whole", made->folder);
    snprintf(to, sizeof to, "%s/tuned", made->folder);
    qmt_train_options options = {
        .net = QMT_PNET, .store = made->store, .checkpoints = to, .finetune = from, .threads = 1};
    fixture tuned = *made;
    tuned.config.train[QMT_PNET].epochs = 1;
    tuned.config.train[QMT_PNET].steps_per_epoch = 3;
    tuned.config.train[QMT_PNET].learning_rate = 1e-4f;
    tuned.config.quantize.qat = false;
    assert_ok(qmt_train(&tuned.config, &options, NULL, &error), &error);
    json_t *root = read_history(made, "tuned"), *old = read_history(made, "whole");
    double start = number_at(json_array_get(json_object_get(root, "epochs"), 0), "loss", "total", NULL);
    double random = number_at(json_array_get(json_object_get(old, "epochs"), 0), "loss", "total", NULL);
    assert_true(start < 0.6 * random);
    json_decref(old);
    json_decref(root);
    options.finetune = made->store;
    assert_int_equal(qmt_train(&tuned.config, &options, NULL, &error), QMTCNN_ERROR_IO);
    assert_non_null(strstr(error.message, "pnet.onnx"));
    json_decref(read_history(made, "tuned")); /* a failed start leaves the older run where it was */
    options.finetune = to;                    /* and a run may start from the one that it replaces */
    assert_ok(qmt_train(&tuned.config, &options, NULL, &error), &error);
}

static double first_loss(const fixture *made, const fixture *tuned, const char *finetune)
{
    qmtcnn_error error;
    char to[512];
    snprintf(to, sizeof to, "%s/again", made->folder);
    const qmt_train_options options = {
        .net = QMT_PNET, .store = made->store, .checkpoints = to, .finetune = finetune, .threads = 2};
    assert_ok(qmt_train(&tuned->config, &options, NULL, &error), &error);
    json_t *root = read_history(made, "again");
    double loss = number_at(json_array_get(json_object_get(root, "epochs"), 0), "loss", "total", NULL);
    json_decref(root);
    return loss;
}

/* FOLDER/NAME/pnet.onnx of the finished run's QAT network. */
static void export_whole(const fixture *made, const char *name, bool fp32)
{
    qmt_net_table table;
    qmt_tensors_file *file;
    qmt_net *net;
    qmt_model *model;
    qmtcnn_error error;
    void *data;
    size_t size;
    char path[512];
    snprintf(path, sizeof path, "%s/whole/pnet/qat.safetensors", made->folder);
    assert_ok(qmt_tensors_open(path, &file, &error), &error);
    assert_ok(qmt_net_table_load(file, &table, &error), &error);
    assert_ok(qmt_net_create(&table, 1, &net, &error), &error);
    assert_ok(qmt_net_load(net, file, &error), &error);
    assert_ok(qmt_net_to_model(net, fp32, &made->config.quantize, &model, &error), &error);
    assert_ok(qmt_onnx_write(model, &(qmt_onnx_options){0}, &data, &size, &error), &error);
    snprintf(path, sizeof path, "%s/%s/pnet.onnx", made->folder, name);
    assert_ok(qmt_file_write(path, data, size, &error), &error);
    qmt_free(data);
    qmt_model_free(model);
    qmt_net_free(net);
    qmt_tensors_close(file);
}

/* From an exported file, FP32 or INT8, training goes on with nearly the losses as from the checkpoint, though its
 * normalization was folded; and a checkpoint fits a network that normalizes elsewhere. The checkpoint's network
 * normalizes by each batch, the others by what was folded, hence the room; an untrained one has several times the loss.
 */
static void finetuning_from_folded_networks(void **state)
{
    fixture *made = *state, tuned = *made;
    char path[512];
    tuned.config.train[QMT_PNET].epochs = 1;
    tuned.config.train[QMT_PNET].steps_per_epoch = 3;
    tuned.config.train[QMT_PNET].learning_rate = 1e-6f;
    tuned.config.quantize.qat = false;
    snprintf(path, sizeof path, "%s/whole/pnet/qat.safetensors", made->folder);
    const double room = 0.2, wanted = first_loss(made, &tuned, path);
    for (int fp32 = 0; fp32 < 2; fp32++) {
        export_whole(made, fp32 ? "onnx-fp32" : "onnx-int8", fp32);
        snprintf(path, sizeof path, "%s/onnx-%s", made->folder, fp32 ? "fp32" : "int8");
        double got = first_loss(made, &tuned, path);
        print_message("loss from the checkpoint %.4f, from %s %.4f\n", wanted, path, got);
        assert_true(fabs(got / wanted - 1) < room);
    }
    snprintf(path, sizeof path, "%s/whole/pnet/fp32.safetensors", made->folder);
    const double before = first_loss(made, &tuned, path);
    /* The same network, folded, though its table is the same. */
    snprintf(path, sizeof path, "%s/whole/pnet/ptq.safetensors", made->folder);
    const double calibrated = first_loss(made, &tuned, path);
    print_message("from fp32.safetensors %.4f, from ptq.safetensors %.4f\n", before, calibrated);
    assert_true(fabs(calibrated / before - 1) < room);
    snprintf(path, sizeof path, "%s/whole/pnet/qat.safetensors", made->folder);
    tuned.config.train[QMT_PNET].batch_norm = false;
    double plain = first_loss(made, &tuned, path);
    print_message("without normalization %.4f\n", plain);
    assert_true(fabs(plain / wanted - 1) < room);
}

/* A weight of 1e30 leads to NaN some steps later, where nothing points to the file any more. */
static void damaged_weights_are_refused(void **state)
{
    fixture *made = *state, tuned = *made;
    const float huge = 1e30f;
    char path[512], to[512];
    uint64_t header;
    qmtcnn_error error;
    snprintf(path, sizeof path, "%s/whole/pnet/qat.safetensors", made->folder);
    snprintf(to, sizeof to, "%s/damaged", made->folder);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fread(&header, sizeof header, 1, file), 1);
    char *text = calloc(header + 1, 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, header, file), header);
    const char *at = strstr(text, "conv2.weight\"");
    assert_non_null(at);
    at = strstr(at, "\"data_offsets\"");
    assert_non_null(at);
    long offset = strtol(strchr(at, '[') + 1, NULL, 10);
    free(text);
    assert_int_equal(fseek(file, (long)(sizeof header + header) + offset, SEEK_SET), 0);
    assert_int_equal(fwrite(&huge, sizeof huge, 1, file), 1);
    assert_int_equal(fclose(file), 0);
    qmt_train_options options = {
        .net = QMT_PNET, .store = made->store, .checkpoints = to, .finetune = path, .threads = 1};
    assert_int_equal(qmt_train(&tuned.config, &options, NULL, &error), QMTCNN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "qat.safetensors"));
    assert_non_null(strstr(error.message, "1e+30"));
}

static void bench_measures(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_train_speed speed;
    for (int qat = 0; qat < 2; qat++) {
        assert_ok(qmt_train_bench(QMT_PNET, qat, 1, 0.1, &speed, &error), &error);
        print_message("%s: %.0f samples/s, %.3f of the peak\n", qat ? "qat" : "fp32", speed.samples_per_second,
                      speed.peak_fraction);
        assert_int_equal(speed.batch, 512);
        assert_true(speed.samples_per_second > 100);
        assert_true(speed.peak_fraction > 0 && speed.peak_fraction < 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_learns),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(interrupted_is_as_never_stopped),
        cmocka_unit_test(killed_is_as_never_stopped),
        cmocka_unit_test(a_finished_run_is_left_alone),
        cmocka_unit_test(more_epochs_go_on),
        cmocka_unit_test(calibration_alone),
        cmocka_unit_test(explosions_are_named),
        cmocka_unit_test(the_rule_of_divergence),
        cmocka_unit_test(divergence_is_named),
        cmocka_unit_test(wrong_samples_are_refused),
        cmocka_unit_test(finetuning_starts_from_another_network),
        cmocka_unit_test(finetuning_from_folded_networks),
        cmocka_unit_test(damaged_weights_are_refused),
        cmocka_unit_test(bench_measures),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
