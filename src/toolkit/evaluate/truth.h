/* Labeled faces as an evaluation sees them: which count, which count neither way, and in which setting. */
#ifndef QMT_TRUTH_H
#define QMT_TRUTH_H

#include "toolkit/data/dataset.h"
#include "toolkit/evaluate/detections.h"

/* A list of faces to find. WIDER FACE has three, each within the next; a data set with text labels has one. */
typedef enum qmt_setting {
    QMT_SETTING_ALL = 1,
    QMT_SETTING_EASY = 2,
    QMT_SETTING_MEDIUM = 4,
    QMT_SETTING_HARD = 8
} qmt_setting;

typedef struct qmt_truth_face {
    double x, y, width, height;
    unsigned settings; /* in whose list it is; in the others a box on it counts neither way */
    bool has_landmarks;
    float landmarks[5][2];
} qmt_truth_face;

typedef struct qmt_truth_picture {
    char *key; /* "event/file", with or without an ending */
    qmt_truth_face *faces;
    size_t count;
} qmt_truth_picture;

typedef struct qmt_truth {
    qmt_truth_picture *pictures;
    size_t count;
    unsigned settings; /* those that it has lists for */
} qmt_truth;

/* One list (QMT_SETTING_ALL): faces that are not marked as ignored and whose smaller side is at least `min_face`. */
qmtcnn_status qmt_truth_from_dataset(const qmt_dataset *dataset, int min_face, qmt_truth **truth, qmtcnn_error *error);
/* WIDER FACE's own lists, from FOLDER/wider_{easy,medium,hard}_val.mat; those that are there, at least one. */
qmtcnn_status qmt_truth_read_mat(const char *folder, qmt_truth **truth, qmtcnn_error *error);
bool qmt_truth_has_mat(const char *folder);
void qmt_truth_free(qmt_truth *truth);

/* Faces of a setting. */
size_t qmt_truth_faces(const qmt_truth *truth, qmt_setting setting);
/* For each picture of `truth` the index of its record in `detections`, or SIZE_MAX where it has none: the record of
 * that name, or of that name with another ending or none. *missing: how many have none. index[] has truth->count
 * elements. */
qmtcnn_status qmt_truth_align(const qmt_truth *truth, const qmt_detections *detections, size_t *index, size_t *missing,
                              qmtcnn_error *error);
/* Drops the pictures that `detections` has no record of: for a part of a data set. */
qmtcnn_status qmt_truth_restrict(qmt_truth *truth, const qmt_detections *detections, qmtcnn_error *error);

#endif
