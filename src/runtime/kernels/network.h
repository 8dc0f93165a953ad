/* Runs a network, layer after layer, on kernels. */
#ifndef QMT_NETWORK_H
#define QMT_NETWORK_H

#include "runtime/kernels/kernels.h"

/* A model packed for kernels. Read-only once made: threads may share it. */
typedef struct qmt_network qmt_network;
/* Scratch memory for running networks; one thread at a time. Grows when needed, never shrinks. */
typedef struct qmt_workspace qmt_workspace;

/* `kernels` NULL: the best here. AUTO runs each layer as the model has it. The model may be freed afterwards. */
qmtcnn_status qmt_network_create(const qmt_model *model, qmtcnn_precision precision, const qmt_kernels *kernels,
                                 qmt_network **network, qmtcnn_error *error);
void qmt_network_free(qmt_network *network);
/* Bytes of packed weights. */
size_t qmt_network_bytes(const qmt_network *network);
bool qmt_network_is_int8(const qmt_network *network);
bool qmt_network_has_head(const qmt_network *network, qmt_head head);
/* Size of the output map for an input of `height` x `width`: 1 x 1 for R- and O-Net. false: too small. */
bool qmt_network_output_size(const qmt_network *network, int height, int width, int *out_height, int *out_width);

qmtcnn_status qmt_workspace_create(qmt_workspace **workspace, qmtcnn_error *error);
void qmt_workspace_free(qmt_workspace *workspace);
size_t qmt_workspace_bytes(const qmt_workspace *workspace);

/* Seconds that a network's steps took, added up over runs. */
typedef struct qmt_step_times {
    double pixels;                 /* from bytes to the first layer's input */
    double layers[qmt_max_layers]; /* of the trunk */
    double heads;                  /* with writing the results */
} qmt_step_times;
/* Later runs in this workspace add to *times (NULL: no more), for two looks at the clock a step and strip. */
void qmt_workspace_time(qmt_workspace *workspace, qmt_step_times *times);

/* A tensor that a layer made, for checks. H x W x C without padding; exactly one of `int8` and `real` is set. */
typedef struct qmt_tap_tensor {
    const char *name; /* the layer's */
    int layer;        /* 0 .. layer_count - 1, then the heads in order */
    int height, width, channels;
    const int8_t *int8; /* with `scale` */
    bool is_unsigned;   /* ... whose bytes are uint8 */
    const float *real;  /* trunk: after activation and pool; heads: before softmax */
    float scale;
} qmt_tap_tensor;
typedef void (*qmt_tap)(void *state, const qmt_tap_tensor *tensor);

/* A place of a map where there may be a face. */
typedef struct qmt_face_cell {
    int row, column;
    float face, box[4]; /* as in qmt_outputs */
} qmt_face_cell;

/* The places of a picture's map whose face probability is over `threshold`, row by row: few of many, so that all else
 * of the map need not be stored. `room`: how many `found` can hold; those that come after are dropped. */
typedef struct qmt_face_cells {
    float threshold;
    qmt_face_cell *found;
    size_t room, count;
} qmt_face_cells;

/* Where to put a network's results; NULL where not wanted. */
typedef struct qmt_outputs {
    float *face;           /* [n][h][w]: probability that this is a face */
    float *box;            /* [n][h][w][4]: offsets of x1, y1, x2, y2 over the side */
    float *landmarks;      /* [n][h][w][10]: x1 y1 .. x5 y5 over the side (always pairs, also for planar models) */
    float *logit;          /* [n][h][w]: face's logit minus not-face's */
    qmt_face_cells *cells; /* for one picture (n = 1), of a network with face and box heads; count is where to go on */
} qmt_outputs;

/* Runs `count` pictures of height x width, uint8 RGB, rows `stride` bytes apart, one picture after the other in memory
 * (stride * height bytes each). `tap` may be NULL. */
qmtcnn_status qmt_network_run(const qmt_network *network, qmt_workspace *workspace, const uint8_t *pixels,
                              ptrdiff_t stride, int count, int height, int width, const qmt_outputs *outputs,
                              qmt_tap tap, void *tap_state, qmtcnn_error *error);

#endif
