/* What no single value shows. */
#include "toolkit/config/config.h"

#include "runtime/detect/advice.h"

#include <string.h>

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

qmt_quantize_schedule qmt_quantize_epochs(const qmt_quantize_config *config, int epochs)
{
    /* Whole epochs, rounded to the nearest in integers; where there are two, FP32 and QAT have at least one each. A
     * single one is QAT's, which only makes sense for a network that is trained already. */
    qmt_quantize_schedule schedule;
    int64_t whole = epochs;
    schedule.start = config->start_epoch >= 0 ? config->start_epoch : (int)((whole * 70 + 50) / 100);
    if (config->start_epoch < 0 && schedule.start > epochs - 1)
        schedule.start = epochs > 0 ? epochs - 1 : 0;
    int freeze = (int)((whole * 85 + 50) / 100);
    if (freeze < schedule.start)
        freeze = schedule.start;
    schedule.freeze_observers = config->freeze_observers_epoch >= 0 ? config->freeze_observers_epoch : freeze;
    schedule.freeze_batch_norm = config->freeze_batch_norm_epoch >= 0 ? config->freeze_batch_norm_epoch : freeze;
    return schedule;
}

bool qmt_calibrates_low(const qmt_config *config, qmt_net_id net)
{
    const float low = config->evaluate.thresholds[net];
    return net != QMT_ONET && config->calibrate.keep_low[net] > 0 && low > 0 && low < config->detect.thresholds[net];
}

static qmtcnn_status check_prepare(const qmt_prepare_config *prepare, const char *net, qmtcnn_error *error)
{
    if (prepare->negative_iou > prepare->part_iou || prepare->part_iou > prepare->positive_iou)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "'prepare.%s': negative_iou (%g) <= part_iou (%g) <= positive_iou (%g) does not hold", net,
                        (double)prepare->negative_iou, (double)prepare->part_iou, (double)prepare->positive_iou);
    return QMTCNN_OK;
}

static qmtcnn_status check_train(const qmt_train_config *train, const qmt_quantize_config *quantize, const char *net,
                                 qmtcnn_error *error)
{
    enum { lanes = 16 };
    if (train->batch % lanes != 0)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "'train.%s.batch' is %d; give a multiple of %d, such as %d", net,
                        train->batch, lanes, (train->batch + lanes - 1) / lanes * lanes);
    if (!(train->ratio[0] > 0) || !(train->ratio[1] > 0))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "'train.%s.ratio': the shares of negatives and of positives must be over 0, or a network can't "
                        "tell faces from anything",
                        net);
    if (!(train->learning_rate > 0))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "'train.%s.learning_rate' must be over 0", net);
    if (!(train->class_weight > 0))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "'train.%s.class_weight' must be over 0", net);
    if (!quantize->qat)
        return QMTCNN_OK;
    if (quantize->start_epoch >= train->epochs)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "'quantize.start_epoch' is %d, but 'train.%s.epochs' is %d: QAT would never start; give at "
                        "most %d, or 'quantize.qat: false'",
                        quantize->start_epoch, net, train->epochs, train->epochs - 1);
    qmt_quantize_schedule schedule = qmt_quantize_epochs(quantize, train->epochs);
    if (schedule.freeze_observers < schedule.start || schedule.freeze_batch_norm < schedule.start) {
        bool observers = schedule.freeze_observers < schedule.start;
        return qmt_fail(
            error, QMTCNN_ERROR_ARGUMENT, "'quantize.freeze_%s_epoch' is %d, before QAT starts in epoch %d of %s's %d",
            observers ? "observers" : "batch_norm", observers ? schedule.freeze_observers : schedule.freeze_batch_norm,
            schedule.start, net, train->epochs);
    }
    return QMTCNN_OK;
}

static qmtcnn_status check_sizes(const qmt_config *config, qmtcnn_error *error)
{
    const qmt_synth_config *synth = &config->synth;
    int side = synth->width < synth->height ? synth->width : synth->height;
    if (synth->min_face > synth->max_face)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "'synth.min_face' (%d) is over 'synth.max_face' (%d)",
                        synth->min_face, synth->max_face);
    if (synth->max_face > side)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "'synth.max_face' is %d, but a picture of %d x %d ('synth.width', 'synth.height') holds no "
                        "face over %d",
                        synth->max_face, synth->width, synth->height, side);
    if (config->detect.max_face && config->detect.min_face > config->detect.max_face)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "'detect.min_face' (%d) is over 'detect.max_face' (%d)",
                        config->detect.min_face, config->detect.max_face);
    return QMTCNN_OK;
}

/* "pnet/conv1, onet/conv4, conv2": where a network is named, it must be one. */
static qmtcnn_status check_keep(const char *keep, qmtcnn_error *error)
{
    while (*keep) {
        keep += strspn(keep, ", ");
        size_t length = strcspn(keep, ", ");
        const char *slash = memchr(keep, '/', length);
        bool known = !slash;
        for (int net = 0; net < qmt_net_count && slash; net++) {
            const char *name = qmt_net_name((qmt_net_id)net);
            known = known || (strlen(name) == (size_t)(slash - keep) && strncmp(keep, name, strlen(name)) == 0);
        }
        if (!known)
            return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                            "'quantize.keep_fp32': '%.*s' is no layer; give NET/LAYER, such as pnet/conv1", (int)length,
                            keep);
        keep += length;
    }
    return QMTCNN_OK;
}

static qmtcnn_status check_detect(const qmt_detect_config *detect, qmtcnn_error *error)
{
    qmtcnn_overlap overlap;
    float threshold;
    if (detect->last_nms[0] && !qmt_last_nms_parse(detect->last_nms, &overlap, &threshold))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "'detect.last_nms' is '%s'; give union:IOU or min:SHARE, 0 to 1, such as union:0.4",
                        detect->last_nms);
    if (detect->fusion != -1 && !(detect->fusion >= 0 && 4 * detect->fusion == (float)(int)(4 * detect->fusion)))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "'detect.fusion' is %g; give 0, 0.25, 0.5 or 0.75, or -1 for what the models say",
                        (double)detect->fusion);
    if (detect->vote != -1 && detect->vote != 0 && !(detect->vote >= 0.2f))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "'detect.vote' is %g; give 0 (no voting), 0.2 to 1, or -1 for what the models say",
                        (double)detect->vote);
    for (int i = 0; i < 2; i++) {
        const float iou = detect->refined_nms[i];
        if (iou != -1 && iou != 0 && !(iou >= 0.5f))
            return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                            "'detect.refined_nms' holds %g; give 0 (not), 0.5 to 1, or -1 for what the models say",
                            (double)iou);
    }
    return QMTCNN_OK;
}

static qmtcnn_status check_calibrate(const qmt_config *config, qmtcnn_error *error)
{
    const qmt_calibrate_config *calibrate = &config->calibrate;
    for (int net = QMT_PNET; net < QMT_ONET && calibrate->scores; net++)
        if (qmt_calibrates_low(config, (qmt_net_id)net) && !(calibrate->keep_low[net] > calibrate->keep[net]))
            return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                            "'calibrate.keep_low' is %g for %s, where 'calibrate.keep' is %g; a lower threshold keeps "
                            "more: give a larger share, or 0",
                            (double)calibrate->keep_low[net], qmt_net_name((qmt_net_id)net),
                            (double)calibrate->keep[net]);
    return QMTCNN_OK;
}

qmtcnn_status qmt_config_check(const qmt_config *config, qmtcnn_error *error)
{
    qmtcnn_status status = check_sizes(config, error);
    for (int net = 0; net < qmt_net_count && status == QMTCNN_OK; net++) {
        status = check_prepare(&config->prepare[net], qmt_net_name((qmt_net_id)net), error);
        if (status == QMTCNN_OK)
            status = check_train(&config->train[net], &config->quantize, qmt_net_name((qmt_net_id)net), error);
    }
    if (status == QMTCNN_OK)
        status = check_keep(config->quantize.keep_fp32, error);
    if (status == QMTCNN_OK)
        status = check_detect(&config->detect, error);
    if (status == QMTCNN_OK)
        status = check_calibrate(config, error);
    if (status != QMTCNN_OK)
        return status;
    if (!config->run.workdir[0])
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "'run.workdir' is empty; give a folder");
    const char *profile = config->export.profile;
    if (strcmp(profile, "upright") != 0 && strcmp(profile, "caffe") != 0 && !ends_with(profile, ".yaml") &&
        !ends_with(profile, ".yml"))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "'export.profile' is '%s'; give upright, caffe, or a file that ends in .yaml", profile);
    return QMTCNN_OK;
}
