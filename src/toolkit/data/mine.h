/* Runs the networks before R-Net or O-Net on training pictures, to find what those networks will be asked about. */
#ifndef QMT_MINE_H
#define QMT_MINE_H

#include "toolkit/data/crop.h"
#include "toolkit/data/store_manifest.h"

/* The networks, and a cascade for each worker. */
typedef struct qmt_miner qmt_miner;

/* Loads FOLDER/pnet.onnx (for R-Net) and rnet.onnx (for O-Net too). `net` is the network whose samples are made. */
qmtcnn_status qmt_miner_open(const char *folder, qmt_net_id net, const qmt_config *config, int workers,
                             qmt_miner **miner, qmtcnn_error *error);
void qmt_miner_close(qmt_miner *miner);
/* Candidates that `net` would be asked about, best first. They belong to the worker until its next run. One thread a
 * worker. */
qmtcnn_status qmt_miner_run(qmt_miner *miner, int worker, const qmt_pixels *picture, const qmt_candidate **candidates,
                            size_t *count, qmtcnn_error *error);

/* The name of FOLDER/NET.onnx, for qmt_free(); NULL when out of memory. */
char *qmt_miner_path(const char *folder, qmt_net_id net);

/* Counts the faces of at least `min_face` pixels, and those with a candidate of IoU >= 0.5. */
void qmt_count_recall(const qmt_scene *scene, int min_face, const qmt_candidate *candidates, size_t count,
                      qmt_mining_recall *recall);

#endif
