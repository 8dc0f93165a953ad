#include "toolkit/evaluate/evaluate.h"

#include <math.h>

json_t *qmt_json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *whole(size_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *sizes_json(const qmt_evaluation *evaluation, bool recall)
{
    json_t *object = json_object();
    for (int i = 0; i < qmt_size_bins; i++) {
        const qmt_size_result *bin = &evaluation->by_size[i];
        json_object_set_new(object, qmt_size_bin_name(i), qmt_json_number(recall ? bin->recall : bin->ap));
    }
    return object;
}

static json_t *face_counts_json(const qmt_evaluation *evaluation)
{
    json_t *object = json_object();
    for (int i = 0; i < qmt_size_bins; i++)
        json_object_set_new(object, qmt_size_bin_name(i), whole(evaluation->by_size[i].faces));
    return object;
}

static json_t *curve_json(const qmt_evaluation *evaluation)
{
    json_t *array = json_array();
    for (int i = 0; i < evaluation->curve_points; i++) {
        const qmt_curve_point *point = &evaluation->curve[i];
        json_array_append_new(
            array, json_pack("[f,f,f,f]", point->score, point->recall, point->precision, point->false_alarms));
    }
    return array;
}

static void set_options(json_t *object, const qmt_evaluation *evaluation)
{
    json_t *thresholds = json_array();
    for (int i = 0; i < qmt_net_count; i++) /* shortest form of an FP32 value: 0.3, not 0.30000001192 */
        json_array_append_new(thresholds, json_real(round(1e6 * (double)evaluation->thresholds[i]) / 1e6));
    json_object_set_new(object, "thresholds", thresholds);
    json_object_set_new(object, "iou", json_real(round(1e6 * evaluation->iou) / 1e6));
    json_object_set_new(object, "min_face", json_integer(evaluation->min_face));
    json_object_set_new(object, "detect_min_face", json_integer(evaluation->detect_min_face));
}

static void set_protocol(json_t *object, const qmt_evaluation *evaluation)
{
    char *text = qmt_evaluation_protocol(evaluation);
    json_t *string = text ? json_string(text) : NULL;
    json_object_set_new(object, "protocol", string ? string : json_null());
    qmt_free(text);
}

json_t *qmt_evaluation_json(const qmt_evaluation *evaluation)
{
    json_t *object = json_object();
    if (!object)
        return NULL;
    json_t *name = json_string(evaluation->detector); /* NULL for a path that is no UTF-8 */
    json_object_set_new(object, "detector", name ? name : json_null());
    json_object_set_new(object, "pictures", whole(evaluation->pictures));
    json_object_set_new(object, "faces", whole(evaluation->faces));
    json_object_set_new(object, "ignored_faces", whole(evaluation->ignored_faces));
    json_object_set_new(object, "boxes", whole(evaluation->boxes));
    json_object_set_new(object, "unreadable_pictures", whole(evaluation->unreadable));
    json_object_set_new(object, "missing_pictures", whole(evaluation->missing));
    json_object_set_new(object, "ap", qmt_json_number(evaluation->ap));
    json_object_set_new(object, "ap_1000", qmt_json_number(evaluation->ap_1000));
    json_object_set_new(object, "ap_easy", qmt_json_number(evaluation->ap_easy));
    json_object_set_new(object, "ap_medium", qmt_json_number(evaluation->ap_medium));
    json_object_set_new(object, "ap_hard", qmt_json_number(evaluation->ap_hard));
    json_object_set_new(object, "ap_by_size", sizes_json(evaluation, false));
    json_object_set_new(object, "recall_by_size", sizes_json(evaluation, true));
    json_object_set_new(object, "faces_by_size", face_counts_json(evaluation));
    json_object_set_new(
        object, "froc",
        json_pack("{s:o,s:o}", "0.1", qmt_json_number(evaluation->froc[0]), "1", qmt_json_number(evaluation->froc[1])));
    json_object_set_new(object, "at_score",
                        json_pack("{s:o,s:o,s:o}", "score", qmt_json_number(round(1e6 * evaluation->score) / 1e6),
                                  "precision", qmt_json_number(evaluation->precision_at_score), "recall",
                                  qmt_json_number(evaluation->recall_at_score)));
    json_object_set_new(object, "landmark_error", qmt_json_number(evaluation->landmark_error));
    json_object_set_new(object, "landmark_faces", whole(evaluation->landmark_faces));
    json_object_set_new(object, "precision",
                        evaluation->precision[0] ? json_string(evaluation->precision) : json_null());
    json_object_set_new(object, "seconds", qmt_json_number(evaluation->seconds));
    json_object_set_new(object, "median_milliseconds", qmt_json_number(evaluation->median_milliseconds));
    if (evaluation->precision[0])
        set_options(object, evaluation);
    json_object_set_new(object, "curve", curve_json(evaluation));
    set_protocol(object, evaluation);
    return object;
}
