#include "toolkit/base/file.h"
#include "toolkit/base/stop.h"
#include "toolkit/data/prepare_job.h"
#include "toolkit/image/image.h"
#include "toolkit/log/progress.h"

#include <stdatomic.h>
#include <string.h>

/* A part being made. */
struct making {
    const qmt_prepare_job *job;
    qmt_sample_block *block;
    qmt_lots *lots;
    size_t number;
    uint64_t sample; /* number of the picture's next one */
    size_t capacity; /* of part.counts */
    qmt_part part;
};

/* All of this rank's parts. */
typedef struct parts_run {
    const qmt_prepare_job *job;
    qmt_prepare_worker *workers;
    qmt_progress *progress;
    qmt_lots *lots;
    const size_t *parts; /* to be made */
    atomic_bool stop;    /* a worker failed */
    struct {
        qmtcnn_status status;
        size_t part;
        qmtcnn_error error;
    } * failures; /* one a worker */
} parts_run;

void qmt_prepare_worker_clear(qmt_prepare_worker *worker)
{
    qmt_sample_block_clear(&worker->block);
    qmt_shrunk_clear(&worker->shrunk);
    qmt_cropper_clear(&worker->cropper);
}

static qmtcnn_status mine_picture(const qmt_prepare_job *job, int worker_number, qmt_cropper *cropper,
                                  const qmt_scene *scene, qmt_mining_recall *recall, qmtcnn_error *error)
{
    const qmt_candidate *candidates = NULL;
    size_t count = 0;
    int least =
        job->prepare->mine_min_face > job->prepare->min_face ? job->prepare->mine_min_face : job->prepare->min_face;
    qmtcnn_status status = qmt_miner_run(job->miner, worker_number, &scene->pixels, &candidates, &count, error);
    if (status != QMTCNN_OK)
        return status;
    if (recall)
        qmt_count_recall(scene, least, candidates, count, recall);
    return qmt_crop_candidates(cropper, scene, candidates, count, error);
}

/* Samples of a picture, or of a shrunk copy of it, which doesn't count for the recall (NULL). */
static qmtcnn_status crop_scene(const qmt_prepare_job *job, int worker_number, qmt_cropper *cropper,
                                const qmt_scene *scene, qmt_mining_recall *recall, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_crop_picture(cropper, scene, error);
    if (status == QMTCNN_OK && job->miner)
        status = mine_picture(job, worker_number, cropper, scene, recall, error);
    return status;
}

static qmtcnn_status crop_copies(const qmt_prepare_job *job, int worker_number, qmt_prepare_worker *worker,
                                 const qmt_scene *scene, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    for (int copy = 1; copy <= job->prepare->shrunk_copies && status == QMTCNN_OK; copy++) {
        bool usable;
        float factor = qmt_shrink_factor(job->options->seed, scene->picture, copy, job->prepare->shrink_least);
        status = qmt_shrink(&worker->shrunk, scene, factor, job->config->data.min_face, &usable, error);
        worker->cropper.copy = copy;
        if (status == QMTCNN_OK && usable)
            status = crop_scene(job, worker_number, &worker->cropper, &worker->shrunk.scene, NULL, error);
    }
    return status;
}

qmtcnn_status qmt_prepare_picture(const qmt_prepare_job *job, int worker_number, qmt_prepare_worker *worker,
                                  size_t picture, qmt_mining_recall *recall, bool *unreadable, qmtcnn_error *error)
{
    const qmt_picture *entry = &job->dataset->pictures[picture];
    qmt_image image = {0};
    *unreadable = false;
    /* As stored: the data set's boxes were drawn on the pixels, whatever EXIF says. */
    qmtcnn_status status = qmt_image_read(entry->path, QMT_AS_STORED, &image, error);
    if (status != QMTCNN_OK) {
        *unreadable = status != QMTCNN_ERROR_MEMORY;
        return *unreadable ? QMTCNN_OK : status;
    }
    qmt_scene scene = {.pixels = qmt_image_pixels(&image),
                       .labels = job->dataset->labels + entry->first_label,
                       .label_count = entry->label_count,
                       .picture = (uint32_t)picture,
                       .faces_unlabeled = entry->faces_unlabeled};
    worker->cropper.config = job->prepare;
    worker->cropper.net = job->options->net;
    worker->cropper.seed = job->options->seed;
    worker->cropper.copy = 0;
    status = crop_scene(job, worker_number, &worker->cropper, &scene, recall, error);
    if (status == QMTCNN_OK)
        status = crop_copies(job, worker_number, worker, &scene, error);
    if (status != QMTCNN_OK)
        status = qmt_fail_in(error, status, "%s", entry->path);
    qmt_image_clear(&image);
    return status;
}

/* Writes the block as the next file of the part. */
static qmtcnn_status flush(struct making *making, qmtcnn_error *error)
{
    qmt_part *part = &making->part;
    qmtcnn_status status = qmt_grow((void **)&part->counts, &making->capacity, part->file_count, part->file_count + 1,
                                    sizeof *part->counts, error);
    if (status != QMTCNN_OK)
        return status;
    char *path = qmt_part_path(making->job, making->number, part->file_count);
    if (!path)
        return qmt_fail_memory(error, 0, "a path");
    for (int k = 0; k < qmt_class_count; k++)
        part->counts[part->file_count][k] = making->block->class_counts[k];
    status = qmt_sample_block_write(making->block, path, making->job->key, error);
    qmt_free(path);
    part->file_count++;
    qmt_sample_block_empty(making->block);
    return status;
}

static qmtcnn_status take_sample(void *state, const qmt_sample *sample, qmtcnn_error *error)
{
    struct making *making = state;
    const qmt_prepare_options *options = making->job->options;
    const uint64_t lot = qmt_lot_draw(options->seed, options->net, sample->picture, making->sample++);
    qmtcnn_status status = QMTCNN_OK;
    making->part.made[sample->sample_class]++;
    if (!qmt_lots_take(making->lots, sample->sample_class, lot))
        return QMTCNN_OK;
    if (making->block->count == making->block->capacity)
        status = flush(making, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_sample_block_add(making->block, sample);
    making->block->lots[making->block->count - 1] = lot;
    return QMTCNN_OK;
}

static qmtcnn_status make_pictures(parts_run *run, struct making *making, int worker_number, qmtcnn_error *error)
{
    const qmt_prepare_job *job = run->job;
    size_t first = making->number * qmt_part_pictures, end = first + qmt_part_pictures;
    if (end > job->dataset->picture_count)
        end = job->dataset->picture_count;
    for (size_t picture = first; picture < end; picture++) {
        bool unreadable;
        if (qmt_stop_requested())
            return qmt_fail(error, QMTCNN_ERROR_INTERRUPTED,
                            "stopped: the parts that are finished stay in %s, go on with --resume", job->parts);
        making->sample = 0;
        qmtcnn_status status = qmt_prepare_picture(job, worker_number, &run->workers[worker_number], picture,
                                                   &making->part.recall, &unreadable, error);
        if (status != QMTCNN_OK)
            return status;
        if (unreadable) {
            making->part.unreadable[making->part.unreadable_count++] = (uint32_t)picture;
            qmt_log_warning("[prepare %s] left out: %s", qmt_net_name(job->options->net), error->message);
        }
        qmt_progress_add(run->progress, 1);
    }
    return QMTCNN_OK;
}

static qmtcnn_status make_part(parts_run *run, size_t number, int worker_number, qmtcnn_error *error)
{
    qmt_prepare_worker *worker = &run->workers[worker_number];
    struct making making = {.job = run->job, .block = &worker->block, .lots = run->lots, .number = number};
    qmtcnn_status status = QMTCNN_OK;
    if (worker->block.capacity == 0) {
        int side = qmt_net_side(run->job->options->net);
        status = qmt_sample_block_create(side, qmt_part_file_bytes / qmt_sample_bytes(side), &worker->block, error);
        if (status == QMTCNN_OK)
            status = qmt_sample_block_add_lots(&worker->block, error);
    }
    qmt_sample_block_empty(&worker->block);
    worker->cropper.sink = take_sample;
    worker->cropper.sink_state = &making;
    if (status == QMTCNN_OK)
        status = make_pictures(run, &making, worker_number, error);
    if (status == QMTCNN_OK && worker->block.count > 0)
        status = flush(&making, error);
    if (status == QMTCNN_OK)
        status = qmt_part_write_marker(run->job, number, &making.part, error);
    qmt_part_clear(&making.part);
    qmt_lots_tighten(run->lots);
    return status;
}

static void part_task(void *state, int index, int worker)
{
    parts_run *run = state;
    if (atomic_load(&run->stop))
        return;
    size_t part = run->parts[index];
    qmtcnn_status status = make_part(run, part, worker, &run->failures[worker].error);
    if (status == QMTCNN_OK)
        return;
    run->failures[worker].status = status;
    run->failures[worker].part = part;
    atomic_store(&run->stop, true);
}

/* The parts of this rank that have no marker yet. */
static size_t list_parts(const qmt_prepare_job *job, size_t *list)
{
    size_t ranks = (size_t)qmt_ranks_size(job->ranks), count = 0;
    for (size_t part = (size_t)qmt_ranks_rank(job->ranks); part < job->part_count; part += ranks) {
        qmt_part done;
        if (qmt_part_read_marker(job, part, &done, NULL) == QMTCNN_OK)
            qmt_part_clear(&done);
        else
            list[count++] = part;
    }
    return count;
}

/* The failure of the first part that failed. */
static qmtcnn_status first_failure(const parts_run *run, int workers, qmtcnn_error *error)
{
    int first = -1;
    for (int i = 0; i < workers; i++) {
        if (run->failures[i].status != QMTCNN_OK && (first < 0 || run->failures[i].part < run->failures[first].part))
            first = i;
    }
    if (first < 0)
        return QMTCNN_OK;
    return qmt_fail(error, run->failures[first].status, "%s", run->failures[first].error.message);
}

qmtcnn_status qmt_prepare_parts(const qmt_prepare_job *job, qmtcnn_error *error)
{
    int threads = qmt_pool_threads(job->pool);
    parts_run run = {.job = job};
    qmtcnn_status status = QMTCNN_OK;
    char title[32];
    size_t *list = qmt_alloc(job->part_count, sizeof *list);
    run.workers = qmt_alloc_zero((size_t)threads, sizeof *run.workers);
    run.failures = qmt_alloc_zero((size_t)threads, sizeof *run.failures);
    run.lots = qmt_alloc(1, sizeof *run.lots);
    if (!list || !run.workers || !run.failures || !run.lots) {
        status = qmt_fail_memory(error, job->part_count * sizeof *list, "the list of parts");
        goto done;
    }
    size_t count = list_parts(job, list);
    run.parts = list;
    qmt_lots_init(run.lots, job->prepare);
    atomic_init(&run.stop, false);
    snprintf(title, sizeof title, "prepare %s", qmt_net_name(job->options->net));
    size_t pictures = count * qmt_part_pictures;
    if (pictures > job->dataset->picture_count)
        pictures = job->dataset->picture_count;
    if (qmt_ranks_rank(job->ranks) == 0)
        run.progress = qmt_progress_start(title, "pictures", (double)pictures);
    qmt_pool_run(job->pool, (int)count, part_task, &run);
    qmt_progress_finish(run.progress);
    status = first_failure(&run, threads, error);
done:
    for (int i = 0; run.workers && i < threads; i++)
        qmt_prepare_worker_clear(&run.workers[i]);
    qmt_free(run.lots);
    qmt_free(run.failures);
    qmt_free(run.workers);
    qmt_free(list);
    return status;
}
