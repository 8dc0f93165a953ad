/* INT8 weights cut into runs: groups of four inputs whose products may be summed in 16 bits before they are widened.
 *
 * VPMADDUBSW (and what is like it elsewhere) adds two products in 16 bits. Inputs are 0 .. 127, so a sum over several
 * groups stays in 16 bits, whatever the inputs are, if 127 times the positive weights of each pair of inputs is at most
 * 32767, and 127 times the negative ones at most 32768. Weights are known when a layer is packed: each block of eight
 * channels is cut into runs for which that is so. A sum's order is free, so groups move between runs to make these
 * longer; groups without weights go. Private to runtime/kernels. */
#ifndef QMT_INT8_RUNS_H
#define QMT_INT8_RUNS_H

#include "runtime/model/model.h"

enum {
    qmt_run_lanes = 8,   /* channels of a block */
    qmt_run_most = 4,    /* groups of a run: their weights stay in registers, beside eight pixels' sums */
    qmt_group_inputs = 4 /* inputs of a group */
};

/* Where a group's inputs lie: kernel row and column, and first channel. */
typedef struct qmt_group_place {
    uint8_t ky, kx;
    uint16_t channel;
} qmt_group_place;

/* Eight output channels. */
typedef struct qmt_run_block {
    int first, count;           /* groups */
    int runs[qmt_run_most + 1]; /* how many of each length; the longest come first */
} qmt_run_block;

typedef struct qmt_run_plan {
    int block_count, group_count;
    qmt_run_block *blocks;
    qmt_group_place *places; /* [group] */
    int8_t *weights;         /* [group][8 channels][4 inputs], 64-byte aligned */
} qmt_run_plan;

/* Cuts a quantized layer, for `blocks` blocks (those without channels are empty). Free with qmt_run_plan_free(). */
qmtcnn_status qmt_run_plan_create(const qmt_layer *layer, int blocks, qmt_run_plan **plan, qmtcnn_error *error);
void qmt_run_plan_free(qmt_run_plan *plan);
size_t qmt_run_plan_bytes(const qmt_run_plan *plan);

/* offsets[group]: bytes from a pixel to the group's inputs, where rows have `row` bytes, kernel columns lie `column`
 * bytes apart. All must be under 2^31. */
void qmt_run_offsets(const qmt_run_plan *plan, size_t row, size_t column, int32_t *offsets);

#endif
