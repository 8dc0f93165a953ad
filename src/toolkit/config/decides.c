/* What of the settings decides results: for keys of what was made by them. */
#include "toolkit/base/file.h"
#include "toolkit/config/config.h"

#include <string.h>

void qmt_data_config_drop_folders(qmt_data_config *data)
{
    qmt_path_keep_name(data->dir);
    for (int i = 0; i < qmt_max_lists; i++)
        qmt_path_keep_name(data->landmarks[i]);
}

void qmt_train_config_drop_habits(qmt_train_config *train)
{
    qmt_config defaults;
    qmt_config_default(&defaults);
    train->keep_checkpoints = defaults.train[0].keep_checkpoints;
    train->checkpoint_seconds = defaults.train[0].checkpoint_seconds;
    train->log_steps = defaults.train[0].log_steps;
}

qmt_detect_config qmt_detect_config_of_mining(const qmt_detect_config *detect)
{
    qmt_config defaults;
    qmt_config_default(&defaults);
    defaults.detect.scale_factor = detect->scale_factor;
    defaults.detect.max_proposals = detect->max_proposals;
    memcpy(defaults.detect.nms, detect->nms, sizeof detect->nms);
    return defaults.detect;
}
