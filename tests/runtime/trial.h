/* Random layers with random pictures, for tests that hold one kernel table against another. */
#ifndef TEST_RUNTIME_TRIAL_H
#define TEST_RUNTIME_TRIAL_H

#include "runtime/guard.h"
#include "runtime/kernels/kernels.h"
#include "runtime/models.h"

#include <float.h>

enum { trial_most_pictures = 9 };

/* One layer and its input: pictures one after the other, [height][width][padded channels]. */
struct trial {
    qmt_layer layer;
    qmt_pack_options options;
    int height, width, out_height, out_width, pictures;
    int wanted;                                  /* FP32 output: so many channels are compared; 0: all */
    size_t in_pixel, in_row, out_pixel, out_row; /* bytes */
    char *input;
};

/* Buffers that any trial's fit into. */
struct trial_buffers {
    guard_arena input, output, scratch;
};

static inline void trial_buffers_create(struct trial_buffers *buffers)
{
    guard_create(&buffers->input, 8u << 20);
    guard_create(&buffers->output, 8u << 20);
    guard_create(&buffers->scratch, 8u << 20);
}

static inline void trial_buffers_free(struct trial_buffers *buffers)
{
    guard_free(&buffers->input);
    guard_free(&buffers->output);
    guard_free(&buffers->scratch);
}

/* What failed, for a message. */
static inline void trial_describe(const struct trial *trial, char *text, size_t size)
{
    const qmt_layer *layer = &trial->layer;
    snprintf(text, size,
             "%s%s%s %d to %d channels, kernel %d x %d, activation %d, pool %d / %d, to %s, %d picture(s) of %d x %d",
             trial->options.int8 ? "INT8" : "FP32", trial->options.signed_input ? " signed" : "",
             trial->options.picture ? " picture" : "", layer->in_channels, layer->out_channels, layer->kernel_height,
             layer->kernel_width, (int)layer->activation, layer->pool_kernel, layer->pool_stride,
             trial->options.output_scale > 0 ? "bytes" : "floats", trial->pictures, trial->width, trial->height);
}

static inline float trial_scale(test_random *random)
{
    return (0.2f + 3.0f * fabsf(test_real(random))) / 127.0f;
}

/* ---- Layers ------------------------------------------------------------------------------------- */

static inline int trial_channels(test_random *random)
{
    static const int usual[] = {3, 10, 16, 28, 32, 48, 64, 128};
    switch (test_below(random, 4)) {
    case 0: return usual[test_below(random, 8)];
    case 1: return 1 + test_below(random, 18);
    default: return 1 + test_below(random, 72);
    }
}

static inline void trial_pool(qmt_layer *layer, test_random *random)
{
    switch (test_below(random, 5)) {
    case 0: layer->pool_kernel = layer->pool_stride = 2; break;
    case 1:
        layer->pool_kernel = 3;
        layer->pool_stride = 2;
        break;
    case 2:
        layer->pool_kernel = 1 + test_below(random, 4);
        layer->pool_stride = 1 + test_below(random, layer->pool_kernel);
        break;
    default: break;
    }
}

/* Weights and biases at their limits, in any mixture of signs. */
static inline void trial_extreme_layer(qmt_layer *layer, test_random *random)
{
    const size_t outputs = (size_t)layer->out_channels, taps = qmt_layer_taps(layer);
    const int negative = test_below(random, 9); /* of 8 */
    for (size_t i = 0; i < outputs * taps; i++)
        layer->weight_int8[i] = test_below(random, 8) < negative ? -127 : 127;
    if (test_below(random, 2))
        for (size_t c = 0; c < outputs; c++)
            layer->bias_int32[c] = (test_below(random, 2) ? 1 : -1) * (1 << 30);
}

static inline void trial_layer(struct trial *trial, test_random *random)
{
    static const qmt_activation activations[] = {QMT_ACTIVATION_RELU, QMT_ACTIVATION_RELU, QMT_ACTIVATION_NONE,
                                                 QMT_ACTIVATION_PRELU};
    qmtcnn_error error;
    const bool square = test_below(random, 2);
    const int in = test_below(random, 4) ? trial_channels(random) : 3, out = trial_channels(random);
    const int kernel = 1 + test_below(random, 3), other = square ? kernel : 1 + test_below(random, 5);
    assert_ok(
        qmt_layer_init(&trial->layer, "layer", in, out, kernel, other, activations[test_below(random, 4)], &error),
        &error);
    test_fill_layer(&trial->layer, random);
    trial_pool(&trial->layer, random);
    for (int c = 0; trial->layer.slope && test_below(random, 2) && c < out; c++)
        trial->layer.slope[c] = fabsf(trial->layer.slope[c]);
    trial->options.int8 = test_below(random, 4) != 0;
    trial->options.signed_input = test_below(random, 2);
    trial->options.picture = in <= qmt_picture_channels && test_below(random, 4);
    trial->options.output_scale = test_below(random, 4) ? trial_scale(random) : 0.0f;
    if (trial->options.int8)
        assert_ok(qmt_layer_quantize(&trial->layer, 1.0f / 127.0f, NULL, &error), &error);
    if (trial->options.int8 && test_below(random, 4) == 0)
        trial_extreme_layer(&trial->layer, random);
}

/* ---- Input -------------------------------------------------------------------------------------- */

/* INT8 values: any, all at their limit, or few that are not zero. Padding holds anything. */
static inline void trial_fill_int8(struct trial *trial, size_t values, size_t padded, test_random *random)
{
    const int kind = test_below(random, 4);
    for (size_t i = 0; i < values; i++) {
        int q = kind == 0 ? 127 : kind == 1 && test_below(random, 8) ? 0 : test_below(random, 128);
        if (trial->options.signed_input && test_below(random, 2))
            q = -q;
        if (i % padded >= (size_t)trial->layer.in_channels)
            q = test_below(random, 256) - 128;
        ((int8_t *)trial->input)[i] = (int8_t)q;
    }
}

static inline void trial_fill(struct trial *trial, test_random *random)
{
    const size_t padded = (size_t)qmt_padded_channels(trial->layer.in_channels, trial->options.picture);
    const size_t values = (size_t)trial->pictures * (size_t)trial->height * (size_t)trial->width * padded;
    trial->input = qmt_alloc_zero(values, trial->options.int8 ? 1 : sizeof(float));
    assert_non_null(trial->input);
    if (trial->options.int8)
        trial_fill_int8(trial, values, padded, random);
    for (size_t i = 0; !trial->options.int8 && i < values; i++)
        ((float *)(void *)trial->input)[i] = test_real(random);
}

/* The same seed makes the same trial. */
static inline void trial_make(struct trial *trial, uint64_t seed, bool can_interleave)
{
    test_random random = {seed * 0x9e3779b97f4a7c15u + 1};
    for (int i = 0; i < 8; i++)
        test_bits(&random);
    memset(trial, 0, sizeof *trial);
    trial_layer(trial, &random);
    do {
        const int wide = test_below(&random, 8) == 0 ? 70 : 20;
        trial->height = trial->layer.kernel_height + test_below(&random, 8);
        trial->width = trial->layer.kernel_width + test_below(&random, wide);
    } while (!qmt_layer_output_size(&trial->layer, trial->height, trial->width, &trial->out_height, &trial->out_width));
    trial->pictures = can_interleave && test_below(&random, 2) ? 1 + test_below(&random, trial_most_pictures) : 1;
    if (trial->options.output_scale == 0 && test_below(&random, 2))
        trial->wanted = 1 + test_below(&random, trial->layer.out_channels);
    trial->in_pixel = (size_t)qmt_padded_channels(trial->layer.in_channels, trial->options.picture) *
                      (trial->options.int8 ? 1 : sizeof(float));
    trial->in_row = (size_t)trial->width * trial->in_pixel;
    trial->out_pixel = (size_t)qmt_padded_channels(trial->layer.out_channels, false) *
                       (trial->options.output_scale > 0 ? 1 : sizeof(float));
    trial->out_row = (size_t)trial->out_width * trial->out_pixel;
    trial_fill(trial, &random);
}

static inline void trial_free(struct trial *trial)
{
    qmt_free(trial->input);
    qmt_layer_clear(&trial->layer);
}

/* ---- Running ------------------------------------------------------------------------------------ */

/* Pictures one after the other to pictures side by side, [y][x][picture][channel]. */
static inline void trial_interleave(const struct trial *trial, const char *from, int pictures, char *to)
{
    const size_t pixels = (size_t)trial->height * (size_t)trial->width;
    for (size_t p = 0; p < pixels; p++)
        for (size_t n = 0; n < (size_t)pictures; n++)
            memcpy(to + (p * (size_t)pictures + n) * trial->in_pixel, from + (n * pixels + p) * trial->in_pixel,
                   trial->in_pixel);
}

/* Runs `pictures` of a trial's pictures, from `first` on, in strips of at most `strip` rows; `gap` as guard_take()
 * takes it. The result, [y][x][picture] [channel], lies in buffers->output. */
static inline void trial_run(const struct trial *trial, const qmt_kernels *kernels, const qmt_packed_layer *packed,
                             int first, int pictures, int strip, int gap, struct trial_buffers *buffers)
{
    const size_t picture = (size_t)trial->height * trial->in_row, count = (size_t)pictures;
    char *input = guard_take(&buffers->input, count * picture, 1, gap);
    char *output = guard_take(&buffers->output, count * (size_t)trial->out_height * trial->out_row, 1, gap);
    void *scratch =
        guard_take(&buffers->scratch, kernels->scratch_size(packed, trial->width * pictures), 64, gap < 0 ? gap : 0);
    trial_interleave(trial, trial->input + (size_t)first * picture, pictures, input);
    for (int y = 0; y < trial->out_height; y += strip) {
        const int row = y * (trial->layer.pool_kernel ? trial->layer.pool_stride : 1);
        qmt_strip job = {.input = input + (size_t)row * count * trial->in_row,
                         .input_width = trial->width,
                         .output = output + (size_t)y * count * trial->out_row,
                         .output_width = trial->out_width,
                         .output_rows = strip < trial->out_height - y ? strip : trial->out_height - y,
                         .convolution_height = trial->height - trial->layer.kernel_height + 1 - row,
                         .scratch = scratch,
                         .pictures = pictures,
                         .channels = trial->wanted};
        kernels->run(packed, &job);
    }
}

/* How far two tables' FP32 sums of a channel may be apart: each is within (taps + 1) roundings of the true one,
 * relative to the sum of sizes (Higham, Accuracy and Stability, section 3.1); inputs are at most 1. */
static inline double trial_allowed(const struct trial *trial, int channel)
{
    const size_t taps = qmt_layer_taps(&trial->layer);
    const float *weight = trial->layer.weight + (size_t)channel * taps;
    double sizes = fabs((double)trial->layer.bias[channel]);
    for (size_t i = 0; i < taps; i++)
        sizes += fabs((double)weight[i]);
    return 2 * ((double)taps + 1) * (FLT_EPSILON / 2) * sizes;
}

#endif
