#include "toolkit/evaluate/compare.h"
#include "toolkit/evaluate/rows.h"
#include "toolkit/evaluate/text.h"

#include <math.h>
#include <stdio.h>

enum { pictures_in_text = 10 };

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *name_json(const char *name)
{
    json_t *string = name ? json_string(name) : NULL;
    return string ? string : json_null();
}

static json_t *difference_json(const qmt_difference *difference)
{
    if (difference->resamplings == 0)
        return json_null();
    return json_pack("{s:o,s:[o,o],s:o,s:[o,o],s:i}", "ap_difference", qmt_json_number(difference->difference),
                     "interval_95", qmt_json_number(difference->low), qmt_json_number(difference->high), "ratio",
                     qmt_json_number(difference->ratio), "ratio_interval_95", qmt_json_number(difference->ratio_low),
                     qmt_json_number(difference->ratio_high), "resamplings", difference->resamplings);
}

static json_t *agreement_json(const qmt_agreement *agreement)
{
    json_t *each = json_array();
    for (size_t i = 0; i < agreement->pictures; i++) {
        const qmt_picture_agreement *one = &agreement->each[i];
        json_array_append_new(each,
                              json_pack("{s:o,s:I,s:I,s:I,s:o,s:o}", "picture", name_json(one->name), "fp32",
                                        (json_int_t)one->fp32, "int8", (json_int_t)one->int8, "matched",
                                        (json_int_t)one->matched, "mean_iou", qmt_json_number(one->mean_iou),
                                        "largest_score_difference", qmt_json_number(one->largest_score_difference)));
    }
    return json_pack("{s:f,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:o}", "score", round(1e6 * agreement->score) / 1e6,
                     "pictures", (json_int_t)agreement->pictures, "same_pictures", (json_int_t)agreement->same_pictures,
                     "boxes_fp32", (json_int_t)agreement->fp32, "boxes_int8", (json_int_t)agreement->int8, "matched",
                     (json_int_t)agreement->matched, "mean_iou", qmt_json_number(agreement->mean_iou),
                     "mean_score_difference", qmt_json_number(agreement->mean_score_difference), "mean_score_shift",
                     qmt_json_number(agreement->mean_score_shift), "largest_score_difference",
                     qmt_json_number(agreement->largest_score_difference), "each", each);
}

static json_t *layers_json(const qmt_layer_differences *differences)
{
    json_t *array = json_array();
    for (size_t i = 0; i < differences->count; i++) {
        const qmt_layer_difference *layer = &differences->layers[i];
        json_array_append_new(
            array,
            json_pack("{s:s,s:o,s:b,s:i,s:I,s:o,s:o,s:o,s:o,s:o,s:i,s:i}", "net", qmt_net_name(layer->net), "layer",
                      name_json(layer->name), "int8", (int)layer->int8, "channels", layer->channels, "values",
                      (json_int_t)layer->values, "sqnr_db", qmt_json_number(layer->sqnr), "cosine",
                      qmt_json_number(layer->cosine), "sqnr_fp32_db", qmt_json_number(layer->sqnr_fp32), "cosine_fp32",
                      qmt_json_number(layer->cosine_fp32), "saturation", qmt_json_number(layer->saturation),
                      "dead_channels", layer->dead, "dead_channels_fp32", layer->dead_fp32));
    }
    return array;
}

static json_t *mixes_json(const qmt_mixes *mixes)
{
    json_t *object = json_object();
    if (!mixes->present) {
        json_decref(object);
        return json_null();
    }
    for (int mix = 0; mix < qmt_mix_count; mix++) {
        char name[16];
        qmt_mix_name(mix, name);
        json_object_set_new(object, name, qmt_json_number(mixes->ap[mix]));
    }
    return object;
}

static json_t *cost_json(const qmt_cost *cost)
{
    return json_pack("{s:i,s:o,s:o,s:I,s:I,s:I,s:I,s:o}", "pictures", cost->pictures, "fp32_milliseconds",
                     qmt_json_number(cost->milliseconds[0]), "int8_milliseconds",
                     qmt_json_number(cost->milliseconds[1]), "fp32_network_bytes", (json_int_t)cost->network_bytes[0],
                     "int8_network_bytes", (json_int_t)cost->network_bytes[1], "fp32_scratch_bytes",
                     (json_int_t)cost->scratch_bytes[0], "int8_scratch_bytes", (json_int_t)cost->scratch_bytes[1],
                     "peak_process_bytes", cost->peak_bytes ? json_integer((json_int_t)cost->peak_bytes) : json_null());
}

json_t *qmt_comparison_json(const qmt_comparison *comparison)
{
    json_t *object = json_object();
    if (!object)
        return NULL;
    json_object_set_new(object, "retention", qmt_json_number(comparison->retention));
    json_object_set_new(object, "min_retention", json_real(round(1e6 * comparison->min_retention) / 1e6));
    json_object_set_new(object, "passes", json_boolean(qmt_comparison_passes(comparison)));
    json_object_set_new(object, "difference", difference_json(&comparison->difference));
    json_object_set_new(object, "fp32", qmt_evaluation_json(&comparison->fp32));
    json_object_set_new(object, "int8", qmt_evaluation_json(&comparison->int8));
    json_object_set_new(object, "ptq", comparison->has_ptq ? qmt_evaluation_json(&comparison->ptq) : json_null());
    json_object_set_new(object, "ptq_retention", qmt_json_number(comparison->ptq_retention));
    json_object_set_new(object, "ptq_difference",
                        comparison->has_ptq ? difference_json(&comparison->ptq_difference) : json_null());
    json_object_set_new(object, "stages", mixes_json(&comparison->mixes));
    json_object_set_new(object, "ptq_stages", mixes_json(&comparison->ptq_mixes));
    json_object_set_new(object, "cost", cost_json(&comparison->cost));
    json_object_set_new(object, "layers", layers_json(&comparison->layers));
    json_object_set_new(object, "sensitivity",
                        comparison->sensitivity ? qmt_sensitivity_json(comparison->sensitivity) : json_null());
    json_object_set_new(object, "agreement", agreement_json(&comparison->agreement));
    json_object_set_new(object, "seconds", json_real(comparison->seconds));
    return object;
}

/* ---- Text ------------------------------------------------------------------------------------ */

static void add_accuracy(qmt_text *text, const qmt_comparison *comparison)
{
    const qmt_evaluation *const evaluations[3] = {&comparison->fp32, &comparison->int8,
                                                  comparison->has_ptq ? &comparison->ptq : NULL};
    qmt_row rows[qmt_most_rows];
    size_t count = qmt_evaluation_rows(evaluations, rows);
    qmt_text_add(text, "accuracy on %zu pictures, %zu faces\n  %-38s%10s%10s%s\n", comparison->fp32.pictures,
                 comparison->fp32.faces, "", "FP32", "INT8", comparison->has_ptq ? "       PTQ" : "");
    for (size_t r = 0; r < count; r++) {
        qmt_text_add(text, "  %-38s", rows[r].label);
        for (int i = 0; i < 3; i++)
            if (evaluations[i])
                qmt_text_add_figure(text, 10, 4, rows[r].values[i]);
        qmt_text_add(text, "\n");
    }
}

static void add_interval(qmt_text *text, const char *label, double retention, const qmt_difference *difference)
{
    qmt_text_add(text, "%s ", label);
    qmt_text_add_figure(text, 0, 4, retention);
    if (difference->resamplings && !isnan(retention)) {
        qmt_text_add(text,
                     " (95 %% interval %.4f to %.4f); AP difference %+.4f (%+.4f to %+.4f), paired bootstrap over "
                     "pictures, %d resamplings",
                     difference->ratio_low, difference->ratio_high, difference->difference, difference->low,
                     difference->high, difference->resamplings);
    }
    qmt_text_add(text, "\n");
}

static void add_mixes(qmt_text *text, const qmt_comparison *comparison)
{
    if (!comparison->mixes.present)
        return;
    qmt_text_add(text, "\nAP by network (8: INT8, 32: FP32)\n  %-14s%10s%s\n", "", "INT8",
                 comparison->ptq_mixes.present ? "       PTQ" : "");
    for (int mix = 0; mix < qmt_mix_count; mix++) {
        char name[16];
        qmt_mix_name(mix, name);
        qmt_text_add(text, "  %-14s", name);
        qmt_text_add_figure(text, 10, 4, comparison->mixes.ap[mix]);
        if (comparison->ptq_mixes.present)
            qmt_text_add_figure(text, 10, 4, comparison->ptq_mixes.ap[mix]);
        qmt_text_add(text, "\n");
    }
}

static void add_layers(qmt_text *text, const qmt_layer_differences *differences)
{
    if (differences->count == 0)
        return;
    qmt_text_add(text,
                 "\nlayers, worst first (SQNR in dB against the same weights without quantization, and against the "
                 "FP32 model)\n  %-6s%-16s%8s%9s%8s%10s%10s\n",
                 "net", "layer", "SQNR", "cosine", "FP32", "saturated", "dead");
    for (size_t i = 0; i < differences->count; i++) {
        const qmt_layer_difference *layer = &differences->layers[i];
        qmt_text_add(text, "  %-6s%-16s", qmt_net_name(layer->net), layer->name);
        qmt_text_add_figure(text, 8, 1, layer->sqnr);
        qmt_text_add_figure(text, 9, 4, layer->cosine);
        qmt_text_add_figure(text, 8, 1, layer->sqnr_fp32);
        if (isnan(layer->saturation))
            qmt_text_add(text, "%10s", "-");
        else
            qmt_text_add(text, "%8.3f %%", 100 * layer->saturation);
        qmt_text_add(text, "%6d/%d\n", layer->dead, layer->channels);
    }
    qmt_text_add(text, "  from %zu pictures (P-Net), %zu crops (R-Net), %zu crops (O-Net)\n",
                 differences->inputs[QMT_PNET], differences->inputs[QMT_RNET], differences->inputs[QMT_ONET]);
}

static void add_agreement(qmt_text *text, const qmt_agreement *agreement)
{
    qmt_text_add(text,
                 "\nboxes with a score of at least %.2f: %zu FP32, %zu INT8, %zu pairs (IoU >= 0.5); %zu of %zu "
                 "pictures agree in every box\n",
                 agreement->score, agreement->fp32, agreement->int8, agreement->matched, agreement->same_pictures,
                 agreement->pictures);
    if (agreement->matched)
        qmt_text_add(text, "  pairs: mean IoU %.4f, scores %.4f apart on the mean (%+.4f), %.4f at most\n",
                     agreement->mean_iou, agreement->mean_score_difference, agreement->mean_score_shift,
                     agreement->largest_score_difference);
    for (size_t i = 0; i < agreement->pictures && i < pictures_in_text; i++) {
        const qmt_picture_agreement *one = &agreement->each[i];
        if (one->fp32 == one->matched && one->int8 == one->matched)
            break;
        qmt_text_add(text, "  %-44s FP32 %3zu  INT8 %3zu  pairs %3zu\n", one->name, one->fp32, one->int8, one->matched);
    }
}

static void add_cost(qmt_text *text, const qmt_cost *cost)
{
    qmt_text_add(text, "\n%-26s%10s%10s\n", "cost, one thread", "FP32", "INT8");
    if (cost->pictures)
        qmt_text_add(text, "  %-24s%10.2f%10.2f  %.2f times as fast, median of %d pictures\n", "milliseconds a picture",
                     cost->milliseconds[0], cost->milliseconds[1], cost->milliseconds[0] / cost->milliseconds[1],
                     cost->pictures);
    qmt_text_add(text, "  %-24s%10.1f%10.1f  %.2f of FP32\n", "networks, KiB", (double)cost->network_bytes[0] / 1024,
                 (double)cost->network_bytes[1] / 1024,
                 (double)cost->network_bytes[1] / (double)(cost->network_bytes[0] ? cost->network_bytes[0] : 1));
    qmt_text_add(text, "  %-24s%10.1f%10.1f\n", "scratch, KiB", (double)cost->scratch_bytes[0] / 1024,
                 (double)cost->scratch_bytes[1] / 1024);
    if (cost->peak_bytes)
        qmt_text_add(text, "  peak memory of this process: %.1f MiB\n", (double)cost->peak_bytes / 1048576);
}

char *qmt_comparison_text(const qmt_comparison *comparison)
{
    qmt_text text = {0};
    qmt_text_add(&text, "FP32: %s\nINT8: %s\n", comparison->fp32.detector, comparison->int8.detector);
    if (comparison->has_ptq)
        qmt_text_add(&text, "PTQ:  %s\n", comparison->ptq.detector);
    qmt_text_add(&text, "\n");
    add_accuracy(&text, comparison);
    qmt_text_add(&text, "\n");
    add_interval(&text, "retention (AP of INT8 over FP32)", comparison->retention, &comparison->difference);
    if (comparison->has_ptq)
        add_interval(&text, "PTQ retention", comparison->ptq_retention, &comparison->ptq_difference);
    qmt_text_add(&text, "%s: at least %.4f is wanted\n", qmt_comparison_passes(comparison) ? "passed" : "FAILED",
                 comparison->min_retention);
    add_mixes(&text, comparison);
    add_cost(&text, &comparison->cost);
    add_layers(&text, &comparison->layers);
    if (comparison->sensitivity)
        qmt_sensitivity_add_text(&text, comparison->sensitivity);
    add_agreement(&text, &comparison->agreement);
    char *protocol = qmt_evaluation_protocol(&comparison->int8);
    qmt_text_add(&text, "\nProtocol\n");
    qmt_text_add_wrapped(&text, qmt_text_width, protocol ? protocol : "");
    qmt_free(protocol);
    return qmt_text_take(&text);
}
