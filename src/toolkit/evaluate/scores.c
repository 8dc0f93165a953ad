#include "toolkit/evaluate/scores.h"

#include "toolkit/log/progress.h"
#include "toolkit/train/split.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void qmt_scores_hold_out(qmt_dataset *dataset, double holdout)
{
    size_t kept = 0;
    for (size_t i = 0; i < dataset->picture_count; i++)
        if (qmt_picture_held_out((uint32_t)i, holdout) && !dataset->pictures[i].faces_unlabeled)
            dataset->pictures[kept++] = dataset->pictures[i];
    dataset->picture_count = kept;
}

/* ---- Arithmetic ------------------------------------------------------------------------------ */

double qmt_score_logit(double score)
{
    const double inside = fmin(fmax(score, 0x1p-24), 1 - 0x1p-24);
    return log(inside / (1 - inside));
}

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double qmt_score_keeping(double *scores, size_t count, double keep)
{
    if (count == 0)
        return NAN;
    qsort(scores, count, sizeof *scores, compare_doubles);
    size_t needed = (size_t)ceil(keep * (double)count - 1e-9);
    needed = needed < 1 ? 1 : needed > count ? count : needed;
    return scores[count - needed];
}

double qmt_score_of_rate(const qmt_ranking *ranking, double rate)
{
    const double most = rate * (double)ranking->picture_count;
    double score = NAN;
    size_t alarms = 0;
    for (size_t i = 0; i < ranking->count;) {
        size_t end = i;
        for (; end < ranking->count && ranking->boxes[end].score == ranking->boxes[i].score; end++)
            alarms += !ranking->boxes[end].hit;
        if ((double)alarms > most)
            break;
        score = ranking->boxes[i].score;
        i = end;
    }
    return score;
}

static const double least_scale = 0.1, largest_scale = 4;

static double limit_scale(double scale)
{
    return fmin(fmax(scale, least_scale), largest_scale);
}

double qmt_score_scale_between(double high, double low, double high_threshold, double low_threshold)
{
    const double apart = qmt_score_logit(high) - qmt_score_logit(low);
    const double wanted = qmt_score_logit(high_threshold) - qmt_score_logit(low_threshold);
    return apart > 0 ? limit_scale(wanted / apart) : 1;
}

double qmt_score_slope(const double *logits, const bool *faces, size_t count)
{
    double positives = 0, scale = 1, shift = 0;
    for (size_t i = 0; i < count; i++)
        positives += faces[i];
    const double negatives = (double)count - positives;
    if (positives < 1 || negatives < 1)
        return 1;
    const double high = (positives + 1) / (positives + 2), low = 1 / (negatives + 2);
    for (int step = 0; step < 50; step++) {
        double g0 = 0, g1 = 0, h00 = 1e-9, h01 = 0, h11 = 1e-9;
        for (size_t i = 0; i < count; i++) {
            const double z = logits[i], p = 1 / (1 + exp(-(scale * z + shift)));
            const double error = p - (faces[i] ? high : low), weight = p * (1 - p);
            g0 += error * z;
            g1 += error;
            h00 += weight * z * z;
            h01 += weight * z;
            h11 += weight;
        }
        const double determinant = h00 * h11 - h01 * h01;
        const double d0 = (h11 * g0 - h01 * g1) / determinant, d1 = (h00 * g1 - h01 * g0) / determinant;
        if (!(determinant > 0) || !isfinite(d0) || !isfinite(d1))
            break;
        const double size = fmax(1, fmax(fabs(d0), fabs(d1))); /* far from the solution, small steps */
        scale -= d0 / size;
        shift -= d1 / size;
        if (fabs(d0) < 1e-10 && fabs(d1) < 1e-10)
            break;
    }
    return isfinite(scale) ? limit_scale(scale) : 1;
}

/* ---- Fitting --------------------------------------------------------------------------------- */

enum { fewest_faces = 20 };

/* One variant on the pictures. */
struct fit {
    const qmt_network_source *sources;
    const qmt_dataset *dataset;
    const qmt_config *config;
    qmt_truth *truth;
    qmt_score_maps *maps;
};

/* The cascade up to a network, with the maps so far, the usual thresholds before it and next to none at it. */
static qmtcnn_status run_until(const struct fit *fit, qmt_net_id last, float fusion, qmt_detections **found,
                               qmtcnn_error *error)
{
    qmtcnn_options options = qmt_evaluate_options(fit->config);
    qmt_detector *detector = NULL;
    char title[64];
    memcpy(options.thresholds, fit->config->detect.thresholds, sizeof options.thresholds);
    options.thresholds[last] = 0.01f;
    options.fusion = fusion;
    options.fusion_odds = 1;
    snprintf(title, sizeof title, "scores of %s", qmt_net_name(last));
    qmtcnn_status status = qmt_detector_open_mapped(fit->sources, fit->maps->nets, last, &detector, error);
    if (status == QMTCNN_OK)
        status = qmt_detector_run(detector, fit->dataset, &options, fit->config->run.threads, title, found, error);
    qmt_detector_close(detector);
    return status;
}

/* The largest score of a box with IoU >= 0.5; -1 for none. */
static double best_score(const qmt_truth_face *face, const qmt_found *found)
{
    double best = -1;
    for (size_t i = 0; i < found->count; i++)
        if (found->boxes[i].score > best && qmt_overlap_of(face, &found->boxes[i], 0) >= 0.5)
            best = found->boxes[i].score;
    return best;
}

static size_t count_boxes(const qmt_detections *found)
{
    size_t boxes = 0;
    for (size_t i = 0; i < found->count; i++)
        boxes += found->pictures[i].count;
    return boxes;
}

/* Scores at which labeled faces are found. *scores for qmt_free(). */
static qmtcnn_status collect_faces(const struct fit *fit, const qmt_detections *found, double **scores, size_t *count,
                                   qmtcnn_error *error)
{
    const size_t faces = qmt_truth_faces(fit->truth, QMT_SETTING_ALL);
    *count = 0;
    *scores = qmt_alloc(faces, sizeof **scores);
    if (!*scores)
        return qmt_fail_memory(error, faces * sizeof **scores, "scores of faces");
    for (size_t i = 0; i < fit->truth->count; i++) {
        const qmt_truth_picture *picture = &fit->truth->pictures[i];
        for (size_t k = 0; k < picture->count; k++) {
            double best =
                picture->faces[k].settings & QMT_SETTING_ALL ? best_score(&picture->faces[k], &found->pictures[i]) : -1;
            if (best >= 0)
                (*scores)[(*count)++] = best;
        }
    }
    return QMTCNN_OK;
}

/* Boxes on labeled faces against those far from any; what lies between, or on ignored faces, is neither. */
static qmtcnn_status fit_slope(const struct fit *fit, const qmt_detections *found, double *scale, qmtcnn_error *error)
{
    const size_t boxes = count_boxes(found);
    size_t count = 0;
    double *logits = qmt_alloc(boxes, sizeof *logits);
    bool *faces = qmt_alloc(boxes, sizeof *faces);
    for (size_t i = 0; logits && faces && i < fit->truth->count; i++) {
        const qmt_truth_picture *picture = &fit->truth->pictures[i];
        for (size_t b = 0; b < found->pictures[i].count; b++) {
            const qmt_detection *box = &found->pictures[i].boxes[b];
            double overlap = 0;
            bool counts = false;
            for (size_t k = 0; k < picture->count; k++) {
                const double here = qmt_overlap_of(&picture->faces[k], box, 0);
                counts = here > overlap ? (picture->faces[k].settings & QMT_SETTING_ALL) != 0 : counts;
                overlap = fmax(here, overlap);
            }
            if (overlap >= 0.3 && (overlap < 0.5 || !counts))
                continue;
            logits[count] = qmt_score_logit(box->score);
            faces[count++] = overlap >= 0.5;
        }
    }
    if (logits && faces)
        *scale = qmt_score_slope(logits, faces, count);
    const bool whole = logits && faces;
    qmt_free(faces);
    qmt_free(logits);
    return whole ? QMTCNN_OK : qmt_fail_memory(error, boxes * sizeof *logits, "scores of boxes");
}

static qmtcnn_status rate_score(const struct fit *fit, const qmt_detections *found, double *score, qmtcnn_error *error)
{
    const qmt_match_rule rule = qmt_match_rule_plain(fit->config->evaluate.iou);
    qmt_ranking *ranking = NULL;
    size_t *index = qmt_alloc(fit->truth->count, sizeof *index);
    if (!index)
        return qmt_fail_memory(error, fit->truth->count * sizeof *index, "an index of pictures");
    for (size_t i = 0; i < fit->truth->count; i++)
        index[i] = i;
    qmtcnn_status status = qmt_ranking_create(fit->truth, found, index, &rule, &ranking, error);
    if (status == QMTCNN_OK)
        *score = qmt_score_of_rate(ranking, (double)fit->config->calibrate.false_alarms);
    qmt_ranking_free(ranking);
    qmt_free(index);
    return status;
}

/* P-Net's and R-Net's scale: the share keep_low of the faces is to pass the low threshold, where there is one; else by
 * regression. `high`: the score that passes `keep`. Sorts scores[]. */
static qmtcnn_status choose_scale(const struct fit *fit, qmt_net_id net, const qmt_detections *found, double *scores,
                                  size_t count, double high, double *scale, qmtcnn_error *error)
{
    const double threshold = (double)fit->config->detect.thresholds[net];
    const double low_threshold = (double)fit->config->evaluate.thresholds[net];
    *scale = 1;
    if (!qmt_calibrates_low(fit->config, net))
        return fit->config->calibrate.slope ? fit_slope(fit, found, scale, error) : QMTCNN_OK;
    const double keep = (double)fit->config->calibrate.keep_low[net], low = qmt_score_keeping(scores, count, keep);
    *scale = qmt_score_scale_between(high, low, threshold, low_threshold);
    const double now = qmt_score_logit(threshold) + *scale * (qmt_score_logit(low) - qmt_score_logit(high));
    if (now < qmt_score_logit(low_threshold) - 1e-6)
        qmt_log_warning("%s: its scores can't be scaled so far that %.2f passes %g of the faces (calibrate.keep_low); "
                        "the scale is %g",
                        qmt_net_name(net), low_threshold, keep, *scale);
    return QMTCNN_OK;
}

/* *fitted: false where there is too little to go by. */
static qmtcnn_status fit_network(const struct fit *fit, qmt_net_id net, bool *fitted, qmtcnn_error *error)
{
    const qmt_calibrate_config *calibrate = &fit->config->calibrate;
    const double target = qmt_score_logit((double)fit->config->detect.thresholds[net]);
    qmt_detections *found = NULL;
    double *scores = NULL, score = NAN, scale = 1;
    size_t count = 0;
    *fitted = false;
    qmtcnn_status status = run_until(fit, net, 0, &found, error);
    if (status == QMTCNN_OK)
        status = collect_faces(fit, found, &scores, &count, error);
    if (status == QMTCNN_OK && net == QMT_ONET)
        status = rate_score(fit, found, &score, error);
    if (status == QMTCNN_OK && net != QMT_ONET)
        score = qmt_score_keeping(scores, count, (double)calibrate->keep[net]);
    if (status == QMTCNN_OK)
        status = choose_scale(fit, net, found, scores, count, score, &scale, error);
    if (status == QMTCNN_OK && (count < fewest_faces || isnan(score))) {
        qmt_log_warning("scores of %s stay as they are: it finds only %zu faces of the hold-out", qmt_net_name(net),
                        count);
    } else if (status == QMTCNN_OK) {
        fit->maps->nets[net] = (qmt_score_map){scale, target - scale * qmt_score_logit(score)};
        fit->maps->known[net] = *fitted = true;
        qmt_log_info("[calibrate] %s: score %.4f becomes %.2f (logit times %.4g %+.4g), by %zu faces",
                     qmt_net_name(net), score, (double)fit->config->detect.thresholds[net], scale,
                     fit->maps->nets[net].shift, count);
    }
    qmt_free(scores);
    qmt_detections_free(found);
    return status;
}

/* The factor that makes the fused score's threshold as good as O-Net's own. */
static qmtcnn_status fit_fusion(const struct fit *fit, qmtcnn_error *error)
{
    const float fusion = fit->config->detect.fusion;
    qmt_detections *found = NULL;
    double score = NAN;
    if (!(fusion > 0))
        return QMTCNN_OK;
    qmtcnn_status status = run_until(fit, QMT_ONET, fusion, &found, error);
    if (status == QMTCNN_OK)
        status = rate_score(fit, found, &score, error);
    if (status == QMTCNN_OK && !isnan(score)) {
        const double target = (double)fit->config->detect.thresholds[QMT_ONET];
        const double factor = exp(qmt_score_logit(target) - qmt_score_logit(score));
        fit->maps->fusion = fusion;
        fit->maps->fusion_odds = (float)fmin(fmax(factor, 1e-6), 1e6);
        qmt_log_info("[calibrate] fused: score %.4f becomes %.2f (odds times %.4g)", score, target, factor);
    }
    qmt_detections_free(found);
    return status;
}

qmtcnn_status qmt_scores_fit(const qmt_network_source sources[qmt_net_count], const qmt_dataset *dataset,
                             const qmt_config *config, qmt_score_maps *maps, qmtcnn_error *error)
{
    struct fit fit = {.sources = sources, .dataset = dataset, .config = config, .maps = maps};
    bool fitted = true;
    qmt_score_maps_init(maps);
    if (dataset->picture_count == 0)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "no picture is held out to calibrate scores on: set train.holdout, or calibrate.scores: false");
    qmtcnn_status status = qmt_truth_from_dataset(dataset, config->evaluate.min_face, &fit.truth, error);
    for (int net = 0; net < qmt_net_count && status == QMTCNN_OK && fitted; net++)
        status = fit_network(&fit, (qmt_net_id)net, &fitted, error);
    if (status == QMTCNN_OK && fitted)
        status = fit_fusion(&fit, error);
    qmt_truth_free(fit.truth);
    return status;
}
