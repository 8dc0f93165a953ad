/* The configuration as JSON, and as a file beside a result. */
#ifndef QMT_CONFIG_JSON_H
#define QMT_CONFIG_JSON_H

#include "toolkit/config/config.h"

#include <jansson.h>

/* {"run": {"seed": 1, ...}, "train": {"epochs": 10, "pnet": {"batch": 512, ...}, ...}, ...}: what qmt_config_text()
 * prints, by the same keys. A seed of 2^63 and more is a string, since JSON's integers end there; text that is no UTF-8
 * is null. For json_decref(); NULL when out of memory. */
json_t *qmt_config_json(const qmt_config *config);

/* Writes the whole configuration as YAML to PATH (atomically). The second writes it to "RESULT.config.yaml", the
 * place of the settings that a result file was made with. */
qmtcnn_status qmt_config_write(const qmt_config *config, const char *path, qmtcnn_error *error);
qmtcnn_status qmt_config_write_beside(const qmt_config *config, const char *result, qmtcnn_error *error);
/* The same as "FOLDER/config.yaml", with run.threads at 0: for folders whose bytes any number of threads must make
 * alike. */
qmtcnn_status qmt_config_write_into(const qmt_config *config, const char *folder, qmtcnn_error *error);

#endif
