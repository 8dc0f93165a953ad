#include "cli/results.h"

#include "toolkit/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static qmtcnn_status print(const char *text, const char *out, qmtcnn_error *error)
{
    if (out)
        return qmt_file_write(out, text, strlen(text), error);
    if (fputs(text, stdout) == EOF || fflush(stdout) != 0)
        return qmt_fail(error, QMTCNN_ERROR_IO, "can't write to standard output");
    return QMTCNN_OK;
}

qmtcnn_status qmt_print_text(char *text, const char *out, qmtcnn_error *error)
{
    qmtcnn_status status =
        text ? print(text, out, error) : qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: the result's text");
    qmt_free(text);
    return status;
}

qmtcnn_status qmt_print_json(json_t *value, const char *out, qmtcnn_error *error)
{
    char *text = value ? json_dumps(value, JSON_REAL_PRECISION(9)) : NULL;
    char *line = text ? qmt_format("%s\n", text) : NULL;
    free(text);
    json_decref(value);
    return qmt_print_text(line, out, error);
}
