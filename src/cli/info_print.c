/* JSON as text for people. */
#include "cli/info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { most_columns = 16, value_size = 64, block_from = 100 /* longer texts stand in a block of their own */ };

static void put_plain(const char *text, int indent)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '\n' && c[1])
            printf("\n%*s", indent, "");
        else if (*c >= 32 && *c != 127)
            putchar(*c);
        else if (*c != '\n')
            putchar('?');
    }
}

/* A number, a truth or a short text. */
static const char *scalar_text(const json_t *value, char buffer[value_size])
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        snprintf(buffer, value_size, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(buffer, value_size, "%.6g", json_real_value(value));
    else if (json_is_boolean(value))
        snprintf(buffer, value_size, "%s", json_is_true(value) ? "yes" : "no");
    else
        snprintf(buffer, value_size, "-");
    return buffer;
}

static void print_value(const json_t *value, int indent);

static bool is_flat(const json_t *value)
{
    return !json_is_object(value) && !json_is_array(value);
}

static size_t scalar_width(const json_t *value)
{
    char buffer[value_size];
    return is_flat(value) ? strlen(scalar_text(value, buffer)) : 0;
}

/* Rows are objects with the same keys as the first. Numbers stand to the right. */
static void print_table(const json_t *rows, int indent)
{
    const char *keys[most_columns], *key;
    size_t widths[most_columns], columns = 0, index;
    json_t *first = json_array_get(rows, 0), *value, *row;
    json_object_foreach(first, key, value)
    {
        if (columns < most_columns) {
            keys[columns] = key;
            widths[columns++] = strlen(key);
        }
    }
    json_array_foreach(rows, index, row)
    {
        for (size_t i = 0; i < columns; i++) {
            size_t width = scalar_width(json_object_get(row, keys[i]));
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    for (size_t line = 0; line <= json_array_size(rows); line++) {
        row = line > 0 ? json_array_get(rows, line - 1) : NULL;
        printf("%*s", indent, "");
        for (size_t i = 0; i < columns; i++) {
            char buffer[value_size];
            json_t *cell = row ? json_object_get(row, keys[i]) : NULL;
            bool right = json_is_number(json_object_get(first, keys[i]));
            const char *text = row ? scalar_text(cell, buffer) : keys[i];
            int padding = (int)(widths[i] - (strlen(text) < widths[i] ? strlen(text) : widths[i]));
            printf("%*s", right ? padding : 0, "");
            put_plain(text, indent);
            if (i + 1 < columns)
                printf("%*s", right ? 2 : padding + 2, "");
        }
        printf("\n");
    }
}

/* A few short values go on one line: "c, avx2". */
static bool is_short(const json_t *value)
{
    size_t index, width = 0;
    json_t *item;
    json_array_foreach(value, index, item)
    {
        if (!is_flat(item))
            return false;
        width += scalar_width(item) + 2;
    }
    return json_is_array(value) && width <= block_from;
}

static void print_short(const json_t *list)
{
    size_t index;
    json_t *item;
    char buffer[value_size];
    json_array_foreach(list, index, item)
    {
        printf("%s", index ? ", " : "");
        put_plain(scalar_text(item, buffer), 0);
    }
}

static void print_list(const json_t *list, int indent)
{
    size_t index;
    json_t *item;
    char buffer[value_size];
    if (json_is_object(json_array_get(list, 0))) {
        print_table(list, indent);
        return;
    }
    json_array_foreach(list, index, item)
    {
        printf("%*s", indent, "");
        put_plain(scalar_text(item, buffer), indent);
        printf("\n");
    }
}

static void print_member(const char *key, const json_t *value, int width, int indent)
{
    char buffer[value_size];
    const char *text = is_flat(value) ? scalar_text(value, buffer) : NULL;
    bool block = text ? strlen(text) > block_from || strchr(text, '\n') : !is_short(value);
    printf("%*s", indent, "");
    put_plain(key, indent);
    if (!block) {
        printf("%*s", width - (int)strlen(key) + 2, "");
        if (text)
            put_plain(text, indent);
        else
            print_short(value);
        printf("\n");
        return;
    }
    printf(":\n");
    if (text) {
        printf("%*s", indent + 2, "");
        put_plain(text, indent + 2);
        printf("\n");
    } else {
        print_value(value, indent + 2);
    }
}

static void print_value(const json_t *value, int indent)
{
    const char *key;
    json_t *member;
    int width = 0;
    if (!json_is_object(value)) {
        print_list(value, indent);
        return;
    }
    json_object_foreach((json_t *)value, key, member)
    {
        int length = (int)strlen(key);
        if ((is_flat(member) || is_short(member)) && length > width && length <= 40)
            width = length;
    }
    json_object_foreach((json_t *)value, key, member)
        print_member(key, member, width > (int)strlen(key) ? width : (int)strlen(key), indent);
}

void qmt_info_print(const json_t *info)
{
    print_value(info, 0);
}

qmtcnn_status qmt_info_finish(json_t *object, json_t **info, qmtcnn_error *error)
{
    *info = object;
    return object ? QMTCNN_OK : qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory, or a text that is not UTF-8");
}
