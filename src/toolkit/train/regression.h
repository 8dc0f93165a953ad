/* Losses of box offsets and landmarks. All in double precision. */
#ifndef QMT_TRAIN_REGRESSION_H
#define QMT_TRAIN_REGRESSION_H

#include "toolkit/config/config.h"

/* Loss of one number's difference from its target; *slope: its derivative.
 *   mse:        d^2
 *   smooth L1:  d^2 / (2 b) under b = 0.1, |d| - b / 2 above (Girshick 2015)
 *   wing:       w ln(1 + |d| / e) under w, |d| - w + w ln(1 + w / e) above (Feng and others, 2018); w = 10/64 and
 *               e = 2/64 of the crop's side, their values in pixels of a 64-pixel crop. */
double qmt_regression_loss_of(qmt_regression_loss kind, double difference, double *slope);

/* Generalized IoU loss (Rezatofighi and others, 2019), 1 - IoU + (hull - union) / hull, of two boxes given as offsets
 * of the corners from those of the crop, over its side. slope[4]: its derivatives by the prediction's offsets. Boxes
 * turned inside out have no area. In 0 .. 2. */
double qmt_giou_loss(const double prediction[4], const double target[4], double slope[4]);

#endif
