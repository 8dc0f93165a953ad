/* The inside of qmt_prepare(). Two phases: parts, then shards.
 *
 * A part is a fixed number of pictures. Workers (and ranks) make parts in any order; its samples go to files of bounded
 * size under OUT/parts, and a marker (JSON), written last, says that the part is done. Where a class has a limit,
 * samples that can't stay (prepare_lots.h) are not written: of N that a process makes with a limit of L, about
 * L (1 + ln(N / L)) are; each rank and each resumed run goes by what it made itself. Then rank 0 reads the parts in
 * order, chooses what stays (prepare_choice.h), and writes shards; a part's file is removed once the shards that hold
 * its samples are whole. manifest.json comes last. What lies on the disk at any moment tells how far a killed run came,
 * and the bytes in the end depend on none of this. */
#ifndef QMT_PREPARE_JOB_H
#define QMT_PREPARE_JOB_H

#include "toolkit/data/crop.h"
#include "toolkit/data/mine.h"
#include "toolkit/data/prepare.h"
#include "toolkit/data/prepare_lots.h"
#include "toolkit/data/shrink.h"
#include "toolkit/data/store_manifest.h"
#include "toolkit/data/store_rows.h"

enum {
    qmt_part_pictures = 16,
    qmt_part_file_bytes = 16 * 1024 * 1024 /* of samples in memory, one a worker */
};

/* What one thread needs. */
typedef struct qmt_prepare_worker {
    qmt_cropper cropper;
    qmt_shrunk shrunk;
    qmt_sample_block block;
} qmt_prepare_worker;

typedef struct qmt_prepare_job {
    const qmt_dataset *dataset;
    const qmt_config *config;
    const qmt_prepare_config *prepare; /* of the net */
    const qmt_prepare_options *options;
    qmt_ranks *ranks;
    qmt_pool *pool;
    qmt_miner *miner; /* NULL: no mining */
    uint64_t model_hashes[qmt_net_count];
    char *config_text; /* the settings that decide the samples */
    char *data_set;    /* name of its folder */
    uint64_t annotations_hash;
    char key[qmt_key_size];
    char *parts; /* folder */
    size_t part_count;
    uint64_t faces; /* that make samples, going by the labels alone */
} qmt_prepare_job;

/* prepare_key.c: fills config_text, data_set, annotations_hash, key and faces; model_hashes are known. */
qmtcnn_status qmt_prepare_find_key(qmt_prepare_job *job, qmtcnn_error *error);

/* prepare_part.c. Samples of one picture into worker->cropper's sink. *unreadable: the picture can't be read (message
 * in `error`); this is not a failure. */
qmtcnn_status qmt_prepare_picture(const qmt_prepare_job *job, int worker_number, qmt_prepare_worker *worker,
                                  size_t picture, qmt_mining_recall *recall, bool *unreadable, qmtcnn_error *error);
void qmt_prepare_worker_clear(qmt_prepare_worker *worker);
/* This rank's share of the parts that are not done. */
qmtcnn_status qmt_prepare_parts(const qmt_prepare_job *job, qmtcnn_error *error);

/* A finished part, as its marker tells. */
typedef struct qmt_part {
    size_t file_count;
    uint64_t (*counts)[qmt_class_count]; /* of each file; qmt_alloc */
    uint64_t made[qmt_class_count];      /* samples, written or not */
    size_t unreadable_count;
    uint32_t unreadable[qmt_part_pictures];
    qmt_mining_recall recall;
} qmt_part;

/* prepare_marker.c. */
void qmt_part_clear(qmt_part *part);
char *qmt_part_path(const qmt_prepare_job *job, size_t part, size_t file); /* for qmt_free(); NULL: out of memory */
char *qmt_part_marker_path(const qmt_prepare_job *job, size_t part);       /* likewise */
qmtcnn_status qmt_part_write_marker(const qmt_prepare_job *job, size_t number, const qmt_part *part,
                                    qmtcnn_error *error);
/* Fails where there is no marker of this run; that means the part is to be made. */
qmtcnn_status qmt_part_read_marker(const qmt_prepare_job *job, size_t number, qmt_part *part, qmtcnn_error *error);

/* prepare_estimate.c: tries a few pictures, and prints how many samples, bytes and minutes to expect. */
qmtcnn_status qmt_prepare_estimate(const qmt_prepare_job *job, qmtcnn_error *error);

/* prepare_merge.c: parts to shards, then the manifest. */
qmtcnn_status qmt_prepare_merge(const qmt_prepare_job *job, qmtcnn_error *error);

#endif
