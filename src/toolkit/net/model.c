#include "toolkit/net/net_internal.h"

#include <math.h>
#include <string.h>

/* Heads in the model, in the order of channels in the net's last layer. */
static const struct {
    const char *name;
    int first, channels;
} heads[qmt_head_count] = {{"face", 0, 2}, {"box", 2, 4}, {"landmarks", 6, 10}};

/* Copies output channels first .. of a layer, folded in double precision. */
static void fold_into(const qmt_net_layer *layer, const qmt_layer_values *values, int first, qmt_layer *to)
{
    size_t rest = (size_t)layer->in_channels * (size_t)layer->kernel * (size_t)layer->kernel;
    double scale[qmt_net_max_channels];
    qmt_fold_scales(layer, values, scale);
    for (int c = 0; c < to->out_channels; c++) {
        size_t from = (size_t)(first + c);
        for (size_t i = 0; i < rest; i++)
            to->weight[(size_t)c * rest + i] = (float)(scale[from] * (double)values->weight[from * rest + i]);
        to->bias[c] = layer->batch_norm ? (float)((double)values->beta[from] - (double)values->mean[from] * scale[from])
                                        : values->bias[from];
        if (to->slope)
            to->slope[c] = values->slope[from];
    }
}

/* What a layer needs beyond its weights. */
typedef struct export_plan {
    const qmt_net *net;
    const qmt_quantize_config *quantize;
    bool fp32;
} export_plan;

static qmtcnn_status export_layer(const export_plan *plan, int index, const char *name, int first, int channels,
                                  const float *weight_scale, qmt_layer *to, qmtcnn_error *error)
{
    const qmt_net *net = plan->net;
    const qmt_net_layer *layer = &net->table.layers[index];
    qmtcnn_status status =
        qmt_layer_init(to, name, layer->in_channels, channels, layer->kernel, layer->kernel, layer->activation, error);
    if (status != QMTCNN_OK)
        return status;
    to->pool_kernel = layer->pool_kernel;
    to->pool_stride = layer->pool_stride;
    fold_into(layer, &net->layers[index], first, to);
    if (plan->fp32 || qmt_in_list(plan->quantize->keep_fp32, qmt_net_name(net->table.id), layer->name))
        return QMTCNN_OK;
    float range = net->layers[index].input_range;
    if (index > 0 && !(range > 0))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "%s: the range of layer %s's input is not known: calibrate or train with quantization first",
                        qmt_net_name(net->table.id), layer->name);
    return qmt_layer_quantize(to, index == 0 ? qmt_input_scale() : qmt_scale_for(range), weight_scale + first, error);
}

/* Weight scales as training has them: from the folded weights, over all heads where they are per tensor. */
static qmtcnn_status layer_weight_scales(const export_plan *plan, int index, float *scales, qmtcnn_error *error)
{
    const qmt_net_layer *layer = &plan->net->table.layers[index];
    size_t count =
        (size_t)layer->out_channels * (size_t)layer->in_channels * (size_t)layer->kernel * (size_t)layer->kernel;
    float *folded = qmt_alloc(count, sizeof *folded);
    if (!folded)
        return qmt_fail_memory(error, count * sizeof *folded, "folded weights");
    double scale[qmt_net_max_channels];
    qmt_fold_scales(layer, &plan->net->layers[index], scale);
    qmt_fold_weights(layer, &plan->net->layers[index], scale, folded);
    qmt_weight_scales(layer, folded, plan->quantize->per_channel, scales);
    qmt_free(folded);
    return QMTCNN_OK;
}

static qmtcnn_status export_layers(const export_plan *plan, qmt_model *model, qmtcnn_error *error)
{
    const qmt_net_table *table = &plan->net->table;
    float scales[qmt_net_max_channels];
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; i < table->layer_count && status == QMTCNN_OK; i++) {
        const qmt_net_layer *layer = &table->layers[i];
        status = layer_weight_scales(plan, i, scales, error);
        if (status == QMTCNN_OK && i + 1 < table->layer_count)
            status = export_layer(plan, i, layer->name, 0, layer->out_channels, scales, &model->layers[i], error);
        for (int h = 0; h < qmt_head_count && i + 1 == table->layer_count && status == QMTCNN_OK; h++)
            status = export_layer(plan, i, heads[h].name, heads[h].first, heads[h].channels, scales, &model->heads[h],
                                  error);
    }
    return status;
}

qmtcnn_status qmt_net_to_model(const qmt_net *net, bool fp32, const qmt_quantize_config *quantize, qmt_model **result,
                               qmtcnn_error *error)
{
    *result = NULL;
    qmt_model *model = NULL;
    export_plan plan = {net, quantize, fp32};
    qmtcnn_status status = qmt_model_create(net->table.id, net->table.layer_count - 1, &model, error);
    if (status == QMTCNN_OK)
        status = export_layers(&plan, model, error);
    if (status == QMTCNN_OK)
        status = qmt_model_check(model, error);
    if (status != QMTCNN_OK) {
        qmt_model_free(model);
        return status;
    }
    *result = model;
    return QMTCNN_OK;
}

static qmtcnn_status check_shape(const qmt_net_layer *layer, const qmt_layer *from, int channels, const char *net,
                                 qmtcnn_error *error)
{
    if (from->in_channels == layer->in_channels && from->out_channels == channels &&
        from->kernel_height == layer->kernel && from->kernel_width == layer->kernel &&
        from->activation == layer->activation && from->pool_kernel == layer->pool_kernel &&
        (from->pool_kernel == 0 || from->pool_stride == layer->pool_stride) && from->weight && from->bias &&
        (layer->activation != QMT_ACTIVATION_PRELU || from->slope))
        return QMTCNN_OK;
    return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                    "%s: layer %s of the model (%d to %d channels, kernel %d x %d, pool %d) is not like the network's "
                    "%s (%d to %d, kernel %d, pool %d): "
                    "set train.activation and the like to what the model has",
                    net, from->name ? from->name : "?", from->in_channels, from->out_channels, from->kernel_height,
                    from->kernel_width, from->pool_kernel, layer->name, layer->in_channels, channels, layer->kernel,
                    layer->pool_kernel);
}

/* Folded weights; normalization such that scale and shift are 1 and the bias. */
static void take_layer(const qmt_net_layer *layer, qmt_layer_values *values, int first, const qmt_layer *from,
                       bool planar)
{
    size_t rest = (size_t)layer->in_channels * (size_t)layer->kernel * (size_t)layer->kernel;
    for (int c = 0; c < from->out_channels; c++) {
        /* Planar landmarks: x1 .. x5 y1 .. y5 become pairs. */
        int source = planar ? c % 2 * 5 + c / 2 : c, to = first + c;
        memcpy(values->weight + (size_t)to * rest, from->weight + (size_t)source * rest, rest * sizeof(float));
        if (layer->batch_norm) {
            values->gamma[to] = 1;
            values->beta[to] = from->bias[source];
            values->mean[to] = 0;
            values->variance[to] = (float)(1 - qmt_batch_norm_epsilon);
        } else {
            values->bias[to] = from->bias[source];
        }
        if (values->slope)
            values->slope[to] = from->slope[source];
    }
}

/* The range of an INT8 layer's input comes along. */
static void take_range(qmt_layer_values *values, const qmt_layer *from)
{
    qmt_observer_reset(&values->input);
    values->input_range = from->input_scale > 0 ? from->input_scale * (from->input_unsigned ? 255.0f : 127.0f) : 0;
    values->input.maximum = values->input_range;
    values->input.batches = values->input_range > 0 ? 1 : 0;
}

qmtcnn_status qmt_net_from_model(qmt_net *net, const qmt_model *model, qmtcnn_error *error)
{
    const qmt_net_table *table = &net->table;
    const char *name = qmt_net_name(table->id);
    int last = table->layer_count - 1;
    if (model->net != table->id || model->layer_count != last)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "the model is a %s with %d layers before the heads; a %s with %d is wanted",
                        qmt_net_name(model->net), model->layer_count, name, last);
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; i < last && status == QMTCNN_OK; i++)
        status = check_shape(&table->layers[i], &model->layers[i], table->layers[i].out_channels, name, error);
    for (int h = 0; h < qmt_head_count && status == QMTCNN_OK; h++)
        if (model->heads[h].out_channels > 0)
            status = check_shape(&table->layers[last], &model->heads[h], heads[h].channels, name, error);
    if (status != QMTCNN_OK)
        return status;
    for (int i = 0; i < last; i++) {
        take_layer(&table->layers[i], &net->layers[i], 0, &model->layers[i], false);
        take_range(&net->layers[i], &model->layers[i]);
    }
    /* A head that the model lacks (Caffe's P- and R-Net have no landmarks) keeps its random weights. */
    for (int h = 0; h < qmt_head_count; h++)
        if (model->heads[h].out_channels > 0) {
            take_layer(&table->layers[last], &net->layers[last], heads[h].first, &model->heads[h],
                       h == QMT_HEAD_LANDMARKS && model->landmarks_planar);
            take_range(&net->layers[last], &model->heads[h]);
        }
    return QMTCNN_OK;
}
