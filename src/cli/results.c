#include "cli/results.h"

#include "toolkit/base/file.h"
#include "toolkit/config/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool qmt_is(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* ---- Options --------------------------------------------------------------------------------- */

void qmt_result_request_init(qmt_result_request *request)
{
    qmt_config_default(&request->config);
    request->split = "val";
    request->format = "text";
    request->out = NULL;
}

void qmt_result_options(qmt_result_request *request, const qmt_option *own, qmt_option *options, int size)
{
    qmt_config *config = &request->config;
    const qmt_option first[] = {
        {.name = "data",
         .kind = QMT_OPTION_CONFIG,
         .value = config,
         .argument = "DIR",
         .key = "data.dir",
         .help = "data set in WIDER FACE's layout, or images/val with labels beside"},
        {.name = "split",
         .kind = QMT_OPTION_CHOICE,
         .value = &request->split,
         .argument = "SPLIT",
         .choices = "train|val",
         .help = "part of the data set (default val)"},
        {0},
    };
    const qmt_option last[] = {
        {.name = "fuse",
         .kind = QMT_OPTION_CONFIG,
         .value = config,
         .argument = "W",
         .key = "detect.fusion",
         .help = "weight of R-Net's score in the last one: 0, .25, .5, .75 (the models' own)"},
        {.name = "last-nms",
         .kind = QMT_OPTION_CONFIG,
         .value = config,
         .argument = "RULE:T",
         .key = "detect.last_nms",
         .help = "the last suppression: union:IOU or min:SHARE of the smaller box (the models' own)"},
        {.name = "vote",
         .kind = QMT_OPTION_CONFIG,
         .value = config,
         .argument = "T",
         .key = "detect.vote",
         .help = "a face's box becomes the mean of all boxes from this IoU on; 0: no (the models' own)"},
        {.name = "refined-nms",
         .kind = QMT_OPTION_CONFIG,
         .value = config,
         .argument = "P,R",
         .key = "detect.refined_nms",
         .help = "suppress P-Net's and R-Net's corrected boxes at this IoU; 0: not (the models' own)"},
        {.name = "threads",
         .kind = QMT_OPTION_CONFIG,
         .value = config,
         .argument = "N",
         .key = "run.threads",
         .help = "pictures at a time; 0: one per processor"},
        {.name = "limit",
         .kind = QMT_OPTION_CONFIG,
         .value = config,
         .argument = "N",
         .key = "data.limit",
         .help = "only the first N pictures; 0: all"},
        {.name = "format",
         .kind = QMT_OPTION_CHOICE,
         .value = &request->format,
         .choices = "text|json|html",
         .help = "form of the result; JSON and HTML hold the settings too"},
        {.name = "out",
         .kind = QMT_OPTION_TEXT,
         .value = &request->out,
         .argument = "FILE",
         .help = "write the result there instead of standard output, and the settings to FILE.config.yaml"},
        {0},
    };
    const qmt_option *const tables[] = {first, own, last};
    int count = 0;
    for (int t = 0; t < 3; t++)
        for (const qmt_option *option = tables[t]; option->name && count < size - 1; option++)
            options[count++] = *option;
    options[count] = (qmt_option){0};
}

/* ---- Results --------------------------------------------------------------------------------- */

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

/* The settings first: a result never stands without them. */
static qmtcnn_status save_settings(const qmt_result_request *request, qmtcnn_error *error)
{
    return request->out ? qmt_config_write_beside(&request->config, request->out, error) : QMTCNN_OK;
}

qmtcnn_status qmt_give_text(const qmt_result_request *request, char *text, qmtcnn_error *error)
{
    qmtcnn_status status = text ? save_settings(request, error) : QMTCNN_OK;
    if (status == QMTCNN_OK)
        return qmt_print_text(text, request->out, error);
    qmt_free(text);
    return status;
}

qmtcnn_status qmt_give_json(const qmt_result_request *request, json_t *value, qmtcnn_error *error)
{
    qmtcnn_status status = value ? save_settings(request, error) : QMTCNN_OK;
    if (value && status == QMTCNN_OK && json_object_set_new(value, "configuration", qmt_config_json(&request->config)))
        status = qmt_fail_memory(error, 4096, "the settings as JSON");
    if (status == QMTCNN_OK)
        return qmt_print_json(value, request->out, error);
    json_decref(value);
    return status;
}

qmtcnn_status qmt_give_page(const qmt_result_request *request, qmt_report *report, qmtcnn_error *error)
{
    char *html = NULL;
    report->config = &request->config;
    qmtcnn_status status = qmt_report_html(report, &html, error);
    return status == QMTCNN_OK ? qmt_give_text(request, html, error) : status;
}
