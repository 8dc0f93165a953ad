#include "toolkit/config/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room for `more` bytes and a zero. */
static bool reserve(qmt_text *text, size_t more)
{
    size_t needed;
    if (text->failed)
        return false;
    if (!qmt_size_add(text->size, more, &needed) || !qmt_size_add(needed, 1, &needed) ||
        qmt_grow((void **)&text->data, &text->capacity, text->size, needed, 1, NULL) != QMTCNN_OK)
        text->failed = true;
    return !text->failed;
}

void qmt_text_add(qmt_text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length < 0) {
        text->failed = true;
    } else if (reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->size, (size_t)length + 1, format, again);
        text->size += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

void qmt_text_add_quoted(qmt_text *text, const char *string)
{
    qmt_text_add(text, "\"");
    for (const unsigned char *c = (const unsigned char *)string; *c; c++) {
        if (*c == '"' || *c == '\\')
            qmt_text_add(text, "\\%c", *c);
        else if (*c < 32 || *c == 127)
            qmt_text_add(text, "\\u%04x", *c);
        else
            qmt_text_add(text, "%c", *c);
    }
    qmt_text_add(text, "\"");
}

void qmt_text_pad(qmt_text *text, size_t column)
{
    size_t line = text->size;
    while (line > 0 && text->data[line - 1] != '\n')
        line--;
    size_t at = text->size - line;
    qmt_text_add(text, "%*s", at < column ? (int)(column - at) : 1, "");
}

char *qmt_text_take(qmt_text *text)
{
    char *data = NULL;
    if (reserve(text, 0)) {
        text->data[text->size] = 0;
        data = text->data;
    } else {
        qmt_free(text->data);
    }
    memset(text, 0, sizeof *text);
    return data;
}
