/* The state of reading an ONNX graph, and the reader of each kind of node. Private to runtime/model. */
#ifndef QMT_ONNX_READER_H
#define QMT_ONNX_READER_H

#include "runtime/model/model.h"
#include "runtime/model/onnx_graph.h"
#include "runtime/model/onnx_weights.h"

/* The nodes from the picture to an output, in order. */
struct qmt_onnx_chain {
    const QmtOnnx__Node **nodes;
    size_t count;
    const char *output;
};

struct qmt_onnx_reader {
    qmt_onnx_graph graph;
    qmt_model *model;
    const QmtOnnx__ValueInfo *input;
    struct qmt_onnx_chain chains[qmt_head_count];
    int chain_count;
    size_t trunk;   /* nodes that all chains share */
    bool in_heads;  /* behind them */
    size_t weights; /* taken so far, in all layers */
};

/* Where the walk along a chain is. */
struct qmt_onnx_walk {
    int channels, height, width; /* 0: any */
    bool flat;                   /* [N, channels * height * width] */
    float scale;                 /* of the Q/DQ that the current tensor went through; 0: none */
    qmt_onnx_integers integers;  /* ... and its integers */
    bool in_int8;                /* between QuantizeLinear and DequantizeLinear */
    qmt_layer *layer;            /* the last one; NULL at the picture */
    bool softmax;
};

typedef qmtcnn_status (*qmt_onnx_node_reader)(struct qmt_onnx_reader *reader, struct qmt_onnx_walk *walk,
                                              const QmtOnnx__Node *node, qmtcnn_error *error);

/* The reader of a kind of node; NULL where there is none. */
qmt_onnx_node_reader qmt_onnx_find_reader(const char *kind);
/* Has the walk passed a head's layer? */
bool qmt_onnx_in_head(const struct qmt_onnx_reader *reader, const struct qmt_onnx_walk *walk);

#endif
