/* Small MATLAB files made by hand, in either byte order: for tests, and as first inputs for fuzzing. */
#ifndef QMT_TEST_MATLAB_FILE_H
#define QMT_TEST_MATLAB_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* Room for small files and no more; zeroed before use but for `big`. */
typedef struct matlab_file {
    uint8_t bytes[8192];
    size_t size;
    int big; /* byte order */
} matlab_file;

/* Types of elements and classes of arrays, by the format's numbers. */
enum {
    matlab_int8 = 1,
    matlab_uint8 = 2,
    matlab_int16 = 3,
    matlab_uint16 = 4,
    matlab_int32 = 5,
    matlab_uint32 = 6,
    matlab_single = 7,
    matlab_double = 9,
    matlab_int64 = 12,
    matlab_uint64 = 13,
    matlab_matrix = 14,
    matlab_compressed = 15,
    matlab_utf8 = 16,
    matlab_class_cell = 1,
    matlab_class_struct = 2,
    matlab_class_char = 4,
    matlab_class_double = 6,
    matlab_header = 128
};

static inline void matlab_put(matlab_file *file, uint64_t word, int bytes)
{
    for (int i = 0; i < bytes; i++)
        file->bytes[file->size++] = (uint8_t)(word >> 8 * (file->big ? bytes - 1 - i : i));
}

static inline void matlab_start(matlab_file *file, int big)
{
    memset(file, 0, sizeof *file);
    file->big = big;
    snprintf((char *)file->bytes, 116, "MATLAB 5.0 MAT-file, made by hand");
    file->size = 124;
    matlab_put(file, 0x0100, 2);
    matlab_put(file, 'M' << 8 | 'I', 2);
}

/* A tag and `count` whole numbers of `bytes` bytes each, padded. */
static inline void matlab_values(matlab_file *file, uint32_t type, const int64_t *values, size_t count, int bytes)
{
    matlab_put(file, type, 4);
    matlab_put(file, (uint32_t)count * (uint32_t)bytes, 4);
    for (size_t i = 0; i < count; i++)
        matlab_put(file, (uint64_t)values[i], bytes);
    file->size = (file->size + 7) / 8 * 8;
}

static inline void matlab_string(matlab_file *file, uint32_t type, const char *text)
{
    matlab_put(file, type, 4);
    matlab_put(file, strlen(text), 4);
    memcpy(file->bytes + file->size, text, strlen(text));
    file->size += (strlen(text) + 7) / 8 * 8;
}

/* Begins a matrix element; returns where its length stands, for matlab_end(). */
static inline size_t matlab_begin(matlab_file *file, int array_class, int rows, int columns, const char *name)
{
    const int64_t flags[] = {array_class, 0}, sizes[] = {rows, columns};
    matlab_put(file, matlab_matrix, 4);
    size_t at = file->size;
    matlab_put(file, 0, 4);
    matlab_values(file, matlab_uint32, flags, 2, 4);
    matlab_values(file, matlab_int32, sizes, 2, 4);
    matlab_string(file, matlab_int8, name);
    return at;
}

static inline void matlab_end(matlab_file *file, size_t at)
{
    size_t end = file->size;
    file->size = at;
    matlab_put(file, end - at - 4, 4);
    file->size = end;
}

static inline void matlab_text(matlab_file *file, const char *name, const char *text)
{
    size_t at = matlab_begin(file, matlab_class_char, 1, (int)strlen(text), name);
    matlab_string(file, matlab_utf8, text);
    matlab_end(file, at);
}

/* Whole numbers that stand for doubles: MATLAB stores them in the smallest type that holds them. */
static inline void matlab_bytes(matlab_file *file, const char *name, const int64_t *values, int rows, int columns)
{
    size_t at = matlab_begin(file, matlab_class_double, rows, columns, name);
    matlab_values(file, matlab_uint8, values, (size_t)rows * (size_t)columns, 1);
    matlab_end(file, at);
}

/* One event with one picture with two faces, as WIDER FACE's annotations and as its ground truth. */
static inline void matlab_wider(matlab_file *file, int big)
{
    static const int64_t boxes[] = {10, 50, 20, 60, 30, 30, 40, 40}, listed[] = {1, 2};
    static const char *const names[] = {"file_list", "face_bbx_list", "gt_list", "invalid_label_list"};
    matlab_start(file, big);
    size_t outer = matlab_begin(file, matlab_class_cell, 1, 1, "event_list");
    matlab_text(file, "", "0--Parade");
    matlab_end(file, outer);
    for (int i = 0; i < 4; i++) {
        outer = matlab_begin(file, matlab_class_cell, 1, 1, names[i]);
        size_t inner = matlab_begin(file, matlab_class_cell, 1, 1, "");
        if (i == 0)
            matlab_text(file, "", "a");
        else
            matlab_bytes(file, "", i == 1 ? boxes : listed, 2, i == 1 ? 4 : 1);
        matlab_end(file, inner);
        matlab_end(file, outer);
    }
}

/* The same file with each variable compressed by itself. 0: no room. */
static inline int matlab_compress(const matlab_file *file, matlab_file *packed)
{
    memset(packed, 0, sizeof *packed);
    packed->big = file->big;
    packed->size = matlab_header;
    memcpy(packed->bytes, file->bytes, matlab_header);
    for (size_t from = matlab_header; from < file->size;) {
        uLong length = 8;
        for (int i = 0; i < 4; i++)
            length += (uLong)file->bytes[from + 4 + (size_t)(file->big ? 3 - i : i)] << 8 * i;
        uLongf size = (uLongf)(sizeof packed->bytes - packed->size - 8);
        if (compress(packed->bytes + packed->size + 8, &size, file->bytes + from, length) != Z_OK)
            return 0;
        matlab_put(packed, matlab_compressed, 4);
        matlab_put(packed, size, 4);
        packed->size += size;
        from += length;
    }
    return 1;
}

#endif
