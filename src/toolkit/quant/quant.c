#include "toolkit/quant/quant.h"

#include "toolkit/quant/fake_quantize.h"
#include "toolkit/quant/range.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void qmt_observer_reset(qmt_observer *observer)
{
    memset(observer, 0, sizeof *observer);
}

void qmt_observe_range(qmt_observer *observer, qmt_observer_kind kind, float momentum, float batch_maximum)
{
    if (observer->batches == 0)
        observer->maximum = batch_maximum;
    else if (kind == QMT_OBSERVE_AVERAGE)
        observer->maximum += momentum * (batch_maximum - observer->maximum);
    else if (batch_maximum > observer->maximum)
        observer->maximum = batch_maximum;
    observer->batches++;
}

/* Doubles the upper edge: two old bins become one. */
static void double_limit(qmt_observer *observer)
{
    uint64_t *bins = observer->histogram;
    for (int i = 0; i < qmt_histogram_bins / 2; i++)
        bins[i] = bins[2 * i] + bins[2 * i + 1];
    memset(bins + qmt_histogram_bins / 2, 0, qmt_histogram_bins / 2 * sizeof *bins);
    observer->histogram_limit *= 2;
}

void qmt_observer_make_room(qmt_observer *observer, float maximum)
{
    if (!(maximum > 0) || !isfinite(maximum))
        return;
    /* A limit of FLT_MAX / 2 can't be doubled; larger values count in the last bin. */
    int exponent;
    float fraction = frexpf(maximum, &exponent);
    if (fraction == 0.5f)
        exponent--;
    exponent = exponent > 126 ? 126 : exponent < -100 ? -100 : exponent;
    float limit = ldexpf(1.0f, exponent);
    if (observer->histogram_limit == 0) {
        /* Until now all values were 0, if there were any: they are in the first bin. */
        observer->histogram_limit = limit;
        return;
    }
    while (observer->histogram_limit < limit)
        double_limit(observer);
}

void qmt_count_values(float limit, const float *values, size_t count, uint64_t bins[qmt_histogram_bins])
{
    if (!(limit > 0)) {
        bins[0] += count;
        return;
    }
    float factor = (float)qmt_histogram_bins / limit; /* a power of two: exact */
    for (size_t i = 0; i < count; i++) {
        float place = fabsf(values[i]) * factor;
        int bin = place < (float)qmt_histogram_bins ? (int)place : qmt_histogram_bins - 1;
        bins[bin]++;
    }
}

void qmt_observe_values(qmt_observer *observer, const float *values, size_t count)
{
    float maximum = 0;
    for (size_t i = 0; i < count; i++) {
        float size = fabsf(values[i]);
        maximum = size > maximum ? size : maximum;
    }
    qmt_observer_make_room(observer, maximum);
    qmt_count_values(observer->histogram_limit, values, count, observer->histogram);
}

/* The upper edge of the first bin that, with those below, holds `percentile` % of all values; 0 without values. */
static float percentile_edge(const qmt_observer *observer, float percentile)
{
    uint64_t total = 0, below = 0;
    for (int i = 0; i < qmt_histogram_bins; i++)
        total += observer->histogram[i];
    if (total == 0)
        return 0;
    double wanted = (double)percentile / 100.0 * (double)total;
    int bin = 0;
    for (; bin < qmt_histogram_bins - 1; bin++) {
        below += observer->histogram[bin];
        if ((double)below >= wanted)
            break;
    }
    return observer->histogram_limit * ((float)(bin + 1) / (float)qmt_histogram_bins);
}

bool qmt_observer_counts(qmt_observer_kind kind)
{
    return kind == QMT_OBSERVE_HISTOGRAM || kind == QMT_OBSERVE_MSE || kind == QMT_OBSERVE_ENTROPY;
}

float qmt_observer_range(const qmt_observer *observer, qmt_observer_kind kind, float percentile)
{
    float range = observer->maximum;
    float edge = kind == QMT_OBSERVE_HISTOGRAM ? percentile_edge(observer, percentile)
                 : kind == QMT_OBSERVE_MSE     ? qmt_mse_range(observer)
                 : kind == QMT_OBSERVE_ENTROPY ? qmt_entropy_range(observer)
                                               : 0;
    range = edge > 0 && edge < range ? edge : range;
    float least = qmt_scale_for(0) * 127.0f;
    return range > least ? range : least;
}

size_t qmt_fake_quantize(const float *x, float *y, uint8_t *passes, size_t count, float scale)
{
    return qmt_fake_quantize_inline(x, y, passes, count, scale);
}

bool qmt_list_is_known(const char *list, qmt_list_check known, const void *state, char unknown[qmt_max_name + 8])
{
    while (*list) {
        list += strspn(list, ", ");
        size_t length = strcspn(list, ", ");
        snprintf(unknown, qmt_max_name + 8, "%.*s", (int)length, list);
        if (length > 0 && !known(state, unknown))
            return false;
        list += length;
    }
    return true;
}

bool qmt_in_list(const char *list, const char *net, const char *name)
{
    char full[qmt_max_name + 8];
    snprintf(full, sizeof full, "%s/%s", net, name);
    while (*list) {
        list += strspn(list, ", ");
        size_t length = strcspn(list, ", ");
        if (length > 0 && ((length == strlen(name) && memcmp(list, name, length) == 0) ||
                           (length == strlen(full) && memcmp(list, full, length) == 0)))
            return true;
        list += length;
    }
    return false;
}
