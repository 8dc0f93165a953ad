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

void qmt_pixel_logarithms(double logarithms[256])
{
    logarithms[0] = 0;
    for (int i = 1; i < 256; i++)
        logarithms[i] = logarithm(i / 255.0);
}

/* As qmt_exponential(), but with the same steps for all values, so that they run side by side: ln(1/255) * 16 / 2^8 is
 * over -0.35, where ten terms leave an error of 1e-12. */
void qmt_pixel_powers(const double logarithms[256], double exponent, uint8_t powers[256])
{
    enum { squarings = 8, terms = 10 };
    double values[256];
    for (int i = 0; i < 256; i++) {
        const double x = logarithms[i] * exponent * (1.0 / (1 << squarings));
        double sum = 1;
        for (int n = terms; n >= 1; n--)
            sum = 1 + sum * x * (1.0 / n);
        for (int n = 0; n < squarings; n++)
            sum *= sum;
        values[i] = 255 * sum + 0.5;
    }
    for (int i = 0; i < 256; i++)
        powers[i] = (uint8_t)values[i];
    powers[0] = 0;
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
