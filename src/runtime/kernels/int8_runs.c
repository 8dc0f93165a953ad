#include "runtime/kernels/int8_runs.h"

#include <string.h>

#include "runtime/kernels/int8_search.h"

enum {
    lanes = qmt_run_lanes,
    group_bytes = lanes * qmt_group_inputs,
    most_bound = 258 /* 127 * 258 = 32766 */
};

/* A group on its way into a run. */
struct candidate {
    qmt_group_place place;
    int8_t weight[group_bytes];
};

/* A block's groups, as many as one search takes, and the runs made of them. */
struct chunk {
    struct candidate candidates[qmt_search_groups];
    qmt_run_search search;
};

/* Adds the block's group at a place, unless it has no weights. */
static void add_candidate(struct chunk *chunk, const qmt_layer *layer, int block, qmt_group_place place)
{
    const size_t taps = qmt_layer_taps(layer), kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    const size_t tap = (size_t)(place.ky * layer->kernel_width + place.kx);
    struct candidate *candidate = &chunk->candidates[chunk->search.count];
    int16_t *bound = chunk->search.bound[chunk->search.count];
    memset(candidate, 0, sizeof *candidate);
    memset(bound, 0, sizeof chunk->search.bound[0]);
    candidate->place = place;
    for (int lane = 0; lane < lanes && block * lanes + lane < layer->out_channels; lane++) {
        int weights[qmt_group_inputs] = {0};
        for (int i = 0; i < qmt_group_inputs && place.channel + i < layer->in_channels; i++) {
            const size_t out = (size_t)(block * lanes + lane), in = (size_t)(place.channel + i);
            candidate->weight[lane * qmt_group_inputs + i] = layer->weight_int8[out * taps + in * kernel + tap];
            weights[i] = candidate->weight[lane * qmt_group_inputs + i];
        }
        qmt_search_add_weights(weights, bound + 2 * lane, bound + 2 * lanes + 2 * lane);
    }
    chunk->search.count += qmt_search_largest(bound, chunk->search.bounds) > 0;
}

/* Writes the runs of `length` groups behind those that the block has. */
static void take_runs(const struct chunk *chunk, int length, qmt_run_plan *plan, qmt_run_block *block)
{
    const qmt_run_search *search = &chunk->search;
    int at = 0;
    for (int i = 0; i < search->run_count; at += search->length[i++]) {
        if (search->length[i] != length)
            continue;
        block->runs[length]++;
        for (int j = 0; j < length; j++, block->count++) {
            const struct candidate *candidate = &chunk->candidates[search->order[at + j]];
            const size_t group = (size_t)(block->first + block->count);
            plan->places[group] = candidate->place;
            memcpy(plan->weights + group * group_bytes, candidate->weight, group_bytes);
        }
    }
}

/* The place after `place`, through channels, columns and rows. false: there is none. */
static bool next_place(const qmt_layer *layer, qmt_group_place *place)
{
    place->channel = (uint16_t)(place->channel + qmt_group_inputs);
    if (place->channel < layer->in_channels)
        return true;
    place->channel = 0;
    if (++place->kx < layer->kernel_width)
        return true;
    place->kx = 0;
    return ++place->ky < layer->kernel_height;
}

/* Fills chunks[] with the groups of a block that have weights. Returns how many it took. */
static int gather(const qmt_layer *layer, int block, struct chunk *chunks)
{
    qmt_group_place place = {0};
    int used = 0;
    bool more = block * lanes < layer->out_channels;
    for (; more; more = next_place(layer, &place)) {
        if (used == 0 || chunks[used - 1].search.count == qmt_search_groups) {
            qmt_run_search *search = &chunks[used++].search;
            search->count = 0;
            search->bounds = 4 * lanes; /* two pairs of inputs a channel, positive and negative */
            search->most_bound = most_bound;
            search->longest = qmt_run_most;
        }
        add_candidate(&chunks[used - 1], layer, block, place);
    }
    return used;
}

static void plan_block(const qmt_layer *layer, int number, struct chunk *chunks, qmt_run_plan *plan)
{
    qmt_run_block *block = &plan->blocks[number];
    const int used = gather(layer, number, chunks);
    *block = (qmt_run_block){.first = plan->group_count};
    for (int i = 0; i < used; i++)
        qmt_search_runs(&chunks[i].search);
    for (int length = qmt_run_most; length > 0; length--)
        for (int i = 0; i < used; i++)
            take_runs(&chunks[i], length, plan, block);
    plan->group_count += block->count;
}

qmtcnn_status qmt_run_plan_create(const qmt_layer *layer, int blocks, qmt_run_plan **result, qmtcnn_error *error)
{
    /* A layer's limits (model.h) keep all of these far from overflow. */
    const size_t kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    const size_t groups = kernel * (((size_t)layer->in_channels + qmt_group_inputs - 1) / qmt_group_inputs);
    const size_t real_blocks = ((size_t)layer->out_channels + lanes - 1) / lanes;
    struct chunk *chunks = qmt_alloc(groups / qmt_search_groups + 1, sizeof *chunks);
    qmt_run_plan *plan = qmt_alloc_zero(1, sizeof *plan);
    *result = NULL;
    if (!chunks || !plan)
        goto failed;
    plan->block_count = blocks;
    plan->blocks = qmt_alloc_zero((size_t)blocks, sizeof *plan->blocks);
    plan->places = qmt_alloc(groups * real_blocks, sizeof *plan->places);
    plan->weights = qmt_alloc(groups * real_blocks, group_bytes);
    if (!plan->blocks || !plan->places || !plan->weights)
        goto failed;
    for (int i = 0; i < blocks; i++)
        plan_block(layer, i, chunks, plan);
    qmt_free(chunks);
    *result = plan;
    return QMTCNN_OK;
failed:
    qmt_run_plan_free(plan);
    qmt_free(chunks);
    return qmt_fail_memory(error, groups * real_blocks * group_bytes, layer->name);
}

void qmt_run_plan_free(qmt_run_plan *plan)
{
    if (!plan)
        return;
    qmt_free(plan->weights);
    qmt_free(plan->places);
    qmt_free(plan->blocks);
    qmt_free(plan);
}

size_t qmt_run_plan_bytes(const qmt_run_plan *plan)
{
    return sizeof *plan + (size_t)plan->block_count * sizeof *plan->blocks +
           (size_t)plan->group_count * (sizeof *plan->places + group_bytes);
}

void qmt_run_offsets(const qmt_run_plan *plan, size_t row, size_t column, int32_t *offsets)
{
    const uint32_t rows = (uint32_t)row, columns = (uint32_t)column;
    for (int i = 0; i < plan->group_count; i++)
        offsets[i] = (int32_t)(plan->places[i].ky * rows + plan->places[i].kx * columns + plan->places[i].channel);
}
