/* The figures of an evaluation as rows of a table, the same in texts and on pages. */
#ifndef QMT_EVALUATE_ROWS_H
#define QMT_EVALUATE_ROWS_H

#include "toolkit/evaluate/evaluate.h"

enum { qmt_most_rows = 32 };

typedef struct qmt_row {
    char label[64];
    double values[3]; /* of the evaluations; NAN where one is missing or lacks the figure */
} qmt_row;

/* Rows of up to three evaluations of the same pictures side by side (NULL: none, at least one is there). Figures that
 * none has are left out. Returns how many rows. */
size_t qmt_evaluation_rows(const qmt_evaluation *const evaluations[3], qmt_row rows[qmt_most_rows]);

#endif
