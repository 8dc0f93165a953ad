/* Scores that mean something: a map of each network's face score, and its place in the network itself. */
#ifndef QMT_DEPLOY_SCORES_H
#define QMT_DEPLOY_SCORES_H

#include "toolkit/deploy/deploy.h"

/* Platt's map of a face score (1999): new logit = scale * logit + shift. A logit is ln(score / (1 - score)). */
typedef struct qmt_score_map {
    double scale, shift; /* scale > 0; 1, 0: as it was */
} qmt_score_map;

/* What is known of one variant's networks. */
typedef struct qmt_score_maps {
    bool known[qmt_net_count];
    qmt_score_map nets[qmt_net_count];
    uint64_t checkpoint[qmt_net_count]; /* qmt_file_hash() of the checkpoint that a map was fitted for */
    float fusion, fusion_odds;          /* the factor that belongs to this weight of R-Net's score; 0: none */
} qmt_score_maps;

/* No maps: scale 1, shift 0. */
void qmt_score_maps_init(qmt_score_maps *maps);

/* Puts the map into the last layer before the softmax, so that whatever runs the network needs to know nothing of it:
 * weights (and so their scales) times `scale`; the shift goes into the bias of "face". INT8 weights stay what they are,
 * so that a network ranks as it did. */
qmtcnn_status qmt_scores_fold(qmt_model *model, const qmt_score_map *map, qmtcnn_error *error);

/* Reads and writes CHECKPOINTS/scores.json, with maps for all three variants. A file that isn't there is no error: then
 * nothing is known. A damaged one is, and so are scales outside 0.01 .. 100 and shifts over 100. */
qmtcnn_status qmt_scores_read(const char *checkpoints, qmt_score_maps maps[3], qmtcnn_error *error);
qmtcnn_status qmt_scores_write(const char *checkpoints, const qmt_score_maps maps[3], qmtcnn_error *error);
/* CHECKPOINTS/NET/VARIANT.safetensors, for qmt_free(); NULL when out of memory. */
char *qmt_checkpoint_path(const char *checkpoints, qmt_net_id net, qmt_variant variant);

#endif
