#include "toolkit/base/file.h"
#include "toolkit/base/stop.h"
#include "toolkit/data/prepare_choice.h"
#include "toolkit/log/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct merging {
    const qmt_prepare_job *job;
    qmt_choice choice;
    const char **unreadable; /* names, borrowed */
    size_t unreadable_capacity;
    qmt_manifest manifest;
    qmt_manifest_facts facts;
    qmt_sample_block block; /* the shard being filled */
    size_t shard_capacity;  /* of manifest.shards */
    uint64_t written;       /* samples in whole shards */
    size_t removed;         /* pieces that are gone */
    qmt_progress *progress;
};

/* ---- The parts ---- */

static qmtcnn_status add_part(struct merging *merging, size_t number, const qmt_part *part, qmtcnn_error *error)
{
    qmt_manifest_facts *facts = &merging->facts;
    qmtcnn_status status = qmt_choice_add(&merging->choice, number, part, error);
    if (status == QMTCNN_OK)
        status = qmt_grow((void **)&merging->unreadable, &merging->unreadable_capacity, facts->unreadable_count,
                          facts->unreadable_count + part->unreadable_count, sizeof *merging->unreadable, error);
    if (status != QMTCNN_OK)
        return status;
    for (int k = 0; k < qmt_class_count; k++)
        facts->made[k] += part->made[k];
    for (size_t i = 0; i < part->unreadable_count; i++)
        merging->unreadable[facts->unreadable_count++] = merging->job->dataset->pictures[part->unreadable[i]].name;
    facts->recall.faces += part->recall.faces;
    facts->recall.found += part->recall.found;
    return QMTCNN_OK;
}

static qmtcnn_status read_parts(struct merging *merging, qmtcnn_error *error)
{
    for (size_t number = 0; number < merging->job->part_count; number++) {
        qmt_part part;
        qmtcnn_status status = qmt_part_read_marker(merging->job, number, &part, error);
        if (status == QMTCNN_OK)
            status = add_part(merging, number, &part, error);
        qmt_part_clear(&part);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}

/* ---- Shards ---- */

static char *shard_path(const struct merging *merging, size_t index)
{
    char name[32];
    qmt_shard_name(index, name);
    return qmt_path_join(merging->job->options->out, name);
}

static uint64_t shard_samples(const struct merging *merging, size_t index)
{
    uint64_t full = (uint64_t)merging->job->prepare->shard_samples, first = full * index;
    return merging->choice.total - first < full ? merging->choice.total - first : full;
}

/* Enters a whole shard into the manifest. */
static qmtcnn_status enter_shard(struct merging *merging, const char *path, const qmt_sample_rows *rows,
                                 qmtcnn_error *error)
{
    qmt_manifest *manifest = &merging->manifest;
    if (manifest->shard_count == merging->shard_capacity)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: more samples than were chosen: run prepare without --resume",
                        path);
    qmt_shard_info *info = &manifest->shards[manifest->shard_count];
    qmtcnn_status status = qmt_shard_measure(path, info, error);
    if (status != QMTCNN_OK)
        return status;
    info->samples = rows->count;
    for (size_t row = 0; row < rows->count; row++) {
        qmt_sample sample;
        qmt_sample_rows_get(rows, row, &sample);
        int bin = (int)(sample.iou * qmt_iou_bins);
        manifest->counts[sample.sample_class]++;
        merging->facts.iou_histogram[sample.sample_class][bin < qmt_iou_bins ? bin : qmt_iou_bins - 1]++;
    }
    manifest->shard_count++;
    merging->written += rows->count;
    qmt_progress_set(merging->progress, (double)merging->written, NULL);
    return QMTCNN_OK;
}

/* Enters shard `index` if it is there, whole and of this run. */
static qmtcnn_status find_shard(struct merging *merging, size_t index, bool *found, qmtcnn_error *error)
{
    qmt_sample_rows rows;
    char *path = shard_path(merging, index);
    *found = false;
    if (!path)
        return qmt_fail_memory(error, 0, "a path");
    qmtcnn_status status = QMTCNN_OK;
    if (qmt_file_exists(path) && qmt_sample_rows_open(path, merging->manifest.side, &rows, NULL) == QMTCNN_OK) {
        *found =
            rows.count == shard_samples(merging, index) && strcmp(qmt_sample_rows_key(&rows), merging->job->key) == 0;
        if (*found)
            status = enter_shard(merging, path, &rows, error);
        qmt_sample_rows_close(&rows);
    }
    qmt_free(path);
    return status;
}

/* The shards that a killed run left, from the first on without a gap. */
static qmtcnn_status find_shards(struct merging *merging, size_t count, qmtcnn_error *error)
{
    bool found = true;
    qmtcnn_status status = QMTCNN_OK;
    for (size_t i = 0; status == QMTCNN_OK && found && i < count; i++)
        status = find_shard(merging, i, &found, error);
    return status;
}

static uint64_t kept_end(const struct merging *merging, size_t index)
{
    return merging->choice.pieces[index].kept_before + merging->choice.pieces[index].kept;
}

static qmtcnn_status remove_pieces(struct merging *merging, qmtcnn_error *error)
{
    while (merging->removed < merging->choice.piece_count && kept_end(merging, merging->removed) <= merging->written) {
        const qmt_piece *piece = &merging->choice.pieces[merging->removed++];
        char *path = qmt_part_path(merging->job, piece->part, piece->file);
        if (!path)
            return qmt_fail_memory(error, 0, "a path");
        remove(path); /* may be gone already */
        qmt_free(path);
    }
    return QMTCNN_OK;
}

static qmtcnn_status write_shard(struct merging *merging, qmtcnn_error *error)
{
    qmt_sample_rows rows;
    char *path = shard_path(merging, merging->manifest.shard_count);
    if (!path)
        return qmt_fail_memory(error, 0, "a path");
    qmtcnn_status status = qmt_sample_block_write(&merging->block, path, merging->job->key, error);
    if (status == QMTCNN_OK)
        status = qmt_sample_rows_open(path, merging->manifest.side, &rows, error);
    if (status == QMTCNN_OK) {
        status = enter_shard(merging, path, &rows, error);
        qmt_sample_rows_close(&rows);
    }
    qmt_sample_block_empty(&merging->block);
    if (status == QMTCNN_OK)
        status = remove_pieces(merging, error);
    qmt_free(path);
    return status;
}

/* Copies the kept samples of a piece that are not in whole shards yet. */
static qmtcnn_status merge_piece(struct merging *merging, const qmt_piece *piece, qmtcnn_error *error)
{
    qmt_sample_rows rows;
    uint64_t position = piece->kept_before, skip = merging->written > position ? merging->written : position;
    qmtcnn_status status = qmt_piece_open(merging->job, piece, &rows, error);
    if (status != QMTCNN_OK)
        return status;
    const uint64_t kept = qmt_choice_count(&merging->choice, &rows);
    if (kept != piece->kept)
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT,
                          "%s/part-choice.json says that %" PRIu64 " samples of part %" PRIu32 " stay, but %" PRIu64
                          " do: run prepare without --resume",
                          merging->job->parts, piece->kept, piece->part, kept);
    for (size_t row = 0; status == QMTCNN_OK && row < rows.count; row++) {
        qmt_sample sample;
        if (!qmt_choice_keeps(&merging->choice, &rows, row) || position++ < skip)
            continue;
        qmt_sample_rows_get(&rows, row, &sample);
        qmt_sample_block_add(&merging->block, &sample);
        if (merging->block.count == merging->block.capacity)
            status = write_shard(merging, error);
    }
    qmt_sample_rows_close(&rows);
    return status;
}

static qmtcnn_status merge_pieces(struct merging *merging, qmtcnn_error *error)
{
    for (size_t i = 0; i < merging->choice.piece_count; i++) {
        if (qmt_stop_requested())
            return qmt_fail(error, QMTCNN_ERROR_INTERRUPTED, "stopped: go on with --resume");
        if (kept_end(merging, i) <= merging->written) /* all in whole shards, and perhaps removed */
            continue;
        qmtcnn_status status = merge_piece(merging, &merging->choice.pieces[i], error);
        if (status != QMTCNN_OK)
            return status;
    }
    return merging->block.count > 0 ? write_shard(merging, error) : QMTCNN_OK;
}

/* ---- The manifest ---- */

static void set_facts(struct merging *merging)
{
    const qmt_prepare_job *job = merging->job;
    qmt_manifest_facts *facts = &merging->facts;
    facts->seed = job->options->seed;
    facts->config = job->config_text;
    facts->data_set = job->data_set;
    facts->split = job->dataset->split;
    facts->annotations_hash = job->annotations_hash;
    facts->pictures = job->dataset->picture_count;
    facts->faces = job->faces;
    facts->unreadable = (const char *const *)merging->unreadable;
    if (job->miner) {
        facts->mined_with = qmt_net_name((qmt_net_id)(job->options->net - 1));
        facts->mine_precision = job->prepare->mine_precision;
        facts->recall_target = job->prepare->recall_target;
        facts->models = (int)job->options->net;
        memcpy(facts->model_hashes, job->model_hashes, sizeof facts->model_hashes);
    }
}

/* A few bad pictures are named and left out; many mean that the folder is not what the annotations describe. */
static qmtcnn_status check_unreadable(const struct merging *merging, qmtcnn_error *error)
{
    size_t bad = merging->facts.unreadable_count, all = merging->job->dataset->picture_count;
    if (bad < all && bad <= (all / 20 > 10 ? all / 20 : 10))
        return QMTCNN_OK;
    return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                    "%zu of %zu pictures can't be read, the first is '%s': look at them with `qmtcnn info %s`", bad,
                    all, merging->unreadable[0], merging->job->dataset->folder);
}

static void tell(const struct merging *merging)
{
    const uint64_t *counts = merging->manifest.counts;
    const qmt_manifest_facts *facts = &merging->facts;
    const char *net = qmt_net_name(merging->manifest.net);
    qmt_log_info("[prepare %s] %" PRIu64 " negatives, %" PRIu64 " positives, %" PRIu64 " parts, %" PRIu64
                 " landmark crops in %s",
                 net, counts[0], counts[1], counts[2], counts[3], merging->job->options->out);
    if (facts->unreadable_count > 0)
        qmt_log_warning("[prepare %s] %zu pictures could not be read; manifest.json names them", net,
                        facts->unreadable_count);
    if (counts[QMT_POSITIVE] == 0 || counts[QMT_NEGATIVE] == 0)
        qmt_log_warning("[prepare %s] no %s samples: a network can't be trained on this", net,
                        counts[QMT_POSITIVE] == 0 ? "positive" : "negative");
    if (!facts->mined_with || facts->recall.faces == 0)
        return;
    double recall = (double)facts->recall.found / (double)facts->recall.faces;
    qmt_log_info("[prepare %s] %s keeps %.2f %% of %" PRIu64 " faces", net, facts->mined_with, 100 * recall,
                 facts->recall.faces);
    if (recall < (double)facts->recall_target)
        qmt_log_warning(
            "[prepare %s] %s should keep %.1f %%: the faces that it loses are lost for good. Train it longer "
            "or with more samples, or lower its score to pass (prepare.%s.mine_thresholds)",
            net, facts->mined_with, 100 * (double)facts->recall_target, net);
}

static qmtcnn_status merge_all(struct merging *merging, qmtcnn_error *error)
{
    qmtcnn_status status = read_parts(merging, error);
    if (status == QMTCNN_OK)
        status = check_unreadable(merging, error);
    if (status == QMTCNN_OK)
        status = qmt_choice_make(merging->job, merging->facts.made, &merging->choice, error);
    if (status != QMTCNN_OK)
        return status;
    uint64_t full = (uint64_t)merging->job->prepare->shard_samples;
    size_t shards = (size_t)((merging->choice.total + full - 1) / full);
    if (shards > qmt_max_shards)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%zu shards, at most %d: raise prepare.shard_samples", shards,
                        qmt_max_shards);
    merging->manifest.shards = qmt_alloc_zero(shards, sizeof *merging->manifest.shards);
    merging->shard_capacity = shards;
    if (!merging->manifest.shards)
        return qmt_fail_memory(error, shards * sizeof *merging->manifest.shards, "the list of shards");
    merging->progress = qmt_progress_start("shards", "samples", (double)merging->choice.total);
    status = find_shards(merging, shards, error);
    if (status == QMTCNN_OK)
        status = qmt_sample_block_create(merging->manifest.side, (size_t)full, &merging->block, error);
    if (status == QMTCNN_OK)
        status = merge_pieces(merging, error);
    qmt_progress_finish(merging->progress);
    return status;
}

qmtcnn_status qmt_prepare_merge(const qmt_prepare_job *job, qmtcnn_error *error)
{
    struct merging merging = {.job = job};
    merging.manifest.net = job->options->net;
    merging.manifest.side = qmt_net_side(job->options->net);
    memcpy(merging.manifest.key, job->key, qmt_key_size);
    qmtcnn_status status = merge_all(&merging, error);
    if (status == QMTCNN_OK) {
        set_facts(&merging);
        status = qmt_manifest_write(job->options->out, &merging.manifest, &merging.facts, error);
    }
    if (status == QMTCNN_OK)
        tell(&merging);
    qmt_sample_block_clear(&merging.block);
    qmt_manifest_clear(&merging.manifest);
    qmt_free((void *)merging.unreadable);
    qmt_choice_clear(&merging.choice);
    return status;
}
