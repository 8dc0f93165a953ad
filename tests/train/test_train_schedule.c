/* Learning rates at the corners of each schedule. */
#include "common/test.h"

#include "toolkit/train/schedule.h"

#include <math.h>

static void near(double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-9 * fabs(expected) + 1e-12))
        fail_msg("%.12g instead of %.12g", got, expected);
}

static qmt_train_config config_for(qmt_schedule_kind kind)
{
    return (qmt_train_config){
        .schedule = kind, .learning_rate = 0.5f, .warmup_steps = 10, .step_epochs = 2, .step_factor = 0.25f};
}

static void warm_up_is_linear(void **state)
{
    (void)state;
    qmt_train_config config = config_for(QMT_SCHEDULE_CONSTANT);
    qmt_schedule schedule = qmt_schedule_for(&config, 1, 3, 100);
    near(qmt_learning_rate(&schedule, 0), 0.05);
    near(qmt_learning_rate(&schedule, 4), 0.25);
    near(qmt_learning_rate(&schedule, 9), 0.5);
    near(qmt_learning_rate(&schedule, 10), 0.5);
    near(qmt_learning_rate(&schedule, 299), 0.5);
}

static void warm_up_takes_at_most_half(void **state)
{
    (void)state;
    qmt_train_config config = config_for(QMT_SCHEDULE_CONSTANT);
    qmt_schedule schedule = qmt_schedule_for(&config, 1, 1, 8);
    near(qmt_learning_rate(&schedule, 0), 0.125);
    near(qmt_learning_rate(&schedule, 3), 0.5);
    near(qmt_learning_rate(&schedule, 7), 0.5);
    schedule = qmt_schedule_for(&config, 1, 1, 1);
    near(qmt_learning_rate(&schedule, 0), 0.5);
}

static void steps_fall_between_epochs(void **state)
{
    (void)state;
    qmt_train_config config = config_for(QMT_SCHEDULE_STEP);
    qmt_schedule schedule = qmt_schedule_for(&config, 0.1, 5, 100);
    near(qmt_learning_rate(&schedule, 199), 0.05);
    near(qmt_learning_rate(&schedule, 200), 0.0125);
    near(qmt_learning_rate(&schedule, 399), 0.0125);
    near(qmt_learning_rate(&schedule, 400), 0.003125);
}

static void cosine_falls_to_nothing(void **state)
{
    (void)state;
    qmt_train_config config = config_for(QMT_SCHEDULE_COSINE);
    qmt_schedule schedule = qmt_schedule_for(&config, 1, 1, 110);
    near(qmt_learning_rate(&schedule, 10), 0.5);
    near(qmt_learning_rate(&schedule, 60), 0.25);
    near(qmt_learning_rate(&schedule, 85), 0.25 * (1 - sqrt(0.5)));
    assert_true(qmt_learning_rate(&schedule, 109) > 0);
    assert_true(qmt_learning_rate(&schedule, 109) < 0.0002);
    near(qmt_learning_rate(&schedule, 110), 0);
    for (int i = 11; i < 110; i++)
        assert_true(qmt_learning_rate(&schedule, i) < qmt_learning_rate(&schedule, i - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warm_up_is_linear),
        cmocka_unit_test(warm_up_takes_at_most_half),
        cmocka_unit_test(steps_fall_between_epochs),
        cmocka_unit_test(cosine_falls_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
