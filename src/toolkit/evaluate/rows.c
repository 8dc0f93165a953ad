#include "toolkit/evaluate/rows.h"

#include <math.h>
#include <stdio.h>

/* A figure by its place in an evaluation. */
struct figure {
    const char *label; /* those that end in "score" get the operating score */
    size_t offset;
};
/* clang-format off */
static const struct figure before_sizes[] = {
    {"AP", offsetof(qmt_evaluation, ap)},
    {"AP, 1,000 thresholds", offsetof(qmt_evaluation, ap_1000)},
    {"AP, WIDER FACE easy", offsetof(qmt_evaluation, ap_easy)},
    {"AP, WIDER FACE medium", offsetof(qmt_evaluation, ap_medium)},
    {"AP, WIDER FACE hard", offsetof(qmt_evaluation, ap_hard)},
};
static const struct figure after_sizes[] = {
    {"recall at 0.1 false alarms a picture", offsetof(qmt_evaluation, froc[0])},
    {"recall at 1 false alarm a picture", offsetof(qmt_evaluation, froc[1])},
    {"precision at score", offsetof(qmt_evaluation, precision_at_score)},
    {"recall at score", offsetof(qmt_evaluation, recall_at_score)},
};
static const struct figure last[] = {
    {"landmark error / eye distance", offsetof(qmt_evaluation, landmark_error)},
};
/* clang-format on */

static const qmt_evaluation *first_of(const qmt_evaluation *const evaluations[3])
{
    for (int i = 0; i < 3; i++)
        if (evaluations[i])
            return evaluations[i];
    return NULL;
}

static size_t add_figures(const qmt_evaluation *const evaluations[3], const struct figure *figures, size_t count,
                          qmt_row *rows)
{
    size_t used = 0;
    for (size_t f = 0; f < count; f++) {
        qmt_row *row = &rows[used];
        bool any = false, at_score = figures[f].offset == offsetof(qmt_evaluation, precision_at_score) ||
                                     figures[f].offset == offsetof(qmt_evaluation, recall_at_score);
        for (int i = 0; i < 3; i++) {
            row->values[i] = evaluations[i]
                                 ? *(const double *)(const void *)((const char *)evaluations[i] + figures[f].offset)
                                 : NAN;
            any = any || !isnan(row->values[i]);
        }
        if (at_score)
            snprintf(row->label, sizeof row->label, "%s %.2f", figures[f].label, first_of(evaluations)->score);
        else
            snprintf(row->label, sizeof row->label, "%s", figures[f].label);
        used += any;
    }
    return used;
}

static size_t add_sizes(const qmt_evaluation *const evaluations[3], bool recall, qmt_row *rows)
{
    size_t used = 0;
    for (int bin = 0; bin < qmt_size_bins; bin++) {
        qmt_row *row = &rows[used];
        size_t faces = first_of(evaluations)->by_size[bin].faces;
        for (int i = 0; i < 3; i++) {
            const qmt_size_result *size = evaluations[i] ? &evaluations[i]->by_size[bin] : NULL;
            row->values[i] = !size ? NAN : recall ? size->recall : size->ap;
        }
        snprintf(row->label, sizeof row->label, "%s, faces of %s pixels (%zu)", recall ? "recall" : "AP",
                 qmt_size_bin_name(bin), faces);
        used += faces > 0;
    }
    return used;
}

size_t qmt_evaluation_rows(const qmt_evaluation *const evaluations[3], qmt_row rows[qmt_most_rows])
{
    size_t used = 0;
    if (!first_of(evaluations))
        return 0;
    used += add_figures(evaluations, before_sizes, sizeof before_sizes / sizeof *before_sizes, rows);
    used += add_sizes(evaluations, false, rows + used);
    used += add_figures(evaluations, after_sizes, sizeof after_sizes / sizeof *after_sizes, rows + used);
    used += add_sizes(evaluations, true, rows + used);
    used += add_figures(evaluations, last, sizeof last / sizeof *last, rows + used);
    return used;
}
