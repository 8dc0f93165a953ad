/* Crops samples from a data set, by the published recipe, and mines hard ones with the networks before. */
#ifndef QMT_PREPARE_H
#define QMT_PREPARE_H

#include "toolkit/base/ranks.h"
#include "toolkit/config/config.h"
#include "toolkit/data/dataset.h"

typedef struct qmt_prepare_options {
    qmt_net_id net;
    const char *out;    /* the store's folder */
    const char *models; /* folder with the networks before (pnet.onnx, rnet.onnx); NULL where not mining */
    int threads;
    bool resume; /* keep the finished parts of a stopped run with the same config */
    uint64_t seed;
} qmt_prepare_options;

/* Writes shards, manifest.json (counts, IoU histogram, hashes, seed, config, recall of the networks before), contact
 * sheets (CLASS.png, augment.png) under options->out. The same seed gives the same bytes for any number of threads and
 * ranks. */
qmtcnn_status qmt_prepare(const qmt_dataset *dataset, const qmt_config *config, const qmt_prepare_options *options,
                          qmt_ranks *ranks, qmtcnn_error *error);

#endif
