#include "toolkit/data/dataset_lines.h"

#include "toolkit/base/file.h"

#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

qmtcnn_status qmt_lines_open(const char *path, qmt_lines *lines, qmtcnn_error *error)
{
    enum { max_file = 1 << 30 };
    void *data = NULL;
    size_t size = 0;
    *lines = (qmt_lines){.path = path};
    qmtcnn_status status = qmt_file_read(path, max_file, &data, &size, error);
    if (status != QMTCNN_OK)
        return status;
    lines->data = lines->next = data;
    lines->end = lines->data + size;
    const char *zero = memchr(data, 0, size);
    if (zero) {
        int line = 1;
        for (const char *c = lines->data; c < zero; c++)
            line += *c == '\n';
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: a zero byte: this is no text file", path, line);
    }
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        lines->next += 3; /* the mark that Windows editors put before UTF-8 */
    return QMTCNN_OK;
}

void qmt_lines_close(qmt_lines *lines)
{
    qmt_free(lines->data);
    *lines = (qmt_lines){0};
}

char *qmt_lines_next(qmt_lines *lines)
{
    if (lines->again) {
        lines->again = false;
        return lines->last;
    }
    while (lines->next < lines->end) {
        char *line = lines->next;
        char *end = memchr(line, '\n', (size_t)(lines->end - line));
        if (!end)
            end = lines->end;
        lines->next = end < lines->end ? end + 1 : end;
        lines->number++;
        while (end > line && is_blank(end[-1]))
            end--;
        *end = 0; /* the file's text ends with an extra zero byte, so there is room at its end, too */
        while (is_blank(*line))
            line++;
        if (*line)
            return lines->last = line;
    }
    return lines->last = NULL;
}

void qmt_lines_unread(qmt_lines *lines)
{
    lines->again = true;
}

int qmt_parse_numbers(const char *line, double *numbers, int most)
{
    int count = 0;
    for (;;) {
        while (is_blank(*line) || *line == ',')
            line++;
        if (!*line)
            return count;
        char *end;
        double number = strtod(line, &end);
        if (end == line || (*end && !is_blank(*end) && *end != ',') || count == most)
            return -1;
        numbers[count++] = number;
        line = end;
    }
}

bool qmt_parse_count(const char *line, long most, long *count)
{
    if (*line < '0' || *line > '9')
        return false;
    char *end;
    long number = strtol(line, &end, 10);
    if (*end || number < 0 || number > most)
        return false;
    *count = number;
    return true;
}

bool qmt_cut_numbers(char *line, double *numbers, int count)
{
    char *end = line + strlen(line);
    for (int i = count - 1; i >= 0; i--) {
        char *start = end;
        while (start > line && !is_blank(start[-1]))
            start--;
        if (start == line || qmt_parse_numbers(start, &numbers[i], 1) != 1)
            return false;
        end = start;
        while (end > line && is_blank(end[-1]))
            end--;
        *end = 0;
    }
    return *line != 0;
}

qmt_quote qmt_quote_text(const char *text)
{
    qmt_quote quote;
    size_t i = 0;
    for (; text[i] && i < sizeof quote.text - 1; i++) {
        unsigned char c = (unsigned char)text[i];
        quote.text[i] = (char)(c < 32 || c == 127 ? '?' : c);
    }
    quote.text[i] = 0;
    if (text[i])
        memcpy(quote.text + i - 3, "...", 3);
    return quote;
}
