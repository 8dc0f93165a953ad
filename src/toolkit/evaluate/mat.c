/* WIDER FACE's ground truth: wider_{easy,medium,hard}_val.mat, MATLAB files with cells of cells. */
#include "toolkit/base/file.h"
#include "toolkit/evaluate/truth.h"

#include <math.h>
#include <matio.h>
#include <string.h>

enum { max_events = 100000, max_pictures = 1000000, max_faces_in_picture = 1000000, max_name = 1024 };

static const struct {
    qmt_setting setting;
    const char *file;
} lists[] = {{QMT_SETTING_EASY, "wider_easy_val.mat"},
             {QMT_SETTING_MEDIUM, "wider_medium_val.mat"},
             {QMT_SETTING_HARD, "wider_hard_val.mat"}};
enum { list_count = sizeof lists / sizeof *lists };

/* The variables of one file. */
struct ground_truth {
    mat_t *file;
    const char *path;
    matvar_t *events, *files, *boxes, *list;
};

static size_t element_count(const matvar_t *variable)
{
    size_t count = 1;
    if (!variable || variable->rank < 1 || !variable->dims)
        return 0;
    for (int i = 0; i < variable->rank; i++)
        if (!qmt_size_multiply(count, variable->dims[i], &count))
            return 0;
    return count;
}

/* Cell `index` of a cell array, or NULL. */
static matvar_t *cell_at(const matvar_t *cells, size_t index)
{
    if (!cells || cells->class_type != MAT_C_CELL || !cells->data || index >= element_count(cells) ||
        index >= cells->nbytes / sizeof(matvar_t *))
        return NULL;
    return ((matvar_t **)cells->data)[index];
}

/* Element `index` of a numeric array as a double. false where it is no number. */
static bool number_at(const matvar_t *variable, size_t index, double *value)
{
    if (!variable->data || variable->isComplex || variable->data_size <= 0 ||
        index >= variable->nbytes / (size_t)variable->data_size)
        return false;
    const char *at = (const char *)variable->data + index * (size_t)variable->data_size;
    switch (variable->data_type) {
    case MAT_T_DOUBLE: *value = *(const double *)(const void *)at; return true;
    case MAT_T_SINGLE: *value = (double)*(const float *)(const void *)at; return true;
    case MAT_T_INT8: *value = *(const int8_t *)at; return true;
    case MAT_T_UINT8: *value = *(const uint8_t *)at; return true;
    case MAT_T_INT16: *value = *(const int16_t *)(const void *)at; return true;
    case MAT_T_UINT16: *value = *(const uint16_t *)(const void *)at; return true;
    case MAT_T_INT32: *value = *(const int32_t *)(const void *)at; return true;
    case MAT_T_UINT32: *value = *(const uint32_t *)(const void *)at; return true;
    default: return false;
    }
}

/* A MATLAB string as UTF-8; ASCII only, which all of WIDER FACE's names are. */
static bool text_of(const matvar_t *variable, char text[max_name])
{
    size_t count = element_count(variable);
    if (!variable || variable->class_type != MAT_C_CHAR || !variable->data || count >= max_name ||
        variable->data_size <= 0 || count > variable->nbytes / (size_t)variable->data_size)
        return false;
    for (size_t i = 0; i < count; i++) {
        unsigned letter = variable->data_size == 2 ? ((const uint16_t *)variable->data)[i]
                                                   : ((const unsigned char *)variable->data)[i];
        if (letter < 32 || letter > 126)
            return false;
        text[i] = (char)letter;
    }
    text[count] = 0;
    return count > 0;
}

static void close_file(struct ground_truth *from)
{
    Mat_VarFree(from->list);
    Mat_VarFree(from->boxes);
    Mat_VarFree(from->files);
    Mat_VarFree(from->events);
    if (from->file)
        Mat_Close(from->file);
}

static qmtcnn_status open_file(const char *path, struct ground_truth *from, qmtcnn_error *error)
{
    *from = (struct ground_truth){.path = path};
    from->file = Mat_Open(path, MAT_ACC_RDONLY);
    if (!from->file)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: can't be opened as a MATLAB file", path);
    from->events = Mat_VarRead(from->file, "event_list");
    from->files = Mat_VarRead(from->file, "file_list");
    from->boxes = Mat_VarRead(from->file, "face_bbx_list");
    from->list = Mat_VarRead(from->file, "gt_list");
    const matvar_t *all[] = {from->events, from->files, from->boxes, from->list};
    static const char *const names[] = {"event_list", "file_list", "face_bbx_list", "gt_list"};
    for (int i = 0; i < 4; i++) {
        if (!all[i] || all[i]->class_type != MAT_C_CELL)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: no cell array %s: not WIDER FACE's ground truth", path,
                            names[i]);
        if (element_count(all[i]) != element_count(all[0]) || element_count(all[i]) > max_events)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: %s has %zu events, event_list %zu", path, names[i],
                            element_count(all[i]), element_count(all[0]));
    }
    return QMTCNN_OK;
}

static qmtcnn_status read_boxes(const struct ground_truth *from, const char *key, const matvar_t *boxes,
                                qmt_truth_picture *picture, qmtcnn_error *error)
{
    size_t count = element_count(boxes) / 4;
    if (!boxes || (count > 0 && (boxes->rank != 2 || boxes->dims[1] != 4)) || count > max_faces_in_picture)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: face_bbx_list of %s is no N x 4 matrix", from->path, key);
    picture->faces = qmt_alloc_zero(count, sizeof *picture->faces);
    if (!picture->faces)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: %zu faces of %s", count, key);
    picture->count = count;
    for (size_t i = 0; i < count; i++) {
        double values[4]; /* columns: MATLAB keeps matrices column by column */
        for (size_t column = 0; column < 4; column++)
            if (!number_at(boxes, column * count + i, &values[column]) || !isfinite(values[column]))
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
static qmtcnn_status read_list(const struct ground_truth *from, const matvar_t *list, qmt_setting setting,
                               qmt_truth_picture *picture, qmtcnn_error *error)
{
    size_t count = element_count(list);
    for (size_t i = 0; i < count; i++) {
        double number;
        if (!number_at(list, i, &number) || !(number >= 1) || number > (double)picture->count ||
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
    size_t total = 0, events = element_count(from->events);
    for (size_t e = 0; e < events; e++)
        if (!qmt_size_add(total, element_count(cell_at(from->files, e)), &total) || total > max_pictures)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: more than %d pictures", from->path, max_pictures);
    truth->pictures = qmt_alloc_zero(total, sizeof *truth->pictures);
    if (!truth->pictures)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: %zu pictures", total);
    for (size_t e = 0; e < events; e++) {
        char event[max_name], file[max_name];
        matvar_t *files = cell_at(from->files, e), *boxes = cell_at(from->boxes, e);
        if (!text_of(cell_at(from->events, e), event))
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: event %zu has no name", from->path, e + 1);
        for (size_t i = 0; i < element_count(files); i++) {
            qmt_truth_picture *picture = &truth->pictures[truth->count];
            if (!text_of(cell_at(files, i), file))
                return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: picture %zu of %s has no name", from->path, i + 1,
                                event);
            picture->key = qmt_format("%s/%s", event, file);
            truth->count++;
            if (!picture->key)
                return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: the name of %s", file);
            qmtcnn_status status = read_boxes(from, picture->key, cell_at(boxes, i), picture, error);
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
    for (size_t e = 0; e < element_count(from->events); e++) {
        char file[max_name];
        matvar_t *files = cell_at(from->files, e), *boxes = cell_at(from->boxes, e), *list = cell_at(from->list, e);
        for (size_t i = 0; i < element_count(files); i++, at++) {
            qmt_truth_picture *picture = at < truth->count ? &truth->pictures[at] : NULL;
            const char *slash = picture ? strrchr(picture->key, '/') : NULL;
            if (!slash || !text_of(cell_at(files, i), file) || strcmp(slash + 1, file) != 0 ||
                element_count(cell_at(boxes, i)) != 4 * picture->count)
                return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: picture %zu is not that of the other settings' files",
                                from->path, at + 1);
            qmtcnn_status status = read_list(from, cell_at(list, i), setting, picture, error);
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
        if (status == QMTCNN_OK && truth->settings == 0)
            status = read_pictures(&from, truth, error);
        if (status == QMTCNN_OK)
            status = read_setting(&from, lists[number].setting, truth, error);
        close_file(&from);
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
