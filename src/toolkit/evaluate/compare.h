/* FP32 against INT8: what quantization costs in boxes, in each layer and in accuracy, and what it saves in time and
 * memory. */
#ifndef QMT_COMPARE_H
#define QMT_COMPARE_H

#include "toolkit/evaluate/evaluate.h"
#include "toolkit/evaluate/sensitivity.h"

/* One picture's boxes at the operating score. */
typedef struct qmt_picture_agreement {
    const char *name;  /* of the detections compared */
    size_t fp32, int8; /* boxes of each */
    size_t matched;    /* pairs with IoU >= 0.5, best score first */
    double mean_iou;   /* of the pairs; NAN without one */
    double largest_score_difference;
} qmt_picture_agreement;

typedef struct qmt_agreement {
    double score; /* boxes under it are left out */
    size_t pictures, same_pictures /* every box has its pair */, fp32, int8, matched;
    double mean_iou, mean_score_difference /* absolute */, mean_score_shift /* INT8 minus FP32 */,
        largest_score_difference;
    qmt_picture_agreement *each; /* worst first: most boxes without a pair, then the largest difference of scores */
} qmt_agreement;

/* The same pictures in both, in the same order. Free with qmt_agreement_clear(). */
qmtcnn_status qmt_agreement_compute(const qmt_detections *fp32, const qmt_detections *int8, double score,
                                    qmt_agreement *agreement, qmtcnn_error *error);
void qmt_agreement_clear(qmt_agreement *agreement);

/* One layer's output. Errors of the layers before are in it. */
typedef struct qmt_layer_difference {
    qmt_net_id net;
    char name[64];
    int order, channels;
    bool int8;           /* its output is INT8 */
    size_t values;       /* compared */
    double sqnr, cosine; /* against the same weights without quantization; dB */
    double sqnr_fp32,
        cosine_fp32;     /* against the FP32 model's layer, which may have learned otherwise; NAN: another shape */
    double saturation;   /* share of values at the last step; NAN for FP32 outputs */
    int dead, dead_fp32; /* channels that were 0 for all inputs; without quantization */
} qmt_layer_difference;

typedef struct qmt_layer_differences {
    qmt_layer_difference *layers; /* worst SQNR first */
    size_t count;
    size_t inputs[qmt_net_count]; /* pictures or crops fed to each network */
} qmt_layer_differences;

/* Feeds the networks what the FP32 cascade would: pyramid levels of up to `pictures` pictures (spread over the data
 * set) to P-Net, P-Net's proposals to R-Net, R-Net's to O-Net. Free with qmt_layer_differences_clear(). */
qmtcnn_status qmt_compare_layers(const qmt_dataset *dataset, const char *fp32, const char *int8,
                                 const qmtcnn_options *options, int pictures, qmt_layer_differences *differences,
                                 qmtcnn_error *error);
void qmt_layer_differences_clear(qmt_layer_differences *differences);

/* Speed and memory, measured one after the other on one thread. */
typedef struct qmt_cost {
    double milliseconds[2];  /* a picture, FP32 and INT8: medians */
    size_t network_bytes[2]; /* packed weights */
    size_t scratch_bytes[2]; /* a thread, after these pictures */
    size_t peak_bytes;       /* of the process; 0 where unknown */
    int pictures;
} qmt_cost;
qmtcnn_status qmt_compare_cost(const qmt_dataset *dataset, const qmt_detector *fp32, const qmt_detector *int8,
                               const qmtcnn_options *options, qmt_cost *cost, qmtcnn_error *error);

/* The plain exact curve of a list of boxes against a data set's labels. */
qmtcnn_status qmt_rank_detections(const qmt_truth *truth, const qmt_detections *detections, double iou,
                                  qmt_ranking **ranking, qmtcnn_error *error);

/* AP with some of the networks in INT8: bit 0 P-Net, bit 1 R-Net, bit 2 O-Net. */
enum { qmt_mix_count = 8 };
typedef struct qmt_mixes {
    bool present;
    double ap[qmt_mix_count];
} qmt_mixes;
/* "P8 R32 O8": which network is in which precision. */
void qmt_mix_name(int mix, char name[16]);

typedef struct qmt_compare_options {
    const char *fp32, *int8;  /* folders of models */
    const char *ptq;          /* INT8 without training; NULL: left out */
    bool stages;              /* all eight mixes: six more runs over the data set, and seven with `ptq` */
    bool sensitivity;         /* each layer by itself: two more runs a layer */
    int sensitivity_pictures; /* over so many pictures, spread evenly; 0: all */
    double min_retention;
    int threads;
} qmt_compare_options;

typedef struct qmt_comparison {
    qmt_evaluation fp32, int8, ptq;
    bool has_ptq;
    qmt_detections *found_fp32, *found_int8, *found_ptq;
    double retention, ptq_retention, min_retention; /* AP over FP32's AP; NAN where that is 0 */
    qmt_difference difference, ptq_difference;      /* INT8 against FP32, PTQ against FP32 */
    qmt_agreement agreement;
    qmt_layer_differences layers;
    qmt_cost cost;
    qmt_mixes mixes, ptq_mixes;
    qmt_sensitivity *sensitivity; /* NULL: not measured */
    double seconds;
} qmt_comparison;

qmtcnn_status qmt_compare(const qmt_dataset *dataset, const qmt_config *config, const qmt_compare_options *options,
                          qmt_comparison **comparison, qmtcnn_error *error);
void qmt_comparison_free(qmt_comparison *comparison);
/* retention >= min_retention (a NAN is not). */
bool qmt_comparison_passes(const qmt_comparison *comparison);

json_t *qmt_comparison_json(const qmt_comparison *comparison);
/* For qmt_free(). */
char *qmt_comparison_text(const qmt_comparison *comparison);

#endif
