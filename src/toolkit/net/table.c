#include "toolkit/net/net_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { max_side = 256 };

static void add_layer(qmt_net_table *table, const char *name, int channels, int kernel, int pool_kernel,
                      int pool_stride)
{
    qmt_net_layer *layer = &table->layers[table->layer_count];
    memset(layer, 0, sizeof *layer);
    snprintf(layer->name, sizeof layer->name, "%s", name);
    layer->in_channels = table->layer_count > 0 ? table->layers[table->layer_count - 1].out_channels : 3;
    layer->out_channels = channels;
    layer->kernel = kernel;
    layer->pool_kernel = pool_kernel;
    layer->pool_stride = pool_stride;
    table->layer_count++;
}

/* Widths, kernels and pools of the design. */
static void add_layers(qmt_net_table *table)
{
    switch (table->id) {
    case QMT_PNET:
        add_layer(table, "conv1", 10, 3, 2, 2);
        add_layer(table, "conv2", 16, 3, 0, 0);
        add_layer(table, "conv3", 32, 3, 0, 0);
        break;
    case QMT_RNET:
        add_layer(table, "conv1", 28, 3, 3, 2);
        add_layer(table, "conv2", 48, 3, 3, 2);
        add_layer(table, "conv3", 64, 2, 0, 0);
        add_layer(table, "fc", 128, 3, 0, 0);
        break;
    case QMT_ONET:
        add_layer(table, "conv1", 32, 3, 3, 2);
        add_layer(table, "conv2", 64, 3, 3, 2);
        add_layer(table, "conv3", 64, 3, 2, 2);
        add_layer(table, "conv4", 128, 2, 0, 0);
        add_layer(table, "fc", 256, 3, 0, 0);
        break;
    }
    add_layer(table, "heads", qmt_head_channels, 1, 0, 0);
}

qmt_net_table qmt_net_table_for(qmt_net_id id, qmt_activation activation, bool batch_norm)
{
    qmt_net_table table = {0};
    table.id = id;
    table.side = id == QMT_PNET ? 12 : id == QMT_RNET ? 24 : 48;
    add_layers(&table);
    for (int i = 0; i < table.layer_count - 1; i++) {
        table.layers[i].activation = activation;
        /* Of the fully connected layer, too: without it a part of its units never fires (docs/decisions.md). */
        table.layers[i].batch_norm = batch_norm;
    }
    qmt_net_table_check(&table, NULL);
    return table;
}

static bool layer_fits(qmt_net_layer *layer, int in_channels, int side)
{
    if (layer->in_channels != in_channels || layer->out_channels < 1 || layer->out_channels > qmt_net_max_channels ||
        layer->kernel < 1 || layer->kernel > side || layer->kernel > qmt_max_kernel || layer->name[0] == 0 ||
        (unsigned)layer->activation > QMT_ACTIVATION_PRELU)
        return false;
    layer->in_side = side;
    layer->conv_side = layer->out_side = side - layer->kernel + 1;
    if (layer->pool_kernel == 0)
        return layer->pool_stride == 0;
    /* A window's place is kept in a byte; a stride over the kernel would skip values. */
    if (layer->pool_kernel < 1 || layer->pool_kernel > 15 || layer->pool_stride < 1 ||
        layer->pool_stride > layer->pool_kernel || layer->pool_kernel > layer->conv_side)
        return false;
    layer->out_side = (layer->conv_side - layer->pool_kernel + layer->pool_stride - 1) / layer->pool_stride + 1;
    return true;
}

qmtcnn_status qmt_net_table_check(qmt_net_table *table, qmtcnn_error *error)
{
    if ((unsigned)table->id >= qmt_net_count || table->side < 1 || table->side > max_side || table->layer_count < 1 ||
        table->layer_count > qmt_net_max_layers)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "network table: net %d, side %d, %d layers: out of range",
                        (int)table->id, table->side, table->layer_count);
    int channels = 3, side = table->side;
    for (int i = 0; i < table->layer_count; i++) {
        qmt_net_layer *layer = &table->layers[i];
        layer->name[sizeof layer->name - 1] = 0;
        if (!layer_fits(layer, channels, side))
            return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                            "network table: layer %d (%s) does not fit its input of %d x %d x %d", i + 1, layer->name,
                            channels, side, side);
        channels = layer->out_channels;
        side = layer->out_side;
    }
    const qmt_net_layer *heads = &table->layers[table->layer_count - 1];
    if (channels != qmt_head_channels || side != 1 || heads->activation != QMT_ACTIVATION_NONE || heads->batch_norm ||
        heads->pool_kernel != 0)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                        "network table: the last layer (%s) must be %d plain head channels on one pixel", heads->name,
                        qmt_head_channels);
    return QMTCNN_OK;
}

static double layer_macs(const qmt_net_layer *layer)
{
    return (double)layer->out_channels * layer->conv_side * layer->conv_side * layer->in_channels * layer->kernel *
           layer->kernel;
}

double qmt_net_forward_macs(const qmt_net_table *table)
{
    double macs = 0;
    for (int i = 0; i < table->layer_count; i++)
        macs += layer_macs(&table->layers[i]);
    return macs;
}

double qmt_net_training_macs(const qmt_net_table *table)
{
    return 3 * qmt_net_forward_macs(table) - layer_macs(&table->layers[0]);
}

void qmt_net_table_text(const qmt_net_table *table, char text[qmt_table_text_size])
{
    size_t used = (size_t)snprintf(text, qmt_table_text_size, "%d %d", (int)table->id, table->side);
    for (int i = 0; i < table->layer_count && used < qmt_table_text_size; i++) {
        const qmt_net_layer *l = &table->layers[i];
        used += (size_t)snprintf(text + used, qmt_table_text_size - used, "; %s %d %d %d %d %d %d", l->name,
                                 l->out_channels, l->kernel, l->batch_norm ? 1 : 0, (int)l->activation, l->pool_kernel,
                                 l->pool_stride);
    }
}

qmtcnn_status qmt_net_table_parse(const char *text, qmt_net_table *table, qmtcnn_error *error)
{
    int id, consumed = 0, channels = 3;
    memset(table, 0, sizeof *table);
    if (sscanf(text, "%9d %9d%n", &id, &table->side, &consumed) != 2)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "network table '%.60s': not one of this program's", text);
    table->id = (qmt_net_id)id;
    for (text += consumed; *text == ';'; text += consumed) {
        if (table->layer_count == qmt_net_max_layers)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "network table: more than %d layers", qmt_net_max_layers);
        qmt_net_layer *l = &table->layers[table->layer_count];
        int norm, activation;
        if (sscanf(text, "; %15[a-z0-9_] %9d %9d %9d %9d %9d %9d%n", l->name, &l->out_channels, &l->kernel, &norm,
                   &activation, &l->pool_kernel, &l->pool_stride, &consumed) != 7)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "network table: can't read '%.60s'", text);
        l->batch_norm = norm == 1;
        l->activation = (qmt_activation)activation;
        l->in_channels = channels;
        channels = l->out_channels;
        table->layer_count++;
    }
    if (*text)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "network table: can't read '%.60s'", text);
    return qmt_net_table_check(table, error);
}

static bool is_layer(const void *state, const char *entry)
{
    (void)state;
    for (int id = 0; id < qmt_net_count; id++) {
        const qmt_net_table table = qmt_net_table_for((qmt_net_id)id, QMT_ACTIVATION_RELU, true);
        for (int i = 0; i < table.layer_count; i++)
            if (qmt_in_list(entry, qmt_net_name(table.id), table.layers[i].name))
                return true;
    }
    return false;
}

qmtcnn_status qmt_net_check_keep(const char *keep_fp32, qmtcnn_error *error)
{
    char unknown[qmt_max_name + 8];
    if (qmt_list_is_known(keep_fp32, is_layer, NULL, unknown))
        return QMTCNN_OK;
    return qmt_fail(
        error, QMTCNN_ERROR_ARGUMENT,
        "'quantize.keep_fp32': the networks have no layer '%s'; give conv1 to conv4, fc or heads (all heads "
        "of a network), such as pnet/conv1",
        unknown);
}
