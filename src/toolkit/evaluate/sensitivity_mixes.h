/* Networks some of whose layers are INT8 and the others FP32, for toolkit/evaluate's measurement of sensitivity. */
#ifndef QMT_SENSITIVITY_MIXES_H
#define QMT_SENSITIVITY_MIXES_H

#include "runtime/model/model.h"

enum { qmt_heads_unit = qmt_max_layers, qmt_most_units = qmt_net_count * (qmt_max_layers + 1) };

/* A layer, or all heads of a network together, since they share their input and so its scale. */
typedef struct qmt_unit {
    qmt_net_id net;
    int layer; /* of the trunk, or qmt_heads_unit */
} qmt_unit;

/* Three networks with each layer in both forms. */
typedef struct qmt_mixed_models {
    qmt_model *int8[qmt_net_count];
    qmt_model *fp32[qmt_net_count]; /* of the other folder; may lend weights to `real` */
    /* Every layer without quantization, the heads last; arrays are borrowed from the models above. */
    qmt_layer real[qmt_net_count][qmt_max_layers + qmt_head_count];
    bool rounded_before[qmt_net_count][qmt_max_layers + qmt_head_count];
    qmt_unit units[qmt_most_units]; /* those that are INT8 */
    size_t unit_count;
} qmt_mixed_models;

qmtcnn_status qmt_mixed_models_open(const char *fp32, const char *int8, qmt_mixed_models *models, qmtcnn_error *error);
void qmt_mixed_models_close(qmt_mixed_models *models);

/* "conv1", "heads". */
const char *qmt_unit_name(const qmt_mixed_models *models, const qmt_unit *unit);
/* Share of its network's multiply-adds for one training input. */
double qmt_unit_macs(const qmt_mixed_models *models, const qmt_unit *unit);
bool qmt_unit_rounded_before(const qmt_mixed_models *models, const qmt_unit *unit);

typedef enum qmt_mix_kind {
    QMT_MIX_FP32,  /* no layer INT8 */
    QMT_MIX_INT8,  /* all that the file has */
    QMT_MIX_ALONE, /* only the unit */
    QMT_MIX_KEPT   /* all but the unit */
} qmt_mix_kind;

/* One network of a mix. `model` holds nothing of its own: it lives as long as the models and this struct. */
typedef struct qmt_mix_view {
    qmt_model model;
    qmt_layer layers[qmt_max_layers];
} qmt_mix_view;
/* `unit` may be of another network, and NULL for the first two kinds. */
void qmt_mix_make(const qmt_mixed_models *models, qmt_net_id net, qmt_mix_kind kind, const qmt_unit *unit,
                  qmt_mix_view *view);

#endif
