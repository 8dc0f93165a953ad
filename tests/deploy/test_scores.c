/* Calibrated scores: folded into a network, kept in a file, exported. */
#include "common/test.h"

#include "runtime/kernels/network.h"
#include "runtime/models.h"
#include "toolkit/base/file.h"
#include "toolkit/deploy/scores.h"

#include <math.h>
#include <string.h>

enum { crops = 64, side = 24 };

static void run_logits(const qmt_model *model, float logits[crops])
{
    static uint8_t pixels[crops * side * side * 3];
    qmt_network *network;
    qmt_workspace *workspace;
    qmtcnn_error error;
    uint32_t random = 7;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
    qmt_outputs outputs = {.logit = logits};
    assert_ok(qmt_network_create(model, QMTCNN_PRECISION_AUTO, NULL, &network, &error), &error);
    assert_ok(qmt_workspace_create(&workspace, &error), &error);
    assert_ok(qmt_network_run(network, workspace, pixels, 3 * side, crops, side, side, &outputs, NULL, NULL, &error),
              &error);
    qmt_workspace_free(workspace);
    qmt_network_free(network);
}

/* After writing and reading: what users get. */
static qmt_model *through_a_file(const qmt_model *model)
{
    void *data;
    size_t size;
    qmt_model *read;
    qmtcnn_error error;
    assert_ok(qmt_onnx_write(model, NULL, &data, &size, &error), &error);
    assert_ok(qmt_onnx_read(data, size, "test", &read, &error), &error);
    qmt_free(data);
    return read;
}

/* The new logit is scale * logit + shift; integers stay, and so does the order. */
static void check_fold(bool int8, double scale, double shift)
{
    float before[crops], after[crops];
    qmtcnn_error error;
    const qmt_score_map map = {scale, shift};
    qmt_model *model = test_make_model(QMT_RNET, int8, QMT_ACTIVATION_RELU, 11);
    qmt_model *raw = through_a_file(model);
    run_logits(raw, before);
    assert_ok(qmt_scores_fold(model, &map, &error), &error);
    qmt_model *mapped = through_a_file(model);
    run_logits(mapped, after);
    const qmt_layer *old = &raw->heads[QMT_HEAD_FACE], *new = &mapped->heads[QMT_HEAD_FACE];
    double step = 0;
    if (int8) {
        assert_memory_equal(old->weight_int8, new->weight_int8, 2 * qmt_layer_taps(old));
        /* Biases are whole steps of the sums, before and after. */
        step = 2 * (double)(new->input_scale *fmaxf(new->weight_scale[0], new->weight_scale[1]));
    }
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < crops; i++) {
        assert_float_equal(after[i], scale * (double)before[i] + shift, step + 1e-4);
        low = fmin(low, (double)before[i]);
        high = fmax(high, (double)before[i]);
        for (int k = 0; k < i; k++)
            if (fabsf(before[i] - before[k]) > 1e-4f)
                assert_true((before[i] > before[k]) == (after[i] > after[k]));
    }
    assert_true(high - low > 0.01); /* the crops differ, or this shows nothing */
    qmt_model_free(mapped);
    qmt_model_free(raw);
    qmt_model_free(model);
}

static void test_folding(void **state)
{
    static const double scales[] = {1, 0.5, 0.7310585, 1.9}, shifts[] = {0, 2.25, -3.7};
    (void)state;
    for (int int8 = 0; int8 < 2; int8++)
        for (int i = 0; i < 4; i++)
            for (int k = 0; k < 3; k++)
                check_fold(int8, scales[i], shifts[k]);
}

static void test_folding_refuses(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_model *model = test_make_model(QMT_RNET, true, QMT_ACTIVATION_RELU, 1);
    assert_int_equal(qmt_scores_fold(model, &(qmt_score_map){0, 1}, &error), QMTCNN_ERROR_ARGUMENT);
    assert_int_equal(qmt_scores_fold(model, &(qmt_score_map){1, NAN}, &error), QMTCNN_ERROR_ARGUMENT);
    qmt_layer_clear(&model->heads[QMT_HEAD_FACE]);
    assert_int_equal(qmt_scores_fold(model, &(qmt_score_map){1, 1}, &error), QMTCNN_ERROR_UNSUPPORTED);
    qmt_model_free(model);
}

static void test_file(void **state)
{
    static const char *const damaged[] = {
        "",
        "[]",
        "{\"qat\": {\"pnet\": 3}}",
        "{\"qat\": {\"pnet\": {\"scale\": 1, \"shift\": 0}}}",
        "{\"qat\": {\"pnet\": {\"scale\": -1, \"shift\": 0, \"checkpoint\": \"0123456789abcdef\"}}}",
        "{\"qat\": {\"pnet\": {\"scale\": 1, \"shift\": 1e9, \"checkpoint\": \"0123456789abcdef\"}}}",
        "{\"qat\": {\"pnet\": {\"scale\": 1, \"shift\": 0, \"checkpoint\": \"0123456789abcdeg\"}}}",
        "{\"qat\": {\"fusion\": 0.5}}"};
    (void)state;
    qmtcnn_error error;
    qmt_score_maps maps[3], again[3];
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "scores.json");
    assert_ok(qmt_scores_read(folder, maps, &error), &error); /* none there */
    assert_false(maps[2].known[0]);
    assert_float_equal(maps[2].nets[0].scale, 1, 0);
    maps[2].known[QMT_RNET] = true;
    maps[2].nets[QMT_RNET] = (qmt_score_map){0.75, -1.0 / 3};
    maps[2].checkpoint[QMT_RNET] = 0xfedcba9876543210u;
    maps[2].fusion = 0.5f;
    maps[2].fusion_odds = 0.22064557f;
    assert_ok(qmt_scores_write(folder, maps, &error), &error);
    assert_ok(qmt_scores_read(folder, again, &error), &error);
    assert_memory_equal(again[2].nets, maps[2].nets, sizeof maps[2].nets);
    assert_memory_equal(again[2].checkpoint, maps[2].checkpoint, sizeof maps[2].checkpoint);
    assert_true(again[2].known[QMT_RNET] && !again[2].known[QMT_PNET] && !again[0].known[QMT_RNET]);
    assert_true(again[2].fusion == maps[2].fusion && again[2].fusion_odds == maps[2].fusion_odds);
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        assert_ok(qmt_file_write(path, damaged[i], strlen(damaged[i]), &error), &error);
        assert_int_equal(qmt_scores_read(folder, again, &error), QMTCNN_ERROR_FORMAT);
        assert_non_null(strstr(error.message, "scores.json"));
    }
    qmt_free(path);
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_folding), cmocka_unit_test(test_folding_refuses),
                                       cmocka_unit_test(test_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
