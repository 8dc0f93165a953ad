/* Feature maps and convolutions of quantization without training. Plain loops that compilers vectorize; each sample is
 * computed by itself, so that threads change nothing. */
#include "toolkit/quant/ptq_internal.h"

#include <math.h>
#include <string.h>

enum { block = 16, rows = 2 };

qmtcnn_status qmt_maps_init(qmt_maps *maps, int count, int height, int width, int channels, qmtcnn_error *error)
{
    size_t all = 0;
    *maps = (qmt_maps){.height = height, .width = width, .channels = channels};
    if (!qmt_size_multiply((size_t)height * (size_t)width, (size_t)channels, &maps->size) ||
        !qmt_size_multiply(maps->size, (size_t)count, &all))
        return qmt_fail_memory(error, SIZE_MAX, "feature maps");
    maps->real = qmt_alloc(all, sizeof(float));
    maps->quantized = qmt_alloc(all, sizeof(float));
    if (maps->real && maps->quantized)
        return QMTCNN_OK;
    qmt_maps_clear(maps);
    return qmt_fail(error, QMTCNN_ERROR_MEMORY,
                    "out of memory: feature maps of %d samples; set quantize.ptq_samples lower", count);
}

void qmt_maps_clear(qmt_maps *maps)
{
    qmt_free(maps->quantized);
    qmt_free(maps->real);
    memset(maps, 0, sizeof *maps);
}

void qmt_ptq_patch(const qmt_ptq_job *job, const float *map, size_t position, float *patch)
{
    const qmt_layer *layer = job->layer;
    size_t channels = (size_t)layer->in_channels, run = channels * (size_t)layer->kernel_width;
    size_t y = position / (size_t)job->width, x = position % (size_t)job->width;
    for (size_t ky = 0; ky < (size_t)layer->kernel_height; ky++)
        memcpy(patch + ky * run, map + ((y + ky) * (size_t)job->maps->width + x) * channels, run * sizeof *patch);
}

size_t qmt_ptq_weight_at(const qmt_layer *layer, size_t tap)
{
    size_t channels = (size_t)layer->in_channels, area = (size_t)layer->kernel_height * (size_t)layer->kernel_width;
    return tap % channels * area + tap / channels;
}

/* One worker's memory: patches of one sample, both convolutions' outputs. */
typedef struct scratch {
    float *patches, *real, *quantized;
} scratch;

typedef struct convolve_task {
    const qmt_ptq_job *job;
    const float *bias[2];
    float *packed[2]; /* [blocks][taps][block], the FP32 network's and the quantized one's */
    int blocks;
    scratch *workers;
    qmt_ptq_sums *partial; /* [samples][out] */
    qmt_maps *output;
} convolve_task;

/* Blocks of output channels, the last filled up with zeros. */
static void pack(const qmt_layer *layer, size_t taps, const float *weights, float *packed)
{
    for (size_t o = 0; o < (size_t)layer->out_channels; o++)
        for (size_t t = 0; t < taps; t++)
            packed[(o / block * taps + t) * block + o % block] = weights[o * taps + qmt_ptq_weight_at(layer, t)];
}

/* `rows` patches by `block` channels. */
static void multiply(const float *patches, const float *packed, size_t taps, float sums[rows][block])
{
    float a[block] = {0}, b[block] = {0};
    const float *second = patches + taps;
    for (size_t t = 0; t < taps; t++) {
        const float *w = packed + t * block;
        float x = patches[t], y = second[t];
        for (int o = 0; o < block; o++) {
            a[o] += x * w[o];
            b[o] += y * w[o];
        }
    }
    memcpy(sums[0], a, sizeof a);
    memcpy(sums[1], b, sizeof b);
}

/* [positions][out] of one sample. There is room for one more patch, so that pairs need no end. */
static void convolve_sample(const convolve_task *task, const float *map, int which, float *patches, float *out)
{
    const qmt_ptq_job *job = task->job;
    size_t channels = (size_t)job->layer->out_channels;
    for (size_t p = 0; p < job->positions; p++)
        qmt_ptq_patch(job, map, p, patches + p * job->taps);
    for (int b = 0; b < task->blocks; b++) {
        const float *packed = task->packed[which] + (size_t)b * job->taps * block;
        size_t first = (size_t)b * block, used = channels - first < block ? channels - first : block;
        for (size_t p = 0; p < job->positions; p += rows) {
            float sums[rows][block];
            multiply(patches + p * job->taps, packed, job->taps, sums);
            for (size_t r = 0; r < rows && p + r < job->positions; r++)
                for (size_t o = 0; o < used; o++)
                    out[(p + r) * channels + first + o] = sums[r][o] + task->bias[which][first + o];
        }
    }
}

static float activate(const qmt_layer *layer, size_t channel, float y)
{
    switch (layer->activation) {
    case QMT_ACTIVATION_NONE: break;
    case QMT_ACTIVATION_RELU: return y > 0 ? y : 0;
    case QMT_ACTIVATION_PRELU: return y > 0 ? y : layer->slope[channel] * y;
    }
    return y;
}

/* Activation and pool; windows end at the border. A slope may be negative or over 1, so all values go through it. */
static void finish_sample(const convolve_task *task, const float *y, float *out)
{
    const qmt_ptq_job *job = task->job;
    const qmt_layer *layer = job->layer;
    size_t channels = (size_t)layer->out_channels;
    int kernel = layer->pool_kernel > 0 ? layer->pool_kernel : 1,
        stride = layer->pool_kernel > 0 ? layer->pool_stride : 1;
    for (int oy = 0; oy < task->output->height; oy++)
        for (int ox = 0; ox < task->output->width; ox++, out += channels)
            for (size_t c = 0; c < channels; c++) {
                float most = -INFINITY;
                for (int iy = oy * stride; iy < oy * stride + kernel && iy < job->height; iy++)
                    for (int ix = ox * stride; ix < ox * stride + kernel && ix < job->width; ix++) {
                        size_t at = ((size_t)iy * (size_t)job->width + (size_t)ix) * channels + c;
                        float value = activate(layer, c, y[at]);
                        most = value > most ? value : most;
                    }
                out[c] = most;
            }
}

static void run_sample(void *state, int sample, int worker)
{
    const convolve_task *task = state;
    const qmt_ptq_job *job = task->job;
    const scratch *own = &task->workers[worker];
    size_t s = (size_t)sample, channels = (size_t)job->layer->out_channels;
    convolve_sample(task, job->maps->real + s * job->maps->size, 0, own->patches, own->real);
    convolve_sample(task, job->maps->quantized + s * job->maps->size, 1, own->patches, own->quantized);
    qmt_ptq_sums *sums = task->partial + s * channels;
    memset(sums, 0, channels * sizeof *sums);
    for (size_t p = 0; p < job->positions; p++)
        for (size_t c = 0; c < channels; c++) {
            double real = (double)own->real[p * channels + c];
            double difference = real - (double)own->quantized[p * channels + c];
            sums[c].signal += real * real;
            sums[c].noise += difference * difference;
        }
    if (!task->output)
        return;
    finish_sample(task, own->real, task->output->real + s * task->output->size);
    finish_sample(task, own->quantized, task->output->quantized + s * task->output->size);
}

static qmtcnn_status take_memory(convolve_task *task)
{
    const qmt_ptq_job *job = task->job;
    size_t channels = (size_t)job->layer->out_channels, workers = (size_t)qmt_pool_threads(job->pool), patch_floats = 0,
           packed_floats = 0, out_floats = 0, partials = 0;
    task->blocks = (job->layer->out_channels + block - 1) / block;
    if (!qmt_size_multiply(job->positions + 1, job->taps, &patch_floats) ||
        !qmt_size_multiply((size_t)task->blocks * block, job->taps, &packed_floats) ||
        !qmt_size_multiply(job->positions, channels, &out_floats) ||
        !qmt_size_multiply((size_t)job->count, channels, &partials))
        return qmt_fail_memory(job->error, SIZE_MAX, "calibration");
    bool enough = true;
    for (int i = 0; i < 2; i++) {
        task->packed[i] = qmt_alloc_zero(packed_floats, sizeof(float));
        enough = enough && task->packed[i];
    }
    task->partial = qmt_alloc(partials, sizeof *task->partial);
    task->workers = qmt_alloc_zero(workers, sizeof *task->workers);
    enough = enough && task->partial && task->workers;
    for (size_t i = 0; enough && i < workers; i++) {
        scratch *own = &task->workers[i];
        own->patches = qmt_alloc_zero(patch_floats, sizeof(float));
        own->real = qmt_alloc(out_floats, sizeof(float));
        own->quantized = qmt_alloc(out_floats, sizeof(float));
        enough = own->patches && own->real && own->quantized;
    }
    return enough ? QMTCNN_OK : qmt_fail_memory(job->error, patch_floats * sizeof(float), "calibration");
}

static void free_memory(convolve_task *task)
{
    for (int i = 0; task->workers && i < qmt_pool_threads(task->job->pool); i++) {
        qmt_free(task->workers[i].quantized);
        qmt_free(task->workers[i].real);
        qmt_free(task->workers[i].patches);
    }
    qmt_free(task->workers);
    qmt_free(task->partial);
    qmt_free(task->packed[1]);
    qmt_free(task->packed[0]);
}

qmtcnn_status qmt_ptq_convolve(const qmt_ptq_job *job, const float *original, const float *original_bias,
                               qmt_ptq_sums *sums, qmt_maps *output)
{
    size_t channels = (size_t)job->layer->out_channels;
    convolve_task task = {.job = job, .bias = {original_bias, job->layer->bias}, .output = output};
    qmtcnn_status status = take_memory(&task);
    if (status == QMTCNN_OK) {
        pack(job->layer, job->taps, original, task.packed[0]);
        pack(job->layer, job->taps, job->layer->weight, task.packed[1]);
        qmt_pool_run(job->pool, job->count, run_sample, &task);
        memset(sums, 0, channels * sizeof *sums);
        for (size_t i = 0; i < (size_t)job->count * channels; i++) {
            sums[i % channels].signal += task.partial[i].signal;
            sums[i % channels].noise += task.partial[i].noise;
        }
    }
    free_memory(&task);
    return status;
}

typedef struct mean_task {
    const qmt_ptq_job *job;
    double *partial; /* [samples][2][taps] */
    float *patches;  /* [workers][taps] */
} mean_task;

static void sum_patches(void *state, int sample, int worker)
{
    const mean_task *task = state;
    const qmt_ptq_job *job = task->job;
    float *patch = task->patches + (size_t)worker * job->taps;
    for (int which = 0; which < 2; which++) {
        const float *maps = which == 0 ? job->maps->real : job->maps->quantized;
        double *sum = task->partial + ((size_t)sample * 2 + (size_t)which) * job->taps;
        for (size_t p = 0; p < job->positions; p++) {
            qmt_ptq_patch(job, maps + (size_t)sample * job->maps->size, p, patch);
            for (size_t t = 0; t < job->taps; t++)
                sum[t] += (double)patch[t];
        }
    }
}

qmtcnn_status qmt_ptq_means(const qmt_ptq_job *job, double *real, double *quantized)
{
    size_t all = 0;
    mean_task task = {.job = job};
    if (qmt_size_multiply(2 * (size_t)job->count, job->taps, &all)) {
        task.partial = qmt_alloc_zero(all, sizeof *task.partial);
        task.patches = qmt_alloc((size_t)qmt_pool_threads(job->pool) * job->taps, sizeof *task.patches);
    }
    qmtcnn_status status = QMTCNN_OK;
    if (task.partial && task.patches) {
        qmt_pool_run(job->pool, job->count, sum_patches, &task);
        double values = (double)job->count * (double)job->positions;
        for (size_t t = 0; t < job->taps; t++) {
            real[t] = quantized[t] = 0;
            for (size_t s = 0; s < (size_t)job->count; s++) {
                real[t] += task.partial[2 * s * job->taps + t];
                quantized[t] += task.partial[(2 * s + 1) * job->taps + t];
            }
            real[t] /= values;
            quantized[t] /= values;
        }
    } else {
        status = qmt_fail_memory(job->error, all * sizeof *task.partial, "calibration");
    }
    qmt_free(task.patches);
    qmt_free(task.partial);
    return status;
}
