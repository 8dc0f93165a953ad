/* What fuzz targets share: readers that want a file get one. */
#ifndef QMT_FUZZ_H
#define QMT_FUZZ_H

#include "runtime/base/status.h"

#include <stdint.h>

/* libFuzzer calls it with one input after the other. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A folder of this process, in memory where the system has such a place; removed at the end. */
const char *fuzz_folder(void);
/* Writes FOLDER/NAME, with the folders above it, and returns its path, which lives until the next call. */
const char *fuzz_file(const char *name, const void *data, size_t size);

/* Ends the process, as a finding, where a reader failed without a message. */
void fuzz_check_message(qmtcnn_status status, const qmtcnn_error *error);
/* Ends the process, as a finding, where `holds` is false. */
void fuzz_check(bool holds, const char *what);
/* What a program may count on in a result; `faces` may be NULL where there are none. */
void fuzz_check_faces(const qmtcnn_face *faces, size_t count, const qmtcnn_image *image, const qmtcnn_options *options);

#endif
