/* ONNX files: what is written is read back, and other people's forms are read. */
#include "runtime/onnx_edit.h"

/* ---- Round trip ----------------------------------------------------------------------------------- */

static void assert_same_layer(const qmt_layer *a, const qmt_layer *b)
{
    size_t outputs = (size_t)a->out_channels, weights = outputs * qmt_layer_taps(a);
    assert_int_equal(a->out_channels, b->out_channels);
    if (a->out_channels == 0)
        return;
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->in_channels, b->in_channels);
    assert_int_equal(a->kernel_height, b->kernel_height);
    assert_int_equal(a->kernel_width, b->kernel_width);
    assert_int_equal(a->activation, b->activation);
    assert_int_equal(a->pool_kernel, b->pool_kernel);
    assert_int_equal(a->pool_stride, b->pool_stride);
    assert_memory_equal(a->weight, b->weight, weights * sizeof(float));
    /* The bias of an INT8 layer is written in whole steps of the accumulator. */
    for (size_t c = 0; c < outputs; c++) {
        float step = b->weight_int8 ? b->input_scale * b->weight_scale[c] : 0.0f;
        assert_true(fabsf(a->bias[c] - b->bias[c]) <= 0.501f * step);
    }
    assert_true((a->slope != NULL) == (b->slope != NULL));
    if (a->slope)
        assert_memory_equal(a->slope, b->slope, outputs * sizeof(float));
    assert_true((a->weight_int8 != NULL) == (b->weight_int8 != NULL));
    if (!a->weight_int8)
        return;
    assert_memory_equal(&a->input_scale, &b->input_scale, sizeof(float));
    assert_memory_equal(a->weight_scale, b->weight_scale, outputs * sizeof(float));
    assert_memory_equal(a->weight_int8, b->weight_int8, weights);
    assert_memory_equal(a->bias_int32, b->bias_int32, outputs * sizeof(int32_t));
}

static void assert_same_model(const qmt_model *a, const qmt_model *b)
{
    assert_int_equal(a->net, b->net);
    assert_int_equal(a->input_height, b->input_height);
    assert_int_equal(a->input_width, b->input_width);
    assert_int_equal(a->layer_count, b->layer_count);
    assert_true(a->landmarks_planar == b->landmarks_planar);
    assert_string_equal(a->input_name, b->input_name);
    for (int i = 0; i < a->layer_count; i++)
        assert_same_layer(&a->layers[i], &b->layers[i]);
    for (int i = 0; i < qmt_head_count; i++) {
        assert_same_layer(&a->heads[i], &b->heads[i]);
        if (a->heads[i].out_channels)
            assert_string_equal(a->output_names[i], b->output_names[i]);
    }
    assert_int_equal(a->metadata_count, b->metadata_count);
    for (int i = 0; i < a->metadata_count; i++)
        assert_string_equal(a->metadata[i].value, qmt_model_metadata(b, a->metadata[i].key));
}

static qmt_model *write_and_read(const qmt_model *model, const qmt_onnx_options *options)
{
    qmtcnn_error error;
    qmt_model *result;
    void *data;
    size_t size;
    assert_ok(qmt_onnx_write(model, options, &data, &size, &error), &error);
    assert_ok(qmt_onnx_read(data, size, "test.onnx", &result, &error), &error);
    qmt_free(data);
    return result;
}

static void written_models_are_read_back(void **state)
{
    (void)state;
    qmtcnn_error error;
    for (int net = 0; net < qmt_net_count; net++)
        for (int kind = 0; kind < 6; kind++) {
            qmt_model *model =
                test_make_model((qmt_net_id)net, kind != 0, kind == 2 ? QMT_ACTIVATION_PRELU : QMT_ACTIVATION_RELU, 20);
            qmt_onnx_options options = {.opset = kind == 3 ? 17 : 0, .flatten_outputs = kind == 1 || kind == 4};
            if (kind == 4) { /* mixed */
                qmt_layer_dequantize(&model->layers[0]);
                qmt_layer_dequantize(&model->heads[QMT_HEAD_BOX]);
            } else if (kind == 5) { /* names as Caffe has them; two heads, and one of them on a scale of its own */
                assert_ok(qmt_set_string(&model->input_name, "data", &error), &error);
                assert_ok(qmt_set_string(&model->output_names[0], "prob1", &error), &error);
                assert_ok(qmt_set_string(&model->output_names[1], "conv4-2", &error), &error);
                qmt_layer_clear(&model->heads[QMT_HEAD_LANDMARKS]);
                assert_ok(qmt_layer_quantize(&model->heads[1], 0.25f, NULL, &error), &error);
            }
            model->landmarks_planar = kind == 2;
            assert_ok(qmt_model_set_metadata(model, "thresholds", "0.6 0.7 0.7", &error), &error);
            assert_ok(qmt_model_set_metadata(model, "empty", "", &error), &error);
            qmt_model *result = write_and_read(model, &options);
            assert_same_model(model, result);
            qmt_model_free(result);
            qmt_model_free(model);
        }
}

/* `fp32` leaves all quantizers out; a head alone is found as one. */
static void fp32_and_single_heads(void **state)
{
    (void)state;
    qmt_model *model = test_make_model(QMT_ONET, true, QMT_ACTIVATION_RELU, 21);
    qmt_layer_clear(&model->heads[QMT_HEAD_BOX]);
    qmt_layer_clear(&model->heads[QMT_HEAD_LANDMARKS]);
    qmt_model *result = write_and_read(model, &(qmt_onnx_options){.fp32 = true});
    for (int i = 0; i < model->layer_count; i++)
        qmt_layer_dequantize(&model->layers[i]);
    qmt_layer_dequantize(&model->heads[QMT_HEAD_FACE]);
    assert_same_model(model, result);
    qmt_model_free(result);
    qmt_model_free(model);
}

static void writing_wrong_models_fails(void **state)
{
    (void)state;
    qmtcnn_error error;
    void *data;
    size_t size;
    qmt_model *model = test_make_model(QMT_PNET, true, QMT_ACTIVATION_RELU, 22);
    assert_int_equal(qmt_onnx_write(model, &(qmt_onnx_options){.opset = 12}, &data, &size, &error),
                     QMTCNN_ERROR_ARGUMENT);
    assert_int_equal(qmt_onnx_write(model, &(qmt_onnx_options){.opset = 18}, &data, &size, &error),
                     QMTCNN_ERROR_ARGUMENT);
    assert_ok(qmt_set_string(&model->layers[1].name, "conv1", &error), &error);
    assert_int_equal(qmt_onnx_write(model, NULL, &data, &size, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "conv1"));
    assert_ok(qmt_set_string(&model->layers[1].name, "conv2", &error), &error);
    assert_ok(qmt_set_string(&model->output_names[1], "conv1_output", &error), &error);
    assert_int_equal(qmt_onnx_write(model, NULL, &data, &size, &error), QMTCNN_ERROR_ARGUMENT);
    assert_null(data);
    qmt_model_free(model);
}

/* ---- Other people's forms ------------------------------------------------------------------------- */

/* A fully connected layer as torch exports it: Flatten, then Gemm with transB. */
static void gemm_is_a_convolution(void **state)
{
    (void)state;
    qmtcnn_error error;
    for (int transposed = 0; transposed < 2; transposed++) {
        qmt_model *model = test_make_model(QMT_RNET, false, QMT_ACTIVATION_RELU, 23), *result;
        QmtOnnx__Model *file = test_unpack(model, NULL);
        test_add_node(file, test_new_node("Flatten", (const char *[]){"conv3_relu_output"}, 1, "flat"));
        for (int i = 3; i < 7; i++) {
            char name[32], weight[48];
            test_name_layer(name, i);
            snprintf(weight, sizeof weight, "%s_weight", name);
            QmtOnnx__Node *node = test_find_node(file, name);
            QmtOnnx__Tensor *tensor = test_find_tensor(file, weight);
            if (i == 3)
                test_set_text(&node->input[0], "flat");
            test_set_text(&node->op_type, "Gemm");
            tensor->dims[1] *= tensor->dims[2] * tensor->dims[3];
            tensor->n_dims = 2;
            QmtOnnx__Attribute *attribute = test_find_attribute(node, "group");
            test_set_text(&attribute->name, "transB");
            attribute->i = !transposed;
            if (transposed) {
                size_t rows = (size_t)tensor->dims[0], columns = (size_t)tensor->dims[1];
                float *values = malloc(rows * columns * sizeof *values);
                memcpy(values, tensor->raw_data.data, rows * columns * sizeof *values);
                for (size_t r = 0; r < rows; r++)
                    for (size_t c = 0; c < columns; c++)
                        test_raw_float(tensor, c * rows + r, values[r * columns + c]);
                tensor->dims[0] = (int64_t)columns;
                tensor->dims[1] = (int64_t)rows;
                free(values);
            }
        }
        assert_ok(test_read_edited(file, &result, &error), &error);
        assert_same_model(model, result);
        qmt_model_free(result);
        qmt_model_free(model);
    }
}

static void batch_norm_is_folded(void **state)
{
    (void)state;
    enum { channels = 10 };
    qmtcnn_error error;
    test_random random = {24};
    qmt_model *model = test_make_model(QMT_PNET, false, QMT_ACTIVATION_RELU, 24), *result;
    float gamma[channels], beta[channels], mean[channels], variance[channels];
    for (int c = 0; c < channels; c++) {
        gamma[c] = test_real(&random);
        beta[c] = test_real(&random);
        mean[c] = test_real(&random);
        variance[c] = 0.01f + fabsf(test_real(&random));
    }
    QmtOnnx__Model *file = test_unpack(model, NULL);
    test_add_floats(file, "gamma", gamma, channels);
    test_add_floats(file, "beta", beta, channels);
    test_add_floats(file, "mean", mean, channels);
    test_add_floats(file, "variance", variance, channels);
    test_add_node(file,
                  test_new_node("BatchNormalization",
                                (const char *[]){"conv1_output", "gamma", "beta", "mean", "variance"}, 5, "normal"));
    test_set_text(&test_find_node(file, "conv1_relu")->input[0], "normal");
    assert_ok(test_read_edited(file, &result, &error), &error);
    for (int c = 0; c < channels; c++) {
        double factor = (double)gamma[c] / sqrt((double)variance[c] + 1e-5);
        assert_float_equal((double)result->layers[0].bias[c],
                           ((double)model->layers[0].bias[c] - (double)mean[c]) * factor + (double)beta[c], 1e-6);
        for (int i = 0; i < 27; i++)
            assert_float_equal((double)result->layers[0].weight[27 * c + i],
                               (double)model->layers[0].weight[27 * c + i] * factor, 1e-6);
    }
    qmt_model_free(result);
    qmt_model_free(model);
}

/* INT8 weights in the file, without a QuantizeLinear before them, and Identity in between. */
static void int8_weights_are_read(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_model *model = test_make_model(QMT_PNET, true, QMT_ACTIVATION_RELU, 25), *result;
    QmtOnnx__Model *file = test_unpack(model, NULL);
    for (int i = 0; i < 6; i++) {
        const qmt_layer *layer = i < 3 ? &model->layers[i] : &model->heads[i - 3];
        char text[64];
        snprintf(text, sizeof text, "%s_weight", layer->name);
        QmtOnnx__Tensor *tensor = test_find_tensor(file, text);
        tensor->data_type = 3;
        tensor->raw_data.len /= 4;
        memcpy(tensor->raw_data.data, layer->weight_int8, tensor->raw_data.len);
        snprintf(text, sizeof text, "%s_weight_quantize", layer->name);
        QmtOnnx__Node *node = test_find_node(file, text);
        test_set_text(&node->op_type, "Identity");
        node->input = realloc(node->input, 3 * sizeof *node->input);
        free(node->input[1]);
        free(node->input[2]);
        node->n_input = 1;
    }
    assert_ok(test_read_edited(file, &result, &error), &error);
    for (int i = 0; i < 6; i++) {
        const qmt_layer *layer = i < 3 ? &model->layers[i] : &model->heads[i - 3];
        const qmt_layer *read = i < 3 ? &result->layers[i] : &result->heads[i - 3];
        size_t count = (size_t)layer->out_channels * qmt_layer_taps(layer);
        assert_memory_equal(layer->weight_int8, read->weight_int8, count);
        assert_memory_equal(layer->bias_int32, read->bias_int32, (size_t)layer->out_channels * sizeof(int32_t));
    }
    qmt_model_free(result);
    qmt_model_free(model);
}

/* Only the weights pass Q and DQ: FP32 weights, but the rounded ones. */
static void weights_alone_are_rounded(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_model *model = test_make_model(QMT_PNET, true, QMT_ACTIVATION_RELU, 26), *result;
    QmtOnnx__Model *file = test_unpack(model, NULL);
    const qmt_layer *layer = &model->layers[1];
    char name[64];
    /* The quantizer before it becomes an Identity, and so does its partner. */
    QmtOnnx__Node *convolution = test_find_node(file, layer->name), *dequantize = NULL, *quantize = NULL;
    for (size_t i = 0; i < file->graph->n_node; i++)
        if (strcmp(file->graph->node[i]->output[0], convolution->input[0]) == 0)
            dequantize = file->graph->node[i];
    assert_non_null(dequantize);
    for (size_t i = 0; i < file->graph->n_node; i++)
        if (strcmp(file->graph->node[i]->output[0], dequantize->input[0]) == 0)
            quantize = file->graph->node[i];
    assert_non_null(quantize);
    QmtOnnx__Node *const both[] = {quantize, dequantize};
    for (int i = 0; i < 2; i++) {
        test_set_text(&both[i]->op_type, "Identity");
        free(both[i]->input[1]);
        free(both[i]->input[2]);
        both[i]->n_input = 1;
    }
    snprintf(name, sizeof name, "%s_weight_scale", layer->name);
    float scales[64];
    for (int c = 0; c < layer->out_channels; c++) {
        scales[c] = layer->weight_scale[c] / 2; /* clips some */
        test_raw_float(test_find_tensor(file, name), (size_t)c, scales[c]);
    }
    assert_ok(test_read_edited(file, &result, &error), &error);
    assert_null(result->layers[1].weight_int8);
    const size_t taps = qmt_layer_taps(layer);
    int clipped = 0;
    for (int c = 0; c < layer->out_channels; c++)
        for (size_t i = 0; i < taps; i++) {
            const float whole = fminf(fmaxf(rintf(layer->weight[(size_t)c * taps + i] / scales[c]), -127), 127);
            assert_true(result->layers[1].weight[(size_t)c * taps + i] == whole * scales[c]);
            clipped += fabsf(whole) == 127;
        }
    assert_true(clipped > 0);
    qmt_model_free(result);
    qmt_model_free(model);
}

/* Files without our metadata have their landmarks as Caffe does. */
static void foreign_landmarks_are_planar(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_model *model = test_make_model(QMT_PNET, false, QMT_ACTIVATION_RELU, 26), *result;
    QmtOnnx__Model *file = test_unpack(model, NULL);
    assert_int_equal(file->n_metadata_props, 1);
    test_set_text(&file->metadata_props[0]->key, "something");
    assert_ok(test_read_edited(file, &result, &error), &error);
    assert_true(result->landmarks_planar);
    qmt_model_free(result);
    qmt_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_models_are_read_back), cmocka_unit_test(fp32_and_single_heads),
        cmocka_unit_test(writing_wrong_models_fails),   cmocka_unit_test(gemm_is_a_convolution),
        cmocka_unit_test(batch_norm_is_folded),         cmocka_unit_test(int8_weights_are_read),
        cmocka_unit_test(weights_alone_are_rounded),    cmocka_unit_test(foreign_landmarks_are_planar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
