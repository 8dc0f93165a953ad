#include "toolkit/data/store_manifest.h"
#include "toolkit/base/file.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

static const char format_name[] = "qmtcnn samples";
enum { manifest_limit = 64 * 1024 * 1024 };

const char *qmt_class_name(qmt_sample_class sample_class)
{
    switch (sample_class) {
    case QMT_NEGATIVE: return "negative";
    case QMT_POSITIVE: return "positive";
    case QMT_PART: return "part";
    case QMT_LANDMARK: return "landmark";
    }
    return "unknown";
}

void qmt_shard_name(size_t index, char name[32])
{
    snprintf(name, 32, "shard-%05u.safetensors", (unsigned)index);
}

qmtcnn_status qmt_shard_measure(const char *path, qmt_shard_info *info, qmtcnn_error *error)
{
    qmt_mapping mapping;
    qmtcnn_status status = qmt_file_map(path, &mapping, error);
    if (status != QMTCNN_OK)
        return status;
    uint64_t header = 0;
    for (int i = 7; mapping.size >= 8 && i >= 0; i--)
        header = header << 8 | mapping.data[i];
    if (mapping.size < 8 || header > mapping.size - 8) {
        qmt_file_unmap(&mapping);
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: no safetensors file", path);
    }
    info->bytes = mapping.size;
    info->header_hash = qmt_hash(mapping.data, (size_t)header + 8);
    info->hash = qmt_hash(mapping.data, mapping.size);
    qmt_file_unmap(&mapping);
    return QMTCNN_OK;
}

/* ---- Reading ---- */

static bool read_count(const json_t *object, const char *name, uint64_t *value)
{
    const json_t *number = json_object_get(object, name);
    if (!json_is_integer(number) || json_integer_value(number) < 0)
        return false;
    *value = (uint64_t)json_integer_value(number);
    return true;
}

static bool read_net(const json_t *root, qmt_manifest *manifest)
{
    const char *name = json_string_value(json_object_get(root, "net"));
    for (int net = 0; name && net < qmt_net_count; net++) {
        if (strcmp(name, qmt_net_name((qmt_net_id)net)) == 0) {
            uint64_t side;
            manifest->net = (qmt_net_id)net;
            manifest->side = qmt_net_side(manifest->net);
            return read_count(root, "side", &side) && side == (uint64_t)manifest->side;
        }
    }
    return false;
}

static bool read_counts(const json_t *root, qmt_manifest *manifest)
{
    const json_t *counts = json_object_get(root, "counts");
    for (int i = 0; i < qmt_class_count; i++) {
        if (!read_count(counts, qmt_class_name((qmt_sample_class)i), &manifest->counts[i]))
            return false;
    }
    return true;
}

static bool read_shard(const json_t *entry, size_t index, qmt_shard_info *shard)
{
    char expected[32];
    qmt_shard_name(index, expected);
    const char *name = json_string_value(json_object_get(entry, "file"));
    return name && strcmp(name, expected) == 0 && read_count(entry, "samples", &shard->samples) &&
           read_count(entry, "bytes", &shard->bytes) &&
           qmt_hash_parse(json_string_value(json_object_get(entry, "xxh3")), &shard->hash) &&
           qmt_hash_parse(json_string_value(json_object_get(entry, "header_xxh3")), &shard->header_hash);
}

static qmtcnn_status read_shards(const json_t *root, const char *path, qmt_manifest *manifest, qmtcnn_error *error)
{
    const json_t *list = json_object_get(root, "shards");
    if (!json_is_array(list) || json_array_size(list) > qmt_max_shards)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: \"shards\" is no list of at most %d shards", path,
                        qmt_max_shards);
    manifest->shard_count = json_array_size(list);
    manifest->shards = qmt_alloc_zero(manifest->shard_count, sizeof *manifest->shards);
    if (!manifest->shards)
        return qmt_fail_memory(error, manifest->shard_count * sizeof *manifest->shards, "the list of shards");
    for (size_t i = 0; i < manifest->shard_count; i++) {
        if (!read_shard(json_array_get(list, i), i, &manifest->shards[i]))
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: entry %zu of \"shards\" is damaged", path, i);
    }
    return QMTCNN_OK;
}

static qmtcnn_status read_root(const json_t *root, const char *path, qmt_manifest *manifest, qmtcnn_error *error)
{
    const char *format = json_string_value(json_object_get(root, "format"));
    const char *key = json_string_value(json_object_get(root, "key"));
    uint64_t version;
    if (!format || strcmp(format, format_name) != 0 || !read_count(root, "version", &version))
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: not the manifest of a sample store", path);
    if (version != qmt_store_version)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED,
                        "%s: version %" PRIu64 ", this program reads %d: run prepare again", path, version,
                        qmt_store_version);
    if (!read_net(root, manifest))
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: \"net\" and \"side\" are not those of pnet, rnet or onet",
                        path);
    if (!key || strlen(key) != qmt_key_size - 1)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: \"key\" is missing or damaged", path);
    memcpy(manifest->key, key, qmt_key_size);
    if (!read_counts(root, manifest))
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: \"counts\" is missing or damaged", path);
    return read_shards(root, path, manifest, error);
}

qmtcnn_status qmt_manifest_read(const char *folder, qmt_manifest *manifest, char **text, qmtcnn_error *error)
{
    json_t *root = NULL;
    void *data = NULL;
    size_t size = 0;
    json_error_t fault;
    memset(manifest, 0, sizeof *manifest);
    *text = NULL;
    qmtcnn_status status;
    char *path = qmt_path_join(folder, "manifest.json");
    if (!path)
        return qmt_fail_memory(error, strlen(folder), "a path");
    if (!qmt_file_exists(path)) {
        status = qmt_fail(error, QMTCNN_ERROR_IO, "%s: no such file: make the samples with `qmtcnn prepare --out %s`",
                          path, folder);
        goto done;
    }
    status = qmt_file_read(path, manifest_limit, &data, &size, error);
    if (status != QMTCNN_OK)
        goto done;
    root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &fault);
    if (!root) {
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s, line %d: %s", path, fault.line, fault.text);
        goto done;
    }
    status = read_root(root, path, manifest, error);
done:
    json_decref(root);
    if (status == QMTCNN_OK) {
        *text = data;
    } else {
        qmt_manifest_clear(manifest);
        qmt_free(data);
    }
    qmt_free(path);
    return status;
}

void qmt_manifest_clear(qmt_manifest *manifest)
{
    qmt_free(manifest->shards);
    memset(manifest, 0, sizeof *manifest);
}

/* ---- Writing. jansson's *_new functions take references and let NULL through as a failure. ---- */

static json_t *hex(uint64_t value)
{
    return json_sprintf("%016" PRIx64, value);
}

static json_t *counts_json(const uint64_t counts[qmt_class_count])
{
    json_t *object = json_object();
    for (int i = 0; i < qmt_class_count; i++)
        json_object_set_new(object, qmt_class_name((qmt_sample_class)i), json_integer((json_int_t)counts[i]));
    return object;
}

static json_t *histogram_json(const uint64_t histogram[qmt_class_count][qmt_iou_bins])
{
    json_t *object = json_object();
    for (int i = 0; i < qmt_class_count; i++) {
        json_t *bins = json_array();
        for (int bin = 0; bin < qmt_iou_bins; bin++)
            json_array_append_new(bins, json_integer((json_int_t)histogram[i][bin]));
        json_object_set_new(object, qmt_class_name((qmt_sample_class)i), bins);
    }
    return object;
}

static json_t *shards_json(const qmt_manifest *manifest)
{
    json_t *list = json_array();
    for (size_t i = 0; i < manifest->shard_count; i++) {
        const qmt_shard_info *shard = &manifest->shards[i];
        char name[32];
        qmt_shard_name(i, name);
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:o, s:o}", "file", name, "samples",
                                              (json_int_t)shard->samples, "bytes", (json_int_t)shard->bytes, "xxh3",
                                              hex(shard->hash), "header_xxh3", hex(shard->header_hash)));
    }
    return list;
}

static json_t *mining_json(const qmt_manifest_facts *facts)
{
    if (!facts->mined_with)
        return json_null();
    json_t *models = json_object();
    for (int net = 0; net < facts->models; net++) {
        char name[16];
        snprintf(name, sizeof name, "%s.onnx", qmt_net_name((qmt_net_id)net));
        json_object_set_new(models, name, hex(facts->model_hashes[net]));
    }
    double recall = facts->recall.faces ? (double)facts->recall.found / (double)facts->recall.faces : 0;
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:f, s:f}", "network", facts->mined_with, "precision",
                     facts->mine_precision, "models", models, "faces", (json_int_t)facts->recall.faces, "faces_found",
                     (json_int_t)facts->recall.found, "recall", recall, "recall_target", (double)facts->recall_target);
}

static json_t *unreadable_json(const qmt_manifest_facts *facts)
{
    json_t *list = json_array();
    for (size_t i = 0; i < facts->unreadable_count; i++) {
        json_t *name = json_string(facts->unreadable[i]);
        json_array_append_new(list, name ? name : json_string("(a name that is not UTF-8)"));
    }
    return list;
}

qmtcnn_status qmt_manifest_write(const char *folder, const qmt_manifest *manifest, const qmt_manifest_facts *facts,
                                 qmtcnn_error *error)
{
    char *path = qmt_path_join(folder, "manifest.json");
    char *text = NULL;
    /* s* would leave out a data set whose name is not UTF-8. */
    json_t *name = json_string(facts->data_set);
    json_t *root =
        json_pack("{s:s, s:i, s:s, s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:{s:o, s:s, s:o, s:I, s:I, s:o}, s:o}",
                  "format", format_name, "version", (int)qmt_store_version, "net", qmt_net_name(manifest->net), "side",
                  manifest->side, "key", manifest->key, "counts", counts_json(manifest->counts), "made",
                  counts_json(facts->made), "iou_histogram", histogram_json(facts->iou_histogram), "shards",
                  shards_json(manifest), "seed", json_sprintf("%" PRIu64, facts->seed), "config", facts->config, "data",
                  "name", name ? name : json_string("(a name that is not UTF-8)"), "split", facts->split,
                  "annotations_xxh3", hex(facts->annotations_hash), "pictures", (json_int_t)facts->pictures, "faces",
                  (json_int_t)facts->faces, "unreadable", unreadable_json(facts), "mining", mining_json(facts));
    qmtcnn_status status;
    if (root)
        text = json_dumps(root, JSON_SORT_KEYS | JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    if (!path || !text) {
        status = qmt_fail_memory(error, 0, "the manifest");
        goto done;
    }
    size_t length = strlen(text);
    text[length] = '\n'; /* in place of the zero */
    status = qmt_file_write(path, text, length + 1, error);
done:
    free(text);
    json_decref(root);
    qmt_free(path);
    return status;
}
