/* TensorBoard's exponential histogram buckets. */
#ifndef QMT_LOG_HISTOGRAM_H
#define QMT_LOG_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/* Limits 1e-12 * 1.1^k up to 1e20, then the largest double; the same below zero; zero between. */
enum { qmt_bucket_count = 2 * 775 + 1 };

/* Bucket i holds values from limit[i - 1] up to below limit[i]. */
typedef struct qmt_buckets {
    double limit[qmt_bucket_count];
} qmt_buckets;
void qmt_buckets_init(qmt_buckets *buckets);

typedef struct qmt_histogram {
    double minimum, maximum, number, sum, sum_squares;
    double bucket[qmt_bucket_count];
} qmt_histogram;
/* Counts the finite ones of `values`. */
void qmt_histogram_fill(const qmt_buckets *buckets, const float *values, size_t count, qmt_histogram *histogram);
/* Runs of empty buckets drawn together, so that what is left is small. Both arrays hold room for qmt_bucket_count.
 * Returns how many. */
size_t qmt_histogram_pack(const qmt_buckets *buckets, const qmt_histogram *histogram, double *limits, double *counts);

#endif
