/* The sections of a page; each leaves itself out where the report has nothing for it. */
#ifndef QMT_SECTIONS_H
#define QMT_SECTIONS_H

#include "toolkit/report/html.h"
#include "toolkit/report/report.h"

/* The three evaluations of a report, from wherever it has them. */
typedef struct qmt_variants {
    const qmt_evaluation *evaluation[3]; /* FP32, PTQ, INT8 (QAT); NULL where there is none */
    const char *name[3];
    int color[3];
    int count; /* those that there are */
} qmt_variants;
qmt_variants qmt_report_variants(const qmt_report *report);

/* Short forms of figures for cells. */
typedef struct qmt_cell {
    char text[48];
} qmt_cell;
qmt_cell qmt_cell_figure(double value, int digits); /* "-" for a NAN */
qmt_cell qmt_cell_count(size_t value);
qmt_cell qmt_cell_percent(double share, int digits);

void qmt_section_findings(qmt_text *page, const qmt_report *report);
void qmt_section_tiles(qmt_text *page, const qmt_report *report);
qmtcnn_status qmt_section_accuracy(qmt_text *page, const qmt_report *report, qmtcnn_error *error);
/* What a detector that never saw a real face reaches on real pictures. */
void qmt_section_real(qmt_text *page, const qmt_report *report);
void qmt_section_mixes(qmt_text *page, const qmt_report *report);
qmtcnn_status qmt_section_stages(qmt_text *page, const qmt_report *report, qmtcnn_error *error);
qmtcnn_status qmt_section_cost(qmt_text *page, const qmt_report *report, qmtcnn_error *error);
qmtcnn_status qmt_section_layers(qmt_text *page, const qmt_report *report, qmtcnn_error *error);
/* AP and noise of each layer by itself. */
qmtcnn_status qmt_section_sensitivity(qmt_text *page, const qmt_report *report, qmtcnn_error *error);
void qmt_section_agreement(qmt_text *page, const qmt_report *report);
void qmt_section_pictures(qmt_text *page, const qmt_report *report);
qmtcnn_status qmt_section_training(qmt_text *page, const qmt_report *report, qmtcnn_error *error);
void qmt_section_data(qmt_text *page, const qmt_report *report);
void qmt_section_steps(qmt_text *page, const qmt_report *report);
void qmt_section_details(qmt_text *page, const qmt_report *report);

#endif
