/* Landmark lists: five points a face, in three forms, told by their content.
 *   own      name x y w h, then x y of left eye, right eye, nose, left and right mouth corner
 *   LFW/net  path x1 x2 y1 y2, then the same ten numbers (trainImageList.txt; backslashes in paths)
 *   CelebA   a count, a line of column names, then name and ten numbers (list_landmarks_celeba.txt, its boxes beside in
 *            list_bbox_celeba.txt; list_landmarks_align_celeba.txt, without boxes) */
#include "toolkit/data/landmarks.h"

#include "toolkit/base/file.h"
#include "toolkit/data/dataset_lines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static qmtcnn_status add_row(qmt_landmark_list *list, const char *name, int line, qmt_landmark_row **row,
                             qmtcnn_error *error)
{
    qmtcnn_status status =
        qmt_grow((void **)&list->rows, &list->capacity, list->count, list->count + 1, sizeof *list->rows, error);
    if (status != QMTCNN_OK)
        return status;
    char *copy = qmt_dataset_text(list->dataset, name, strlen(name));
    if (!copy)
        return qmt_fail_memory(error, strlen(name), "a name");
    if (!qmt_clean_name(copy))
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: '%s' is no picture's name", list->path, line,
                        qmt_quote_text(name).text);
    *row = &list->rows[list->count++];
    **row = (qmt_landmark_row){.name = copy, .line = line};
    return QMTCNN_OK;
}

static void set_points(qmt_landmark_row *row, const double *numbers)
{
    for (int i = 0; i < 5; i++) {
        row->points[i][0] = (float)numbers[2 * i];
        row->points[i][1] = (float)numbers[2 * i + 1];
    }
}

bool qmt_landmarks_fit(qmt_box box, const float points[5][2])
{
    const float margin = 0.25f; /* of the box: a turned head's far points may lie a little outside */
    float mx = margin * (box.x2 - box.x1), my = margin * (box.y2 - box.y1);
    for (int i = 0; i < 5; i++)
        if (!(points[i][0] >= box.x1 - mx && points[i][0] <= box.x2 + mx && points[i][1] >= box.y1 - my &&
              points[i][1] <= box.y2 + my))
            return false;
    return true;
}

static qmt_box box_of_size(const double *n)
{
    return (qmt_box){(float)n[0], (float)n[1], (float)(n[0] + n[2]), (float)(n[1] + n[3])};
}

static qmt_box box_of_edges(const double *n)
{
    return (qmt_box){(float)n[0], (float)n[2], (float)n[1], (float)n[3]};
}

static size_t points_inside(qmt_box box, const qmt_landmark_row *row)
{
    size_t count = 0;
    for (int i = 0; i < 5; i++)
        count += row->points[i][0] >= box.x1 && row->points[i][0] <= box.x2 && row->points[i][1] >= box.y1 &&
                 row->points[i][1] <= box.y2;
    return count;
}

/* Rows of a name and 14 numbers. Whether the first four are x y w h or x1 x2 y1 y2 is what lets more rows' points lie
 * in their boxes. */
static qmtcnn_status read_boxed(qmt_landmark_list *list, qmt_lines *lines, qmtcnn_error *error)
{
    size_t fit_size = 0, fit_edges = 0;
    for (char *line; (line = qmt_lines_next(lines));) {
        double numbers[14];
        if (!qmt_cut_numbers(line, numbers, 14))
            return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                            "%s:%d: expected a name, a box (4 numbers) and five points (10 numbers), found '%s'",
                            list->path, lines->number, qmt_quote_text(line).text);
        qmt_landmark_row *row;
        qmtcnn_status status = add_row(list, line, lines->number, &row, error);
        if (status != QMTCNN_OK)
            return status;
        set_points(row, numbers + 4);
        row->box = box_of_size(numbers);
        row->other_box = box_of_edges(numbers);
        fit_size += points_inside(row->box, row);
        fit_edges += points_inside(row->other_box, row);
    }
    for (size_t i = 0; fit_edges > fit_size && i < list->count; i++)
        list->rows[i].box = list->rows[i].other_box;
    return QMTCNN_OK;
}

/* A face's box from its five points alone: around their mean, in units of their mean distance from it (root of the mean
 * square). The factors are medians over some 700 faces with hand-made points, hairline to chin and cheek to cheek. */
static qmt_box box_of_points(const float points[5][2])
{
    const float side = 1.81f, up = 2.82f, down = 2.03f;
    float x = 0, y = 0, square = 0;
    for (int i = 0; i < 5; i++) {
        x += points[i][0] / 5;
        y += points[i][1] / 5;
    }
    for (int i = 0; i < 5; i++)
        square += ((points[i][0] - x) * (points[i][0] - x) + (points[i][1] - y) * (points[i][1] - y)) / 5;
    float s = sqrtf(square);
    return (qmt_box){x - side * s, y - up * s, x + side * s, y + down * s};
}

/* CelebA's own tables: a count, column names, rows of a name and `columns` numbers. */
static qmtcnn_status start_celeba(qmt_lines *lines, long *count, qmtcnn_error *error)
{
    const char *line = qmt_lines_next(lines);
    if (!line || !qmt_parse_count(line, 100000000, count))
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: expected the number of rows", lines->path, lines->number);
    if (!qmt_lines_next(lines))
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: the file ends before the line of column names", lines->path,
                        lines->number);
    return QMTCNN_OK;
}

static qmtcnn_status check_count(const qmt_lines *lines, long rows, long count, qmtcnn_error *error)
{
    if (rows == count)
        return QMTCNN_OK;
    return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: %ld rows, but the first line says %ld", lines->path,
                    lines->number, rows, count);
}

/* list_bbox_celeba.txt has the same rows in the same order. */
static qmtcnn_status read_celeba_boxes(qmt_landmark_list *list, const char *path, qmtcnn_error *error)
{
    qmt_lines lines;
    long count, rows = 0;
    qmtcnn_status status = qmt_lines_open(path, &lines, error);
    if (status == QMTCNN_OK)
        status = start_celeba(&lines, &count, error);
    for (char *line; status == QMTCNN_OK && (line = qmt_lines_next(&lines)); rows++) {
        double numbers[4];
        if (!qmt_cut_numbers(line, numbers, 4))
            status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: expected a name and x y w h, found '%s'", path,
                              lines.number, qmt_quote_text(line).text);
        else if ((size_t)rows >= list->count || strcmp(line, list->rows[rows].name) != 0)
            status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: '%s' isn't in the same place in %s", path,
                              lines.number, qmt_quote_text(line).text, list->path);
        else
            list->rows[rows].box = box_of_size(numbers);
    }
    if (status == QMTCNN_OK)
        status = check_count(&lines, rows, (long)list->count, error);
    qmt_lines_close(&lines);
    return status;
}

/* list_eval_partition.txt: 0 train, 1 validation, 2 test. Only the first is trained on. Also in the landmarks' order.
 */
static qmtcnn_status read_celeba_partition(qmt_landmark_list *list, const char *path, qmtcnn_error *error)
{
    qmt_lines lines;
    size_t i = 0;
    qmtcnn_status status = qmt_lines_open(path, &lines, error);
    for (char *line; status == QMTCNN_OK && (line = qmt_lines_next(&lines)) && i < list->count; i++) {
        double part;
        if (!qmt_cut_numbers(line, &part, 1) || strcmp(line, list->rows[i].name) != 0)
            status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: expected '%s' and 0, 1 or 2, found '%s'", path,
                              lines.number, list->rows[i].name, qmt_quote_text(line).text);
        else
            list->rows[i].held_out = part != 0;
    }
    qmt_lines_close(&lines);
    return status;
}

static qmtcnn_status read_celeba(qmt_landmark_list *list, qmt_lines *lines, qmtcnn_error *error)
{
    long count;
    qmtcnn_status status = start_celeba(lines, &count, error);
    for (char *line; status == QMTCNN_OK && (line = qmt_lines_next(lines));) {
        double numbers[10];
        qmt_landmark_row *row;
        if (!qmt_cut_numbers(line, numbers, 10)) {
            status =
                qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: expected a name and five points (10 numbers), found '%s'",
                         list->path, lines->number, qmt_quote_text(line).text);
        } else if ((status = add_row(list, line, lines->number, &row, error)) == QMTCNN_OK) {
            set_points(row, numbers);
            row->box = box_of_points((const float(*)[2])row->points);
        }
    }
    if (status == QMTCNN_OK)
        status = check_count(lines, (long)list->count, count, error);
    if (status != QMTCNN_OK)
        return status;
    char *boxes = qmt_path_join(list->folder, "list_bbox_celeba.txt");
    char *partition = qmt_path_join(list->folder, "list_eval_partition.txt");
    const char *last = strrchr(list->path, '/');
    /* Turned and cut: the boxes are of the other edition. */
    list->aligned = strstr(last ? last : list->path, "align") != NULL;
    list->celeba = true;
    if (!boxes || !partition)
        status = qmt_fail_memory(error, strlen(list->folder), "a path");
    else if (!list->aligned && qmt_file_exists(boxes))
        status = read_celeba_boxes(list, boxes, error);
    if (status == QMTCNN_OK && qmt_file_exists(partition))
        status = read_celeba_partition(list, partition, error);
    qmt_free(boxes);
    qmt_free(partition);
    return status;
}

qmtcnn_status qmt_landmark_list_read(qmt_landmark_list *list, qmtcnn_error *error)
{
    qmt_lines lines;
    const char *slash = strrchr(list->path, '/');
    list->folder =
        slash ? qmt_dataset_text(list->dataset, list->path, (size_t)(slash - list->path) + (slash == list->path))
              : qmt_dataset_text(list->dataset, ".", 1);
    if (!list->folder)
        return qmt_fail_memory(error, strlen(list->path), "a path");
    qmtcnn_status status = qmt_lines_open(list->path, &lines, error);
    if (status == QMTCNN_OK) {
        long count;
        const char *first = qmt_lines_next(&lines);
        qmt_lines_unread(&lines);
        status = !first                                      ? QMTCNN_OK
                 : qmt_parse_count(first, 100000000, &count) ? read_celeba(list, &lines, error)
                                                             : read_boxed(list, &lines, error);
    }
    qmt_lines_close(&lines);
    return status;
}
