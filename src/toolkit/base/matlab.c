/* The format: The MathWorks, "MAT-File Format", level 5: a header of 128 bytes, then data elements, each a tag (type
 * and length) and its data. */
#include "toolkit/base/matlab.h"

#include "toolkit/base/file.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { header_size = 128, version_at = 124, order_at = 126, tag_size = 8, padding = 8 };

/* Data types of elements, and classes of arrays. */
enum {
    type_int8 = 1,
    type_uint8,
    type_int16,
    type_uint16,
    type_int32,
    type_uint32,
    type_single,
    type_double = 9,
    type_int64 = 12,
    type_uint64,
    type_matrix,
    type_compressed,
    type_utf8,
    type_utf16
};
enum { class_cell = 1, class_char = 4, class_double = 6, class_uint64 = 15, class_mask = 0xff, flag_complex = 0x0800 };

struct variable {
    char name[64]; /* MATLAB's names have at most 63 letters */
    size_t array;
};

struct qmt_matlab {
    uint8_t *data; /* the file */
    uint8_t *inflated[qmt_matlab_max_variables];
    size_t inflated_count, inflated_bytes;
    qmt_matlab_array *arrays; /* the entries of a cell lie side by side */
    size_t array_count, array_capacity;
    struct variable variables[qmt_matlab_max_variables];
    size_t variable_count;
};

/* Bytes that are read from front to back. */
struct span {
    const uint8_t *at;
    size_t left;
    bool swap; /* the file has the other byte order than this processor reads below: big-endian */
};

struct element {
    uint32_t type;
    const uint8_t *bytes;
    size_t size;
};

/* ---- Elements ----------------------------------------------------------------------------------- */

static uint64_t read_bits(const uint8_t *bytes, size_t size, bool swap)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++)
        bits |= (uint64_t)bytes[swap ? size - 1 - i : i] << 8 * i;
    return bits;
}

/* Takes the next element and its padding; false where the span is too short for what its tag says. */
static bool next_element(struct span *span, struct element *element)
{
    if (span->left < tag_size)
        return false;
    uint32_t first = (uint32_t)read_bits(span->at, 4, span->swap);
    if (first >> 16) { /* small: type and length in one word, up to four bytes of data in the other */
        *element = (struct element){first & 0xffff, span->at + 4, first >> 16};
        if (element->size > 4)
            return false;
        span->at += tag_size;
        span->left -= tag_size;
        return true;
    }
    *element = (struct element){first, span->at + tag_size, (size_t)read_bits(span->at + 4, 4, span->swap)};
    if (element->size > span->left - tag_size)
        return false;
    size_t taken = element->size;
    if (element->type != type_compressed)
        taken += (padding - taken % padding) % padding;
    if (taken > span->left - tag_size)
        taken = span->left - tag_size; /* the last padding of a file may be missing */
    span->at += tag_size + taken;
    span->left -= tag_size + taken;
    return true;
}

/* Bytes of a value; 0: a type that holds no numbers. */
static size_t value_size(uint32_t type)
{
    switch (type) {
    case type_int8:
    case type_uint8:
    case type_utf8: return 1;
    case type_int16:
    case type_uint16:
    case type_utf16: return 2;
    case type_int32:
    case type_uint32:
    case type_single: return 4;
    case type_double:
    case type_int64:
    case type_uint64: return 8;
    default: return 0;
    }
}

/* ---- Arrays ------------------------------------------------------------------------------------- */

static qmtcnn_status damaged(const char *what, qmtcnn_error *error)
{
    return qmt_fail(error, QMTCNN_ERROR_FORMAT, "damaged: %s", what);
}

/* Room for `count` arrays side by side; *first is the number of the first. */
static qmtcnn_status take_arrays(qmt_matlab *matlab, size_t count, size_t *first, qmtcnn_error *error)
{
    size_t needed;
    if (!qmt_size_add(matlab->array_count, count, &needed) || needed > qmt_matlab_max_arrays)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "more than %d arrays and cells", (int)qmt_matlab_max_arrays);
    qmtcnn_status status = qmt_grow((void **)&matlab->arrays, &matlab->array_capacity, matlab->array_count, needed,
                                    sizeof *matlab->arrays, error);
    if (status != QMTCNN_OK)
        return status;
    if (count)
        memset(matlab->arrays + matlab->array_count, 0, count * sizeof *matlab->arrays);
    *first = matlab->array_count;
    matlab->array_count = needed;
    return QMTCNN_OK;
}

/* Dimensions, as rows and columns. */
static bool read_sizes(const struct element *element, bool swap, qmt_matlab_array *array)
{
    size_t rank = element->size / 4;
    if (element->type != type_int32 || element->size % 4 != 0 || rank < 1 || rank > qmt_matlab_max_rank)
        return false;
    array->columns = 1;
    for (size_t i = 0; i < rank; i++) {
        uint32_t size = (uint32_t)read_bits(element->bytes + 4 * i, 4, swap);
        if (size > INT32_MAX)
            return false;
        if (i == 0)
            array->rows = size;
        else if (!qmt_size_multiply(array->columns, size, &array->columns))
            return false;
    }
    return qmt_size_multiply(array->rows, array->columns, &array->count);
}

static qmtcnn_status read_array(qmt_matlab *matlab, const struct element *matrix, bool swap, size_t number, int depth,
                                char *name, size_t name_size, qmtcnn_error *error);

static qmtcnn_status read_cells(qmt_matlab *matlab, struct span *span, size_t number, int depth, qmtcnn_error *error)
{
    size_t count = matlab->arrays[number].count, first = 0;
    struct element element;
    if (depth >= qmt_matlab_max_depth)
        return damaged("cells nested too deeply", error);
    /* An entry takes a tag at least, so that arrays cost no more than their bytes in the file do. */
    if (count > span->left / tag_size)
        return damaged("a cell array claims more entries than the file has bytes for", error);
    qmtcnn_status status = take_arrays(matlab, count, &first, error);
    for (size_t i = 0; status == QMTCNN_OK && i < count; i++) {
        if (!next_element(span, &element) || element.type != type_matrix)
            return damaged("an entry of a cell array is cut short or no array", error);
        status = read_array(matlab, &element, span->swap, first + i, depth + 1, NULL, 0, error);
    }
    if (status == QMTCNN_OK)
        matlab->arrays[number].cells = first - number;
    return status;
}

static qmtcnn_status read_values(struct span *span, uint32_t array_class, qmt_matlab_array *array, qmtcnn_error *error)
{
    struct element element;
    if (!next_element(span, &element) || value_size(element.type) == 0)
        return damaged("the values of an array are cut short or no numbers", error);
    array->kind = array_class == class_char ? QMT_MATLAB_TEXT : QMT_MATLAB_NUMBERS;
    array->type = element.type;
    array->bytes = element.bytes;
    array->size = element.size;
    /* In UTF-8 a text that is not ASCII takes more bytes than letters. */
    size_t held = element.size / value_size(element.type);
    if (element.size % value_size(element.type) != 0 ||
        (array->kind == QMT_MATLAB_TEXT ? held < array->count : held != array->count))
        return damaged("an array claims another number of values than it holds", error);
    return QMTCNN_OK;
}

/* The contents of a matrix element, into arrays[number]. name: NULL for a cell's entry. */
static qmtcnn_status read_array(qmt_matlab *matlab, const struct element *matrix, bool swap, size_t number, int depth,
                                char *name, size_t name_size, qmtcnn_error *error)
{
    struct span span = {matrix->bytes, matrix->size, swap};
    struct element flags, sizes, letters;
    qmt_matlab_array array = {.swap = swap};
    if (matrix->size == 0) { /* [] in a cell */
        array.kind = QMT_MATLAB_NUMBERS;
        matlab->arrays[number] = array;
        return QMTCNN_OK;
    }
    if (!next_element(&span, &flags) || flags.type != type_uint32 || flags.size != 8)
        return damaged("an array has no flags", error);
    uint32_t word = (uint32_t)read_bits(flags.bytes, 4, swap), array_class = word & class_mask;
    bool known = array_class == class_cell || array_class == class_char ||
                 (array_class >= class_double && array_class <= class_uint64);
    bool sound = next_element(&span, &sizes) && read_sizes(&sizes, swap, &array) && next_element(&span, &letters) &&
                 value_size(letters.type) == 1;
    if (!known || (word & flag_complex)) { /* other classes may lie differently: they have no content here */
        matlab->arrays[number] = (qmt_matlab_array){0};
        known = false;
    } else if (!sound) {
        return damaged("the sizes or the name of an array are cut short or impossible", error);
    }
    if (name && sound && letters.size < name_size) {
        memcpy(name, letters.bytes, letters.size);
        name[letters.size] = 0;
    }
    if (!known)
        return QMTCNN_OK;
    array.kind = QMT_MATLAB_CELL;
    matlab->arrays[number] = array;
    if (array_class == class_cell)
        return read_cells(matlab, &span, number, depth, error);
    return read_values(&span, array_class, &matlab->arrays[number], error);
}

/* ---- Files -------------------------------------------------------------------------------------- */

/* A compressed element's matrix: *inner points into memory that the file owns from now on. */
static qmtcnn_status inflate_element(qmt_matlab *matlab, const struct element *packed, bool swap, struct element *inner,
                                     qmtcnn_error *error)
{
    enum { most_ratio = 1040 }; /* deflate makes at most 1032 bytes of one */
    uint8_t tag[tag_size], *data;
    z_stream stream = {.next_in = (uint8_t *)(uintptr_t)packed->bytes,
                       .avail_in = (uInt)packed->size,
                       .next_out = tag,
                       .avail_out = sizeof tag};
    qmtcnn_status status = QMTCNN_OK;
    if (inflateInit(&stream) != Z_OK)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: zlib can't start");
    int result = inflate(&stream, Z_SYNC_FLUSH);
    *inner = (struct element){.type = (uint32_t)read_bits(tag, 4, swap), .size = (size_t)read_bits(tag + 4, 4, swap)};
    if ((result != Z_OK && result != Z_STREAM_END) || stream.avail_out != 0 || inner->type != type_matrix) {
        status = damaged("a compressed variable is no array", error);
        goto done;
    }
    if (inner->size > packed->size * most_ratio ||
        inner->size > (size_t)qmt_matlab_max_inflated - matlab->inflated_bytes) {
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT,
                          "a variable claims %zu bytes and has %zu compressed ones; at most %d inflated are read",
                          inner->size, packed->size, (int)qmt_matlab_max_inflated);
        goto done;
    }
    data = qmt_alloc(inner->size, 1);
    if (!data) {
        status = qmt_fail_memory(error, inner->size, "a compressed variable");
        goto done;
    }
    matlab->inflated[matlab->inflated_count++] = data;
    matlab->inflated_bytes += inner->size;
    inner->bytes = data;
    stream.next_out = data;
    stream.avail_out = (uInt)inner->size;
    if (inner->size > 0)
        result = inflate(&stream, Z_SYNC_FLUSH);
    bool filled = (result == Z_OK || result == Z_STREAM_END) && stream.avail_out == 0;
    if (filled && result == Z_OK) { /* the checksum stands behind the last byte */
        stream.next_out = tag;
        stream.avail_out = 1;
        result = inflate(&stream, Z_SYNC_FLUSH);
        filled = stream.avail_out == 1;
    }
    if (!filled || result != Z_STREAM_END)
        status = damaged("a compressed variable can't be inflated to the size that it claims", error);
done:
    inflateEnd(&stream);
    return status;
}

static qmtcnn_status read_variable(qmt_matlab *matlab, const struct element *element, bool swap, qmtcnn_error *error)
{
    struct element matrix = *element;
    size_t number = 0;
    qmtcnn_status status = QMTCNN_OK;
    if (matlab->variable_count == qmt_matlab_max_variables)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "more than %d variables", (int)qmt_matlab_max_variables);
    if (element->type == type_compressed)
        status = inflate_element(matlab, element, swap, &matrix, error);
    else if (element->type != type_matrix)
        return QMTCNN_OK; /* nothing that the format knows at this place, nor anything of use */
    if (status == QMTCNN_OK)
        status = take_arrays(matlab, 1, &number, error);
    if (status != QMTCNN_OK)
        return status;
    struct variable *variable = &matlab->variables[matlab->variable_count];
    variable->array = number;
    status = read_array(matlab, &matrix, swap, number, 0, variable->name, sizeof variable->name, error);
    if (status == QMTCNN_OK)
        matlab->variable_count++;
    else if (variable->name[0])
        return qmt_fail_in(error, status, "variable %s", variable->name);
    return status;
}

/* Is this a file of level 5, and in which byte order? */
static qmtcnn_status check_header(const uint8_t *data, size_t size, bool *swap, qmtcnn_error *error)
{
    static const uint8_t hdf5[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    static const char newer[] = "MATLAB 7.3", advice[] = "save it again with save(..., '-v7')";
    if ((size >= sizeof hdf5 && memcmp(data, hdf5, sizeof hdf5) == 0) ||
        (size >= sizeof newer - 1 && memcmp(data, newer, sizeof newer - 1) == 0))
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "a MATLAB file of version 7.3 (HDF5): %s", advice);
    if (size < header_size)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%zu bytes are no MATLAB file", size);
    *swap = data[order_at] == 'M' && data[order_at + 1] == 'I';
    if (!*swap && !(data[order_at] == 'I' && data[order_at + 1] == 'M')) {
        if (data[0] == 0 || data[1] == 0 || data[2] == 0 || data[3] == 0)
            return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "no MATLAB file, or one of version 4: %s", advice);
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "no MATLAB file: its header names no byte order");
    }
    unsigned version = (unsigned)read_bits(data + version_at, 2, *swap);
    if (version != 0x0100)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "a MATLAB file of format %x.%x; 1.0 is read: %s", version >> 8,
                        version & 0xff, advice);
    return QMTCNN_OK;
}

/* Takes over `data`, whose memory is freed with the result or on failure. */
static qmtcnn_status read_file(uint8_t *data, size_t size, const char *name, qmt_matlab **result, qmtcnn_error *error)
{
    qmtcnn_error local;
    struct span span = {NULL, 0, false};
    struct element element;
    if (!error)
        error = &local; /* messages are built in steps */
    qmt_matlab *matlab = qmt_alloc_zero(1, sizeof *matlab);
    if (!matlab) {
        qmt_free(data);
        return qmt_fail_memory(error, sizeof *matlab, name);
    }
    matlab->data = data;
    qmtcnn_status status = check_header(data, size, &span.swap, error);
    if (status == QMTCNN_OK) {
        span.at = data + header_size;
        span.left = size - header_size;
    }
    while (status == QMTCNN_OK && span.left > 0) {
        if (next_element(&span, &element))
            status = read_variable(matlab, &element, span.swap, error);
        else
            status = damaged("the file is cut short", error);
    }
    if (status != QMTCNN_OK) {
        qmt_matlab_free(matlab);
        return qmt_fail_in(error, status, "%s", name);
    }
    *result = matlab;
    return QMTCNN_OK;
}

qmtcnn_status qmt_matlab_read(const void *data, size_t size, const char *name, qmt_matlab **matlab, qmtcnn_error *error)
{
    *matlab = NULL;
    if (size > qmt_matlab_max_file)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "%s: %zu bytes; MATLAB files of up to %d are read", name, size,
                        (int)qmt_matlab_max_file);
    uint8_t *copy = qmt_alloc(size, 1);
    if (!copy)
        return qmt_fail_memory(error, size, name);
    if (size)
        memcpy(copy, data, size);
    return read_file(copy, size, name, matlab, error);
}

qmtcnn_status qmt_matlab_open(const char *path, qmt_matlab **matlab, qmtcnn_error *error)
{
    void *data;
    size_t size;
    *matlab = NULL;
    qmtcnn_status status = qmt_file_read(path, qmt_matlab_max_file, &data, &size, error);
    return status == QMTCNN_OK ? read_file(data, size, path, matlab, error) : status;
}

void qmt_matlab_free(qmt_matlab *matlab)
{
    if (!matlab)
        return;
    qmt_free(matlab->arrays);
    for (size_t i = 0; i < matlab->inflated_count; i++)
        qmt_free(matlab->inflated[i]);
    qmt_free(matlab->data);
    qmt_free(matlab);
}

/* ---- What users ask ----------------------------------------------------------------------------- */

const qmt_matlab_array *qmt_matlab_find(const qmt_matlab *matlab, const char *name)
{
    for (size_t i = 0; i < matlab->variable_count; i++)
        if (strcmp(matlab->variables[i].name, name) == 0)
            return &matlab->arrays[matlab->variables[i].array];
    return NULL;
}

size_t qmt_matlab_count(const qmt_matlab_array *array)
{
    return array ? array->count : 0;
}

const qmt_matlab_array *qmt_matlab_cell(const qmt_matlab_array *cells, size_t index)
{
    if (!cells || cells->kind != QMT_MATLAB_CELL || index >= cells->count)
        return NULL;
    return cells + cells->cells + index;
}

bool qmt_matlab_number(const qmt_matlab_array *array, size_t index, double *number)
{
    if (!array || array->kind != QMT_MATLAB_NUMBERS || index >= array->count)
        return false;
    size_t size = value_size(array->type);
    uint64_t bits = read_bits(array->bytes + index * size, size, array->swap);
    uint32_t low = (uint32_t)bits;
    float real;
    switch (array->type) {
    case type_int8: *number = (int8_t)low; return true;
    case type_int16: *number = (int16_t)low; return true;
    case type_int32: *number = (int32_t)low; return true;
    case type_int64: *number = (double)(int64_t)bits; return true;
    case type_single:
        memcpy(&real, &low, sizeof real);
        *number = (double)real;
        return true;
    case type_double: memcpy(number, &bits, sizeof *number); return true;
    default: *number = (double)bits; return true;
    }
}

bool qmt_matlab_text(const qmt_matlab_array *array, char *text, size_t size)
{
    if (!array || array->kind != QMT_MATLAB_TEXT || array->count == 0 || array->count >= size)
        return false;
    size_t width = value_size(array->type);
    if (width > 2 || array->size != array->count * width)
        return false;
    for (size_t i = 0; i < array->count; i++) {
        uint64_t letter = read_bits(array->bytes + i * width, width, array->swap);
        if (letter < 32 || letter > 126)
            return false;
        text[i] = (char)letter;
    }
    text[array->count] = 0;
    return true;
}
