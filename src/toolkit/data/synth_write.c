/* Writes a synthetic data set. Each picture comes with a small file of its labels under .parts, written after it, so
 * that a stopped run knows what it has; when all are there, their rows become the annotation and the parts go. */
#include "runtime/base/threads.h"
#include "toolkit/base/file.h"
#include "toolkit/base/random.h"
#include "toolkit/base/stop.h"
#include "toolkit/data/synth.h"
#include "toolkit/log/progress.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
    const qmt_synth_config *config;
    uint64_t seed;
    const char *folder, *split;
    uint64_t first; /* number of the split's first picture */
    int count;
    qmt_progress *progress;
    atomic_int failed; /* 0: no; 1: `status` and `error` are being or have been written */
    qmtcnn_status status;
    qmtcnn_error error;
} job;

/* WIDER FACE sorts its pictures by events. */
static void picture_name(int index, char name[64])
{
    enum { per_event = 1000 };
    snprintf(name, 64, "%d--Synthetic/%d_Synthetic_%06d.jpg", index / per_event, index / per_event, index);
}

static char *picture_path(const job *j, int index)
{
    char name[64];
    picture_name(index, name);
    return qmt_format("%s/WIDER_%s/images/%s", j->folder, j->split, name);
}

static char *part_path(const job *j, int index)
{
    return qmt_format("%s/.parts/%s/%06d.txt", j->folder, j->split, index);
}

/* The annotation's rows, then the landmark list's, each of the latter marked with a + in front. */
static qmtcnn_status write_part(const char *path, int index, const qmt_label *labels, int count, qmtcnn_error *error)
{
    char name[64];
    qmt_writer *writer = NULL;
    picture_name(index, name);
    qmtcnn_status status = qmt_writer_open(path, &writer, error);
    if (status == QMTCNN_OK)
        status = qmt_writer_print(writer, error, "%s\n%d\n%s", name, count, count == 0 ? "0 0 0 0 0 0 0 0 0 0\n" : "");
    for (int i = 0; i < count && status == QMTCNN_OK; i++) {
        const qmt_label *l = &labels[i];
        status = qmt_writer_print(writer, error, "%.0f %.0f %.0f %.0f %d %d %d %d %d %d\n", (double)l->box.x1,
                                  (double)l->box.y1, (double)l->box.x2 - (double)l->box.x1,
                                  (double)l->box.y2 - (double)l->box.y1, l->blur, l->expression, l->illumination,
                                  l->invalid, l->occlusion, l->pose);
    }
    for (int i = 0; i < count && status == QMTCNN_OK; i++) {
        const qmt_label *l = &labels[i];
        if (!l->has_landmarks)
            continue;
        status = qmt_writer_print(writer, error, "+%s %.0f %.0f %.0f %.0f", name, (double)l->box.x1, (double)l->box.y1,
                                  (double)l->box.x2 - (double)l->box.x1, (double)l->box.y2 - (double)l->box.y1);
        for (int p = 0; p < 10 && status == QMTCNN_OK; p++)
            status = qmt_writer_print(writer, error, " %.2f", (double)l->landmarks[p / 2][p % 2]);
        if (status == QMTCNN_OK)
            status = qmt_writer_print(writer, error, "\n");
    }
    if (status == QMTCNN_OK)
        return qmt_writer_commit(writer, error);
    qmt_writer_abandon(writer);
    return status;
}

static qmtcnn_status make_picture(const job *j, int index, const char *picture, const char *part, qmtcnn_error *error)
{
    qmt_image image;
    void *data = NULL;
    size_t size = 0;
    int count = 0;
    qmt_label *labels = qmt_alloc(qmt_synth_max_faces, sizeof *labels);
    if (!labels)
        return qmt_fail_memory(error, qmt_synth_max_faces * sizeof *labels, "labels");
    uint64_t number = j->first + (uint64_t)index;
    qmt_random random = qmt_random_stream(j->seed, number, 1);
    int quality = 60 + (int)qmt_random_below(&random, 36);
    qmtcnn_status status = qmt_synth_picture(j->config, j->seed, number, &image, labels, NULL, &count, error);
    if (status == QMTCNN_OK)
        status = qmt_image_encode_jpeg(&image, quality, &data, &size, error);
    if (status == QMTCNN_OK)
        status = qmt_file_write(picture, data, size, error);
    if (status == QMTCNN_OK)
        status = write_part(part, index, labels, count, error);
    qmt_image_clear(&image);
    qmt_free(data);
    qmt_free(labels);
    return status;
}

static void make_one(void *state, int index, int worker)
{
    job *j = state;
    (void)worker;
    if (qmt_stop_requested() || atomic_load(&j->failed))
        return;
    qmtcnn_error error = {0};
    char *picture = picture_path(j, index), *part = part_path(j, index);
    qmtcnn_status status = QMTCNN_OK;
    if (!picture || !part)
        status = qmt_fail_memory(&error, 0, "a path");
    else if (!qmt_file_exists(part) || !qmt_file_exists(picture))
        status = make_picture(j, index, picture, part, &error);
    int none = 0;
    if (status != QMTCNN_OK && atomic_compare_exchange_strong(&j->failed, &none, 1)) {
        j->status = status;
        j->error = error;
    }
    qmt_progress_add(j->progress, 1);
    qmt_free(picture);
    qmt_free(part);
}

/* Sorts a part's lines to the annotation and to the landmark list. */
static qmtcnn_status append_part(char *text, qmt_writer *annotation, qmt_writer *landmarks, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    for (char *line = text, *end; *line && status == QMTCNN_OK; line = end + 1) {
        end = strchr(line, '\n');
        if (!end)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "a part is cut short; remove .parts and run again");
        bool point = *line == '+';
        status =
            qmt_writer_write(point ? landmarks : annotation, line + point, (size_t)(end + 1 - line) - point, error);
    }
    return status;
}

static qmtcnn_status merge_parts(const job *j, qmtcnn_error *error)
{
    enum { max_part = 1 << 20 };
    qmt_writer *annotation = NULL, *landmarks = NULL;
    char *annotation_path = qmt_format("%s/wider_face_split/wider_face_%s_bbx_gt.txt", j->folder, j->split);
    char *landmark_path = qmt_format("%s/landmarks_%s.txt", j->folder, j->split);
    qmtcnn_status status = annotation_path && landmark_path ? qmt_writer_open(annotation_path, &annotation, error)
                                                            : qmt_fail_memory(error, 0, "a path");
    if (status == QMTCNN_OK)
        status = qmt_writer_open(landmark_path, &landmarks, error);
    for (int i = 0; i < j->count && status == QMTCNN_OK; i++) {
        void *text = NULL;
        size_t size;
        char *path = part_path(j, i);
        status = path ? qmt_file_read(path, max_part, &text, &size, error) : qmt_fail_memory(error, 0, "a path");
        if (status == QMTCNN_OK)
            status = append_part(text, annotation, landmarks, error);
        qmt_free(text);
        qmt_free(path);
    }
    if (status == QMTCNN_OK) {
        status = qmt_writer_commit(landmarks, error);
        landmarks = NULL;
    }
    if (status == QMTCNN_OK) {
        status = qmt_writer_commit(annotation, error);
        annotation = NULL;
    }
    qmt_writer_abandon(landmarks);
    qmt_writer_abandon(annotation);
    qmt_free(annotation_path);
    qmt_free(landmark_path);
    return status;
}

static qmtcnn_status write_split(job *j, qmt_pool *pool, qmtcnn_error *error)
{
    char title[32];
    snprintf(title, sizeof title, "synth %s", j->split);
    j->progress = qmt_progress_start(title, "pictures", j->count);
    qmt_pool_run(pool, j->count, make_one, j);
    qmt_progress_finish(j->progress);
    if (atomic_load(&j->failed)) {
        if (error)
            *error = j->error;
        return j->status;
    }
    if (qmt_stop_requested())
        return qmt_fail(error, QMTCNN_ERROR_INTERRUPTED,
                        "stopped; finished pictures are kept, run the same again to go on");
    return merge_parts(j, error);
}

/* What decides the pictures' bytes, and how many there are. */
static char *describe(const qmt_synth_config *c, uint64_t seed)
{
    return qmt_format(
        "{\"version\": 1, \"seed\": %llu, \"width\": %d, \"height\": %d, \"max_faces\": %d, \"min_face\": %d, "
        "\"max_face\": %d}\n",
        (unsigned long long)seed, c->width, c->height, c->max_faces, c->min_face, c->max_face);
}

/* What only other pictures than ours could have left in a folder without synth.json. */
static qmtcnn_status refuse_other_data(const char *folder, qmtcnn_error *error)
{
    static const char *const names[] = {"WIDER_train", "WIDER_val", "wider_face_split", "images", "labels"};
    qmtcnn_status status = QMTCNN_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && status == QMTCNN_OK; i++) {
        char *path = qmt_path_join(folder, names[i]);
        if (!path)
            return qmt_fail_memory(error, strlen(folder) + 32, "a path");
        if (qmt_folder_exists(path))
            status = qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                              "%s holds pictures or labels that were not drawn here (there is %s, but no synth.json); "
                              "choose another folder",
                              folder, names[i]);
        qmt_free(path);
    }
    return status;
}

/* A folder holds pictures of one seed and setting. */
static qmtcnn_status claim_folder(const char *folder, const char *description, qmtcnn_error *error)
{
    void *text = NULL;
    size_t size = 0;
    char *path = qmt_path_join(folder, "synth.json");
    qmtcnn_status status = path ? QMTCNN_OK : qmt_fail_memory(error, 0, "a path");
    if (status == QMTCNN_OK && !qmt_file_exists(path)) {
        status = refuse_other_data(folder, error);
        if (status == QMTCNN_OK)
            status = qmt_file_write(path, description, strlen(description), error);
    } else if (status == QMTCNN_OK) {
        status = qmt_file_read(path, 4096, &text, &size, error);
        if (status == QMTCNN_OK && strcmp(text, description) != 0)
            status =
                qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                         "%s: made with another seed or other settings; remove the folder, or choose another", path);
    }
    qmt_free(text);
    qmt_free(path);
    return status;
}

/* Is a finished annotation of exactly `count` pictures there, and is its last picture? */
static bool is_complete(const job *j)
{
    qmt_dataset *dataset = NULL;
    qmt_dataset_options options = {0};
    if (qmt_dataset_open(j->folder, j->split, &options, &dataset, NULL) != QMTCNN_OK)
        return false;
    bool complete = dataset->picture_count == (size_t)j->count;
    for (size_t i = 0; i < dataset->picture_count && complete; i++)
        complete = qmt_file_exists(dataset->pictures[i].path);
    qmt_dataset_free(dataset);
    return complete;
}

static void remove_parts(const job *j)
{
    char *folder = qmt_format("%s/.parts/%s", j->folder, j->split), *above = qmt_path_join(j->folder, ".parts");
    for (int i = 0; i < j->count; i++) {
        char *path = part_path(j, i);
        if (path)
            remove(path);
        qmt_free(path);
    }
    if (folder)
        remove(folder);
    if (above)
        remove(above); /* only goes when it is empty */
    qmt_free(folder);
    qmt_free(above);
}

qmtcnn_status qmt_synth_write(const qmt_synth_config *config, uint64_t seed, const char *folder, int threads,
                              qmtcnn_error *error)
{
    if (config->images < 0 || config->val_images < 0 || config->images + (int64_t)config->val_images == 0 || !*folder)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "synthetic pictures need a folder and a number of images above 0");
    const uint64_t far = (uint64_t)1 << 40; /* train and val never share a picture */
    job jobs[2] = {
        {.config = config, .seed = seed, .folder = folder, .split = "train", .first = 0, .count = config->images},
        {.config = config, .seed = seed, .folder = folder, .split = "val", .first = far, .count = config->val_images}};
    qmt_pool *pool = NULL;
    char *description = describe(config, seed);
    qmtcnn_status status = description ? claim_folder(folder, description, error) : qmt_fail_memory(error, 0, "a text");
    if (status == QMTCNN_OK)
        status = qmt_pool_create(threads, &pool, error);
    for (int i = 0; i < 2 && status == QMTCNN_OK; i++) {
        if (jobs[i].count == 0 || is_complete(&jobs[i]))
            continue;
        status = write_split(&jobs[i], pool, error);
        if (status == QMTCNN_OK)
            remove_parts(&jobs[i]);
    }
    qmt_pool_free(pool);
    qmt_free(description);
    return status;
}
