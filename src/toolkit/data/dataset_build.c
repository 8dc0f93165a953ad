#include "toolkit/data/dataset_build.h"

#include "toolkit/data/dataset_lines.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Strings lie one after another in large pieces: a data set has hundreds of thousands of them. */
typedef struct qmt_text_chunk {
    struct qmt_text_chunk *before;
    size_t used, size;
    char bytes[];
} qmt_text_chunk;

qmt_dataset_memory *qmt_dataset_memory_of(const qmt_dataset *dataset)
{
    return dataset->memory;
}

static char *reserve_text(qmt_dataset *dataset, size_t size)
{
    enum { piece = 1 << 16 };
    qmt_dataset_memory *memory = qmt_dataset_memory_of(dataset);
    qmt_text_chunk *chunk = memory->chunks;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > piece ? size : piece, bytes;
        if (!qmt_size_add(room, sizeof *chunk, &bytes) || !(chunk = qmt_alloc(bytes, 1)))
            return NULL;
        *chunk = (qmt_text_chunk){.before = memory->chunks, .size = room};
        memory->chunks = chunk;
    }
    char *text = chunk->bytes + chunk->used;
    chunk->used += size;
    return text;
}

char *qmt_dataset_text(qmt_dataset *dataset, const char *text, size_t length)
{
    char *copy = reserve_text(dataset, length + 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = 0;
    }
    return copy;
}

char *qmt_dataset_path(qmt_dataset *dataset, const char *folder, const char *name)
{
    size_t a = strlen(folder), b = strlen(name);
    while (a > 1 && folder[a - 1] == '/')
        a--;
    char *path = reserve_text(dataset, a + b + 2);
    if (path) {
        memcpy(path, folder, a);
        path[a] = '/';
        memcpy(path + a + 1, name, b + 1);
    }
    return path;
}

bool qmt_clean_name(char *name)
{
    for (char *c = name; *c; c++) {
        if (*c == '\\')
            *c = '/';
        else if ((unsigned char)*c < 32 || *c == 127)
            return false;
    }
    while (name[0] == '.' && name[1] == '/')
        memmove(name, name + 2, strlen(name + 2) + 1);
    size_t length = strlen(name);
    if (length == 0 || length > 1000 || name[0] == '/' || name[length - 1] == '/' || (length > 1 && name[1] == ':'))
        return false;
    for (const char *part = name; part;) {
        const char *end = strchr(part, '/');
        size_t size = end ? (size_t)(end - part) : strlen(part);
        if (size == 0 || (size == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        part = end ? end + 1 : NULL;
    }
    return true;
}

qmtcnn_status qmt_dataset_add_picture(qmt_dataset *dataset, const char *name, const char *folder, const char *file,
                                      int line, qmtcnn_error *error)
{
    qmt_dataset_memory *memory = qmt_dataset_memory_of(dataset);
    char *clean = qmt_dataset_text(dataset, name, strlen(name));
    if (!clean)
        return qmt_fail_memory(error, strlen(name), "a picture's name");
    if (!qmt_clean_name(clean))
        return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                        "%s:%d: '%s' is no picture's name: it must be a path inside the folder of pictures", file, line,
                        qmt_quote_text(name).text);
    qmtcnn_status status = qmt_grow((void **)&dataset->pictures, &memory->picture_capacity, dataset->picture_count,
                                    dataset->picture_count + 1, sizeof *dataset->pictures, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_picture picture = {.name = clean, .first_label = dataset->label_count, .line = line, .file = file};
    picture.path = qmt_dataset_path(dataset, folder, clean);
    if (!picture.path)
        return qmt_fail_memory(error, strlen(folder) + strlen(clean), "a picture's path");
    dataset->pictures[dataset->picture_count++] = picture;
    return QMTCNN_OK;
}

/* A hostile list may hold millions of bad rows. */
static bool room_for_note(qmt_dataset_memory *memory)
{
    enum { most = 100000 };
    if (memory->note_count < most)
        return true;
    memory->notes_left_out++;
    return false;
}

qmtcnn_status qmt_dataset_note(qmt_dataset *dataset, const char *file, int line, qmtcnn_error *error,
                               const char *format, ...)
{
    qmt_dataset_memory *memory = qmt_dataset_memory_of(dataset);
    if (!room_for_note(memory))
        return QMTCNN_OK;
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    qmtcnn_status status = qmt_grow((void **)&memory->notes, &memory->note_capacity, memory->note_count,
                                    memory->note_count + 1, sizeof *memory->notes, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_note note = {file, line, qmt_dataset_text(dataset, text, strlen(text))};
    if (!note.text)
        return qmt_fail_memory(error, strlen(text), "a note");
    memory->notes[memory->note_count++] = note;
    return QMTCNN_OK;
}

/* Fills box and ignore; says in `problem` why a row can't be used ("" where it can). */
static void judge_size(const double *row, qmt_label *label, char *problem, size_t size)
{
    const double far = 1e6;
    problem[0] = 0;
    for (int i = 0; i < 4; i++) {
        if (!(fabs(row[i]) <= far)) {
            snprintf(problem, size, "box %g %g %g %g: no number, or far too large; ignored", row[0], row[1], row[2],
                     row[3]);
            label->ignore = true;
            return;
        }
    }
    double w = row[2] > 0 ? row[2] : 0, h = row[3] > 0 ? row[3] : 0;
    label->box = (qmt_box){(float)row[0], (float)row[1], (float)(row[0] + w), (float)(row[1] + h)};
    if (row[2] <= 0 || row[3] <= 0) {
        snprintf(problem, size, "box %g %g %g %g: %s size; ignored", row[0], row[1], row[2], row[3],
                 row[2] < 0 || row[3] < 0 ? "negative" : "zero");
        label->ignore = true;
    }
}

qmtcnn_status qmt_dataset_add_face(qmt_dataset *dataset, int line, const double *row, int count, qmtcnn_error *error)
{
    qmt_dataset_memory *memory = qmt_dataset_memory_of(dataset);
    qmtcnn_status status = qmt_grow((void **)&dataset->labels, &memory->label_capacity, dataset->label_count,
                                    dataset->label_count + 1, sizeof *dataset->labels, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_picture *picture = &dataset->pictures[dataset->picture_count - 1];
    qmt_label label = {.line = line};
    char problem[200];
    judge_size(row, &label, problem, sizeof problem);
    if (problem[0] &&
        (status = qmt_dataset_note(dataset, picture->file, line, error, "%s: %s", picture->name, problem)))
        return status;
    uint8_t *attributes[6] = {&label.blur,    &label.expression, &label.illumination,
                              &label.invalid, &label.occlusion,  &label.pose};
    for (int i = 4; i < count; i++) {
        if (row[i] >= 0 && row[i] <= 255)
            *attributes[i - 4] = (uint8_t)row[i];
        else if ((status = qmt_dataset_note(dataset, picture->file, line, error, "%s: attribute %d is %g; taken for 0",
                                            picture->name, i - 3, row[i])) != QMTCNN_OK)
            return status;
    }
    if (label.invalid || fminf(label.box.x2 - label.box.x1, label.box.y2 - label.box.y1) < (float)memory->min_face)
        label.ignore = true;
    dataset->labels[dataset->label_count++] = label;
    picture->label_count++;
    return QMTCNN_OK;
}

void qmt_dataset_free(qmt_dataset *dataset)
{
    if (!dataset)
        return;
    qmt_dataset_memory *memory = qmt_dataset_memory_of(dataset);
    if (memory) {
        for (qmt_text_chunk *chunk = memory->chunks, *before; chunk; chunk = before) {
            before = chunk->before;
            qmt_free(chunk);
        }
        qmt_free(memory->notes);
        qmt_free(memory);
    }
    qmt_free(dataset->pictures);
    qmt_free(dataset->labels);
    qmt_free(dataset);
}
