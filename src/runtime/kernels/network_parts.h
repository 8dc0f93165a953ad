/* A packed network's insides, shared by the file that packs it and the one that runs it. Private to runtime/kernels. */
#ifndef QMT_NETWORK_PARTS_H
#define QMT_NETWORK_PARTS_H

#include "runtime/kernels/network.h"

enum {
    qmt_max_head_groups = qmt_head_count,
    qmt_max_side = 1 << 20 /* pixels of a side of a picture; keeps products of sizes far from overflow */
};

/* Heads that are computed side by side, as one layer. */
struct qmt_head_group {
    const qmt_kernels *kernels; /* the network's, or those for uint8 */
    qmt_packed_layer *packed;
    bool int8;
    float input_scale;
    bool input_unsigned;
    int channels, padded; /* of its output */
    bool quantize;        /* its INT8 input is made from a real trunk output */
};

struct qmt_stage {
    const qmt_kernels *kernels; /* the network's, or those for uint8 */
    qmt_packed_layer *packed;
    qmt_layer shape; /* sizes, pool and name only; no weights */
    bool output_int8, output_unsigned;
    float output_scale;
};

struct qmt_network {
    const qmt_kernels *kernels;
    qmt_net_id net;
    int input_height, input_width; /* 0: any */
    int stage_count, group_count;
    struct qmt_stage *stages;
    struct qmt_head_group groups[qmt_max_head_groups];
    qmt_layer head_shape;             /* kernel sizes of every head */
    int head_group[qmt_head_count];   /* -1: none */
    int head_channel[qmt_head_count]; /* its first channel in the group */
    char *head_name[qmt_head_count];
    bool landmarks_planar, is_int8;
    bool interleaves; /* every layer takes several pictures side by side */
    qmt_pixel_table pixels;
};

#endif
