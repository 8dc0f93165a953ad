#include "toolkit/pipeline/pipeline.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "toolkit/base/file.h"
#include "toolkit/base/stop.h"
#include "toolkit/data/prepare.h"
#include "toolkit/data/synth.h"
#include "toolkit/deploy/deploy.h"
#include "toolkit/evaluate/scores.h"
#include "toolkit/log/progress.h"
#include "toolkit/pipeline/run.h"
#include "toolkit/train/checkpoint.h"
#include "toolkit/train/train.h"

/* Formats a path below the working folder. */
static qmtcnn_status join(char path[qmt_path_size], const char *workdir, const char *name, qmtcnn_error *error)
{
    int length = snprintf(path, qmt_path_size, "%s/%s", workdir, name);
    if (length < 0 || length >= qmt_path_size)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "run.workdir '%s' is too long a path", workdir);
    return QMTCNN_OK;
}

static qmtcnn_status name_folders(qmt_run *run, qmtcnn_error *error)
{
    const char *workdir = run->config->run.workdir;
    qmtcnn_status status = join(run->samples, workdir, "samples", error);
    if (status == QMTCNN_OK)
        status = join(run->checkpoints, workdir, "checkpoints", error);
    if (status == QMTCNN_OK)
        status = join(run->logs, workdir, "logs", error);
    for (int v = 0; status == QMTCNN_OK && v < qmt_variant_count; v++) {
        char name[64];
        snprintf(name, sizeof name, "models/mtcnn_%s", qmt_variant_name((qmt_variant)v));
        status = join(run->models[v], workdir, name, error);
    }
    if (status == QMTCNN_OK)
        status = join(run->report, workdir, "report", error);
    if (status == QMTCNN_OK) {
        if (run->config->data.dir[0])
            snprintf(run->data, sizeof run->data, "%s", run->config->data.dir);
        else
            status = join(run->data, workdir, "data", error);
    }
    return status;
}

const char *qmt_variant_name(qmt_variant variant)
{
    static const char *const names[qmt_variant_count] = {"fp32", "ptq", "qat"};
    return names[variant];
}

/* Is the step's result there already? Says so. */
static bool skip(qmt_run *run, const char *name, uint64_t key, const char *output)
{
    bool done = qmt_step_done(&run->steps, name, key, output);
    if (done)
        qmt_log_info("%s: done already", name);
    return done;
}

static qmtcnn_status finish(qmt_run *run, const char *name, uint64_t key, double start, qmtcnn_error *error)
{
    if (qmt_ranks_rank(run->ranks) != 0)
        return QMTCNN_OK;
    return qmt_step_finish(&run->steps, name, key, qmt_seconds() - start, error);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static qmtcnn_status make_pictures(qmt_run *run, qmtcnn_error *error)
{
    const qmt_config *config = run->config;
    double start = qmt_seconds();
    if (config->data.dir[0])
        return QMTCNN_OK;
    uint64_t key = qmt_step_key(&run->steps, "synth", "synth");
    if (skip(run, "synth", key, "data/wider_face_split"))
        return QMTCNN_OK;
    if (config->synth.images < 1)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "no pictures: give a data set (--data DIR) or synthetic ones (--synth.images N)");
    qmtcnn_status status = QMTCNN_OK;
    if (qmt_ranks_rank(run->ranks) == 0)
        status = qmt_synth_write(&config->synth, config->run.seed, run->data, config->run.threads, error);
    if (status == QMTCNN_OK)
        status = finish(run, "synth", key, start, error);
    return status;
}

qmtcnn_status qmt_run_open_data(const qmt_run *run, const char *split, qmt_dataset **dataset, qmtcnn_error *error)
{
    return qmt_dataset_open_as(&run->config->data, run->data, split, dataset, error);
}

/* What other settings or other data began is not resumed, but begun anew, and a training (in the folder `older`, or
 * NULL) set aside. Ranks share the working folder, so the first one looks and tells the others. */
static qmtcnn_status may_resume(qmt_run *run, const char *name, uint64_t key, const char *older, bool *resume,
                                qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    bool again = false;
    if (qmt_ranks_rank(run->ranks) == 0) {
        again = qmt_step_was_started(&run->steps, name, key);
        if (!again && older) /* before the step counts as started: a kill in between may not leave it to be resumed */
            status = qmt_checkpoint_set_aside(older, error);
        if (!again && status == QMTCNN_OK)
            status = qmt_step_start(&run->steps, name, key, error);
    }
    qmtcnn_status agreed = qmt_ranks_agree(run->ranks, status);
    if (agreed != QMTCNN_OK)
        return status != QMTCNN_OK ? status : qmt_fail(error, agreed, "another rank stopped; see its message");
    double sum = again ? 1 : 0;
    status = qmt_ranks_sum_double(run->ranks, &sum, 1, error);
    *resume = sum > 0;
    return status;
}

/* Exports all variants; `calibrated`: with scores as calibration found them good. */
static qmtcnn_status export_all(qmt_run *run, bool calibrated, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    if (qmt_ranks_rank(run->ranks) != 0)
        return QMTCNN_OK;
    qmt_config *config = qmt_alloc(1, sizeof *config);
    if (!config)
        return qmt_fail_memory(error, sizeof *config, "the settings of an export");
    *config = *run->config;
    config->export.calibrated = calibrated;
    for (int v = 0; status == QMTCNN_OK && v < qmt_variant_count; v++)
        if (v != QMT_VARIANT_QAT || config->quantize.qat)
            status = qmt_export(run->checkpoints, (qmt_variant)v, config, run->models[v], error);
    qmt_free(config);
    return status;
}

/* Are calibrated models in the folders, or some that a stopped export left there? What learns from models, and
 * calibration, must find the same ones in the first run and in every later one: those with scores as trained. */
static const char calibrated_mark[] = "calibrated";

static qmtcnn_status mark_calibrated(qmt_run *run, bool calibrated, qmtcnn_error *error)
{
    return qmt_step_finish(&run->steps, calibrated_mark, calibrated ? 1 : 0, 0, error);
}

/* The first rank's files with scores as trained, and with them the need to export again. */
static qmtcnn_status undo_calibration(qmt_run *run, qmtcnn_error *error)
{
    if (qmt_ranks_rank(run->ranks) != 0 || !qmt_step_done(&run->steps, calibrated_mark, 1, "models"))
        return QMTCNN_OK;
    qmtcnn_status status = qmt_step_finish(&run->steps, "export", 0, 0, error);
    if (status == QMTCNN_OK)
        status = export_all(run, false, error);
    if (status == QMTCNN_OK)
        status = mark_calibrated(run, false, error);
    return status;
}

/* ... before all ranks read them. */
static qmtcnn_status undo_calibration_for_all(qmt_run *run, qmtcnn_error *error)
{
    qmtcnn_status status = undo_calibration(run, error);
    qmtcnn_status agreed = qmt_ranks_agree(run->ranks, status);
    if (status == QMTCNN_OK && agreed != QMTCNN_OK)
        return qmt_fail(error, agreed, "another rank stopped; see its message");
    return status;
}

static qmtcnn_status prepare_samples(qmt_run *run, qmt_net_id net, qmtcnn_error *error)
{
    const qmt_config *config = run->config;
    const qmt_prepare_config *prepare = &config->prepare[net];
    double start = qmt_seconds();
    char name[32], out[qmt_path_size + 32], manifest[64];
    snprintf(name, sizeof name, "prepare-%s", qmt_net_name(net));
    snprintf(manifest, sizeof manifest, "samples/%s/manifest.json", qmt_net_name(net));
    snprintf(out, sizeof out, "%s/%s", run->samples, qmt_net_name(net));
    uint64_t key = 0;
    qmtcnn_status status = qmt_run_net_key(run, name, "data,prepare,detect", net, &key, error);
    if (status == QMTCNN_OK && skip(run, name, key, manifest))
        return QMTCNN_OK;
    bool resume = false;
    if (status == QMTCNN_OK)
        status = may_resume(run, name, key, NULL, &resume, error);
    if (status == QMTCNN_OK && prepare->mine)
        status = undo_calibration_for_all(run, error);
    if (status != QMTCNN_OK)
        return status;
    const qmt_variant int8 = config->quantize.qat ? QMT_VARIANT_QAT : QMT_VARIANT_PTQ;
    const qmt_variant variant = strcmp(prepare->mine_precision, "int8") == 0 ? int8 : QMT_VARIANT_FP32;
    qmt_prepare_options options = {.net = net,
                                   .out = out,
                                   .models = prepare->mine ? run->models[variant] : NULL,
                                   .threads = config->run.threads,
                                   .resume = resume,
                                   .seed = config->run.seed};
    qmt_dataset *dataset = NULL;
    status = qmt_run_open_data(run, "train", &dataset, error);
    if (status == QMTCNN_OK)
        status = qmt_prepare(dataset, config, &options, run->ranks, error);
    if (status == QMTCNN_OK)
        status = finish(run, name, key, start, error);
    qmt_dataset_free(dataset);
    return status;
}

static qmtcnn_status train_network(qmt_run *run, qmt_net_id net, qmtcnn_error *error)
{
    const qmt_config *config = run->config;
    double start = qmt_seconds();
    char name[32], store[qmt_path_size + 32], older[qmt_path_size + 32], best[64];
    snprintf(name, sizeof name, "train-%s", qmt_net_name(net));
    snprintf(best, sizeof best, "models/mtcnn_fp32/%s.onnx", qmt_net_name(net));
    snprintf(store, sizeof store, "%s/%s", run->samples, qmt_net_name(net));
    uint64_t key = 0;
    qmtcnn_status status = qmt_run_net_key(run, name, "train,quantize,augment", net, &key, error);
    if (status == QMTCNN_OK && skip(run, name, key, best))
        return QMTCNN_OK;
    bool resume = false;
    snprintf(older, sizeof older, "%s/%s", run->checkpoints, qmt_net_name(net));
    if (status == QMTCNN_OK)
        status = may_resume(run, name, key, older, &resume, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_train_options options = {.net = net,
                                 .store = store,
                                 .checkpoints = run->checkpoints,
                                 .logs = run->logs,
                                 .pictures = run->data,
                                 .models = run->models[QMT_VARIANT_FP32],
                                 .resume = resume,
                                 .threads = config->run.threads,
                                 .seed = config->run.seed};
    status = qmt_train(config, &options, run->ranks, error);
    /* Exported at once: the next network learns from what this one lets through. */
    if (status == QMTCNN_OK)
        status = undo_calibration(run, error);
    if (status == QMTCNN_OK)
        status = export_all(run, false, error);
    if (status == QMTCNN_OK)
        status = finish(run, name, key, start, error);
    return status;
}

/* Fits maps for one variant; the files are those with scores as trained. */
static qmtcnn_status calibrate_variant(qmt_run *run, qmt_variant variant, const qmt_dataset *dataset,
                                       qmt_score_maps *maps, qmtcnn_error *error)
{
    qmt_network_source sources[qmt_net_count];
    qmt_sources_all(sources, run->models[variant],
                    variant == QMT_VARIANT_FP32 ? QMTCNN_PRECISION_FP32 : QMTCNN_PRECISION_AUTO);
    qmt_log_info("[calibrate] scores of %s on %zu held-out pictures", qmt_variant_name(variant),
                 dataset->picture_count);
    qmtcnn_status status = qmt_scores_fit(sources, dataset, run->config, maps, error);
    for (int net = 0; net < qmt_net_count && status == QMTCNN_OK; net++) {
        char *path = qmt_checkpoint_path(run->checkpoints, (qmt_net_id)net, variant);
        status =
            path ? qmt_file_hash(path, &maps->checkpoint[net], error) : qmt_fail_memory(error, qmt_path_size, "a path");
        qmt_free(path);
    }
    return status;
}

static qmtcnn_status calibrate_scores(qmt_run *run, qmtcnn_error *error)
{
    const qmt_config *config = run->config;
    const double start = qmt_seconds();
    double holdout = 1;
    qmt_dataset *dataset = NULL;
    qmt_score_maps maps[qmt_variant_count];
    if (!config->calibrate.scores)
        return QMTCNN_OK;
    uint64_t key = qmt_step_key(&run->steps, "calibrate", "calibrate,detect,evaluate");
    if (skip(run, "calibrate", key, "checkpoints/scores.json"))
        return QMTCNN_OK;
    qmtcnn_status status = undo_calibration(run, error);
    if (status != QMTCNN_OK || qmt_ranks_rank(run->ranks) != 0)
        return status;
    for (int net = 0; net < qmt_net_count; net++)
        holdout = fmin(holdout, (double)config->train[net].holdout);
    status = qmt_run_open_data(run, "train", &dataset, error);
    if (status == QMTCNN_OK)
        qmt_scores_hold_out(dataset, holdout);
    for (int v = 0; v < qmt_variant_count && status == QMTCNN_OK; v++) {
        qmt_score_maps_init(&maps[v]);
        if (v != QMT_VARIANT_QAT || config->quantize.qat)
            status = calibrate_variant(run, (qmt_variant)v, dataset, &maps[v], error);
    }
    if (status == QMTCNN_OK)
        status = qmt_scores_write(run->checkpoints, maps, error);
    if (status == QMTCNN_OK)
        status = finish(run, "calibrate", key, start, error);
    qmt_dataset_free(dataset);
    return status;
}

static qmtcnn_status export_models(qmt_run *run, qmtcnn_error *error)
{
    double start = qmt_seconds();
    qmt_variant last = run->config->quantize.qat ? QMT_VARIANT_QAT : QMT_VARIANT_PTQ;
    const bool tensorrt = strcmp(run->config->export.target, "tensorrt") == 0;
    char output[64];
    qmtcnn_status status = qmt_run_take_profile(run, error);
    if (status != QMTCNN_OK)
        return status;
    uint64_t key = qmt_step_key(&run->steps, "export", "export,detect");
    snprintf(output, sizeof output, "models/mtcnn_%s/%s", qmt_variant_name(last),
             tensorrt ? "build_tensorrt_engines.sh" : "onet.onnx");
    if (skip(run, "export", key, output) || qmt_ranks_rank(run->ranks) != 0)
        return QMTCNN_OK;
    const bool calibrated = run->config->calibrate.scores && run->config->export.calibrated;
    if (calibrated)
        status = mark_calibrated(run, true, error);
    if (status == QMTCNN_OK)
        status = export_all(run, calibrated, error);
    if (status == QMTCNN_OK && !calibrated)
        status = mark_calibrated(run, false, error);
    if (status == QMTCNN_OK)
        status = tensorrt ? qmt_write_tensorrt_scripts(run->models[last], run->config, error)
                          : qmt_remove_tensorrt_scripts(run->models[last], error);
    if (status == QMTCNN_OK)
        status = finish(run, "export", key, start, error);
    return status;
}

static qmtcnn_status write_report(qmt_run *run, qmtcnn_error *error)
{
    double start = qmt_seconds();
    const char *real = run->config->evaluate.real_data;
    qmtcnn_status status = real[0] ? qmt_run_take_real_data(run, error) : QMTCNN_OK;
    if (status != QMTCNN_OK)
        return status;
    uint64_t key = qmt_step_key(&run->steps, "report", "evaluate,detect,data");
    if (skip(run, "report", key, "report/index.html") || qmt_ranks_rank(run->ranks) != 0)
        return QMTCNN_OK;
    status = qmt_run_report(run, error);
    if (status == QMTCNN_OK)
        status = finish(run, "report", key, start, error);
    return status;
}

/* ---- In order -------------------------------------------------------------------------------- */

/* A step that was stopped, or all ranks' bad news; the message says how to go on. */
static qmtcnn_status check(qmt_run *run, qmtcnn_status status, qmtcnn_error *error)
{
    qmtcnn_status agreed = qmt_ranks_agree(run->ranks, status);
    if (status == QMTCNN_OK && agreed != QMTCNN_OK)
        return qmt_fail(error, agreed, "another rank stopped; see its message");
    /* A step's own message says how to resume that step; here it is simply the same command. */
    if (status == QMTCNN_ERROR_INTERRUPTED || (status == QMTCNN_OK && qmt_stop_requested()))
        return qmt_fail(error, QMTCNN_ERROR_INTERRUPTED,
                        "stopped, and all is saved in '%s': give the same command again to go on",
                        run->config->run.workdir);
    return status;
}

static qmtcnn_status save_config(const qmt_run *run, qmtcnn_error *error)
{
    char path[qmt_path_size + 32];
    if (qmt_ranks_rank(run->ranks) != 0)
        return QMTCNN_OK;
    snprintf(path, sizeof path, "%s/config.yaml", run->config->run.workdir);
    return qmt_file_write(path, run->steps.config_text, strlen(run->steps.config_text), error);
}

qmtcnn_status qmt_pipeline_run(const qmt_config *config, qmt_ranks *ranks, qmtcnn_error *error)
{
    char *text = qmt_config_text(config);
    qmt_run *run = qmt_alloc_zero(1, sizeof *run);
    qmtcnn_status status = QMTCNN_OK;
    if (!text || !run) {
        status = qmt_fail_memory(error, sizeof *run, "the pipeline");
        goto done;
    }
    run->config = config;
    run->ranks = ranks;
    run->steps = (qmt_steps){.workdir = config->run.workdir, .config_text = text};
    /* Of the section `run` only the seed changes results. */
    char seed[32];
    snprintf(seed, sizeof seed, "seed %llu", (unsigned long long)config->run.seed);
    qmt_step_key(&run->steps, seed, "");
    status = qmt_run_check_settings(config, error);
    if (status == QMTCNN_OK)
        status = name_folders(run, error);
    if (status == QMTCNN_OK)
        status = save_config(run, error);
    if (status == QMTCNN_OK)
        status = check(run, make_pictures(run, error), error);
    if (status == QMTCNN_OK)
        status = qmt_run_take_data(run, error);
    if (status == QMTCNN_OK)
        status = check(run, qmt_run_check_data(run, error), error);
    for (int net = QMT_PNET; net <= QMT_ONET; net++) {
        if (status == QMTCNN_OK)
            status = check(run, prepare_samples(run, (qmt_net_id)net, error), error);
        if (status == QMTCNN_OK)
            status = check(run, train_network(run, (qmt_net_id)net, error), error);
    }
    if (status == QMTCNN_OK)
        status = check(run, calibrate_scores(run, error), error);
    if (status == QMTCNN_OK)
        status = check(run, export_models(run, error), error);
    if (status == QMTCNN_OK)
        status = check(run, write_report(run, error), error);
    /* Last of all, also where nothing was left to do: scripts go by the exit status. */
    if (status == QMTCNN_OK)
        status = check(run, qmt_ranks_rank(ranks) == 0 ? qmt_run_judge(run, error) : QMTCNN_OK, error);
done:
    qmt_free(run);
    qmt_free(text);
    return status;
}
