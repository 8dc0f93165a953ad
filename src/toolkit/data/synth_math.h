/* Small arithmetic of the synthetic pictures. Only + - * / and square roots, which IEEE 754 rounds alike everywhere, so
 * that a seed gives the same pixels on every machine; libm's other functions differ in the last bit. */
#ifndef QMT_SYNTH_MATH_H
#define QMT_SYNTH_MATH_H

#include <stdint.h>

/* A point or direction, or a color (red, green, blue in 0 to 1). */
typedef struct qmt_vec {
    float x, y, z;
} qmt_vec;

static inline float qmt_clamp(float value, float low, float high)
{
    return value < low ? low : value > high ? high : value;
}

static inline float qmt_blend(float a, float b, float share)
{
    return a + (b - a) * share;
}

/* 0 below `low`, 1 above `high`, smooth between. */
static inline float qmt_smooth(float low, float high, float value)
{
    float t = qmt_clamp((value - low) / (high - low), 0, 1);
    return t * t * (3 - 2 * t);
}

/* 1 in the middle of an ellipse, 0 from its rim on, smooth. */
static inline float qmt_bell(float dx, float dy, float rx, float ry)
{
    float u = dx * dx / (rx * rx) + dy * dy / (ry * ry);
    return u >= 1 ? 0 : (1 - u) * (1 - u);
}

static inline qmt_vec qmt_add(qmt_vec a, qmt_vec b)
{
    return (qmt_vec){a.x + b.x, a.y + b.y, a.z + b.z};
}

static inline qmt_vec qmt_scale(qmt_vec a, float by)
{
    return (qmt_vec){a.x * by, a.y * by, a.z * by};
}

static inline qmt_vec qmt_multiply(qmt_vec a, qmt_vec b)
{
    return (qmt_vec){a.x * b.x, a.y * b.y, a.z * b.z};
}

static inline float qmt_dot(qmt_vec a, qmt_vec b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static inline qmt_vec qmt_mix(qmt_vec a, qmt_vec b, float share)
{
    return (qmt_vec){qmt_blend(a.x, b.x, share), qmt_blend(a.y, b.y, share), qmt_blend(a.z, b.z, share)};
}

qmt_vec qmt_unit_vector(qmt_vec a);
/* Sine of an angle in radians, |angle| <= 4. */
float qmt_synth_sine(float angle);
float qmt_synth_cosine(float angle);
/* Smooth noise in 0 to 1 with one bump a unit. */
float qmt_synth_noise(float x, float y, uint32_t seed);

#endif
