/* Any model on some kernels beside the plain C ones. */
#include "runtime/kernels/selftest.h"

#include <math.h>
#include <string.h>

enum { most_tensors = qmt_max_layers + qmt_head_count, most_steps = 2 };

/* FP32 kernels may fuse products and sums, which moves the last bits; INT8 tensors behind them may move by a step. */
static const double most_real = 1e-4, most_behind_real = 2.0 / 127;
static const uint64_t fnv_start = 14695981039346656037u, fnv_prime = 1099511628211u;

/* What plain C gave for a layer. */
struct kept {
    void *values;
    size_t count;
    float scale;
    bool int8;
};

struct comparison {
    const char *name;
    const qmt_model *model;
    struct kept kept[most_tensors];
    qmt_selftest_sink sink;
    void *state;
    bool exact;               /* all layers so far are INT8 */
    bool rounded;             /* an FP32 tensor was rounded to INT8 */
    char first[qmt_max_name]; /* layer that differs */
    double first_largest;
    bool first_int8;
    qmtcnn_status status;
};

static size_t tensor_values(const qmt_tap_tensor *tensor)
{
    return (size_t)tensor->height * (size_t)tensor->width * (size_t)tensor->channels;
}

static void keep(void *state, const qmt_tap_tensor *tensor)
{
    struct comparison *comparison = state;
    const size_t count = tensor_values(tensor), size = tensor->int8 ? 1 : sizeof(float);
    if (tensor->layer >= most_tensors)
        return;
    struct kept *kept = &comparison->kept[tensor->layer];
    kept->values = qmt_alloc(count, size);
    if (!kept->values) {
        comparison->status = QMTCNN_ERROR_MEMORY;
        return;
    }
    kept->count = count;
    kept->int8 = tensor->int8 != NULL;
    memcpy(kept->values, tensor->int8 ? (const void *)tensor->int8 : (const void *)tensor->real, count * size);
}

static uint64_t hash_values(const void *values, size_t bytes)
{
    const uint8_t *byte = values;
    uint64_t hash = fnv_start;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ byte[i]) * fnv_prime;
    return hash;
}

static double byte_at(const void *values, size_t i, bool is_unsigned)
{
    return is_unsigned ? ((const uint8_t *)values)[i] : ((const int8_t *)values)[i];
}

/* Counts values that differ; the largest difference in steps, or over the largest value. */
static void measure(const struct kept *kept, const qmt_tap_tensor *tensor, qmt_selftest_row *row)
{
    double largest = 0, reach = 0;
    row->values = kept->count;
    for (size_t i = 0; i < kept->count; i++) {
        const double a =
            kept->int8 ? byte_at(kept->values, i, tensor->is_unsigned) : (double)((const float *)kept->values)[i];
        const double b = tensor->int8 ? byte_at(tensor->int8, i, tensor->is_unsigned) : (double)tensor->real[i];
        row->differ += a != b;
        largest = fabs(a - b) > largest ? fabs(a - b) : largest;
        reach = fabs(a) > reach ? fabs(a) : reach;
    }
    row->largest = kept->int8 || reach == 0 ? largest : largest / reach;
}

static bool is_int8(const qmt_model *model, int layer)
{
    const qmt_layer *at =
        layer < model->layer_count ? &model->layers[layer] : &model->heads[layer - model->layer_count];
    return at->weight_int8 != NULL;
}

/* How far a tensor with FP32 layers behind it may be off, as row->largest has it. */
static double tolerance(const struct comparison *comparison, const struct kept *kept, bool int8)
{
    if (kept->int8)
        return most_steps;
    return comparison->rounded || int8 ? most_behind_real : most_real;
}

static void compare(void *state, const qmt_tap_tensor *tensor)
{
    struct comparison *comparison = state;
    if (tensor->layer >= most_tensors)
        return;
    const struct kept *kept = &comparison->kept[tensor->layer];
    if (kept->count != tensor_values(tensor) || kept->int8 != (tensor->int8 != NULL)) {
        comparison->status = QMTCNN_ERROR_NUMERIC;
        return;
    }
    const bool int8 = is_int8(comparison->model, tensor->layer);
    const bool exact = comparison->exact && int8;
    const size_t size = kept->int8 ? 1 : sizeof(float);
    qmt_selftest_row row = {
        .network = comparison->name,
        .layer = tensor->name,
        .hash = hash_values(tensor->int8 ? (const void *)tensor->int8 : tensor->real, kept->count * size),
        .expected = hash_values(kept->values, kept->count * size)};
    measure(kept, tensor, &row);
    row.same = row.differ == 0 || (!exact && row.largest <= tolerance(comparison, kept, int8));
    if (!row.same && !comparison->first[0]) {
        strncpy(comparison->first, tensor->name, sizeof comparison->first - 1);
        comparison->first_largest = row.largest;
        comparison->first_int8 = kept->int8;
    }
    if (tensor->layer < comparison->model->layer_count) {
        comparison->exact = exact;
        comparison->rounded = comparison->rounded || (!exact && kept->int8);
    }
    if (comparison->sink)
        comparison->sink(comparison->state, &row);
}

static qmtcnn_status run_on(const qmt_model *model, const qmt_kernels *kernels, const uint8_t *pixels, int width,
                            int height, qmt_tap tap, struct comparison *comparison, qmtcnn_error *error)
{
    qmt_network *network = NULL;
    qmt_workspace *workspace = NULL;
    const qmt_outputs nothing = {.face = NULL};
    qmtcnn_status status = qmt_network_create(model, QMTCNN_PRECISION_AUTO, kernels, &network, error);
    if (status == QMTCNN_OK)
        status = qmt_workspace_create(&workspace, error);
    if (status == QMTCNN_OK)
        status = qmt_network_run(network, workspace, pixels, 3 * (ptrdiff_t)width, 1, height, width, &nothing, tap,
                                 comparison, error);
    if (status == QMTCNN_OK && comparison->status != QMTCNN_OK)
        status = qmt_fail(error, comparison->status, "%s",
                          comparison->status == QMTCNN_ERROR_MEMORY
                              ? "out of memory: a copy of a layer's values"
                              : "kernels give a layer another size or type than plain C does");
    qmt_workspace_free(workspace);
    qmt_network_free(network);
    return status;
}

static qmtcnn_status fail_layer(const struct comparison *comparison, const qmt_kernels *kernels, qmtcnn_error *error)
{
    return qmt_fail(error, QMTCNN_ERROR_NUMERIC,
                    "self-test: kernels %s, %s, layer %s differs from plain C by up to %.3g %s; use other kernels, and "
                    "report it with this processor's name and the compiler's",
                    kernels->name, comparison->name, comparison->first, comparison->first_largest,
                    comparison->first_int8 ? "steps" : "of its largest value");
}

qmtcnn_status qmt_selftest_model(const qmt_model *model, const char *name, const qmt_kernels *kernels,
                                 qmt_selftest_sink sink, void *state, qmtcnn_error *error)
{
    struct comparison comparison = {.name = name, .model = model, .sink = sink, .state = state, .exact = true};
    int count, width, height;
    qmt_selftest_pictures(model->net, &count, &width, &height);
    if (model->input_width > 0) {
        width = model->input_width;
        height = model->input_height;
    }
    const size_t bytes = 3 * (size_t)width * (size_t)height;
    uint8_t *pixels = qmt_alloc(bytes, 1);
    if (!pixels)
        return qmt_fail_memory(error, bytes, "the self-test's picture");
    qmt_selftest_fill(pixels, 1, width, height);
    qmtcnn_status status = run_on(model, qmt_kernels_c(), pixels, width, height, keep, &comparison, error);
    if (status == QMTCNN_OK)
        status = run_on(model, kernels, pixels, width, height, compare, &comparison, error);
    if (status == QMTCNN_OK && comparison.first[0])
        status = fail_layer(&comparison, kernels, error);
    for (int i = 0; i < most_tensors; i++)
        qmt_free(comparison.kept[i].values);
    qmt_free(pixels);
    return status;
}
