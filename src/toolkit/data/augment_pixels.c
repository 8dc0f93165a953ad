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

void qmt_crop_gamma(int side, uint8_t *pixels, float exponent)
{
    uint8_t table[256] = {0};
    for (int i = 1; i < 256; i++)
        table[i] = (uint8_t)(255 * qmt_power(i / 255.0, exponent) + 0.5);
    for (int i = 0; i < side * side * 3; i++)
        pixels[i] = table[pixels[i]];
}

void qmt_crop_gray(int side, uint8_t *pixels)
{
    for (int i = 0; i < side * side; i++, pixels += 3)
        memset(pixels, luma(pixels), 3);
}

void qmt_crop_noise(int side, uint8_t *pixels, float deviation, qmt_random *random)
{
    for (int i = 0; i < side * side * 3; i++)
        pixels[i] = saturate((float)pixels[i] + deviation * qmt_random_normal(random));
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

void qmt_crop_blur(int side, uint8_t *pixels, float sigma, float *scratch)
{
    float weights[max_blur_radius + 1];
    int radius = gaussian(sigma, weights), stride = side * 3;
    for (int y = 0; y < side; y++) {
        const uint8_t *row = pixels + y * stride;
        for (int x = 0; x < side; x++) {
            for (int c = 0; c < 3; c++) {
                float sum = weights[0] * (float)row[3 * x + c];
                for (int i = 1; i <= radius; i++)
                    sum += weights[i] * ((float)row[3 * clamp_index(x - i, side) + c] +
                                         (float)row[3 * clamp_index(x + i, side) + c]);
                scratch[y * stride + 3 * x + c] = sum;
            }
        }
    }
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < stride; x++) {
            float sum = weights[0] * scratch[y * stride + x];
            for (int i = 1; i <= radius; i++)
                sum += weights[i] * (scratch[clamp_index(y - i, side) * stride + x] +
                                     scratch[clamp_index(y + i, side) * stride + x]);
            pixels[y * stride + x] = saturate(sum);
        }
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
