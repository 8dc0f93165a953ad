#include "toolkit/data/crop.h"

/* A candidate that may become a sample. */
struct proposal {
    size_t candidate; /* in the candidates: lower is better scored */
    size_t face;
    float iou;
};

typedef struct proposals {
    struct proposal *items[qmt_class_count]; /* into one block */
    size_t counts[qmt_class_count];
} proposals;

/* What a candidate is; false where it is nothing: between the classes, on an ignored region or on a face that makes no
 * samples. */
static bool classify(const qmt_cropper *cropper, const qmt_scene *scene, qmt_box box, qmt_sample_class *sample_class,
                     struct proposal *proposal)
{
    const qmt_prepare_config *config = cropper->config;
    proposal->iou = qmt_nearest_face(scene, box, &proposal->face);
    if (proposal->iou < config->negative_iou) {
        *sample_class = QMT_NEGATIVE;
        return qmt_may_be_negative(scene, box);
    }
    if (proposal->iou < config->part_iou)
        return false;
    *sample_class = proposal->iou >= config->positive_iou ? QMT_POSITIVE : QMT_PART;
    return qmt_face_makes_samples(&scene->labels[proposal->face], config->min_face, scene->pixels.width,
                                  scene->pixels.height);
}

/* Moves a random choice of `wanted` of the `count` items to the front (the first steps of Fisher and Yates). */
static void choose(qmt_random *random, struct proposal *items, size_t count, size_t wanted)
{
    for (size_t i = 0; i < wanted && i < count; i++) {
        size_t other = i + (size_t)qmt_random_below(random, count - i);
        struct proposal kept = items[i];
        items[i] = items[other];
        items[other] = kept;
    }
}

static size_t limit_of(const qmt_prepare_config *config, qmt_sample_class sample_class)
{
    int limit = sample_class == QMT_NEGATIVE   ? config->mine_negatives
                : sample_class == QMT_POSITIVE ? config->mine_positives
                                               : config->mine_parts;
    return limit > 0 ? (size_t)limit : 0;
}

/* Cuts the chosen proposals of one class. */
static qmtcnn_status emit_class(qmt_cropper *cropper, const qmt_scene *scene, const qmt_candidate *candidates,
                                qmt_sample_class sample_class, struct proposal *items, size_t count, qmt_random *random,
                                qmtcnn_error *error)
{
    size_t wanted = limit_of(cropper->config, sample_class);
    if (wanted > count)
        wanted = count;
    /* The best scored negatives are those that the network before is surest of, wrongly; the draw from the rest keeps
     * variety. Of faces a draw is enough: the best scored are the easiest. */
    size_t hardest = sample_class == QMT_NEGATIVE ? (wanted + 1) / 2 : 0;
    choose(random, items + hardest, count - hardest, wanted - hardest);
    for (size_t i = 0; i < wanted; i++) {
        const qmt_label *face = sample_class == QMT_NEGATIVE ? NULL : &scene->labels[items[i].face];
        qmtcnn_status status =
            qmt_crop_emit(cropper, scene, candidates[items[i].candidate].box, sample_class, face, items[i].iou, error);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_crop_candidates(qmt_cropper *cropper, const qmt_scene *scene, const qmt_candidate *candidates,
                                  size_t count, qmtcnn_error *error)
{
    qmt_random random = qmt_crop_random(cropper, scene, QMT_CROP_MINED);
    proposals found = {0};
    size_t bytes = 0;
    if (!qmt_size_multiply(count, qmt_class_count * sizeof(struct proposal), &bytes))
        return qmt_fail_memory(error, bytes, "candidates");
    struct proposal *block = qmt_alloc(1, bytes);
    if (!block)
        return qmt_fail_memory(error, bytes, "candidates");
    for (int k = 0; k < qmt_class_count; k++)
        found.items[k] = block + (size_t)k * count;
    for (size_t i = 0; i < count; i++) {
        qmt_sample_class sample_class;
        struct proposal proposal = {.candidate = i};
        if (qmt_box_area(candidates[i].box) >= 1 &&
            classify(cropper, scene, candidates[i].box, &sample_class, &proposal))
            found.items[sample_class][found.counts[sample_class]++] = proposal;
    }
    static const qmt_sample_class classes[] = {QMT_NEGATIVE, QMT_POSITIVE, QMT_PART};
    qmtcnn_status status = QMTCNN_OK;
    for (size_t i = 0; status == QMTCNN_OK && i < sizeof classes / sizeof *classes; i++)
        status = emit_class(cropper, scene, candidates, classes[i], found.items[classes[i]], found.counts[classes[i]],
                            &random, error);
    qmt_free(block);
    return status;
}
