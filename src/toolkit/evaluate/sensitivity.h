/* Which layer's quantization costs accuracy: each layer in INT8 while all others stay FP32, and each in FP32 while all
 * others are INT8. */
#ifndef QMT_SENSITIVITY_H
#define QMT_SENSITIVITY_H

#include "toolkit/evaluate/evaluate.h"
#include "toolkit/evaluate/text.h"

/* Pictures that are measured where the caller has no wish. */
enum { qmt_sensitivity_pictures = 200 };

/* One layer. Losses are negative, gains positive. */
typedef struct qmt_layer_sensitivity {
    qmt_net_id net;
    char name[64];        /* as in quantize.keep_fp32 behind "NET/"; "heads" are all heads of a network together */
    double macs;          /* share of its network's multiply-adds, for one training input */
    double sqnr;          /* dB: of the network's outputs with only this layer INT8, in the head that suffers most */
    double sqnr_won;      /* dB: what the same gains when of an INT8 network this layer is left FP32 */
    qmt_difference alone; /* AP: this layer INT8, all others FP32; against all FP32 */
    qmt_difference kept;  /* AP: this layer FP32, all others INT8; against all INT8 */
    double ap_alone, ap_kept;
    double time;         /* of its network with this layer FP32, over all INT8; NAN where none was measured */
    bool rounded_before; /* its weights are multiples of their steps already, so only its input's rounding shows */
} qmt_layer_sensitivity;

typedef struct qmt_sensitivity {
    qmt_layer_sensitivity *layers; /* worst first: AP lost alone, then SQNR */
    size_t count;
    size_t pictures, of_pictures /* that the data set has */, faces;
    size_t inputs[qmt_net_count]; /* that SQNR was measured on */
    double ap_fp32, ap_int8;      /* the same networks without any quantization; with all of it */
    qmt_difference all;           /* of these two */
    double sqnr[qmt_net_count];   /* dB: all INT8, in the head that suffers most */
    double seconds;
} qmt_sensitivity;

/* `int8` is a folder of INT8 models; its own FP32 weights stand in where a layer is not quantized, and where the file
 * holds none but rounded ones, those of the folder `fp32`, if they are the ones that were rounded. Looks at `pictures`
 * pictures (0: all), spread evenly over the data set. `threads` as in qmt_detector_run(); all figures but time are the
 * same for any number. Stops on Ctrl-C with QMTCNN_ERROR_INTERRUPTED. Free with qmt_sensitivity_free(). */
qmtcnn_status qmt_sensitivity_measure(const qmt_dataset *dataset, const char *fp32, const char *int8,
                                      const qmt_config *config, int pictures, int threads, qmt_sensitivity **result,
                                      qmtcnn_error *error);
void qmt_sensitivity_free(qmt_sensitivity *sensitivity);

/* Is the interval on one side of 0? Not where there is none (no resamplings). */
bool qmt_difference_stands_out(const qmt_difference *difference);
/* The layer whose staying FP32 wins most AP; NULL where none wins any. */
const qmt_layer_sensitivity *qmt_sensitivity_best_kept(const qmt_sensitivity *sensitivity);
/* What to do about it, in sentences; for qmt_free(). NULL when out of memory. */
char *qmt_sensitivity_advice(const qmt_sensitivity *sensitivity);

/* For json_decref(). */
json_t *qmt_sensitivity_json(const qmt_sensitivity *sensitivity);
/* Adds a table and what it means. */
void qmt_sensitivity_add_text(qmt_text *text, const qmt_sensitivity *sensitivity);

#endif
