/* WIDER FACE's ground truth: wider_{easy,medium,hard}_val.mat, MATLAB files with cells of cells. */
#include "toolkit/base/file.h"
#include "toolkit/base/matlab.h"
#include "toolkit/evaluate/truth.h"

#include <math.h>
#include <string.h>

enum { max_name = 1024 };

static const struct {
    qmt_setting setting;
    const char *file;
} lists[] = {{QMT_SETTING_EASY, "wider_easy_val.mat"},
             {QMT_SETTING_MEDIUM, "wider_medium_val.mat"},
             {QMT_SETTING_HARD, "wider_hard_val.mat"}};
enum { list_count = sizeof lists / sizeof *lists };

/* The variables of one file. */
struct ground_truth {
    qmt_matlab *file;
    const char *path;
    const qmt_matlab_array *events, *files, *boxes, *list;
};

/* Entries of a cell array; 0 for anything else. */
static size_t cell_count(const qmt_matlab_array *array)
{
    return array && array->kind == QMT_MATLAB_CELL ? array->count : 0;
}

/* On success from->file is for qmt_matlab_free(). */
static qmtcnn_status open_file(const char *path, struct ground_truth *from, qmtcnn_error *error)
{
    *from = (struct ground_truth){.path = path};
    qmtcnn_status status = qmt_matlab_open(path, &from->file, error);
    if (status != QMTCNN_OK)
        return status;
    static const char *const names[] = {"event_list", "file_list", "face_bbx_list", "gt_list"};
    const qmt_matlab_array **const places[] = {&from->events, &from->files, &from->boxes, &from->list};
    for (int i = 0; i < 4; i++) {
        const qmt_matlab_array *list = *places[i] = qmt_matlab_find(from->file, names[i]);
        if (!list || list->kind != QMT_MATLAB_CELL)
            status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: no cell array %s: not WIDER FACE's ground truth", path,
                              names[i]);
        else if (list->count != from->events->count)
            status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: %s has %zu events, event_list %zu", path, names[i],
                              list->count, from->events->count);
        if (status != QMTCNN_OK) {
            qmt_matlab_free(from->file);
            return status;
        }
    }
    return QMTCNN_OK;
}

static qmtcnn_status read_boxes(const struct ground_truth *from, const char *key, const qmt_matlab_array *boxes,
                                qmt_truth_picture *picture, qmtcnn_error *error)
{
    size_t count = qmt_matlab_count(boxes) / 4;
    if (!boxes || boxes->kind != QMT_MATLAB_NUMBERS || (count > 0 && boxes->columns != 4))
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: face_bbx_list of %s is no N x 4 matrix", from->path, key);
    picture->faces = qmt_alloc_zero(count, sizeof *picture->faces);
    if (!picture->faces)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: %zu faces of %s", count, key);
    picture->count = count;
    for (size_t i = 0; i < count; i++) {
        double values[4]; /* columns: MATLAB keeps matrices column by column */
        for (size_t column = 0; column < 4; column++)
            if (!qmt_matlab_number(boxes, column * count + i, &values[column]) || !isfinite(values[column]))
                return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: face %zu of %s has no number in column %zu",
                                from->path, i + 1, key, column + 1);
        picture->faces[i].x = values[0];
        picture->faces[i].y = values[1];
        picture->faces[i].width = values[2];
        picture->faces[i].height = values[3];
    }
    return QMTCNN_OK;
}

/* Marks the faces whose numbers (from 1) are in a picture's list. */
static qmtcnn_status read_list(const struct ground_truth *from, const qmt_matlab_array *list, qmt_setting setting,
                               qmt_truth_picture *picture, qmtcnn_error *error)
{
    size_t count = qmt_matlab_count(list);
    for (size_t i = 0; i < count; i++) {
        double number;
        if (!qmt_matlab_number(list, i, &number) || !(number >= 1) || number > (double)picture->count ||
            number != floor(number))
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: gt_list of %s: entry %zu is no number of its %zu faces",
                            from->path, picture->key, i + 1, picture->count);
        picture->faces[(size_t)number - 1].settings |= (unsigned)setting;
    }
    return QMTCNN_OK;
}

/* The pictures of one file, in its order, without lists. */
static qmtcnn_status read_pictures(const struct ground_truth *from, qmt_truth *truth, qmtcnn_error *error)
{
    size_t total = 0, events = qmt_matlab_count(from->events);
    for (size_t e = 0; e < events; e++)
        total += cell_count(qmt_matlab_cell(from->files, e)); /* all of a file's cells are bounded */
    truth->pictures = qmt_alloc_zero(total, sizeof *truth->pictures);
    if (!truth->pictures)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: %zu pictures", total);
    for (size_t e = 0; e < events; e++) {
        char event[max_name], file[max_name];
        const qmt_matlab_array *files = qmt_matlab_cell(from->files, e), *boxes = qmt_matlab_cell(from->boxes, e);
        if (!qmt_matlab_text(qmt_matlab_cell(from->events, e), event, sizeof event))
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: event %zu has no name", from->path, e + 1);
        for (size_t i = 0; i < cell_count(files); i++) {
            qmt_truth_picture *picture = &truth->pictures[truth->count];
            if (!qmt_matlab_text(qmt_matlab_cell(files, i), file, sizeof file))
                return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: picture %zu of %s has no name", from->path, i + 1,
                                event);
            picture->key = qmt_format("%s/%s", event, file);
            truth->count++;
            if (!picture->key)
                return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: the name of %s", file);
            qmtcnn_status status = read_boxes(from, picture->key, qmt_matlab_cell(boxes, i), picture, error);
            if (status != QMTCNN_OK)
                return status;
        }
    }
    return QMTCNN_OK;
}

/* One setting's list, for pictures that another file may have given: both must agree. */
static qmtcnn_status read_setting(const struct ground_truth *from, qmt_setting setting, qmt_truth *truth,
                                  qmtcnn_error *error)
{
    size_t at = 0;
    for (size_t e = 0; e < qmt_matlab_count(from->events); e++) {
        char file[max_name];
        const qmt_matlab_array *files = qmt_matlab_cell(from->files, e), *boxes = qmt_matlab_cell(from->boxes, e),
                               *list = qmt_matlab_cell(from->list, e);
        for (size_t i = 0; i < cell_count(files); i++, at++) {
            qmt_truth_picture *picture = at < truth->count ? &truth->pictures[at] : NULL;
            const char *slash = picture ? strrchr(picture->key, '/') : NULL;
            if (!slash || !qmt_matlab_text(qmt_matlab_cell(files, i), file, sizeof file) ||
                strcmp(slash + 1, file) != 0 || qmt_matlab_count(qmt_matlab_cell(boxes, i)) != 4 * picture->count)
                return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: picture %zu is not that of the other settings' files",
                                from->path, at + 1);
            qmtcnn_status status = read_list(from, qmt_matlab_cell(list, i), setting, picture, error);
            if (status != QMTCNN_OK)
                return status;
        }
    }
    if (at != truth->count)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: %zu pictures; the other settings' files have %zu", from->path,
                        at, truth->count);
    truth->settings |= (unsigned)setting;
    return QMTCNN_OK;
}

bool qmt_truth_has_mat(const char *folder)
{
    for (int i = 0; i < list_count; i++) {
        char *path = qmt_path_join(folder, lists[i].file);
        bool there = path && qmt_file_exists(path);
        qmt_free(path);
        if (there)
            return true;
    }
    return false;
}

static qmtcnn_status read_one(const char *folder, int number, qmt_truth *truth, qmtcnn_error *error)
{
    char *path = qmt_path_join(folder, lists[number].file);
    if (!path)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: the path of %s", lists[number].file);
    qmtcnn_status status = QMTCNN_OK;
    if (qmt_file_exists(path)) {
        struct ground_truth from;
        status = open_file(path, &from, error);
        if (status == QMTCNN_OK) {
            if (truth->settings == 0)
                status = read_pictures(&from, truth, error);
            if (status == QMTCNN_OK)
                status = read_setting(&from, lists[number].setting, truth, error);
            qmt_matlab_free(from.file);
        }
    }
    qmt_free(path);
    return status;
}

qmtcnn_status qmt_truth_read_mat(const char *folder, qmt_truth **result, qmtcnn_error *error)
{
    *result = NULL;
    qmt_truth *truth = qmt_alloc_zero(1, sizeof *truth);
    if (!truth)
        return qmt_fail_memory(error, sizeof *truth, "ground truth");
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; status == QMTCNN_OK && i < list_count; i++)
        status = read_one(folder, i, truth, error);
    if (status == QMTCNN_OK && truth->settings == 0)
        status = qmt_fail(error, QMTCNN_ERROR_IO,
                          "%s: no wider_easy_val.mat, wider_medium_val.mat or wider_hard_val.mat there: give the "
                          "ground_truth folder of WIDER FACE's evaluation",
                          folder);
    if (status == QMTCNN_OK)
        *result = truth;
    else
        qmt_truth_free(truth);
    return status;
}
