/* Which samples of the finished parts stay, and in which order their files follow each other. Inside of qmt_prepare().
 */
#ifndef QMT_PREPARE_CHOICE_H
#define QMT_PREPARE_CHOICE_H

#include "toolkit/data/prepare_job.h"

/* A file of a part, and what of it is kept. */
typedef struct qmt_piece {
    uint32_t part, file;
    uint64_t counts[qmt_class_count];
    uint64_t kept, kept_before; /* kept samples in it, and in the pieces before it */
} qmt_piece;

typedef struct qmt_choice {
    qmt_piece *pieces; /* qmt_alloc */
    size_t piece_count, piece_capacity;
    bool limited[qmt_class_count];       /* the class has more than its limit: */
    uint64_t first_lot[qmt_class_count]; /* then lots from this one on don't stay */
    uint64_t total;                      /* kept, of all classes */
} qmt_choice;

/* Adds the files of part `number`; parts come in order. */
qmtcnn_status qmt_choice_add(qmt_choice *choice, size_t number, const qmt_part *part, qmtcnn_error *error);
/* With all parts added, of which `made` samples of each class were made: fills the rest. What that was in a run that
 * was stopped while it merged, and so removed pieces, is read from the disk. */
qmtcnn_status qmt_choice_make(const qmt_prepare_job *job, const uint64_t made[qmt_class_count], qmt_choice *choice,
                              qmtcnn_error *error);
/* Does sample `row` of a piece stay? */
bool qmt_choice_keeps(const qmt_choice *choice, const qmt_sample_rows *rows, size_t row);
/* How many of a piece stay. */
uint64_t qmt_choice_count(const qmt_choice *choice, const qmt_sample_rows *rows);
void qmt_choice_clear(qmt_choice *choice);

/* Opens a piece, which must be what its part's marker says. */
qmtcnn_status qmt_piece_open(const qmt_prepare_job *job, const qmt_piece *piece, qmt_sample_rows *rows,
                             qmtcnn_error *error);

#endif
