#include "toolkit/evaluate/compare.h"

#include "runtime/base/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { layer_pictures = 24 };

void qmt_mix_name(int mix, char name[16])
{
    snprintf(name, 16, "P%s R%s O%s", mix & 1 ? "8" : "32", mix & 2 ? "8" : "32", mix & 4 ? "8" : "32");
}

bool qmt_comparison_passes(const qmt_comparison *comparison)
{
    /* 0 asks for nothing, even where FP32 finds nothing and retention is no number. */
    return comparison->retention >= comparison->min_retention || comparison->min_retention <= 0;
}

void qmt_comparison_free(qmt_comparison *comparison)
{
    if (!comparison)
        return;
    qmt_sensitivity_free(comparison->sensitivity);
    qmt_agreement_clear(&comparison->agreement);
    qmt_layer_differences_clear(&comparison->layers);
    qmt_detections_free(comparison->found_ptq);
    qmt_detections_free(comparison->found_int8);
    qmt_detections_free(comparison->found_fp32);
    qmt_free(comparison);
}

/* ---- Accuracy -------------------------------------------------------------------------------- */

static double ratio(double a, double b)
{
    return b > 0 ? a / b : NAN;
}

qmtcnn_status qmt_rank_detections(const qmt_truth *truth, const qmt_detections *detections, double iou,
                                  qmt_ranking **ranking, qmtcnn_error *error)
{
    const qmt_match_rule rule = qmt_match_rule_plain(iou);
    size_t missing = 0;
    size_t *index = qmt_alloc(truth->count, sizeof *index);
    if (!index)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: an index of %zu pictures", truth->count);
    qmtcnn_status status = qmt_truth_align(truth, detections, index, &missing, error);
    if (status == QMTCNN_OK)
        status = qmt_ranking_create(truth, detections, index, &rule, ranking, error);
    qmt_free(index);
    return status;
}

/* The interval of INT8 (or PTQ) against FP32. */
static qmtcnn_status bootstrap(const qmt_dataset *dataset, const qmt_config *config, const qmt_detections *fp32,
                               const qmt_detections *other, qmt_difference *difference, qmtcnn_error *error)
{
    qmt_truth *truth = NULL;
    qmt_ranking *a = NULL, *b = NULL;
    qmtcnn_status status = qmt_truth_from_dataset(dataset, config->evaluate.min_face, &truth, error);
    if (status == QMTCNN_OK)
        status = qmt_rank_detections(truth, fp32, config->evaluate.iou, &a, error);
    if (status == QMTCNN_OK)
        status = qmt_rank_detections(truth, other, config->evaluate.iou, &b, error);
    if (status == QMTCNN_OK && config->evaluate.bootstrap > 0)
        status = qmt_bootstrap(a, b, config->evaluate.bootstrap, config->run.seed, difference, error);
    qmt_ranking_free(b);
    qmt_ranking_free(a);
    qmt_truth_free(truth);
    return status;
}

/* One folder of models: its evaluation and boxes; *detector for qmt_detector_close(). */
static qmtcnn_status evaluate_folder(const char *folder, qmtcnn_precision precision, const qmt_dataset *dataset,
                                     const qmt_config *config, int threads, qmt_evaluation *evaluation,
                                     qmt_detections **found, qmt_detector **detector, qmtcnn_error *error)
{
    const qmtcnn_options options = qmt_evaluate_options(config);
    qmt_network_source sources[qmt_net_count];
    qmt_sources_all(sources, folder, precision);
    qmtcnn_status status = qmt_detector_open(sources, QMT_ONET, detector, error);
    /* One network may be kept in FP32 as a whole, but not all of them. */
    if (status == QMTCNN_OK && precision != QMTCNN_PRECISION_FP32 &&
        strcmp(qmt_detector_precision(*detector), "fp32") == 0)
        status = qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                          "%s: none of the networks has INT8 layers (no QuantizeLinear nodes in their files); quantize "
                          "them first",
                          folder);
    if (status == QMTCNN_OK)
        status = qmt_evaluate(*detector, folder, dataset, NULL, config, &options, threads, evaluation, found, error);
    return status;
}

/* ---- Mixes ----------------------------------------------------------------------------------- */

static qmtcnn_status run_mixes(const char *fp32, const char *int8, const qmt_dataset *dataset, const qmt_config *config,
                               int threads, qmt_mixes *mixes, qmtcnn_error *error)
{
    const qmtcnn_options options = qmt_evaluate_options(config);
    qmtcnn_status status = QMTCNN_OK;
    mixes->present = true;
    for (int mix = 1; status == QMTCNN_OK && mix < qmt_mix_count - 1; mix++) {
        qmt_network_source sources[qmt_net_count];
        qmt_detector *detector = NULL;
        qmt_evaluation *evaluation = qmt_alloc(1, sizeof *evaluation);
        if (!evaluation)
            return qmt_fail_memory(error, sizeof *evaluation, "an evaluation");
        for (int i = 0; i < qmt_net_count; i++)
            sources[i] = mix >> i & 1 ? (qmt_network_source){int8, QMTCNN_PRECISION_AUTO}
                                      : (qmt_network_source){fp32, QMTCNN_PRECISION_FP32};
        status = qmt_detector_open(sources, QMT_ONET, &detector, error);
        if (status == QMTCNN_OK)
            status = qmt_evaluate(detector, int8, dataset, NULL, config, &options, threads, evaluation, NULL, error);
        if (status == QMTCNN_OK)
            mixes->ap[mix] = evaluation->ap;
        qmt_detector_close(detector);
        qmt_free(evaluation);
    }
    return status;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static qmtcnn_status compare_ptq(const qmt_dataset *dataset, const qmt_config *config,
                                 const qmt_compare_options *options, qmt_comparison *comparison, qmtcnn_error *error)
{
    qmt_detector *detector = NULL;
    qmtcnn_status status = evaluate_folder(options->ptq, QMTCNN_PRECISION_AUTO, dataset, config, options->threads,
                                           &comparison->ptq, &comparison->found_ptq, &detector, error);
    qmt_detector_close(detector);
    if (status != QMTCNN_OK)
        return status;
    comparison->has_ptq = true;
    comparison->ptq_retention = ratio(comparison->ptq.ap, comparison->fp32.ap);
    status =
        bootstrap(dataset, config, comparison->found_fp32, comparison->found_ptq, &comparison->ptq_difference, error);
    if (status == QMTCNN_OK && options->stages) {
        comparison->ptq_mixes.ap[0] = comparison->fp32.ap;
        comparison->ptq_mixes.ap[qmt_mix_count - 1] = comparison->ptq.ap;
        status =
            run_mixes(options->fp32, options->ptq, dataset, config, options->threads, &comparison->ptq_mixes, error);
    }
    return status;
}

static qmtcnn_status compare_int8(const qmt_dataset *dataset, const qmt_config *config,
                                  const qmt_compare_options *options, qmt_comparison *comparison, qmtcnn_error *error)
{
    const qmtcnn_options detect = qmt_evaluate_options(config);
    qmtcnn_options usual = detect; /* speed is that of a user's detector, not of one that draws the whole curve */
    qmt_detector *fp32 = NULL, *int8 = NULL;
    memcpy(usual.thresholds, config->detect.thresholds, sizeof usual.thresholds);
    qmtcnn_status status = evaluate_folder(options->fp32, QMTCNN_PRECISION_FP32, dataset, config, options->threads,
                                           &comparison->fp32, &comparison->found_fp32, &fp32, error);
    if (status == QMTCNN_OK)
        status = evaluate_folder(options->int8, QMTCNN_PRECISION_AUTO, dataset, config, options->threads,
                                 &comparison->int8, &comparison->found_int8, &int8, error);
    if (status == QMTCNN_OK)
        status = qmt_compare_cost(dataset, fp32, int8, &usual, &comparison->cost, error);
    qmt_detector_close(int8);
    qmt_detector_close(fp32);
    if (status == QMTCNN_OK)
        status =
            bootstrap(dataset, config, comparison->found_fp32, comparison->found_int8, &comparison->difference, error);
    if (status == QMTCNN_OK)
        status = qmt_agreement_compute(comparison->found_fp32, comparison->found_int8,
                                       config->detect.thresholds[QMT_ONET], &comparison->agreement, error);
    if (status == QMTCNN_OK)
        status = qmt_compare_layers(dataset, options->fp32, options->int8, &detect, layer_pictures, &comparison->layers,
                                    error);
    comparison->retention = ratio(comparison->int8.ap, comparison->fp32.ap);
    return status;
}

qmtcnn_status qmt_compare(const qmt_dataset *dataset, const qmt_config *config, const qmt_compare_options *options,
                          qmt_comparison **result, qmtcnn_error *error)
{
    double start = qmt_seconds();
    *result = NULL;
    qmt_comparison *comparison = qmt_alloc_zero(1, sizeof *comparison);
    if (!comparison)
        return qmt_fail_memory(error, sizeof *comparison, "a comparison");
    comparison->min_retention = options->min_retention;
    comparison->ptq_retention = NAN;
    qmtcnn_status status = compare_int8(dataset, config, options, comparison, error);
    if (status == QMTCNN_OK && options->stages) {
        comparison->mixes.ap[0] = comparison->fp32.ap;
        comparison->mixes.ap[qmt_mix_count - 1] = comparison->int8.ap;
        status = run_mixes(options->fp32, options->int8, dataset, config, options->threads, &comparison->mixes, error);
    }
    if (status == QMTCNN_OK && options->ptq)
        status = compare_ptq(dataset, config, options, comparison, error);
    if (status == QMTCNN_OK && options->sensitivity)
        status = qmt_sensitivity_measure(dataset, options->fp32, options->int8, config, options->sensitivity_pictures,
                                         options->threads, &comparison->sensitivity, error);
    comparison->seconds = qmt_seconds() - start;
    if (status == QMTCNN_OK)
        *result = comparison;
    else
        qmt_comparison_free(comparison);
    return status;
}
