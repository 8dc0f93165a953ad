/* The public header's models: three ONNX files, read, checked and packed. */
#include "runtime/detect/advice.h"
#include "runtime/detect/api.h"

#include "runtime/model/onnx.h"

#include <stdio.h>
#include <string.h>

struct qmtcnn_model {
    qmt_network *networks[qmt_net_count];
    qmt_advice advice;
    qmtcnn_precision precision;
};

/* Checks that a network is the one that its place asks for, and packs it. */
static qmtcnn_status add_network(qmtcnn_model *model, const qmt_model *file, qmt_net_id net, const char *name,
                                 qmtcnn_precision precision, const qmt_kernels *kernels, qmtcnn_error *error)
{
    if (file->net != net)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s holds %s, not %s: are the files in the right order?", name,
                        qmt_net_name(file->net), qmt_net_name(net));
    qmtcnn_status status = qmt_advice_read(file, name, &model->advice, error);
    if (status != QMTCNN_OK)
        return status;
    if (qmt_network_create(file, precision, kernels, &model->networks[net], error) != QMTCNN_OK)
        return qmt_fail_in(error, error ? error->status : QMTCNN_ERROR_UNSUPPORTED, "%s", name);
    if (qmt_network_is_int8(model->networks[net]))
        model->precision = QMTCNN_PRECISION_INT8;
    return QMTCNN_OK;
}

/* Where the three networks come from: files, or (folder NULL) memory; and what is to run them. */
struct source {
    const char *folder;
    const qmtcnn_buffer *buffers;
    const qmt_kernels *kernels; /* NULL: the best */
};

static qmtcnn_status read_network(const struct source *source, qmt_net_id net, qmtcnn_precision precision,
                                  qmtcnn_model *model, qmtcnn_error *error)
{
    qmt_model *file = NULL;
    char *name = NULL;
    const size_t length = (source->folder ? strlen(source->folder) : 0) + 32;
    qmtcnn_status status = QMTCNN_OK;
    name = qmt_alloc(length, 1);
    if (!name)
        return qmt_fail_memory(error, length, "a file name");
    if (source->folder) {
        snprintf(name, length, "%s/%s.onnx", source->folder, qmt_net_name(net));
        status = qmt_onnx_read_file(name, &file, error);
    } else {
        snprintf(name, length, "the buffer for %s", qmt_net_name(net));
        status = qmt_onnx_read(source->buffers[net].data, source->buffers[net].size, name, &file, error);
    }
    if (status == QMTCNN_OK)
        status = add_network(model, file, net, name, precision, source->kernels, error);
    qmt_model_free(file);
    qmt_free(name);
    return status;
}

static qmtcnn_status open_model(const struct source *source, qmtcnn_precision precision, qmtcnn_model **result,
                                qmtcnn_error *error)
{
    qmtcnn_error local;
    if (!error)
        error = &local; /* messages are built in steps */
    if (precision < QMTCNN_PRECISION_AUTO || precision > QMTCNN_PRECISION_INT8)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "unknown precision %d", (int)precision);
    qmtcnn_model *model = qmt_alloc_zero(1, sizeof *model);
    if (!model)
        return qmt_fail_memory(error, sizeof *model, "a model");
    model->precision = QMTCNN_PRECISION_FP32;
    qmt_advice_default(&model->advice);
    for (int i = 0; i < qmt_net_count; i++) {
        qmtcnn_status status = read_network(source, (qmt_net_id)i, precision, model, error);
        if (status != QMTCNN_OK) {
            qmtcnn_model_close(model);
            return status;
        }
    }
    *result = model;
    return QMTCNN_OK;
}

qmtcnn_status qmtcnn_model_open(const char *folder, qmtcnn_precision precision, qmtcnn_model **model,
                                qmtcnn_error *error)
{
    return qmt_api_open(folder, precision, NULL, model, error);
}

qmtcnn_status qmt_api_open(const char *folder, qmtcnn_precision precision, const qmt_kernels *kernels,
                           qmtcnn_model **model, qmtcnn_error *error)
{
    if (!model)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "no place for the model was given (NULL)");
    *model = NULL;
    if (!folder)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "the models' folder is NULL");
    struct source source = {.folder = folder, .kernels = kernels};
    return open_model(&source, precision, model, error);
}

qmtcnn_status qmtcnn_model_open_memory(const qmtcnn_buffer networks[3], qmtcnn_precision precision,
                                       qmtcnn_model **model, qmtcnn_error *error)
{
    if (!model)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "no place for the model was given (NULL)");
    *model = NULL;
    for (int i = 0; i < qmt_net_count; i++) {
        if (!networks || !networks[i].data)
            return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "the buffer for %s is NULL", qmt_net_name((qmt_net_id)i));
    }
    struct source source = {.buffers = networks};
    return open_model(&source, precision, model, error);
}

void qmtcnn_model_close(qmtcnn_model *model)
{
    if (!model)
        return;
    for (int i = 0; i < qmt_net_count; i++)
        qmt_network_free(model->networks[i]);
    qmt_free(model);
}

qmtcnn_precision qmtcnn_model_precision(const qmtcnn_model *model)
{
    return model->precision;
}

size_t qmtcnn_model_bytes(const qmtcnn_model *model)
{
    size_t bytes = sizeof *model;
    for (int i = 0; i < qmt_net_count; i++)
        bytes += qmt_network_bytes(model->networks[i]);
    return bytes;
}

const qmt_network *qmt_api_network(const qmtcnn_model *model, qmt_net_id net)
{
    return model->networks[net];
}

void qmtcnn_options_default(const qmtcnn_model *model, qmtcnn_options *options)
{
    qmt_advice advice;
    qmt_advice_default(&advice);
    if (model)
        advice = model->advice;
    *options = (qmtcnn_options){.min_face = 20,
                                .scale_factor = 0.709f,
                                .nms = {0.5f, 0.7f, 0.7f, advice.last_nms},
                                .max_proposals = 10000,
                                .threads = 1,
                                .clip = QMTCNN_CLIP_IMAGE,
                                .last_overlap = advice.last_overlap,
                                .fusion = advice.fusion,
                                .fusion_odds = advice.fusion_odds,
                                .vote = advice.vote,
                                .refined_nms = {advice.refined_nms[0], advice.refined_nms[1]}};
    memcpy(options->thresholds, advice.thresholds, sizeof options->thresholds);
}
