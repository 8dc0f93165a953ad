/* Functions of libm that augmentation needs, in plain IEEE operations: a sample has the same bytes on every machine. */
#ifndef QMT_AUGMENT_MATH_H
#define QMT_AUGMENT_MATH_H

/* x^y for x in (0, 1] and |y| <= 16. Relative error under 1e-12. */
double qmt_power(double x, double y);
/* e^x for |x| <= 700. Relative error under 1e-12. */
double qmt_exponential(double x);
/* Sine and cosine of an angle within [-45, 45] degrees. Error under 1e-15. */
void qmt_sine_cosine(double degrees, double *sine, double *cosine);

#endif
