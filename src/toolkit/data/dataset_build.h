/* How the readers of annotations fill a data set. Only for them and for the check. */
#ifndef QMT_DATASET_BUILD_H
#define QMT_DATASET_BUILD_H

#include "toolkit/data/dataset.h"

/* Something that a reader found and went on after, told by qmt_dataset_check(). */
typedef struct qmt_note {
    const char *file;
    int line;
    char *text;
} qmt_note;

/* What qmt_dataset.memory points to. */
typedef struct qmt_dataset_memory {
    struct qmt_text_chunk *chunks; /* all strings of the data set */
    size_t picture_capacity, label_capacity;
    qmt_note *notes;
    size_t note_count, note_capacity;
    size_t notes_left_out; /* after the first 100,000 */
    int min_face;
} qmt_dataset_memory;

qmt_dataset_memory *qmt_dataset_memory_of(const qmt_dataset *dataset);

/* A copy of `length` bytes that lives as long as the data set; NULL when out of memory. */
char *qmt_dataset_text(qmt_dataset *dataset, const char *text, size_t length);
/* The same, of two strings with a slash between. */
char *qmt_dataset_path(qmt_dataset *dataset, const char *folder, const char *name);

/* Appends a picture without faces. `name` is cleaned (backslashes become slashes); one that leaves its folder, or that
 * is empty, is an error. `file` must live as long as the data set. */
qmtcnn_status qmt_dataset_add_picture(qmt_dataset *dataset, const char *name, const char *folder, const char *file,
                                      int line, qmtcnn_error *error);
/* Appends a face to the last picture from WIDER FACE's row: x y w h blur expression illumination invalid occlusion pose
 * (`count` of them, 4 to 10). */
qmtcnn_status qmt_dataset_add_face(qmt_dataset *dataset, int line, const double *row, int count, qmtcnn_error *error);
qmtcnn_status qmt_dataset_note(qmt_dataset *dataset, const char *file, int line, qmtcnn_error *error,
                               const char *format, ...) QMT_PRINTF(5, 6);

/* Cleans a picture's name in place; false where it is empty, absolute, or climbs out of its folder. */
bool qmt_clean_name(char *name);

/* The readers. `path` must live as long as the data set; `limit` 0: all. */
qmtcnn_status qmt_read_wider_text(qmt_dataset *dataset, const char *path, const char *pictures, int limit,
                                  qmtcnn_error *error);
qmtcnn_status qmt_read_wider_mat(qmt_dataset *dataset, const char *path, const char *pictures, int limit,
                                 qmtcnn_error *error);
/* Joins a landmark list to the data set's faces; `add`: also adds pictures that only the list names. */
qmtcnn_status qmt_read_landmarks(qmt_dataset *dataset, const char *path, bool add, int limit, qmtcnn_error *error);

#endif
