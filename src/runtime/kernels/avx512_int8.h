/* INT8 layers with AVX-512 VNNI: how a layer is packed, and the parts that its kernels share. Private to the avx512
 * files.
 *
 * VPDPBUSD multiplies 64 unsigned by 64 signed bytes and adds the products, four at a time, to 16 sums of 32 bits,
 * without saturation. Signed inputs come with 128 added, which the bias makes up for. In most layers a register holds
 * 16 output channels, and a pixel's next four inputs are broadcast to all of them (avx512_int8_tiles.c); in the
 * picture's layer it holds 16 pixels, and a channel's next four weights are (avx512_int8_picture.h). */
#ifndef QMT_AVX512_INT8_H
#define QMT_AVX512_INT8_H

#include "runtime/kernels/int8_picture.h"
#include "runtime/kernels/packed.h"

/* A row of convolution output: `pixels` of all pictures, neighbors in memory. */
typedef struct qmt_avx512_row {
    const uint8_t *const *rows; /* [kernel_height]: of input */
    const int32_t *offsets;     /* [words]: bytes from a pixel to each four inputs of a row of the kernel */
    int words;
    size_t step; /* bytes from an input pixel to the next */
    void *output;
    size_t output_pixel; /* bytes */
    int pixels, channels;
} qmt_avx512_row;

/* A channel's weights of the picture's layer, four a part. Part 2 * ky has those of R G B at kx = 0 and R at kx = 1;
 * part 2 * ky + 1 of G B at kx = 1 and G B at kx = 2; part 6 of R at kx = 2 of ky = 0, 1, 2, and 0. */
typedef struct qmt_avx512_picture_channel {
    int32_t parts[qmt_picture_parts];
    int32_t unused;
} qmt_avx512_picture_channel;

qmtcnn_status qmt_avx512_int8_pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                                   qmtcnn_error *error);
size_t qmt_avx512_int8_scratch_size(const qmt_packed_layer *packed, int input_width);
void qmt_avx512_int8_run(const qmt_packed_layer *packed, const qmt_strip *strip);

/* Weights: [out / 16][ky][word][16][4]. */
void qmt_avx512_tiles_row(const qmt_packed_layer *packed, const qmt_avx512_row *row);

/* Layers of the picture that qmt_picture_suits() takes: one picture under a pool of 2 x 2 (avx512_int8_picture.c), or
 * up to 16 side by side under one of 3 x 3 (avx512_int8_pictures.c), rows of `pixels` of all together. channels[],
 * which has been cleared, is as long as the padded output. */
void qmt_avx512_picture_pack(const qmt_layer *layer, qmt_avx512_picture_channel *channels);
size_t qmt_avx512_picture_scratch_size(const qmt_packed_layer *packed);
void qmt_avx512_picture_run(const qmt_packed_layer *packed, const qmt_avx512_picture_channel *channels,
                            const qmt_strip *strip);
bool qmt_avx512_pictures_takes(int pictures);
size_t qmt_avx512_pictures_scratch_size(const qmt_packed_layer *packed, size_t pixels);
void qmt_avx512_pictures_run(const qmt_packed_layer *packed, const qmt_avx512_picture_channel *channels,
                             const qmt_strip *strip);

#endif
