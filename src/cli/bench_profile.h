/* What `bench detect --profile` found. Private to it. */
#ifndef QMT_CLI_BENCH_PROFILE_H
#define QMT_CLI_BENCH_PROFILE_H

#include "cli/bench.h"
#include "runtime/kernels/network.h"

enum {
    qmt_profile_fp32,
    qmt_profile_int8,
    qmt_profile_precisions,
    qmt_profile_rows = qmt_max_layers + 2 /* pixels, layers, heads */
};

/* A layer, or a stage of the whole picture, in one precision. */
typedef struct qmt_profile_cost {
    double ms, bytes, macs;
} qmt_profile_cost;

typedef struct qmt_profile_row {
    const char *name; /* a layer's: in its model */
    qmt_profile_cost cost[qmt_profile_precisions];
} qmt_profile_row;

typedef struct qmt_profile_net {
    int count, crops;
    qmt_profile_row rows[qmt_profile_rows];
} qmt_profile_net;

typedef enum qmt_profile_stage {
    QMT_STAGE_CONVERT,
    QMT_STAGE_RESIZE,
    QMT_STAGE_PNET,
    QMT_STAGE_CROPS,
    QMT_STAGE_RNET,
    QMT_STAGE_ONET,
    QMT_STAGE_NMS,
    QMT_STAGE_TOTAL
} qmt_profile_stage;
enum { qmt_profile_stages = QMT_STAGE_TOTAL + 1 };

typedef struct qmt_profile_result {
    bool has[qmt_profile_precisions]; /* measured */
    int width, height, levels, proposals, refined;
    qmt_profile_net nets[qmt_net_count];
    qmt_profile_row stages[qmt_profile_stages];
    double peak[qmt_profile_precisions]; /* multiply-adds a second */
    const char *instructions;            /* of the INT8 peak */
} qmt_profile_result;

/* As text, or one line of JSON. */
qmtcnn_status qmt_profile_print(const qmt_profile_result *result, bool json, qmtcnn_error *error);

#endif
