/* What each precision costs in time and memory. */
#define _DEFAULT_SOURCE /* getrusage */
#include "toolkit/base/stop.h"
#include "toolkit/evaluate/compare.h"

#include "runtime/base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifndef _WIN32
#include <sys/resource.h>
#endif

enum { max_pictures = 24, min_pictures = 3 };
static const double max_seconds = 20;

static size_t peak_bytes(void)
{
#ifdef _WIN32
    return 0;
#else
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0 || usage.ru_maxrss < 0)
        return 0;
#ifdef __APPLE__
    return (size_t)usage.ru_maxrss;
#else
    return (size_t)usage.ru_maxrss * 1024;
#endif
#endif
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, int count)
{
    if (count == 0)
        return NAN;
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return (values[count / 2] + values[(count - 1) / 2]) / 2;
}

/* A picture with both, turn about: a machine that slows down slows both. The first run of each on a picture is not
 * counted: it may take memory. */
static qmtcnn_status time_picture(qmt_finder *const finders[2], const qmt_image *image, const qmtcnn_options *options,
                                  double milliseconds[2], qmtcnn_error *error)
{
    for (int run = 0; run < 2; run++) {
        for (int k = 0; k < 2; k++) {
            const qmt_detection *boxes;
            size_t count;
            qmtcnn_status status = qmt_finder_run(finders[k], image, options, &boxes, &count, &milliseconds[k], error);
            if (status != QMTCNN_OK)
                return status;
        }
    }
    return QMTCNN_OK;
}

static qmtcnn_status time_pictures(const qmt_dataset *dataset, qmt_finder *const finders[2],
                                   const qmtcnn_options *options, qmt_cost *cost, qmtcnn_error *error)
{
    double times[2][max_pictures], start = qmt_seconds();
    size_t wanted = dataset->picture_count < max_pictures ? dataset->picture_count : max_pictures;
    for (size_t i = 0; i < wanted; i++) {
        qmt_image image = {0};
        double milliseconds[2];
        if (qmt_stop_requested())
            return qmt_fail(error, QMTCNN_ERROR_INTERRUPTED, "stopped while measuring speed");
        if (cost->pictures >= min_pictures && qmt_seconds() - start > max_seconds)
            break;
        const qmt_picture *picture = &dataset->pictures[i * dataset->picture_count / wanted];
        if (qmt_image_read(picture->path, QMT_AS_STORED, &image, NULL) != QMTCNN_OK)
            continue;
        qmtcnn_status status = time_picture(finders, &image, options, milliseconds, error);
        qmt_image_clear(&image);
        if (status != QMTCNN_OK)
            return status;
        times[0][cost->pictures] = milliseconds[0];
        times[1][cost->pictures] = milliseconds[1];
        cost->pictures++;
    }
    for (int k = 0; k < 2; k++)
        cost->milliseconds[k] = median(times[k], cost->pictures);
    return QMTCNN_OK;
}

qmtcnn_status qmt_compare_cost(const qmt_dataset *dataset, const qmt_detector *fp32, const qmt_detector *int8,
                               const qmtcnn_options *options, qmt_cost *cost, qmtcnn_error *error)
{
    const qmt_detector *detectors[2] = {fp32, int8};
    qmt_finder *finders[2] = {NULL, NULL};
    qmtcnn_status status = QMTCNN_OK;
    memset(cost, 0, sizeof *cost);
    for (int k = 0; status == QMTCNN_OK && k < 2; k++)
        status = qmt_finder_create(detectors[k], &finders[k], error);
    if (status == QMTCNN_OK)
        status = time_pictures(dataset, finders, options, cost, error);
    for (int k = 0; k < 2; k++) {
        cost->network_bytes[k] = qmt_detector_bytes(detectors[k]);
        cost->scratch_bytes[k] = finders[k] ? qmt_finder_bytes(finders[k]) : 0;
        qmt_finder_free(finders[k]);
    }
    cost->peak_bytes = peak_bytes();
    return status;
}
