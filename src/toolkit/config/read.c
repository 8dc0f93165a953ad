/* A configuration from YAML. */
#include "toolkit/base/file.h"
#include "toolkit/config/document.h"
#include "toolkit/config/schema.h"

#include <stdio.h>
#include <string.h>

enum { key_size = 128, most_items = 16, most_bases = 4 };

/* What all steps of one file share. */
struct reading {
    const char *name;
    const char *path; /* NULL: not a file */
    int depth;        /* files that this one is the base of */
    yaml_document_t *document;
    qmt_config *config;
    qmtcnn_error *error;
};

static yaml_node_t *node_at(const struct reading *reading, int number)
{
    return yaml_document_get_node(reading->document, number);
}

static const char *kind_of(const yaml_node_t *node)
{
    switch (node->type) {
    case YAML_MAPPING_NODE: return "a mapping";
    case YAML_SEQUENCE_NODE: return "a list";
    case YAML_SCALAR_NODE: return "a value";
    default: return "nothing";
    }
}

/* Every key must be a text, and there only once. */
static qmtcnn_status check_keys(const struct reading *reading, const yaml_node_t *mapping, const yaml_node_pair_t *last)
{
    const yaml_node_pair_t *pairs = mapping->data.mapping.pairs.start;
    const yaml_node_t *key = node_at(reading, last->key);
    if (key->type != YAML_SCALAR_NODE)
        return qmt_yaml_fail(reading->error, reading->name, key->start_mark, "a key must be a text, not %s",
                             kind_of(key));
    for (const yaml_node_pair_t *pair = pairs; pair < last; pair++) {
        const yaml_node_t *before = node_at(reading, pair->key);
        if (qmt_same_key(qmt_yaml_text(before), qmt_yaml_text(key)))
            return qmt_yaml_fail(reading->error, reading->name, key->start_mark,
                                 "'%.60s' is here for the second time; first in line %zu", qmt_yaml_text(key),
                                 before->start_mark.line + 1);
    }
    return QMTCNN_OK;
}

static qmtcnn_status read_items(const struct reading *reading, const yaml_node_t *value, const char *key,
                                const char **items, size_t *count)
{
    *count = 0;
    for (const yaml_node_item_t *item = value->data.sequence.items.start; item < value->data.sequence.items.top;
         item++) {
        const yaml_node_t *node = node_at(reading, *item);
        if (node->type != YAML_SCALAR_NODE)
            return qmt_yaml_fail(reading->error, reading->name, node->start_mark,
                                 "'%s': an item must be a value, not %s", key, kind_of(node));
        if (*count < most_items)
            items[*count] = qmt_yaml_text(node);
        ++*count;
    }
    return QMTCNN_OK;
}

static qmtcnn_status read_value(const struct reading *reading, const qmt_setting *setting, int net, const char *key,
                                const yaml_node_t *value)
{
    const char *items[most_items];
    size_t count = 1;
    bool text = setting->type == QMT_SETTING_TEXT || setting->type == QMT_SETTING_TEXTS;
    if (value->type == YAML_MAPPING_NODE || (value->type == YAML_SEQUENCE_NODE) != qmt_setting_is_list(setting))
        return qmt_yaml_fail(reading->error, reading->name, value->start_mark, "'%s' takes %s, not %s", key,
                             qmt_setting_is_list(setting) ? "a list" : "one value", kind_of(value));
    if (value->type == YAML_SCALAR_NODE) {
        items[0] = qmt_yaml_text(value);
        bool plain = value->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        if (plain && !items[0][0])
            return qmt_yaml_fail(reading->error, reading->name, value->start_mark, "'%s' has no value", key);
        if (!plain && !text)
            return qmt_yaml_fail(reading->error, reading->name, value->start_mark,
                                 "'%s' takes no text; leave the quotation marks away", key);
    } else {
        qmtcnn_status status = read_items(reading, value, key, items, &count);
        if (status != QMTCNN_OK)
            return status;
    }
    if (qmt_setting_parse(setting, reading->config, net, key, items, count, reading->error) != QMTCNN_OK)
        return qmt_yaml_fail_in(reading->error, reading->name, value->start_mark);
    return QMTCNN_OK;
}

static qmtcnn_status unknown_key(const struct reading *reading, const yaml_node_t *node, const char *key)
{
    qmt_unknown_key(key, reading->error);
    return qmt_yaml_fail_in(reading->error, reading->name, node->start_mark);
}

/* The settings in a section (net -1) or in a network's part of it. */
static qmtcnn_status read_settings(const struct reading *reading, const char *section, int net,
                                   const yaml_node_t *mapping)
{
    const yaml_node_pair_t *top = mapping->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < top; pair++) {
        const yaml_node_t *key = node_at(reading, pair->key), *value = node_at(reading, pair->value);
        qmtcnn_status status = check_keys(reading, mapping, pair);
        if (status != QMTCNN_OK)
            return status;
        if (net < 0 && qmt_find_section(section)->stride && qmt_find_net(qmt_yaml_text(key)) >= 0)
            continue; /* read after the general values, wherever it stands */
        char dotted[key_size];
        snprintf(dotted, sizeof dotted, "%s.%s%s%.60s", section, net < 0 ? "" : qmt_net_name((qmt_net_id)net),
                 net < 0 ? "" : ".", qmt_yaml_text(key));
        const qmt_setting *setting = qmt_find_setting(section, qmt_yaml_text(key));
        if (!setting)
            return unknown_key(reading, key, dotted);
        status = read_value(reading, setting, net, dotted, value);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}

static qmtcnn_status read_section(const struct reading *reading, const yaml_node_t *key, const yaml_node_t *value)
{
    const qmt_setting *first = qmt_find_section(qmt_yaml_text(key));
    if (!first)
        return unknown_key(reading, key, qmt_yaml_text(key));
    if (value->type == YAML_SCALAR_NODE && !qmt_yaml_text(value)[0])
        return QMTCNN_OK; /* "train:" with all its lines commented out */
    if (value->type != YAML_MAPPING_NODE)
        return qmt_yaml_fail(reading->error, reading->name, value->start_mark, "'%s' takes a mapping, not %s",
                             first->section, kind_of(value));
    qmtcnn_status status = read_settings(reading, first->section, -1, value);
    const yaml_node_pair_t *top = value->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = value->data.mapping.pairs.start;
         pair < top && status == QMTCNN_OK && first->stride; pair++) {
        const yaml_node_t *part = node_at(reading, pair->value);
        int net = qmt_find_net(qmt_yaml_text(node_at(reading, pair->key)));
        if (net < 0 || (part->type == YAML_SCALAR_NODE && !qmt_yaml_text(part)[0]))
            continue;
        if (part->type != YAML_MAPPING_NODE)
            return qmt_yaml_fail(reading->error, reading->name, part->start_mark, "'%s.%s' takes a mapping, not %s",
                                 first->section, qmt_net_name((qmt_net_id)net), kind_of(part));
        status = read_settings(reading, first->section, net, part);
    }
    return status;
}

static qmtcnn_status read_file(const char *path, int depth, qmt_config *config, qmtcnn_error *error);

static bool is_base(const struct reading *reading, const yaml_node_pair_t *pair)
{
    return strcmp(qmt_yaml_text(node_at(reading, pair->key)), "base") == 0;
}

/* "base: FILE": that file's settings come first. Relative to the folder of the file that names it. */
static qmtcnn_status read_base(const struct reading *reading, const yaml_node_t *value)
{
    const char *file = value->type == YAML_SCALAR_NODE ? qmt_yaml_text(value) : "";
    if (!file[0])
        return qmt_yaml_fail(reading->error, reading->name, value->start_mark,
                             "'base' takes the name of a file whose settings come first");
    if (!reading->path)
        return qmt_yaml_fail(reading->error, reading->name, value->start_mark, "'base' is for files only");
    if (reading->depth == most_bases)
        return qmt_yaml_fail(reading->error, reading->name, value->start_mark,
                             "'base': over %d files, one the base of the other; do they name each other?", most_bases);
    const char *slash = strrchr(reading->path, '/');
    const int folder = slash && file[0] != '/' ? (int)(slash - reading->path + 1) : 0;
    char *path = qmt_format("%.*s%s", folder, reading->path, file);
    if (!path)
        return qmt_fail_memory(reading->error, strlen(file), "a path");
    qmtcnn_status status = read_file(path, reading->depth + 1, reading->config, reading->error);
    if (status == QMTCNN_ERROR_IO)
        qmt_yaml_fail_in(reading->error, reading->name, value->start_mark);
    qmt_free(path);
    return status;
}

static qmtcnn_status read_root(const struct reading *reading)
{
    const yaml_node_t *root = yaml_document_get_root_node(reading->document);
    if (!root || (root->type == YAML_SCALAR_NODE && !qmt_yaml_text(root)[0]))
        return QMTCNN_OK; /* an empty file: all defaults */
    if (root->type != YAML_MAPPING_NODE)
        return qmt_yaml_fail(reading->error, reading->name, root->start_mark,
                             "a configuration is a mapping of sections (run, data, train ...), not %s", kind_of(root));
    const yaml_node_pair_t *first = root->data.mapping.pairs.start, *top = root->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = first; pair < top; pair++) {
        qmtcnn_status status = check_keys(reading, root, pair);
        if (status == QMTCNN_OK && is_base(reading, pair))
            status = read_base(reading, node_at(reading, pair->value));
        if (status != QMTCNN_OK)
            return status;
    }
    for (const yaml_node_pair_t *pair = first; pair < top; pair++) {
        qmtcnn_status status = QMTCNN_OK;
        if (!is_base(reading, pair))
            status = read_section(reading, node_at(reading, pair->key), node_at(reading, pair->value));
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}

static qmtcnn_status parse(const void *data, size_t size, const char *name, const char *path, int depth,
                           qmt_config *config, qmtcnn_error *error)
{
    yaml_document_t document;
    qmtcnn_error local = {QMTCNN_OK, ""};
    qmt_config result = *config;
    struct reading reading = {name, path, depth, &document, &result, error ? error : &local};
    qmtcnn_status status = qmt_yaml_load(data, size, name, &document, reading.error);
    if (status != QMTCNN_OK)
        return status;
    status = read_root(&reading);
    yaml_document_delete(&document);
    if (status == QMTCNN_OK)
        *config = result;
    return status;
}

static qmtcnn_status read_file(const char *path, int depth, qmt_config *config, qmtcnn_error *error)
{
    void *data;
    size_t size;
    qmtcnn_status status = qmt_file_read(path, qmt_yaml_limit, &data, &size, error);
    if (status != QMTCNN_OK)
        return status;
    status = parse(data, size, path, path, depth, config, error);
    qmt_free(data);
    return status;
}

qmtcnn_status qmt_config_parse(const void *data, size_t size, const char *name, qmt_config *config, qmtcnn_error *error)
{
    return parse(data, size, name, NULL, 0, config, error);
}

qmtcnn_status qmt_config_read(const char *path, qmt_config *config, qmtcnn_error *error)
{
    return read_file(path, 0, config, error);
}
