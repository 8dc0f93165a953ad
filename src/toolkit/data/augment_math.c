#include "toolkit/data/augment_math.h"

static const double ln2 = 0.693147180559945309417;
static const double pi = 3.14159265358979323846;

/* ln x for x > 0: x = m 2^k with m in [0.7, 1.4), and ln m = 2 atanh((m - 1) / (m + 1)). */
static double logarithm(double x)
{
    int exponent = 0;
    while (x < 0.7) {
        x *= 2;
        exponent--;
    }
    while (x >= 1.4) {
        x /= 2;
        exponent++;
    }
    double t = (x - 1) / (x + 1), square = t * t, sum = 0;
    for (int n = 23; n >= 1; n -= 2)
        sum = sum * square + 1.0 / n;
    return 2 * t * sum + exponent * ln2;
}

/* Taylor's series on x / 2^k, squared k times. */
double qmt_exponential(double x)
{
    int halvings = 0;
    while (x > 0.25 || x < -0.25) {
        x /= 2;
        halvings++;
    }
    double sum = 1;
    for (int n = 14; n >= 1; n--)
        sum = 1 + sum * x / n;
    while (halvings-- > 0)
        sum *= sum;
    return sum;
}

double qmt_power(double x, double y)
{
    return qmt_exponential(y * logarithm(x));
}

void qmt_sine_cosine(double degrees, double *sine, double *cosine)
{
    double x = degrees * (pi / 180), square = x * x, s = 1, c = 1;
    for (int n = 18; n >= 2; n -= 2) {
        c = 1 - c * square / (n * (n - 1));
        s = 1 - s * square / (n * (n + 1));
    }
    *cosine = c;
    *sine = s * x;
}
