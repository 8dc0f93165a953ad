/* One file of samples, a safetensors file: a shard of a store, or a piece of a store that is being made.
 *
 * Tensors, N samples: picture i64 [N], box f32 [N, 4], landmarks f32 [N, 10], iou f32 [N], pixels u8 [N, side, side,
 * 3], class u8 [N]; in a piece also lot i64 [N] (prepare_lots.h). Metadata: "key", which tells the run that made the
 * file. */
#ifndef QMT_STORE_ROWS_H
#define QMT_STORE_ROWS_H

#include "toolkit/base/safetensors.h"
#include "toolkit/data/store.h"

/* A file of samples, mapped for reading. */
typedef struct qmt_sample_rows {
    qmt_tensors_file *file;
    int side;
    size_t count;
    size_t class_counts[qmt_class_count];
    /* Into the mapping, not aligned. */
    const uint8_t *pixels, *classes, *boxes, *landmarks, *pictures, *ious;
    const uint8_t *lots; /* NULL: the file has none */
} qmt_sample_rows;

/* Opens PATH and checks every label: classes known, numbers finite and in range. On failure `rows` is cleared. */
qmtcnn_status qmt_sample_rows_open(const char *path, int side, qmt_sample_rows *rows, qmtcnn_error *error);
void qmt_sample_rows_close(qmt_sample_rows *rows);
/* Sample `row` < rows->count; its pixels point into the mapping. */
void qmt_sample_rows_get(const qmt_sample_rows *rows, size_t row, qmt_sample *sample);
/* The lot of sample `row`, in a file that has them. */
uint64_t qmt_sample_rows_lot(const qmt_sample_rows *rows, size_t row);
/* The run that made the file; "" where it does not say. */
const char *qmt_sample_rows_key(const qmt_sample_rows *rows);

/* Samples gathered in memory until they are written as one file. */
typedef struct qmt_sample_block {
    int side;
    size_t capacity, count;
    uint8_t *pixels, *classes;
    float *boxes, *landmarks, *ious;
    int64_t *pictures;
    uint64_t *lots; /* NULL: none */
    size_t class_counts[qmt_class_count];
} qmt_sample_block;

/* Bytes that one sample takes in a file. */
size_t qmt_sample_bytes(int side);
/* Room for `capacity` >= 1 samples. On failure the block is cleared. */
qmtcnn_status qmt_sample_block_create(int side, size_t capacity, qmt_sample_block *block, qmtcnn_error *error);
/* Room for the lots of an empty block, which qmt_sample_block_add() leaves to the caller. */
qmtcnn_status qmt_sample_block_add_lots(qmt_sample_block *block, qmtcnn_error *error);
void qmt_sample_block_clear(qmt_sample_block *block);
/* Drops the samples, keeps the memory. */
void qmt_sample_block_empty(qmt_sample_block *block);
/* Copies a sample; there must be room. */
void qmt_sample_block_add(qmt_sample_block *block, const qmt_sample *sample);
/* Writes the samples (at least one) to PATH, atomically. */
qmtcnn_status qmt_sample_block_write(const qmt_sample_block *block, const char *path, const char *key,
                                     qmtcnn_error *error);

#endif
