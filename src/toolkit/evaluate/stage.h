/* Recall of one network of the cascade by itself: which network loses a face? */
#ifndef QMT_STAGE_H
#define QMT_STAGE_H

#include "toolkit/evaluate/evaluate.h"

enum { qmt_stage_thresholds = 9, qmt_stage_ious = 2 };

/* Scores of the sweep: 0.1, 0.2 .. 0.9. */
double qmt_stage_threshold(int number);
/* 0.5 and 0.65. */
double qmt_stage_iou(int number);
/* Recall to reach at IoU 0.5 before the next network is trained on what this one lets through: 0.97 for P-Net, 0.955
 * for R-Net; NAN for O-Net, which has none. */
double qmt_stage_target(qmt_net_id net);

typedef struct qmt_stage_point {
    double threshold;
    double proposals;                              /* a picture that this network passes on */
    double recall[qmt_stage_ious];                 /* of all faces */
    double by_size[qmt_stage_ious][qmt_size_bins]; /* NAN without faces of a size */
} qmt_stage_point;

typedef struct qmt_stage_result {
    qmt_net_id net;
    char detector[qmt_path_size], precision[8];
    size_t pictures, faces, faces_by_size[qmt_size_bins];
    float thresholds[3]; /* of the networks before: those of this run */
    int min_face, detect_min_face;
    double seconds;
    qmt_stage_point points[qmt_stage_thresholds];
    int operating; /* the point whose threshold is nearest to the detector's own for this network */
} qmt_stage_result;

/* Runs the cascade up to `net` with a low threshold there, and counts the boxes that would pass each higher one. (The
 * suppression takes boxes best first, so what it keeps above a score does not depend on those below it.) P- and R-Net's
 * boxes are the squares that the next network gets. options->thresholds holds for the networks before. */
qmtcnn_status qmt_stage_evaluate(const qmt_network_source sources[qmt_net_count], qmt_net_id net,
                                 const qmt_dataset *dataset, const qmt_config *config, const qmtcnn_options *options,
                                 int threads, qmt_stage_result *result, qmtcnn_error *error);
/* The counting alone: from boxes that a network found with at most the lowest threshold of the sweep. */
qmtcnn_status qmt_stage_count(const qmt_truth *truth, const qmt_detections *detections, qmt_stage_result *result,
                              qmtcnn_error *error);

json_t *qmt_stage_json(const qmt_stage_result *result);
/* For qmt_free(). */
char *qmt_stage_text(const qmt_stage_result *result);

#endif
