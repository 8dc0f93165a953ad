#include "toolkit/train/split.h"

/* Fibonacci hashing: multiples of the golden ratio spread so evenly over [0, 1) that any run of pictures, however
 * short, has very nearly the share asked for (random hashes would leave a small data set with next to none). */
bool qmt_picture_held_out(uint32_t picture, double holdout)
{
    const uint64_t golden_ratio = 0x9e3779b97f4a7c15u, half = UINT64_C(1) << 63;
    uint64_t hash = picture * golden_ratio + half;
    return (double)(hash >> 11) * 0x1p-53 < holdout;
}

void qmt_split_clear(qmt_split *split)
{
    for (int c = 0; c < qmt_class_count; c++) {
        qmt_free(split->training[c].items);
        qmt_free(split->validation[c].items);
    }
    *split = (qmt_split){0};
}

/* Keeps `most` of them, evenly spread. */
static void thin_out(qmt_indices *indices, uint32_t most)
{
    if (most == 0 || indices->count <= most)
        return;
    for (uint32_t i = 0; i < most; i++)
        indices->items[i] = indices->items[(uint64_t)i * indices->count / most];
    indices->count = most;
}

static qmtcnn_status split_class(const qmt_store *store, qmt_sample_class sample_class, double holdout,
                                 qmt_indices *training, qmt_indices *validation, qmtcnn_error *error)
{
    size_t count = qmt_store_count(store, sample_class);
    if (count >= UINT32_MAX)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "%zu %s samples are more than 2^32 - 2; make a smaller store",
                        count, qmt_class_name(sample_class));
    training->items = qmt_alloc(count, sizeof(uint32_t));
    validation->items = qmt_alloc(count, sizeof(uint32_t));
    if (!training->items || !validation->items)
        return qmt_fail_memory(error, count * sizeof(uint32_t), "the list of samples");
    for (size_t i = 0; i < count; i++) {
        qmt_sample sample;
        qmt_store_get(store, sample_class, i, &sample);
        qmt_indices *side = qmt_picture_held_out(sample.picture, holdout) ? validation : training;
        side->items[side->count++] = (uint32_t)i;
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_split_create(const qmt_store *store, double holdout, uint32_t most, qmt_split *split,
                               qmtcnn_error *error)
{
    *split = (qmt_split){0};
    for (int c = 0; c < qmt_class_count; c++) {
        qmtcnn_status status =
            split_class(store, (qmt_sample_class)c, holdout, &split->training[c], &split->validation[c], error);
        if (status != QMTCNN_OK) {
            qmt_split_clear(split);
            return status;
        }
        thin_out(&split->validation[c], most);
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_batch_counts(const float ratio[qmt_class_count], const uint32_t available[qmt_class_count], int batch,
                               int counts[qmt_class_count], qmtcnn_error *error)
{
    double share[qmt_class_count], sum = 0, rest[qmt_class_count];
    for (int c = 0; c < qmt_class_count; c++) {
        share[c] = available[c] && ratio[c] > 0 ? (double)ratio[c] : 0;
        sum += share[c];
    }
    if (share[QMT_NEGATIVE] <= 0 || share[QMT_POSITIVE] <= 0)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "there are no %s samples to train on (or train.ratio gives them no share): the network can't "
                        "learn to tell faces from the rest; prepare samples from more pictures, or lower train.holdout",
                        share[QMT_NEGATIVE] <= 0 ? "negative" : "positive");
    int given = 0;
    for (int c = 0; c < qmt_class_count; c++) {
        double exact = batch * share[c] / sum;
        counts[c] = (int)exact;
        rest[c] = share[c] > 0 ? exact - counts[c] : -1;
        given += counts[c];
    }
    for (; given < batch; given++) {
        int best = 0;
        for (int c = 1; c < qmt_class_count; c++)
            if (rest[c] > rest[best])
                best = c;
        counts[best]++;
        rest[best] -= 1;
    }
    for (int c = 0; c < qmt_class_count; c++) { /* each class that has a share, at the cost of the largest */
        int most = 0;
        for (int k = 1; k < qmt_class_count; k++)
            most = counts[k] > counts[most] ? k : most;
        if (share[c] > 0 && counts[c] == 0) {
            counts[c]++;
            counts[most]--;
        }
    }
    return QMTCNN_OK;
}
