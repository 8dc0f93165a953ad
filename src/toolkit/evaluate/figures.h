/* Figures of merit: what a set of boxes is worth against a set of faces. Pure arithmetic; nothing here runs a network.
 *
 * In every protocol a picture's boxes are taken best first, and each is compared with the face that it overlaps most
 * (IoU; of equal ones the first). At or over the IoU limit a box on a face that is not in the setting's list counts
 * neither way, the first box on a face that is in it is a hit, and every further one a false alarm. Below the limit it
 * is a false alarm. */
#ifndef QMT_FIGURES_H
#define QMT_FIGURES_H

#include "toolkit/evaluate/truth.h"

typedef enum qmt_verdict { QMT_FALSE_ALARM = 0, QMT_HIT = 1, QMT_NEITHER = 2 } qmt_verdict;

typedef struct qmt_match_rule {
    double iou;   /* limit, in (0, 1] */
    double pixel; /* added to each side: 1 as in WIDER FACE's evaluation (there a box from 0 to 0 is 1 wide), else 0 */
    qmt_setting setting; /* whose list counts */
    double low, high;    /* only faces whose smaller side is in [low, high) count; an unmatched box of another size
                            counts neither way (as in COCO). -INFINITY and INFINITY: all */
} qmt_match_rule;

/* `iou`, no pixel, all faces of all sizes. */
qmt_match_rule qmt_match_rule_plain(double iou);

double qmt_overlap_of(const qmt_truth_face *face, const qmt_detection *box, double pixel);
bool qmt_face_counts(const qmt_truth_face *face, const qmt_match_rule *rule);

/* Judges a picture's boxes (best first). verdicts[count]; matched[count]: the face of a hit, else SIZE_MAX (may be
 * NULL); `taken`: picture->count bytes of scratch. Returns the faces that count. */
size_t qmt_match_picture(const qmt_truth_picture *picture, const qmt_detection *boxes, size_t count,
                         const qmt_match_rule *rule, qmt_verdict *verdicts, size_t *matched, uint8_t *taken);

/* ---- WIDER FACE's own evaluation (wider.c) ----------------------------------------------------- */

enum { qmt_wider_thresholds = 1000 };

typedef struct qmt_wider_curve {
    double ap;
    size_t faces;
    double precision[qmt_wider_thresholds], recall[qmt_wider_thresholds]; /* at normalized scores 0.999, 0.998 ... 0 */
} qmt_wider_curve;

/* Scores are min-max normalized over the whole set; 1,000 thresholds; IoU 0.5 with the +1 pixel convention; area under
 * the precision envelope. A picture without labeled faces is left out, as in the official code, unless `count_empty`
 * says that its false alarms count (for data sets that have such pictures on purpose). Where all scores are equal they
 * are taken as 1. `index`: from qmt_truth_align(). */
qmtcnn_status qmt_wider_evaluate(const qmt_truth *truth, const qmt_detections *detections, const size_t *index,
                                 qmt_setting setting, bool count_empty, qmt_wider_curve *curve, qmtcnn_error *error);

/* ---- The exact curve (ranking.c) --------------------------------------------------------------- */

typedef struct qmt_ranked {
    double score;
    uint32_t picture;
    bool hit;
} qmt_ranked;

/* All boxes that count, best first over the whole set; boxes of equal score are one step of the curve. */
typedef struct qmt_ranking {
    qmt_ranked *boxes;
    size_t count;
    uint32_t *faces; /* a picture: those that count */
    size_t picture_count, face_count;
} qmt_ranking;

qmtcnn_status qmt_ranking_create(const qmt_truth *truth, const qmt_detections *detections, const size_t *index,
                                 const qmt_match_rule *rule, qmt_ranking **ranking, qmtcnn_error *error);
void qmt_ranking_free(qmt_ranking *ranking);

/* Area under the precision envelope over every score. `weights`: how often each picture counts (NULL: once). NAN where
 * no face counts. */
double qmt_ranking_ap(const qmt_ranking *ranking, const uint32_t *weights);
/* Largest recall with at most `rate` false alarms a picture. */
double qmt_ranking_recall_at(const qmt_ranking *ranking, double rate);
/* Precision (NAN without a box) and recall of the boxes with at least `score`. */
void qmt_ranking_at_score(const qmt_ranking *ranking, double score, double *precision, double *recall);

/* A point of a curve for plots. */
typedef struct qmt_curve_point {
    double score, recall, precision, false_alarms; /* a picture */
} qmt_curve_point;
enum { qmt_curve_points = 256 };
/* At most qmt_curve_points points, evenly over recall, with the first and the last. Returns how many. */
int qmt_ranking_curve(const qmt_ranking *ranking, qmt_curve_point points[qmt_curve_points]);

/* ---- Landmarks (landmarks.c) ------------------------------------------------------------------- */

/* Mean distance of the five points over the distance between the labeled eyes, averaged over hits whose face and box
 * have landmarks. *count: how many; NAN for none. */
qmtcnn_status qmt_landmark_error(const qmt_truth *truth, const qmt_detections *detections, const size_t *index,
                                 const qmt_match_rule *rule, double *mean, size_t *count, qmtcnn_error *error);

/* ---- Differences (bootstrap.c) ----------------------------------------------------------------- */

/* AP(b) - AP(a) and AP(b) / AP(a), with 95 % intervals: pictures are drawn with replacement, the same ones for both
 * (paired), and the 2.5 and 97.5 percentiles of the results taken. */
typedef struct qmt_difference {
    double difference, low, high;
    double ratio, ratio_low, ratio_high; /* NAN where AP(a) is 0 */
    int resamplings;
} qmt_difference;
/* Both rankings must be of the same pictures. The same seed gives the same figures. */
qmtcnn_status qmt_bootstrap(const qmt_ranking *a, const qmt_ranking *b, int resamplings, uint64_t seed,
                            qmt_difference *difference, qmtcnn_error *error);

#endif
