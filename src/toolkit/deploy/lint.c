#include "toolkit/deploy/lint.h"

#include "toolkit/deploy/message.h"

#include <stdarg.h>
#include <stdio.h>

/* Names come from a file that may be hostile, and go to a terminal. */
static void copy_plain(char *target, size_t size, const char *text)
{
    snprintf(target, size, "%s", text);
    for (char *c = target; *c; c++) {
        if ((unsigned char)*c < 32 || *c == 127)
            *c = '?';
    }
}

void qmt_lint_report(qmt_lint *lint, const char *rule, bool error, const QmtOnnx__Node *node, const char *where,
                     const char *format, ...)
{
    qmt_lint_finding finding = {.rule = rule, .error = error};
    char text[sizeof finding.text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (node)
        where = node->name[0] ? node->name : qmt_lint_output(node, 0);
    copy_plain(finding.node, sizeof finding.node, where);
    copy_plain(finding.text, sizeof finding.text, text);
    lint->findings++;
    if (lint->sink)
        lint->sink(lint->state, &finding);
}

static qmtcnn_status lint_message(const QmtOnnx__Model *message, qmt_lint_sink sink, void *state, int *findings,
                                  qmtcnn_error *error)
{
    qmt_lint lint = {.model = message, .graph = message->graph, .sink = sink, .state = state};
    qmtcnn_status status = qmt_lint_index(&lint, error);
    if (status == QMTCNN_OK) {
        qmt_lint_model_rules(&lint);
        qmt_lint_quantizer_rules(&lint);
        qmt_lint_layer_rules(&lint);
        *findings = lint.findings;
    }
    qmt_lint_clear(&lint);
    return status;
}

qmtcnn_status qmt_lint_tensorrt_memory(const void *data, size_t size, const char *name, qmt_lint_sink sink, void *state,
                                       int *findings, qmtcnn_error *error)
{
    QmtOnnx__Model *message;
    *findings = 0;
    qmtcnn_status status = qmt_onnx_message_parse(data, size, name, &message, error);
    if (status != QMTCNN_OK)
        return status;
    status = lint_message(message, sink, state, findings, error);
    qmt_onnx_message_free(message);
    return status;
}

qmtcnn_status qmt_lint_tensorrt(const char *path, qmt_lint_sink sink, void *state, int *findings, qmtcnn_error *error)
{
    QmtOnnx__Model *message;
    *findings = 0;
    qmtcnn_status status = qmt_onnx_message_read(path, &message, error);
    if (status != QMTCNN_OK)
        return status;
    status = lint_message(message, sink, state, findings, error);
    qmt_onnx_message_free(message);
    return status;
}
