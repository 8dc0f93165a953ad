/* A string that grows as it is put together. */
#ifndef QMT_CONFIG_TEXT_H
#define QMT_CONFIG_TEXT_H

#include "runtime/base/status.h"

/* Zero it before first use. A failed allocation is remembered, so that only the end needs a check. */
typedef struct qmt_text {
    char *data; /* zero terminated once anything was added; for qmt_free() */
    size_t size, capacity;
    bool failed;
} qmt_text;

void qmt_text_add(qmt_text *text, const char *format, ...) QMT_PRINTF(2, 3);
/* `text` in double quotes, with the escapes that both YAML and JSON know. Bytes from 128 on are taken for UTF-8. */
void qmt_text_add_quoted(qmt_text *text, const char *string);
/* Spaces up to `column` of the current line (from 0); at least one. */
void qmt_text_pad(qmt_text *text, size_t column);
/* The string, for qmt_free(), or NULL where memory ran out. `text` is empty afterwards. */
char *qmt_text_take(qmt_text *text);

#endif
