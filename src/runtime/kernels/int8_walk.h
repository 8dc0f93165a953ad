/* INT8 layers in tiles: what the tables avxvnni, neondot and neon share. A table gives the innermost loops, this walks
 * strips, rows and tiles with them. Private to runtime/kernels.
 *
 * A tile is some neighboring pixels of a row times 1, 2 or 4 blocks of 16 output channels. Its sums leave the
 * registers once. Where the layer's pool allows it (2 / 2 or 3 / 2, factors that are not negative), the pool takes the
 * largest sum and only that is requantized: requantization never turns order around, so the integers are the same. */
#ifndef QMT_INT8_WALK_H
#define QMT_INT8_WALK_H

#include "runtime/kernels/packed.h"

#include <string.h>

enum {
    qmt_tile_block_sizes = 3, /* 1, 2 and 4 blocks */
    qmt_tile_sums = 32 * qmt_channel_step
};

/* Where a tile's inputs lie. With several pictures side by side, a pixel's neighbor in memory is another picture's. */
typedef struct qmt_tile_input {
    const uint8_t *const *rows; /* [kernel_height] */
    size_t offset;              /* bytes from a row's begin to the tile's first pixel */
    size_t pixel_step;          /* bytes from a pixel of the tile to the next */
    size_t column_step;         /* bytes from a column of the kernel to the next */
} qmt_tile_input;

/* Sums of a tile, [pixel][block][16], with the bias in them. `channel`: of the first block. */
typedef void (*qmt_tile_sum)(const qmt_packed_layer *packed, int channel, const qmt_tile_input *input, int pixels,
                             int blocks, int32_t *sums);

/* What becomes of a tile's sums where the layer has a pool. */
typedef struct qmt_tile_pool {
    int pixels, windows, blocks;
    int32_t *largest;   /* [window][out_padded]: of the rows so far */
    char *output;       /* the first window's output pixel */
    size_t output_step; /* bytes from a window's output to the next */
    bool merge;         /* `largest` holds earlier rows of these windows */
    bool finish;        /* this is their last row */
    bool keep;          /* more rows come: of these windows, or (with finish) of the next ones, which begin here */
} qmt_tile_pool;

typedef struct qmt_tile_kernels {
    bool unsigned_input; /* the dot product's first operand is unsigned: signed inputs come with 128 added */
    int most_pixels[qmt_tile_block_sizes];
    qmt_tile_sum sum;
    /* Requantizes a tile. `output`: its first pixel. */
    void (*finish)(const qmt_packed_layer *packed, int channel, const int32_t *sums, int pixels, int blocks,
                   char *output);
    void (*pool)(const qmt_packed_layer *packed, int channel, const int32_t *sums, const qmt_tile_pool *pool);
} qmt_tile_kernels;

size_t qmt_tile_scratch_size(const qmt_packed_layer *packed, const qmt_tile_kernels *kernels, int input_width);
void qmt_tile_run(const qmt_packed_layer *packed, const qmt_strip *strip, const qmt_tile_kernels *kernels);

/* Packs an INT8 layer's weights as [out / 16][ky][kx][in / 4, rounded up][16][4]; in_pairs: as [..][2][16][2]. */
qmtcnn_status qmt_tile_pack(const qmt_layer *layer, const qmt_pack_options *options, bool unsigned_input, bool in_pairs,
                            qmt_packed_layer **packed, qmtcnn_error *error);

/* ---- Inlined into each table, with its own vectors ------------------------------------------------- */

/* Adds 128 to a row of signed bytes, 8 at a time: flipping the top bit of each is the same. */
QMT_INLINE void qmt_add_128(const char *from, uint8_t *to, size_t bytes)
{
    const uint64_t top_bits = 0x8080808080808080u;
    size_t i = 0;
    for (; i + 8 <= bytes; i += 8) {
        uint64_t eight;
        memcpy(&eight, from + i, 8);
        eight ^= top_bits;
        memcpy(to + i, &eight, 8);
    }
    for (; i < bytes; i++)
        to[i] = (uint8_t)from[i] ^ 0x80;
}

/* Pixels of each of the fewest tiles of at most `most` that take `count`. */
QMT_INLINE int qmt_tile_share(int count, int most)
{
    const int parts = (count + most - 1) / most;
    return (count + parts - 1) / parts;
}

/* to[i] = max(to[i], from[i]) for 16 sums. */
typedef void (*qmt_max16)(int32_t *to, const int32_t *from);
/* Requantizes 16 sums. `output`: the pixel's first channel. */
typedef void (*qmt_finish16)(const qmt_packed_layer *packed, int channel, const int32_t *sums, char *output);

QMT_INLINE void qmt_finish_tile(const qmt_packed_layer *packed, int channel, const int32_t *sums, int pixels,
                                int blocks, char *output, qmt_finish16 finish)
{
    const size_t pixel = qmt_packed_output_pixel(packed);
    for (int p = 0; p < pixels; p++, output += pixel)
        for (int b = 0; b < blocks; b++, sums += qmt_channel_step)
            finish(packed, channel + b * qmt_channel_step, sums, output);
}

QMT_INLINE void qmt_pool_tile(const qmt_packed_layer *packed, int channel, const int32_t *sums,
                              const qmt_tile_pool *pool, qmt_max16 max, qmt_finish16 finish)
{
    enum { lanes = qmt_channel_step };
    const int stride = packed->pool_stride;
    const size_t pixel = (size_t)pool->blocks * lanes;
    for (int w = 0; w < pool->windows; w++)
        for (int b = 0; b < pool->blocks; b++) {
            const int32_t *from = sums + (size_t)(w * stride) * pixel + (size_t)(b * lanes);
            int32_t *kept = pool->largest + (size_t)w * (size_t)packed->out_padded + channel + b * lanes;
            const int end =
                w * stride + packed->pool_kernel < pool->pixels ? packed->pool_kernel : pool->pixels - w * stride;
            int32_t row[lanes], all[lanes];
            for (int lane = 0; lane < lanes; lane++)
                row[lane] = from[lane];
            for (int i = 1; i < end; i++)
                max(row, from + (size_t)i * pixel);
            for (int lane = 0; lane < lanes; lane++)
                all[lane] = row[lane];
            if (pool->merge)
                max(all, kept);
            if (pool->finish)
                finish(packed, channel + b * lanes, all, pool->output + (size_t)w * pool->output_step);
            if (pool->keep)
                for (int lane = 0; lane < lanes; lane++)
                    kept[lane] = pool->finish ? row[lane] : all[lane];
        }
}

#endif
