#include "toolkit/quant/range.h"

#include <math.h>

/* Candidates: the largest value times 0.98 to the power of 0 .. 99, so down to 0.135 of it. */
enum { candidates = 100, levels = 128 };
static const double step_down = 0.98;

/* The last bin that holds a value; -1: none. */
static int last_bin(const qmt_observer *observer)
{
    int last = qmt_histogram_bins - 1;
    while (last >= 0 && observer->histogram[last] == 0)
        last--;
    return last;
}

/* In units of bins. */
static double histogram_error(const uint64_t *bins, int count, double range)
{
    double scale = range / 127, error = 0;
    for (int i = 0; i < count; i++) {
        if (bins[i] == 0)
            continue;
        double x = i + 0.5, steps = x / scale + 0.5;
        double quantized = steps < 127 ? (double)(int)steps * scale : range;
        error += (double)bins[i] * (x - quantized) * (x - quantized);
    }
    return error;
}

float qmt_mse_range(const qmt_observer *observer)
{
    int count = last_bin(observer) + 1;
    if (count < 1 || !(observer->histogram_limit > 0))
        return 0;
    double best = count, least = INFINITY, range = count;
    for (int i = 0; i < candidates; i++, range *= step_down) {
        double error = histogram_error(observer->histogram, count, range);
        if (error < least) {
            least = error;
            best = range;
        }
    }
    return (float)((double)observer->histogram_limit * (best / qmt_histogram_bins));
}

/* The divergence of `count` bins (the last of which also holds `outside`) from what `levels` levels leave of them: each
 * level's values spread evenly over those of its bins that are not empty. Migacz's comparison: the clipped values are
 * part of the one distribution and not of the other, so that clipping many costs. */
static double divergence(const double *bins, int count, double inside, double outside)
{
    double sum = 0, all = inside + outside;
    for (int level = 0; level < levels; level++) {
        int from = level * count / levels, to = (level + 1) * count / levels, used = 0;
        double mass = 0;
        for (int i = from; i < to; i++) {
            mass += bins[i];
            used += bins[i] > 0 ? 1 : 0;
        }
        for (int i = from; i < to; i++) {
            double p = bins[i] + (i + 1 == count ? outside : 0);
            if (!(p > 0))
                continue;
            /* A last bin that is empty but for clipped values has no counterpart: as if one value were there. */
            double q = bins[i] > 0 ? mass / used : 1;
            sum += p / all * log(p / all / (q / inside));
        }
    }
    return sum;
}

float qmt_entropy_range(const qmt_observer *observer)
{
    int count = last_bin(observer) + 1;
    if (count < 1 || !(observer->histogram_limit > 0))
        return 0;
    double bins[qmt_histogram_bins], total = 0, inside = 0;
    for (int i = 0; i < count; i++)
        bins[i] = (double)observer->histogram[i];
    /* The first bin holds the zeros: it counts as its neighbor does. */
    bins[0] = count > 1 ? bins[1] : bins[0];
    for (int i = 0; i < count; i++)
        total += bins[i];
    int best = count;
    double least = INFINITY;
    for (int size = 1; size <= count; size++) {
        inside += bins[size - 1];
        if (size < levels || !(inside > 0) || ((count - size) % 4 != 0))
            continue;
        double found = divergence(bins, size, inside, total - inside);
        if (found < least) {
            least = found;
            best = size;
        }
    }
    return observer->histogram_limit * ((float)best / (float)qmt_histogram_bins);
}

static double weight_error(const float *weights, size_t count, double range)
{
    double scale = range / 127, error = 0;
    for (size_t i = 0; i < count; i++) {
        double x = fabs((double)weights[i]), steps = x / scale + 0.5;
        double quantized = steps < 127 ? (double)(int)steps * scale : range;
        error += (x - quantized) * (x - quantized);
    }
    return error;
}

float qmt_weight_mse_range(const float *weights, size_t count)
{
    float largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(weights[i]));
    if (!(largest > 0))
        return 0;
    double best = (double)largest, least = INFINITY, range = best;
    for (int i = 0; i < candidates; i++, range *= step_down) {
        double error = weight_error(weights, count, range);
        if (error < least) {
            least = error;
            best = range;
        }
    }
    return (float)best;
}
