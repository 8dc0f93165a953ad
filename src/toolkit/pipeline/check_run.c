/* What can be known before hours of training are spent. */
#include "toolkit/pipeline/run.h"

#include "toolkit/evaluate/truth.h"
#include "toolkit/net/net.h"

static qmtcnn_status check_training(const qmt_config *config, qmt_net_id net, qmtcnn_error *error)
{
    const qmt_train_config *train = &config->train[net];
    const char *name = qmt_net_name(net);
    if (config->quantize.qat && qmt_quantize_epochs(&config->quantize, train->epochs).start == 0)
        return qmt_fail(
            error, QMTCNN_ERROR_ARGUMENT,
            "'train.%s.epochs' is %d and QAT starts with the first (quantize.start_epoch): the FP32 network, "
            "from which the next one learns, would never train; give more epochs, or 'quantize.qat: false'",
            name, train->epochs);
    if (config->calibrate.scores && !(train->holdout > 0))
        return qmt_fail(
            error, QMTCNN_ERROR_ARGUMENT,
            "'calibrate.scores' goes by pictures that no network learned from, but 'train.%s.holdout' is 0; "
            "give 0.05, or 'calibrate.scores: false'",
            name);
    return QMTCNN_OK;
}

qmtcnn_status qmt_run_check_settings(const qmt_config *config, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_net_check_keep(config->quantize.keep_fp32, error);
    for (int net = 0; net < qmt_net_count && status == QMTCNN_OK; net++)
        status = check_training(config, (qmt_net_id)net, error);
    if (status == QMTCNN_OK && !config->data.dir[0] && config->synth.images > 0 && config->synth.val_images < 1)
        status = qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                          "'synth.val_images' is 0: nothing to judge the detector by; give 20 or more");
    return status;
}

static qmtcnn_status check_val(const qmt_run *run, const qmt_dataset *dataset, qmtcnn_error *error)
{
    const int least = run->config->evaluate.min_face;
    qmt_truth *truth = NULL;
    qmtcnn_status status = qmt_truth_from_dataset(dataset, least, &truth, error);
    if (status == QMTCNN_OK && qmt_truth_faces(truth, QMT_SETTING_ALL) == 0)
        status =
            qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                     "%s: none of the labeled faces of its val split counts (evaluate.min_face is %d, data.min_face "
                     "%d): nothing to judge the detector by",
                     dataset->folder, least, run->config->data.min_face);
    qmt_truth_free(truth);
    return status;
}

qmtcnn_status qmt_run_check_data(const qmt_run *run, qmtcnn_error *error)
{
    qmt_dataset *dataset = NULL;
    qmtcnn_status status = qmt_run_open_data(run, "val", &dataset, error);
    if (status == QMTCNN_OK)
        status = check_val(run, dataset, error);
    qmt_dataset_free(dataset);
    if (status != QMTCNN_OK || !run->config->evaluate.real_data[0])
        return status;
    status = qmt_run_open_real(run, &dataset, error);
    if (status == QMTCNN_OK)
        status = check_val(run, dataset, error);
    qmt_dataset_free(dataset);
    return status;
}
