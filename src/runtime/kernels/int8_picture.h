/* INT8 weights of the picture's layer, a 3 x 3 kernel over three colors, cut into runs for kernels whose lanes are
 * pixels (avx2_int8_picture.c), so that each channel has its own.
 *
 * An input q enters as q + 128, 0 .. 255; the bias makes up for it. A channel's 27 weights are seven groups of four.
 * One that could overflow 16 bits by itself is halved: two groups, of the same inputs. Then groups make runs, as in
 * int8_runs.h: in each of a group's two pairs of inputs a run's positive weights add up to 128 at most, and so do its
 * negative ones. Private to runtime/kernels. */
#ifndef QMT_INT8_PICTURE_H
#define QMT_INT8_PICTURE_H

#include "runtime/kernels/kernels.h"

enum {
    qmt_picture_kernel = 3,       /* side of the kernel, and channels of the picture */
    qmt_picture_parts = 7,        /* groups of inputs: two of each row, and one of reds */
    qmt_picture_most_groups = 14, /* of a channel's weights: each part cut in two */
    qmt_picture_longest = 4       /* groups of a run */
};

/* A channel's weights. Part 2 * ky holds R G B at kx = 0 and R at kx = 1; part 2 * ky + 1 holds G at kx = 1 and 2, then
 * B at kx = 1 and 2; part 6 holds R at kx = 2 of ky = 0, 1, 2, and nothing. (Of the ways to cut them, this made fewest
 * groups and runs of trained weights: neighbors of one sign fill a pair.) */
typedef struct qmt_picture_channel {
    int32_t bias; /* with what q + 128 adds taken off */
    int run_count;
    uint8_t lengths[qmt_picture_most_groups + 1]; /* groups of each run, the longest first; then 0 */
    uint8_t parts[qmt_picture_most_groups];       /* which inputs each group takes */
    int8_t weights[qmt_picture_most_groups][4];
} qmt_picture_channel;

/* Are these the weights of a layer of this kind: a picture, INT8 output, a pool of 2 / 2 or 3 / 2 that may take the
 * largest sum? */
bool qmt_picture_suits(const qmt_layer *layer, const qmt_pack_options *options);
/* Fills channels[out_channels]. */
void qmt_picture_pack(const qmt_layer *layer, qmt_picture_channel *channels);

#endif
