/* Walks a network in strips of rows. Each layer keeps only the rows that the next strip still needs, so that nothing is
 * computed twice and memory does not grow with the picture's height. */
#include "runtime/base/clock.h"
#include "runtime/kernels/network_plan.h"

#include <math.h>
#include <string.h>

enum {
    most_pictures = 8 /* side by side: a tile of pixels of the INT8 kernels */
};

struct qmt_workspace {
    char *memory;
    size_t bytes;
    qmt_step_times *times; /* NULL: not wanted */
};

struct job {
    const qmt_network *network;
    const qmt_outputs *outputs;
    qmt_tap tap;
    void *tap_state;
    ptrdiff_t stride;
    ptrdiff_t picture; /* bytes from a picture to the next */
    qmt_step_times *times;
};

/* The clock, where times are wanted. */
static double start_time(const struct job *job)
{
    return job->times ? qmt_seconds() : 0;
}

/* Adds what passed since `start` to a time, if it is wanted. */
static void add_time(double *time, double start)
{
    if (time)
        *time += qmt_seconds() - start;
}

/* Rows [0, end) of a layer's output need rows up to the returned one of its input. */
static int input_end(const qmt_layer *layer, const qmt_plan_step *step, int end)
{
    if (end <= 0)
        return 0;
    int convolution = layer->pool_kernel ? (end - 1) * layer->pool_stride + layer->pool_kernel : end;
    if (convolution > step->convolution_height)
        convolution = step->convolution_height;
    return convolution + layer->kernel_height - 1;
}

/* Drops the rows before `first`, so that the strip has room for new ones. */
static void drop_rows(qmt_plan_step *step, int first)
{
    if (first <= step->first)
        return;
    size_t skip = (size_t)(first - step->first) * step->row_bytes;
    if (first < step->end)
        memmove(step->rows, step->rows + skip, (size_t)(step->end - first) * step->row_bytes);
    step->first = first;
}

/* The place of row `y` in the strip. */
static char *row_at(const qmt_plan_step *step, int y)
{
    return step->rows + (size_t)(y - step->first) * step->row_bytes;
}

/* Computes rows [to->end, end) of layer i's output from the strip before it. */
static void run_layer(const qmt_network *network, qmt_plan *plan, int i, int end)
{
    const struct qmt_stage *stage = &network->stages[i];
    qmt_plan_step *from = &plan->steps[i], *to = &plan->steps[i + 1];
    int first = to->end * (stage->shape.pool_kernel ? stage->shape.pool_stride : 1);
    qmt_strip strip = {.input = row_at(from, first),
                       .input_width = from->width,
                       .output = row_at(to, to->end),
                       .output_width = to->width,
                       .output_rows = end - to->end,
                       .convolution_height = from->convolution_height - first,
                       .scratch = plan->scratch,
                       .pictures = plan->pictures};
    stage->kernels->run(stage->packed, &strip);
    to->end = end;
}

/* Spreads the pixels (of `size` bytes) of a picture's row over a row of several pictures. */
static void spread_row(const char *line, int width, size_t size, int pictures, char *row)
{
    for (int x = 0; x < width; x++, row += (size_t)pictures * size)
        if (size == sizeof(uint32_t))
            memcpy(row, line + (size_t)x * sizeof(uint32_t), sizeof(uint32_t));
        else
            memcpy(row, line + (size_t)x * size, size);
}

/* The first layer's input rows [first, end). */
static void normalize(const struct job *job, qmt_plan *plan, const uint8_t *pixels, int first, int end)
{
    const qmt_network *network = job->network;
    qmt_plan_step *step = &plan->steps[0];
    pixels += first * job->stride;
    if (plan->pictures == 1) {
        network->kernels->normalize(&network->pixels, pixels, job->stride, step->width, end - first,
                                    row_at(step, first));
        return;
    }
    const size_t size = step->row_bytes / (size_t)(plan->pictures * step->width);
    for (int n = 0; n < plan->pictures; n++)
        for (int y = first; y < end; y++) {
            network->kernels->normalize(&network->pixels, pixels + n * job->picture + (y - first) * job->stride,
                                        job->stride, step->width, 1, plan->line);
            spread_row(plan->line, step->width, size, plan->pictures, row_at(step, y) + (size_t)n * size);
        }
}

/* Makes the trunk's output rows up to `end`. */
static void advance(const struct job *job, qmt_plan *plan, const uint8_t *pixels, int end)
{
    const qmt_network *network = job->network;
    int ends[qmt_max_plan_steps];
    ends[network->stage_count] = end;
    for (int i = network->stage_count - 1; i >= 0; i--) {
        const qmt_layer *layer = &network->stages[i].shape;
        ends[i] = input_end(layer, &plan->steps[i], ends[i + 1]);
        drop_rows(&plan->steps[i], plan->steps[i + 1].end * (layer->pool_kernel ? layer->pool_stride : 1));
    }
    qmt_plan_step *picture = &plan->steps[0];
    if (ends[0] > picture->end) {
        const double start = start_time(job);
        normalize(job, plan, pixels, picture->end, ends[0]);
        add_time(job->times ? &job->times->pixels : NULL, start);
        picture->end = ends[0];
    }
    for (int i = 0; i < network->stage_count; i++)
        if (ends[i + 1] > plan->steps[i + 1].end) {
            const double start = start_time(job);
            run_layer(network, plan, i, ends[i + 1]);
            add_time(job->times ? &job->times->layers[i] : NULL, start);
        }
}

/* Steps of a quantizer: INT8, or uint8 from 0 up. */
static void quantize_rows(const float *input, int8_t *output, size_t count, float scale, bool is_unsigned)
{
    for (size_t i = 0; i < count; i++)
        output[i] = is_unsigned ? (int8_t)qmt_quantize_unsigned(input[i], scale) : qmt_quantize_value(input[i], scale);
}

/* How many of a group's channels `outputs` (NULL: all) ask for: landmarks come last. */
static int wanted_channels(const qmt_network *network, int g, const qmt_outputs *outputs)
{
    const bool last = network->head_group[QMT_HEAD_LANDMARKS] == g && network->head_channel[QMT_HEAD_LANDMARKS] > 0;
    return outputs && !outputs->landmarks && last ? network->head_channel[QMT_HEAD_LANDMARKS] : 0;
}

/* Rows [first, first + rows) of every group's output. `outputs`: what is wanted of them; NULL: all. */
static void run_heads(const qmt_network *network, qmt_plan *plan, int first, int rows, const qmt_outputs *outputs)
{
    const qmt_plan_step *trunk = &plan->steps[network->stage_count];
    for (int g = 0; g < network->group_count; g++) {
        const struct qmt_head_group *group = &network->groups[g];
        const void *input = row_at(trunk, first);
        if (group->quantize) {
            size_t count = (size_t)(rows + network->head_shape.kernel_height - 1) * trunk->row_bytes / sizeof(float);
            quantize_rows(input, (int8_t *)plan->quantized[g], count, group->input_scale, group->input_unsigned);
            input = plan->quantized[g];
        }
        qmt_strip strip = {.input = input,
                           .input_width = trunk->width,
                           .output = plan->head_rows[g],
                           .output_width = plan->output_width,
                           .output_rows = rows,
                           .convolution_height = trunk->convolution_height - first,
                           .scratch = plan->scratch,
                           .pictures = plan->pictures,
                           .channels = wanted_channels(network, g, outputs)};
        group->kernels->run(group->packed, &strip);
    }
}

/* The first channel of a head in the computed rows; *step: floats a pixel. */
static const float *head_values(const qmt_network *network, const qmt_plan *plan, qmt_head head, size_t *step)
{
    int g = network->head_group[head];
    *step = (size_t)network->groups[g].padded;
    return (const float *)(const void *)plan->head_rows[g] + network->head_channel[head];
}

static void write_faces(const qmt_network *network, const qmt_plan *plan, const qmt_outputs *outputs, size_t at,
                        size_t count)
{
    size_t step;
    const float *value = head_values(network, plan, QMT_HEAD_FACE, &step);
    for (size_t i = 0; i < count; i++, value += step) {
        float logit = value[1] - value[0];
        if (outputs->logit)
            outputs->logit[at + i] = logit;
        if (outputs->face)
            outputs->face[at + i] = qmt_sigmoid(logit);
    }
}

static void write_landmarks(const qmt_network *network, const qmt_plan *plan, float *output, size_t count)
{
    enum { points = 5 };
    size_t step;
    const float *value = head_values(network, plan, QMT_HEAD_LANDMARKS, &step);
    for (size_t i = 0; i < count; i++, value += step, output += 2 * points)
        for (int p = 0; p < points; p++) {
            output[2 * p] = value[network->landmarks_planar ? p : 2 * p];
            output[2 * p + 1] = value[network->landmarks_planar ? points + p : 2 * p + 1];
        }
}

/* A logit below which no probability is over the threshold: found by halving, then moved down by far more than rounding
 * can move it. -inf where all are. */
static float logit_floor(float threshold)
{
    float low = -90, high = 90;
    if (!(qmt_sigmoid(low) <= threshold))
        return -INFINITY;
    for (int i = 0; i < 24; i++) {
        const float middle = 0.5f * (low + high);
        if (qmt_sigmoid(middle) > threshold)
            high = middle;
        else
            low = middle;
    }
    return low - 0.01f;
}

static void write_cells(const qmt_network *network, const qmt_plan *plan, qmt_face_cells *cells, size_t at,
                        size_t count)
{
    size_t step, box_step;
    const float *value = head_values(network, plan, QMT_HEAD_FACE, &step);
    const float *box = head_values(network, plan, QMT_HEAD_BOX, &box_step);
    const size_t width = (size_t)plan->output_width;
    for (size_t i = 0; i < count; i++, value += step, box += box_step) {
        const float logit = value[1] - value[0];
        if (!(logit > plan->logit_floor) || cells->count == cells->room)
            continue;
        const float face = qmt_sigmoid(logit);
        if (!(face > cells->threshold))
            continue;
        qmt_face_cell *cell = &cells->found[cells->count++];
        *cell = (qmt_face_cell){.row = (int)((at + i) / width), .column = (int)((at + i) % width), .face = face};
        memcpy(cell->box, box, sizeof cell->box);
    }
}

/* Copies `count` computed pixels to the caller's arrays, from pixel `at` on. */
static void write_outputs(const qmt_network *network, const qmt_plan *plan, const qmt_outputs *outputs, size_t at,
                          size_t count)
{
    enum { sides = 4, coordinates = 10 };
    if (outputs->face || outputs->logit)
        write_faces(network, plan, outputs, at, count);
    if (outputs->cells && network->head_group[QMT_HEAD_BOX] >= 0)
        write_cells(network, plan, outputs->cells, at, count);
    if (outputs->box && network->head_group[QMT_HEAD_BOX] >= 0) {
        size_t step;
        const float *value = head_values(network, plan, QMT_HEAD_BOX, &step);
        for (size_t i = 0; i < count; i++, value += step)
            memcpy(outputs->box + (at + i) * sides, value, sides * sizeof(float));
    }
    if (outputs->landmarks && network->head_group[QMT_HEAD_LANDMARKS] >= 0)
        write_landmarks(network, plan, outputs->landmarks + at * coordinates, count);
}

/* Hands every tensor of a picture that was run as one strip to the tap. */
static void call_tap(const struct job *job, qmt_plan *plan)
{
    const qmt_network *network = job->network;
    for (int i = 0; i < network->stage_count; i++) {
        const struct qmt_stage *stage = &network->stages[i];
        const qmt_plan_step *step = &plan->steps[i + 1];
        size_t size = stage->output_int8 ? sizeof(int8_t) : sizeof(float);
        size_t pixels = (size_t)step->height * (size_t)step->width, channels = (size_t)stage->shape.out_channels * size;
        size_t padded = step->row_bytes / (size_t)step->width;
        for (size_t p = 0; p < pixels; p++)
            memcpy((char *)plan->tap + p * channels, step->rows + p * padded, channels);
        qmt_tap_tensor tensor = {.name = stage->shape.name,
                                 .layer = i,
                                 .height = step->height,
                                 .width = step->width,
                                 .channels = stage->shape.out_channels,
                                 .int8 = stage->output_int8 ? (const int8_t *)plan->tap : NULL,
                                 .is_unsigned = stage->output_unsigned,
                                 .real = stage->output_int8 ? NULL : plan->tap,
                                 .scale = stage->output_scale};
        job->tap(job->tap_state, &tensor);
    }
    for (int i = 0; i < qmt_head_count; i++) {
        static const int channels[qmt_head_count] = {2, 4, 10};
        size_t step, pixels = (size_t)plan->output_height * (size_t)plan->output_width, count = (size_t)channels[i];
        if (network->head_group[i] < 0)
            continue;
        const float *value = head_values(network, plan, (qmt_head)i, &step);
        for (size_t p = 0; p < pixels; p++)
            memcpy(plan->tap + p * count, value + p * step, count * sizeof(float));
        qmt_tap_tensor tensor = {.name = network->head_name[i],
                                 .layer = network->stage_count + i,
                                 .height = plan->output_height,
                                 .width = plan->output_width,
                                 .channels = channels[i],
                                 .real = plan->tap};
        job->tap(job->tap_state, &tensor);
    }
}

/* Runs the plan's pictures, the first at `pixels`. */
static void run_pictures(const struct job *job, qmt_plan *plan, const uint8_t *pixels, size_t at)
{
    const qmt_network *network = job->network;
    for (int i = 0; i <= network->stage_count; i++)
        plan->steps[i].first = plan->steps[i].end = 0;
    for (int y = 0; y < plan->output_height; y += plan->strip) {
        int rows = plan->strip < plan->output_height - y ? plan->strip : plan->output_height - y;
        drop_rows(&plan->steps[network->stage_count], y);
        advance(job, plan, pixels, y + rows + network->head_shape.kernel_height - 1);
        const double start = start_time(job);
        run_heads(network, plan, y, rows, job->tap ? NULL : job->outputs);
        write_outputs(network, plan, job->outputs, at + (size_t)y * (size_t)plan->output_width,
                      (size_t)rows * (size_t)plan->output_width * (size_t)plan->pictures);
        add_time(job->times ? &job->times->heads : NULL, start);
    }
    if (job->tap)
        call_tap(job, plan);
}

static qmtcnn_status check_run(const qmt_network *network, ptrdiff_t stride, int count, int height, int width,
                               qmtcnn_error *error)
{
    int out_height, out_width;
    const char *name = qmt_net_name(network->net);
    if (count < 0 || height < 1 || width < 1 || stride < (ptrdiff_t)width * 3)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%s: %d pictures of %d x %d pixels, rows of %td bytes", name,
                        count, width, height, stride);
    if (network->net != QMT_PNET && (height != network->input_height || width != network->input_width))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%s takes %d x %d pixels, not %d x %d", name,
                        network->input_width, network->input_height, width, height);
    if (!qmt_network_output_size(network, height, width, &out_height, &out_width))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%s: a picture of %d x %d pixels is too small, or too large",
                        name, width, height);
    for (int i = 0; i < network->stage_count; i++) {
        /* A row of convolution output, as often as the largest pool keeps it: every size of a row fits if this does. */
        uint64_t channels = (uint64_t)network->stages[i].shape.out_channels + qmt_channel_step;
        if ((uint64_t)width * channels * sizeof(float) * (qmt_max_pool + 1) > SIZE_MAX)
            return qmt_fail(error, QMTCNN_ERROR_MEMORY, "%s: rows of %d pixels need more memory than can be addressed",
                            name, width);
    }
    return QMTCNN_OK;
}

/* Makes the workspace hold `bytes`; what was in it is lost. */
static qmtcnn_status grow(qmt_workspace *workspace, uint64_t bytes, qmtcnn_error *error)
{
    if (bytes <= workspace->bytes)
        return QMTCNN_OK;
    qmt_free(workspace->memory);
    workspace->memory = bytes <= SIZE_MAX ? qmt_alloc((size_t)bytes, 1) : NULL;
    workspace->bytes = workspace->memory ? (size_t)bytes : 0;
    return workspace->memory ? QMTCNN_OK : qmt_fail_memory(error, (size_t)bytes, "a network's strips");
}

/* How many pictures run side by side: their maps' rows fill whole tiles then, and a fully connected layer's weights
 * serve all of them. Only where each has a single output, so that results lie in the pictures' order. */
static int pictures_together(const qmt_network *network, int count, int height, int width)
{
    int out_height = 0, out_width = 0;
    qmt_network_output_size(network, height, width, &out_height, &out_width);
    if (!network->interleaves || out_height != 1 || out_width != 1)
        return 1;
    return count < most_pictures ? count : most_pictures;
}

static qmtcnn_status make_plan(const qmt_network *network, qmt_workspace *workspace, int pictures, int height,
                               int width, bool tapped, qmt_plan *plan, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_plan_make(network, pictures, height, width, tapped, plan, error);
    if (status == QMTCNN_OK)
        status = grow(workspace, plan->bytes, error);
    if (status == QMTCNN_OK)
        qmt_plan_place(network, tapped, plan, workspace->memory);
    return status;
}

qmtcnn_status qmt_network_run(const qmt_network *network, qmt_workspace *workspace, const uint8_t *pixels,
                              ptrdiff_t stride, int count, int height, int width, const qmt_outputs *outputs,
                              qmt_tap tap, void *tap_state, qmtcnn_error *error)
{
    qmtcnn_status status = check_run(network, stride, count, height, width, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_plan plan = {0};
    struct job job = {network, outputs, tap, tap_state, stride, stride * height, workspace->times};
    const int together = tap ? 1 : pictures_together(network, count, height, width);
    for (int n = 0; n < count; n += plan.pictures) {
        const int pictures = count - n < together ? count - n : together;
        if (pictures != plan.pictures) {
            status = make_plan(network, workspace, pictures, height, width, tap != NULL, &plan, error);
            if (status != QMTCNN_OK)
                return status;
            if (outputs->cells)
                plan.logit_floor = logit_floor(outputs->cells->threshold);
        }
        run_pictures(&job, &plan, pixels + n * job.picture,
                     (size_t)n * (size_t)plan.output_height * (size_t)plan.output_width);
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_workspace_create(qmt_workspace **workspace, qmtcnn_error *error)
{
    *workspace = qmt_alloc_zero(1, sizeof **workspace);
    return *workspace ? QMTCNN_OK : qmt_fail_memory(error, sizeof **workspace, "a workspace");
}

void qmt_workspace_free(qmt_workspace *workspace)
{
    if (workspace)
        qmt_free(workspace->memory);
    qmt_free(workspace);
}

void qmt_workspace_time(qmt_workspace *workspace, qmt_step_times *times)
{
    workspace->times = times;
}

size_t qmt_workspace_bytes(const qmt_workspace *workspace)
{
    return sizeof *workspace + workspace->bytes;
}
