/* FP32 against INT8: mixes of both, cost, layers, boxes. And the recall of each network. */
#include "toolkit/report/plot.h"
#include "toolkit/report/sections.h"

#include <math.h>
#include <stdio.h>

enum { pictures_on_page = 15 };

/* ---- Mixes ----------------------------------------------------------------------------------- */

void qmt_section_mixes(qmt_text *page, const qmt_report *report)
{
    const qmt_comparison *comparison = report->comparison;
    if (!comparison || !comparison->mixes.present)
        return;
    bool ptq = comparison->ptq_mixes.present;
    const char *const headers[] = {"P-Net", "R-Net", "O-Net", ptq ? "AP, QAT" : "AP", "of FP32", "AP, PTQ", "of FP32"};
    size_t columns = ptq ? 7 : 5;
    qmt_html_section(page, "Which network costs accuracy",
                     "AP with each network in INT8 or left in FP32: all eight combinations.");
    qmt_html_table_start(page, headers, columns);
    for (int mix = 0; mix < qmt_mix_count; mix++) {
        double base = comparison->mixes.ap[0];
        qmt_cell ap = qmt_cell_figure(comparison->mixes.ap[mix], 4);
        qmt_cell share = qmt_cell_percent(base > 0 ? comparison->mixes.ap[mix] / base : NAN, 1);
        qmt_cell ap_ptq = qmt_cell_figure(comparison->ptq_mixes.ap[mix], 4);
        qmt_cell share_ptq = qmt_cell_percent(base > 0 ? comparison->ptq_mixes.ap[mix] / base : NAN, 1);
        const char *const row[] = {mix & 1 ? "INT8" : "FP32",
                                   mix & 2 ? "INT8" : "FP32",
                                   mix & 4 ? "INT8" : "FP32",
                                   ap.text,
                                   share.text,
                                   ap_ptq.text,
                                   share_ptq.text};
        qmt_html_row(page, row, columns);
    }
    qmt_html_table_end(page);
}

/* ---- Cost ------------------------------------------------------------------------------------ */

static qmtcnn_status bars(qmt_text *page, const char *what, const char *unit, const double values[2], int digits,
                          qmtcnn_error *error)
{
    static const char *const groups[] = {"FP32", "INT8"};
    static const int colors[] = {0, 1};
    const qmt_bar_plot plot = {what, unit, groups, 2, NULL, 1, values, colors, NAN, digits};
    char *svg = NULL;
    qmtcnn_status status = qmt_plot_bars(&plot, &svg, error);
    if (status == QMTCNN_OK)
        qmt_html_figure(page, svg, what);
    qmt_free(svg);
    return status;
}

qmtcnn_status qmt_section_cost(qmt_text *page, const qmt_report *report, qmtcnn_error *error)
{
    if (!report->comparison)
        return QMTCNN_OK;
    const qmt_cost *cost = &report->comparison->cost;
    const double networks[2] = {(double)cost->network_bytes[0] / 1024, (double)cost->network_bytes[1] / 1024};
    char text[200];
    qmtcnn_status status = QMTCNN_OK;
    qmt_html_section(page, "Speed and memory",
                     "Measured here, one thread, FP32 and INT8 by turns on the same pictures.");
    qmt_html_figures_start(page);
    if (cost->pictures) {
        snprintf(text, sizeof text, "Milliseconds a picture (median of %d pictures)", cost->pictures);
        status = bars(page, text, "ms", cost->milliseconds, 1, error);
    }
    if (status == QMTCNN_OK)
        status = bars(page, "Memory of the three networks", "KiB", networks, 0, error);
    qmt_html_figures_end(page);
    snprintf(text, sizeof text, "Scratch memory a thread: %.1f MiB in FP32, %.1f MiB in INT8.",
             (double)cost->scratch_bytes[0] / 1048576, (double)cost->scratch_bytes[1] / 1048576);
    qmt_html_paragraph(page, text);
    if (cost->peak_bytes) {
        snprintf(text, sizeof text, "Peak memory of the process that made this page: %.0f MiB.",
                 (double)cost->peak_bytes / 1048576);
        qmt_html_paragraph(page, text);
    }
    return status;
}

/* ---- Layers ---------------------------------------------------------------------------------- */

static void format_name(const qmt_layer_difference *layer, char text[96])
{
    snprintf(text, 96, "%s/%s", qmt_net_name(layer->net), layer->name);
}

static void layer_table(qmt_text *page, const qmt_layer_differences *layers)
{
    static const char *const headers[] = {"layer",     "SQNR, dB",      "cosine",      "SQNR to FP32 model, dB",
                                          "saturated", "dead channels", "dead in FP32"};
    qmt_html_table_start(page, headers, 7);
    for (size_t i = 0; i < layers->count; i++) {
        const qmt_layer_difference *layer = &layers->layers[i];
        char name[96], dead[32], dead_fp32[32];
        qmt_cell sqnr = qmt_cell_figure(layer->sqnr, 1), cosine = qmt_cell_figure(layer->cosine, 5);
        qmt_cell fp32 = qmt_cell_figure(layer->sqnr_fp32, 1), saturated = qmt_cell_percent(layer->saturation, 3);
        format_name(layer, name);
        snprintf(dead, sizeof dead, "%d of %d", layer->dead, layer->channels);
        snprintf(dead_fp32, sizeof dead_fp32, "%d", layer->dead_fp32);
        const char *const row[] = {name, sqnr.text, cosine.text, fp32.text, saturated.text, dead, dead_fp32};
        qmt_html_row(page, row, 7);
    }
    qmt_html_table_end(page);
}

static qmtcnn_status layer_figure(qmt_text *page, const qmt_layer_differences *layers, qmtcnn_error *error)
{
    qmt_plot_row *rows = qmt_alloc(layers->count, sizeof *rows);
    char *svg = NULL;
    if (!rows)
        return qmt_fail_memory(error, layers->count * sizeof *rows, "a plot of the layers");
    for (size_t i = 0; i < layers->count; i++) {
        format_name(&layers->layers[i], rows[i].name);
        rows[i].value = layers->layers[i].sqnr;
        rows[i].color = (int)layers->layers[i].net;
    }
    const qmt_row_plot plot = {"Signal to quantization noise by layer", "dB", rows, layers->count, 1};
    qmtcnn_status status = qmt_plot_rows(&plot, &svg, error);
    if (status == QMTCNN_OK)
        qmt_html_figure(page, svg,
                        "Signal to quantization noise of each layer's output, worst first; 6 dB are one bit");
    qmt_free(svg);
    qmt_free(rows);
    return status;
}

qmtcnn_status qmt_section_layers(qmt_text *page, const qmt_report *report, qmtcnn_error *error)
{
    const qmt_layer_differences *layers = report->comparison ? &report->comparison->layers : NULL;
    char text[160];
    if (!layers || layers->count == 0)
        return QMTCNN_OK;
    qmt_html_section(
        page, "Layer by layer",
        "The INT8 networks beside the same weights without quantization, fed the same pixels. Errors of the "
        "layers before are included, so they add up towards the heads. Against the FP32 model the figure "
        "also holds what QAT has learned since.");
    qmt_html_figures_start(page);
    qmtcnn_status status = layer_figure(page, layers, error);
    qmt_html_figures_end(page);
    layer_table(page, layers);
    snprintf(text, sizeof text, "From %zu pyramid levels for P-Net, %zu crops for R-Net and %zu for O-Net.",
             layers->inputs[QMT_PNET], layers->inputs[QMT_RNET], layers->inputs[QMT_ONET]);
    qmt_html_paragraph(page, text);
    return status;
}

/* ---- Boxes ----------------------------------------------------------------------------------- */

void qmt_section_agreement(qmt_text *page, const qmt_report *report)
{
    static const char *const headers[] = {"picture", "FP32 boxes", "INT8 boxes",
                                          "pairs",   "mean IoU",   "largest score gap"};
    const qmt_agreement *agreement = report->comparison ? &report->comparison->agreement : NULL;
    char text[800];
    if (!agreement || agreement->pictures == 0)
        return;
    qmt_html_section(page, "Box by box", "Do FP32 and INT8 find the same faces? Boxes are paired at an IoU of 0.5.");
    snprintf(
        text, sizeof text,
        "At score %.2f FP32 finds %zu boxes and INT8 %zu; %zu are pairs. %zu of %zu pictures agree in every box. Pairs "
        "have a mean IoU of %s and scores that are %s apart on the mean, %s at most.",
        agreement->score, agreement->fp32, agreement->int8, agreement->matched, agreement->same_pictures,
        agreement->pictures, qmt_cell_figure(agreement->mean_iou, 3).text,
        qmt_cell_figure(agreement->mean_score_difference, 4).text,
        qmt_cell_figure(agreement->largest_score_difference, 3).text);
    qmt_html_paragraph(page, text);
    qmt_html_heading(page, "Pictures that differ most");
    qmt_html_table_start(page, headers, 6);
    for (size_t i = 0; i < agreement->pictures && i < pictures_on_page; i++) {
        const qmt_picture_agreement *one = &agreement->each[i];
        qmt_cell fp32 = qmt_cell_count(one->fp32), int8 = qmt_cell_count(one->int8);
        qmt_cell matched = qmt_cell_count(one->matched), iou = qmt_cell_figure(one->mean_iou, 3);
        qmt_cell gap = qmt_cell_figure(one->matched ? one->largest_score_difference : NAN, 3);
        const char *const row[] = {one->name, fp32.text, int8.text, matched.text, iou.text, gap.text};
        qmt_html_row(page, row, 6);
    }
    qmt_html_table_end(page);
}

/* ---- Each network by itself ------------------------------------------------------------------ */

static void stage_table(qmt_text *page, const qmt_stage_result *stage)
{
    const char *headers[4 + qmt_size_bins] = {"threshold", "proposals a picture", "recall, IoU 0.5",
                                              "recall, IoU 0.65"};
    char sizes[qmt_size_bins][32];
    for (int bin = 0; bin < qmt_size_bins; bin++) {
        snprintf(sizes[bin], sizeof sizes[bin], "%s (%zu)", qmt_size_bin_name(bin), stage->faces_by_size[bin]);
        headers[4 + bin] = sizes[bin];
    }
    qmt_html_table_start(page, headers, 4 + qmt_size_bins);
    for (int t = 0; t < qmt_stage_thresholds; t++) {
        const qmt_stage_point *point = &stage->points[t];
        qmt_cell cells[4 + qmt_size_bins] = {qmt_cell_figure(point->threshold, 1), qmt_cell_figure(point->proposals, 1),
                                             qmt_cell_percent(point->recall[0], 1),
                                             qmt_cell_percent(point->recall[1], 1)};
        const char *row[4 + qmt_size_bins];
        for (int bin = 0; bin < qmt_size_bins; bin++)
            cells[4 + bin] = qmt_cell_percent(point->by_size[0][bin], 1);
        for (int i = 0; i < 4 + qmt_size_bins; i++)
            row[i] = cells[i].text;
        qmt_html_row(page, row, 4 + qmt_size_bins);
    }
    qmt_html_table_end(page);
}

static qmtcnn_status stage_figure(qmt_text *page, const qmt_stage_result *stage, qmtcnn_error *error)
{
    double proposals[qmt_stage_thresholds], recall[qmt_stage_ious][qmt_stage_thresholds];
    double ends[2] = {INFINITY, 0}, target[2];
    char caption[160], *svg = NULL;
    for (int t = 0; t < qmt_stage_thresholds; t++) {
        proposals[t] = stage->points[t].proposals;
        ends[0] = proposals[t] > 0 ? fmin(ends[0], proposals[t]) : ends[0];
        ends[1] = fmax(ends[1], proposals[t]);
        for (int k = 0; k < qmt_stage_ious; k++)
            recall[k][t] = stage->points[t].recall[k];
    }
    target[0] = target[1] = qmt_stage_target(stage->net);
    const qmt_series series[] = {{"IoU 0.5", proposals, recall[0], qmt_stage_thresholds, 0, false},
                                 {"IoU 0.65", proposals, recall[1], qmt_stage_thresholds, 1, false},
                                 {"target", ends, target, 2, 2, true}};
    const qmt_line_plot plot = {"Recall over proposals a picture",
                                "proposals a picture (log)",
                                "recall",
                                true,
                                NAN,
                                NAN,
                                NAN,
                                1,
                                series,
                                isnan(target[0]) ? 2 : 3,
                                NAN,
                                NULL};
    qmtcnn_status status = qmt_plot_lines(&plot, &svg, error);
    snprintf(caption, sizeof caption, "%s (%s): recall against proposals, thresholds 0.9 to 0.1",
             qmt_net_name(stage->net), stage->precision);
    if (status == QMTCNN_OK)
        qmt_html_figure(page, svg, caption);
    qmt_free(svg);
    return status;
}

qmtcnn_status qmt_section_stages(qmt_text *page, const qmt_report *report, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    if (report->stage_count == 0)
        return status;
    qmt_html_section(
        page, "Each network by itself",
        "Which network loses a face? Recall of the boxes that a network passes on, P- and R-Net's as the "
        "squares that the next one gets. Targets before the next network is trained: 97 % for P-Net, 95.5 % "
        "for R-Net, at an IoU of 0.5.");
    qmt_html_figures_start(page);
    for (size_t i = 0; status == QMTCNN_OK && i < report->stage_count; i++)
        status = stage_figure(page, &report->stages[i], error);
    qmt_html_figures_end(page);
    for (size_t i = 0; status == QMTCNN_OK && i < report->stage_count; i++) {
        const qmt_stage_result *stage = &report->stages[i];
        const qmt_stage_point *at = &stage->points[stage->operating];
        double target = qmt_stage_target(stage->net);
        char text[200];
        snprintf(text, sizeof text, "%s, %s: %s faces; by size at IoU 0.5", qmt_net_name(stage->net), stage->precision,
                 qmt_cell_count(stage->faces).text);
        qmt_html_heading(page, text);
        if (!isnan(target)) {
            snprintf(text, sizeof text, "At threshold %.1f: %.1f %% with %.1f proposals a picture; target %.1f %%: %s.",
                     at->threshold, 100 * at->recall[0], at->proposals, 100 * target,
                     at->recall[0] >= target ? "reached" : "missed");
            qmt_html_paragraph(page, text);
        }
        stage_table(page, stage);
    }
    return status;
}
