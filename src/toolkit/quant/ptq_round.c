/* Rounding of weights. Adaptive rounding minimizes, a layer and channel at a time, the mean squared difference between
 * what the FP32 network's convolution gives and what the quantized one gives on its own, quantized input, each weight
 * being free to go to the step above or below it (the objective of AdaRound: Nagel and others, 2020). That is a
 * quadratic form in the weights whose matrix is the covariance of the input's patches, so that no network needs to run
 * while it is minimized: weight after weight takes the better step until none changes. Means don't count where biases
 * take them up. */
#include "toolkit/base/random.h"
#include "toolkit/quant/ptq_internal.h"

#include <math.h>
#include <string.h>

enum {
    most_places = 8192, /* patches that the covariance is made from */
    most_taps = 4096,   /* beyond, its matrix takes too much memory: nearest */
    row_block = 8,      /* rows of the matrix that are made at once */
    portion = 256,      /* patches that are summed in float before the sum goes to double */
    most_sweeps = 20
};

/* Added to the diagonal, as a share of its mean: what few samples don't tell stays with the nearest step. */
static const double damping = 0.01;

typedef struct round_task {
    const qmt_ptq_job *job;
    const float *scales;
    size_t places;
    float *patches[2];          /* [places][taps]: of the FP32 network and of the quantized one */
    double *means[2];           /* [taps] of them; 0 where means count */
    double *covariance, *cross; /* [taps][taps]: quantized with itself, quantized (row) with FP32 */
    float *portions;            /* [workers][2][row_block][taps] */
    double *weights;            /* [workers][3][taps]: original, rounded, gradient */
} round_task;

/* Places spread evenly over all of all samples, at random within their share. */
static void draw_patches(const round_task *task)
{
    const qmt_ptq_job *job = task->job;
    uint64_t all = (uint64_t)job->count * job->positions;
    qmt_random random = qmt_random_stream(1, job->taps, job->positions);
    for (size_t i = 0; i < task->places; i++) {
        uint64_t from = all * i / task->places, to = all * (i + 1) / task->places;
        uint64_t place = from + qmt_random_below(&random, to - from);
        size_t sample = (size_t)(place / job->positions), position = (size_t)(place % job->positions);
        qmt_ptq_patch(job, job->maps->real + sample * job->maps->size, position, task->patches[0] + i * job->taps);
        qmt_ptq_patch(job, job->maps->quantized + sample * job->maps->size, position, task->patches[1] + i * job->taps);
    }
}

static void set_means(const round_task *task)
{
    size_t taps = task->job->taps;
    for (int which = 0; which < 2 && task->job->config->bias_correction; which++) {
        for (size_t i = 0; i < task->places; i++)
            for (size_t t = 0; t < taps; t++)
                task->means[which][t] += (double)task->patches[which][i * taps + t];
        for (size_t t = 0; t < taps; t++)
            task->means[which][t] /= (double)task->places;
    }
}

/* Adds x * row to sum. Zeros are many after a ReLU. */
static void add_scaled(float *sum, float x, const float *row, size_t count)
{
    if (x == 0)
        return;
    for (size_t i = 0; i < count; i++)
        sum[i] += x * row[i];
}

/* Some rows of both matrices. */
static void correlate_rows(void *state, int index, int worker)
{
    const round_task *task = state;
    size_t taps = task->job->taps, first = (size_t)index * row_block;
    size_t used = taps - first < row_block ? taps - first : row_block;
    float *own = task->portions + (size_t)worker * 2 * row_block * taps;
    for (size_t start = 0; start < task->places; start += portion) {
        size_t end = start + portion < task->places ? start + portion : task->places;
        memset(own, 0, 2 * row_block * taps * sizeof *own);
        for (size_t i = start; i < end; i++)
            for (size_t r = 0; r < used; r++) {
                float x = task->patches[1][i * taps + first + r];
                add_scaled(own + r * taps, x, task->patches[1] + i * taps, taps);
                add_scaled(own + (row_block + r) * taps, x, task->patches[0] + i * taps, taps);
            }
        for (size_t r = 0; r < used; r++)
            for (size_t t = 0; t < taps; t++) {
                task->covariance[(first + r) * taps + t] += (double)own[r * taps + t];
                task->cross[(first + r) * taps + t] += (double)own[(row_block + r) * taps + t];
            }
    }
    for (size_t r = first; r < first + used; r++)
        for (size_t t = 0; t < taps; t++) {
            double *a = &task->covariance[r * taps + t], *b = &task->cross[r * taps + t];
            *a = *a / (double)task->places - task->means[1][r] * task->means[1][t];
            *b = *b / (double)task->places - task->means[1][r] * task->means[0][t];
        }
}

static void damp(const round_task *task)
{
    size_t taps = task->job->taps;
    double sum = 0;
    for (size_t t = 0; t < taps; t++)
        sum += task->covariance[t * taps + t];
    double more = damping * sum / (double)taps;
    for (size_t t = 0; t < taps; t++) {
        task->covariance[t * taps + t] += more;
        task->cross[t * taps + t] += more;
    }
}

/* Steps of a weight: the nearest, within the range. */
static double nearest_step(double w, double scale)
{
    double steps = rint(w / scale);
    return steps > 127 ? 127 : steps < -127 ? -127 : steps;
}

static double product(const double *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* The step on the other side of a weight; false where there is none to go to. */
static bool other_step(double w, double scale, double step, double *other)
{
    double steps = w / scale;
    if (fabs(steps) >= 126.5)
        return false;
    *other = step == floor(steps) ? ceil(steps) : floor(steps);
    return *other != step;
}

/* Each weight takes the step that makes the channel's error less, until none changes. */
static void round_channel(void *state, int channel, int worker)
{
    const round_task *task = state;
    const qmt_layer *layer = task->job->layer;
    size_t taps = task->job->taps;
    double *original = task->weights + (size_t)worker * 3 * taps, *rounded = original + taps,
           *gradient = rounded + taps;
    float *weights = layer->weight + (size_t)channel * taps;
    double scale = (double)task->scales[channel];
    for (size_t t = 0; t < taps; t++) {
        original[t] = (double)weights[qmt_ptq_weight_at(layer, t)];
        rounded[t] = nearest_step(original[t], scale) * scale;
    }
    for (size_t t = 0; t < taps; t++)
        gradient[t] =
            product(task->covariance + t * taps, rounded, taps) - product(task->cross + t * taps, original, taps);
    bool changed = true;
    for (int sweep = 0; sweep < most_sweeps && changed; sweep++) {
        changed = false;
        for (size_t t = 0; t < taps; t++) {
            double other, step = rint(rounded[t] / scale);
            if (!other_step(original[t], scale, step, &other))
                continue;
            double change = (other - step) * scale, *row = task->covariance + t * taps;
            /* Half the change of the error; a gain lost in rounding would go back and forth. */
            if (!(change * (gradient[t] + change * row[t] / 2) < -1e-12 * change * change * row[t]))
                continue;
            rounded[t] = other * scale;
            for (size_t i = 0; i < taps; i++)
                gradient[i] += change * row[i];
            changed = true;
        }
    }
    for (size_t t = 0; t < taps; t++)
        weights[qmt_ptq_weight_at(layer, t)] = (float)rounded[t];
}

static qmtcnn_status take_memory(round_task *task)
{
    const qmt_ptq_job *job = task->job;
    size_t taps = job->taps, workers = (size_t)qmt_pool_threads(job->pool);
    task->covariance = qmt_alloc_zero(taps * taps, sizeof(double));
    task->cross = qmt_alloc_zero(taps * taps, sizeof(double));
    task->portions = qmt_alloc(workers * 2 * row_block * taps, sizeof(float));
    task->weights = qmt_alloc(workers * 3 * taps, sizeof(double));
    bool enough = task->covariance && task->cross && task->portions && task->weights;
    for (int i = 0; i < 2; i++) {
        task->patches[i] = qmt_alloc(task->places * taps, sizeof(float));
        task->means[i] = qmt_alloc_zero(taps, sizeof(double));
        enough = enough && task->patches[i] && task->means[i];
    }
    return enough ? QMTCNN_OK
                  : qmt_fail_memory(job->error, 2 * (taps * sizeof(double) + task->places * sizeof(float)) * taps,
                                    "adaptive rounding");
}

static void free_memory(round_task *task)
{
    for (int i = 0; i < 2; i++) {
        qmt_free(task->means[i]);
        qmt_free(task->patches[i]);
    }
    qmt_free(task->weights);
    qmt_free(task->portions);
    qmt_free(task->cross);
    qmt_free(task->covariance);
}

static void round_nearest(const qmt_ptq_job *job, const float *scales)
{
    for (size_t c = 0; c < (size_t)job->layer->out_channels; c++)
        for (size_t i = c * job->taps; i < (c + 1) * job->taps; i++)
            job->layer->weight[i] = (float)qmt_quantize_value(job->layer->weight[i], scales[c]) * scales[c];
}

qmtcnn_status qmt_ptq_round(const qmt_ptq_job *job, const float *scales)
{
    if (job->config->rounding == QMT_ROUND_NEAREST || job->taps > most_taps) {
        round_nearest(job, scales);
        return QMTCNN_OK;
    }
    size_t all = (size_t)job->count * job->positions;
    round_task task = {.job = job, .scales = scales, .places = all < most_places ? all : most_places};
    qmtcnn_status status = take_memory(&task);
    if (status == QMTCNN_OK) {
        draw_patches(&task);
        set_means(&task);
        qmt_pool_run(job->pool, (int)((job->taps + row_block - 1) / row_block), correlate_rows, &task);
        damp(&task);
        qmt_pool_run(job->pool, job->layer->out_channels, round_channel, &task);
    }
    free_memory(&task);
    return status;
}
