/* A detector of random networks that finds something in noise, random pictures in every format, and what must hold of
 * every result. */
#ifndef TEST_RUNTIME_DETECTOR_H
#define TEST_RUNTIME_DETECTOR_H

#include "qmtcnn/qmtcnn.h"
#include "runtime/model/onnx.h"
#include "runtime/models.h"

#include <string.h>

/* The bytes of `model`, which is freed, with boxes that stay near; for qmt_free(). */
static inline qmtcnn_buffer test_detector_write(qmt_model *model, bool int8)
{
    qmtcnn_error error = {0};
    void *data;
    qmtcnn_buffer buffer;
    qmt_layer *box = &model->heads[QMT_HEAD_BOX];
    for (size_t i = 0; i < 4 * qmt_layer_taps(box); i++)
        box->weight[i] *= 0.05f;
    if (int8)
        assert_ok(qmt_layer_quantize(box, box->input_scale, NULL, &error), &error);
    assert_ok(qmt_onnx_write(model, NULL, &data, &buffer.size, &error), &error);
    qmt_model_free(model);
    buffer.data = data;
    return buffer;
}

/* A network whose scores spread around one half. */
static inline qmtcnn_buffer test_detector_bytes(qmt_net_id net, bool int8)
{
    return test_detector_write(test_make_model(net, int8, QMT_ACTIVATION_RELU, 40 + (uint64_t)net), int8);
}

static inline qmtcnn_model *test_detector_open(bool int8)
{
    qmtcnn_error error = {0};
    qmtcnn_model *model;
    qmtcnn_buffer networks[3];
    for (int i = 0; i < 3; i++)
        networks[i] = test_detector_bytes((qmt_net_id)i, int8);
    assert_ok(qmtcnn_model_open_memory(networks, QMTCNN_PRECISION_AUTO, &model, &error), &error);
    for (int i = 0; i < 3; i++)
        qmt_free((void *)(uintptr_t)networks[i].data);
    return model;
}

/* Patches of one color with noise on them, [height][width][3]; for free(). */
static inline uint8_t *test_picture(test_random *random, int width, int height)
{
    uint8_t *rgb = malloc(3 * (size_t)width * (size_t)height);
    assert_non_null(rgb);
    int patch = 4 + test_below(random, 60), noise = 1 + test_below(random, 64);
    uint32_t seed = test_bits(random);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint32_t color =
                ((uint32_t)(x / patch) * 0x9e3779b1u ^ (uint32_t)(y / patch) * 0x85ebca6bu ^ seed) * 0xc2b2ae35u;
            uint8_t *pixel = rgb + 3 * ((size_t)y * (size_t)width + (size_t)x);
            uint32_t bits = (color ^ (uint32_t)x * 0x27d4eb2fu ^ (uint32_t)y * 0x165667b1u) * 0x9e3779b1u;
            for (int c = 0; c < 3; c++)
                pixel[c] = (uint8_t)((color >> (8 + 7 * c) & 127) + (bits >> (5 + 8 * c)) % (uint32_t)noise);
        }
    return rgb;
}

/* What a caller may count on, whatever the picture and the model. */
static inline void test_check_faces(const qmtcnn_face *faces, size_t count, const qmtcnn_image *image,
                                    const qmtcnn_options *options)
{
    for (size_t i = 0; i < count; i++) {
        const qmtcnn_face *face = &faces[i];
        assert_true(face->width > 0 && face->height > 0);
        assert_true(face->score > options->thresholds[2] && face->score <= 1);
        assert_true(i == 0 || face->score <= faces[i - 1].score);
        assert_true(isfinite(face->x) && isfinite(face->y) && isfinite(face->width) && isfinite(face->height));
        for (int k = 0; k < 5; k++)
            assert_true(isfinite(face->landmarks[k][0]) && isfinite(face->landmarks[k][1]));
        if (options->clip == QMTCNN_CLIP_IMAGE)
            assert_true(face->x >= 0 && face->y >= 0 && (double)face->x + (double)face->width <= image->width &&
                        (double)face->y + (double)face->height <= image->height);
    }
}

/* A number for a result: equal for equal bytes. */
static inline uint64_t test_hash_faces(const qmtcnn_face *faces, size_t count)
{
    uint64_t hash = 14695981039346656037u ^ count;
    for (size_t i = 0; i < count * sizeof *faces; i++)
        hash = (hash ^ ((const uint8_t *)faces)[i]) * 1099511628211u;
    return hash;
}

#endif
