/* Kernels for x86 processors with AVX2 and FMA (2013 and later). INT8 gives the C kernels' integers, bit for bit. FP32
 * uses fused multiply-adds, which round once where C rounds twice: its last bits differ from C's (under 1e-5 on values
 * around 1), but not with a pixel's place in its row or strip.
 *
 * INT8: VPMADDUBSW multiplies unsigned by signed bytes and adds pairs in 16 bits. It cannot saturate here, since inputs
 * are at most 127 and weights at least -127: 2 * 127 * 127 < 32768. Signed inputs (the picture, layers without ReLU)
 * enter as their size, and VPSIGNB moves their sign to the weights. */
#if defined(__AVX2__)
#include "runtime/kernels/packed.h"

#include <immintrin.h>
#include <string.h>

enum { lanes = qmt_channel_step, int8_pixels = 4, real_pixels = 6 };

/* ---- Packing ------------------------------------------------------------------------------------ */

/* Weights, INT8: [out / 16][ky][kx][in / 4, rounded up][16][4]. */
static void pack_int8(qmt_packed_layer *packed, const qmt_layer *layer)
{
    int8_t *weight = packed->weight;
    size_t taps = qmt_layer_taps(layer), kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    size_t channels = (size_t)layer->in_channels;
    for (int block = 0; block < packed->out_padded; block += lanes)
        for (size_t tap = 0; tap < kernel; tap++)
            for (size_t in = 0; in < channels; in += 4, weight += 4 * lanes)
                for (size_t lane = 0; lane < lanes && (size_t)block + lane < (size_t)layer->out_channels; lane++)
                    for (size_t i = 0; i < 4 && in + i < channels; i++)
                        weight[4 * lane + i] =
                            layer->weight_int8[((size_t)block + lane) * taps + (in + i) * kernel + tap];
}

static qmtcnn_status pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                          qmtcnn_error *error)
{
    size_t padded = (size_t)((layer->out_channels + lanes - 1) / lanes * lanes);
    size_t kernel = (size_t)(layer->kernel_height * layer->kernel_width), channels = (size_t)layer->in_channels;
    size_t bytes = padded * kernel * (options->int8 ? (channels + 3) / 4 * 4 : channels * sizeof(float));
    qmtcnn_status status = qmt_packed_create(layer, options, bytes, packed, error);
    if (status == QMTCNN_OK) {
        if (options->int8)
            pack_int8(*packed, layer);
        else
            qmt_pack_real(*packed, layer);
    }
    return status;
}

/* ---- After the sums ------------------------------------------------------------------------------ */

/* 16 values, rounded half to even and saturated at +-127, as bytes. The order of operands sends a NaN to 127, as in C.
 */
QMT_INLINE __m128i to_int8(__m256 low, __m256 high)
{
    const __m256 top = _mm256_set1_ps(127.0f), bottom = _mm256_set1_ps(-127.0f);
    __m256i a = _mm256_cvtps_epi32(_mm256_max_ps(_mm256_min_ps(low, top), bottom));
    __m256i b = _mm256_cvtps_epi32(_mm256_max_ps(_mm256_min_ps(high, top), bottom));
    __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8); /* quarters 0 2 1 3: in order again */
    return _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

QMT_INLINE void store(const qmt_packed_layer *packed, int block, __m256 low, __m256 high, void *output)
{
    if (packed->output_scale > 0) {
        _mm_storeu_si128((__m128i *)(void *)((int8_t *)output + block), to_int8(low, high));
    } else {
        _mm256_storeu_ps((float *)output + block, low);
        _mm256_storeu_ps((float *)output + block + 8, high);
    }
}

/* A sum times the factor of its sign. */
QMT_INLINE __m256 scale_sum(__m256i sum, const float *factor, const float *negative_factor)
{
    __m256 positive = _mm256_castsi256_ps(_mm256_cmpgt_epi32(sum, _mm256_setzero_si256()));
    __m256 chosen = _mm256_blendv_ps(_mm256_loadu_ps(negative_factor), _mm256_loadu_ps(factor), positive);
    return _mm256_mul_ps(_mm256_cvtepi32_ps(sum), chosen);
}

QMT_INLINE void store_int8(const qmt_packed_layer *packed, int block, __m256i low, __m256i high, void *output)
{
    const float *factor = packed->factor + block, *negative_factor = packed->negative_factor + block;
    store(packed, block, scale_sum(low, factor, negative_factor), scale_sum(high, factor + 8, negative_factor + 8),
          output);
}

QMT_INLINE __m256 activate(__m256 sum, const float *slope)
{
    __m256 positive = _mm256_cmp_ps(sum, _mm256_setzero_ps(), _CMP_GT_OQ);
    return _mm256_blendv_ps(_mm256_mul_ps(sum, _mm256_loadu_ps(slope)), sum, positive);
}

QMT_INLINE void store_real(const qmt_packed_layer *packed, int block, __m256 low, __m256 high, void *output)
{
    low = activate(low, packed->slope + block);
    high = activate(high, packed->slope + block + 8);
    if (packed->output_scale > 0) {
        const __m256 scale = _mm256_set1_ps(packed->output_scale);
        low = _mm256_div_ps(low, scale);
        high = _mm256_div_ps(high, scale);
    }
    store(packed, block, low, high, output);
}

/* ---- Convolution --------------------------------------------------------------------------------- */

/* 16 output channels of `pixels` neighboring pixels; `pixels` and `is_signed` are constants after inlining. */
QMT_INLINE void convolve_int8(const qmt_packed_layer *packed, int block, const int8_t *input, int input_width,
                              char *output, const int pixels, const bool is_signed)
{
    const size_t step = (size_t)packed->in_padded, groups = ((size_t)packed->in_channels + 3) / 4;
    const size_t block_bytes = (size_t)packed->kernel_height * (size_t)packed->kernel_width * groups * 4;
    const __m256i ones = _mm256_set1_epi16(1);
    const int8_t *weight = (const int8_t *)packed->weight + (size_t)block * block_bytes;
    __m256i sum[int8_pixels][2];
    for (int p = 0; p < pixels; p++)
        for (int half = 0; half < 2; half++)
            sum[p][half] = _mm256_loadu_si256((const __m256i *)(const void *)(packed->bias_int32 + block + 8 * half));
    for (int ky = 0; ky < packed->kernel_height; ky++) {
        const int8_t *row = input + (size_t)ky * (size_t)input_width * step;
        for (int kx = 0; kx < packed->kernel_width; kx++, row += step)
            for (size_t group = 0; group < groups; group++, weight += 4 * lanes) {
                const __m256i low = _mm256_load_si256((const __m256i *)(const void *)weight);
                const __m256i high = _mm256_load_si256((const __m256i *)(const void *)(weight + 2 * lanes));
                for (int p = 0; p < pixels; p++) {
                    int four;
                    memcpy(&four, row + (size_t)p * step + 4 * group, sizeof four);
                    const __m256i value = _mm256_set1_epi32(four);
                    const __m256i size = is_signed ? _mm256_abs_epi8(value) : value;
                    const __m256i a = is_signed ? _mm256_sign_epi8(low, value) : low;
                    const __m256i b = is_signed ? _mm256_sign_epi8(high, value) : high;
                    sum[p][0] = _mm256_add_epi32(sum[p][0], _mm256_madd_epi16(_mm256_maddubs_epi16(size, a), ones));
                    sum[p][1] = _mm256_add_epi32(sum[p][1], _mm256_madd_epi16(_mm256_maddubs_epi16(size, b), ones));
                }
            }
    }
    for (int p = 0; p < pixels; p++)
        store_int8(packed, block, sum[p][0], sum[p][1], output + (size_t)p * qmt_packed_output_pixel(packed));
}

QMT_INLINE void convolve_real(const qmt_packed_layer *packed, int block, const float *input, int input_width,
                              char *output, const int pixels)
{
    const size_t step = (size_t)packed->in_padded, channels = (size_t)packed->in_channels;
    const size_t block_weights = (size_t)packed->kernel_height * (size_t)packed->kernel_width * channels;
    const float *weight = (const float *)packed->weight + (size_t)block * block_weights;
    __m256 sum[real_pixels][2];
    for (int p = 0; p < pixels; p++)
        for (int half = 0; half < 2; half++)
            sum[p][half] = _mm256_loadu_ps(packed->bias + block + 8 * half);
    for (int ky = 0; ky < packed->kernel_height; ky++) {
        const float *row = input + (size_t)ky * (size_t)input_width * step;
        for (int kx = 0; kx < packed->kernel_width; kx++, row += step)
            for (size_t in = 0; in < channels; in++, weight += lanes) {
                const __m256 low = _mm256_load_ps(weight), high = _mm256_load_ps(weight + 8);
                for (int p = 0; p < pixels; p++) {
                    const __m256 value = _mm256_broadcast_ss(row + (size_t)p * step + in);
                    sum[p][0] = _mm256_fmadd_ps(value, low, sum[p][0]);
                    sum[p][1] = _mm256_fmadd_ps(value, high, sum[p][1]);
                }
            }
    }
    for (int p = 0; p < pixels; p++)
        store_real(packed, block, sum[p][0], sum[p][1], output + (size_t)p * qmt_packed_output_pixel(packed));
}

/* The same with counts that are known only when it runs. */
static void convolve_unsigned(const qmt_packed_layer *packed, int block, const void *input, int width, char *output,
                              int pixels)
{
    switch (pixels) {
    case 1: convolve_int8(packed, block, input, width, output, 1, false); break;
    case 2: convolve_int8(packed, block, input, width, output, 2, false); break;
    case 3: convolve_int8(packed, block, input, width, output, 3, false); break;
    default: convolve_int8(packed, block, input, width, output, int8_pixels, false); break;
    }
}

static void convolve_signed(const qmt_packed_layer *packed, int block, const void *input, int width, char *output,
                            int pixels)
{
    switch (pixels) {
    case 1: convolve_int8(packed, block, input, width, output, 1, true); break;
    case 2: convolve_int8(packed, block, input, width, output, 2, true); break;
    case 3: convolve_int8(packed, block, input, width, output, 3, true); break;
    default: convolve_int8(packed, block, input, width, output, int8_pixels, true); break;
    }
}

static void convolve_float(const qmt_packed_layer *packed, int block, const void *input, int width, char *output,
                           int pixels)
{
    switch (pixels) {
    case 1: convolve_real(packed, block, input, width, output, 1); break;
    case 2: convolve_real(packed, block, input, width, output, 2); break;
    case 3: convolve_real(packed, block, input, width, output, 3); break;
    case 4: convolve_real(packed, block, input, width, output, 4); break;
    case 5: convolve_real(packed, block, input, width, output, 5); break;
    default: convolve_real(packed, block, input, width, output, real_pixels); break;
    }
}

static void convolve_row(const qmt_packed_layer *packed, const void *input, int input_width, void *output, int width)
{
    const int most = packed->int8 ? int8_pixels : real_pixels;
    const size_t input_pixel = qmt_packed_input_pixel(packed), output_pixel = qmt_packed_output_pixel(packed);
    for (int block = 0; block < packed->out_padded; block += lanes)
        for (int x = 0; x < width; x += most) {
            const char *from = (const char *)input + (size_t)x * input_pixel;
            char *to = (char *)output + (size_t)x * output_pixel;
            int pixels = width - x < most ? width - x : most;
            if (!packed->int8)
                convolve_float(packed, block, from, input_width, to, pixels);
            else if (packed->signed_input)
                convolve_signed(packed, block, from, input_width, to, pixels);
            else
                convolve_unsigned(packed, block, from, input_width, to, pixels);
        }
}

/* ---- Pool ---------------------------------------------------------------------------------------- */

static void pool_int8(const void *const *rows, int row_count, size_t pixel, int first, int end, int8_t *output)
{
    for (size_t c = 0; c < pixel; c += 16) {
        __m128i largest = _mm_set1_epi8(-128);
        for (int y = 0; y < row_count; y++)
            for (int x = first; x < end; x++) {
                const char *from = (const char *)rows[y] + (size_t)x * pixel + c;
                largest = _mm_max_epi8(largest, _mm_loadu_si128((const __m128i *)(const void *)from));
            }
        _mm_storeu_si128((__m128i *)(void *)(output + c), largest);
    }
}

static void pool_row(const qmt_packed_layer *packed, const void *const *rows, int row_count, int width, void *output,
                     int output_width)
{
    if (packed->output_scale > 0) {
        const size_t pixel = (size_t)packed->out_padded;
        for (int x = 0; x < output_width; x++) {
            int first = x * packed->pool_stride, end = first + packed->pool_kernel;
            pool_int8(rows, row_count, pixel, first, end < width ? end : width, (int8_t *)output + (size_t)x * pixel);
        }
    } else {
        qmt_pool_row_c(packed, rows, row_count, width, output, output_width);
    }
}

static void run(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    qmt_run_strip(packed, strip, convolve_row, pool_row);
}

const qmt_kernels *qmt_kernels_avx2(void)
{
    static const qmt_kernels kernels = {
        "avx2", pack, qmt_packed_release, qmt_packed_bytes, qmt_packed_scratch_size, run, qmt_normalize};
    return &kernels;
}
#endif
