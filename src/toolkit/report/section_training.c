/* How the networks learned: history.json of each. What is missing in it is left out. */
#include "toolkit/report/plot.h"
#include "toolkit/report/sections.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { most_epochs = 100000 };

/* One network's history, as columns. */
struct history {
    json_t *root;
    size_t count;
    double *epoch, *loss[4], *score[2], *ap[2];
    double first_qat; /* NAN: none */
};

static const char *const losses[4] = {"total", "class", "box", "landmark"};
static const char *const kinds[2] = {"fp32", "int8"};

static double number_in(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void clear(struct history *history)
{
    for (int i = 0; i < 4; i++)
        qmt_free(history->loss[i]);
    for (int i = 0; i < 2; i++) {
        qmt_free(history->score[i]);
        qmt_free(history->ap[i]);
    }
    qmt_free(history->epoch);
    json_decref(history->root);
}

static bool take_room(struct history *history)
{
    bool sound = (history->epoch = qmt_alloc(history->count, sizeof(double))) != NULL;
    for (int i = 0; i < 4; i++)
        sound = (history->loss[i] = qmt_alloc(history->count, sizeof(double))) != NULL && sound;
    for (int i = 0; i < 2; i++) {
        sound = (history->score[i] = qmt_alloc(history->count, sizeof(double))) != NULL && sound;
        sound = (history->ap[i] = qmt_alloc(history->count, sizeof(double))) != NULL && sound;
    }
    return sound;
}

static void take_epoch(struct history *history, size_t i, const json_t *entry)
{
    const json_t *validation = json_object_get(entry, "validation");
    const char *phase = json_string_value(json_object_get(entry, "phase"));
    history->epoch[i] = number_in(entry, "epoch");
    if (isnan(history->epoch[i]))
        history->epoch[i] = (double)i;
    if (phase && strcmp(phase, "qat") == 0 && isnan(history->first_qat))
        history->first_qat = history->epoch[i];
    for (int k = 0; k < 4; k++)
        history->loss[k][i] = number_in(json_object_get(entry, "loss"), losses[k]);
    for (int k = 0; k < 2; k++) {
        const json_t *figures = json_object_get(validation, kinds[k]);
        history->score[k][i] = number_in(figures, "score");
        history->ap[k][i] = number_in(figures, "average_precision");
    }
}

/* false: not a history, or out of memory. */
static bool read_history(const char *text, struct history *history)
{
    *history = (struct history){.first_qat = NAN};
    history->root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const json_t *epochs = json_object_get(history->root, "epochs");
    history->count = json_array_size(epochs);
    if (!json_is_array(epochs) || history->count > most_epochs || !take_room(history)) {
        clear(history);
        return false;
    }
    for (size_t i = 0; i < history->count; i++)
        take_epoch(history, i, json_array_get(epochs, i));
    return true;
}

/* ---- Figures --------------------------------------------------------------------------------- */

static bool any_number(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i]))
            return true;
    return false;
}

static qmtcnn_status figure(qmt_text *page, const struct history *history, const char *net, const char *what,
                            const qmt_series *series, size_t count, double y_min, qmtcnn_error *error)
{
    const qmt_line_plot plot = {what, "epoch", NULL, false, NAN, NAN, y_min, NAN, series, count, history->first_qat,
                                "QAT"};
    char caption[96], *svg = NULL;
    if (count == 0)
        return QMTCNN_OK;
    qmtcnn_status status = qmt_plot_lines(&plot, &svg, error);
    snprintf(caption, sizeof caption, "%s: %s", net, what);
    if (status == QMTCNN_OK)
        qmt_html_figure(page, svg, caption);
    qmt_free(svg);
    return status;
}

static qmtcnn_status history_figures(qmt_text *page, const struct history *history, const char *net,
                                     qmtcnn_error *error)
{
    static const char *const names[2] = {"FP32", "INT8"};
    qmt_series series[4];
    size_t count = 0;
    for (int k = 0; k < 4; k++)
        if (any_number(history->loss[k], history->count))
            series[count++] = (qmt_series){losses[k], history->epoch, history->loss[k], history->count, k, false};
    qmtcnn_status status = figure(page, history, net, "loss, mean over each epoch", series, count, 0, error);
    count = 0;
    for (int k = 0; k < 2; k++)
        if (any_number(history->ap[k], history->count))
            series[count++] = (qmt_series){names[k], history->epoch, history->ap[k], history->count, k, false};
    if (status == QMTCNN_OK)
        status = figure(page, history, net, "average precision on held-out samples", series, count, NAN, error);
    return status;
}

/* ---- The last epoch's figures ---------------------------------------------------------------- */

static const json_t *last_figures(const struct history *history, const char *kind)
{
    const json_t *epochs = json_object_get(history->root, "epochs"), *last = NULL;
    for (size_t i = 0; i < history->count; i++) {
        const json_t *figures = json_object_get(json_object_get(json_array_get(epochs, i), "validation"), kind);
        last = json_is_object(figures) ? figures : last;
    }
    return last;
}

static void figures_row(qmt_text *page, const char *label, const json_t *figures)
{
    static const char *const keys[] = {"score",        "average_precision", "recall_at_90",
                                       "recall_at_97", "box_iou",           "landmark_error"};
    enum { columns = 1 + sizeof keys / sizeof *keys };
    qmt_cell cells[columns];
    const char *row[columns] = {label};
    for (int i = 1; i < columns; i++) {
        cells[i] = qmt_cell_figure(number_in(figures, keys[i - 1]), 4);
        row[i] = cells[i].text;
    }
    if (json_is_object(figures))
        qmt_html_row(page, row, columns);
}

static void figures_table(qmt_text *page, const struct history *histories, const bool *sound)
{
    static const char *const headers[] = {
        "last epoch with it",      "score",   "average precision", "recall at precision .90",
        "recall at precision .97", "box IoU", "landmark error"};
    qmt_html_table_start(page, headers, sizeof headers / sizeof *headers);
    for (int net = 0; net < qmt_net_count; net++) {
        char label[48];
        if (!sound[net])
            continue;
        snprintf(label, sizeof label, "%s, FP32 arithmetic", qmt_net_name((qmt_net_id)net));
        figures_row(page, label, last_figures(&histories[net], "fp32"));
        snprintf(label, sizeof label, "%s, PTQ", qmt_net_name((qmt_net_id)net));
        figures_row(
            page, label,
            json_object_get(json_object_get(json_object_get(histories[net].root, "ptq"), "validation"), "int8"));
        snprintf(label, sizeof label, "%s, INT8", qmt_net_name((qmt_net_id)net));
        figures_row(page, label, last_figures(&histories[net], "int8"));
    }
    qmt_html_table_end(page);
}

qmtcnn_status qmt_section_training(qmt_text *page, const qmt_report *report, qmtcnn_error *error)
{
    struct history histories[qmt_net_count];
    bool sound[qmt_net_count] = {false}, any = false;
    qmtcnn_status status = QMTCNN_OK;
    for (int net = 0; net < qmt_net_count; net++) {
        sound[net] = report->histories[net] && read_history(report->histories[net], &histories[net]);
        any = any || report->histories[net];
    }
    if (!any)
        return QMTCNN_OK;
    qmt_html_section(page, "Training",
                     "Losses and validation of each epoch, on samples of pictures that were held out.");
    for (int net = 0; net < qmt_net_count; net++) {
        char text[96];
        snprintf(text, sizeof text, "The history of %s can't be read and is left out.", qmt_net_name((qmt_net_id)net));
        if (report->histories[net] && !sound[net])
            qmt_html_paragraph(page, text);
    }
    for (int net = 0; status == QMTCNN_OK && net < qmt_net_count; net++) {
        if (!sound[net])
            continue;
        qmt_html_figures_start(page);
        status = history_figures(page, &histories[net], qmt_net_name((qmt_net_id)net), error);
        qmt_html_figures_end(page);
    }
    figures_table(page, histories, sound);
    for (int net = 0; net < qmt_net_count; net++)
        if (sound[net])
            clear(&histories[net]);
    return status;
}
