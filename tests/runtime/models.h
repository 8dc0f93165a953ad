/* Networks with random numbers, and the same layers computed in the plainest way, for tests of the runtime. */
#ifndef TEST_RUNTIME_MODELS_H
#define TEST_RUNTIME_MODELS_H

#include "common/test.h"
#include "runtime/model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct test_random {
    uint64_t state;
} test_random;

static inline uint32_t test_bits(test_random *random)
{
    random->state = random->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random->state >> 33);
}

/* 0 .. limit - 1. */
static inline int test_below(test_random *random, int limit)
{
    return (int)(test_bits(random) % (uint32_t)limit);
}

/* -1 .. 1. */
static inline float test_real(test_random *random)
{
    return (float)test_bits(random) / 1073741824.0f - 1.0f;
}

static inline void test_fill_layer(qmt_layer *layer, test_random *random)
{
    size_t outputs = (size_t)layer->out_channels, taps = qmt_layer_taps(layer);
    float range = sqrtf(6.0f / (float)taps);
    for (size_t i = 0; i < outputs * taps; i++)
        layer->weight[i] = range * test_real(random);
    for (size_t c = 0; c < outputs; c++)
        layer->bias[c] = 0.2f * test_real(random);
    for (size_t c = 0; layer->slope && c < outputs; c++)
        layer->slope[c] = 0.5f * test_real(random);
}

typedef struct test_table {
    int layers;
    struct {
        int out, kernel, pool_kernel, pool_stride;
    } layer[6];
} test_table;

/* The nets of the design; fully connected layers are convolutions over what is left. */
static inline const test_table *test_table_of(qmt_net_id net)
{
    static const test_table tables[qmt_net_count] = {
        {3, {{10, 3, 2, 2}, {16, 3, 0, 0}, {32, 3, 0, 0}}},
        {4, {{28, 3, 3, 2}, {48, 3, 3, 2}, {64, 2, 0, 0}, {128, 3, 0, 0}}},
        {5, {{32, 3, 3, 2}, {64, 3, 3, 2}, {64, 3, 2, 2}, {128, 2, 0, 0}, {256, 3, 0, 0}}}};
    return &tables[net];
}

static inline void test_name_layer(char name[32], int i)
{
    snprintf(name, 32, "conv%d", i + 1);
}

/* A net with random weights. int8: all layers quantized, with plausible scales. */
static inline qmt_model *test_make_model_of(const test_table *table, qmt_net_id net, bool int8,
                                            qmt_activation activation, uint64_t seed)
{
    static const int head_channels[qmt_head_count] = {2, 4, 10};
    test_random random = {seed};
    qmtcnn_error error;
    qmt_model *model;
    char name[32];
    int channels = 3;
    assert_ok(qmt_model_create(net, table->layers, &model, &error), &error);
    for (int i = 0; i < table->layers + qmt_head_count; i++) {
        bool head = i >= table->layers;
        qmt_layer *layer = head ? &model->heads[i - table->layers] : &model->layers[i];
        int out = head ? head_channels[i - table->layers] : table->layer[i].out;
        int kernel = head ? 1 : table->layer[i].kernel;
        test_name_layer(name, i);
        assert_ok(
            qmt_layer_init(layer, name, channels, out, kernel, kernel, head ? QMT_ACTIVATION_NONE : activation, &error),
            &error);
        test_fill_layer(layer, &random);
        if (!head) {
            layer->pool_kernel = table->layer[i].pool_kernel;
            layer->pool_stride = table->layer[i].pool_stride;
            channels = out;
        }
        float scale = i == 0 ? qmt_input_scale() : (1.5f + 0.1f * (float)(head ? table->layers : i)) / 127.0f;
        if (int8)
            assert_ok(qmt_layer_quantize(layer, scale, NULL, &error), &error);
    }
    assert_ok(qmt_model_check(model, &error), &error);
    return model;
}

/* A net of the design. */
static inline qmt_model *test_make_model(qmt_net_id net, bool int8, qmt_activation activation, uint64_t seed)
{
    return test_make_model_of(test_table_of(net), net, int8, activation, seed);
}

/* A tensor of doubles, [height][width][channels]. */
typedef struct test_tensor {
    int height, width, channels;
    double *values;
} test_tensor;

static inline test_tensor test_tensor_make(int height, int width, int channels)
{
    test_tensor tensor = {height, width, channels, NULL};
    tensor.values = calloc((size_t)height * (size_t)width * (size_t)channels, sizeof(double));
    assert_non_null(tensor.values);
    return tensor;
}

static inline double *test_at(const test_tensor *tensor, int y, int x, int c)
{
    return &tensor->values[((size_t)y * (size_t)tensor->width + (size_t)x) * (size_t)tensor->channels + (size_t)c];
}

/* Sum of products of one output, in double precision: exact for integers. */
static inline double test_sum(const qmt_layer *layer, bool int8, const test_tensor *input, int y, int x, int out)
{
    double sum = int8 ? (double)layer->bias_int32[out] : (double)layer->bias[out];
    for (int c = 0; c < layer->in_channels; c++)
        for (int ky = 0; ky < layer->kernel_height; ky++)
            for (int kx = 0; kx < layer->kernel_width; kx++) {
                size_t at = (((size_t)out * (size_t)layer->in_channels + (size_t)c) * (size_t)layer->kernel_height +
                             (size_t)ky) *
                                (size_t)layer->kernel_width +
                            (size_t)kx;
                double weight = int8 ? (double)layer->weight_int8[at] : (double)layer->weight[at];
                sum += weight * *test_at(input, y + ky, x + kx, c);
            }
    return sum;
}

static inline double test_clamp_round(double value)
{
    double rounded = nearbyint(value);
    return rounded > 127 ? 127 : rounded < -127 ? -127 : rounded;
}

/* To the nearest step: of uint8, or of INT8. */
static inline double test_to_steps(double value, bool is_unsigned)
{
    return is_unsigned ? fmin(fmax(nearbyint(value), 0), 255) : test_clamp_round(value);
}

/* What becomes of a sum. In INT8 the documented FP32 steps, one by one; output_scale 0: real. */
static inline double test_activate(const qmt_layer *layer, bool int8, float output_scale, bool output_unsigned,
                                   double sum, int out)
{
    float slope = layer->activation == QMT_ACTIVATION_RELU    ? 0.0f
                  : layer->activation == QMT_ACTIVATION_PRELU ? layer->slope[out]
                                                              : 1.0f;
    if (!int8) {
        double value = sum > 0 ? sum : sum * (double)slope;
        return output_scale > 0 ? test_to_steps((double)((float)value / output_scale), output_unsigned) : value;
    }
    volatile float factor = layer->input_scale * layer->weight_scale[out];
    if (output_scale > 0)
        factor = factor / output_scale;
    if (sum <= 0)
        factor = factor * slope;
    volatile float value = (float)sum * factor;
    return output_scale > 0 ? test_to_steps((double)value, output_unsigned) : (double)value;
}

/* A layer, output by output. output_unsigned: the next layer's input is uint8. */
static inline test_tensor test_run_layer(const qmt_layer *layer, bool int8, float output_scale, bool output_unsigned,
                                         const test_tensor *input)
{
    int height = input->height - layer->kernel_height + 1, width = input->width - layer->kernel_width + 1;
    test_tensor full = test_tensor_make(height, width, layer->out_channels);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < layer->out_channels; c++)
                *test_at(&full, y, x, c) =
                    test_activate(layer, int8, output_scale, output_unsigned, test_sum(layer, int8, input, y, x, c), c);
    if (layer->pool_kernel == 0)
        return full;
    int k = layer->pool_kernel, s = layer->pool_stride;
    test_tensor pooled = test_tensor_make((int)ceil((double)(height - k) / s) + 1,
                                          (int)ceil((double)(width - k) / s) + 1, layer->out_channels);
    for (int y = 0; y < pooled.height; y++)
        for (int x = 0; x < pooled.width; x++)
            for (int c = 0; c < layer->out_channels; c++) {
                double largest = -INFINITY;
                for (int i = y * s; i < y * s + k && i < height; i++)
                    for (int j = x * s; j < x * s + k && j < width; j++)
                        largest = fmax(largest, *test_at(&full, i, j, c));
                *test_at(&pooled, y, x, c) = largest;
            }
    free(full.values);
    return pooled;
}

#endif
