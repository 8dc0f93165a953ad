/* A landmark list in memory, between its readers and the join with a data set's faces. */
#ifndef QMT_LANDMARKS_H
#define QMT_LANDMARKS_H

#include "toolkit/data/dataset_build.h"

typedef struct qmt_landmark_row {
    const char *name; /* cleaned */
    int line;
    bool held_out; /* CelebA's validation or test part */
    bool done;
    qmt_box box, other_box;
    float points[5][2];
} qmt_landmark_row;

typedef struct qmt_landmark_list {
    qmt_dataset *dataset; /* owns all strings */
    const char *path;
    const char *folder; /* of the list */
    bool celeba, aligned;
    qmt_landmark_row *rows; /* qmt_alloc */
    size_t count, capacity;
} qmt_landmark_list;

/* Reads list->path for list->dataset (both set by the caller, all else zero). Free list->rows also after a failure. */
qmtcnn_status qmt_landmark_list_read(qmt_landmark_list *list, qmtcnn_error *error);

/* Do all five points lie in the box, or outside by at most a quarter of its sides? False for points that are no
 * numbers. */
bool qmt_landmarks_fit(qmt_box box, const float points[5][2]);

#endif
