/* Values by dotted key, defaults, and checks of values against each other. */
#include "toolkit/config/schema.h"

#include <stdio.h>
#include <string.h>

enum { key_size = 128, most_items = 16, item_bytes = qmt_path_size * qmt_max_lists + 64 };

/* Cuts "a, b" (or "[a, b]") in place at commas, without the spaces around. Returns the number of items, at most `limit`
 * + 1. */
static size_t split_items(char *text, const char **items, size_t limit)
{
    size_t count = 0, length = strlen(text);
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text[length - 1] = 0;
        text++;
    }
    if (!text[strspn(text, " ")])
        return 0;
    for (char *start = text; start;) {
        char *comma = strchr(start, ',');
        if (comma)
            *comma = 0;
        start += strspn(start, " ");
        size_t size = strlen(start);
        while (size > 0 && start[size - 1] == ' ')
            start[--size] = 0;
        if (count < limit)
            items[count] = start;
        if (++count > limit)
            break;
        start = comma ? comma + 1 : NULL;
    }
    return count;
}

static qmtcnn_status set_from_text(const qmt_setting *setting, qmt_config *config, int net, const char *key,
                                   const char *value, qmtcnn_error *error)
{
    if (!qmt_setting_is_list(setting))
        return qmt_setting_parse(setting, config, net, key, &value, 1, error);
    char copy[item_bytes];
    const char *items[most_items];
    if (strlen(value) >= sizeof copy)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "'%s': the list is longer than %zu bytes", key, sizeof copy - 1);
    snprintf(copy, sizeof copy, "%s", value);
    size_t count = split_items(copy, items, most_items);
    return qmt_setting_parse(setting, config, net, key, items, count, error);
}

void qmt_config_default(qmt_config *config)
{
    size_t count;
    const qmt_setting *settings = qmt_settings(&count);
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < count; i++) {
        const char *text = settings[i].fallback;
        for (int net = 0; net < (settings[i].stride ? qmt_net_count : 1); net++) {
            char one[64];
            snprintf(one, sizeof one, "%.*s", (int)strcspn(text, "|"), text);
            set_from_text(&settings[i], config, net, settings[i].name, one, NULL);
            if (strchr(text, '|'))
                text = strchr(text, '|') + 1;
        }
    }
}

/* Finds "section.name" or "section.net.name". *net: -1 where no network is named. */
static const qmt_setting *find_key(const char *key, int *net)
{
    char copy[key_size];
    *net = -1;
    if (strlen(key) >= sizeof copy)
        return NULL;
    snprintf(copy, sizeof copy, "%s", key);
    char *name = strchr(copy, '.');
    if (!name)
        return NULL;
    *name++ = 0;
    char *rest = strchr(name, '.');
    if (rest) {
        *rest++ = 0;
        *net = qmt_find_net(name);
        if (*net < 0)
            return NULL;
        name = rest;
    }
    const qmt_setting *setting = qmt_find_setting(copy, name);
    return setting && (*net < 0 || setting->stride) ? setting : NULL;
}

bool qmt_config_has(const char *key)
{
    int net;
    return find_key(key, &net) != NULL;
}

qmtcnn_status qmt_unknown_key(const char *key, qmtcnn_error *error)
{
    size_t count;
    const qmt_setting *settings = qmt_settings(&count);
    const char *last = strrchr(key, '.');
    last = last ? last + 1 : key;
    qmt_nearest nearest;
    qmt_nearest_start(&nearest, key);
    for (size_t i = 0; i < count; i++) {
        char candidate[key_size];
        snprintf(candidate, sizeof candidate, "%s.%s", settings[i].section, settings[i].name);
        qmt_nearest_try(&nearest, candidate);
        for (int net = 0; settings[i].stride && strchr(key, '.') != strrchr(key, '.') && net < qmt_net_count; net++) {
            snprintf(candidate, sizeof candidate, "%s.%s.%s", settings[i].section, qmt_net_name((qmt_net_id)net),
                     settings[i].name);
            qmt_nearest_try(&nearest, candidate);
        }
    }
    if (!strchr(key, '.')) { /* a section, mistyped */
        for (size_t i = 0; i < count; i++)
            qmt_nearest_try(&nearest, settings[i].section);
    }
    const char *found = qmt_nearest_found(&nearest);
    if (found)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "unknown key '%.60s'; did you mean '%s'?", key, found);
    /* The right name in the wrong section, or without one. */
    for (size_t i = 0; i < count; i++) {
        if (qmt_same_key(settings[i].name, last))
            return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "unknown key '%.60s'; did you mean '%s.%s'?", key,
                            settings[i].section, settings[i].name);
    }
    return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "unknown key '%.60s'; `qmtcnn --help-config` lists all keys", key);
}

qmtcnn_status qmt_config_set(qmt_config *config, const char *key, const char *value, qmtcnn_error *error)
{
    int net;
    const qmt_setting *setting = find_key(key, &net);
    if (!setting)
        return qmt_unknown_key(key, error);
    return set_from_text(setting, config, net, key, value, error);
}
