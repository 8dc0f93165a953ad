#include "toolkit/data/check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

qmtcnn_status qmt_add_problem(qmt_problem_list *list, const char *file, int line, qmtcnn_error *error,
                              const char *format, ...)
{
    enum { most = 1000000 };
    if (list->count >= most) {
        list->left_out++;
        return QMTCNN_OK;
    }
    qmtcnn_status status =
        qmt_grow((void **)&list->items, &list->capacity, list->count, list->count + 1, sizeof *list->items, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_found *found = &list->items[list->count];
    found->problem = (qmt_problem){.file = file, .line = line};
    found->rank = list->count++;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(found->problem.text, sizeof found->problem.text, format, arguments);
    va_end(arguments);
    return QMTCNN_OK;
}

/* A label and its number, so that equal boxes come to lie side by side. */
typedef struct boxed {
    qmt_box box;
    size_t index;
} boxed;

static int compare_boxes(const void *a, const void *b)
{
    const boxed *x = a, *y = b;
    int order = memcmp(&x->box, &y->box, sizeof x->box);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static qmtcnn_status check_repeated_rows(const qmt_dataset *dataset, const qmt_picture *picture, qmt_problem_list *list,
                                         qmtcnn_error *error)
{
    if (picture->label_count < 2)
        return QMTCNN_OK;
    boxed *rows = qmt_alloc(picture->label_count, sizeof *rows);
    if (!rows)
        return qmt_fail_memory(error, picture->label_count * sizeof *rows, "rows of a picture");
    for (size_t i = 0; i < picture->label_count; i++)
        rows[i] = (boxed){dataset->labels[picture->first_label + i].box, picture->first_label + i};
    qsort(rows, picture->label_count, sizeof *rows, compare_boxes);
    qmtcnn_status status = QMTCNN_OK;
    for (size_t i = 1; i < picture->label_count && status == QMTCNN_OK; i++) {
        if (memcmp(&rows[i].box, &rows[i - 1].box, sizeof rows[i].box) != 0 || qmt_box_area(rows[i].box) <= 0)
            continue;
        const qmt_box *box = &rows[i].box;
        status =
            qmt_add_problem(list, picture->file, dataset->labels[rows[i].index].line, error,
                            "%s: duplicate row: box %g %g %g %g is in line %d already; kept", picture->name, box->x1,
                            box->y1, box->x2 - box->x1, box->y2 - box->y1, dataset->labels[rows[i - 1].index].line);
    }
    qmt_free(rows);
    return status;
}

/* WIDER FACE's own boxes reach a pixel or two past the border in places, and that's no mistake. */
static qmtcnn_status check_border(const qmt_picture *picture, const qmt_label *label, const qmt_file_facts *facts,
                                  qmt_problem_list *list, qmtcnn_error *error)
{
    const float allowed = 2;
    const qmt_box *box = &label->box;
    float width = (float)facts->width, height = (float)facts->height;
    if (qmt_box_area(*box) <= 0) /* told when it was read */
        return QMTCNN_OK;
    if (box->x2 <= 0 || box->y2 <= 0 || box->x1 >= width || box->y1 >= height)
        return qmt_add_problem(list, picture->file, label->line, error,
                               "%s: box %g %g %g %g outside the picture of %d x %d; makes no samples", picture->name,
                               box->x1, box->y1, box->x2 - box->x1, box->y2 - box->y1, facts->width, facts->height);
    float past = fmaxf(fmaxf(-box->x1, -box->y1), fmaxf(box->x2 - width, box->y2 - height));
    if (past > allowed)
        return qmt_add_problem(list, picture->file, label->line, error,
                               "%s: box %g %g %g %g reaches %g pixels past the picture of %d x %d; kept", picture->name,
                               box->x1, box->y1, box->x2 - box->x1, box->y2 - box->y1, past, facts->width,
                               facts->height);
    return QMTCNN_OK;
}

static qmtcnn_status check_picture(const qmt_dataset *dataset, const qmt_picture *picture, const qmt_file_facts *facts,
                                   qmt_problem_list *list, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    if (!facts->readable)
        status = qmt_add_problem(list, picture->file, picture->line, error, "%s",
                                 facts->message ? facts->message : "unreadable");
    for (size_t i = 0; facts->readable && i < picture->label_count && status == QMTCNN_OK; i++)
        status = check_border(picture, &dataset->labels[picture->first_label + i], facts, list, error);
    return status == QMTCNN_OK ? check_repeated_rows(dataset, picture, list, error) : status;
}

static void summarize(const qmt_dataset *dataset, const qmt_file_facts *facts, qmt_check_summary *summary)
{
    static const float limits[5] = {10, 20, 40, 80, 160};
    *summary = (qmt_check_summary){.pictures = dataset->picture_count};
    for (size_t i = 0; i < dataset->picture_count; i++) {
        summary->empty_pictures += dataset->pictures[i].label_count == 0;
        summary->bytes += facts[i].bytes;
    }
    for (size_t i = 0; i < dataset->label_count; i++) {
        const qmt_label *label = &dataset->labels[i];
        summary->with_landmarks += label->has_landmarks;
        if (label->ignore) {
            summary->ignored++;
            continue;
        }
        float side = fminf(label->box.x2 - label->box.x1, label->box.y2 - label->box.y1);
        int bin = 0;
        while (bin < 5 && side >= limits[bin])
            bin++;
        summary->faces++;
        summary->by_size[bin]++;
    }
}

/* By file (the annotation first, then by name), line, and in the order found. */
static int compare_found(const void *a, const void *b)
{
    const qmt_found *x = a, *y = b;
    int order = x->problem.file == y->problem.file ? 0 : strcmp(x->problem.file, y->problem.file);
    if (order)
        return order;
    if (x->problem.line != y->problem.line)
        return x->problem.line < y->problem.line ? -1 : 1;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static void report(const qmt_dataset *dataset, qmt_problem_list *list, size_t left_out, qmt_problem_sink sink,
                   void *state, qmt_check_summary *summary)
{
    summary->problems = list->count + left_out;
    if (list->count > 0)
        qsort(list->items, list->count, sizeof *list->items, compare_found);
    if (!sink)
        return;
    for (int own = 1; own >= 0; own--)
        for (size_t i = 0; i < list->count; i++)
            if ((strcmp(list->items[i].problem.file, dataset->annotation_path) == 0) == (own == 1))
                sink(state, &list->items[i].problem);
    if (left_out > 0) {
        qmt_problem rest = {.file = dataset->annotation_path};
        snprintf(rest.text, sizeof rest.text, "%zu more problems, not listed", left_out);
        sink(state, &rest);
    }
}

qmtcnn_status qmt_dataset_check(const qmt_dataset *dataset, bool decode, int threads, qmt_problem_sink sink,
                                void *state, qmt_check_summary *summary, qmtcnn_error *error)
{
    const qmt_dataset_memory *memory = qmt_dataset_memory_of(dataset);
    qmt_problem_list list = {0};
    qmt_check_summary unused;
    qmt_file_facts *facts = qmt_alloc_zero(dataset->picture_count, sizeof *facts);
    if (!facts)
        return qmt_fail_memory(error, dataset->picture_count * sizeof *facts, "the check of a data set");
    qmtcnn_status status = qmt_check_files(dataset, decode, threads, facts, error);
    for (size_t i = 0; i < memory->note_count && status == QMTCNN_OK; i++)
        status =
            qmt_add_problem(&list, memory->notes[i].file, memory->notes[i].line, error, "%s", memory->notes[i].text);
    for (size_t i = 0; i < dataset->picture_count && status == QMTCNN_OK; i++)
        status = check_picture(dataset, &dataset->pictures[i], &facts[i], &list, error);
    if (status == QMTCNN_OK)
        status = qmt_check_duplicates(dataset, facts, &list, error);
    if (status == QMTCNN_OK) {
        summarize(dataset, facts, summary ? summary : &unused);
        report(dataset, &list, memory->notes_left_out + list.left_out, sink, state, summary ? summary : &unused);
    }
    for (size_t i = 0; i < dataset->picture_count; i++)
        qmt_free(facts[i].message);
    qmt_free(facts);
    qmt_free(list.items);
    return status;
}
