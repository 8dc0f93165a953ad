/* The networks and pictures of the self-test: all numbers come from integers and exactly rounded FP32 operations, so
 * they are the same on every processor. */
#include "runtime/kernels/selftest.h"

#include <stdio.h>

enum { most_layers = 5 };

/* Trunks of the design: channels, kernel, pool. Fully connected layers are convolutions over what is left. */
static const struct trunk {
    int layers;
    struct {
        int out, kernel, pool_kernel, pool_stride;
    } layer[most_layers];
} trunks[qmt_net_count] = {
    {3, {{10, 3, 2, 2}, {16, 3, 0, 0}, {32, 3, 0, 0}}},
    {4, {{28, 3, 3, 2}, {48, 3, 3, 2}, {64, 2, 0, 0}, {128, 3, 0, 0}}},
    {5, {{32, 3, 3, 2}, {64, 3, 3, 2}, {64, 3, 2, 2}, {128, 2, 0, 0}, {256, 3, 0, 0}}},
};

/* Knuth's multiplier for a linear congruential generator modulo 2^64; the upper bits are the good ones. */
static uint32_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* low .. high */
static int between(uint64_t *state, int low, int high)
{
    return low + (int)(next(state) % (uint32_t)(high - low + 1));
}

static int square_root(int value)
{
    int root = 0;
    while ((root + 1) * (root + 1) <= value)
        root++;
    return root;
}

/* INT8 weights over the whole range, and scales that keep activations in it: an output's spread is that of the inputs,
 * whatever the number of taps. A few activations saturate, as they should in a test. */
static qmtcnn_status fill_layer(qmt_layer *layer, float input_scale, uint64_t *random, qmtcnn_error *error)
{
    float scales[qmt_max_channels];
    const size_t taps = qmt_layer_taps(layer);
    const float spread = 1.0f / (float)(56 * square_root((int)taps));
    for (size_t c = 0; c < (size_t)layer->out_channels; c++) {
        scales[c] = spread * ((float)between(random, 96, 160) / 128.0f);
        for (size_t i = 0; i < taps; i++)
            layer->weight[c * taps + i] = scales[c] * (float)between(random, -127, 127);
        layer->bias[c] = input_scale * scales[c] * (float)between(random, -2000, 2000);
        if (layer->slope)
            layer->slope[c] = (float)between(random, -32, 128) / 256.0f;
    }
    return qmt_layer_quantize(layer, input_scale, scales, error);
}

/* As the groups of built-in networks follow each other. */
enum form { FORM_RELU, FORM_PRELU, FORM_UINT8 };

static qmtcnn_status add_layers(qmt_model *model, enum form form, uint64_t *random, qmtcnn_error *error)
{
    static const char *const head_names[qmt_head_count] = {"face", "box", "landmarks"};
    static const int head_channels[qmt_head_count] = {2, 4, 10};
    const struct trunk *trunk = &trunks[model->net];
    const float scale = 2.5f / (form == FORM_UINT8 ? 255.0f : 127.0f);
    int channels = 3;
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; i < trunk->layers && status == QMTCNN_OK; i++) {
        char name[16];
        qmt_layer *layer = &model->layers[i];
        qmt_activation activation = form != FORM_PRELU ? QMT_ACTIVATION_RELU
                                    : i == 1           ? QMT_ACTIVATION_NONE
                                                       : QMT_ACTIVATION_PRELU;
        snprintf(name, sizeof name, "conv%d", i + 1);
        status = qmt_layer_init(layer, name, channels, trunk->layer[i].out, trunk->layer[i].kernel,
                                trunk->layer[i].kernel, activation, error);
        layer->pool_kernel = trunk->layer[i].pool_kernel;
        layer->pool_stride = trunk->layer[i].pool_stride;
        channels = trunk->layer[i].out;
        if (status == QMTCNN_OK)
            status = fill_layer(layer, i == 0 ? qmt_input_scale() : scale, random, error);
        layer->input_unsigned = form == FORM_UINT8 && i > 0;
    }
    for (int i = 0; i < qmt_head_count && status == QMTCNN_OK; i++) {
        status = qmt_layer_init(&model->heads[i], head_names[i], channels, head_channels[i], 1, 1, QMT_ACTIVATION_NONE,
                                error);
        if (status == QMTCNN_OK)
            status = fill_layer(&model->heads[i], scale, random, error);
        model->heads[i].input_unsigned = form == FORM_UINT8;
    }
    return status;
}

qmtcnn_status qmt_selftest_network(int which, qmt_model **result, qmtcnn_error *error)
{
    const qmt_net_id net = (qmt_net_id)(which % qmt_net_count);
    uint64_t random = (uint64_t)which + 1;
    qmt_model *model = NULL;
    *result = NULL;
    qmtcnn_status status = qmt_model_create(net, trunks[net].layers, &model, error);
    if (status == QMTCNN_OK)
        status = add_layers(model, (enum form)(which / qmt_net_count), &random, error);
    if (status != QMTCNN_OK) {
        qmt_model_free(model);
        return status;
    }
    *result = model;
    return QMTCNN_OK;
}

void qmt_selftest_pictures(qmt_net_id net, int *count, int *width, int *height)
{
    /* P-Net: odd sides, so that pools are cut off and rows end between the widths that kernels like. */
    *count = net == QMT_PNET ? 1 : net == QMT_RNET ? 5 : 3;
    *width = net == QMT_PNET ? 107 : qmt_net_side(net);
    *height = net == QMT_PNET ? 71 : qmt_net_side(net);
}

void qmt_selftest_fill(uint8_t *pixels, int count, int width, int height)
{
    uint64_t random = 1;
    for (int y = 0; y < count * height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++) {
                const uint32_t noise = next(&random);
                int value;
                switch ((x / 8 + y / 8) % 3) {
                case 0: value = (int)(noise & 255); break;
                case 1: value = (noise & 1) ? 255 : 0; break;
                default: value = (x * 5 + y * 3 + c * 85) & 255; break;
                }
                *pixels++ = (uint8_t)value;
            }
}
