#include "toolkit/data/crop.h"

/* Turns before a crop is given up: a crowd may leave no room for a negative. */
enum { tries_per_negative = 10, tries_per_landmark_crop = 10, smallest_side = 12 };

static float smaller(float a, float b)
{
    return a < b ? a : b;
}

static float larger(float a, float b)
{
    return a > b ? a : b;
}

static float shorter_side(const qmt_scene *scene)
{
    return (float)(scene->pixels.width < scene->pixels.height ? scene->pixels.width : scene->pixels.height);
}

static qmt_box square_at(float x, float y, float side)
{
    return (qmt_box){x, y, x + side, y + side};
}

static bool inside(const qmt_scene *scene, qmt_box box)
{
    return box.x1 >= 0 && box.y1 >= 0 && box.x2 <= (float)scene->pixels.width && box.y2 <= (float)scene->pixels.height;
}

static qmtcnn_status try_negative(qmt_cropper *cropper, const qmt_scene *scene, qmt_box box, bool *taken,
                                  qmtcnn_error *error)
{
    size_t face;
    float iou = qmt_nearest_face(scene, box, &face);
    *taken = inside(scene, box) && iou < cropper->config->negative_iou && qmt_may_be_negative(scene, box);
    return *taken ? qmt_crop_emit(cropper, scene, box, QMT_NEGATIVE, NULL, iou, error) : QMTCNN_OK;
}

/* Anywhere in the picture, of every size. */
static qmtcnn_status crop_negatives(qmt_cropper *cropper, const qmt_scene *scene, qmtcnn_error *error)
{
    qmt_random random = qmt_crop_random(cropper, scene, QMT_CROP_NEGATIVE);
    int wanted = cropper->config->negatives_per_picture, made = 0;
    float most = shorter_side(scene);
    for (int i = 0; made < wanted && i < wanted * tries_per_negative && most >= smallest_side; i++) {
        bool taken;
        float side = qmt_random_log_uniform(&random, smallest_side, most);
        float x = qmt_random_range(&random, 0, (float)scene->pixels.width - side);
        float y = qmt_random_range(&random, 0, (float)scene->pixels.height - side);
        qmtcnn_status status = try_negative(cropper, scene, square_at(x, y, side), &taken, error);
        if (status != QMTCNN_OK)
            return status;
        made += taken;
    }
    return QMTCNN_OK;
}

/* That touch a face: from a third of it (a cheek) to three times as large (a face lost in it). */
static qmtcnn_status crop_overlapping(qmt_cropper *cropper, const qmt_scene *scene, qmt_box face, qmt_random *random,
                                      qmtcnn_error *error)
{
    int wanted = cropper->config->negatives_per_face, made = 0;
    float size = larger(face.x2 - face.x1, face.y2 - face.y1), most = smaller(3 * size, shorter_side(scene));
    for (int i = 0; made < wanted && i < wanted * tries_per_negative && most >= smallest_side; i++) {
        bool taken;
        float side = qmt_random_log_uniform(random, larger(smallest_side, size / 3), most);
        float left = larger(0, face.x1 - side), right = smaller(face.x2, (float)scene->pixels.width - side);
        float top = larger(0, face.y1 - side), bottom = smaller(face.y2, (float)scene->pixels.height - side);
        float x = qmt_random_range(random, left, right), y = qmt_random_range(random, top, bottom);
        qmt_box box = square_at(x, y, side);
        if (qmt_box_intersection(box, face) <= 0)
            continue;
        qmtcnn_status status = try_negative(cropper, scene, box, &taken, error);
        if (status != QMTCNN_OK)
            return status;
        made += taken;
    }
    return QMTCNN_OK;
}

/* The recipe's move of a face: side in [0.8 min(w, h), 1.25 max(w, h)], center moved by up to 0.2 w and 0.2 h. */
static qmt_box draw_near_face(qmt_random *random, qmt_box face)
{
    float width = face.x2 - face.x1, height = face.y2 - face.y1;
    float side = qmt_random_range(random, 0.8f * smaller(width, height), 1.25f * larger(width, height));
    float x = 0.5f * (face.x1 + face.x2) + qmt_random_range(random, -0.2f, 0.2f) * width;
    float y = 0.5f * (face.y1 + face.y2) + qmt_random_range(random, -0.2f, 0.2f) * height;
    return square_at(x - 0.5f * side, y - 0.5f * side, side);
}

static qmtcnn_status crop_face(qmt_cropper *cropper, const qmt_scene *scene, size_t index, qmt_random *random,
                               qmtcnn_error *error)
{
    const qmt_prepare_config *config = cropper->config;
    for (int i = 0; i < config->tries_per_face; i++) {
        size_t face;
        qmt_box box = draw_near_face(random, scene->labels[index].box);
        float iou = qmt_nearest_face(scene, box, &face);
        /* In a crowd the crop may lie better on a neighbor, which has its own turn. */
        if (face != index || iou < config->part_iou || !inside(scene, box))
            continue;
        qmt_sample_class sample_class = iou >= config->positive_iou ? QMT_POSITIVE : QMT_PART;
        qmtcnn_status status = qmt_crop_emit(cropper, scene, box, sample_class, &scene->labels[index], iou, error);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}

static bool points_inside(const qmt_label *label, qmt_box box)
{
    for (int i = 0; i < 5; i++) {
        float x = label->landmarks[i][0], y = label->landmarks[i][1];
        if (!(x > box.x1 && x < box.x2 && y > box.y1 && y < box.y2))
            return false;
    }
    return true;
}

static qmtcnn_status crop_landmarks(qmt_cropper *cropper, const qmt_scene *scene, size_t index, qmt_random *random,
                                    qmtcnn_error *error)
{
    const qmt_label *label = &scene->labels[index];
    int wanted = cropper->config->landmarks_per_face, made = 0;
    for (int i = 0; made < wanted && i < wanted * tries_per_landmark_crop; i++) {
        size_t face;
        qmt_box box = draw_near_face(random, label->box);
        float iou = qmt_nearest_face(scene, box, &face);
        if (face != index || iou < cropper->config->positive_iou || !inside(scene, box) || !points_inside(label, box))
            continue;
        qmtcnn_status status = qmt_crop_emit(cropper, scene, box, QMT_LANDMARK, label, iou, error);
        if (status != QMTCNN_OK)
            return status;
        made++;
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_crop_picture(qmt_cropper *cropper, const qmt_scene *scene, qmtcnn_error *error)
{
    qmt_random overlap = qmt_crop_random(cropper, scene, QMT_CROP_OVERLAP);
    qmt_random around = qmt_crop_random(cropper, scene, QMT_CROP_FACE);
    qmt_random points = qmt_crop_random(cropper, scene, QMT_CROP_LANDMARK);
    qmtcnn_status status = crop_negatives(cropper, scene, error);
    for (size_t i = 0; status == QMTCNN_OK && i < scene->label_count; i++) {
        const qmt_label *label = &scene->labels[i];
        if (!qmt_face_makes_samples(label, cropper->config->min_face, scene->pixels.width, scene->pixels.height))
            continue;
        status = crop_overlapping(cropper, scene, label->box, &overlap, error);
        if (status == QMTCNN_OK)
            status = crop_face(cropper, scene, i, &around, error);
        if (status == QMTCNN_OK && label->has_landmarks)
            status = crop_landmarks(cropper, scene, i, &points, error);
    }
    return status;
}
