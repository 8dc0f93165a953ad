#include "toolkit/base/file.h"
#include "toolkit/data/prepare_job.h"

#include <jansson.h>
#include <string.h>

enum { marker_limit = 16 * 1024 * 1024 };

void qmt_part_clear(qmt_part *part)
{
    qmt_free(part->counts);
    memset(part, 0, sizeof *part);
}

char *qmt_part_path(const qmt_prepare_job *job, size_t part, size_t file)
{
    return qmt_format("%s/part-%06zu-%04zu.safetensors", job->parts, part, file);
}

char *qmt_part_marker_path(const qmt_prepare_job *job, size_t part)
{
    return qmt_format("%s/part-%06zu.json", job->parts, part);
}

static json_t *counts_json(const uint64_t counts[qmt_class_count])
{
    json_t *list = json_array();
    for (int k = 0; k < qmt_class_count; k++)
        json_array_append_new(list, json_integer((json_int_t)counts[k]));
    return list;
}

static json_t *files_json(const qmt_part *part)
{
    json_t *files = json_array();
    for (size_t i = 0; i < part->file_count; i++)
        json_array_append_new(files, counts_json(part->counts[i]));
    return files;
}

qmtcnn_status qmt_part_write_marker(const qmt_prepare_job *job, size_t number, const qmt_part *part,
                                    qmtcnn_error *error)
{
    char *path = qmt_part_marker_path(job, number), *text = NULL;
    json_t *unreadable = json_array();
    for (size_t i = 0; i < part->unreadable_count; i++)
        json_array_append_new(unreadable, json_integer(part->unreadable[i]));
    json_t *root = json_pack("{s:s, s:o, s:o, s:o, s:I, s:I}", "key", job->key, "files", files_json(part), "made",
                             counts_json(part->made), "unreadable", unreadable, "recall_faces",
                             (json_int_t)part->recall.faces, "recall_found", (json_int_t)part->recall.found);
    if (root)
        text = json_dumps(root, JSON_SORT_KEYS);
    qmtcnn_status status = path && text ? qmt_file_write(path, text, strlen(text), error)
                                        : qmt_fail_memory(error, 0, "the marker of a finished part");
    free(text);
    json_decref(root);
    qmt_free(path);
    return status;
}

static bool read_number(const json_t *value, uint64_t limit, uint64_t *number)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > limit)
        return false;
    *number = (uint64_t)json_integer_value(value);
    return true;
}

static bool read_counts(const json_t *list, uint64_t counts[qmt_class_count])
{
    bool right = json_array_size(list) == qmt_class_count;
    for (size_t k = 0; right && k < qmt_class_count; k++)
        right = read_number(json_array_get(list, k), UINT32_MAX, &counts[k]);
    return right;
}

static bool read_files(const json_t *files, qmt_part *part)
{
    part->file_count = json_array_size(files);
    part->counts = qmt_alloc_zero(part->file_count, sizeof *part->counts);
    bool right = json_is_array(files) && part->counts;
    for (size_t i = 0; right && i < part->file_count; i++)
        right = read_counts(json_array_get(files, i), part->counts[i]);
    return right;
}

/* No more samples can be in the files than were made. */
static bool counts_agree(const qmt_part *part)
{
    uint64_t written[qmt_class_count] = {0};
    bool right = true;
    for (size_t i = 0; i < part->file_count; i++) {
        for (int k = 0; k < qmt_class_count; k++)
            written[k] += part->counts[i][k];
    }
    for (int k = 0; k < qmt_class_count; k++)
        right = right && written[k] <= part->made[k];
    return right;
}

static bool read_unreadable(const qmt_prepare_job *job, const json_t *list, qmt_part *part)
{
    part->unreadable_count = json_array_size(list);
    bool right = json_is_array(list) && part->unreadable_count <= qmt_part_pictures;
    for (size_t i = 0; right && i < part->unreadable_count; i++) {
        uint64_t picture = 0;
        right = read_number(json_array_get(list, i), UINT32_MAX, &picture) && picture < job->dataset->picture_count;
        part->unreadable[i] = (uint32_t)picture;
    }
    return right;
}

static bool read_marker(const qmt_prepare_job *job, const json_t *root, qmt_part *part)
{
    const char *key = json_string_value(json_object_get(root, "key"));
    return key && strcmp(key, job->key) == 0 && read_files(json_object_get(root, "files"), part) &&
           read_counts(json_object_get(root, "made"), part->made) && counts_agree(part) &&
           read_unreadable(job, json_object_get(root, "unreadable"), part) &&
           read_number(json_object_get(root, "recall_faces"), UINT32_MAX, &part->recall.faces) &&
           read_number(json_object_get(root, "recall_found"), part->recall.faces, &part->recall.found);
}

qmtcnn_status qmt_part_read_marker(const qmt_prepare_job *job, size_t number, qmt_part *part, qmtcnn_error *error)
{
    void *data = NULL;
    size_t size = 0;
    memset(part, 0, sizeof *part);
    char *path = qmt_part_marker_path(job, number);
    if (!path)
        return qmt_fail_memory(error, 0, "a path");
    qmtcnn_status status = qmt_file_read(path, marker_limit, &data, &size, error);
    if (status == QMTCNN_OK) {
        json_t *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL);
        if (!root || !read_marker(job, root, part)) {
            qmt_part_clear(part);
            status = qmt_fail(error, QMTCNN_ERROR_FORMAT,
                              "%s: not the marker of a finished part of this run: run prepare without --resume", path);
        }
        json_decref(root);
    }
    qmt_free(data);
    qmt_free(path);
    return status;
}
