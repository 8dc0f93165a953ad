/* Packs INT8 layers and walks their strips, with AVX-512 VNNI. */
#ifdef QMT_KERNELS_AVX512VNNI
#include "runtime/kernels/avx512_int8.h"

#include "runtime/kernels/avx2_int8.h"
#include "runtime/kernels/int8_walk.h"

#include <immintrin.h>
#include <string.h>

enum { line = 64, lanes = qmt_channel_step, ten = 10 };

/* ---- Packing ------------------------------------------------------------------------------------ */

/* P-Net's second layer, of ten channels, reads pixels without their padding: 30 inputs of a row of the kernel make 8
 * fours then instead of 9. Neighbors must be of one picture. */
static bool closes_up(const qmt_packed_layer *packed)
{
    return packed->in_channels == ten && packed->kernel_width > 1;
}

/* Fours of inputs of a row of the kernel. */
static int row_words(const qmt_packed_layer *packed)
{
    return closes_up(packed) ? (packed->kernel_width * packed->in_channels + 3) / 4
                             : packed->kernel_width * ((packed->in_channels + 3) / 4);
}

static size_t weight_bytes(const qmt_packed_layer *packed)
{
    return (size_t)packed->out_padded * (size_t)(packed->kernel_height * row_words(packed)) * 4;
}

/* [out / 16][ky][word][16][4] */
static void pack_weights(qmt_packed_layer *packed, const qmt_layer *layer)
{
    int8_t *weight = packed->weight;
    const size_t taps = qmt_layer_taps(layer), width = (size_t)layer->kernel_width;
    const size_t kernel = (size_t)layer->kernel_height * width, words = (size_t)row_words(packed);
    const size_t channels = (size_t)layer->in_channels, outputs = (size_t)layer->out_channels;
    const size_t pixel = closes_up(packed) ? channels : (channels + 3) / 4 * 4; /* inputs of a pixel */
    for (size_t block = 0; block < outputs; block += lanes)
        for (size_t ky = 0; ky < (size_t)layer->kernel_height; ky++)
            for (size_t word = 0; word < words; word++)
                for (size_t lane = 0; lane < lanes; lane++)
                    for (size_t i = 4 * word; i < 4 * word + 4; i++, weight++)
                        if (block + lane < outputs && i / pixel < width && i % pixel < channels)
                            *weight =
                                layer->weight_int8[(block + lane) * taps + i % pixel * kernel + ky * width + i / pixel];
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
    const size_t padded = (size_t)qmt_padded_channels(layer->out_channels, false);
    const size_t inputs = ((size_t)layer->in_channels + 3) / 4 * 4; /* or fewer */
    const size_t bytes = padded * kernel * inputs;
    const size_t more = picture ? padded * sizeof(qmt_avx512_picture_channel) : 0;
    qmtcnn_status status = qmt_packed_create(layer, options, bytes + more, packed, error);
    if (status != QMTCNN_OK)
        return status;
    pack_weights(*packed, layer);
    if (options->signed_input)
        qmt_packed_subtract_offset(*packed, layer);
    if (picture)
        qmt_avx512_picture_pack(layer, picture_channels(*packed));
    (*packed)->pools_sums = picture;
    (*packed)->interleaves = !closes_up(*packed) && (options->output_scale > 0 || layer->pool_kernel == 0);
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

/* Are rows copied before they are read? */
static bool copies(const qmt_packed_layer *packed)
{
    return packed->signed_input || closes_up(packed);
}

/* Bytes of an input row's copy; what is stored at a time may end behind it. */
static size_t copied_bytes(const qmt_packed_layer *packed, size_t pixels)
{
    return copies(packed) ? align_size(pixels * (size_t)packed->in_padded) + line : 0;
}

size_t qmt_avx512_int8_scratch_size(const qmt_packed_layer *packed, int input_width)
{
    const size_t copied = (size_t)packed->kernel_height * copied_bytes(packed, (size_t)input_width);
    const size_t bytes = offsets_bytes(packed) + copied + align_size(qmt_packed_scratch_size(packed, input_width));
    if (!packed->pools_sums)
        return bytes;
    const size_t picture = packed->pool_kernel == 2 ? qmt_avx512_picture_scratch_size(packed)
                                                    : qmt_avx512_pictures_scratch_size(packed, (size_t)input_width);
    return picture > bytes ? picture : bytes;
}

/* ---- Walking ------------------------------------------------------------------------------------ */

/* A strip on its way. */
struct walk {
    const qmt_packed_layer *packed;
    const qmt_strip *strip;
    int pictures, width; /* pixels of a row of convolution output, of a picture */
    size_t input_row, copied_row;
    int32_t *offsets;
    uint8_t *copied; /* a ring of kernel_height rows */
    int copied_end;  /* rows below it are copied, or gone */
    char *ring;      /* pool: rows of convolution output */
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
                          .copied_row = copied_bytes(packed, pixels),
                          .offsets = strip->scratch};
    walk->copied = (uint8_t *)strip->scratch + offsets_bytes(packed);
    walk->ring = (char *)walk->copied + (size_t)packed->kernel_height * walk->copied_row;
    for (int word = 0; word < row_words(packed); word++)
        walk->offsets[word] =
            closes_up(packed) ? 4 * word : word / groups * pictures * packed->in_padded + 4 * (word % groups);
}

/* Copies pixels without their padding, with 128 added where `sign` is 0x80. */
static void close_up(const char *from, size_t pixels, uint8_t sign, uint8_t *to)
{
    enum { four = 4 };
    /* The first five words of each quarter. */
    const __m512i take = _mm512_setr_epi32(0x00010000, 0x00030002, 0x00080004, 0x000a0009, 0x000c000b, 0x00110010,
                                           0x00130012, 0x00180014, 0x001a0019, 0x001c001b, 0, 0, 0, 0, 0, 0);
    const __m512i turn = _mm512_set1_epi8((char)sign);
    size_t x = 0;
    for (; x + four <= pixels; x += four, from += four * lanes, to += four * ten) {
        const __m512i words = _mm512_permutexvar_epi16(take, _mm512_loadu_si512((const void *)from));
        const __m512i bytes = _mm512_xor_si512(words, turn);
        _mm256_storeu_si256((__m256i *)(void *)to, _mm512_castsi512_si256(bytes));
        _mm_storel_epi64((__m128i *)(void *)(to + 2 * lanes), _mm512_extracti32x4_epi32(bytes, 2));
    }
    for (; x < pixels; x++, from += lanes, to += ten)
        for (size_t i = 0; i < ten; i++)
            to[i] = (uint8_t)from[i] ^ sign;
}

static void copy_row(const struct walk *walk, const char *from, uint8_t *to)
{
    const qmt_packed_layer *packed = walk->packed;
    if (closes_up(packed))
        close_up(from, (size_t)walk->strip->input_width, packed->signed_input ? 0x80 : 0, to);
    else
        qmt_add_128(from, to, walk->input_row);
}

/* Points walk->rows at the input rows of row y of convolution output. */
static void find_rows(struct walk *walk, int y)
{
    const int height = walk->packed->kernel_height;
    for (int row = y; row < y + height; row++) {
        const char *from = (const char *)walk->strip->input + (size_t)row * walk->input_row;
        uint8_t *to = walk->copied + (size_t)(row % height) * walk->copied_row;
        if (copies(walk->packed) && row >= walk->copied_end) {
            copy_row(walk, from, to);
            walk->copied_end = row + 1;
        }
        walk->rows[row - y] = copies(walk->packed) ? to : (const uint8_t *)from;
    }
}

static void convolve(void *state, int y, void *output)
{
    struct walk *walk = state;
    const qmt_packed_layer *packed = walk->packed;
    const int wanted = packed->output_scale > 0 ? 0 : walk->strip->channels;
    find_rows(walk, y);
    const qmt_avx512_row row = {.rows = walk->rows,
                                .offsets = walk->offsets,
                                .words = row_words(packed),
                                .step = (size_t)(closes_up(packed) ? packed->in_channels : packed->in_padded),
                                .output = output,
                                .output_pixel = qmt_packed_output_pixel(packed),
                                .pixels = walk->width * walk->pictures,
                                .channels = wanted > 0 ? wanted : packed->out_padded};
    qmt_avx512_tiles_row(packed, &row);
}

static void pool(void *state, const void *const *rows, int row_count, void *output)
{
    const struct walk *walk = state;
    qmt_avx2_pool(walk->packed, walk->strip, rows, row_count, output);
}

void qmt_avx512_int8_run(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    struct walk walk;
    if (packed->pools_sums && packed->pool_kernel == 2 && strip->pictures <= 1) {
        qmt_avx512_picture_run(packed, picture_channels(packed), strip);
        return;
    }
    if (packed->pools_sums && packed->pool_kernel == 3 && qmt_avx512_pictures_takes(strip->pictures)) {
        qmt_avx512_pictures_run(packed, picture_channels(packed), strip);
        return;
    }
    start(&walk, packed, strip);
    const qmt_row_steps steps = {.state = &walk, .convolve = convolve, .pool = pool, .ring = walk.ring};
    qmt_walk_rows(packed, strip, &steps);
}
#endif
