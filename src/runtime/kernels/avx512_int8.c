/* Packs INT8 layers and walks their strips, with AVX-512 VNNI. */
#ifdef QMT_KERNELS_AVX512VNNI
#include "runtime/kernels/avx512_int8.h"

#include "runtime/kernels/avx2_int8.h"

#include <string.h>

enum { line = 64, lanes = qmt_channel_step };

/* ---- Packing ------------------------------------------------------------------------------------ */

/* Fours of inputs of a row of the kernel. */
static int row_words(const qmt_packed_layer *packed)
{
    return packed->kernel_width * ((packed->in_channels + 3) / 4);
}

static size_t weight_bytes(const qmt_packed_layer *packed)
{
    return (size_t)packed->out_padded * (size_t)(packed->kernel_height * row_words(packed)) * 4;
}

static void pack_weights(qmt_packed_layer *packed, const qmt_layer *layer)
{
    int8_t *weight = packed->weight;
    const size_t taps = qmt_layer_taps(layer), kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    const size_t channels = (size_t)layer->in_channels, outputs = (size_t)layer->out_channels;
    for (size_t block = 0; block < outputs; block += lanes)
        for (size_t tap = 0; tap < kernel; tap++)
            for (size_t in = 0; in < channels; in += 4)
                for (size_t lane = 0; lane < lanes; lane++)
                    for (size_t i = in; i < in + 4; i++, weight++)
                        if (block + lane < outputs && i < channels)
                            *weight = layer->weight_int8[(block + lane) * taps + i * kernel + tap];
}

/* Signed inputs come with 128 added; the bias takes it back: sum(w * x) = sum(w * (x + 128)) - 128 * sum(w). Unsigned,
 * since sums may pass 2^31 on the way; modulo 2^32 the result is right. */
static void subtract_offset(qmt_packed_layer *packed, const qmt_layer *layer)
{
    const size_t taps = qmt_layer_taps(layer);
    for (int c = 0; c < layer->out_channels; c++) {
        uint32_t sum = 0;
        for (size_t i = 0; i < taps; i++)
            sum += (uint32_t)layer->weight_int8[(size_t)c * taps + i];
        packed->bias_int32[c] = (int32_t)((uint32_t)packed->bias_int32[c] - 128u * sum);
    }
}

/* The picture's weights as its kernels like them, behind the others. */
static qmt_avx512_picture_channel *picture_channels(const qmt_packed_layer *packed)
{
    return (qmt_avx512_picture_channel *)(void *)((char *)packed->weight + weight_bytes(packed));
}

qmtcnn_status qmt_avx512_int8_pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                                   qmtcnn_error *error)
{
    const bool picture = qmt_picture_suits(layer, options);
    const size_t kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    const size_t inputs = ((size_t)layer->in_channels + 3) / 4 * 4;
    const size_t bytes = (size_t)qmt_padded_channels(layer->out_channels, false) * kernel * inputs;
    const size_t more = picture ? (size_t)layer->out_channels * sizeof(qmt_avx512_picture_channel) : 0;
    qmtcnn_status status = qmt_packed_create(layer, options, bytes + more, packed, error);
    if (status != QMTCNN_OK)
        return status;
    pack_weights(*packed, layer);
    if (options->signed_input)
        subtract_offset(*packed, layer);
    if (picture)
        qmt_avx512_picture_pack(layer, picture_channels(*packed));
    (*packed)->pools_sums = picture;
    (*packed)->interleaves = options->output_scale > 0 || layer->pool_kernel == 0;
    return QMTCNN_OK;
}

/* ---- Scratch ------------------------------------------------------------------------------------ */

static size_t align_size(size_t bytes)
{
    return (bytes + line - 1) / line * line;
}

static size_t offsets_bytes(const qmt_packed_layer *packed)
{
    return align_size((size_t)row_words(packed) * sizeof(int32_t));
}

/* Bytes of an input row with 128 added. */
static size_t converted_bytes(const qmt_packed_layer *packed, size_t pixels)
{
    return packed->signed_input ? align_size(pixels * (size_t)packed->in_padded) : 0;
}

size_t qmt_avx512_int8_scratch_size(const qmt_packed_layer *packed, int input_width)
{
    const size_t converted = (size_t)packed->kernel_height * converted_bytes(packed, (size_t)input_width);
    const size_t bytes = offsets_bytes(packed) + converted + align_size(qmt_packed_scratch_size(packed, input_width));
    const size_t picture = packed->pools_sums ? qmt_avx512_picture_scratch_size(packed, (size_t)input_width) : 0;
    return picture > bytes ? picture : bytes;
}

/* ---- Walking ------------------------------------------------------------------------------------ */

/* A strip on its way. */
struct walk {
    const qmt_packed_layer *packed;
    const qmt_strip *strip;
    int pictures, width; /* pixels of a row of convolution output, of a picture */
    size_t input_row, converted_row;
    int32_t *offsets;
    uint8_t *converted; /* signed input: a ring of kernel_height rows */
    int converted_end;  /* rows below it are converted, or gone */
    char *ring;         /* pool: rows of convolution output */
    const uint8_t *rows[qmt_max_kernel];
};

static void start(struct walk *walk, const qmt_packed_layer *packed, const qmt_strip *strip)
{
    const int pictures = strip->pictures > 1 ? strip->pictures : 1, groups = (packed->in_channels + 3) / 4;
    const size_t pixels = (size_t)pictures * (size_t)strip->input_width;
    *walk = (struct walk){.packed = packed,
                          .strip = strip,
                          .pictures = pictures,
                          .width = strip->input_width - packed->kernel_width + 1,
                          .input_row = pixels * (size_t)packed->in_padded,
                          .converted_row = converted_bytes(packed, pixels),
                          .offsets = strip->scratch};
    walk->converted = (uint8_t *)strip->scratch + offsets_bytes(packed);
    walk->ring = (char *)walk->converted + (size_t)packed->kernel_height * walk->converted_row;
    for (int kx = 0; kx < packed->kernel_width; kx++)
        for (int group = 0; group < groups; group++)
            walk->offsets[kx * groups + group] = kx * pictures * packed->in_padded + 4 * group;
}

/* Adds 128 to a row of signed bytes, 8 at a time: flipping the top bit of each is the same. */
static void convert_row(const char *from, uint8_t *to, size_t bytes)
{
    const uint64_t top_bits = 0x8080808080808080u;
    size_t i = 0;
    for (; i + 8 <= bytes; i += 8) {
        uint64_t eight;
        memcpy(&eight, from + i, 8);
        eight ^= top_bits;
        memcpy(to + i, &eight, 8);
    }
    for (; i < bytes; i++)
        to[i] = (uint8_t)from[i] ^ 0x80;
}

/* Points walk->rows at the input rows of row y of convolution output. */
static void find_rows(struct walk *walk, int y)
{
    const int height = walk->packed->kernel_height;
    for (int row = y; row < y + height; row++) {
        const char *from = (const char *)walk->strip->input + (size_t)row * walk->input_row;
        uint8_t *to = walk->converted + (size_t)(row % height) * walk->converted_row;
        if (walk->packed->signed_input && row >= walk->converted_end) {
            convert_row(from, to, walk->input_row);
            walk->converted_end = row + 1;
        }
        walk->rows[row - y] = walk->packed->signed_input ? to : (const uint8_t *)from;
    }
}

static void convolve(struct walk *walk, int y, void *output)
{
    const qmt_packed_layer *packed = walk->packed;
    const int wanted = packed->output_scale > 0 ? 0 : walk->strip->channels;
    find_rows(walk, y);
    const qmt_avx512_row row = {.rows = walk->rows,
                                .offsets = walk->offsets,
                                .words = row_words(packed),
                                .step = (size_t)packed->in_padded,
                                .output = output,
                                .output_pixel = qmt_packed_output_pixel(packed),
                                .pixels = walk->width * walk->pictures,
                                .channels = wanted > 0 ? wanted : packed->out_padded};
    qmt_avx512_tiles_row(packed, &row);
}

/* The pool over rows of convolution output. */
static void pool(const struct walk *walk, const void *const *rows, int row_count, void *output)
{
    const qmt_packed_layer *packed = walk->packed;
    const size_t pixel = (size_t)walk->pictures * qmt_packed_output_pixel(packed);
    if (packed->output_scale > 0)
        qmt_avx2_pool_row(packed, (const int8_t *const *)rows, row_count, walk->width, pixel, output,
                          walk->strip->output_width);
    else
        qmt_pool_row_c(packed, rows, row_count, walk->width, output, walk->strip->output_width);
}

static void run_pooled(struct walk *walk, size_t ring_row, size_t output_row)
{
    const qmt_packed_layer *packed = walk->packed;
    const qmt_strip *strip = walk->strip;
    int done = 0; /* rows of convolution output */
    for (int y = 0; y < strip->output_rows; y++) {
        const int first = y * packed->pool_stride, last = first + packed->pool_kernel;
        const int end = last < strip->convolution_height ? last : strip->convolution_height;
        for (; done < end; done++)
            convolve(walk, done, walk->ring + (size_t)(done % packed->pool_kernel) * ring_row);
        const void *rows[qmt_max_pool];
        for (int i = first; i < end; i++)
            rows[i - first] = walk->ring + (size_t)(i % packed->pool_kernel) * ring_row;
        pool(walk, rows, end - first, (char *)strip->output + (size_t)y * output_row);
    }
}

void qmt_avx512_int8_run(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    struct walk walk;
    if (packed->pools_sums && qmt_avx512_picture_takes(strip->pictures)) {
        qmt_avx512_picture_run(packed, picture_channels(packed), strip);
        return;
    }
    start(&walk, packed, strip);
    const size_t pixel = (size_t)walk.pictures * qmt_packed_output_pixel(packed);
    const size_t output_row = (size_t)strip->output_width * pixel;
    if (packed->pool_kernel > 0)
        run_pooled(&walk, (size_t)walk.width * pixel, output_row);
    for (int y = 0; y < strip->output_rows && packed->pool_kernel == 0; y++)
        convolve(&walk, y, (char *)strip->output + (size_t)y * output_row);
}
#endif
