#include "toolkit/evaluate/sensitivity.h"

#include "toolkit/evaluate/text.h"

#include <math.h>
#include <stdio.h>

bool qmt_difference_stands_out(const qmt_difference *difference)
{
    return difference->resamplings > 0 && (difference->high < 0 || difference->low > 0);
}

const qmt_layer_sensitivity *qmt_sensitivity_best_kept(const qmt_sensitivity *sensitivity)
{
    const qmt_layer_sensitivity *best = NULL;
    for (size_t i = 0; i < sensitivity->count; i++) {
        const qmt_layer_sensitivity *layer = &sensitivity->layers[i];
        if (layer->kept.difference > 0 && (!best || layer->kept.difference > best->kept.difference))
            best = layer;
    }
    return best;
}

/* ---- What to do ------------------------------------------------------------------------------ */

static size_t count_outstanding(const qmt_sensitivity *sensitivity)
{
    size_t count = 0;
    for (size_t i = 0; i < sensitivity->count; i++)
        count +=
            qmt_difference_stands_out(&sensitivity->layers[i].alone) && sensitivity->layers[i].alone.difference < 0;
    return count;
}

static void say_losses(qmt_text *text, const qmt_sensitivity *sensitivity)
{
    const qmt_layer_sensitivity *worst = &sensitivity->layers[0];
    size_t count = count_outstanding(sensitivity);
    if (worst->alone.resamplings == 0)
        qmt_text_add(text, "No intervals were made (evaluate.bootstrap is 0), so losses can't be told from noise.");
    else if (count == 0) {
        qmt_text_add(text,
                     "No layer's loss rises above the noise of these %zu pictures: every interval holds 0 or lies "
                     "above it.",
                     sensitivity->pictures);
        if (worst->alone.difference < 0)
            qmt_text_add(text, " The largest is that of %s/%s, %+.4f AP.", qmt_net_name(worst->net), worst->name,
                         worst->alone.difference);
    } else
        qmt_text_add(
            text,
            "%zu of %zu layers lose more than the noise of these %zu pictures; of %zu intervals of 95 %% about "
            "%.1f miss their value by chance.",
            count, sensitivity->count, sensitivity->pictures, sensitivity->count, 0.05 * (double)sensitivity->count);
}

static void say_remedy(qmt_text *text, const qmt_sensitivity *sensitivity)
{
    const qmt_layer_sensitivity *best = qmt_sensitivity_best_kept(sensitivity);
    if (!best) {
        qmt_text_add(text,
                     " No layer left in FP32 raises the AP of the others in INT8: leave quantize.keep_fp32 empty.");
        return;
    }
    qmt_text_add(text, " quantize.keep_fp32: \"%s/%s\" wins back most, %+.4f AP", qmt_net_name(best->net), best->name,
                 best->kept.difference);
    if (best->kept.resamplings > 0)
        qmt_text_add(text, " (95 %% interval %+.4f to %+.4f)", best->kept.low, best->kept.high);
    qmt_text_add(text, ", for %.0f %% of its network's multiply-adds in FP32", 100 * best->macs);
    if (isfinite(best->time))
        qmt_text_add(text, " and %.2f times the network's time", best->time);
    if (best->kept.resamplings == 0)
        qmt_text_add(text, ".");
    else if (qmt_difference_stands_out(&best->kept))
        qmt_text_add(text, ", and that is more than noise.");
    else
        qmt_text_add(text, ", but that is within the noise: no reason to use it.");
}

char *qmt_sensitivity_advice(const qmt_sensitivity *sensitivity)
{
    qmt_text text = {0};
    qmt_text_add(&text, "%s", "");
    if (sensitivity->count > 0) {
        say_losses(&text, sensitivity);
        say_remedy(&text, sensitivity);
    }
    return qmt_text_take(&text);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *difference_json(double ap, const qmt_difference *difference)
{
    return json_pack("{s:o,s:o,s:[o,o],s:b}", "ap", qmt_json_number(ap), "ap_difference",
                     qmt_json_number(difference->difference), "interval_95", qmt_json_number(difference->low),
                     qmt_json_number(difference->high), "within_noise", (int)!qmt_difference_stands_out(difference));
}

static json_t *layer_json(const qmt_layer_sensitivity *layer)
{
    json_t *name = json_string(layer->name);
    return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b}", "net", qmt_net_name(layer->net), "layer",
                     name ? name : json_null(), "alone", difference_json(layer->ap_alone, &layer->alone), "kept_fp32",
                     difference_json(layer->ap_kept, &layer->kept), "sqnr_db", qmt_json_number(layer->sqnr),
                     "sqnr_won_db", qmt_json_number(layer->sqnr_won), "macs_share", qmt_json_number(layer->macs),
                     "network_time_ratio", qmt_json_number(layer->time), "weights_rounded_before",
                     (int)layer->rounded_before);
}

static json_t *remedy_json(const qmt_sensitivity *sensitivity)
{
    const qmt_layer_sensitivity *best = qmt_sensitivity_best_kept(sensitivity);
    char text[80];
    if (!best)
        return json_null();
    snprintf(text, sizeof text, "%s/%s", qmt_net_name(best->net), best->name);
    json_t *name = json_string(text);
    return name ? name : json_null();
}

json_t *qmt_sensitivity_json(const qmt_sensitivity *sensitivity)
{
    json_t *layers = json_array(), *sqnr = json_object();
    for (size_t i = 0; i < sensitivity->count; i++)
        json_array_append_new(layers, layer_json(&sensitivity->layers[i]));
    for (int net = 0; net < qmt_net_count; net++)
        json_object_set_new(sqnr, qmt_net_name((qmt_net_id)net), qmt_json_number(sensitivity->sqnr[net]));
    char *advice = qmt_sensitivity_advice(sensitivity);
    json_t *words = advice ? json_string(advice) : NULL;
    qmt_free(advice);
    return json_pack("{s:I,s:I,s:I,s:o,s:o,s:o,s:i,s:o,s:o,s:o,s:o}", "pictures", (json_int_t)sensitivity->pictures,
                     "of_pictures", (json_int_t)sensitivity->of_pictures, "faces", (json_int_t)sensitivity->faces,
                     "ap_fp32", qmt_json_number(sensitivity->ap_fp32), "int8",
                     difference_json(sensitivity->ap_int8, &sensitivity->all), "int8_sqnr_db", sqnr, "resamplings",
                     sensitivity->all.resamplings, "layers", layers, "keep_fp32", remedy_json(sensitivity), "advice",
                     words ? words : json_null(), "seconds", qmt_json_number(sensitivity->seconds));
}

/* ---- Text ------------------------------------------------------------------------------------ */

static void add_difference(qmt_text *text, const qmt_difference *difference)
{
    qmt_text_add(text, "%+9.4f", difference->difference);
    if (difference->resamplings)
        qmt_text_add(text, " %+.4f to %+.4f%s", difference->low, difference->high,
                     qmt_difference_stands_out(difference) ? " *" : "  ");
    else
        qmt_text_add(text, "%21s", "-");
}

static void add_layer(qmt_text *text, const qmt_layer_sensitivity *layer)
{
    char name[96];
    snprintf(name, sizeof name, "%s/%s%s", qmt_net_name(layer->net), layer->name, layer->rounded_before ? " (i)" : "");
    qmt_text_add(text, "  %-17s", name);
    add_difference(text, &layer->alone);
    qmt_text_add_figure(text, 6, 1, layer->sqnr);
    add_difference(text, &layer->kept);
    qmt_text_add_figure(text, 7, 1, layer->sqnr_won);
    qmt_text_add(text, "%5.0f %%", 100 * layer->macs);
    qmt_text_add_figure(text, 6, 2, layer->time);
    qmt_text_add(text, "\n");
}

void qmt_sensitivity_add_text(qmt_text *text, const qmt_sensitivity *sensitivity)
{
    bool rounded = false;
    char *advice = qmt_sensitivity_advice(sensitivity);
    qmt_text_add(text,
                 "\nsensitivity of each layer, worst first, on %zu of %zu pictures with %zu faces (AP %.4f without "
                 "quantization, %.4f with all of it)\n",
                 sensitivity->pictures, sensitivity->of_pictures, sensitivity->faces, sensitivity->ap_fp32,
                 sensitivity->ap_int8);
    qmt_text_add(text, "  %-17s%-36s%-38s%6s%6s\n  %-17s%9s %-20s%6s%9s %-20s%7s\n", "",
                 "  only this layer INT8, AP lost", "  only this layer FP32, AP won", "MACs", "time", "", "AP",
                 "95 % interval", "dB", "AP", "95 % interval", "dB");
    for (size_t i = 0; i < sensitivity->count; i++) {
        add_layer(text, &sensitivity->layers[i]);
        rounded = rounded || sensitivity->layers[i].rounded_before;
    }
    qmt_text_add_wrapped(text, qmt_text_width,
                         "*: more than noise (paired bootstrap over pictures). dB: signal to quantization noise of "
                         "the network's outputs, "
                         "in the head that suffers most; and what of it is won back. MACs: share of the network's "
                         "multiply-adds. time: a "
                         "picture with this layer in FP32, over all INT8, median; noisy on a busy machine.");
    if (rounded)
        qmt_text_add_wrapped(text, qmt_text_width,
                             "(i): the file holds this layer's weights as integers only, so just its input's rounding "
                             "is measured.");
    if (rounded)
        qmt_text_add(text, "\n");
    qmt_text_add_wrapped(text, qmt_text_width, advice ? advice : "");
    qmt_text_add(text, "\n");
    qmt_free(advice);
}
