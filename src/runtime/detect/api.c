/* The public header's contexts: options, a picture in, faces out. */
#include "runtime/detect/api.h"

#include "runtime/base/clock.h"
#include "runtime/detect/cascade.h"
#include "runtime/detect/view.h"

#include <math.h>

struct qmtcnn_context {
    qmtcnn_options options;
    qmt_pool *pool; /* NULL: one thread */
    qmt_backend backend;
    qmt_cascade *cascade;
    qmt_view_buffer rgb;
    qmtcnn_face *faces;
    size_t faces_size;
    qmtcnn_timing timing;
};

static qmtcnn_status check_int(const char *name, int value, int low, int high, qmtcnn_error *error)
{
    if (value < low || value > high)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%s is %d: it must be in %d .. %d", name, value, low, high);
    return QMTCNN_OK;
}

static qmtcnn_status check_shares(const qmtcnn_options *options, qmtcnn_error *error)
{
    static const char *const names[] = {"P-Net", "R-Net", "O-Net"};
    for (int i = 0; i < qmt_net_count; i++) {
        if (!(options->thresholds[i] >= 0 && options->thresholds[i] < 1))
            return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                            "the threshold of %s is %g: it must be at least 0 and below 1", names[i],
                            (double)options->thresholds[i]);
    }
    for (int i = 0; i < 4; i++) {
        if (!(options->nms[i] >= 0 && options->nms[i] <= 1))
            return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "nms[%d] is %g: it must be in 0 .. 1", i,
                            (double)options->nms[i]);
    }
    if (!(options->scale_factor > 0.1f && options->scale_factor <= 0.95f))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "scale_factor is %g: it must be over 0.1 and at most 0.95",
                        (double)options->scale_factor);
    return QMTCNN_OK;
}

static qmtcnn_status check_accuracy(const qmtcnn_options *options, qmtcnn_error *error)
{
    const float fusion = options->fusion, odds = options->fusion_odds, vote = options->vote;
    if (!(fusion >= 0 && fusion <= 0.75f && 4 * fusion == (float)(int)(4 * fusion)))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "fusion is %g: it must be 0, 0.25, 0.5 or 0.75", (double)fusion);
    if (odds != 0 && !(odds >= 1e-6f && odds <= 1e6f))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "fusion_odds is %g: it must be 0 or in 1e-6 .. 1e6",
                        (double)odds);
    if (vote != 0 && !(vote >= 0.2f && vote <= 1))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "vote is %g: it must be 0 (no voting) or in 0.2 .. 1",
                        (double)vote);
    for (int i = 0; i < 2; i++) {
        const float threshold = options->refined_nms[i];
        if (threshold != 0 && !(threshold >= 0.5f && threshold <= 1))
            return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "refined_nms[%d] is %g: it must be 0 (none) or in 0.5 .. 1",
                            i, (double)threshold);
    }
    return check_int("last_overlap", (int)options->last_overlap, QMTCNN_OVERLAP_SMALLER, QMTCNN_OVERLAP_UNION, error);
}

qmtcnn_status qmt_options_check(const qmtcnn_options *options, qmtcnn_error *error)
{
    qmtcnn_status status = check_int("min_face", options->min_face, 12, 65535, error);
    if (status == QMTCNN_OK)
        status = check_int("max_face", options->max_face, 0, 65535, error);
    if (status == QMTCNN_OK && options->max_face > 0 && options->max_face < options->min_face)
        status = qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "max_face is %d, less than min_face, %d", options->max_face,
                          options->min_face);
    if (status == QMTCNN_OK)
        status = check_shares(options, error);
    if (status == QMTCNN_OK)
        status = check_int("max_proposals", options->max_proposals, 1, 100000, error);
    if (status == QMTCNN_OK)
        status = check_int("threads", options->threads, 0, 256, error);
    if (status == QMTCNN_OK)
        status = check_int("clip", (int)options->clip, QMTCNN_CLIP_IMAGE, QMTCNN_CLIP_NONE, error);
    if (status == QMTCNN_OK)
        status = check_accuracy(options, error);
    for (size_t i = 0; i < sizeof options->reserved / sizeof *options->reserved && status == QMTCNN_OK; i++) {
        if (options->reserved[i] != 0)
            status = qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                              "reserved[%zu] is not zero: begin with qmtcnn_options_default()", i);
    }
    return status;
}

qmtcnn_status qmtcnn_context_create(const qmtcnn_model *model, const qmtcnn_options *options, qmtcnn_context **result,
                                    qmtcnn_error *error)
{
    if (!result || !model)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "no model, or no place for the context, was given (NULL)");
    *result = NULL;
    qmtcnn_options defaults;
    qmtcnn_options_default(model, &defaults);
    qmtcnn_status status = options ? qmt_options_check(options, error) : QMTCNN_OK;
    if (status != QMTCNN_OK)
        return status;
    qmtcnn_context *context = qmt_alloc_zero(1, sizeof *context);
    if (!context)
        return qmt_fail_memory(error, sizeof *context, "a context");
    context->options = options ? *options : defaults;
    if (context->options.threads != 1)
        status = qmt_pool_create(context->options.threads, &context->pool, error);
    if (status == QMTCNN_OK) {
        const qmt_network *networks[qmt_net_count];
        for (int i = 0; i < qmt_net_count; i++)
            networks[i] = qmt_api_network(model, (qmt_net_id)i);
        status = qmt_backend_create(networks, qmt_pool_threads(context->pool), &context->backend, error);
    }
    if (status == QMTCNN_OK)
        status = qmt_cascade_create(&context->backend, context->pool, &context->cascade, error);
    if (status != QMTCNN_OK) {
        qmtcnn_context_free(context);
        return status;
    }
    *result = context;
    return QMTCNN_OK;
}

void qmtcnn_context_free(qmtcnn_context *context)
{
    if (!context)
        return;
    qmt_cascade_free(context->cascade);
    qmt_backend_free(&context->backend);
    qmt_pool_free(context->pool);
    qmt_free(context->rgb.memory);
    qmt_free(context->faces);
    qmt_free(context);
}

size_t qmtcnn_context_bytes(const qmtcnn_context *context)
{
    return sizeof *context + qmt_cascade_bytes(context->cascade) + qmt_backend_bytes(&context->backend) +
           context->rgb.size + context->faces_size * sizeof *context->faces;
}

void qmtcnn_context_timing(const qmtcnn_context *context, qmtcnn_timing *timing)
{
    *timing = context->timing;
}

/* The length of an interval, rounded so that start plus length never passes the end. */
static float length_within(float start, float end)
{
    const float length = end - start;
    return (double)start + (double)length > (double)end ? nextafterf(length, 0) : length;
}

/* A candidate as the caller gets it; false where clipping leaves nothing of it. */
static bool make_face(const qmt_candidate *candidate, const qmtcnn_context *context, const qmt_pixels *picture,
                      qmtcnn_face *face)
{
    qmt_box box = candidate->box;
    if (context->options.clip == QMTCNN_CLIP_IMAGE) {
        const float width = (float)picture->width, height = (float)picture->height;
        box.x1 = box.x1 < 0 ? 0 : box.x1;
        box.y1 = box.y1 < 0 ? 0 : box.y1;
        box.x2 = box.x2 > width ? width : box.x2;
        box.y2 = box.y2 > height ? height : box.y2;
    }
    *face = (qmtcnn_face){.x = box.x1,
                          .y = box.y1,
                          .width = length_within(box.x1, box.x2),
                          .height = length_within(box.y1, box.y2),
                          .score = candidate->score};
    for (int i = 0; i < 5; i++) {
        face->landmarks[i][0] = candidate->landmarks[i][0];
        face->landmarks[i][1] = candidate->landmarks[i][1];
    }
    return qmt_box_area(box) > 0;
}

static qmtcnn_status find_faces(qmtcnn_context *context, const qmtcnn_image *image, size_t *count, qmtcnn_error *error)
{
    qmt_pixels picture;
    const qmt_candidate *candidates;
    size_t found;
    qmt_cascade_options options = {context->options, QMT_ONET};
    qmtcnn_status status = qmt_view_pixels(image, context->pool, &context->rgb, &picture, error);
    if (status == QMTCNN_OK)
        status = qmt_cascade_run(context->cascade, &picture, &options, &candidates, &found, &context->timing, error);
    if (status == QMTCNN_OK)
        status = qmt_grow((void **)&context->faces, &context->faces_size, 0, found, sizeof *context->faces, error);
    if (status != QMTCNN_OK)
        return status;
    for (size_t i = 0; i < found; i++)
        *count += make_face(&candidates[i], context, &picture, &context->faces[*count]);
    return QMTCNN_OK;
}

qmtcnn_status qmtcnn_detect(qmtcnn_context *context, const qmtcnn_image *image, const qmtcnn_face **faces,
                            size_t *count, qmtcnn_error *error)
{
    if (faces)
        *faces = NULL;
    if (count)
        *count = 0;
    if (!context || !faces || !count)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "no context, or no place for the faces, was given (NULL)");
    const double start = qmt_seconds();
    size_t found = 0;
    context->timing = (qmtcnn_timing){0};
    qmtcnn_status status = find_faces(context, image, &found, error);
    if (status != QMTCNN_OK)
        return status;
    *faces = context->faces;
    *count = found;
    context->timing.faces = (int)found;
    context->timing.total_ms = 1e3 * (qmt_seconds() - start);
    return QMTCNN_OK;
}
