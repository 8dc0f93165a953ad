/* toolkit/evaluate: how good a detector is. It owns records of detections, WIDER FACE's evaluation and its ground
 * truth, the exact precision and recall curve, recall of each network by itself, the comparison of FP32 with INT8
 * (boxes, layers, speed, memory), and these results as text and JSON. It draws nothing: plots and pages are
 * toolkit/report's.
 *
 *   detections.h  boxes found, submission folders         figures.h   AP, FROC, landmark error, bootstrap
 *   detector.h    our cascade over a data set              stage.h     recall of P-, R- and O-Net
 *   truth.h       labeled faces, WIDER FACE's .mat files  compare.h   FP32 against INT8 */
#ifndef QMT_EVALUATE_H
#define QMT_EVALUATE_H

#include "toolkit/config/config.h"
#include "toolkit/evaluate/detector.h"
#include "toolkit/evaluate/figures.h"

#include <jansson.h>

enum { qmt_size_bins = 4, qmt_froc_points = 2 };

/* Lower limits of the bins of face sizes (the smaller side, pixels): 20, 40, 80, 160; the last has no upper limit. */
double qmt_size_bin_low(int bin);
/* "20-40", "40-80", "80-160", "160+". */
const char *qmt_size_bin_name(int bin);
/* False alarms a picture at which recall is told: 0.1 and 1. */
double qmt_froc_rate(int point);

typedef struct qmt_size_result {
    size_t faces;
    double ap;     /* NAN without faces */
    double recall; /* at the operating score */
} qmt_size_result;

/* Everything that one evaluation finds. A plain value. Figures that there is no ground truth for are NAN. */
typedef struct qmt_evaluation {
    char detector[qmt_path_size]; /* folder of models, or of predictions */
    char precision[8];            /* "int8", "fp32", "mixed"; "" for predictions */
    size_t pictures, faces, ignored_faces, unreadable, missing /* pictures without a prediction file */;
    size_t boxes;
    double ap;      /* exact, plain IoU, faces of at least min_face */
    double ap_1000; /* the same list by WIDER FACE's method */
    double ap_easy, ap_medium, ap_hard;
    size_t faces_easy, faces_medium, faces_hard;
    qmt_size_result by_size[qmt_size_bins];
    double froc[qmt_froc_points];                      /* recall */
    double score, precision_at_score, recall_at_score; /* the operating score: the detector's threshold for O-Net */
    double landmark_error;
    size_t landmark_faces;
    double seconds, median_milliseconds; /* a picture, without decoding it */
    double iou;
    int min_face;        /* smaller labeled faces count neither way */
    int detect_min_face; /* what the detector looked for; 0 for predictions */
    float thresholds[3]; /* it ran with; 0 for predictions */
    qmt_curve_point curve[qmt_curve_points];
    int curve_points;
} qmt_evaluation;

/* All figures NAN, all numbers 0. */
void qmt_evaluation_init(qmt_evaluation *evaluation);

/* Fills in the figures of one list (truth from a data set's labels): AP, sizes, FROC, operating point, landmarks. */
qmtcnn_status qmt_evaluation_add_labels(qmt_evaluation *evaluation, const qmt_truth *truth,
                                        const qmt_detections *detections, const qmt_config *config,
                                        qmtcnn_error *error);
/* Fills in easy, medium and hard (truth from the .mat files). */
qmtcnn_status qmt_evaluation_add_wider(qmt_evaluation *evaluation, const qmt_truth *truth,
                                       const qmt_detections *detections, qmtcnn_error *error);

/* Options of our detector from the configuration: detect.*, with evaluate.thresholds for the whole curve. Accuracy
 * options that it leaves to the models are for qmt_detector_options() to fill in. */
qmtcnn_options qmt_evaluate_options(const qmt_config *config);
/* `network`'s source for all three networks. */
void qmt_sources_all(qmt_network_source sources[qmt_net_count], const char *folder, qmtcnn_precision precision);

/* Runs a detector over a data set and evaluates it against its labels, and against the .mat files in `ground_truth`
 * (NULL: where they lie in the data set's folder or its wider_face_split or ground_truth, if they do). `detections`
 * (may be NULL) receives the boxes, for qmt_detections_free(). */
qmtcnn_status qmt_evaluate(const qmt_detector *detector, const char *name, const qmt_dataset *dataset,
                           const char *ground_truth, const qmt_config *config, const qmtcnn_options *options,
                           int threads, qmt_evaluation *evaluation, qmt_detections **detections, qmtcnn_error *error);
/* The same for a folder of models, with the configuration's options and threads. */
qmtcnn_status qmt_evaluate_models(const char *models, qmtcnn_precision precision, const qmt_dataset *dataset,
                                  const qmt_config *config, qmt_evaluation *evaluation, qmt_detections **detections,
                                  qmtcnn_error *error);
/* Submission files against the .mat files: no pictures needed. */
qmtcnn_status qmt_evaluate_predictions(const char *predictions, const char *ground_truth, qmt_evaluation *evaluation,
                                       qmtcnn_error *error);
/* Submission files against a data set's own labels. */
qmtcnn_status qmt_evaluate_predictions_on(const char *predictions, const qmt_dataset *dataset, const qmt_config *config,
                                          qmt_evaluation *evaluation, qmtcnn_error *error);

/* What each figure means, a line each; for qmt_free(). NULL when out of memory. */
char *qmt_evaluation_protocol(const qmt_evaluation *evaluation);
/* A JSON object (design: pictures, faces, ap, ap_easy, ap_medium, ap_hard, ap_by_size, precision, seconds, and more),
 * for json_decref(); NULL when out of memory. */
json_t *qmt_evaluation_json(const qmt_evaluation *evaluation);
/* A text table with the protocol, for qmt_free(). */
char *qmt_evaluation_text(const qmt_evaluation *evaluation);

/* A JSON number, or null for a NAN or an infinity. */
json_t *qmt_json_number(double value);

#endif
