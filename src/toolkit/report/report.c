#include "toolkit/report/report.h"

#include "toolkit/base/file.h"
#include "toolkit/config/json.h"
#include "toolkit/report/findings.h"
#include "toolkit/report/sections.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

qmt_variants qmt_report_variants(const qmt_report *report)
{
    const qmt_comparison *comparison = report->comparison;
    qmt_variants variants = {.name = {"FP32", "PTQ", "INT8"}, .color = {0, 3, 1}};
    variants.evaluation[0] = report->fp32 ? report->fp32 : comparison ? &comparison->fp32 : NULL;
    variants.evaluation[1] = report->ptq ? report->ptq : comparison && comparison->has_ptq ? &comparison->ptq : NULL;
    variants.evaluation[2] = report->int8 ? report->int8 : comparison ? &comparison->int8 : NULL;
    if (variants.evaluation[1])
        variants.name[2] = "QAT";
    for (int i = 0; i < 3; i++)
        variants.count += variants.evaluation[i] != NULL;
    if (variants.count == 1 && report->fp32 && !report->fp32->precision[0])
        variants.name[0] = "predictions";
    return variants;
}

qmt_cell qmt_cell_figure(double value, int digits)
{
    qmt_cell cell;
    if (isnan(value))
        snprintf(cell.text, sizeof cell.text, "-");
    else if (isinf(value))
        snprintf(cell.text, sizeof cell.text, "exact");
    else
        snprintf(cell.text, sizeof cell.text, "%.*f", digits, value);
    return cell;
}

qmt_cell qmt_cell_count(size_t value)
{
    char plain[24];
    qmt_cell cell;
    size_t length = (size_t)snprintf(plain, sizeof plain, "%zu", value), at = 0;
    for (size_t i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            cell.text[at++] = ',';
        cell.text[at++] = plain[i];
    }
    cell.text[at] = 0;
    return cell;
}

qmt_cell qmt_cell_percent(double share, int digits)
{
    qmt_cell cell = qmt_cell_figure(100 * share, digits);
    size_t length = strlen(cell.text);
    if (isfinite(share))
        snprintf(cell.text + length, sizeof cell.text - length, " %%");
    return cell;
}

static qmtcnn_status add_sections(qmt_text *page, const qmt_report *report, qmtcnn_error *error)
{
    qmt_section_tiles(page, report);
    qmtcnn_status status = qmt_section_accuracy(page, report, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_section_real(page, report);
    qmt_section_findings(page, report);
    qmt_section_mixes(page, report);
    status = qmt_section_cost(page, report, error);
    if (status == QMTCNN_OK)
        status = qmt_section_layers(page, report, error);
    if (status == QMTCNN_OK)
        status = qmt_section_sensitivity(page, report, error);
    if (status == QMTCNN_OK)
        status = qmt_section_stages(page, report, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_section_pictures(page, report);
    qmt_section_agreement(page, report);
    status = qmt_section_training(page, report, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_section_data(page, report);
    qmt_section_steps(page, report);
    qmt_section_details(page, report);
    return QMTCNN_OK;
}

qmtcnn_status qmt_report_html(const qmt_report *report, char **html, qmtcnn_error *error)
{
    qmt_text page = {0};
    *html = NULL;
    qmt_html_start(&page, report->title ? report->title : "qmtcnn", report->subtitle);
    qmtcnn_status status = add_sections(&page, report, error);
    qmt_html_end(&page);
    char *text = qmt_text_take(&page);
    if (status == QMTCNN_OK && !text)
        status = qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: the report");
    if (status == QMTCNN_OK)
        *html = text;
    else
        qmt_free(text);
    return status;
}

qmtcnn_status qmt_report_write(const qmt_report *report, const char *path, qmtcnn_error *error)
{
    char *html = NULL;
    qmtcnn_status status = qmt_report_html(report, &html, error);
    if (status == QMTCNN_OK)
        status = qmt_file_write(path, html, strlen(html), error);
    qmt_free(html);
    return status;
}

static json_t *steps_json(const qmt_report *report)
{
    json_t *array = json_array();
    for (size_t i = 0; i < report->step_count; i++) {
        json_t *name = json_string(report->steps[i].name);
        json_array_append_new(
            array, json_pack("{s:o,s:o}", "name", name ? name : json_null(), "seconds",
                             qmt_json_number(report->steps[i].seconds < 0 ? NAN : report->steps[i].seconds)));
    }
    return array;
}

static const char *const variant_keys[] = {"fp32", "ptq", "int8"};

static void set_variants(json_t *object, const qmt_evaluation *const evaluations[3])
{
    for (int i = 0; i < 3; i++)
        json_object_set_new(object, variant_keys[i],
                            evaluations[i] ? qmt_evaluation_json(evaluations[i]) : json_null());
}

static json_t *real_json(const qmt_real_results *real)
{
    if (!real || !real->name)
        return json_null();
    json_t *object = json_object(), *name = json_string(real->name);
    json_object_set_new(object, "data", name ? name : json_null());
    set_variants(object, real->evaluations);
    return object;
}

static json_t *findings_json(const qmt_report *report)
{
    json_t *array = json_array();
    qmt_findings *findings = qmt_alloc(1, sizeof *findings);
    if (!findings) {
        json_decref(array);
        return NULL;
    }
    qmt_findings_make(report, findings);
    for (size_t i = 0; i < findings->count; i++) {
        const qmt_finding *one = &findings->items[i];
        json_t *what = json_string(one->what), *text = json_string(one->text);
        json_array_append_new(array, json_pack("{s:s,s:s,s:o,s:o,s:o,s:o}", "kind", qmt_finding_name(one->kind), "net",
                                               qmt_net_name(one->net), "what", what ? what : json_null(), "value",
                                               qmt_json_number(one->value), "threshold",
                                               qmt_json_number(qmt_finding_threshold(one->kind)), "text",
                                               text ? text : json_null()));
    }
    qmt_free(findings);
    return array;
}

json_t *qmt_report_json(const qmt_report *report)
{
    const qmt_variants variants = qmt_report_variants(report);
    json_t *object = json_object(), *stages = json_array();
    json_t *title = json_string(report->title ? report->title : "qmtcnn");
    json_object_set_new(object, "title", title ? title : json_null());
    set_variants(object, variants.evaluation);
    json_object_set_new(object, "comparison",
                        report->comparison ? qmt_comparison_json(report->comparison) : json_null());
    json_object_set_new(object, "findings", findings_json(report));
    json_object_set_new(object, "real_data", real_json(report->real));
    for (size_t i = 0; i < report->stage_count; i++)
        json_array_append_new(stages, qmt_stage_json(&report->stages[i]));
    json_object_set_new(object, "stages", stages);
    json_object_set_new(object, "steps", steps_json(report));
    json_object_set_new(object, "configuration", report->config ? qmt_config_json(report->config) : json_null());
    return object;
}
