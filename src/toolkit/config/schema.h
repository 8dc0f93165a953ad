/* The table of all settings. Reading, overriding, defaults, YAML text and help come from it and from nothing else. */
#ifndef QMT_CONFIG_SCHEMA_H
#define QMT_CONFIG_SCHEMA_H

#include "toolkit/config/config.h"
#include "toolkit/config/nearest.h"
#include "toolkit/config/text.h"

typedef enum qmt_setting_type {
    QMT_SETTING_BOOL,
    QMT_SETTING_INT,
    QMT_SETTING_UINT64,
    QMT_SETTING_FLOAT,
    QMT_SETTING_FLOATS, /* exactly `count` of them */
    QMT_SETTING_CHOICE, /* an enum: the first of `choices` is the value `low`, the others follow */
    QMT_SETTING_TEXT,   /* char[count], zero included; only one of `choices` where there are any */
    QMT_SETTING_TEXTS   /* char[qmt_max_lists][count], and an int with their number at `number_offset` */
} qmt_setting_type;

typedef struct qmt_setting {
    const char *section, *name;
    qmt_setting_type type;
    size_t offset; /* in qmt_config; for per-network settings that of P-Net */
    size_t stride; /* from one network to the next; 0: not per network */
    size_t count;
    double low, high;
    const char *choices;  /* "a|b|c" */
    const char *fallback; /* default as text, or one for each network: "512|512|256" */
    const char *help;
    size_t number_offset;
} qmt_setting;

const qmt_setting *qmt_settings(size_t *count);
/* Section `name`, hyphens counting as underscores: the first of its settings, or NULL. */
const qmt_setting *qmt_find_section(const char *name);
const qmt_setting *qmt_find_setting(const char *section, const char *name);
/* Equal, where hyphens count as underscores. */
bool qmt_same_key(const char *a, const char *b);
/* The network of that name, or -1. */
int qmt_find_net(const char *name);

/* One value from text, over what `config` holds. `net` -1: all networks. `key` is for messages, which name no place:
 * "'train.epochs': expected ...". Lists are given as items. */
qmtcnn_status qmt_setting_parse(const qmt_setting *setting, qmt_config *config, int net, const char *key,
                                const char *const *items, size_t count, qmtcnn_error *error);
/* Appends a network's value (0 where not per network) as YAML. */
void qmt_setting_print(const qmt_setting *setting, const qmt_config *config, int net, qmt_text *text);
bool qmt_setting_is_list(const qmt_setting *setting);
/* Do all networks have the same value? */
bool qmt_setting_is_uniform(const qmt_setting *setting, const qmt_config *config);
/* Appends "integer, 1 to 100". */
void qmt_setting_print_type(const qmt_setting *setting, qmt_text *text);
/* Fails with "unknown key ...; did you mean ...?". `key` is dotted. */
qmtcnn_status qmt_unknown_key(const char *key, qmtcnn_error *error);

#endif
