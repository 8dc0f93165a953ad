#include "toolkit/net/net_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char table_key[] = "net.table";

/* One named value that goes in or out: exactly one of writer and file is set. */
typedef struct transfer {
    qmt_tensors_writer *writer;
    const qmt_tensors_file *file;
} transfer;

static qmtcnn_status move(const transfer *t, const char *name, qmt_dtype type, int dims, const size_t *shape,
                          size_t count, void *values, qmtcnn_error *error)
{
    if (t->writer)
        return qmt_tensors_add(t->writer, name, type, dims, shape, values, error);
    const void *data;
    qmtcnn_status status = qmt_tensors_get(t->file, name, type, dims, shape, &data, error);
    if (status == QMTCNN_OK)
        memcpy(values, data, count * qmt_dtype_size(type));
    return status;
}

static qmtcnn_status move_floats(const transfer *t, const char *name, int dims, const size_t *shape, size_t count,
                                 float *values, qmtcnn_error *error)
{
    qmtcnn_status status = move(t, name, QMT_F32, dims, shape, count, values, error);
    for (size_t i = 0; i < count && status == QMTCNN_OK; i++)
        if (!isfinite(values[i]))
            status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "checkpoint: %s holds a NaN or an infinity", name);
    return status;
}

/* What an observer can have come to: its histogram's edge is 0 or a power of two, which doubling keeps. */
static bool is_possible(const qmt_layer_values *values)
{
    const int64_t most_batches = INT64_C(1) << 40;
    int exponent;
    const float limit = values->input.histogram_limit;
    return values->input_range >= 0 && values->input.maximum >= 0 && values->input.batches >= 0 &&
           values->input.batches <= most_batches && (limit == 0 || (limit > 0 && frexpf(limit, &exponent) == 0.5f));
}

/* The observer and range of one layer's input. */
static qmtcnn_status move_observer(const transfer *t, const char *layer, qmt_layer_values *values, qmtcnn_error *error)
{
    static const size_t one = 1, bins = qmt_histogram_bins;
    qmt_observer *observer = &values->input;
    char name[64];
    snprintf(name, sizeof name, "net.%s.input.range", layer);
    qmtcnn_status status = move_floats(t, name, 1, &one, 1, &values->input_range, error);
    snprintf(name, sizeof name, "net.%s.input.maximum", layer);
    if (status == QMTCNN_OK)
        status = move_floats(t, name, 1, &one, 1, &observer->maximum, error);
    snprintf(name, sizeof name, "net.%s.input.histogram_limit", layer);
    if (status == QMTCNN_OK)
        status = move_floats(t, name, 1, &one, 1, &observer->histogram_limit, error);
    snprintf(name, sizeof name, "net.%s.input.histogram", layer);
    if (status == QMTCNN_OK)
        status = move(t, name, QMT_U64, 1, &bins, bins, observer->histogram, error);
    snprintf(name, sizeof name, "net.%s.input.batches", layer);
    if (status == QMTCNN_OK)
        status = move(t, name, QMT_I64, 1, &one, 1, &observer->batches, error);
    if (status == QMTCNN_OK && t->file && !is_possible(values))
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "checkpoint: what net.%s.input has seen can't be", layer);
    return status;
}

static qmtcnn_status move_all(const transfer *t, qmt_net *net, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; i < net->parameter_count && status == QMTCNN_OK; i++) {
        const qmt_parameter *parameter = &net->parameters[i];
        char name[64];
        snprintf(name, sizeof name, "net.%s", parameter->name);
        status = move_floats(t, name, parameter->dims, parameter->shape, parameter->count, parameter->value, error);
    }
    for (int i = 1; i < net->table.layer_count && status == QMTCNN_OK; i++)
        status = move_observer(t, net->table.layers[i].name, &net->layers[i], error);
    return status;
}

qmtcnn_status qmt_net_save(const qmt_net *net, qmt_tensors_writer *writer, qmtcnn_error *error)
{
    char text[qmt_table_text_size];
    qmt_net_table_text(&net->table, text);
    qmtcnn_status status = qmt_tensors_add_metadata(writer, table_key, text, error);
    transfer t = {writer, NULL};
    /* Writing only reads the values; the same walk reads and writes so that they can't differ. */
    return status == QMTCNN_OK ? move_all(&t, (qmt_net *)net, error) : status;
}

qmtcnn_status qmt_net_table_load(const qmt_tensors_file *file, qmt_net_table *table, qmtcnn_error *error)
{
    const char *text = qmt_tensors_metadata(file, table_key);
    if (!text)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "no %s in the metadata: not a checkpoint of a network", table_key);
    qmtcnn_status status = qmt_net_table_parse(text, table, error);
    /* Before memory is taken for what the table claims: are the weights there? */
    for (int i = 0; status == QMTCNN_OK && i < table->layer_count; i++) {
        const qmt_net_layer *layer = &table->layers[i];
        const size_t shape[4] = {(size_t)layer->out_channels, (size_t)layer->in_channels, (size_t)layer->kernel,
                                 (size_t)layer->kernel};
        const void *data;
        char name[64];
        snprintf(name, sizeof name, "net.%s.weight", layer->name);
        status = qmt_tensors_get(file, name, QMT_F32, 4, shape, &data, error);
    }
    return status;
}

static bool same_table(const qmt_net_table *a, const qmt_net_table *b)
{
    char text_a[qmt_table_text_size], text_b[qmt_table_text_size];
    qmt_net_table_text(a, text_a);
    qmt_net_table_text(b, text_b);
    return strcmp(text_a, text_b) == 0;
}

qmtcnn_status qmt_net_load(qmt_net *net, const qmt_tensors_file *file, qmtcnn_error *error)
{
    qmt_net_table table;
    qmtcnn_status status = qmt_net_table_load(file, &table, error);
    if (status == QMTCNN_OK && !same_table(&table, &net->table))
        status = qmt_fail(
            error, QMTCNN_ERROR_FORMAT,
            "the checkpoint is of a %s with other layers than this %s: check train.activation and train.batch_norm",
            qmt_net_name(table.id), qmt_net_name(net->table.id));
    if (status != QMTCNN_OK)
        return status;
    /* Read into a second network first: a bad file must not leave this one half changed. */
    qmt_net *fresh = NULL;
    status = qmt_net_create(&table, 0, &fresh, error);
    transfer t = {NULL, file};
    if (status == QMTCNN_OK)
        status = move_all(&t, fresh, error);
    for (int i = 0; i < net->parameter_count && status == QMTCNN_OK; i++)
        memcpy(net->parameters[i].value, fresh->parameters[i].value, net->parameters[i].count * sizeof(float));
    for (int i = 0; i < net->table.layer_count && status == QMTCNN_OK; i++) {
        net->layers[i].input = fresh->layers[i].input;
        net->layers[i].input_range = fresh->layers[i].input_range;
    }
    qmt_net_free(fresh);
    return status;
}
