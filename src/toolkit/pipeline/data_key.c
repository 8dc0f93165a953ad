#include "toolkit/pipeline/data_key.h"

#include "toolkit/base/file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t add(uint64_t hash, uint64_t value)
{
    const uint64_t both[2] = {hash, value};
    return qmt_hash(both, sizeof both);
}

/* Practically any edit changes a picture's size, its header, or the end of its compressed data. Times of change would
 * tell copies of the same data apart, and a training that took hours would begin anew after a move to another disk. */
static qmtcnn_status add_picture(const qmt_picture *picture, uint64_t *hash, qmtcnn_error *error)
{
    enum { end = 4096 };
    struct stat facts;
    qmt_mapping mapping;
    *hash = add(*hash, qmt_hash(picture->name, strlen(picture->name)));
    if (stat(picture->path, &facts) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        *hash = add(*hash, 0);
        return QMTCNN_OK;
    }
    qmtcnn_status status = qmt_file_map(picture->path, &mapping, error);
    if (status != QMTCNN_OK)
        return status;
    const size_t size = mapping.size, first = size < end ? size : end, last = size - first < end ? size - first : end;
    *hash = add(*hash, size);
    *hash = add(*hash, first > 0 ? qmt_hash(mapping.data, first) : 0);
    *hash = add(*hash, last > 0 ? qmt_hash(mapping.data + size - last, last) : 0);
    qmt_file_unmap(&mapping);
    return QMTCNN_OK;
}

/* Every number that a sample comes from: of the annotation file and of the lists joined to it. */
static uint64_t add_label(uint64_t hash, const qmt_label *label)
{
    float values[14] = {label->box.x1, label->box.y1, label->box.x2, label->box.y2};
    if (label->has_landmarks)
        memcpy(values + 4, label->landmarks, sizeof label->landmarks);
    hash = add(hash, (uint64_t)label->ignore | (uint64_t)label->has_landmarks << 1);
    return add(hash, qmt_hash(values, sizeof values));
}

qmtcnn_status qmt_data_key(const qmt_data_config *data, const char *folder, const char *split, uint64_t *key,
                           qmtcnn_error *error)
{
    qmt_dataset *dataset = NULL;
    qmtcnn_status status = qmt_dataset_open_as(data, folder, split, &dataset, error);
    if (status != QMTCNN_OK)
        return status;
    uint64_t hash = qmt_hash(split, strlen(split));
    for (size_t i = 0; i < dataset->picture_count && status == QMTCNN_OK; i++)
        status = add_picture(&dataset->pictures[i], &hash, error);
    for (size_t i = 0; i < dataset->label_count; i++)
        hash = add_label(hash, &dataset->labels[i]);
    *key = add(hash, dataset->label_count);
    qmt_dataset_free(dataset);
    return status;
}
