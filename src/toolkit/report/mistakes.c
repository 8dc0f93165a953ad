#include "toolkit/report/mistakes.h"

#include "toolkit/base/file.h"
#include "toolkit/evaluate/verdicts.h"
#include "toolkit/image/image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pixels of a sheet. A cell shows twice the mistake's longer side. */
enum { columns = 12, rows = 8, cell_side = 120, gap = 6, caption_height = 12, title_height = 18 };

static const qmt_color white = {255, 255, 255}, green = {40, 200, 90}, red = {235, 50, 50}, orange = {255, 150, 20},
                       gray = {150, 150, 150};

/* ---- Finding --------------------------------------------------------------------------------- */

struct list {
    qmt_mistake *items;
    size_t bytes, count;
};

static qmtcnn_status add(struct list *list, qmt_mistake mistake, qmtcnn_error *error)
{
    qmtcnn_status status =
        qmt_grow((void **)&list->items, &list->bytes, list->count, list->count + 1, sizeof *list->items, error);
    if (status == QMTCNN_OK)
        list->items[list->count++] = mistake;
    return status;
}

static qmtcnn_status add_false_alarms(struct list *list, size_t picture, const qmt_found *found, const qmt_judge *judge,
                                      qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    for (size_t i = 0; status == QMTCNN_OK && i < found->count; i++) {
        const qmt_detection *box = &found->boxes[i];
        if (judge->verdicts[i] == QMT_FALSE_ALARM)
            status = add(
                list,
                (qmt_mistake){QMT_MISTAKE_FALSE_ALARM, picture, box->x, box->y, box->width, box->height, box->score},
                error);
    }
    return status;
}

static qmtcnn_status add_misses(struct list *list, size_t picture, const qmt_truth_picture *truth,
                                const qmt_found *found, const qmt_judge *judge, const qmt_match_rule *rule,
                                double threshold, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    for (size_t k = 0; status == QMTCNN_OK && k < truth->count; k++) {
        const qmt_truth_face *face = &truth->faces[k];
        double score = 0;
        for (size_t i = 0; i < found->count; i++)
            if (judge->matched[i] == k)
                score = found->boxes[i].score;
        if (qmt_face_counts(face, rule) && score < threshold)
            status =
                add(list, (qmt_mistake){QMT_MISTAKE_MISS, picture, face->x, face->y, face->width, face->height, score},
                    error);
    }
    return status;
}

static int compare(const void *left, const void *right)
{
    const qmt_mistake *a = left, *b = right;
    double first = a->kind == QMT_MISTAKE_MISS ? a->score : b->score;
    double second = a->kind == QMT_MISTAKE_MISS ? b->score : a->score;
    if (first != second)
        return first < second ? -1 : 1;
    double area_a = a->width * a->height, area_b = b->width * b->height;
    if (area_a != area_b)
        return area_a > area_b ? -1 : 1;
    if (a->picture != b->picture)
        return a->picture < b->picture ? -1 : 1;
    return (a->x > b->x) - (a->x < b->x);
}

static qmtcnn_status find(const qmt_truth *truth, const qmt_detections *detections, const qmt_config *config,
                          qmt_mistake_kind kind, struct list *list, qmtcnn_error *error)
{
    const qmt_match_rule rule = qmt_match_rule_plain(config->evaluate.iou);
    qmt_judge judge = {0};
    size_t missing, *index = qmt_alloc(truth->count, sizeof *index);
    if (!index)
        return qmt_fail_memory(error, truth->count * sizeof *index, "an index of pictures");
    qmtcnn_status status = qmt_truth_align(truth, detections, index, &missing, error);
    if (status == QMTCNN_OK)
        status = qmt_judge_create(truth, detections, &judge, error);
    for (size_t i = 0; status == QMTCNN_OK && i < truth->count; i++) {
        if (index[i] == SIZE_MAX || detections->pictures[index[i]].unreadable)
            continue;
        const qmt_found *found = &detections->pictures[index[i]];
        qmt_match_picture(&truth->pictures[i], found->boxes, found->count, &rule, judge.verdicts, judge.matched,
                          judge.taken);
        status = kind == QMT_MISTAKE_MISS ? add_misses(list, i, &truth->pictures[i], found, &judge, &rule,
                                                       (double)config->detect.thresholds[QMT_ONET], error)
                                          : add_false_alarms(list, i, found, &judge, error);
    }
    qmt_judge_clear(&judge);
    qmt_free(index);
    return status;
}

qmtcnn_status qmt_mistakes_find(const qmt_dataset *dataset, const qmt_detections *detections, const qmt_config *config,
                                qmt_mistake_kind kind, qmt_mistake **mistakes, size_t *count, qmtcnn_error *error)
{
    struct list list = {0};
    qmt_truth *truth = NULL;
    *mistakes = NULL;
    *count = 0;
    qmtcnn_status status = qmt_truth_from_dataset(dataset, config->evaluate.min_face, &truth, error);
    if (status == QMTCNN_OK)
        status = find(truth, detections, config, kind, &list, error);
    qmt_truth_free(truth);
    if (status != QMTCNN_OK) {
        qmt_free(list.items);
        return status;
    }
    if (list.count)
        qsort(list.items, list.count, sizeof *list.items, compare);
    *mistakes = list.items;
    *count = list.count;
    return QMTCNN_OK;
}

/* ---- Drawing --------------------------------------------------------------------------------- */

/* A window of the picture, in a cell. */
struct view {
    double left, top, scale;
};

static void draw_box(qmt_image *cell, const struct view *view, double x, double y, double width, double height,
                     int thickness, qmt_color color)
{
    qmt_draw_box(cell, (float)((x - view->left) * view->scale), (float)((y - view->top) * view->scale),
                 (float)(width * view->scale), (float)(height * view->scale), thickness, color);
}

static qmtcnn_status draw_cell(const qmt_dataset *dataset, const qmt_mistake *mistake, qmt_resizer *resizer,
                               qmt_image *cell, qmtcnn_error *error)
{
    const qmt_picture *picture = &dataset->pictures[mistake->picture];
    double side = 2 * fmax(4, fmax(mistake->width, mistake->height));
    struct view view = {mistake->x + 0.5 * (mistake->width - side), mistake->y + 0.5 * (mistake->height - side),
                        cell_side / side};
    qmt_image whole = {0};
    qmtcnn_status status = qmt_image_read(picture->path, QMT_AS_STORED, &whole, error);
    if (status != QMTCNN_OK)
        return status;
    const qmt_pixels pixels = qmt_image_pixels(&whole);
    status = qmt_resize(resizer, &pixels, view.left, view.top, side, side, cell->data, cell_side, cell_side,
                        3 * (ptrdiff_t)cell_side, error);
    qmt_image_clear(&whole);
    for (size_t i = 0; status == QMTCNN_OK && i < picture->label_count; i++) {
        const qmt_label *label = &dataset->labels[picture->first_label + i];
        draw_box(cell, &view, label->box.x1, label->box.y1, label->box.x2 - label->box.x1,
                 label->box.y2 - label->box.y1, 1, label->ignore ? gray : green);
    }
    if (status == QMTCNN_OK)
        draw_box(cell, &view, mistake->x, mistake->y, mistake->width, mistake->height, 1,
                 mistake->kind == QMT_MISTAKE_MISS ? red : orange);
    return status;
}

static qmtcnn_status draw_sheet(const qmt_dataset *dataset, const qmt_mistake *mistakes, size_t count,
                                const char *title, qmt_image *sheet, qmtcnn_error *error)
{
    const int step_x = cell_side + gap, step_y = cell_side + caption_height + gap;
    size_t shown = count < columns * rows ? count : columns * rows;
    int used_rows = shown ? (int)((shown + columns - 1) / columns) : 1;
    char words[160];
    qmt_resizer resizer = {0};
    qmt_image cell = {0};
    qmtcnn_status status =
        qmt_image_create(columns * step_x + gap, title_height + used_rows * step_y + gap, sheet, error);
    if (status == QMTCNN_OK)
        status = qmt_image_create(cell_side, cell_side, &cell, error);
    if (status == QMTCNN_OK) {
        snprintf(words, sizeof words, "%s: %zu of %zu; score, then width in pixels", title, shown, count);
        qmt_draw_text(sheet, gap, 5, 1, words, white);
    }
    for (size_t i = 0; status == QMTCNN_OK && i < shown; i++) {
        int x = gap + (int)(i % columns) * step_x, y = title_height + (int)(i / columns) * step_y;
        status = draw_cell(dataset, &mistakes[i], &resizer, &cell, error);
        if (status != QMTCNN_OK)
            break;
        qmt_draw_image(sheet, x, y, &cell);
        snprintf(words, sizeof words, "%.2f  %.0f", mistakes[i].score, mistakes[i].width);
        qmt_draw_text(sheet, x, y + cell_side + 2, 1, words, white);
    }
    qmt_image_clear(&cell);
    qmt_resizer_clear(&resizer);
    return status;
}

static qmtcnn_status write_sheet(const qmt_dataset *dataset, const qmt_detections *detections, const qmt_config *config,
                                 qmt_mistake_kind kind, const char *folder, qmtcnn_error *error)
{
    const bool misses = kind == QMT_MISTAKE_MISS;
    qmt_mistake *mistakes = NULL;
    size_t count = 0;
    qmt_image sheet = {0};
    qmtcnn_status status = qmt_mistakes_find(dataset, detections, config, kind, &mistakes, &count, error);
    if (status != QMTCNN_OK)
        return status;
    status =
        draw_sheet(dataset, mistakes, count,
                   misses ? "missed faces, lowest score of their best box first" : "false alarms, best scored first",
                   &sheet, error);
    char *path = qmt_path_join(folder, misses ? "misses.png" : "false_alarms.png");
    if (status == QMTCNN_OK)
        status = path ? qmt_image_write(&sheet, path, error) : qmt_fail_memory(error, strlen(folder), "a path");
    qmt_free(path);
    qmt_image_clear(&sheet);
    qmt_free(mistakes);
    return status;
}

qmtcnn_status qmt_mistakes_write(const qmt_dataset *dataset, const qmt_detections *detections, const qmt_config *config,
                                 const char *folder, qmtcnn_error *error)
{
    qmtcnn_status status = write_sheet(dataset, detections, config, QMT_MISTAKE_FALSE_ALARM, folder, error);
    return status == QMTCNN_OK ? write_sheet(dataset, detections, config, QMT_MISTAKE_MISS, folder, error) : status;
}
