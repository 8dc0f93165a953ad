/* MATLAB files of level 5 (versions 5 to 7): cells, texts and numbers, read only. All of a file is checked once, when
 * it is read: no length in it is believed, and memory stays in proportion to the bytes that the file really has. */
#ifndef QMT_TOOLKIT_MATLAB_H
#define QMT_TOOLKIT_MATLAB_H

#include "runtime/base/status.h"

#include <stdint.h>

/* A file's variables. Read-only once made: threads may share it. */
typedef struct qmt_matlab qmt_matlab;

typedef enum qmt_matlab_kind {
    QMT_MATLAB_OTHER = 0, /* a structure, sparse or complex matrix ...: without content here */
    QMT_MATLAB_CELL,
    QMT_MATLAB_TEXT,
    QMT_MATLAB_NUMBERS
} qmt_matlab_kind;

/* An array, stored column by column. */
typedef struct qmt_matlab_array {
    qmt_matlab_kind kind;
    size_t rows, columns; /* those of further dimensions count as columns */
    size_t count;         /* rows * columns */
    /* Private. */
    const uint8_t *bytes; /* `count` values of `type`, in the file's byte order */
    size_t size;
    size_t cells; /* a cell's entries stand this far behind the array itself */
    uint32_t type;
    bool swap;
} qmt_matlab_array;

/* Limits that a file may not pass. WIDER FACE's largest has 1.6 MB, 10 MB inflated. */
enum {
    qmt_matlab_max_file = 64 << 20,     /* bytes */
    qmt_matlab_max_inflated = 64 << 20, /* bytes of all compressed variables together */
    qmt_matlab_max_arrays = 1 << 20,    /* entries of cells included */
    qmt_matlab_max_depth = 16,          /* cells in cells */
    qmt_matlab_max_rank = 8,
    qmt_matlab_max_variables = 1024
};

/* Reads a file; on success *matlab is for qmt_matlab_free(), on failure NULL. Version 7.3 (HDF5) and version 4 are
 * refused with advice. */
qmtcnn_status qmt_matlab_open(const char *path, qmt_matlab **matlab, qmtcnn_error *error);
/* The same from memory, which may be freed afterwards; `name` is used in messages. */
qmtcnn_status qmt_matlab_read(const void *data, size_t size, const char *name, qmt_matlab **matlab,
                              qmtcnn_error *error);
void qmt_matlab_free(qmt_matlab *matlab);

/* A variable; NULL: there is none of that name. The first, if there are several. */
const qmt_matlab_array *qmt_matlab_find(const qmt_matlab *matlab, const char *name);
/* Elements; 0 for NULL. */
size_t qmt_matlab_count(const qmt_matlab_array *array);
/* Entry `index` of a cell array; NULL where it is none or not as long. `cells` may be NULL. */
const qmt_matlab_array *qmt_matlab_cell(const qmt_matlab_array *cells, size_t index);
/* Element `index` of an array of numbers; false where it is none or not as long. `array` may be NULL. */
bool qmt_matlab_number(const qmt_matlab_array *array, size_t index, double *number);
/* A text of printable ASCII, with a zero at its end; false where it is no such text, empty, or has no room in `size`
 * bytes. `array` may be NULL. */
bool qmt_matlab_text(const qmt_matlab_array *array, char *text, size_t size);

#endif
