#include "toolkit/net/net_internal.h"

#include <string.h>

/* groups * size elements of `bytes`, counted in the pass. */
static qmtcnn_status take(qmt_pass *pass, size_t groups, size_t size, size_t bytes, void *result, qmtcnn_error *error)
{
    size_t count;
    void *memory = qmt_size_multiply(groups, size, &count) ? qmt_alloc(count, bytes) : NULL;
    memcpy(result, &memory, sizeof memory);
    if (!memory)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY,
                        "out of memory: training buffers of %zu groups of %zu bytes: take a smaller batch", groups,
                        size * bytes);
    pass->bytes += count * bytes;
    return QMTCNN_OK;
}

static void set_shapes(qmt_layer_pass *to, const qmt_net_layer *layer)
{
    to->conv =
        (qmt_conv_shape){layer->in_channels, layer->out_channels, layer->kernel, layer->in_side, layer->conv_side};
    to->finish = (qmt_finish_shape){layer->out_channels, layer->conv_side,   layer->out_side,
                                    layer->pool_kernel,  layer->pool_stride, layer->activation};
    /* A map of one pixel: neither x nor weights lie differently, and all loops are those of one tap. */
    if (layer->conv_side == 1)
        to->conv = (qmt_conv_shape){layer->in_channels * layer->kernel * layer->kernel, layer->out_channels, 1, 1, 1};
    size_t out = (size_t)layer->out_channels, in = (size_t)layer->in_channels;
    to->in_size = in * (size_t)layer->in_side * (size_t)layer->in_side * qmt_lanes;
    to->conv_size = out * (size_t)layer->conv_side * (size_t)layer->conv_side * qmt_lanes;
    to->out_size = out * (size_t)layer->out_side * (size_t)layer->out_side * qmt_lanes;
    to->weights = out * in * (size_t)layer->kernel * (size_t)layer->kernel;
}

static qmtcnn_status take_layer(qmt_pass *pass, int index, qmtcnn_error *error)
{
    qmt_layer_pass *layer = &pass->layers[index];
    size_t groups = (size_t)pass->groups, out = (size_t)layer->conv.out_channels;
    bool pool = layer->finish.pool_kernel > 0;
    qmtcnn_status status = take(pass, groups, layer->in_size, sizeof(float), &layer->x, error);
    if (status == QMTCNN_OK && index > 0)
        status = take(pass, groups, layer->in_size, 1, &layer->passes, error);
    if (status == QMTCNN_OK)
        status = take(pass, groups, layer->conv_size, sizeof(float), &layer->y, error);
    if (status == QMTCNN_OK && pool)
        status = take(pass, groups, layer->out_size, sizeof(float), &layer->peak, error);
    if (status == QMTCNN_OK && pool)
        status = take(pass, groups, layer->out_size, 1, &layer->place, error);
    if (status == QMTCNN_OK && pool)
        status = take(pass, 1, out, 1, &layer->direction, error);
    if (status == QMTCNN_OK)
        status = take(pass, 1, layer->weights, sizeof(float), &layer->effective, error);
    if (status == QMTCNN_OK)
        status = take(pass, 1, layer->weights, sizeof(float), &layer->packed, error);
    if (status == QMTCNN_OK && index > 0)
        status = take(pass, 1, layer->weights, sizeof(float), &layer->packed_back, error);
    if (status == QMTCNN_OK)
        status = take(pass, groups, 3 * out, sizeof(double), &layer->sums, error);
    if (status == QMTCNN_OK)
        status = take(pass, groups, out, sizeof(float), &layer->maxima, error);
    if (status == QMTCNN_OK)
        status = take(pass, groups, 1, sizeof(uint64_t), &layer->clipped, error);
    if (status == QMTCNN_OK)
        status = take(pass, qmt_row_count, out, sizeof(float), &layer->coefficients, error);
    if (status == QMTCNN_OK)
        memset(layer->coefficients, 0, qmt_row_count * out * sizeof(float));
    return status;
}

static qmtcnn_status take_shared(qmt_pass *pass, qmtcnn_error *error)
{
    size_t weights = 0, scratch = 0, workers = (size_t)pass->workers;
    for (int i = 0; i < pass->table.layer_count; i++) {
        size_t wanted = qmt_net_scratch(&pass->layers[i].conv);
        weights = pass->layers[i].weights > weights ? pass->layers[i].weights : weights;
        scratch = wanted > scratch ? wanted : scratch;
    }
    weights = (weights + 15) / 16 * 16;
    qmtcnn_status status =
        take(pass, (size_t)pass->groups, pass->layers[0].in_size, sizeof(float), &pass->input, error);
    if (status == QMTCNN_OK)
        status = take(pass, (size_t)pass->groups, qmt_head_channels * qmt_lanes, sizeof(float), &pass->output_gradient,
                      error);
    if (status == QMTCNN_OK)
        status = take(pass, (size_t)pass->groups, weights, sizeof(float), &pass->gradients, error);
    if (status == QMTCNN_OK)
        status = take(pass, workers, qmt_histogram_bins, sizeof(uint64_t), &pass->bins, error);
    if (status == QMTCNN_OK)
        status = take(pass, (size_t)qmt_ranks_size(pass->ranks), 1, sizeof(float), &pass->all_maxima, error);
    pass->scratch = status == QMTCNN_OK ? qmt_alloc_zero(workers, sizeof *pass->scratch) : NULL;
    if (status == QMTCNN_OK && !pass->scratch)
        status = qmt_fail_memory(error, workers * sizeof *pass->scratch, "scratch memory");
    for (size_t i = 0; i < workers && status == QMTCNN_OK; i++)
        status = take(pass, 1, scratch, sizeof(float), &pass->scratch[i], error);
    return status;
}

qmtcnn_status qmt_pass_create(const qmt_net *net, int batch, qmt_pool *pool, qmt_ranks *ranks, qmt_pass **result,
                              qmtcnn_error *error)
{
    *result = NULL;
    if (batch < qmt_lanes || batch % qmt_lanes != 0 || batch > 65536)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "a batch of %d: give a multiple of %d up to 65536", batch,
                        qmt_lanes);
    qmt_pass *pass = qmt_alloc_zero(1, sizeof *pass);
    if (!pass)
        return qmt_fail_memory(error, sizeof *pass, "a pass");
    pass->table = net->table;
    pass->workers = qmt_pool_threads(pool);
    pass->kernels = qmt_net_kernels_best();
    pass->pool = pool;
    pass->ranks = ranks;
    pass->groups = batch / qmt_lanes;
    for (int i = 0; i < net->table.layer_count; i++)
        set_shapes(&pass->layers[i], &net->table.layers[i]);
    qmtcnn_status status = take_shared(pass, error);
    for (int i = 0; i < net->table.layer_count && status == QMTCNN_OK; i++)
        status = take_layer(pass, i, error);
    if (status != QMTCNN_OK) {
        qmt_pass_free(pass);
        return status;
    }
    memset(pass->input, 0, (size_t)pass->groups * pass->layers[0].in_size * sizeof(float));
    memset(pass->output_gradient, 0, (size_t)pass->groups * qmt_head_channels * qmt_lanes * sizeof(float));
    *result = pass;
    return QMTCNN_OK;
}

void qmt_pass_free(qmt_pass *pass)
{
    if (!pass)
        return;
    for (int i = pass->table.layer_count - 1; i >= 0; i--) {
        qmt_layer_pass *layer = &pass->layers[i];
        qmt_free(layer->coefficients);
        qmt_free(layer->clipped);
        qmt_free(layer->maxima);
        qmt_free(layer->sums);
        qmt_free(layer->packed_back);
        qmt_free(layer->packed);
        qmt_free(layer->effective);
        qmt_free(layer->direction);
        qmt_free(layer->place);
        qmt_free(layer->peak);
        qmt_free(layer->y);
        qmt_free(layer->passes);
        qmt_free(layer->x);
    }
    for (int i = 0; pass->scratch && i < pass->workers; i++)
        qmt_free(pass->scratch[i]);
    qmt_free(pass->scratch);
    qmt_free(pass->all_maxima);
    qmt_free(pass->bins);
    qmt_free(pass->gradients);
    qmt_free(pass->output_gradient);
    qmt_free(pass->input);
    qmt_free(pass);
}

size_t qmt_pass_bytes(const qmt_pass *pass)
{
    return pass->bytes;
}

float *qmt_pass_input(qmt_pass *pass, int group)
{
    return pass->input + (size_t)group * pass->layers[0].in_size;
}

const float *qmt_pass_output(const qmt_pass *pass, int group)
{
    const qmt_layer_pass *heads = &pass->layers[pass->table.layer_count - 1];
    return heads->y + (size_t)group * heads->conv_size;
}

float *qmt_pass_output_gradient(qmt_pass *pass, int group)
{
    return pass->output_gradient + (size_t)group * qmt_head_channels * qmt_lanes;
}
