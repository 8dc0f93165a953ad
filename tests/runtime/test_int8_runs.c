/* INT8 weights cut into runs: nothing lost, nothing twice, and no sum of 16 bits that could overflow. */
#include "runtime/kernels/int8_runs.h"
#include "runtime/models.h"

#include <string.h>

static void make_layer(qmt_layer *layer, int in, int out, int kernel_height, int kernel_width, int largest,
                       test_random *random)
{
    qmtcnn_error error;
    assert_ok(qmt_layer_init(layer, "layer", in, out, kernel_height, kernel_width, QMT_ACTIVATION_RELU, &error),
              &error);
    test_fill_layer(layer, random);
    assert_ok(qmt_layer_quantize(layer, 1.0f / 127.0f, NULL, &error), &error);
    for (size_t i = 0; i < (size_t)out * qmt_layer_taps(layer); i++)
        layer->weight_int8[i] = (int8_t)(test_below(random, 2 * largest + 1) - largest);
}

/* Adds up what a run's pairs of products can come to, with inputs 0 .. 127. */
static void check_run(const qmt_run_plan *plan, int first, int length)
{
    for (int pair = 0; pair < 2 * qmt_run_lanes; pair++) {
        int highest = 0, lowest = 0;
        for (int g = first; g < first + length; g++)
            for (int i = 0; i < 2; i++) {
                const int weight = plan->weights[(4 * qmt_run_lanes) * g + 2 * pair + i];
                highest += weight > 0 ? 127 * weight : 0;
                lowest += weight < 0 ? 127 * weight : 0;
            }
        assert_true(highest <= INT16_MAX);
        assert_true(lowest >= INT16_MIN);
    }
}

/* Takes the weights of a group from a copy of the layer's, where they must be. */
static void take_group(const qmt_run_plan *plan, const qmt_layer *layer, int block, int group, int8_t *left)
{
    const size_t taps = qmt_layer_taps(layer);
    const qmt_group_place place = plan->places[group];
    for (int lane = 0; lane < qmt_run_lanes; lane++)
        for (int i = 0; i < qmt_group_inputs; i++) {
            const int out = block * qmt_run_lanes + lane, in = place.channel + i;
            const int8_t weight = plan->weights[4 * (qmt_run_lanes * group + lane) + i];
            if (out >= layer->out_channels || in >= layer->in_channels) {
                assert_int_equal(weight, 0);
                continue;
            }
            const size_t at =
                (size_t)out * taps + (size_t)((in * layer->kernel_height + place.ky) * layer->kernel_width + place.kx);
            assert_int_equal(weight, left[at]);
            left[at] = 0;
        }
}

/* Checks a layer's plan; returns the mean length of its runs. */
static double check_plan(const qmt_layer *layer)
{
    qmtcnn_error error;
    qmt_run_plan *plan;
    const int blocks = (layer->out_channels + 15) / 16 * 2;
    const size_t count = (size_t)layer->out_channels * qmt_layer_taps(layer);
    int8_t *left = malloc(count);
    int runs = 0;
    assert_non_null(left);
    memcpy(left, layer->weight_int8, count);
    assert_ok(qmt_run_plan_create(layer, blocks, &plan, &error), &error);
    assert_int_equal(plan->block_count, blocks);
    for (int b = 0; b < blocks; b++) {
        const qmt_run_block *block = &plan->blocks[b];
        int group = block->first;
        for (int length = qmt_run_most; length > 0; length--)
            for (int i = 0; i < block->runs[length]; i++, group += length, runs++)
                check_run(plan, group, length);
        assert_int_equal(group, block->first + block->count);
        for (group = block->first; group < block->first + block->count; group++)
            take_group(plan, layer, b, group, left);
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(left[i], 0); /* each weight was in a group; zeros need not be */
    const double mean = runs ? (double)plan->group_count / runs : 0;
    assert_true(qmt_run_plan_bytes(plan) > 32 * (size_t)plan->group_count);
    qmt_run_plan_free(plan);
    free(left);
    return mean;
}

static void random_layers(void **state)
{
    (void)state;
    test_random random = {1};
    for (int i = 0; i < 150; i++) {
        qmt_layer layer;
        make_layer(&layer, 1 + test_below(&random, 70), 1 + test_below(&random, 40), 1 + test_below(&random, 4),
                   1 + test_below(&random, 4), 1 + test_below(&random, 127), &random);
        check_plan(&layer);
        qmt_layer_clear(&layer);
    }
}

/* A layer of one weight, everywhere. */
static double uniform_runs(int weight, int in)
{
    test_random random = {2};
    qmt_layer layer;
    make_layer(&layer, in, 20, 3, 3, 1, &random);
    memset(layer.weight_int8, weight, 20 * qmt_layer_taps(&layer));
    const double mean = check_plan(&layer);
    qmt_layer_clear(&layer);
    return mean;
}

/* Two weights of w a pair: 258 / (2 w) groups fit a run, and four at most. */
static void lengths_by_hand(void **state)
{
    (void)state;
    assert_true(uniform_runs(127, 64) == 1);
    assert_true(uniform_runs(-127, 64) == 1);
    assert_true(uniform_runs(65, 64) == 1);
    assert_true(uniform_runs(64, 32) == 2);
    assert_true(uniform_runs(-43, 32) == 3);
    assert_true(uniform_runs(32, 32) == 4);
    assert_true(uniform_runs(1, 32) == 4);
    assert_true(uniform_runs(0, 64) == 0); /* no groups at all */
}

/* Weights as training leaves them: runs of three or more on average. */
static void usual_weights_make_long_runs(void **state)
{
    (void)state;
    qmtcnn_error error;
    test_random random = {3};
    qmt_layer layer;
    assert_ok(qmt_layer_init(&layer, "layer", 64, 64, 3, 3, QMT_ACTIVATION_RELU, &error), &error);
    for (size_t i = 0; i < 64 * qmt_layer_taps(&layer); i++) {
        float sum = 0; /* nearly normal */
        for (int j = 0; j < 12; j++)
            sum += test_real(&random);
        layer.weight[i] = sum;
    }
    assert_ok(qmt_layer_quantize(&layer, 1.0f / 127.0f, NULL, &error), &error);
    assert_true(check_plan(&layer) > 3);
    qmt_layer_clear(&layer);
}

static void offsets_by_hand(void **state)
{
    (void)state;
    qmtcnn_error error;
    test_random random = {4};
    qmt_layer layer;
    qmt_run_plan *plan;
    make_layer(&layer, 9, 8, 2, 3, 100, &random);
    assert_ok(qmt_run_plan_create(&layer, 2, &plan, &error), &error);
    int32_t offsets[2 * 3 * 3];
    assert_int_equal(plan->group_count, 18);
    qmt_run_offsets(plan, 1000, 16, offsets);
    for (int i = 0; i < plan->group_count; i++)
        assert_int_equal(offsets[i], 1000 * plan->places[i].ky + 16 * plan->places[i].kx + plan->places[i].channel);
    qmt_run_plan_free(plan);
    qmt_layer_clear(&layer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_layers),
        cmocka_unit_test(lengths_by_hand),
        cmocka_unit_test(usual_weights_make_long_runs),
        cmocka_unit_test(offsets_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
