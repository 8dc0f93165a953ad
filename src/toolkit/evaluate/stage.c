#include "toolkit/evaluate/stage.h"

#include "runtime/base/clock.h"
#include "toolkit/evaluate/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double qmt_stage_threshold(int number)
{
    return (number + 1) / 10.0;
}

double qmt_stage_iou(int number)
{
    return number == 0 ? 0.5 : 0.65;
}

double qmt_stage_target(qmt_net_id net)
{
    return net == QMT_PNET ? 0.97 : net == QMT_RNET ? 0.955 : NAN;
}

static int size_bin(const qmt_truth_face *face)
{
    double side = fmin(face->width, face->height);
    int bin = -1;
    while (bin + 1 < qmt_size_bins && side >= qmt_size_bin_low(bin + 1))
        bin++;
    return bin;
}

/* Adds a face: at each threshold it is found if a box over it with such a score was. */
static void count_face(const qmt_truth_face *face, const qmt_found *found, qmt_stage_result *result)
{
    double best[qmt_stage_ious] = {-INFINITY, -INFINITY};
    int bin = size_bin(face);
    for (size_t i = 0; found && i < found->count; i++) {
        double overlap = qmt_overlap_of(face, &found->boxes[i], 0);
        for (int k = 0; k < qmt_stage_ious; k++)
            if (overlap >= qmt_stage_iou(k) && found->boxes[i].score > best[k])
                best[k] = found->boxes[i].score;
    }
    result->faces++;
    if (bin >= 0)
        result->faces_by_size[bin]++;
    for (int t = 0; t < qmt_stage_thresholds; t++) {
        for (int k = 0; k < qmt_stage_ious; k++) {
            double hit = best[k] > result->points[t].threshold;
            result->points[t].recall[k] += hit;
            if (bin >= 0)
                result->points[t].by_size[k][bin] += hit;
        }
    }
}

qmtcnn_status qmt_stage_count(const qmt_truth *truth, const qmt_detections *detections, qmt_stage_result *result,
                              qmtcnn_error *error)
{
    size_t missing = 0;
    size_t *index = qmt_alloc(truth->count, sizeof *index);
    if (!index)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: an index of %zu pictures", truth->count);
    qmtcnn_status status = qmt_truth_align(truth, detections, index, &missing, error);
    memset(result->points, 0, sizeof result->points);
    memset(result->faces_by_size, 0, sizeof result->faces_by_size);
    result->faces = 0;
    result->pictures = truth->count;
    for (int t = 0; t < qmt_stage_thresholds; t++)
        result->points[t].threshold = qmt_stage_threshold(t);
    for (size_t i = 0; status == QMTCNN_OK && i < truth->count; i++) {
        const qmt_found *found = index[i] == SIZE_MAX ? NULL : &detections->pictures[index[i]];
        for (size_t k = 0; found && k < found->count; k++)
            for (int t = 0; t < qmt_stage_thresholds; t++)
                result->points[t].proposals += found->boxes[k].score > result->points[t].threshold;
        for (size_t k = 0; k < truth->pictures[i].count; k++)
            if (truth->pictures[i].faces[k].settings & QMT_SETTING_ALL)
                count_face(&truth->pictures[i].faces[k], found, result);
    }
    for (int t = 0; t < qmt_stage_thresholds; t++) {
        qmt_stage_point *point = &result->points[t];
        point->proposals = truth->count ? point->proposals / (double)truth->count : NAN;
        for (int k = 0; k < qmt_stage_ious; k++) {
            point->recall[k] = result->faces ? point->recall[k] / (double)result->faces : NAN;
            for (int bin = 0; bin < qmt_size_bins; bin++)
                point->by_size[k][bin] =
                    result->faces_by_size[bin] ? point->by_size[k][bin] / (double)result->faces_by_size[bin] : NAN;
        }
    }
    qmt_free(index);
    return status;
}

static int nearest_point(double threshold)
{
    int nearest = 0;
    for (int t = 1; t < qmt_stage_thresholds; t++)
        if (fabs(qmt_stage_threshold(t) - threshold) < fabs(qmt_stage_threshold(nearest) - threshold))
            nearest = t;
    return nearest;
}

qmtcnn_status qmt_stage_evaluate(const qmt_network_source sources[qmt_net_count], qmt_net_id net,
                                 const qmt_dataset *dataset, const qmt_config *config, const qmtcnn_options *options,
                                 int threads, qmt_stage_result *result, qmtcnn_error *error)
{
    qmt_detector *detector = NULL;
    qmt_detections *detections = NULL;
    qmt_truth *truth = NULL;
    qmtcnn_options low = *options;
    char title[64];
    double start = qmt_seconds();
    memset(result, 0, sizeof *result);
    low.thresholds[net] = (float)qmt_stage_threshold(0);
    qmtcnn_status status = qmt_detector_open(sources, net, &detector, error);
    if (status == QMTCNN_OK) {
        snprintf(title, sizeof title, "%s %s", qmt_net_name(net), qmt_detector_precision(detector));
        status = qmt_detector_run(detector, dataset, &low, threads, title, &detections, error);
    }
    if (status == QMTCNN_OK)
        status = qmt_truth_from_dataset(dataset, config->evaluate.min_face, &truth, error);
    if (status == QMTCNN_OK)
        status = qmt_stage_count(truth, detections, result, error);
    if (status == QMTCNN_OK) {
        result->net = net;
        result->min_face = config->evaluate.min_face;
        result->detect_min_face = options->min_face;
        result->operating = nearest_point(config->detect.thresholds[net]);
        memcpy(result->thresholds, options->thresholds, sizeof result->thresholds);
        snprintf(result->detector, sizeof result->detector, "%s", sources[net].folder);
        snprintf(result->precision, sizeof result->precision, "%s", qmt_detector_precision(detector));
    }
    result->seconds = qmt_seconds() - start;
    qmt_truth_free(truth);
    qmt_detections_free(detections);
    qmt_detector_close(detector);
    return status;
}

/* ---- Output ---------------------------------------------------------------------------------- */

static json_t *point_json(const qmt_stage_point *point)
{
    json_t *object =
        json_pack("{s:f,s:o}", "threshold", point->threshold, "proposals", qmt_json_number(point->proposals));
    for (int k = 0; k < qmt_stage_ious; k++) {
        char name[32];
        json_t *sizes = json_object();
        for (int bin = 0; bin < qmt_size_bins; bin++)
            json_object_set_new(sizes, qmt_size_bin_name(bin), qmt_json_number(point->by_size[k][bin]));
        snprintf(name, sizeof name, "recall_iou_%.2f", qmt_stage_iou(k));
        json_object_set_new(object, name, qmt_json_number(point->recall[k]));
        snprintf(name, sizeof name, "by_size_iou_%.2f", qmt_stage_iou(k));
        json_object_set_new(object, name, sizes);
    }
    return object;
}

json_t *qmt_stage_json(const qmt_stage_result *result)
{
    json_t *object = json_object(), *points = json_array(), *sizes = json_object();
    for (int t = 0; t < qmt_stage_thresholds; t++)
        json_array_append_new(points, point_json(&result->points[t]));
    for (int bin = 0; bin < qmt_size_bins; bin++)
        json_object_set_new(sizes, qmt_size_bin_name(bin), json_integer((json_int_t)result->faces_by_size[bin]));
    json_object_set_new(object, "stage", json_string(qmt_net_name(result->net)));
    json_t *name = json_string(result->detector);
    json_object_set_new(object, "detector", name ? name : json_null());
    json_object_set_new(object, "precision", json_string(result->precision));
    json_object_set_new(object, "pictures", json_integer((json_int_t)result->pictures));
    json_object_set_new(object, "faces", json_integer((json_int_t)result->faces));
    json_object_set_new(object, "faces_by_size", sizes);
    json_object_set_new(object, "target_recall", qmt_json_number(qmt_stage_target(result->net)));
    json_object_set_new(object, "operating_threshold", json_real(result->points[result->operating].threshold));
    json_object_set_new(object, "points", points);
    json_object_set_new(object, "seconds", json_real(result->seconds));
    return object;
}

static void add_table(qmt_text *text, const qmt_stage_result *result, int iou)
{
    qmt_text_add(text, "\nrecall at IoU %.2f\n  %-9s%12s%9s", qmt_stage_iou(iou), "threshold", "proposals", "all");
    for (int bin = 0; bin < qmt_size_bins; bin++)
        qmt_text_add(text, "%9s", qmt_size_bin_name(bin));
    qmt_text_add(text, "\n");
    for (int t = 0; t < qmt_stage_thresholds; t++) {
        const qmt_stage_point *point = &result->points[t];
        qmt_text_add(text, "%c %-9.1f%12.1f", t == result->operating ? '*' : ' ', point->threshold, point->proposals);
        qmt_text_add_figure(text, 9, 4, point->recall[iou]);
        for (int bin = 0; bin < qmt_size_bins; bin++)
            qmt_text_add_figure(text, 9, 4, point->by_size[iou][bin]);
        qmt_text_add(text, "\n");
    }
    qmt_text_add(text, "  %-9s%12s%9zu", "faces", "", result->faces);
    for (int bin = 0; bin < qmt_size_bins; bin++)
        qmt_text_add(text, "%9zu", result->faces_by_size[bin]);
    qmt_text_add(text, "\n");
}

static void add_target(qmt_text *text, const qmt_stage_result *result)
{
    double target = qmt_stage_target(result->net), reached = result->points[result->operating].recall[0];
    if (isnan(target))
        return;
    qmt_text_add(text, "\ntarget at IoU 0.50: %.1f %%; at threshold %.1f: %.1f %%: %s\n", 100 * target,
                 result->points[result->operating].threshold, 100 * reached, reached >= target ? "reached" : "missed");
}

static void add_protocol(qmt_text *text, const qmt_stage_result *result)
{
    char words[512], before[64] = "";
    if (result->net == QMT_RNET)
        snprintf(before, sizeof before, " P-Net's threshold was %.2f.", (double)result->thresholds[0]);
    else if (result->net == QMT_ONET)
        snprintf(before, sizeof before, " P- and R-Net's thresholds were %.2f and %.2f.", (double)result->thresholds[0],
                 (double)result->thresholds[1]);
    snprintf(
        words, sizeof words,
        "proposals: boxes a picture that this network passes on after its suppression%s. recall: faces with such a box "
        "at this IoU. *: nearest to the detector's own threshold. Pyramid from %d-pixel faces; faces under %d pixels "
        "and invalid ones are left out.%s\n",
        result->net == QMT_ONET ? "" : ", as the squares that the next network gets", result->detect_min_face,
        result->min_face, before);
    qmt_text_add(text, "\nProtocol\n");
    qmt_text_add_wrapped(text, qmt_text_width, words);
}

char *qmt_stage_text(const qmt_stage_result *result)
{
    qmt_text text = {0};
    qmt_text_add(&text, "%s of %s (%s): %zu pictures, %zu faces, %.1f s\n", qmt_net_name(result->net), result->detector,
                 result->precision, result->pictures, result->faces, result->seconds);
    for (int k = 0; k < qmt_stage_ious; k++)
        add_table(&text, result, k);
    add_target(&text, result);
    add_protocol(&text, result);
    return qmt_text_take(&text);
}
