#include "toolkit/config/json.h"

#include "toolkit/base/file.h"
#include "toolkit/config/schema.h"

#include <string.h>

/* A value's YAML is JSON too, but for bare words and integers that JSON can't hold: those become strings. */
static json_t *value_json(const qmt_setting *setting, const qmt_config *config, int net)
{
    qmt_text text = {0};
    qmt_setting_print(setting, config, net, &text);
    char *yaml = qmt_text_take(&text);
    json_t *value = NULL;
    if (yaml && setting->type != QMT_SETTING_CHOICE)
        value = json_loads(yaml, JSON_DECODE_ANY, NULL);
    if (yaml && !value)
        value = json_string(yaml);
    qmt_free(yaml);
    return value ? value : json_null();
}

/* The settings of one section that differ between networks, below the network's name. */
static void add_network(json_t *section, const qmt_setting *settings, size_t count, const qmt_config *config, int net)
{
    json_t *own = json_object();
    for (size_t i = 0; i < count; i++)
        if (!qmt_setting_is_uniform(&settings[i], config))
            json_object_set_new(own, settings[i].name, value_json(&settings[i], config, net));
    if (json_object_size(own) > 0)
        json_object_set(section, qmt_net_name((qmt_net_id)net), own);
    json_decref(own);
}

json_t *qmt_config_json(const qmt_config *config)
{
    size_t count, next;
    const qmt_setting *settings = qmt_settings(&count);
    json_t *object = json_object();
    for (size_t first = 0; object && first < count; first = next) {
        json_t *section = json_object();
        for (next = first; next < count && strcmp(settings[next].section, settings[first].section) == 0; next++)
            if (qmt_setting_is_uniform(&settings[next], config))
                json_object_set_new(section, settings[next].name, value_json(&settings[next], config, 0));
        for (int net = 0; net < qmt_net_count && settings[first].stride; net++)
            add_network(section, settings + first, next - first, config, net);
        json_object_set_new(object, settings[first].section, section);
    }
    return object;
}

qmtcnn_status qmt_config_write(const qmt_config *config, const char *path, qmtcnn_error *error)
{
    char *text = qmt_config_text(config);
    qmtcnn_status status =
        text ? qmt_file_write(path, text, strlen(text), error) : qmt_fail_memory(error, 4096, "the settings' text");
    qmt_free(text);
    return status;
}

qmtcnn_status qmt_config_write_beside(const qmt_config *config, const char *result, qmtcnn_error *error)
{
    if (qmt_is_device(result))
        return QMTCNN_OK;
    char *path = qmt_format("%s.config.yaml", result);
    qmtcnn_status status =
        path ? qmt_config_write(config, path, error) : qmt_fail_memory(error, strlen(result) + 16, "a path");
    qmt_free(path);
    return status;
}

qmtcnn_status qmt_config_write_into(const qmt_config *config, const char *folder, qmtcnn_error *error)
{
    qmt_config *copy = qmt_alloc(1, sizeof *copy);
    char *path = qmt_path_join(folder, "config.yaml");
    qmtcnn_status status = QMTCNN_OK;
    if (copy && path) {
        *copy = *config;
        copy->run.threads = 0;
        status = qmt_config_write(copy, path, error);
    } else {
        status = qmt_fail_memory(error, sizeof *copy, "the settings");
    }
    qmt_free(path);
    qmt_free(copy);
    return status;
}
