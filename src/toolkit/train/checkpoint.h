/* Files that training stops and goes on from, and the best networks. */
#ifndef QMT_TRAIN_CHECKPOINT_H
#define QMT_TRAIN_CHECKPOINT_H

#include "toolkit/train/optimizer.h"
#include "toolkit/train/validation.h"

enum { qmt_loss_sums = 5 };

/* Where training is. All of it is in a checkpoint, so nothing in it may depend on time, threads or ranks. */
typedef struct qmt_position {
    int64_t step;          /* steps done */
    int64_t qat_start;     /* epoch in which QAT began; -1: still FP32 */
    int64_t finished;      /* 1: all epochs are done and all files are written */
    int64_t epochs;        /* in all, when it was saved */
    int64_t best_epoch[2]; /* FP32, QAT; -1: none */
    int64_t diverging;     /* steps in a row with a loss far above the lowest */
    double best_score[2];
    double sums[qmt_loss_sums]; /* over this epoch's steps: total, class, box, landmark loss; gradient norm */
    double average, lowest;     /* moving average of the loss, and its lowest value (0: none yet) */
} qmt_position;

/* What checkpoints say about their origin. Strings are borrowed. */
typedef struct qmt_origin {
    const char *net;
    const char *config;   /* the settings that decide what training computes, as YAML */
    uint64_t samples;     /* qmt_store_hash() */
    const char *manifest; /* of the samples */
} qmt_origin;

/* The settings of `config` that decide what training of `net` computes (train.NET, augment, quantize and the seed) as
 * YAML, so that equal trainings have equal texts, whatever the other sections' defaults are in the program that reads
 * them. For qmt_free(). */
char *qmt_training_config_text(const qmt_config *config, qmt_net_id net, uint64_t seed);

/* "CHECKPOINTS/step-00001234.safetensors": all that resuming needs. `folder` is the network's. */
qmtcnn_status qmt_checkpoint_write(const char *folder, const qmt_origin *origin, const qmt_position *position,
                                   const qmt_net *net, const qmt_optimizer *optimizer, qmtcnn_error *error);
/* Removes old ones: the newest `keep` that end an epoch stay, and the newest of all. Also what a killed run left
 * half-written. */
qmtcnn_status qmt_checkpoint_prune(const char *folder, int64_t steps_per_epoch, int keep, qmtcnn_error *error);
/* Moves a folder that holds checkpoints out of the way, to the first free of FOLDER.1, FOLDER.2, ... */
qmtcnn_status qmt_checkpoint_set_aside(const char *folder, qmtcnn_error *error);
/* Path of the newest sound checkpoint (damaged ones are passed over with a warning), for qmt_free(); NULL: there is
 * none. */
qmtcnn_status qmt_checkpoint_newest(const char *folder, char **path, qmtcnn_error *error);
/* The newest of those made after at most `step` steps. */
qmtcnn_status qmt_checkpoint_newest_until(const char *folder, int64_t step, char **path, qmtcnn_error *error);
/* Goes on from a checkpoint. QMTCNN_ERROR_ARGUMENT names the setting that differs, or says that the samples do. More
 * epochs are no difference. */
qmtcnn_status qmt_checkpoint_read(const char *path, const qmt_origin *origin, int epochs, qmt_position *position,
                                  qmt_net *net, qmt_optimizer *optimizer, qmtcnn_error *error);

/* A network by itself ("fp32", "ptq", "qat"): "CHECKPOINTS/NAME.safetensors" with its epoch, step, score and figures as
 * metadata (figures may be NULL). */
qmtcnn_status qmt_best_write(const char *folder, const char *name, const qmt_origin *origin, const qmt_net *net,
                             int64_t epoch, int64_t step, const qmt_figures *fp32, const qmt_figures *int8,
                             qmtcnn_error *error);

/* The dotted key of the first setting in which two YAML texts differ, for qmt_free(); NULL: none (or out of memory).
 * Lines whose key is `except` are skipped (NULL: none are). */
char *qmt_config_difference(const char *a, const char *b, const char *except);

#endif
