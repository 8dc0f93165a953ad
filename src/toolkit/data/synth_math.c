#include "toolkit/data/synth_math.h"

#include <math.h>

qmt_vec qmt_unit_vector(qmt_vec a)
{
    float length = sqrtf(qmt_dot(a, a));
    return length > 0 ? qmt_scale(a, 1 / length) : (qmt_vec){0, 0, 1};
}

float qmt_synth_sine(float angle)
{
    const double half_turn = 3.14159265358979323846;
    double x = angle;
    if (x > half_turn / 2)
        x = half_turn - x;
    if (x < -half_turn / 2)
        x = -half_turn - x;
    double square = x * x, term = x, sum = x;
    for (int n = 2; n <= 14; n += 2) { /* Taylor: enough for a quarter turn */
        term *= -square / (double)(n * (n + 1));
        sum += term;
    }
    return (float)sum;
}

float qmt_synth_cosine(float angle)
{
    return qmt_synth_sine(1.57079633f - (angle < 0 ? -angle : angle));
}

static float lattice(int32_t x, int32_t y, uint32_t seed)
{
    uint32_t h = (uint32_t)x * 0x9e3779b1u ^ (uint32_t)y * 0x85ebca77u ^ seed * 0xc2b2ae3du;
    h = (h ^ h >> 15) * 0x2c1b3c6du;
    h = (h ^ h >> 12) * 0x297a2d39u;
    return (float)((h ^ h >> 15) >> 8) * 0x1p-24f;
}

float qmt_synth_noise(float x, float y, uint32_t seed)
{
    x = qmt_clamp(x, -1e6f, 1e6f);
    y = qmt_clamp(y, -1e6f, 1e6f);
    int32_t ix = (int32_t)(x + 2e6f) - 2000000, iy = (int32_t)(y + 2e6f) - 2000000;
    ix -= (float)ix > x;
    iy -= (float)iy > y;
    float fx = x - (float)ix, fy = y - (float)iy;
    fx = fx * fx * (3 - 2 * fx);
    fy = fy * fy * (3 - 2 * fy);
    float top = qmt_blend(lattice(ix, iy, seed), lattice(ix + 1, iy, seed), fx);
    float bottom = qmt_blend(lattice(ix, iy + 1, seed), lattice(ix + 1, iy + 1, seed), fx);
    return qmt_blend(top, bottom, fy);
}
