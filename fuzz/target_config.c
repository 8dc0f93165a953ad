/* Configurations in YAML: what is read prints as YAML that reads back to the same. */
#include "fuzz.h"
#include "toolkit/config/config.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qmtcnn_error error = {0};
    qmt_config config, again;
    qmt_config_default(&config);
    again = config;
    qmtcnn_status status = qmt_config_parse(data, size, "input.yaml", &config, &error);
    fuzz_check_message(status, &error);
    if (status != QMTCNN_OK) {
        fuzz_check(memcmp(&config, &again, sizeof config) == 0, "a failure changed the configuration");
        return 0;
    }
    char *text = qmt_config_text(&config);
    fuzz_check(text && qmt_config_parse(text, strlen(text), "again.yaml", &again, &error) == QMTCNN_OK, error.message);
    char *second = qmt_config_text(&again);
    fuzz_check(second && strcmp(text, second) == 0, "a configuration prints, reads back and prints differently");
    qmt_free(second);
    qmt_free(text);
    qmt_config_check(&config, &error);
    return 0;
}
