/* Tables, parameters, determinism, checkpoints, errors, and that networks learn. */
#include "net/reference.h"

static void test_tables(void **state)
{
    (void)state;
    /* Multiply-adds counted by hand from the design's table. */
    const double forward[] = {10.0 * 100 * 27 + 16 * 9 * 90 + 32 * 144 + 16 * 32,
                              28.0 * 484 * 27 + 48.0 * 81 * 252 + 64.0 * 9 * 192 + 128 * 576 + 16 * 128,
                              32.0 * 2116 * 27 + 64.0 * 441 * 288 + 64.0 * 64 * 576 + 128.0 * 9 * 256 + 256 * 1152 +
                                  16 * 256};
    const double first[] = {27000, 28.0 * 484 * 27, 32.0 * 2116 * 27};
    for (int id = 0; id < qmt_net_count; id++) {
        qmt_net_table table = qmt_net_table_for((qmt_net_id)id, QMT_ACTIVATION_RELU, true), back;
        qmtcnn_error error;
        char text[qmt_table_text_size], again[qmt_table_text_size];
        assert_true(qmt_net_forward_macs(&table) == forward[id]);
        assert_true(qmt_net_training_macs(&table) == 3 * forward[id] - first[id]);
        qmt_net_table_text(&table, text);
        assert_ok(qmt_net_table_parse(text, &back, &error), &error);
        qmt_net_table_text(&back, again);
        assert_string_equal(text, again);
        assert_int_equal(back.layers[back.layer_count - 1].in_side, 1);
    }
    const char too_many[] = "0 12; a 1 1 0 0 0 0; b 1 1 0 0 0 0; c 1 1 0 0 0 0; d 1 1 0 0 0 0; e 1 1 0 0 0 0;"
                            " f 1 1 0 0 0 0; g 1 1 0 0 0 0; h 1 1 0 0 0 0; heads 16 12 0 0 0 0";
    const char *const bad[] = {"",
                               "0",
                               "3 12; heads 16 12 0 0 0 0",
                               "0 12; heads 16 11 0 0 0 0",
                               "0 12; heads 15 12 0 0 0 0",
                               "0 12; a 99999 3 1 1 0 0; heads 16 10 0 0 0 0",
                               "0 12; a 4 3 1 7 0 0; heads 16 10 0 0 0 0",
                               "0 12; a 4 3 1 1 2 3; heads 16 5 0 0 0 0",
                               "0 12; a 4 3 1 1 11 1; heads 16 1 0 0 0 0",
                               "0 12; heads 16 12 0 0 0 0 9",
                               "0 12; heads 16 12 1 0 0 0",
                               "0 -12; heads 16 12 0 0 0 0",
                               too_many};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        qmt_net_table table;
        assert_int_equal(qmt_net_table_parse(bad[i], &table, NULL), QMTCNN_ERROR_FORMAT);
    }
}

static void test_initialization(void **state)
{
    (void)state;
    qmt_net_table table = qmt_net_table_for(QMT_ONET, QMT_ACTIVATION_RELU, true);
    qmt_net *net = NULL, *same = NULL, *other = NULL;
    qmtcnn_error error;
    assert_ok(qmt_net_create(&table, 1, &net, &error), &error);
    assert_ok(qmt_net_create(&table, 1, &same, &error), &error);
    assert_ok(qmt_net_create(&table, 2, &other, &error), &error);
    for (int i = 0; i < table.layer_count; i++) {
        const qmt_parameter *w = find_parameter(net, table.layers[i].name, "weight");
        double sum = 0, square = 0, fan_in = (double)w->count / table.layers[i].out_channels;
        for (size_t k = 0; k < w->count; k++) {
            sum += w->value[k];
            square += (double)w->value[k] * w->value[k];
        }
        double wanted = (i + 1 < table.layer_count ? 2 : 0.01) / fan_in, got = square / (double)w->count;
        assert_true(fabs(got / wanted - 1) < 6 / sqrt((double)w->count));
        assert_true(fabs(sum / (double)w->count) < 5 * sqrt(wanted / (double)w->count));
        assert_true(w->decay && w->gradient);
        assert_memory_equal(w->value, find_parameter(same, table.layers[i].name, "weight")->value,
                            w->count * sizeof(float));
        assert_memory_not_equal(w->value, find_parameter(other, table.layers[i].name, "weight")->value,
                                w->count * sizeof(float));
    }
    assert_null(find_parameter(net, "conv1", "bn.mean")->gradient);
    assert_false(find_parameter(net, "conv1", "bn.gamma")->decay);
    assert_null(find_parameter(net, "conv1", "bias"));
    assert_null(find_parameter(net, "fc", "bias"));
    qmt_net_free(other);
    qmt_net_free(same);
    qmt_net_free(net);
}

/* Everything that a few steps leave behind, as one string of bytes. */
typedef struct trace {
    uint8_t *bytes;
    size_t size;
} trace;

static void trace_add(trace *t, const void *data, size_t size)
{
    t->bytes = realloc(t->bytes, t->size + size);
    assert_non_null(t->bytes);
    memcpy(t->bytes + t->size, data, size);
    t->size += size;
}

static void descend(qmt_net *net, float rate)
{
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(net, &count);
    for (int i = 0; i < count; i++)
        for (size_t k = 0; parameters[i].gradient && k < parameters[i].count; k++)
            parameters[i].value[k] -= rate * parameters[i].gradient[k];
}

static void step(qmt_net *net, qmt_pass *pass, int samples, uint64_t seed, qmt_net_state state, trace *t)
{
    qmtcnn_error error;
    free(fill_inputs(qmt_net_get_table(net), pass, samples, seed));
    free(fill_loss(pass, samples, seed));
    assert_ok(qmt_net_forward(net, pass, samples / 16, &state, &error), &error);
    for (int g = 0; t && g < samples / 16; g++)
        trace_add(t, qmt_pass_output(pass, g), 256 * sizeof(float));
    if (!state.training)
        return;
    assert_ok(qmt_net_backward(net, pass, samples / 16, &state, &error), &error);
    descend(net, 0.0005f);
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(net, &count);
    for (int i = 0; t && i < count; i++) {
        trace_add(t, parameters[i].value, parameters[i].count * sizeof(float));
        if (parameters[i].gradient)
            trace_add(t, parameters[i].gradient, parameters[i].count * sizeof(float));
    }
}

/* FP32, calibration, QAT, QAT with all frozen, evaluation. */
static trace run_schedule(const qmt_net_table *table, int threads, int samples)
{
    trace t = {0};
    qmt_net *net = NULL;
    qmt_pool *pool = NULL;
    qmt_pass *pass = NULL;
    qmtcnn_error error;
    assert_ok(qmt_net_create(table, 8, &net, &error), &error);
    assert_ok(qmt_pool_create(threads, &pool, &error), &error);
    assert_ok(qmt_pass_create(net, samples, pool, NULL, &pass, &error), &error);
    qmt_net_state state = state_for(QMT_MODE_FP32, true);
    step(net, pass, samples, 1, state, &t);
    state = state_for(QMT_MODE_CALIBRATE, false);
    step(net, pass, samples, 2, state, &t);
    qmt_net_finish_calibration(net, &state.quantize);
    state = state_for(QMT_MODE_QAT, true);
    step(net, pass, samples, 3, state, &t);
    state.observers_frozen = state.batch_norm_frozen = true;
    step(net, pass, samples, 4, state, &t);
    step(net, pass, samples, 5, state_for(QMT_MODE_QAT, false), &t);
    for (int i = 0; i < table->layer_count; i++)
        trace_add(&t, &net->layers[i].input, sizeof net->layers[i].input);
    qmt_pass_free(pass);
    qmt_pool_free(pool);
    qmt_net_free(net);
    return t;
}

static void test_threads_give_the_same_bytes(void **state)
{
    (void)state;
    for (int id = 0; id < qmt_net_count; id++) {
        qmt_net_table table = qmt_net_table_for((qmt_net_id)id, QMT_ACTIVATION_RELU, true);
        int samples = id == QMT_ONET ? 48 : 112;
        trace one = run_schedule(&table, 1, samples);
        for (int threads = 2; threads <= 3; threads++) {
            trace more = run_schedule(&table, threads, samples);
            assert_int_equal(one.size, more.size);
            assert_memory_equal(one.bytes, more.bytes, one.size);
            free(more.bytes);
        }
        free(one.bytes);
    }
}

/* The sum over 12 groups is that over 6 and 6: what two ranks hold. */
static void test_tree(void **state)
{
    (void)state;
    qmt_random random = qmt_random_stream(1, 1, 1);
    float items[12][4], halves[12][4];
    for (int i = 0; i < 12; i++)
        for (int k = 0; k < 4; k++)
            items[i][k] = halves[i][k] = qmt_random_normal(&random);
    float expected[4] = {0};
    for (int k = 0; k < 4; k++) {
        float quarter[4];
        for (int q = 0; q < 4; q++)
            quarter[q] = items[3 * q][k] + (items[3 * q + 1][k] + items[3 * q + 2][k]);
        expected[k] = (quarter[0] + quarter[1]) + (quarter[2] + quarter[3]);
    }
    qmt_sum_floats(items[0], 4, 4, 12);
    qmt_sum_floats(halves[0], 4, 4, 6);
    qmt_sum_floats(halves[6], 4, 4, 6);
    for (int k = 0; k < 4; k++) {
        assert_true(items[0][k] == expected[k]);
        assert_true(halves[0][k] + halves[6][k] == expected[k]);
    }
}

static void save(qmt_net *net, const char *path)
{
    qmt_tensors_writer *writer = NULL;
    qmtcnn_error error;
    assert_ok(qmt_tensors_writer_create(&writer, &error), &error);
    assert_ok(qmt_net_save(net, writer, &error), &error);
    assert_ok(qmt_tensors_write(writer, path, &error), &error);
    qmt_tensors_writer_free(writer);
}

static qmt_net *load(const char *path, uint64_t seed)
{
    qmt_tensors_file *file = NULL;
    qmt_net_table table;
    qmt_net *net = NULL;
    qmtcnn_error error;
    assert_ok(qmt_tensors_open(path, &file, &error), &error);
    assert_ok(qmt_net_table_load(file, &table, &error), &error);
    assert_ok(qmt_net_create(&table, seed, &net, &error), &error);
    assert_ok(qmt_net_load(net, file, &error), &error);
    qmt_tensors_close(file);
    return net;
}

/* A run that is saved and loaded in its middle ends with the bytes of one that was not. */
static void test_checkpoint(void **unused)
{
    (void)unused;
    char *folder = test_make_folder(), path[600];
    snprintf(path, sizeof path, "%s/net.safetensors", folder);
    qmt_net_table table = qmt_net_table_for(QMT_PNET, QMT_ACTIVATION_PRELU, true);
    qmt_net *net = NULL;
    qmt_pass *pass = NULL;
    qmtcnn_error error;
    trace through = {0}, resumed = {0};
    assert_ok(qmt_net_create(&table, 8, &net, &error), &error);
    assert_ok(qmt_pass_create(net, 64, NULL, NULL, &pass, &error), &error);
    qmt_net_state qat = state_for(QMT_MODE_QAT, true);
    qat.quantize.activation_observer = QMT_OBSERVE_HISTOGRAM;
    step(net, pass, 64, 1, qat, NULL);
    save(net, path);
    step(net, pass, 64, 2, qat, &through);
    step(net, pass, 64, 3, state_for(QMT_MODE_QAT, false), &through);
    qmt_net *again = load(path, 99);
    step(again, pass, 64, 2, qat, &resumed);
    step(again, pass, 64, 3, state_for(QMT_MODE_QAT, false), &resumed);
    assert_int_equal(through.size, resumed.size);
    assert_memory_equal(through.bytes, resumed.bytes, through.size);
    free(through.bytes);
    free(resumed.bytes);
    qmt_pass_free(pass);
    qmt_net_free(again);
    qmt_net_free(net);
    test_remove_folder(folder);
}

/* Observers that can't be would keep calibration busy forever; a table that claims more than the file holds takes no
 * memory for it. */
static void test_impossible_checkpoint(void **unused)
{
    (void)unused;
    char *folder = test_make_folder(), path[600];
    snprintf(path, sizeof path, "%s/net.safetensors", folder);
    qmt_net_table table = qmt_net_table_for(QMT_PNET, QMT_ACTIVATION_RELU, true), read;
    qmt_net *net = NULL;
    qmt_tensors_file *file = NULL;
    qmtcnn_error error;
    assert_ok(qmt_net_create(&table, 1, &net, &error), &error);
    const float limits[] = {-1, 3, 0.75f};
    for (size_t i = 0; i < 3; i++) {
        net->layers[2].input.histogram_limit = limits[i];
        save(net, path);
        assert_ok(qmt_tensors_open(path, &file, &error), &error);
        assert_int_equal(qmt_net_load(net, file, &error), QMTCNN_ERROR_FORMAT);
        assert_non_null(strstr(error.message, "net.conv3.input"));
        qmt_tensors_close(file);
    }
    net->layers[2].input.histogram_limit = 4;
    net->layers[2].input.batches = -1;
    save(net, path);
    assert_ok(qmt_tensors_open(path, &file, &error), &error);
    assert_int_equal(qmt_net_load(net, file, &error), QMTCNN_ERROR_FORMAT);
    qmt_tensors_close(file);
    void *bytes = NULL;
    size_t size = 0;
    qmt_net_reset_observers(net);
    save(net, path);
    assert_ok(qmt_file_read(path, 1 << 24, &bytes, &size, &error), &error);
    char text[qmt_table_text_size], larger[qmt_table_text_size];
    qmt_net_table_text(&table, text);
    table.layers[0].out_channels = 90;
    table.layers[1].in_channels = 90;
    qmt_net_table_text(&table, larger);
    assert_int_equal(strlen(text), strlen(larger));
    size_t at = 0;
    while (at + 16 < size && memcmp((char *)bytes + at, text, 16) != 0)
        at++;
    assert_true(at + strlen(text) < size && strlen(text) > 16);
    for (size_t i = 0; i < strlen(text); i++)
        if (text[i] != larger[i])
            ((char *)bytes)[at + i] = larger[i];
    assert_ok(qmt_file_write(path, bytes, size, &error), &error);
    qmt_free(bytes);
    assert_ok(qmt_tensors_open(path, &file, &error), &error);
    assert_int_equal(qmt_net_table_load(file, &read, &error), QMTCNN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "net.conv1.weight"));
    qmt_tensors_close(file);
    qmt_net_free(net);
    test_remove_folder(folder);
}

static void test_foreign_checkpoint(void **unused)
{
    (void)unused;
    char *folder = test_make_folder(), path[600];
    snprintf(path, sizeof path, "%s/net.safetensors", folder);
    qmt_net_table relu = qmt_net_table_for(QMT_PNET, QMT_ACTIVATION_RELU, true),
                  prelu = qmt_net_table_for(QMT_PNET, QMT_ACTIVATION_PRELU, true);
    qmt_net *net = NULL, *other = NULL;
    qmt_tensors_file *file = NULL;
    qmtcnn_error error;
    assert_ok(qmt_net_create(&relu, 1, &net, &error), &error);
    assert_ok(qmt_net_create(&prelu, 2, &other, &error), &error);
    save(net, path);
    /* A NaN in the file, where conv1.weight lies. */
    void *bytes = NULL;
    size_t size = 0, at = 0;
    const float nan = NAN;
    assert_ok(qmt_file_read(path, 1 << 24, &bytes, &size, &error), &error);
    while (at + 64 < size && memcmp((char *)bytes + at, net->layers[0].weight, 64) != 0)
        at++;
    assert_true(at + 64 < size);
    memcpy((char *)bytes + at, &nan, sizeof nan);
    assert_ok(qmt_file_write(path, bytes, size, &error), &error);
    qmt_free(bytes);
    assert_ok(qmt_tensors_open(path, &file, &error), &error);
    assert_int_equal(qmt_net_load(other, file, &error), QMTCNN_ERROR_FORMAT);
    float before = net->layers[1].weight[0];
    net->layers[1].weight[0] = 7;
    assert_int_equal(qmt_net_load(net, file, &error), QMTCNN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "net.conv1.weight"));
    assert_true(net->layers[1].weight[0] == 7 && before != 7);
    qmt_tensors_close(file);
    qmt_net_free(other);
    qmt_net_free(net);
    test_remove_folder(folder);
}

static void test_errors_name_the_layer(void **unused)
{
    (void)unused;
    qmt_net_table table = qmt_net_table_for(QMT_RNET, QMT_ACTIVATION_RELU, true);
    qmt_net *net = NULL;
    qmt_pass *pass = NULL;
    qmtcnn_error error;
    assert_ok(qmt_net_create(&table, 8, &net, &error), &error);
    assert_int_equal(qmt_pass_create(net, 24, NULL, NULL, &pass, &error), QMTCNN_ERROR_ARGUMENT);
    assert_ok(qmt_pass_create(net, 32, NULL, NULL, &pass, &error), &error);
    free(fill_inputs(&table, pass, 32, 1));
    free(fill_loss(pass, 32, 1));
    qmt_net_state state = state_for(QMT_MODE_FP32, true);
    assert_int_equal(qmt_net_backward(net, pass, 2, &state, &error), QMTCNN_ERROR_ARGUMENT);
    assert_int_equal(qmt_net_forward(net, pass, 3, &state, &error), QMTCNN_ERROR_ARGUMENT);
    qmt_net_state early = state_for(QMT_MODE_QAT, false);
    assert_int_equal(qmt_net_forward(net, pass, 2, &early, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "conv2"));
    const float poison[] = {NAN, INFINITY, 3e38f};
    for (int i = 0; i < 3; i++) {
        float kept = net->layers[2].weight[5];
        net->layers[2].weight[5] = poison[i];
        for (int mode = QMT_MODE_FP32; mode <= QMT_MODE_QAT; mode += 2) {
            state.mode = (qmt_net_mode)mode;
            assert_int_equal(qmt_net_forward(net, pass, 2, &state, &error), QMTCNN_ERROR_NUMERIC);
            assert_non_null(strstr(error.message, "conv3"));
        }
        net->layers[2].weight[5] = kept;
    }
    state.mode = QMT_MODE_FP32;
    qmt_pass_input(pass, 1)[33] = NAN;
    assert_int_equal(qmt_net_forward(net, pass, 2, &state, &error), QMTCNN_ERROR_NUMERIC);
    assert_non_null(strstr(error.message, "conv1"));
    qmt_pass_input(pass, 1)[33] = 0;
    assert_ok(qmt_net_forward(net, pass, 2, &state, &error), &error);
    qmt_pass_output_gradient(pass, 1)[5] = NAN;
    assert_int_equal(qmt_net_backward(net, pass, 2, &state, &error), QMTCNN_ERROR_NUMERIC);
    qmt_pass_free(pass);
    qmt_net_free(net);
}

static void test_memory(void **unused)
{
    (void)unused;
    const int batches[] = {512, 512, 256};
    for (int id = 0; id < qmt_net_count; id++) {
        qmt_net_table table = qmt_net_table_for((qmt_net_id)id, QMT_ACTIVATION_RELU, true);
        qmt_net *net = NULL;
        qmt_pass *pass = NULL;
        qmtcnn_error error;
        assert_ok(qmt_net_create(&table, 8, &net, &error), &error);
        assert_ok(qmt_pass_create(net, batches[id], NULL, NULL, &pass, &error), &error);
        assert_true(qmt_pass_bytes(pass) < 300e6);
        qmt_pass_free(pass);
        qmt_net_free(net);
    }
}

/* Squared error on 32 samples with random targets falls to near 0: Adam (Kingma and Ba, 2015), whole batch. */
static void check_overfit(qmt_net_id id, qmt_net_mode mode, int steps, double limit)
{
    qmt_net_table table = qmt_net_table_for(id, QMT_ACTIVATION_RELU, true);
    qmt_net *net = NULL;
    qmt_pool *pool = NULL;
    qmt_pass *pass = NULL;
    qmtcnn_error error;
    assert_ok(qmt_net_create(&table, 4, &net, &error), &error);
    assert_ok(qmt_pool_create(2, &pool, &error), &error);
    assert_ok(qmt_pass_create(net, 32, pool, NULL, &pass, &error), &error);
    free(fill_inputs(&table, pass, 32, 21));
    double *target = fill_loss(pass, 32, 22);
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(net, &count);
    float *moments[64][2];
    assert_true(count < 64);
    for (int i = 0; i < count; i++)
        for (int m = 0; m < 2; m++)
            assert_non_null(moments[i][m] = calloc(parameters[i].count, sizeof(float)));
    qmt_net_state state = state_for(mode, true);
    double first = 0, loss = 0;
    for (int at = 1; at <= steps; at++) {
        assert_ok(qmt_net_forward(net, pass, 2, &state, &error), &error);
        loss = 0;
        for (int s = 0; s < 32; s++)
            for (int c = 0; c < 16; c++) {
                double off = qmt_pass_output(pass, s / 16)[c * 16 + s % 16] - target[s * 16 + c];
                qmt_pass_output_gradient(pass, s / 16)[c * 16 + s % 16] = (float)(2 * off / 512);
                loss += off * off / 512;
            }
        first = at == 1 ? loss : first;
        assert_ok(qmt_net_backward(net, pass, 2, &state, &error), &error);
        double rate = 0.004 * sqrt(1 - pow(0.999, at)) / (1 - pow(0.9, at));
        for (int i = 0; i < count; i++)
            for (size_t k = 0; parameters[i].gradient && k < parameters[i].count; k++) {
                float g = parameters[i].gradient[k], *m = &moments[i][0][k], *v = &moments[i][1][k];
                *m += 0.1f * (g - *m);
                *v += 0.001f * (g * g - *v);
                parameters[i].value[k] -= (float)(rate * *m / (sqrtf(*v) + 1e-8f));
            }
    }
    if (!(loss < limit * first))
        fail_msg("%s: loss %g after %g at the start", qmt_net_name(id), loss, first);
    for (int i = 0; i < count; i++)
        for (int m = 0; m < 2; m++)
            free(moments[i][m]);
    free(target);
    qmt_pass_free(pass);
    qmt_pool_free(pool);
    qmt_net_free(net);
}

static void test_pnet_learns(void **state)
{
    (void)state;
    check_overfit(QMT_PNET, QMT_MODE_FP32, 500, 0.02);
    check_overfit(QMT_PNET, QMT_MODE_QAT, 500, 0.05);
}

static void test_rnet_learns(void **state)
{
    (void)state;
    check_overfit(QMT_RNET, QMT_MODE_FP32, 60, 0.02);
    check_overfit(QMT_RNET, QMT_MODE_QAT, 60, 0.05);
}

static void test_onet_learns(void **state)
{
    (void)state;
    check_overfit(QMT_ONET, QMT_MODE_FP32, 40, 0.05);
    check_overfit(QMT_ONET, QMT_MODE_QAT, 40, 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_initialization),
        cmocka_unit_test(test_threads_give_the_same_bytes),
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_foreign_checkpoint),
        cmocka_unit_test(test_impossible_checkpoint),
        cmocka_unit_test(test_errors_name_the_layer),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_pnet_learns),
        cmocka_unit_test(test_rnet_learns),
        cmocka_unit_test(test_onet_learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
