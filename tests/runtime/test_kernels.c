/* Every kernel table against the plainest loops and against the C table, on random shapes, in the manner of FFmpeg's
 * checkasm: buffers lie between forbidden pages, and INT8 must agree in every bit.
 *
 * test_kernels [--rounds N] [--seed S] [--table NAME]   a round is a shape; a failure names its seed
 * test_kernels --bench [--table NAME]                    speed on the networks' own layers */
#define _POSIX_C_SOURCE 200809L /* sigaction */
#include "runtime/base/clock.h"
#include "runtime/kernels/packed.h"
#include "runtime/trial.h"

#ifdef TEST_EMULATED
#include "emulation/emulated.h"
#endif

#include <signal.h>

/* A table to check; what it needs is here, or emulated. */
struct table {
    const qmt_kernels *kernels;
    bool emulated;
};
enum { most_tables = qmt_max_kernel_tables + 2 };

struct settings {
    struct table tables[most_tables];
    int count;
    int rounds; /* shapes a table; 0: as many as a test run has time for */
    uint64_t seed;
};

/* ---- Faults ------------------------------------------------------------------------------------- */

/* What is running, for the handler of a signal, which gets nothing else. */
static char current[512];

static void fault(int signal_number)
{
    ssize_t written = write(STDERR_FILENO, current, strlen(current));
    (void)written;
    signal(signal_number, SIG_DFL); /* the instruction runs again, and ends the program */
}

static void watch_faults(void)
{
    struct sigaction action = {.sa_handler = fault};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
}

static void announce(const struct trial *trial, const struct table *table, uint64_t seed)
{
    char text[400];
    trial_describe(trial, text, sizeof text);
    snprintf(current, sizeof current, "table %s, --seed %llu --rounds 1: %s\n", table->kernels->name,
             (unsigned long long)seed, text);
}

/* ---- Against plain loops -------------------------------------------------------------------------- */

static double output_at(const struct trial *trial, const char *output, size_t pixel, int channel)
{
    const char *at = output + pixel * trial->out_pixel;
    return trial->options.output_scale > 0 ? (double)((const int8_t *)at)[channel]
                                           : (double)((const float *)(const void *)at)[channel];
}

static test_tensor trial_tensor(const struct trial *trial)
{
    test_tensor tensor = test_tensor_make(trial->height, trial->width, trial->layer.in_channels);
    for (size_t p = 0; p < (size_t)(trial->height * trial->width); p++)
        for (size_t c = 0; c < (size_t)tensor.channels; c++) {
            const char *at = trial->input + p * trial->in_pixel;
            tensor.values[p * (size_t)tensor.channels + c] =
                trial->options.int8 ? (double)((const int8_t *)at)[c] : (double)((const float *)(const void *)at)[c];
        }
    return tensor;
}

static void check_loops(const struct table *table, uint64_t seed, struct trial_buffers *buffers)
{
    struct trial trial;
    qmt_packed_layer *packed;
    qmtcnn_error error;
    trial_make(&trial, seed, false);
    announce(&trial, table, seed);
    assert_ok(table->kernels->pack(&trial.layer, &trial.options, &packed, &error), &error);
    trial_run(&trial, table->kernels, packed, 0, 1, trial.out_height, 0, buffers);
    test_tensor input = trial_tensor(&trial);
    test_tensor expected = test_run_layer(&trial.layer, trial.options.int8, trial.options.output_scale, false, &input);
    assert_int_equal(expected.height, trial.out_height);
    assert_int_equal(expected.width, trial.out_width);
    for (int i = 0; i < expected.height * expected.width; i++)
        for (int c = 0; c < (trial.wanted ? trial.wanted : expected.channels); c++) {
            double value = expected.values[i * expected.channels + c];
            double real = output_at(&trial, buffers->output.data, (size_t)i, c);
            /* INT8 sums are exact; FP32 sums round, and may fall on the other side of a tie. */
            double allowed = trial.options.int8 ? 0 : trial.options.output_scale > 0 ? 1 : trial_allowed(&trial, c);
            if (!(fabs(value - real) <= allowed))
                fail_msg("pixel %d, channel %d: %.9g instead of %.9g; %s", i, c, real, value, current);
        }
    free(expected.values);
    free(input.values);
    table->kernels->release(packed);
    trial_free(&trial);
}

static void tables_compute_what_loops_compute(void **state)
{
    const struct settings *settings = *state;
    struct trial_buffers buffers;
    trial_buffers_create(&buffers);
    for (int t = 0; t < settings->count; t++)
        for (int i = 0; i < (settings->rounds ? settings->rounds : 150); i++)
            check_loops(&settings->tables[t], settings->seed + (uint64_t)i, &buffers);
    trial_buffers_free(&buffers);
}

/* ---- Against the C table -------------------------------------------------------------------------- */

struct tally {
    int shapes, int8, interleaved, sizes[2]; /* sizes: bytes and floats */
    double worst;                            /* FP32: of what is allowed */
};

/* Compares a picture of the table's output with the C table's. */
static void compare(const struct trial *trial, const char *reference, const char *output, int pictures, int picture,
                    struct tally *tally)
{
    const int channels = trial->wanted ? trial->wanted : trial->layer.out_channels;
    for (int c = 0; c < channels; c++) {
        const double bound = trial->options.int8 ? 0 : trial_allowed(trial, c);
        for (int i = 0; i < trial->out_height * trial->out_width; i++) {
            const double a = output_at(trial, reference, (size_t)i, c);
            const double b = output_at(trial, output, (size_t)(i * pictures + picture), c);
            const double allowed = trial->options.int8 ? 0 : trial->options.output_scale > 0 ? 1 : bound;
            if (!(fabs(a - b) <= allowed))
                fail_msg("picture %d, pixel %d, channel %d: %.9g, where C has %.9g; %s", picture, i, c, b, a, current);
            if (allowed > 0 && trial->options.output_scale == 0)
                tally->worst = fmax(tally->worst, fabs(a - b) / allowed);
        }
    }
}

static char *copy_output(const struct trial_buffers *buffers)
{
    char *copy = malloc(buffers->output.used + 1);
    assert_non_null(copy);
    memcpy(copy, buffers->output.data, buffers->output.used);
    return copy;
}

static void check_guards(const struct trial_buffers *buffers)
{
    if (!guard_intact(&buffers->input) || !guard_intact(&buffers->output) || !guard_intact(&buffers->scratch))
        fail_msg("guard bytes were written: %s", current);
}

/* Results must not depend on strips; those of INT8 not on anything. */
static void check_strips(const struct trial *trial, const struct table *table, const qmt_packed_layer *packed,
                         const char *whole, uint64_t seed, struct trial_buffers *buffers)
{
    const int strip = 1 + (int)(seed % 3), gap = seed % 2 ? -1 : trial->options.picture ? 4 : 16;
    trial_run(trial, table->kernels, packed, 0, trial->pictures, strip, gap, buffers);
    check_guards(buffers);
    const int channels = trial->wanted ? trial->wanted : trial->layer.out_channels;
    for (size_t i = 0; i < (size_t)(trial->out_height * trial->out_width * trial->pictures); i++)
        if (memcmp(whole + i * trial->out_pixel, buffers->output.data + i * trial->out_pixel,
                   (size_t)channels * (trial->options.output_scale > 0 ? 1 : sizeof(float))) != 0)
            fail_msg("strips of %d rows differ from the whole: %s", strip, current);
}

static void check_trial(const struct table *table, struct trial *trial, uint64_t seed, struct trial_buffers *buffers,
                        struct tally *tally)
{
    const qmt_kernels *reference_kernels = qmt_kernels_c();
    qmt_packed_layer *packed, *reference;
    qmtcnn_error error;
    announce(trial, table, seed);
    assert_ok(table->kernels->pack(&trial->layer, &trial->options, &packed, &error), &error);
    assert_ok(reference_kernels->pack(&trial->layer, &trial->options, &reference, &error), &error);
    assert_true(table->kernels->bytes(packed) >= (size_t)trial->layer.out_channels * qmt_layer_taps(&trial->layer));
    if (!packed->interleaves)
        trial->pictures = 1;
    trial_run(trial, table->kernels, packed, 0, trial->pictures, trial->out_height, 0, buffers);
    check_guards(buffers);
    char *whole = copy_output(buffers);
    check_strips(trial, table, packed, whole, seed, buffers);
    for (int n = 0; n < trial->pictures; n++) {
        trial_run(trial, reference_kernels, reference, n, 1, trial->out_height, 0, buffers);
        compare(trial, buffers->output.data, whole, trial->pictures, n, tally);
    }
    tally->shapes++;
    tally->int8 += trial->options.int8;
    tally->interleaved += trial->pictures > 1;
    free(whole);
    reference_kernels->release(reference);
    table->kernels->release(packed);
    trial_free(trial);
}

static void tables_agree_with_c(void **state)
{
    const struct settings *settings = *state;
    struct trial_buffers buffers;
    trial_buffers_create(&buffers);
    for (int t = 0; t < settings->count; t++) {
        const struct table *table = &settings->tables[t];
        const bool few = table->emulated || table->kernels == qmt_kernels_c(); /* slow, or compared with itself */
        const int rounds = settings->rounds ? settings->rounds : few ? 500 : 2500;
        struct tally tally = {0};
        const double start = qmt_seconds();
        for (int i = 0; i < rounds; i++) {
            struct trial trial;
            trial_make(&trial, settings->seed + (uint64_t)i, true);
            check_trial(table, &trial, settings->seed + (uint64_t)i, &buffers, &tally);
        }
        print_message("%s%s: %d shapes in %.1f s; %d INT8, all bits equal; FP32 within %.2f of the bound; %d with "
                      "pictures side by side\n",
                      table->kernels->name, table->emulated ? " (emulated)" : "", tally.shapes, qmt_seconds() - start,
                      tally.int8, tally.worst, tally.interleaved);
    }
    trial_buffers_free(&buffers);
}

/* ---- The networks' layers ------------------------------------------------------------------------- */

/* R- and O-Net's as a picture, or as many side by side where the table takes them. */
static const struct network_layer {
    const char *name;
    int in, out, kernel, pool_kernel, pool_stride, width, height, pictures;
    bool picture, head;
} network_layers[] = {{"P-Net conv1", 3, 10, 3, 2, 2, 384, 40, 1, true, false},
                      {"P-Net conv2", 10, 16, 3, 0, 0, 191, 22, 1, false, false},
                      {"P-Net conv3", 16, 32, 3, 0, 0, 189, 20, 1, false, false},
                      {"P-Net heads", 32, 16, 1, 0, 0, 187, 18, 1, false, true},
                      {"R-Net conv1", 3, 28, 3, 3, 2, 24, 24, 8, true, false},
                      {"R-Net conv2", 28, 48, 3, 3, 2, 11, 11, 8, false, false},
                      {"R-Net conv3", 48, 64, 2, 0, 0, 4, 4, 8, false, false},
                      {"R-Net fc", 64, 128, 3, 0, 0, 3, 3, 8, false, false},
                      {"O-Net conv1", 3, 32, 3, 3, 2, 48, 48, 8, true, false},
                      {"O-Net conv2", 32, 64, 3, 3, 2, 23, 23, 8, false, false},
                      {"O-Net conv3", 64, 64, 3, 2, 2, 10, 10, 8, false, false},
                      {"O-Net conv4", 64, 128, 2, 0, 0, 4, 4, 8, false, false},
                      {"O-Net fc", 128, 256, 3, 0, 0, 3, 3, 8, false, false}};

static void network_trial(const struct network_layer *layer, bool int8, uint64_t seed, struct trial *trial)
{
    qmtcnn_error error;
    test_random random = {seed};
    memset(trial, 0, sizeof *trial);
    assert_ok(qmt_layer_init(&trial->layer, layer->name, layer->in, layer->out, layer->kernel, layer->kernel,
                             layer->head ? QMT_ACTIVATION_NONE : QMT_ACTIVATION_RELU, &error),
              &error);
    test_fill_layer(&trial->layer, &random);
    trial->layer.pool_kernel = layer->pool_kernel;
    trial->layer.pool_stride = layer->pool_stride;
    trial->options = (qmt_pack_options){.int8 = int8,
                                        .picture = layer->picture,
                                        .signed_input = layer->picture,
                                        .output_scale = int8 && !layer->head ? 3.0f / 127.0f : 0.0f};
    if (int8)
        assert_ok(qmt_layer_quantize(&trial->layer, 1.0f / 127.0f, NULL, &error), &error);
    trial->height = layer->height;
    trial->width = layer->width;
    trial->pictures = layer->pictures;
    assert_true(
        qmt_layer_output_size(&trial->layer, trial->height, trial->width, &trial->out_height, &trial->out_width));
    trial->in_pixel = (size_t)qmt_padded_channels(layer->in, layer->picture) * (int8 ? 1 : sizeof(float));
    trial->in_row = (size_t)trial->width * trial->in_pixel;
    trial->out_pixel =
        (size_t)qmt_padded_channels(layer->out, false) * (trial->options.output_scale > 0 ? 1 : sizeof(float));
    trial->out_row = (size_t)trial->out_width * trial->out_pixel;
    trial_fill(trial, &random);
}

/* The same layer on maps and crops of other sizes. Random layers seldom hit what tables have made for these alone. */
static void check_network_layer(const struct table *table, const struct network_layer *usual, uint64_t seed,
                                struct trial_buffers *buffers, struct tally *tally)
{
    test_random random = {seed * 0x9e3779b97f4a7c15u + 1};
    struct network_layer layer = *usual;
    struct trial trial;
    layer.width = layer.kernel + 3 + test_below(&random, layer.pictures > 1 ? 12 : 110);
    layer.height = layer.kernel + 3 + test_below(&random, 6);
    layer.pictures = layer.pictures > 1 ? 1 + test_below(&random, trial_most_pictures) : 1;
    network_trial(&layer, true, test_bits(&random), &trial);
    if (test_below(&random, 3) == 0)
        trial.layer.activation = QMT_ACTIVATION_NONE;
    if (layer.head && test_below(&random, 2))
        trial.wanted = 6;
    check_trial(table, &trial, seed, buffers, tally);
}

static void network_layers_agree_with_c(void **state)
{
    const struct settings *settings = *state;
    struct trial_buffers buffers;
    trial_buffers_create(&buffers);
    for (int t = 0; t < settings->count; t++) {
        struct tally tally = {0};
        for (uint64_t i = 0; i < 12; i++)
            for (size_t layer = 0; layer < sizeof network_layers / sizeof *network_layers; layer++)
                check_network_layer(&settings->tables[t], &network_layers[layer], settings->seed + i, &buffers, &tally);
        assert_int_equal(tally.int8, tally.shapes);
    }
    trial_buffers_free(&buffers);
}

/* ---- By hand ------------------------------------------------------------------------------------- */

/* A layer that hands its input on: sums of 0.5 steps are ties. */
static void requantize_by_hand(const qmt_kernels *kernels, qmt_activation activation, struct trial_buffers *buffers)
{
    const int8_t sums[] = {1, 3, 5, -1, -3, -5, 127, -127, 2, 0};
    const int8_t none[] = {0, 2, 2, 0, -2, -2, 64, -64, 1, 0}; /* times 0.5, half to even */
    enum { pixels = sizeof sums };
    qmtcnn_error error;
    qmt_packed_layer *packed;
    struct trial trial = {.height = 1,
                          .width = pixels,
                          .out_height = 1,
                          .out_width = pixels,
                          .pictures = 1,
                          .in_pixel = 4,
                          .in_row = 4 * pixels,
                          .out_pixel = 16,
                          .out_row = 16 * pixels};
    assert_ok(qmt_layer_init(&trial.layer, "x", 1, 1, 1, 1, activation, &error), &error);
    trial.layer.weight[0] = 1.0f;
    if (activation == QMT_ACTIVATION_PRELU)
        trial.layer.slope[0] = -3.0f; /* times 0.5: -1 becomes 1.5 -> 2 */
    assert_ok(qmt_layer_quantize(&trial.layer, 1.0f, (const float[]){1.0f}, &error), &error);
    trial.options = (qmt_pack_options){.int8 = true, .picture = true, .signed_input = true, .output_scale = 2.0f};
    char input[4 * pixels] = {0};
    for (int i = 0; i < pixels; i++)
        input[4 * i] = sums[i];
    trial.input = input;
    assert_ok(kernels->pack(&trial.layer, &trial.options, &packed, &error), &error);
    trial_run(&trial, kernels, packed, 0, 1, 1, 0, buffers);
    for (int i = 0; i < pixels; i++) {
        int expected = none[i];
        if (sums[i] < 0 && activation == QMT_ACTIVATION_RELU)
            expected = 0;
        if (sums[i] < 0 && activation == QMT_ACTIVATION_PRELU)
            expected = sums[i] == -1 ? 2 : sums[i] == -3 ? 4 : sums[i] == -5 ? 8 : 127;
        assert_int_equal(((int8_t *)buffers->output.data)[16 * i], expected);
    }
    kernels->release(packed);
    qmt_layer_clear(&trial.layer);
}

static void requantization_by_hand(void **state)
{
    const struct settings *settings = *state;
    struct trial_buffers buffers;
    trial_buffers_create(&buffers);
    for (int t = 0; t < settings->count; t++)
        for (int kind = 0; kind < 3; kind++)
            requantize_by_hand(settings->tables[t].kernels, (qmt_activation)kind, &buffers);
    trial_buffers_free(&buffers);
}

/* ---- Pixels -------------------------------------------------------------------------------------- */

static void normalize_once(const qmt_kernels *kernels, bool quantized, test_random *random, guard_arena *input,
                           guard_arena *output)
{
    const int width = 1 + test_below(random, 70), rows = 1 + test_below(random, 4);
    const int stride = 3 * width + test_below(random, 20), gap = test_below(random, 3) - 1;
    const size_t size = (size_t)(stride * (rows - 1) + 3 * width), values = (size_t)(4 * width * rows);
    const bool upside_down = test_below(random, 2);
    uint8_t *pixels = guard_take(input, size, 1, gap);
    void *result = guard_take(output, values * (quantized ? 1 : sizeof(float)), quantized ? 4 : 16, gap);
    qmt_pixel_table table;
    qmt_pixel_table_init(&table, quantized ? qmt_input_scale() : 0);
    for (size_t i = 0; i < size; i++)
        pixels[i] = (uint8_t)test_bits(random);
    const uint8_t *first = upside_down ? pixels + stride * (rows - 1) : pixels;
    const ptrdiff_t step = upside_down ? -(ptrdiff_t)stride : stride;
    kernels->normalize(&table, first, step, width, rows, result);
    if (!guard_intact(input) || !guard_intact(output))
        fail_msg("%s: normalize wrote guard bytes", kernels->name);
    for (int i = 0; i < width * rows; i++)
        for (int c = 0; c < 4; c++) {
            const double x = c < 3 ? (first[i / width * step + i % width * 3 + c] - 127.5) / 128 : 0;
            if (quantized)
                assert_int_equal(((int8_t *)result)[4 * i + c], lround(x / (127.5 / 128) * 127));
            else
                assert_float_equal((double)((float *)result)[4 * i + c], x, 0);
        }
}

static void pixels_are_normalized(void **state)
{
    const struct settings *settings = *state;
    guard_arena input, output;
    guard_create(&input, 1u << 16);
    guard_create(&output, 1u << 16);
    for (int t = 0; t < settings->count; t++) {
        test_random random = {settings->seed};
        snprintf(current, sizeof current, "table %s: normalize\n", settings->tables[t].kernels->name);
        for (int i = 0; i < 400; i++)
            normalize_once(settings->tables[t].kernels, i % 2, &random, &input, &output);
    }
    guard_free(&output);
    guard_free(&input);
}

/* ---- Names --------------------------------------------------------------------------------------- */

static void tables_by_name(void **state)
{
    (void)state;
    qmt_kernels_entry entries[qmt_max_kernel_tables];
    const int count = qmt_kernels_list(entries);
    const qmt_kernels *best = NULL;
    assert_in_range(count, 1, qmt_max_kernel_tables);
    for (int i = 0; i < count; i++) {
        assert_ptr_equal(qmt_kernels_select(entries[i].kernels->name), entries[i].usable ? entries[i].kernels : NULL);
        if (!best && entries[i].usable)
            best = entries[i].kernels;
    }
    assert_ptr_equal(qmt_kernels_select(NULL), best);
    assert_ptr_equal(qmt_kernels_select("c"), qmt_kernels_c());
    assert_ptr_equal(entries[count - 1].kernels, qmt_kernels_c());
    assert_null(qmt_kernels_select("abacus"));
    assert_int_equal(qmt_padded_channels(3, true), 4);
    assert_int_equal(qmt_padded_channels(3, false), 16);
    assert_int_equal(qmt_padded_channels(16, false), 16);
    assert_int_equal(qmt_padded_channels(33, false), 48);
}

/* ---- Speed --------------------------------------------------------------------------------------- */

/* GMAC/s, from the fastest of many runs; *macs: of one run. */
static double bench_speed(const qmt_kernels *kernels, struct trial *trial, double *macs, struct trial_buffers *buffers)
{
    enum { least_runs = 5 };
    qmt_packed_layer *packed;
    qmtcnn_error error;
    assert_ok(kernels->pack(&trial->layer, &trial->options, &packed, &error), &error);
    const int pictures = packed->interleaves ? trial->pictures : 1;
    trial_run(trial, kernels, packed, 0, pictures, trial->out_height, 0, buffers);
    const qmt_strip job = {.input = buffers->input.data,
                           .input_width = trial->width,
                           .output = buffers->output.data,
                           .output_width = trial->out_width,
                           .output_rows = trial->out_height,
                           .convolution_height = trial->height - trial->layer.kernel_height + 1,
                           .scratch = buffers->scratch.data,
                           .pictures = pictures};
    const double start = qmt_seconds();
    double best = 1e9;
    for (int i = 0; i < least_runs || qmt_seconds() - start < 0.04; i++) {
        const double begin = qmt_seconds();
        kernels->run(packed, &job);
        const double seconds = qmt_seconds() - begin;
        best = seconds < best ? seconds : best;
    }
    kernels->release(packed);
    *macs = (double)pictures * (double)(trial->layer.out_channels) * (double)qmt_layer_taps(&trial->layer) *
            (double)(trial->height - trial->layer.kernel_height + 1) *
            (double)(trial->width - trial->layer.kernel_width + 1);
    return *macs / best * 1e-9;
}

static void bench(const struct settings *settings)
{
    struct trial_buffers buffers;
    trial_buffers_create(&buffers);
    printf("GMAC/s (multiply-adds of the layer itself, none of padding)\n%-14s", "layer");
    for (int t = 0; t < settings->count; t++)
        printf(" %10s int8 %10s fp32", settings->tables[t].kernels->name, "");
    printf("\n");
    for (size_t i = 0; i < sizeof network_layers / sizeof *network_layers; i++) {
        printf("%-14s", network_layers[i].name);
        for (int t = 0; t < settings->count; t++)
            for (int int8 = 1; int8 >= 0; int8--) {
                struct trial trial;
                double macs;
                network_trial(&network_layers[i], int8, 7, &trial);
                printf(" %15.2f", bench_speed(settings->tables[t].kernels, &trial, &macs, &buffers));
                trial_free(&trial);
            }
        printf("\n");
    }
    trial_buffers_free(&buffers);
}

/* ---- Settings ------------------------------------------------------------------------------------ */

static void find_tables(struct settings *settings, const char *name)
{
    qmt_kernels_entry entries[qmt_max_kernel_tables];
    const int count = qmt_kernels_list(entries);
    for (int i = 0; i < count; i++)
        if (entries[i].usable)
            settings->tables[settings->count++] = (struct table){entries[i].kernels, false};
#ifdef TEST_EMULATED
    settings->tables[settings->count++] = (struct table){test_kernels_avx512vnni(), true};
    settings->tables[settings->count++] = (struct table){test_kernels_avxvnni(), true};
#endif
    int kept = 0;
    for (int i = 0; i < settings->count; i++)
        if (!name || strcmp(name, settings->tables[i].kernels->name) == 0)
            settings->tables[kept++] = settings->tables[i];
    settings->count = kept;
}

int main(int argc, char **argv)
{
    struct settings settings = {.seed = 1};
    const char *name = NULL;
    bool benchmark = false;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--bench") == 0) {
            benchmark = true;
            continue;
        }
        if (strcmp(argv[i], "--rounds") == 0)
            settings.rounds = atoi(value);
        else if (strcmp(argv[i], "--seed") == 0)
            settings.seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--table") == 0)
            name = value;
        else
            return fprintf(stderr, "usage: test_kernels [--rounds N] [--seed S] [--table NAME] [--bench]\n"), 2;
        i++;
    }
    find_tables(&settings, name);
    if (settings.count == 0)
        return fprintf(stderr, "this processor has no kernels called %s\n", name), 2;
    if (benchmark) {
        bench(&settings);
        return 0;
    }
    watch_faults();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(tables_compute_what_loops_compute, &settings),
        cmocka_unit_test_prestate(tables_agree_with_c, &settings),
        cmocka_unit_test_prestate(network_layers_agree_with_c, &settings),
        cmocka_unit_test_prestate(requantization_by_hand, &settings),
        cmocka_unit_test_prestate(pixels_are_normalized, &settings),
        cmocka_unit_test_prestate(tables_by_name, &settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
