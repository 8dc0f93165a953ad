#include "toolkit/data/shrink.h"

#include <string.h>

enum { smallest_side = 24, purpose_shrink = 0x5e };

void qmt_shrunk_clear(qmt_shrunk *shrunk)
{
    qmt_resizer_clear(&shrunk->resizer);
    qmt_free(shrunk->labels);
    qmt_free(shrunk->pixels);
    memset(shrunk, 0, sizeof *shrunk);
}

float qmt_shrink_factor(uint64_t seed, uint32_t picture, int copy, float least)
{
    qmt_random random = qmt_random_stream(seed, picture, (uint64_t)purpose_shrink << 32 | (uint64_t)copy);
    return qmt_random_log_uniform(&random, least, 1);
}

static qmtcnn_status make_room(qmt_shrunk *shrunk, size_t labels, int width, int height, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_grow((void **)&shrunk->labels, &shrunk->labels_size, 0, labels > 0 ? labels : 1,
                                    sizeof *shrunk->labels, error);
    if (status == QMTCNN_OK)
        status =
            qmt_grow((void **)&shrunk->pixels, &shrunk->pixels_size, 0, 3 * (size_t)width * (size_t)height, 1, error);
    return status;
}

static qmt_label scale_label(const qmt_label *label, float x, float y, int min_face)
{
    qmt_label scaled = *label;
    const float least = (float)min_face;
    scaled.box = (qmt_box){label->box.x1 * x, label->box.y1 * y, label->box.x2 * x, label->box.y2 * y};
    for (int i = 0; i < 5; i++) {
        scaled.landmarks[i][0] *= x;
        scaled.landmarks[i][1] *= y;
    }
    if (scaled.box.x2 - scaled.box.x1 < least || scaled.box.y2 - scaled.box.y1 < least)
        scaled.ignore = true;
    return scaled;
}

qmtcnn_status qmt_shrink(qmt_shrunk *shrunk, const qmt_scene *scene, float factor, int min_face, bool *usable,
                         qmtcnn_error *error)
{
    const qmt_pixels *source = &scene->pixels;
    int width = (int)((float)source->width * factor), height = (int)((float)source->height * factor);
    *usable = width >= smallest_side && height >= smallest_side;
    if (!*usable)
        return QMTCNN_OK;
    qmtcnn_status status = make_room(shrunk, scene->label_count, width, height, error);
    if (status == QMTCNN_OK)
        status = qmt_resize(&shrunk->resizer, source, 0, 0, source->width, source->height, shrunk->pixels, width,
                            height, 3 * (ptrdiff_t)width, error);
    if (status != QMTCNN_OK)
        return status;
    for (size_t i = 0; i < scene->label_count; i++)
        shrunk->labels[i] = scale_label(&scene->labels[i], (float)width / (float)source->width,
                                        (float)height / (float)source->height, min_face);
    shrunk->scene = *scene;
    shrunk->scene.pixels = (qmt_pixels){shrunk->pixels, width, height, 3 * (ptrdiff_t)width};
    shrunk->scene.labels = shrunk->labels;
    return QMTCNN_OK;
}
