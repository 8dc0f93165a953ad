/* The picture's INT8 weights in runs: nothing lost, and no sum of 16 bits that could overflow. */
#include "runtime/kernels/int8_picture.h"
#include "runtime/models.h"

#include <string.h>

enum { taps = 27, side = 3, colors = 3 };

/* The weight that input `place` of a part multiplies, as [color][ky][kx]; -1: none. By the header's words. */
static int tap_of(int part, int place)
{
    static const int first[4][2] = {{0, 0}, {1, 0}, {2, 0}, {0, 1}}; /* color, kx */
    static const int second[4][2] = {{1, 1}, {1, 2}, {2, 1}, {2, 2}};
    if (part == 2 * side)
        return place < side ? (0 * side + place) * side + 2 : -1;
    const int *at = part % 2 ? second[place] : first[place];
    return (at[0] * side + part / 2) * side + at[1];
}

/* No pair of a run's products can leave 16 bits, whatever the inputs 0 .. 255 are. */
static void check_run(const qmt_picture_channel *channel, int first, int length)
{
    for (int pair = 0; pair < 2; pair++) {
        int highest = 0, lowest = 0;
        for (int g = first; g < first + length; g++)
            for (int i = 0; i < 2; i++) {
                const int weight = channel->weights[g][2 * pair + i];
                highest += weight > 0 ? 255 * weight : 0;
                lowest += weight < 0 ? 255 * weight : 0;
            }
        assert_true(highest <= INT16_MAX);
        assert_true(lowest >= INT16_MIN);
    }
}

static void check_channel(const qmt_picture_channel *channel, const int8_t *weight, int32_t bias)
{
    int sums[taps] = {0}, total = 0, groups = 0;
    for (int run = 0; run < channel->run_count; groups += channel->lengths[run++]) {
        assert_in_range(channel->lengths[run], 1, qmt_picture_longest);
        assert_true(run == 0 || channel->lengths[run] <= channel->lengths[run - 1]);
        check_run(channel, groups, channel->lengths[run]);
    }
    assert_int_equal(channel->lengths[channel->run_count], 0);
    assert_true(groups <= qmt_picture_most_groups);
    for (int g = 0; g < groups; g++)
        for (int i = 0; i < 4; i++) {
            const int tap = tap_of(channel->parts[g], i);
            if (tap < 0)
                assert_int_equal(channel->weights[g][i], 0);
            else
                sums[tap] += channel->weights[g][i];
        }
    for (int i = 0; i < taps; i++) {
        assert_int_equal(sums[i], weight[i]);
        total += weight[i];
    }
    assert_int_equal((uint32_t)channel->bias + 128u * (uint32_t)total, (uint32_t)bias);
}

static void weights_of_any_size(void **state)
{
    (void)state;
    enum { channels = 32 };
    test_random random = {7};
    for (int round = 0; round < 300; round++) {
        qmtcnn_error error;
        qmt_layer layer;
        qmt_picture_channel packed[channels];
        const int largest = 1 + test_below(&random, 127), kind = test_below(&random, 3);
        assert_ok(qmt_layer_init(&layer, "layer", colors, channels, side, side, QMT_ACTIVATION_RELU, &error), &error);
        test_fill_layer(&layer, &random);
        assert_ok(qmt_layer_quantize(&layer, 1.0f / 127.0f, NULL, &error), &error);
        for (int i = 0; i < channels * taps; i++)
            layer.weight_int8[i] = (int8_t)(kind == 0   ? (test_below(&random, 2) ? 127 : -127)
                                            : kind == 1 ? largest
                                                        : test_below(&random, 2 * largest + 1) - largest);
        layer.bias_int32[0] = INT32_MAX;
        layer.bias_int32[1] = INT32_MIN;
        qmt_picture_pack(&layer, packed);
        for (int c = 0; c < channels; c++)
            check_channel(&packed[c], layer.weight_int8 + c * taps, layer.bias_int32[c]);
        qmt_layer_clear(&layer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(weights_of_any_size)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
