#include "toolkit/train/loop.h"

#include "runtime/base/clock.h"
#include "toolkit/base/stop.h"

#include <math.h>

/* A checkpoint with a NaN in it would be no place to go on from. */
static qmtcnn_status check_finite(qmt_net *net, qmtcnn_error *error)
{
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(net, &count);
    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < parameters[i].count; k++)
            if (!isfinite(parameters[i].value[k]))
                return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "%s: NaN or infinity in %s; no checkpoint is written",
                                qmt_net_name(qmt_net_get_table(net)->id), parameters[i].name);
    return QMTCNN_OK;
}

qmtcnn_status qmt_training_save(qmt_training *training, qmtcnn_error *error)
{
    if (training->rank != 0)
        return QMTCNN_OK;
    training->saved_at = qmt_seconds();
    qmtcnn_status status = check_finite(training->net, error);
    if (status == QMTCNN_OK)
        status = qmt_checkpoint_write(training->folder, &training->origin, &training->position, training->net,
                                      training->optimizer, error);
    if (status == QMTCNN_OK)
        status =
            qmt_checkpoint_prune(training->folder, training->steps_per_epoch, training->train->keep_checkpoints, error);
    return status;
}

/* Figures of one arithmetic. */
static qmtcnn_status validate_one(qmt_training *training, const qmt_net *net, bool fp32, qmt_figures *figures,
                                  qmtcnn_error *error)
{
    qmt_model *model = NULL;
    qmtcnn_status status = qmt_net_to_model(net, fp32, &training->config->quantize, &model, error);
    if (status == QMTCNN_OK)
        status = qmt_validate_samples(training->store, training->split.validation, model,
                                      fp32 ? QMTCNN_PRECISION_FP32 : QMTCNN_PRECISION_AUTO, training->train,
                                      training->pool, figures, error);
    qmt_model_free(model);
    return status;
}

qmtcnn_status qmt_training_validate(qmt_training *training, qmt_net *net, qmt_figures *fp32, qmt_figures *int8,
                                    qmtcnn_error *error)
{
    qmtcnn_status status = validate_one(training, net, true, fp32, error);
    if (status == QMTCNN_OK && int8)
        status = validate_one(training, net, false, int8, error);
    return status;
}

/* Keeps the network if it is the best of its phase; without held-out samples, always. */
static qmtcnn_status keep_best(qmt_training *training, int64_t epoch, const qmt_figures *fp32, const qmt_figures *int8,
                               qmtcnn_error *error)
{
    qmt_position *position = &training->position;
    bool qat = position->qat_start >= 0;
    double score = qat ? int8->score : fp32->score;
    if (position->best_epoch[qat] >= 0 && !isnan(score) && !(score > position->best_score[qat]))
        return QMTCNN_OK;
    position->best_epoch[qat] = epoch;
    position->best_score[qat] = isnan(score) ? 0 : score;
    qmtcnn_status status = qmt_best_write(training->folder, qat ? "qat" : "fp32", &training->origin, training->net,
                                          epoch, position->step, fp32, int8, error);
    if (status == QMTCNN_OK)
        status = qmt_history_set_best(training->history, qat, epoch, score, error);
    return status;
}

/* What the network as it is now finds on whole pictures. */
static qmtcnn_status show_pictures(qmt_training *training, bool qat, qmtcnn_error *error)
{
    qmt_model *model = NULL;
    if (!training->showcase)
        return QMTCNN_OK;
    qmtcnn_status status = qmt_net_to_model(training->net, !qat, &training->config->quantize, &model, error);
    if (status == QMTCNN_OK)
        status = qmt_showcase_write(training->showcase, training->events, training->position.step, model, error);
    qmt_model_free(model);
    return status;
}

/* An epoch's place in the history and in the logs. */
static qmtcnn_status record_epoch(qmt_training *training, int64_t number, const qmt_figures *fp32,
                                  const qmt_figures *int8, qmtcnn_error *error)
{
    const qmt_position *position = &training->position;
    double steps = (double)training->steps_per_epoch, seconds = qmt_seconds() - training->epoch_start;
    double done = (double)training->epoch_steps;
    qmt_epoch epoch = {
        .epoch = number,
        .step = position->step,
        .qat = position->qat_start >= 0,
        .learning_rate = training->learning_rate,
        .total = position->sums[0] / steps,
        .classes = position->sums[1] / steps,
        .box = position->sums[2] / steps,
        .landmarks = position->sums[3] / steps,
        .gradient_norm = position->sums[4] / steps,
        .samples_per_second = seconds > 0 ? done * training->train->batch / seconds : 0,
        .loader_wait = done > 0 ? training->epoch_wait / done : 0,
        .fp32 = fp32,
        .int8 = int8,
    };
    qmtcnn_status status = qmt_history_add(training->history, &epoch, error);
    if (status == QMTCNN_OK)
        status = qmt_monitor_weights(training->events, position->step, training->net, error);
    if (status == QMTCNN_OK)
        status = qmt_monitor_validation(training->events, position->step, "fp32", fp32, error);
    if (status == QMTCNN_OK && int8)
        status = qmt_monitor_validation(training->events, position->step, "int8", int8, error);
    if (status == QMTCNN_OK)
        status = qmt_events_flush(training->events, error);
    return status;
}

static qmtcnn_status end_epoch_in_rank_0(qmt_training *training, qmtcnn_error *error)
{
    qmt_figures fp32, int8;
    bool qat = training->position.qat_start >= 0;
    int64_t epoch = training->position.step / training->steps_per_epoch - 1;
    double speed_end = qmt_seconds();
    qmtcnn_status status = qmt_training_validate(training, training->net, &fp32, qat ? &int8 : NULL, error);
    if (status == QMTCNN_OK)
        status = show_pictures(training, qat, error);
    training->epoch_start += qmt_seconds() - speed_end; /* samples a second are those of training */
    if (status == QMTCNN_OK)
        status = record_epoch(training, epoch, &fp32, qat ? &int8 : NULL, error);
    if (status == QMTCNN_OK)
        status = keep_best(training, epoch, &fp32, qat ? &int8 : NULL, error);
    return status;
}

qmtcnn_status qmt_training_end_epoch(qmt_training *training, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    if (training->rank == 0)
        status = end_epoch_in_rank_0(training, error);
    for (int i = 0; i < qmt_loss_sums; i++)
        training->position.sums[i] = 0;
    /* Last, so that a run killed before this repeats the epoch's end. */
    if (status == QMTCNN_OK)
        status = qmt_training_save(training, error);
    training->epoch_start = training->log_start = qmt_seconds();
    training->epoch_steps = training->log_steps = 0;
    training->epoch_wait = training->log_wait = 0;
    return qmt_training_agree(training, status, error);
}

/* A checkpoint within an epoch, where the last one is old. */
static qmtcnn_status save_in_time(qmt_training *training, qmtcnn_error *error)
{
    int seconds = training->train->checkpoint_seconds;
    if (training->rank != 0 || seconds <= 0 || qmt_seconds() - training->saved_at < seconds)
        return QMTCNN_OK;
    return qmt_training_save(training, error);
}

/* Ctrl-C in any rank: all save and stop. Also where rank 0's failed checkpoint stops the others. */
static qmtcnn_status check_stop(qmt_training *training, qmtcnn_status status, qmtcnn_error *error)
{
    if (status == QMTCNN_OK && qmt_stop_requested())
        status = QMTCNN_ERROR_INTERRUPTED;
    qmtcnn_status worst = qmt_ranks_agree(training->ranks, status);
    if (worst != QMTCNN_ERROR_INTERRUPTED)
        return worst == status
                   ? status
                   : qmt_fail(error, worst, "another rank stopped (%s); see its message", qmtcnn_status_name(worst));
    status = qmt_training_save(training, error);
    if (status != QMTCNN_OK)
        return status;
    return qmt_fail(
        error, QMTCNN_ERROR_INTERRUPTED,
        "stopped training %s after step %lld of %lld; all is saved in %s: run the same with --resume to go on",
        qmt_net_name(training->id), (long long)training->position.step,
        (long long)training->train->epochs * (long long)training->steps_per_epoch, training->folder);
}

/* From the position to the end of the epoch that it is in. */
static qmtcnn_status run_epoch(qmt_training *training, qmtcnn_error *error)
{
    int64_t end = (training->position.step / training->steps_per_epoch + 1) * training->steps_per_epoch;
    while (training->position.step < end) {
        qmtcnn_status status = save_in_time(training, error);
        status = check_stop(training, status, error);
        if (status == QMTCNN_OK)
            status = qmt_training_step(training, training->position.step + 1 == end, error);
        if (status != QMTCNN_OK)
            return status;
    }
    return qmt_training_end_epoch(training, error);
}

/* Marks the run as finished, in the last step's checkpoint. */
static qmtcnn_status finish(qmt_training *training, qmtcnn_error *error)
{
    training->position.finished = 1;
    return qmt_training_agree(training, qmt_training_save(training, error), error);
}

qmtcnn_status qmt_training_run(qmt_training *training, qmtcnn_error *error)
{
    const qmt_quantize_config *quantize = &training->config->quantize;
    int epochs = training->train->epochs, fp32_epochs = epochs;
    if (quantize->qat) {
        int start = qmt_quantize_epochs(quantize, epochs).start;
        fp32_epochs = start < epochs ? start : epochs;
    }
    qmtcnn_status status = qmt_loader_seek(training->loader, training->position.step, error);
    training->saved_at = training->log_start = training->epoch_start = qmt_seconds();
    while (status == QMTCNN_OK) {
        int64_t epoch = training->position.step / training->steps_per_epoch;
        if (training->position.qat_start < 0 && epoch >= fp32_epochs) {
            bool qat = quantize->qat && epoch < epochs;
            status = qmt_training_calibrate(training, qat, error);
            if (status != QMTCNN_OK || !qat)
                break;
            /* In the place of the epoch's end before it: no resumed run calibrates again, and the file's bytes don't
             * depend on the time. */
            status = qmt_training_agree(training, qmt_training_save(training, error), error);
        } else if (epoch >= epochs) {
            break;
        } else {
            status = run_epoch(training, error);
        }
    }
    return status == QMTCNN_OK ? finish(training, error) : status;
}
