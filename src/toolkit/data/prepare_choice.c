#include "toolkit/data/prepare_choice.h"

#include "toolkit/base/file.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { choice_limit = 64 * 1024 * 1024 };

void qmt_choice_clear(qmt_choice *choice)
{
    qmt_free(choice->pieces);
    memset(choice, 0, sizeof *choice);
}

qmtcnn_status qmt_choice_add(qmt_choice *choice, size_t number, const qmt_part *part, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_grow((void **)&choice->pieces, &choice->piece_capacity, choice->piece_count,
                                    choice->piece_count + part->file_count, sizeof *choice->pieces, error);
    for (size_t i = 0; i < part->file_count && status == QMTCNN_OK; i++) {
        qmt_piece *piece = &choice->pieces[choice->piece_count++];
        *piece = (qmt_piece){.part = (uint32_t)number, .file = (uint32_t)i};
        memcpy(piece->counts, part->counts[i], sizeof piece->counts);
    }
    return status;
}

qmtcnn_status qmt_piece_open(const qmt_prepare_job *job, const qmt_piece *piece, qmt_sample_rows *rows,
                             qmtcnn_error *error)
{
    char *path = qmt_part_path(job, piece->part, piece->file);
    qmtcnn_status status = path ? qmt_sample_rows_open(path, qmt_net_side(job->options->net), rows, error)
                                : qmt_fail_memory(error, 0, "a path");
    if (status == QMTCNN_OK) {
        bool right = rows->lots && strcmp(qmt_sample_rows_key(rows), job->key) == 0;
        for (int k = 0; k < qmt_class_count; k++)
            right = right && rows->class_counts[k] == piece->counts[k];
        if (!right) {
            qmt_sample_rows_close(rows);
            status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: not what its marker says: run prepare without --resume",
                              path);
        }
    }
    qmt_free(path);
    return status;
}

bool qmt_choice_keeps(const qmt_choice *choice, const qmt_sample_rows *rows, size_t row)
{
    const uint8_t k = rows->classes[row];
    return !choice->limited[k] || qmt_sample_rows_lot(rows, row) < choice->first_lot[k];
}

/* ---- The choice ------------------------------------------------------------------------------ */

static int compare_lots(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* The lots of all written samples of a limited class, sorted: the one after the last that stays. */
static qmtcnn_status find_first_lot(const qmt_prepare_job *job, int k, qmt_choice *choice, qmtcnn_error *error)
{
    const uint64_t limit = qmt_lots_limit(job->prepare, (qmt_sample_class)k);
    uint64_t written = 0, count = 0;
    for (size_t i = 0; i < choice->piece_count; i++)
        written += choice->pieces[i].counts[k];
    if (written <= limit)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                        "%s: parts lack samples that their markers count: run prepare "
                        "without --resume",
                        job->parts);
    uint64_t *lots = qmt_alloc((size_t)written, sizeof *lots);
    if (!lots)
        return qmt_fail_memory(error, (size_t)written * sizeof *lots, "choosing samples");
    qmtcnn_status status = QMTCNN_OK;
    for (size_t i = 0; i < choice->piece_count && status == QMTCNN_OK; i++) {
        qmt_sample_rows rows;
        status = qmt_piece_open(job, &choice->pieces[i], &rows, error);
        if (status != QMTCNN_OK)
            break;
        for (size_t row = 0; row < rows.count; row++) {
            if (rows.classes[row] == k)
                lots[count++] = qmt_sample_rows_lot(&rows, row);
        }
        qmt_sample_rows_close(&rows);
    }
    if (status == QMTCNN_OK) {
        qsort(lots, (size_t)written, sizeof *lots, compare_lots);
        choice->first_lot[k] = lots[limit];
    }
    qmt_free(lots);
    return status;
}

static qmtcnn_status count_kept(const qmt_prepare_job *job, qmt_choice *choice, qmtcnn_error *error)
{
    for (size_t i = 0; i < choice->piece_count; i++) {
        qmt_piece *piece = &choice->pieces[i];
        qmt_sample_rows rows;
        qmtcnn_status status = qmt_piece_open(job, piece, &rows, error);
        if (status != QMTCNN_OK)
            return status;
        for (size_t row = 0; row < rows.count; row++)
            piece->kept += qmt_choice_keeps(choice, &rows, row);
        qmt_sample_rows_close(&rows);
    }
    return QMTCNN_OK;
}

/* ---- The choice on the disk, for a run that is stopped once pieces are removed --------------- */

static char *choice_path(const qmt_prepare_job *job)
{
    return qmt_path_join(job->parts, "part-choice.json");
}

static qmtcnn_status write_choice(const qmt_prepare_job *job, const qmt_choice *choice, qmtcnn_error *error)
{
    json_t *kept = json_array(), *lots = json_array();
    for (size_t i = 0; i < choice->piece_count; i++)
        json_array_append_new(kept, json_integer((json_int_t)choice->pieces[i].kept));
    for (int k = 0; k < qmt_class_count; k++) {
        char text[17];
        snprintf(text, sizeof text, "%016" PRIx64, choice->first_lot[k]);
        json_array_append_new(lots, json_string(text));
    }
    json_t *root = json_pack("{s:s, s:o, s:o}", "key", job->key, "kept", kept, "first_lots", lots);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL, *path = choice_path(job);
    qmtcnn_status status = text && path ? qmt_file_write(path, text, strlen(text), error)
                                        : qmt_fail_memory(error, 0, "the choice of samples");
    qmt_free(path);
    free(text);
    json_decref(root);
    return status;
}

static bool read_lists(const json_t *root, const char *run_key, qmt_choice *choice)
{
    const json_t *kept = json_object_get(root, "kept"), *lots = json_object_get(root, "first_lots");
    const char *key = json_string_value(json_object_get(root, "key"));
    bool right = key && strcmp(key, run_key) == 0 && json_array_size(kept) == choice->piece_count &&
                 json_array_size(lots) == qmt_class_count;
    for (size_t i = 0; i < choice->piece_count && right; i++) {
        uint64_t count = 0;
        const json_int_t value = json_integer_value(json_array_get(kept, i));
        for (int k = 0; k < qmt_class_count; k++)
            count += choice->pieces[i].counts[k];
        right = value >= 0 && (uint64_t)value <= count;
        choice->pieces[i].kept = (uint64_t)value;
    }
    for (int k = 0; k < qmt_class_count && right; k++) {
        const char *text = json_string_value(json_array_get(lots, (size_t)k));
        char *end = NULL;
        right = text && strlen(text) == 16;
        choice->first_lot[k] = right ? strtoull(text, &end, 16) : 0;
        right = right && *end == '\0';
    }
    return right;
}

/* False where there is none of this run: then all pieces are there still. */
static bool read_choice(const qmt_prepare_job *job, qmt_choice *choice)
{
    void *data = NULL;
    size_t size = 0;
    char *path = choice_path(job);
    bool right = path && qmt_file_exists(path) && qmt_file_read(path, choice_limit, &data, &size, NULL) == QMTCNN_OK;
    json_t *root = right ? json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    right = root && read_lists(root, job->key, choice);
    json_decref(root);
    qmt_free(data);
    qmt_free(path);
    return right;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static qmtcnn_status choose(const qmt_prepare_job *job, qmt_choice *choice, qmtcnn_error *error)
{
    bool any = false;
    qmtcnn_status status = QMTCNN_OK;
    for (int k = 0; k < qmt_class_count; k++)
        any = any || choice->limited[k];
    if (any && read_choice(job, choice))
        return QMTCNN_OK;
    for (size_t i = 0; i < choice->piece_count; i++) {
        choice->pieces[i].kept = 0;
        for (int k = 0; k < qmt_class_count && !any; k++)
            choice->pieces[i].kept += choice->pieces[i].counts[k];
    }
    for (int k = 0; k < qmt_class_count && status == QMTCNN_OK; k++)
        status = choice->limited[k] ? find_first_lot(job, k, choice, error) : QMTCNN_OK;
    if (any && status == QMTCNN_OK)
        status = count_kept(job, choice, error);
    return any && status == QMTCNN_OK ? write_choice(job, choice, error) : status;
}

qmtcnn_status qmt_choice_make(const qmt_prepare_job *job, const uint64_t made[qmt_class_count], qmt_choice *choice,
                              qmtcnn_error *error)
{
    for (int k = 0; k < qmt_class_count; k++) {
        const qmt_sample_class sample_class = (qmt_sample_class)k;
        choice->limited[k] = made[k] > qmt_lots_limit(job->prepare, sample_class);
        if (!choice->limited[k] && made[k] > UINT32_MAX)
            return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED,
                            "%" PRIu64 " samples of class %s: at most %" PRIu32 " fit; give them a limit (prepare.%s)",
                            made[k], qmt_class_name(sample_class), UINT32_MAX, qmt_net_name(job->options->net));
    }
    qmtcnn_status status = choose(job, choice, error);
    for (size_t i = 0; i < choice->piece_count; i++) {
        choice->pieces[i].kept_before = choice->total;
        choice->total += choice->pieces[i].kept;
    }
    return status;
}
