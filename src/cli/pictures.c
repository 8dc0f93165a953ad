#define _POSIX_C_SOURCE 200809L /* strcasecmp */
#include "cli/pictures.h"

#include "runtime/detect/api.h"
#include "toolkit/base/file.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    input_limit = 512 * 1024 * 1024, /* bytes on standard input */
    deepest = 32                     /* folders in folders */
};

static qmtcnn_status read_stdin(uint8_t **data, size_t *size, qmtcnn_error *error)
{
    size_t capacity = 0;
    *data = NULL;
    *size = 0;
    for (;;) {
        qmtcnn_status status = qmt_grow((void **)data, &capacity, *size, *size + 65536, 1, error);
        if (status != QMTCNN_OK)
            return status;
        size_t got = fread(*data + *size, 1, capacity - *size, stdin);
        *size += got;
        if (*size > input_limit)
            return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED,
                            "standard input holds more than %d bytes: too much for one "
                            "picture",
                            input_limit);
        if (got == 0)
            break;
    }
    if (ferror(stdin))
        return qmt_fail(error, QMTCNN_ERROR_IO, "can't read standard input");
    if (*size == 0)
        return qmt_fail(error, QMTCNN_ERROR_IO, "standard input is empty: give it a JPEG or PNG picture");
    return QMTCNN_OK;
}

qmtcnn_status qmt_picture_load(const qmt_picture *picture, qmt_image *image, qmtcnn_error *error)
{
    if (strcmp(picture->path, "-") != 0)
        return qmt_image_read(picture->path, QMT_UPRIGHT, image, error);
    uint8_t *data;
    size_t size;
    qmtcnn_status status = read_stdin(&data, &size, error);
    if (status == QMTCNN_OK)
        status = qmt_image_decode(data, size, "standard input", QMT_UPRIGHT, image, error);
    qmt_free(data);
    return status;
}

bool qmt_is_picture_name(const char *path)
{
    const char *ending = strrchr(path, '.');
    return ending &&
           (strcasecmp(ending, ".jpg") == 0 || strcasecmp(ending, ".jpeg") == 0 || strcasecmp(ending, ".png") == 0);
}

/* A walk through a folder. */
struct walk {
    qmt_picture_visitor visitor;
    void *state;
    size_t pictures;
};

static qmtcnn_status walk_folder(struct walk *walk, const char *folder, const char *below, int depth,
                                 qmtcnn_error *error);

static qmtcnn_status walk_entry(struct walk *walk, const char *path, const char *name, int depth, qmtcnn_error *error)
{
    if (qmt_folder_exists(path))
        return walk_folder(walk, path, name, depth + 1, error);
    if (!qmt_is_picture_name(name))
        return QMTCNN_OK;
    walk->pictures++;
    qmt_picture picture = {path, name};
    return walk->visitor(walk->state, &picture, error);
}

static qmtcnn_status walk_folder(struct walk *walk, const char *folder, const char *below, int depth,
                                 qmtcnn_error *error)
{
    char **names = NULL;
    size_t count = 0;
    if (depth > deepest)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "%s: folders more than %d deep: is there a loop of links?",
                        folder, deepest);
    qmtcnn_status status = qmt_folder_list(folder, &names, &count, error);
    for (size_t i = 0; i < count && status == QMTCNN_OK; i++) {
        char *path = qmt_path_join(folder, names[i]);
        char *name = below ? qmt_path_join(below, names[i]) : qmt_copy_string(names[i]);
        if (path && name)
            status = walk_entry(walk, path, name, depth, error);
        else
            status = qmt_fail_memory(error, strlen(folder) + strlen(names[i]), "a file name");
        qmt_free(path);
        qmt_free(name);
    }
    qmt_names_free(names, count);
    return status;
}

qmtcnn_status qmt_pictures_visit(const char *input, qmt_picture_visitor visitor, void *state, qmtcnn_error *error)
{
    if (strcmp(input, "-") == 0 || !qmt_folder_exists(input)) {
        qmt_picture picture = {input, input};
        return visitor(state, &picture, error);
    }
    struct walk walk = {visitor, state, 0};
    qmtcnn_status status = walk_folder(&walk, input, NULL, 0, error);
    if (status == QMTCNN_OK && walk.pictures == 0)
        return qmt_fail(error, QMTCNN_ERROR_IO, "%s: no JPEG or PNG pictures (.jpg, .jpeg, .png) in this folder",
                        input);
    return status;
}

qmtcnn_precision qmt_parse_precision(const char *name)
{
    if (strcmp(name, "int8") == 0)
        return QMTCNN_PRECISION_INT8;
    return strcmp(name, "fp32") == 0 ? QMTCNN_PRECISION_FP32 : QMTCNN_PRECISION_AUTO;
}

qmtcnn_status qmt_open_models(const char *folder, const char *precision, const char *kernels, qmtcnn_model **model,
                              qmtcnn_error *error)
{
    const qmt_kernels *table = qmt_kernels_select(kernels);
    if (!table)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "no kernels called '%s' that this processor can run; `qmtcnn info` lists those that it can",
                        kernels);
    return qmt_api_open(folder, qmt_parse_precision(precision), table, model, error);
}
