#include "toolkit/report/findings.h"

#include "toolkit/data/store.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

double qmt_finding_threshold(qmt_finding_kind kind)
{
    switch (kind) {
    case QMT_FINDING_DEAD: return 0.1;
    case QMT_FINDING_SATURATED: return 0.01; /* the usual percentile clips 1 in 10,000 */
    case QMT_FINDING_REPEATED: return 4;
    case QMT_FINDING_UNSEEN: return 0.1;
    case QMT_FINDING_MISSING: return 0;
    }
    return NAN;
}

const char *qmt_finding_name(qmt_finding_kind kind)
{
    static const char *const names[] = {"dead", "saturated", "repeated", "unseen", "missing"};
    return names[kind];
}

QMT_PRINTF(6, 7)
static void add(qmt_findings *findings, qmt_finding_kind kind, qmt_net_id net, const char *what, double value,
                const char *format, ...)
{
    va_list arguments;
    if (findings->count == qmt_most_findings)
        return;
    qmt_finding *finding = &findings->items[findings->count++];
    finding->kind = kind;
    finding->net = net;
    finding->value = value;
    snprintf(finding->what, sizeof finding->what, "%s", what);
    va_start(arguments, format);
    vsnprintf(finding->text, sizeof finding->text, format, arguments);
    va_end(arguments);
}

/* ---- Layers ---------------------------------------------------------------------------------- */

static void add_dead(qmt_findings *findings, const qmt_layer_difference *layer)
{
    const char *net = qmt_net_name(layer->net);
    double share = layer->channels > 0 ? (double)layer->dead / layer->channels : 0;
    if (share < qmt_finding_threshold(QMT_FINDING_DEAD))
        return;
    if (layer->dead - layer->dead_fp32 > layer->dead / 2)
        add(findings, QMT_FINDING_DEAD, layer->net, layer->name, share,
            "%s/%s: %d of %d channels were 0 for all inputs in INT8, only %d of them without quantization: their "
            "values "
            "are under half a step. Lower the range of the layer's output (a histogram or MSE observer instead of the "
            "largest value), or keep the layer after it in FP32.",
            net, layer->name, layer->dead, layer->channels, layer->dead_fp32);
    else
        add(findings, QMT_FINDING_DEAD, layer->net, layer->name, share,
            "%s/%s: %d of %d channels never fired, without quantization too. They died in training and learn nothing "
            "any more: train with batch normalization (train.batch_norm), a lower train.learning_rate or a longer "
            "train.warmup_steps, or with PReLU (train.activation).",
            net, layer->name, layer->dead, layer->channels);
}

static void add_layer(qmt_findings *findings, const qmt_layer_difference *layer)
{
    add_dead(findings, layer);
    if (layer->saturation >= qmt_finding_threshold(QMT_FINDING_SATURATED))
        add(findings, QMT_FINDING_SATURATED, layer->net, layer->name, layer->saturation,
            "%s/%s: %.1f %% of its outputs are at the last step of the next layer's quantizer, so larger ones can't be "
            "told apart. Calibrate by the largest value (quantize.calibration_observer: minmax), or by histogram with "
            "a "
            "higher quantize.percentile, and with more quantize.calibration_batches.",
            qmt_net_name(layer->net), layer->name, 100 * layer->saturation);
}

/* ---- Samples --------------------------------------------------------------------------------- */

bool qmt_class_uses(const char *manifest, const qmt_train_config *train, qmt_class_use uses[4])
{
    json_t *root = json_loads(manifest, JSON_REJECT_DUPLICATES, NULL);
    const json_t *counts = json_object_get(root, "counts");
    double ratio = 0, all = 0;
    for (int c = 0; c < qmt_class_count; c++) {
        const json_t *count = json_object_get(counts, qmt_class_name((qmt_sample_class)c));
        const json_int_t value = json_is_integer(count) ? json_integer_value(count) : 0;
        uses[c] = (qmt_class_use){.samples = value > 0 ? (double)value * (1 - (double)train->holdout) : 0};
        if (uses[c].samples > 0 && train->ratio[c] > 0) {
            ratio += (double)train->ratio[c];
            all += uses[c].samples;
        }
    }
    json_decref(root);
    if (ratio <= 0 || all <= 0)
        return false;
    double steps = train->steps_per_epoch > 0 ? train->steps_per_epoch : fmax(1, floor(all / train->batch));
    for (int c = 0; c < qmt_class_count; c++) {
        if (uses[c].samples <= 0 || train->ratio[c] <= 0)
            continue;
        uses[c].share = (double)train->ratio[c] / ratio;
        uses[c].per_epoch = steps * train->batch * uses[c].share / uses[c].samples;
        uses[c].in_all = train->epochs * uses[c].per_epoch;
    }
    return true;
}

static void add_class(qmt_findings *findings, qmt_net_id net, int c, const qmt_class_use *use, double ratio)
{
    const char *name = qmt_class_name((qmt_sample_class)c);
    const double unseen = fmax(0, 1 - use->in_all);
    if (use->samples <= 0 && ratio > 0)
        add(findings, QMT_FINDING_MISSING, net, name, 0,
            "%s: there are no %s samples, although train.ratio gives them a part of the batch; the others share it. %s",
            qmt_net_name(net), name,
            c == QMT_LANDMARK ? "Give pictures with landmarks (data.landmarks), or don't use this network's points."
                              : "Prepare samples from more pictures.");
    else if (use->per_epoch >= qmt_finding_threshold(QMT_FINDING_REPEATED))
        add(findings, QMT_FINDING_REPEATED, net, name, use->per_epoch,
            "%s: each %s sample is shown %.1f times an epoch, %.0f times in all: it may be learned by heart. Prepare "
            "more "
            "of them (prepare.*_per_face, prepare.max_*, more pictures), lower its part in train.ratio, or strengthen "
            "augment.*.",
            qmt_net_name(net), name, use->per_epoch, use->in_all);
    else if (use->samples > 0 && ratio > 0 && unseen >= qmt_finding_threshold(QMT_FINDING_UNSEEN))
        add(findings, QMT_FINDING_UNSEEN, net, name, unseen,
            "%s: %.0f %% of the %.0f %s samples are never shown in %.1f passes. Raise train.steps_per_epoch or "
            "train.epochs, or prepare fewer.",
            qmt_net_name(net), 100 * unseen, use->samples, name, use->in_all);
}

void qmt_findings_make(const qmt_report *report, qmt_findings *findings)
{
    findings->count = 0;
    for (int net = 0; net < qmt_net_count; net++) {
        qmt_class_use uses[qmt_class_count];
        const qmt_layer_differences *layers = report->comparison ? &report->comparison->layers : NULL;
        for (size_t i = 0; layers && i < layers->count; i++)
            if (layers->layers[i].net == (qmt_net_id)net)
                add_layer(findings, &layers->layers[i]);
        if (!report->config || !report->manifests[net] ||
            !qmt_class_uses(report->manifests[net], &report->config->train[net], uses))
            continue;
        for (int c = 0; c < qmt_class_count; c++)
            add_class(findings, (qmt_net_id)net, c, &uses[c], (double)report->config->train[net].ratio[c]);
    }
}
