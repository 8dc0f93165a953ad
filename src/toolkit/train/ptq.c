/* The best FP32 network without QAT: what QAT is measured against. */
#include "toolkit/quant/ptq.h"
#include "toolkit/train/loop.h"

/* Samples as they are, without augmentation, as a batch is composed; of each class spread evenly over all that may be
 * learned from. *pixels is for qmt_free(). */
static qmtcnn_status take_samples(const qmt_training *training, uint8_t **pixels, int *count, qmtcnn_error *error)
{
    uint32_t available[qmt_class_count];
    int counts[qmt_class_count], taken = 0;
    size_t side = (size_t)qmt_store_side(training->store), bytes = 3 * side * side;
    for (int c = 0; c < qmt_class_count; c++)
        available[c] = training->split.training[c].count;
    *count = training->config->quantize.ptq_samples;
    qmtcnn_status status = qmt_batch_counts(training->train->ratio, available, *count, counts, error);
    if (status != QMTCNN_OK)
        return status;
    *pixels = qmt_alloc((size_t)*count, bytes);
    if (!*pixels)
        return qmt_fail_memory(error, (size_t)*count * bytes, "calibration samples (quantize.ptq_samples)");
    for (int c = 0; c < qmt_class_count; c++)
        for (int i = 0; i < counts[c] && status == QMTCNN_OK; i++) {
            qmt_sample sample;
            uint32_t index = (uint32_t)((uint64_t)i * available[c] / (uint64_t)counts[c]);
            status = qmt_store_read(training->store, (qmt_sample_class)c, training->split.training[c].items[index],
                                    *pixels + (size_t)taken++ * bytes, &sample, error);
        }
    return status;
}

static void report_layers(const qmt_training *training, const qmt_ptq_report *report)
{
    for (int i = 0; i < report->count; i++) {
        const qmt_ptq_layer *layer = &report->layers[i];
        qmt_log_info("%s without QAT: %s %s, input up to %.4g (%.3f %% clipped), SQNR %.1f dB",
                     qmt_net_name(training->id), layer->name, layer->int8 ? "INT8" : "FP32", (double)layer->input_range,
                     100 * layer->clipped, layer->sqnr);
    }
}

qmtcnn_status qmt_training_make_ptq(const qmt_training *training, qmt_net **result, qmtcnn_error *error)
{
    uint8_t *pixels = NULL;
    int count = 0;
    qmt_model *model = NULL;
    qmt_net *net = NULL;
    qmt_ptq_report report;
    const qmt_quantize_config *quantize = &training->config->quantize;
    qmtcnn_status status = take_samples(training, &pixels, &count, error);
    if (status == QMTCNN_OK)
        status = qmt_net_to_model(training->net, true, quantize, &model, error);
    if (status == QMTCNN_OK)
        status = qmt_ptq(model, pixels, count, quantize, training->pool, &report, error);
    if (status == QMTCNN_OK)
        status = qmt_net_create(&training->table, 0, &net, error);
    if (status == QMTCNN_OK)
        status = qmt_net_from_model(net, model, error);
    if (status == QMTCNN_OK) {
        /* Also of layers that stay FP32: an export may decide otherwise. */
        for (int i = 1; i < training->table.layer_count; i++)
            qmt_net_set_input_range(net, i, report.layers[i].input_range);
        report_layers(training, &report);
        *result = net;
    } else {
        qmt_net_free(net);
    }
    qmt_model_free(model);
    qmt_free(pixels);
    return status;
}
