#include "toolkit/train/schedule.h"

#include <math.h>

qmt_schedule qmt_schedule_for(const qmt_train_config *config, double factor, int epochs, int64_t steps_per_epoch)
{
    qmt_schedule schedule = {
        .kind = config->schedule,
        .base = (double)config->learning_rate * factor,
        .steps = epochs * steps_per_epoch,
        .warmup = config->warmup_steps,
        .steps_per_fall = config->step_epochs * steps_per_epoch,
        .fall = (double)config->step_factor,
    };
    if (schedule.warmup > schedule.steps / 2)
        schedule.warmup = schedule.steps / 2;
    return schedule;
}

double qmt_learning_rate(const qmt_schedule *schedule, int64_t step)
{
    const double pi = 3.14159265358979323846;
    if (step < schedule->warmup)
        return schedule->base * (double)(step + 1) / (double)schedule->warmup;
    if (schedule->kind == QMT_SCHEDULE_STEP && schedule->steps_per_fall > 0)
        return schedule->base * pow(schedule->fall, (double)(step / schedule->steps_per_fall));
    if (schedule->kind == QMT_SCHEDULE_COSINE && schedule->steps > schedule->warmup) {
        double done = (double)(step - schedule->warmup) / (double)(schedule->steps - schedule->warmup);
        return schedule->base * 0.5 * (1 + cos(pi * (done < 1 ? done : 1)));
    }
    return schedule->base;
}
