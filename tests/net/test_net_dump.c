/* Writes one training step of each network, with all that another program needs to repeat it: scripts/check_pytorch.py
 * compares. `test_net_dump FOLDER` writes into FOLDER; without one, into a folder of its own that is then checked and
 * removed. */
#include "net/reference.h"

static const char *wanted_folder;

typedef struct dump {
    qmt_tensors_writer *writer;
    void *kept[256]; /* borrowed by the writer until it is written */
    int count;
} dump;

/* Adds a copy of some floats. */
static void add(dump *d, const char *prefix, const char *name, int dims, const size_t *shape, const float *values)
{
    char full[96];
    size_t count = 1;
    qmtcnn_error error;
    for (int i = 0; i < dims; i++)
        count *= shape[i];
    float *copy = malloc(count * sizeof *copy);
    assert_non_null(copy);
    assert_true(d->count < 256);
    memcpy(copy, values, count * sizeof *copy);
    d->kept[d->count++] = copy;
    snprintf(full, sizeof full, "%s%s", prefix, name);
    assert_ok(qmt_tensors_add(d->writer, full, QMT_F32, dims, shape, copy, &error), &error);
}

static void add_doubles(dump *d, const char *name, int dims, const size_t *shape, const double *values)
{
    size_t count = 1;
    for (int i = 0; i < dims; i++)
        count *= shape[i];
    float *floats = malloc(count * sizeof *floats);
    assert_non_null(floats);
    for (size_t i = 0; i < count; i++)
        floats[i] = (float)values[i];
    add(d, "", name, dims, shape, floats);
    free(floats);
}

static void add_parameters(dump *d, qmt_net *net, const char *prefix, bool gradients)
{
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(net, &count);
    for (int i = 0; i < count; i++) {
        const float *values = gradients ? parameters[i].gradient : parameters[i].value;
        if (values)
            add(d, prefix, parameters[i].name, parameters[i].dims, parameters[i].shape, values);
    }
}

/* A group's [C][H][W][16] of all samples as [sample][C][H][W]. */
static void add_map(dump *d, const char *prefix, const char *name, int samples, int channels, int side,
                    const float *values, const uint8_t *bytes)
{
    size_t plane = (size_t)channels * (size_t)side * (size_t)side, n = (size_t)samples;
    float *turned = malloc(n * plane * sizeof *turned);
    assert_non_null(turned);
    for (size_t i = 0; i < n * plane; i++) {
        size_t sample = i / plane, from = (sample / 16 * plane + i % plane) * 16 + sample % 16;
        turned[i] = values ? values[from] : (float)bytes[from];
    }
    add(d, prefix, name, 4, (size_t[]){n, (size_t)channels, (size_t)side, (size_t)side}, turned);
    free(turned);
}

/* What was chosen at ties: quantized inputs (QAT), which of each pool's window won, and (FP32) what a ReLU lets
 * through. */
static void add_choices(dump *d, const qmt_net_table *table, const qmt_pass *pass, int samples, bool qat)
{
    for (int i = 0; i < table->layer_count; i++) {
        const qmt_net_layer *l = &table->layers[i];
        const qmt_layer_pass *from = &pass->layers[i];
        if (qat)
            add_map(d, "quantized.", l->name, samples, l->in_channels, l->in_side, from->x, NULL);
        else if (l->activation == QMT_ACTIVATION_RELU && i + 1 < table->layer_count)
            add_map(d, "active.", l->name, samples, l->out_channels, l->out_side, pass->layers[i + 1].x, NULL);
        if (from->place)
            add_map(d, "winner.", l->name, samples, l->out_channels, l->out_side, NULL, from->place);
    }
}

static void run_step(dump *d, qmt_net *net, int samples, const qmt_net_state *state)
{
    qmt_pass *pass = NULL;
    qmtcnn_error error;
    const qmt_net_table *table = qmt_net_get_table(net);
    size_t side = (size_t)table->side, n = (size_t)samples, one = 1;
    assert_ok(qmt_pass_create(net, samples, NULL, NULL, &pass, &error), &error);
    double *input = fill_inputs(table, pass, samples, 31), *r = fill_loss(pass, samples, 32);
    add_doubles(d, "input", 4, (size_t[]){n, 3, side, side}, input);
    add_doubles(d, "output_gradient", 2, (size_t[]){n, 16}, r);
    add_parameters(d, net, "before.", false);
    assert_ok(qmt_net_forward(net, pass, samples / 16, state, &error), &error);
    for (size_t s = 0; s < n; s++)
        for (size_t c = 0; c < 16; c++)
            r[s * 16 + c] = qmt_pass_output(pass, (int)(s / 16))[c * 16 + s % 16];
    add_choices(d, table, pass, samples, state->mode == QMT_MODE_QAT);
    add_doubles(d, "output", 2, (size_t[]){n, 16}, r);
    assert_ok(qmt_net_backward(net, pass, samples / 16, state, &error), &error);
    add_parameters(d, net, "gradient.", true);
    add_parameters(d, net, "after.", false);
    for (int i = 0; i < table->layer_count; i++)
        add(d, "scale.", table->layers[i].name, 1, &one, &pass->layers[i].input_scale);
    free(input);
    free(r);
    qmt_pass_free(pass);
}

static void write_step(const char *folder, qmt_net_id id, const char *what, qmt_activation activation,
                       qmt_net_state state)
{
    dump d = {0};
    qmt_net *net = NULL;
    qmtcnn_error error;
    char path[700], text[qmt_table_text_size];
    qmt_net_table table = qmt_net_table_for(id, activation, true);
    assert_ok(qmt_net_create(&table, 5, &net, &error), &error);
    shake(net, 3);
    assert_ok(qmt_tensors_writer_create(&d.writer, &error), &error);
    qmt_net_table_text(&table, text);
    assert_ok(qmt_tensors_add_metadata(d.writer, "table", text, &error), &error);
    assert_ok(qmt_tensors_add_metadata(d.writer, "mode", state.mode == QMT_MODE_QAT ? "qat" : "fp32", &error), &error);
    assert_ok(qmt_tensors_add_metadata(d.writer, "frozen", state.batch_norm_frozen ? "yes" : "no", &error), &error);
    run_step(&d, net, id == QMT_ONET ? 16 : 64, &state);
    snprintf(path, sizeof path, "%s/%s-%s.safetensors", folder, qmt_net_name(id), what);
    assert_ok(qmt_tensors_write(d.writer, path, &error), &error);
    qmt_tensors_writer_free(d.writer);
    for (int i = 0; i < d.count; i++)
        free(d.kept[i]);
    qmt_net_free(net);
}

static void test_dump(void **unused)
{
    (void)unused;
    char *own = wanted_folder ? NULL : test_make_folder();
    const char *folder = wanted_folder ? wanted_folder : own;
    for (int id = 0; id < qmt_net_count; id++) {
        write_step(folder, (qmt_net_id)id, "fp32", QMT_ACTIVATION_RELU, state_for(QMT_MODE_FP32, true));
        write_step(folder, (qmt_net_id)id, "prelu", QMT_ACTIVATION_PRELU, state_for(QMT_MODE_FP32, true));
        qmt_net_state state = state_for(QMT_MODE_QAT, true);
        write_step(folder, (qmt_net_id)id, "qat", QMT_ACTIVATION_RELU, state);
        state.batch_norm_frozen = true;
        write_step(folder, (qmt_net_id)id, "frozen", QMT_ACTIVATION_RELU, state);
    }
    if (!own)
        return;
    char path[600];
    qmt_tensors_file *file = NULL;
    qmtcnn_error error;
    const void *data;
    snprintf(path, sizeof path, "%s/pnet-qat.safetensors", folder);
    assert_ok(qmt_tensors_open(path, &file, &error), &error);
    assert_ok(qmt_tensors_get(file, "gradient.conv2.weight", QMT_F32, 4, (size_t[]){16, 10, 3, 3}, &data, &error),
              &error);
    assert_null(qmt_tensors_find(file, "gradient.conv1.bn.mean"));
    qmt_tensors_close(file);
    test_remove_folder(own);
}

int main(int argc, char **argv)
{
    wanted_folder = argc > 1 ? argv[1] : NULL;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dump)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
