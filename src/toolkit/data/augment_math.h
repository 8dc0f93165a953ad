/* Functions of libm that augmentation needs, in plain IEEE operations: a sample has the same bytes on every machine. */
#ifndef QMT_AUGMENT_MATH_H
#define QMT_AUGMENT_MATH_H

#include <stdint.h>

/* ln(i / 255) for i = 1 .. 255 (and 0 at 0). Error under 1e-14. */
void qmt_pixel_logarithms(double logarithms[256]);
/* 255 (i / 255)^exponent, rounded, for i = 0 .. 255; exponent in [0, 16]. `logarithms`: the above. */
void qmt_pixel_powers(const double logarithms[256], double exponent, uint8_t powers[256]);
/* e^x for |x| <= 700. Relative error under 1e-12. */
double qmt_exponential(double x);
/* Sine and cosine of an angle within [-45, 45] degrees. Error under 1e-15. */
void qmt_sine_cosine(double degrees, double *sine, double *cosine);

#endif
