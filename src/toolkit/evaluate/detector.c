#include "toolkit/evaluate/detector.h"

#include "runtime/base/clock.h"
#include "runtime/model/onnx.h"
#include "toolkit/base/file.h"
#include "toolkit/base/stop.h"
#include "toolkit/log/progress.h"

#include <math.h>
#include <string.h>

struct qmt_detector {
    qmt_network *networks[qmt_net_count];
    qmt_net_id last;
    qmt_advice advice; /* of the files, O-Net's where they come from several folders */
};

/* ---- Networks -------------------------------------------------------------------------------- */

static qmtcnn_status open_network(const qmt_network_source *source, qmt_net_id net, const qmt_score_map *map,
                                  qmt_network **network, qmt_advice *advice, qmtcnn_error *error)
{
    qmt_model *model = NULL;
    char *path = qmt_format("%s/%s.onnx", source->folder, qmt_net_name(net));
    if (!path)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: the path of %s", qmt_net_name(net));
    qmtcnn_status status = qmt_onnx_read_file(path, &model, error);
    if (status == QMTCNN_OK && model->net != net)
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s holds a network of the kind %s: was it renamed?", path,
                          qmt_net_name(model->net));
    if (status == QMTCNN_OK)
        status = qmt_advice_read(model, path, advice, error);
    if (status == QMTCNN_OK && map)
        status = qmt_scores_fold(model, map, error);
    if (status == QMTCNN_OK) {
        status = qmt_network_create(model, source->precision, NULL, network, error);
        if (status != QMTCNN_OK)
            qmt_fail_in(error, status, "%s", path);
    }
    qmt_model_free(model);
    qmt_free(path);
    return status;
}

qmtcnn_status qmt_detector_open(const qmt_network_source sources[qmt_net_count], qmt_net_id last,
                                qmt_detector **detector, qmtcnn_error *error)
{
    return qmt_detector_open_mapped(sources, NULL, last, detector, error);
}

qmtcnn_status qmt_detector_open_mapped(const qmt_network_source sources[qmt_net_count],
                                       const qmt_score_map maps[qmt_net_count], qmt_net_id last, qmt_detector **result,
                                       qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    *result = NULL;
    qmt_detector *detector = qmt_alloc_zero(1, sizeof *detector);
    if (!detector)
        return qmt_fail_memory(error, sizeof *detector, "a detector");
    detector->last = last;
    qmt_advice_default(&detector->advice);
    for (int i = 0; status == QMTCNN_OK && i <= (int)last; i++)
        status = open_network(&sources[i], (qmt_net_id)i, maps ? &maps[i] : NULL, &detector->networks[i],
                              &detector->advice, error);
    if (status == QMTCNN_OK)
        *result = detector;
    else
        qmt_detector_close(detector);
    return status;
}

qmtcnn_status qmt_detector_from_models(const qmt_model *const models[qmt_net_count], qmt_detector **result,
                                       qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    *result = NULL;
    qmt_detector *detector = qmt_alloc_zero(1, sizeof *detector);
    if (!detector)
        return qmt_fail_memory(error, sizeof *detector, "a detector");
    detector->last = QMT_ONET;
    qmt_advice_default(&detector->advice);
    for (int i = 0; status == QMTCNN_OK && i < qmt_net_count; i++) {
        status = qmt_advice_read(models[i], qmt_net_name((qmt_net_id)i), &detector->advice, error);
        if (status == QMTCNN_OK)
            status = qmt_network_create(models[i], QMTCNN_PRECISION_AUTO, NULL, &detector->networks[i], error);
    }
    if (status == QMTCNN_OK)
        *result = detector;
    else
        qmt_detector_close(detector);
    return status;
}

void qmt_detector_close(qmt_detector *detector)
{
    if (!detector)
        return;
    for (int i = 0; i < qmt_net_count; i++)
        qmt_network_free(detector->networks[i]);
    qmt_free(detector);
}

const qmt_network *qmt_detector_network(const qmt_detector *detector, qmt_net_id net)
{
    return detector->networks[net];
}

size_t qmt_detector_bytes(const qmt_detector *detector)
{
    size_t bytes = 0;
    for (int i = 0; i < qmt_net_count; i++)
        bytes += detector->networks[i] ? qmt_network_bytes(detector->networks[i]) : 0;
    return bytes;
}

const char *qmt_detector_precision(const qmt_detector *detector)
{
    int int8 = 0, all = 0;
    for (int i = 0; i < qmt_net_count; i++) {
        if (!detector->networks[i])
            continue;
        all++;
        int8 += qmt_network_is_int8(detector->networks[i]);
    }
    return int8 == 0 ? "fp32" : int8 == all ? "int8" : "mixed";
}

qmtcnn_options qmt_detector_options(const qmt_detector *detector, const qmtcnn_options *options)
{
    const qmt_advice *advice = &detector->advice;
    qmtcnn_options result = *options;
    if (isnan(result.fusion))
        result.fusion = advice->fusion;
    if (isnan(result.fusion_odds))
        result.fusion_odds = result.fusion == advice->fusion ? advice->fusion_odds : 1;
    if (isnan(result.vote))
        result.vote = advice->vote;
    for (int i = 0; i < 2; i++) {
        if (isnan(result.refined_nms[i]))
            result.refined_nms[i] = advice->refined_nms[i];
    }
    if ((int)result.last_overlap == qmt_overlap_as_models_say) {
        result.last_overlap = advice->last_overlap;
        if (advice->has_last_nms)
            result.nms[3] = advice->last_nms;
    }
    return result;
}

/* ---- One thread ------------------------------------------------------------------------------ */

struct qmt_finder {
    const qmt_detector *detector;
    qmt_backend backend;
    qmt_cascade *cascade;
    qmt_net_id last;
    qmt_detection *boxes;
    size_t capacity;
};

qmtcnn_status qmt_finder_create(const qmt_detector *detector, qmt_finder **finder, qmtcnn_error *error)
{
    return qmt_finder_create_until(detector, detector->last, finder, error);
}

qmtcnn_status qmt_finder_create_until(const qmt_detector *detector, qmt_net_id last, qmt_finder **result,
                                      qmtcnn_error *error)
{
    const qmt_network *networks[qmt_net_count];
    *result = NULL;
    qmt_finder *finder = qmt_alloc_zero(1, sizeof *finder);
    if (!finder)
        return qmt_fail_memory(error, sizeof *finder, "a detector's thread");
    for (int i = 0; i < qmt_net_count; i++)
        networks[i] = detector->networks[i];
    finder->detector = detector;
    finder->last = last < detector->last ? last : detector->last;
    qmtcnn_status status = qmt_backend_create(networks, 1, &finder->backend, error);
    if (status == QMTCNN_OK)
        status = qmt_cascade_create(&finder->backend, NULL, &finder->cascade, error);
    if (status == QMTCNN_OK)
        *result = finder;
    else
        qmt_finder_free(finder);
    return status;
}

void qmt_finder_free(qmt_finder *finder)
{
    if (!finder)
        return;
    qmt_cascade_free(finder->cascade);
    qmt_backend_free(&finder->backend);
    qmt_free(finder->boxes);
    qmt_free(finder);
}

size_t qmt_finder_bytes(const qmt_finder *finder)
{
    return qmt_cascade_bytes(finder->cascade) + qmt_backend_bytes(&finder->backend);
}

static float within(float value, float limit)
{
    return value < 0 ? 0 : value > limit ? limit : value;
}

/* What the public API gives for this candidate, but for the rounding of width and height to FP32; false where cutting
 * leaves nothing. */
static bool to_detection(const qmt_candidate *candidate, const qmt_image *image, bool clip, bool landmarks,
                         qmt_detection *detection)
{
    qmt_box box = candidate->box;
    if (clip) {
        box.x1 = within(box.x1, (float)image->width);
        box.x2 = within(box.x2, (float)image->width);
        box.y1 = within(box.y1, (float)image->height);
        box.y2 = within(box.y2, (float)image->height);
    }
    *detection = (qmt_detection){.x = box.x1,
                                 .y = box.y1,
                                 .width = (double)box.x2 - box.x1,
                                 .height = (double)box.y2 - box.y1,
                                 .score = candidate->score,
                                 .has_landmarks = landmarks};
    if (landmarks)
        memcpy(detection->landmarks, candidate->landmarks, sizeof detection->landmarks);
    return detection->width > 0 && detection->height > 0;
}

qmtcnn_status qmt_finder_run(qmt_finder *finder, const qmt_image *image, const qmtcnn_options *options,
                             const qmt_detection **boxes, size_t *count, double *milliseconds, qmtcnn_error *error)
{
    const qmt_cascade_options cascade = {qmt_detector_options(finder->detector, options), finder->last};
    const qmt_pixels pixels = qmt_image_pixels(image);
    const qmt_candidate *candidates = NULL;
    qmtcnn_timing timing = {0};
    size_t found = 0;
    *count = 0;
    qmtcnn_status status = qmt_cascade_run(finder->cascade, &pixels, &cascade, &candidates, &found, &timing, error);
    if (status == QMTCNN_OK)
        status = qmt_grow((void **)&finder->boxes, &finder->capacity, 0, found, sizeof *finder->boxes, error);
    if (status != QMTCNN_OK)
        return status;
    bool last = finder->last == QMT_ONET;
    const bool clip = last && options->clip == QMTCNN_CLIP_IMAGE;
    for (size_t i = 0; i < found; i++)
        *count += to_detection(&candidates[i], image, clip, last, &finder->boxes[*count]);
    *boxes = finder->boxes;
    *milliseconds = timing.total_ms;
    return QMTCNN_OK;
}

/* ---- All pictures ---------------------------------------------------------------------------- */

struct job {
    const qmt_dataset *dataset;
    const qmtcnn_options *options;
    qmt_detections *detections;
    qmt_finder **finders;  /* one a worker */
    qmtcnn_status *status; /* one a picture */
    qmtcnn_error *errors;  /* one a worker: of the picture ... */
    int *error_picture;    /* ... with the lowest number that failed there; -1: none */
    qmt_progress *progress;
};

static qmtcnn_status detect_one(struct job *job, int index, int worker, qmtcnn_error *error)
{
    const qmt_picture *picture = &job->dataset->pictures[index];
    qmt_found *found = &job->detections->pictures[index];
    const qmt_detection *boxes = NULL;
    double milliseconds = 0;
    size_t count = 0;
    qmt_image image = {0};
    if (qmt_stop_requested())
        return qmt_fail(error, QMTCNN_ERROR_INTERRUPTED, "stopped at picture %d of %zu", index + 1,
                        job->dataset->picture_count);
    qmtcnn_status status = qmt_image_read(picture->path, QMT_AS_STORED, &image, error);
    bool unreadable = status == QMTCNN_ERROR_IO || status == QMTCNN_ERROR_FORMAT || status == QMTCNN_ERROR_UNSUPPORTED;
    if (status == QMTCNN_OK)
        status = qmt_finder_run(job->finders[worker], &image, job->options, &boxes, &count, &milliseconds, error);
    else if (unreadable) {
        qmt_log_warning("counted as a picture without boxes: %s", error->message);
        status = QMTCNN_OK;
    }
    if (status == QMTCNN_OK)
        status = qmt_detections_set(job->detections, (size_t)index, picture->name, boxes, count, error);
    found->milliseconds = milliseconds;
    found->unreadable = unreadable;
    qmt_image_clear(&image);
    return status;
}

static void detect_task(void *state, int index, int worker)
{
    struct job *job = state;
    qmtcnn_error error = {0};
    job->status[index] = detect_one(job, index, worker, &error);
    if (job->status[index] != QMTCNN_OK && (job->error_picture[worker] < 0 || index < job->error_picture[worker])) {
        job->errors[worker] = error;
        job->error_picture[worker] = index;
    }
    qmt_progress_add(job->progress, 1);
}

/* The failure of the picture with the lowest number, so that a message does not depend on threads. */
static qmtcnn_status first_failure(const struct job *job, int workers, qmtcnn_error *error)
{
    int first = -1;
    for (int i = 0; i < workers; i++)
        if (job->error_picture[i] >= 0 && (first < 0 || job->error_picture[i] < job->error_picture[first]))
            first = i;
    if (first < 0)
        return QMTCNN_OK;
    if (error)
        *error = job->errors[first];
    return job->status[job->error_picture[first]];
}

static qmtcnn_status make_workers(struct job *job, const qmt_detector *detector, int workers, qmtcnn_error *error)
{
    job->finders = qmt_alloc_zero((size_t)workers, sizeof *job->finders);
    job->errors = qmt_alloc_zero((size_t)workers, sizeof *job->errors);
    job->error_picture = qmt_alloc_zero((size_t)workers, sizeof *job->error_picture);
    job->status = qmt_alloc_zero(job->dataset->picture_count, sizeof *job->status);
    if (!job->finders || !job->errors || !job->error_picture || !job->status)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: %d detectors", workers);
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; status == QMTCNN_OK && i < workers; i++) {
        job->error_picture[i] = -1;
        status = qmt_finder_create(detector, &job->finders[i], error);
    }
    return status;
}

qmtcnn_status qmt_detector_run(const qmt_detector *detector, const qmt_dataset *dataset, const qmtcnn_options *options,
                               int threads, const char *title, qmt_detections **result, qmtcnn_error *error)
{
    struct job job = {.dataset = dataset, .options = options};
    qmt_pool *pool = NULL;
    *result = NULL;
    if (dataset->picture_count > INT32_MAX)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "%zu pictures: at most 2^31 - 1", dataset->picture_count);
    qmtcnn_status status = qmt_pool_create(threads, &pool, error);
    int workers = qmt_pool_threads(pool);
    if (status == QMTCNN_OK)
        status = qmt_detections_create(dataset->picture_count, &job.detections, error);
    if (status == QMTCNN_OK)
        status = make_workers(&job, detector, workers, error);
    if (status == QMTCNN_OK) {
        job.progress = !title ? NULL : qmt_progress_start(title, "pictures", (double)dataset->picture_count);
        qmt_pool_run(pool, (int)dataset->picture_count, detect_task, &job);
        qmt_progress_finish(job.progress);
        status = first_failure(&job, workers, error);
    }
    for (int i = 0; job.finders && i < workers; i++)
        qmt_finder_free(job.finders[i]);
    qmt_free(job.status);
    qmt_free(job.error_picture);
    qmt_free(job.errors);
    qmt_free(job.finders);
    qmt_pool_free(pool);
    if (status == QMTCNN_OK)
        *result = job.detections;
    else
        qmt_detections_free(job.detections);
    return status;
}
