/* safetensors: 8 bytes of header length (little endian), a JSON header, then raw tensors. For checkpoints and samples.
 * Tensors are written widest type first, and in the order added within a type, so that all are aligned and equal
 * content gives equal bytes. */
#ifndef QMT_TOOLKIT_SAFETENSORS_H
#define QMT_TOOLKIT_SAFETENSORS_H

#include "toolkit/base/file.h"

typedef enum qmt_dtype { QMT_U8, QMT_I8, QMT_I32, QMT_I64, QMT_U64, QMT_F32, QMT_F64 } qmt_dtype;
size_t qmt_dtype_size(qmt_dtype type);

enum { qmt_max_dims = 6 };

typedef struct qmt_tensor {
    char *name;
    qmt_dtype type;
    int dims;
    size_t shape[qmt_max_dims];
    const void *data; /* when read: into the file's mapping */
    size_t bytes;
} qmt_tensor;

/* A file being put together: tensors are borrowed until it is written. */
typedef struct qmt_tensors_writer qmt_tensors_writer;
qmtcnn_status qmt_tensors_writer_create(qmt_tensors_writer **writer, qmtcnn_error *error);
void qmt_tensors_writer_free(qmt_tensors_writer *writer);
qmtcnn_status qmt_tensors_add(qmt_tensors_writer *writer, const char *name, qmt_dtype type, int dims,
                              const size_t *shape, const void *data, qmtcnn_error *error);
/* A string in __metadata__. */
qmtcnn_status qmt_tensors_add_metadata(qmt_tensors_writer *writer, const char *key, const char *value,
                                       qmtcnn_error *error);
qmtcnn_status qmt_tensors_write(qmt_tensors_writer *writer, const char *path, qmtcnn_error *error);

/* A file mapped for reading, its header checked: types, shapes and offsets fit the file, nothing overlaps. */
typedef struct qmt_tensors_file qmt_tensors_file;
qmtcnn_status qmt_tensors_open(const char *path, qmt_tensors_file **file, qmtcnn_error *error);
void qmt_tensors_close(qmt_tensors_file *file);
/* Where in the file `data`, a place in one of its tensors, lies. */
size_t qmt_tensors_offset(const qmt_tensors_file *file, const void *data);
size_t qmt_tensors_count(const qmt_tensors_file *file);
const qmt_tensor *qmt_tensors_at(const qmt_tensors_file *file, size_t index);
/* NULL where there is none of that name. */
const qmt_tensor *qmt_tensors_find(const qmt_tensors_file *file, const char *name);
/* The tensor `name` of exactly this type and shape, or an error that says what the file has instead. */
qmtcnn_status qmt_tensors_get(const qmt_tensors_file *file, const char *name, qmt_dtype type, int dims,
                              const size_t *shape, const void **data, qmtcnn_error *error);
const char *qmt_tensors_metadata(const qmt_tensors_file *file, const char *key);

#endif
