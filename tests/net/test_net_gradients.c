/* Forward and gradients of training against double precision and central differences. */
#include "net/reference.h"

typedef struct fixture {
    qmt_net *net;
    qmt_pool *pool;
    qmt_pass *pass;
    ref_net *ref;
    double *input, *r, scales[qmt_net_max_layers];
    qmt_net_state state;
    int samples;
} fixture;

/* One training step's forward and backward pass, and a reference that is ready to be differentiated. */
static fixture run_step(const qmt_net_table *table, int samples, qmt_net_state state)
{
    fixture f = {0};
    qmtcnn_error error;
    f.samples = samples;
    f.state = state;
    assert_ok(qmt_net_create(table, 5, &f.net, &error), &error);
    shake(f.net, 3);
    assert_ok(qmt_pool_create(2, &f.pool, &error), &error);
    assert_ok(qmt_pass_create(f.net, samples, f.pool, NULL, &f.pass, &error), &error);
    f.ref = ref_create(f.net, samples, !state.batch_norm_frozen);
    f.input = fill_inputs(&f.ref->table, f.pass, samples, 11);
    f.r = fill_loss(f.pass, samples, 12);
    assert_ok(qmt_net_forward(f.net, f.pass, samples / 16, &state, &error), &error);
    if (state.mode == QMT_MODE_QAT)
        ref_take_quantized(f.ref, f.pass);
    for (int i = 0; i < f.ref->table.layer_count; i++)
        f.scales[i] = f.pass->layers[i].input_scale;
    /* Also sets the base point. */
    double *outputs = ref_forward(f.ref, f.input, f.scales), most = 0, worst = 0;
    for (int s = 0; s < samples; s++)
        for (int c = 0; c < 16; c++) {
            double got = qmt_pass_output(f.pass, s / 16)[c * 16 + s % 16];
            most = fmax(most, fabs(outputs[s * 16 + c]));
            worst = fmax(worst, fabs(outputs[s * 16 + c] - got));
        }
    free(outputs);
    if (!(worst <= 1e-5 * most))
        fail_msg("outputs differ by %g of %g", worst, most);
    assert_ok(qmt_net_backward(f.net, f.pass, samples / 16, &state, &error), &error);
    return f;
}

static void end_step(fixture *f)
{
    qmt_pass_free(f->pass);
    qmt_pool_free(f->pool);
    qmt_net_free(f->net);
    ref_free(f->ref);
    free(f->input);
    free(f->r);
}

/* d loss / d (value at `index`), central. */
static double difference(fixture *f, double *value)
{
    const double h = 1e-6;
    double at = *value;
    *value = at + h;
    double up = ref_loss(f->ref, f->input, f->scales, f->r);
    *value = at - h;
    double down = ref_loss(f->ref, f->input, f->scales, f->r);
    *value = at;
    return (up - down) / (2 * h);
}

/* Some entries of every array of every layer. */
static void check_entries(fixture *f, int entries)
{
    qmt_random random = qmt_random_stream(9, 0, 0);
    for (int l = 0; l < f->ref->table.layer_count; l++)
        for (int a = 0; a < ref_arrays; a++) {
            const qmt_parameter *p = find_parameter(f->net, f->ref->table.layers[l].name, ref_array_name(a));
            if (!p || !p->gradient)
                continue;
            double wrong = 0, size = 0;
            for (int i = 0; i < entries; i++) {
                size_t k = qmt_random_below(&random, p->count);
                double expected = difference(f, &f->ref->values[l][a][k]);
                wrong += pow(p->gradient[k] - expected, 2);
                size += expected * expected;
            }
            if (!(sqrt(wrong) <= 1e-4 * sqrt(size) + 1e-9))
                fail_msg("%s: gradient off by %g of %g", p->name, sqrt(wrong), sqrt(size));
        }
}

/* The derivative along the gradient itself, one array at a time: sees all entries at once. */
static void check_directions(fixture *f, int array)
{
    for (int l = 0; l < f->ref->table.layer_count; l++) {
        const qmt_parameter *p = find_parameter(f->net, f->ref->table.layers[l].name, ref_array_name(array));
        if (!p)
            continue;
        double norm = 0, loss[2];
        for (size_t k = 0; k < p->count; k++)
            norm += (double)p->gradient[k] * p->gradient[k];
        norm = sqrt(norm);
        double h = 1e-6;
        for (int side = 0; side < 2; side++) {
            for (size_t k = 0; k < p->count; k++)
                f->ref->values[l][array][k] += (side ? -2 : 1) * h * p->gradient[k] / norm;
            loss[side] = ref_loss(f->ref, f->input, f->scales, f->r);
        }
        double expected = (loss[0] - loss[1]) / (2 * h);
        if (!(fabs(expected - norm) <= 1e-4 * fabs(expected)))
            fail_msg("%s: derivative along the gradient %g, its norm %g", p->name, expected, norm);
        for (size_t k = 0; k < p->count; k++)
            f->ref->values[l][array][k] += h * p->gradient[k] / norm;
    }
}

static void check_small(qmt_activation activation, bool batch_norm, bool frozen, qmt_net_mode mode, bool per_channel)
{
    qmt_net_table table = small_table(activation, batch_norm);
    qmt_net_state state = state_for(mode, true);
    state.batch_norm_frozen = frozen;
    state.quantize.per_channel = per_channel;
    fixture f = run_step(&table, 48, state);
    check_entries(&f, 8);
    end_step(&f);
}

static void test_relu_batch_norm(void **state)
{
    (void)state;
    check_small(QMT_ACTIVATION_RELU, true, false, QMT_MODE_FP32, true);
}

static void test_prelu_batch_norm(void **state)
{
    (void)state;
    check_small(QMT_ACTIVATION_PRELU, true, false, QMT_MODE_FP32, true);
}

static void test_frozen_batch_norm(void **state)
{
    (void)state;
    check_small(QMT_ACTIVATION_RELU, true, true, QMT_MODE_FP32, true);
}

static void test_no_batch_norm(void **state)
{
    (void)state;
    check_small(QMT_ACTIVATION_PRELU, false, false, QMT_MODE_FP32, true);
    check_small(QMT_ACTIVATION_NONE, false, false, QMT_MODE_FP32, true);
}

static void test_qat(void **state)
{
    (void)state;
    check_small(QMT_ACTIVATION_RELU, true, false, QMT_MODE_QAT, true);
    check_small(QMT_ACTIVATION_PRELU, true, false, QMT_MODE_QAT, false);
}

static void test_qat_frozen(void **state)
{
    (void)state;
    check_small(QMT_ACTIVATION_RELU, true, true, QMT_MODE_QAT, true);
    check_small(QMT_ACTIVATION_RELU, false, false, QMT_MODE_QAT, true);
}

/* A range under the largest value: clipped inputs pass no gradient. */
static void test_qat_clipping(void **unused)
{
    (void)unused;
    qmt_net_table table = small_table(QMT_ACTIVATION_RELU, true);
    qmt_net_state state = state_for(QMT_MODE_QAT, true);
    qmt_net *net = NULL;
    qmtcnn_error error;
    assert_ok(qmt_net_create(&table, 5, &net, &error), &error);
    qmt_net_free(net);
    state.quantize.activation_observer = QMT_OBSERVE_HISTOGRAM;
    state.quantize.percentile = 90;
    fixture f = run_step(&table, 48, state);
    qmt_layer_quant_stats stats[qmt_net_max_layers];
    assert_int_equal(qmt_net_quant_stats(f.net, f.pass, stats), 6);
    for (int i = 1; i < 6; i++)
        assert_true(stats[i].input_saturation > 0.01f && stats[i].input_saturation < 0.2f);
    check_entries(&f, 8);
    end_step(&f);
}

static void check_network(qmt_net_id id, int samples, qmt_net_mode mode)
{
    qmt_net_table table = qmt_net_table_for(id, QMT_ACTIVATION_RELU, true);
    fixture f = run_step(&table, samples, state_for(mode, true));
    check_directions(&f, ref_weight);
    if (id == QMT_PNET)
        for (int array = ref_bias; array <= ref_beta; array++)
            check_directions(&f, array);
    end_step(&f);
}

static void test_pnet(void **state)
{
    (void)state;
    check_network(QMT_PNET, 64, QMT_MODE_FP32);
    check_network(QMT_PNET, 64, QMT_MODE_QAT);
}

static void test_rnet(void **state)
{
    (void)state;
    check_network(QMT_RNET, 16, QMT_MODE_FP32);
    check_network(QMT_RNET, 16, QMT_MODE_QAT);
}

static void test_onet(void **state)
{
    (void)state;
    check_network(QMT_ONET, 16, QMT_MODE_FP32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relu_batch_norm),
        cmocka_unit_test(test_prelu_batch_norm),
        cmocka_unit_test(test_frozen_batch_norm),
        cmocka_unit_test(test_no_batch_norm),
        cmocka_unit_test(test_qat),
        cmocka_unit_test(test_qat_frozen),
        cmocka_unit_test(test_qat_clipping),
        cmocka_unit_test(test_pnet),
        cmocka_unit_test(test_rnet),
        cmocka_unit_test(test_onet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
