/* Training samples of one network on disk: safetensors shards and a JSON manifest. */
#ifndef QMT_STORE_H
#define QMT_STORE_H

#include "toolkit/config/config.h"

typedef enum qmt_sample_class { QMT_NEGATIVE, QMT_POSITIVE, QMT_PART, QMT_LANDMARK } qmt_sample_class;
enum { qmt_class_count = 4 };

/* "negative", "positive", "part", "landmark". */
const char *qmt_class_name(qmt_sample_class sample_class);

typedef struct qmt_sample {
    const uint8_t *pixels; /* [side][side][3] RGB, into the store's mapping */
    qmt_sample_class sample_class;
    float box[4];        /* offsets of the face's x1 y1 x2 y2 from the crop's corners, over the side; 0 for negatives */
    float landmarks[10]; /* x1 y1 .. x5 y5 over the side; only for QMT_LANDMARK */
    uint32_t picture;    /* number in the data set, to hold whole pictures out */
    float iou;           /* with the nearest face */
} qmt_sample;

typedef struct qmt_store qmt_store;
/* Maps FOLDER's shards after checking the manifest's hashes of headers and sizes. Read-only: threads may share it. */
qmtcnn_status qmt_store_open(const char *folder, qmt_store **store, qmtcnn_error *error);
void qmt_store_close(qmt_store *store);
qmt_net_id qmt_store_net(const qmt_store *store);
/* The side of a sample, pixels: qmt_net_side() of the net. */
int qmt_store_side(const qmt_store *store);
/* Samples of a class. */
size_t qmt_store_count(const qmt_store *store, qmt_sample_class sample_class);
void qmt_store_get(const qmt_store *store, qmt_sample_class sample_class, size_t index, qmt_sample *sample);
/* Hash over all shards' hashes: says which data a model was trained on. */
/* The same with the pixels copied to `pixels` ([side][side][3]) and sample->pixels set to it: for readers of all
 * samples, since mapped pages that were touched count as this process's memory. Any number of threads may. */
qmtcnn_status qmt_store_read(const qmt_store *store, qmt_sample_class sample_class, size_t index, uint8_t *pixels,
                             qmt_sample *sample, qmtcnn_error *error);
uint64_t qmt_store_hash(const qmt_store *store);
/* The manifest's text. */
const char *qmt_store_manifest(const qmt_store *store);
/* Reads all of every shard and compares it with the manifest's hash: finds damage that opening (headers, sizes, labels)
 * does not. */
qmtcnn_status qmt_store_verify(const qmt_store *store, qmtcnn_error *error);

#endif
