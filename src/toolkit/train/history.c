#include "toolkit/train/history.h"

#include "toolkit/base/file.h"
#include "toolkit/log/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { history_limit = 64 << 20 };

struct qmt_history {
    char *path;
    json_t *root;
};

static json_t *empty_history(const char *net)
{
    return json_pack("{s:s, s:n, s:{s:n, s:n}, s:[]}", "net", net, "ptq", "best", "fp32", "qat", "epochs");
}

/* The file's content where it is a history of this network. */
static json_t *read_history(const char *path, const char *net)
{
    void *data = NULL;
    size_t size = 0;
    qmtcnn_error error;
    if (!qmt_file_exists(path))
        return NULL;
    if (qmt_file_read(path, history_limit, &data, &size, &error) != QMTCNN_OK) {
        qmt_log_warning("starting a new history: %s", error.message);
        return NULL;
    }
    json_t *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL);
    qmt_free(data);
    const char *name = json_string_value(json_object_get(root, "net"));
    if (name && strcmp(name, net) == 0 && json_is_array(json_object_get(root, "epochs")) &&
        json_is_object(json_object_get(root, "best")))
        return root;
    json_decref(root);
    qmt_log_warning("%s is no history of %s; starting a new one", path, net);
    return NULL;
}

/* Drops epochs that will be run again. */
static void cut_back(json_t *root, int64_t epochs)
{
    json_t *list = json_object_get(root, "epochs");
    for (size_t i = json_array_size(list); i-- > 0;) {
        json_t *number = json_object_get(json_array_get(list, i), "epoch");
        if (!json_is_integer(number) || json_integer_value(number) >= epochs)
            json_array_remove(list, i);
    }
}

qmtcnn_status qmt_history_open(const char *folder, const char *net, int64_t epochs, bool resumed, qmt_history **history,
                               qmtcnn_error *error)
{
    *history = NULL;
    qmt_history *made = qmt_alloc_zero(1, sizeof *made);
    if (!made)
        return qmt_fail_memory(error, sizeof *made, "the history");
    made->path = qmt_path_join(folder, "history.json");
    if (made->path && resumed)
        made->root = read_history(made->path, net);
    if (made->path && !made->root)
        made->root = empty_history(net);
    if (!made->root) {
        qmt_history_free(made);
        return qmt_fail_memory(error, 1024, "the history");
    }
    cut_back(made->root, epochs);
    *history = made;
    return QMTCNN_OK;
}

void qmt_history_free(qmt_history *history)
{
    if (!history)
        return;
    json_decref(history->root);
    qmt_free(history->path);
    qmt_free(history);
}

static qmtcnn_status write_history(const qmt_history *history, qmtcnn_error *error)
{
    char *text = json_dumps(history->root, JSON_INDENT(2));
    if (!text)
        return qmt_fail_memory(error, 4096, "the history");
    qmtcnn_status status = qmt_file_write(history->path, text, strlen(text), error);
    free(text);
    return status;
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *figures_or_null(const qmt_figures *figures)
{
    return figures ? qmt_figures_json(figures) : json_null();
}

static json_t *validation_json(const qmt_figures *fp32, const qmt_figures *int8)
{
    return json_pack("{s:o, s:o}", "fp32", figures_or_null(fp32), "int8", figures_or_null(int8));
}

qmtcnn_status qmt_history_add(qmt_history *history, const qmt_epoch *epoch, qmtcnn_error *error)
{
    json_t *loss = json_pack("{s:o, s:o, s:o, s:o}", "total", number(epoch->total), "class", number(epoch->classes),
                             "box", number(epoch->box), "landmark", number(epoch->landmarks));
    json_t *entry = json_pack("{s:I, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "epoch", (json_int_t)epoch->epoch,
                              "phase", epoch->qat ? "qat" : "fp32", "step", (json_int_t)epoch->step, "learning_rate",
                              number(epoch->learning_rate), "loss", loss, "gradient_norm", number(epoch->gradient_norm),
                              "samples_per_second", number(epoch->samples_per_second), "loader_wait",
                              number(epoch->loader_wait), "validation", validation_json(epoch->fp32, epoch->int8));
    if (json_array_append_new(json_object_get(history->root, "epochs"), entry) != 0)
        return qmt_fail_memory(error, 1024, "the history");
    return write_history(history, error);
}

qmtcnn_status qmt_history_set_ptq(qmt_history *history, int64_t epoch, const qmt_figures *fp32, const qmt_figures *int8,
                                  qmtcnn_error *error)
{
    json_t *entry = json_pack("{s:I, s:o}", "epoch", (json_int_t)epoch, "validation", validation_json(fp32, int8));
    if (json_object_set_new(history->root, "ptq", entry) != 0)
        return qmt_fail_memory(error, 1024, "the history");
    return write_history(history, error);
}

qmtcnn_status qmt_history_set_best(qmt_history *history, bool qat, int64_t epoch, double score, qmtcnn_error *error)
{
    json_t *entry = json_pack("{s:I, s:o}", "epoch", (json_int_t)epoch, "score", number(score));
    if (json_object_set_new(json_object_get(history->root, "best"), qat ? "qat" : "fp32", entry) != 0)
        return qmt_fail_memory(error, 256, "the history");
    return write_history(history, error);
}
