#include "runtime/base/threads.h"
#include "toolkit/base/file.h"
#include "toolkit/base/stop.h"
#include "toolkit/data/check.h"
#include "toolkit/image/image.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
    const qmt_dataset *dataset;
    qmt_file_facts *facts;
    bool decode;
    atomic_bool out_of_memory;
} job;

static qmtcnn_status look_into(const char *path, bool decode, qmt_file_facts *facts, qmtcnn_error *error)
{
    enum { max_file = 1 << 30 };
    void *data = NULL;
    size_t size = 0;
    qmtcnn_status status = qmt_file_read(path, max_file, &data, &size, error);
    if (status != QMTCNN_OK)
        return status;
    facts->bytes = size;
    facts->hash = qmt_hash(data, size);
    if (decode) {
        qmt_image image;
        status = qmt_image_decode(data, size, path, QMT_AS_STORED, &image, error);
        facts->width = image.width;
        facts->height = image.height;
        qmt_image_clear(&image);
    } else {
        status = qmt_image_decode_size(data, size, path, &facts->width, &facts->height, error);
    }
    qmt_free(data);
    return status;
}

static void check_file(void *state, int index, int worker)
{
    job *j = state;
    (void)worker;
    if (qmt_stop_requested())
        return;
    qmt_file_facts *facts = &j->facts[index];
    qmtcnn_error error;
    const char *path = j->dataset->pictures[index].path;
    qmtcnn_status status = look_into(path, j->decode, facts, &error);
    facts->readable = status == QMTCNN_OK;
    if (status == QMTCNN_OK)
        return;
    facts->message = status == QMTCNN_ERROR_IO && !qmt_file_exists(path)
                         ? qmt_format("missing picture '%s'; makes no samples", path)
                         : qmt_format("unreadable picture: %s; makes no samples", error.message);
    if (!facts->message || status == QMTCNN_ERROR_MEMORY)
        atomic_store(&j->out_of_memory, true);
}

qmtcnn_status qmt_check_files(const qmt_dataset *dataset, bool decode, int threads, qmt_file_facts *facts,
                              qmtcnn_error *error)
{
    if (dataset->picture_count > (size_t)1 << 30)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "%s: more than 2^30 pictures", dataset->annotation_path);
    job j = {.dataset = dataset, .facts = facts, .decode = decode};
    qmt_pool *pool = NULL;
    qmtcnn_status status = qmt_pool_create(threads, &pool, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_pool_run(pool, (int)dataset->picture_count, check_file, &j);
    qmt_pool_free(pool);
    if (qmt_stop_requested())
        return qmt_fail(error, QMTCNN_ERROR_INTERRUPTED, "stopped while pictures were checked");
    if (atomic_load(&j.out_of_memory))
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory while pictures were checked; use fewer threads");
    return QMTCNN_OK;
}

/* A picture, by name or by content. */
typedef struct key {
    const char *name; /* NULL: by content */
    uint64_t hash;
    size_t bytes, index;
} key;

static int compare_keys(const void *a, const void *b)
{
    const key *x = a, *y = b;
    int order = x->name ? strcmp(x->name, y->name) : (x->hash > y->hash) - (x->hash < y->hash);
    if (order == 0)
        order = (x->bytes > y->bytes) - (x->bytes < y->bytes);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static bool same_picture(const key *a, const key *b)
{
    return a->name ? strcmp(a->name, b->name) == 0 : a->hash == b->hash && a->bytes == b->bytes;
}

static qmtcnn_status report_duplicates(const qmt_dataset *dataset, key *keys, size_t count, bool by_name,
                                       qmt_problem_list *list, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    if (count > 0)
        qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 1, first = 0; i < count && status == QMTCNN_OK; i++) {
        if (!same_picture(&keys[i], &keys[first])) {
            first = i;
            continue;
        }
        const qmt_picture *picture = &dataset->pictures[keys[i].index],
                          *earlier = &dataset->pictures[keys[first].index];
        if (by_name)
            status = qmt_add_problem(list, picture->file, picture->line, error,
                                     "%s: duplicate: the picture is listed in line %d already; kept", picture->name,
                                     earlier->line);
        else if (strcmp(picture->path, earlier->path) != 0)
            status = qmt_add_problem(list, picture->file, picture->line, error,
                                     "%s: duplicate: the same content as '%s' (line %d); kept", picture->name,
                                     earlier->name, earlier->line);
    }
    return status;
}

qmtcnn_status qmt_check_duplicates(const qmt_dataset *dataset, const qmt_file_facts *facts, qmt_problem_list *list,
                                   qmtcnn_error *error)
{
    key *keys = qmt_alloc(dataset->picture_count, sizeof *keys);
    if (!keys)
        return qmt_fail_memory(error, dataset->picture_count * sizeof *keys, "the search for duplicates");
    for (size_t i = 0; i < dataset->picture_count; i++)
        keys[i] = (key){.name = dataset->pictures[i].name, .index = i};
    qmtcnn_status status = report_duplicates(dataset, keys, dataset->picture_count, true, list, error);
    size_t count = 0;
    for (size_t i = 0; i < dataset->picture_count; i++)
        if (facts[i].bytes > 0)
            keys[count++] = (key){.hash = facts[i].hash, .bytes = facts[i].bytes, .index = i};
    if (status == QMTCNN_OK)
        status = report_duplicates(dataset, keys, count, false, list, error);
    qmt_free(keys);
    return status;
}
