/* The parts of the check of a data set: what each picture's file shows, and the list of problems. */
#ifndef QMT_CHECK_H
#define QMT_CHECK_H

#include "toolkit/data/dataset_build.h"

/* What a picture's file shows. */
typedef struct qmt_file_facts {
    bool readable;
    int width, height;
    size_t bytes;
    uint64_t hash;
    char *message; /* why it isn't readable; qmt_alloc */
} qmt_file_facts;

/* Reads all pictures' files on `threads` threads into facts[picture_count]. */
qmtcnn_status qmt_check_files(const qmt_dataset *dataset, bool decode, int threads, qmt_file_facts *facts,
                              qmtcnn_error *error);

typedef struct qmt_found {
    qmt_problem problem;
    size_t rank; /* orders problems of one line */
} qmt_found;

/* Problems as they are found; sorted at the end. */
typedef struct qmt_problem_list {
    qmt_found *items; /* qmt_alloc */
    size_t count, capacity;
    size_t left_out; /* after the first million */
} qmt_problem_list;

qmtcnn_status qmt_add_problem(qmt_problem_list *list, const char *file, int line, qmtcnn_error *error,
                              const char *format, ...) QMT_PRINTF(5, 6);
/* Pictures that are listed twice, or whose files have the same content. */
qmtcnn_status qmt_check_duplicates(const qmt_dataset *dataset, const qmt_file_facts *facts, qmt_problem_list *list,
                                   qmtcnn_error *error);

#endif
