/* What the keys of a run's steps are made of (steps.h). */
#include "toolkit/pipeline/run.h"

#include "toolkit/base/file.h"
#include "toolkit/pipeline/data_key.h"

qmtcnn_status qmt_run_net_key(qmt_run *run, const char *name, const char *sections, qmt_net_id net, uint64_t *key,
                              qmtcnn_error *error)
{
    qmt_config alike = *run->config, defaults;
    qmt_config_default(&defaults);
    for (int i = 0; i < qmt_net_count; i++) {
        alike.prepare[i] = alike.prepare[net];
        alike.train[i] = alike.train[net];
        qmt_train_config_drop_habits(&alike.train[i]);
    }
    qmt_data_config_drop_folders(&alike.data);
    if (alike.prepare[net].mine)
        alike.detect = qmt_detect_config_of_mining(&run->config->detect);
    else
        alike.detect = defaults.detect;
    char *text = qmt_config_text(&alike);
    if (!text)
        return qmt_fail_memory(error, sizeof alike, "the configuration");
    *key = qmt_step_key_for(&run->steps, text, name, sections);
    qmt_free(text);
    return QMTCNN_OK;
}

/* The first rank looks; a number of 64 bits travels to the others as two doubles. */
static qmtcnn_status take_data(qmt_run *run, const qmt_data_config *data, const char *folder, bool train,
                               qmtcnn_error *error)
{
    static const char *const splits[] = {"val", "train"};
    qmtcnn_status status = QMTCNN_OK;
    double halves[4] = {0};
    for (int i = 0; status == QMTCNN_OK && i < 1 + train && qmt_ranks_rank(run->ranks) == 0; i++) {
        uint64_t key = 0;
        status = qmt_data_key(data, folder, splits[i], &key, error);
        halves[2 * i] = (double)(key >> 32);
        halves[2 * i + 1] = (double)(key & UINT32_MAX);
    }
    qmtcnn_status agreed = qmt_ranks_agree(run->ranks, status);
    if (agreed != QMTCNN_OK)
        return status != QMTCNN_OK ? status : qmt_fail(error, agreed, "another rank stopped; see its message");
    status = qmt_ranks_sum_double(run->ranks, halves, 4, error);
    for (int i = 0; i < 2; i++)
        qmt_step_mix(&run->steps, (uint64_t)halves[2 * i] << 32 | (uint64_t)halves[2 * i + 1]);
    return status;
}

qmtcnn_status qmt_run_take_data(qmt_run *run, qmtcnn_error *error)
{
    return take_data(run, &run->config->data, run->data, true, error);
}

/* The data settings without those that choose among the training pictures. */
static qmt_data_config real_data_config(const qmt_run *run)
{
    qmt_data_config data = run->config->data;
    data.leave_outs = 0;
    return data;
}

qmtcnn_status qmt_run_open_real(const qmt_run *run, qmt_dataset **dataset, qmtcnn_error *error)
{
    const qmt_data_config data = real_data_config(run);
    return qmt_dataset_open_as(&data, run->config->evaluate.real_data, "val", dataset, error);
}

qmtcnn_status qmt_run_take_real_data(qmt_run *run, qmtcnn_error *error)
{
    const qmt_data_config data = real_data_config(run);
    return take_data(run, &data, run->config->evaluate.real_data, false, error);
}

/* Files export what export.profile says, so its bytes count, and not only its name. */
qmtcnn_status qmt_run_take_profile(qmt_run *run, qmtcnn_error *error)
{
    const char *profile = run->config->export.profile;
    uint64_t hash = 0;
    if (!qmt_file_exists(profile)) /* a name, or a file whose absence the export reports */
        return QMTCNN_OK;
    qmtcnn_status status = qmt_file_hash(profile, &hash, error);
    qmt_step_mix(&run->steps, hash);
    return status;
}
