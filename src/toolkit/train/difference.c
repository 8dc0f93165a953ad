/* Which setting of two configurations differs. */
#include "toolkit/train/checkpoint.h"

#include <string.h>

enum { max_depth = 8, max_key = 256 };

/* A YAML text walked line by line: block style with one key a line, as qmt_config_text() writes it. */
typedef struct yaml_line {
    const char *start;
    size_t size, indent, key_size; /* the key's characters after the indent */
} yaml_line;

/* Keys that the current line is below. */
typedef struct yaml_path {
    yaml_line above[max_depth];
    size_t depth;
} yaml_path;

/* The next line that isn't empty; false at the end. */
static bool next_line(const char **text, yaml_line *line)
{
    while (**text == '\n')
        (*text)++;
    if (!**text)
        return false;
    line->start = *text;
    line->size = strcspn(*text, "\n");
    *text += line->size;
    for (line->indent = 0; line->indent < line->size && line->start[line->indent] == ' ';)
        line->indent++;
    for (line->key_size = 0;
         line->indent + line->key_size < line->size && line->start[line->indent + line->key_size] != ':';)
        line->key_size++;
    return true;
}

static void enter(yaml_path *path, const yaml_line *line)
{
    while (path->depth > 0 && path->above[path->depth - 1].indent >= line->indent)
        path->depth--;
    if (path->depth < max_depth)
        path->above[path->depth++] = *line;
}

/* "train.learning_rate". */
static void print_key(const yaml_path *path, char *key, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < path->depth; i++) {
        const yaml_line *line = &path->above[i];
        size_t room = size - 1 - used, dot = i > 0 && room > 0;
        if (dot)
            key[used++] = '.';
        size_t count = line->key_size < room - dot ? line->key_size : room - dot;
        memcpy(key + used, line->start + line->indent, count);
        used += count;
    }
    key[used] = 0;
}

char *qmt_config_difference(const char *a, const char *b, const char *except)
{
    yaml_path path = {.depth = 0};
    char key[max_key];
    for (;;) {
        yaml_line x, y;
        bool more_a = next_line(&a, &x), more_b = next_line(&b, &y);
        if (!more_a && !more_b)
            return NULL;
        enter(&path, more_a ? &x : &y);
        print_key(&path, key, sizeof key);
        bool same = more_a && more_b && x.size == y.size && memcmp(x.start, y.start, x.size) == 0;
        if (!same && !(except && strcmp(key, except) == 0))
            return qmt_copy_string(key);
    }
}
