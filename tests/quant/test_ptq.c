/* Quantization without training, seen from outside: the runtime runs what came out. */
#include "runtime/kernels/network.h"
#include "runtime/model/onnx.h"
#include "runtime/models.h"
#include "toolkit/quant/ptq.h"

#include <string.h>

enum { samples = 96 };

typedef struct fixture {
    int side;
    uint8_t *pixels;
    qmt_quantize_config config;
} fixture;

/* Smooth random crops: neighbors are alike, as in pictures. */
static fixture make(qmt_net_id net)
{
    fixture f = {.side = qmt_net_side(net)};
    size_t side = (size_t)f.side;
    qmt_config config;
    test_random random = {(uint64_t)net + 5};
    qmt_config_default(&config);
    f.config = config.quantize;
    f.pixels = qmt_alloc(samples * 3, side * side);
    assert_non_null(f.pixels);
    for (size_t s = 0; s < samples; s++) {
        float base[3], x = test_real(&random) / 4, y = test_real(&random) / 4;
        for (int c = 0; c < 3; c++)
            base[c] = 128 + 80 * test_real(&random);
        for (size_t i = 0; i < side * side; i++)
            for (size_t c = 0; c < 3; c++) {
                float wave = 40 * sinf(x * (float)(i % side) + y * (float)(i / side) + (float)c);
                float value = base[c] + wave + 10 * test_real(&random);
                f.pixels[(s * side * side + i) * 3 + c] = (uint8_t)fminf(fmaxf(value, 0), 255);
            }
    }
    return f;
}

static void quantize(const fixture *f, qmt_model *model, int threads, qmt_ptq_report *report)
{
    qmtcnn_error error;
    qmt_pool *pool;
    assert_ok(qmt_pool_create(threads, &pool, &error), &error);
    assert_ok(qmt_ptq(model, f->pixels, samples, &f->config, pool, report, &error), &error);
    assert_ok(qmt_model_check(model, &error), &error);
    qmt_pool_free(pool);
}

/* What the heads give for each sample, by the runtime: logit difference, box, landmarks. */
typedef struct answers {
    float face[samples], box[samples][4], landmarks[samples][10];
} answers;

static answers *run(const fixture *f, const qmt_model *model, qmtcnn_precision precision)
{
    qmtcnn_error error;
    qmt_network *network;
    qmt_workspace *workspace;
    answers *to = qmt_alloc_zero(1, sizeof *to);
    assert_non_null(to);
    qmt_outputs outputs = {.logit = to->face, .box = to->box[0], .landmarks = to->landmarks[0]};
    assert_ok(qmt_network_create(model, precision, NULL, &network, &error), &error);
    assert_ok(qmt_workspace_create(&workspace, &error), &error);
    assert_ok(qmt_network_run(network, workspace, f->pixels, 3 * f->side, samples, f->side, f->side, &outputs, NULL,
                              NULL, &error),
              &error);
    qmt_workspace_free(workspace);
    qmt_network_free(network);
    return to;
}

/* Signal to noise in decibels, and the largest mean difference of a channel over its root mean square. */
static double sqnr_of(const float *a, const float *b, size_t channels, double *largest_mean)
{
    double signal = 0, noise = 0;
    *largest_mean = 0;
    for (size_t c = 0; c < channels; c++) {
        double mean = 0, power = 0;
        for (size_t s = 0; s < samples; s++) {
            double x = (double)a[s * channels + c], d = (double)b[s * channels + c] - x;
            signal += x * x;
            noise += d * d;
            power += x * x / samples;
            mean += d / samples;
        }
        *largest_mean = fmax(*largest_mean, fabs(mean) / sqrt(power));
    }
    return 10 * log10(signal / noise);
}

static void clear(fixture *f)
{
    qmt_free(f->pixels);
}

/* Figures of one setting on O-Net's relatives. */
typedef struct figures {
    double landmarks, box, mean;
    qmt_ptq_report report;
} figures;

static figures measure(qmt_net_id net, qmt_activation activation, qmt_rounding rounding, bool bias, bool equalize,
                       qmt_observer_kind observer)
{
    figures found;
    fixture f = make(net);
    f.config.rounding = rounding;
    f.config.bias_correction = bias;
    f.config.equalize = equalize;
    f.config.calibration_observer = observer;
    qmt_model *model = test_make_model_of(test_table_of(net), net, false, activation, 3);
    answers *real = run(&f, model, QMTCNN_PRECISION_FP32);
    quantize(&f, model, 2, &found.report);
    answers *int8 = run(&f, model, QMTCNN_PRECISION_INT8);
    double mean;
    found.box = sqnr_of(real->box[0], int8->box[0], 4, &found.mean);
    found.landmarks = sqnr_of(real->landmarks[0], int8->landmarks[0], 10, &mean);
    found.mean = fmax(found.mean, mean);
    qmt_free(int8);
    qmt_free(real);
    qmt_model_free(model);
    clear(&f);
    return found;
}

/* What the report says of the heads is what the runtime's integers show. */
static void test_report_is_true(void **state)
{
    (void)state;
    for (int net = 0; net < qmt_net_count; net++)
        for (int activation = QMT_ACTIVATION_RELU;
             activation <= (net == QMT_ONET ? QMT_ACTIVATION_RELU : QMT_ACTIVATION_PRELU); activation++) {
            /* O-Net's adaptive rounding takes too long for a test. */
            qmt_rounding rounding = net == QMT_ONET ? QMT_ROUND_NEAREST : QMT_ROUND_ADAPTIVE;
            figures found =
                measure((qmt_net_id)net, (qmt_activation)activation, rounding, true, false, QMT_OBSERVE_MSE);
            int trunk = test_table_of((qmt_net_id)net)->layers;
            const qmt_ptq_layer *box = &found.report.layers[trunk + QMT_HEAD_BOX];
            assert_true(box->int8 && box->input_range > 0);
            assert_float_equal(box->sqnr, found.box, 0.1);
            assert_float_equal(found.report.layers[trunk + QMT_HEAD_LANDMARKS].sqnr, found.landmarks, 0.1);
            assert_true(found.box > 20);
            assert_int_equal(found.report.count, trunk + qmt_head_count);
        }
}

static void test_each_step_helps(void **state)
{
    (void)state;
    for (int net = QMT_PNET; net <= QMT_RNET; net++) {
        const qmt_activation relu = QMT_ACTIVATION_RELU;
        figures plain = measure((qmt_net_id)net, relu, QMT_ROUND_NEAREST, false, false, QMT_OBSERVE_MINMAX);
        figures bias = measure((qmt_net_id)net, relu, QMT_ROUND_NEAREST, true, false, QMT_OBSERVE_MINMAX);
        figures both = measure((qmt_net_id)net, relu, QMT_ROUND_ADAPTIVE, true, false, QMT_OBSERVE_MINMAX);
        assert_true(bias.landmarks > plain.landmarks && bias.box > plain.box);
        assert_true(both.landmarks + both.box > bias.landmarks + bias.box + 0.25);
        /* The mean error is gone, but for values that lie on the edge between two steps. */
        assert_true(plain.mean > 1e-3);
        assert_true(bias.mean < plain.mean / 4);
        assert_true(both.mean < plain.mean / 4);
    }
}

static void assert_same(const float *a, const float *b, size_t count)
{
    float largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(a[i]));
    for (size_t i = 0; i < count; i++)
        assert_float_equal(a[i], b[i], 1e-5 * (double)largest);
}

/* The same FP32 network, and weights of equal ranges on both sides of every channel. */
static void test_equalization(void **state)
{
    (void)state;
    for (int net = 0; net < qmt_net_count; net++)
        for (int activation = QMT_ACTIVATION_RELU; activation <= QMT_ACTIVATION_PRELU; activation++) {
            fixture f = make((qmt_net_id)net);
            qmt_model *model = test_make_model_of(test_table_of((qmt_net_id)net), (qmt_net_id)net, false,
                                                  (qmt_activation)activation, 9);
            /* Channels of very different sizes, as batch normalization leaves them. */
            qmt_layer *first = &model->layers[0];
            for (int c = 0; c < first->out_channels; c++)
                for (size_t i = 0; i < qmt_layer_taps(first); i++)
                    first->weight[(size_t)c * qmt_layer_taps(first) + i] *= exp2f((float)(c % 7 - 3));
            answers *before = run(&f, model, QMTCNN_PRECISION_FP32);
            qmt_equalize(model);
            answers *after = run(&f, model, QMTCNN_PRECISION_FP32);
            assert_same(before->box[0], after->box[0], samples * 4);
            assert_same(before->landmarks[0], after->landmarks[0], samples * 10);
            const qmt_layer *second = &model->layers[1];
            size_t area = (size_t)second->kernel_height * (size_t)second->kernel_width;
            for (int c = 0; c < first->out_channels; c++) {
                float row = 0, column = 0;
                for (size_t i = 0; i < qmt_layer_taps(first); i++)
                    row = fmaxf(row, fabsf(first->weight[(size_t)c * qmt_layer_taps(first) + i]));
                for (size_t o = 0; o < (size_t)second->out_channels; o++)
                    for (size_t i = 0; i < area; i++)
                        column =
                            fmaxf(column, fabsf(second->weight[o * qmt_layer_taps(second) + (size_t)c * area + i]));
                assert_true(fabsf(row / column - 1) < 0.02f);
            }
            qmt_free(after);
            qmt_free(before);
            qmt_model_free(model);
            clear(&f);
        }
}

/* The same bytes for any number of threads. */
static void test_threads(void **state)
{
    (void)state;
    void *data[2];
    size_t size[2];
    for (int i = 0; i < 2; i++) {
        qmtcnn_error error;
        fixture f = make(QMT_RNET);
        f.config.equalize = true;
        qmt_model *model = test_make_model_of(test_table_of(QMT_RNET), QMT_RNET, false, QMT_ACTIVATION_RELU, 4);
        quantize(&f, model, i == 0 ? 1 : 5, NULL);
        qmt_onnx_options options = {0};
        assert_ok(qmt_onnx_write(model, &options, &data[i], &size[i], &error), &error);
        qmt_model_free(model);
        clear(&f);
    }
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(data[0], data[1], size[0]);
    qmt_free(data[0]);
    qmt_free(data[1]);
}

/* Quantizing what came out with the largest weight's scale gives the same integers: so a checkpoint that holds only the
 * FP32 weights loses nothing. */
static void test_weights_tell_their_scales(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        fixture f = make(QMT_PNET);
        qmtcnn_error error;
        f.config.weight_range = k & 1 ? QMT_WEIGHT_MSE : QMT_WEIGHT_MAX;
        f.config.rounding = k & 2 ? QMT_ROUND_ADAPTIVE : QMT_ROUND_NEAREST;
        qmt_model *model = test_make_model_of(test_table_of(QMT_PNET), QMT_PNET, false, QMT_ACTIVATION_RELU, 6);
        quantize(&f, model, 1, NULL);
        for (int i = 0; i < model->layer_count; i++) {
            qmt_layer *layer = &model->layers[i];
            size_t weights = (size_t)layer->out_channels * qmt_layer_taps(layer);
            int8_t *before = qmt_alloc(weights, 1);
            assert_non_null(before);
            memcpy(before, layer->weight_int8, weights);
            assert_ok(qmt_layer_quantize(layer, layer->input_scale, NULL, &error), &error);
            assert_memory_equal(before, layer->weight_int8, weights);
            qmt_free(before);
        }
        qmt_model_free(model);
        clear(&f);
    }
}

static void test_kept_layers(void **state)
{
    (void)state;
    fixture f = make(QMT_RNET);
    qmt_ptq_report report;
    snprintf(f.config.keep_fp32, sizeof f.config.keep_fp32, "rnet/conv2, pnet/conv1,heads");
    qmt_model *model = test_make_model_of(test_table_of(QMT_RNET), QMT_RNET, false, QMT_ACTIVATION_RELU, 6);
    quantize(&f, model, 1, &report);
    for (int i = 0; i < model->layer_count; i++)
        assert_true((model->layers[i].weight_int8 != NULL) == (strcmp(model->layers[i].name, "conv2") != 0));
    for (int h = 0; h < qmt_head_count; h++)
        assert_null(model->heads[h].weight_int8);
    assert_true(!report.layers[1].int8 && report.layers[1].input_range > 0);
    assert_true(report.layers[0].int8 && !report.layers[5].int8);
    qmt_model_free(model);
    clear(&f);
}

/* Dead channels, a network without landmarks, and pictures of one color. */
static void test_degenerate(void **state)
{
    (void)state;
    fixture f = make(QMT_PNET);
    f.config.equalize = true;
    qmt_model *model = test_make_model_of(test_table_of(QMT_PNET), QMT_PNET, false, QMT_ACTIVATION_RELU, 6);
    size_t taps = qmt_layer_taps(&model->layers[1]);
    memset(model->layers[1].weight, 0, taps * sizeof(float));
    model->layers[1].bias[0] = -1;
    qmt_layer_clear(&model->heads[QMT_HEAD_LANDMARKS]);
    memset(f.pixels, 77, samples * 3 * 12 * 12);
    qmt_ptq_report report;
    quantize(&f, model, 1, &report);
    assert_int_equal(report.count, 5);
    qmt_model_free(model);
    clear(&f);
}

static void test_refusals(void **state)
{
    (void)state;
    fixture f = make(QMT_PNET);
    qmtcnn_error error;
    qmt_model *model = test_make_model_of(test_table_of(QMT_PNET), QMT_PNET, true, QMT_ACTIVATION_RELU, 6);
    assert_int_equal(qmt_ptq(model, f.pixels, samples, &f.config, NULL, NULL, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "INT8 already"));
    assert_int_equal(qmt_ptq(model, f.pixels, 0, &f.config, NULL, NULL, &error), QMTCNN_ERROR_ARGUMENT);
    qmt_model_free(model);
    clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_is_true), cmocka_unit_test(test_each_step_helps),
        cmocka_unit_test(test_equalization),   cmocka_unit_test(test_threads),
        cmocka_unit_test(test_kept_layers),    cmocka_unit_test(test_weights_tell_their_scales),
        cmocka_unit_test(test_degenerate),     cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
