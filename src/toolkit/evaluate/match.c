#include "toolkit/evaluate/figures.h"

#include <math.h>
#include <string.h>

qmt_match_rule qmt_match_rule_plain(double iou)
{
    return (qmt_match_rule){iou, 0, QMT_SETTING_ALL, -INFINITY, INFINITY};
}

double qmt_overlap_of(const qmt_truth_face *face, const qmt_detection *box, double pixel)
{
    double face_right = face->x + face->width, face_bottom = face->y + face->height;
    double box_right = box->x + box->width, box_bottom = box->y + box->height;
    double width = fmin(face_right, box_right) - fmax(face->x, box->x) + pixel;
    double height = fmin(face_bottom, box_bottom) - fmax(face->y, box->y) + pixel;
    if (width <= 0 || height <= 0)
        return 0;
    double both = width * height;
    double face_area = (face_right - face->x + pixel) * (face_bottom - face->y + pixel);
    double box_area = (box_right - box->x + pixel) * (box_bottom - box->y + pixel);
    return both / (face_area + box_area - both);
}

static bool size_counts(double width, double height, const qmt_match_rule *rule)
{
    double side = fmin(width, height);
    return side >= rule->low && side < rule->high;
}

bool qmt_face_counts(const qmt_truth_face *face, const qmt_match_rule *rule)
{
    return (face->settings & (unsigned)rule->setting) != 0 && size_counts(face->width, face->height, rule);
}

size_t qmt_match_picture(const qmt_truth_picture *picture, const qmt_detection *boxes, size_t count,
                         const qmt_match_rule *rule, qmt_verdict *verdicts, size_t *matched, uint8_t *taken)
{
    size_t faces = 0;
    for (size_t k = 0; k < picture->count; k++)
        faces += qmt_face_counts(&picture->faces[k], rule);
    if (picture->count)
        memset(taken, 0, picture->count);
    for (size_t i = 0; i < count; i++) {
        double best = -1;
        size_t nearest = SIZE_MAX;
        for (size_t k = 0; k < picture->count; k++) {
            double overlap = qmt_overlap_of(&picture->faces[k], &boxes[i], rule->pixel);
            if (overlap > best) {
                best = overlap;
                nearest = k;
            }
        }
        verdicts[i] = QMT_FALSE_ALARM;
        if (matched)
            matched[i] = SIZE_MAX;
        if (nearest == SIZE_MAX || best < rule->iou) {
            if (!size_counts(boxes[i].width, boxes[i].height, rule))
                verdicts[i] = QMT_NEITHER;
        } else if (!qmt_face_counts(&picture->faces[nearest], rule)) {
            verdicts[i] = QMT_NEITHER;
        } else if (!taken[nearest]) {
            taken[nearest] = 1;
            verdicts[i] = QMT_HIT;
            if (matched)
                matched[i] = nearest;
        }
    }
    return faces;
}
