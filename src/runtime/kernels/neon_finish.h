/* What becomes of a tile's sums, for the NEON tables. Private to runtime/kernels. */
#ifndef QMT_NEON_FINISH_H
#define QMT_NEON_FINISH_H

#include "runtime/kernels/int8_walk.h"

void qmt_neon_finish_tile(const qmt_packed_layer *packed, int channel, const int32_t *sums, int pixels, int blocks,
                          char *output);
void qmt_neon_pool_tile(const qmt_packed_layer *packed, int channel, const int32_t *sums, const qmt_tile_pool *pool);

#endif
