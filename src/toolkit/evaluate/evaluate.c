#include "toolkit/evaluate/evaluate.h"

#include "runtime/base/clock.h"
#include "toolkit/base/file.h"
#include "toolkit/log/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double qmt_size_bin_low(int bin)
{
    static const double low[qmt_size_bins] = {20, 40, 80, 160};
    return low[bin];
}

const char *qmt_size_bin_name(int bin)
{
    static const char *const names[qmt_size_bins] = {"20-40", "40-80", "80-160", "160+"};
    return names[bin];
}

double qmt_froc_rate(int point)
{
    static const double rates[qmt_froc_points] = {0.1, 1};
    return rates[point];
}

void qmt_evaluation_init(qmt_evaluation *evaluation)
{
    memset(evaluation, 0, sizeof *evaluation);
    evaluation->ap = evaluation->ap_1000 = NAN;
    evaluation->ap_easy = evaluation->ap_medium = evaluation->ap_hard = NAN;
    evaluation->precision_at_score = evaluation->recall_at_score = evaluation->score = NAN;
    evaluation->landmark_error = evaluation->median_milliseconds = NAN;
    for (int i = 0; i < qmt_froc_points; i++)
        evaluation->froc[i] = NAN;
    for (int i = 0; i < qmt_size_bins; i++)
        evaluation->by_size[i].ap = evaluation->by_size[i].recall = NAN;
}

/* ---- One list -------------------------------------------------------------------------------- */

static qmtcnn_status add_sizes(qmt_evaluation *evaluation, const qmt_truth *truth, const qmt_detections *detections,
                               const size_t *index, double iou, qmtcnn_error *error)
{
    for (int i = 0; i < qmt_size_bins; i++) {
        double unused;
        qmt_ranking *ranking = NULL;
        qmt_match_rule rule = qmt_match_rule_plain(iou);
        rule.low = qmt_size_bin_low(i);
        rule.high = i + 1 < qmt_size_bins ? qmt_size_bin_low(i + 1) : INFINITY;
        qmtcnn_status status = qmt_ranking_create(truth, detections, index, &rule, &ranking, error);
        if (status != QMTCNN_OK)
            return status;
        evaluation->by_size[i].faces = ranking->face_count;
        evaluation->by_size[i].ap = qmt_ranking_ap(ranking, NULL);
        qmt_ranking_at_score(ranking, evaluation->score, &unused, &evaluation->by_size[i].recall);
        qmt_ranking_free(ranking);
    }
    return QMTCNN_OK;
}

static qmtcnn_status add_curve(qmt_evaluation *evaluation, const qmt_truth *truth, const qmt_detections *detections,
                               const size_t *index, double iou, qmtcnn_error *error)
{
    qmt_ranking *ranking = NULL;
    const qmt_match_rule rule = qmt_match_rule_plain(iou);
    qmtcnn_status status = qmt_ranking_create(truth, detections, index, &rule, &ranking, error);
    if (status != QMTCNN_OK)
        return status;
    evaluation->ap = qmt_ranking_ap(ranking, NULL);
    for (int i = 0; i < qmt_froc_points; i++)
        evaluation->froc[i] = qmt_ranking_recall_at(ranking, qmt_froc_rate(i));
    qmt_ranking_at_score(ranking, evaluation->score, &evaluation->precision_at_score, &evaluation->recall_at_score);
    evaluation->curve_points = qmt_ranking_curve(ranking, evaluation->curve);
    qmt_ranking_free(ranking);
    return QMTCNN_OK;
}

/* WIDER FACE's method over one list (1,000 thresholds need a structure too large for the stack). */
static qmtcnn_status add_binned(const qmt_truth *truth, const qmt_detections *detections, const size_t *index,
                                qmt_setting setting, bool count_empty, double *ap, size_t *faces, qmtcnn_error *error)
{
    qmt_wider_curve *curve = qmt_alloc(1, sizeof *curve);
    if (!curve)
        return qmt_fail_memory(error, sizeof *curve, "1,000 thresholds");
    qmtcnn_status status = qmt_wider_evaluate(truth, detections, index, setting, count_empty, curve, error);
    if (status == QMTCNN_OK) {
        *ap = curve->ap;
        *faces = curve->faces;
    }
    qmt_free(curve);
    return status;
}

static void count_pictures(qmt_evaluation *evaluation, const qmt_truth *truth, const qmt_detections *detections)
{
    evaluation->pictures = truth->count;
    evaluation->boxes = evaluation->unreadable = 0;
    for (size_t i = 0; i < detections->count; i++) {
        evaluation->boxes += detections->pictures[i].count;
        evaluation->unreadable += detections->pictures[i].unreadable;
    }
}

qmtcnn_status qmt_evaluation_add_labels(qmt_evaluation *evaluation, const qmt_truth *truth,
                                        const qmt_detections *detections, const qmt_config *config, qmtcnn_error *error)
{
    const qmt_match_rule rule = qmt_match_rule_plain(config->evaluate.iou);
    size_t all = 0;
    size_t *index = qmt_alloc(truth->count, sizeof *index);
    if (!index)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: an index of %zu pictures", truth->count);
    qmtcnn_status status = qmt_truth_align(truth, detections, index, &evaluation->missing, error);
    count_pictures(evaluation, truth, detections);
    evaluation->iou = rule.iou;
    evaluation->min_face = config->evaluate.min_face;
    evaluation->score = config->detect.thresholds[QMT_ONET];
    for (size_t i = 0; i < truth->count; i++)
        all += truth->pictures[i].count;
    if (status == QMTCNN_OK)
        status = add_curve(evaluation, truth, detections, index, rule.iou, error);
    if (status == QMTCNN_OK)
        status = add_sizes(evaluation, truth, detections, index, rule.iou, error);
    if (status == QMTCNN_OK)
        status = add_binned(truth, detections, index, QMT_SETTING_ALL, true, &evaluation->ap_1000, &evaluation->faces,
                            error);
    if (status == QMTCNN_OK)
        status = qmt_landmark_error(truth, detections, index, &rule, &evaluation->landmark_error,
                                    &evaluation->landmark_faces, error);
    evaluation->ignored_faces = all - evaluation->faces;
    qmt_free(index);
    return status;
}

qmtcnn_status qmt_evaluation_add_wider(qmt_evaluation *evaluation, const qmt_truth *truth,
                                       const qmt_detections *detections, qmtcnn_error *error)
{
    size_t missing = 0;
    size_t *index = qmt_alloc(truth->count, sizeof *index);
    if (!index)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: an index of %zu pictures", truth->count);
    qmtcnn_status status = qmt_truth_align(truth, detections, index, &missing, error);
    if (isnan(evaluation->ap)) { /* no labels of its own: these are all that there is */
        count_pictures(evaluation, truth, detections);
        evaluation->missing = missing;
        for (size_t i = 0; i < truth->count; i++)
            evaluation->faces += truth->pictures[i].count;
    }
    if (status == QMTCNN_OK && truth->settings & QMT_SETTING_EASY)
        status = add_binned(truth, detections, index, QMT_SETTING_EASY, false, &evaluation->ap_easy,
                            &evaluation->faces_easy, error);
    if (status == QMTCNN_OK && truth->settings & QMT_SETTING_MEDIUM)
        status = add_binned(truth, detections, index, QMT_SETTING_MEDIUM, false, &evaluation->ap_medium,
                            &evaluation->faces_medium, error);
    if (status == QMTCNN_OK && truth->settings & QMT_SETTING_HARD)
        status = add_binned(truth, detections, index, QMT_SETTING_HARD, false, &evaluation->ap_hard,
                            &evaluation->faces_hard, error);
    qmt_free(index);
    return status;
}

/* ---- Our detector ---------------------------------------------------------------------------- */

qmtcnn_options qmt_evaluate_options(const qmt_config *config)
{
    qmtcnn_options options;
    qmtcnn_options_default(NULL, &options);
    options.min_face = config->detect.min_face;
    options.max_face = config->detect.max_face;
    options.scale_factor = config->detect.scale_factor;
    options.max_proposals = config->detect.max_proposals;
    memcpy(options.nms, config->detect.nms, sizeof options.nms);
    /* Not a number, or empty: as the models say (qmt_detector_options). */
    if (!qmt_last_nms_parse(config->detect.last_nms, &options.last_overlap, &options.nms[3]))
        options.last_overlap = (qmtcnn_overlap)qmt_overlap_as_models_say;
    options.fusion = config->detect.fusion < 0 ? NAN : config->detect.fusion;
    options.fusion_odds = NAN;
    options.vote = config->detect.vote < 0 ? NAN : config->detect.vote;
    for (int i = 0; i < 2; i++)
        options.refined_nms[i] = config->detect.refined_nms[i] < 0 ? NAN : config->detect.refined_nms[i];
    memcpy(options.thresholds, config->evaluate.thresholds, sizeof options.thresholds);
    return options;
}

void qmt_sources_all(qmt_network_source sources[qmt_net_count], const char *folder, qmtcnn_precision precision)
{
    for (int i = 0; i < qmt_net_count; i++)
        sources[i] = (qmt_network_source){folder, precision};
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median_milliseconds(const qmt_detections *detections)
{
    size_t count = 0;
    double median = NAN;
    double *times = qmt_alloc(detections->count, sizeof *times);
    if (!times)
        return NAN;
    for (size_t i = 0; i < detections->count; i++)
        if (!detections->pictures[i].unreadable)
            times[count++] = detections->pictures[i].milliseconds;
    if (count) {
        qsort(times, count, sizeof *times, compare_doubles);
        median = (times[count / 2] + times[(count - 1) / 2]) / 2;
    }
    qmt_free(times);
    return median;
}

/* Where WIDER FACE's .mat files lie in a data set's folder; for qmt_free(), NULL for nowhere. */
static char *find_ground_truth(const char *folder)
{
    static const char *const places[] = {".", "wider_face_split", "ground_truth", "eval_tools/ground_truth"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *path = qmt_path_join(folder, places[i]);
        if (path && qmt_truth_has_mat(path))
            return path;
        qmt_free(path);
    }
    return NULL;
}

/* Easy, medium and hard for the pictures of a data set, where there are .mat files. */
static qmtcnn_status add_ground_truth(qmt_evaluation *evaluation, const qmt_dataset *dataset, const char *folder,
                                      const qmt_detections *detections, qmtcnn_error *error)
{
    qmt_truth *truth = NULL;
    char *found = folder ? qmt_copy_string(folder) : find_ground_truth(dataset->folder);
    if (!found)
        return QMTCNN_OK;
    qmtcnn_status status = QMTCNN_OK;
    if (folder || strcmp(dataset->split, "val") == 0) {
        status = qmt_truth_read_mat(found, &truth, error);
        size_t all = truth ? truth->count : 0;
        if (status == QMTCNN_OK)
            status = qmt_truth_restrict(truth, detections, error);
        if (status == QMTCNN_OK && truth->count < all)
            qmt_log_warning("easy, medium and hard are over %zu of WIDER FACE's %zu pictures", truth->count, all);
        if (status == QMTCNN_OK && truth->count > 0)
            status = qmt_evaluation_add_wider(evaluation, truth, detections, error);
    }
    qmt_truth_free(truth);
    qmt_free(found);
    return status;
}

qmtcnn_status qmt_evaluate(const qmt_detector *detector, const char *name, const qmt_dataset *dataset,
                           const char *ground_truth, const qmt_config *config, const qmtcnn_options *options,
                           int threads, qmt_evaluation *evaluation, qmt_detections **result, qmtcnn_error *error)
{
    qmt_detections *detections = NULL;
    qmt_truth *truth = NULL;
    char title[64];
    double start = qmt_seconds();
    qmt_evaluation_init(evaluation);
    snprintf(evaluation->detector, sizeof evaluation->detector, "%s", name);
    snprintf(evaluation->precision, sizeof evaluation->precision, "%s", qmt_detector_precision(detector));
    snprintf(title, sizeof title, "detect %s", evaluation->precision);
    evaluation->detect_min_face = options->min_face;
    memcpy(evaluation->thresholds, options->thresholds, sizeof evaluation->thresholds);
    if (result)
        *result = NULL;
    qmtcnn_status status = qmt_detector_run(detector, dataset, options, threads, title, &detections, error);
    if (status == QMTCNN_OK)
        status = qmt_truth_from_dataset(dataset, config->evaluate.min_face, &truth, error);
    if (status == QMTCNN_OK)
        status = qmt_evaluation_add_labels(evaluation, truth, detections, config, error);
    if (status == QMTCNN_OK)
        status = add_ground_truth(evaluation, dataset, ground_truth, detections, error);
    if (status == QMTCNN_OK)
        evaluation->median_milliseconds = median_milliseconds(detections);
    evaluation->seconds = qmt_seconds() - start;
    qmt_truth_free(truth);
    if (status == QMTCNN_OK && result)
        *result = detections;
    else
        qmt_detections_free(detections);
    return status;
}

qmtcnn_status qmt_evaluate_models(const char *models, qmtcnn_precision precision, const qmt_dataset *dataset,
                                  const qmt_config *config, qmt_evaluation *evaluation, qmt_detections **detections,
                                  qmtcnn_error *error)
{
    const qmtcnn_options options = qmt_evaluate_options(config);
    qmt_network_source sources[qmt_net_count];
    qmt_detector *detector = NULL;
    qmt_sources_all(sources, models, precision);
    qmtcnn_status status = qmt_detector_open(sources, QMT_ONET, &detector, error);
    if (status == QMTCNN_OK)
        status = qmt_evaluate(detector, models, dataset, NULL, config, &options, config->run.threads, evaluation,
                              detections, error);
    qmt_detector_close(detector);
    return status;
}

/* Are there prediction files for the pictures? Their number without one is in evaluation->missing. */
static qmtcnn_status check_missing(const qmt_evaluation *evaluation, const qmt_truth *truth, const char *source,
                                   qmtcnn_error *error)
{
    const char *predictions = evaluation->detector;
    if (evaluation->missing == truth->count)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: no file there is for a picture of %s: want %s.txt and so on",
                        predictions, source, truth->count ? truth->pictures[0].key : "EVENT/FILE");
    if (evaluation->missing)
        qmt_log_warning("%s: no file for %zu of %zu pictures; their faces count as missed", predictions,
                        evaluation->missing, truth->count);
    return QMTCNN_OK;
}

qmtcnn_status qmt_evaluate_predictions(const char *predictions, const char *ground_truth, qmt_evaluation *evaluation,
                                       qmtcnn_error *error)
{
    qmt_truth *truth = NULL;
    qmt_detections *detections = NULL;
    double start = qmt_seconds();
    qmt_evaluation_init(evaluation);
    snprintf(evaluation->detector, sizeof evaluation->detector, "%s", predictions);
    qmtcnn_status status = qmt_truth_read_mat(ground_truth, &truth, error);
    if (status == QMTCNN_OK)
        status = qmt_submission_read(predictions, &detections, error);
    if (status == QMTCNN_OK)
        status = qmt_evaluation_add_wider(evaluation, truth, detections, error);
    if (status == QMTCNN_OK)
        status = check_missing(evaluation, truth, ground_truth, error);
    evaluation->seconds = qmt_seconds() - start;
    qmt_detections_free(detections);
    qmt_truth_free(truth);
    return status;
}

qmtcnn_status qmt_evaluate_predictions_on(const char *predictions, const qmt_dataset *dataset, const qmt_config *config,
                                          qmt_evaluation *evaluation, qmtcnn_error *error)
{
    qmt_truth *truth = NULL;
    qmt_detections *detections = NULL;
    double start = qmt_seconds();
    qmt_evaluation_init(evaluation);
    snprintf(evaluation->detector, sizeof evaluation->detector, "%s", predictions);
    qmtcnn_status status = qmt_truth_from_dataset(dataset, config->evaluate.min_face, &truth, error);
    if (status == QMTCNN_OK)
        status = qmt_submission_read(predictions, &detections, error);
    if (status == QMTCNN_OK)
        status = qmt_evaluation_add_labels(evaluation, truth, detections, config, error);
    if (status == QMTCNN_OK)
        status = check_missing(evaluation, truth, dataset->folder, error);
    evaluation->seconds = qmt_seconds() - start;
    qmt_detections_free(detections);
    qmt_truth_free(truth);
    return status;
}
