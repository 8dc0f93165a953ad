/* FP32 layers of the kernel tables for single processor families. One source (real_tiles.h), which a table's file
 * includes, is compiled for each instruction set. Private to runtime/kernels.
 *
 * Every output is one chain of multiply-adds in a fixed order: its bits depend neither on the strip nor on its place in
 * the row. A pool takes the largest sum before the activation where that comes to the same. */
#ifndef QMT_REAL_H
#define QMT_REAL_H

#include "runtime/kernels/packed.h"

/* Packs an FP32 layer for qmt_real_strip(). Release with qmt_packed_release(). */
qmtcnn_status qmt_real_pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                            qmtcnn_error *error);

#endif
