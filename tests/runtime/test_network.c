/* Whole networks against layer-by-layer loops. */
#include "runtime/kernels/network.h"
#include "runtime/models.h"

#include <string.h>

static uint8_t *random_pixels(size_t count, uint64_t seed)
{
    test_random random = {seed};
    uint8_t *pixels = malloc(count);
    assert_non_null(pixels);
    for (size_t i = 0; i < count; i++)
        pixels[i] = (uint8_t)(128 + (int)(100 * sinf((float)i * 0.01f)) + test_below(&random, 27));
    return pixels;
}

/* What the tap is to see, computed by loops. */
struct expectation {
    test_tensor tensors[qmt_max_layers + qmt_head_count];
    bool int8[qmt_max_layers + qmt_head_count];
    int count, seen;
    double worst;
};

static test_tensor picture_tensor(const uint8_t *pixels, int height, int width, bool int8)
{
    test_tensor tensor = test_tensor_make(height, width, 3);
    for (size_t i = 0; i < (size_t)height * (size_t)width * 3; i++) {
        double x = (pixels[i] - 127.5) / 128;
        tensor.values[i] = int8 ? nearbyint((pixels[i] - 127.5) / 127.5 * 127) : x;
    }
    return tensor;
}

/* All layers, INT8 where `int8`. */
static void expect(struct expectation *expectation, const qmt_model *model, const uint8_t *pixels, int height,
                   int width, bool int8)
{
    memset(expectation, 0, sizeof *expectation);
    test_tensor picture = picture_tensor(pixels, height, width, int8), *input = &picture;
    for (int i = 0; i < model->layer_count; i++) {
        float next = i + 1 < model->layer_count ? model->layers[i + 1].input_scale : model->heads[0].input_scale;
        expectation->tensors[i] = test_run_layer(&model->layers[i], int8, int8 ? next : 0, false, input);
        expectation->int8[i] = int8;
        input = &expectation->tensors[i];
    }
    for (int i = 0; i < qmt_head_count; i++)
        expectation->tensors[model->layer_count + i] = test_run_layer(&model->heads[i], int8, 0, false, input);
    expectation->count = model->layer_count + qmt_head_count;
    free(picture.values);
}

static void expectation_free(struct expectation *expectation)
{
    for (int i = 0; i < expectation->count; i++)
        free(expectation->tensors[i].values);
}

static void compare_tap(void *state, const qmt_tap_tensor *tensor)
{
    struct expectation *expectation = state;
    const test_tensor *expected = &expectation->tensors[tensor->layer];
    char name[32];
    test_name_layer(name, tensor->layer);
    assert_string_equal(tensor->name, name);
    assert_int_equal(tensor->height, expected->height);
    assert_int_equal(tensor->width, expected->width);
    assert_int_equal(tensor->channels, expected->channels);
    assert_true((tensor->int8 != NULL) == expectation->int8[tensor->layer]);
    assert_true((tensor->int8 != NULL) != (tensor->real != NULL));
    size_t count = (size_t)expected->height * (size_t)expected->width * (size_t)expected->channels;
    for (size_t i = 0; i < count; i++) {
        double value = tensor->int8 ? (double)tensor->int8[i] : (double)tensor->real[i];
        expectation->worst = fmax(expectation->worst, fabs(value - expected->values[i]));
    }
    expectation->seen++;
}

/* Every layer and every output of a net, by loops and by the network. */
static void check_net(qmt_net_id net, bool int8, qmt_activation activation, int height, int width,
                      const qmt_kernels *kernels)
{
    qmtcnn_error error;
    qmt_network *network;
    qmt_workspace *workspace;
    qmt_model *model = test_make_model(net, int8, activation, 7);
    uint8_t *pixels = random_pixels((size_t)height * (size_t)width * 3, 8);
    struct expectation expectation;
    expect(&expectation, model, pixels, height, width, int8);
    assert_ok(qmt_network_create(model, QMTCNN_PRECISION_AUTO, kernels, &network, &error), &error);
    assert_true(qmt_network_is_int8(network) == int8);
    assert_ok(qmt_workspace_create(&workspace, &error), &error);
    int out_height, out_width;
    assert_true(qmt_network_output_size(network, height, width, &out_height, &out_width));
    size_t map = (size_t)out_height * (size_t)out_width;
    float *values = calloc(map * 16, sizeof *values);
    assert_non_null(values);
    qmt_outputs outputs = {
        .face = values, .box = values + map, .landmarks = values + 5 * map, .logit = values + 15 * map};
    assert_ok(qmt_network_run(network, workspace, pixels, 3 * width, 1, height, width, &outputs, compare_tap,
                              &expectation, &error),
              &error);
    assert_int_equal(expectation.seen, expectation.count);
    assert_true(expectation.worst <= (int8 ? 0 : 2e-5));
    const test_tensor *heads = &expectation.tensors[model->layer_count];
    assert_int_equal(heads[0].height, out_height);
    for (size_t i = 0; i < map; i++) {
        double logit = heads[0].values[2 * i + 1] - heads[0].values[2 * i];
        assert_float_equal((double)outputs.logit[i], logit, 1e-4);
        assert_float_equal((double)outputs.face[i], 1 / (1 + exp(-logit)), 1e-4);
        for (size_t j = 0; j < 4; j++)
            assert_float_equal((double)outputs.box[4 * i + j], heads[1].values[4 * i + j], 2e-5);
        for (size_t j = 0; j < 10; j++)
            assert_float_equal((double)outputs.landmarks[10 * i + j], heads[2].values[10 * i + j], 2e-5);
    }
    expectation_free(&expectation);
    free(values);
    free(pixels);
    qmt_workspace_free(workspace);
    qmt_network_free(network);
    qmt_model_free(model);
}

static void nets_compute_what_loops_compute(void **state)
{
    (void)state;
    const qmt_kernels *tables[2] = {qmt_kernels_c(), qmt_kernels_select(NULL)};
    for (int t = 0; t < 2; t++)
        for (int int8 = 0; int8 < 2; int8++)
            for (int activation = QMT_ACTIVATION_RELU; activation <= QMT_ACTIVATION_PRELU; activation++) {
                check_net(QMT_PNET, int8, (qmt_activation)activation, 31, 40, tables[t]);
                check_net(QMT_RNET, int8, (qmt_activation)activation, 24, 24, tables[t]);
                check_net(QMT_ONET, int8, (qmt_activation)activation, 48, 48, tables[t]);
            }
}

static void count_tap(void *state, const qmt_tap_tensor *tensor)
{
    (void)tensor;
    ++*(int *)state;
}

/* A wide and high picture in many strips, and in one (with a tap): the same bits. Rows with a stride too. */
static void strips_do_not_matter(void **state)
{
    (void)state;
    enum { height = 150, width = 700, stride = 3 * width + 13, out_height = 70, out_width = 345 };
    size_t map = (size_t)out_height * out_width;
    uint8_t *pixels = random_pixels((size_t)height * stride, 9);
    for (int int8 = 0; int8 < 2; int8++) {
        qmtcnn_error error;
        qmt_network *network;
        qmt_workspace *workspace;
        int height_told, width_told, taps = 0;
        qmt_model *model = test_make_model(QMT_PNET, int8, QMT_ACTIVATION_RELU, 10);
        assert_ok(qmt_network_create(model, QMTCNN_PRECISION_AUTO, NULL, &network, &error), &error);
        qmt_model_free(model); /* the network has its own copy */
        assert_ok(qmt_workspace_create(&workspace, &error), &error);
        assert_true(qmt_network_output_size(network, height, width, &height_told, &width_told));
        assert_int_equal(height_told, out_height);
        assert_int_equal(width_told, out_width);
        float *strips = calloc(map * 15, sizeof(float)), *whole = calloc(map * 15, sizeof(float));
        qmt_outputs first = {.face = strips, .box = strips + map, .landmarks = strips + 5 * map};
        qmt_outputs second = {.face = whole, .box = whole + map, .landmarks = whole + 5 * map};
        assert_ok(qmt_network_run(network, workspace, pixels, stride, 1, height, width, &first, NULL, NULL, &error),
                  &error);
        size_t bytes = qmt_workspace_bytes(workspace);
        assert_ok(
            qmt_network_run(network, workspace, pixels, stride, 1, height, width, &second, count_tap, &taps, &error),
            &error);
        assert_int_equal(taps, 6);
        assert_true(qmt_workspace_bytes(workspace) > 2 * bytes); /* they were strips */
        assert_memory_equal(strips, whole, map * 15 * sizeof(float));
        free(strips);
        free(whole);
        qmt_workspace_free(workspace);
        qmt_network_free(network);
    }
    free(pixels);
}

/* A 12-megapixel picture is 4000 wide: what it takes does not grow with its height. */
static void memory_is_bounded(void **state)
{
    (void)state;
    enum { width = 4000, most = 16 * 1024 * 1024 };
    qmtcnn_error error;
    uint8_t *pixels = random_pixels((size_t)width * 3 * 120, 11);
    qmt_model *model = test_make_model(QMT_PNET, false, QMT_ACTIVATION_RELU, 10);
    qmt_network *network;
    size_t bytes[2];
    assert_ok(qmt_network_create(model, QMTCNN_PRECISION_FP32, NULL, &network, &error), &error);
    for (int i = 0; i < 2; i++) {
        qmt_workspace *workspace;
        int height = i ? 120 : 60, out_height, out_width;
        assert_true(qmt_network_output_size(network, height, width, &out_height, &out_width));
        float *face = calloc((size_t)out_height * (size_t)out_width, sizeof *face);
        qmt_outputs outputs = {.face = face};
        assert_ok(qmt_workspace_create(&workspace, &error), &error);
        assert_ok(
            qmt_network_run(network, workspace, pixels, 3 * width, 1, height, width, &outputs, NULL, NULL, &error),
            &error);
        bytes[i] = qmt_workspace_bytes(workspace);
        qmt_workspace_free(workspace);
        free(face);
    }
    print_message("workspace of a picture 4000 wide, FP32: %.1f MB\n", (double)bytes[1] / 1e6);
    assert_int_equal(bytes[0], bytes[1]);
    assert_true(bytes[0] < most);
    qmt_network_free(network);
    qmt_model_free(model);
    free(pixels);
}

/* Several crops in one call give what each gives alone; the workspace remembers nothing. */
static void crops_are_independent(void **state)
{
    (void)state;
    enum { crops = 5, side = 24, bytes = side * side * 3 };
    qmtcnn_error error;
    uint8_t *pixels = random_pixels(crops * bytes, 12);
    qmt_model *model = test_make_model(QMT_RNET, true, QMT_ACTIVATION_RELU, 13);
    qmt_network *network;
    qmt_workspace *workspace;
    float all[crops][5], one[5];
    assert_ok(qmt_network_create(model, QMTCNN_PRECISION_INT8, NULL, &network, &error), &error);
    assert_ok(qmt_workspace_create(&workspace, &error), &error);
    float boxes[crops * 4], faces[crops];
    qmt_outputs outputs = {.face = faces, .box = boxes};
    assert_ok(qmt_network_run(network, workspace, pixels, 3 * side, crops, side, side, &outputs, NULL, NULL, &error),
              &error);
    size_t held = qmt_workspace_bytes(workspace);
    for (int i = 0; i < crops; i++) {
        all[i][0] = faces[i];
        memcpy(&all[i][1], boxes + 4 * i, 4 * sizeof(float));
    }
    for (int i = crops - 1; i >= 0; i--) {
        qmt_outputs single = {.face = &one[0], .box = &one[1]};
        assert_ok(qmt_network_run(network, workspace, pixels + i * bytes, 3 * side, 1, side, side, &single, NULL, NULL,
                                  &error),
                  &error);
        assert_memory_equal(one, all[i], sizeof one);
    }
    assert_int_equal(qmt_workspace_bytes(workspace), held);
    qmt_workspace_free(workspace);
    qmt_network_free(network);
    qmt_model_free(model);
    free(pixels);
}

/* Layers and heads of both precisions in one net, against the loops of each. */
static void mixed_precision(void **state)
{
    (void)state;
    qmtcnn_error error;
    for (int kind = 0; kind < 4; kind++) {
        qmt_model *model = test_make_model(QMT_PNET, true, QMT_ACTIVATION_RELU, 14);
        if (kind == 0)
            qmt_layer_dequantize(&model->layers[0]); /* FP32, then INT8 */
        else if (kind == 1)
            qmt_layer_dequantize(&model->layers[1]); /* INT8, FP32, INT8 */
        else if (kind == 2)
            qmt_layer_dequantize(&model->heads[QMT_HEAD_BOX]);
        else
            assert_ok(qmt_layer_quantize(&model->heads[QMT_HEAD_BOX], 3.0f / 127.0f, NULL, &error), &error);
        uint8_t *pixels = random_pixels(20 * 22 * 3, 15);
        struct expectation expectation = {0};
        bool first = model->layers[0].weight_int8 != NULL;
        test_tensor picture = picture_tensor(pixels, 20, 22, first), *input = &picture;
        for (int i = 0; i < model->layer_count; i++) {
            bool last = i + 1 == model->layer_count;
            float next = last ? (kind >= 2 ? 0 : model->heads[0].input_scale) : model->layers[i + 1].input_scale;
            expectation.tensors[i] =
                test_run_layer(&model->layers[i], model->layers[i].weight_int8, next, false, input);
            expectation.int8[i] = next > 0;
            input = &expectation.tensors[i];
        }
        for (int i = 0; i < qmt_head_count; i++) {
            const qmt_layer *head = &model->heads[i];
            test_tensor quantized = test_tensor_make(input->height, input->width, input->channels);
            size_t count = (size_t)input->height * (size_t)input->width * (size_t)input->channels;
            for (size_t j = 0; j < count; j++)
                quantized.values[j] = kind >= 2 && head->weight_int8
                                          ? test_clamp_round((double)((float)input->values[j] / head->input_scale))
                                          : input->values[j];
            expectation.tensors[model->layer_count + i] = test_run_layer(head, head->weight_int8, 0, false, &quantized);
            free(quantized.values);
        }
        expectation.count = model->layer_count + qmt_head_count;
        qmt_network *network;
        qmt_workspace *workspace;
        float box[64 * 4];
        qmt_outputs outputs = {.box = box};
        assert_ok(qmt_network_create(model, QMTCNN_PRECISION_AUTO, qmt_kernels_c(), &network, &error), &error);
        assert_ok(qmt_workspace_create(&workspace, &error), &error);
        assert_ok(
            qmt_network_run(network, workspace, pixels, 66, 1, 20, 22, &outputs, compare_tap, &expectation, &error),
            &error);
        assert_int_equal(expectation.seen, expectation.count);
        assert_true(expectation.worst < 1e-5);
        free(picture.values);
        expectation_free(&expectation);
        qmt_workspace_free(workspace);
        qmt_network_free(network);
        qmt_model_free(model);
        free(pixels);
    }
}

static void collect_landmarks(void *state, const qmt_tap_tensor *tensor)
{
    if (tensor->channels == 10 && tensor->height == 1)
        memcpy(state, tensor->real, 10 * sizeof(float));
}

static void planar_landmarks_become_pairs(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_model *model = test_make_model(QMT_ONET, true, QMT_ACTIVATION_PRELU, 16);
    uint8_t *pixels = random_pixels(48 * 48 * 3, 17);
    qmt_network *network;
    qmt_workspace *workspace;
    float landmarks[10], raw[10];
    qmt_outputs outputs = {.landmarks = landmarks};
    model->landmarks_planar = true;
    assert_ok(qmt_network_create(model, QMTCNN_PRECISION_AUTO, NULL, &network, &error), &error);
    assert_ok(qmt_workspace_create(&workspace, &error), &error);
    assert_ok(qmt_network_run(network, workspace, pixels, 144, 1, 48, 48, &outputs, collect_landmarks, raw, &error),
              &error);
    for (int p = 0; p < 5; p++) {
        assert_float_equal((double)landmarks[2 * p], (double)raw[p], 0);
        assert_float_equal((double)landmarks[2 * p + 1], (double)raw[5 + p], 0);
    }
    qmt_workspace_free(workspace);
    qmt_network_free(network);
    qmt_model_free(model);
    free(pixels);
}

static void wrong_use_is_refused(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_model *real = test_make_model(QMT_RNET, false, QMT_ACTIVATION_RELU, 1);
    qmt_model *quantized = test_make_model(QMT_RNET, true, QMT_ACTIVATION_RELU, 1);
    qmt_network *network, *fp32;
    qmt_workspace *workspace;
    uint8_t pixels[24 * 24 * 3] = {0};
    float face;
    qmt_outputs outputs = {.face = &face};
    assert_int_equal(qmt_network_create(real, QMTCNN_PRECISION_INT8, NULL, &network, &error), QMTCNN_ERROR_UNSUPPORTED);
    assert_null(network);
    assert_ok(qmt_network_create(quantized, QMTCNN_PRECISION_INT8, NULL, &network, &error), &error);
    assert_ok(qmt_network_create(quantized, QMTCNN_PRECISION_FP32, NULL, &fp32, &error), &error);
    assert_false(qmt_network_is_int8(fp32));
    print_message("packed: %zu bytes INT8, %zu FP32\n", qmt_network_bytes(network), qmt_network_bytes(fp32));
    assert_true(qmt_network_bytes(network) < qmt_network_bytes(fp32) / 2);
    assert_ok(qmt_workspace_create(&workspace, &error), &error);
    const struct {
        int stride, count, height, width;
    } wrong[] = {{72, 1, 24, 23}, {71, 1, 24, 24}, {72, -1, 24, 24}, {72, 1, 0, 24}, {-72, 1, 24, 24}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(qmt_network_run(network, workspace, pixels, wrong[i].stride, wrong[i].count, wrong[i].height,
                                         wrong[i].width, &outputs, NULL, NULL, &error),
                         QMTCNN_ERROR_ARGUMENT);
    assert_ok(qmt_network_run(network, workspace, pixels, 72, 0, 24, 24, &outputs, NULL, NULL, &error), &error);
    qmt_workspace_free(workspace);
    qmt_workspace_free(NULL);
    qmt_network_free(network);
    qmt_network_free(fp32);
    qmt_network_free(NULL);
    qmt_model_free(real);
    qmt_model_free(quantized);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nets_compute_what_loops_compute),
        cmocka_unit_test(strips_do_not_matter),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(crops_are_independent),
        cmocka_unit_test(mixed_precision),
        cmocka_unit_test(planar_landmarks_become_pairs),
        cmocka_unit_test(wrong_use_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
