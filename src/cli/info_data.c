/* Data sets and sample stores. */
#include "cli/info.h"
#include "toolkit/base/file.h"
#include "toolkit/data/dataset.h"
#include "toolkit/data/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct checking {
    qmt_info_request *request;
    const char *split;
    json_t *problems;
    size_t pictures; /* missing or unreadable */
};

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static void take_problem(void *state, const qmt_problem *problem)
{
    struct checking *checking = state;
    if (begins_with(problem->text, "missing picture") || begins_with(problem->text, "unreadable picture"))
        checking->pictures++;
    if (checking->request->json) {
        json_t *one = json_pack("{s:s, s:s, s:i, s:s}", "split", checking->split, "file", problem->file, "line",
                                problem->line, "text", problem->text);
        if (one)
            json_array_append_new(checking->problems, one);
    } else if (problem->line > 0) {
        printf("%s:%d: %s\n", problem->file, problem->line, problem->text);
    } else {
        printf("%s: %s\n", problem->file, problem->text);
    }
}

static json_t *summary_json(const qmt_check_summary *summary, const char *split, size_t bad_pictures)
{
    const size_t *size = summary->by_size;
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "split", split,
                     "pictures", (json_int_t)summary->pictures, "unreadable", (json_int_t)bad_pictures, "empty",
                     (json_int_t)summary->empty_pictures, "faces", (json_int_t)summary->faces, "ignored",
                     (json_int_t)summary->ignored, "landmarks", (json_int_t)summary->with_landmarks, "<10",
                     (json_int_t)size[0], "10-20", (json_int_t)size[1], "20-40", (json_int_t)size[2], "40-80",
                     (json_int_t)size[3], "80-160", (json_int_t)size[4], ">=160", (json_int_t)size[5], "problems",
                     (json_int_t)summary->problems, "bytes", (json_int_t)summary->bytes);
}

static qmtcnn_status check_split(struct checking *checking, json_t *splits, qmtcnn_error *error)
{
    qmt_data_config data = checking->request->config.data;
    qmt_dataset *dataset = NULL;
    qmt_check_summary summary;
    if (strcmp(checking->split, "train") != 0)
        data.landmark_lists = 0;
    checking->pictures = 0;
    qmtcnn_status status = qmt_dataset_open_as(&data, checking->request->path, checking->split, &dataset, error);
    if (status != QMTCNN_OK)
        return status;
    status = qmt_dataset_check(dataset, checking->request->decode, checking->request->threads, take_problem, checking,
                               &summary, error);
    qmt_dataset_free(dataset);
    if (status != QMTCNN_OK)
        return status;
    json_array_append_new(splits, summary_json(&summary, checking->split, checking->pictures));
    checking->request->faults = checking->request->faults || checking->pictures > 0;
    return QMTCNN_OK;
}

qmtcnn_status qmt_info_dataset(qmt_info_request *request, json_t **info, qmtcnn_error *error)
{
    static const char *const names[] = {"train", "val"};
    struct checking checking = {request, NULL, json_array(), 0};
    json_t *splits = json_array();
    qmtcnn_status status = QMTCNN_OK;
    *info = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && status == QMTCNN_OK; i++) {
        checking.split = names[i];
        status = check_split(&checking, splits, error);
        if (status == QMTCNN_ERROR_IO) { /* a data set may lack a split, but not both */
            fprintf(stderr, "qmtcnn info: no split %s: %s\n", names[i], error->message);
            status = QMTCNN_OK;
        }
    }
    if (status == QMTCNN_OK && json_array_size(splits) == 0)
        status = QMTCNN_ERROR_IO; /* the message of the last split */
    if (status == QMTCNN_OK) {
        json_t *object = json_pack("{s:s, s:s, s:O}", "folder", request->path, "kind", "data set", "splits", splits);
        if (object && request->json)
            json_object_set(object, "problems", checking.problems);
        status = qmt_info_finish(object, info, error);
    }
    json_decref(splits);
    json_decref(checking.problems);
    return status;
}

qmtcnn_status qmt_info_store(qmt_info_request *request, json_t **info, qmtcnn_error *error)
{
    qmt_store *store;
    char hash[24];
    *info = NULL;
    qmtcnn_status status = qmt_store_open(request->path, &store, error);
    if (status != QMTCNN_OK)
        return status;
    if (request->decode)
        status = qmt_store_verify(store, error);
    if (status != QMTCNN_OK) {
        qmt_store_close(store);
        return status;
    }
    json_t *counts = json_object();
    for (int i = 0; i < qmt_class_count; i++)
        json_object_set_new(counts, qmt_class_name((qmt_sample_class)i),
                            json_integer((json_int_t)qmt_store_count(store, (qmt_sample_class)i)));
    snprintf(hash, sizeof hash, "%016" PRIx64, qmt_store_hash(store));
    json_t *manifest = json_loads(qmt_store_manifest(store), 0, NULL);
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:b, s:o}", "folder", request->path, "kind", "samples", "net",
                               qmt_net_name(qmt_store_net(store)), "hash", hash, "verified", (int)request->decode,
                               "samples", counts);
    if (object && manifest && request->json)
        json_object_set(object, "manifest", manifest);
    else if (object && manifest) { /* its shards and configuration are long: what counts is above */
        json_t *shards = json_object_get(manifest, "shards");
        if (json_is_array(shards))
            json_object_set_new(object, "shards", json_integer((json_int_t)json_array_size(shards)));
        json_object_del(manifest, "shards");
        json_object_update_missing(object, manifest);
    }
    json_decref(manifest);
    qmt_store_close(store);
    return qmt_info_finish(object, info, error);
}
