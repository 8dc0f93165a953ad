/* Which layer's quantization costs accuracy. */
#include "toolkit/report/plot.h"
#include "toolkit/report/sections.h"

#include <math.h>
#include <stdio.h>

static void format_difference(const qmt_difference *difference, char text[64])
{
    if (difference->resamplings)
        snprintf(text, 64, "%+.4f (%+.4f to %+.4f)%s", difference->difference, difference->low, difference->high,
                 qmt_difference_stands_out(difference) ? " *" : "");
    else
        snprintf(text, 64, "%+.4f", difference->difference);
}

static void format_name(const qmt_layer_sensitivity *layer, char text[96])
{
    snprintf(text, 96, "%s/%s%s", qmt_net_name(layer->net), layer->name, layer->rounded_before ? " (i)" : "");
}

static void table(qmt_text *page, const qmt_sensitivity *sensitivity)
{
    static const char *const headers[] = {"layer",   "AP, only it INT8", "SQNR, dB",      "AP, only it FP32",
                                          "won, dB", "multiply-adds",    "network's time"};
    qmt_html_table_start(page, headers, 7);
    for (size_t i = 0; i < sensitivity->count; i++) {
        const qmt_layer_sensitivity *layer = &sensitivity->layers[i];
        char name[96], alone[64], kept[64];
        qmt_cell sqnr = qmt_cell_figure(layer->sqnr, 1), won = qmt_cell_figure(layer->sqnr_won, 1);
        qmt_cell macs = qmt_cell_percent(layer->macs, 0), time = qmt_cell_figure(layer->time, 2);
        format_name(layer, name);
        format_difference(&layer->alone, alone);
        format_difference(&layer->kept, kept);
        const char *const row[] = {name, alone, sqnr.text, kept, won.text, macs.text, time.text};
        qmt_html_row(page, row, 7);
    }
    qmt_html_table_end(page);
}

/* Losses only: a layer that happens to gain has no bar. */
static qmtcnn_status figure(qmt_text *page, const qmt_sensitivity *sensitivity, qmtcnn_error *error)
{
    qmt_plot_row *rows = qmt_alloc(sensitivity->count, sizeof *rows);
    char *svg = NULL;
    if (!rows)
        return qmt_fail_memory(error, sensitivity->count * sizeof *rows, "a plot of the layers");
    for (size_t i = 0; i < sensitivity->count; i++) {
        format_name(&sensitivity->layers[i], rows[i].name);
        rows[i].value = fmax(0, -1000 * sensitivity->layers[i].alone.difference);
        rows[i].color = (int)sensitivity->layers[i].net;
    }
    const qmt_row_plot plot = {"AP lost by quantizing one layer, in thousandths", "", rows, sensitivity->count, 1};
    qmtcnn_status status = qmt_plot_rows(&plot, &svg, error);
    if (status == QMTCNN_OK)
        qmt_html_figure(page, svg, "AP lost where only this layer is INT8, in thousandths");
    qmt_free(svg);
    qmt_free(rows);
    return status;
}

qmtcnn_status qmt_section_sensitivity(qmt_text *page, const qmt_report *report, qmtcnn_error *error)
{
    const qmt_sensitivity *sensitivity = report->comparison ? report->comparison->sensitivity : NULL;
    char text[400], *advice;
    bool rounded = false;
    if (!sensitivity || sensitivity->count == 0)
        return QMTCNN_OK;
    qmt_html_section(
        page, "Sensitivity of each layer",
        "AP with one layer in INT8 and all others in FP32, and with one layer in FP32 and all others in "
        "INT8, worst first. * marks differences that are more than noise: 0 lies outside their 95 % interval "
        "(paired bootstrap over pictures). SQNR: of the network's outputs, in the head that suffers most, and "
        "what of it is won back. Time: of the network with this layer in FP32, over all INT8.");
    advice = qmt_sensitivity_advice(sensitivity);
    qmt_html_paragraph(page, advice ? advice : "");
    qmt_free(advice);
    qmt_html_figures_start(page);
    qmtcnn_status status = figure(page, sensitivity, error);
    qmt_html_figures_end(page);
    table(page, sensitivity);
    for (size_t i = 0; i < sensitivity->count; i++)
        rounded = rounded || sensitivity->layers[i].rounded_before;
    snprintf(text, sizeof text,
             "From %zu of %zu pictures with %zu faces: AP %.4f without quantization, %.4f with all of it.%s",
             sensitivity->pictures, sensitivity->of_pictures, sensitivity->faces, sensitivity->ap_fp32,
             sensitivity->ap_int8,
             rounded ? " (i): the file holds these weights as integers only, so just the rounding of the layer's input "
                       "is measured."
                     : "");
    qmt_html_paragraph(page, text);
    return status;
}
