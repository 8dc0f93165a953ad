/* What the results stand on: pictures, samples, time, configuration, protocol. */
#include "toolkit/report/sections.h"

#include "toolkit/data/store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Example pictures ------------------------------------------------------------------------ */

static void examples(qmt_text *page, const qmt_examples *all, bool worst, const char *heading)
{
    bool any = false;
    for (size_t i = 0; i < all->count; i++)
        any = any || all->items[i].worst == worst;
    if (!any)
        return;
    qmt_html_heading(page, heading);
    qmt_html_figures_start(page);
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].worst == worst)
            qmt_html_picture(page, all->items[i].jpeg, all->items[i].size, all->items[i].caption);
    qmt_html_figures_end(page);
}

void qmt_section_pictures(qmt_text *page, const qmt_report *report)
{
    if (!report->examples || report->examples->count == 0)
        return;
    qmt_html_section(
        page, "Pictures",
        "Labels that were found are green, missed ones red, false alarms orange with their score, found boxes "
        "blue; what counts neither way is gray.");
    examples(page, report->examples, true, "Most mistakes");
    examples(page, report->examples, false, "Most faces without a mistake");
}

/* ---- Data ------------------------------------------------------------------------------------ */

static void data_table(qmt_text *page, const qmt_report *report)
{
    static const char *const headers[] = {"split",          "pictures", "without faces", "faces", "count neither way",
                                          "with landmarks", "problems"};
    const qmt_check_summary *const summaries[2] = {report->train_data, report->val_data};
    static const char *const names[2] = {"train", "val"};
    qmt_html_table_start(page, headers, 7);
    for (int i = 0; i < 2; i++) {
        const qmt_check_summary *one = summaries[i];
        if (!one)
            continue;
        const qmt_cell cells[6] = {qmt_cell_count(one->pictures),       qmt_cell_count(one->empty_pictures),
                                   qmt_cell_count(one->faces),          qmt_cell_count(one->ignored),
                                   qmt_cell_count(one->with_landmarks), qmt_cell_count(one->problems)};
        const char *row[7] = {names[i]};
        for (int k = 0; k < 6; k++)
            row[k + 1] = cells[k].text;
        qmt_html_row(page, row, 7);
    }
    qmt_html_table_end(page);
}

static void sizes_table(qmt_text *page, const qmt_report *report)
{
    static const char *const headers[] = {"faces by smaller side", "< 10", "10-20", "20-40", "40-80", "80-160", "160+"};
    const qmt_check_summary *const summaries[2] = {report->train_data, report->val_data};
    static const char *const names[2] = {"train", "val"};
    qmt_html_table_start(page, headers, 7);
    for (int i = 0; i < 2; i++) {
        qmt_cell cells[6];
        const char *row[7] = {names[i]};
        if (!summaries[i])
            continue;
        for (int k = 0; k < 6; k++) {
            cells[k] = qmt_cell_count(summaries[i]->by_size[k]);
            row[k + 1] = cells[k].text;
        }
        qmt_html_row(page, row, 7);
    }
    qmt_html_table_end(page);
}

static qmt_cell integer_in(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) && json_integer_value(value) >= 0 ? qmt_cell_count((size_t)json_integer_value(value))
                                                                    : (qmt_cell){"-"};
}

static void samples_row(qmt_text *page, const char *net, const json_t *manifest)
{
    const json_t *counts = json_object_get(manifest, "counts"), *mining = json_object_get(manifest, "mining");
    const json_t *recall = json_object_get(mining, "recall"), *target = json_object_get(mining, "recall_target");
    qmt_cell cells[qmt_class_count + 1];
    const char *row[qmt_class_count + 2] = {net};
    for (int i = 0; i < qmt_class_count; i++)
        cells[i] = integer_in(counts, qmt_class_name((qmt_sample_class)i));
    cells[qmt_class_count] = (qmt_cell){"-"};
    if (json_is_number(recall) && json_is_number(target))
        snprintf(cells[qmt_class_count].text, sizeof cells[qmt_class_count].text, "%.2f %% (target %.1f %%)",
                 100 * json_number_value(recall), 100 * json_number_value(target));
    for (int i = 0; i <= qmt_class_count; i++)
        row[i + 1] = cells[i].text;
    qmt_html_row(page, row, qmt_class_count + 2);
}

static void samples_table(qmt_text *page, const qmt_report *report)
{
    static const char *const headers[] = {"samples", "negative", "positive",
                                          "part",    "landmark", "faces kept by the network before"};
    bool any = false;
    for (int net = 0; net < qmt_net_count; net++)
        any = any || report->manifests[net];
    if (!any)
        return;
    qmt_html_table_start(page, headers, 6);
    for (int net = 0; net < qmt_net_count; net++) {
        if (!report->manifests[net])
            continue;
        json_t *manifest = json_loads(report->manifests[net], JSON_REJECT_DUPLICATES, NULL);
        samples_row(page, qmt_net_name((qmt_net_id)net), manifest);
        json_decref(manifest);
    }
    qmt_html_table_end(page);
}

void qmt_section_data(qmt_text *page, const qmt_report *report)
{
    bool any = report->train_data || report->val_data;
    for (int net = 0; net < qmt_net_count; net++)
        any = any || report->manifests[net];
    if (!any)
        return;
    qmt_html_section(page, "Data", report->data_name);
    if (report->train_data || report->val_data) {
        data_table(page, report);
        sizes_table(page, report);
    }
    samples_table(page, report);
    for (int net = 0; net < qmt_net_count; net++) {
        char summary[64];
        snprintf(summary, sizeof summary, "Manifest of %s's samples", qmt_net_name((qmt_net_id)net));
        if (report->manifests[net])
            qmt_html_preformatted(page, summary, report->manifests[net]);
    }
}

/* ---- Time and details ------------------------------------------------------------------------ */

static void format_seconds(double seconds, char text[32])
{
    if (seconds < 0)
        snprintf(text, 32, "-");
    else if (seconds < 90)
        snprintf(text, 32, "%.1f s", seconds);
    else if (seconds < 5400)
        snprintf(text, 32, "%.1f min", seconds / 60);
    else
        snprintf(text, 32, "%.2f h", seconds / 3600);
}

void qmt_section_steps(qmt_text *page, const qmt_report *report)
{
    static const char *const headers[] = {"step", "time", ""};
    double sum = 0;
    char time[32];
    if (report->step_count == 0)
        return;
    qmt_html_section(page, "Time", "How long each step took when it last ran.");
    qmt_html_table_start(page, headers, 3);
    for (size_t i = 0; i < report->step_count; i++) {
        const qmt_report_step *step = &report->steps[i];
        format_seconds(step->seconds, time);
        const char *const row[] = {step->name, time, step->note};
        qmt_html_row(page, row, 3);
        sum += step->seconds > 0 ? step->seconds : 0;
    }
    format_seconds(sum, time);
    const char *const total[] = {"all", time, NULL};
    qmt_html_row(page, total, 3);
    qmt_html_table_end(page);
}

void qmt_section_details(qmt_text *page, const qmt_report *report)
{
    const qmt_variants variants = qmt_report_variants(report);
    if (variants.count == 0 && !report->config)
        return;
    qmt_html_section(page, "Details", NULL);
    for (int i = 0; i < 3; i++) {
        const qmt_evaluation *one = variants.evaluation[i];
        if (!one)
            continue;
        char line[qmt_path_size + 64];
        snprintf(line, sizeof line, "%s: %s, %s boxes, %.1f s", variants.name[i], one->detector,
                 qmt_cell_count(one->boxes).text, one->seconds);
        qmt_html_paragraph(page, line);
    }
    for (int i = 0; i < 3; i++) {
        char *protocol = variants.evaluation[i] ? qmt_evaluation_protocol(variants.evaluation[i]) : NULL;
        if (protocol)
            qmt_html_preformatted(page, "Protocol", protocol);
        qmt_free(protocol);
        if (variants.evaluation[i])
            break; /* all were evaluated in the same way */
    }
    char *settings = report->config ? qmt_config_text(report->config) : NULL;
    if (settings)
        qmt_html_preformatted(page, "Configuration", settings);
    qmt_free(settings);
}
