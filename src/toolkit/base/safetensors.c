#include "toolkit/base/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The format's own limits are wider; no file of ours comes near these. */
enum { max_header = 16 * 1024 * 1024, max_tensors = 65536 };

struct type_name {
    const char *name;
    size_t size;
};

static const struct type_name types[] = {
    [QMT_U8] = {"U8", 1},   [QMT_I8] = {"I8", 1},   [QMT_I32] = {"I32", 4}, [QMT_I64] = {"I64", 8},
    [QMT_U64] = {"U64", 8}, [QMT_F32] = {"F32", 4}, [QMT_F64] = {"F64", 8},
};
enum { type_count = sizeof types / sizeof types[0] };

struct qmt_tensors_writer {
    qmt_tensor *tensors;
    size_t count, capacity;
    json_t *metadata;
};

struct qmt_tensors_file {
    char *path;
    qmt_mapping mapping;
    json_t *header;
    qmt_tensor *tensors;
    size_t count;
};

size_t qmt_dtype_size(qmt_dtype type)
{
    return types[type].size;
}

static bool tensor_bytes(qmt_dtype type, int dims, const size_t *shape, size_t *bytes)
{
    *bytes = types[type].size;
    for (int i = 0; i < dims; i++)
        if (!qmt_size_multiply(*bytes, shape[i], bytes))
            return false;
    return true;
}

/* ---- Writing --------------------------------------------------------------------------------- */

qmtcnn_status qmt_tensors_writer_create(qmt_tensors_writer **result, qmtcnn_error *error)
{
    qmt_tensors_writer *writer = qmt_alloc_zero(1, sizeof *writer);
    *result = NULL;
    if (writer)
        writer->metadata = json_object();
    if (!writer || !writer->metadata) {
        qmt_free(writer);
        return qmt_fail_memory(error, sizeof *writer, "a safetensors writer");
    }
    *result = writer;
    return QMTCNN_OK;
}

void qmt_tensors_writer_free(qmt_tensors_writer *writer)
{
    if (!writer)
        return;
    for (size_t i = 0; i < writer->count; i++)
        qmt_free(writer->tensors[i].name);
    qmt_free(writer->tensors);
    json_decref(writer->metadata);
    qmt_free(writer);
}

qmtcnn_status qmt_tensors_add(qmt_tensors_writer *writer, const char *name, qmt_dtype type, int dims,
                              const size_t *shape, const void *data, qmtcnn_error *error)
{
    qmt_tensor tensor = {.type = type, .dims = dims, .data = data};
    if (dims < 0 || dims > qmt_max_dims || !tensor_bytes(type, dims, shape, &tensor.bytes))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "tensor '%s': its shape is too large", name);
    for (int i = 0; i < dims; i++)
        tensor.shape[i] = shape[i];
    qmtcnn_status status = qmt_grow((void **)&writer->tensors, &writer->capacity, writer->count, writer->count + 1,
                                    sizeof *writer->tensors, error);
    if (status != QMTCNN_OK)
        return status;
    tensor.name = qmt_copy_string(name);
    if (!tensor.name)
        return qmt_fail_memory(error, strlen(name) + 1, "a tensor's name");
    writer->tensors[writer->count++] = tensor;
    return QMTCNN_OK;
}

qmtcnn_status qmt_tensors_add_metadata(qmt_tensors_writer *writer, const char *key, const char *value,
                                       qmtcnn_error *error)
{
    if (json_object_set_new(writer->metadata, key, json_string(value)) != 0)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "metadata '%s': its value is not UTF-8", key);
    return QMTCNN_OK;
}

/* Wider types first (and in the order added within a type): the format allows no gaps, and this keeps every tensor
 * aligned. Insertion sort, because it is stable and lists are short or already in order. */
static void sort_by_width(qmt_tensors_writer *writer)
{
    for (size_t i = 1; i < writer->count; i++) {
        qmt_tensor tensor = writer->tensors[i];
        size_t to = i;
        for (; to > 0 && types[writer->tensors[to - 1].type].size < types[tensor.type].size; to--)
            writer->tensors[to] = writer->tensors[to - 1];
        writer->tensors[to] = tensor;
    }
}

/* The header's text, padded with spaces so that the data starts at a multiple of 64 bytes. jansson keeps the order of
 * insertion. */
static char *header_text(const qmt_tensors_writer *writer)
{
    size_t offset = 0;
    json_t *header = json_object();
    if (!header)
        return NULL;
    if (json_object_size(writer->metadata) > 0)
        json_object_set(header, "__metadata__", writer->metadata);
    for (size_t i = 0; i < writer->count; i++) {
        const qmt_tensor *tensor = &writer->tensors[i];
        json_t *shape = json_array();
        for (int d = 0; d < tensor->dims; d++)
            json_array_append_new(shape, json_integer((json_int_t)tensor->shape[d]));
        json_object_set_new(header, tensor->name,
                            json_pack("{s:s, s:o, s:[I, I]}", "dtype", types[tensor->type].name, "shape", shape,
                                      "data_offsets", (json_int_t)offset, (json_int_t)(offset + tensor->bytes)));
        offset += tensor->bytes;
    }
    bool complete = json_object_size(header) == writer->count + (json_object_size(writer->metadata) > 0);
    char *text = complete ? json_dumps(header, JSON_COMPACT) : NULL;
    char *padded = NULL;
    json_decref(header);
    if (text) {
        size_t length = strlen(text), whole = (8 + length + 63) / 64 * 64 - 8;
        padded = qmt_format("%s%*s", text, (int)(whole - length), "");
    }
    free(text);
    return padded;
}

qmtcnn_status qmt_tensors_write(qmt_tensors_writer *writer, const char *path, qmtcnn_error *error)
{
    qmt_writer *file = NULL;
    uint8_t prefix[8];
    sort_by_width(writer);
    char *header = header_text(writer);
    if (!header)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "'%s': can't make its header (two tensors of one name, or out of memory)", path);
    uint64_t length = strlen(header);
    for (int i = 0; i < 8; i++)
        prefix[i] = (uint8_t)(length >> (8 * i));
    qmtcnn_status status = qmt_writer_open(path, &file, error);
    if (status == QMTCNN_OK)
        status = qmt_writer_write(file, prefix, sizeof prefix, error);
    if (status == QMTCNN_OK)
        status = qmt_writer_write(file, header, (size_t)length, error);
    for (size_t i = 0; status == QMTCNN_OK && i < writer->count; i++)
        status = qmt_writer_write(file, writer->tensors[i].data, writer->tensors[i].bytes, error);
    if (status == QMTCNN_OK)
        status = qmt_writer_commit(file, error);
    else
        qmt_writer_abandon(file);
    qmt_free(header);
    return status;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static qmtcnn_status bad_tensor(const qmt_tensors_file *file, const char *name, const char *what, qmtcnn_error *error)
{
    return qmt_fail(error, QMTCNN_ERROR_FORMAT, "'%s': tensor '%s' %s: the file is damaged or no safetensors file",
                    file->path, name, what);
}

static bool read_size(const json_t *value, size_t *size)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *size = (size_t)json_integer_value(value);
    return true;
}

static qmtcnn_status read_tensor(const qmt_tensors_file *file, const char *name, const json_t *entry, size_t data_size,
                                 const uint8_t *data, qmt_tensor *tensor, qmtcnn_error *error)
{
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    const json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
    size_t begin, end, bytes;
    int found = -1;
    for (int i = 0; type && i < type_count; i++)
        if (strcmp(types[i].name, type) == 0)
            found = i;
    if (found < 0)
        return bad_tensor(file, name, "has a type that is not known here", error);
    tensor->type = (qmt_dtype)found;
    if (!json_is_array(shape) || json_array_size(shape) > qmt_max_dims)
        return bad_tensor(file, name, "has no shape, or too many dimensions", error);
    tensor->dims = (int)json_array_size(shape);
    for (int i = 0; i < tensor->dims; i++)
        if (!read_size(json_array_get(shape, (size_t)i), &tensor->shape[i]))
            return bad_tensor(file, name, "has a bad shape", error);
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 || !read_size(json_array_get(offsets, 0), &begin) ||
        !read_size(json_array_get(offsets, 1), &end) || begin > end || end > data_size)
        return bad_tensor(file, name, "lies outside the file", error);
    if (!tensor_bytes(tensor->type, tensor->dims, tensor->shape, &bytes) || bytes != end - begin)
        return bad_tensor(file, name, "has a size that doesn't fit its shape", error);
    if (begin % types[found].size != 0)
        return bad_tensor(file, name, "is not aligned", error);
    tensor->bytes = bytes;
    tensor->data = data + begin;
    tensor->name = qmt_copy_string(name);
    return tensor->name ? QMTCNN_OK : qmt_fail_memory(error, strlen(name) + 1, "a tensor's name");
}

static qmtcnn_status check_overlaps(const qmt_tensors_file *file, qmtcnn_error *error)
{
    size_t total = 0;
    for (size_t i = 0; i < file->count; i++) {
        const uint8_t *end = (const uint8_t *)file->tensors[i].data + file->tensors[i].bytes;
        total += file->tensors[i].bytes;
        if (i + 1 < file->count && file->tensors[i].bytes && file->tensors[i + 1].bytes &&
            (const uint8_t *)file->tensors[i + 1].data < end)
            return bad_tensor(file, file->tensors[i + 1].name, "overlaps the one before it", error);
    }
    return total <= file->mapping.size ? QMTCNN_OK : bad_tensor(file, file->tensors[0].name, "overlaps others", error);
}

static int compare_offsets(const void *a, const void *b)
{
    const qmt_tensor *x = a, *y = b;
    const uint8_t *p = x->data, *q = y->data;
    if (p != q)
        return p < q ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static qmtcnn_status read_header(qmt_tensors_file *file, qmtcnn_error *error)
{
    const qmt_mapping *map = &file->mapping;
    uint64_t length = 0;
    json_error_t problem;
    const char *name;
    json_t *entry;
    if (map->size < 8)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "'%s' is too short for a safetensors file", file->path);
    for (int i = 0; i < 8; i++)
        length |= (uint64_t)map->data[i] << (8 * i);
    if (length > max_header || length > map->size - 8)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                        "'%s': its header claims %llu bytes: damaged or no safetensors file", file->path,
                        (unsigned long long)length);
    file->header = json_loadb((const char *)map->data + 8, (size_t)length, JSON_REJECT_DUPLICATES, &problem);
    if (!json_is_object(file->header))
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "'%s': its header is not JSON (%s): damaged or no safetensors file",
                        file->path, file->header ? "no object" : problem.text);
    size_t entries = json_object_size(file->header), data_size = map->size - 8 - (size_t)length;
    if (entries > max_tensors)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "'%s' claims %zu tensors; at most %d are read", file->path, entries,
                        max_tensors);
    file->tensors = qmt_alloc_zero(entries + 1, sizeof *file->tensors);
    if (!file->tensors)
        return qmt_fail_memory(error, entries * sizeof *file->tensors, "a list of tensors");
    json_object_foreach(file->header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        qmtcnn_status status =
            read_tensor(file, name, entry, data_size, map->data + 8 + length, &file->tensors[file->count], error);
        if (status != QMTCNN_OK)
            return status;
        file->count++;
    }
    qsort(file->tensors, file->count, sizeof *file->tensors, compare_offsets);
    return check_overlaps(file, error);
}

qmtcnn_status qmt_tensors_open(const char *path, qmt_tensors_file **result, qmtcnn_error *error)
{
    *result = NULL;
    qmt_tensors_file *file = qmt_alloc_zero(1, sizeof *file);
    if (!file || !(file->path = qmt_copy_string(path))) {
        qmt_free(file);
        return qmt_fail_memory(error, sizeof *file, "a safetensors file");
    }
    qmtcnn_status status = qmt_file_map(path, &file->mapping, error);
    if (status == QMTCNN_OK)
        status = read_header(file, error);
    if (status != QMTCNN_OK) {
        qmt_tensors_close(file);
        return status;
    }
    *result = file;
    return QMTCNN_OK;
}

void qmt_tensors_close(qmt_tensors_file *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->count; i++)
        qmt_free(file->tensors[i].name);
    qmt_free(file->tensors);
    json_decref(file->header);
    qmt_file_unmap(&file->mapping);
    qmt_free(file->path);
    qmt_free(file);
}

size_t qmt_tensors_offset(const qmt_tensors_file *file, const void *data)
{
    return (size_t)((const uint8_t *)data - file->mapping.data);
}

size_t qmt_tensors_count(const qmt_tensors_file *file)
{
    return file->count;
}

const qmt_tensor *qmt_tensors_at(const qmt_tensors_file *file, size_t index)
{
    return &file->tensors[index];
}

const qmt_tensor *qmt_tensors_find(const qmt_tensors_file *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

qmtcnn_status qmt_tensors_get(const qmt_tensors_file *file, const char *name, qmt_dtype type, int dims,
                              const size_t *shape, const void **data, qmtcnn_error *error)
{
    const qmt_tensor *tensor = qmt_tensors_find(file, name);
    *data = NULL;
    if (!tensor)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "'%s' has no tensor '%s': is it the right file?", file->path, name);
    bool same = tensor->type == type && tensor->dims == dims;
    for (int i = 0; same && i < dims; i++)
        same = tensor->shape[i] == shape[i];
    if (!same)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                        "'%s': tensor '%s' is %s with %d dimensions (first %zu), expected %s with %d (first %zu)",
                        file->path, name, types[tensor->type].name, tensor->dims, tensor->dims ? tensor->shape[0] : 0,
                        types[type].name, dims, dims ? shape[0] : 0);
    *data = tensor->data;
    return QMTCNN_OK;
}

const char *qmt_tensors_metadata(const qmt_tensors_file *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, "__metadata__"), key));
}
