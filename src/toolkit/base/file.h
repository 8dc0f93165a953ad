/* Files that appear under their name only when they are whole, and files read with their size checked. */
#ifndef QMT_TOOLKIT_FILE_H
#define QMT_TOOLKIT_FILE_H

#include "runtime/base/status.h"

#include <stdint.h>
#include <stdio.h>

/* A file being written under a temporary name beside its own. */
typedef struct qmt_writer qmt_writer;

/* Starts PATH; its folder is made if it is missing. */
qmtcnn_status qmt_writer_open(const char *path, qmt_writer **writer, qmtcnn_error *error);
/* Appends; a failure (a full disk) shows here or in the commit. */
qmtcnn_status qmt_writer_write(qmt_writer *writer, const void *data, size_t size, qmtcnn_error *error);
qmtcnn_status qmt_writer_print(qmt_writer *writer, qmtcnn_error *error, const char *format, ...) QMT_PRINTF(3, 4);
/* The stream, for libraries that want one. */
FILE *qmt_writer_stream(qmt_writer *writer);
/* Flush, fsync, rename: from now on PATH is the new file. Frees the writer, also on failure (then PATH is as before).
 */
qmtcnn_status qmt_writer_commit(qmt_writer *writer, qmtcnn_error *error);
/* Gives up: removes the temporary file. NULL is allowed. */
void qmt_writer_abandon(qmt_writer *writer);

/* All of it in one call. */
qmtcnn_status qmt_file_write(const char *path, const void *data, size_t size, qmtcnn_error *error);
/* A whole file of at most `limit` bytes; *data ends with an extra zero byte, is for qmt_free(), and belongs to the
 * caller. */
qmtcnn_status qmt_file_read(const char *path, size_t limit, void **data, size_t *size, qmtcnn_error *error);

/* A file mapped for reading. */
typedef struct qmt_mapping {
    const uint8_t *data;
    size_t size;
} qmt_mapping;
qmtcnn_status qmt_file_map(const char *path, qmt_mapping *mapping, qmtcnn_error *error);
void qmt_file_unmap(qmt_mapping *mapping);

/* A file open for reading pieces of it at any place; any number of threads may. */
typedef struct qmt_reader qmt_reader;
qmtcnn_status qmt_reader_open(const char *path, qmt_reader **reader, qmtcnn_error *error);
void qmt_reader_close(qmt_reader *reader);
/* `size` bytes at `offset`, all of them or an error. */
qmtcnn_status qmt_reader_read(const qmt_reader *reader, size_t offset, void *data, size_t size, qmtcnn_error *error);

bool qmt_file_exists(const char *path);
bool qmt_folder_exists(const char *path);
/* Makes a folder and those above it. */
qmtcnn_status qmt_folder_make(const char *path, qmtcnn_error *error);
/* Names in a folder, sorted by bytes, without . and ..; for qmt_names_free(). */
qmtcnn_status qmt_folder_list(const char *path, char ***names, size_t *count, qmtcnn_error *error);
void qmt_names_free(char **names, size_t count);

/* "A/B", for qmt_free(); NULL when out of memory. */
char *qmt_path_join(const char *a, const char *b);
/* A pipe, a terminal or another device, and not a file or a folder. */
bool qmt_is_device(const char *path);
/* Do both paths lead to the same file or folder? false where one of them leads nowhere. */
bool qmt_is_same_file(const char *a, const char *b);
/* Leaves the last name of a path: "data" of "/pictures/data/". */
void qmt_path_keep_name(char *path);
/* Formats a string, for qmt_free(); NULL when out of memory. */
char *qmt_format(const char *format, ...) QMT_PRINTF(1, 2);

/* XXH3 (64 bits) of memory, and of a file. */
uint64_t qmt_hash(const void *data, size_t size);
/* Reads one that was written as 16 lower-case hexadecimal digits; false for any other text, and for NULL. */
bool qmt_hash_parse(const char *text, uint64_t *hash);
qmtcnn_status qmt_file_hash(const char *path, uint64_t *hash, qmtcnn_error *error);

#endif
