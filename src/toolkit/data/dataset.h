/* toolkit/data: pictures and labels, and the samples that networks train on. It owns readers of WIDER FACE and landmark
 * lists, synthetic faces, the check of a data set, cropping and mining, the sample store, and augmentation. */
#ifndef QMT_DATASET_H
#define QMT_DATASET_H

#include "runtime/base/status.h"
#include "runtime/detect/box.h"
#include "toolkit/config/config.h"

#include <stdint.h>

typedef struct qmt_label {
    qmt_box box; /* as labeled, may reach past the picture */
    bool ignore; /* marked invalid, without size, or under the smallest side: neither face nor background */
    uint8_t blur, expression, illumination, invalid, occlusion, pose; /* WIDER FACE's attributes */
    bool has_landmarks;
    float landmarks[5][2]; /* left eye, right eye, nose, left and right mouth corner as seen in the picture; pixels */
    int line;              /* in the picture's annotation file, from 1; 0 where the form has no lines (.mat) */
} qmt_label;

typedef struct qmt_picture {
    char *name; /* as annotated: "event/file.jpg" */
    char *path; /* full */
    size_t first_label;
    size_t label_count;
    int line;             /* in `file`, from 1; 0 where the form has no lines (.mat) */
    const char *file;     /* the annotation file or landmark list that names the picture */
    bool faces_unlabeled; /* only from a landmark list: it may hold faces that nobody labeled, so it gives no
                              negatives */
} qmt_picture;

typedef struct qmt_dataset {
    char *folder, *split, *annotation_path;
    qmt_picture *pictures;
    size_t picture_count;
    qmt_label *labels;
    size_t label_count;
    /* private */
    void *memory;
} qmt_dataset;

typedef struct qmt_dataset_options {
    int limit;    /* the first so many pictures of the annotation, and as many more of each list; 0: all */
    int min_face; /* smaller ones are ignored */
    const char *const *landmark_lists;
    int landmark_list_count;
    const char *const *leave_out; /* folders such as "0--Parade": "val" keeps only their pictures, other splits none */
    int leave_out_count;
} qmt_dataset_options;

/* Reads split "train" or "val" of a data set in WIDER FACE's layout (WIDER_SPLIT/images + wider_face_split/
 * wider_face_SPLIT_bbx_gt.txt, or the .mat there) or the common one (images/SPLIT + labels beside). Picks up
 * landmarks_SPLIT.txt where there is one, and joins its points to the boxes (the one with the best IoU, at least 0.5).
 * Pictures that only a landmark list of the options names are added to "train", marked `faces_unlabeled`. A file
 * that breaks its form is an error with file and line; a row that merely can't be used is kept as ignored or left
 * out, and qmt_dataset_check() tells of it. Pictures are not opened. Free with qmt_dataset_free(). */
qmtcnn_status qmt_dataset_open(const char *folder, const char *split, const qmt_dataset_options *options,
                               qmt_dataset **dataset, qmtcnn_error *error);
/* The same with the limit, smallest face and landmark lists of the settings; `folder` stands in for data->dir. */
qmtcnn_status qmt_dataset_open_as(const qmt_data_config *data, const char *folder, const char *split,
                                  qmt_dataset **dataset, qmtcnn_error *error);
void qmt_dataset_free(qmt_dataset *dataset);

/* One bad row (see check). */
typedef struct qmt_problem {
    const char *file; /* annotation file or picture */
    int line;         /* 0: none */
    char text[256];   /* what, and what is done with it */
} qmt_problem;
typedef void (*qmt_problem_sink)(void *state, const qmt_problem *problem);

typedef struct qmt_check_summary {
    size_t pictures, empty_pictures, faces, ignored, with_landmarks, problems;
    size_t by_size[6]; /* faces with smaller side < 10, 10-20, 20-40, 40-80, 80-160, >= 160 */
    size_t bytes;
} qmt_check_summary;

/* Reads every picture's file (`decode`: decodes all of it, else the header only) and checks every row: sizes zero or
 * negative, boxes outside the picture, landmarks outside the face, missing or unreadable pictures, duplicates by name
 * and by content, numbers that are none. Nothing is dropped in silence: each goes to `sink` (called from this thread,
 * in the order of files and lines, the same for any number of threads). 0 threads: one per processor. */
qmtcnn_status qmt_dataset_check(const qmt_dataset *dataset, bool decode, int threads, qmt_problem_sink sink,
                                void *state, qmt_check_summary *summary, qmtcnn_error *error);

#endif
