/* Networks in ONNX Runtime's form, with uint8 between layers, against exact arithmetic in double precision. */
#include "runtime/models.h"

#include "runtime/kernels/network.h"

#include <string.h>

/* All layers but the first read 0 .. 255; with `real`, that layer stays FP32. */
static qmt_model *make_unsigned(qmt_net_id net, int real)
{
    qmt_model *model = test_make_model(net, true, QMT_ACTIVATION_RELU, 41);
    qmtcnn_error error;
    for (int i = 1; i < model->layer_count + qmt_head_count; i++) {
        qmt_layer *layer = i < model->layer_count ? &model->layers[i] : &model->heads[i - model->layer_count];
        if (i == real) {
            qmt_layer_dequantize(layer);
            continue;
        }
        assert_ok(qmt_layer_quantize(layer, layer->input_scale * (127.0f / 255.0f), NULL, &error), &error);
        layer->input_unsigned = true;
    }
    assert_ok(qmt_model_check(model, &error), &error);
    return model;
}

struct expected {
    const qmt_model *model;
    test_tensor tensors[qmt_max_layers + qmt_head_count];
    bool steps[qmt_max_layers]; /* of uint8 */
    double most_wrong;          /* FP32 layers on the way: values may be a step off */
    int taps;
};

static test_tensor run_layer(const qmt_layer *layer, float scale, const test_tensor *input)
{
    return test_run_layer(layer, layer->weight_int8 != NULL, scale, scale > 0, input);
}

static void expect(struct expected *expected, const uint8_t *pixels, int height, int width)
{
    const qmt_model *model = expected->model;
    const int layers = model->layer_count;
    test_tensor picture = test_tensor_make(height, width, 3), *input = &picture;
    for (int i = 0; i < 3 * width * height; i++) {
        volatile float real = ((float)pixels[i] - 127.5f) / 128.0f;
        picture.values[i] = (double)qmt_quantize_value(real, model->layers[0].input_scale);
    }
    for (int i = 0; i < layers; i++) {
        const qmt_layer *next = i + 1 < layers ? &model->layers[i + 1] : &model->heads[0];
        expected->tensors[i] = run_layer(&model->layers[i], next->input_scale, input);
        expected->steps[i] = next->input_scale > 0;
        input = &expected->tensors[i];
    }
    for (int i = 0; i < qmt_head_count; i++)
        expected->tensors[layers + i] = run_layer(&model->heads[i], 0, input);
    free(picture.values);
}

static void compare(void *state, const qmt_tap_tensor *tensor)
{
    struct expected *expected = state;
    const test_tensor *right = &expected->tensors[tensor->layer];
    const bool trunk = tensor->layer < expected->model->layer_count;
    const bool steps = trunk && expected->steps[tensor->layer];
    assert_int_equal(tensor->height, right->height);
    assert_int_equal(tensor->width, right->width);
    assert_int_equal(tensor->channels, right->channels);
    assert_true((tensor->int8 != NULL) == steps);
    assert_true(tensor->is_unsigned == steps);
    expected->taps++;
    double most = 0;
    for (int i = 0; i < right->height * right->width * right->channels; i++) {
        const double value = steps ? (double)((const uint8_t *)tensor->int8)[i] : (double)tensor->real[i];
        most = fmax(most, fabs(value - right->values[i]));
    }
    assert_true(most <= expected->most_wrong);
}

static void check_model(qmt_model *model, const char *kernels, double most_wrong)
{
    const int height = model->input_height ? model->input_height : 37, width = model->input_width ? height : 45;
    struct expected expected = {.model = model, .most_wrong = most_wrong};
    test_random random = {43};
    qmt_network *network;
    qmt_workspace *workspace;
    qmtcnn_error error;
    const qmt_outputs nothing = {.face = NULL};
    uint8_t *pixels = malloc(3 * (size_t)width * (size_t)height);
    assert_non_null(pixels);
    for (int i = 0; i < 3 * width * height; i++)
        pixels[i] = (uint8_t)test_bits(&random);
    expect(&expected, pixels, height, width);
    assert_ok(qmt_network_create(model, QMTCNN_PRECISION_INT8, qmt_kernels_select(kernels), &network, &error), &error);
    assert_true(qmt_network_is_int8(network));
    assert_ok(qmt_workspace_create(&workspace, &error), &error);
    assert_ok(qmt_network_run(network, workspace, pixels, 3 * (ptrdiff_t)width, 1, height, width, &nothing, compare,
                              &expected, &error),
              &error);
    assert_int_equal(expected.taps, model->layer_count + qmt_head_count);
    for (int i = 0; i < expected.taps; i++)
        free(expected.tensors[i].values);
    qmt_workspace_free(workspace);
    qmt_network_free(network);
    free(pixels);
    qmt_model_free(model);
}

static void every_layer_is_exact(void **state)
{
    (void)state;
    for (int net = 0; net < qmt_net_count; net++) {
        check_model(make_unsigned((qmt_net_id)net, -1), "c", 0);
        check_model(make_unsigned((qmt_net_id)net, -1), NULL, 0);
    }
}

/* A layer that stays FP32 takes its sums in another order than the test; a value near a tie may be a step off, and with
 * it those behind. */
static void an_fp32_layer_may_stand_between(void **state)
{
    (void)state;
    check_model(make_unsigned(QMT_RNET, 2), "c", 2);
    check_model(make_unsigned(QMT_PNET, 1), NULL, 2);
}

/* Strips, batches and FP32 of the same file. */
static void strips_and_batches_give_the_same(void **state)
{
    enum { side = 24, crops = 5 };
    (void)state;
    qmt_model *model = make_unsigned(QMT_RNET, -1);
    test_random random = {47};
    qmt_network *network;
    qmt_workspace *workspace;
    qmtcnn_error error;
    uint8_t pixels[crops * 3 * side * side];
    float together[crops], alone[crops];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)test_bits(&random);
    assert_ok(qmt_network_create(model, QMTCNN_PRECISION_AUTO, NULL, &network, &error), &error);
    assert_ok(qmt_workspace_create(&workspace, &error), &error);
    const qmt_outputs all = {.face = together};
    assert_ok(qmt_network_run(network, workspace, pixels, 3 * side, crops, side, side, &all, NULL, NULL, &error),
              &error);
    for (int i = 0; i < crops; i++) {
        const qmt_outputs one = {.face = &alone[i]};
        assert_ok(qmt_network_run(network, workspace, pixels + i * 3 * side * side, 3 * side, 1, side, side, &one, NULL,
                                  NULL, &error),
                  &error);
    }
    assert_memory_equal(together, alone, sizeof alone);
    qmt_network_free(network);
    /* FP32 of the same file is FP32 of the model that was never quantized. */
    qmt_model *plain = test_make_model(QMT_RNET, false, QMT_ACTIVATION_RELU, 41);
    const qmt_outputs other = {.face = alone};
    assert_ok(qmt_network_create(model, QMTCNN_PRECISION_FP32, NULL, &network, &error), &error);
    assert_ok(qmt_network_run(network, workspace, pixels, 3 * side, crops, side, side, &all, NULL, NULL, &error),
              &error);
    qmt_network_free(network);
    assert_ok(qmt_network_create(plain, QMTCNN_PRECISION_FP32, NULL, &network, &error), &error);
    assert_ok(qmt_network_run(network, workspace, pixels, 3 * side, crops, side, side, &other, NULL, NULL, &error),
              &error);
    assert_memory_equal(together, alone, sizeof alone);
    qmt_model_free(plain);
    qmt_workspace_free(workspace);
    qmt_network_free(network);
    qmt_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_is_exact),
        cmocka_unit_test(an_fp32_layer_may_stand_between),
        cmocka_unit_test(strips_and_batches_give_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
