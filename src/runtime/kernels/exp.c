#include "runtime/kernels/kernels.h"

#include <string.h>

/* e^x in double precision for |x| <= 90: x = n ln 2 + r, |r| <= ln 2 / 2, and the Taylor series of e^r to r^10, whose
 * rest is under 3e-13. Only additions and products in a fixed order, so every IEEE processor gives the same bits. */
static double exponential(double x)
{
    const double per_ln2 = 1.4426950408889634, ln2_high = 0.693147180369123816490, ln2_low = 1.90821492927058770002e-10;
    const double to_integer = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to a whole number, half to even */
    double n = (x * per_ln2 + to_integer) - to_integer;
    double r = (x - n * ln2_high) - n * ln2_low;
    double sum = 1.0 / 3628800;
    sum = sum * r + 1.0 / 362880;
    sum = sum * r + 1.0 / 40320;
    sum = sum * r + 1.0 / 5040;
    sum = sum * r + 1.0 / 720;
    sum = sum * r + 1.0 / 120;
    sum = sum * r + 1.0 / 24;
    sum = sum * r + 1.0 / 6;
    sum = sum * r + 0.5;
    sum = sum * r + 1.0;
    sum = sum * r + 1.0;
    uint64_t bits = (uint64_t)((int64_t)n + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

float qmt_exp(float x)
{
    const float largest = 88.72283f, smallest = -87.33654f; /* ln of the largest and the smallest normal float */
    if (x != x)
        return x;
    if (x < smallest)
        return 0;
    if (x > largest) {
        const uint32_t bits = 0x7f800000u;
        float infinity;
        memcpy(&infinity, &bits, sizeof infinity);
        return infinity;
    }
    return (float)exponential(x);
}

float qmt_sigmoid(float x)
{
    const float limit = 88;
    if (x != x)
        return x;
    /* e to a negative power only: no overflow, and no cancellation on either side. */
    float size = x < 0 ? -x : x;
    double e = exponential(-(double)(size < limit ? size : limit));
    return (float)(x < 0 ? e / (1 + e) : 1 / (1 + e));
}
