/* Does this processor compute our integers? Small networks whose weights and pictures come from a formula are run on
 * kernels, and every layer's result is hashed and compared with what the plain C kernels gave when the library was
 * made. Also compares kernels with the plain C ones on any model. */
#ifndef QMT_SELFTEST_H
#define QMT_SELFTEST_H

#include "runtime/kernels/network.h"

/* The nets of the design with ReLU, then those with PReLU and one layer without an activation, then those with ReLU and
 * uint8 between layers (ONNX Runtime's form). */
enum {
    qmt_selftest_networks = 3 * qmt_net_count,
    qmt_selftest_rows = 9 /* of a network at most: layers of the trunk, three heads, the outputs */
};

/* A layer's verdict. Strings live only during the call. */
typedef struct qmt_selftest_row {
    const char *network; /* "P-Net", "P-Net, PReLU", "P-Net, uint8", or a file */
    const char *layer;   /* "outputs": what the walk in strips gave */
    bool same;
    uint64_t hash, expected; /* FNV-1a of the values as little-endian bytes; `expected` is what plain C gives */
    /* Models only (0 else): */
    size_t values, differ;
    double largest; /* difference: steps of an INT8 tensor, share of the largest value of an FP32 one */
} qmt_selftest_row;
typedef void (*qmt_selftest_sink)(void *state, const qmt_selftest_row *row);

/* Runs the built-in networks. QMTCNN_ERROR_NUMERIC, with a message that names the first layer that differs, where this
 * processor computes other integers; all layers are reported even so. `sink` may be NULL. Thread-safe. */
qmtcnn_status qmt_selftest_builtin(const qmt_kernels *kernels, qmt_selftest_sink sink, void *state,
                                   qmtcnn_error *error);

/* Compares `kernels` with plain C, layer by layer, on a network as its file has it, with the built-in picture. INT8 is
 * to be equal bit for bit. What FP32 layers make may differ in the last bits (they may fuse products and sums), and an
 * INT8 tensor behind one by a step. */
qmtcnn_status qmt_selftest_model(const qmt_model *model, const char *name, const qmt_kernels *kernels,
                                 qmt_selftest_sink sink, void *state, qmtcnn_error *error);

/* ---- For tests: what the built-in hashes are made of ------------------------------------------------ */

/* Built-in network 0 .. qmt_selftest_networks - 1, INT8 in every layer. For qmt_model_free(). */
qmtcnn_status qmt_selftest_network(int which, qmt_model **model, qmtcnn_error *error);
/* The pictures that a net gets: width x height RGB, packed, one after the other. */
void qmt_selftest_pictures(qmt_net_id net, int *count, int *width, int *height);
void qmt_selftest_fill(uint8_t *pixels, int count, int width, int height);

/* Hashes of the rows of each network. */
extern const uint64_t qmt_selftest_expected[qmt_selftest_networks][qmt_selftest_rows];

#endif
