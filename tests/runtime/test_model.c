#include "runtime/models.h"

#include <string.h>

static void quantize_rounds_ties_to_even(void **state)
{
    (void)state;
    const struct {
        float x;
        int q;
    } cases[] = {{0.5f, 0},        {1.5f, 2},        {2.5f, 2},       {-0.5f, 0},       {-1.5f, -2},    {-2.5f, -2},
                 {126.5f, 126},    {127.49f, 127},   {1e9f, 127},     {-126.5f, -126},  {-128.f, -127}, {-1e30f, -127},
                 {0.49999997f, 0}, {0.50000006f, 1}, {INFINITY, 127}, {-INFINITY, -127}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(qmt_quantize_value(cases[i].x, 1.0f), cases[i].q);
        assert_int_equal(qmt_quantize_value(cases[i].x * 0.25f, 0.25f), cases[i].q);
    }
}

/* The picture's scale puts no pixel between two steps: 0 and 255 are the ends, and neighbors differ by 0 or 1. */
static void input_scale_has_no_ties(void **state)
{
    (void)state;
    float scale = qmt_input_scale();
    int before = -127;
    assert_float_equal((double)scale, 0.99609375 / 127, 1e-10);
    for (int p = 0; p < 256; p++) {
        float x = ((float)p - 127.5f) / 128.0f;
        double exact = (p - 127.5) / 127.5 * 127;
        assert_true(fabs(fabs(exact - floor(exact)) - 0.5) > 1e-3);
        int q = qmt_quantize_value(x, scale);
        assert_int_equal(q, (int)lround(exact));
        assert_in_range(q - before, 0, 1);
        before = q;
    }
    assert_int_equal(before, 127);
}

static void scales_have_a_floor(void **state)
{
    (void)state;
    assert_float_equal((double)qmt_scale_for(127.0f), 1.0, 0);
    assert_float_equal((double)qmt_scale_for(0.0f), 1e-8, 1e-12);
    assert_float_equal((double)qmt_scale_for(-5.0f), 1e-8, 1e-12);
    assert_float_equal((double)qmt_scale_for(NAN), 1e-8, 1e-12);
}

static void layers_quantize_by_hand(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_layer layer;
    assert_ok(qmt_layer_init(&layer, "x", 3, 3, 1, 1, QMT_ACTIVATION_RELU, &error), &error);
    const float weights[9] = {1.0f, -0.5f, 0.25f, 0, 0, 0, -254.0f, 3.0f, 1.0f};
    const float bias[3] = {1.0f, 1.0f, -3.0f};
    memcpy(layer.weight, weights, sizeof weights);
    memcpy(layer.bias, bias, sizeof bias);
    assert_ok(qmt_layer_quantize(&layer, 0.5f, NULL, &error), &error);
    /* 1/127: 127, -63.5 -> -64, 31.75 -> 32. Dead channel: the floor. 2: -127, 1.5 -> 2, 0.5 -> 0. */
    const int8_t expected[9] = {127, -64, 32, 0, 0, 0, -127, 2, 0};
    assert_memory_equal(layer.weight_int8, expected, sizeof expected);
    assert_int_equal(layer.bias_int32[0], 254);                           /* 1 / (0.5 / 127) */
    assert_in_range(layer.bias_int32[1], 200000000 - 20, 200000000 + 20); /* 1 / (0.5 * 1e-8) */
    assert_int_equal(layer.bias_int32[2], -3);                            /* -3 / (0.5 * 2) */
    const float scales[3] = {1.0f, 1e-8f, 0.25f};
    layer.bias[1] = 1e10f;
    layer.bias[2] = -0.3125f; /* / 0.125 = -2.5 -> -2 */
    assert_ok(qmt_layer_quantize(&layer, 0.5f, scales, &error), &error);
    assert_int_equal(layer.weight_int8[0], 1);
    assert_int_equal(layer.weight_int8[6], -127);
    assert_int_equal(layer.bias_int32[1], 1 << 30);
    assert_int_equal(layer.bias_int32[2], -2);
    const float bad[3] = {1.0f, 0.0f, NAN};
    assert_int_equal(qmt_layer_quantize(&layer, 0.5f, bad, &error), QMTCNN_ERROR_NUMERIC);
    assert_int_equal(qmt_layer_quantize(&layer, NAN, scales, &error), QMTCNN_ERROR_NUMERIC);
    assert_int_equal(qmt_layer_quantize(&layer, 1e-30f, (const float[]){1e-30f, 1, 1}, &error), QMTCNN_ERROR_NUMERIC);
    assert_non_null(layer.weight_int8); /* a failure changes nothing */
    qmt_layer_dequantize(&layer);
    assert_null(layer.weight_int8);
    assert_float_equal((double)layer.input_scale, 0, 0);
    qmt_layer_clear(&layer);
}

static void sizes_round_up(void **state)
{
    (void)state;
    const struct {
        int net, in, out;
    } cases[] = {{QMT_PNET, 12, 1}, {QMT_PNET, 13, 2}, {QMT_PNET, 14, 2}, {QMT_PNET, 24, 7}, {QMT_PNET, 96, 43},
                 {QMT_RNET, 24, 1}, {QMT_ONET, 48, 1}, {QMT_PNET, 11, 1}, {QMT_PNET, 10, 0}, {QMT_RNET, 9, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qmt_model *model = test_make_model((qmt_net_id)cases[i].net, false, QMT_ACTIVATION_RELU, 1);
        int height = cases[i].in, width = height;
        bool fits = true;
        for (int j = 0; j < model->layer_count && fits; j++)
            fits = qmt_layer_output_size(&model->layers[j], height, width, &height, &width);
        assert_int_equal(fits ? height : 0, cases[i].out);
        qmt_model_free(model);
    }
}

static void metadata_is_replaced(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_model *model = test_make_model(QMT_PNET, false, QMT_ACTIVATION_RELU, 1);
    assert_null(qmt_model_metadata(model, "a"));
    assert_ok(qmt_model_set_metadata(model, "a", "1", &error), &error);
    assert_ok(qmt_model_set_metadata(model, "b", "2", &error), &error);
    assert_ok(qmt_model_set_metadata(model, "a", "3", &error), &error);
    assert_int_equal(model->metadata_count, 2);
    assert_string_equal(qmt_model_metadata(model, "a"), "3");
    assert_string_equal(qmt_model_metadata(model, "b"), "2");
    qmt_model_free(model);
    qmt_model_free(NULL);
}

/* Each fault by itself is found. */
static void check_finds_faults(void **state)
{
    (void)state;
    enum { faults = 12 };
    for (int fault = 0; fault < faults; fault++) {
        qmtcnn_error error = {0};
        qmt_model *model = test_make_model(QMT_RNET, true, QMT_ACTIVATION_PRELU, 1);
        qmt_layer *layer = &model->layers[1];
        switch (fault) {
        case 0: layer->in_channels = 27; break;
        case 1: layer->weight[5] = NAN; break;
        case 2: layer->bias[5] = INFINITY; break;
        case 3: layer->slope[0] = NAN; break;
        case 4: layer->weight_scale[3] = 0; break;
        case 5: layer->input_scale = -1; break;
        case 6: layer->weight_int8[7] = -128; break;
        case 7: layer->pool_stride = 4; break;
        case 8: model->layers[0].activation = QMT_ACTIVATION_RELU; break;
        case 9: qmt_layer_clear(&model->heads[QMT_HEAD_FACE]); break;
        case 10: model->input_width = 30; break;
        default: model->heads[QMT_HEAD_BOX].out_channels = 3; break;
        }
        qmtcnn_status status = qmt_model_check(model, &error);
        if (status == QMTCNN_OK)
            fail_msg("fault %d was not found", fault);
        assert_true(error.message[0] != 0);
        if (fault == 0)
            layer->in_channels = 28;
        qmt_model_free(model);
    }
}

static void sizes_are_limited(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_layer layer;
    qmt_model *model;
    assert_int_equal(qmt_layer_init(&layer, "x", 0, 1, 1, 1, QMT_ACTIVATION_NONE, &error), QMTCNN_ERROR_UNSUPPORTED);
    assert_int_equal(qmt_layer_init(&layer, "x", 4096, 4096, 64, 64, QMT_ACTIVATION_NONE, &error),
                     QMTCNN_ERROR_UNSUPPORTED);
    assert_int_equal(qmt_model_create(QMT_PNET, 33, &model, &error), QMTCNN_ERROR_UNSUPPORTED);
    assert_null(model);
    assert_ok(qmt_layer_init(&layer, "x", 4096, 1, 5, 5, QMT_ACTIVATION_NONE, &error), &error);
    assert_int_equal(qmt_layer_quantize(&layer, 1, NULL, &error), QMTCNN_ERROR_UNSUPPORTED); /* the sum may overflow */
    qmt_layer_clear(&layer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantize_rounds_ties_to_even),
        cmocka_unit_test(input_scale_has_no_ties),
        cmocka_unit_test(scales_have_a_floor),
        cmocka_unit_test(layers_quantize_by_hand),
        cmocka_unit_test(sizes_round_up),
        cmocka_unit_test(metadata_is_replaced),
        cmocka_unit_test(check_finds_faults),
        cmocka_unit_test(sizes_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
