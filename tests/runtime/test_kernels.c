/* Every kernel table against the plainest loops, and against the C table, on random shapes. */
#include "runtime/kernels/kernels.h"
#include "runtime/models.h"

#include <string.h>

enum { guard_bytes = 256, guard_value = 0x5a };

/* A buffer with guard bytes on both sides. */
struct guarded {
    char *memory, *data;
    size_t size;
};

static struct guarded guarded_make(size_t size)
{
    struct guarded buffer = {qmt_alloc(size + 2 * guard_bytes, 1), NULL, size};
    assert_non_null(buffer.memory);
    memset(buffer.memory, guard_value, size + 2 * guard_bytes);
    buffer.data = buffer.memory + guard_bytes;
    return buffer;
}

static void guarded_check_free(struct guarded *buffer)
{
    for (size_t i = 0; i < guard_bytes; i++) {
        assert_int_equal(buffer->memory[i], guard_value);
        assert_int_equal(buffer->data[buffer->size + i], guard_value);
    }
    qmt_free(buffer->memory);
}

/* One layer and its input. */
struct trial {
    qmt_layer layer;
    qmt_pack_options options;
    int height, width, out_height, out_width;
    void *input;
    test_tensor tensor; /* the same */
};

static void trial_make(struct trial *trial, test_random *random, int largest)
{
    static const qmt_activation activations[] = {QMT_ACTIVATION_NONE, QMT_ACTIVATION_RELU, QMT_ACTIVATION_PRELU};
    qmtcnn_error error;
    int in = 1 + test_below(random, test_below(random, 3) ? 12 : largest), out = 1 + test_below(random, largest);
    int kernel_height = 1 + test_below(random, 4), kernel_width = 1 + test_below(random, 4);
    memset(trial, 0, sizeof *trial);
    assert_ok(qmt_layer_init(&trial->layer, "layer", in, out, kernel_height, kernel_width,
                             activations[test_below(random, 3)], &error),
              &error);
    test_fill_layer(&trial->layer, random);
    if (test_below(random, 2)) {
        trial->layer.pool_kernel = 1 + test_below(random, 3);
        trial->layer.pool_stride = 1 + test_below(random, trial->layer.pool_kernel);
    }
    trial->options.int8 = test_below(random, 2);
    trial->options.signed_input = test_below(random, 2);
    trial->options.picture = in <= qmt_picture_channels && test_below(random, 2);
    trial->options.output_scale = test_below(random, 3) ? (0.2f + 3.0f * fabsf(test_real(random))) / 127.0f : 0.0f;
    if (trial->options.int8)
        assert_ok(qmt_layer_quantize(&trial->layer, 1.0f / 127.0f, NULL, &error), &error);
    trial->height = kernel_height + 3 + test_below(random, 9);
    trial->width = kernel_width + 3 + test_below(random, 21);
    assert_true(
        qmt_layer_output_size(&trial->layer, trial->height, trial->width, &trial->out_height, &trial->out_width));
    int padded = qmt_padded_channels(in, trial->options.picture);
    size_t values = (size_t)trial->height * (size_t)trial->width * (size_t)padded;
    trial->input = qmt_alloc_zero(values, sizeof(float));
    trial->tensor = test_tensor_make(trial->height, trial->width, in);
    bool extreme = test_below(random, 4) == 0; /* the largest values: the sums must not saturate on the way */
    for (size_t i = 0; i < values; i++) {
        size_t channel = i % (size_t)padded;
        int q = extreme ? 127 : test_below(random, 128);
        if (trial->options.signed_input && test_below(random, 2))
            q = -q;
        float real = test_real(random);
        if (trial->options.int8)
            ((int8_t *)trial->input)[i] = (int8_t)q; /* padding too: its weights are zero */
        else
            ((float *)trial->input)[i] = real;
        if (channel < (size_t)in)
            trial->tensor.values[i / (size_t)padded * (size_t)in + channel] = trial->options.int8 ? q : (double)real;
    }
    for (size_t i = 0; extreme && trial->options.int8 && i < (size_t)out * qmt_layer_taps(&trial->layer); i++)
        trial->layer.weight_int8[i] = test_below(random, 8) ? 127 : -127;
}

static void trial_free(struct trial *trial)
{
    free(trial->tensor.values);
    qmt_free(trial->input);
    qmt_layer_clear(&trial->layer);
}

/* Runs a trial in strips of `strip` rows. */
static struct guarded trial_run(const struct trial *trial, const qmt_kernels *kernels, int strip)
{
    qmtcnn_error error;
    qmt_packed_layer *packed;
    assert_ok(kernels->pack(&trial->layer, &trial->options, &packed, &error), &error);
    size_t out_channels = (size_t)((trial->layer.out_channels + 15) / 16 * 16);
    size_t out_row = (size_t)trial->out_width * out_channels * (trial->options.output_scale > 0 ? 1 : sizeof(float));
    size_t in_row = (size_t)trial->width *
                    (size_t)qmt_padded_channels(trial->layer.in_channels, trial->options.picture) *
                    (trial->options.int8 ? 1 : sizeof(float));
    struct guarded output = guarded_make(out_row * (size_t)trial->out_height);
    struct guarded scratch = guarded_make(kernels->scratch_size(packed, trial->width));
    for (int y = 0; y < trial->out_height; y += strip) {
        int first = y * (trial->layer.pool_kernel ? trial->layer.pool_stride : 1);
        qmt_strip job = {.input = (char *)trial->input + (size_t)first * in_row,
                         .input_width = trial->width,
                         .output = output.data + (size_t)y * out_row,
                         .output_width = trial->out_width,
                         .output_rows = strip < trial->out_height - y ? strip : trial->out_height - y,
                         .convolution_height = trial->height - trial->layer.kernel_height + 1 - first,
                         .scratch = scratch.data};
        kernels->run(packed, &job);
    }
    guarded_check_free(&scratch);
    kernels->release(packed);
    return output;
}

/* An output value, without padding. */
static double output_at(const struct trial *trial, const struct guarded *output, size_t pixel, int channel)
{
    size_t at = pixel * (size_t)((trial->layer.out_channels + 15) / 16 * 16) + (size_t)channel;
    return trial->options.output_scale > 0 ? (double)((const int8_t *)output->data)[at]
                                           : (double)((const float *)(const void *)output->data)[at];
}

static void compare_with_loops(const struct trial *trial, const struct guarded *output)
{
    test_tensor expected =
        test_run_layer(&trial->layer, trial->options.int8, trial->options.output_scale, &trial->tensor);
    assert_int_equal(expected.height, trial->out_height);
    assert_int_equal(expected.width, trial->out_width);
    for (size_t pixel = 0; pixel < (size_t)(expected.height * expected.width); pixel++)
        for (int c = 0; c < expected.channels; c++) {
            double value = expected.values[pixel * (size_t)expected.channels + (size_t)c];
            double real = output_at(trial, output, pixel, c);
            /* INT8 sums are exact; FP32 sums round, and may fall on the other side of a tie. */
            double allowed = trial->options.int8 ? 0 : trial->options.output_scale > 0 ? 1 : 1e-5;
            if (!(fabs(value - real) <= allowed))
                fail_msg("pixel %zu, channel %d: %.9g instead of %.9g", pixel, c, real, value);
        }
    free(expected.values);
}

static void check_table(const qmt_kernels *kernels, int trials, uint64_t seed)
{
    test_random random = {seed};
    for (int i = 0; i < trials; i++) {
        struct trial trial;
        trial_make(&trial, &random, 40);
        struct guarded whole = trial_run(&trial, kernels, trial.out_height);
        compare_with_loops(&trial, &whole);
        struct guarded strips = trial_run(&trial, kernels, 1 + test_below(&random, 3));
        assert_memory_equal(whole.data, strips.data, whole.size);
        guarded_check_free(&strips);
        guarded_check_free(&whole);
        trial_free(&trial);
    }
}

static void c_computes_what_loops_compute(void **state)
{
    (void)state;
    check_table(qmt_kernels_c(), 300, 1);
}

static void best_computes_what_loops_compute(void **state)
{
    (void)state;
    print_message("best table: %s\n", qmt_kernels_select(NULL)->name);
    check_table(qmt_kernels_select(NULL), 300, 2);
}

/* Thousands of shapes against C: INT8 equal in every bit, FP32 within 1e-5. */
static void best_agrees_with_c(void **state)
{
    (void)state;
    const qmt_kernels *best = qmt_kernels_select(NULL);
    test_random random = {3};
    double worst = 0;
    if (best == qmt_kernels_c())
        skip();
    for (int i = 0; i < 3000; i++) {
        struct trial trial;
        trial_make(&trial, &random, 70);
        struct guarded reference = trial_run(&trial, qmt_kernels_c(), trial.out_height);
        struct guarded output = trial_run(&trial, best, trial.out_height);
        if (trial.options.int8) {
            assert_memory_equal(reference.data, output.data, output.size);
        } else if (trial.options.output_scale > 0) {
            for (size_t j = 0; j < output.size; j++)
                assert_true(abs(reference.data[j] - output.data[j]) <= 1);
        } else {
            const float *a = (const float *)(const void *)reference.data, *b = (const float *)(const void *)output.data;
            for (size_t j = 0; j < output.size / sizeof(float); j++)
                worst = fmax(worst, fabs((double)a[j] - (double)b[j]));
        }
        guarded_check_free(&output);
        guarded_check_free(&reference);
        trial_free(&trial);
    }
    print_message("FP32: at most %.3g apart\n", worst);
    assert_true(worst < 1e-5);
}

/* A layer that hands its input on: sums of 0.5 steps are ties. */
static void requantization_by_hand(void **state)
{
    (void)state;
    const qmt_kernels *tables[2] = {qmt_kernels_c(), qmt_kernels_select(NULL)};
    const int8_t sums[] = {1, 3, 5, -1, -3, -5, 127, -127, 2, 0};
    const int8_t none[] = {0, 2, 2, 0, -2, -2, 64, -64, 1, 0}; /* times 0.5, half to even */
    enum { pixels = sizeof sums };
    qmtcnn_error error;
    for (int t = 0; t < 2; t++)
        for (int kind = 0; kind < 3; kind++) {
            struct trial trial = {.height = 1, .width = pixels, .out_height = 1, .out_width = pixels};
            assert_ok(qmt_layer_init(&trial.layer, "x", 1, 1, 1, 1, (qmt_activation)kind, &error), &error);
            trial.layer.weight[0] = 1.0f;
            if (kind == QMT_ACTIVATION_PRELU)
                trial.layer.slope[0] = -3.0f; /* times 0.5: -1 becomes 1.5 -> 2 */
            assert_ok(qmt_layer_quantize(&trial.layer, 1.0f, (const float[]){1.0f}, &error), &error);
            trial.options =
                (qmt_pack_options){.int8 = true, .picture = true, .signed_input = true, .output_scale = 2.0f};
            int8_t input[4 * pixels] = {0};
            for (int i = 0; i < pixels; i++)
                input[4 * i] = sums[i];
            trial.input = input;
            struct guarded output = trial_run(&trial, tables[t], 1);
            for (int i = 0; i < pixels; i++) {
                int expected = none[i];
                if (sums[i] < 0 && kind == QMT_ACTIVATION_RELU)
                    expected = 0;
                if (sums[i] < 0 && kind == QMT_ACTIVATION_PRELU)
                    expected = sums[i] == -1 ? 2 : sums[i] == -3 ? 4 : sums[i] == -5 ? 8 : 127;
                assert_int_equal(((int8_t *)output.data)[16 * i], expected);
            }
            guarded_check_free(&output);
            qmt_layer_clear(&trial.layer);
        }
}

static void pixels_are_normalized(void **state)
{
    (void)state;
    enum { width = 7, rows = 3, stride = 30 };
    uint8_t pixels[stride * rows];
    test_random random = {4};
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)test_bits(&random);
    for (int quantized = 0; quantized < 2; quantized++) {
        qmt_pixel_table table;
        qmt_pixel_table_init(&table, quantized ? qmt_input_scale() : 0);
        struct guarded output = guarded_make(width * rows * 4 * (quantized ? 1 : sizeof(float)));
        qmt_kernels_select(NULL)->normalize(&table, pixels, stride, width, rows, output.data);
        for (int i = 0; i < width * rows; i++)
            for (int c = 0; c < 4; c++) {
                double x = c < 3 ? (pixels[i / width * stride + i % width * 3 + c] - 127.5) / 128 : 0;
                if (quantized)
                    assert_int_equal(((int8_t *)output.data)[4 * i + c], lround(x / (127.5 / 128) * 127));
                else
                    assert_float_equal((double)((float *)(void *)output.data)[4 * i + c], x, 0);
            }
        guarded_check_free(&output);
    }
}

static void tables_by_name(void **state)
{
    (void)state;
    assert_ptr_equal(qmt_kernels_select("c"), qmt_kernels_c());
    assert_null(qmt_kernels_select("abacus"));
    assert_non_null(qmt_kernels_select(NULL));
    assert_int_equal(qmt_padded_channels(3, true), 4);
    assert_int_equal(qmt_padded_channels(3, false), 16);
    assert_int_equal(qmt_padded_channels(16, false), 16);
    assert_int_equal(qmt_padded_channels(33, false), 48);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_computes_what_loops_compute),
        cmocka_unit_test(best_computes_what_loops_compute),
        cmocka_unit_test(best_agrees_with_c),
        cmocka_unit_test(requantization_by_hand),
        cmocka_unit_test(pixels_are_normalized),
        cmocka_unit_test(tables_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
