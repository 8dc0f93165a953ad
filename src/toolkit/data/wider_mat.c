/* WIDER FACE's annotations as MATLAB ships them: cells of cells, an entry an event, in it an entry a picture. */
#include "toolkit/base/matlab.h"
#include "toolkit/data/dataset_build.h"

#include <stdio.h>

enum { attribute_count = 6 };

/* The variables of the file; any may be NULL. */
typedef struct tables {
    const qmt_matlab_array *events, *files, *boxes, *attributes[attribute_count];
} tables;

static size_t cell_length(const qmt_matlab_array *cell)
{
    return cell && cell->kind == QMT_MATLAB_CELL ? cell->count : 0;
}

static qmtcnn_status add_faces(qmt_dataset *dataset, const tables *t, size_t event, size_t file, qmtcnn_error *error)
{
    const qmt_picture *picture = &dataset->pictures[dataset->picture_count - 1];
    const qmt_matlab_array *boxes = qmt_matlab_cell(qmt_matlab_cell(t->boxes, event), file);
    const qmt_matlab_array *lists[attribute_count];
    if (!boxes || boxes->kind != QMT_MATLAB_NUMBERS || (boxes->rows > 0 && boxes->columns != 4))
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: face_bbx_list has no N x 4 boxes of '%s'", picture->file,
                        picture->name);
    for (int a = 0; a < attribute_count; a++)
        lists[a] = qmt_matlab_cell(qmt_matlab_cell(t->attributes[a], event), file);
    size_t count = boxes->rows;
    for (size_t i = 0; i < count; i++) {
        double row[4 + attribute_count] = {0};
        for (size_t c = 0; c < 4; c++) /* MATLAB stores columns */
            if (!qmt_matlab_number(boxes, i + c * count, &row[c]))
                return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: face_bbx_list of '%s' is cut short", picture->file,
                                picture->name);
        for (int a = 0; a < attribute_count; a++)
            qmt_matlab_number(lists[a], i, &row[4 + a]);
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
        const qmt_matlab_array *files = qmt_matlab_cell(t->files, event);
        if (!qmt_matlab_text(qmt_matlab_cell(t->events, event), folder, sizeof folder) || !files)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: event %zu has no name or no files", path, event + 1);
        for (size_t i = 0; i < cell_length(files); i++) {
            if (limit > 0 && dataset->picture_count >= (size_t)limit)
                return QMTCNN_OK;
            if (!qmt_matlab_text(qmt_matlab_cell(files, i), file, sizeof file))
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
    qmt_matlab *file;
    qmtcnn_status status = qmt_matlab_open(path, &file, error);
    if (status != QMTCNN_OK)
        return status;
    tables t = {.events = qmt_matlab_find(file, "event_list"),
                .files = qmt_matlab_find(file, "file_list"),
                .boxes = qmt_matlab_find(file, "face_bbx_list")};
    for (int a = 0; a < attribute_count; a++)
        t.attributes[a] = qmt_matlab_find(file, names[a]);
    if (cell_length(t.events) == 0 || cell_length(t.files) != cell_length(t.events) ||
        cell_length(t.boxes) != cell_length(t.events))
        status = qmt_fail(
            error, QMTCNN_ERROR_FORMAT,
            "%s: no WIDER FACE ground truth: it must hold event_list, file_list and face_bbx_list, cells of the "
            "same length",
            path);
    else
        status = add_pictures(dataset, &t, path, pictures, limit, error);
    qmt_matlab_free(file);
    return status;
}
