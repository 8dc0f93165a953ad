/* Layers that read or make uint8, the form that ONNX Runtime fuses: one plain C path for every processor. A product of
 * uint8 and INT8 fits 16 bits (255 * 127 = 32385), the sum of two does not. */
#include "runtime/kernels/packed.h"

#include <string.h>

enum { lanes = qmt_channel_step };

typedef int32_t int_lanes __attribute__((vector_size(lanes * sizeof(int32_t)), may_alias));
typedef int16_t short_lanes __attribute__((vector_size(lanes * sizeof(int16_t))));
typedef int8_t byte_lanes __attribute__((vector_size(lanes), may_alias));
typedef float real_lanes __attribute__((vector_size(lanes * sizeof(float)), may_alias));

/* Weights, INT8: [out / 16][ky][kx][in][16], as FP32 ones. */
static void pack_int8(qmt_packed_layer *packed, const qmt_layer *layer)
{
    int8_t *weight = packed->weight;
    const size_t taps = qmt_layer_taps(layer), kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    for (int block = 0; block < packed->out_padded; block += lanes)
        for (size_t tap = 0; tap < kernel; tap++)
            for (size_t in = 0; in < (size_t)layer->in_channels; in++, weight += lanes)
                for (int lane = 0; lane < lanes && block + lane < layer->out_channels; lane++)
                    weight[lane] = layer->weight_int8[(size_t)(block + lane) * taps + in * kernel + tap];
}

static qmtcnn_status pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                          qmtcnn_error *error)
{
    const size_t padded = (size_t)qmt_padded_channels(layer->out_channels, false);
    const size_t weights = padded * (size_t)(layer->kernel_height * layer->kernel_width) * (size_t)layer->in_channels;
    qmtcnn_status status =
        qmt_packed_create(layer, options, weights * (options->int8 ? 1 : sizeof(float)), packed, error);
    if (status != QMTCNN_OK)
        return status;
    if (options->int8)
        pack_int8(*packed, layer);
    else
        qmt_pack_real(*packed, layer);
    return QMTCNN_OK;
}

/* Rounds half to even by adding and taking away 1.5 * 2^23, and saturates. */
QMT_INLINE int32_t round_between(float x, float low, float high)
{
    const float to_integer = 12582912.0f;
    x = x < high ? x : high;
    x = x > low ? x : low;
    return (int32_t)((x + to_integer) - to_integer);
}

/* Stores the activated values of a block: steps of the output's scale, or FP32. */
QMT_INLINE void store(const qmt_packed_layer *packed, int block, const float *value, void *output)
{
    for (int lane = 0; lane < lanes; lane++)
        if (packed->output_scale <= 0)
            ((float *)output + block)[lane] = value[lane];
        else if (packed->output_unsigned)
            ((uint8_t *)output + block)[lane] = (uint8_t)round_between(value[lane], 0, 255);
        else
            ((int8_t *)output + block)[lane] = (int8_t)round_between(value[lane], -127, 127);
}

QMT_INLINE void convolve_int8(const qmt_packed_layer *packed, int block, const void *input, int input_width,
                              void *output)
{
    const size_t step = (size_t)packed->in_padded, channels = (size_t)packed->in_channels;
    const size_t kernel = (size_t)(packed->kernel_height * packed->kernel_width);
    const byte_lanes *weight = (const byte_lanes *)((const int8_t *)packed->weight + (size_t)block * kernel * channels);
    int_lanes sum = *(const int_lanes *)(packed->bias_int32 + block);
    float value[lanes];
    for (int ky = 0; ky < packed->kernel_height; ky++) {
        const uint8_t *row = (const uint8_t *)input + (size_t)ky * (size_t)input_width * step;
        for (int kx = 0; kx < packed->kernel_width; kx++, row += step)
            for (size_t in = 0; in < channels; in++, weight++) {
                const int16_t x = packed->input_unsigned ? (int16_t)row[in] : (int16_t)(int8_t)row[in];
                const short_lanes products = x * __builtin_convertvector(*weight, short_lanes);
                sum += __builtin_convertvector(products, int_lanes);
            }
    }
    for (int lane = 0; lane < lanes; lane++) {
        const int32_t total = ((const int32_t *)&sum)[lane];
        value[lane] = (float)total * (total > 0 ? packed->factor[block + lane] : packed->negative_factor[block + lane]);
    }
    store(packed, block, value, output);
}

/* An FP32 layer whose output goes to uint8. */
QMT_INLINE void convolve_real(const qmt_packed_layer *packed, int block, const float *input, int input_width,
                              void *output)
{
    const size_t step = (size_t)packed->in_padded, channels = (size_t)packed->in_channels;
    const size_t kernel = (size_t)(packed->kernel_height * packed->kernel_width);
    const real_lanes *weight = (const real_lanes *)((const float *)packed->weight + (size_t)block * kernel * channels);
    real_lanes sum = *(const real_lanes *)(packed->bias + block);
    float value[lanes];
    for (int ky = 0; ky < packed->kernel_height; ky++) {
        const float *row = input + (size_t)ky * (size_t)input_width * step;
        for (int kx = 0; kx < packed->kernel_width; kx++, row += step)
            for (size_t in = 0; in < channels; in++, weight++)
                sum += row[in] * *weight;
    }
    for (int lane = 0; lane < lanes; lane++) {
        const float total = ((const float *)&sum)[lane];
        const float real = total > 0 ? total : total * packed->slope[block + lane];
        value[lane] = packed->output_scale > 0 ? real / packed->output_scale : real;
    }
    store(packed, block, value, output);
}

static void convolve_row(const qmt_packed_layer *packed, const void *input, int input_width, void *output, int width)
{
    const size_t input_pixel = qmt_packed_input_pixel(packed), output_pixel = qmt_packed_output_pixel(packed);
    for (int block = 0; block < packed->out_padded; block += lanes)
        for (int x = 0; x < width; x++) {
            const void *from = (const char *)input + (size_t)x * input_pixel;
            void *to = (char *)output + (size_t)x * output_pixel;
            if (packed->int8)
                convolve_int8(packed, block, from, input_width, to);
            else
                convolve_real(packed, block, from, input_width, to);
        }
}

/* Bytes of uint8 are compared as such; all else pools as in plain C. */
static void pool_row(const qmt_packed_layer *packed, const void *const *rows, int row_count, int width, void *output,
                     int output_width)
{
    const size_t channels = (size_t)packed->out_padded;
    uint8_t *to = output;
    if (!packed->output_unsigned) {
        qmt_pool_row_c(packed, rows, row_count, width, output, output_width);
        return;
    }
    for (int x = 0; x < output_width; x++, to += channels) {
        const int first = x * packed->pool_stride;
        const int end = first + packed->pool_kernel < width ? first + packed->pool_kernel : width;
        memset(to, 0, channels);
        for (int y = 0; y < row_count; y++)
            for (int i = first; i < end; i++) {
                const uint8_t *from = (const uint8_t *)rows[y] + (size_t)i * channels;
                for (size_t c = 0; c < channels; c++)
                    to[c] = to[c] > from[c] ? to[c] : from[c];
            }
    }
}

static void run(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    qmt_run_strip(packed, strip, convolve_row, pool_row);
}

const qmt_kernels *qmt_kernels_uint8(void)
{
    static const qmt_kernels kernels = {
        "uint8", pack, qmt_packed_release, qmt_packed_bytes, qmt_packed_scratch_size, run, qmt_normalize};
    return &kernels;
}
