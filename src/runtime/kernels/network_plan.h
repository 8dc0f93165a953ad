/* Where everything lies while a network walks a picture in strips. Private to runtime/kernels. */
#ifndef QMT_NETWORK_PLAN_H
#define QMT_NETWORK_PLAN_H

#include "runtime/kernels/network_parts.h"

enum { qmt_max_plan_steps = qmt_max_layers + 1 };

/* What a layer reads: the picture, or what the layer before made. The last step is the heads. */
typedef struct qmt_plan_step {
    int height, width;      /* of the whole tensor */
    int convolution_height; /* of the layer that reads it */
    size_t row_bytes;
    int capacity; /* rows that the strip has room for */
    char *rows;   /* rows [first, end) of the tensor */
    int first, end;
} qmt_plan_step;

typedef struct qmt_plan {
    qmt_plan_step steps[qmt_max_plan_steps];
    int pictures; /* side by side: [y][x][picture][channel] */
    int output_height, output_width;
    int strip; /* rows of output at a time */
    char *head_rows[qmt_max_head_groups], *quantized[qmt_max_head_groups];
    char *scratch;
    char *line; /* a row of one picture, where there are several */
    float *tap;
    float logit_floor; /* of the cells that are wanted */
    uint64_t bytes;
} qmt_plan;

/* Fills plan->steps, sizes and plan->bytes for `pictures` side by side of height x width. `tapped`: whole tensors are
 * kept. Fails where a row is too long for the kernels. */
qmtcnn_status qmt_plan_make(const qmt_network *network, int pictures, int height, int width, bool tapped,
                            qmt_plan *plan, qmtcnn_error *error);
/* Gives every buffer its place in `memory` (plan->bytes, 64-byte aligned). */
void qmt_plan_place(const qmt_network *network, bool tapped, qmt_plan *plan, char *memory);

#endif
