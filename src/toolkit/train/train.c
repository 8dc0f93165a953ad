#include "toolkit/train/train.h"

#include "toolkit/train/finetune.h"
#include "toolkit/train/loop.h"

#include <inttypes.h>
#include <string.h>

/* Held-out samples of a class that validate at most, by network: enough for figures that mean something (a standard
 * error of half a percent), few enough that an epoch doesn't end in a long wait. */
static uint32_t most_validation(qmt_net_id net)
{
    return net == QMT_ONET ? 1000 : 2000;
}

/* Every rank must have the same whole subtree of the batch's groups. */
static qmtcnn_status share_batch(qmt_training *training, qmtcnn_error *error)
{
    int batch = training->train->batch, size = training->size, groups = batch / qmt_lanes;
    if (batch < qmt_lanes || batch % qmt_lanes != 0)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "train.batch is %d; it must be a multiple of %d", batch,
                        qmt_lanes);
    if ((size & (size - 1)) != 0 || groups % size != 0)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "%d ranks can't share a batch of %d samples: their number must be a power of two that divides "
                        "batch / %d = %d; change train.batch or mpirun's -np",
                        size, batch, qmt_lanes, groups);
    training->groups = groups / size;
    return QMTCNN_OK;
}

static qmtcnn_status open_samples(qmt_training *training, const qmt_train_options *options, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_store_open(options->store, &training->store, error);
    if (status != QMTCNN_OK)
        return status;
    if (qmt_store_net(training->store) != training->id)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%s holds samples of %s, not of %s", options->store,
                        qmt_net_name(qmt_store_net(training->store)), qmt_net_name(training->id));
    status = qmt_split_create(training->store, (double)training->train->holdout, most_validation(training->id),
                              &training->split, error);
    uint32_t held_out = 0;
    for (int c = 0; status == QMTCNN_OK && c < qmt_class_count; c++)
        held_out += training->split.validation[c].count;
    if (status == QMTCNN_OK && held_out == 0 && training->rank == 0)
        qmt_log_warning("no samples are held out: nothing says which epoch is best, and the last one counts");
    return status;
}

/* Composition of a batch, and the length of an epoch: as many samples as there are. */
static qmtcnn_status compose_batches(qmt_training *training, int counts[qmt_class_count], qmtcnn_error *error)
{
    const qmt_train_config *train = training->train;
    uint32_t available[qmt_class_count];
    uint64_t total = 0;
    for (int c = 0; c < qmt_class_count; c++)
        available[c] = training->split.training[c].count;
    qmtcnn_status status = qmt_batch_counts(train->ratio, available, train->batch, counts, error);
    if (status != QMTCNN_OK)
        return status;
    for (int c = 0; c < qmt_class_count; c++) {
        total += counts[c] ? available[c] : 0;
        if (train->ratio[c] > 0 && !available[c] && training->rank == 0)
            qmt_log_warning("there are no %s samples: the other classes share their part of the batch",
                            qmt_class_name((qmt_sample_class)c));
    }
    training->steps_per_epoch = train->steps_per_epoch;
    if (training->steps_per_epoch <= 0)
        training->steps_per_epoch = (int64_t)(total / (uint64_t)train->batch);
    if (training->steps_per_epoch < 1)
        training->steps_per_epoch = 1;
    return QMTCNN_OK;
}

static qmtcnn_status create_loader(qmt_training *training, const qmt_train_options *options, qmtcnn_error *error)
{
    qmt_loader_options loader = {
        .store = training->store,
        .training = training->split.training,
        .augment = &training->config->augment,
        .first_group = training->rank * training->groups,
        .groups = training->groups,
        .seed = options->seed,
        .threads = qmt_pool_threads(training->pool),
    };
    qmtcnn_status status = compose_batches(training, loader.counts, error);
    if (status == QMTCNN_OK)
        status = qmt_loader_create(&loader, &training->loader, error);
    return status;
}

/* The network and all that learns with it. */
static qmtcnn_status create_net(qmt_training *training, const qmt_train_options *options, qmtcnn_error *error)
{
    const qmt_train_config *train = training->train;
    training->table = qmt_net_table_for(training->id, train->activation, train->batch_norm);
    training->outputs = qmt_alloc_zero((size_t)training->groups, sizeof *training->outputs);
    training->gradients = qmt_alloc_zero((size_t)training->groups, sizeof *training->gradients);
    if (!training->outputs || !training->gradients)
        return qmt_fail_memory(error, (size_t)training->groups * sizeof *training->outputs, "a batch");
    qmtcnn_status status = qmt_net_check_keep(training->config->quantize.keep_fp32, error);
    if (status == QMTCNN_OK)
        status = qmt_net_create(&training->table, options->seed, &training->net, error);
    if (status == QMTCNN_OK)
        status = qmt_training_create_pass(training, error);
    if (status == QMTCNN_OK)
        status = qmt_losses_create(train, training->groups, training->ranks, &training->losses, error);
    if (status != QMTCNN_OK)
        return status;
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(training->net, &count);
    return qmt_optimizer_create(train, parameters, count, &training->optimizer, error);
}

/* Where training starts: a checkpoint, another network (*tuned), or random weights. */
static qmtcnn_status find_start(qmt_training *training, const qmt_train_options *options, bool *tuned,
                                qmtcnn_error *error)
{
    char *newest = NULL;
    qmt_position *position = &training->position;
    *position = (qmt_position){.qat_start = -1, .best_epoch = {-1, -1}};
    qmtcnn_status status = QMTCNN_OK;
    if (options->resume)
        status = qmt_checkpoint_newest(training->folder, &newest, error);
    if (status == QMTCNN_OK && newest)
        status = qmt_checkpoint_read(newest, &training->origin, training->train->epochs, position, training->net,
                                     training->optimizer, error);
    else if (status == QMTCNN_OK && options->finetune)
        status = qmt_finetune(training->net, options->finetune, error);
    else if (status == QMTCNN_OK && training->config->quantize.qat &&
             qmt_quantize_epochs(&training->config->quantize, training->train->epochs).start == 0)
        status = qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                          "%s would learn in QAT alone, from random weights: give 2 epochs or more, "
                          "quantize.start_epoch over 0, or --finetune",
                          qmt_net_name(training->id));
    if (status == QMTCNN_OK && newest && position->qat_start > position->step / training->steps_per_epoch)
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: QAT that began after the step it was saved in", newest);
    if (position->epochs < training->train->epochs)
        position->finished = 0;
    if (status == QMTCNN_OK && newest && !position->finished && training->rank == 0)
        qmt_log_info("%s goes on from %s", qmt_net_name(training->id), newest);
    *tuned = !newest && options->finetune;
    qmt_free(newest);
    position->epochs = training->train->epochs;
    return status;
}

/* In rank 0, once all ranks have read what they start from (it may be the older run): the folder, with no older run's
 * files in the way. */
static qmtcnn_status prepare_folder(qmt_training *training, const qmt_train_options *options, qmtcnn_error *error)
{
    if (training->rank != 0)
        return QMTCNN_OK;
    qmtcnn_status status = QMTCNN_OK;
    if (!options->resume)
        status = qmt_checkpoint_set_aside(training->folder, error);
    if (status == QMTCNN_OK)
        status = qmt_folder_make(training->folder, error);
    return status;
}

/* In rank 0: the effective configuration, the history, the event file. */
static qmtcnn_status open_records(qmt_training *training, const qmt_train_options *options, qmtcnn_error *error)
{
    if (training->rank != 0)
        return qmt_events_open(NULL, &training->events, error);
    char *text = qmt_config_text(training->config), *path = qmt_path_join(training->folder, "config.yaml");
    char *logs = options->logs ? qmt_path_join(options->logs, qmt_net_name(training->id)) : NULL;
    qmtcnn_status status = QMTCNN_OK;
    if (!text || !path || (options->logs && !logs))
        status = qmt_fail_memory(error, 4096, "the configuration's text");
    if (status == QMTCNN_OK)
        status = qmt_file_write(path, text, strlen(text), error);
    if (status == QMTCNN_OK)
        status = qmt_history_open(
            training->folder, qmt_net_name(training->id), training->position.step / training->steps_per_epoch,
            training->position.step > 0 || training->position.qat_start >= 0, &training->history, error);
    if (status == QMTCNN_OK && logs)
        status = qmt_folder_make(logs, error);
    if (status == QMTCNN_OK)
        status = qmt_events_open(logs, &training->events, error);
    if (status == QMTCNN_OK && logs && options->pictures)
        qmt_showcase_open(training->config, options->pictures, options->models, training->id, &training->showcase);
    qmt_free(logs);
    qmt_free(path);
    qmt_free(text);
    return status;
}

/* How the run went, for whoever watches. */
static void report_end(const qmt_training *training)
{
    const qmt_position *position = &training->position;
    bool qat = position->best_epoch[1] >= 0;
    const char *name = qmt_net_name(training->id), *phase = qat ? "qat" : "fp32";
    long long epoch = (long long)position->best_epoch[qat] + 1;
    if (training->rank != 0)
        return;
    if (position->best_score[qat] > 0)
        qmt_log_info("%s is trained: best %s epoch %lld, validation score %.4f; files in %s", name, phase, epoch,
                     position->best_score[qat], training->folder);
    else
        qmt_log_info("%s is trained: files in %s", name, training->folder);
}

static qmtcnn_status set_up(qmt_training *training, const qmt_train_options *options, char *text, qmtcnn_error *error)
{
    bool tuned = false;
    qmtcnn_status status = share_batch(training, error);
    if (status == QMTCNN_OK)
        status = qmt_pool_create(options->threads, &training->pool, error);
    if (status == QMTCNN_OK)
        status = open_samples(training, options, error);
    if (status == QMTCNN_OK)
        status = create_loader(training, options, error);
    if (status == QMTCNN_OK)
        status = create_net(training, options, error);
    if (status == QMTCNN_OK)
        training->origin = (qmt_origin){qmt_net_name(training->id), text, qmt_store_hash(training->store),
                                        qmt_store_manifest(training->store)};
    if (status == QMTCNN_OK)
        status = find_start(training, options, &tuned, error);
    status = qmt_training_agree(training, status, error); /* nothing moves before all ranks have read it */
    if (status == QMTCNN_OK && tuned && qmt_finetune_is_folded(training->net))
        status = qmt_finetune_settle(training, error);
    if (status == QMTCNN_OK)
        status = qmt_training_agree(training, prepare_folder(training, options, error), error);
    return status;
}

static qmtcnn_status run(qmt_training *training, const qmt_train_options *options, qmtcnn_error *error)
{
    const char *name = qmt_net_name(training->id);
    if (training->position.finished) {
        if (training->rank == 0)
            qmt_log_info("%s is already trained (%d epochs) in %s", name, training->train->epochs, training->folder);
        return QMTCNN_OK;
    }
    qmtcnn_status status = qmt_training_agree(training, open_records(training, options, error), error);
    if (status != QMTCNN_OK)
        return status;
    if (training->rank == 0) {
        char title[32];
        snprintf(title, sizeof title, "train %s", name);
        training->progress =
            qmt_progress_start(title, "steps", (double)training->train->epochs * (double)training->steps_per_epoch);
    }
    status = qmt_training_run(training, error);
    qmt_progress_finish(training->progress);
    training->progress = NULL;
    if (status == QMTCNN_OK)
        report_end(training);
    return status;
}

static void tear_down(qmt_training *training)
{
    qmt_showcase_close(training->showcase);
    qmt_history_free(training->history);
    qmt_events_close(training->events);
    qmt_optimizer_free(training->optimizer);
    qmt_losses_free(training->losses);
    qmt_pass_free(training->pass);
    qmt_net_free(training->net);
    qmt_free(training->gradients);
    qmt_free(training->outputs);
    qmt_loader_free(training->loader);
    qmt_split_clear(&training->split);
    qmt_store_close(training->store);
    qmt_pool_free(training->pool);
    qmt_free(training->folder);
}

qmtcnn_status qmt_train(const qmt_config *config, const qmt_train_options *options, qmt_ranks *ranks,
                        qmtcnn_error *error)
{
    qmtcnn_error local;
    error = error ? error : &local; /* a failure's reason is built on */
    qmt_training training = {
        .config = config,
        .train = &config->train[options->net],
        .id = options->net,
        .ranks = ranks,
        .rank = qmt_ranks_rank(ranks),
        .size = qmt_ranks_size(ranks),
        .folder = qmt_path_join(options->checkpoints, qmt_net_name(options->net)),
    };
    char *text = qmt_training_config_text(config, options->net, options->seed);
    qmtcnn_status status = qmt_config_check(config, error);
    if (status == QMTCNN_OK && (!text || !training.folder))
        status = qmt_fail_memory(error, 4096, "the configuration's text");
    if (status == QMTCNN_OK)
        status = set_up(&training, options, text, error);
    else
        status = qmt_training_agree(&training, status, error);
    if (status == QMTCNN_OK)
        status = run(&training, options, error);
    tear_down(&training);
    qmt_free(text);
    return status;
}
