/* runtime/base: what everything else stands on. It owns status codes and messages, checked sizes and
 * allocation, the thread pool, processor features and the clock. It knows nothing of pictures or networks. */
#ifndef QMT_BASE_STATUS_H
#define QMT_BASE_STATUS_H

#include "qmtcnn/qmtcnn.h"

#include <stdbool.h>
#include <stddef.h>

/* With MinGW C99's formats, which CMakeLists.txt asks for there: "printf" would mean Microsoft's old ones. */
#if defined(__MINGW32__)
#define QMT_PRINTF(format_index, first) __attribute__((format(gnu_printf, format_index, first)))
#elif defined(__GNUC__)
#define QMT_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#else
#define QMT_PRINTF(format_index, first)
#endif

/* Writes `status` and the message to `error` (unless it is NULL) and returns `status`, so that a function can
 * `return qmt_fail(...)`. The message says what went wrong, where (file, line or byte), and what to do. */
qmtcnn_status qmt_fail(qmtcnn_error *error, qmtcnn_status status, const char *format, ...) QMT_PRINTF(3, 4);

/* Puts "CONTEXT: " before the message that a deeper function left. Returns error's status. */
qmtcnn_status qmt_fail_in(qmtcnn_error *error, qmtcnn_status status, const char *format, ...) QMT_PRINTF(3, 4);

/* An out-of-memory failure that names what the memory was for. */
qmtcnn_status qmt_fail_memory(qmtcnn_error *error, size_t bytes, const char *what);

/* *product = a * b; false, and *product unchanged, where that does not fit. */
bool qmt_size_multiply(size_t a, size_t b, size_t *product);
/* *sum = a + b; false, and *sum unchanged, where that does not fit. */
bool qmt_size_add(size_t a, size_t b, size_t *sum);

/* count * size bytes, aligned to 64, not cleared; free with qmt_free(). NULL if it overflows or there is none
 * (a request of 0 bytes gives a valid pointer). */
void *qmt_alloc(size_t count, size_t size);
/* The same, cleared. */
void *qmt_alloc_zero(size_t count, size_t size);
/* Frees what qmt_alloc() or qmt_alloc_zero() gave. NULL is allowed. */
void qmt_free(void *pointer);

/* Makes room for `needed` elements of `size` bytes in a growing array: *items holds *capacity elements, of which the
 * first `used` are kept. Grows by at least a half. On failure nothing changes. */
qmtcnn_status qmt_grow(void **items, size_t *capacity, size_t used, size_t needed, size_t size, qmtcnn_error *error);

/* A copy of a string, for qmt_free(); NULL when out of memory. */
char *qmt_copy_string(const char *text);

#endif
