/* Each rule against a fault planted in one of our own files. */
#include "deploy/lint_models.h"

static void test_clean(void **state)
{
    (void)state;
    struct findings findings;
    lint(make_model(QMT_ACTIVATION_RELU), &findings);
    for (int i = 0; i < findings.count; i++)
        print_error("%s at %s: %s\n", findings.all[i].rule, findings.all[i].node, findings.all[i].text);
    assert_int_equal(findings.count, 0);
}

static void test_versions(void **state)
{
    (void)state;
    QmtOnnx__Model *model = make_model(QMT_ACTIVATION_RELU);
    model->opset_import[0]->version = 11;
    expect(model, "opset", "opset_import", true);
    model = make_model(QMT_ACTIVATION_RELU);
    model->opset_import[0]->version = 21;
    expect(model, "opset", "opset_import", false);
    model = make_model(QMT_ACTIVATION_RELU);
    model->ir_version = 10;
    expect(model, "ir-version", "ir_version", false);
}

static void test_bias(void **state)
{
    (void)state;
    QmtOnnx__Model *model = make_model(QMT_ACTIVATION_RELU);
    int32_t bias[4] = {1, 2, 3, 4};
    float scale = 0.5f;
    int32_t zero = 0;
    static const char *const inputs[] = {"bias_q", "bias_s", "bias_z"};
    add_tensor(model, "bias_q", QMT_ONNX_INT32, bias, sizeof bias, 4);
    add_tensor(model, "bias_s", QMT_ONNX_FLOAT, &scale, sizeof scale, -1);
    add_tensor(model, "bias_z", QMT_ONNX_INT32, &zero, sizeof zero, -1);
    add_node(model, "DequantizeLinear", "bias_dq", inputs, 3, "bias_real");
    rename_to(&node_of(model, "Conv", 0)->input[2], "bias_real");
    expect(model, "bias-quantized", "bias_dq", true);
}

static void test_int8_weight(void **state)
{
    (void)state;
    QmtOnnx__Model *model = make_model(QMT_ACTIVATION_RELU);
    QmtOnnx__Node *quantizer = quantizer_of(model, 1, 1, false), *dequantizer = quantizer_of(model, 1, 1, true);
    QmtOnnx__Tensor *weight = tensor_of(model, quantizer->input[0]);
    weight->data_type = QMT_ONNX_INT8;
    weight->n_float_data = 0;
    weight->raw_data.len /= 4;
    rename_to(&dequantizer->input[0], weight->name);
    rename_to(&quantizer->input[0], node_of(model, "Conv", 0)->input[0]); /* the old one is in the way */
    rename_to(&quantizer->op_type, "Identity");
    char *name = strdup(name_of(dequantizer));
    expect(model, "int8-initializer", name, true);
    free(name);
}

static void test_zero_points(void **state)
{
    (void)state;
    int8_t one = 1;
    uint8_t unsigned_zero = 0;
    char *name;

    QmtOnnx__Model *model = make_model(QMT_ACTIVATION_RELU);
    QmtOnnx__Node *node = quantizer_of(model, 1, 0, false);
    name = strdup(name_of(node));
    free(node->input[2]);
    node->n_input = 2;
    QmtOnnx__Node *other = quantizer_of(model, 1, 0, true);
    free(other->input[2]);
    other->n_input = 2;
    expect(model, "zero-point-missing", name, true);
    free(name);

    model = make_model(QMT_ACTIVATION_RELU);
    node = quantizer_of(model, 1, 0, false);
    name = strdup(name_of(node));
    give_input(model, node, 2, "zp", QMT_ONNX_INT8, &one, 1);
    expect(model, "zero-point-not-zero", name, true);
    free(name);

    model = make_model(QMT_ACTIVATION_RELU);
    node = quantizer_of(model, 1, 0, true);
    name = strdup(name_of(node));
    give_input(model, node, 2, "zp", QMT_ONNX_UINT8, &unsigned_zero, 1);
    expect(model, "zero-point-uint8", name, true);
    free(name);

    model = make_model(QMT_ACTIVATION_RELU);
    node = quantizer_of(model, 1, 0, false);
    name = strdup(name_of(node));
    rename_to(&node->input[2], "computed");
    expect(model, "zero-point-not-constant", name, true);
    free(name);
}

static void test_scales(void **state)
{
    (void)state;
    static const float wrong[] = {0.0f, -1.0f, NAN, INFINITY};
    char *name;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        QmtOnnx__Model *model = make_model(QMT_ACTIVATION_RELU);
        QmtOnnx__Node *node = quantizer_of(model, 2, 0, false);
        name = strdup(name_of(node));
        give_input(model, node, 1, "s", QMT_ONNX_FLOAT, &wrong[i], 4);
        rename_to(&quantizer_of(model, 2, 0, true)->input[1], "s");
        expect(model, "scale-not-positive", name, true);
        free(name);
    }
    QmtOnnx__Model *model = make_model(QMT_ACTIVATION_RELU);
    QmtOnnx__Node *node = quantizer_of(model, 2, 0, false);
    name = strdup(name_of(node));
    rename_to(&node->input[1], "computed");
    expect(model, "scale-not-constant", name, true);
    free(name);

    const uint16_t half = 0x3800;
    model = make_model(QMT_ACTIVATION_RELU);
    node = quantizer_of(model, 2, 0, false);
    name = strdup(name_of(node));
    give_input(model, node, 1, "s", QMT_ONNX_FLOAT16, &half, 2);
    rename_to(&quantizer_of(model, 2, 0, true)->input[1], "s");
    expect(model, "scale-type", name, false);
    free(name);

    const float many[5] = {1, 1, 1, 1, 1};
    model = make_model(QMT_ACTIVATION_RELU);
    node = quantizer_of(model, 2, 0, false);
    name = strdup(name_of(node));
    add_tensor(model, "s", QMT_ONNX_FLOAT, many, sizeof many, 5);
    rename_to(&node->input[1], "s");
    rename_to(&quantizer_of(model, 2, 0, true)->input[1], "s");
    expect(model, "activation-scale-per-channel", name, true);
    free(name);

    const float other = 0.125f;
    model = make_model(QMT_ACTIVATION_RELU);
    node = quantizer_of(model, 2, 0, true);
    name = strdup(name_of(node));
    give_input(model, node, 1, "s", QMT_ONNX_FLOAT, &other, 4);
    expect(model, "pair-differs", name, true);
    free(name);
}

static QmtOnnx__Attribute *axis_of(QmtOnnx__Node *node)
{
    for (size_t i = 0; i < node->n_attribute; i++) {
        if (strcmp(node->attribute[i]->name, "axis") == 0)
            return node->attribute[i];
    }
    fail_msg("no axis");
    return NULL;
}

static void test_weight_scales(void **state)
{
    (void)state;
    char *name;
    QmtOnnx__Model *model = make_model(QMT_ACTIVATION_RELU);
    QmtOnnx__Node *quantizer = quantizer_of(model, 1, 1, false), *dequantizer = quantizer_of(model, 1, 1, true);
    name = strdup(name_of(quantizer));
    rename_to(&axis_of(quantizer)->name, "axes");
    rename_to(&axis_of(dequantizer)->name, "axes");
    expect(model, "weight-axis", name, true);
    free(name);

    model = make_model(QMT_ACTIVATION_RELU); /* along the input channels, 4 of them: a right count on the wrong axis */
    quantizer = quantizer_of(model, 1, 1, false), dequantizer = quantizer_of(model, 1, 1, true);
    const float four[4] = {1, 1, 1, 1};
    const int8_t zeros[4] = {0};
    name = strdup(name_of(dequantizer));
    add_tensor(model, "s4", QMT_ONNX_FLOAT, four, sizeof four, 4);
    add_tensor(model, "z4", QMT_ONNX_INT8, zeros, sizeof zeros, 4);
    rename_to(&quantizer->input[1], "s4");
    rename_to(&quantizer->input[2], "z4");
    rename_to(&dequantizer->input[1], "s4");
    rename_to(&dequantizer->input[2], "z4");
    axis_of(quantizer)->i = axis_of(dequantizer)->i = 1;
    expect(model, "weight-axis", name, true);
    free(name);

    model = make_model(QMT_ACTIVATION_RELU);
    quantizer = quantizer_of(model, 1, 1, false), dequantizer = quantizer_of(model, 1, 1, true);
    name = strdup(name_of(quantizer));
    add_tensor(model, "s4", QMT_ONNX_FLOAT, four, sizeof four, 4);
    rename_to(&quantizer->input[1], "s4");
    rename_to(&dequantizer->input[1], "s4");
    expect(model, "weight-scale-count", name, true);
    free(name);
}

static void test_pairs(void **state)
{
    (void)state;
    char *name;
    QmtOnnx__Model *model = make_model(QMT_ACTIVATION_RELU);
    QmtOnnx__Node *quantizer = quantizer_of(model, 1, 0, false);
    const char *const inputs[] = {quantizer->output[0]};
    name = strdup(name_of(quantizer));
    add_node(model, "Cast", "cast", inputs, 1, "casted");
    expect(model, "q-without-dq", name, true);
    free(name);

    model = make_model(QMT_ACTIVATION_RELU);
    const char *const more[] = {quantizer_of(model, 1, 0, false)->input[0], quantizer_of(model, 1, 0, false)->input[1],
                                quantizer_of(model, 1, 0, false)->input[2]};
    add_node(model, "QuantizeLinear", "lonely", more, 3, "lonely_out");
    expect(model, "q-without-dq", "lonely", true);

    model = make_model(QMT_ACTIVATION_RELU);
    const char *const third[] = {"int8_input", quantizer_of(model, 1, 0, false)->input[1],
                                 quantizer_of(model, 1, 0, false)->input[2]};
    add_node(model, "DequantizeLinear", "orphan", third, 3, "orphan_out");
    expect(model, "dq-without-q", "orphan", true);

    model = make_model(QMT_ACTIVATION_RELU);
    const float scale = 0.5f;
    QmtOnnx__Node *first = quantizer_of(model, 1, 0, false);
    add_tensor(model, "s2", QMT_ONNX_FLOAT, &scale, 4, -1);
    const char *const fourth[] = {first->input[0], "s2", first->input[2]};
    const char *const fifth[] = {"twin_out", "s2", first->input[2]};
    add_node(model, "QuantizeLinear", "twin", fourth, 3, "twin_out");
    add_node(model, "DequantizeLinear", "twin_dq", fifth, 3, "twin_real");
    expect(model, "two-quantizers", "twin", true);
}

/* Moves the Q and DQ before convolution `number` to stand between the convolution before it and its Relu. */
static void test_between(void **state)
{
    (void)state;
    QmtOnnx__Model *model = make_model(QMT_ACTIVATION_RELU);
    QmtOnnx__Node *relu = node_of(model, "Relu", 1);
    QmtOnnx__Node *quantizer = quantizer_of(model, 2, 0, false), *dequantizer = quantizer_of(model, 2, 0, true);
    char *convolution_out = strdup(relu->input[0]), *relu_out = strdup(relu->output[0]);
    char *name = strdup(name_of(quantizer));
    assert_string_equal(quantizer->input[0], relu_out);
    const char *const inputs[] = {relu_out, quantizer->input[1], quantizer->input[2]};
    const char *const again[] = {"again_q", quantizer->input[1], quantizer->input[2]};
    add_node(model, "QuantizeLinear", "again", inputs, 3, "again_q"); /* so that the next layer stays INT8 */
    add_node(model, "DequantizeLinear", "again_dq", again, 3, "again_real");
    rename_to(&node_of(model, "Conv", 2)->input[0], "again_real");
    rename_to(&quantizer->input[0], convolution_out);
    rename_to(&relu->input[0], dequantizer->output[0]);
    expect(model, "quantizer-before-activation", name, true);
    free(name);
    free(convolution_out);
    free(relu_out);
}

static void test_layers(void **state)
{
    (void)state;
    char *name;
    QmtOnnx__Model *model = make_model(QMT_ACTIVATION_RELU);
    QmtOnnx__Node *layer = node_of(model, "Conv", 1);
    name = strdup(name_of(layer));
    char *real = strdup(quantizer_of(model, 1, 0, false)->input[0]);
    rename_to(&layer->input[0], real);
    expect(model, "input-not-quantized", name, true);
    free(name);
    free(real);

    model = make_model(QMT_ACTIVATION_RELU);
    layer = node_of(model, "Conv", 1);
    name = strdup(name_of(layer));
    real = strdup(quantizer_of(model, 1, 1, false)->input[0]);
    rename_to(&layer->input[1], real);
    expect(model, "weight-not-quantized", name, true);
    free(real);

    model = make_model(QMT_ACTIVATION_RELU);
    layer = node_of(model, "Conv", 1);
    char *weight = strdup(quantizer_of(model, 1, 1, false)->input[0]);
    real = strdup(quantizer_of(model, 1, 0, false)->input[0]);
    rename_to(&layer->input[0], real);
    rename_to(&layer->input[1], weight);
    expect(model, "layer-not-quantized", name, false);
    free(name);
    free(real);
    free(weight);

    model = make_model(QMT_ACTIVATION_RELU);
    QmtOnnx__Node *pool = node_of(model, "MaxPool", 0);
    name = strdup(name_of(pool));
    for (size_t i = 0; i < pool->n_attribute; i++) {
        if (strcmp(pool->attribute[i]->name, "ceil_mode") == 0)
            pool->attribute[i]->i = 0;
    }
    expect(model, "pool-rounds-down", name, true);
    free(name);

    model = make_model(QMT_ACTIVATION_RELU);
    tensor_of(model, node_of(model, "Conv", 0)->input[2])->data_type = QMT_ONNX_DOUBLE;
    QmtOnnx__Tensor *bias = tensor_of(model, node_of(model, "Conv", 0)->input[2]);
    bias->raw_data.data = realloc(bias->raw_data.data, 2 * bias->raw_data.len + 64);
    bias->n_float_data = 0;
    bias->raw_data.len = 4 * 8;
    memset(bias->raw_data.data, 0, 32);
    name = strdup(bias->name);
    expect(model, "double", name, true);
    free(name);

    model = make_model(QMT_ACTIVATION_RELU);
    static const char *const inputs[] = {"x"};
    add_node(model, "DynamicQuantizeLinear", "dynamic", inputs, 1, "y");
    expect(model, "operator-based-quantization", "dynamic", true);
    model = make_model(QMT_ACTIVATION_RELU);
    add_node(model, "QLinearConv", "operator", inputs, 1, "y");
    expect(model, "operator-based-quantization", "operator", true);
}

static void test_prelu(void **state)
{
    (void)state;
    struct findings findings;
    lint(make_model(QMT_ACTIVATION_PRELU), &findings);
    assert_int_equal(findings.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(findings.all[i].rule, "prelu-quantized");
        assert_false(findings.all[i].error);
    }
}

static void test_damaged(void **state)
{
    (void)state;
    char *name;
    QmtOnnx__Model *model = make_model(QMT_ACTIVATION_RELU);
    QmtOnnx__Tensor *bias = tensor_of(model, node_of(model, "Conv", 0)->input[2]);
    bias->dims[0] = INT64_MAX;
    name = strdup(bias->name);
    expect(model, "damaged-tensor", name, true);
    free(name);
}

static void test_limits(void **state)
{
    (void)state;
    char *name;
    const int16_t zero = 0;
    QmtOnnx__Model *model = make_model(QMT_ACTIVATION_RELU);
    QmtOnnx__Tensor *bias = tensor_of(model, node_of(model, "Conv", 0)->input[2]);
    name = strdup(bias->name);
    bias->data_location = 1;
    bias->raw_data.len = 0;
    bias->n_float_data = 0;
    expect(model, "external-data", name, false);
    free(name);

    model = make_model(QMT_ACTIVATION_RELU); /* 4 x 3 x 3 x 3 as 4 x 27 */
    QmtOnnx__Tensor *weight = tensor_of(model, quantizer_of(model, 0, 1, false)->input[0]);
    name = strdup(name_of(node_of(model, "Conv", 0)));
    weight->n_dims = 2;
    weight->dims[1] = 27;
    expect(model, "dimensions", name, true);
    free(name);

    model = make_model(QMT_ACTIVATION_RELU);
    QmtOnnx__Node *node = quantizer_of(model, 1, 0, true);
    name = strdup(name_of(node));
    give_input(model, node, 2, "zp", QMT_ONNX_INT32, &zero, 0);
    tensor_of(model, "zp")->data_type = 5; /* INT16 */
    expect(model, "zero-point-type", name, false);
    free(name);
}

/* Truncations and changed bytes: findings or an error, and neither a crash nor a hang. */
static void test_hostile(void **state)
{
    (void)state;
    QmtOnnx__Model *message = make_model(QMT_ACTIVATION_RELU);
    size_t size = qmt_onnx__model__get_packed_size(message);
    uint8_t *data = malloc(size), *copy = malloc(size);
    qmtcnn_error error;
    int count, refused = 0, read = 0;
    uint32_t random = 12345;
    qmt_onnx__model__pack(message, data);
    qmt_onnx__model__free_unpacked(message, NULL);
    for (size_t length = 0; length < size; length += 1 + size / 400) {
        memcpy(copy, data, length);
        if (qmt_lint_tensorrt_memory(copy, length, "a.onnx", NULL, NULL, &count, &error) != QMTCNN_OK)
            refused++;
    }
    for (int i = 0; i < 2000; i++) {
        memcpy(copy, data, size);
        for (int j = 0; j < 3; j++) {
            random = random * 1664525u + 1013904223u;
            copy[(random >> 8) % size] = (uint8_t)(random >> 3);
        }
        if (qmt_lint_tensorrt_memory(copy, size, "a.onnx", NULL, NULL, &count, &error) == QMTCNN_OK)
            read++;
    }
    assert_true(refused > 0);
    assert_true(read > 0);
    free(copy);
    free(data);
    assert_int_equal(qmt_lint_tensorrt_memory("", 0, "a.onnx", NULL, NULL, &count, &error), QMTCNN_ERROR_FORMAT);
    assert_int_equal(qmt_lint_tensorrt("/no/such.onnx", NULL, NULL, &count, &error), QMTCNN_ERROR_IO);

    /* Two bytes each ask for a node: refused by the budget, or done in a moment. */
    size_t many = 40 * 1000 * 1000;
    uint8_t *nodes = malloc(many + 16);
    size_t at = 0;
    nodes[at++] = 7 << 3 | 2;
    for (uint64_t rest = many; rest; rest >>= 7)
        nodes[at++] = (uint8_t)((rest & 127) | (rest > 127 ? 128 : 0));
    for (size_t i = 0; i < many; i += 2) {
        nodes[at + i] = 1 << 3 | 2;
        nodes[at + i + 1] = 0;
    }
    assert_int_equal(qmt_lint_tensorrt_memory(nodes, at + many, "a.onnx", NULL, NULL, &count, &error),
                     QMTCNN_ERROR_FORMAT);
    free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),         cmocka_unit_test(test_versions),    cmocka_unit_test(test_bias),
        cmocka_unit_test(test_int8_weight),   cmocka_unit_test(test_zero_points), cmocka_unit_test(test_scales),
        cmocka_unit_test(test_weight_scales), cmocka_unit_test(test_pairs),       cmocka_unit_test(test_between),
        cmocka_unit_test(test_layers),        cmocka_unit_test(test_prelu),       cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_limits),        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
