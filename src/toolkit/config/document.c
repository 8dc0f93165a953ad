#include "toolkit/config/document.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

qmtcnn_status qmt_yaml_fail(qmtcnn_error *error, const char *name, yaml_mark_t mark, const char *format, ...)
{
    char message[QMTCNN_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%zu:%zu: %s", name, mark.line + 1, mark.column + 1, message);
}

qmtcnn_status qmt_yaml_fail_in(qmtcnn_error *error, const char *name, yaml_mark_t mark)
{
    return qmt_fail_in(error, QMTCNN_ERROR_FORMAT, "%s:%zu:%zu", name, mark.line + 1, mark.column + 1);
}

const char *qmt_yaml_text(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

/* What libyaml found wrong. */
static qmtcnn_status parser_failure(const yaml_parser_t *parser, const char *name, qmtcnn_error *error)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "%s: out of memory while reading YAML", name);
    if (parser->error == YAML_READER_ERROR)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: byte %zu: %s", name, parser->problem_offset,
                        parser->problem ? parser->problem : "not UTF-8");
    return qmt_yaml_fail(error, name, parser->problem_mark, "%s%s%s", parser->problem ? parser->problem : "not YAML",
                         parser->context ? " " : "", parser->context ? parser->context : "");
}

/* Checks one event; *depth and *documents are counted. */
static qmtcnn_status check_event(const yaml_event_t *event, const char *name, int *depth, int *documents,
                                 qmtcnn_error *error)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return qmt_yaml_fail(error, name, event->start_mark, "aliases (*name) are not taken; write the value out");
    case YAML_DOCUMENT_START_EVENT:
        if (++*documents > 1)
            return qmt_yaml_fail(error, name, event->start_mark, "a second document; give one a file");
        break;
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
            return qmt_yaml_fail(error, name, event->start_mark, "a zero byte in a text");
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        ++*depth;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        ++*depth;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: --*depth; break;
    default: break;
    }
    if (anchor)
        return qmt_yaml_fail(error, name, event->start_mark, "anchors (&name) are not taken; write the value out");
    if (tag)
        return qmt_yaml_fail(error, name, event->start_mark, "tags (!name) are not taken");
    if (*depth > qmt_yaml_depth)
        return qmt_yaml_fail(error, name, event->start_mark, "nested deeper than %d", qmt_yaml_depth);
    return QMTCNN_OK;
}

/* A pass over the events alone, which takes no memory, before anything is built: a loaded document no longer shows
 * aliases. */
static qmtcnn_status check_events(const void *data, size_t size, const char *name, qmtcnn_error *error)
{
    yaml_parser_t parser;
    qmtcnn_status status = QMTCNN_OK;
    int depth = 0, documents = 0;
    if (!yaml_parser_initialize(&parser))
        return qmt_fail_memory(error, sizeof parser, "the YAML parser");
    yaml_parser_set_input_string(&parser, data, size);
    for (bool more = true; more && status == QMTCNN_OK;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            status = parser_failure(&parser, name, error);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        status = check_event(&event, name, &depth, &documents, error);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return status;
}

qmtcnn_status qmt_yaml_load(const void *data, size_t size, const char *name, yaml_document_t *document,
                            qmtcnn_error *error)
{
    yaml_parser_t parser;
    if (size > qmt_yaml_limit)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: %zu bytes are over the limit of %d for YAML", name, size,
                        qmt_yaml_limit);
    qmtcnn_status status = check_events(data, size, name, error);
    if (status != QMTCNN_OK)
        return status;
    if (!yaml_parser_initialize(&parser))
        return qmt_fail_memory(error, sizeof parser, "the YAML parser");
    yaml_parser_set_input_string(&parser, data, size);
    if (!yaml_parser_load(&parser, document))
        status = parser_failure(&parser, name, error);
    yaml_parser_delete(&parser);
    return status;
}
