#include "runtime/kernels/selftest.h"

#include <string.h>

static const char *const network_names[qmt_selftest_networks] = {"P-Net",        "R-Net",        "O-Net",
                                                                 "P-Net, PReLU", "R-Net, PReLU", "O-Net, PReLU",
                                                                 "P-Net, uint8", "R-Net, uint8", "O-Net, uint8"};
static const uint64_t fnv_start = 14695981039346656037u, fnv_prime = 1099511628211u;

static uint64_t hash_bytes(uint64_t hash, const int8_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ (uint8_t)values[i]) * fnv_prime;
    return hash;
}

/* The bits of FP32 values, least byte first whatever this processor's order is. */
static uint64_t hash_real(uint64_t hash, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (int byte = 0; byte < 4; byte++)
            hash = (hash ^ (bits >> 8 * byte & 255)) * fnv_prime;
    }
    return hash;
}

/* ---- Built-in networks --------------------------------------------------------------------------------- */

/* One built-in network on its way through kernels. */
struct proof {
    int which;
    const qmt_kernels *kernels;
    int count, width, height;
    uint8_t *pixels;
    int layers; /* trunk and heads */
    char names[qmt_selftest_rows][16];
    uint64_t hashes[qmt_selftest_rows];
};

static void hash_layer(void *state, const qmt_tap_tensor *tensor)
{
    struct proof *proof = state;
    const size_t count = (size_t)tensor->height * (size_t)tensor->width * (size_t)tensor->channels;
    if (tensor->layer >= qmt_selftest_rows)
        return;
    uint64_t *hash = &proof->hashes[tensor->layer];
    *hash = tensor->int8 ? hash_bytes(*hash, tensor->int8, count) : hash_real(*hash, tensor->real, count);
}

/* The results once more, this time as detection runs: without a tap, in strips. */
static qmtcnn_status hash_outputs(struct proof *proof, const qmt_network *network, qmt_workspace *workspace,
                                  qmtcnn_error *error)
{
    enum { values = 1 + 4 + 10 + 1 };
    int height, width;
    if (!qmt_network_output_size(network, proof->height, proof->width, &height, &width))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "the built-in picture is too small");
    const size_t cells = (size_t)proof->count * (size_t)height * (size_t)width;
    float *memory = qmt_alloc(values * cells, sizeof *memory);
    if (!memory)
        return qmt_fail_memory(error, values * cells * sizeof *memory, "the self-test");
    const qmt_outputs outputs = {
        .face = memory, .box = memory + cells, .landmarks = memory + 5 * cells, .logit = memory + 15 * cells};
    qmtcnn_status status = qmt_network_run(network, workspace, proof->pixels, 3 * (ptrdiff_t)proof->width, proof->count,
                                           proof->height, proof->width, &outputs, NULL, NULL, error);
    if (status == QMTCNN_OK)
        proof->hashes[proof->layers] = hash_real(fnv_start, memory, values * cells);
    qmt_free(memory);
    return status;
}

static void name_layers(struct proof *proof, const qmt_model *model)
{
    proof->layers = model->layer_count + qmt_head_count;
    for (int i = 0; i < proof->layers; i++) {
        const qmt_layer *layer = i < model->layer_count ? &model->layers[i] : &model->heads[i - model->layer_count];
        strncpy(proof->names[i], layer->name, sizeof proof->names[i] - 1);
    }
    strcpy(proof->names[proof->layers], "outputs");
}

static qmtcnn_status run_proof(struct proof *proof, qmtcnn_error *error)
{
    qmt_model *model = NULL;
    qmt_network *network = NULL;
    qmt_workspace *workspace = NULL;
    const qmt_outputs nothing = {.face = NULL};
    for (int i = 0; i < qmt_selftest_rows; i++)
        proof->hashes[i] = fnv_start;
    qmtcnn_status status = qmt_selftest_network(proof->which, &model, error);
    if (status != QMTCNN_OK)
        return status;
    name_layers(proof, model);
    qmt_selftest_pictures(model->net, &proof->count, &proof->width, &proof->height);
    const size_t bytes = 3 * (size_t)proof->count * (size_t)proof->width * (size_t)proof->height;
    proof->pixels = qmt_alloc(bytes, 1);
    if (!proof->pixels)
        status = qmt_fail_memory(error, bytes, "the self-test's picture");
    if (status == QMTCNN_OK) {
        qmt_selftest_fill(proof->pixels, proof->count, proof->width, proof->height);
        status = qmt_network_create(model, QMTCNN_PRECISION_INT8, proof->kernels, &network, error);
    }
    if (status == QMTCNN_OK)
        status = qmt_workspace_create(&workspace, error);
    if (status == QMTCNN_OK)
        status = qmt_network_run(network, workspace, proof->pixels, 3 * (ptrdiff_t)proof->width, proof->count,
                                 proof->height, proof->width, &nothing, hash_layer, proof, error);
    if (status == QMTCNN_OK)
        status = hash_outputs(proof, network, workspace, error);
    qmt_workspace_free(workspace);
    qmt_network_free(network);
    qmt_free(proof->pixels);
    qmt_model_free(model);
    return status;
}

static qmtcnn_status fail_layer(const qmt_kernels *kernels, const qmt_selftest_row *row, qmtcnn_error *error)
{
    return qmt_fail(error, QMTCNN_ERROR_NUMERIC,
                    "self-test: kernels %s, %s, layer %s: its hash is %016llx and not %016llx, so this processor "
                    "computes other integers; use other kernels, and report it with its name and the compiler's",
                    kernels->name, row->network, row->layer, (unsigned long long)row->hash,
                    (unsigned long long)row->expected);
}

qmtcnn_status qmt_selftest_builtin(const qmt_kernels *kernels, qmt_selftest_sink sink, void *state, qmtcnn_error *error)
{
    qmtcnn_status result = QMTCNN_OK;
    for (int which = 0; which < qmt_selftest_networks; which++) {
        struct proof proof = {.which = which, .kernels = kernels};
        qmtcnn_status status = run_proof(&proof, error);
        if (status != QMTCNN_OK)
            return status;
        for (int i = 0; i <= proof.layers; i++) {
            const qmt_selftest_row row = {.network = network_names[which],
                                          .layer = proof.names[i],
                                          .same = proof.hashes[i] == qmt_selftest_expected[which][i],
                                          .hash = proof.hashes[i],
                                          .expected = qmt_selftest_expected[which][i]};
            if (!row.same && result == QMTCNN_OK)
                result = fail_layer(kernels, &row, error);
            if (sink)
                sink(state, &row);
        }
    }
    return result;
}
