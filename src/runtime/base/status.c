#include "runtime/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <malloc.h>
#endif

static const size_t alignment = 64; /* a cache line, and the width of an AVX-512 register */

const char *qmtcnn_status_name(qmtcnn_status status)
{
    switch (status) {
    case QMTCNN_OK: return "ok";
    case QMTCNN_ERROR_ARGUMENT: return "invalid argument";
    case QMTCNN_ERROR_MEMORY: return "out of memory";
    case QMTCNN_ERROR_IO: return "input/output error";
    case QMTCNN_ERROR_FORMAT: return "damaged or foreign file";
    case QMTCNN_ERROR_UNSUPPORTED: return "unsupported";
    case QMTCNN_ERROR_INTERRUPTED: return "interrupted";
    case QMTCNN_ERROR_NUMERIC: return "not a number or diverged";
    }
    return "unknown status";
}

const char *qmtcnn_version(void)
{
    return QMTCNN_VERSION;
}

/* Bytes of the UTF-8 character at `text`; 0: it is none. */
static size_t character_size(const unsigned char *text)
{
    size_t size = text[0] < 0x80                       ? 1
                  : text[0] >= 0xc2 && text[0] <= 0xdf ? 2
                  : text[0] >= 0xe0 && text[0] <= 0xef ? 3
                  : text[0] >= 0xf0 && text[0] <= 0xf4 ? 4
                                                       : 0;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    /* Nothing encoded longer than needed, no surrogates, nothing past U+10FFFF. */
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90) ||
        (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return size;
}

/* Messages quote hostile files: what is no text, or would move a terminal's cursor, becomes question marks. So a
 * message is one line of UTF-8. */
static void make_printable(char *message)
{
    unsigned char *text = (unsigned char *)message;
    while (*text) {
        size_t size = character_size(text);
        bool control = *text < 32 || *text == 127 || (*text == 0xc2 && text[1] < 0xa0);
        if (size == 0 || (size == 1 && control)) {
            *text++ = '?';
        } else {
            if (control)
                text[0] = text[1] = '?';
            text += size;
        }
    }
}

qmtcnn_status qmt_fail(qmtcnn_error *error, qmtcnn_status status, const char *format, ...)
{
    if (error) {
        va_list arguments;
        error->status = status;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        make_printable(error->message);
    }
    return status;
}

qmtcnn_status qmt_fail_in(qmtcnn_error *error, qmtcnn_status status, const char *format, ...)
{
    if (error) {
        char inner[QMTCNN_MESSAGE_SIZE];
        va_list arguments;
        memcpy(inner, error->message, sizeof inner);
        inner[sizeof inner - 1] = 0;
        error->status = status;
        va_start(arguments, format);
        int length = vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        if (length >= 0 && (size_t)length < sizeof error->message)
            snprintf(error->message + length, sizeof error->message - (size_t)length, ": %s", inner);
        make_printable(error->message);
    }
    return status;
}

qmtcnn_status qmt_fail_memory(qmtcnn_error *error, size_t bytes, const char *what)
{
    return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: %zu bytes for %s", bytes, what);
}

bool qmt_size_multiply(size_t a, size_t b, size_t *product)
{
    if (b != 0 && a > SIZE_MAX / b)
        return false;
    *product = a * b;
    return true;
}

bool qmt_size_add(size_t a, size_t b, size_t *sum)
{
    if (a > SIZE_MAX - b)
        return false;
    *sum = a + b;
    return true;
}

void *qmt_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (!qmt_size_multiply(count, size, &bytes) || bytes > SIZE_MAX - alignment)
        return NULL;
    /* aligned_alloc() wants a multiple of the alignment. */
    bytes = bytes ? (bytes + alignment - 1) / alignment * alignment : alignment;
#ifdef _WIN32
    return _aligned_malloc(bytes, alignment);
#else
    return aligned_alloc(alignment, bytes);
#endif
}

void *qmt_alloc_zero(size_t count, size_t size)
{
    void *memory = qmt_alloc(count, size);
    if (memory)
        memset(memory, 0, count * size);
    return memory;
}

void qmt_free(void *pointer)
{
#ifdef _WIN32
    _aligned_free(pointer);
#else
    free(pointer);
#endif
}

qmtcnn_status qmt_grow(void **items, size_t *capacity, size_t used, size_t needed, size_t size, qmtcnn_error *error)
{
    if (needed <= *capacity)
        return QMTCNN_OK;
    size_t wanted = *capacity + *capacity / 2;
    if (wanted < needed)
        wanted = needed;
    if (wanted < 16)
        wanted = 16;
    void *grown = qmt_alloc(wanted, size);
    if (!grown)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: %zu items of %zu bytes", wanted, size);
    if (used)
        memcpy(grown, *items, used * size);
    qmt_free(*items);
    *items = grown;
    *capacity = wanted;
    return QMTCNN_OK;
}

char *qmt_copy_string(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = qmt_alloc(size, 1);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}
