/* The paired bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993): how far a difference of AP
 * could have come out otherwise with other pictures of the same kind. */
#include "toolkit/base/random.h"
#include "toolkit/evaluate/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { max_resamplings = 100000 };

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Value below which `share` of the sorted values lie, linear between neighbors. */
static double percentile(const double *sorted, size_t count, double share)
{
    if (count == 0)
        return NAN;
    double place = share * (double)(count - 1);
    size_t below = (size_t)place;
    size_t above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (place - (double)below) * (sorted[above] - sorted[below]);
}

static void interval(double *values, size_t count, double *low, double *high)
{
    qsort(values, count, sizeof *values, compare_doubles);
    *low = percentile(values, count, 0.025);
    *high = percentile(values, count, 0.975);
}

qmtcnn_status qmt_bootstrap(const qmt_ranking *a, const qmt_ranking *b, int resamplings, uint64_t seed,
                            qmt_difference *difference, qmtcnn_error *error)
{
    size_t pictures = a->picture_count, differences = 0, ratios = 0;
    if (pictures != b->picture_count)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "a paired comparison of %zu and %zu pictures", pictures,
                        b->picture_count);
    if (resamplings < 1 || resamplings > max_resamplings)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%d resamplings: give 1 to %d", resamplings, max_resamplings);
    uint32_t *weights = qmt_alloc(pictures, sizeof *weights);
    double *gaps = qmt_alloc((size_t)resamplings, sizeof *gaps),
           *shares = qmt_alloc((size_t)resamplings, sizeof *shares);
    if (!weights || !gaps || !shares) {
        qmt_free(shares);
        qmt_free(gaps);
        qmt_free(weights);
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: a bootstrap over %zu pictures", pictures);
    }
    for (int i = 0; i < resamplings; i++) {
        qmt_random random = qmt_random_stream(seed, (uint64_t)i, 0);
        memset(weights, 0, pictures * sizeof *weights);
        for (size_t k = 0; k < pictures; k++)
            weights[qmt_random_below(&random, pictures)]++;
        double ap_a = qmt_ranking_ap(a, weights), ap_b = qmt_ranking_ap(b, weights);
        if (!isnan(ap_a) && !isnan(ap_b))
            gaps[differences++] = ap_b - ap_a;
        if (ap_a > 0 && !isnan(ap_b))
            shares[ratios++] = ap_b / ap_a;
    }
    double ap_a = qmt_ranking_ap(a, NULL), ap_b = qmt_ranking_ap(b, NULL);
    *difference =
        (qmt_difference){.difference = ap_b - ap_a, .ratio = ap_a > 0 ? ap_b / ap_a : NAN, .resamplings = resamplings};
    interval(gaps, differences, &difference->low, &difference->high);
    interval(shares, ratios, &difference->ratio_low, &difference->ratio_high);
    qmt_free(shares);
    qmt_free(gaps);
    qmt_free(weights);
    return QMTCNN_OK;
}
