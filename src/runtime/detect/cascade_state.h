/* The inside of the cascade. */
#ifndef QMT_DETECT_CASCADE_STATE_H
#define QMT_DETECT_CASCADE_STATE_H

#include "runtime/detect/cascade.h"

enum { qmt_rnet_batch = 32 }; /* crops a turn at most; O-Net's fewer take as many bytes */

/* Where a tile's cells are, those that passed. */
typedef struct qmt_span {
    int worker;
    size_t first, count;
} qmt_span;

/* What one worker owns. Everything grows and is kept. */
typedef struct qmt_cascade_worker {
    qmt_resizer resizer;
    uint8_t *pixels; /* a tile, or a batch of crops */
    size_t pixels_size;
    qmt_face_cell *cells; /* that passed P-Net, tile after tile */
    size_t cells_size, cell_count;
    double resize_seconds, network_seconds;
    qmtcnn_status status;
    qmtcnn_error error;
} qmt_cascade_worker;

struct qmt_cascade {
    qmt_backend backend;
    qmt_pool *pool;
    int worker_count;
    qmt_cascade_worker *workers;
    qmt_tile *tiles;
    size_t tiles_size, tile_count;
    qmt_span *spans; /* one a tile */
    size_t spans_size;
    qmt_candidate *candidates;
    size_t candidates_size, count;
    int *scratch; /* qmt_suppress_ints a candidate */
    size_t scratch_size;
    qmt_candidate *voters; /* what the last suppression began with; only where boxes are voted on */
    size_t voters_size;
    qmt_vote_sums *sums; /* one a voter */
    size_t sums_size;
    /* The run that is on. */
    const qmt_pixels *picture;
    const qmtcnn_options *options;
    qmt_net_id net;
    int batch; /* crops a turn */
    int levels;
    size_t level_first[qmt_max_levels + 1]; /* a level's candidates, before suppression */
    size_t level_count[qmt_max_levels];     /* ... and after it */
};

/* Before a loop over workers: their counts and times at 0. */
void qmt_cascade_start(qmt_cascade *cascade);
/* After it: shares the seconds that it took among its two parts, as the workers spent them, and hands on a failure. */
qmtcnn_status qmt_cascade_end(const qmt_cascade *cascade, double seconds, double *resize_ms, double *network_ms,
                              qmtcnn_error *error);
/* Each worker may get next time what another got: all take the memory for resizing that one of them needed, so that the
 * same picture never takes memory twice. */
qmtcnn_status qmt_cascade_reserve_resizers(const qmt_cascade *cascade, qmtcnn_error *error);

/* cascade_proposals.c. The pyramid and P-Net: what passes, suppressed in each level and over all. */
qmtcnn_status qmt_cascade_propose(qmt_cascade *cascade, qmtcnn_timing *timing, qmtcnn_error *error);

/* cascade_crops.c. Scores the candidates anew with R- or O-Net and drops those that don't pass. */
qmtcnn_status qmt_cascade_judge(qmt_cascade *cascade, qmt_net_id net, double *network_ms, double *crop_ms,
                                qmtcnn_error *error);

#endif
