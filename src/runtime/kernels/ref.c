/* The plain C kernels: 16 output channels side by side, which compilers turn into vector code on any processor. Each
 * output is one sum in a fixed order: its bits depend on neither its place in the row nor the strip. */
#include "runtime/kernels/packed.h"

#include <string.h>

enum { lanes = qmt_channel_step, most_pixels = 2 };

/* 16 numbers side by side: the vector types of GCC and Clang, which become whatever the processor has. */
typedef float real_lanes __attribute__((vector_size(lanes * sizeof(float)), may_alias));
typedef int32_t int_lanes __attribute__((vector_size(lanes * sizeof(int32_t)), may_alias));
typedef int16_t short_lanes __attribute__((vector_size(lanes * sizeof(int16_t))));
typedef int8_t byte_lanes __attribute__((vector_size(lanes), may_alias));

/* Weights, INT8: [out / 16][ky][kx][in / 2, rounded up][2][16]. */
static void pack_int8(qmt_packed_layer *packed, const qmt_layer *layer)
{
    int8_t *weight = packed->weight;
    size_t taps = qmt_layer_taps(layer), kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    size_t channels = (size_t)layer->in_channels, paired = (channels + 1) / 2 * 2;
    for (int block = 0; block < packed->out_padded; block += lanes)
        for (size_t tap = 0; tap < kernel; tap++)
            for (size_t in = 0; in < paired; in++, weight += lanes)
                for (int lane = 0; in < channels && lane < lanes && block + lane < layer->out_channels; lane++)
                    weight[lane] = layer->weight_int8[(size_t)(block + lane) * taps + in * kernel + tap];
}

static qmtcnn_status pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                          qmtcnn_error *error)
{
    size_t padded = (size_t)((layer->out_channels + lanes - 1) / lanes * lanes);
    size_t kernel = (size_t)(layer->kernel_height * layer->kernel_width), channels = (size_t)layer->in_channels;
    size_t bytes = padded * kernel * (options->int8 ? (channels + 1) / 2 * 2 : channels * sizeof(float));
    qmtcnn_status status = qmt_packed_create(layer, options, bytes, packed, error);
    if (status == QMTCNN_OK) {
        if (options->int8)
            pack_int8(*packed, layer);
        else
            qmt_pack_real(*packed, layer);
    }
    return status;
}

/* Adding and taking away 1.5 * 2^23 rounds |x| < 2^22 to a whole number, half to even. */
QMT_INLINE int8_t round_to_int8(float x)
{
    const float to_integer = 12582912.0f;
    x = x < 127.0f ? x : 127.0f;
    x = x > -127.0f ? x : -127.0f;
    return (int8_t)(int32_t)((x + to_integer) - to_integer);
}

QMT_INLINE void store_real(const qmt_packed_layer *packed, int block, const float *sum, void *output)
{
    const float *slope = packed->slope + block;
    float value[lanes];
    for (int lane = 0; lane < lanes; lane++)
        value[lane] = sum[lane] > 0 ? sum[lane] : sum[lane] * slope[lane];
    if (packed->output_scale > 0)
        for (int lane = 0; lane < lanes; lane++)
            ((int8_t *)output + block)[lane] = round_to_int8(value[lane] / packed->output_scale);
    else
        for (int lane = 0; lane < lanes; lane++)
            ((float *)output + block)[lane] = value[lane];
}

QMT_INLINE void store_int8(const qmt_packed_layer *packed, int block, const int32_t *sum, void *output)
{
    const float *factor = packed->factor + block, *negative_factor = packed->negative_factor + block;
    float value[lanes];
    for (int lane = 0; lane < lanes; lane++)
        value[lane] = (float)sum[lane] * (sum[lane] > 0 ? factor[lane] : negative_factor[lane]);
    if (packed->output_scale > 0)
        for (int lane = 0; lane < lanes; lane++)
            ((int8_t *)output + block)[lane] = round_to_int8(value[lane]);
    else
        for (int lane = 0; lane < lanes; lane++)
            ((float *)output + block)[lane] = value[lane];
}

/* 16 output channels of `pixels` (a constant after inlining) neighboring pixels. */
QMT_INLINE void convolve_real(const qmt_packed_layer *packed, int block, const float *input, int input_width,
                              void *output, const int pixels)
{
    real_lanes sum[most_pixels];
    const size_t step = (size_t)packed->in_padded, channels = (size_t)packed->in_channels;
    const size_t block_weights = (size_t)packed->kernel_height * (size_t)packed->kernel_width * channels;
    const real_lanes *weight = (const real_lanes *)((const float *)packed->weight + (size_t)block * block_weights);
    for (int p = 0; p < pixels; p++)
        sum[p] = *(const real_lanes *)(packed->bias + block);
    for (int ky = 0; ky < packed->kernel_height; ky++) {
        const float *row = input + (size_t)ky * (size_t)input_width * step;
        for (int kx = 0; kx < packed->kernel_width; kx++, row += step)
            for (size_t in = 0; in < channels; in++, weight++)
                for (int p = 0; p < pixels; p++)
                    sum[p] += row[(size_t)p * step + in] * *weight;
    }
    for (int p = 0; p < pixels; p++)
        store_real(packed, block, (const float *)&sum[p], (char *)output + (size_t)p * qmt_packed_output_pixel(packed));
}

/* Two products of 7-bit numbers fit 16 bits (2 * 127 * 127 = 32258), which vector units multiply cheaply. */
QMT_INLINE void convolve_int8(const qmt_packed_layer *packed, int block, const int8_t *input, int input_width,
                              void *output, const int pixels)
{
    int_lanes sum[most_pixels];
    const size_t step = (size_t)packed->in_padded, pairs = ((size_t)packed->in_channels + 1) / 2;
    const size_t block_weights = (size_t)packed->kernel_height * (size_t)packed->kernel_width * pairs * 2;
    const byte_lanes *weight = (const byte_lanes *)((const int8_t *)packed->weight + (size_t)block * block_weights);
    for (int p = 0; p < pixels; p++)
        sum[p] = *(const int_lanes *)(packed->bias_int32 + block);
    for (int ky = 0; ky < packed->kernel_height; ky++) {
        const int8_t *row = input + (size_t)ky * (size_t)input_width * step;
        for (int kx = 0; kx < packed->kernel_width; kx++, row += step)
            for (size_t pair = 0; pair < pairs; pair++, weight += 2) {
                const short_lanes first = __builtin_convertvector(weight[0], short_lanes);
                const short_lanes second = __builtin_convertvector(weight[1], short_lanes);
                for (int p = 0; p < pixels; p++) {
                    const int8_t *two = row + (size_t)p * step + 2 * pair;
                    const short_lanes products = (int16_t)two[0] * first + (int16_t)two[1] * second;
                    sum[p] += __builtin_convertvector(products, int_lanes);
                }
            }
    }
    for (int p = 0; p < pixels; p++)
        store_int8(packed, block, (const int32_t *)&sum[p],
                   (char *)output + (size_t)p * qmt_packed_output_pixel(packed));
}

static void convolve_row(const qmt_packed_layer *packed, const void *input, int input_width, void *output, int width)
{
    const size_t input_pixel = qmt_packed_input_pixel(packed), output_pixel = qmt_packed_output_pixel(packed);
    for (int block = 0; block < packed->out_padded; block += lanes)
        for (int x = 0; x < width;) {
            const void *from = (const char *)input + (size_t)x * input_pixel;
            void *to = (char *)output + (size_t)x * output_pixel;
            const bool two = x + 1 < width;
            if (packed->int8 && two)
                convolve_int8(packed, block, from, input_width, to, 2);
            else if (packed->int8)
                convolve_int8(packed, block, from, input_width, to, 1);
            else if (two)
                convolve_real(packed, block, from, input_width, to, 2);
            else
                convolve_real(packed, block, from, input_width, to, 1);
            x += two ? 2 : 1;
        }
}

QMT_INLINE void pool_real(const float *pixel, size_t channels, float *output)
{
    for (size_t c = 0; c < channels; c++)
        output[c] = output[c] > pixel[c] ? output[c] : pixel[c];
}

QMT_INLINE void pool_int8(const int8_t *pixel, size_t channels, int8_t *output)
{
    for (size_t c = 0; c < channels; c++)
        output[c] = output[c] > pixel[c] ? output[c] : pixel[c];
}

void qmt_pool_row_c(const qmt_packed_layer *packed, const void *const *rows, int row_count, int width, void *output,
                    int output_width)
{
    const size_t pixel = qmt_packed_output_pixel(packed), channels = (size_t)packed->out_padded;
    for (int x = 0; x < output_width; x++) {
        char *to = (char *)output + (size_t)x * pixel;
        int first = x * packed->pool_stride, end = first + packed->pool_kernel;
        end = end < width ? end : width;
        memcpy(to, (const char *)rows[0] + (size_t)first * pixel, pixel);
        for (int y = 0; y < row_count; y++)
            for (int i = first; i < end; i++) {
                const char *from = (const char *)rows[y] + (size_t)i * pixel;
                if (packed->output_scale > 0)
                    pool_int8((const int8_t *)from, channels, (int8_t *)to);
                else
                    pool_real((const float *)from, channels, (float *)to);
            }
    }
}

static void run(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    qmt_run_strip(packed, strip, convolve_row, qmt_pool_row_c);
}

const qmt_kernels *qmt_kernels_c(void)
{
    static const qmt_kernels kernels = {
        "c", pack, qmt_packed_release, qmt_packed_bytes, qmt_packed_scratch_size, run, qmt_normalize};
    return &kernels;
}
