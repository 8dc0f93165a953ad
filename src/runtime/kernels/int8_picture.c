#include "runtime/kernels/int8_picture.h"

#include <string.h>

#include "runtime/kernels/int8_search.h"

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

/* A channel's groups on their way into runs. */
struct groups {
    int parts[qmt_picture_most_groups];
    int weights[qmt_picture_most_groups][4];
    qmt_run_search search;
};

static void find_bounds(const int weights[4], int16_t bound[bounds])
{
    memset(bound, 0, bounds * sizeof *bound);
    qmt_search_add_weights(weights, bound, bound + 2);
}

static void add_group(struct groups *groups, int part, const int weights[4])
{
    const int at = groups->search.count++;
    groups->parts[at] = part;
    memcpy(groups->weights[at], weights, sizeof groups->weights[at]);
    find_bounds(weights, groups->search.bound[at]);
}

/* A part's weights; where they could overflow by themselves, half of each twice. */
static void add_part(struct groups *groups, int part, const int weights[4])
{
    int16_t bound[bounds];
    int half[2][4];
    find_bounds(weights, bound);
    const int largest = qmt_search_largest(bound, bounds);
    if (largest == 0)
        return;
    if (largest <= most_bound) {
        add_group(groups, part, weights);
        return;
    }
    for (int i = 0; i < 4; i++) {
        half[0][i] = weights[i] / 2;
        half[1][i] = weights[i] - half[0][i];
    }
    add_group(groups, part, half[0]);
    add_group(groups, part, half[1]);
}

static void gather(struct groups *groups, const int8_t *weight)
{
    const int8_t *red = weight, *green = red + side * side, *blue = green + side * side;
    groups->search.count = 0;
    groups->search.bounds = bounds;
    groups->search.most_bound = most_bound;
    groups->search.longest = qmt_picture_longest;
    for (int ky = 0; ky < side; ky++) {
        const int at = ky * side;
        const int first[4] = {red[at], green[at], blue[at], red[at + 1]};
        const int second[4] = {green[at + 1], green[at + 2], blue[at + 1], blue[at + 2]};
        add_part(groups, 2 * ky, first);
        add_part(groups, 2 * ky + 1, second);
    }
    const int last[4] = {red[side - 1], red[2 * side - 1], red[3 * side - 1], 0};
    add_part(groups, 2 * side, last);
}

static void pack_channel(const int8_t *weight, int32_t bias, qmt_picture_channel *channel)
{
    struct groups groups;
    const qmt_run_search *search = &groups.search;
    int count = 0, total = 0;
    memset(channel, 0, sizeof *channel);
    gather(&groups, weight);
    qmt_search_runs(&groups.search);
    channel->run_count = search->run_count;
    for (int want = qmt_picture_longest, run = 0; want > 0; want--)
        for (int i = 0, at = 0; i < search->run_count; at += search->length[i++]) {
            if (search->length[i] != want)
                continue;
            channel->lengths[run++] = (uint8_t)want;
            for (int j = at; j < at + want; j++, count++) {
                channel->parts[count] = (uint8_t)groups.parts[search->order[j]];
                for (int k = 0; k < 4; k++)
                    channel->weights[count][k] = (int8_t)groups.weights[search->order[j]][k];
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
