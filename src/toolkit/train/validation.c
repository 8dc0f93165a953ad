#include "toolkit/train/validation.h"

#include <string.h>

enum { chunk_samples = 64 };

/* One thread's memory. */
typedef struct validator {
    qmt_workspace *workspace;
    uint8_t *pixels; /* [chunk_samples][side][side][3] */
    float *face, *box, *landmarks;
    qmtcnn_error error;
} validator;

typedef struct validation {
    const qmt_store *store;
    const qmt_indices *indices; /* [qmt_class_count] */
    const qmt_network *network;
    int side, total;
    validator *validators; /* one a thread */
    int validator_count;
    qmt_prediction *predictions; /* [total] */
} validation;

/* Sample number `at`, counted through the classes. */
static qmtcnn_status read_sample(const validation *all, int at, uint8_t *pixels, qmt_sample *sample,
                                 qmtcnn_error *error)
{
    uint32_t left = (uint32_t)at;
    int c = 0;
    while (left >= all->indices[c].count)
        left -= all->indices[c++].count;
    return qmt_store_read(all->store, (qmt_sample_class)c, all->indices[c].items[left], pixels, sample, error);
}

static void keep_results(const validation *all, const validator *own, int first, int count)
{
    bool has_box = qmt_network_has_head(all->network, QMT_HEAD_BOX);
    bool has_landmarks = qmt_network_has_head(all->network, QMT_HEAD_LANDMARKS);
    for (int i = 0; i < count; i++) {
        qmt_prediction *to = &all->predictions[first + i];
        to->score = own->face[i];
        if (has_box)
            memcpy(to->box, own->box + 4 * i, sizeof to->box);
        if (has_landmarks)
            memcpy(to->landmarks, own->landmarks + 10 * i, sizeof to->landmarks);
    }
}

static void run_chunk(void *state, int index, int worker)
{
    validation *all = state;
    validator *own = &all->validators[worker];
    int first = index * chunk_samples;
    int count = all->total - first < chunk_samples ? all->total - first : chunk_samples;
    size_t bytes = 3 * (size_t)all->side * (size_t)all->side;
    if (own->error.status != QMTCNN_OK)
        return;
    for (int i = 0; i < count; i++) {
        qmt_sample sample;
        if (read_sample(all, first + i, own->pixels + (size_t)i * bytes, &sample, &own->error) != QMTCNN_OK)
            return;
        qmt_prediction *to = &all->predictions[first + i];
        to->sample_class = sample.sample_class;
        memcpy(to->true_box, sample.box, sizeof to->true_box);
        memcpy(to->true_landmarks, sample.landmarks, sizeof to->true_landmarks);
    }
    qmt_outputs outputs = {.face = own->face, .box = own->box, .landmarks = own->landmarks};
    if (!qmt_network_has_head(all->network, QMT_HEAD_BOX))
        outputs.box = NULL;
    if (!qmt_network_has_head(all->network, QMT_HEAD_LANDMARKS))
        outputs.landmarks = NULL;
    if (qmt_network_run(all->network, own->workspace, own->pixels, 3 * (ptrdiff_t)all->side, count, all->side,
                        all->side, &outputs, NULL, NULL, &own->error) == QMTCNN_OK)
        keep_results(all, own, first, count);
}

static qmtcnn_status create_validators(validation *all, int threads, qmtcnn_error *error)
{
    size_t bytes = 3 * (size_t)all->side * (size_t)all->side;
    all->validators = qmt_alloc_zero((size_t)threads, sizeof *all->validators);
    if (!all->validators)
        return qmt_fail_memory(error, (size_t)threads * sizeof *all->validators, "validation");
    all->validator_count = threads;
    for (int i = 0; i < threads; i++) {
        validator *own = &all->validators[i];
        qmtcnn_status status = qmt_workspace_create(&own->workspace, error);
        if (status != QMTCNN_OK)
            return status;
        own->pixels = qmt_alloc(chunk_samples, bytes);
        own->face = qmt_alloc(chunk_samples, sizeof(float));
        own->box = qmt_alloc(chunk_samples, 4 * sizeof(float));
        own->landmarks = qmt_alloc(chunk_samples, 10 * sizeof(float));
        if (!own->pixels || !own->face || !own->box || !own->landmarks)
            return qmt_fail_memory(error, chunk_samples * bytes, "validation");
    }
    return QMTCNN_OK;
}

static void clear_validators(validation *all)
{
    for (int i = 0; i < all->validator_count; i++) {
        validator *own = &all->validators[i];
        qmt_free(own->landmarks);
        qmt_free(own->box);
        qmt_free(own->face);
        qmt_free(own->pixels);
        qmt_workspace_free(own->workspace);
    }
    qmt_free(all->validators);
}

/* A network that gives more than one place for a sample of its own size would write past the buffers. */
static qmtcnn_status check_network(const validation *all, qmtcnn_error *error)
{
    int height, width;
    if (!qmt_network_output_size(all->network, all->side, all->side, &height, &width) || height != 1 || width != 1 ||
        !qmt_network_has_head(all->network, QMT_HEAD_FACE))
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "the network gives no single face score for %d x %d samples",
                        all->side, all->side);
    return QMTCNN_OK;
}

qmtcnn_status qmt_validate_samples(const qmt_store *store, const qmt_indices indices[qmt_class_count],
                                   const qmt_model *model, qmtcnn_precision precision, const qmt_train_config *config,
                                   qmt_pool *pool, qmt_figures *figures, qmtcnn_error *error)
{
    validation all = {.store = store, .indices = indices, .side = qmt_net_side(qmt_store_net(store))};
    qmt_network *network = NULL;
    uint64_t total = 0;
    for (int c = 0; c < qmt_class_count; c++)
        total += indices[c].count;
    if (total > INT32_MAX / 2)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%llu samples are too many to validate on",
                        (unsigned long long)total);
    all.total = (int)total;
    qmtcnn_status status = qmt_network_create(model, precision, NULL, &network, error);
    if (status != QMTCNN_OK)
        return status;
    all.network = network;
    all.predictions = qmt_alloc_zero(total, sizeof *all.predictions);
    if (!all.predictions)
        status = qmt_fail_memory(error, total * sizeof *all.predictions, "predictions");
    if (status == QMTCNN_OK)
        status = check_network(&all, error);
    if (status == QMTCNN_OK)
        status = create_validators(&all, qmt_pool_threads(pool), error);
    if (status == QMTCNN_OK)
        qmt_pool_run(pool, (all.total + chunk_samples - 1) / chunk_samples, run_chunk, &all);
    for (int i = 0; status == QMTCNN_OK && i < all.validator_count; i++)
        if (all.validators[i].error.status != QMTCNN_OK)
            status = qmt_fail(error, all.validators[i].error.status, "validation: %s", all.validators[i].error.message);
    if (status == QMTCNN_OK)
        status = qmt_figures_from(all.predictions, total, config, figures, error);
    clear_validators(&all);
    qmt_free(all.predictions);
    qmt_network_free(network);
    return status;
}
