#include "toolkit/evaluate/truth.h"

#include <stdlib.h>
#include <string.h>

void qmt_truth_free(qmt_truth *truth)
{
    if (!truth)
        return;
    for (size_t i = 0; i < truth->count; i++) {
        qmt_free(truth->pictures[i].key);
        qmt_free(truth->pictures[i].faces);
    }
    qmt_free(truth->pictures);
    qmt_free(truth);
}

/* Length of a name without ".jpg": an ending is a last dot in the last part that is followed by up to 4 letters, since
 * names of pictures hold dots too. */
static size_t key_length(const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *dot = strrchr(name, '.');
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG", ".txt"};
    if (dot && dot > (slash ? slash : name))
        for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
            if (strcmp(dot, endings[i]) == 0)
                return (size_t)(dot - name);
    return strlen(name);
}

static qmt_truth_face face_from_label(const qmt_label *label, int min_face)
{
    double width = (double)label->box.x2 - label->box.x1, height = (double)label->box.y2 - label->box.y1;
    double side = width < height ? width : height;
    qmt_truth_face face = {label->box.x1, label->box.y1, width, height, 0, label->has_landmarks, {{0}}};
    if (!label->ignore && side >= min_face)
        face.settings = QMT_SETTING_ALL;
    memcpy(face.landmarks, label->landmarks, sizeof face.landmarks);
    return face;
}

qmtcnn_status qmt_truth_from_dataset(const qmt_dataset *dataset, int min_face, qmt_truth **result, qmtcnn_error *error)
{
    *result = NULL;
    qmt_truth *truth = qmt_alloc_zero(1, sizeof *truth);
    if (truth)
        truth->pictures = qmt_alloc_zero(dataset->picture_count, sizeof *truth->pictures);
    if (!truth || !truth->pictures) {
        qmt_free(truth);
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: labels of %zu pictures", dataset->picture_count);
    }
    truth->count = dataset->picture_count;
    truth->settings = QMT_SETTING_ALL;
    for (size_t i = 0; i < truth->count; i++) {
        const qmt_picture *picture = &dataset->pictures[i];
        qmt_truth_picture *to = &truth->pictures[i];
        to->key = qmt_copy_string(picture->name);
        to->faces = qmt_alloc(picture->label_count, sizeof *to->faces);
        if (!to->key || !to->faces) {
            qmt_truth_free(truth);
            return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: labels of %s", picture->name);
        }
        to->count = picture->label_count;
        for (size_t k = 0; k < to->count; k++)
            to->faces[k] = face_from_label(&dataset->labels[picture->first_label + k], min_face);
    }
    *result = truth;
    return QMTCNN_OK;
}

size_t qmt_truth_faces(const qmt_truth *truth, qmt_setting setting)
{
    size_t faces = 0;
    for (size_t i = 0; i < truth->count; i++)
        for (size_t k = 0; k < truth->pictures[i].count; k++)
            faces += (truth->pictures[i].faces[k].settings & (unsigned)setting) != 0;
    return faces;
}

/* A name to look up; sorted by name, then by index, so that the first of two equal names wins. */
struct entry {
    const char *name;
    size_t length, index;
};

static int compare_names(const struct entry *a, const struct entry *b)
{
    size_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->name, b->name, shorter);
    if (order)
        return order;
    return (a->length > b->length) - (a->length < b->length);
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = compare_names(a, b);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* The record of exactly this name; else the first whose name is the same but for the ending. */
static size_t find_entry(const struct entry *entries, size_t count, const char *name)
{
    struct entry wanted = {name, key_length(name), 0};
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_names(&entries[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i < count && compare_names(&entries[i], &wanted) == 0; i++)
        if (strcmp(entries[i].name, name) == 0)
            return entries[i].index;
    return low < count && compare_names(&entries[low], &wanted) == 0 ? entries[low].index : SIZE_MAX;
}

qmtcnn_status qmt_truth_align(const qmt_truth *truth, const qmt_detections *detections, size_t *index, size_t *missing,
                              qmtcnn_error *error)
{
    struct entry *entries = qmt_alloc(detections->count, sizeof *entries);
    if (!entries)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: an index of %zu pictures", detections->count);
    size_t count = 0;
    for (size_t i = 0; i < detections->count; i++) {
        const char *name = detections->pictures[i].name;
        if (name)
            entries[count++] = (struct entry){name, key_length(name), i};
    }
    qsort(entries, count, sizeof *entries, compare_entries);
    *missing = 0;
    for (size_t i = 0; i < truth->count; i++) {
        index[i] = find_entry(entries, count, truth->pictures[i].key);
        *missing += index[i] == SIZE_MAX;
    }
    qmt_free(entries);
    return QMTCNN_OK;
}

qmtcnn_status qmt_truth_restrict(qmt_truth *truth, const qmt_detections *detections, qmtcnn_error *error)
{
    size_t missing = 0, kept = 0;
    size_t *index = qmt_alloc(truth->count, sizeof *index);
    if (!index)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: an index of %zu pictures", truth->count);
    qmtcnn_status status = qmt_truth_align(truth, detections, index, &missing, error);
    for (size_t i = 0; status == QMTCNN_OK && i < truth->count; i++) {
        if (index[i] == SIZE_MAX) {
            qmt_free(truth->pictures[i].key);
            qmt_free(truth->pictures[i].faces);
        } else {
            truth->pictures[kept++] = truth->pictures[i];
        }
    }
    if (status == QMTCNN_OK)
        truth->count = kept;
    qmt_free(index);
    return status;
}
