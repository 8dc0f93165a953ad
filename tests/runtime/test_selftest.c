/* The self-test: its hashes come out of double-precision arithmetic too, kernels that are off by one are named, and all
 * is done within a second. */
#include "runtime/models.h"

#include "runtime/base/clock.h"
#include "runtime/kernels/selftest.h"
#include "runtime/model/onnx.h"

#include <string.h>

/* ---- Hashes by another way -------------------------------------------------------------------------- */

static uint64_t hash_byte(uint64_t hash, uint8_t byte)
{
    return (hash ^ byte) * 1099511628211u;
}

/* Values as the layer stores them: INT8 or uint8, or FP32 little-endian. */
static uint64_t hash_tensor(uint64_t hash, const test_tensor *tensor, bool int8)
{
    size_t count = (size_t)tensor->height * (size_t)tensor->width * (size_t)tensor->channels;
    for (size_t i = 0; i < count; i++) {
        if (int8) {
            hash = hash_byte(hash, (uint8_t)(int)tensor->values[i]);
            continue;
        }
        float value = (float)tensor->values[i];
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        for (int byte = 0; byte < 4; byte++)
            hash = hash_byte(hash, (uint8_t)(bits >> 8 * byte));
    }
    return hash;
}

static test_tensor quantized_picture(const uint8_t *pixels, int width, int height, float scale)
{
    test_tensor tensor = test_tensor_make(height, width, 3);
    for (int i = 0; i < 3 * width * height; i++) {
        volatile float real = ((float)pixels[i] - 127.5f) / 128.0f;
        volatile float steps = real / scale;
        tensor.values[i] = test_clamp_round((double)steps);
    }
    return tensor;
}

static void hash_picture(const qmt_model *model, const uint8_t *pixels, int width, int height, uint64_t *hashes)
{
    test_tensor input = quantized_picture(pixels, width, height, model->layers[0].input_scale);
    for (int i = 0; i < model->layer_count; i++) {
        const qmt_layer *next = i + 1 < model->layer_count ? &model->layers[i + 1] : &model->heads[0];
        test_tensor output = test_run_layer(&model->layers[i], true, next->input_scale, next->input_unsigned, &input);
        hashes[i] = hash_tensor(hashes[i], &output, true);
        free(input.values);
        input = output;
    }
    for (int i = 0; i < qmt_head_count; i++) {
        test_tensor output = test_run_layer(&model->heads[i], true, 0, false, &input);
        hashes[model->layer_count + i] = hash_tensor(hashes[model->layer_count + i], &output, false);
        free(output.values);
    }
    free(input.values);
}

static void the_expected_hashes_are_those_of_exact_arithmetic(void **state)
{
    (void)state;
    for (int which = 0; which < qmt_selftest_networks; which++) {
        qmt_model *model;
        qmtcnn_error error;
        int count, width, height;
        uint64_t hashes[qmt_selftest_rows];
        for (int i = 0; i < qmt_selftest_rows; i++)
            hashes[i] = 14695981039346656037u;
        assert_ok(qmt_selftest_network(which, &model, &error), &error);
        qmt_selftest_pictures(model->net, &count, &width, &height);
        size_t size = 3 * (size_t)width * (size_t)height;
        uint8_t *pixels = malloc((size_t)count * size);
        assert_non_null(pixels);
        qmt_selftest_fill(pixels, count, width, height);
        for (int i = 0; i < count; i++)
            hash_picture(model, pixels + (size_t)i * size, width, height, hashes);
        for (int i = 0; i < model->layer_count + qmt_head_count; i++)
            assert_int_equal(hashes[i], qmt_selftest_expected[which][i]);
        free(pixels);
        qmt_model_free(model);
    }
}

/* ---- Every table of this processor ------------------------------------------------------------------- */

static void count_row(void *state, const qmt_selftest_row *row)
{
    (void)row;
    ++*(int *)state;
}

static void all_kernels_pass_within_a_second(void **state)
{
    static const char *const names[] = {"c", "avx2", "avxvnni", "avx512", "avx512vnni", "neon", "neondot"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const qmt_kernels *kernels = qmt_kernels_select(names[i]);
        qmtcnn_error error;
        int rows = 0;
        if (!kernels)
            continue;
        double start = qmt_seconds();
        assert_ok(qmt_selftest_builtin(kernels, count_row, &rows, &error), &error);
        print_message("%s: %.3f s\n", names[i], qmt_seconds() - start);
        assert_int_equal(rows, 3 * (7 + 8 + 9));
        assert_ok(qmtcnn_selftest(NULL, names[i], &error), &error);
    }
    assert_int_equal(qmtcnn_selftest(NULL, NULL, NULL), QMTCNN_OK);
}

/* ---- Kernels that are wrong --------------------------------------------------------------------------- */

/* A copy of plain C with one value off, in the layer that is packed as number `planted.layer`. */
static struct {
    int packed, layer;
    const qmt_packed_layer *wrong;
} planted;

static qmtcnn_status pack_and_count(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                                    qmtcnn_error *error)
{
    qmtcnn_status status = qmt_kernels_c()->pack(layer, options, packed, error);
    if (planted.packed++ == planted.layer)
        planted.wrong = *packed;
    return status;
}

static void run_wrong(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    qmt_kernels_c()->run(packed, strip);
    if (packed == planted.wrong)
        *(uint8_t *)strip->output ^= 1;
}

static qmt_kernels wrong_kernels(int layer)
{
    qmt_kernels kernels = *qmt_kernels_c();
    planted.packed = 0;
    planted.layer = layer;
    planted.wrong = NULL;
    kernels.name = "planted";
    kernels.pack = pack_and_count;
    kernels.run = run_wrong;
    return kernels;
}

static void keep_first(void *state, const qmt_selftest_row *row)
{
    char *first = state;
    if (!row->same && !first[0])
        snprintf(first, 64, "%s/%s", row->network, row->layer);
}

static void a_value_that_is_off_by_one_is_named(void **state)
{
    /* Packing order: P-Net's three layers and its heads together, then R-Net, ... */
    static const struct {
        int layer;
        const char *network, *name;
    } cases[] = {{0, "P-Net", "conv1"},         {1, "P-Net", "conv2"},        {3, "P-Net", "face"},
                 {5, "R-Net", "conv2"},         {7, "R-Net", "conv4"},        {13, "O-Net", "conv5"},
                 {16, "P-Net, PReLU", "conv2"}, {28, "O-Net, PReLU", "conv5"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        qmt_kernels kernels = wrong_kernels(cases[i].layer);
        qmtcnn_error error = {QMTCNN_OK, ""};
        char first[64] = "", expected[64];
        assert_int_equal(qmt_selftest_builtin(&kernels, keep_first, first, &error), QMTCNN_ERROR_NUMERIC);
        snprintf(expected, sizeof expected, "%s/%s", cases[i].network, cases[i].name);
        assert_string_equal(first, expected);
        snprintf(expected, sizeof expected, "kernels planted, %s, layer %s:", cases[i].network, cases[i].name);
        assert_non_null(strstr(error.message, expected));
    }
}

/* ---- Models ----------------------------------------------------------------------------------------- */

static void a_model_is_compared_layer_by_layer(void **state)
{
    (void)state;
    for (int net = 0; net < qmt_net_count; net++) {
        qmt_model *model = test_make_model((qmt_net_id)net, true, QMT_ACTIVATION_RELU, 7);
        qmtcnn_error error = {QMTCNN_OK, ""};
        int rows = 0;
        assert_ok(qmt_selftest_model(model, "m", qmt_kernels_select(NULL), count_row, &rows, &error), &error);
        assert_int_equal(rows, model->layer_count + qmt_head_count);
        qmt_kernels kernels = wrong_kernels(1);
        char first[64] = "";
        assert_int_equal(qmt_selftest_model(model, "m", &kernels, keep_first, first, &error), QMTCNN_ERROR_NUMERIC);
        assert_string_equal(first, "m/conv2");
        assert_non_null(strstr(error.message, "kernels planted, m, layer conv2 differs from plain C by up to 1 steps"));
        qmt_model_free(model);
    }
}

/* The low bit of an FP32 value is nothing; a mixed model is held to steps. */
static void fp32_layers_may_differ_in_the_last_bits(void **state)
{
    (void)state;
    qmt_model *model = test_make_model(QMT_RNET, false, QMT_ACTIVATION_PRELU, 7);
    qmtcnn_error error;
    qmt_kernels kernels = wrong_kernels(1);
    assert_ok(qmt_selftest_model(model, "m", &kernels, NULL, NULL, &error), &error);
    assert_ok(qmt_selftest_model(model, "m", qmt_kernels_select(NULL), NULL, NULL, &error), &error);
    assert_ok(qmt_layer_quantize(&model->layers[2], 0.01f, NULL, &error), &error);
    assert_ok(qmt_selftest_model(model, "m", qmt_kernels_select(NULL), NULL, NULL, &error), &error);
    qmt_model_free(model);
}

static void the_public_call_reads_folders_and_names_kernels(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    qmtcnn_error error = {QMTCNN_OK, ""};
    for (int net = 0; net < qmt_net_count; net++) {
        qmt_model *model = test_make_model((qmt_net_id)net, true, QMT_ACTIVATION_RELU, 3);
        void *data;
        size_t size;
        char path[600];
        assert_ok(qmt_onnx_write(model, NULL, &data, &size, &error), &error);
        snprintf(path, sizeof path, "%s/%s.onnx", folder, qmt_net_name((qmt_net_id)net));
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
        qmt_free(data);
        qmt_model_free(model);
    }
    assert_ok(qmtcnn_selftest(folder, NULL, &error), &error);
    assert_int_equal(qmtcnn_selftest("/nowhere", NULL, &error), QMTCNN_ERROR_IO);
    assert_int_equal(qmtcnn_selftest(NULL, "abacus", &error), QMTCNN_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "abacus"));
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_expected_hashes_are_those_of_exact_arithmetic),
        cmocka_unit_test(all_kernels_pass_within_a_second),
        cmocka_unit_test(a_value_that_is_off_by_one_is_named),
        cmocka_unit_test(a_model_is_compared_layer_by_layer),
        cmocka_unit_test(fp32_layers_may_differ_in_the_last_bits),
        cmocka_unit_test(the_public_call_reads_folders_and_names_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
