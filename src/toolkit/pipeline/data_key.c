#include "toolkit/pipeline/data_key.h"

#include "toolkit/base/file.h"

#include <stdio.h>
#include <string.h>

static uint64_t add(uint64_t hash, uint64_t value)
{
    const uint64_t both[2] = {hash, value};
    return qmt_hash(both, sizeof both);
}

/* Any edit changes a picture's size, its header, or the end of its compressed data. Times of change would tell copies
 * of the same data apart, and a training that took hours would begin anew after a move to another disk. */
static uint64_t add_picture(uint64_t hash, const qmt_picture *picture)
{
    enum { end = 4096 };
    uint8_t bytes[2 * end];
    long size = -1;
    size_t count = 0;
    hash = add(hash, qmt_hash(picture->name, strlen(picture->name)));
    FILE *file = fopen(picture->path, "rb");
    if (!file)
        return add(hash, 0);
    setvbuf(file, NULL, _IONBF, 0); /* exactly these two reads */
    count = fread(bytes, 1, end, file);
    if (fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size > end && fseek(file, size > 2 * end ? size - end : end, SEEK_SET) == 0)
        count += fread(bytes + count, 1, end, file);
    fclose(file);
    return add(add(hash, (uint64_t)size), qmt_hash(bytes, count));
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
    for (size_t i = 0; i < dataset->picture_count; i++)
        hash = add_picture(hash, &dataset->pictures[i]);
    for (size_t i = 0; i < dataset->label_count; i++)
        hash = add_label(hash, &dataset->labels[i]);
    *key = add(hash, dataset->label_count);
    qmt_dataset_free(dataset);
    return QMTCNN_OK;
}
