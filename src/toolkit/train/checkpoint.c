#include "toolkit/train/checkpoint.h"

#include "toolkit/log/progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { position_integers = 7, position_reals = 4 + qmt_loss_sums, step_digits = 8 };

char *qmt_training_config_text(const qmt_config *config, qmt_net_id net, uint64_t seed)
{
    qmt_config relevant;
    qmt_config_default(&relevant);
    relevant.run.seed = seed;
    relevant.augment = config->augment;
    relevant.quantize = config->quantize;
    for (int i = 0; i < qmt_net_count; i++) { /* alike, so that each setting is one line */
        relevant.train[i] = config->train[net];
        qmt_train_config_drop_habits(&relevant.train[i]);
    }
    return qmt_config_text_of(&relevant, "run,train,quantize,augment");
}

static void pack_position(const qmt_position *position, int64_t integers[position_integers],
                          double reals[position_reals])
{
    int64_t whole[position_integers] = {position->step,     position->qat_start,     position->finished,
                                        position->epochs,   position->best_epoch[0], position->best_epoch[1],
                                        position->diverging};
    double real[4] = {position->best_score[0], position->best_score[1], position->average, position->lowest};
    memcpy(integers, whole, sizeof whole);
    memcpy(reals, real, sizeof real);
    memcpy(reals + 4, position->sums, sizeof position->sums);
}

static qmtcnn_status unpack_position(const int64_t integers[position_integers], const double reals[position_reals],
                                     qmt_position *position, qmtcnn_error *error)
{
    *position = (qmt_position){
        .step = integers[0],
        .qat_start = integers[1],
        .finished = integers[2],
        .epochs = integers[3],
        .best_epoch = {integers[4], integers[5]},
        .diverging = integers[6],
        .best_score = {reals[0], reals[1]},
        .average = reals[2],
        .lowest = reals[3],
    };
    memcpy(position->sums, reals + 4, sizeof position->sums);
    bool possible = position->step >= 0 && position->qat_start >= -1 && position->qat_start <= position->step &&
                    position->epochs >= 0 && position->diverging >= 0;
    for (int i = 0; i < position_reals; i++)
        possible = possible && !isnan(reals[i]);
    if (!possible)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "train.position holds impossible numbers");
    return QMTCNN_OK;
}

static qmtcnn_status add_origin(qmt_tensors_writer *writer, const qmt_origin *origin, qmtcnn_error *error)
{
    char samples[24];
    snprintf(samples, sizeof samples, "%016" PRIx64, origin->samples);
    qmtcnn_status status = qmt_tensors_add_metadata(writer, "train.net", origin->net, error);
    if (status == QMTCNN_OK)
        status = qmt_tensors_add_metadata(writer, "train.config", origin->config, error);
    if (status == QMTCNN_OK)
        status = qmt_tensors_add_metadata(writer, "train.samples", samples, error);
    if (status == QMTCNN_OK)
        status = qmt_tensors_add_metadata(writer, "train.manifest", origin->manifest, error);
    return status;
}

qmtcnn_status qmt_checkpoint_write(const char *folder, const qmt_origin *origin, const qmt_position *position,
                                   const qmt_net *net, const qmt_optimizer *optimizer, qmtcnn_error *error)
{
    int64_t integers[position_integers];
    double reals[position_reals];
    size_t integer_count = position_integers, real_count = position_reals;
    qmt_tensors_writer *writer = NULL;
    char *path = qmt_format("%s/step-%0*lld.safetensors", folder, step_digits, (long long)position->step);
    if (!path)
        return qmt_fail_memory(error, strlen(folder) + 32, "a path");
    pack_position(position, integers, reals);
    qmtcnn_status status = qmt_tensors_writer_create(&writer, error);
    if (status == QMTCNN_OK)
        status = add_origin(writer, origin, error);
    if (status == QMTCNN_OK)
        status = qmt_net_save(net, writer, error);
    if (status == QMTCNN_OK)
        status = qmt_optimizer_save(optimizer, writer, error);
    if (status == QMTCNN_OK)
        status = qmt_tensors_add(writer, "train.position", QMT_I64, 1, &integer_count, integers, error);
    if (status == QMTCNN_OK)
        status = qmt_tensors_add(writer, "train.reals", QMT_F64, 1, &real_count, reals, error);
    if (status == QMTCNN_OK)
        status = qmt_tensors_write(writer, path, error);
    qmt_tensors_writer_free(writer);
    qmt_free(path);
    return status;
}

/* The step in "step-00001234.safetensors"; -1 for any other name. */
static int64_t step_in_name(const char *name)
{
    const char *prefix = "step-", *suffix = ".safetensors";
    if (strncmp(name, prefix, strlen(prefix)) != 0)
        return -1;
    const char *at = name + strlen(prefix);
    int64_t step = 0;
    int digits = 0;
    for (; *at >= '0' && *at <= '9' && digits < 18; at++, digits++)
        step = 10 * step + (*at - '0');
    return digits >= step_digits && strcmp(at, suffix) == 0 ? step : -1;
}

static qmtcnn_status remove_file(const char *folder, const char *name, qmtcnn_error *error)
{
    char *path = qmt_path_join(folder, name);
    if (!path)
        return qmt_fail_memory(error, strlen(folder) + strlen(name) + 2, "a path");
    qmtcnn_status status = QMTCNN_OK;
    if (remove(path) != 0)
        status = qmt_fail(error, QMTCNN_ERROR_IO, "can't remove the old checkpoint %s", path);
    qmt_free(path);
    return status;
}

qmtcnn_status qmt_checkpoint_prune(const char *folder, int64_t steps_per_epoch, int keep, qmtcnn_error *error)
{
    char **names = NULL;
    size_t count = 0;
    int ends = 0;
    bool newest = true;
    qmtcnn_status status = qmt_folder_list(folder, &names, &count, error);
    /* Sorted by bytes, and steps have leading zeros (a step of more digits than that sorts wrongly, and then more
     * stay). */
    for (size_t i = count; status == QMTCNN_OK && i-- > 0;) {
        int64_t step = step_in_name(names[i]);
        size_t length = strlen(names[i]);
        if (length > 4 && strcmp(names[i] + length - 4, ".tmp") == 0)
            status = remove_file(folder, names[i], error);
        if (step < 0)
            continue;
        bool stays = newest;
        if (step % steps_per_epoch == 0)
            stays = stays || ends < keep, ends++;
        newest = false;
        if (!stays)
            status = remove_file(folder, names[i], error);
    }
    qmt_names_free(names, count);
    return status;
}

/* FOLDER becomes FOLDER.1, or the first number that is free. */
static qmtcnn_status move_aside(const char *folder, qmtcnn_error *error)
{
    for (int number = 1; number < 10000; number++) {
        char *target = qmt_format("%s.%d", folder, number);
        if (!target)
            return qmt_fail_memory(error, strlen(folder) + 8, "a path");
        bool taken = qmt_folder_exists(target) || qmt_file_exists(target);
        bool moved = !taken && rename(folder, target) == 0;
        if (moved)
            qmt_log_warning("%s holds an older run: moved to %s (--resume would go on with it)", folder, target);
        qmt_free(target);
        if (moved)
            return QMTCNN_OK;
        if (!taken)
            break;
    }
    return qmt_fail(error, QMTCNN_ERROR_IO,
                    "can't move the older run in %s aside; remove it, or go on with it (--resume)", folder);
}

qmtcnn_status qmt_checkpoint_set_aside(const char *folder, qmtcnn_error *error)
{
    static const char *const results[] = {"fp32.safetensors", "ptq.safetensors", "qat.safetensors", "history.json"};
    char **names = NULL;
    size_t count = 0;
    bool used = false;
    if (!qmt_folder_exists(folder))
        return QMTCNN_OK;
    qmtcnn_status status = qmt_folder_list(folder, &names, &count, error);
    for (size_t i = 0; status == QMTCNN_OK && i < count; i++) {
        used = used || step_in_name(names[i]) >= 0;
        for (size_t k = 0; k < sizeof results / sizeof *results; k++)
            used = used || strcmp(names[i], results[k]) == 0;
    }
    qmt_names_free(names, count);
    return status == QMTCNN_OK && used ? move_aside(folder, error) : status;
}

qmtcnn_status qmt_checkpoint_newest(const char *folder, char **path, qmtcnn_error *error)
{
    return qmt_checkpoint_newest_until(folder, INT64_MAX, path, error);
}

qmtcnn_status qmt_checkpoint_newest_until(const char *folder, int64_t step, char **path, qmtcnn_error *error)
{
    *path = NULL;
    if (!qmt_folder_exists(folder))
        return QMTCNN_OK;
    char **names = NULL;
    size_t count = 0;
    qmtcnn_status status = qmt_folder_list(folder, &names, &count, error);
    for (size_t i = count; status == QMTCNN_OK && !*path && i-- > 0;) {
        int64_t made_at = step_in_name(names[i]);
        if (made_at < 0 || made_at > step)
            continue;
        char *candidate = qmt_path_join(folder, names[i]);
        if (!candidate) {
            status = qmt_fail_memory(error, strlen(folder) + strlen(names[i]) + 2, "a path");
            break;
        }
        qmt_tensors_file *file = NULL;
        qmtcnn_error problem = {0};
        if (qmt_tensors_open(candidate, &file, &problem) == QMTCNN_OK) {
            *path = candidate;
        } else {
            qmt_log_warning("passing over a damaged checkpoint: %s", problem.message);
            qmt_free(candidate);
        }
        qmt_tensors_close(file);
    }
    qmt_names_free(names, count);
    return status;
}

/* Was it made from the same samples with the same settings? */
static qmtcnn_status check_origin(const qmt_tensors_file *file, const char *path, const qmt_origin *origin,
                                  qmtcnn_error *error)
{
    const char *net = qmt_tensors_metadata(file, "train.net"), *config = qmt_tensors_metadata(file, "train.config");
    const char *samples = qmt_tensors_metadata(file, "train.samples");
    char expected[24];
    snprintf(expected, sizeof expected, "%016" PRIx64, origin->samples);
    if (!net || !config || !samples)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s is no training checkpoint: it doesn't say how it was made",
                        path);
    if (strcmp(net, origin->net) != 0)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%s is a checkpoint of %s, not of %s", path, net, origin->net);
    if (strcmp(samples, expected) != 0)
        return qmt_fail(
            error, QMTCNN_ERROR_ARGUMENT,
            "%s was trained on other samples (hash %s, now %s); give the samples it was made with, or train "
            "into another folder of checkpoints",
            path, samples, expected);
    char *key = qmt_config_difference(config, origin->config, "train.epochs");
    if (!key)
        return QMTCNN_OK;
    qmtcnn_status status =
        qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                 "%s was made with another value of %s; set it as it was, or train without --resume", path, key);
    qmt_free(key);
    return status;
}

static qmtcnn_status read_position(const qmt_tensors_file *file, int epochs, qmt_position *position,
                                   qmtcnn_error *error)
{
    const void *integers, *reals;
    size_t integer_count = position_integers, real_count = position_reals;
    qmtcnn_status status = qmt_tensors_get(file, "train.position", QMT_I64, 1, &integer_count, &integers, error);
    if (status == QMTCNN_OK)
        status = qmt_tensors_get(file, "train.reals", QMT_F64, 1, &real_count, &reals, error);
    if (status != QMTCNN_OK)
        return status;
    int64_t whole[position_integers];
    double real[position_reals];
    memcpy(whole, integers, sizeof whole);
    memcpy(real, reals, sizeof real);
    status = unpack_position(whole, real, position, error);
    if (status == QMTCNN_OK && position->epochs > epochs)
        status = qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                          "it was made with train.epochs %lld, and now there are %d; only more can be resumed",
                          (long long)position->epochs, epochs);
    return status;
}

qmtcnn_status qmt_checkpoint_read(const char *path, const qmt_origin *origin, int epochs, qmt_position *position,
                                  qmt_net *net, qmt_optimizer *optimizer, qmtcnn_error *error)
{
    qmt_tensors_file *file = NULL;
    qmtcnn_status status = qmt_tensors_open(path, &file, error);
    if (status != QMTCNN_OK)
        return status;
    status = check_origin(file, path, origin, error);
    if (status != QMTCNN_OK)
        goto done;
    status = read_position(file, epochs, position, error);
    if (status == QMTCNN_OK)
        status = qmt_net_load(net, file, error);
    if (status == QMTCNN_OK)
        status = qmt_optimizer_load(optimizer, file, error);
    if (status != QMTCNN_OK)
        status = qmt_fail_in(error, status, "%s", path);
done:
    qmt_tensors_close(file);
    return status;
}

/* Figures as a JSON string in the metadata. */
static qmtcnn_status add_figures(qmt_tensors_writer *writer, const char *key, const qmt_figures *figures,
                                 qmtcnn_error *error)
{
    if (!figures)
        return QMTCNN_OK;
    json_t *object = qmt_figures_json(figures);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    qmtcnn_status status =
        text ? qmt_tensors_add_metadata(writer, key, text, error) : qmt_fail_memory(error, 1024, "validation figures");
    free(text);
    json_decref(object);
    return status;
}

static qmtcnn_status add_number(qmt_tensors_writer *writer, const char *key, int64_t value, qmtcnn_error *error)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return qmt_tensors_add_metadata(writer, key, text, error);
}

qmtcnn_status qmt_best_write(const char *folder, const char *name, const qmt_origin *origin, const qmt_net *net,
                             int64_t epoch, int64_t step, const qmt_figures *fp32, const qmt_figures *int8,
                             qmtcnn_error *error)
{
    qmt_tensors_writer *writer = NULL;
    char *path = qmt_format("%s/%s.safetensors", folder, name);
    if (!path)
        return qmt_fail_memory(error, strlen(folder) + 32, "a path");
    qmtcnn_status status = qmt_tensors_writer_create(&writer, error);
    if (status == QMTCNN_OK)
        status = add_origin(writer, origin, error);
    if (status == QMTCNN_OK)
        status = qmt_tensors_add_metadata(writer, "train.phase", name, error);
    if (status == QMTCNN_OK)
        status = add_number(writer, "train.epoch", epoch, error);
    if (status == QMTCNN_OK)
        status = add_number(writer, "train.step", step, error);
    if (status == QMTCNN_OK)
        status = add_figures(writer, "train.validation.fp32", fp32, error);
    if (status == QMTCNN_OK)
        status = add_figures(writer, "train.validation.int8", int8, error);
    if (status == QMTCNN_OK)
        status = qmt_net_save(net, writer, error);
    if (status == QMTCNN_OK)
        status = qmt_tensors_write(writer, path, error);
    qmt_tensors_writer_free(writer);
    qmt_free(path);
    return status;
}
