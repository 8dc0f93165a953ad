/* runtime/kernels: arithmetic on pictures and feature maps. It owns the table of kernels, one a processor family, all
 * of which give the same integers, and the plain C reference that each is checked against. INT8 means int8 buffers and
 * int32 sums.
 *
 * Feature maps are H x W x C, rows contiguous. C is padded to 4 in the picture, and up to a
 * multiple of qmt_channel_step elsewhere. Padding may hold anything finite: its weights are zero. */
#ifndef QMT_KERNELS_H
#define QMT_KERNELS_H

#include "runtime/model/model.h"

#include <stdint.h>

enum { qmt_channel_step = 16, qmt_picture_channels = 4 };

/* C rounded up to the channel step; 4 for the picture. */
int qmt_padded_channels(int channels, bool picture);

/* A strip of rows for a layer to compute. */
typedef struct qmt_strip {
    const void *input;      /* int8 or float, the layer's input from its first needed row on; kernel_height rows of it
                               are at most 1 GiB */
    int input_width;        /* pixels a row */
    void *output;           /* int8 (output scale set) or float, first row of this strip */
    int output_width;       /* pixels a row, after the pool */
    int output_rows;        /* rows to compute, after the pool */
    int convolution_height; /* rows of convolution output that exist from the strip's first on: the pool's last window
                               may be cut off by the border (ceil mode) */
    void *scratch;          /* as many bytes as kernel->scratch_size() says, 64-byte aligned */
    int pictures;           /* 0 or 1: one. More, where the packed layer `interleaves`: so many pictures side by side,
                               [y][x][picture][channel], in input and output; widths are of one picture */
    int channels;           /* FP32 output: only so many are wanted (rounded up as the table likes). 0: all */
} qmt_strip;

/* How a layer is to run. */
typedef struct qmt_pack_options {
    bool int8;            /* in INT8 (the layer must be quantized), else in FP32 from its float weights */
    bool picture;         /* the input is the picture: qmt_picture_channels a pixel */
    bool signed_input;    /* INT8: the input may be negative (the picture, or what a layer without ReLU made) */
    float output_scale;   /* the next layer's input scale, or 0 where the output stays FP32 */
    bool output_unsigned; /* the output goes to a layer whose input is uint8 */
} qmt_pack_options;

/* What each of a pixel's 256 values becomes: (p - 127.5) / 128 as float, or that over `scale` as int8. */
typedef struct qmt_pixel_table {
    float scale; /* 0: float */
    bool usual;  /* the usual scale, (127.5 / 128) / 127: p - 127 below 128, p - 128 from there on */
    float real[256];
    int8_t quantized[256];
} qmt_pixel_table;
void qmt_pixel_table_init(qmt_pixel_table *table, float scale);

/* A layer packed for one kernel table. */
typedef struct qmt_packed_layer qmt_packed_layer;

/* One implementation. A layer is packed once and then run on strips by any number of threads. */
typedef struct qmt_kernels {
    const char *name; /* "c", "avx2", ... */
    qmtcnn_status (*pack)(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                          qmtcnn_error *error);
    void (*release)(qmt_packed_layer *packed);
    size_t (*bytes)(const qmt_packed_layer *packed);
    /* Bytes of scratch for rows of `input_width` pixels (at least the kernel's width), of all pictures together. */
    size_t (*scratch_size)(const qmt_packed_layer *packed, int input_width);
    /* Convolution, activation, requantization and pool over a strip of rows. A result does not depend on how a map is
     * cut into strips. */
    void (*run)(const qmt_packed_layer *packed, const qmt_strip *strip);
    /* Pixels (uint8 RGB, 3 bytes each, rows `stride` apart) to the first layer's input, 4 channels a pixel. */
    void (*normalize)(const qmt_pixel_table *table, const uint8_t *pixels, ptrdiff_t stride, int width, int rows,
                      void *output);
} qmt_kernels;

/* Layers that read or make uint8 (ONNX Runtime's form) run on these, whatever a network's other kernels are. */
const qmt_kernels *qmt_kernels_uint8(void);
/* The plain C kernels: the reference for all others. */
const qmt_kernels *qmt_kernels_c(void);
/* The best for this processor, or the one called `name` (NULL: best). NULL where it is unknown or can't run here. */
const qmt_kernels *qmt_kernels_select(const char *name);

enum { qmt_max_kernel_tables = 8 };
typedef struct qmt_kernels_entry {
    const qmt_kernels *kernels;
    bool usable; /* this processor can run it */
} qmt_kernels_entry;
/* All tables of this build, best first; returns how many. */
int qmt_kernels_list(qmt_kernels_entry entries[qmt_max_kernel_tables]);

/* exp(x) and 1 / (1 + exp(-x)) with the same bits on every processor: plain IEEE operations, no libm.
 * Relative error under 2e-7. */
float qmt_exp(float x);
float qmt_sigmoid(float x);

#endif
