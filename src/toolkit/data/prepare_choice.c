#include "toolkit/data/prepare_choice.h"

#include "toolkit/base/file.h"
#include "toolkit/base/stop.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { choice_limit = 64 * 1024 * 1024 }; /* bytes of the file, where a piece takes at most 6 or so */

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
    static const char advice[] = "run prepare without --resume";
    char *path = qmt_part_path(job, piece->part, piece->file);
    if (!path)
        return qmt_fail_memory(error, 0, "a path");
    qmtcnn_status status = QMTCNN_OK;
    if (!qmt_file_exists(path))
        status = qmt_fail(error, QMTCNN_ERROR_IO, "%s is missing: %s", path, advice);
    if (status == QMTCNN_OK)
        status = qmt_sample_rows_open(path, qmt_net_side(job->options->net), rows, error);
    if (status == QMTCNN_OK) {
        bool right = rows->lots && strcmp(qmt_sample_rows_key(rows), job->key) == 0;
        for (int k = 0; k < qmt_class_count; k++)
            right = right && rows->class_counts[k] == piece->counts[k];
        if (!right) {
            qmt_sample_rows_close(rows);
            status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: not what its marker says: %s", path, advice);
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

uint64_t qmt_choice_count(const qmt_choice *choice, const qmt_sample_rows *rows)
{
    uint64_t count = 0;
    for (size_t row = 0; row < rows->count; row++)
        count += qmt_choice_keeps(choice, rows, row);
    return count;
}

/* ---- The choice ------------------------------------------------------------------------------ */

static int compare_lots(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static uint64_t count_written(const qmt_choice *choice, int k)
{
    uint64_t written = 0;
    for (size_t i = 0; i < choice->piece_count; i++)
        written += choice->pieces[i].counts[k];
    return written;
}

/* The lots of limited classes in a piece: lots[k] gets them from counts[k] on. */
static qmtcnn_status gather_lots(const qmt_prepare_job *job, const qmt_choice *choice, size_t index,
                                 uint64_t *lots[qmt_class_count], size_t counts[qmt_class_count], qmtcnn_error *error)
{
    qmt_sample_rows rows;
    if (qmt_stop_requested())
        return qmt_fail(error, QMTCNN_ERROR_INTERRUPTED, "stopped: go on with --resume");
    qmtcnn_status status = qmt_piece_open(job, &choice->pieces[index], &rows, error);
    if (status != QMTCNN_OK)
        return status;
    for (size_t row = 0; row < rows.count; row++) {
        const uint8_t k = rows.classes[row];
        if (choice->limited[k])
            lots[k][counts[k]++] = qmt_sample_rows_lot(&rows, row);
    }
    qmt_sample_rows_close(&rows);
    return QMTCNN_OK;
}

/* Room for the lots of the limited classes. */
static qmtcnn_status take_room(const qmt_prepare_job *job, const qmt_choice *choice, uint64_t *lots[qmt_class_count],
                               qmtcnn_error *error)
{
    for (int k = 0; k < qmt_class_count; k++) {
        const uint64_t written = count_written(choice, k);
        if (!choice->limited[k])
            continue;
        if (written <= qmt_lots_limit(job->prepare, (qmt_sample_class)k))
            return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                            "%s: by the markers, too few samples of class %s were written: run prepare without "
                            "--resume",
                            job->parts, qmt_class_name((qmt_sample_class)k));
        lots[k] = qmt_alloc((size_t)written, sizeof **lots);
        if (!lots[k])
            return qmt_fail_memory(error, (size_t)written * sizeof **lots, "choosing samples");
    }
    return QMTCNN_OK;
}

/* The lots of all limited classes, piece after piece. */
static qmtcnn_status gather_all(const qmt_prepare_job *job, const qmt_choice *choice, uint64_t *lots[qmt_class_count],
                                qmtcnn_error *error)
{
    size_t counts[qmt_class_count] = {0};
    qmtcnn_status status = take_room(job, choice, lots, error);
    for (size_t i = 0; i < choice->piece_count && status == QMTCNN_OK; i++)
        status = gather_lots(job, choice, i, lots, counts, error);
    return status;
}

/* The lot after the `limit` smallest of `count`. */
static qmtcnn_status find_first_lot(const uint64_t *lots, size_t count, uint64_t limit, uint64_t *first,
                                    qmtcnn_error *error)
{
    uint64_t *sorted = qmt_alloc(count, sizeof *sorted);
    if (!sorted)
        return qmt_fail_memory(error, count * sizeof *sorted, "choosing samples");
    memcpy(sorted, lots, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_lots);
    *first = sorted[limit];
    qmt_free(sorted);
    return QMTCNN_OK;
}

static void count_kept(qmt_choice *choice, uint64_t *const lots[qmt_class_count])
{
    size_t at[qmt_class_count] = {0};
    for (size_t i = 0; i < choice->piece_count; i++) {
        qmt_piece *piece = &choice->pieces[i];
        piece->kept = 0;
        for (int k = 0; k < qmt_class_count; k++) {
            if (!choice->limited[k])
                piece->kept += piece->counts[k];
            for (uint64_t n = 0; n < piece->counts[k] && choice->limited[k]; n++)
                piece->kept += lots[k][at[k]++] < choice->first_lot[k];
        }
    }
}

/* ---- The choice on the disk, for a run that is stopped once pieces are removed --------------- */

/* Of all pieces and what they hold: parts that were made anew hold something else. */
static void hash_pieces(const qmt_choice *choice, char text[17])
{
    uint64_t hash = choice->piece_count;
    for (size_t i = 0; i < choice->piece_count; i++) {
        const qmt_piece *piece = &choice->pieces[i];
        uint64_t words[3 + qmt_class_count] = {hash, piece->part, piece->file};
        memcpy(words + 3, piece->counts, sizeof piece->counts);
        hash = qmt_hash(words, sizeof words);
    }
    snprintf(text, 17, "%016" PRIx64, hash);
}

static char *choice_path(const qmt_prepare_job *job)
{
    return qmt_path_join(job->parts, "part-choice.json");
}

static qmtcnn_status write_choice(const qmt_prepare_job *job, const qmt_choice *choice, qmtcnn_error *error)
{
    json_t *kept = json_array(), *lots = json_array();
    char pieces[17];
    hash_pieces(choice, pieces);
    for (size_t i = 0; i < choice->piece_count; i++)
        json_array_append_new(kept, json_integer((json_int_t)choice->pieces[i].kept));
    for (int k = 0; k < qmt_class_count; k++) {
        char text[17];
        snprintf(text, sizeof text, "%016" PRIx64, choice->first_lot[k]);
        json_array_append_new(lots, json_string(text));
    }
    json_t *root =
        json_pack("{s:s, s:s, s:o, s:o}", "key", job->key, "pieces", pieces, "kept", kept, "first_lots", lots);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL, *path = choice_path(job);
    qmtcnn_status status = text && path ? qmt_file_write(path, text, strlen(text), error)
                                        : qmt_fail_memory(error, 0, "the choice of samples");
    qmt_free(path);
    free(text);
    json_decref(root);
    return status;
}

static bool same_text(const json_t *root, const char *key, const char *wanted)
{
    const char *text = json_string_value(json_object_get(root, key));
    return text && strcmp(text, wanted) == 0;
}

static bool read_lists(const json_t *root, const char *run_key, qmt_choice *choice)
{
    const json_t *kept = json_object_get(root, "kept"), *lots = json_object_get(root, "first_lots");
    char pieces[17];
    hash_pieces(choice, pieces);
    bool right = same_text(root, "key", run_key) && same_text(root, "pieces", pieces) &&
                 json_array_size(kept) == choice->piece_count && json_array_size(lots) == qmt_class_count;
    for (size_t i = 0; i < choice->piece_count && right; i++) {
        const json_t *value = json_array_get(kept, i);
        right = json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= UINT32_MAX;
        choice->pieces[i].kept = (uint64_t)json_integer_value(value);
    }
    for (int k = 0; k < qmt_class_count && right; k++)
        right = qmt_hash_parse(json_string_value(json_array_get(lots, (size_t)k)), &choice->first_lot[k]);
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
    uint64_t *lots[qmt_class_count] = {NULL};
    bool any = false;
    for (int k = 0; k < qmt_class_count; k++)
        any = any || choice->limited[k];
    if (any && read_choice(job, choice))
        return QMTCNN_OK;
    qmtcnn_status status = any ? gather_all(job, choice, lots, error) : QMTCNN_OK;
    for (int k = 0; k < qmt_class_count && status == QMTCNN_OK; k++) {
        if (choice->limited[k])
            status = find_first_lot(lots[k], (size_t)count_written(choice, k),
                                    qmt_lots_limit(job->prepare, (qmt_sample_class)k), &choice->first_lot[k], error);
    }
    if (status == QMTCNN_OK)
        count_kept(choice, lots);
    for (int k = 0; k < qmt_class_count; k++)
        qmt_free(lots[k]);
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
