/* From FP32 to INT8: activation ranges from real batches. */
#include "toolkit/train/loop.h"

#include <math.h>
#include <string.h>

/* The best FP32 network becomes `net`. Where no FP32 epoch was asked for, that is the network training began with. */
static qmtcnn_status load_best(qmt_training *training, qmt_net *net, qmtcnn_error *error)
{
    qmt_position *position = &training->position;
    qmtcnn_status status = QMTCNN_OK;
    if (position->best_epoch[0] < 0 && position->step == 0 && training->rank == 0) {
        qmt_figures figures;
        status = qmt_training_validate(training, training->net, &figures, NULL, error);
        if (status == QMTCNN_OK)
            status =
                qmt_best_write(training->folder, "fp32", &training->origin, training->net, 0, 0, &figures, NULL, error);
    }
    status = qmt_training_agree(training, status, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_tensors_file *file = NULL;
    char *path = qmt_path_join(training->folder, "fp32.safetensors");
    if (!path)
        status = qmt_fail_memory(error, strlen(training->folder) + 32, "a path");
    if (status == QMTCNN_OK)
        status = qmt_tensors_open(path, &file, error);
    if (status == QMTCNN_OK)
        status = qmt_net_load(net, file, error);
    if (status != QMTCNN_OK && path)
        status = qmt_fail_in(error, status, "the best FP32 network, %s", path);
    qmt_tensors_close(file);
    qmt_free(path);
    return qmt_training_agree(training, status, error);
}

/* The observers see the batches that training would go on with. Needs a pass of its own: memory for a second one would
 * double the program's. */
static qmtcnn_status observe(qmt_training *training, qmtcnn_error *error)
{
    qmt_net_state state = {
        .mode = QMT_MODE_CALIBRATE,
        .batch_norm_momentum = training->train->batch_norm_momentum,
        .quantize = training->config->quantize,
    };
    qmt_net_reset_observers(training->net); /* a network to fine-tune brings what its own calibration saw */
    qmtcnn_status status = qmt_loader_seek(training->loader, training->position.step, error);
    for (int i = 0; status == QMTCNN_OK && i < training->config->quantize.calibration_batches; i++)
        status = qmt_training_forward_next(training, &state, error);
    if (status == QMTCNN_OK)
        status = qmt_loader_seek(training->loader, training->position.step, error);
    if (status == QMTCNN_OK)
        qmt_net_finish_calibration(training->net, &training->config->quantize);
    return status;
}

/* ptq.safetensors, its figures in the history and the logs. */
static qmtcnn_status record_ptq(qmt_training *training, qmtcnn_error *error)
{
    const qmt_position *position = &training->position;
    int64_t epoch = position->best_epoch[0] < 0 ? 0 : position->best_epoch[0];
    qmt_figures fp32, int8, rounded;
    qmt_net *ptq = NULL;
    if (training->rank != 0)
        return QMTCNN_OK;
    qmtcnn_status status = qmt_training_make_ptq(training, &ptq, error);
    if (status == QMTCNN_OK)
        status = qmt_training_validate(training, training->net, &fp32, NULL, error);
    if (status == QMTCNN_OK)
        status = qmt_training_validate(training, ptq, &rounded, &int8, error);
    if (status == QMTCNN_OK)
        status =
            qmt_best_write(training->folder, "ptq", &training->origin, ptq, epoch, position->step, &fp32, &int8, error);
    if (status == QMTCNN_OK)
        status = qmt_history_set_ptq(training->history, epoch, &fp32, &int8, error);
    if (status == QMTCNN_OK)
        status = qmt_monitor_validation(training->events, position->step, "ptq", &int8, error);
    if (status == QMTCNN_OK)
        status = qmt_monitor_quantization(training->events, position->step, training->net, training->pass, error);
    if (status == QMTCNN_OK && !isnan(fp32.score))
        qmt_log_info("%s calibrated after epoch %lld: validation score %.4f in FP32, %.4f in INT8 without QAT",
                     qmt_net_name(training->id), (long long)(position->best_epoch[0] + 1), fp32.score, int8.score);
    qmt_net_free(ptq);
    return status;
}

/* Puts `net` and a pass for it in the place of the training's own; gives back what was there. */
static qmtcnn_status exchange_net(qmt_training *training, qmt_net **net, qmtcnn_error *error)
{
    qmt_net *other = training->net;
    training->net = *net;
    *net = other;
    qmt_pass_free(training->pass);
    training->pass = NULL;
    return qmt_training_create_pass(training, error);
}

qmtcnn_status qmt_training_calibrate(qmt_training *training, bool qat, qmtcnn_error *error)
{
    qmt_position *position = &training->position;
    qmt_net *other = NULL;
    qmtcnn_status status = qmt_net_create(&training->table, 0, &other, error);
    status = qmt_training_agree(training, status, error);
    if (status == QMTCNN_OK)
        status = load_best(training, other, error);
    if (status == QMTCNN_OK)
        status = qmt_training_agree(training, exchange_net(training, &other, error), error);
    if (status == QMTCNN_OK)
        status = observe(training, error);
    if (status == QMTCNN_OK)
        status = qmt_training_agree(training, record_ptq(training, error), error);
    if (status == QMTCNN_OK && qat) {
        position->qat_start = position->step / training->steps_per_epoch;
        position->average = position->lowest = 0;
        position->diverging = 0;
        qmt_optimizer_reset(training->optimizer);
    } else if (status == QMTCNN_OK) {
        /* More FP32 epochs may be asked for later: the last checkpoint is that of the network as it was trained. */
        status = qmt_training_agree(training, exchange_net(training, &other, error), error);
    }
    qmt_net_free(other);
    return status;
}
