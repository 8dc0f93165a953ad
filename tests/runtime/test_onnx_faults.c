/* Wrong ONNX files are refused, by name and by what is wrong. */
#include "runtime/onnx_edit.h"

struct fault {
    const char *word; /* the message says it */
    void (*plant)(QmtOnnx__Model *file);
};

static void plant_unknown_kind(QmtOnnx__Model *file)
{
    test_set_text(&test_find_node(file, "conv2_relu")->op_type, "Sigmoid");
}
static void plant_uint8(QmtOnnx__Model *file)
{
    test_find_tensor(file, "input_zero_point")->data_type = 2;
}
static void plant_missing_zero_point(QmtOnnx__Model *file)
{
    QmtOnnx__Node *node = test_find_node(file, "input_quantize");
    free(node->input[2]);
    node->n_input = 2;
}
static void plant_zero_point(QmtOnnx__Model *file)
{
    test_find_tensor(file, "conv1_weight_zero_point")->raw_data.data[3] = 1;
}
static void plant_external(QmtOnnx__Model *file)
{
    test_find_tensor(file, "conv1_bias")->data_location = 1;
}
static void plant_claim(QmtOnnx__Model *file)
{
    QmtOnnx__Tensor *tensor = test_find_tensor(file, "conv1_weight");
    tensor->dims[0] = 100000;
    tensor->dims[1] = 25000; /* 10 GB */
}
static void plant_overflow(QmtOnnx__Model *file)
{
    for (int i = 0; i < 4; i++)
        test_find_tensor(file, "conv1_weight")->dims[i] = INT64_MAX;
}
static void plant_cycle(QmtOnnx__Model *file)
{
    test_set_text(&test_find_node(file, "conv2")->input[0], "conv3_relu_output");
}
static void plant_missing_input(QmtOnnx__Model *file)
{
    test_set_text(&test_find_node(file, "conv2_relu")->input[0], "nowhere");
}
static void plant_no_inputs(QmtOnnx__Model *file)
{
    QmtOnnx__Node *node = test_find_node(file, "conv2_relu");
    free(node->input[0]);
    node->n_input = 0;
}
static void plant_nan_scale(QmtOnnx__Model *file)
{
    test_raw_float(test_find_tensor(file, "conv1_weight_scale"), 2, NAN);
}
static void plant_negative_scale(QmtOnnx__Model *file)
{
    test_raw_float(test_find_tensor(file, "input_scale"), 0, -1);
}
static void plant_nan_weight(QmtOnnx__Model *file)
{
    test_raw_float(test_find_tensor(file, "conv2_weight"), 9, NAN);
}
static void plant_channels(QmtOnnx__Model *file)
{
    QmtOnnx__Tensor *tensor = test_find_tensor(file, "conv2_weight"); /* [16][10] to [10][16] */
    tensor->dims[0] = 10;
    tensor->dims[1] = 16;
}
static void plant_stride(QmtOnnx__Model *file)
{
    test_find_attribute(test_find_node(file, "conv2"), "strides")->ints[1] = 2;
}
static void plant_padding(QmtOnnx__Model *file)
{
    test_find_attribute(test_find_node(file, "conv2"), "pads")->ints[3] = 1;
}
static void plant_floor(QmtOnnx__Model *file)
{
    test_find_attribute(test_find_node(file, "conv1_pool"), "ceil_mode")->i = 0;
}
static void plant_pool(QmtOnnx__Model *file)
{
    test_find_attribute(test_find_node(file, "conv1_pool"), "kernel_shape")->ints[0] = INT64_MAX;
}
static void plant_duplicate(QmtOnnx__Model *file)
{
    test_set_text(&test_find_node(file, "conv2")->output[0], "conv1_output");
}
static void plant_opset(QmtOnnx__Model *file)
{
    file->opset_import[0]->version = 6;
}
static void plant_half(QmtOnnx__Model *file)
{
    test_find_tensor(file, "conv1_bias")->data_type = 10;
}
static void plant_name(QmtOnnx__Model *file)
{
    test_set_text(&test_find_node(file, "conv2")->name, "two\nlines");
}
static void plant_scales(QmtOnnx__Model *file)
{
    QmtOnnx__Node *node = test_find_node(file, "conv2_weight_dequantize");
    test_set_text(&node->input[1], "input_scale");
}
static void plant_early_quantizer(QmtOnnx__Model *file)
{
    test_set_text(&test_find_node(file, "conv2_relu")->input[0], "quantized_early");
    test_add_node(file,
                  test_new_node("QuantizeLinear", (const char *[]){"conv2_output", "input_scale", "input_zero_point"},
                                3, "int8_early"));
    test_add_node(file,
                  test_new_node("DequantizeLinear", (const char *[]){"int8_early", "input_scale", "input_zero_point"},
                                3, "quantized_early"));
}
static void plant_output_channels(QmtOnnx__Model *file)
{
    test_set_text(&file->graph->output[1]->name, "conv3_relu_output");
}
static void plant_input_rank(QmtOnnx__Model *file)
{
    qmt_onnx__dimension__free_unpacked(file->graph->input[0]->type->tensor_type->shape->dim[3], NULL);
    file->graph->input[0]->type->tensor_type->shape->n_dim = 3;
}

static void planted_faults_are_named(void **state)
{
    (void)state;
    const struct fault faults[] = {{"Sigmoid", plant_unknown_kind},
                                   {"UINT8", plant_uint8},
                                   {"UINT8", plant_missing_zero_point},
                                   {"zero point 1", plant_zero_point},
                                   {"another file", plant_external},
                                   {"claims", plant_claim},
                                   {"impossible", plant_overflow},
                                   {"cycle", plant_cycle},
                                   {"nowhere", plant_missing_input},
                                   {"nothing computes", plant_no_inputs},
                                   {"nan", plant_nan_scale},
                                   {"-1", plant_negative_scale},
                                   {"finite", plant_nan_weight},
                                   {"do not fit", plant_channels},
                                   {"stride", plant_stride},
                                   {"padding", plant_padding},
                                   {"ceil_mode", plant_floor},
                                   {"pool", plant_pool},
                                   {"made twice", plant_duplicate},
                                   {"opset 6", plant_opset},
                                   {"FP16", plant_half},
                                   {"printable", plant_name},
                                   {"differs", plant_scales},
                                   {"between", plant_early_quantizer},
                                   {"32 channels", plant_output_channels},
                                   {"four dimensions", plant_input_rank}};
    qmt_model *model = test_make_model(QMT_PNET, true, QMT_ACTIVATION_RELU, 27);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        qmtcnn_error error = {0};
        qmt_model *result = NULL;
        QmtOnnx__Model *file = test_unpack(model, NULL);
        faults[i].plant(file);
        qmtcnn_status status = test_read_edited(file, &result, &error);
        if (status == QMTCNN_OK || result || !strstr(error.message, faults[i].word) ||
            !strstr(error.message, "test.onnx"))
            fail_msg("fault \"%s\": status %d, \"%s\"", faults[i].word, (int)status, error.message);
    }
    qmt_model_free(model);
}

static void files_that_cannot_be_read(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_model *model;
    assert_int_equal(qmt_onnx_read_file("/nowhere/pnet.onnx", &model, &error), QMTCNN_ERROR_IO);
    assert_non_null(strstr(error.message, "/nowhere/pnet.onnx"));
    assert_int_not_equal(qmt_onnx_read_file("/", &model, &error), QMTCNN_OK);
    assert_null(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_faults_are_named),
        cmocka_unit_test(files_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
