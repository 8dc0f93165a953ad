#include "toolkit/log/histogram.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { side_count = (qmt_bucket_count - 1) / 2 };

void qmt_buckets_init(qmt_buckets *buckets)
{
    const double smallest = 1e-12, largest = 1e20, factor = 1.1;
    double value = smallest;
    for (int i = 0; i < side_count; i++) {
        double limit = i == side_count - 1 || value >= largest ? DBL_MAX : value;
        buckets->limit[side_count + 1 + i] = limit;
        buckets->limit[side_count - 1 - i] = -limit;
        value *= factor;
    }
    buckets->limit[side_count] = 0;
}

/* The first limit over `value`. */
static size_t find_bucket(const qmt_buckets *buckets, double value)
{
    size_t low = 0, high = qmt_bucket_count - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (buckets->limit[middle] > value)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void qmt_histogram_fill(const qmt_buckets *buckets, const float *values, size_t count, qmt_histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
    for (size_t i = 0; i < count; i++) {
        double value = values[i];
        if (!isfinite(value))
            continue;
        if (histogram->number == 0 || value < histogram->minimum)
            histogram->minimum = value;
        if (histogram->number == 0 || value > histogram->maximum)
            histogram->maximum = value;
        histogram->number++;
        histogram->sum += value;
        histogram->sum_squares += value * value;
        histogram->bucket[find_bucket(buckets, value)]++;
    }
}

size_t qmt_histogram_pack(const qmt_buckets *buckets, const qmt_histogram *histogram, double *limits, double *counts)
{
    size_t packed = 0;
    for (size_t i = 0; i < qmt_bucket_count;) {
        double limit = buckets->limit[i], number = histogram->bucket[i];
        i++;
        if (number <= 0) { /* up to the last empty one: its limit is the left edge of the next bucket */
            while (i < qmt_bucket_count && histogram->bucket[i] <= 0)
                limit = buckets->limit[i++];
        }
        limits[packed] = limit;
        counts[packed++] = number;
    }
    if (packed > 1 && counts[packed - 1] <= 0)
        packed--;
    return packed;
}
