#include "toolkit/data/augment_math.h"
#include "toolkit/data/augment_steps.h"
#include "toolkit/image/image.h"

#include <math.h>
#include <string.h>

enum { max_blur_radius = 12 };

/* 256 times the weights of BT.601. */
static int luma(const uint8_t *pixel)
{
    return (77 * pixel[0] + 150 * pixel[1] + 29 * pixel[2] + 128) >> 8;
}

static uint8_t saturate(float value)
{
    return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)(value + 0.5f);
}

void qmt_crop_color(int side, uint8_t *pixels, float brightness, float contrast, float saturation)
{
    static const float weights[3] = {0.299f, 0.587f, 0.114f};
    int count = side * side;
    int64_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += luma(pixels + 3 * i);
    float mean = (float)sum / (float)count, gain = brightness * contrast;
    float offset = brightness * mean * (1 - contrast);
    for (int i = 0; i < count; i++, pixels += 3) {
        float r = (float)pixels[0], g = (float)pixels[1], b = (float)pixels[2];
        float gray = weights[0] * r + weights[1] * g + weights[2] * b;
        float base = gain * (1 - saturation) * gray + offset, own = gain * saturation;
        pixels[0] = saturate(base + own * r);
        pixels[1] = saturate(base + own * g);
        pixels[2] = saturate(base + own * b);
    }
}

void qmt_crop_gamma(int side, uint8_t *pixels, float exponent, const double logarithms[256])
{
    uint8_t table[256];
    qmt_pixel_powers(logarithms, exponent, table);
    for (int i = 0; i < side * side * 3; i++)
        pixels[i] = table[pixels[i]];
}

void qmt_crop_gray(int side, uint8_t *pixels)
{
    for (int i = 0; i < side * side; i++, pixels += 3)
        memset(pixels, luma(pixels), 3);
}

/* The sum of eight uniform bytes is nearly normal, takes one random number and no libm: its mean is 1,020, its variance
 * 8 (256^2 - 1) / 12. */
static int sum_of_bytes(uint64_t bits)
{
    const uint64_t even = bits & 0x00ff00ff00ff00ffu, odd = bits >> 8 & 0x00ff00ff00ff00ffu;
    return (int)((even + odd) * 0x0001000100010001u >> 48);
}

void qmt_crop_noise(int side, uint8_t *pixels, float deviation, qmt_random *random)
{
    const int mean = 8 * 255 / 2;
    const float step = deviation / 209.0215f;
    for (int i = 0; i < side * side * 3; i++)
        pixels[i] = saturate((float)pixels[i] + step * (float)(sum_of_bytes(qmt_random_next(random)) - mean));
}

void qmt_crop_patch(int side, uint8_t *pixels, int x, int y, int width, int height, const uint8_t color[3])
{
    for (int row = y; row < y + height && row < side; row++) {
        uint8_t *pixel = pixels + ((size_t)row * (size_t)side + (size_t)x) * 3;
        for (int column = x; column < x + width && column < side; column++, pixel += 3)
            memcpy(pixel, color, 3);
    }
}

/* Half of a Gaussian that sums to 1, from the center outward; returns the radius. */
static int gaussian(float sigma, float weights[max_blur_radius + 1])
{
    int radius = (int)(3 * sigma + 1);
    if (radius > max_blur_radius)
        radius = max_blur_radius;
    double values[max_blur_radius + 1], sum = 0;
    for (int i = 0; i <= radius; i++) {
        double exponent = -(double)(i * i) / (2 * (double)sigma * (double)sigma);
        values[i] = exponent < -700 ? 0 : qmt_exponential(exponent);
        sum += i == 0 ? values[i] : 2 * values[i];
    }
    for (int i = 0; i <= radius; i++)
        weights[i] = (float)(values[i] / sum);
    return radius;
}

static int clamp_index(int index, int side)
{
    return index < 0 ? 0 : index >= side ? side - 1 : index;
}

/* Blurred rows, and one row with its border repeated. */
size_t qmt_blur_floats(int side)
{
    return 3 * (size_t)side * (size_t)side + 3 * ((size_t)side + 2 * max_blur_radius);
}

/* The row as floats, with `radius` pixels more on both sides. */
static void extend_row(const uint8_t *row, int side, int radius, float *extended)
{
    for (int x = -radius; x < side + radius; x++) {
        const uint8_t *pixel = row + 3 * clamp_index(x, side);
        for (int c = 0; c < 3; c++)
            *extended++ = (float)pixel[c];
    }
}

/* Sums run over the weights outside and along a row inside, where values lie side by side. */
void qmt_crop_blur(int side, uint8_t *pixels, float sigma, float *scratch)
{
    float weights[max_blur_radius + 1];
    const int radius = gaussian(sigma, weights), stride = side * 3;
    float *extended = scratch + (size_t)side * (size_t)stride;
    for (int y = 0; y < side; y++) {
        float *sums = scratch + y * stride;
        const float *row = extended + 3 * radius;
        extend_row(pixels + y * stride, side, radius, extended);
        for (int x = 0; x < stride; x++)
            sums[x] = weights[0] * row[x];
        for (int i = 1; i <= radius; i++)
            for (int x = 0; x < stride; x++)
                sums[x] += weights[i] * (row[x - 3 * i] + row[x + 3 * i]);
    }
    for (int y = 0; y < side; y++) {
        float *sums = extended;
        for (int x = 0; x < stride; x++)
            sums[x] = weights[0] * scratch[y * stride + x];
        for (int i = 1; i <= radius; i++) {
            const float *above = scratch + clamp_index(y - i, side) * stride;
            const float *below = scratch + clamp_index(y + i, side) * stride;
            for (int x = 0; x < stride; x++)
                sums[x] += weights[i] * (above[x] + below[x]);
        }
        for (int x = 0; x < stride; x++)
            pixels[y * stride + x] = saturate(sums[x]);
    }
}

qmtcnn_status qmt_crop_jpeg(int side, uint8_t *pixels, int quality, qmtcnn_error *error)
{
    qmt_image image = {pixels, side, side}, decoded = {0};
    void *data = NULL;
    size_t size = 0;
    qmtcnn_status status = qmt_image_encode_jpeg(&image, quality, &data, &size, error);
    if (status == QMTCNN_OK)
        status = qmt_image_decode(data, size, "an augmented sample", QMT_AS_STORED, &decoded, error);
    if (status == QMTCNN_OK && (decoded.width != side || decoded.height != side))
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "an augmented sample came back from JPEG as %d x %d",
                          decoded.width, decoded.height);
    if (status == QMTCNN_OK)
        memcpy(pixels, decoded.data, (size_t)side * (size_t)side * 3);
    qmt_image_clear(&decoded);
    qmt_free(data);
    return status;
}
