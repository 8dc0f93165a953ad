#include "toolkit/data/prepare.h"
#include "toolkit/base/file.h"
#include "toolkit/data/prepare_job.h"
#include "toolkit/data/sheet.h"
#include "toolkit/log/progress.h"

#include <stdio.h>
#include <string.h>

static qmtcnn_status check_options(const qmt_dataset *dataset, const qmt_prepare_job *job, qmtcnn_error *error)
{
    const qmt_prepare_options *options = job->options;
    const qmt_prepare_config *prepare = job->prepare;
    const char *net = qmt_net_name(options->net);
    if (dataset->picture_count == 0 || dataset->picture_count > UINT32_MAX)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%s: no pictures in split %s", dataset->annotation_path,
                        dataset->split);
    if (prepare->mine && options->net != QMT_PNET && !options->models)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "%s trains on what %s lets through: give the folder with %s by --models, or "
                        "--prepare.%s.mine false to do without",
                        net, options->net == QMT_RNET ? "pnet" : "pnet and rnet",
                        options->net == QMT_RNET ? "pnet.onnx" : "pnet.onnx and rnet.onnx", net);
    if (prepare->shard_samples < 1 || !(prepare->negative_iou > 0 && prepare->negative_iou <= prepare->part_iou &&
                                        prepare->part_iou <= prepare->positive_iou && prepare->positive_iou < 1))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "prepare.%s: needs shard_samples >= 1 and 0 < negative_iou <= part_iou <= positive_iou < 1",
                        net);
    return QMTCNN_OK;
}

static qmtcnn_status open_miner(qmt_prepare_job *job, qmtcnn_error *error)
{
    const qmt_prepare_options *options = job->options;
    if (!job->prepare->mine || options->net == QMT_PNET)
        return QMTCNN_OK;
    for (int net = 0; net < (int)options->net; net++) {
        char *path = qmt_miner_path(options->models, (qmt_net_id)net);
        qmtcnn_status status = path ? qmt_file_hash(path, &job->model_hashes[net], error)
                                    : qmt_fail_memory(error, strlen(options->models), "a path");
        qmt_free(path);
        if (status != QMTCNN_OK)
            return status;
    }
    return qmt_miner_open(options->models, options->net, job->config, qmt_pool_threads(job->pool), &job->miner, error);
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Is this a file that prepare makes, whole or half-written? Nothing else is ever removed. */
static bool is_ours(const char *name)
{
    static const char *const starts[] = {"shard-",   "manifest.json", "negative.png", "positive.png",
                                         "part.png", "landmark.png",  "augment.png"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        if (starts_with(name, starts[i]))
            return true;
    }
    return false;
}

/* Left by a run that was killed while it wrote. */
static bool is_half_written(const char *name)
{
    size_t length = strlen(name);
    return is_ours(name) && length > 4 && strcmp(name + length - 4, ".tmp") == 0;
}

static bool is_part(const char *name)
{
    return starts_with(name, "part-");
}

/* Removes the files of `folder` that `chosen` chooses; a folder that is not there is empty. */
static qmtcnn_status remove_files(const char *folder, bool (*chosen)(const char *), qmtcnn_error *error)
{
    char **names = NULL;
    size_t count = 0;
    if (!qmt_folder_exists(folder))
        return QMTCNN_OK;
    qmtcnn_status status = qmt_folder_list(folder, &names, &count, error);
    for (size_t i = 0; status == QMTCNN_OK && i < count; i++) {
        if (!chosen(names[i]))
            continue;
        char *path = qmt_path_join(folder, names[i]);
        if (!path)
            status = qmt_fail_memory(error, strlen(folder), "a path");
        else if (remove(path) != 0 && qmt_file_exists(path))
            status = qmt_fail(error, QMTCNN_ERROR_IO, "can't remove the old '%s'", path);
        qmt_free(path);
    }
    qmt_names_free(names, count);
    return status;
}

/* Says which run the parts belong to. */
static char *run_path(const qmt_prepare_job *job)
{
    return qmt_path_join(job->parts, "part-run.txt");
}

/* Do the parts on the disk belong to this run? */
static bool can_resume(const qmt_prepare_job *job)
{
    void *text = NULL;
    size_t size = 0;
    char *path = run_path(job);
    bool same = path && qmt_file_exists(path) && qmt_file_read(path, 1024, &text, &size, NULL) == QMTCNN_OK &&
                size == strlen(job->key) && memcmp(text, job->key, size) == 0;
    qmt_free(text);
    qmt_free(path);
    return same;
}

static qmtcnn_status clean_folder(const qmt_prepare_job *job, qmtcnn_error *error)
{
    qmtcnn_status status = remove_files(job->options->out, is_ours, error);
    if (status == QMTCNN_OK)
        status = remove_files(job->parts, is_part, error);
    return status;
}

/* Rank 0: leaves the parts of this very run where they may be resumed, else an empty folder. */
static qmtcnn_status prepare_folder(const qmt_prepare_job *job, qmtcnn_error *error)
{
    if (job->options->resume && can_resume(job))
        return QMTCNN_OK;
    if (job->options->resume && qmt_folder_exists(job->parts))
        qmt_log_warning(
            "[prepare %s] %s holds the parts of a run with other settings, pictures or models: starting anew",
            qmt_net_name(job->options->net), job->options->out);
    qmtcnn_status status = clean_folder(job, error);
    if (status == QMTCNN_OK)
        status = qmt_folder_make(job->parts, error);
    char *path = run_path(job);
    if (status == QMTCNN_OK)
        status = path ? qmt_file_write(path, job->key, strlen(job->key), error)
                      : qmt_fail_memory(error, strlen(job->parts), "a path");
    qmt_free(path);
    return status;
}

/* Is there a finished store of this very run? */
static bool is_finished(const qmt_prepare_job *job)
{
    qmt_manifest manifest;
    qmt_store *store = NULL;
    char *text = NULL;
    if (qmt_manifest_read(job->options->out, &manifest, &text, NULL) != QMTCNN_OK)
        return false;
    bool same = strcmp(manifest.key, job->key) == 0 && qmt_store_open(job->options->out, &store, NULL) == QMTCNN_OK;
    qmt_store_close(store);
    qmt_manifest_clear(&manifest);
    qmt_free(text);
    return same;
}

/* Rank 0, with the manifest written: sheets, and no more parts. */
static qmtcnn_status finish(const qmt_prepare_job *job, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_sheets_write(job->options->out, &job->config->augment, job->options->seed, error);
    if (status == QMTCNN_OK)
        status = remove_files(job->parts, is_part, error);
    if (status == QMTCNN_OK)
        status = remove_files(job->options->out, is_half_written, error);
    remove(job->parts); /* the empty folder; stays where the system removes only files this way, or a user put something
                           in */
    return status;
}

/* Ranks go on together or stop together. */
static qmtcnn_status agree(const qmt_prepare_job *job, qmtcnn_status status, qmtcnn_error *error)
{
    if (!job->ranks)
        return status;
    qmtcnn_status worst = qmt_ranks_agree(job->ranks, status);
    if (status == QMTCNN_OK && worst != QMTCNN_OK)
        return qmt_fail(error, worst, "another rank failed; its own message says why");
    return status;
}

static qmtcnn_status run_job(const qmt_prepare_job *job, qmtcnn_error *error)
{
    bool first = qmt_ranks_rank(job->ranks) == 0;
    bool finished = job->options->resume && is_finished(job);
    qmtcnn_status status = QMTCNN_OK;
    if (first && !finished) {
        status = prepare_folder(job, error);
        if (status == QMTCNN_OK)
            status = qmt_prepare_estimate(job, error);
    }
    status = agree(job, status, error);
    if (status == QMTCNN_OK && !finished) {
        status = qmt_prepare_parts(job, error);
        status = agree(job, status, error);
        if (status == QMTCNN_OK && first)
            status = qmt_prepare_merge(job, error);
    } else if (status == QMTCNN_OK && first) {
        qmt_log_info("[prepare %s] %s is finished already", qmt_net_name(job->options->net), job->options->out);
    }
    if (status == QMTCNN_OK && first)
        status = finish(job, error);
    return agree(job, status, error);
}

qmtcnn_status qmt_prepare(const qmt_dataset *dataset, const qmt_config *config, const qmt_prepare_options *options,
                          qmt_ranks *ranks, qmtcnn_error *error)
{
    qmt_prepare_job job = {.dataset = dataset,
                           .config = config,
                           .prepare = &config->prepare[options->net],
                           .options = options,
                           .ranks = ranks,
                           .part_count = (dataset->picture_count + qmt_part_pictures - 1) / qmt_part_pictures};
    qmtcnn_status status = check_options(dataset, &job, error);
    if (status == QMTCNN_OK) {
        job.parts = qmt_path_join(options->out, "parts");
        if (!job.parts)
            status = qmt_fail_memory(error, strlen(options->out), "a path");
    }
    if (status == QMTCNN_OK)
        status = qmt_pool_create(options->threads, &job.pool, error);
    if (status == QMTCNN_OK)
        status = open_miner(&job, error);
    if (status == QMTCNN_OK)
        status = qmt_prepare_find_key(&job, error);
    /* A rank that failed so far must not leave the others waiting. */
    status = agree(&job, status, error);
    if (status == QMTCNN_OK)
        status = run_job(&job, error);
    qmt_miner_close(job.miner);
    qmt_pool_free(job.pool);
    qmt_free(job.data_set);
    qmt_free(job.config_text);
    qmt_free(job.parts);
    return status;
}
