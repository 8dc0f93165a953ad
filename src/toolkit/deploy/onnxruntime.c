/* A model in ONNX Runtime's integers. */
#include "toolkit/deploy/deploy.h"

/* The largest size of a weight of 7 or 8 bits, both signs alike. */
static float largest_weight(int bits)
{
    return bits == 7 ? 63.0f : 127.0f;
}

/* Quantizes again with `bits`, for the same range of weights; those that training clipped are clipped where they were.
 */
static qmtcnn_status quantize_again(qmt_layer *layer, float input_scale, int bits, qmtcnn_error *error)
{
    const size_t outputs = (size_t)layer->out_channels, taps = qmt_layer_taps(layer);
    const float largest = largest_weight(bits);
    float *scales = qmt_alloc(outputs, sizeof *scales);
    if (!scales)
        return qmt_fail_memory(error, outputs * sizeof *scales, layer->name);
    for (size_t c = 0; c < outputs; c++) {
        scales[c] = bits == 8 ? layer->weight_scale[c] : layer->weight_scale[c] * (127.0f / largest);
        const float limit = largest * scales[c];
        for (size_t i = c * taps; i < (c + 1) * taps; i++) {
            layer->weight[i] = layer->weight[i] < limit ? layer->weight[i] : limit;
            layer->weight[i] = layer->weight[i] > -limit ? layer->weight[i] : -limit;
        }
    }
    qmtcnn_status status = qmt_layer_quantize(layer, input_scale, scales, error);
    qmt_free(scales);
    return status;
}

qmtcnn_status qmt_model_for_onnxruntime(qmt_model *model, int weight_bits, qmtcnn_error *error)
{
    if (weight_bits != 7 && weight_bits != 8)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "weights of %d bits; 7 and 8 are possible", weight_bits);
    for (int i = 0; i < model->layer_count + qmt_head_count; i++) {
        const int before = i < model->layer_count ? i - 1 : model->layer_count - 1;
        qmt_layer *layer = i < model->layer_count ? &model->layers[i] : &model->heads[i - model->layer_count];
        if (!layer->weight_int8)
            continue;
        const bool positive = before >= 0 && model->layers[before].activation == QMT_ACTIVATION_RELU &&
                              qmt_layer_taps(layer) <= qmt_max_uint8_taps;
        const float scale = positive ? layer->input_scale * (127.0f / 255.0f) : layer->input_scale;
        qmtcnn_status status = quantize_again(layer, scale, weight_bits, error);
        if (status != QMTCNN_OK)
            return status;
        layer->input_unsigned = positive;
    }
    return QMTCNN_OK;
}
