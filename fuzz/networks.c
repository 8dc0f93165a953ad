#include "networks.h"

#include "runtime/model/onnx.h"

#include <stdio.h>
#include <stdlib.h>

/* Seeds and detectors come from sound data: any failure is the program's end. */
static void need(qmtcnn_status status, const qmtcnn_error *error)
{
    if (status == QMTCNN_OK)
        return;
    fprintf(stderr, "fuzz networks: %s\n", error->message);
    exit(1);
}

static void init_layer(qmt_layer *layer, const char *name, int in, int out, int kernel, qmt_activation activation)
{
    qmtcnn_error error;
    need(qmt_layer_init(layer, name, in, out, kernel, kernel, activation, &error), &error);
    for (size_t i = 0; i < (size_t)out * qmt_layer_taps(layer); i++)
        layer->weight[i] = 0.01f * (float)((i * 7) % 21) - 0.1f;
    for (int c = 0; activation == QMT_ACTIVATION_PRELU && c < out; c++)
        layer->slope[c] = 0.25f;
}

struct shape {
    int out, kernel, pool_kernel, pool_stride;
};

static const struct shape trunks[qmt_net_count][5] = {
    {{2, 3, 2, 2}, {3, 3, 0, 0}, {4, 3, 0, 0}},
    {{3, 3, 3, 2}, {4, 3, 3, 2}, {4, 2, 0, 0}, {4, 3, 0, 0}},
    {{3, 3, 3, 2}, {4, 3, 3, 2}, {4, 3, 2, 2}, {4, 2, 0, 0}, {4, 3, 0, 0}},
};
static const int trunk_layers[qmt_net_count] = {3, 4, 5};

void fuzz_network(qmt_net_id net, bool int8, qmt_activation activation, void **data, size_t *size)
{
    static const int channels[] = {2, 4, 10};
    static const char *const heads[] = {"face", "box", "landmarks"};
    const qmt_onnx_options options = {0};
    qmtcnn_error error;
    qmt_model *model;
    int in = 3, layers = trunk_layers[net];
    need(qmt_model_create(net, layers, &model, &error), &error);
    for (int i = 0; i < layers; i++) {
        const struct shape *shape = &trunks[net][i];
        char name[16];
        snprintf(name, sizeof name, "conv%d", i + 1);
        init_layer(&model->layers[i], name, in, shape->out, shape->kernel, activation);
        model->layers[i].pool_kernel = shape->pool_kernel;
        model->layers[i].pool_stride = shape->pool_stride;
        in = shape->out;
    }
    for (int head = 0; head < qmt_head_count; head++)
        init_layer(&model->heads[head], heads[head], in, channels[head], 1, QMT_ACTIVATION_NONE);
    for (int i = 0; int8 && i < layers; i++)
        need(qmt_layer_quantize(&model->layers[i], i == 0 ? qmt_input_scale() : 0.02f, NULL, &error), &error);
    for (int head = 0; int8 && head < qmt_head_count; head++)
        need(qmt_layer_quantize(&model->heads[head], 0.03f, NULL, &error), &error);
    need(qmt_model_set_metadata(model, "qmtcnn.threshold", "0.4", &error), &error);
    need(qmt_onnx_write(model, &options, data, size, &error), &error);
    qmt_model_free(model);
}

qmtcnn_status fuzz_detector(const qmtcnn_buffer *other, qmt_net_id place, qmtcnn_model **model, qmtcnn_error *error)
{
    static qmtcnn_buffer own[qmt_net_count]; /* kept for all inputs */
    qmtcnn_buffer networks[qmt_net_count];
    for (int i = 0; i < qmt_net_count; i++) {
        void *data;
        if (!own[i].data) {
            fuzz_network((qmt_net_id)i, i != QMT_RNET, i == QMT_ONET ? QMT_ACTIVATION_PRELU : QMT_ACTIVATION_RELU,
                         &data, &own[i].size);
            own[i].data = data;
        }
        networks[i] = other && i == (int)place ? *other : own[i];
    }
    return qmtcnn_model_open_memory(networks, QMTCNN_PRECISION_AUTO, model, error);
}
