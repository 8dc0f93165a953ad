#include "toolkit/train/regression.h"

#include <math.h>

static const double smooth_l1_beta = 0.1, wing_width = 10.0 / 64, wing_curvature = 2.0 / 64;

double qmt_regression_loss_of(qmt_regression_loss kind, double difference, double *slope)
{
    double size = fabs(difference), sign = difference > 0 ? 1 : -1;
    if (kind == QMT_LOSS_MSE) {
        *slope = 2 * difference;
        return difference * difference;
    }
    if (kind == QMT_LOSS_WING && size < wing_width) {
        *slope = sign * wing_width / (wing_curvature + size);
        return wing_width * log1p(size / wing_curvature);
    }
    if (kind == QMT_LOSS_SMOOTH_L1 && size < smooth_l1_beta) {
        *slope = difference / smooth_l1_beta;
        return 0.5 * difference * difference / smooth_l1_beta;
    }
    *slope = sign;
    return kind == QMT_LOSS_WING ? size - wing_width + wing_width * log1p(wing_width / wing_curvature)
                                 : size - 0.5 * smooth_l1_beta;
}

double qmt_giou_loss(const double prediction[4], const double target[4], double slope[4])
{
    /* Corners in sides of the crop. Entry i: 0 left, 1 top, 2 right, 3 bottom. */
    double p[4], t[4], inner[4], hull[4];
    for (int i = 0; i < 4; i++) {
        p[i] = prediction[i] + (i < 2 ? 0 : 1);
        t[i] = target[i] + (i < 2 ? 0 : 1);
        inner[i] = i < 2 ? fmax(p[i], t[i]) : fmin(p[i], t[i]);
        hull[i] = i < 2 ? fmin(p[i], t[i]) : fmax(p[i], t[i]);
    }
    double size[2] = {p[2] - p[0], p[3] - p[1]}, shared[2] = {inner[2] - inner[0], inner[3] - inner[1]};
    double span[2] = {hull[2] - hull[0], hull[3] - hull[1]};
    bool area = size[0] > 0 && size[1] > 0, overlap = area && shared[0] > 0 && shared[1] > 0;
    double both = overlap ? shared[0] * shared[1] : 0, all_of_hull = span[0] * span[1];
    double either = (area ? size[0] * size[1] : 0) + (t[2] - t[0]) * (t[3] - t[1]) - both;
    if (!(either > 0 && all_of_hull > 0)) { /* a target without area */
        for (int i = 0; i < 4; i++)
            slope[i] = 0;
        return 0;
    }
    for (int i = 0; i < 4; i++) {
        int across = 1 - i % 2; /* the axis that a moving edge sweeps along */
        double outward = i < 2 ? -1 : 1;
        double d_both = overlap && inner[i] == p[i] ? outward * shared[across] : 0;
        double d_hull = hull[i] == p[i] ? outward * span[across] : 0;
        double d_either = (area ? outward * size[across] : 0) - d_both;
        slope[i] = -d_both / either + both * d_either / (either * either) - d_either / all_of_hull +
                   either * d_hull / (all_of_hull * all_of_hull);
    }
    return 2 - both / either - either / all_of_hull;
}
