/* runtime/detect: the MTCNN algorithm, and nothing about numbers. It owns boxes and non-maximum suppression, resizing
 * and cropping, the pyramid, the cascade of three networks behind a back-end struct, and the public API. */
#ifndef QMT_DETECT_BOX_H
#define QMT_DETECT_BOX_H

#include "runtime/base/status.h"

/* Corners in pixels; x2 and y2 lie just outside: a box of one pixel at the origin is 0, 0, 1, 1. */
typedef struct qmt_box {
    float x1, y1, x2, y2;
} qmt_box;

float qmt_box_area(qmt_box box); /* 0 for an empty one */
float qmt_box_intersection(qmt_box a, qmt_box b);
float qmt_box_iou(qmt_box a, qmt_box b); /* 0 where both are empty */

/* A box that the cascade carries from network to network. */
typedef struct qmt_candidate {
    qmt_box box;
    float score;
    float offset[4];       /* of the corners, over the box's side */
    float landmarks[5][2]; /* pixels */
    int order;             /* breaks ties of the score, so that a result is the same for any number of threads */
} qmt_candidate;

typedef enum qmt_overlap { QMT_OVERLAP_UNION, QMT_OVERLAP_SMALLER } qmt_overlap;

/* Ints of scratch memory that suppression takes for each candidate. */
enum { qmt_suppress_ints = 9 };

/* Sorts best first (ties: lower `order` first) and keeps a candidate unless a better kept one overlaps it by more than
 * `threshold`. Returns how many are left, in front. `scratch`: qmt_suppress_ints * count ints of room. Scores are
 * numbers. Boxes that are empty, not finite or beyond 2^27 pixels overlap nothing. Takes no memory; few steps a
 * candidate, also where few boxes overlap. */
size_t qmt_suppress(qmt_candidate *candidates, size_t count, float threshold, qmt_overlap overlap, int *scratch);

/* Moves corners by offset * side (MTCNN's bounding box regression: x by width, y by height). */
void qmt_regress(qmt_candidate *candidate);
/* The smallest square with the same center that holds the box. */
qmt_box qmt_square(qmt_box box);

#endif
