#include "toolkit/evaluate/text.h"

#include <math.h>
#include <string.h>

void qmt_text_add_bytes(qmt_text *text, const char *data, size_t size)
{
    size_t needed;
    if (text->failed || size == 0)
        return;
    if (!qmt_size_add(text->size, size, &needed) || !qmt_size_add(needed, 1, &needed) ||
        qmt_grow((void **)&text->data, &text->capacity, text->size, needed, 1, NULL) != QMTCNN_OK) {
        text->failed = true;
        return;
    }
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = 0;
}

void qmt_text_add_figure(qmt_text *text, int width, int digits, double value)
{
    if (isnan(value))
        qmt_text_add(text, "%*s", width, "-");
    else
        qmt_text_add(text, "%*.*f", width, digits, value);
}

void qmt_text_add_wrapped(qmt_text *text, size_t width, const char *words)
{
    size_t at = 0;
    while (*words) {
        size_t length = strcspn(words, " \n");
        if (at > 0 && at + 1 + length > width) {
            qmt_text_add_bytes(text, "\n", 1);
            at = 0;
        }
        if (at > 0)
            qmt_text_add_bytes(text, " ", 1);
        qmt_text_add_bytes(text, words, length);
        at += (at > 0) + length;
        words += length;
        if (*words == '\n') {
            qmt_text_add_bytes(text, "\n", 1);
            at = 0;
        }
        words += *words != 0;
    }
}
