/* The training loop: steps, epochs, and the way from FP32 to QAT. */
#ifndef QMT_TRAIN_LOOP_H
#define QMT_TRAIN_LOOP_H

#include "toolkit/log/progress.h"
#include "toolkit/train/checkpoint.h"
#include "toolkit/train/history.h"
#include "toolkit/train/monitor.h"
#include "toolkit/train/schedule.h"
#include "toolkit/train/showcase.h"
#include "toolkit/train/train.h"

/* Everything that training one network holds. Made and freed by qmt_train(). */
typedef struct qmt_training {
    const qmt_config *config;
    const qmt_train_config *train; /* the network's part of it */
    qmt_net_id id;
    qmt_ranks *ranks;
    int rank, size;
    int groups;   /* of a batch, in this rank */
    char *folder; /* CHECKPOINTS/NET */
    int64_t steps_per_epoch;
    qmt_store *store;
    qmt_split split;
    qmt_pool *pool;
    qmt_loader *loader;
    qmt_net_table table;
    qmt_net *net;
    qmt_pass *pass;
    const float **outputs; /* [groups], into the pass */
    float **gradients;
    qmt_losses *losses;
    qmt_optimizer *optimizer;
    qmt_events *events;     /* a sink in ranks other than 0 */
    qmt_history *history;   /* rank 0 only */
    qmt_showcase *showcase; /* rank 0 only; may be NULL */
    qmt_progress *progress;
    qmt_origin origin;
    qmt_position position;
    /* Of this process only: never saved in a checkpoint. */
    double saved_at;                /* when the last checkpoint was written */
    double log_start, epoch_start;  /* since when ... */
    int64_t log_steps, epoch_steps; /* ... so many steps were done */
    double epoch_wait, log_wait;    /* for the loader */
    double learning_rate;           /* the last step's */
} qmt_training;

/* Memory for passes of this rank's part of a batch. */
qmtcnn_status qmt_training_create_pass(qmt_training *training, qmtcnn_error *error);
/* Runs from the position to the end. */
qmtcnn_status qmt_training_run(qmt_training *training, qmtcnn_error *error);
/* Takes a step's loss into the moving average. Has that been far above its lowest for `steps` steps? */
bool qmt_training_diverges(qmt_position *position, double loss, int steps);
/* One step, and what a step logs. */
qmtcnn_status qmt_training_step(qmt_training *training, bool last_of_epoch, qmtcnn_error *error);
/* Validation, best network, history, checkpoint. */
qmtcnn_status qmt_training_end_epoch(qmt_training *training, qmtcnn_error *error);
/* Calibrates the best FP32 network, writes ptq.safetensors, and goes on with that network if `qat`. */
qmtcnn_status qmt_training_calibrate(qmt_training *training, bool qat, qmtcnn_error *error);
/* Rank 0: a new network, training->net as quantization without training leaves it (see toolkit/quant/ptq.h), on samples
 * of the store: qmt_net_to_model() makes the INT8 model again. For qmt_net_free(). */
qmtcnn_status qmt_training_make_ptq(const qmt_training *training, qmt_net **net, qmtcnn_error *error);
/* Writes a checkpoint (rank 0) and removes old ones. */
qmtcnn_status qmt_training_save(qmt_training *training, qmtcnn_error *error);
/* Rank 0's figures of a network, FP32 and (where `int8` is not NULL) INT8. */
qmtcnn_status qmt_training_validate(qmt_training *training, qmt_net *net, qmt_figures *fp32, qmt_figures *int8,
                                    qmtcnn_error *error);
/* The status that all ranks stop with. */
qmtcnn_status qmt_training_agree(qmt_training *training, qmtcnn_status status, qmtcnn_error *error);
/* The net over the loader's next batch, forward only; no loss, no step. All ranks together. */
qmtcnn_status qmt_training_forward_next(qmt_training *training, const qmt_net_state *state, qmtcnn_error *error);

#endif
