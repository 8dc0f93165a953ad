/* How good: the figures at the top, and accuracy with its curves. */
#include "toolkit/evaluate/rows.h"
#include "toolkit/report/plot.h"
#include "toolkit/report/sections.h"

#include <math.h>
#include <stdio.h>

/* ---- Tiles ----------------------------------------------------------------------------------- */

static void comparison_tiles(qmt_text *page, const qmt_comparison *comparison)
{
    const qmt_cost *cost = &comparison->cost;
    char value[48], note[96];
    snprintf(note, sizeof note, "AP of INT8 over FP32; %.2f is wanted", comparison->min_retention);
    qmt_html_tile(page, "Retention", qmt_cell_percent(comparison->retention, 1).text, note,
                  qmt_comparison_passes(comparison) ? QMT_TONE_GOOD : QMT_TONE_BAD);
    if (cost->pictures && cost->milliseconds[1] > 0) {
        snprintf(value, sizeof value, "%.2fx", cost->milliseconds[0] / cost->milliseconds[1]);
        snprintf(note, sizeof note, "%.1f ms instead of %.1f ms a picture", cost->milliseconds[1],
                 cost->milliseconds[0]);
        qmt_html_tile(page, "Speed of INT8", value, note, QMT_TONE_PLAIN);
    }
    if (cost->network_bytes[0]) {
        snprintf(value, sizeof value, "%.0f KiB", (double)cost->network_bytes[1] / 1024);
        snprintf(note, sizeof note, "INT8 networks; FP32 %.0f KiB", (double)cost->network_bytes[0] / 1024);
        qmt_html_tile(page, "Memory", value, note, QMT_TONE_PLAIN);
    }
}

void qmt_section_tiles(qmt_text *page, const qmt_report *report)
{
    const qmt_variants variants = qmt_report_variants(report);
    char label[32], note[160];
    if (variants.count == 0)
        return;
    qmt_html_tiles_start(page);
    for (int i = 0; i < 3; i++) {
        const qmt_evaluation *one = variants.evaluation[i];
        if (!one)
            continue;
        bool wider = isnan(one->ap);
        snprintf(label, sizeof label, "AP%s, %s", wider ? " (hard)" : "", variants.name[i]);
        snprintf(note, sizeof note, "%s faces in %s pictures",
                 qmt_cell_count(wider ? one->faces_hard : one->faces).text, qmt_cell_count(one->pictures).text);
        qmt_html_tile(page, label, qmt_cell_figure(wider ? one->ap_hard : one->ap, 3).text, note, QMT_TONE_PLAIN);
    }
    if (report->comparison)
        comparison_tiles(page, report->comparison);
    qmt_html_tiles_end(page);
}

/* ---- The table ------------------------------------------------------------------------------- */

static void figures_table(qmt_text *page, const qmt_evaluation *const evaluations[3], const char *const names[3])
{
    qmt_row rows[qmt_most_rows];
    const char *headers[4] = {""};
    size_t count = qmt_evaluation_rows(evaluations, rows), columns = 1;
    for (int i = 0; i < 3; i++)
        if (evaluations[i])
            headers[columns++] = names[i];
    qmt_html_table_start(page, headers, columns);
    for (size_t r = 0; r < count; r++) {
        qmt_cell cells[3];
        const char *row[4] = {rows[r].label};
        size_t used = 1;
        for (int i = 0; i < 3; i++) {
            cells[i] = qmt_cell_figure(rows[r].values[i], 4);
            if (evaluations[i])
                row[used++] = cells[i].text;
        }
        qmt_html_row(page, row, used);
    }
    qmt_html_table_end(page);
}

/* ---- Curves ---------------------------------------------------------------------------------- */

static const double least_false_alarms = 0.01;

struct curve {
    double recall[qmt_curve_points], precision[qmt_curve_points], false_alarms[qmt_curve_points];
};

static void take_curves(const qmt_variants *variants, struct curve curves[3])
{
    for (int i = 0; i < 3; i++) {
        const qmt_evaluation *one = variants->evaluation[i];
        for (int k = 0; one && k < one->curve_points; k++) {
            curves[i].recall[k] = one->curve[k].recall;
            curves[i].precision[k] = one->curve[k].precision;
            /* The axis is logarithmic: no false alarm stands at its left end. */
            curves[i].false_alarms[k] = fmax(one->curve[k].false_alarms, least_false_alarms);
        }
    }
}

static qmtcnn_status curve_figure(qmt_text *page, const qmt_variants *variants, const struct curve curves[3], bool froc,
                                  qmtcnn_error *error)
{
    qmt_series series[3];
    qmt_line_plot plot = {.x_min = 0, .x_max = 1, .y_min = 0, .y_max = 1, .series = series, .mark_x = NAN};
    char *svg = NULL;
    for (int i = 0; i < 3; i++) {
        if (!variants->evaluation[i])
            continue;
        series[plot.count++] = (qmt_series){variants->name[i],
                                            froc ? curves[i].false_alarms : curves[i].recall,
                                            froc ? curves[i].recall : curves[i].precision,
                                            (size_t)variants->evaluation[i]->curve_points,
                                            variants->color[i],
                                            false};
    }
    if (froc) {
        plot.description = "Recall over false alarms a picture";
        plot.x_label = "false alarms a picture (log)";
        plot.y_label = "recall";
        plot.log_x = true;
        plot.x_min = least_false_alarms;
        plot.x_max = 10;
    } else {
        plot.description = "Precision over recall";
        plot.x_label = "recall";
        plot.y_label = "precision";
    }
    qmtcnn_status status = qmt_plot_lines(&plot, &svg, error);
    if (status == QMTCNN_OK)
        qmt_html_figure(page, svg, froc ? "FROC: how much is found for how many false alarms" : "Precision and recall");
    qmt_free(svg);
    return status;
}

static qmtcnn_status size_figure(qmt_text *page, const qmt_variants *variants, qmtcnn_error *error)
{
    const char *groups[qmt_size_bins], *bars[3];
    double values[qmt_size_bins * 3];
    int colors[qmt_size_bins];
    qmt_bar_plot plot = {"Recall by size of face", "recall", groups, 0, bars, 0, values, colors, 1, 2};
    char *svg = NULL, caption[96];
    double score = 0;
    for (int i = 0; i < 3; i++)
        if (variants->evaluation[i]) {
            colors[plot.bar_count] = variants->color[i];
            bars[plot.bar_count++] = variants->name[i];
        }
    if (plot.bar_count == 1) /* then colors are a group's */
        for (int bin = 1; bin < qmt_size_bins; bin++)
            colors[bin] = colors[0];
    for (int bin = 0; bin < qmt_size_bins; bin++) {
        groups[plot.group_count++] = qmt_size_bin_name(bin);
        size_t at = 0;
        for (int i = 0; i < 3; i++) {
            if (!variants->evaluation[i])
                continue;
            values[(size_t)bin * plot.bar_count + at++] = variants->evaluation[i]->by_size[bin].recall;
            score = variants->evaluation[i]->score;
        }
    }
    qmtcnn_status status = qmt_plot_bars(&plot, &svg, error);
    snprintf(caption, sizeof caption, "Recall by face size (smaller side, pixels) at score %.2f", score);
    if (status == QMTCNN_OK)
        qmt_html_figure(page, svg, caption);
    qmt_free(svg);
    return status;
}

static void interval_line(qmt_text *page, const char *name, double retention, const qmt_difference *difference)
{
    char text[256];
    if (difference->resamplings == 0 || isnan(retention))
        return;
    snprintf(text, sizeof text,
             "%s keeps %.2f %% of FP32's AP (95 %% interval %.2f to %.2f %%; paired bootstrap over pictures, %d "
             "resamplings). The difference is %+.4f (%+.4f to %+.4f).",
             name, 100 * retention, 100 * difference->ratio_low, 100 * difference->ratio_high, difference->resamplings,
             difference->difference, difference->low, difference->high);
    qmt_html_paragraph(page, text);
}

qmtcnn_status qmt_section_accuracy(qmt_text *page, const qmt_report *report, qmtcnn_error *error)
{
    const qmt_variants variants = qmt_report_variants(report);
    const qmt_evaluation *any = NULL;
    for (int i = 0; i < 3; i++)
        any = any ? any : variants.evaluation[i];
    if (!any)
        return QMTCNN_OK;
    qmt_html_section(page, "Accuracy", "What each figure means stands under Protocol, at the end.");
    figures_table(page, variants.evaluation, variants.name);
    if (report->comparison) {
        const qmt_comparison *comparison = report->comparison;
        interval_line(page, comparison->has_ptq ? "QAT" : "INT8", comparison->retention, &comparison->difference);
        if (comparison->has_ptq)
            interval_line(page, "PTQ", comparison->ptq_retention, &comparison->ptq_difference);
    }
    if (any->curve_points == 0)
        return QMTCNN_OK;
    struct curve *curves = qmt_alloc_zero(3, sizeof *curves);
    if (!curves)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: curves");
    take_curves(&variants, curves);
    qmt_html_figures_start(page);
    qmtcnn_status status = curve_figure(page, &variants, curves, false, error);
    if (status == QMTCNN_OK)
        status = curve_figure(page, &variants, curves, true, error);
    if (status == QMTCNN_OK)
        status = size_figure(page, &variants, error);
    qmt_html_figures_end(page);
    qmt_free(curves);
    return status;
}

void qmt_section_real(qmt_text *page, const qmt_report *report)
{
    static const char *const heading = "On real pictures";
    const qmt_real_results *real = report->real;
    if (!real)
        return;
    if (!real->name) {
        qmt_html_section(page, heading,
                         "All figures on this page are of synthetic pictures, and say little about real ones: what "
                         "this detector, trained on synthetic faces alone, reaches on real pictures was not measured. "
                         "Give evaluate.real_data, a data set in WIDER FACE's layout, to measure it.");
        return;
    }
    const qmt_evaluation *int8 = real->evaluations[2];
    const char *const names[3] = {"FP32", "PTQ", real->evaluations[1] ? "QAT" : "INT8"};
    const bool synthetic = !report->config->data.dir[0];
    char text[qmt_path_size + 256];
    snprintf(text, sizeof text, "The same models%s on the val split of %s: %s faces in %s pictures.%s",
             synthetic ? ", which were trained on synthetic faces alone," : "", real->name,
             qmt_cell_count(int8->faces).text, qmt_cell_count(int8->pictures).text,
             synthetic ? " All other figures on this page are of synthetic pictures." : "");
    qmt_html_section(page, heading, text);
    figures_table(page, real->evaluations, names);
}
