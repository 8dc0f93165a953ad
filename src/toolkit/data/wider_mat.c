/* WIDER FACE's annotations as MATLAB ships them: cells of cells, an entry an event, in it an entry a picture. */
#include "toolkit/data/dataset_build.h"

#include <matio.h>
#include <stdio.h>
#include <string.h>

enum { attribute_count = 6 };

/* The variables of the file; attributes may be NULL. */
typedef struct tables {
    matvar_t *events, *files, *boxes, *attributes[attribute_count];
} tables;

static size_t element_count(const matvar_t *variable)
{
    size_t count = 1;
    for (int i = 0; i < variable->rank; i++)
        if (!qmt_size_multiply(count, variable->dims[i], &count))
            return 0;
    return variable->rank > 0 ? count : 0;
}

/* Entry `index` of a cell array; NULL where it isn't one or isn't as long. */
static matvar_t *cell_entry(const matvar_t *cell, size_t index)
{
    if (!cell || cell->class_type != MAT_C_CELL || !cell->data)
        return NULL;
    size_t count = cell->nbytes / sizeof(matvar_t *);
    if (element_count(cell) < count)
        count = element_count(cell);
    return index < count ? ((matvar_t **)cell->data)[index] : NULL;
}

static size_t cell_length(const matvar_t *cell)
{
    return cell && cell->class_type == MAT_C_CELL && cell->data ? element_count(cell) : 0;
}

static bool read_text(const matvar_t *variable, char *text, size_t size)
{
    if (!variable || variable->class_type != MAT_C_CHAR || !variable->data)
        return false;
    size_t length = element_count(variable);
    size_t width = variable->data_type == MAT_T_UINT16 || variable->data_type == MAT_T_UTF16 ? 2 : 1;
    if (length == 0 || length >= size || variable->nbytes < length * width)
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned code = width == 1 ? ((const uint8_t *)variable->data)[i] : ((const uint16_t *)variable->data)[i];
        if (code < 32 || code > 126)
            return false;
        text[i] = (char)code;
    }
    text[length] = 0;
    return true;
}

/* Element `index` as a number, whatever type MATLAB chose to store it in. */
static bool read_number(const matvar_t *variable, size_t index, double *number)
{
    if (!variable || !variable->data || variable->data_size <= 0 || index >= element_count(variable) ||
        index >= variable->nbytes / (size_t)variable->data_size)
        return false;
    switch (variable->data_type) {
    case MAT_T_DOUBLE: *number = ((const double *)variable->data)[index]; return true;
    case MAT_T_SINGLE: *number = ((const float *)variable->data)[index]; return true;
    case MAT_T_INT8: *number = ((const int8_t *)variable->data)[index]; return true;
    case MAT_T_UINT8: *number = ((const uint8_t *)variable->data)[index]; return true;
    case MAT_T_INT16: *number = ((const int16_t *)variable->data)[index]; return true;
    case MAT_T_UINT16: *number = ((const uint16_t *)variable->data)[index]; return true;
    case MAT_T_INT32: *number = ((const int32_t *)variable->data)[index]; return true;
    case MAT_T_UINT32: *number = ((const uint32_t *)variable->data)[index]; return true;
    default: return false;
    }
}

static qmtcnn_status add_faces(qmt_dataset *dataset, const tables *t, size_t event, size_t file, qmtcnn_error *error)
{
    const qmt_picture *picture = &dataset->pictures[dataset->picture_count - 1];
    const matvar_t *boxes = cell_entry(cell_entry(t->boxes, event), file);
    const matvar_t *lists[attribute_count];
    if (!boxes || boxes->rank != 2 || (boxes->dims[0] > 0 && boxes->dims[1] != 4))
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: face_bbx_list has no N x 4 boxes of '%s'", picture->file,
                        picture->name);
    for (int a = 0; a < attribute_count; a++)
        lists[a] = cell_entry(cell_entry(t->attributes[a], event), file);
    size_t count = boxes->dims[0];
    for (size_t i = 0; i < count; i++) {
        double row[4 + attribute_count] = {0};
        for (size_t c = 0; c < 4; c++) /* MATLAB stores columns */
            if (!read_number(boxes, i + c * count, &row[c]))
                return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: face_bbx_list of '%s' is cut short", picture->file,
                                picture->name);
        for (int a = 0; a < attribute_count; a++)
            read_number(lists[a], i, &row[4 + a]);
        if (count == 1 && row[0] == 0 && row[1] == 0 && row[2] == 0 && row[3] == 0)
            break; /* a picture without a face */
        qmtcnn_status status = qmt_dataset_add_face(dataset, 0, row, 4 + attribute_count, error);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}

static qmtcnn_status add_pictures(qmt_dataset *dataset, const tables *t, const char *path, const char *pictures,
                                  int limit, qmtcnn_error *error)
{
    enum { text_size = 256 };
    for (size_t event = 0; event < cell_length(t->events); event++) {
        char folder[text_size], file[text_size], name[2 * text_size + 8];
        const matvar_t *files = cell_entry(t->files, event);
        if (!read_text(cell_entry(t->events, event), folder, sizeof folder) || !files)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: event %zu has no name or no files", path, event + 1);
        for (size_t i = 0; i < cell_length(files); i++) {
            if (limit > 0 && dataset->picture_count >= (size_t)limit)
                return QMTCNN_OK;
            if (!read_text(cell_entry(files, i), file, sizeof file))
                return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: file %zu of event '%s' has no name", path, i + 1,
                                folder);
            snprintf(name, sizeof name, "%s/%s.jpg", folder, file);
            qmtcnn_status status = qmt_dataset_add_picture(dataset, name, pictures, path, 0, error);
            if (status == QMTCNN_OK)
                status = add_faces(dataset, t, event, i, error);
            if (status != QMTCNN_OK)
                return status;
        }
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_read_wider_mat(qmt_dataset *dataset, const char *path, const char *pictures, int limit,
                                 qmtcnn_error *error)
{
    static const char *const names[attribute_count] = {"blur_label_list",         "expression_label_list",
                                                       "illumination_label_list", "invalid_label_list",
                                                       "occlusion_label_list",    "pose_label_list"};
    qmtcnn_status status;
    tables t = {0};
    mat_t *file = Mat_Open(path, MAT_ACC_RDONLY);
    if (!file)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: can't be read as a MATLAB file", path);
    t.events = Mat_VarRead(file, "event_list");
    t.files = Mat_VarRead(file, "file_list");
    t.boxes = Mat_VarRead(file, "face_bbx_list");
    for (int a = 0; a < attribute_count; a++)
        t.attributes[a] = Mat_VarRead(file, names[a]);
    if (cell_length(t.events) == 0 || cell_length(t.files) != cell_length(t.events) ||
        cell_length(t.boxes) != cell_length(t.events))
        status = qmt_fail(
            error, QMTCNN_ERROR_FORMAT,
            "%s: no WIDER FACE ground truth: it must hold event_list, file_list and face_bbx_list, cells of the "
            "same length",
            path);
    else
        status = add_pictures(dataset, &t, path, pictures, limit, error);
    for (int a = 0; a < attribute_count; a++)
        Mat_VarFree(t.attributes[a]);
    Mat_VarFree(t.boxes);
    Mat_VarFree(t.files);
    Mat_VarFree(t.events);
    Mat_Close(file);
    return status;
}
