/* Models and contexts of the public header, on networks with random weights and the geometry of the real ones. */
#ifndef TEST_RUNTIME_API_MODELS_H
#define TEST_RUNTIME_API_MODELS_H

#include "common/test.h"
#include "qmtcnn/qmtcnn.h"
#include "runtime/model/onnx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static inline float uniform(uint32_t *state, float low, float high)
{
    return low + (high - low) * ((float)next_random(state) / 16777216.0f);
}

struct shape {
    int channels, kernel, pool, stride;
};

/* The geometry of the real networks with fewer channels, so that plain C is fast enough. */
static const struct shape trunks[qmt_net_count][5] = {
    {{10, 3, 2, 2}, {16, 3, 0, 0}, {32, 3, 0, 0}},
    {{16, 3, 3, 2}, {16, 3, 3, 2}, {32, 2, 0, 0}, {32, 3, 0, 0}},
    {{16, 3, 3, 2}, {16, 3, 3, 2}, {16, 3, 2, 2}, {32, 2, 0, 0}, {48, 3, 0, 0}},
};
static const int trunk_layers[qmt_net_count] = {3, 4, 5};

static inline void fill_layer(qmt_layer *layer, float gain, bool int8, float input_scale, uint32_t *seed)
{
    const size_t taps = (size_t)layer->in_channels * (size_t)layer->kernel_height * (size_t)layer->kernel_width;
    const float range = gain * sqrtf(6.0f / (float)taps);
    qmtcnn_error error = {0};
    for (size_t i = 0; i < taps * (size_t)layer->out_channels; i++)
        layer->weight[i] = uniform(seed, -range, range);
    for (int i = 0; i < layer->out_channels; i++)
        layer->bias[i] = uniform(seed, -0.05f, 0.05f);
    if (int8)
        assert_ok(qmt_layer_quantize(layer, input_scale, NULL, &error), &error);
}

static inline void make_network(qmt_net_id net, bool int8, const char *threshold, void **data, size_t *size)
{
    static const int head_channels[qmt_head_count] = {2, 4, 10};
    static const char *const head_names[qmt_head_count] = {"face", "box", "landmarks"};
    uint32_t seed = 100 + (uint32_t)net;
    qmtcnn_error error = {0};
    qmt_model *model;
    int channels = 3;
    assert_ok(qmt_model_create(net, trunk_layers[net], &model, &error), &error);
    for (int i = 0; i < trunk_layers[net]; i++) {
        const struct shape *shape = &trunks[net][i];
        char name[16];
        snprintf(name, sizeof name, "conv%d", i + 1);
        assert_ok(qmt_layer_init(&model->layers[i], name, channels, shape->channels, shape->kernel, shape->kernel,
                                 QMT_ACTIVATION_RELU, &error),
                  &error);
        model->layers[i].pool_kernel = shape->pool;
        model->layers[i].pool_stride = shape->stride;
        fill_layer(&model->layers[i], 1.2f, int8, i == 0 ? qmt_input_scale() : 4.0f / 127, &seed);
        channels = shape->channels;
    }
    for (int i = 0; i < qmt_head_count; i++) {
        assert_ok(qmt_layer_init(&model->heads[i], head_names[i], channels, head_channels[i], 1, 1, QMT_ACTIVATION_NONE,
                                 &error),
                  &error);
        fill_layer(&model->heads[i], i == 0 ? 1.0f : 0.2f, int8, 4.0f / 127, &seed);
    }
    if (threshold)
        assert_ok(qmt_model_set_metadata(model, "qmtcnn.threshold", threshold, &error), &error);
    assert_ok(qmt_onnx_write(model, NULL, data, size, &error), &error);
    qmt_model_free(model);
}

static inline void make_networks(bool int8, const char *threshold, qmtcnn_buffer buffers[3])
{
    for (int i = 0; i < qmt_net_count; i++) {
        void *data;
        make_network((qmt_net_id)i, int8, threshold, &data, &buffers[i].size);
        buffers[i].data = data;
    }
}

static inline void free_networks(qmtcnn_buffer buffers[3])
{
    for (int i = 0; i < 3; i++)
        qmt_free((void *)(uintptr_t)buffers[i].data);
}

static inline qmtcnn_model *open_model(bool int8, const char *threshold)
{
    qmtcnn_buffer buffers[3];
    qmtcnn_model *model;
    qmtcnn_error error = {0};
    make_networks(int8, threshold, buffers);
    assert_ok(qmtcnn_model_open_memory(buffers, QMTCNN_PRECISION_AUTO, &model, &error), &error);
    free_networks(buffers);
    return model;
}

/* Low thresholds, so that random networks find much, and few proposals, so that they take little time. */
static inline qmtcnn_options loose_options(int threads)
{
    qmtcnn_options options;
    qmtcnn_options_default(NULL, &options);
    for (int i = 0; i < 3; i++)
        options.thresholds[i] = 0.3f;
    options.threads = threads;
    options.max_proposals = 6; /* O-Net takes its time in plain C */
    return options;
}

static inline uint8_t *random_picture(size_t bytes, uint32_t seed)
{
    uint8_t *data = malloc(bytes);
    assert_non_null(data);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(next_random(&seed) % 256);
    return data;
}

/* Faces of a picture, copied; for free(). */
static inline qmtcnn_face *detect(qmtcnn_context *context, const qmtcnn_image *image, size_t *count)
{
    qmtcnn_error error = {0};
    const qmtcnn_face *faces;
    assert_ok(qmtcnn_detect(context, image, &faces, count, &error), &error);
    qmtcnn_face *copy = calloc(*count + 1, sizeof *copy);
    assert_non_null(copy);
    if (*count)
        memcpy(copy, faces, *count * sizeof *copy);
    return copy;
}

static inline qmtcnn_context *open_context(const qmtcnn_model *model, const qmtcnn_options *options)
{
    qmtcnn_context *context;
    qmtcnn_error error = {0};
    assert_ok(qmtcnn_context_create(model, options, &context, &error), &error);
    return context;
}

#endif
