/* Models in ONNX Runtime's form: integers, what is written and read, and what is refused. */
#include "runtime/onnx_edit.h"

#include "toolkit/deploy/deploy.h"

static const qmt_onnx_options form = {.form = QMT_ONNX_ONNXRUNTIME};

static int layer_count(const qmt_model *model)
{
    return model->layer_count + qmt_head_count;
}

static qmt_layer *layer_of(const qmt_model *model, int i)
{
    return i < model->layer_count ? &model->layers[i] : (qmt_layer *)&model->heads[i - model->layer_count];
}

static qmt_model *make_form(qmt_net_id net, qmt_activation activation, int bits)
{
    qmtcnn_error error;
    qmt_model *model = test_make_model(net, true, activation, 31);
    assert_ok(qmt_model_for_onnxruntime(model, bits, &error), &error);
    assert_ok(qmt_model_check(model, &error), &error);
    return model;
}

static void integers_are_those_of_the_form(void **state)
{
    (void)state;
    for (int bits = 7; bits <= 8; bits++) {
        const double largest = bits == 7 ? 63 : 127;
        qmt_model *before = test_make_model(QMT_RNET, true, QMT_ACTIVATION_RELU, 31);
        qmt_model *after = make_form(QMT_RNET, QMT_ACTIVATION_RELU, bits);
        for (int i = 0; i < layer_count(before); i++) {
            const qmt_layer *a = layer_of(before, i), *b = layer_of(after, i);
            const size_t taps = qmt_layer_taps(a);
            int top = 0;
            assert_int_equal(b->input_unsigned, i > 0);
            /* The same largest activation: 127 steps then, 255 now. */
            const double range = (double)b->input_scale * (i > 0 ? 255 : 127);
            assert_true(fabs(range - (double)a->input_scale * 127) < 1e-6 * range);
            for (size_t j = 0; j < (size_t)a->out_channels * taps; j++) {
                const double scale = (double)a->weight_scale[j / taps] * 127 / largest;
                const double exact = (double)a->weight[j] / scale;
                assert_true(fabs(b->weight_int8[j] - exact) < 0.5001);
                top = abs(b->weight_int8[j]) > top ? abs(b->weight_int8[j]) : top;
            }
            assert_int_equal(top, (int)largest);
            for (int c = 0; c < a->out_channels; c++) {
                const double step = (double)b->input_scale * (double)b->weight_scale[c];
                assert_true(fabs(b->bias_int32[c] - (double)a->bias[c] / step) < 0.51);
            }
        }
        qmt_model_free(after);
        qmt_model_free(before);
    }
}

static void only_what_a_relu_left_is_unsigned(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_model *model = make_form(QMT_PNET, QMT_ACTIVATION_PRELU, 8);
    for (int i = 0; i < layer_count(model); i++)
        assert_false(layer_of(model, i)->input_unsigned);
    model->layers[1].input_unsigned = true;
    assert_int_equal(qmt_model_check(model, &error), QMTCNN_ERROR_ARGUMENT);
    assert_int_equal(qmt_model_for_onnxruntime(model, 6, &error), QMTCNN_ERROR_ARGUMENT);
    qmt_model_free(model);
}

static void assert_same_integers(const qmt_model *a, const qmt_model *b)
{
    assert_int_equal(layer_count(a), layer_count(b));
    for (int i = 0; i < layer_count(a); i++) {
        const qmt_layer *x = layer_of(a, i), *y = layer_of(b, i);
        const size_t outputs = (size_t)x->out_channels;
        assert_int_equal(x->activation, y->activation);
        assert_int_equal(x->input_unsigned, y->input_unsigned);
        assert_memory_equal(&x->input_scale, &y->input_scale, sizeof(float));
        assert_memory_equal(x->weight_scale, y->weight_scale, outputs * sizeof(float));
        assert_memory_equal(x->weight_int8, y->weight_int8, outputs * qmt_layer_taps(x));
        assert_memory_equal(x->bias_int32, y->bias_int32, outputs * sizeof(int32_t));
    }
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    for (int net = 0; net < qmt_net_count; net++) {
        for (int prelu = 0; prelu < 2; prelu++) {
            qmtcnn_error error;
            qmt_model *model = make_form((qmt_net_id)net, prelu ? QMT_ACTIVATION_PRELU : QMT_ACTIVATION_RELU, 7), *read;
            void *data;
            size_t size;
            assert_ok(qmt_onnx_write(model, &form, &data, &size, &error), &error);
            assert_ok(qmt_onnx_read(data, size, "test.onnx", &read, &error), &error);
            assert_same_integers(model, read);
            qmt_model_free(read);
            qmt_free(data);
            qmt_model_free(model);
        }
    }
}

/* ---- Other people's files ------------------------------------------------------------------------------ */

static void rename_kind(QmtOnnx__Model *file, const char *from, const char *to)
{
    for (size_t i = 0; i < file->graph->n_node; i++) {
        QmtOnnx__Node *node = file->graph->node[i];
        if (strcmp(node->op_type, from) != 0)
            continue;
        free(node->op_type);
        node->op_type = strdup(to);
        assert_non_null(node->op_type);
    }
}

/* Zero point 0 of uint8 is a ReLU, so tools leave the node out. */
static void a_quantizer_may_stand_for_the_relu(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_model *model = make_form(QMT_ONET, QMT_ACTIVATION_RELU, 8), *read;
    QmtOnnx__Model *file = test_unpack(model, &form);
    rename_kind(file, "Relu", "Identity");
    assert_ok(test_read_edited(file, &read, &error), &error);
    /* Only behind the last pool is there a quantizer for each layer; all of them have one here. */
    assert_same_integers(model, read);
    qmt_model_free(read);
    qmt_model_free(model);
}

static void other_zero_points_are_refused(void **state)
{
    static const struct {
        const char *tensor, *words;
        uint8_t zero;
    } cases[] = {{"input_zero_point", "zero point 7", 7},
                 {"input_zero_point", "a picture in UINT8 with zero point 0", 0},
                 {"conv2_relu_output_zero_point", "zero point 255", 255}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        qmtcnn_error error = {QMTCNN_OK, ""};
        qmt_model *model = make_form(QMT_PNET, QMT_ACTIVATION_RELU, 8), *read;
        QmtOnnx__Model *file = test_unpack(model, &form);
        test_find_tensor(file, cases[i].tensor)->raw_data.data[0] = cases[i].zero;
        assert_int_equal(test_read_edited(file, &read, &error), QMTCNN_ERROR_UNSUPPORTED);
        assert_null(read);
        assert_non_null(strstr(error.message, cases[i].words));
        qmt_model_free(model);
    }
}

static void uint8_weights_and_uint8_behind_prelu_are_refused(void **state)
{
    (void)state;
    qmtcnn_error error = {QMTCNN_OK, ""};
    qmt_model *model = make_form(QMT_PNET, QMT_ACTIVATION_RELU, 8), *read;
    QmtOnnx__Model *file = test_unpack(model, &form);
    test_find_tensor(file, "conv1_weight_zero_point")->data_type = 2;
    assert_int_equal(test_read_edited(file, &read, &error), QMTCNN_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "UINT8 weights"));
    qmt_model_free(model);
    model = make_form(QMT_PNET, QMT_ACTIVATION_PRELU, 8);
    file = test_unpack(model, &form);
    test_find_tensor(file, "conv2_prelu_output_zero_point")->raw_data.data[0] = 0;
    assert_int_equal(test_read_edited(file, &read, &error), QMTCNN_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "another activation than ReLU"));
    qmt_model_free(model);
}

/* ---- TensorRT ------------------------------------------------------------------------------------------- */

struct seen {
    bool target, bias, weight, zero;
};

static void note_finding(void *state, const qmt_lint_finding *finding)
{
    struct seen *seen = state;
    assert_true(finding->error || strcmp(finding->rule, "target-onnxruntime") != 0);
    seen->target =
        seen->target || (strcmp(finding->rule, "target-onnxruntime") == 0 && strstr(finding->text, "not for TensorRT"));
    seen->bias = seen->bias || strcmp(finding->rule, "bias-quantized") == 0;
    seen->weight = seen->weight || strcmp(finding->rule, "int8-initializer") == 0;
    seen->zero = seen->zero || strcmp(finding->rule, "zero-point-uint8") == 0;
}

static void the_check_says_that_it_is_not_for_tensorrt(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_model *model = make_form(QMT_PNET, QMT_ACTIVATION_RELU, 8);
    struct seen seen = {false, false, false, false};
    void *data;
    size_t size;
    int findings;
    assert_ok(qmt_model_set_metadata(model, "qmtcnn.target", "onnxruntime", &error), &error);
    assert_ok(qmt_onnx_write(model, &form, &data, &size, &error), &error);
    assert_ok(qmt_lint_tensorrt_memory(data, size, "m", note_finding, &seen, &findings, &error), &error);
    assert_true(seen.target && seen.bias && seen.weight && seen.zero);
    qmt_free(data);
    assert_int_equal(qmt_onnx_write(model, NULL, &data, &size, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "TensorRT"));
    qmt_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_those_of_the_form),
        cmocka_unit_test(only_what_a_relu_left_is_unsigned),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_quantizer_may_stand_for_the_relu),
        cmocka_unit_test(other_zero_points_are_refused),
        cmocka_unit_test(uint8_weights_and_uint8_behind_prelu_are_refused),
        cmocka_unit_test(the_check_says_that_it_is_not_for_tensorrt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
