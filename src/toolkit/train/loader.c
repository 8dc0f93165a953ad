#include "toolkit/train/loader.h"

#include "runtime/base/clock.h"
#include "toolkit/base/random.h"
#include "toolkit/data/augment.h"

#include <pthread.h>
#include <string.h>

enum { slot_count = 3, max_loader_threads = 256 };

/* Streams of random numbers: orders and changes must not share one. */
enum { order_stream = 0x100, change_stream = 0x200 };

/* Where a sample of a batch comes from. */
typedef struct source {
    qmt_sample_class sample_class;
    uint32_t index;   /* in the store */
    uint64_t ordinal; /* how many of its class came before, since step 0: its own random stream */
} source;

/* One batch being made or read. */
typedef struct slot {
    int64_t step;
    int next_group, finished; /* groups handed out, and done */
    source *sources;          /* [groups * 16] */
    qmt_label *labels;
    float *input;
    qmtcnn_error error; /* the first failure */
} slot;

typedef struct loader_thread {
    qmt_loader *loader;
    pthread_t thread;
    qmt_augmenter augmenter;
    uint8_t *pixels; /* [16][side][side][3] */
    uint8_t *stored; /* [side][side][3]: a sample as it came from the store; part of the same memory */
} loader_thread;

struct qmt_loader {
    qmt_loader_options options;
    int side, batch; /* samples of a batch in all ranks */
    size_t group_floats;
    /* The order of each class's current pass. Only the calling thread touches it. */
    uint32_t *order[qmt_class_count];
    int64_t pass[qmt_class_count];
    int64_t next_step; /* that next() gives */
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    bool has_lock, has_work, has_done;
    /* Guarded by lock. */
    slot slots[slot_count];
    bool stop;
    int thread_count;
    loader_thread *threads;
};

/* ---- Making samples (on loader threads) -------------------------------------------------------- */

static qmtcnn_status make_sample(qmt_loader *loader, loader_thread *thread, const source *from, uint8_t *pixels,
                                 qmt_label *label, qmtcnn_error *error)
{
    qmt_sample sample;
    qmtcnn_status status =
        qmt_store_read(loader->options.store, from->sample_class, from->index, thread->stored, &sample, error);
    if (status != QMTCNN_OK)
        return status;
    label->sample_class = from->sample_class;
    uint64_t stream = change_stream + (uint64_t)from->sample_class;
    qmt_random random = qmt_random_stream(loader->options.seed, stream, from->ordinal);
    return qmt_augment(&thread->augmenter, loader->options.augment, loader->side, &sample, &random, pixels, label->box,
                       label->landmarks, NULL, error);
}

/* 16 pictures of bytes become one block of floats with the samples innermost. Both steps of (p - 127.5) / 128 are
 * exact. */
static void interleave(const uint8_t *pixels, int side, float *input)
{
    size_t area = (size_t)side * (size_t)side, picture = 3 * area;
    for (size_t channel = 0; channel < 3; channel++)
        for (size_t at = 0; at < area; at++) {
            const uint8_t *from = pixels + 3 * at + channel;
            float *to = input + (channel * area + at) * qmt_lanes;
            for (size_t lane = 0; lane < qmt_lanes; lane++)
                to[lane] = ((float)from[lane * picture] - 127.5f) * (1.0f / 128);
        }
}

static qmtcnn_status make_group(qmt_loader *loader, loader_thread *thread, slot *target, int group, qmtcnn_error *error)
{
    size_t picture = 3 * (size_t)loader->side * (size_t)loader->side;
    for (int lane = 0; lane < qmt_lanes; lane++) {
        int at = group * qmt_lanes + lane;
        qmtcnn_status status = make_sample(loader, thread, &target->sources[at],
                                           thread->pixels + (size_t)lane * picture, &target->labels[at], error);
        if (status != QMTCNN_OK)
            return status;
    }
    interleave(thread->pixels, loader->side, target->input + (size_t)group * loader->group_floats);
    return QMTCNN_OK;
}

/* The unfinished batch that is needed first; NULL if all are handed out. */
static slot *find_work(qmt_loader *loader)
{
    slot *found = NULL;
    for (int i = 0; i < slot_count; i++) {
        slot *at = &loader->slots[i];
        if (at->next_group < loader->options.groups && (!found || at->step < found->step))
            found = at;
    }
    return found;
}

static void *loader_main(void *state)
{
    loader_thread *thread = state;
    qmt_loader *loader = thread->loader;
    pthread_mutex_lock(&loader->lock);
    while (!loader->stop) {
        slot *target = find_work(loader);
        if (!target) {
            pthread_cond_wait(&loader->work, &loader->lock);
            continue;
        }
        int group = target->next_group++;
        pthread_mutex_unlock(&loader->lock);
        qmtcnn_error error = {0};
        qmtcnn_status status = make_group(loader, thread, target, group, &error);
        pthread_mutex_lock(&loader->lock);
        if (status != QMTCNN_OK && target->error.status == QMTCNN_OK)
            target->error = error;
        if (++target->finished == loader->options.groups)
            pthread_cond_broadcast(&loader->done);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

/* ---- Planning batches (on the calling thread) --------------------------------------------------- */

/* The sample of a class with this ordinal. Passes only ever go on, except after a seek. */
static uint32_t sample_at(qmt_loader *loader, int sample_class, uint64_t ordinal)
{
    const qmt_indices *training = &loader->options.training[sample_class];
    int64_t pass = (int64_t)(ordinal / training->count);
    if (pass != loader->pass[sample_class]) {
        uint64_t stream = order_stream + (uint64_t)sample_class;
        qmt_random random = qmt_random_stream(loader->options.seed, stream, (uint64_t)pass);
        qmt_random_shuffle(&random, loader->order[sample_class], training->count);
        loader->pass[sample_class] = pass;
    }
    return training->items[loader->order[sample_class][ordinal % training->count]];
}

/* Decides what is in a batch; only this rank's part is kept. */
static void plan(qmt_loader *loader, slot *target, int64_t step)
{
    int first = loader->options.first_group * qmt_lanes, last = first + loader->options.groups * qmt_lanes, at = 0;
    for (int c = 0; c < qmt_class_count; c++) {
        int count = loader->options.counts[c];
        for (int i = 0; i < count; i++, at++) {
            uint64_t ordinal = (uint64_t)step * (uint64_t)count + (uint64_t)i;
            uint32_t index = sample_at(loader, c, ordinal);
            if (at >= first && at < last)
                target->sources[at - first] = (source){(qmt_sample_class)c, index, ordinal};
        }
    }
}

/* Hands a planned batch to the threads. */
static void start_slot(qmt_loader *loader, slot *target, int64_t step)
{
    plan(loader, target, step); /* no thread reads the slot now */
    pthread_mutex_lock(&loader->lock);
    target->step = step;
    target->finished = 0;
    target->next_group = 0;
    target->error = (qmtcnn_error){0};
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
}

static slot *slot_of(qmt_loader *loader, int64_t step)
{
    return &loader->slots[step % slot_count];
}

/* Waits until nobody works on any slot. */
static void drain(qmt_loader *loader)
{
    int groups = loader->options.groups;
    pthread_mutex_lock(&loader->lock);
    for (int i = 0; i < slot_count; i++) {
        slot *at = &loader->slots[i];
        at->finished += groups - at->next_group; /* what was not begun never will be */
        at->next_group = groups;
    }
    for (int i = 0; i < slot_count; i++)
        while (loader->slots[i].finished < groups)
            pthread_cond_wait(&loader->done, &loader->lock);
    pthread_mutex_unlock(&loader->lock);
}

qmtcnn_status qmt_loader_seek(qmt_loader *loader, int64_t step, qmtcnn_error *error)
{
    if (step < 0 || step > INT64_MAX / 2 / loader->batch)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "step %lld is out of range", (long long)step);
    drain(loader);
    for (int64_t i = step; i < step + slot_count; i++)
        start_slot(loader, slot_of(loader, i), i);
    loader->next_step = step;
    return QMTCNN_OK;
}

qmtcnn_status qmt_loader_next(qmt_loader *loader, qmt_batch *batch, qmtcnn_error *error)
{
    int64_t step = loader->next_step;
    slot *current = slot_of(loader, step), *before = slot_of(loader, step + slot_count - 1);
    /* The caller has done with the batch before: its slot may be filled again. After a seek it is already on its way.
     */
    if (before->step == step - 1)
        start_slot(loader, before, step + slot_count - 1);
    double start = qmt_seconds();
    pthread_mutex_lock(&loader->lock);
    while (current->finished < loader->options.groups)
        pthread_cond_wait(&loader->done, &loader->lock);
    qmtcnn_error failure = current->error;
    pthread_mutex_unlock(&loader->lock);
    if (failure.status != QMTCNN_OK)
        return qmt_fail(error, failure.status, "a batch of samples: %s", failure.message);
    *batch = (qmt_batch){step, current->input, current->labels, qmt_seconds() - start};
    loader->next_step++;
    return QMTCNN_OK;
}

/* ---- Life --------------------------------------------------------------------------------------- */

static qmtcnn_status allocate(qmt_loader *loader, qmtcnn_error *error)
{
    size_t samples = (size_t)loader->options.groups * qmt_lanes;
    for (int c = 0; c < qmt_class_count; c++) {
        loader->pass[c] = -1;
        loader->order[c] = qmt_alloc(loader->options.training[c].count, sizeof(uint32_t));
        if (!loader->order[c])
            return qmt_fail_memory(error, loader->options.training[c].count * sizeof(uint32_t), "the samples' order");
    }
    for (int i = 0; i < slot_count; i++) {
        slot *at = &loader->slots[i];
        at->step = -1;
        at->next_group = at->finished = loader->options.groups;
        at->sources = qmt_alloc(samples, sizeof *at->sources);
        at->labels = qmt_alloc_zero(samples, sizeof *at->labels);
        at->input = qmt_alloc((size_t)loader->options.groups, loader->group_floats * sizeof(float));
        if (!at->sources || !at->labels || !at->input)
            return qmt_fail_memory(error, (size_t)loader->options.groups * loader->group_floats * sizeof(float),
                                   "batches");
    }
    loader->threads = qmt_alloc_zero((size_t)loader->options.threads, sizeof *loader->threads);
    if (!loader->threads)
        return qmt_fail_memory(error, (size_t)loader->options.threads * sizeof *loader->threads, "loader threads");
    return QMTCNN_OK;
}

static qmtcnn_status start_threads(qmt_loader *loader, qmtcnn_error *error)
{
    loader->has_lock = pthread_mutex_init(&loader->lock, NULL) == 0;
    loader->has_work = pthread_cond_init(&loader->work, NULL) == 0;
    loader->has_done = pthread_cond_init(&loader->done, NULL) == 0;
    if (!loader->has_lock || !loader->has_work || !loader->has_done)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "can't make a lock for the loader");
    size_t bytes = 3 * (size_t)loader->side * (size_t)loader->side;
    for (int i = 0; i < loader->options.threads; i++) {
        loader_thread *thread = &loader->threads[i];
        thread->loader = loader;
        thread->pixels = qmt_alloc(qmt_lanes + 1, bytes);
        if (!thread->pixels)
            return qmt_fail_memory(error, (qmt_lanes + 1) * bytes, "a loader thread");
        thread->stored = thread->pixels + qmt_lanes * bytes;
        if (pthread_create(&thread->thread, NULL, loader_main, thread) != 0) {
            qmt_free(thread->pixels);
            return qmt_fail(error, QMTCNN_ERROR_MEMORY, "can't start loader thread %d", i);
        }
        loader->thread_count++;
    }
    return QMTCNN_OK;
}

static qmtcnn_status check_options(const qmt_loader_options *options, int *batch, qmtcnn_error *error)
{
    *batch = 0;
    for (int c = 0; c < qmt_class_count; c++) {
        if (options->counts[c] < 0 || options->counts[c] > 1 << 20 ||
            (options->counts[c] > 0 && options->training[c].count == 0))
            return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "a batch can't hold %d %s samples", options->counts[c],
                            qmt_class_name((qmt_sample_class)c));
        *batch += options->counts[c];
    }
    if (options->groups < 1 || options->first_group < 0 || *batch % qmt_lanes != 0 ||
        options->groups > *batch / qmt_lanes - options->first_group)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "groups %d to %d are not in a batch of %d samples",
                        options->first_group, options->first_group + options->groups - 1, *batch);
    if (options->threads < 1 || options->threads > max_loader_threads)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%d loader threads; 1 to %d are possible", options->threads,
                        max_loader_threads);
    return QMTCNN_OK;
}

qmtcnn_status qmt_loader_create(const qmt_loader_options *options, qmt_loader **loader, qmtcnn_error *error)
{
    *loader = NULL;
    int batch;
    qmtcnn_status status = check_options(options, &batch, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_loader *made = qmt_alloc_zero(1, sizeof *made);
    if (!made)
        return qmt_fail_memory(error, sizeof *made, "the loader");
    made->options = *options;
    made->batch = batch;
    made->side = qmt_net_side(qmt_store_net(options->store));
    made->group_floats = 3 * (size_t)made->side * (size_t)made->side * qmt_lanes;
    status = allocate(made, error);
    if (status == QMTCNN_OK)
        status = start_threads(made, error);
    if (status != QMTCNN_OK) {
        qmt_loader_free(made);
        return status;
    }
    *loader = made;
    return QMTCNN_OK;
}

void qmt_loader_free(qmt_loader *loader)
{
    if (!loader)
        return;
    if (loader->thread_count > 0) {
        pthread_mutex_lock(&loader->lock);
        loader->stop = true;
        pthread_cond_broadcast(&loader->work);
        pthread_mutex_unlock(&loader->lock);
    }
    for (int i = 0; i < loader->thread_count; i++) {
        pthread_join(loader->threads[i].thread, NULL);
        qmt_augmenter_clear(&loader->threads[i].augmenter);
        qmt_free(loader->threads[i].pixels);
    }
    if (loader->has_done)
        pthread_cond_destroy(&loader->done);
    if (loader->has_work)
        pthread_cond_destroy(&loader->work);
    if (loader->has_lock)
        pthread_mutex_destroy(&loader->lock);
    qmt_free(loader->threads);
    for (int i = 0; i < slot_count; i++) {
        qmt_free(loader->slots[i].input);
        qmt_free(loader->slots[i].labels);
        qmt_free(loader->slots[i].sources);
    }
    for (int c = 0; c < qmt_class_count; c++)
        qmt_free(loader->order[c]);
    qmt_free(loader);
}
