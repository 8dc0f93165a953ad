/* The configuration as YAML, and the table of keys. */
#include "toolkit/config/schema.h"

#include <stdio.h>
#include <string.h>

bool qmt_setting_is_uniform(const qmt_setting *setting, const qmt_config *config)
{
    if (!setting->stride)
        return true;
    qmt_text values[qmt_net_count] = {{0}};
    bool same = true;
    for (int net = 0; net < qmt_net_count; net++) {
        qmt_setting_print(setting, config, net, &values[net]);
        same = same && values[net].data && values[0].data && values[net].size == values[0].size &&
               memcmp(values[net].data, values[0].data, values[0].size) == 0;
    }
    for (int net = 0; net < qmt_net_count; net++)
        qmt_free(values[net].data);
    return same;
}

static void print_line(const qmt_setting *setting, const qmt_config *config, int net, int indent, qmt_text *text)
{
    qmt_text_add(text, "%*s%s: ", indent, "", setting->name);
    qmt_setting_print(setting, config, net, text);
    qmt_text_add(text, "\n");
}

/* Is the name one of those between commas? NULL: all names are. */
static bool is_listed(const char *name, const char *list)
{
    for (const char *at = list; at && *at;) {
        const size_t length = strcspn(at, ",");
        if (strlen(name) == length && strncmp(name, at, length) == 0)
            return true;
        at += length + (at[length] == ',');
    }
    return !list;
}

static void print_section(const qmt_setting *settings, size_t count, const qmt_config *config, qmt_text *text)
{
    qmt_text_add(text, "%s:\n", settings[0].section);
    for (size_t i = 0; i < count; i++)
        if (qmt_setting_is_uniform(&settings[i], config))
            print_line(&settings[i], config, 0, 2, text);
    for (int net = 0; net < qmt_net_count && settings[0].stride; net++) {
        bool started = false;
        for (size_t i = 0; i < count; i++) {
            if (qmt_setting_is_uniform(&settings[i], config))
                continue;
            if (!started)
                qmt_text_add(text, "  %s:\n", qmt_net_name((qmt_net_id)net));
            started = true;
            print_line(&settings[i], config, net, 4, text);
        }
    }
}

char *qmt_config_text(const qmt_config *config)
{
    return qmt_config_text_of(config, NULL);
}

char *qmt_config_text_of(const qmt_config *config, const char *sections)
{
    size_t count, next;
    const qmt_setting *settings = qmt_settings(&count);
    qmt_text text = {0};
    for (size_t first = 0; first < count; first = next) {
        const char *section = settings[first].section;
        for (next = first; next < count && strcmp(settings[next].section, section) == 0;)
            next++;
        if (is_listed(section, sections))
            print_section(settings + first, next - first, config, &text);
    }
    return qmt_text_take(&text);
}

static void print_default(const qmt_setting *setting, const qmt_config *defaults, qmt_text *text)
{
    bool uniform = qmt_setting_is_uniform(setting, defaults);
    for (int net = 0; net < (uniform ? 1 : qmt_net_count); net++) {
        qmt_text_add(text, "%s", net ? " / " : "");
        qmt_setting_print(setting, defaults, net, text);
    }
}

char *qmt_config_help(void)
{
    enum { type_column = 36, default_column = 68, help_column = 92 };
    size_t count;
    const qmt_setting *settings = qmt_settings(&count);
    qmt_config defaults;
    qmt_config_default(&defaults);
    qmt_text text = {0};
    qmt_text_add(&text, "A configuration file holds what differs from these; \"base: FILE\" in it takes that file's "
                        "settings first.\n\n");
    qmt_text_add(&text, "Key");
    qmt_text_pad(&text, type_column);
    qmt_text_add(&text, "Values");
    qmt_text_pad(&text, default_column);
    qmt_text_add(&text, "Default");
    qmt_text_pad(&text, help_column);
    qmt_text_add(&text, "Meaning\n");
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(settings[i].section, settings[i - 1].section) != 0)
            qmt_text_add(&text, "\n");
        qmt_text_add(&text, "%s.%s", settings[i].section, settings[i].name);
        qmt_text_pad(&text, type_column);
        qmt_setting_print_type(&settings[i], &text);
        qmt_text_pad(&text, default_column);
        print_default(&settings[i], &defaults, &text);
        qmt_text_pad(&text, help_column);
        qmt_text_add(&text, "%s\n", settings[i].help);
    }
    qmt_text_add(&text,
                 "\nprepare.* and train.* hold one value for each network: `train.epochs` sets all three,\n"
                 "`train.pnet.epochs` one; three defaults (a / b / c) are those of P-, R- and O-Net.\n"
                 "In YAML: `train: {epochs: 10, pnet: {epochs: 5}}`; on the command line: `--train.pnet.epochs 5`.\n");
    return qmt_text_take(&text);
}
