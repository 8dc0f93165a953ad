/* INT8 layers with AVX2: how a layer is packed, and the parts that its kernels share. Private to the avx2 files.
 *
 * Layers whose input is 0 .. 127 sum runs in 16 bits (int8_runs.h). Layers with signed input (the picture, what comes
 * after PReLU) widen it to 16 bits and multiply with VPMADDWD; the three colors of a picture under a small pool have
 * kernels of their own (avx2_int8_picture.c). All sums are exact, so the order of their terms shows nowhere. */
#ifndef QMT_AVX2_INT8_H
#define QMT_AVX2_INT8_H

#include "runtime/kernels/int8_picture.h"
#include "runtime/kernels/int8_runs.h"
#include "runtime/kernels/packed.h"

/* A strip's row of convolution output: `pixels` of all pictures, neighbors in memory. */
typedef struct qmt_avx2_row {
    const void *input; /* the first pixel's */
    void *output;
    size_t output_pixel; /* bytes */
    int pixels;
    int blocks;             /* of eight channels, to compute */
    const int32_t *offsets; /* bytes from a pixel to each group of inputs */
} qmt_avx2_row;

qmtcnn_status qmt_avx2_int8_pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                                 qmtcnn_error *error);
/* As qmt_normalize(). */
void qmt_avx2_normalize(const qmt_pixel_table *table, const uint8_t *pixels, ptrdiff_t stride, int width, int rows,
                        void *output);
size_t qmt_avx2_int8_scratch_size(const qmt_packed_layer *packed, int input_width);
void qmt_avx2_int8_run(const qmt_packed_layer *packed, const qmt_strip *strip);

/* Rows of layers with unsigned input: `offsets` as qmt_run_offsets() gives them. */
void qmt_avx2_runs_row(const qmt_packed_layer *packed, const qmt_avx2_row *row);

/* Layers with signed input. Their input rows become int16 first: qmt_avx2_words_bytes() each, `pictures` pictures of
 * `width` pixels side by side. `more`: bytes to take behind the weights. */
qmtcnn_status qmt_avx2_words_pack(const qmt_layer *layer, const qmt_pack_options *options, size_t more,
                                  qmt_packed_layer **packed, qmtcnn_error *error);
size_t qmt_avx2_words_bytes(const qmt_packed_layer *packed, size_t pixels);
void qmt_avx2_words_fill(const qmt_packed_layer *packed, const int8_t *input, int width, int pictures, int16_t *words);
/* How many pairs of inputs a sum has, and offsets[pair] in bytes where rows of words lie `row` bytes apart. */
int qmt_avx2_words_pairs(const qmt_packed_layer *packed);
void qmt_avx2_words_offsets(const qmt_packed_layer *packed, size_t row, int pictures, int32_t *offsets);
void qmt_avx2_words_row(const qmt_packed_layer *packed, const qmt_avx2_row *row);

/* Layers of the picture that qmt_picture_suits() takes. Can strips of so many pictures side by side run? */
bool qmt_avx2_picture_takes(const qmt_packed_layer *packed, int pictures);
/* Bytes of scratch for rows of `pixels`, of all pictures together. */
size_t qmt_avx2_picture_scratch_size(const qmt_packed_layer *packed, size_t pixels);
void qmt_avx2_picture_run(const qmt_packed_layer *packed, const qmt_picture_channel *channels, const qmt_strip *strip);

/* The pool over row_count rows of the strip's convolution output: of bytes, of all pictures; of floats, of one. */
void qmt_avx2_pool(const qmt_packed_layer *packed, const qmt_strip *strip, const void *const *rows, int row_count,
                   void *output);

#endif
