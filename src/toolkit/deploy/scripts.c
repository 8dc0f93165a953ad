#include "toolkit/deploy/scripts.h"

#include "toolkit/base/file.h"
#include "toolkit/deploy/deploy.h"
#include "toolkit/deploy/profile.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What stands for @NAME@. */
struct value {
    const char *name;
    char text[256];
};

enum { value_count = 9 };

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* "input:1x3x288x512" */
static void shape(struct value *value, const char *name, const char *input, int batch, int height, int width)
{
    value->name = name;
    snprintf(value->text, sizeof value->text, "%s:%dx3x%dx%d", input, batch, height, width);
}

/* P-Net's best shape is the first level of the largest picture's pyramid, which takes most of its time; R- and O-Net's
 * a common number of crops. */
static void fill_values(const qmt_config *config, const qmt_profile *profile, struct value values[value_count])
{
    enum { common_rnet = 64, common_onet = 16, cell = 12 };
    int width = config->export.max_width, height = config->export.max_height, batch = config->export.max_batch;
    int min_face = config->detect.min_face > cell ? config->detect.min_face : cell;
    int level_width = (int)((long long)width * cell / min_face),
        level_height = (int)((long long)height * cell / min_face);
    level_width = level_width > cell ? level_width : cell;
    level_height = level_height > cell ? level_height : cell;
    shape(&values[0], "PNET_MIN", profile->input[QMT_PNET], 1, cell, cell);
    shape(&values[1], "PNET_OPT", profile->input[QMT_PNET], 1, level_height, level_width);
    shape(&values[2], "PNET_MAX", profile->input[QMT_PNET], 1, height, width);
    shape(&values[3], "RNET_MIN", profile->input[QMT_RNET], 1, 24, 24);
    shape(&values[4], "RNET_OPT", profile->input[QMT_RNET], smaller(batch, common_rnet), 24, 24);
    shape(&values[5], "RNET_MAX", profile->input[QMT_RNET], batch, 24, 24);
    shape(&values[6], "ONET_MIN", profile->input[QMT_ONET], 1, 48, 48);
    shape(&values[7], "ONET_OPT", profile->input[QMT_ONET], smaller(batch, common_onet), 48, 48);
    shape(&values[8], "ONET_MAX", profile->input[QMT_ONET], batch, 48, 48);
}

/* The value whose @NAME@ stands at `text`, or NULL. */
static const struct value *value_at(const char *text, const struct value *values)
{
    for (int i = 0; i < value_count; i++) {
        size_t length = strlen(values[i].name);
        if (text[0] == '@' && strncmp(text + 1, values[i].name, length) == 0 && text[length + 1] == '@')
            return &values[i];
    }
    return NULL;
}

static qmtcnn_status write_line(qmt_writer *writer, const char *line, const struct value *values, const char *end,
                                qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    while (*line && status == QMTCNN_OK) {
        const struct value *value = value_at(line, values);
        if (value) {
            status = qmt_writer_write(writer, value->text, strlen(value->text), error);
            line += strlen(value->name) + 2;
        } else {
            size_t length = 1 + strcspn(line + 1, "@");
            status = qmt_writer_write(writer, line, length, error);
            line += length;
        }
    }
    return status == QMTCNN_OK ? qmt_writer_write(writer, end, strlen(end), error) : status;
}

static qmtcnn_status write_script(const char *out, const char *name, const char *const *lines, size_t count,
                                  const struct value *values, const char *end, qmtcnn_error *error)
{
    qmt_writer *writer = NULL;
    char *path = qmt_format("%s/%s", out, name);
    if (!path)
        return qmt_fail_memory(error, strlen(out) + 64, "a path");
    qmtcnn_status status = qmt_writer_open(path, &writer, error);
    for (size_t i = 0; i < count && status == QMTCNN_OK; i++)
        status = write_line(writer, lines[i], values, end, error);
    if (status == QMTCNN_OK) {
        status = qmt_writer_commit(writer, error);
        writer = NULL;
    }
    qmt_writer_abandon(writer);
#ifndef _WIN32
    if (status == QMTCNN_OK && chmod(path, 0755) != 0)
        status = qmt_fail(error, QMTCNN_ERROR_IO, "can't make %s executable", path);
#endif
    qmt_free(path);
    return status;
}

static const char sh_name[] = "build_tensorrt_engines.sh", bat_name[] = "build_tensorrt_engines.bat";

qmtcnn_status qmt_write_tensorrt_scripts(const char *out, const qmt_config *config, qmtcnn_error *error)
{
    struct value values[value_count];
    qmt_profile profile;
    size_t count;
    qmtcnn_status status = qmt_profile_load(config->export.profile, &profile, error);
    if (status != QMTCNN_OK)
        return status;
    fill_values(config, &profile, values);
    const char *const *lines = qmt_tensorrt_sh(&count);
    status = write_script(out, sh_name, lines, count, values, "\n", error);
    if (status != QMTCNN_OK)
        return status;
    lines = qmt_tensorrt_bat(&count);
    return write_script(out, bat_name, lines, count, values, "\r\n", error);
}

qmtcnn_status qmt_remove_tensorrt_scripts(const char *out, qmtcnn_error *error)
{
    const char *const names[] = {sh_name, bat_name};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = qmt_path_join(out, names[i]);
        if (!path)
            return qmt_fail_memory(error, strlen(out) + 64, "a path");
        remove(path);
        qmt_free(path);
    }
    return QMTCNN_OK;
}
