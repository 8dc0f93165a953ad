/* Packs INT8 layers and walks their strips, with AVX2. */
#if defined(__AVX2__)
#include "runtime/kernels/avx2_int8.h"

#include <immintrin.h>
#include <string.h>

enum { line = 64, word_row_reserve = 4 /* rows of words beside a kernel's: so often they are moved up */ };

/* ---- Packing ------------------------------------------------------------------------------------ */

static qmtcnn_status pack_runs(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                               qmtcnn_error *error)
{
    qmtcnn_status status = qmt_packed_create(layer, options, line, packed, error);
    if (status != QMTCNN_OK)
        return status;
    status = qmt_run_plan_create(layer, (*packed)->out_padded / qmt_run_lanes, &(*packed)->runs, error);
    if (status != QMTCNN_OK) {
        qmt_packed_release(*packed);
        *packed = NULL;
    }
    return status;
}

/* The picture's weights in runs, behind those for words. */
static qmt_picture_channel *picture_channels(const qmt_packed_layer *packed)
{
    return (qmt_picture_channel *)(void *)((char *)packed->weight + packed->weight_bytes -
                                           (size_t)packed->out_channels * sizeof(qmt_picture_channel));
}

static qmtcnn_status pack_words(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                                qmtcnn_error *error)
{
    const bool picture = qmt_picture_suits(layer, options);
    const size_t more = picture ? (size_t)layer->out_channels * sizeof(qmt_picture_channel) : 0;
    qmtcnn_status status = qmt_avx2_words_pack(layer, options, more, packed, error);
    if (status == QMTCNN_OK && picture) {
        (*packed)->pools_sums = true;
        qmt_picture_pack(layer, picture_channels(*packed));
    }
    return status;
}

qmtcnn_status qmt_avx2_int8_pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                                 qmtcnn_error *error)
{
    qmtcnn_status status =
        options->signed_input ? pack_words(layer, options, packed, error) : pack_runs(layer, options, packed, error);
    if (status == QMTCNN_OK)
        (*packed)->interleaves = options->output_scale > 0 || layer->pool_kernel == 0;
    return status;
}

/* ---- Walking ------------------------------------------------------------------------------------ */

static size_t align_size(size_t bytes)
{
    return (bytes + line - 1) / line * line;
}

static size_t offsets_bytes(const qmt_packed_layer *packed)
{
    const int groups = packed->signed_input ? qmt_avx2_words_pairs(packed) : packed->runs->group_count;
    return align_size((size_t)groups * sizeof(int32_t));
}

/* Rows of words that are kept. */
static int word_rows(const qmt_packed_layer *packed)
{
    return packed->signed_input ? packed->kernel_height + word_row_reserve : 0;
}

static size_t word_row_bytes(const qmt_packed_layer *packed, size_t pixels)
{
    return packed->signed_input ? align_size(qmt_avx2_words_bytes(packed, pixels)) : 0;
}

size_t qmt_avx2_int8_scratch_size(const qmt_packed_layer *packed, int input_width)
{
    const size_t words = (size_t)word_rows(packed) * word_row_bytes(packed, (size_t)input_width);
    const size_t bytes = offsets_bytes(packed) + words + align_size(qmt_packed_scratch_size(packed, input_width));
    const size_t picture = packed->pools_sums ? qmt_avx2_picture_scratch_size(packed, (size_t)input_width) : 0;
    return picture > bytes ? picture : bytes;
}

/* A strip on its way. */
struct walk {
    const qmt_packed_layer *packed;
    const qmt_strip *strip;
    int pictures;
    int width; /* pixels of a row of convolution output, of a picture */
    size_t input_row, word_row;
    int32_t *offsets;
    char *words; /* signed input: rows [first_word, end_word) */
    int first_word, end_word;
    char *ring; /* pool: rows of convolution output */
};

static void start(struct walk *walk, const qmt_packed_layer *packed, const qmt_strip *strip)
{
    const int pictures = strip->pictures > 1 ? strip->pictures : 1;
    const size_t pixels = (size_t)pictures * (size_t)strip->input_width;
    *walk = (struct walk){.packed = packed,
                          .strip = strip,
                          .pictures = pictures,
                          .width = strip->input_width - packed->kernel_width + 1,
                          .input_row = pixels * (size_t)packed->in_padded,
                          .word_row = word_row_bytes(packed, pixels),
                          .offsets = strip->scratch};
    walk->words = (char *)strip->scratch + offsets_bytes(packed);
    walk->ring = walk->words + (size_t)word_rows(packed) * walk->word_row;
    if (packed->signed_input)
        qmt_avx2_words_offsets(packed, walk->word_row, pictures, walk->offsets);
    else
        qmt_run_offsets(packed->runs, walk->input_row, (size_t)pictures * (size_t)packed->in_padded, walk->offsets);
}

static void fill_words(const struct walk *walk, int y)
{
    const int8_t *input = (const int8_t *)walk->strip->input + (size_t)y * walk->input_row;
    int16_t *words = (int16_t *)(void *)(walk->words + (size_t)(y - walk->first_word) * walk->word_row);
    qmt_avx2_words_fill(walk->packed, input, walk->strip->input_width, walk->pictures, words);
}

/* The words of `rows` input rows from row y on. */
static const char *word_row(struct walk *walk, int y, int rows)
{
    const int end = y + rows;
    if (end - walk->first_word > word_rows(walk->packed)) {
        if (y < walk->end_word)
            memmove(walk->words, walk->words + (size_t)(y - walk->first_word) * walk->word_row,
                    (size_t)(walk->end_word - y) * walk->word_row);
        walk->first_word = y;
    }
    if (walk->end_word < y)
        walk->end_word = y;
    for (; walk->end_word < end; walk->end_word++)
        fill_words(walk, walk->end_word);
    return walk->words + (size_t)(y - walk->first_word) * walk->word_row;
}

static void convolve(void *state, int y, void *output)
{
    struct walk *walk = state;
    const qmt_packed_layer *packed = walk->packed;
    const int channels = walk->strip->channels > 0 ? walk->strip->channels : packed->out_padded;
    const int blocks = (channels + qmt_run_lanes - 1) / qmt_run_lanes, most = packed->out_padded / qmt_run_lanes;
    qmt_avx2_row row = {.output = output,
                        .output_pixel = qmt_packed_output_pixel(packed),
                        .pixels = walk->width * walk->pictures,
                        .blocks = packed->output_scale > 0 || blocks > most ? most : blocks,
                        .offsets = walk->offsets};
    if (packed->signed_input) {
        row.input = word_row(walk, y, packed->kernel_height);
        qmt_avx2_words_row(packed, &row);
    } else {
        row.input = (const char *)walk->strip->input + (size_t)y * walk->input_row;
        qmt_avx2_runs_row(packed, &row);
    }
}

static void pool(void *state, const void *const *rows, int row_count, void *output)
{
    const struct walk *walk = state;
    qmt_avx2_pool(walk->packed, walk->strip, rows, row_count, output);
}

void qmt_avx2_int8_run(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    struct walk walk;
    if (packed->pools_sums && qmt_avx2_picture_takes(packed, strip->pictures > 1 ? strip->pictures : 1)) {
        qmt_avx2_picture_run(packed, picture_channels(packed), strip);
        return;
    }
    start(&walk, packed, strip);
    const qmt_row_steps steps = {.state = &walk, .convolve = convolve, .pool = pool, .ring = walk.ring};
    qmt_walk_rows(packed, strip, &steps);
}

/* ---- Pool --------------------------------------------------------------------------------------- */

/* Windows of `size` x `size` pixels, all inside. */
QMT_INLINE void pool_window(const int8_t *const *rows, size_t at, size_t pixel, int8_t *output, const int size)
{
    size_t c = 0;
    for (; c + 32 <= pixel; c += 32) {
        __m256i largest = _mm256_loadu_si256((const __m256i *)(const void *)(rows[0] + at + c));
        for (int y = 0; y < size; y++)
            for (int x = 0; x < size; x++)
                largest = _mm256_max_epi8(
                    largest, _mm256_loadu_si256((const __m256i *)(const void *)(rows[y] + at + (size_t)x * pixel + c)));
        _mm256_storeu_si256((__m256i *)(void *)(output + c), largest);
    }
    for (; c < pixel; c += 16) {
        __m128i largest = _mm_loadu_si128((const __m128i *)(const void *)(rows[0] + at + c));
        for (int y = 0; y < size; y++)
            for (int x = 0; x < size; x++)
                largest = _mm_max_epi8(
                    largest, _mm_loadu_si128((const __m128i *)(const void *)(rows[y] + at + (size_t)x * pixel + c)));
        _mm_storeu_si128((__m128i *)(void *)(output + c), largest);
    }
}

static void pool_any(const int8_t *const *rows, int row_count, size_t at, int columns, size_t pixel, int8_t *output)
{
    for (size_t c = 0; c < pixel; c += 16) {
        __m128i largest = _mm_loadu_si128((const __m128i *)(const void *)(rows[0] + at + c));
        for (int y = 0; y < row_count; y++)
            for (int x = 0; x < columns; x++)
                largest = _mm_max_epi8(
                    largest, _mm_loadu_si128((const __m128i *)(const void *)(rows[y] + at + (size_t)x * pixel + c)));
        _mm_storeu_si128((__m128i *)(void *)(output + c), largest);
    }
}

/* rows[i]: `width` pixels of `pixel` bytes (a multiple of 16; of all pictures). */
static void pool_bytes(const qmt_packed_layer *packed, const int8_t *const *rows, int row_count, int width,
                       size_t pixel, int8_t *output, int output_width)
{
    const int size = packed->pool_kernel;
    for (int x = 0; x < output_width; x++, output += pixel) {
        const int first = x * packed->pool_stride;
        const int columns = first + size <= width ? size : width - first;
        const size_t at = (size_t)first * pixel;
        if (size == 2 && columns == 2 && row_count == 2)
            pool_window(rows, at, pixel, output, 2);
        else if (size == 3 && columns == 3 && row_count == 3)
            pool_window(rows, at, pixel, output, 3);
        else
            pool_any(rows, row_count, at, columns, pixel, output);
    }
}

void qmt_avx2_pool(const qmt_packed_layer *packed, const qmt_strip *strip, const void *const *rows, int row_count,
                   void *output)
{
    const int width = strip->input_width - packed->kernel_width + 1;
    const size_t pictures = strip->pictures > 1 ? (size_t)strip->pictures : 1;
    if (packed->output_scale > 0)
        pool_bytes(packed, (const int8_t *const *)rows, row_count, width, pictures * qmt_packed_output_pixel(packed),
                   output, strip->output_width);
    else
        qmt_pool_row_c(packed, rows, row_count, width, output, strip->output_width);
}
#endif
