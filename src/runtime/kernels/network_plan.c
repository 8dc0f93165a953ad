#include "runtime/kernels/network_plan.h"

enum { strip_budget = 192 * 1024 /* bytes of all strips together: about half of a small L2 cache */ };

static uint64_t align_size(uint64_t bytes)
{
    enum { line = 64 };
    return (bytes + line - 1) / line * line;
}

/* Shapes of all tensors for an input of height x width. */
static void plan_sizes(const qmt_network *network, int height, int width, qmt_plan *plan)
{
    for (int i = 0; i <= network->stage_count; i++) {
        qmt_plan_step *step = &plan->steps[i];
        bool head = i == network->stage_count;
        const qmt_layer *layer = head ? &network->head_shape : &network->stages[i].shape;
        bool int8 = i == 0 ? network->pixels.scale > 0 : network->stages[i - 1].output_int8;
        int padded = qmt_padded_channels(layer->in_channels, i == 0);
        step->height = height;
        step->width = width;
        step->convolution_height = height - layer->kernel_height + 1;
        step->row_bytes =
            (size_t)plan->pictures * (size_t)width * (size_t)padded * (int8 ? sizeof(int8_t) : sizeof(float));
        qmt_layer_output_size(layer, height, width, &height, &width);
    }
    plan->output_height = height;
    plan->output_width = width;
}

/* Rows of each strip for `strip` rows of output at a time, and the bytes of all together. */
static uint64_t plan_rows(const qmt_network *network, qmt_plan *plan, int strip)
{
    uint64_t bytes = 0;
    int rows = strip;
    for (int i = network->stage_count; i >= 0; i--) {
        qmt_plan_step *step = &plan->steps[i];
        const qmt_layer *layer = i == network->stage_count ? &network->head_shape : &network->stages[i].shape;
        int convolution = layer->pool_kernel ? (rows - 1) * layer->pool_stride + layer->pool_kernel : rows;
        rows = convolution + layer->kernel_height - 1;
        step->capacity = rows < step->height ? rows : step->height;
        rows = step->capacity;
        bytes += align_size((uint64_t)step->capacity * step->row_bytes);
    }
    return bytes;
}

/* The largest strip that stays in the budget, so that rows are read again while they are in the cache. */
static void plan_strip(const qmt_network *network, qmt_plan *plan, uint64_t budget)
{
    int low = 1, high = plan->output_height;
    while (low < high) {
        int middle = low + (high - low + 1) / 2;
        if (plan_rows(network, plan, middle) <= budget)
            low = middle;
        else
            high = middle - 1;
    }
    plan->strip = low;
    plan_rows(network, plan, low);
}

static char *take(char **memory, uint64_t bytes, uint64_t *total)
{
    char *at = *memory;
    if (at)
        *memory = at + (size_t)align_size(bytes);
    *total += align_size(bytes);
    return at;
}

/* Bytes of a whole tensor without padding, the largest of all: for taps. */
static uint64_t tap_bytes(const qmt_network *network, const qmt_plan *plan)
{
    uint64_t largest = (uint64_t)plan->output_height * (uint64_t)plan->output_width * 16 * sizeof(float);
    for (int i = 0; i <= network->stage_count; i++) {
        uint64_t bytes = (uint64_t)plan->steps[i].height * plan->steps[i].row_bytes;
        largest = bytes > largest ? bytes : largest;
    }
    return largest;
}

/* Gives every buffer its place from `memory` on (NULL: only counts). */
static void assign(const qmt_network *network, qmt_plan *plan, char *memory, bool tapped)
{
    const size_t pictures = (size_t)plan->pictures;
    size_t scratch = 0;
    plan->bytes = 0;
    for (int i = 0; i <= network->stage_count; i++) {
        qmt_plan_step *step = &plan->steps[i];
        step->rows = take(&memory, (uint64_t)step->capacity * step->row_bytes, &plan->bytes);
        if (i < network->stage_count) {
            size_t size =
                network->stages[i].kernels->scratch_size(network->stages[i].packed, plan->pictures * step->width);
            scratch = size > scratch ? size : scratch;
        }
    }
    const qmt_plan_step *last = &plan->steps[network->stage_count];
    for (int g = 0; g < network->group_count; g++) {
        const struct qmt_head_group *group = &network->groups[g];
        uint64_t values = (uint64_t)plan->strip * (uint64_t)plan->output_width * (uint64_t)group->padded * pictures;
        plan->head_rows[g] = take(&memory, values * sizeof(float), &plan->bytes);
        /* A quarter of the real tensor's bytes, whose padding it shares. */
        uint64_t quantized = group->quantize ? (uint64_t)last->capacity * (last->row_bytes / sizeof(float)) : 0;
        plan->quantized[g] = take(&memory, quantized, &plan->bytes);
        size_t size = group->kernels->scratch_size(group->packed, plan->pictures * last->width);
        scratch = size > scratch ? size : scratch;
    }
    plan->scratch = take(&memory, scratch, &plan->bytes);
    plan->line = take(&memory, pictures > 1 ? plan->steps[0].row_bytes / pictures : 0, &plan->bytes);
    plan->tap = (float *)(void *)take(&memory, tapped ? tap_bytes(network, plan) : 0, &plan->bytes);
}

qmtcnn_status qmt_plan_make(const qmt_network *network, int pictures, int height, int width, bool tapped,
                            qmt_plan *plan, qmtcnn_error *error)
{
    *plan = (qmt_plan){.pictures = pictures};
    plan_sizes(network, height, width, plan);
    for (int i = 0; i <= network->stage_count; i++) {
        /* Kernels count offsets inside a window of rows, widened to 16 bits, in 32 bits. */
        const qmt_layer *layer = i == network->stage_count ? &network->head_shape : &network->stages[i].shape;
        if ((uint64_t)plan->steps[i].row_bytes > INT32_MAX / 2 / (uint64_t)layer->kernel_height)
            return qmt_fail(error, QMTCNN_ERROR_MEMORY, "%s: rows of %d pixels are too long for a layer of %d channels",
                            qmt_net_name(network->net), width, layer->in_channels);
    }
    plan_strip(network, plan, tapped ? UINT64_MAX : strip_budget);
    assign(network, plan, NULL, tapped);
    return QMTCNN_OK;
}

void qmt_plan_place(const qmt_network *network, bool tapped, qmt_plan *plan, char *memory)
{
    assign(network, plan, memory, tapped);
}
