/* One training step. */
#include "toolkit/train/loop.h"

#include "runtime/base/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Training has failed if the moving average of the loss stays this many times above its lowest value (but not under the
 * floor) for train.divergence_steps steps. */
static const double divergence_factor = 10, divergence_floor = 0.05, averaging = 0.02;

qmtcnn_status qmt_training_agree(qmt_training *training, qmtcnn_status status, qmtcnn_error *error)
{
    qmtcnn_status worst = qmt_ranks_agree(training->ranks, status);
    if (worst != QMTCNN_OK && status == QMTCNN_OK)
        return qmt_fail(error, worst, "another rank stopped (%s); see its message", qmtcnn_status_name(worst));
    return status;
}

qmtcnn_status qmt_training_create_pass(qmt_training *training, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_pass_create(training->net, training->groups * qmt_lanes, training->pool, training->ranks,
                                           &training->pass, error);
    for (int g = 0; status == QMTCNN_OK && g < training->groups; g++) {
        training->outputs[g] = qmt_pass_output(training->pass, g);
        training->gradients[g] = qmt_pass_output_gradient(training->pass, g);
    }
    return status;
}

/* How the net computes in this step. */
static qmt_net_state net_state(const qmt_training *training)
{
    int64_t epoch = training->position.step / training->steps_per_epoch;
    bool qat = training->position.qat_start >= 0;
    qmt_quantize_schedule schedule = qmt_quantize_epochs(&training->config->quantize, training->train->epochs);
    return (qmt_net_state){
        .mode = qat ? QMT_MODE_QAT : QMT_MODE_FP32,
        .training = true,
        .observers_frozen = qat && epoch >= schedule.freeze_observers,
        .batch_norm_frozen = qat && epoch >= schedule.freeze_batch_norm,
        .batch_norm_momentum = training->train->batch_norm_momentum,
        .quantize = training->config->quantize,
    };
}

/* The schedule starts anew with QAT. */
static double learning_rate(const qmt_training *training)
{
    const qmt_train_config *train = training->train;
    const qmt_quantize_config *quantize = &training->config->quantize;
    int64_t start = training->position.qat_start, first = start < 0 ? 0 : start;
    int last = train->epochs;
    if (start < 0 && quantize->qat) {
        int begin = qmt_quantize_epochs(quantize, train->epochs).start;
        last = begin < last ? begin : last;
    }
    double factor = start < 0 ? 1 : (double)quantize->learning_rate_factor;
    qmt_schedule schedule = qmt_schedule_for(train, factor, (int)(last - first), training->steps_per_epoch);
    return qmt_learning_rate(&schedule, training->position.step - first * training->steps_per_epoch);
}

static void fill_pass(qmt_training *training, const qmt_batch *batch)
{
    size_t floats = 3 * (size_t)training->table.side * (size_t)training->table.side * qmt_lanes;
    for (int g = 0; g < training->groups; g++)
        memcpy(qmt_pass_input(training->pass, g), batch->input + (size_t)g * floats, floats * sizeof(float));
}

qmtcnn_status qmt_training_forward_next(qmt_training *training, const qmt_net_state *state, qmtcnn_error *error)
{
    qmt_batch batch;
    qmtcnn_status status = qmt_loader_next(training->loader, &batch, error);
    status = qmt_training_agree(training, status, error);
    if (status != QMTCNN_OK)
        return status;
    fill_pass(training, &batch);
    status = qmt_net_forward(training->net, training->pass, training->groups, state, error);
    return qmt_training_agree(training, status, error);
}

/* Forward, loss, backward, update. */
static qmtcnn_status compute(qmt_training *training, const qmt_batch *batch, qmt_loss_values *values, double *norm,
                             qmtcnn_error *error)
{
    qmt_net_state state = net_state(training);
    fill_pass(training, batch);
    qmtcnn_status status = qmt_net_forward(training->net, training->pass, training->groups, &state, error);
    status = qmt_training_agree(training, status, error);
    if (status == QMTCNN_OK)
        status =
            qmt_losses_compute(training->losses, batch->labels, training->outputs, training->gradients, values, error);
    if (status == QMTCNN_OK)
        status = qmt_net_backward(training->net, training->pass, training->groups, &state, error);
    status = qmt_training_agree(training, status, error);
    if (status != QMTCNN_OK)
        return status;
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(training->net, &count);
    training->learning_rate = learning_rate(training);
    status = qmt_optimizer_step(training->optimizer, parameters, count, training->learning_rate, norm, error);
    return qmt_training_agree(training, status, error);
}

/* Says when, and from where to go on: from before the loss began to rise, where it did. */
static qmtcnn_status explain_failure(qmt_training *training, qmtcnn_error *error, qmtcnn_status status)
{
    const qmt_position *position = &training->position;
    char *checkpoint = NULL;
    if (status != QMTCNN_ERROR_NUMERIC || !error)
        return status;
    if (qmt_checkpoint_newest_until(training->folder, position->step - position->diverging, &checkpoint, NULL) !=
        QMTCNN_OK)
        checkpoint = NULL;
    qmtcnn_error reason = *error;
    qmt_fail(
        error, status,
        "%s: step %lld (epoch %lld of %d, %s): %s; the last good checkpoint is %s; try a lower train.learning_rate or "
        "train.gradient_clip",
        qmt_net_name(training->id), (long long)position->step,
        (long long)(position->step / training->steps_per_epoch) + 1, training->train->epochs,
        position->qat_start >= 0 ? "qat" : "fp32", reason.message, checkpoint ? checkpoint : "none");
    qmt_free(checkpoint);
    return status;
}

/* The parameter whose gradient is the longest over its own length: where a diverging network moves most. */
static const char *fastest_parameter(qmt_net *net)
{
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(net, &count);
    const char *fastest = "none";
    double most = -1;
    for (int i = 0; i < count; i++) {
        double gradient = 0, value = 1e-12;
        for (size_t k = 0; parameters[i].gradient && k < parameters[i].count; k++) {
            gradient += (double)parameters[i].gradient[k] * (double)parameters[i].gradient[k];
            value += (double)parameters[i].value[k] * (double)parameters[i].value[k];
        }
        if (gradient / value > most) {
            most = gradient / value;
            fastest = parameters[i].name;
        }
    }
    return fastest;
}

bool qmt_training_diverges(qmt_position *position, double loss, int steps)
{
    position->average = position->lowest > 0 ? (1 - averaging) * position->average + averaging * loss : loss;
    if (!(position->lowest > 0) || position->average < position->lowest)
        position->lowest = position->average > 0 ? position->average : divergence_floor;
    double limit = divergence_factor * fmax(position->lowest, divergence_floor);
    position->diverging = position->average > limit ? position->diverging + 1 : 0;
    return position->diverging >= steps;
}

static qmtcnn_status watch_divergence(qmt_training *training, double loss, qmtcnn_error *error)
{
    qmt_position *position = &training->position;
    int steps = training->train->divergence_steps;
    if (!qmt_training_diverges(position, loss, steps))
        return QMTCNN_OK;
    return qmt_fail(error, QMTCNN_ERROR_NUMERIC,
                    "training diverges: the average loss (%.4g) has been over %g times its lowest (%.4g) for %d steps; "
                    "%s moves fastest",
                    position->average, divergence_factor, position->lowest, steps, fastest_parameter(training->net));
}

/* The events that a step writes: figures every log_steps steps, pictures at an epoch's end. */
static qmtcnn_status log_step(qmt_training *training, const qmt_batch *batch, const qmt_loss_values *values,
                              double norm, bool last_of_epoch, qmtcnn_error *error)
{
    int64_t step = training->position.step;
    qmtcnn_status status = QMTCNN_OK;
    if (training->rank != 0)
        return QMTCNN_OK;
    if (last_of_epoch)
        status = qmt_monitor_samples(training->events, step, batch, training->pass, training->groups,
                                     training->table.side, error);
    if (status != QMTCNN_OK || (step % training->train->log_steps != 0 && !last_of_epoch))
        return status;
    double now = qmt_seconds(), seconds = now - training->log_start;
    double samples = (double)training->log_steps * training->train->batch;
    qmt_step_figures figures = {values, training->learning_rate, norm, seconds > 0 ? samples / seconds : 0,
                                training->log_wait / (double)training->log_steps};
    training->log_start = now;
    training->log_steps = 0;
    training->log_wait = 0;
    status = qmt_monitor_step(training->events, step, &figures, error);
    if (status == QMTCNN_OK && training->position.qat_start >= 0)
        status = qmt_monitor_quantization(training->events, step, training->net, training->pass, error);
    return status;
}

static void show_progress(qmt_training *training, double loss)
{
    char note[64];
    int64_t epoch = (training->position.step - 1) / training->steps_per_epoch;
    snprintf(note, sizeof note, "%s epoch %lld/%d loss %.4f", training->position.qat_start >= 0 ? "qat" : "fp32",
             (long long)epoch + 1, training->train->epochs, loss);
    qmt_progress_set(training->progress, (double)training->position.step, note);
}

qmtcnn_status qmt_training_step(qmt_training *training, bool last_of_epoch, qmtcnn_error *error)
{
    qmt_position *position = &training->position;
    qmt_batch batch;
    qmt_loss_values values;
    double norm = 0;
    qmtcnn_status status = qmt_loader_next(training->loader, &batch, error);
    status = qmt_training_agree(training, status, error);
    if (status == QMTCNN_OK)
        status = compute(training, &batch, &values, &norm, error);
    if (status == QMTCNN_OK)
        status = watch_divergence(training, values.total, error);
    if (status != QMTCNN_OK)
        return explain_failure(training, error, status);
    const double terms[qmt_loss_sums] = {values.total, values.classes, values.box, values.landmarks, norm};
    for (int i = 0; i < qmt_loss_sums; i++)
        position->sums[i] += terms[i];
    position->step++;
    training->log_steps++;
    training->epoch_steps++;
    training->log_wait += batch.waited;
    training->epoch_wait += batch.waited;
    show_progress(training, values.total);
    status = log_step(training, &batch, &values, norm, last_of_epoch, error);
    return qmt_training_agree(training, status, error);
}
