#include "toolkit/data/store.h"
#include "toolkit/base/file.h"
#include "toolkit/data/store_manifest.h"
#include "toolkit/data/store_rows.h"

#include <inttypes.h>
#include <string.h>

/* Where a sample lies. */
typedef struct place {
    uint32_t shard, row;
} place;

struct qmt_store {
    char *folder;
    char *text;
    qmt_manifest manifest;
    qmt_sample_rows *shards;
    qmt_reader **readers;
    place *places[qmt_class_count]; /* in the order of shards and rows */
    size_t counts[qmt_class_count];
};

static char *shard_path(const qmt_store *store, size_t index)
{
    char name[32];
    qmt_shard_name(index, name);
    return qmt_path_join(store->folder, name);
}

/* Does the header hash to what the manifest says? Labels and pixels are not read for this. */
static qmtcnn_status check_header(const char *path, const qmt_shard_info *expected, qmtcnn_error *error)
{
    qmt_mapping mapping;
    qmtcnn_status status = qmt_file_map(path, &mapping, error);
    if (status != QMTCNN_OK)
        return status;
    uint64_t header = 0;
    bool right = mapping.size == expected->bytes && mapping.size >= 8;
    for (int i = 7; right && i >= 0; i--)
        header = header << 8 | mapping.data[i];
    right = right && header <= mapping.size - 8 && qmt_hash(mapping.data, (size_t)header + 8) == expected->header_hash;
    if (!right)
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT,
                          "%s: not the file that manifest.json describes (%zu bytes, should be %" PRIu64
                          "): run prepare again",
                          path, mapping.size, expected->bytes);
    qmt_file_unmap(&mapping);
    return status;
}

static qmtcnn_status open_shard(qmt_store *store, size_t index, qmtcnn_error *error)
{
    const qmt_shard_info *expected = &store->manifest.shards[index];
    qmt_sample_rows *rows = &store->shards[index];
    char *path = shard_path(store, index);
    if (!path)
        return qmt_fail_memory(error, 0, "a path");
    qmtcnn_status status = check_header(path, expected, error);
    if (status == QMTCNN_OK)
        status = qmt_sample_rows_open(path, store->manifest.side, rows, error);
    if (status == QMTCNN_OK && (rows->count != expected->samples || rows->count > UINT32_MAX))
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: %zu samples, the manifest says %" PRIu64, path, rows->count,
                          expected->samples);
    if (status == QMTCNN_OK)
        status = qmt_reader_open(path, &store->readers[index], error);
    qmt_free(path);
    return status;
}

static qmtcnn_status open_shards(qmt_store *store, qmtcnn_error *error)
{
    size_t count = store->manifest.shard_count;
    store->shards = qmt_alloc_zero(count, sizeof *store->shards);
    store->readers = qmt_alloc_zero(count, sizeof *store->readers);
    if (!store->shards || !store->readers)
        return qmt_fail_memory(error, count * sizeof *store->shards, "the list of shards");
    for (size_t i = 0; i < count; i++) {
        qmtcnn_status status = open_shard(store, i, error);
        if (status != QMTCNN_OK)
            return status;
        for (int k = 0; k < qmt_class_count; k++)
            store->counts[k] += store->shards[i].class_counts[k];
    }
    for (int k = 0; k < qmt_class_count; k++) {
        if (store->counts[k] != store->manifest.counts[k])
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: %zu samples of class %s, the manifest says %" PRIu64,
                            store->folder, store->counts[k], qmt_class_name((qmt_sample_class)k),
                            store->manifest.counts[k]);
    }
    return QMTCNN_OK;
}

/* Lists the samples of each class. */
static qmtcnn_status find_places(qmt_store *store, qmtcnn_error *error)
{
    size_t next[qmt_class_count] = {0};
    for (int k = 0; k < qmt_class_count; k++) {
        store->places[k] = qmt_alloc(store->counts[k], sizeof *store->places[k]);
        if (!store->places[k])
            return qmt_fail_memory(error, store->counts[k] * sizeof *store->places[k], "the list of samples");
    }
    for (size_t i = 0; i < store->manifest.shard_count; i++) {
        const qmt_sample_rows *rows = &store->shards[i];
        for (size_t row = 0; row < rows->count; row++) {
            int k = rows->classes[row];
            /* The file was checked, but it is mapped: another program may be changing it at this moment. */
            if (k >= qmt_class_count || next[k] >= store->counts[k])
                return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: a shard changes while it is read", store->folder);
            store->places[k][next[k]++] = (place){(uint32_t)i, (uint32_t)row};
        }
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_store_open(const char *folder, qmt_store **result, qmtcnn_error *error)
{
    *result = NULL;
    qmt_store *store = qmt_alloc_zero(1, sizeof *store);
    if (!store)
        return qmt_fail_memory(error, sizeof *store, "a sample store");
    store->folder = qmt_copy_string(folder);
    qmtcnn_status status = store->folder ? QMTCNN_OK : qmt_fail_memory(error, strlen(folder), "a path");
    if (status == QMTCNN_OK)
        status = qmt_manifest_read(folder, &store->manifest, &store->text, error);
    if (status == QMTCNN_OK)
        status = open_shards(store, error);
    if (status == QMTCNN_OK)
        status = find_places(store, error);
    if (status != QMTCNN_OK) {
        qmt_store_close(store);
        return status;
    }
    *result = store;
    return QMTCNN_OK;
}

void qmt_store_close(qmt_store *store)
{
    if (!store)
        return;
    for (int k = 0; k < qmt_class_count; k++)
        qmt_free(store->places[k]);
    for (size_t i = 0; store->shards && i < store->manifest.shard_count; i++)
        qmt_sample_rows_close(&store->shards[i]);
    for (size_t i = 0; store->readers && i < store->manifest.shard_count; i++)
        qmt_reader_close(store->readers[i]);
    qmt_free(store->readers);
    qmt_free(store->shards);
    qmt_manifest_clear(&store->manifest);
    qmt_free(store->text);
    qmt_free(store->folder);
    qmt_free(store);
}

qmt_net_id qmt_store_net(const qmt_store *store)
{
    return store->manifest.net;
}

int qmt_store_side(const qmt_store *store)
{
    return store->manifest.side;
}

size_t qmt_store_count(const qmt_store *store, qmt_sample_class sample_class)
{
    return store->counts[sample_class];
}

void qmt_store_get(const qmt_store *store, qmt_sample_class sample_class, size_t index, qmt_sample *sample)
{
    place where = store->places[sample_class][index];
    qmt_sample_rows_get(&store->shards[where.shard], where.row, sample);
    sample->sample_class = sample_class;
}

qmtcnn_status qmt_store_read(const qmt_store *store, qmt_sample_class sample_class, size_t index, uint8_t *pixels,
                             qmt_sample *sample, qmtcnn_error *error)
{
    place where = store->places[sample_class][index];
    size_t size = 3 * (size_t)store->manifest.side * (size_t)store->manifest.side;
    qmt_store_get(store, sample_class, index, sample);
    size_t offset = qmt_tensors_offset(store->shards[where.shard].file, sample->pixels);
    sample->pixels = pixels;
    return qmt_reader_read(store->readers[where.shard], offset, pixels, size, error);
}

uint64_t qmt_store_hash(const qmt_store *store)
{
    uint64_t hash = qmt_hash(NULL, 0);
    for (size_t i = 0; i < store->manifest.shard_count; i++) {
        char text[40]; /* as text, so that the order of bytes in memory does not matter */
        int length = snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, hash, store->manifest.shards[i].hash);
        hash = qmt_hash(text, (size_t)length);
    }
    return hash;
}

const char *qmt_store_manifest(const qmt_store *store)
{
    return store->text;
}

qmtcnn_status qmt_store_verify(const qmt_store *store, qmtcnn_error *error)
{
    for (size_t i = 0; i < store->manifest.shard_count; i++) {
        char *path = shard_path(store, i);
        uint64_t hash = 0;
        qmtcnn_status status =
            path ? qmt_file_hash(path, &hash, error) : qmt_fail_memory(error, strlen(store->folder), "a path");
        if (status == QMTCNN_OK && hash != store->manifest.shards[i].hash)
            status = qmt_fail(error, QMTCNN_ERROR_FORMAT,
                              "%s: damaged: its hash is not the manifest's: run prepare again", path);
        qmt_free(path);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}
