/* Fake quantization as an inline loop, so that training kernels compile it for their own instruction set. */
#ifndef QMT_FAKE_QUANTIZE_H
#define QMT_FAKE_QUANTIZE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* `count` <= 64 values; the copies let compilers vectorize although x and y may be the same. */
static inline uint32_t qmt_fake_quantize_some(const float *x, float *y, uint8_t *passes, size_t count, float scale)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it leaves no bits for the fraction and rounds half to even */
    float values[64];
    uint32_t inside[64], clipped = 0;
    memcpy(values, x, count * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        float steps = values[i] / scale;
        /* 200 is past the range but well within what the magic number can round. */
        steps = steps > 200.0f ? 200.0f : steps;
        steps = steps < -200.0f ? -200.0f : steps;
        float rounded = (steps + magic) - magic;
        float kept = rounded > 127.0f ? 127.0f : rounded;
        kept = kept < -127.0f ? -127.0f : kept;
        inside[i] = kept == rounded ? 1 : 0;
        values[i] = kept * scale;
    }
    memcpy(y, values, count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        clipped += 1 - inside[i];
    if (passes)
        for (size_t i = 0; i < count; i++)
            passes[i] = (uint8_t)inside[i];
    return clipped;
}

/* See qmt_fake_quantize(). Divides, as ONNX QuantizeLinear does: a product with 1 / scale rounds differently at ties.
 */
static inline size_t qmt_fake_quantize_inline(const float *x, float *y, uint8_t *passes, size_t count, float scale)
{
    size_t clipped = 0, i = 0;
    for (; i + 64 <= count; i += 64)
        clipped += qmt_fake_quantize_some(x + i, y + i, passes ? passes + i : NULL, 64, scale);
    if (i < count)
        clipped += qmt_fake_quantize_some(x + i, y + i, passes ? passes + i : NULL, count - i, scale);
    return clipped;
}

#endif
