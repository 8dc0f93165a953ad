/* What the kernel tables share: a packed layer, and the parts of packing and running that are the same in all. Private
 * to runtime/kernels. */
#ifndef QMT_PACKED_H
#define QMT_PACKED_H

#include "runtime/base/inline.h"
#include "runtime/kernels/kernels.h"

/* Loops over a tile's sums must be unrolled, so that these live in registers. Not under sanitizers, whose checks in
 * each copy of a loop would take minutes to compile. */
#if defined(__clang__)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define QMT_SANITIZED
#endif
#endif
#if defined(QMT_SANITIZED)
#define QMT_UNROLL
#elif defined(__clang__)
#define QMT_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define QMT_UNROLL _Pragma("GCC unroll 32")
#else
#define QMT_UNROLL
#endif

/* What becomes of INT8 sums. */
typedef enum qmt_finish {
    QMT_FINISH_BYTE = 0, /* bytes, with any activation and factor */
    QMT_FINISH_RELU, /* bytes after ReLU; a sum times its factor surely fits 32 bits, so that packing saturates it */
    QMT_FINISH_REAL  /* FP32 */
} qmt_finish;

/* Arrays over output channels are padded to out_padded with zeros. */
struct qmt_packed_layer {
    int in_channels, in_padded, out_channels, out_padded;
    int kernel_height, kernel_width;
    int pool_kernel, pool_stride; /* 0: none */
    qmt_activation activation;
    bool int8, signed_input;
    bool input_unsigned, output_unsigned; /* uint8: only in uint8.c */
    float output_scale;                   /* 0: FP32 output */
    bool pools_sums; /* INT8 in tiles (int8_walk.h, int8_picture.h): the pool takes the largest sum, before
                        requantization */
    void *weight;    /* as the table likes it */
    size_t weight_bytes;
    float *bias;               /* FP32 */
    float *slope;              /* PReLU in FP32 */
    int32_t *bias_int32;       /* INT8 */
    float *factor;             /* INT8: a sum times this is the output, real or in steps of output_scale */
    float *negative_factor;    /* INT8: the same for negative sums: 0 (ReLU), factor (none), factor * slope (PReLU) */
    qmt_finish finish;         /* INT8 */
    bool interleaves;          /* the table takes strips of several pictures side by side for this layer */
    struct qmt_run_plan *runs; /* INT8 in runs (int8_runs.h), or NULL */
};

/* A packed layer with everything but its weights, for which `weight_bytes` are taken and cleared. */
qmtcnn_status qmt_packed_create(const qmt_layer *layer, const qmt_pack_options *options, size_t weight_bytes,
                                qmt_packed_layer **packed, qmtcnn_error *error);
void qmt_packed_release(qmt_packed_layer *packed);
size_t qmt_packed_bytes(const qmt_packed_layer *packed);

/* Bytes of an output pixel, and of an input pixel. */
size_t qmt_packed_output_pixel(const qmt_packed_layer *packed);
size_t qmt_packed_input_pixel(const qmt_packed_layer *packed);

/* For tables whose signed inputs come with 128 added; the bias takes it back: sum(w * x) = sum(w * (x + 128)) - 128 *
 * sum(w). */
void qmt_packed_subtract_offset(qmt_packed_layer *packed, const qmt_layer *layer);

/* Rows of convolution output that the pool needs at a time. */
size_t qmt_packed_scratch_size(const qmt_packed_layer *packed, int input_width);

/* Computes one row of `width` pixels of convolution output, activated and requantized. */
typedef void (*qmt_convolve_row)(const qmt_packed_layer *packed, const void *input, int input_width, void *output,
                                 int width);
/* The largest of `rows` x `pool_kernel` pixels, for every output pixel. rows[i] are `width` pixels wide. */
typedef void (*qmt_pool_row)(const qmt_packed_layer *packed, const void *const *rows, int row_count, int width,
                             void *output, int output_width);

/* How a table makes a strip's rows. */
typedef struct qmt_row_steps {
    void *state;                                        /* handed to both */
    void (*convolve)(void *state, int y, void *output); /* row y of convolution output, activated and requantized */
    void (*pool)(void *state, const void *const *rows, int row_count, void *output);
    char *ring; /* room for pool_kernel rows of convolution output, of all pictures */
} qmt_row_steps;
/* Walks a strip: each row of convolution output once, where there is a pool in a ring of pool_kernel rows. */
void qmt_walk_rows(const qmt_packed_layer *packed, const qmt_strip *strip, const qmt_row_steps *steps);

/* The same for one picture: walks a strip, each row of convolution output once, in a ring of pool_kernel rows, and the
 * pool after it. */
void qmt_run_strip(const qmt_packed_layer *packed, const qmt_strip *strip, qmt_convolve_row convolve,
                   qmt_pool_row pool);

/* The plain C pool, for tables without one of their own. */
void qmt_pool_row_c(const qmt_packed_layer *packed, const void *const *rows, int row_count, int width, void *output,
                    int output_width);

/* Tables of single processor families; which are built, the build file says. */
const qmt_kernels *qmt_kernels_avx2(void);
const qmt_kernels *qmt_kernels_avxvnni(void);
const qmt_kernels *qmt_kernels_avx512vnni(void);
const qmt_kernels *qmt_kernels_neon(void);
const qmt_kernels *qmt_kernels_neondot(void);

void qmt_normalize(const qmt_pixel_table *table, const uint8_t *pixels, ptrdiff_t stride, int width, int rows,
                   void *output);

/* Fills packed->weight with FP32 weights in the order that all tables share: [out / 16][ky][kx][in][16]. */
void qmt_pack_real(qmt_packed_layer *packed, const qmt_layer *layer);

#endif
