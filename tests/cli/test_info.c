/* qmtcnn info and export from the outside: what they print and how they exit. */
#define _XOPEN_SOURCE 700
#include "common/test.h"

#include "cli/command.h"
#include "runtime/model/onnx.h"
#include "toolkit/base/file.h"
#include "toolkit/base/safetensors.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { most_arguments = 8 };

static char printed_out[1 << 18], printed_error[1 << 16];

static int temporary(void)
{
    char path[] = "/tmp/qmtcnn-test-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    unlink(path);
    return file;
}

static void read_back(int file, char *text, size_t size)
{
    lseek(file, 0, SEEK_SET);
    ssize_t got = read(file, text, size - 1);
    text[got > 0 ? got : 0] = 0;
    close(file);
}

/* Runs a command with up to four arguments and keeps what it prints. */
static int run(const qmt_command *command, const char *a, const char *b, const char *c, const char *d)
{
    char name[32], *argv[most_arguments] = {name, (char *)a, (char *)b, (char *)c, (char *)d, NULL};
    int argc = 1, out = temporary(), err = temporary(), old_out, old_err;
    snprintf(name, sizeof name, "%s", command->name);
    while (argv[argc])
        argc++;
    fflush(stdout);
    fflush(stderr);
    old_out = dup(1);
    old_err = dup(2);
    dup2(out, 1);
    dup2(err, 2);
    int result = command->run(argc, argv);
    fflush(stdout);
    fflush(stderr);
    dup2(old_out, 1);
    dup2(old_err, 2);
    close(old_out);
    close(old_err);
    read_back(out, printed_out, sizeof printed_out);
    read_back(err, printed_error, sizeof printed_error);
    return result;
}

static json_t *printed_json(void)
{
    json_error_t error;
    json_t *json = json_loads(printed_out, 0, &error);
    if (!json)
        fail_msg("%s: %s", error.text, printed_out);
    return json;
}

static void add_layer(qmt_layer *layer, const char *name, int in, int out, int kernel, float scale)
{
    qmtcnn_error error;
    assert_ok(qmt_layer_init(layer, name, in, out, kernel, kernel, QMT_ACTIVATION_NONE, &error), &error);
    for (int i = 0; i < out * in * kernel * kernel; i++)
        layer->weight[i] = (float)(i % 5 - 2) / 4.0f;
    if (scale > 0)
        assert_ok(qmt_layer_quantize(layer, scale, NULL, &error), &error);
}

/* A P-Net of one trunk layer and two heads. */
static void write_onnx(const char *path, bool weights_only)
{
    qmt_model *model;
    qmtcnn_error error;
    void *data;
    size_t size;
    const qmt_onnx_options options = {.opset = 13};
    assert_ok(qmt_model_create(QMT_PNET, 1, &model, &error), &error);
    add_layer(&model->layers[0], "conv1", 3, 8, 12, qmt_input_scale());
    model->layers[0].activation = QMT_ACTIVATION_RELU;
    add_layer(&model->heads[QMT_HEAD_FACE], "face", 8, 2, 1, weights_only ? 0 : 0.25f);
    add_layer(&model->heads[QMT_HEAD_BOX], "box", 8, 4, 1, 0.25f);
    assert_ok(qmt_model_set_metadata(model, "qmtcnn.threshold", "0.6", &error), &error);
    assert_ok(qmt_model_set_metadata(model, "evil", "a\033[31mb", &error), &error);
    assert_ok(qmt_onnx_write(model, &options, &data, &size, &error), &error);
    assert_ok(qmt_file_write(path, data, size, &error), &error);
    qmt_free(data);
    qmt_model_free(model);
}

static void test_build(void **state)
{
    (void)state;
    assert_int_equal(run(&qmt_command_info, NULL, NULL, NULL, NULL), qmt_exit_done);
    assert_non_null(strstr(printed_out, "version"));
    assert_non_null(strstr(printed_out, qmtcnn_version()));
    assert_int_equal(run(&qmt_command_info, "--format", "json", NULL, NULL), qmt_exit_done);
    json_t *json = printed_json();
    const json_t *kernels = json_object_get(json, "kernels"); /* best first; plain C runs anywhere */
    assert_string_equal(json_string_value(json_array_get(kernels, json_array_size(kernels) - 1)), "c");
    assert_string_equal(json_string_value(json_array_get(kernels, 0)),
                        json_string_value(json_object_get(json, "kernels_used")));
    assert_true(json_integer_value(json_object_get(json, "threads")) >= 1);
    json_decref(json);
}

static void test_onnx(void **state)
{
    (void)state;
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "pnet.onnx");
    write_onnx(path, false);
    assert_int_equal(run(&qmt_command_info, path, NULL, NULL, NULL), qmt_exit_done);
    assert_non_null(strstr(printed_out, "conv1"));
    assert_null(strchr(printed_out, '\033'));
    assert_non_null(strstr(printed_out, "a?[31mb"));
    assert_int_equal(run(&qmt_command_info, path, "--format=json", NULL, NULL), qmt_exit_done);
    json_t *json = printed_json(), *layer = json_array_get(json_object_get(json, "layers"), 0);
    assert_string_equal(json_string_value(json_object_get(json, "net")), "pnet");
    assert_int_equal(json_integer_value(json_object_get(json, "opset")), 13);
    assert_int_equal(json_integer_value(json_object_get(layer, "weights")), 8 * 3 * 12 * 12);
    assert_string_equal(json_string_value(json_object_get(layer, "precision")), "int8");
    assert_true((float)json_real_value(json_object_get(layer, "input_scale")) == qmt_input_scale());
    assert_true((float)json_real_value(json_object_get(layer, "weight_scale_max")) == 0.5f / 127.0f);
    json_t *metadata = json_object_get(json, "metadata");
    assert_string_equal(json_string_value(json_object_get(metadata, "qmtcnn.threshold")), "0.6");
    json_decref(json);
    /* A folder of networks: each by its name. */
    assert_int_equal(run(&qmt_command_info, folder, "--format=json", NULL, NULL), qmt_exit_done);
    json = printed_json();
    assert_non_null(json_object_get(json, "pnet.onnx"));
    json_decref(json);
    qmt_free(path);
    test_remove_folder(folder);
}

static void test_check(void **state)
{
    (void)state;
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "pnet.onnx");
    write_onnx(path, false);
    assert_int_equal(run(&qmt_command_info, "--check", "tensorrt", path, NULL), qmt_exit_done);
    assert_non_null(strstr(printed_out, "errors    0"));
    write_onnx(path, true); /* a head in FP32: a warning */
    assert_int_equal(run(&qmt_command_info, "--check=tensorrt", "--format=json", path, NULL), qmt_exit_done);
    json_t *json = printed_json(), *finding = json_array_get(json_object_get(json, "findings"), 0);
    assert_int_equal(json_integer_value(json_object_get(json, "warnings")), 1);
    assert_string_equal(json_string_value(json_object_get(finding, "rule")), "layer-not-quantized");
    json_decref(json);
    /* One changed bit in the right place: ceil_mode or a zero point, whatever it hits must not crash, and garbage is
     * refused. */
    qmtcnn_error error;
    assert_ok(qmt_file_write(path, "garbage", 7, &error), &error);
    assert_int_equal(run(&qmt_command_info, "--check", "tensorrt", path, NULL), qmt_exit_failed);
    assert_non_null(strstr(printed_error, "qmtcnn info: "));
    assert_int_equal(run(&qmt_command_info, "--check", "tensorrt", NULL, NULL), qmt_exit_usage);
    qmt_free(path);
    test_remove_folder(folder);
}

static void test_tensors(void **state)
{
    (void)state;
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "fp32.safetensors");
    qmt_tensors_writer *writer;
    qmtcnn_error error;
    const float values[6] = {0};
    const size_t shape[2] = {2, 3};
    assert_ok(qmt_tensors_writer_create(&writer, &error), &error);
    assert_ok(qmt_tensors_add(writer, "net.conv1.weight", QMT_F32, 2, shape, values, &error), &error);
    assert_ok(qmt_tensors_add_metadata(writer, "train.epoch", "4", &error), &error);
    assert_ok(qmt_tensors_write(writer, path, &error), &error);
    qmt_tensors_writer_free(writer);
    assert_int_equal(run(&qmt_command_info, path, NULL, NULL, NULL), qmt_exit_done);
    assert_non_null(strstr(printed_out, "net.conv1.weight  F32   [2, 3]     24"));
    assert_int_equal(run(&qmt_command_info, path, "--format", "json", NULL), qmt_exit_done);
    json_t *json = printed_json();
    assert_string_equal(json_string_value(json_object_get(json_object_get(json, "metadata"), "train.epoch")), "4");
    json_decref(json);
    assert_int_equal(run(&qmt_command_info, path, "--check", "tensorrt", NULL), qmt_exit_failed);
    assert_ok(qmt_file_write(path, "xxxxxxxxxxxxxxxx", 16, &error), &error);
    assert_int_equal(run(&qmt_command_info, path, NULL, NULL, NULL), qmt_exit_failed);
    qmt_free(path);
    test_remove_folder(folder);
}

static void test_config(void **state)
{
    (void)state;
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "a.yaml");
    qmtcnn_error error;
    qmt_config config;
    static const char good[] = "train: {epochs: 23}\n", bad[] = "train: {batch: 17}\n";
    assert_ok(qmt_file_write(path, good, sizeof good - 1, &error), &error);
    assert_int_equal(run(&qmt_command_info, path, NULL, NULL, NULL), qmt_exit_done);
    qmt_config_default(&config);
    assert_ok(qmt_config_parse(printed_out, strlen(printed_out), "printed", &config, &error), &error);
    assert_int_equal(config.train[QMT_ONET].epochs, 23);
    assert_ok(qmt_file_write(path, bad, sizeof bad - 1, &error), &error);
    assert_int_equal(run(&qmt_command_info, path, NULL, NULL, NULL), qmt_exit_failed);
    assert_non_null(strstr(printed_error, "multiple of 16"));
    qmt_free(path);
    test_remove_folder(folder);
}

static void test_dataset(void **state)
{
    (void)state;
    char *data = test_shared("data");
    assert_int_equal(run(&qmt_command_info, data, "--data.limit=20", "--format=json", NULL), qmt_exit_done);
    json_t *json = printed_json(), *train = json_array_get(json_object_get(json, "splits"), 0);
    assert_int_equal(json_integer_value(json_object_get(train, "pictures")), 20);
    assert_int_equal(json_integer_value(json_object_get(train, "unreadable")), 0);
    json_decref(json);
    free(data);
}

/* A picture that is not there: named with its line, and exit status 1. */
static void test_bad_dataset(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    char *path = qmt_path_join(folder, "wider_face_split/wider_face_train_bbx_gt.txt");
    char *pictures = qmt_path_join(folder, "WIDER_train/images/a");
    qmtcnn_error error;
    static const char text[] = "a/missing.jpg\n1\n10 10 30 30 0 0 0 0 0 0\n";
    assert_ok(qmt_folder_make(pictures, &error), &error);
    assert_ok(qmt_file_write(path, text, sizeof text - 1, &error), &error);
    assert_int_equal(run(&qmt_command_info, folder, NULL, NULL, NULL), qmt_exit_failed);
    assert_non_null(strstr(printed_out, "wider_face_train_bbx_gt.txt:1: missing picture"));
    assert_non_null(strstr(printed_error, "no split val"));
    assert_int_equal(run(&qmt_command_info, folder, "--format=json", NULL, NULL), qmt_exit_failed);
    json_t *json = printed_json(), *problem = json_array_get(json_object_get(json, "problems"), 0);
    assert_int_equal(json_integer_value(json_object_get(problem, "line")), 1);
    json_decref(json);
    qmt_free(pictures);
    qmt_free(path);
    test_remove_folder(folder);
}

static void test_export(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    assert_int_equal(run(&qmt_command_export, "--checkpoint", folder, "--out", folder), qmt_exit_failed);
    assert_non_null(strstr(printed_error, "qmtcnn export: "));
    assert_int_equal(run(&qmt_command_export, "--checkpoint", folder, NULL, NULL), qmt_exit_usage);
    assert_int_equal(run(&qmt_command_export, "--help", NULL, NULL, NULL), qmt_exit_done);
    assert_non_null(strstr(printed_out, "--generate-trt-script"));
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_build),   cmocka_unit_test(test_onnx),        cmocka_unit_test(test_check),
        cmocka_unit_test(test_tensors), cmocka_unit_test(test_config),      cmocka_unit_test(test_dataset),
        cmocka_unit_test(test_export),  cmocka_unit_test(test_bad_dataset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
