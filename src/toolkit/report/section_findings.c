/* What to look at, and how the classes of samples meet the training. */
#include "toolkit/data/store.h"
#include "toolkit/report/findings.h"
#include "toolkit/report/sections.h"

#include <stdio.h>

static void use_row(qmt_text *page, qmt_net_id net, int c, const qmt_class_use *use)
{
    char name[64];
    snprintf(name, sizeof name, "%s, %s", qmt_net_name(net), qmt_class_name((qmt_sample_class)c));
    const qmt_cell samples = qmt_cell_count((size_t)use->samples), share = qmt_cell_percent(use->share, 1),
                   epoch = qmt_cell_figure(use->per_epoch, 2), all = qmt_cell_figure(use->in_all, 1);
    const char *const row[] = {name, samples.text, share.text, epoch.text, all.text};
    qmt_html_row(page, row, 5);
}

static void use_table(qmt_text *page, const qmt_report *report)
{
    static const char *const headers[] = {"samples that teach", "number", "part of a batch", "times an epoch",
                                          "in all"};
    bool started = false;
    for (int net = 0; report->config && net < qmt_net_count; net++) {
        qmt_class_use uses[qmt_class_count];
        if (!report->manifests[net] || !qmt_class_uses(report->manifests[net], &report->config->train[net], uses))
            continue;
        if (!started) {
            qmt_html_heading(page, "How often samples are shown");
            qmt_html_table_start(page, headers, 5);
        }
        started = true;
        for (int c = 0; c < qmt_class_count; c++)
            use_row(page, (qmt_net_id)net, c, &uses[c]);
    }
    if (started)
        qmt_html_table_end(page);
}

void qmt_section_findings(qmt_text *page, const qmt_report *report)
{
    qmt_findings *findings = qmt_alloc(1, sizeof *findings);
    bool any = report->comparison && report->comparison->layers.count;
    char text[400];
    for (int net = 0; net < qmt_net_count; net++)
        any = any || (report->config && report->manifests[net]);
    if (!any || !findings) {
        page->failed = page->failed || !findings;
        qmt_free(findings);
        return;
    }
    qmt_findings_make(report, findings);
    snprintf(
        text, sizeof text,
        "Checked: layers with at least %.0f %% of their channels dead, layers with at least %.0f %% of their outputs "
        "at the quantizer's last step, classes of samples that an epoch shows %.0f times or more, and classes of which "
        "%.0f %% or more are never shown.",
        100 * qmt_finding_threshold(QMT_FINDING_DEAD), 100 * qmt_finding_threshold(QMT_FINDING_SATURATED),
        qmt_finding_threshold(QMT_FINDING_REPEATED), 100 * qmt_finding_threshold(QMT_FINDING_UNSEEN));
    qmt_html_section(page, "What to look at", text);
    if (findings->count == 0)
        qmt_html_paragraph(page, "Nothing: all are within their limits.");
    for (size_t i = 0; i < findings->count; i++)
        qmt_html_warning(page, findings->items[i].text);
    use_table(page, report);
    qmt_free(findings);
}
