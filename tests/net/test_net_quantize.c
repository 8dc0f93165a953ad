/* Normalization, fake quantization in networks, calibration, and the way to an INT8 model and back. */
#include "net/reference.h"

#include "runtime/kernels/network.h"

typedef struct fixture {
    qmt_net *net;
    qmt_pool *pool;
    qmt_pass *pass;
    int samples;
} fixture;

static fixture start(const qmt_net_table *table, int samples)
{
    fixture f = {0};
    qmtcnn_error error;
    f.samples = samples;
    assert_ok(qmt_net_create(table, 5, &f.net, &error), &error);
    shake(f.net, 3);
    assert_ok(qmt_pool_create(2, &f.pool, &error), &error);
    assert_ok(qmt_pass_create(f.net, samples, f.pool, NULL, &f.pass, &error), &error);
    return f;
}

static void end(fixture *f)
{
    qmt_pass_free(f->pass);
    qmt_pool_free(f->pool);
    qmt_net_free(f->net);
}

static void forward(fixture *f, qmt_net_state state)
{
    qmtcnn_error error;
    assert_ok(qmt_net_forward(f->net, f->pass, f->samples / 16, &state, &error), &error);
}

static double output(const fixture *f, int sample, int channel)
{
    return qmt_pass_output(f->pass, sample / 16)[channel * 16 + sample % 16];
}

/* Running statistics after one step: torch's rule, with the unbiased variance. */
static void test_running_statistics(void **unused)
{
    (void)unused;
    qmt_net_table table = qmt_net_table_for(QMT_PNET, QMT_ACTIVATION_RELU, true);
    fixture f = start(&table, 48);
    ref_net *ref = ref_create(f.net, 48, true);
    double *input = fill_inputs(&table, f.pass, 48, 4);
    qmt_net_state state = state_for(QMT_MODE_FP32, true);
    forward(&f, state);
    free(ref_forward(ref, input, NULL));
    for (int l = 0; l < 3; l++) {
        double count = 48.0 * table.layers[l].conv_side * table.layers[l].conv_side;
        for (int c = 0; c < table.layers[l].out_channels; c++) {
            double mean = 0.9 * ref->values[l][ref_mean][c] + 0.1 * ref->batch_mean[l][c];
            double variance =
                0.9 * ref->values[l][ref_variance][c] + 0.1 * ref->batch_variance[l][c] * count / (count - 1);
            assert_true(fabs(f.net->layers[l].mean[c] - mean) < 1e-6 * (1 + fabs(mean)));
            assert_true(fabs(f.net->layers[l].variance[c] - variance) < 1e-5 * variance);
        }
    }
    /* Frozen, or without training, they stay. */
    float kept[2] = {f.net->layers[1].mean[3], f.net->layers[1].variance[3]};
    state.batch_norm_frozen = true;
    forward(&f, state);
    forward(&f, state_for(QMT_MODE_FP32, false));
    assert_true(f.net->layers[1].mean[3] == kept[0] && f.net->layers[1].variance[3] == kept[1]);
    free(input);
    ref_free(ref);
    end(&f);
}

/* Mean 1000 times the deviation: sums of squares would lose it all. */
static void test_statistics_far_from_zero(void **unused)
{
    (void)unused;
    qmt_net_table table = qmt_net_table_for(QMT_PNET, QMT_ACTIVATION_RELU, true);
    fixture f = start(&table, 64);
    qmt_random random = qmt_random_stream(3, 3, 3);
    for (int g = 0; g < 4; g++)
        for (size_t i = 0; i < 3 * 144 * 16; i++)
            qmt_pass_input(f.pass, g)[i] = 1 + 0.001f * qmt_random_range(&random, -1, 1);
    for (int i = 0; i < 270; i++)
        f.net->layers[0].weight[i] = fabsf(f.net->layers[0].weight[i]);
    qmt_net_state state = state_for(QMT_MODE_FP32, true);
    state.batch_norm_momentum = 1;
    forward(&f, state); /* finds the mean */
    forward(&f, state);
    for (int c = 0; c < 10; c++) {
        double mean = 0, square = 0, count = 0;
        for (int g = 0; g < 4; g++)
            for (size_t i = 0; i < 1600; i++, count++)
                mean += f.pass->layers[0].y[(size_t)g * 16000 + (size_t)c * 1600 + i];
        mean /= count;
        for (int g = 0; g < 4; g++)
            for (size_t i = 0; i < 1600; i++)
                square += pow(f.pass->layers[0].y[(size_t)g * 16000 + (size_t)c * 1600 + i] - mean, 2);
        assert_true(fabs(f.net->layers[0].variance[c] / (square / (count - 1)) - 1) < 1e-4);
    }
    end(&f);
}

/* The weights that QAT computes with: fake(w s) / s, s from the running variance before the step. */
static void check_weights(bool per_channel)
{
    qmt_net_table table = qmt_net_table_for(QMT_RNET, QMT_ACTIVATION_RELU, true);
    fixture f = start(&table, 16);
    ref_net *ref = ref_create(f.net, 16, true);
    free(fill_inputs(&table, f.pass, 16, 4));
    qmt_net_state state = state_for(QMT_MODE_QAT, true);
    state.quantize.per_channel = per_channel;
    snprintf(state.quantize.keep_fp32, sizeof state.quantize.keep_fp32, "onet/conv1, rnet/conv3");
    forward(&f, state);
    for (int l = 0; l < table.layer_count; l++) {
        size_t count = ref_weights(&table.layers[l]), rest = count / (size_t)table.layers[l].out_channels, same = 0;
        double *folded = ref_alloc(count), tensor = 0;
        for (size_t i = 0; i < count; i++) {
            folded[i] = ref->values[l][ref_weight][i] * ref_fold_scale(ref, l, (int)(i / rest));
            tensor = fmax(tensor, fabs(folded[i]));
        }
        for (size_t i = 0; i < count; i++) {
            double most = 0, got = f.pass->layers[l].effective[i] * ref_fold_scale(ref, l, (int)(i / rest));
            for (size_t k = i / rest * rest; k < (i / rest + 1) * rest; k++)
                most = fmax(most, fabs(folded[k]));
            double scale = (per_channel ? most : tensor) / 127, wanted = rint(folded[i] / scale) * scale;
            if (l == 2)
                wanted = ref->values[l][ref_weight][i] * ref_fold_scale(ref, l, (int)(i / rest));
            /* At a tie FP32 may take the other step. */
            same += fabs(got - wanted) < 1e-5 * most + 1e-12 ? 1 : 0;
            assert_true(fabs(got - wanted) < 1.001 * scale);
        }
        assert_true((double)(count - same) <= 1e-4 * (double)count);
        free(folded);
    }
    ref_free(ref);
    end(&f);
}

static void test_weights(void **unused)
{
    (void)unused;
    check_weights(true);
    check_weights(false);
}

/* A dead channel (gamma 0, or all weights 0) makes no NaN. */
static void test_dead_channels(void **unused)
{
    (void)unused;
    qmt_net_table table = qmt_net_table_for(QMT_PNET, QMT_ACTIVATION_RELU, true);
    fixture f = start(&table, 32);
    qmtcnn_error error;
    free(fill_inputs(&table, f.pass, 32, 4));
    free(fill_loss(f.pass, 32, 4));
    f.net->layers[0].gamma[2] = 0;
    f.net->layers[0].beta[2] = -1;
    memset(f.net->layers[1].weight, 0, 90 * sizeof(float));
    f.net->layers[1].beta[0] = -1;
    memset(f.net->layers[2].gamma, 0, 32 * sizeof(float));
    for (int c = 0; c < 32; c++)
        f.net->layers[2].beta[c] = -0.5f;
    qmt_net_state state = state_for(QMT_MODE_QAT, true);
    forward(&f, state);
    assert_ok(qmt_net_backward(f.net, f.pass, 2, &state, &error), &error);
    qmt_layer_quant_stats stats[qmt_net_max_layers];
    assert_int_equal(qmt_net_quant_stats(f.net, f.pass, stats), 4);
    assert_true(stats[0].dead_channels >= 0.1f && stats[0].dead_channels < 0.5f);
    assert_true(stats[1].dead_channels >= 1.0f / 16);
    assert_true(stats[2].dead_channels == 1);
    assert_string_equal(stats[3].name, "heads");
    assert_true(fabsf(stats[0].input_range - 127.5f / 128) < 1e-6f);
    qmt_model *model = NULL;
    assert_ok(qmt_net_to_model(f.net, false, &state.quantize, &model, &error), &error);
    qmt_model_free(model);
    end(&f);
}

/* Calibration: histograms of the very inputs, and the range that the percentile of all values gives. */
static void test_calibration(void **unused)
{
    (void)unused;
    qmt_net_table table = qmt_net_table_for(QMT_PNET, QMT_ACTIVATION_RELU, true);
    fixture f = start(&table, 64);
    qmt_net_state state = state_for(QMT_MODE_CALIBRATE, false);
    state.quantize.percentile = 99;
    size_t count = 10 * 25 * 16 * 4, all = 0;
    float *values = malloc(3 * count * sizeof *values);
    assert_non_null(values);
    for (int batch = 0; batch < 3; batch++) {
        free(fill_inputs(&table, f.pass, 64, 40 + (uint64_t)batch));
        forward(&f, state);
        memcpy(values + all, f.pass->layers[1].x, count * sizeof *values);
        all += count;
    }
    assert_int_equal(f.net->layers[1].input.batches, 3);
    assert_true(f.net->layers[1].input_range == 0);
    qmt_net_finish_calibration(f.net, &state.quantize);
    /* The smallest value that 99 % do not pass, by counting. */
    float range = f.net->layers[1].input_range;
    size_t under = 0, well_under = 0;
    float bin = f.net->layers[1].input.histogram_limit / qmt_histogram_bins;
    for (size_t i = 0; i < all; i++) {
        under += values[i] < range ? 1 : 0;
        well_under += values[i] < range - bin ? 1 : 0;
    }
    assert_true(under * 100 >= all * 99 && well_under * 100 < all * 99);
    forward(&f, state_for(QMT_MODE_QAT, false));
    qmt_layer_quant_stats stats[qmt_net_max_layers];
    qmt_net_quant_stats(f.net, f.pass, stats);
    assert_true(stats[1].input_range == range);
    assert_true(stats[1].input_saturation > 0.003f && stats[1].input_saturation < 0.02f);
    /* QAT goes on from there: one batch moves the average by 1 %. */
    float most = 0;
    qmt_net_state qat = state_for(QMT_MODE_QAT, true);
    forward(&f, qat);
    for (int i = 0; i < 40; i++)
        most = fmaxf(most, f.pass->layers[0].maxima[i]);
    assert_true(fabsf(f.net->layers[1].input_range - (range + 0.01f * (most - range))) < 1e-5f * range);
    float moved = f.net->layers[1].input_range;
    qat.observers_frozen = true;
    forward(&f, qat);
    assert_true(f.net->layers[1].input_range == moved);
    free(values);
    end(&f);
}

/* A layer as model.h defines it, on one sample's int8 (or real) input [C][H][W], into the next layer's int8 or reals.
 */
static void run_layer(const qmt_layer *layer, bool round_bias, int side, const double *in, double next_scale,
                      double *out, int *out_side)
{
    int k = layer->kernel_height, conv = side - k + 1, pool = layer->pool_kernel ? layer->pool_kernel : 1;
    int stride = layer->pool_kernel ? layer->pool_stride : 1, pooled = (conv - pool + stride - 1) / stride + 1;
    double *map = ref_alloc((size_t)(conv * conv));
    for (int o = 0; o < layer->out_channels; o++) {
        for (int p = 0; p < conv * conv; p++) {
            double sum = layer->bias[o];
            if (layer->weight_int8)
                sum = round_bias ? layer->bias_int32[o] : sum / ((double)layer->input_scale * layer->weight_scale[o]);
            for (int c = 0; c < layer->in_channels; c++)
                for (int t = 0; t < k * k; t++) {
                    size_t w = (size_t)((o * layer->in_channels + c) * k * k + t);
                    double x = in[(c * side + p / conv + t / k) * side + p % conv + t % k];
                    sum += x * (layer->weight_int8 ? layer->weight_int8[w] : (double)layer->weight[w]);
                }
            if (layer->activation == QMT_ACTIVATION_RELU)
                sum = fmax(sum, 0);
            if (layer->weight_int8)
                sum *= (double)layer->input_scale * layer->weight_scale[o];
            map[p] = next_scale > 0 ? fmin(fmax(rint(sum / next_scale), -127), 127) : sum;
        }
        for (int row = 0; row < pooled; row++)
            for (int column = 0; column < pooled; column++) {
                double best = -INFINITY;
                for (int i = row * stride; i < row * stride + pool && i < conv; i++)
                    for (int j = column * stride; j < column * stride + pool && j < conv; j++)
                        best = fmax(best, map[i * conv + j]);
                out[(o * pooled + row) * pooled + column] = best;
            }
    }
    *out_side = pooled;
    free(map);
}

/* The 16 head channels of one sample through the integers of a model. */
static void run_model(const qmt_model *model, bool round_bias, int side, const double *pixels, double heads[16])
{
    double *a = ref_alloc(128 * 1024), *b = ref_alloc(128 * 1024);
    const qmt_layer *layer = &model->layers[0];
    for (int i = 0; i < 3 * side * side; i++)
        a[i] = layer->weight_int8 ? rint(pixels[i] / layer->input_scale) : pixels[i];
    for (int l = 0; l < model->layer_count; l++) {
        const qmt_layer *next = l + 1 < model->layer_count ? &model->layers[l + 1] : &model->heads[0];
        run_layer(&model->layers[l], round_bias, side, a, next->input_scale, b, &side);
        double *swap = a;
        a = b;
        b = swap;
    }
    run_layer(&model->heads[0], round_bias, side, a, 0, heads, &side);
    side = 1;
    run_layer(&model->heads[1], round_bias, side, a, 0, heads + 2, &side);
    run_layer(&model->heads[2], round_bias, side, a, 0, heads + 6, &side);
    free(a);
    free(b);
}

/* Training's evaluation in QAT mode, and the exported integers. */
static void check_export(qmt_net_id id, const char *keep, bool per_channel)
{
    qmt_net_table table = qmt_net_table_for(id, QMT_ACTIVATION_RELU, true);
    fixture f = start(&table, 16);
    qmtcnn_error error;
    qmt_model *model = NULL;
    qmt_net_state state = state_for(QMT_MODE_QAT, true);
    snprintf(state.quantize.keep_fp32, sizeof state.quantize.keep_fp32, "%s", keep);
    state.quantize.per_channel = per_channel;
    state.batch_norm_momentum = 1;
    double *input = fill_inputs(&table, f.pass, 16, 4);
    forward(&f, state);
    state.training = false;
    forward(&f, state);
    assert_ok(qmt_net_to_model(f.net, false, &state.quantize, &model, &error), &error);
    /* Without the bias's rounding only values within FP32's error of a tie may differ; with it, those within half a
     * step of the sum. */
    for (int round_bias = 0; round_bias < 2; round_bias++) {
        double most = 0, worst = 0;
        int apart = 0, samples = id == QMT_ONET ? 4 : 16;
        for (int s = 0; s < samples; s++) {
            double heads[16];
            run_model(model, round_bias == 1, table.side, input + (size_t)s * 3 * (size_t)(table.side * table.side),
                      heads);
            for (int c = 0; c < 16; c++) {
                double off = fabs(heads[c] - output(&f, s, c));
                most = fmax(most, fabs(heads[c]));
                worst = fmax(worst, off);
                apart += off > 1e-4 * fabs(heads[c]) + 1e-4 ? 1 : 0;
            }
        }
        if (!(worst <= 0.05 * most && (round_bias || apart * 2 <= samples * 16)))
            fail_msg("%s: %d of %d outputs differ, by up to %g of %g", qmt_net_name(id), apart, samples * 16, worst,
                     most);
        print_message("%s, bias %s: %d of %d outputs differ, by up to %.2g of %.3g\n", qmt_net_name(id),
                      round_bias ? "rounded" : "as it is", apart, samples * 16, worst, most);
    }
    qmt_model_free(model);
    free(input);
    end(&f);
}

static void test_export(void **unused)
{
    (void)unused;
    check_export(QMT_PNET, "", true);
    check_export(QMT_PNET, "", false);
    check_export(QMT_PNET, "pnet/conv1", true);
    check_export(QMT_PNET, "pnet/conv2,heads", true);
    check_export(QMT_RNET, "", true);
    check_export(QMT_ONET, "", true);
}

/* The same through the runtime, from pixels. */
static void check_runtime(qmt_net_id id, bool fp32)
{
    qmt_net_table table = qmt_net_table_for(id, QMT_ACTIVATION_PRELU, true);
    fixture f = start(&table, 16);
    qmtcnn_error error;
    qmt_model *model = NULL;
    qmt_network *network = NULL;
    qmt_workspace *workspace = NULL;
    qmt_net_state state = state_for(fp32 ? QMT_MODE_FP32 : QMT_MODE_QAT, true);
    state.batch_norm_momentum = 1;
    double *input = fill_inputs(&table, f.pass, 16, 4);
    forward(&f, state);
    state.training = false;
    forward(&f, state);
    assert_ok(qmt_net_to_model(f.net, fp32, &state.quantize, &model, &error), &error);
    size_t area = (size_t)(table.side * table.side);
    uint8_t *pixels = malloc(16 * area * 3);
    assert_non_null(pixels);
    for (size_t i = 0; i < 16 * 3 * area; i++) {
        size_t sample = i / (3 * area), channel = i / area % 3, at = i % area;
        pixels[(sample * area + at) * 3 + channel] = (uint8_t)lrint(input[i] * 128 + 127.5);
    }
    float box[16 * 4], landmarks[16 * 10], logit[16];
    qmt_outputs outputs = {.box = box, .landmarks = landmarks, .logit = logit};
    assert_ok(qmt_network_create(model, QMTCNN_PRECISION_AUTO, NULL, &network, &error), &error);
    assert_true(qmt_network_is_int8(network) == !fp32);
    assert_ok(qmt_workspace_create(&workspace, &error), &error);
    assert_ok(qmt_network_run(network, workspace, pixels, table.side * 3, 16, table.side, table.side, &outputs, NULL,
                              NULL, &error),
              &error);
    double most = 0, worst = 0;
    for (int s = 0; s < 16; s++) {
        most = fmax(most, fabs(logit[s]));
        worst = fmax(worst, fabs(output(&f, s, 1) - output(&f, s, 0) - logit[s]));
        for (int c = 0; c < 14; c++) {
            double got = c < 4 ? box[s * 4 + c] : landmarks[s * 10 + c - 4];
            most = fmax(most, fabs(got));
            worst = fmax(worst, fabs(output(&f, s, c + 2) - got));
        }
    }
    if (!(worst <= (fp32 ? 1e-4 : 0.03) * most))
        fail_msg("%s: outputs differ by up to %g of %g", qmt_net_name(id), worst, most);
    free(pixels);
    qmt_workspace_free(workspace);
    qmt_network_free(network);
    qmt_model_free(model);
    free(input);
    end(&f);
}

static void test_runtime(void **unused)
{
    (void)unused;
    for (int id = 0; id < qmt_net_count; id++) {
        check_runtime((qmt_net_id)id, true);
        check_runtime((qmt_net_id)id, false);
    }
}

/* Out to a model and back: the same function under running statistics. */
static void test_from_model(void **unused)
{
    (void)unused;
    qmt_net_table table = qmt_net_table_for(QMT_PNET, QMT_ACTIVATION_PRELU, true);
    fixture f = start(&table, 32);
    qmtcnn_error error;
    qmt_model *model = NULL;
    qmt_net *back = NULL, *wrong = NULL;
    free(fill_inputs(&table, f.pass, 32, 4));
    qmt_net_state state = state_for(QMT_MODE_QAT, true);
    forward(&f, state);
    state.training = false;
    state.mode = QMT_MODE_FP32;
    forward(&f, state);
    double expected[32][16], most = 0;
    for (int s = 0; s < 32; s++)
        for (int c = 0; c < 16; c++)
            most = fmax(most, fabs(expected[s][c] = output(&f, s, c)));
    assert_ok(qmt_net_to_model(f.net, false, &state.quantize, &model, &error), &error);
    assert_ok(qmt_net_create(&table, 77, &back, &error), &error);
    assert_ok(qmt_net_from_model(back, model, &error), &error);
    assert_ok(qmt_net_forward(back, f.pass, 2, &state, &error), &error);
    for (int s = 0; s < 32; s++)
        for (int c = 0; c < 16; c++)
            assert_true(fabs(output(&f, s, c) - expected[s][c]) < 1e-5 * most);
    for (int i = 1; i < 4; i++)
        assert_true(fabsf(back->layers[i].input_range / f.net->layers[i].input_range - 1) < 1e-6f);
    qmt_net_table relu = qmt_net_table_for(QMT_PNET, QMT_ACTIVATION_RELU, true);
    assert_ok(qmt_net_create(&relu, 77, &wrong, &error), &error);
    assert_int_equal(qmt_net_from_model(wrong, model, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "conv1"));
    qmt_net_free(wrong);
    qmt_net_free(back);
    qmt_model_free(model);
    end(&f);
}

/* Every table of kernels that runs here gives the same step, up to rounding. */
static void test_kernel_tables_agree(void **unused)
{
    (void)unused;
    const char *const names[] = {"baseline", "avx2", "avx512"};
    qmt_net_table table = small_table(QMT_ACTIVATION_PRELU, true);
    float *first = NULL;
    size_t weights = 13 * 7 * 4;
    for (int i = 0; i < 3; i++) {
        const qmt_net_kernels *kernels = qmt_net_kernels_named(names[i]);
        if (!kernels)
            continue;
        assert_string_equal(kernels->name, names[i]);
        fixture f = start(&table, 32);
        qmtcnn_error error;
        f.pass->kernels = kernels;
        free(fill_inputs(&f.pass->table, f.pass, 32, 4));
        free(fill_loss(f.pass, 32, 4));
        qmt_net_state state = state_for(QMT_MODE_FP32, true);
        forward(&f, state);
        assert_ok(qmt_net_backward(f.net, f.pass, 2, &state, &error), &error);
        if (!first) {
            first = malloc(weights * sizeof *first);
            assert_non_null(first);
            memcpy(first, f.net->layers[1].weight_gradient, weights * sizeof *first);
        }
        double off = 0, size = 0;
        for (size_t k = 0; k < weights; k++) {
            off += pow(first[k] - f.net->layers[1].weight_gradient[k], 2);
            size += pow(first[k], 2);
        }
        assert_true(sqrt(off) < 1e-5 * sqrt(size));
        end(&f);
    }
    assert_null(qmt_net_kernels_named("none"));
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_running_statistics),
        cmocka_unit_test(test_statistics_far_from_zero),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_dead_channels),
        cmocka_unit_test(test_calibration),
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_runtime),
        cmocka_unit_test(test_from_model),
        cmocka_unit_test(test_kernel_tables_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
