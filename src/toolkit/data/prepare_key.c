#include "toolkit/base/file.h"
#include "toolkit/data/prepare_job.h"

#include <inttypes.h>
#include <string.h>

/* To be raised when the recipe changes: parts of an older program are then not mixed with new ones. */
enum { recipe_version = 2 };

/* Settings that decide the samples, without folders of this machine. Other networks' settings are left at this one's.
 */
static char *settings_text(const qmt_prepare_job *job)
{
    qmt_config *copy = qmt_alloc(1, sizeof *copy);
    if (!copy)
        return NULL;
    qmt_config_default(copy);
    copy->data = job->config->data;
    copy->detect = qmt_detect_config_of_mining(&job->config->detect);
    for (int net = 0; net < qmt_net_count; net++)
        copy->prepare[net] = *job->prepare;
    qmt_data_config_drop_folders(&copy->data);
    char *text = qmt_config_text_of(copy, "data,prepare,detect");
    qmt_free(copy);
    return text;
}

/* Hashes a label as numbers, not as memory: structs have gaps. */
static uint64_t hash_label(const qmt_label *label, uint64_t hash)
{
    float values[14] = {label->box.x1, label->box.y1, label->box.x2, label->box.y2};
    uint64_t head[2] = {hash, (uint64_t)label->ignore | (uint64_t)label->has_landmarks << 1};
    if (label->has_landmarks)
        memcpy(values + 4, label->landmarks, sizeof label->landmarks);
    uint8_t bytes[sizeof head + sizeof values];
    memcpy(bytes, head, sizeof head);
    memcpy(bytes + sizeof head, values, sizeof values);
    return qmt_hash(bytes, sizeof bytes);
}

static uint64_t hash_annotations(const qmt_dataset *dataset)
{
    uint64_t hash = qmt_hash(dataset->split, strlen(dataset->split));
    for (size_t i = 0; i < dataset->picture_count; i++) {
        const qmt_picture *picture = &dataset->pictures[i];
        uint64_t head[4] = {hash, qmt_hash(picture->name, strlen(picture->name)), picture->label_count,
                            picture->faces_unlabeled};
        hash = qmt_hash(head, sizeof head);
        for (size_t k = 0; k < picture->label_count; k++)
            hash = hash_label(&dataset->labels[picture->first_label + k], hash);
    }
    return hash;
}

static uint64_t count_faces(const qmt_prepare_job *job)
{
    uint64_t faces = 0;
    for (size_t i = 0; i < job->dataset->label_count; i++)
        faces += qmt_face_makes_samples(&job->dataset->labels[i], job->prepare->min_face, UINT16_MAX, UINT16_MAX);
    return faces;
}

qmtcnn_status qmt_prepare_find_key(qmt_prepare_job *job, qmtcnn_error *error)
{
    job->config_text = settings_text(job);
    job->data_set = qmt_copy_string(job->dataset->folder);
    if (!job->data_set)
        return qmt_fail_memory(error, strlen(job->dataset->folder), "a path");
    qmt_path_keep_name(job->data_set);
    job->annotations_hash = hash_annotations(job->dataset);
    job->faces = count_faces(job);
    char *text = NULL;
    if (job->config_text)
        text = qmt_format("version %d.%d\nnet %s\nseed %" PRIu64 "\nannotations %016" PRIx64 "\nmodels %016" PRIx64
                          " %016" PRIx64 "\n%s",
                          (int)qmt_store_version, (int)recipe_version, qmt_net_name(job->options->net),
                          job->options->seed, job->annotations_hash, job->model_hashes[QMT_PNET],
                          job->model_hashes[QMT_RNET], job->config_text);
    if (!text)
        return qmt_fail_memory(error, 0, "the settings of prepare");
    snprintf(job->key, sizeof job->key, "%016" PRIx64, qmt_hash(text, strlen(text)));
    qmt_free(text);
    return QMTCNN_OK;
}
