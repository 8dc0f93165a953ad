/* SGD and Adam against a reference in double precision, clipping, decay, and what is saved. */
#include "common/test.h"

#include "toolkit/base/random.h"
#include "toolkit/train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { size = 37, steps = 25 };

/* Two trainable arrays, one with decay, and a buffer. */
typedef struct fixture {
    float value[3][size], gradient[2][size];
    qmt_parameter parameters[3];
} fixture;

static void fill(fixture *made)
{
    qmt_random random = qmt_random_stream(11, 0, 0);
    memset(made, 0, sizeof *made);
    for (int p = 0; p < 3; p++) {
        for (int i = 0; i < size; i++)
            made->value[p][i] = qmt_random_range(&random, -1, 1);
        made->parameters[p] = (qmt_parameter){.name = p == 0   ? "weight"
                                                      : p == 1 ? "bias"
                                                               : "mean",
                                              .dims = 1,
                                              .shape = {size},
                                              .count = size,
                                              .value = made->value[p],
                                              .gradient = p < 2 ? made->gradient[p] : NULL,
                                              .decay = p == 0};
    }
}

static void random_gradients(fixture *made, qmt_random *random, float scale)
{
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < size; i++)
            made->gradient[p][i] = scale * qmt_random_normal(random);
}

static qmt_train_config config_for(qmt_optimizer_kind kind, float clip)
{
    return (qmt_train_config){.optimizer = kind,
                              .momentum = 0.9f,
                              .beta1 = 0.9f,
                              .beta2 = 0.999f,
                              .weight_decay = 0.01f,
                              .gradient_clip = clip};
}

/* The textbook's form, in double precision. */
static void reference_step(const qmt_train_config *config, const fixture *made, double value[2][size],
                           double first[2][size], double second[2][size], int t, double rate)
{
    double norm = 0;
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < size; i++)
            norm += (double)made->gradient[p][i] * (double)made->gradient[p][i];
    norm = sqrt(norm);
    double clip = (double)config->gradient_clip, scale = clip > 0 && norm > clip ? clip / norm : 1;
    double b1 = (double)config->beta1, b2 = (double)config->beta2;
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < size; i++) {
            double g = scale * (double)made->gradient[p][i], decay = p == 0 ? (double)config->weight_decay : 0;
            if (config->optimizer == QMT_SGD) {
                first[p][i] = (double)config->momentum * first[p][i] + g + decay * value[p][i];
                value[p][i] -= rate * first[p][i];
                continue;
            }
            first[p][i] = b1 * first[p][i] + (1 - b1) * g;
            second[p][i] = b2 * second[p][i] + (1 - b2) * g * g;
            double m = first[p][i] / (1 - pow(b1, t)), v = second[p][i] / (1 - pow(b2, t));
            value[p][i] = value[p][i] - rate * m / (sqrt(v) + 1e-8) - rate * decay * value[p][i];
        }
}

static void check_against_reference(qmt_optimizer_kind kind, float clip)
{
    qmtcnn_error error;
    qmt_train_config config = config_for(kind, clip);
    qmt_optimizer *optimizer = NULL;
    fixture made;
    double value[2][size], first[2][size] = {{0}}, second[2][size] = {{0}};
    qmt_random random = qmt_random_stream(5, 0, 0);
    fill(&made);
    float mean = made.value[2][3];
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < size; i++)
            value[p][i] = (double)made.value[p][i];
    assert_ok(qmt_optimizer_create(&config, made.parameters, 3, &optimizer, &error), &error);
    for (int t = 1; t <= steps; t++) {
        double norm, rate = 0.01 / t, sum = 0;
        random_gradients(&made, &random, t % 2 ? 0.1f : 1.0f);
        for (int p = 0; p < 2; p++)
            for (int i = 0; i < size; i++)
                sum += (double)made.gradient[p][i] * (double)made.gradient[p][i];
        reference_step(&config, &made, value, first, second, t, rate);
        assert_ok(qmt_optimizer_step(optimizer, made.parameters, 3, rate, &norm, &error), &error);
        assert_true(fabs(norm - sqrt(sum)) < 1e-12 * norm);
    }
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < size; i++)
            assert_true(fabs((double)made.value[p][i] - value[p][i]) < 2e-6);
    assert_true(made.value[2][3] == mean);
    qmt_optimizer_free(optimizer);
}

static void steps_match_the_reference(void **state)
{
    (void)state;
    check_against_reference(QMT_SGD, 0);
    check_against_reference(QMT_SGD, 2);
    check_against_reference(QMT_ADAM, 0);
    check_against_reference(QMT_ADAM, 2);
}

/* Without momentum and decay, a clipped step has the length rate x clip. */
static void clipping_limits_the_length(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_train_config config = {.optimizer = QMT_SGD, .gradient_clip = 5};
    qmt_optimizer *optimizer = NULL;
    fixture made, before;
    qmt_random random = qmt_random_stream(6, 0, 0);
    fill(&made);
    random_gradients(&made, &random, 100);
    before = made;
    assert_ok(qmt_optimizer_create(&config, made.parameters, 3, &optimizer, &error), &error);
    assert_ok(qmt_optimizer_step(optimizer, made.parameters, 3, 0.1, NULL, &error), &error);
    double sum = 0;
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < size; i++)
            sum += pow((double)made.value[p][i] - (double)before.value[p][i], 2);
    assert_true(fabs(sqrt(sum) - 0.5) < 1e-5);
    qmt_optimizer_free(optimizer);
}

static void bad_gradients_change_nothing(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_train_config config = config_for(QMT_ADAM, 5);
    qmt_optimizer *optimizer = NULL;
    fixture made;
    fill(&made);
    float before = made.value[0][0];
    made.gradient[0][0] = 1;
    made.gradient[1][size - 1] = INFINITY;
    assert_ok(qmt_optimizer_create(&config, made.parameters, 3, &optimizer, &error), &error);
    assert_int_equal(qmt_optimizer_step(optimizer, made.parameters, 3, 0.1, NULL, &error), QMTCNN_ERROR_NUMERIC);
    assert_non_null(strstr(error.message, "bias"));
    assert_true(made.value[0][0] == before);
    qmt_optimizer_free(optimizer);
}

static void save(const qmt_optimizer *optimizer, const char *path)
{
    qmtcnn_error error;
    qmt_tensors_writer *writer = NULL;
    assert_ok(qmt_tensors_writer_create(&writer, &error), &error);
    assert_ok(qmt_optimizer_save(optimizer, writer, &error), &error);
    assert_ok(qmt_tensors_write(writer, path, &error), &error);
    qmt_tensors_writer_free(writer);
}

/* 3 steps, saved, loaded into a new one, 3 more: as 6 steps. */
static void a_loaded_optimizer_goes_on_alike(void **state)
{
    (void)state;
    qmtcnn_error error;
    char *folder = test_make_folder();
    char path[512];
    snprintf(path, sizeof path, "%s/o.safetensors", folder);
    qmt_train_config config = config_for(QMT_ADAM, 5);
    fixture whole, parts;
    fill(&whole);
    fill(&parts);
    for (int part = 0; part < 3; part++) { /* 0: 6 steps; 1: the first 3; 2: the rest */
        fixture *made = part ? &parts : &whole;
        qmt_optimizer *optimizer = NULL;
        assert_ok(qmt_optimizer_create(&config, made->parameters, 3, &optimizer, &error), &error);
        if (part == 2) {
            qmt_tensors_file *file = NULL;
            assert_ok(qmt_tensors_open(path, &file, &error), &error);
            assert_ok(qmt_optimizer_load(optimizer, file, &error), &error);
            qmt_tensors_close(file);
        }
        for (int t = part == 2 ? 3 : 0; t < (part == 1 ? 3 : 6); t++) {
            qmt_random random = qmt_random_stream(9, (uint64_t)t, 0);
            random_gradients(made, &random, 1);
            assert_ok(qmt_optimizer_step(optimizer, made->parameters, 3, 0.01, NULL, &error), &error);
        }
        if (part == 1)
            save(optimizer, path);
        qmt_optimizer_free(optimizer);
    }
    assert_memory_equal(whole.value, parts.value, sizeof whole.value);
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_match_the_reference),
        cmocka_unit_test(clipping_limits_the_length),
        cmocka_unit_test(bad_gradients_change_nothing),
        cmocka_unit_test(a_loaded_optimizer_goes_on_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
