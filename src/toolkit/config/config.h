/* toolkit/config: every setting of the toolkit as plain structs, read from YAML against a schema and overridden from
 * the command line. It owns names, defaults, ranges and help texts of settings, and nothing of what they do. */
#ifndef QMT_CONFIG_H
#define QMT_CONFIG_H

#include "runtime/model/model.h"

enum { qmt_path_size = 1024, qmt_max_lists = 8 };

typedef struct qmt_run_config {
    char workdir[qmt_path_size]; /* everything that `run` makes lies here; default "runs/qmtcnn" */
    uint64_t seed;               /* default 1 */
    int threads;                 /* 0: one per processor (default) */
} qmt_run_config;

typedef struct qmt_data_config {
    char dir[qmt_path_size];                      /* WIDER layout; "" with synth.images > 0: synthetic faces */
    int limit;                                    /* first N pictures of each split, 0: all */
    char landmarks[qmt_max_lists][qmt_path_size]; /* further landmark lists (each: own form, CelebA, LFW/net) */
    int landmark_lists;
    int min_face;                      /* faces with a smaller side are marked invalid (ignored), pixels; default 10 */
    char leave_out[qmt_max_lists][64]; /* folders of pictures that "train" goes without and that "val" consists of */
    int leave_outs;
} qmt_data_config;

typedef struct qmt_synth_config {
    int images, val_images; /* default 0, 0 */
    int width, height;      /* default 640 x 480 */
    int max_faces;          /* a picture; default 6 */
    int min_face, max_face; /* side, pixels; default 20, 240 */
} qmt_synth_config;

/* The published recipe (design): one for each network. */
typedef struct qmt_prepare_config {
    int negatives_per_picture;                      /* random ones; 50 */
    int negatives_per_face;                         /* that overlap a face; 5 */
    int tries_per_face;                             /* for positives and parts; 20 */
    int landmarks_per_face;                         /* crops of faces with landmarks; 10 */
    int min_face;                                   /* smallest face that makes samples, pixels; 20 */
    float negative_iou, part_iou, positive_iou;     /* 0.3, 0.4, 0.65 */
    bool mine;                                      /* run the networks before this one; pnet false, others true */
    char mine_precision[8];                         /* "int8" or "fp32"; default "fp32" */
    float mine_thresholds[2];                       /* P-Net's and R-Net's score to pass; 0.4, 0.3 */
    int mine_min_face;                              /* 20 */
    int shrunk_copies;                              /* of each picture; 0 */
    float shrink_least;                             /* smallest factor of a shrunk copy; 0.3 */
    int mine_negatives, mine_positives, mine_parts; /* most a picture; 30, 20, 20 */
    int max_negatives, max_positives, max_parts, max_landmarks; /* in all, drawn by lot; 0: no limit */
    float recall_target; /* warn when the network before keeps fewer labeled faces; rnet 0.97, onet 0.955 */
    int shard_samples;   /* 8192 */
} qmt_prepare_config;

/* Chance of each, 0 to 1, and its strength. */
typedef struct qmt_augment_config {
    float mirror;                    /* 0.5 */
    float color, color_strength;     /* brightness, contrast, saturation; 0.5, 0.3 */
    float gamma, gamma_strength;     /* 0.2, 0.4: exponent in [1/(1+s), 1+s] */
    float gray;                      /* 0.05 */
    float blur, blur_strength;       /* 0.1, 1.0: sigma in pixels of a 48-pixel crop */
    float jpeg;                      /* 0.1: quality 30 to 90 */
    float rotate, rotate_degrees;    /* 0.0, 10: about the center; boxes and landmarks follow */
    float noise, noise_strength;     /* 0.1, 8 (of 255) */
    float occlude, occlude_strength; /* 0.05, 0.4: a patch of up to this share of the side */
} qmt_augment_config;

typedef enum qmt_optimizer_kind { QMT_SGD, QMT_ADAM } qmt_optimizer_kind;
typedef enum qmt_schedule_kind { QMT_SCHEDULE_CONSTANT, QMT_SCHEDULE_STEP, QMT_SCHEDULE_COSINE } qmt_schedule_kind;
typedef enum qmt_class_loss { QMT_CLASS_PLAIN, QMT_CLASS_OHEM, QMT_CLASS_FOCAL } qmt_class_loss;
typedef enum qmt_regression_loss { QMT_LOSS_MSE, QMT_LOSS_SMOOTH_L1, QMT_LOSS_WING, QMT_LOSS_GIOU } qmt_regression_loss;

typedef struct qmt_train_config {
    int epochs;                     /* in all, FP32 and QAT; default 10 */
    int steps_per_epoch;            /* 0: as many as one pass over the scarcest-to-fill mix needs (samples / batch) */
    int batch;                      /* a multiple of 16; pnet 512, rnet 512, onet 256 */
    float ratio[4];                 /* negative : positive : part : landmark; 3 1 1 2 */
    qmt_optimizer_kind optimizer;   /* adam */
    float learning_rate;            /* 0.002 */
    float momentum;                 /* SGD; 0.9 */
    float beta1, beta2;             /* Adam; 0.9, 0.999 */
    float weight_decay;             /* decoupled for Adam; 0.0001 */
    float gradient_clip;            /* largest norm of all gradients, 0: none; 5 */
    qmt_schedule_kind schedule;     /* cosine */
    int warmup_steps;               /* 100 */
    int step_epochs;                /* step schedule: every so many epochs ... 3 */
    float step_factor;              /* ... times this; 0.1 */
    qmt_class_loss class_loss;      /* ohem */
    float ohem_keep;                /* 0.7 */
    float focal_gamma, focal_alpha; /* 2, 0.25 */
    float label_smoothing;          /* plain, ohem: this share of the target goes to both classes alike; 0 */
    qmt_regression_loss box_loss, landmark_loss;     /* smooth_l1 (beta 0.1), mse; giou: boxes only */
    float class_weight, box_weight, landmark_weight; /* P, R: 1 .5 .5; O: 1 .5 1 */
    float holdout;                                   /* share of pictures whose samples only validate; 0.05 */
    int keep_checkpoints;                            /* newest so many stay; 3 */
    int checkpoint_seconds;                          /* also within an epoch; 120 */
    int log_steps;                                   /* 50 */
    int divergence_steps;                            /* steps far above the lowest loss that end training; 500 */
    qmt_activation activation;                       /* relu */
    bool batch_norm;                                 /* true */
    float batch_norm_momentum;                       /* 0.1: running = 0.9 running + 0.1 batch */
} qmt_train_config;

typedef enum qmt_observer_kind {
    QMT_OBSERVE_MINMAX,
    QMT_OBSERVE_AVERAGE,
    QMT_OBSERVE_HISTOGRAM,
    QMT_OBSERVE_MSE,
    QMT_OBSERVE_ENTROPY
} qmt_observer_kind;
typedef enum qmt_weight_range { QMT_WEIGHT_MAX, QMT_WEIGHT_MSE } qmt_weight_range;
typedef enum qmt_rounding { QMT_ROUND_NEAREST, QMT_ROUND_ADAPTIVE } qmt_rounding;

typedef struct qmt_quantize_config {
    bool qat;                    /* true; false: stop after FP32 and calibrate only */
    int start_epoch;             /* first QAT epoch, counted from 0; -1: 70 % of the epochs */
    int freeze_observers_epoch;  /* -1: 85 % */
    int freeze_batch_norm_epoch; /* -1: 85 % */
    float learning_rate_factor;  /* QAT starts at learning_rate times this and falls as the schedule says; 0.1 */
    int calibration_batches;     /* 64 */
    qmt_observer_kind activation_observer;  /* average */
    qmt_observer_kind calibration_observer; /* mse, for PTQ and to start QAT from */
    float percentile;                       /* histogram: 99.99 */
    float observer_momentum;                /* average: 0.01 */
    bool per_channel;                       /* weights; true */
    char keep_fp32[256]; /* comma-separated layers that stay FP32, such as "pnet/conv1"; "heads" are all heads */
    /* Only without training (PTQ); what each brings is in docs/ptq.md. */
    int ptq_samples;               /* of each network; 1024 */
    bool equalize;                 /* cross-layer equalization; false */
    qmt_weight_range weight_range; /* max */
    qmt_rounding rounding;         /* of weights; adaptive */
    bool bias_correction;          /* true */
} qmt_quantize_config;

typedef struct qmt_export_config {
    int opset;                 /* 13 */
    char profile[64];          /* "upright" (our names) or "caffe" (Caffe's names); */
    char target[32];           /* "tensorrt" or "onnxruntime" */
    int weight_bits;           /* onnxruntime: 8, or 7 for processors whose 8-bit kernels saturate */
    int max_batch;             /* of R- and O-Net in the TensorRT profiles; 256 */
    int max_width, max_height; /* of the P-Net's pyramid in the TensorRT profiles; 1920, 1080 */
    bool calibrated;           /* with the scores that calibration found, where it did; true */
} qmt_export_config;

/* What scores are to mean: measured on the hold-out of the training pictures, put into the exported networks. */
typedef struct qmt_calibrate_config {
    bool scores;        /* false */
    float keep[2];      /* share of the faces found that pass P-Net's and R-Net's threshold; 0.95, 0.97 */
    float keep_low[2];  /* share that passes evaluate.thresholds: sets the scale of logits; 0.998, 0.99; 0: it stays */
    float false_alarms; /* a picture, at O-Net's threshold (also of the fused score); 0.3 */
    bool slope;         /* fit other scales (O-Net's, too) by logistic regression; false */
} qmt_calibrate_config;

typedef struct qmt_detect_config {
    int min_face, max_face; /* 20, 0 */
    float scale_factor;     /* 0.709 */
    float thresholds[3];    /* .6 .7 .7 */
    float nms[4];           /* .5 .7 .7 .7; the last is MTCNN's rule where the models and last_nms say nothing */
    char last_nms[32];      /* "union:0.4", "min:0.7", or "": as the models say */
    float fusion;           /* weight of R-Net's score in the last: 0 .25 .5 .75; -1: as the models say */
    float vote;             /* IoU from which boxes vote: 0 none, .2 to 1; -1: as the models say */
    float refined_nms[2];   /* IoU to suppress P-Net's, R-Net's corrected boxes at; 0: not; -1: as the models say */
    int max_proposals;      /* 10000 */
} qmt_detect_config;

typedef struct qmt_evaluate_config {
    float iou;                     /* 0.5 */
    int min_face;                  /* smaller labeled faces count neither way; 20 */
    float thresholds[3];           /* for the whole curve; .3 .3 .1 */
    float min_retention;           /* validate, run: INT8 accuracy over FP32; 0.95 */
    char real_data[qmt_path_size]; /* run: real pictures to tell figures of beside those of data.dir; "": none */
    int bootstrap;                 /* resamplings; 1000 */
} qmt_evaluate_config;

typedef struct qmt_config {
    qmt_run_config run;
    qmt_data_config data;
    qmt_synth_config synth;
    qmt_prepare_config prepare[qmt_net_count]; /* YAML `prepare:` sets all three, `prepare: {pnet: ...}` one */
    qmt_augment_config augment;
    qmt_train_config train[qmt_net_count]; /* likewise */
    qmt_quantize_config quantize;
    qmt_calibrate_config calibrate;
    qmt_export_config export;
    qmt_detect_config detect;
    qmt_evaluate_config evaluate;
} qmt_config;

void qmt_config_default(qmt_config *config);
/* Reads a YAML file over what `config` holds. "base: FILE" in it names another one, in the same folder or by its path
 * from there, whose settings come first (at most 4 in a row). Unknown keys, wrong types and values out of range are
 * errors that name file, line, column and the nearest valid key; then `config` stays as it was. */
qmtcnn_status qmt_config_read(const char *path, qmt_config *config, qmtcnn_error *error);
/* The same from memory; `name` stands for the file in messages. */
qmtcnn_status qmt_config_parse(const void *data, size_t size, const char *name, qmt_config *config,
                               qmtcnn_error *error);
/* Sets one value by its dotted key: "train.epochs" (all networks) or "train.pnet.epochs". Hyphens count as underscores.
 * Lists are separated by commas: "3,1,1,2". */
qmtcnn_status qmt_config_set(qmt_config *config, const char *key, const char *value, qmtcnn_error *error);
/* Does a dotted key exist? */
bool qmt_config_has(const char *key);
/* Checks what no single value shows (batch a multiple of 16, frozen after started, min_face <= max_face ...). */
qmtcnn_status qmt_config_check(const qmt_config *config, qmtcnn_error *error);
/* Is a network's score calibrated at its low threshold, too? P-Net's and R-Net's, where calibrate.keep_low is over 0
 * and evaluate.thresholds lies between 0 and detect.thresholds. */
bool qmt_calibrates_low(const qmt_config *config, qmt_net_id net);
/* Leaves the last names of the data set's and the lists' paths: what is the same wherever a copy of the data lies. */
void qmt_data_config_drop_folders(qmt_data_config *data);
/* How often training logs and saves becomes the default: it changes nothing of what is learned. */
void qmt_train_config_drop_habits(qmt_train_config *train);
/* The defaults with what mining takes of the detector's settings. */
qmt_detect_config qmt_detect_config_of_mining(const qmt_detect_config *detect);
/* The whole configuration as YAML that reads back to the same values; for qmt_free(). NULL when out of memory. */
char *qmt_config_text(const qmt_config *config);
/* The same of some sections, named between commas: "data,prepare". */
char *qmt_config_text_of(const qmt_config *config, const char *sections);
/* A table of all keys with type, range, default and meaning, for `--help-config` and the guide; for qmt_free(). */
char *qmt_config_help(void);

/* Epochs with the automatic values (-1) filled in, for a network's number of epochs. */
typedef struct qmt_quantize_schedule {
    int start, freeze_observers, freeze_batch_norm;
} qmt_quantize_schedule;
qmt_quantize_schedule qmt_quantize_epochs(const qmt_quantize_config *config, int epochs);

#endif
