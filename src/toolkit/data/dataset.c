#include "toolkit/data/dataset.h"

#include "toolkit/base/file.h"
#include "toolkit/data/dataset_build.h"

#include <string.h>

/* Where annotations and pictures are looked for, below the data set's folder; %s is the split. */
static const char *const annotation_places[] = {
    "wider_face_split/wider_face_%s_bbx_gt.txt",
    "wider_face_split/wider_face_%s.mat",
    "wider_face_%s_bbx_gt.txt",
    "wider_face_%s.mat",
    "annotations/wider_face_%s_bbx_gt.txt",
    "annotations/wider_face_%s.mat",
    "labels/wider_face_%s_bbx_gt.txt",
    "labels/wider_face_%s.mat",
    "annotations/%s.txt",
    "labels/%s.txt",
    "%s.txt",
};
static const char *const picture_places[] = {"WIDER_%s/images", "images/%s", "%s/images", "WIDER_%s"};
static const char *const landmark_places[] = {"landmarks_%s.txt", "wider_face_split/landmarks_%s.txt"};

/* Puts the split for the one %s of a place. */
static char *fill_place(const char *folder, const char *place, const char *split)
{
    const char *mark = strstr(place, "%s");
    return qmt_format("%s/%.*s%s%s", folder, (int)(mark - place), place, split, mark + 2);
}

/* The first of the places that is there, as text of the data set; *found NULL where there is none. */
static qmtcnn_status find_place(qmt_dataset *dataset, const char *const *places, size_t count,
                                bool (*exists)(const char *), char **found, qmtcnn_error *error)
{
    *found = NULL;
    for (size_t i = 0; i < count && !*found; i++) {
        char *path = fill_place(dataset->folder, places[i], dataset->split);
        if (!path)
            return qmt_fail_memory(error, strlen(dataset->folder), "a path");
        if (exists(path) && !(*found = qmt_dataset_text(dataset, path, strlen(path)))) {
            qmt_free(path);
            return qmt_fail_memory(error, strlen(dataset->folder), "a path");
        }
        qmt_free(path);
    }
    return QMTCNN_OK;
}

static qmtcnn_status create(const char *folder, const char *split, int min_face, qmt_dataset **dataset,
                            qmtcnn_error *error)
{
    qmt_dataset *d = qmt_alloc_zero(1, sizeof *d);
    qmt_dataset_memory *memory = qmt_alloc_zero(1, sizeof *memory);
    if (!d || !memory) {
        qmt_free(d);
        qmt_free(memory);
        return qmt_fail_memory(error, sizeof *d + sizeof *memory, "a data set");
    }
    d->memory = memory;
    memory->min_face = min_face;
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    d->folder = qmt_dataset_text(d, folder, length);
    d->split = qmt_dataset_text(d, split, strlen(split));
    if (!d->folder || !d->split) {
        qmt_dataset_free(d);
        return qmt_fail_memory(error, length, "a data set's name");
    }
    *dataset = d;
    return QMTCNN_OK;
}

/* Some editions put all pictures into one folder, whatever event the annotation names. Told by the first picture. */
static qmtcnn_status flatten_paths(qmt_dataset *dataset, const char *pictures, qmtcnn_error *error)
{
    const qmt_picture *first = dataset->pictures;
    if (dataset->picture_count == 0 || !strchr(first->name, '/') || qmt_file_exists(first->path))
        return QMTCNN_OK;
    for (size_t i = 0; i < dataset->picture_count; i++) {
        qmt_picture *picture = &dataset->pictures[i];
        const char *slash = strrchr(picture->name, '/');
        char *path = qmt_dataset_path(dataset, pictures, slash ? slash + 1 : picture->name);
        if (!path)
            return qmt_fail_memory(error, strlen(picture->name), "a path");
        if (i == 0 && !qmt_file_exists(path))
            return QMTCNN_OK;
        picture->path = path;
    }
    return QMTCNN_OK;
}

static qmtcnn_status read_annotations(qmt_dataset *dataset, int limit, qmtcnn_error *error)
{
    char *annotation, *pictures;
    qmtcnn_status status = find_place(dataset, annotation_places, sizeof annotation_places / sizeof *annotation_places,
                                      qmt_file_exists, &annotation, error);
    if (status == QMTCNN_OK)
        status = find_place(dataset, picture_places, sizeof picture_places / sizeof *picture_places, qmt_folder_exists,
                            &pictures, error);
    if (status != QMTCNN_OK)
        return status;
    if (!annotation)
        return qmt_fail(
            error, QMTCNN_ERROR_IO,
            "%s: no annotations of split '%s' here: there must be wider_face_split/wider_face_%s_bbx_gt.txt (or "
            "wider_face_%s.mat), and pictures in WIDER_%s/images or images/%s",
            dataset->folder, dataset->split, dataset->split, dataset->split, dataset->split, dataset->split);
    dataset->annotation_path = annotation;
    if (!pictures) { /* annotations alone are of use, too; each picture will be found missing when it is wanted */
        char *path = fill_place(dataset->folder, picture_places[0], dataset->split);
        pictures = path ? qmt_dataset_text(dataset, path, strlen(path)) : NULL;
        qmt_free(path);
        if (!pictures)
            return qmt_fail_memory(error, strlen(dataset->folder), "a path");
    }
    size_t length = strlen(annotation);
    bool mat = length > 4 && strcmp(annotation + length - 4, ".mat") == 0;
    status = mat ? qmt_read_wider_mat(dataset, annotation, pictures, limit, error)
                 : qmt_read_wider_text(dataset, annotation, pictures, limit, error);
    return status == QMTCNN_OK ? flatten_paths(dataset, pictures, error) : status;
}

static qmtcnn_status read_lists(qmt_dataset *dataset, const qmt_dataset_options *options, qmtcnn_error *error)
{
    char *own;
    bool train = strcmp(dataset->split, "train") == 0;
    qmtcnn_status status = find_place(dataset, landmark_places, sizeof landmark_places / sizeof *landmark_places,
                                      qmt_file_exists, &own, error);
    if (status == QMTCNN_OK && own)
        status = qmt_read_landmarks(dataset, own, false, options->limit, error);
    for (int i = 0; i < options->landmark_list_count && status == QMTCNN_OK; i++) {
        const char *path = options->landmark_lists[i];
        char *kept = qmt_dataset_text(dataset, path, strlen(path));
        status = kept ? qmt_read_landmarks(dataset, kept, train, options->limit, error)
                      : qmt_fail_memory(error, strlen(path), "a path");
    }
    return status;
}

static bool lies_in(const char *name, const char *folder)
{
    size_t length = strlen(folder);
    while (length > 0 && folder[length - 1] == '/')
        length--;
    return strncmp(name, folder, length) == 0 && name[length] == '/';
}

/* Keeps the pictures of the folders that training leaves out, or all others. */
static qmtcnn_status leave_out(qmt_dataset *dataset, const qmt_dataset_options *options, qmtcnn_error *error)
{
    bool wanted = strcmp(dataset->split, "val") == 0;
    size_t pictures = 0, labels = 0;
    for (size_t i = 0; i < dataset->picture_count; i++) {
        qmt_picture picture = dataset->pictures[i];
        bool named = false;
        for (int k = 0; k < options->leave_out_count; k++)
            named = named || lies_in(picture.name, options->leave_out[k]);
        if (named != wanted)
            continue;
        if (picture.label_count)
            memmove(dataset->labels + labels, dataset->labels + picture.first_label,
                    picture.label_count * sizeof *dataset->labels);
        picture.first_label = labels;
        labels += picture.label_count;
        dataset->pictures[pictures++] = picture;
    }
    if (pictures == 0 || (!wanted && pictures == dataset->picture_count))
        return qmt_fail(
            error, QMTCNN_ERROR_ARGUMENT,
            "%s: data.leave_out names folders that hold %s of split '%s'; a picture's folder is what stands "
            "before its file in the annotation, such as '%s'",
            dataset->annotation_path, wanted || pictures ? "no pictures" : "all pictures", dataset->split,
            dataset->picture_count ? dataset->pictures[0].name : "event/file.jpg");
    dataset->picture_count = pictures;
    dataset->label_count = labels;
    return QMTCNN_OK;
}

qmtcnn_status qmt_dataset_open(const char *folder, const char *split, const qmt_dataset_options *options,
                               qmt_dataset **dataset, qmtcnn_error *error)
{
    static const qmt_dataset_options all = {0};
    *dataset = NULL;
    if (!options)
        options = &all;
    if (!*folder || !*split || strchr(split, '/') || options->limit < 0 || options->min_face < 0)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "a data set needs a folder, a split, and no negative limits");
    if (!qmt_folder_exists(folder))
        return qmt_fail(error, QMTCNN_ERROR_IO, "%s: no such folder; give the folder of a data set", folder);
    qmt_dataset *d = NULL;
    qmtcnn_status status = create(folder, split, options->min_face, &d, error);
    if (status != QMTCNN_OK)
        return status;
    status = read_annotations(d, options->limit, error);
    if (status == QMTCNN_OK)
        status = read_lists(d, options, error);
    if (status == QMTCNN_OK && options->leave_out_count > 0)
        status = leave_out(d, options, error);
    if (status != QMTCNN_OK) {
        qmt_dataset_free(d);
        return status;
    }
    *dataset = d;
    return QMTCNN_OK;
}

qmtcnn_status qmt_dataset_open_as(const qmt_data_config *data, const char *folder, const char *split,
                                  qmt_dataset **dataset, qmtcnn_error *error)
{
    const char *lists[qmt_max_lists], *left[qmt_max_lists];
    for (int i = 0; i < data->landmark_lists; i++)
        lists[i] = data->landmarks[i];
    for (int i = 0; i < data->leave_outs; i++)
        left[i] = data->leave_out[i];
    const qmt_dataset_options options = {data->limit,          data->min_face, lists,
                                         data->landmark_lists, left,           data->leave_outs};
    return qmt_dataset_open(folder, split, &options, dataset, error);
}
