/* Which scores are good ones: maps that make the usual thresholds keep what they should, measured on pictures that no
 * network learned from. */
#ifndef QMT_EVALUATE_SCORES_H
#define QMT_EVALUATE_SCORES_H

#include "toolkit/deploy/scores.h"
#include "toolkit/evaluate/evaluate.h"

/* Keeps the pictures of a training set whose samples only validated (share `holdout`), but for those that may hold
 * faces that nobody labeled. Labels stay where they are. */
void qmt_scores_hold_out(qmt_dataset *dataset, double holdout);

/* Fits the maps of the three networks in sources[], one after the other and each behind those before it, so that
 * - P-Net's and R-Net's threshold (detect.thresholds) passes calibrate.keep of the faces that the network finds at all,
 *   at IoU 0.5;
 * - O-Net's makes calibrate.false_alarms false alarms a picture, by itself and, where detect.fusion is over 0, by the
 *   fused score (maps->fusion_odds).
 * Shifts only, or scales too: so that P-Net's and R-Net's evaluate.thresholds, where they are lower, pass
 * calibrate.keep_low of the faces, or by logistic regression (calibrate.slope). A network that finds fewer than 20
 * faces, and those behind it, stay as they are, with a warning. Sets known[] of the fitted ones, not the checkpoints'
 * hashes. The same for any number of threads. */
qmtcnn_status qmt_scores_fit(const qmt_network_source sources[qmt_net_count], const qmt_dataset *dataset,
                             const qmt_config *config, qmt_score_maps *maps, qmtcnn_error *error);

/* ---- Arithmetic by itself ---------------------------------------------------------------------- */

/* ln(score / (1 - score)), with scores taken at least 2^-24 from 0 and 1. */
double qmt_score_logit(double score);
/* The largest score that at least `keep` of `scores` reach; sorts them. NAN for none. */
double qmt_score_keeping(double *scores, size_t count, double keep);
/* The lowest score of a box for which there are at most `rate` false alarms a picture. NAN where not even the best box
 * is. */
double qmt_score_of_rate(const qmt_ranking *ranking, double rate);
/* The scale of logits that brings two scores as far apart as two thresholds are, within 0.1 .. 4. 1 where high is not
 * over low: then they say nothing of a scale. */
double qmt_score_scale_between(double high, double low, double high_threshold, double low_threshold);
/* Logistic regression: the scale of the logits that makes chances of them (Platt's targets, Newton's method). 1 where
 * there are no examples of both kinds; within 0.1 .. 4. */
double qmt_score_slope(const double *logits, const bool *faces, size_t count);

#endif
