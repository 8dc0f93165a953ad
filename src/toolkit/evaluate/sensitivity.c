#include "toolkit/evaluate/sensitivity.h"

#include "runtime/base/clock.h"
#include "toolkit/base/stop.h"
#include "toolkit/evaluate/compare.h"
#include "toolkit/evaluate/inputs.h"
#include "toolkit/evaluate/sensitivity_mixes.h"
#include "toolkit/log/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { noise_pictures = 24, numbers_per_cell = 1 + 4 + 10, timed_runs = 3 };

struct study {
    const qmt_config *config;
    qmtcnn_options options;
    int threads;
    qmt_dataset part; /* the pictures that are looked at; labels are the data set's */
    qmt_truth *truth;
    qmt_mixed_models models;
    qmt_sensitivity *result;
    qmt_progress *progress;
    double runs; /* done */
};

/* ---- Noise in the networks' outputs ---------------------------------------------------------- */

/* Networks of one kind of mix of one network, and what their outputs differ by. */
struct probe {
    qmt_network *network;
    qmt_net_id net;
    double noise[qmt_head_count];
    double seconds;
};

struct noise {
    struct probe base[qmt_net_count]; /* FP32; `noise` holds the signal */
    struct probe int8[qmt_net_count];
    struct probe alone[qmt_most_units], kept[qmt_most_units];
    size_t units;
    qmt_workspace *workspace;
    float *values[2];
    size_t capacity[2];
};

/* A network's outputs in one array: logits, then boxes, then landmarks. */
static qmtcnn_status run_network(struct noise *noise, int which, const qmt_network *network, const uint8_t *pixels,
                                 int height, int width, size_t *cells, qmtcnn_error *error)
{
    int out_height, out_width;
    if (!qmt_network_output_size(network, height, width, &out_height, &out_width))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "an input of %d x %d", width, height);
    *cells = (size_t)out_height * (size_t)out_width;
    qmtcnn_status status = qmt_grow((void **)&noise->values[which], &noise->capacity[which], 0,
                                    numbers_per_cell * *cells, sizeof(float), error);
    if (status != QMTCNN_OK)
        return status;
    float *values = noise->values[which];
    const qmt_outputs outputs = {.logit = values,
                                 .box = qmt_network_has_head(network, QMT_HEAD_BOX) ? values + *cells : NULL,
                                 .landmarks =
                                     qmt_network_has_head(network, QMT_HEAD_LANDMARKS) ? values + 5 * *cells : NULL};
    return qmt_network_run(network, noise->workspace, pixels, 3 * (ptrdiff_t)width, 1, height, width, &outputs, NULL,
                           NULL, error);
}

static void add_noise(const struct noise *noise, const qmt_network *network, size_t cells, bool signal, double *sums)
{
    static const size_t first[qmt_head_count + 1] = {0, 1, 5, numbers_per_cell};
    for (int head = 0; head < qmt_head_count; head++)
        for (size_t i = first[head] * cells;
             qmt_network_has_head(network, (qmt_head)head) && i < first[head + 1] * cells; i++) {
            double base = (double)noise->values[0][i], other = signal ? 0 : (double)noise->values[1][i];
            sums[head] += (other - base) * (other - base);
        }
}

/* Takes the least of a few times: what others do on the machine only adds. Processor time, and no other thread of this
 * process works meanwhile. */
static qmtcnn_status run_timed(struct noise *noise, struct probe *probe, bool timed, const uint8_t *pixels, int height,
                               int width, size_t *cells, qmtcnn_error *error)
{
    double least = INFINITY;
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; status == QMTCNN_OK && i < (timed ? timed_runs : 1); i++) {
        clock_t start = clock();
        status = run_network(noise, 1, probe->network, pixels, height, width, cells, error);
        least = fmin(least, (double)(clock() - start) / CLOCKS_PER_SEC);
    }
    probe->seconds += least;
    return status;
}

static qmtcnn_status probe_input(void *argument, qmt_net_id net, const uint8_t *pixels, int height, int width,
                                 qmtcnn_error *error)
{
    struct noise *noise = argument;
    size_t cells = 0;
    if (qmt_stop_requested())
        return qmt_fail(error, QMTCNN_ERROR_INTERRUPTED, "stopped while measuring the layers' noise");
    qmtcnn_status status = run_network(noise, 0, noise->base[net].network, pixels, height, width, &cells, error);
    if (status != QMTCNN_OK)
        return status;
    add_noise(noise, noise->base[net].network, cells, true, noise->base[net].noise);
    for (size_t i = 0; status == QMTCNN_OK && i < 2 * noise->units + 1; i++) {
        struct probe *probe = i == 2 * noise->units ? &noise->int8[net]
                              : i < noise->units    ? &noise->alone[i]
                                                    : &noise->kept[i - noise->units];
        if (probe->net != net)
            continue;
        status = run_timed(noise, probe, i >= noise->units, pixels, height, width, &cells, error);
        if (status == QMTCNN_OK)
            add_noise(noise, probe->network, cells, false, probe->noise);
    }
    return status;
}

static qmtcnn_status make_probe(const qmt_mixed_models *models, qmt_net_id net, qmt_mix_kind kind, const qmt_unit *unit,
                                struct probe *probe, qmtcnn_error *error)
{
    qmt_mix_view view;
    qmt_mix_make(models, net, kind, unit, &view);
    probe->net = net;
    return qmt_network_create(&view.model, QMTCNN_PRECISION_AUTO, NULL, &probe->network, error);
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : NAN;
}

/* The least over the heads, dB. */
static double worst_sqnr(const struct noise *noise, const struct probe *probe)
{
    double least = INFINITY;
    for (int head = 0; head < qmt_head_count; head++) {
        double signal = noise->base[probe->net].noise[head];
        if (signal > 0 && probe->noise[head] > 0)
            least = fmin(least, 10 * log10(signal / probe->noise[head]));
    }
    return least;
}

static void free_noise(struct noise *noise)
{
    for (int net = 0; net < qmt_net_count; net++) {
        qmt_network_free(noise->base[net].network);
        qmt_network_free(noise->int8[net].network);
    }
    for (size_t i = 0; i < noise->units; i++) {
        qmt_network_free(noise->alone[i].network);
        qmt_network_free(noise->kept[i].network);
    }
    qmt_workspace_free(noise->workspace);
    qmt_free(noise->values[0]);
    qmt_free(noise->values[1]);
    qmt_free(noise);
}

static qmtcnn_status make_probes(const qmt_mixed_models *models, struct noise *noise, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_workspace_create(&noise->workspace, error);
    noise->units = models->unit_count;
    for (int net = 0; status == QMTCNN_OK && net < qmt_net_count; net++) {
        status = make_probe(models, (qmt_net_id)net, QMT_MIX_FP32, NULL, &noise->base[net], error);
        if (status == QMTCNN_OK)
            status = make_probe(models, (qmt_net_id)net, QMT_MIX_INT8, NULL, &noise->int8[net], error);
    }
    for (size_t i = 0; status == QMTCNN_OK && i < models->unit_count; i++) {
        const qmt_unit *unit = &models->units[i];
        status = make_probe(models, unit->net, QMT_MIX_ALONE, unit, &noise->alone[i], error);
        if (status == QMTCNN_OK)
            status = make_probe(models, unit->net, QMT_MIX_KEPT, unit, &noise->kept[i], error);
    }
    return status;
}

static qmtcnn_status open_mix(const struct study *study, qmt_mix_kind kind, const qmt_unit *unit,
                              qmt_detector **detector, qmtcnn_error *error)
{
    qmt_mix_view *views = qmt_alloc(qmt_net_count, sizeof *views);
    const qmt_model *models[qmt_net_count];
    if (!views)
        return qmt_fail_memory(error, qmt_net_count * sizeof *views, "networks");
    for (int net = 0; net < qmt_net_count; net++) {
        qmt_mix_make(&study->models, (qmt_net_id)net, kind, unit, &views[net]);
        models[net] = &views[net].model;
    }
    qmtcnn_status status = qmt_detector_from_models(models, detector, error);
    qmt_free(views);
    return status;
}

/* SQNR of the outputs, on inputs that the networks without quantization propose. */
static qmtcnn_status measure_noise(struct study *study, qmtcnn_error *error)
{
    qmt_sensitivity *result = study->result;
    qmt_detector *detector = NULL;
    struct noise *noise = qmt_alloc_zero(1, sizeof *noise);
    if (!noise)
        return qmt_fail_memory(error, sizeof *noise, "the layers' noise");
    qmtcnn_status status = make_probes(&study->models, noise, error);
    if (status == QMTCNN_OK)
        status = open_mix(study, QMT_MIX_FP32, NULL, &detector, error);
    if (status == QMTCNN_OK)
        status = qmt_feed_inputs(&study->part, detector, &study->options, noise_pictures, probe_input, noise,
                                 result->inputs, error);
    if (status == QMTCNN_OK) {
        for (int net = 0; net < qmt_net_count; net++)
            result->sqnr[net] = worst_sqnr(noise, &noise->int8[net]);
        for (size_t i = 0; i < result->count; i++) {
            double kept = worst_sqnr(noise, &noise->kept[i]), all = result->sqnr[result->layers[i].net];
            result->layers[i].sqnr = worst_sqnr(noise, &noise->alone[i]);
            result->layers[i].sqnr_won = isinf(all) ? 0 : kept - all;
            result->layers[i].time = ratio(noise->kept[i].seconds, noise->int8[result->layers[i].net].seconds);
        }
    }
    qmt_detector_close(detector);
    free_noise(noise);
    return status;
}

/* ---- Average precision ----------------------------------------------------------------------- */

/* A mix over the pictures. */
struct run {
    qmt_detections *found;
    qmt_ranking *ranking;
    double ap;
};

static void clear_run(struct run *run)
{
    qmt_ranking_free(run->ranking);
    qmt_detections_free(run->found);
    *run = (struct run){0};
}

static qmtcnn_status run_mix(struct study *study, qmt_mix_kind kind, const qmt_unit *unit, struct run *run,
                             qmtcnn_error *error)
{
    static const char *const how[] = {"all FP32", "all INT8", "INT8 alone", "kept FP32"};
    qmt_detector *detector = NULL;
    char note[96] = "";
    if (unit)
        snprintf(note, sizeof note, "%s/%s %s", qmt_net_name(unit->net), qmt_unit_name(&study->models, unit),
                 how[kind]);
    qmtcnn_status status = open_mix(study, kind, unit, &detector, error);
    if (status == QMTCNN_OK)
        status = qmt_detector_run(detector, &study->part, &study->options, study->threads, NULL, &run->found, error);
    if (status == QMTCNN_OK)
        status = qmt_rank_detections(study->truth, run->found, study->config->evaluate.iou, &run->ranking, error);
    if (status == QMTCNN_OK)
        run->ap = qmt_ranking_ap(run->ranking, NULL);
    qmt_progress_set(study->progress, ++study->runs, unit ? note : how[kind]);
    qmt_detector_close(detector);
    return status;
}

static qmtcnn_status difference(const struct study *study, const struct run *from, const struct run *to,
                                qmt_difference *difference, qmtcnn_error *error)
{
    const int resamplings = study->config->evaluate.bootstrap;
    if (resamplings > 0)
        return qmt_bootstrap(from->ranking, to->ranking, resamplings, study->config->run.seed, difference, error);
    *difference = (qmt_difference){to->ap - from->ap, NAN, NAN, from->ap > 0 ? to->ap / from->ap : NAN, NAN, NAN, 0};
    return QMTCNN_OK;
}

static qmtcnn_status measure_layer(struct study *study, size_t i, const struct run *fp32, const struct run *int8,
                                   qmtcnn_error *error)
{
    qmt_layer_sensitivity *layer = &study->result->layers[i];
    const qmt_unit *unit = &study->models.units[i];
    struct run run = {0};
    qmtcnn_status status = run_mix(study, QMT_MIX_ALONE, unit, &run, error);
    if (status == QMTCNN_OK)
        status = difference(study, fp32, &run, &layer->alone, error);
    layer->ap_alone = run.ap;
    clear_run(&run);
    if (status == QMTCNN_OK)
        status = run_mix(study, QMT_MIX_KEPT, unit, &run, error);
    if (status == QMTCNN_OK)
        status = difference(study, int8, &run, &layer->kept, error);
    layer->ap_kept = run.ap;
    clear_run(&run);
    return status;
}

static qmtcnn_status measure_ap(struct study *study, qmtcnn_error *error)
{
    qmt_sensitivity *result = study->result;
    struct run fp32 = {0}, int8 = {0};
    study->progress = qmt_progress_start("sensitivity", "runs", 2 + 2 * (double)result->count);
    qmtcnn_status status = run_mix(study, QMT_MIX_FP32, NULL, &fp32, error);
    if (status == QMTCNN_OK)
        status = run_mix(study, QMT_MIX_INT8, NULL, &int8, error);
    if (status == QMTCNN_OK)
        status = difference(study, &fp32, &int8, &result->all, error);
    if (status == QMTCNN_OK) {
        result->ap_fp32 = fp32.ap;
        result->ap_int8 = int8.ap;
        result->faces = fp32.ranking->face_count;
    }
    for (size_t i = 0; status == QMTCNN_OK && i < result->count; i++)
        status = measure_layer(study, i, &fp32, &int8, error);
    qmt_progress_finish(study->progress);
    clear_run(&int8);
    clear_run(&fp32);
    return status;
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* AP of the layer alone, then SQNR; a NAN is no loss. */
static int worst_first(const void *left, const void *right)
{
    const qmt_layer_sensitivity *a = left, *b = right;
    double ap_a = isnan(a->alone.difference) ? 0 : a->alone.difference;
    double ap_b = isnan(b->alone.difference) ? 0 : b->alone.difference;
    if (ap_a != ap_b)
        return ap_a > ap_b ? 1 : -1;
    return (a->sqnr > b->sqnr) - (a->sqnr < b->sqnr);
}

static qmtcnn_status choose_pictures(struct study *study, const qmt_dataset *dataset, int pictures, qmtcnn_error *error)
{
    size_t count =
        pictures > 0 && (size_t)pictures < dataset->picture_count ? (size_t)pictures : dataset->picture_count;
    study->part = *dataset;
    study->part.memory = NULL;
    study->part.picture_count = count;
    study->part.pictures = qmt_alloc(count, sizeof *study->part.pictures);
    if (!study->part.pictures)
        return qmt_fail_memory(error, count * sizeof *study->part.pictures, "a list of pictures");
    for (size_t i = 0; i < count; i++)
        study->part.pictures[i] =
            dataset->pictures[(size_t)((double)i * (double)dataset->picture_count / (double)count)];
    study->result->pictures = count;
    study->result->of_pictures = dataset->picture_count;
    return qmt_truth_from_dataset(&study->part, study->config->evaluate.min_face, &study->truth, error);
}

static qmtcnn_status make_result(struct study *study, qmtcnn_error *error)
{
    qmt_sensitivity *result = study->result;
    result->count = study->models.unit_count;
    result->layers = qmt_alloc_zero(result->count, sizeof *result->layers);
    if (!result->layers)
        return qmt_fail_memory(error, result->count * sizeof *result->layers, "the layers' figures");
    for (size_t i = 0; i < result->count; i++) {
        const qmt_unit *unit = &study->models.units[i];
        qmt_layer_sensitivity *layer = &result->layers[i];
        layer->net = unit->net;
        snprintf(layer->name, sizeof layer->name, "%s", qmt_unit_name(&study->models, unit));
        layer->macs = qmt_unit_macs(&study->models, unit);
        layer->rounded_before = qmt_unit_rounded_before(&study->models, unit);
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_sensitivity_measure(const qmt_dataset *dataset, const char *fp32, const char *int8,
                                      const qmt_config *config, int pictures, int threads, qmt_sensitivity **result,
                                      qmtcnn_error *error)
{
    double start = qmt_seconds();
    *result = NULL;
    struct study *study = qmt_alloc_zero(1, sizeof *study);
    qmt_sensitivity *made = qmt_alloc_zero(1, sizeof *made);
    qmtcnn_status status = QMTCNN_OK;
    if (!study || !made) {
        status = qmt_fail_memory(error, sizeof *study, "a study of the layers");
        goto done;
    }
    study->config = config;
    study->options = qmt_evaluate_options(config);
    study->threads = threads;
    study->result = made;
    status = qmt_mixed_models_open(fp32, int8, &study->models, error);
    if (status == QMTCNN_OK)
        status = choose_pictures(study, dataset, pictures, error);
    if (status == QMTCNN_OK)
        status = make_result(study, error);
    if (status == QMTCNN_OK)
        status = measure_noise(study, error);
    if (status == QMTCNN_OK)
        status = measure_ap(study, error);
    if (status == QMTCNN_OK) {
        qsort(made->layers, made->count, sizeof *made->layers, worst_first);
        made->seconds = qmt_seconds() - start;
        *result = made;
        made = NULL;
    }
done:
    if (study) {
        qmt_truth_free(study->truth);
        qmt_free(study->part.pictures);
        qmt_mixed_models_close(&study->models);
    }
    qmt_sensitivity_free(made);
    qmt_free(study);
    return status;
}

void qmt_sensitivity_free(qmt_sensitivity *sensitivity)
{
    if (!sensitivity)
        return;
    qmt_free(sensitivity->layers);
    qmt_free(sensitivity);
}
