#include "runtime/kernels/int8_runs.h"

#include <string.h>

enum {
    lanes = qmt_run_lanes,
    group_bytes = lanes * qmt_group_inputs,
    bounds = 4 * lanes, /* two pairs of inputs a channel, positive and negative */
    most_bound = 258,   /* 127 * 258 = 32766 */
    chunk = 128         /* groups that may change places: the search grows with its square */
};

/* A group on its way into a run. */
struct candidate {
    qmt_group_place place;
    int8_t weight[group_bytes];
    int16_t bound[bounds]; /* sums of positive, and of negative weights of each pair */
    int largest;
    bool used;
};

/* The groups of a chunk, and the runs made of them. */
struct search {
    struct candidate candidates[chunk];
    int count;
    int order[chunk];  /* candidates, run by run */
    int length[chunk]; /* of each run */
    int run_count;
};

static void fill_candidate(struct candidate *candidate, const qmt_layer *layer, int block, qmt_group_place place)
{
    const size_t taps = qmt_layer_taps(layer), kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    const size_t tap = (size_t)(place.ky * layer->kernel_width + place.kx);
    memset(candidate, 0, sizeof *candidate);
    candidate->place = place;
    for (int lane = 0; lane < lanes && block * lanes + lane < layer->out_channels; lane++)
        for (int i = 0; i < qmt_group_inputs && place.channel + i < layer->in_channels; i++) {
            const size_t out = (size_t)(block * lanes + lane), in = (size_t)(place.channel + i);
            const int8_t weight = layer->weight_int8[out * taps + in * kernel + tap];
            const int pair = 2 * lane + i / 2;
            candidate->weight[lane * qmt_group_inputs + i] = weight;
            candidate->bound[weight > 0 ? pair : bounds / 2 + pair] += (int16_t)(weight > 0 ? weight : -weight);
        }
    for (int i = 0; i < bounds; i++)
        candidate->largest = candidate->bound[i] > candidate->largest ? candidate->bound[i] : candidate->largest;
}

/* How full a run would be: the fullest bounds count most. Negative: too full. */
static float fullness(const int16_t *run, const int16_t *more)
{
    float sum = 0;
    int over = 0;
    for (int i = 0; i < bounds; i++) {
        const int bound = run[i] + more[i];
        const float square = (float)(bound * bound);
        over |= bound > most_bound;
        sum += square * square;
    }
    return over ? -1 : sum;
}

static int best_addition(const struct search *search, const int16_t *run)
{
    int best = -1;
    float least = 0;
    for (int i = 0; i < search->count; i++) {
        if (search->candidates[i].used)
            continue;
        const float full = fullness(run, search->candidates[i].bound);
        if (full >= 0 && (best < 0 || full < least)) {
            best = i;
            least = full;
        }
    }
    return best;
}

static int hardest(const struct search *search)
{
    int best = -1;
    for (int i = 0; i < search->count; i++)
        if (!search->candidates[i].used &&
            (best < 0 || search->candidates[i].largest > search->candidates[best].largest))
            best = i;
    return best;
}

/* Each run begins with the hardest group that is left, and takes what fills it least. */
static void make_runs(struct search *search)
{
    int placed = 0;
    search->run_count = 0;
    for (int next = hardest(search); next >= 0; next = hardest(search)) {
        int16_t run[bounds] = {0};
        int length = 0;
        while (next >= 0) {
            struct candidate *candidate = &search->candidates[next];
            candidate->used = true;
            search->order[placed++] = next;
            length++;
            for (int i = 0; i < bounds; i++)
                run[i] = (int16_t)(run[i] + candidate->bound[i]);
            next = length < qmt_run_most ? best_addition(search, run) : -1;
        }
        search->length[search->run_count++] = length;
    }
}

/* Writes the runs of `length` groups behind those that the block has. */
static void take_runs(const struct search *search, int length, qmt_run_plan *plan, qmt_run_block *block)
{
    int at = 0;
    for (int i = 0; i < search->run_count; at += search->length[i++]) {
        if (search->length[i] != length)
            continue;
        block->runs[length]++;
        for (int j = 0; j < length; j++, block->count++) {
            const struct candidate *candidate = &search->candidates[search->order[at + j]];
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

/* Fills searches[] with the groups of a block that have weights. Returns how many it took. */
static int gather(const qmt_layer *layer, int block, struct search *searches)
{
    qmt_group_place place = {0};
    int used = 0;
    bool more = block * lanes < layer->out_channels;
    for (; more; more = next_place(layer, &place)) {
        if (used == 0 || searches[used - 1].count == chunk)
            searches[used++].count = 0;
        struct search *search = &searches[used - 1];
        fill_candidate(&search->candidates[search->count], layer, block, place);
        search->count += search->candidates[search->count].largest > 0;
    }
    return used;
}

static void plan_block(const qmt_layer *layer, int number, struct search *searches, qmt_run_plan *plan)
{
    qmt_run_block *block = &plan->blocks[number];
    const int used = gather(layer, number, searches);
    *block = (qmt_run_block){.first = plan->group_count};
    for (int i = 0; i < used; i++)
        make_runs(&searches[i]);
    for (int length = qmt_run_most; length > 0; length--)
        for (int i = 0; i < used; i++)
            take_runs(&searches[i], length, plan, block);
    plan->group_count += block->count;
}

qmtcnn_status qmt_run_plan_create(const qmt_layer *layer, int blocks, qmt_run_plan **result, qmtcnn_error *error)
{
    /* A layer's limits (model.h) keep all of these far from overflow. */
    const size_t kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    const size_t groups = kernel * (((size_t)layer->in_channels + qmt_group_inputs - 1) / qmt_group_inputs);
    const size_t real_blocks = ((size_t)layer->out_channels + lanes - 1) / lanes;
    struct search *searches = qmt_alloc(groups / chunk + 1, sizeof *searches);
    qmt_run_plan *plan = qmt_alloc_zero(1, sizeof *plan);
    *result = NULL;
    if (!searches || !plan)
        goto failed;
    plan->block_count = blocks;
    plan->blocks = qmt_alloc_zero((size_t)blocks, sizeof *plan->blocks);
    plan->places = qmt_alloc(groups * real_blocks, sizeof *plan->places);
    plan->weights = qmt_alloc(groups * real_blocks, group_bytes);
    if (!plan->blocks || !plan->places || !plan->weights)
        goto failed;
    for (int i = 0; i < blocks; i++)
        plan_block(layer, i, searches, plan);
    qmt_free(searches);
    *result = plan;
    return QMTCNN_OK;
failed:
    qmt_run_plan_free(plan);
    qmt_free(searches);
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
