#include "runtime/model/onnx_weights.h"
#include "runtime/model/onnx_names.h"

#include <math.h>
#include <string.h>

void qmt_onnx_weights_clear(qmt_onnx_weights *weights)
{
    qmt_free(weights->scale);
    qmt_free(weights->values);
    memset(weights, 0, sizeof *weights);
}

static bool is_kind(const QmtOnnx__Node *node, const char *kind)
{
    return node && strcmp(node->op_type, kind) == 0;
}

/* The node that makes a tensor, behind Identity; NULL where it is none. */
static const QmtOnnx__Node *producer(const qmt_onnx_graph *graph, const char *tensor)
{
    enum { max_identities = 16 };
    for (int i = 0; i < max_identities; i++) {
        const qmt_onnx_entry *entry = qmt_onnx_find(graph, tensor);
        if (!entry || !is_kind(entry->node, "Identity"))
            return entry ? entry->node : NULL;
        tensor = qmt_onnx_input(entry->node, 0);
    }
    return NULL;
}

/* A constant input and the number of its values. */
static qmtcnn_status find_constant(const qmt_onnx_graph *graph, const QmtOnnx__Node *node, size_t i,
                                   const QmtOnnx__Tensor **tensor, size_t *count, qmtcnn_error *error)
{
    *tensor = qmt_onnx_constant(graph, qmt_onnx_input(node, i));
    if (!*tensor)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED, "its input %zu (%s) is not a constant", i,
                             qmt_onnx_input(node, i));
    return qmt_onnx_count(*tensor, node, count, error);
}

/* The integers that zero points stand for: INT8 (or the INT32 of a bias) with 0, uint8 with 0 or 128. A missing one
 * means uint8 and 0 in QuantizeLinear. */
static qmtcnn_status read_zero_point(const qmt_onnx_graph *graph, const QmtOnnx__Node *node,
                                     qmt_onnx_integers *integers, qmtcnn_error *error)
{
    const QmtOnnx__Tensor *tensor = NULL;
    size_t count = 0;
    bool quantizes = is_kind(node, "QuantizeLinear");
    if (*qmt_onnx_input(node, 2)) {
        qmtcnn_status status = find_constant(graph, node, 2, &tensor, &count, error);
        if (status != QMTCNN_OK)
            return status;
    }
    /* Since opset 21 an attribute may name the type where there is no zero point. */
    const int64_t type = quantizes ? qmt_onnx_int(node, "output_dtype", 0) : 0;
    const bool unsigned_8 =
        tensor ? tensor->data_type == QMT_ONNX_UINT8 : quantizes && (type == 0 || type == QMT_ONNX_UINT8);
    const double zero = tensor && unsigned_8 && count > 0 ? qmt_onnx_value(tensor, 0) : 0;
    *integers = !unsigned_8 ? QMT_ONNX_INT8_0 : zero == 0 ? QMT_ONNX_UINT8_0 : QMT_ONNX_UINT8_128;
    if (unsigned_8 && zero != 0 && zero != 128)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED,
                             "UINT8 with zero point %g; this runtime takes 0 behind a ReLU and 128 elsewhere, or "
                             "symmetric INT8, so quantize again",
                             zero);
    if (tensor && !unsigned_8 && tensor->data_type != QMT_ONNX_INT8 && tensor->data_type != QMT_ONNX_INT32)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED, "a zero point of ONNX type %d; INT8 is needed",
                             tensor->data_type);
    for (size_t i = 0; i < count; i++)
        if (qmt_onnx_value(tensor, i) != zero)
            return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED,
                                 "zero point %g; this runtime takes symmetric INT8 (zero point 0)",
                                 qmt_onnx_value(tensor, i));
    return QMTCNN_OK;
}

/* Scales, along an axis or one. For qmt_free(). */
static qmtcnn_status read_scales(const qmt_onnx_graph *graph, const QmtOnnx__Node *node, float **scales, size_t *count,
                                 qmt_onnx_integers *integers, qmtcnn_error *error)
{
    const QmtOnnx__Tensor *tensor;
    qmtcnn_status status = find_constant(graph, node, 1, &tensor, count, error);
    if (status == QMTCNN_OK)
        status = read_zero_point(graph, node, integers, error);
    if (status != QMTCNN_OK)
        return status;
    if (tensor->data_type != QMT_ONNX_FLOAT || *count == 0 || tensor->n_dims > 1 || *count > qmt_max_channels)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED, "its scale is not one FP32 number, or a list");
    float *values = qmt_alloc(*count, sizeof *values);
    if (!values)
        return qmt_fail_memory(error, *count * sizeof *values, "scales");
    for (size_t i = 0; i < *count; i++) {
        values[i] = (float)qmt_onnx_value(tensor, i);
        if (!(values[i] > 0) || !isfinite(values[i])) {
            status = qmt_onnx_fail(node, error, QMTCNN_ERROR_NUMERIC, "its scale is %g; scales are above 0",
                                   (double)values[i]);
            qmt_free(values);
            return status;
        }
    }
    *scales = values;
    return QMTCNN_OK;
}

qmtcnn_status qmt_onnx_read_scale(const qmt_onnx_graph *graph, const QmtOnnx__Node *node, float *scale,
                                  qmt_onnx_integers *integers, qmtcnn_error *error)
{
    float *scales;
    size_t count;
    qmtcnn_status status = read_scales(graph, node, &scales, &count, integers, error);
    if (status != QMTCNN_OK)
        return status;
    *scale = scales[0];
    for (size_t i = 1; i < count; i++)
        if (scales[i] != scales[0])
            status = qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED,
                                   "a scale for each channel of an activation; give it one scale");
    qmt_free(scales);
    return status;
}

/* Weights and biases are never uint8 here. */
static qmtcnn_status read_signed_scales(const qmt_onnx_graph *graph, const QmtOnnx__Node *node, float **scales,
                                        size_t *count, qmtcnn_error *error)
{
    qmt_onnx_integers integers;
    qmtcnn_status status = read_scales(graph, node, scales, count, &integers, error);
    if (status != QMTCNN_OK || integers == QMT_ONNX_INT8_0)
        return status;
    qmt_free(*scales);
    *scales = NULL;
    return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED,
                         "UINT8 weights; this runtime takes symmetric INT8 weights (zero point 0), so quantize again");
}

/* The scales of the DequantizeLinear before weights, and where the weights come from: a constant, INT8 or behind
 * QuantizeLinear. */
static qmtcnn_status read_weight_quantizer(const qmt_onnx_graph *graph, const QmtOnnx__Node *dequantize,
                                           qmt_onnx_weights *weights, const QmtOnnx__Tensor **source,
                                           qmtcnn_error *error)
{
    qmtcnn_status status = read_signed_scales(graph, dequantize, &weights->scale, &weights->scale_count, error);
    if (status != QMTCNN_OK)
        return status;
    weights->scale_axis = qmt_onnx_int(dequantize, "axis", 1);
    *source = qmt_onnx_constant(graph, qmt_onnx_input(dequantize, 0));
    if (*source)
        return QMTCNN_OK;
    const QmtOnnx__Node *quantize = producer(graph, qmt_onnx_input(dequantize, 0));
    if (!is_kind(quantize, "QuantizeLinear"))
        return qmt_onnx_fail(dequantize, error, QMTCNN_ERROR_UNSUPPORTED, "its input is not a constant");
    float *scale = NULL;
    size_t count = 0;
    status = read_signed_scales(graph, quantize, &scale, &count, error);
    if (status != QMTCNN_OK)
        return status;
    if (count != weights->scale_count || memcmp(scale, weights->scale, count * sizeof *scale) != 0 ||
        (count > 1 && qmt_onnx_int(quantize, "axis", 1) != weights->scale_axis))
        status = qmt_onnx_fail(quantize, error, QMTCNN_ERROR_UNSUPPORTED,
                               "its scale differs from that of the DequantizeLinear after it");
    qmt_free(scale);
    *source = qmt_onnx_constant(graph, qmt_onnx_input(quantize, 0));
    if (status == QMTCNN_OK && !*source)
        status = qmt_onnx_fail(quantize, error, QMTCNN_ERROR_UNSUPPORTED, "the weights before it are not a constant");
    return status;
}

/* The scale that weight i was quantized with. */
static float scale_of(const qmt_onnx_weights *weights, size_t i)
{
    size_t inner = 1;
    if (weights->scale_count == 1)
        return weights->scale[0];
    for (int axis = weights->rank - 1; axis > weights->scale_axis; axis--)
        inner *= (size_t)weights->dims[axis];
    return weights->scale[i / inner % weights->scale_count];
}

static qmtcnn_status fill_weights(const QmtOnnx__Node *node, const QmtOnnx__Tensor *source, qmt_onnx_weights *weights,
                                  qmtcnn_error *error)
{
    qmtcnn_status status = qmt_onnx_count(source, node, &weights->count, error);
    if (status != QMTCNN_OK)
        return status;
    if (source->n_dims > qmt_onnx_max_rank || weights->count == 0 || weights->count > qmt_max_weights)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED, "%zu weights in %zu dimensions", weights->count,
                             source->n_dims);
    weights->rank = (int)source->n_dims;
    for (int i = 0; i < weights->rank; i++)
        weights->dims[i] = (int)source->dims[i]; /* at most qmt_max_weights, since none is 0 */
    if (weights->scale_axis < 0)
        weights->scale_axis += weights->rank;
    if (weights->scale && weights->scale_count > 1 &&
        (weights->scale_axis < 0 || weights->scale_axis >= weights->rank ||
         (size_t)weights->dims[weights->scale_axis] != weights->scale_count))
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_FORMAT, "%zu weight scales do not fit the weights' axis %lld",
                             weights->scale_count, (long long)weights->scale_axis);
    bool int8 = source->data_type == QMT_ONNX_INT8;
    if (!(int8 && weights->scale) && source->data_type != QMT_ONNX_FLOAT && source->data_type != QMT_ONNX_DOUBLE)
        return qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED, "weights of ONNX type %d; FP32 or INT8 are needed",
                             source->data_type);
    weights->values = qmt_alloc(weights->count, sizeof(float));
    if (!weights->values)
        return qmt_fail_memory(error, weights->count * sizeof(float), "weights");
    for (size_t i = 0; i < weights->count; i++) {
        float value = (float)qmt_onnx_value(source, i);
        weights->values[i] = int8 ? value * scale_of(weights, i) : value;
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_onnx_read_weights(const qmt_onnx_graph *graph, const QmtOnnx__Node *node, size_t i,
                                    qmt_onnx_weights *weights, qmtcnn_error *error)
{
    memset(weights, 0, sizeof *weights);
    const QmtOnnx__Tensor *source = qmt_onnx_constant(graph, qmt_onnx_input(node, i));
    const QmtOnnx__Node *before = source ? NULL : producer(graph, qmt_onnx_input(node, i));
    qmtcnn_status status = QMTCNN_OK;
    if (is_kind(before, "DequantizeLinear"))
        status = read_weight_quantizer(graph, before, weights, &source, error);
    else if (!source)
        status = qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED, "its weights (%s) are not a constant",
                               qmt_onnx_input(node, i));
    if (status == QMTCNN_OK)
        status = fill_weights(node, source, weights, error);
    if (status != QMTCNN_OK)
        qmt_onnx_weights_clear(weights);
    return status;
}

qmtcnn_status qmt_onnx_read_vector(const qmt_onnx_graph *graph, const QmtOnnx__Node *node, size_t i, size_t expected,
                                   float *values, qmtcnn_error *error)
{
    const QmtOnnx__Tensor *tensor = qmt_onnx_constant(graph, qmt_onnx_input(node, i));
    const QmtOnnx__Node *before = tensor ? NULL : producer(graph, qmt_onnx_input(node, i));
    const QmtOnnx__Node *owner = node;
    float *scale = NULL;
    size_t scale_count = 1, count = 0;
    qmtcnn_status status = QMTCNN_OK;
    if (is_kind(before, "DequantizeLinear")) {
        owner = before;
        i = 0;
        status = read_signed_scales(graph, before, &scale, &scale_count, error);
    }
    if (status == QMTCNN_OK)
        status = find_constant(graph, owner, i, &tensor, &count, error);
    if (status == QMTCNN_OK &&
        ((count != expected && count != 1) || (scale_count != count && scale_count != 1) || count == 0))
        status =
            qmt_onnx_fail(node, error, QMTCNN_ERROR_FORMAT, "%zu values where %zu channels need them", count, expected);
    bool real = status == QMTCNN_OK && (tensor->data_type == QMT_ONNX_FLOAT || tensor->data_type == QMT_ONNX_DOUBLE);
    if (status == QMTCNN_OK && !real && !scale)
        status = qmt_onnx_fail(node, error, QMTCNN_ERROR_UNSUPPORTED, "a constant of ONNX type %d; FP32 is needed",
                               tensor->data_type);
    for (size_t c = 0; status == QMTCNN_OK && c < expected; c++) {
        size_t from = count == 1 ? 0 : c;
        double value = qmt_onnx_value(tensor, from);
        values[c] = (float)(scale ? value * (double)scale[scale_count == 1 ? 0 : from] : value);
    }
    qmt_free(scale);
    return status;
}

qmtcnn_status qmt_onnx_fold_batch_norm(const qmt_onnx_graph *graph, const QmtOnnx__Node *node, qmt_layer *layer,
                                       qmtcnn_error *error)
{
    enum { scales, shifts, means, variances, arrays };
    size_t channels = (size_t)layer->out_channels, taps = qmt_layer_taps(layer);
    const QmtOnnx__Attribute *attribute = qmt_onnx_attribute(node, "epsilon");
    double epsilon = attribute ? (double)attribute->f : 1e-5;
    qmtcnn_status status = QMTCNN_OK;
    float *values = qmt_alloc(channels * arrays, sizeof *values);
    if (!values)
        return qmt_fail_memory(error, channels * arrays * sizeof *values, "batch normalization");
    for (size_t i = 0; i < arrays && status == QMTCNN_OK; i++)
        status = qmt_onnx_read_vector(graph, node, i + 1, channels, values + i * channels, error);
    for (size_t c = 0; c < channels && status == QMTCNN_OK; c++) {
        double spread = (double)values[variances * channels + c] + epsilon;
        if (!(spread > 0)) {
            status = qmt_onnx_fail(node, error, QMTCNN_ERROR_NUMERIC, "the variance of channel %zu is %g", c, spread);
            break;
        }
        double factor = (double)values[scales * channels + c] / sqrt(spread);
        for (size_t i = 0; i < taps; i++)
            layer->weight[c * taps + i] = (float)((double)layer->weight[c * taps + i] * factor);
        layer->bias[c] = (float)(((double)layer->bias[c] - (double)values[means * channels + c]) * factor +
                                 (double)values[shifts * channels + c]);
    }
    qmt_free(values);
    return status;
}
