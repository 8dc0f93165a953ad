/* toolkit/train: how a network learns. It owns losses, hard example mining within a batch, optimizers, schedules, the
 * loader of batches, the training loop with its checkpoints and logs, and validation on held-out samples. */
#ifndef QMT_TRAIN_H
#define QMT_TRAIN_H

#include "toolkit/base/ranks.h"
#include "toolkit/config/config.h"
#include "toolkit/net/net.h"

typedef struct qmt_train_options {
    qmt_net_id net;
    const char *store;       /* folder of samples */
    const char *checkpoints; /* folder: NET/ below it */
    const char *logs;        /* folder of event files: NET/ below it; NULL: none */
    const char *pictures;    /* folder of a data set whose pictures the event files show, with detections; NULL: none */
    const char *models;      /* for them: folder with the networks before this one; NULL where `net` is P-Net */
    const char *finetune;    /* checkpoint, or folder of models, to start from; NULL: random weights */
    bool resume;
    int threads;
    uint64_t seed;
} qmt_train_options;

/* Trains one network: FP32 epochs, calibration, QAT epochs (observers frozen, then batch normalization), as `config`
 * says. QAT starts from the best FP32 epoch. Best is the highest validation score (validation.h): FP32 arithmetic in
 * FP32 epochs, INT8 on the runtime's own kernels in QAT epochs; without held-out samples, the newest.
 *
 * Files under CHECKPOINTS/NET: step-NNNNNNNN.safetensors (the newest keep_checkpoints epochs' ends, and the newest one
 * within an epoch), fp32.safetensors (best of the FP32 epochs), ptq.safetensors (that one calibrated, no QAT),
 * qat.safetensors (best of the QAT epochs), history.json, config.yaml.
 *
 * The same seed, samples and settings give the same checkpoints, byte for byte, for any number of threads and ranks,
 * and however often a run was killed and resumed. With `resume`, a finished run returns at once, and a checkpoint of
 * other samples or settings (other than more epochs) is refused. Without it, an older run in the folder is moved aside.
 *
 * All ranks call it together; their number must be a power of two that divides batch / 16, and they share one file
 * system. Rank 0 writes. QMTCNN_ERROR_INTERRUPTED after Ctrl-C (a checkpoint is saved), QMTCNN_ERROR_NUMERIC for NaN,
 * infinity or divergence.
 *
 * history.json, written at each epoch's end (figures that there are no samples for are null):
 *     {"net": "pnet",
 *      "ptq": null or {"epoch", "validation": {"fp32": FIGURES, "int8": FIGURES}},       after calibration, before QAT
 *      "best": {"fp32": null or {"epoch", "score"}, "qat": null or {"epoch", "score"}},
 *      "epochs": [{"epoch": 0, "phase": "fp32" | "qat", "step": steps done, "learning_rate": the last step's,
 *                  "loss": {"total", "class", "box", "landmark"},  means over the epoch; total is the weighted sum
 *                  "gradient_norm": mean before clipping, "samples_per_second", "loader_wait": seconds a step,
 *                  "validation": {"fp32": FIGURES or null, "int8": FIGURES or null}}]}   int8 null in FP32 epochs
 *     FIGURES = {"samples", "score", "accuracy": {"negative", "positive"}, "face_share": {"part", "landmark"},
 *                "average_precision", "recall_at_90", "recall_at_97", "box_iou", "part_iou", "landmark_error"} */
qmtcnn_status qmt_train(const qmt_config *config, const qmt_train_options *options, qmt_ranks *ranks,
                        qmtcnn_error *error);

/* For `bench train`: steps on random samples for `seconds`. */
typedef struct qmt_train_speed {
    int batch;
    double samples_per_second, peak_fraction; /* of the multiply-add peak, measured here */
} qmt_train_speed;
qmtcnn_status qmt_train_bench(qmt_net_id net, bool qat, int threads, double seconds, qmt_train_speed *speed,
                              qmtcnn_error *error);

#endif
