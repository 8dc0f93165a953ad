/* One value: from text, to text. */
#include "toolkit/config/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { longest_shown = 60 }; /* characters of a wrong value that a message repeats */

/* Appends "integer, 1 to 100". */
void qmt_setting_print_type(const qmt_setting *setting, qmt_text *text)
{
    switch (setting->type) {
    case QMT_SETTING_BOOL: qmt_text_add(text, "true or false"); break;
    case QMT_SETTING_INT: qmt_text_add(text, "integer, %.0f to %.0f", setting->low, setting->high); break;
    case QMT_SETTING_UINT64: qmt_text_add(text, "integer, 0 to 2^64 - 1"); break;
    case QMT_SETTING_FLOAT: qmt_text_add(text, "number, %g to %g", setting->low, setting->high); break;
    case QMT_SETTING_FLOATS:
        qmt_text_add(text, "%zu numbers, %g to %g", setting->count, setting->low, setting->high);
        break;
    case QMT_SETTING_CHOICE: qmt_text_add(text, "%s", setting->choices); break;
    case QMT_SETTING_TEXT:
        if (setting->choices)
            qmt_text_add(text, "%s", setting->choices);
        else
            qmt_text_add(text, "text, up to %zu bytes", setting->count - 1);
        break;
    case QMT_SETTING_TEXTS:
        qmt_text_add(text, "list of up to %d texts of up to %zu bytes", qmt_max_lists, setting->count - 1);
        break;
    }
}

bool qmt_setting_is_list(const qmt_setting *setting)
{
    return setting->type == QMT_SETTING_FLOATS || setting->type == QMT_SETTING_TEXTS;
}

/* "'train.epochs': expected integer, 1 to 100; got 'x'" */
static qmtcnn_status wrong_value(const qmt_setting *setting, const char *key, const char *value, qmtcnn_error *error)
{
    qmt_text type = {0};
    qmt_setting_print_type(setting, &type);
    char *expected = qmt_text_take(&type);
    bool cut = strlen(value) > longest_shown;
    qmtcnn_status status = qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "'%s': expected %s; got '%.*s%s'", key,
                                    expected ? expected : "another value", longest_shown, value, cut ? "..." : "");
    qmt_free(expected);
    return status;
}

/* Digits, a sign, and for real numbers a point and an exponent: no hexadecimal, infinity or NaN, which strtod() takes.
 */
static bool looks_like_number(const char *text, bool real)
{
    bool digit = false;
    for (const char *c = text; *c; c++) {
        if (*c >= '0' && *c <= '9')
            digit = true;
        else if (*c != '-' && *c != '+' && !(real && (*c == '.' || *c == 'e' || *c == 'E')))
            return false;
    }
    return digit;
}

static bool parse_integer(const char *text, double low, double high, int *value)
{
    char *end;
    errno = 0;
    if (!looks_like_number(text, false))
        return false;
    long long parsed = strtoll(text, &end, 10);
    if (*end || errno || (double)parsed < low || (double)parsed > high)
        return false;
    *value = (int)parsed;
    return true;
}

static bool parse_uint64(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    if (!looks_like_number(text, false) || strchr(text, '-'))
        return false;
    unsigned long long parsed = strtoull(text, &end, 10);
    if (*end || errno)
        return false;
    *value = parsed;
    return true;
}

static bool parse_float(const char *text, double low, double high, float *value)
{
    char *end;
    if (!looks_like_number(text, true))
        return false;
    /* The ends of a range are decimal numbers: they are compared as the floats that they become. */
    float parsed = strtof(text, &end);
    if (*end || !isfinite(parsed) || parsed < (float)low || parsed > (float)high)
        return false;
    *value = parsed;
    return true;
}

static bool parse_bool(const char *text, bool *value)
{
    static const char *const words[2][4] = {{"false", "False", "no", "off"}, {"true", "True", "yes", "on"}};
    for (int truth = 0; truth < 2; truth++) {
        for (int i = 0; i < 4; i++) {
            if (strcmp(text, words[truth][i]) == 0) {
                *value = truth;
                return true;
            }
        }
    }
    return false;
}

/* Place of `text` in "a|b|c", or -1. */
static int find_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);
    int index = 0;
    for (const char *start = choices;; index++) {
        const char *end = strchr(start, '|');
        size_t size = end ? (size_t)(end - start) : strlen(start);
        if (size == length && strncmp(start, text, size) == 0)
            return index;
        if (!end)
            return -1;
        start = end + 1;
    }
}

/* A scalar, or one item of a list, at `target`. */
static bool parse_item(const qmt_setting *setting, const char *text, void *target)
{
    int choice;
    switch (setting->type) {
    case QMT_SETTING_BOOL: return parse_bool(text, target);
    case QMT_SETTING_INT: return parse_integer(text, setting->low, setting->high, target);
    case QMT_SETTING_UINT64: return parse_uint64(text, target);
    case QMT_SETTING_FLOAT:
    case QMT_SETTING_FLOATS: return parse_float(text, setting->low, setting->high, target);
    case QMT_SETTING_CHOICE:
        choice = find_choice(setting->choices, text);
        if (choice < 0)
            return false;
        choice += (int)setting->low;
        memcpy(target, &choice, sizeof choice);
        return true;
    case QMT_SETTING_TEXT:
    case QMT_SETTING_TEXTS:
        if (strlen(text) >= setting->count || (setting->choices && find_choice(setting->choices, text) < 0))
            return false;
        snprintf(target, setting->count, "%s", text);
        return true;
    }
    return false;
}

static size_t item_size(const qmt_setting *setting)
{
    return setting->type == QMT_SETTING_FLOATS ? sizeof(float) : setting->count;
}

static char *value_address(const qmt_setting *setting, const qmt_config *config, int net)
{
    return (char *)config + setting->offset + setting->stride * (size_t)net;
}

qmtcnn_status qmt_setting_parse(const qmt_setting *setting, qmt_config *config, int net, const char *key,
                                const char *const *items, size_t count, qmtcnn_error *error)
{
    size_t most = setting->type == QMT_SETTING_FLOATS  ? setting->count
                  : setting->type == QMT_SETTING_TEXTS ? (size_t)qmt_max_lists
                                                       : 1;
    if (count > most || (setting->type != QMT_SETTING_TEXTS && count < most)) {
        char got[32];
        snprintf(got, sizeof got, "%zu values", count);
        return wrong_value(setting, key, got, error);
    }
    int first = net < 0 ? 0 : net, last = net < 0 ? qmt_net_count - 1 : net;
    if (!setting->stride)
        first = last = 0;
    for (int n = first; n <= last; n++) {
        char *target = value_address(setting, config, n);
        for (size_t i = 0; i < count; i++) {
            if (!parse_item(setting, items[i], target + i * item_size(setting)))
                return wrong_value(setting, key, items[i], error);
        }
    }
    if (setting->type == QMT_SETTING_TEXTS) {
        int number = (int)count;
        memcpy((char *)config + setting->number_offset, &number, sizeof number);
    }
    return QMTCNN_OK;
}

/* The shortest decimal that reads back to the same float. */
static void print_float(float value, qmt_text *text)
{
    char shortest[32];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(shortest, sizeof shortest, "%.*g", digits, (double)value);
        if (strtof(shortest, NULL) == value)
            break;
    }
    qmt_text_add(text, "%s", shortest);
}

static void print_choice(const qmt_setting *setting, const char *address, qmt_text *text)
{
    int value;
    memcpy(&value, address, sizeof value);
    const char *start = setting->choices;
    for (int i = (int)setting->low; i < value && start; i++) {
        start = strchr(start, '|');
        start = start ? start + 1 : NULL;
    }
    if (start)
        qmt_text_add(text, "%.*s", (int)strcspn(start, "|"), start);
}

void qmt_setting_print(const qmt_setting *setting, const qmt_config *config, int net, qmt_text *text)
{
    const char *address = value_address(setting, config, net);
    int number = (int)setting->count;
    if (setting->type == QMT_SETTING_TEXTS)
        memcpy(&number, (const char *)config + setting->number_offset, sizeof number);
    switch (setting->type) {
    case QMT_SETTING_BOOL: qmt_text_add(text, "%s", *(const bool *)address ? "true" : "false"); break;
    case QMT_SETTING_INT: qmt_text_add(text, "%d", *(const int *)(const void *)address); break;
    case QMT_SETTING_UINT64: qmt_text_add(text, "%" PRIu64, *(const uint64_t *)(const void *)address); break;
    case QMT_SETTING_FLOAT: print_float(*(const float *)(const void *)address, text); break;
    case QMT_SETTING_CHOICE: print_choice(setting, address, text); break;
    case QMT_SETTING_TEXT: qmt_text_add_quoted(text, address); break;
    case QMT_SETTING_FLOATS:
    case QMT_SETTING_TEXTS:
        qmt_text_add(text, "[");
        for (int i = 0; i < number; i++) {
            const char *item = address + (size_t)i * item_size(setting);
            qmt_text_add(text, "%s", i ? ", " : "");
            if (setting->type == QMT_SETTING_FLOATS)
                print_float(*(const float *)(const void *)item, text);
            else
                qmt_text_add_quoted(text, item);
        }
        qmt_text_add(text, "]");
        break;
    }
}
