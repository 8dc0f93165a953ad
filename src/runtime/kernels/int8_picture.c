#include "runtime/kernels/int8_picture.h"

#include <string.h>

enum {
    side = qmt_picture_kernel,
    bounds = 4,      /* two pairs of inputs; positive, then negative */
    most_bound = 128 /* 255 * 128 = 32640 */
};

bool qmt_picture_suits(const qmt_layer *layer, const qmt_pack_options *options)
{
    bool monotone = true; /* no negative slopes: then the largest sum makes the largest output */
    for (int c = 0; c < layer->out_channels && layer->activation == QMT_ACTIVATION_PRELU; c++)
        monotone = monotone && layer->slope[c] >= 0;
    return options->picture && options->signed_input && options->output_scale > 0 && layer->in_channels == 3 &&
           layer->kernel_height == side && layer->kernel_width == side && layer->pool_stride == 2 &&
           (layer->pool_kernel == 2 || layer->pool_kernel == 3) && monotone;
}

/* Groups on their way into runs. */
struct search {
    int count;
    int parts[qmt_picture_most_groups];
    int weights[qmt_picture_most_groups][4];
    int bound[qmt_picture_most_groups][bounds];
    bool used[qmt_picture_most_groups];
};

static void find_bounds(const int weights[4], int bound[bounds])
{
    memset(bound, 0, bounds * sizeof *bound);
    for (int i = 0; i < 4; i++)
        bound[weights[i] > 0 ? i / 2 : 2 + i / 2] += weights[i] > 0 ? weights[i] : -weights[i];
}

static int largest(const int bound[bounds])
{
    int most = 0;
    for (int i = 0; i < bounds; i++)
        most = bound[i] > most ? bound[i] : most;
    return most;
}

static void add_group(struct search *search, int part, const int weights[4])
{
    const int at = search->count++;
    search->parts[at] = part;
    memcpy(search->weights[at], weights, sizeof search->weights[at]);
    find_bounds(weights, search->bound[at]);
}

/* A part's weights; where they could overflow by themselves, half of each twice. */
static void add_part(struct search *search, int part, const int weights[4])
{
    int bound[bounds], half[2][4];
    find_bounds(weights, bound);
    if (largest(bound) == 0)
        return;
    if (largest(bound) <= most_bound) {
        add_group(search, part, weights);
        return;
    }
    for (int i = 0; i < 4; i++) {
        half[0][i] = weights[i] / 2;
        half[1][i] = weights[i] - half[0][i];
    }
    add_group(search, part, half[0]);
    add_group(search, part, half[1]);
}

static void gather(struct search *search, const int8_t *weight)
{
    const int8_t *red = weight, *green = red + side * side, *blue = green + side * side;
    memset(search, 0, sizeof *search);
    for (int ky = 0; ky < side; ky++) {
        const int at = ky * side;
        const int first[4] = {red[at], green[at], blue[at], red[at + 1]};
        const int second[4] = {green[at + 1], green[at + 2], blue[at + 1], blue[at + 2]};
        add_part(search, 2 * ky, first);
        add_part(search, 2 * ky + 1, second);
    }
    const int last[4] = {red[side - 1], red[2 * side - 1], red[3 * side - 1], 0};
    add_part(search, 2 * side, last);
}

/* The group that is left and fits a run best, -1: none. The fullest bounds count most. */
static int best_addition(const struct search *search, const int run[bounds])
{
    int best = -1;
    int64_t least = 0;
    for (int i = 0; i < search->count; i++) {
        int64_t full = 0;
        bool fits = !search->used[i];
        for (int j = 0; j < bounds; j++) {
            const int64_t bound = run[j] + search->bound[i][j];
            fits = fits && bound <= most_bound;
            full += bound * bound * bound * bound;
        }
        if (fits && (best < 0 || full < least)) {
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
        if (!search->used[i] && (best < 0 || largest(search->bound[i]) > largest(search->bound[best])))
            best = i;
    return best;
}

/* Each run begins with the hardest group that is left, and takes what fills it least. Returns how many runs there are;
 * order: groups, run by run. */
static int make_runs(struct search *search, int order[qmt_picture_most_groups], int length[qmt_picture_most_groups])
{
    int placed = 0, runs = 0;
    for (int next = hardest(search); next >= 0; next = hardest(search), runs++) {
        int run[bounds] = {0};
        length[runs] = 0;
        for (; next >= 0; next = length[runs] < qmt_picture_longest ? best_addition(search, run) : -1) {
            search->used[next] = true;
            order[placed++] = next;
            length[runs]++;
            for (int i = 0; i < bounds; i++)
                run[i] += search->bound[next][i];
        }
    }
    return runs;
}

static void pack_channel(const int8_t *weight, int32_t bias, qmt_picture_channel *channel)
{
    struct search search;
    int order[qmt_picture_most_groups], length[qmt_picture_most_groups], count = 0, total = 0;
    memset(channel, 0, sizeof *channel);
    gather(&search, weight);
    const int runs = make_runs(&search, order, length);
    channel->run_count = runs;
    for (int want = qmt_picture_longest, run = 0; want > 0; want--)
        for (int i = 0, at = 0; i < runs; at += length[i++]) {
            if (length[i] != want)
                continue;
            channel->lengths[run++] = (uint8_t)want;
            for (int j = at; j < at + want; j++, count++) {
                channel->parts[count] = (uint8_t)search.parts[order[j]];
                for (int k = 0; k < 4; k++)
                    channel->weights[count][k] = (int8_t)search.weights[order[j]][k];
            }
        }
    for (int i = 0; i < side * side * side; i++)
        total += weight[i];
    /* Sums wrap around as their terms do, so that the last is right whenever it fits. */
    channel->bias = (int32_t)((uint32_t)bias - 128u * (uint32_t)total);
}

void qmt_picture_pack(const qmt_layer *layer, qmt_picture_channel *channels)
{
    for (int c = 0; c < layer->out_channels; c++)
        pack_channel(layer->weight_int8 + (size_t)c * qmt_layer_taps(layer), layer->bias_int32[c], &channels[c]);
}
