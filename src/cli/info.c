/* qmtcnn info: what a file or folder is, and whether it is sound. */
#include "cli/info.h"
#include "cli/command.h"
#include "toolkit/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

static bool has_entry(const char *folder, const char *name)
{
    char *path = qmt_path_join(folder, name);
    bool found = path && (qmt_file_exists(path) || qmt_folder_exists(path));
    qmt_free(path);
    return found;
}

/* The effective configuration: the file over the defaults. */
static qmtcnn_status describe_config(qmt_info_request *request, json_t **info, qmtcnn_error *error)
{
    qmt_config config;
    qmtcnn_error unsound;
    qmt_config_default(&config);
    qmtcnn_status status = qmt_config_read(request->path, &config, error);
    if (status == QMTCNN_OK && qmt_config_check(&config, &unsound) != QMTCNN_OK)
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: %s", request->path, unsound.message);
    char *text = status == QMTCNN_OK ? qmt_config_text(&config) : NULL;
    if (status == QMTCNN_OK && !text)
        status = qmt_fail_memory(error, sizeof config, "the configuration's text");
    if (status == QMTCNN_OK && !request->json)
        fputs(text, stdout);
    if (status == QMTCNN_OK)
        status = qmt_info_finish(
            request->json ? json_pack("{s:s, s:s, s:s}", "file", request->path, "kind", "configuration", "yaml", text)
                          : json_object(),
            info, error);
    qmt_free(text);
    return status;
}

/* A store's manifest stands for the store. */
static qmtcnn_status describe_manifest(qmt_info_request *request, json_t **info, qmtcnn_error *error)
{
    const char *path = request->path;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? qmt_format("%.*s", (int)(slash - path), path) : qmt_copy_string(".");
    if (!folder)
        return qmt_fail_memory(error, strlen(path), "a path");
    request->path = folder;
    qmtcnn_status status = qmt_info_store(request, info, error);
    request->path = path;
    qmt_free(folder);
    return status;
}

/* What can be described. TensorRT's rules are about networks: a check of anything else would check nothing, and look as
 * if it had passed. */
struct kind {
    const char *name;
    qmtcnn_status (*describe)(qmt_info_request *request, json_t **info, qmtcnn_error *error);
    bool networks;
};

static const char manifest_name[] = "manifest.json";
static const struct kind store_kind = {"samples", qmt_info_store, false},
                         dataset_kind = {"a data set", qmt_info_dataset, false},
                         folder_kind = {"networks", qmt_info_folder, true},
                         manifest_kind = {"samples", describe_manifest, false},
                         config_kind = {"settings", describe_config, false},
                         tensors_kind = {"tensors", qmt_info_tensors, false},
                         onnx_kind = {"a network", qmt_info_onnx, true};

static const struct kind *kind_of_folder(const char *path)
{
    static const char *const marks[] = {"wider_face_split", "WIDER_train", "WIDER_val", "images"};
    if (has_entry(path, manifest_name))
        return &store_kind;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (has_entry(path, marks[i]))
            return &dataset_kind;
    return &folder_kind;
}

/* NULL: JSON of another kind. */
static const struct kind *kind_of_file(const char *path)
{
    if (ends_with(path, ".yaml") || ends_with(path, ".yml"))
        return &config_kind;
    if (ends_with(path, ".safetensors"))
        return &tensors_kind;
    if (ends_with(path, ".json"))
        return ends_with(path, manifest_name) ? &manifest_kind : NULL;
    return &onnx_kind;
}

static qmtcnn_status describe(qmt_info_request *request, json_t **info, qmtcnn_error *error)
{
    const char *path = request->path;
    if (!path)
        return qmt_info_build(info, error);
    const bool folder = qmt_folder_exists(path);
    if (!folder && !qmt_file_exists(path))
        return qmt_fail(error, QMTCNN_ERROR_IO, "there is no file or folder %s", path);
    const struct kind *kind = folder ? kind_of_folder(path) : kind_of_file(path);
    if (!kind)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "%s is not the %s of a folder of samples; other JSON files are not known here", path,
                        manifest_name);
    if (request->check && !kind->networks)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "--check is for ONNX files and folders of them; %s holds %s",
                        path, kind->name);
    return kind->describe(request, info, error);
}

static bool print_json(const json_t *info)
{
    char *text = json_dumps(info, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    if (text)
        puts(text);
    free(text);
    return text != NULL;
}

static int run(int argc, char **argv)
{
    const char *check = NULL, *format = "text";
    qmt_info_request request = {0};
    qmtcnn_error error;
    json_t *info = NULL;
    int inputs;
    qmt_config_default(&request.config);
    const qmt_option options[] = {
        {"check", QMT_OPTION_CHOICE, &check, NULL, "check an ONNX file, or all in a folder, against TensorRT's rules",
         "tensorrt", NULL, 0, false},
        {"decode", QMT_OPTION_FLAG, &request.decode, NULL,
         "decode every picture of a data set, or read every sample of a store, instead of headers only", NULL, NULL, 0,
         false},
        {"threads", QMT_OPTION_INT, &request.threads, "N", "threads to check with; 0 (default): one per processor",
         NULL, NULL, 0, false},
        {"format", QMT_OPTION_CHOICE, &format, NULL, "form of the output", "text|json", NULL, 0, false},
        {NULL, QMT_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL, 0, false}};
    const qmt_usage usage = {
        .synopsis = "qmtcnn info [OPTION]... [FILE|DIR]",
        .text = "Says what a file or folder is, and whether it is sound: a network (.onnx), a checkpoint or shard\n"
                "of samples (.safetensors), a folder of samples, a data set (every bad row with its line), or a\n"
                "configuration (.yaml). Without an argument: this build and this processor. Exit status 1 where\n"
                "--check finds an error, or a data set has missing or unreadable pictures.\n\n"
                "Examples:\n"
                "  qmtcnn info --check tensorrt models/mtcnn_qat/pnet.onnx\n"
                "  qmtcnn info data/wider",
        .options = options,
        .config = &request.config,
        .max_inputs = 1};
    qmt_parse_result parsed = qmt_parse_options(argc, argv, &usage, &inputs);
    if (parsed != QMT_PARSED)
        return qmt_parse_exit(parsed);
    request.path = inputs > 0 ? argv[1] : NULL;
    request.json = strcmp(format, "json") == 0;
    request.check = check != NULL;
    if (request.check && !request.path) {
        fprintf(stderr, "qmtcnn info: --check needs a file\n");
        return qmt_exit_usage;
    }
    qmtcnn_status status = describe(&request, &info, &error);
    if (status == QMTCNN_OK && request.json && !print_json(info))
        status = qmt_fail(&error, QMTCNN_ERROR_MEMORY, "out of memory");
    if (status == QMTCNN_OK && !request.json)
        qmt_info_print(info);
    json_decref(info);
    if (status != QMTCNN_OK)
        return qmt_command_failed("info", status, &error);
    return request.faults ? qmt_exit_failed : qmt_exit_done;
}

const qmt_command qmt_command_info = {"info", "say what a file, data set or this build is, and check it", run};
