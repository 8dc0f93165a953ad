#include "toolkit/deploy/calibration.h"

#include "runtime/detect/cascade.h"
#include "toolkit/base/random.h"
#include "toolkit/base/stop.h"
#include "toolkit/image/image.h"
#include "toolkit/log/progress.h"

#include <math.h>
#include <string.h>

enum { most_pictures = 256 };

typedef struct worker {
    qmt_backend backend;
    qmt_cascade *cascade;
    qmt_resizer resizer;
    qmtcnn_error error;
} worker;

typedef struct gathering {
    const qmt_config *config;
    const char *const *pictures;
    size_t given;
    int used, quota; /* pictures; samples of each network that a picture gives at most */
    int nets;
    qmt_network *networks[qmt_net_count];
    worker *workers;
    int worker_count;
    uint8_t *pixels[qmt_net_count]; /* [used][quota][side][side][3] */
    int *taken;                     /* [used][qmt_net_count]; -1: unreadable */
    qmt_progress *progress;
} gathering;

static size_t sample_bytes(int net)
{
    size_t side = (size_t)qmt_net_side((qmt_net_id)net);
    return 3 * side * side;
}

static uint8_t *slot(const gathering *all, int picture, int net, int number)
{
    return all->pixels[net] + ((size_t)picture * (size_t)all->quota + (size_t)number) * sample_bytes(net);
}

static qmtcnn_status take(const gathering *all, worker *own, const qmt_pixels *pixels, int picture, int net,
                          qmt_box box, qmtcnn_error *error)
{
    int *taken = &all->taken[picture * qmt_net_count + net], side = qmt_net_side((qmt_net_id)net);
    if (*taken >= all->quota)
        return QMTCNN_OK;
    qmtcnn_status status =
        qmt_resize(&own->resizer, pixels, (double)box.x1, (double)box.y1, (double)(box.x2 - box.x1),
                   (double)(box.y2 - box.y1), slot(all, picture, net, *taken), side, side, 3 * (ptrdiff_t)side, error);
    *taken += status == QMTCNN_OK ? 1 : 0;
    return status;
}

/* Windows of P-Net's size anywhere on the pyramid, all its places being equally likely. */
static qmtcnn_status take_windows(const gathering *all, worker *own, const qmt_pixels *pixels, int picture, int count,
                                  const qmtcnn_options *options, qmtcnn_error *error)
{
    double scales[qmt_max_levels], areas = 0;
    int levels = qmt_pyramid_scales(pixels->width, pixels->height, options, scales);
    qmt_random random = qmt_random_stream(all->config->run.seed, (uint64_t)picture, QMT_PNET);
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; i < levels; i++)
        areas += scales[i] * scales[i];
    for (int n = 0; n < count && levels > 0 && status == QMTCNN_OK; n++) {
        double left = (double)qmt_random_float(&random) * areas;
        int level = 0;
        while (level + 1 < levels && left >= scales[level] * scales[level]) {
            left -= scales[level] * scales[level];
            level++;
        }
        float side = (float)(qmt_net_side(QMT_PNET) / scales[level]);
        float x = qmt_random_float(&random) * fmaxf((float)pixels->width - side, 0);
        float y = qmt_random_float(&random) * fmaxf((float)pixels->height - side, 0);
        qmt_box box = {x, y, x + side, y + side};
        status = take(all, own, pixels, picture, QMT_PNET, box, error);
    }
    return status;
}

static qmtcnn_status take_candidates(const gathering *all, worker *own, const qmt_pixels *pixels, int picture, int net,
                                     const qmt_candidate *candidates, size_t count, int most, qmtcnn_error *error)
{
    size_t wanted = count < (size_t)most ? count : (size_t)most;
    qmtcnn_status status = QMTCNN_OK;
    for (size_t i = 0; i < wanted && status == QMTCNN_OK; i++)
        status = take(all, own, pixels, picture, net, candidates[i * count / wanted].box, error);
    return status;
}

static void set_options(const qmt_config *config, qmtcnn_options *options)
{
    qmtcnn_options_default(NULL, options);
    options->min_face = config->detect.min_face;
    options->max_face = config->detect.max_face;
    options->scale_factor = config->detect.scale_factor;
    options->max_proposals = config->detect.max_proposals;
    options->threads = 1;
    memcpy(options->thresholds, config->evaluate.thresholds, sizeof options->thresholds);
    memcpy(options->nms, config->detect.nms, sizeof options->nms);
}

static qmtcnn_status gather_picture(const gathering *all, worker *own, const qmt_pixels *pixels, int picture,
                                    qmtcnn_error *error)
{
    qmt_cascade_options options = {.last = QMT_PNET};
    const qmt_candidate *found;
    size_t count;
    set_options(all->config, &options.detect);
    qmtcnn_status status = qmt_cascade_run(own->cascade, pixels, &options, &found, &count, NULL, error);
    if (status == QMTCNN_OK)
        status = take_candidates(all, own, pixels, picture, QMT_PNET, found, count, all->quota / 2, error);
    if (status == QMTCNN_OK)
        status = take_windows(all, own, pixels, picture, all->quota - all->quota / 2, &options.detect, error);
    if (status == QMTCNN_OK && all->nets > QMT_RNET)
        status = take_candidates(all, own, pixels, picture, QMT_RNET, found, count, all->quota, error);
    if (status != QMTCNN_OK || all->nets <= QMT_ONET)
        return status;
    options.last = QMT_RNET;
    status = qmt_cascade_run(own->cascade, pixels, &options, &found, &count, NULL, error);
    if (status == QMTCNN_OK)
        status = take_candidates(all, own, pixels, picture, QMT_ONET, found, count, all->quota, error);
    return status;
}

static void run_picture(void *state, int picture, int number)
{
    const gathering *all = state;
    worker *own = &all->workers[number];
    if (own->error.status != QMTCNN_OK || qmt_stop_requested())
        return;
    const char *path = all->pictures[(size_t)picture * all->given / (size_t)all->used];
    qmt_image image = {0};
    qmtcnn_error error = {0};
    if (qmt_image_read(path, QMT_UPRIGHT, &image, &error) == QMTCNN_OK) {
        const qmt_pixels pixels = qmt_image_pixels(&image);
        gather_picture(all, own, &pixels, picture, &own->error);
    } else if (error.status == QMTCNN_ERROR_MEMORY) {
        own->error = error;
    } else {
        qmt_log_warning("%s is left out: %s", path, error.message);
        all->taken[picture * qmt_net_count] = -1;
    }
    qmt_image_clear(&image);
    qmt_progress_add(all->progress, 1);
}

static qmtcnn_status take_memory(gathering *all, qmt_pool *pool, qmtcnn_error *error)
{
    int workers = qmt_pool_threads(pool);
    all->taken = qmt_alloc_zero((size_t)all->used * qmt_net_count, sizeof *all->taken);
    all->workers = qmt_alloc_zero((size_t)workers, sizeof *all->workers);
    if (!all->taken || !all->workers)
        return qmt_fail_memory(error, (size_t)all->used * qmt_net_count * sizeof *all->taken, "calibration samples");
    for (int net = 0; net < all->nets; net++) {
        all->pixels[net] = qmt_alloc((size_t)all->used * (size_t)all->quota, sample_bytes(net));
        if (!all->pixels[net])
            return qmt_fail_memory(error, (size_t)all->used * (size_t)all->quota * sample_bytes(net),
                                   "calibration samples (quantize.ptq_samples)");
    }
    const qmt_network *const networks[qmt_net_count] = {all->networks[0], all->networks[1], all->networks[2]};
    for (int i = 0; i < workers; i++) {
        worker *own = &all->workers[i];
        all->worker_count = i + 1;
        qmtcnn_status status = qmt_backend_create(networks, 1, &own->backend, error);
        if (status == QMTCNN_OK)
            status = qmt_cascade_create(&own->backend, NULL, &own->cascade, error);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}

static void free_memory(gathering *all)
{
    for (int i = 0; i < all->worker_count; i++) {
        qmt_resizer_clear(&all->workers[i].resizer);
        qmt_cascade_free(all->workers[i].cascade);
        qmt_backend_free(&all->workers[i].backend);
    }
    for (int net = 0; net < qmt_net_count; net++) {
        qmt_free(all->pixels[net]);
        qmt_network_free(all->networks[net]);
    }
    qmt_free(all->workers);
    qmt_free(all->taken);
}

/* The samples of all pictures one after the other, then as many of them as are wanted, spread evenly. */
static qmtcnn_status keep_samples(gathering *all, int net, qmt_calibration *to, qmtcnn_error *error)
{
    size_t bytes = sample_bytes(net), found = 0, wanted = (size_t)all->config->quantize.ptq_samples;
    for (int picture = 0; picture < all->used; picture++)
        for (int i = 0; i < all->taken[picture * qmt_net_count + net]; i++)
            memmove(all->pixels[net] + found++ * bytes, slot(all, picture, net, i), bytes);
    size_t kept = found < wanted ? found : wanted;
    to->pixels[net] = qmt_alloc(kept, bytes);
    if (!to->pixels[net])
        return qmt_fail_memory(error, kept * bytes, "calibration samples");
    for (size_t i = 0; i < kept; i++)
        memcpy(to->pixels[net] + i * bytes, all->pixels[net] + i * found / kept * bytes, bytes);
    to->count[net] = (int)kept;
    return QMTCNN_OK;
}

static qmtcnn_status finish(gathering *all, qmt_calibration *to, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; i < all->worker_count; i++)
        if (all->workers[i].error.status != QMTCNN_OK)
            return qmt_fail(error, all->workers[i].error.status, "%s", all->workers[i].error.message);
    if (qmt_stop_requested())
        return qmt_fail(error, QMTCNN_ERROR_INTERRUPTED, "stopped; nothing was written");
    for (int picture = 0; picture < all->used; picture++)
        to->unreadable += all->taken[picture * qmt_net_count] < 0;
    to->pictures = all->used - to->unreadable;
    if (to->pictures == 0)
        return qmt_fail(error, QMTCNN_ERROR_IO, "none of the %d pictures can be read", all->used);
    for (int net = 0; net < all->nets && status == QMTCNN_OK; net++)
        status = keep_samples(all, net, to, error);
    return status;
}

qmtcnn_status qmt_calibration_gather(qmt_model *const models[qmt_net_count], const char *const *pictures, size_t count,
                                     const qmt_config *config, qmt_pool *pool, qmt_calibration *calibration,
                                     qmtcnn_error *error)
{
    gathering all = {.config = config, .pictures = pictures, .given = count};
    memset(calibration, 0, sizeof *calibration);
    if (count == 0)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "there are no pictures to calibrate on");
    all.used = count < most_pictures ? (int)count : most_pictures;
    /* Twice a picture's share: others have fewer faces. */
    all.quota = 2 * config->quantize.ptq_samples / all.used;
    all.quota = all.quota < 4 ? 4 : all.quota;
    qmtcnn_status status = QMTCNN_OK;
    for (int net = 0; net < qmt_net_count && models[net] && status == QMTCNN_OK; net++) {
        status = qmt_network_create(models[net], QMTCNN_PRECISION_FP32, NULL, &all.networks[net], error);
        all.nets = net + 1;
    }
    if (status == QMTCNN_OK)
        status = take_memory(&all, pool, error);
    if (status == QMTCNN_OK) {
        all.progress = qmt_progress_start("calibration samples", "pictures", (double)all.used);
        qmt_pool_run(pool, all.used, run_picture, &all);
        qmt_progress_finish(all.progress);
        status = finish(&all, calibration, error);
    }
    free_memory(&all);
    return status;
}

void qmt_calibration_clear(qmt_calibration *calibration)
{
    for (int net = 0; net < qmt_net_count; net++)
        qmt_free(calibration->pixels[net]);
    memset(calibration, 0, sizeof *calibration);
}
