#include "toolkit/data/crop.h"

#include <string.h>

/* A crop this much on an ignored region may show a face. */
static const float ignored_limit = 0.3f;

void qmt_cropper_clear(qmt_cropper *cropper)
{
    qmt_resizer_clear(&cropper->resizer);
    qmt_free(cropper->pixels);
    cropper->pixels = NULL;
}

static float smaller(float a, float b)
{
    return a < b ? a : b;
}

float qmt_nearest_face(const qmt_scene *scene, qmt_box box, size_t *face)
{
    float best = 0;
    *face = scene->label_count;
    for (size_t i = 0; i < scene->label_count; i++) {
        if (scene->labels[i].ignore)
            continue;
        float iou = qmt_box_iou(box, scene->labels[i].box);
        if (iou > best) {
            best = iou;
            *face = i;
        }
    }
    return smaller(best, 1);
}

bool qmt_may_be_negative(const qmt_scene *scene, qmt_box box)
{
    if (scene->faces_unlabeled)
        return false;
    float area = qmt_box_area(box);
    for (size_t i = 0; i < scene->label_count; i++) {
        if (!scene->labels[i].ignore)
            continue;
        qmt_box ignored = scene->labels[i].box;
        if (qmt_box_iou(box, ignored) >= ignored_limit || qmt_box_intersection(box, ignored) >= ignored_limit * area)
            return false;
    }
    return true;
}

bool qmt_face_makes_samples(const qmt_label *label, int min_face, int width, int height)
{
    qmt_box box = label->box;
    float limit = (float)min_face;
    return !label->ignore && box.x2 - box.x1 >= limit && box.y2 - box.y1 >= limit && box.x1 >= -1 && box.y1 >= -1 &&
           box.x2 <= (float)width + 1 && box.y2 <= (float)height + 1;
}

qmt_random qmt_crop_random(const qmt_cropper *cropper, const qmt_scene *scene, qmt_crop_purpose purpose)
{
    return qmt_random_stream(cropper->seed, scene->picture,
                             (uint64_t)cropper->copy << 16 | (uint64_t)cropper->net << 8 | (uint64_t)purpose);
}

static void set_targets(qmt_sample *sample, qmt_box crop, const qmt_label *face)
{
    float width = crop.x2 - crop.x1, height = crop.y2 - crop.y1;
    sample->box[0] = (face->box.x1 - crop.x1) / width;
    sample->box[1] = (face->box.y1 - crop.y1) / height;
    sample->box[2] = (face->box.x2 - crop.x2) / width;
    sample->box[3] = (face->box.y2 - crop.y2) / height;
    if (sample->sample_class != QMT_LANDMARK)
        return;
    for (int i = 0; i < 5; i++) {
        sample->landmarks[2 * i] = (face->landmarks[i][0] - crop.x1) / width;
        sample->landmarks[2 * i + 1] = (face->landmarks[i][1] - crop.y1) / height;
    }
}

qmtcnn_status qmt_crop_emit(qmt_cropper *cropper, const qmt_scene *scene, qmt_box box, qmt_sample_class sample_class,
                            const qmt_label *face, float iou, qmtcnn_error *error)
{
    int side = qmt_net_side(cropper->net);
    if (!cropper->pixels) {
        cropper->pixels = qmt_alloc((size_t)side * (size_t)side, 3);
        if (!cropper->pixels)
            return qmt_fail_memory(error, (size_t)side * (size_t)side * 3, "a crop");
    }
    qmtcnn_status status =
        qmt_resize(&cropper->resizer, &scene->pixels, (double)box.x1, (double)box.y1, (double)box.x2 - (double)box.x1,
                   (double)box.y2 - (double)box.y1, cropper->pixels, side, side, (ptrdiff_t)side * 3, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_sample sample = {
        .pixels = cropper->pixels, .sample_class = sample_class, .picture = scene->picture, .iou = iou};
    if (face)
        set_targets(&sample, box, face);
    return cropper->sink(cropper->sink_state, &sample, error);
}
