/* Layer by layer: the INT8 network beside the same weights in FP32, and beside the FP32 model, all fed the same pixels.
 */
#include "runtime/model/onnx.h"
#include "toolkit/evaluate/compare.h"
#include "toolkit/evaluate/inputs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { max_taps = qmt_max_layers + qmt_head_count };

/* Which network a pass is of. */
enum { quantized, unquantized, trained_fp32, pass_count };

/* One layer's output in one pass, as floats. */
struct recorded {
    float *values; /* [height][width][channels] */
    size_t capacity;
    int height, width, channels; /* 0: nothing recorded */
};

/* Sums over all inputs for one layer. */
struct layer_sums {
    char name[64];
    bool int8;
    int channels;
    size_t values, saturated;
    double signal, noise, dot, quantized_power; /* against the same weights */
    double signal_fp32, noise_fp32, dot_fp32;   /* against the FP32 model */
    bool comparable;                            /* the FP32 model's layer has the same shape */
    uint8_t *alive, *alive_fp32;                /* a channel each */
};

struct state {
    qmt_detector *detectors[pass_count];
    qmt_workspace *workspace;
    struct recorded passes[pass_count][max_taps];
    struct layer_sums sums[qmt_net_count][max_taps];
    /* The pass that is on. */
    int pass;
    qmt_net_id net;
    qmtcnn_status status;
};

/* ---- Recording ------------------------------------------------------------------------------- */

/* A value of an INT8 or uint8 tensor, in steps. */
static int step_at(const qmt_tap_tensor *tensor, size_t i)
{
    return tensor->is_unsigned ? (uint8_t)tensor->int8[i] : tensor->int8[i];
}

static void note_saturation(struct layer_sums *sums, const qmt_tap_tensor *tensor, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int step = step_at(tensor, i);
        sums->saturated += tensor->is_unsigned ? step == 255 : step == 127 || step <= -127;
    }
}

static void record(void *argument, const qmt_tap_tensor *tensor)
{
    struct state *state = argument;
    if (tensor->layer < 0 || tensor->layer >= max_taps || state->status != QMTCNN_OK)
        return;
    struct recorded *to = &state->passes[state->pass][tensor->layer];
    size_t count = (size_t)tensor->height * (size_t)tensor->width * (size_t)tensor->channels;
    state->status = qmt_grow((void **)&to->values, &to->capacity, 0, count, sizeof *to->values, NULL);
    if (state->status != QMTCNN_OK)
        return;
    to->height = tensor->height;
    to->width = tensor->width;
    to->channels = tensor->channels;
    for (size_t i = 0; i < count; i++)
        to->values[i] = tensor->int8 ? (float)step_at(tensor, i) * tensor->scale : tensor->real[i];
    if (state->pass == quantized) {
        struct layer_sums *sums = &state->sums[state->net][tensor->layer];
        snprintf(sums->name, sizeof sums->name, "%s", tensor->name ? tensor->name : "");
        sums->int8 = tensor->int8 != NULL;
        if (tensor->int8)
            note_saturation(sums, tensor, count);
    }
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static bool same_shape(const struct recorded *a, const struct recorded *b)
{
    return a->channels > 0 && a->height == b->height && a->width == b->width && a->channels == b->channels;
}

static qmtcnn_status compare_layer(struct layer_sums *sums, const struct recorded *int8, const struct recorded *same,
                                   const struct recorded *fp32, qmtcnn_error *error)
{
    size_t channels = (size_t)int8->channels;
    size_t count = (size_t)int8->height * (size_t)int8->width * channels;
    bool comparable = same_shape(int8, fp32);
    if (!sums->alive) {
        sums->alive = qmt_alloc_zero(channels, 1);
        sums->alive_fp32 = qmt_alloc_zero(channels, 1);
        sums->channels = int8->channels;
        sums->comparable = comparable;
        if (!sums->alive || !sums->alive_fp32)
            return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: %zu channels", channels);
    }
    if (sums->channels != int8->channels || !same_shape(int8, same))
        return QMTCNN_OK;
    sums->comparable = sums->comparable && comparable;
    sums->values += count;
    for (size_t i = 0; i < count; i++) {
        double q = (double)int8->values[i], x = (double)same->values[i];
        sums->signal += x * x;
        sums->noise += (q - x) * (q - x);
        sums->dot += q * x;
        sums->quantized_power += q * q;
        sums->alive[i % channels] |= q != 0;
        sums->alive_fp32[i % channels] |= x != 0;
    }
    for (size_t i = 0; comparable && i < count; i++) {
        double q = (double)int8->values[i], x = (double)fp32->values[i];
        sums->signal_fp32 += x * x;
        sums->noise_fp32 += (q - x) * (q - x);
        sums->dot_fp32 += q * x;
    }
    return QMTCNN_OK;
}

/* Runs all three networks on one input, and compares. */
static qmtcnn_status compare_input(void *argument, qmt_net_id net, const uint8_t *pixels, int height, int width,
                                   qmtcnn_error *error)
{
    struct state *state = argument;
    const qmt_outputs outputs = {0};
    state->net = net;
    state->status = QMTCNN_OK;
    for (int pass = 0; pass < pass_count; pass++) {
        for (int i = 0; i < max_taps; i++)
            state->passes[pass][i].channels = 0;
        state->pass = pass;
        qmtcnn_status status =
            qmt_network_run(qmt_detector_network(state->detectors[pass], net), state->workspace, pixels,
                            3 * (ptrdiff_t)width, 1, height, width, &outputs, record, state, error);
        if (status != QMTCNN_OK)
            return status;
        if (state->status != QMTCNN_OK)
            return qmt_fail(error, state->status, "out of memory: a layer's output");
    }
    for (int i = 0; i < max_taps; i++) {
        if (state->passes[quantized][i].channels == 0)
            continue;
        qmtcnn_status status = compare_layer(&state->sums[net][i], &state->passes[quantized][i],
                                             &state->passes[unquantized][i], &state->passes[trained_fp32][i], error);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}

/* ---- Results --------------------------------------------------------------------------------- */

static double decibels(double signal, double noise)
{
    if (signal <= 0)
        return NAN;
    return noise > 0 ? 10 * log10(signal / noise) : INFINITY;
}

static double cosine(double dot, double a, double b)
{
    return a > 0 && b > 0 ? dot / sqrt(a * b) : NAN;
}

static int count_dead(const uint8_t *alive, int channels)
{
    int dead = 0;
    for (int i = 0; i < channels; i++)
        dead += !alive[i];
    return dead;
}

static qmt_layer_difference difference_of(const struct layer_sums *sums, qmt_net_id net, int order)
{
    qmt_layer_difference to = {.net = net, .order = order, .channels = sums->channels, .int8 = sums->int8};
    snprintf(to.name, sizeof to.name, "%s", sums->name);
    to.values = sums->values;
    to.sqnr = decibels(sums->signal, sums->noise);
    to.cosine = cosine(sums->dot, sums->signal, sums->quantized_power);
    to.sqnr_fp32 = sums->comparable ? decibels(sums->signal_fp32, sums->noise_fp32) : NAN;
    to.cosine_fp32 = sums->comparable ? cosine(sums->dot_fp32, sums->signal_fp32, sums->quantized_power) : NAN;
    to.saturation = sums->int8 && sums->values ? (double)sums->saturated / (double)sums->values : NAN;
    to.dead = count_dead(sums->alive, sums->channels);
    to.dead_fp32 = count_dead(sums->alive_fp32, sums->channels);
    return to;
}

/* NAN (a layer that is 0 everywhere) is worst of all. */
static int worst_first(const void *left, const void *right)
{
    const qmt_layer_difference *a = left, *b = right;
    double sqnr_a = isnan(a->sqnr) ? -INFINITY : a->sqnr, sqnr_b = isnan(b->sqnr) ? -INFINITY : b->sqnr;
    if (sqnr_a != sqnr_b)
        return sqnr_a > sqnr_b ? 1 : -1;
    if (a->net != b->net)
        return a->net > b->net ? 1 : -1;
    return (a->order > b->order) - (a->order < b->order);
}

static qmtcnn_status gather(const struct state *state, qmt_layer_differences *differences, qmtcnn_error *error)
{
    differences->layers = qmt_alloc_zero(qmt_net_count * max_taps, sizeof *differences->layers);
    if (!differences->layers)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: the layers' figures");
    for (int net = 0; net < qmt_net_count; net++)
        for (int i = 0; i < max_taps; i++)
            if (state->sums[net][i].values)
                differences->layers[differences->count++] = difference_of(&state->sums[net][i], (qmt_net_id)net, i);
    qsort(differences->layers, differences->count, sizeof *differences->layers, worst_first);
    return QMTCNN_OK;
}

void qmt_layer_differences_clear(qmt_layer_differences *differences)
{
    qmt_free(differences->layers);
    differences->layers = NULL;
    differences->count = 0;
}

static void free_state(struct state *state)
{
    for (int pass = 0; pass < pass_count; pass++) {
        qmt_detector_close(state->detectors[pass]);
        for (int i = 0; i < max_taps; i++)
            qmt_free(state->passes[pass][i].values);
    }
    for (int net = 0; net < qmt_net_count; net++) {
        for (int i = 0; i < max_taps; i++) {
            qmt_free(state->sums[net][i].alive);
            qmt_free(state->sums[net][i].alive_fp32);
        }
    }
    qmt_workspace_free(state->workspace);
    qmt_free(state);
}

static qmtcnn_status open_all(struct state *state, const char *fp32, const char *int8, qmtcnn_error *error)
{
    const struct {
        const char *folder;
        qmtcnn_precision precision;
    } want[pass_count] = {{int8, QMTCNN_PRECISION_AUTO}, {int8, QMTCNN_PRECISION_FP32}, {fp32, QMTCNN_PRECISION_FP32}};
    qmtcnn_status status = qmt_workspace_create(&state->workspace, error);
    for (int pass = 0; status == QMTCNN_OK && pass < pass_count; pass++) {
        qmt_network_source sources[qmt_net_count];
        qmt_sources_all(sources, want[pass].folder, want[pass].precision);
        status = qmt_detector_open(sources, QMT_ONET, &state->detectors[pass], error);
    }
    return status;
}

qmtcnn_status qmt_compare_layers(const qmt_dataset *dataset, const char *fp32, const char *int8,
                                 const qmtcnn_options *options, int pictures, qmt_layer_differences *differences,
                                 qmtcnn_error *error)
{
    memset(differences, 0, sizeof *differences);
    struct state *state = qmt_alloc_zero(1, sizeof *state);
    if (!state)
        return qmt_fail_memory(error, sizeof *state, "comparing layers");
    qmtcnn_status status = open_all(state, fp32, int8, error);
    if (status == QMTCNN_OK)
        status = qmt_feed_inputs(dataset, state->detectors[trained_fp32], options, pictures, compare_input, state,
                                 differences->inputs, error);
    if (status == QMTCNN_OK)
        status = gather(state, differences, error);
    free_state(state);
    return status;
}
