/* YAML documents from files that may be hostile. */
#ifndef QMT_CONFIG_DOCUMENT_H
#define QMT_CONFIG_DOCUMENT_H

#include "runtime/base/status.h"

#include <yaml.h>

enum { qmt_yaml_limit = 1024 * 1024, qmt_yaml_depth = 16 };

/* Loads the one document of `size` bytes. Refused: over 1 MB, nesting over 16, aliases and anchors (a small file can
 * blow up with them), tags, zero bytes in texts, and a second document. `name` is the file's, for messages
 * "NAME:LINE:COLUMN: ...". On success the document is for yaml_document_delete(). An empty file gives a document
 * without a root node. */
qmtcnn_status qmt_yaml_load(const void *data, size_t size, const char *name, yaml_document_t *document,
                            qmtcnn_error *error);
/* "NAME:LINE:COLUMN: ..." */
qmtcnn_status qmt_yaml_fail(qmtcnn_error *error, const char *name, yaml_mark_t mark, const char *format, ...)
    QMT_PRINTF(4, 5);
/* Puts the place before the message that a deeper function left. */
qmtcnn_status qmt_yaml_fail_in(qmtcnn_error *error, const char *name, yaml_mark_t mark);

/* A scalar's text. */
const char *qmt_yaml_text(const yaml_node_t *node);

#endif
