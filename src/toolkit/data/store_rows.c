#include "toolkit/data/store_rows.h"

#include <math.h>
#include <string.h>

/* A box target further from its crop than this many sides is no target of ours. */
static const float offset_limit = 100;

static const char key_name[] = "key", lot_name[] = "lot";

static int64_t read_picture(const qmt_sample_rows *rows, size_t row)
{
    int64_t picture;
    memcpy(&picture, rows->pictures + row * sizeof picture, sizeof picture);
    return picture;
}

static bool all_within(const float *values, int count, float limit)
{
    for (int i = 0; i < count; i++) {
        if (!(fabsf(values[i]) <= limit)) /* also true for NaN */
            return false;
    }
    return true;
}

/* What is wrong with the labels of `row`; NULL where nothing is. */
static const char *row_fault(const qmt_sample_rows *rows, size_t row)
{
    if (rows->classes[row] >= qmt_class_count)
        return "class";
    int64_t picture = read_picture(rows, row);
    if (picture < 0 || picture > UINT32_MAX)
        return "picture";
    qmt_sample sample;
    qmt_sample_rows_get(rows, row, &sample);
    if (!(sample.iou >= 0 && sample.iou <= 1))
        return "iou";
    if (!all_within(sample.box, 4, offset_limit))
        return "box";
    if (!all_within(sample.landmarks, 10, offset_limit))
        return "landmarks";
    return NULL;
}

static qmtcnn_status check_rows(const char *path, qmt_sample_rows *rows, qmtcnn_error *error)
{
    for (size_t row = 0; row < rows->count; row++) {
        const char *fault = row_fault(rows, row);
        if (fault)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                            "%s: sample %zu has an impossible %s: make the samples again (qmtcnn prepare)", path, row,
                            fault);
        rows->class_counts[rows->classes[row]]++;
    }
    return QMTCNN_OK;
}

static qmtcnn_status get_tensors(const char *path, qmt_sample_rows *rows, qmtcnn_error *error)
{
    const qmt_tensor *classes = qmt_tensors_find(rows->file, "class");
    if (!classes || classes->dims != 1)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: no tensor \"class\" with one dimension: not a file of samples",
                        path);
    size_t n = classes->shape[0], side = (size_t)rows->side;
    rows->count = n;
    const struct {
        const char *name;
        qmt_dtype type;
        int dims;
        size_t shape[4];
        const uint8_t **data;
    } tensors[] = {
        {"picture", QMT_I64, 1, {n}, &rows->pictures},
        {"box", QMT_F32, 2, {n, 4}, &rows->boxes},
        {"landmarks", QMT_F32, 2, {n, 10}, &rows->landmarks},
        {"iou", QMT_F32, 1, {n}, &rows->ious},
        {"pixels", QMT_U8, 4, {n, side, side, 3}, &rows->pixels},
        {"class", QMT_U8, 1, {n}, &rows->classes},
    };
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        const void *data = NULL;
        qmtcnn_status status = qmt_tensors_get(rows->file, tensors[i].name, tensors[i].type, tensors[i].dims,
                                               tensors[i].shape, &data, error);
        if (status != QMTCNN_OK)
            return qmt_fail_in(error, status, "%s", path);
        *tensors[i].data = data;
    }
    if (!qmt_tensors_find(rows->file, lot_name))
        return QMTCNN_OK;
    const void *lots = NULL;
    qmtcnn_status status = qmt_tensors_get(rows->file, lot_name, QMT_I64, 1, &n, &lots, error);
    rows->lots = lots;
    return status == QMTCNN_OK ? status : qmt_fail_in(error, status, "%s", path);
}

qmtcnn_status qmt_sample_rows_open(const char *path, int side, qmt_sample_rows *rows, qmtcnn_error *error)
{
    memset(rows, 0, sizeof *rows);
    rows->side = side;
    qmtcnn_status status = qmt_tensors_open(path, &rows->file, error);
    if (status == QMTCNN_OK)
        status = get_tensors(path, rows, error);
    if (status == QMTCNN_OK)
        status = check_rows(path, rows, error);
    if (status != QMTCNN_OK)
        qmt_sample_rows_close(rows);
    return status;
}

void qmt_sample_rows_close(qmt_sample_rows *rows)
{
    qmt_tensors_close(rows->file);
    memset(rows, 0, sizeof *rows);
}

void qmt_sample_rows_get(const qmt_sample_rows *rows, size_t row, qmt_sample *sample)
{
    size_t pixel_bytes = (size_t)rows->side * (size_t)rows->side * 3;
    sample->pixels = rows->pixels + row * pixel_bytes;
    sample->sample_class = (qmt_sample_class)rows->classes[row];
    memcpy(sample->box, rows->boxes + row * sizeof sample->box, sizeof sample->box);
    memcpy(sample->landmarks, rows->landmarks + row * sizeof sample->landmarks, sizeof sample->landmarks);
    memcpy(&sample->iou, rows->ious + row * sizeof sample->iou, sizeof sample->iou);
    sample->picture = (uint32_t)read_picture(rows, row);
}

uint64_t qmt_sample_rows_lot(const qmt_sample_rows *rows, size_t row)
{
    uint64_t lot;
    memcpy(&lot, rows->lots + row * sizeof lot, sizeof lot);
    return lot;
}

const char *qmt_sample_rows_key(const qmt_sample_rows *rows)
{
    const char *key = qmt_tensors_metadata(rows->file, key_name);
    return key ? key : "";
}

size_t qmt_sample_bytes(int side)
{
    return (size_t)side * (size_t)side * 3 + 1 + 15 * sizeof(float) + sizeof(int64_t);
}

qmtcnn_status qmt_sample_block_create(int side, size_t capacity, qmt_sample_block *block, qmtcnn_error *error)
{
    memset(block, 0, sizeof *block);
    block->side = side;
    block->capacity = capacity;
    block->pixels = qmt_alloc(capacity, (size_t)side * (size_t)side * 3);
    block->classes = qmt_alloc(capacity, 1);
    block->boxes = qmt_alloc(capacity, 4 * sizeof(float));
    block->landmarks = qmt_alloc(capacity, 10 * sizeof(float));
    block->ious = qmt_alloc(capacity, sizeof(float));
    block->pictures = qmt_alloc(capacity, sizeof(int64_t));
    if (block->pixels && block->classes && block->boxes && block->landmarks && block->ious && block->pictures)
        return QMTCNN_OK;
    qmt_sample_block_clear(block);
    return qmt_fail_memory(error, capacity * qmt_sample_bytes(side), "samples");
}

qmtcnn_status qmt_sample_block_add_lots(qmt_sample_block *block, qmtcnn_error *error)
{
    block->lots = qmt_alloc(block->capacity, sizeof *block->lots);
    return block->lots ? QMTCNN_OK : qmt_fail_memory(error, block->capacity * sizeof *block->lots, "samples");
}

void qmt_sample_block_clear(qmt_sample_block *block)
{
    qmt_free(block->lots);
    qmt_free(block->pictures);
    qmt_free(block->ious);
    qmt_free(block->landmarks);
    qmt_free(block->boxes);
    qmt_free(block->classes);
    qmt_free(block->pixels);
    memset(block, 0, sizeof *block);
}

void qmt_sample_block_empty(qmt_sample_block *block)
{
    block->count = 0;
    memset(block->class_counts, 0, sizeof block->class_counts);
}

void qmt_sample_block_add(qmt_sample_block *block, const qmt_sample *sample)
{
    size_t row = block->count++;
    size_t pixel_bytes = (size_t)block->side * (size_t)block->side * 3;
    memcpy(block->pixels + row * pixel_bytes, sample->pixels, pixel_bytes);
    block->classes[row] = (uint8_t)sample->sample_class;
    memcpy(block->boxes + 4 * row, sample->box, sizeof sample->box);
    memcpy(block->landmarks + 10 * row, sample->landmarks, sizeof sample->landmarks);
    block->ious[row] = sample->iou;
    block->pictures[row] = sample->picture;
    block->class_counts[sample->sample_class]++;
}

qmtcnn_status qmt_sample_block_write(const qmt_sample_block *block, const char *path, const char *key,
                                     qmtcnn_error *error)
{
    size_t n = block->count, side = (size_t)block->side;
    /* Widest type first, so that every tensor is aligned when the first is. */
    const struct {
        const char *name;
        qmt_dtype type;
        int dims;
        size_t shape[4];
        const void *data;
    } tensors[] = {
        {"picture", QMT_I64, 1, {n}, block->pictures},
        {"box", QMT_F32, 2, {n, 4}, block->boxes},
        {"landmarks", QMT_F32, 2, {n, 10}, block->landmarks},
        {"iou", QMT_F32, 1, {n}, block->ious},
        {"pixels", QMT_U8, 4, {n, side, side, 3}, block->pixels},
        {"class", QMT_U8, 1, {n}, block->classes},
    };
    qmt_tensors_writer *writer = NULL;
    qmtcnn_status status = qmt_tensors_writer_create(&writer, error);
    if (status == QMTCNN_OK)
        status = qmt_tensors_add_metadata(writer, key_name, key, error);
    for (size_t i = 0; status == QMTCNN_OK && i < sizeof tensors / sizeof *tensors; i++)
        status = qmt_tensors_add(writer, tensors[i].name, tensors[i].type, tensors[i].dims, tensors[i].shape,
                                 tensors[i].data, error);
    if (status == QMTCNN_OK && block->lots)
        status = qmt_tensors_add(writer, lot_name, QMT_I64, 1, &n, block->lots, error);
    if (status == QMTCNN_OK)
        status = qmt_tensors_write(writer, path, error);
    qmt_tensors_writer_free(writer);
    return status;
}
