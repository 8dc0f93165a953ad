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
    float rnet_score;      /* R-Net's, once O-Net has scored it too */
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

/* What votes add up to, for one box that was kept. */
typedef struct qmt_vote_sums {
    double weight, box[4], landmarks[10];
} qmt_vote_sums;

/* Box voting (Gidaris and Komodakis, 2015): each of the `count` boxes that suppression kept, and its landmarks, become
 * the mean, weighted by score, of those of all `voter_count` candidates whose IoU with it is at least `threshold`.
 * Voters are taken in the order given, sums are doubles. The kept ones are among the voters; scores are over 0.
 * `sums`: room for `count`; `scratch`: as for suppression of `count`. Takes no memory; few steps a voter. */
void qmt_vote(qmt_candidate *kept, size_t count, const qmt_candidate *voters, size_t voter_count, float threshold,
              qmt_vote_sums *sums, int *scratch);

/* The score in [0, 1] of a face from R-Net's and O-Net's: the sigmoid of weight * logit(rnet) + (1 - weight) *
 * logit(onet) + ln(odds). `weight` is a multiple of 1/4 from 0 to 1, so that square roots are all it takes, and every
 * processor with IEEE arithmetic gives the same bits. Scores nearer than 2^-24 to 0 or 1 are taken as 2^-24 from it. */
float qmt_fuse_scores(float rnet, float onet, float weight, float odds);

/* Moves corners by offset * side (MTCNN's bounding box regression: x by width, y by height). */
void qmt_regress(qmt_candidate *candidate);
/* The smallest square with the same center that holds the box. */
qmt_box qmt_square(qmt_box box);

#endif
