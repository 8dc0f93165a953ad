/* Damaged ONNX files: truncated, with flipped bits, spliced, and with claims far above their size. */
#include "runtime/kernels/network.h"
#include "runtime/model/onnx.h"
#include "runtime/models.h"

#include <string.h>
#include <time.h>

/* A small network, so that most of its file is structure and not weights. */
static qmt_model *small_model(void)
{
    static const int channels[qmt_head_count] = {2, 4, 10};
    qmtcnn_error error;
    test_random random = {28};
    qmt_model *model;
    assert_ok(qmt_model_create(QMT_PNET, 2, &model, &error), &error);
    for (int i = 0; i < 2 + qmt_head_count; i++) {
        qmt_layer *layer = i < 2 ? &model->layers[i] : &model->heads[i - 2];
        char name[32];
        test_name_layer(name, i);
        assert_ok(qmt_layer_init(layer, name, i ? 2 : 3, i < 2 ? 2 : channels[i - 2], i < 2 ? 2 : 1, i < 2 ? 2 : 1,
                                 i == 0  ? QMT_ACTIVATION_RELU
                                 : i < 2 ? QMT_ACTIVATION_PRELU
                                         : QMT_ACTIVATION_NONE,
                                 &error),
                  &error);
        test_fill_layer(layer, &random);
        assert_ok(qmt_layer_quantize(layer, 0.01f, NULL, &error), &error);
    }
    model->layers[0].pool_kernel = model->layers[0].pool_stride = 2;
    return model;
}

/* Reads bytes; what is accepted must run. Returns whether it was. */
static bool try_bytes(const uint8_t *data, size_t size)
{
    qmtcnn_error error = {0};
    qmt_model *model;
    qmtcnn_status status = qmt_onnx_read(data, size, "test.onnx", &model, &error);
    if (status != QMTCNN_OK) {
        assert_null(model);
        assert_true(strncmp(error.message, "test.onnx: ", 11) == 0 && !strchr(error.message, '\n'));
        return false;
    }
    qmt_network *network = NULL;
    qmt_workspace *workspace;
    int height, width, side = model->net == QMT_PNET ? 16 : qmt_net_side(model->net);
    assert_ok(qmt_workspace_create(&workspace, &error), &error);
    status = qmt_network_create(model, QMTCNN_PRECISION_AUTO, NULL, &network, &error);
    if (status == QMTCNN_OK && qmt_network_output_size(network, side, side, &height, &width)) {
        uint8_t *pixels = calloc((size_t)(side * side), 3);
        float *face = calloc((size_t)(height * width), sizeof *face);
        qmt_outputs outputs = {.face = face};
        status = qmt_network_run(network, workspace, pixels, 3 * side, 1, side, side, &outputs, NULL, NULL, &error);
        free(face);
        free(pixels);
    }
    qmt_workspace_free(workspace);
    qmt_network_free(network);
    qmt_model_free(model);
    return true;
}

static void mutations_never_crash(void **state)
{
    (void)state;
    enum { flips = 3000, splices = 1500 };
    qmtcnn_error error;
    void *original;
    size_t size;
    qmt_model *model = small_model();
    assert_ok(qmt_onnx_write(model, NULL, &original, &size, &error), &error);
    qmt_model_free(model);
    assert_true(try_bytes(original, size));
    test_random random = {29};
    int accepted = 0;
    for (size_t cut = 0; cut < size; cut += 1 + size / 700) {
        uint8_t *part = malloc(cut + 1); /* exactly as long, so that a read past the end is seen */
        memcpy(part, original, cut);
        accepted += try_bytes(part, cut);
        free(part);
    }
    uint8_t *bytes = malloc(2 * size);
    for (int i = 0; i < flips; i++) {
        memcpy(bytes, original, size);
        for (int n = 1 + test_below(&random, 3); n > 0; n--)
            bytes[test_below(&random, (int)size)] ^= (uint8_t)(1 << test_below(&random, 8));
        if (i % 3 == 0)
            bytes[test_below(&random, (int)size)] = (uint8_t)test_bits(&random);
        accepted += try_bytes(bytes, size);
    }
    for (int i = 0; i < splices; i++) { /* a piece is left out, or there twice */
        size_t from = (size_t)test_below(&random, (int)size), to = (size_t)test_below(&random, (int)size);
        memcpy(bytes, original, from);
        memcpy(bytes + from, (uint8_t *)original + to, size - to);
        accepted += try_bytes(bytes, from + size - to);
    }
    print_message("file of %zu bytes; %d mutations still read\n", size, accepted);
    free(bytes);
    qmt_free(original);
}

/* Lengths and counts far above the file's size cost neither time nor memory. */
static void claims_cost_nothing(void **state)
{
    (void)state;
    const uint8_t long_field[] = {0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x0a, 0x00}; /* a graph of 34 GB */
    clock_t start = clock();
    assert_false(try_bytes(long_field, sizeof long_field));
    enum { size = 400000 };
    uint8_t *nodes = malloc(size + 8);
    const uint8_t head[] = {0x08, 0x08, 0x3a, 0x80, 0xb5, 0x18}; /* a graph of 400,000 bytes: 200,000 empty nodes */
    memcpy(nodes, head, sizeof head);
    for (size_t i = sizeof head; i < sizeof head + size && i + 1 < size + 8; i += 2) {
        nodes[i] = 0x0a;
        nodes[i + 1] = 0;
    }
    assert_false(try_bytes(nodes, sizeof head + size));
    assert_false(try_bytes((const uint8_t *)"", 0));
    free(nodes);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mutations_never_crash), cmocka_unit_test(claims_cost_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
