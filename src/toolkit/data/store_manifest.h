/* manifest.json: what a store holds and what made it. It is written last, so that a store with a manifest is whole. */
#ifndef QMT_STORE_MANIFEST_H
#define QMT_STORE_MANIFEST_H

#include "toolkit/data/store.h"

#include <stdint.h>

enum { qmt_store_version = 1, qmt_max_shards = 60000, qmt_iou_bins = 10, qmt_key_size = 17 };

typedef struct qmt_shard_info {
    uint64_t samples;
    uint64_t bytes;
    uint64_t hash;        /* XXH3 of the file */
    uint64_t header_hash; /* XXH3 of the length and the JSON header: checked at every opening, being cheap */
} qmt_shard_info;

/* What a reader needs. */
typedef struct qmt_manifest {
    qmt_net_id net;
    int side;
    char
        key[qmt_key_size]; /* of the run that made it: a hash over data set, settings, seed and models, 16 hex digits */
    uint64_t counts[qmt_class_count];
    qmt_shard_info *shards; /* qmt_alloc */
    size_t shard_count;
} qmt_manifest;

/* Recall of the network whose candidates were mined, over all faces that are big enough. */
typedef struct qmt_mining_recall {
    uint64_t faces, found;
} qmt_mining_recall;

/* What the manifest says beyond that. Strings are borrowed. */
typedef struct qmt_manifest_facts {
    uint64_t iou_histogram[qmt_class_count][qmt_iou_bins]; /* bin k: IoU in [k/10, (k+1)/10), the last with 1 */
    uint64_t seed;
    const char *config;   /* YAML: the settings that decide the samples */
    const char *data_set; /* name of its folder */
    const char *split;
    uint64_t annotations_hash;      /* over names, boxes, marks and points */
    uint64_t pictures, faces;       /* faces that make samples */
    uint64_t made[qmt_class_count]; /* samples before the caps */
    const char *const *unreadable;  /* pictures that could not be read */
    size_t unreadable_count;
    const char *mined_with; /* "pnet", "rnet"; NULL: not mined */
    const char *mine_precision;
    qmt_mining_recall recall;
    float recall_target;
    int models; /* networks that mined: P-Net, R-Net */
    uint64_t model_hashes[qmt_net_count];
} qmt_manifest_facts;

/* "shard-00003.safetensors". */
void qmt_shard_name(size_t index, char name[32]);
/* Size and hashes of the shard at PATH. */
qmtcnn_status qmt_shard_measure(const char *path, qmt_shard_info *info, qmtcnn_error *error);

/* Reads and checks FOLDER/manifest.json; *text is its text, for qmt_free(). On failure nothing is left to free. */
qmtcnn_status qmt_manifest_read(const char *folder, qmt_manifest *manifest, char **text, qmtcnn_error *error);
void qmt_manifest_clear(qmt_manifest *manifest);
qmtcnn_status qmt_manifest_write(const char *folder, const qmt_manifest *manifest, const qmt_manifest_facts *facts,
                                 qmtcnn_error *error);

#endif
