/* How fast training is, by itself: no samples on disk, no loader. */
#include "toolkit/train/train.h"

#include "runtime/base/clock.h"
#include "toolkit/base/random.h"
#include "toolkit/train/losses.h"
#include "toolkit/train/optimizer.h"
#include "toolkit/train/peak.h"

/* What a bench trains. */
typedef struct bench {
    qmt_config config;
    const qmt_train_config *train;
    qmt_net_table table;
    int groups;
    qmt_pool *pool;
    qmt_net *net;
    qmt_pass *pass;
    qmt_losses *losses;
    qmt_optimizer *optimizer;
    qmt_label *labels;
    const float **outputs;
    float **gradients;
} bench;

static qmtcnn_status create_bench(bench *made, qmt_net_id id, int threads, qmtcnn_error *error)
{
    qmt_config_default(&made->config);
    made->train = &made->config.train[id];
    made->table = qmt_net_table_for(id, made->train->activation, made->train->batch_norm);
    made->groups = made->train->batch / qmt_lanes;
    size_t groups = (size_t)made->groups;
    made->labels = qmt_alloc_zero(groups * qmt_lanes, sizeof *made->labels);
    made->outputs = qmt_alloc_zero(groups, sizeof *made->outputs);
    made->gradients = qmt_alloc_zero(groups, sizeof *made->gradients);
    if (!made->labels || !made->outputs || !made->gradients)
        return qmt_fail_memory(error, groups * qmt_lanes * sizeof *made->labels, "a batch");
    qmtcnn_status status = qmt_pool_create(threads, &made->pool, error);
    if (status == QMTCNN_OK)
        status = qmt_net_create(&made->table, 1, &made->net, error);
    if (status == QMTCNN_OK)
        status = qmt_pass_create(made->net, made->train->batch, made->pool, NULL, &made->pass, error);
    if (status == QMTCNN_OK)
        status = qmt_losses_create(made->train, made->groups, NULL, &made->losses, error);
    if (status != QMTCNN_OK)
        return status;
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(made->net, &count);
    return qmt_optimizer_create(made->train, parameters, count, &made->optimizer, error);
}

static void clear_bench(bench *made)
{
    qmt_optimizer_free(made->optimizer);
    qmt_losses_free(made->losses);
    qmt_pass_free(made->pass);
    qmt_net_free(made->net);
    qmt_pool_free(made->pool);
    qmt_free(made->gradients);
    qmt_free(made->outputs);
    qmt_free(made->labels);
}

/* Random pixels, and labels in the classes' usual mix. */
static void fill_bench(bench *made)
{
    const qmt_sample_class mix[7] = {QMT_NEGATIVE, QMT_NEGATIVE, QMT_NEGATIVE, QMT_POSITIVE,
                                     QMT_PART,     QMT_LANDMARK, QMT_LANDMARK};
    size_t floats = 3 * (size_t)made->table.side * (size_t)made->table.side * qmt_lanes;
    qmt_random random = qmt_random_stream(1, 2, 3);
    for (int g = 0; g < made->groups; g++) {
        float *input = qmt_pass_input(made->pass, g);
        for (size_t i = 0; i < floats; i++)
            input[i] = ((float)qmt_random_below(&random, 256) - 127.5f) / 128;
        made->outputs[g] = qmt_pass_output(made->pass, g);
        made->gradients[g] = qmt_pass_output_gradient(made->pass, g);
    }
    for (int i = 0; i < made->groups * qmt_lanes; i++) {
        qmt_label *label = &made->labels[i];
        label->sample_class = mix[i % 7];
        for (int k = 0; k < 4; k++)
            label->box[k] = qmt_random_range(&random, -0.2f, 0.2f);
        for (int k = 0; k < 10; k++)
            label->landmarks[k] = qmt_random_float(&random);
    }
}

static qmtcnn_status step(bench *made, const qmt_net_state *state, qmtcnn_error *error)
{
    qmt_loss_values values;
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(made->net, &count);
    qmtcnn_status status = qmt_net_forward(made->net, made->pass, made->groups, state, error);
    if (status == QMTCNN_OK)
        status = qmt_losses_compute(made->losses, made->labels, made->outputs, made->gradients, &values, error);
    if (status == QMTCNN_OK)
        status = qmt_net_backward(made->net, made->pass, made->groups, state, error);
    if (status == QMTCNN_OK)
        status = qmt_optimizer_step(made->optimizer, parameters, count, 1e-4, NULL, error);
    return status;
}

/* Two steps to warm up, then as many as fit. */
static qmtcnn_status time_steps(bench *made, const qmt_net_state *state, double seconds, double *rate,
                                qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; status == QMTCNN_OK && i < 2; i++)
        status = step(made, state, error);
    double start = qmt_seconds(), took = 0;
    int64_t steps = 0;
    while (status == QMTCNN_OK && (steps == 0 || took < seconds)) {
        status = step(made, state, error);
        steps++;
        took = qmt_seconds() - start;
    }
    *rate = took > 0 ? (double)steps * made->train->batch / took : 0;
    return status;
}

qmtcnn_status qmt_train_bench(qmt_net_id net, bool qat, int threads, double seconds, qmt_train_speed *speed,
                              qmtcnn_error *error)
{
    bench made = {0};
    qmtcnn_status status = create_bench(&made, net, threads, error);
    if (status != QMTCNN_OK)
        goto done;
    fill_bench(&made);
    qmt_net_state state = {
        .mode = QMT_MODE_CALIBRATE,
        .batch_norm_momentum = made.train->batch_norm_momentum,
        .quantize = made.config.quantize,
    };
    if (qat) {
        status = qmt_net_forward(made.net, made.pass, made.groups, &state, error);
        if (status == QMTCNN_OK)
            qmt_net_finish_calibration(made.net, &state.quantize);
    }
    state.mode = qat ? QMT_MODE_QAT : QMT_MODE_FP32;
    state.training = true;
    double rate = 0, peak = qmt_measure_peak(made.pool, 0.3);
    if (status == QMTCNN_OK)
        status = time_steps(&made, &state, seconds, &rate, error);
    if (status == QMTCNN_OK)
        *speed =
            (qmt_train_speed){made.train->batch, rate, peak > 0 ? rate * qmt_net_training_macs(&made.table) / peak : 0};
done:
    clear_bench(&made);
    return status;
}
