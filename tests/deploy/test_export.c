/* A checkpoint to ONNX files, by each profile. */
#include "common/test.h"

#include "toolkit/base/file.h"
#include "toolkit/base/safetensors.h"
#include "toolkit/deploy/deploy.h"
#include "toolkit/deploy/profile.h"
#include "toolkit/deploy/scores.h"
#include "toolkit/net/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { batch = 16 };

/* Settings that a checkpoint of the test says it was trained with. */
static char *training_text(void)
{
    qmt_config config;
    qmt_config_default(&config);
    config.run.seed = 4711;
    config.train[QMT_RNET].epochs = 13;
    return qmt_config_text(&config);
}

/* A random network, calibrated on random pixels, as FOLDER/{net}/NAME.safetensors. */
static void make_checkpoint_of(qmt_net_id id, const char *folder, const char *name)
{
    qmt_net_table table = qmt_net_table_for(id, QMT_ACTIVATION_RELU, true);
    qmt_net_state state = {.mode = QMT_MODE_CALIBRATE, .training = false, .batch_norm_momentum = 0.1f};
    qmt_config config;
    qmt_net *net;
    qmt_pass *pass;
    qmt_tensors_writer *writer;
    qmtcnn_error error;
    qmt_config_default(&config);
    state.quantize = config.quantize;
    assert_ok(qmt_net_create(&table, 5, &net, &error), &error);
    assert_ok(qmt_pass_create(net, batch, NULL, NULL, &pass, &error), &error);
    uint32_t random = 1;
    for (int i = 0; i < 3 * table.side * table.side * qmt_lanes; i++) {
        random = random * 1664525u + 1013904223u;
        qmt_pass_input(pass, 0)[i] = ((float)(random >> 24) - 127.5f) / 128.0f;
    }
    assert_ok(qmt_net_forward(net, pass, batch / qmt_lanes, &state, &error), &error);
    qmt_net_finish_calibration(net, &config.quantize);
    char *path = qmt_format("%s/%s/%s.safetensors", folder, qmt_net_name(id), name), *text = training_text();
    assert_ok(qmt_tensors_writer_create(&writer, &error), &error);
    assert_ok(qmt_net_save(net, writer, &error), &error);
    assert_ok(qmt_tensors_add_metadata(writer, "train.config", text, &error), &error);
    assert_ok(qmt_tensors_add_metadata(writer, "train.samples", "0123456789abcdef", &error), &error);
    assert_ok(qmt_tensors_add_metadata(writer, "train.epoch", "11", &error), &error);
    assert_ok(qmt_tensors_write(writer, path, &error), &error);
    qmt_tensors_writer_free(writer);
    qmt_free(text);
    qmt_free(path);
    qmt_pass_free(pass);
    qmt_net_free(net);
}

static void make_checkpoint(const char *folder, const char *name)
{
    make_checkpoint_of(QMT_RNET, folder, name);
}

static qmt_model *read_model(const char *folder, const char *name)
{
    qmt_model *model;
    qmtcnn_error error;
    char *path = qmt_path_join(folder, name);
    assert_ok(qmt_onnx_read_file(path, &model, &error), &error);
    qmt_free(path);
    return model;
}

static void assert_metadata(const qmt_model *model, const char *key, const char *value)
{
    assert_non_null(qmt_model_metadata(model, key));
    assert_string_equal(qmt_model_metadata(model, key), value);
}

static int findings_of(const char *folder)
{
    int findings;
    qmtcnn_error error;
    char *path = qmt_path_join(folder, "rnet.onnx");
    assert_ok(qmt_lint_tensorrt(path, NULL, NULL, &findings, &error), &error);
    qmt_free(path);
    return findings;
}

static void test_upright(void **state)
{
    (void)state;
    qmt_config config;
    qmtcnn_error error;
    char *folder = test_make_folder(), *out = qmt_path_join(folder, "out");
    make_checkpoint(folder, "qat");
    qmt_config_default(&config);
    config.detect.thresholds[QMT_RNET] = 0.625f;
    assert_ok(qmt_export(folder, QMT_VARIANT_QAT, &config, out, &error), &error);
    qmt_model *model = read_model(out, "rnet.onnx");
    assert_string_equal(model->input_name, "input");
    assert_string_equal(model->output_names[QMT_HEAD_FACE], "prob");
    assert_string_equal(model->output_names[QMT_HEAD_BOX], "bbox");
    assert_string_equal(model->output_names[QMT_HEAD_LANDMARKS], "landmark");
    assert_non_null(model->layers[0].weight_int8);
    assert_false(model->landmarks_planar);
    assert_metadata(model, "qmtcnn.net", "rnet");
    assert_metadata(model, "qmtcnn.variant", "qat");
    assert_metadata(model, "qmtcnn.threshold", "0.625000");
    assert_metadata(model, "qmtcnn.input.color", "RGB");
    assert_metadata(model, "qmtcnn.landmarks", "pairs");
    assert_metadata(model, "qmtcnn.train.seed", "4711");
    assert_metadata(model, "qmtcnn.train.epochs", "13");
    assert_metadata(model, "qmtcnn.train.epoch", "11");
    assert_metadata(model, "qmtcnn.train.samples", "0123456789abcdef");
    char scale[64];
    snprintf(scale, sizeof scale, "%s %.9g, ", model->layers[0].name, (double)model->layers[0].input_scale);
    assert_int_equal(strncmp(qmt_model_metadata(model, "qmtcnn.scales"), scale, strlen(scale)), 0);
    assert_null(qmt_model_metadata(model, "qmtcnn.cell"));
    qmt_model_free(model);
    assert_int_equal(findings_of(out), 0);
    qmt_free(out);
    test_remove_folder(folder);
}

static void test_fp32(void **state)
{
    (void)state;
    qmt_config config;
    qmtcnn_error error;
    char *folder = test_make_folder(), *out = qmt_path_join(folder, "out");
    make_checkpoint(folder, "fp32");
    qmt_config_default(&config);
    config.export.opset = 17;
    assert_ok(qmt_export(folder, QMT_VARIANT_FP32, &config, out, &error), &error);
    qmt_model *model = read_model(out, "rnet.onnx");
    assert_null(model->layers[0].weight_int8);
    assert_metadata(model, "qmtcnn.variant", "fp32");
    assert_metadata(model, "qmtcnn.opset", "17");
    assert_null(qmt_model_metadata(model, "qmtcnn.scales"));
    qmt_model_free(model);
    assert_int_equal(findings_of(out), 0);
    qmt_free(out);
    test_remove_folder(folder);
}

/* Caffe's order: channel i is x of point i, channel 5 + i its y. */
static void test_caffe(void **state)
{
    (void)state;
    qmt_config config;
    qmtcnn_error error;
    char *folder = test_make_folder(), *out = qmt_path_join(folder, "a"), *caffe = qmt_path_join(folder, "b");
    make_checkpoint(folder, "ptq");
    qmt_config_default(&config);
    assert_ok(qmt_export(folder, QMT_VARIANT_PTQ, &config, out, &error), &error);
    assert_ok(qmt_config_set(&config, "export.profile", "caffe", &error), &error);
    assert_ok(qmt_export(folder, QMT_VARIANT_PTQ, &config, caffe, &error), &error);
    qmt_model *pairs = read_model(out, "rnet.onnx"), *planar = read_model(caffe, "rnet.onnx");
    assert_string_equal(planar->input_name, "data");
    assert_string_equal(planar->output_names[QMT_HEAD_FACE], "prob1");
    assert_string_equal(planar->output_names[QMT_HEAD_BOX], "conv5-2");
    assert_string_equal(planar->output_names[QMT_HEAD_LANDMARKS], "conv5-3");
    assert_true(planar->landmarks_planar);
    assert_metadata(planar, "qmtcnn.landmarks", "planar");
    const qmt_layer *a = &pairs->heads[QMT_HEAD_LANDMARKS], *b = &planar->heads[QMT_HEAD_LANDMARKS];
    size_t row = (size_t)a->in_channels;
    for (int point = 0; point < 5; point++) {
        for (int y = 0; y < 2; y++) {
            size_t from = (size_t)(2 * point + y), to = (size_t)(5 * y + point);
            assert_memory_equal(a->weight + from * row, b->weight + to * row, row * sizeof(float));
            assert_memory_equal(a->weight_int8 + from * row, b->weight_int8 + to * row, row);
            assert_true(a->weight_scale[from] == b->weight_scale[to]);
            assert_true(a->bias[from] == b->bias[to]);
            assert_int_equal(a->bias_int32[from], b->bias_int32[to]);
        }
    }
    assert_memory_equal(pairs->heads[QMT_HEAD_BOX].weight, planar->heads[QMT_HEAD_BOX].weight, 4 * row * sizeof(float));
    assert_int_equal(findings_of(caffe), 0);
    qmt_model_free(pairs);
    qmt_model_free(planar);
    qmt_free(out);
    qmt_free(caffe);
    test_remove_folder(folder);
}

static void test_profile_file(void **state)
{
    (void)state;
    qmt_profile profile;
    qmtcnn_error error;
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "mine.yaml");
    static const char good[] = "input: data\nbox: [p-box, r-box, o-box]\nlandmark_order: planar\n";
    static const char *const bad[][2] = {{"inputs: data\n", "mine.yaml:1:1: unknown key 'inputs'; did you mean input"},
                                         {"box: [a, b]\n", "mine.yaml:1:6: give three names"},
                                         {"face: 'a b'\n", "mine.yaml:1:7: "},
                                         {"face: {a: b}\n", "mine.yaml:1:7: "},
                                         {"landmark_order: x\n", "mine.yaml:1:17: "},
                                         {"- a\n", "mapping"}};
    assert_ok(qmt_file_write(path, good, sizeof good - 1, &error), &error);
    assert_ok(qmt_profile_load(path, &profile, &error), &error);
    assert_string_equal(profile.input[QMT_ONET], "data");
    assert_string_equal(profile.outputs[QMT_RNET][QMT_HEAD_BOX], "r-box");
    assert_string_equal(profile.outputs[QMT_RNET][QMT_HEAD_FACE], "prob");
    assert_true(profile.landmarks_planar);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_ok(qmt_file_write(path, bad[i][0], strlen(bad[i][0]), &error), &error);
        assert_int_not_equal(qmt_profile_load(path, &profile, &error), QMTCNN_OK);
        if (!strstr(error.message, bad[i][1]))
            fail_msg("'%s' lacks '%s'", error.message, bad[i][1]);
    }
    assert_int_equal(qmt_profile_load("cafe", &profile, &error), QMTCNN_ERROR_ARGUMENT);
    qmt_free(path);
    test_remove_folder(folder);
}

static void test_failures(void **state)
{
    (void)state;
    qmt_config config;
    qmtcnn_error error;
    char *folder = test_make_folder(), *out = qmt_path_join(folder, "out"), *moved, *wrong;
    qmt_config_default(&config);
    assert_int_equal(qmt_export(folder, QMT_VARIANT_QAT, &config, out, &error), QMTCNN_ERROR_IO);
    assert_non_null(strstr(error.message, "qmtcnn train"));
    assert_false(qmt_folder_exists(out));
    make_checkpoint(folder, "qat"); /* R-Net's in P-Net's place */
    moved = qmt_path_join(folder, "rnet");
    wrong = qmt_path_join(folder, "pnet");
    assert_int_equal(rename(moved, wrong), 0);
    assert_int_equal(qmt_export(folder, QMT_VARIANT_QAT, &config, out, &error), QMTCNN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "pnet/qat.safetensors: the checkpoint is of rnet"));
    qmt_free(moved);
    qmt_free(wrong);
    qmt_free(out);
    test_remove_folder(folder);
}

/* Names that meet in the second network: the first one's file isn't written either, and the message names the profile.
 */
static void test_names_meet(void **state)
{
    (void)state;
    qmt_config config;
    qmtcnn_error error;
    char *folder = test_make_folder(), *out = qmt_path_join(folder, "out"), *path = qmt_path_join(folder, "mine.yaml");
    static const char profile[] = "box: [p-box, prob, o-box]\n";
    make_checkpoint_of(QMT_PNET, folder, "qat");
    make_checkpoint_of(QMT_RNET, folder, "qat");
    assert_ok(qmt_file_write(path, profile, sizeof profile - 1, &error), &error);
    qmt_config_default(&config);
    assert_ok(qmt_config_set(&config, "export.profile", path, &error), &error);
    assert_int_not_equal(qmt_export(folder, QMT_VARIANT_QAT, &config, out, &error), QMTCNN_OK);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.message, "rnet/qat.safetensors"));
    assert_false(qmt_folder_exists(out));
    qmt_free(path);
    qmt_free(out);
    test_remove_folder(folder);
}

/* From the settings through the files to the defaults of a program; calibrated by scores.json, unless a checkpoint
 * changed since. */
static void test_accuracy_options_travel(void **state)
{
    (void)state;
    qmt_config config;
    qmtcnn_error error;
    qmtcnn_options options;
    qmtcnn_model *opened;
    qmt_score_maps maps[3];
    char *folder = test_make_folder(), *out = qmt_path_join(folder, "out");
    for (int net = 0; net < qmt_net_count; net++)
        make_checkpoint_of((qmt_net_id)net, folder, "qat");
    qmt_config_default(&config);
    assert_ok(qmt_config_set(&config, "detect.fusion", "0.25", &error), &error);
    assert_ok(qmt_config_set(&config, "detect.last_nms", "union:0.4", &error), &error);
    assert_ok(qmt_config_set(&config, "detect.vote", "0.5", &error), &error);
    assert_ok(qmt_config_set(&config, "detect.refined_nms", "0, 0.875", &error), &error);
    assert_ok(qmt_config_check(&config, &error), &error);
    assert_ok(qmt_export(folder, QMT_VARIANT_QAT, &config, out, &error), &error);
    assert_ok(qmtcnn_model_open(out, QMTCNN_PRECISION_AUTO, &opened, &error), &error);
    qmtcnn_options_default(opened, &options);
    assert_true(options.fusion == 0.25f && options.fusion_odds == 0 && options.vote == 0.5f);
    assert_true(options.refined_nms[0] == 0 && options.refined_nms[1] == 0.875f);
    assert_true(options.last_overlap == QMTCNN_OVERLAP_UNION && options.nms[3] == 0.4f);
    qmtcnn_model_close(opened);
    qmt_model *raw = read_model(out, "onet.onnx");

    assert_ok(qmt_scores_read(folder, maps, &error), &error);
    char *path = qmt_checkpoint_path(folder, QMT_ONET, QMT_VARIANT_QAT);
    maps[2].known[QMT_RNET] = maps[2].known[QMT_ONET] = true; /* R-Net's of another checkpoint */
    maps[2].nets[QMT_RNET].shift = maps[2].nets[QMT_ONET].shift = 1.5;
    maps[2].fusion = 0.25f;
    maps[2].fusion_odds = 2.5f;
    assert_ok(qmt_file_hash(path, &maps[2].checkpoint[QMT_ONET], &error), &error);
    assert_ok(qmt_scores_write(folder, maps, &error), &error);
    assert_ok(qmt_export(folder, QMT_VARIANT_QAT, &config, out, &error), &error);
    qmt_model *rnet = read_model(out, "rnet.onnx"), *onet = read_model(out, "onet.onnx");
    const qmt_layer *head = &onet->heads[QMT_HEAD_FACE];
    const float step = head->input_scale * head->weight_scale[1];
    assert_float_equal(head->bias[1] - raw->heads[QMT_HEAD_FACE].bias[1], 1.5, step);
    assert_non_null(qmt_model_metadata(onet, "qmtcnn.score"));
    assert_null(qmt_model_metadata(rnet, "qmtcnn.score"));
    assert_metadata(onet, "qmtcnn.fusion.odds", "2.500000000");
    assert_int_equal(findings_of(out), 0);
    qmt_model_free(onet);
    qmt_model_free(rnet);
    config.export.calibrated = false;
    assert_ok(qmt_export(folder, QMT_VARIANT_QAT, &config, out, &error), &error);
    onet = read_model(out, "onet.onnx");
    assert_memory_equal(onet->heads[QMT_HEAD_FACE].bias, raw->heads[QMT_HEAD_FACE].bias, 2 * sizeof(float));
    qmt_model_free(onet);
    qmt_model_free(raw);
    assert_ok(qmt_config_set(&config, "detect.last_nms", "union", &error), &error);
    assert_int_equal(qmt_config_check(&config, &error), QMTCNN_ERROR_ARGUMENT);
    qmt_free(path);
    qmt_free(out);
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_upright),
                                       cmocka_unit_test(test_fp32),
                                       cmocka_unit_test(test_caffe),
                                       cmocka_unit_test(test_profile_file),
                                       cmocka_unit_test(test_failures),
                                       cmocka_unit_test(test_names_meet),
                                       cmocka_unit_test(test_accuracy_options_travel)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
