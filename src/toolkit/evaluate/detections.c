#include "toolkit/evaluate/detections.h"

#include <string.h>

qmtcnn_status qmt_detections_create(size_t pictures, qmt_detections **result, qmtcnn_error *error)
{
    *result = NULL;
    qmt_detections *detections = qmt_alloc_zero(1, sizeof *detections);
    qmt_found *found = qmt_alloc_zero(pictures, sizeof *found);
    if (!detections || !found) {
        qmt_free(found);
        qmt_free(detections);
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: detections on %zu pictures", pictures);
    }
    detections->pictures = found;
    detections->count = pictures;
    *result = detections;
    return QMTCNN_OK;
}

void qmt_detections_free(qmt_detections *detections)
{
    if (!detections)
        return;
    for (size_t i = 0; i < detections->count; i++) {
        qmt_free(detections->pictures[i].name);
        qmt_free(detections->pictures[i].boxes);
    }
    qmt_free(detections->pictures);
    qmt_free(detections);
}

/* Merges two runs that are sorted best first; equal scores keep their order. */
static void merge(const qmt_detection *from, qmt_detection *to, size_t start, size_t middle, size_t end)
{
    size_t left = start, right = middle;
    for (size_t i = start; i < end; i++) {
        bool take_left = left < middle && (right >= end || from[left].score >= from[right].score);
        to[i] = from[take_left ? left++ : right++];
    }
}

/* A stable sort, which qsort() is not. `scratch` has room for `count` boxes. */
static void sort_best_first(qmt_detection *boxes, qmt_detection *scratch, size_t count)
{
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            size_t middle = start + width < count ? start + width : count;
            size_t end = start + 2 * width < count ? start + 2 * width : count;
            merge(boxes, scratch, start, middle, end);
        }
        memcpy(boxes, scratch, count * sizeof *boxes);
    }
}

qmtcnn_status qmt_detections_set(qmt_detections *detections, size_t picture, const char *name,
                                 const qmt_detection *boxes, size_t count, qmtcnn_error *error)
{
    if (picture >= detections->count)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "picture %zu of %zu", picture, detections->count);
    char *name_copy = qmt_copy_string(name);
    qmt_detection *copy = qmt_alloc(count, sizeof *copy);
    qmt_detection *scratch = qmt_alloc(count, sizeof *scratch);
    if (!name_copy || !copy || !scratch) {
        qmt_free(scratch);
        qmt_free(copy);
        qmt_free(name_copy);
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: %zu boxes of %s", count, name);
    }
    if (count)
        memcpy(copy, boxes, count * sizeof *copy);
    sort_best_first(copy, scratch, count);
    qmt_free(scratch);
    qmt_found *found = &detections->pictures[picture];
    qmt_free(found->name);
    qmt_free(found->boxes);
    found->name = name_copy;
    found->boxes = copy;
    found->count = count;
    return QMTCNN_OK;
}
