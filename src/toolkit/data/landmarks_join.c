/* Joins a landmark list to a data set: points go to the labeled face that the row's box overlaps best. */
#include "toolkit/base/file.h"
#include "toolkit/data/landmarks.h"

#include <stdlib.h>
#include <string.h>

/* A name and where it is, sorted by name, then by place. */
typedef struct entry {
    const char *name;
    size_t index;
} entry;

typedef struct name_index {
    entry *entries;
    size_t count;
} name_index;

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* The first entry that isn't before `name`. */
static size_t lower_bound(const name_index *index, const char *name)
{
    size_t low = 0, high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(index->entries[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_name(const name_index *index, size_t at, const char *name)
{
    return at < index->count && strcmp(index->entries[at].name, name) == 0;
}

static qmtcnn_status index_pictures(const qmt_dataset *dataset, name_index *index, qmtcnn_error *error)
{
    index->count = dataset->picture_count;
    index->entries = qmt_alloc(index->count, sizeof *index->entries);
    if (!index->entries)
        return qmt_fail_memory(error, index->count * sizeof *index->entries, "an index of pictures");
    for (size_t i = 0; i < index->count; i++)
        index->entries[i] = (entry){dataset->pictures[i].name, i};
    if (index->count > 0)
        qsort(index->entries, index->count, sizeof *index->entries, compare_entries);
    return QMTCNN_OK;
}

static qmtcnn_status index_rows(const qmt_landmark_list *list, name_index *index, qmtcnn_error *error)
{
    index->count = list->count;
    index->entries = qmt_alloc(index->count, sizeof *index->entries);
    if (!index->entries)
        return qmt_fail_memory(error, index->count * sizeof *index->entries, "an index of landmarks");
    for (size_t i = 0; i < index->count; i++)
        index->entries[i] = (entry){list->rows[i].name, i};
    if (index->count > 0)
        qsort(index->entries, index->count, sizeof *index->entries, compare_entries);
    return QMTCNN_OK;
}

static void set_landmarks(qmt_label *label, const qmt_landmark_row *row)
{
    memcpy(label->landmarks, row->points, sizeof label->landmarks);
    label->has_landmarks = true;
}

static qmtcnn_status attach(qmt_landmark_list *list, const name_index *pictures, size_t at, qmt_landmark_row *row,
                            qmtcnn_error *error)
{
    const float least = 0.5f;
    qmt_dataset *dataset = list->dataset;
    qmt_label *best = NULL;
    float best_iou = least;
    for (; has_name(pictures, at, row->name); at++) {
        const qmt_picture *picture = &dataset->pictures[pictures->entries[at].index];
        for (size_t i = 0; i < picture->label_count; i++) {
            qmt_label *label = &dataset->labels[picture->first_label + i];
            float iou = qmt_box_iou(label->box, row->box);
            if (iou > best_iou || (iou == best_iou && !best)) {
                best = label;
                best_iou = iou;
            }
        }
    }
    row->done = true;
    if (!best)
        return qmt_dataset_note(dataset, list->path, row->line, error,
                                "%s: no labeled face overlaps these landmarks' box by half; not used", row->name);
    if (best->has_landmarks)
        return qmt_dataset_note(dataset, list->path, row->line, error,
                                "%s: duplicate row: that face has landmarks already; not used", row->name);
    if (!qmt_landmarks_fit(best->box, (const float(*)[2])row->points))
        return qmt_dataset_note(dataset, list->path, row->line, error,
                                "%s: landmarks outside the face, or no numbers; not used", row->name);
    set_landmarks(best, row);
    return QMTCNN_OK;
}

static qmtcnn_status add_listed_face(qmt_landmark_list *list, const qmt_landmark_row *row, qmtcnn_error *error)
{
    qmt_dataset *dataset = list->dataset;
    double numbers[4] = {row->box.x1, row->box.y1, (double)row->box.x2 - row->box.x1,
                         (double)row->box.y2 - row->box.y1};
    qmtcnn_status status = qmt_dataset_add_face(dataset, row->line, numbers, 4, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_label *label = &dataset->labels[dataset->label_count - 1];
    if (qmt_landmarks_fit(label->box, (const float(*)[2])row->points)) {
        set_landmarks(label, row);
        return QMTCNN_OK;
    }
    return qmt_dataset_note(dataset, list->path, row->line, error,
                            "%s: landmarks outside the face, or no numbers; not used", row->name);
}

/* Where the listed pictures lie: CelebA's downloads put them beside the lists or in Img/, others beside or below. */
static qmtcnn_status find_pictures(qmt_landmark_list *list, const char **folder, qmtcnn_error *error)
{
    static const char *const celeba[] = {"img_celeba", "../img_celeba", "../Img/img_celeba", ".", NULL};
    static const char *const aligned[] = {"img_align_celeba",
                                          "../img_align_celeba",
                                          "../Img/img_align_celeba",
                                          "img_align_celeba/img_align_celeba",
                                          ".",
                                          NULL};
    static const char *const other[] = {".", "images", "..", NULL};
    const char *const *places = list->aligned ? aligned : list->celeba ? celeba : other;
    *folder = list->folder;
    for (; *places && list->count > 0; places++) {
        char *found = qmt_dataset_path(list->dataset, list->folder, *places);
        char *path = found ? qmt_path_join(found, list->rows[0].name) : NULL;
        if (!path)
            return qmt_fail_memory(error, strlen(list->folder), "a path");
        bool there = qmt_file_exists(path);
        qmt_free(path);
        if (there) {
            *folder = strcmp(*places, ".") == 0 ? list->folder : found;
            break;
        }
    }
    return QMTCNN_OK;
}

/* Adds the picture of rows[first] with the faces of all rows that name it. */
static qmtcnn_status add_listed_picture(qmt_landmark_list *list, const name_index *rows, size_t first,
                                        const char *folder, qmtcnn_error *error)
{
    const char *name = list->rows[first].name;
    qmtcnn_status status =
        qmt_dataset_add_picture(list->dataset, name, folder, list->path, list->rows[first].line, error);
    if (status != QMTCNN_OK)
        return status;
    list->dataset->pictures[list->dataset->picture_count - 1].faces_unlabeled = true;
    for (size_t at = lower_bound(rows, name); status == QMTCNN_OK && has_name(rows, at, name); at++) {
        qmt_landmark_row *row = &list->rows[rows->entries[at].index];
        row->done = true;
        status = add_listed_face(list, row, error);
    }
    return status;
}

static qmtcnn_status join(qmt_landmark_list *list, const name_index *pictures, const name_index *rows, bool add,
                          int limit, qmtcnn_error *error)
{
    const char *folder = NULL;
    int added = 0;
    qmtcnn_status status = add ? find_pictures(list, &folder, error) : QMTCNN_OK;
    for (size_t i = 0; i < list->count && status == QMTCNN_OK; i++) {
        qmt_landmark_row *row = &list->rows[i];
        if (row->done)
            continue;
        size_t at = lower_bound(pictures, row->name);
        if (has_name(pictures, at, row->name)) {
            status = attach(list, pictures, at, row, error);
        } else if (add && !row->held_out && (limit == 0 || added < limit)) {
            status = add_listed_picture(list, rows, i, folder, error);
            added++;
        } else if (!add && limit == 0 && !list->celeba) {
            status = qmt_dataset_note(list->dataset, list->path, row->line, error,
                                      "%s: landmarks of a picture that isn't in the data set; not used", row->name);
        }
    }
    return status;
}

qmtcnn_status qmt_read_landmarks(qmt_dataset *dataset, const char *path, bool add, int limit, qmtcnn_error *error)
{
    qmt_landmark_list list = {.dataset = dataset, .path = path};
    name_index pictures = {0}, rows = {0};
    qmtcnn_status status = qmt_landmark_list_read(&list, error);
    if (status == QMTCNN_OK)
        status = index_pictures(dataset, &pictures, error);
    if (status == QMTCNN_OK)
        status = index_rows(&list, &rows, error);
    if (status == QMTCNN_OK)
        status = join(&list, &pictures, &rows, add, limit, error);
    qmt_free(rows.entries);
    qmt_free(pictures.entries);
    qmt_free(list.rows);
    return status;
}
