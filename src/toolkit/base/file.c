#define _XOPEN_SOURCE 700
#include "toolkit/base/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct qmt_writer {
    char *path, *temporary;
    FILE *stream;
};

char *qmt_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : qmt_alloc((size_t)length + 1, 1);
    if (text) {
        va_start(arguments, format);
        vsnprintf(text, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    return text;
}

char *qmt_path_join(const char *a, const char *b)
{
    size_t length = strlen(a);
    return qmt_format("%s%s%s", a, length == 0 || a[length - 1] == '/' ? "" : "/", b);
}

bool qmt_is_same_file(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

static bool is_separator(char c)
{
    return c == '/' || c == '\\';
}

void qmt_path_keep_name(char *path)
{
    size_t end = strlen(path);
    while (end > 0 && is_separator(path[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && !is_separator(path[start - 1]))
        start--;
    memmove(path, path + start, end - start);
    path[end - start] = 0;
}

static qmtcnn_status fail_with_errno(qmtcnn_error *error, const char *what, const char *path)
{
    const char *hint = errno == ENOSPC   ? ": free some space and run the same again"
                       : errno == EACCES ? ": check the permissions"
                       : errno == ENOENT ? ": check the path"
                                         : "";
    return qmt_fail(error, QMTCNN_ERROR_IO, "can't %s '%s': %s%s", what, path, strerror(errno), hint);
}

/* The folder that holds PATH; NULL when out of memory, "" where PATH has none. */
static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? qmt_format("%.*s", (int)(slash - path), path) : qmt_copy_string("");
}

qmtcnn_status qmt_folder_make(const char *path, qmtcnn_error *error)
{
    char *partial = qmt_copy_string(path);
    if (!partial)
        return qmt_fail_memory(error, strlen(path) + 1, "a path");
    qmtcnn_status status = QMTCNN_OK;
    for (char *at = partial; status == QMTCNN_OK && *at;) {
        at += strspn(at, "/");
        at += strcspn(at, "/");
        char kept = *at;
        *at = 0;
        if (*partial && mkdir(partial, 0777) != 0 && errno != EEXIST)
            status = fail_with_errno(error, "make the folder", partial);
        *at = kept;
    }
    if (status == QMTCNN_OK && *path && !qmt_folder_exists(path))
        status = qmt_fail(error, QMTCNN_ERROR_IO, "'%s' is not a folder: remove it or choose another path", path);
    qmt_free(partial);
    return status;
}

static void writer_free(qmt_writer *writer)
{
    if (writer->stream)
        fclose(writer->stream);
    qmt_free(writer->temporary);
    qmt_free(writer->path);
    qmt_free(writer);
}

/* The file behind a link, so that the link stays; the path itself where there is none. For qmt_free(). */
static char *target_of(const char *path)
{
    char *resolved = realpath(path, NULL);
    char *target = qmt_copy_string(resolved ? resolved : path);
    free(resolved); /* NOLINT: realpath() takes it from malloc() */
    return target;
}

bool qmt_is_device(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

qmtcnn_status qmt_writer_open(const char *path, qmt_writer **result, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    *result = NULL;
    const bool device = qmt_is_device(path); /* written as it is, for nothing may take its place */
    char *folder = parent_of(path);
    qmt_writer *writer = qmt_alloc_zero(1, sizeof *writer);
    if (writer)
        writer->path = device ? qmt_copy_string(path) : target_of(path);
    if (!folder || !writer || !writer->path) {
        status = qmt_fail_memory(error, strlen(path), "a file to write");
        goto done;
    }
    if (*folder)
        status = qmt_folder_make(folder, error);
    if (status != QMTCNN_OK)
        goto done;
    if (!device) {
        /* The process number keeps two processes that write the same file from mixing their bytes. */
        writer->temporary = qmt_format("%s.%ld.tmp", writer->path, (long)getpid());
        if (!writer->temporary) {
            status = qmt_fail_memory(error, strlen(path), "a file to write");
            goto done;
        }
    }
    writer->stream = fopen(device ? writer->path : writer->temporary, "wb");
    if (!writer->stream)
        status = fail_with_errno(error, "write", device ? writer->path : writer->temporary);
done:
    if (status == QMTCNN_OK)
        *result = writer;
    else if (writer)
        writer_free(writer);
    qmt_free(folder);
    return status;
}

qmtcnn_status qmt_writer_write(qmt_writer *writer, const void *data, size_t size, qmtcnn_error *error)
{
    if (size > 0 && fwrite(data, 1, size, writer->stream) != size)
        return fail_with_errno(error, "write", writer->path);
    return QMTCNN_OK;
}

qmtcnn_status qmt_writer_print(qmt_writer *writer, qmtcnn_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vfprintf(writer->stream, format, arguments);
    va_end(arguments);
    return length < 0 ? fail_with_errno(error, "write", writer->path) : QMTCNN_OK;
}

FILE *qmt_writer_stream(qmt_writer *writer)
{
    return writer->stream;
}

/* Makes the new name of a file outlast a power cut: the name lies in the folder. Where a file system can't, nothing is
 * lost but that. */
static void sync_folder_of(const char *path)
{
    char *folder = parent_of(path);
    int file = folder ? open(*folder ? folder : ".", O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        (void)fsync(file);
        close(file);
    }
    qmt_free(folder);
}

qmtcnn_status qmt_writer_commit(qmt_writer *writer, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    bool bad = ferror(writer->stream) || fflush(writer->stream) != 0 ||
               (writer->temporary && fsync(fileno(writer->stream)) != 0);
    if (fclose(writer->stream) != 0)
        bad = true;
    writer->stream = NULL;
    if (bad || (writer->temporary && rename(writer->temporary, writer->path) != 0)) {
        status = fail_with_errno(error, "write", writer->path);
        if (writer->temporary)
            unlink(writer->temporary);
    } else if (writer->temporary) {
        sync_folder_of(writer->path);
    }
    writer_free(writer);
    return status;
}

void qmt_writer_abandon(qmt_writer *writer)
{
    if (!writer)
        return;
    if (writer->temporary)
        unlink(writer->temporary);
    writer_free(writer);
}

qmtcnn_status qmt_file_write(const char *path, const void *data, size_t size, qmtcnn_error *error)
{
    qmt_writer *writer;
    qmtcnn_status status = qmt_writer_open(path, &writer, error);
    if (status != QMTCNN_OK)
        return status;
    status = qmt_writer_write(writer, data, size, error);
    if (status != QMTCNN_OK) {
        qmt_writer_abandon(writer);
        return status;
    }
    return qmt_writer_commit(writer, error);
}

/* Opens a regular file and tells its size. -1 on failure. */
static int open_file(const char *path, size_t *size, qmtcnn_error *error)
{
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe's name may not make it wait */
    if (file < 0) {
        fail_with_errno(error, "open", path);
        return -1;
    }
    if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size < 0) {
        qmt_fail(error, QMTCNN_ERROR_IO, "'%s' is not a file", path);
        close(file);
        return -1;
    }
    *size = (size_t)info.st_size;
    return file;
}

qmtcnn_status qmt_file_read(const char *path, size_t limit, void **data, size_t *size, qmtcnn_error *error)
{
    size_t bytes = 0, done = 0;
    *data = NULL;
    *size = 0;
    int file = open_file(path, &bytes, error);
    if (file < 0)
        return QMTCNN_ERROR_IO;
    if (bytes > limit) {
        close(file);
        return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                        "'%s' has %zu bytes; at most %zu are read here: is it the right file?", path, bytes, limit);
    }
    uint8_t *memory = qmt_alloc(bytes + 1, 1);
    if (!memory) {
        close(file);
        return qmt_fail_memory(error, bytes + 1, path);
    }
    while (done < bytes) {
        ssize_t got = read(file, memory + done, bytes - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            qmtcnn_status status =
                got < 0 ? fail_with_errno(error, "read", path)
                        : qmt_fail(error, QMTCNN_ERROR_IO, "'%s' became shorter while it was read", path);
            close(file);
            qmt_free(memory);
            return status;
        }
        done += (size_t)got;
    }
    close(file);
    memory[bytes] = 0;
    *data = memory;
    *size = bytes;
    return QMTCNN_OK;
}

qmtcnn_status qmt_file_map(const char *path, qmt_mapping *mapping, qmtcnn_error *error)
{
    size_t bytes = 0;
    mapping->data = NULL;
    mapping->size = 0;
    int file = open_file(path, &bytes, error);
    if (file < 0)
        return QMTCNN_ERROR_IO;
    if (bytes > 0) {
        void *memory = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, file, 0);
        if (memory == MAP_FAILED) {
            qmtcnn_status status = fail_with_errno(error, "map", path);
            close(file);
            return status;
        }
        mapping->data = memory;
        mapping->size = bytes;
    }
    close(file);
    return QMTCNN_OK;
}

void qmt_file_unmap(qmt_mapping *mapping)
{
    if (mapping->data)
        munmap((void *)(uintptr_t)mapping->data, mapping->size);
    mapping->data = NULL;
    mapping->size = 0;
}

struct qmt_reader {
    char *path;
    int file;
};

qmtcnn_status qmt_reader_open(const char *path, qmt_reader **result, qmtcnn_error *error)
{
    size_t size;
    *result = NULL;
    qmt_reader *reader = qmt_alloc_zero(1, sizeof *reader);
    if (!reader || !(reader->path = qmt_copy_string(path))) {
        qmt_free(reader);
        return qmt_fail_memory(error, sizeof *reader, path);
    }
    reader->file = open_file(path, &size, error);
    if (reader->file < 0) {
        qmt_free(reader->path);
        qmt_free(reader);
        return QMTCNN_ERROR_IO;
    }
    *result = reader;
    return QMTCNN_OK;
}

void qmt_reader_close(qmt_reader *reader)
{
    if (!reader)
        return;
    close(reader->file);
    qmt_free(reader->path);
    qmt_free(reader);
}

qmtcnn_status qmt_reader_read(const qmt_reader *reader, size_t offset, void *data, size_t size, qmtcnn_error *error)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(reader->file, (char *)data + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_with_errno(error, "read", reader->path);
        if (got == 0)
            return qmt_fail(error, QMTCNN_ERROR_IO, "'%s' became shorter while it was read", reader->path);
        done += (size_t)got;
    }
    return QMTCNN_OK;
}

bool qmt_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool qmt_folder_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

uint64_t qmt_hash(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

bool qmt_hash_parse(const char *text, uint64_t *hash)
{
    const bool right = text && strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16;
    *hash = right ? strtoull(text, NULL, 16) : 0;
    return right;
}

qmtcnn_status qmt_file_hash(const char *path, uint64_t *hash, qmtcnn_error *error)
{
    qmt_mapping mapping;
    qmtcnn_status status = qmt_file_map(path, &mapping, error);
    if (status != QMTCNN_OK)
        return status;
    *hash = qmt_hash(mapping.data, mapping.size);
    qmt_file_unmap(&mapping);
    return QMTCNN_OK;
}
