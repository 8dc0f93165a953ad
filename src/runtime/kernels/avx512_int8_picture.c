/* The picture under a 3 x 3 kernel and a pool: the first layer of all three networks. Pixels are the lanes, so that
 * none is wasted on channels that aren't there and 27 inputs take seven instructions, and the pool takes the largest
 * sum before any is requantized: all between two loads and the store of the bytes.
 *
 * A pool's window begins in every other column. So a row of the picture is kept as its even columns and its odd ones,
 * [column / 2][picture], of which 16 neighbors, a vector, serve 16 windows; of each, two rows of parts of four inputs
 * each, and a row of the last reds for each row of convolution output. */
#ifdef QMT_KERNELS_AVX512VNNI
#include "runtime/kernels/avx512_int8.h"

#include <immintrin.h>
#include <string.h>

enum {
    lanes = 16,
    vector_bytes = 64,
    side = qmt_picture_kernel,
    block = qmt_channel_step,
    spare = 2,    /* vectors behind a row: windows may begin in the last one, and reach a column further */
    row_ring = 5, /* rows of the picture that three rows of convolution output need */
    red_ring = 3, /* ... and of the last reds */
    chunk = 16    /* vectors that all channels are computed of before the next ones: so that inputs stay in the cache */
};

/* ---- Packing ------------------------------------------------------------------------------------ */

static int32_t four_weights(int8_t a, int8_t b, int8_t c, int8_t d)
{
    const int8_t bytes[4] = {a, b, c, d};
    int32_t four;
    memcpy(&four, bytes, sizeof four);
    return four;
}

void qmt_avx512_picture_pack(const qmt_layer *layer, qmt_avx512_picture_channel *channels)
{
    for (int c = 0; c < layer->out_channels; c++) {
        const int8_t *red = layer->weight_int8 + (size_t)c * qmt_layer_taps(layer);
        const int8_t *green = red + side * side, *blue = green + side * side;
        int32_t *parts = channels[c].parts;
        for (int ky = 0; ky < side; ky++) {
            const int at = ky * side;
            parts[2 * ky] = four_weights(red[at], green[at], blue[at], red[at + 1]);
            parts[2 * ky + 1] = four_weights(green[at + 1], blue[at + 1], green[at + 2], blue[at + 2]);
        }
        parts[2 * side] = four_weights(red[side - 1], red[2 * side - 1], red[3 * side - 1], 0);
    }
}

/* ---- A strip ------------------------------------------------------------------------------------ */

/* The arrays of a row: of its even columns, then of its odd ones. */
enum { first_part, second_part, row_arrays = 4 };

/* A strip on its way, and its scratch. */
struct walk {
    const qmt_packed_layer *packed;
    const qmt_avx512_picture_channel *channels;
    const qmt_strip *strip;
    int pictures;
    int vectors;            /* of a row of windows */
    int odd_lanes;          /* windows' lanes that have a second column, */
    int next_lanes;         /* and a third */
    size_t array;           /* bytes of a row's array */
    uint8_t *rows, *reds;   /* rings */
    int rows_end, reds_end; /* what has been made of each */
    uint8_t *columns[2];    /* a row's even and odd columns, where pictures lie side by side */
    __m512i *kept;          /* [channel][vector]: the pool's lowest row, which the next output needs too */
    int8_t *values;         /* [vector][channel of the block][lane] */
};

/* Vectors of a row of windows, of input rows of `pixels`: a window has two columns or more, but for the last. */
static size_t most_vectors(size_t pixels)
{
    return (pixels + 1) / 2 / lanes + 1;
}

static size_t array_bytes(size_t vectors)
{
    return (vectors + spare) * vector_bytes;
}

bool qmt_avx512_picture_takes(int pictures)
{
    return pictures <= lanes;
}

size_t qmt_avx512_picture_scratch_size(const qmt_packed_layer *packed, size_t pixels)
{
    const size_t vectors = most_vectors(pixels), arrays = row_ring * row_arrays + red_ring * 2 + 2;
    const size_t kept = packed->pool_kernel == 3 ? (size_t)packed->out_channels * vectors * vector_bytes : 0;
    return arrays * array_bytes(vectors) + kept + vectors * block * lanes;
}

static void start(struct walk *walk, const qmt_packed_layer *packed, const qmt_avx512_picture_channel *channels,
                  const qmt_strip *strip)
{
    const int pictures = strip->pictures > 1 ? strip->pictures : 1, width = strip->input_width - side + 1;
    *walk = (struct walk){.packed = packed, .channels = channels, .strip = strip, .pictures = pictures};
    walk->vectors = (strip->output_width * pictures + lanes - 1) / lanes;
    walk->odd_lanes = width / 2 * pictures;
    walk->next_lanes = (width - 1) / 2 * pictures;
    walk->array = array_bytes((size_t)walk->vectors);
    walk->rows = strip->scratch;
    walk->reds = walk->rows + row_ring * row_arrays * walk->array;
    walk->columns[0] = walk->reds + red_ring * 2 * walk->array;
    walk->columns[1] = walk->columns[0] + walk->array;
    walk->kept = (__m512i *)(void *)(walk->columns[1] + walk->array);
    walk->values = (int8_t *)(walk->kept + (packed->pool_kernel == 3 ? packed->out_channels * walk->vectors : 0));
}

/* ---- Inputs ------------------------------------------------------------------------------------- */

QMT_INLINE __m512i load(const void *at)
{
    return _mm512_loadu_si512(at);
}

QMT_INLINE void store(void *at, __m512i value)
{
    _mm512_store_si512(at, value);
}

/* `to` takes 16 neighbors of two vectors, from lane `from` on. */
QMT_INLINE __m512i neighbors(__m512i low, __m512i first, __m512i high)
{
    return _mm512_permutex2var_epi32(low, first, high);
}

QMT_INLINE __m512i count_from(int first)
{
    return _mm512_add_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                            _mm512_set1_epi32(first));
}

/* A row's even and odd columns of several pictures, and zeros behind them. */
static void split_columns(const struct walk *walk, const char *row)
{
    const size_t column = (size_t)walk->pictures * qmt_picture_channels;
    const int width = walk->strip->input_width;
    for (int odd = 0; odd < 2; odd++) {
        uint8_t *to = walk->columns[odd];
        for (int x = odd; x < width; x += 2, to += column)
            if (column == 32) /* a size that the compiler knows */
                memcpy(to, row + (size_t)x * column, 32);
            else
                memcpy(to, row + (size_t)x * column, column);
        memset(to, 0, walk->array - (size_t)(to - walk->columns[odd]));
    }
}

/* Vector j of the even and of the odd columns, with 128 added. One picture's come from its row, whose last vectors'
 * pixels, from vector `tail_vector` on, are in `tail`. */
QMT_INLINE void load_columns(const struct walk *walk, const char *row, const char *tail, int tail_vector, int j,
                             const bool one, __m512i *even, __m512i *odd)
{
    const __m512i sign = _mm512_set1_epi32(0x00808080);
    if (one) {
        const __m512i evens = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        const __m512i odds = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
        const char *at = j < tail_vector ? row + (size_t)j * (2 * vector_bytes)
                                         : tail + (size_t)(j - tail_vector) * (2 * vector_bytes);
        const __m512i low = load(at), high = load(at + vector_bytes);
        *even = _mm512_permutex2var_epi32(low, evens, high);
        *odd = _mm512_permutex2var_epi32(low, odds, high);
    } else {
        *even = load(walk->columns[0] + (size_t)j * vector_bytes);
        *odd = load(walk->columns[1] + (size_t)j * vector_bytes);
    }
    *even = _mm512_xor_si512(*even, sign);
    *odd = _mm512_xor_si512(*odd, sign);
}

/* The parts of 16 pixels, from them and those one and two columns further. A padding byte may hold anything: it is
 * shifted out, or overwritten. */
QMT_INLINE void make_parts(__m512i here, __m512i right, __m512i next, uint8_t *first, uint8_t *second)
{
    enum { choose = 0xca /* first ? second : third, bit by bit */ };
    const __m512i colors = _mm512_set1_epi32(0x00ffffff), low = _mm512_set1_epi32(0x0000ffff);
    store(first, _mm512_ternarylogic_epi32(colors, here, _mm512_slli_epi32(right, 24), choose));
    store(second, _mm512_ternarylogic_epi32(low, _mm512_srli_epi32(right, 8), _mm512_slli_epi32(next, 8), choose));
}

QMT_INLINE void make_row(const struct walk *walk, const char *row, uint8_t *to, const bool one)
{
    char tail[3 * 2 * vector_bytes] = {0};
    const size_t array = walk->array;
    const int width = walk->strip->input_width, count = walk->vectors + spare - 1;
    int tail_vector = width / (2 * lanes);
    if (one) {
        tail_vector = tail_vector < count ? tail_vector : count;
        const int left = width - tail_vector * 2 * lanes, room = (int)sizeof tail / qmt_picture_channels;
        memcpy(tail, row + (size_t)tail_vector * (2 * vector_bytes),
               (size_t)(left < room ? left : room) * qmt_picture_channels);
    }
    const __m512i shift = count_from(walk->pictures);
    __m512i even, odd, next_even, next_odd;
    load_columns(walk, row, tail, tail_vector, 0, one, &even, &odd);
    for (int j = 0; j < count; j++) {
        uint8_t *at = to + (size_t)j * vector_bytes;
        load_columns(walk, row, tail, tail_vector, j + 1, one, &next_even, &next_odd);
        const __m512i second = neighbors(even, shift, next_even), third = neighbors(odd, shift, next_odd);
        make_parts(even, odd, second, at + first_part * array, at + second_part * array);
        make_parts(odd, second, third, at + (2 + first_part) * array, at + (2 + second_part) * array);
        even = next_even;
        odd = next_odd;
    }
}

static uint8_t *row_array(const struct walk *walk, int y)
{
    return walk->rows + (size_t)(y % row_ring * row_arrays) * walk->array;
}

static uint8_t *red_array(const struct walk *walk, int y)
{
    return walk->reds + (size_t)(y % red_ring * 2) * walk->array;
}

/* The last reds of row y of convolution output: those two columns further of three rows. */
static void make_reds(const struct walk *walk, int y)
{
    enum { choose = 0xca };
    const size_t next = (size_t)walk->pictures * qmt_picture_channels;
    const __m512i first = _mm512_set1_epi32(0x000000ff), two = _mm512_set1_epi32(0x0000ffff);
    for (int odd = 0; odd < 2; odd++) {
        const size_t part = (size_t)(2 * odd + first_part) * walk->array;
        const uint8_t *a = row_array(walk, y) + part + next, *b = row_array(walk, y + 1) + part + next;
        const uint8_t *c = row_array(walk, y + 2) + part + next;
        uint8_t *to = red_array(walk, y) + (size_t)odd * walk->array;
        for (int j = 0; j <= walk->vectors; j++, a += vector_bytes, b += vector_bytes, c += vector_bytes) {
            const __m512i ab = _mm512_ternarylogic_epi32(first, load(a), _mm512_slli_epi32(load(b), 8), choose);
            store(to + (size_t)j * vector_bytes,
                  _mm512_ternarylogic_epi32(two, ab, _mm512_slli_epi32(load(c), 16), choose));
        }
    }
}

/* Makes the inputs of rows up to y of convolution output. */
static void make_inputs(struct walk *walk, int y)
{
    const size_t input_row = (size_t)walk->strip->input_width * (size_t)walk->pictures * qmt_picture_channels;
    for (; walk->rows_end < y + side; walk->rows_end++) {
        const char *row = (const char *)walk->strip->input + (size_t)walk->rows_end * input_row;
        uint8_t *to = row_array(walk, walk->rows_end);
        if (walk->pictures == 1) {
            make_row(walk, row, to, true);
            continue;
        }
        split_columns(walk, row);
        make_row(walk, row, to, false);
    }
    for (; walk->reds_end <= y; walk->reds_end++)
        make_reds(walk, walk->reds_end);
}

/* ---- Convolution, pool and requantization --------------------------------------------------------- */

/* What a channel does with two rows of convolution output. */
struct job {
    const struct walk *walk;
    const uint8_t *rows[side + 1]; /* arrays of the rows of the picture under them, */
    const uint8_t *reds[2];        /* and of their last reds */
    int channel, first, end;       /* vectors */
    __m512i *kept;
    int8_t *values;
};

struct weights {
    __m512i part[qmt_picture_parts], bias;
    __m512 factor, negative;
};

QMT_INLINE struct weights weights_of(const struct walk *walk, int channel)
{
    struct weights weights = {.bias = _mm512_set1_epi32(walk->packed->bias_int32[channel]),
                              .factor = _mm512_set1_ps(walk->packed->factor[channel]),
                              .negative = _mm512_set1_ps(walk->packed->negative_factor[channel])};
    for (int i = 0; i < qmt_picture_parts; i++)
        weights.part[i] = _mm512_set1_epi32(walk->channels[channel].parts[i]);
    return weights;
}

/* Where 16 pixels' inputs lie. */
struct place {
    const uint8_t *rows[side + 1], *reds[2];
    size_t array;
};

QMT_INLINE struct place place_of(const struct job *job, int vector)
{
    struct place place = {.array = job->walk->array};
    const size_t at = (size_t)vector * vector_bytes;
    for (int i = 0; i <= side; i++)
        place.rows[i] = job->rows[i] + at;
    for (int i = 0; i < 2; i++)
        place.reds[i] = job->reds[i] + at;
    return place;
}

/* Moves on by a vector. */
QMT_INLINE void step(struct place *place)
{
    for (int i = 0; i <= side; i++)
        place->rows[i] += vector_bytes;
    for (int i = 0; i < 2; i++)
        place->reds[i] += vector_bytes;
}

/* The sums of 16 pixels of one row of convolution output or two, of an even or (odd = 1) an odd column: sum[row]. */
QMT_INLINE void convolve(const struct place *place, const struct weights *weights, const int rows, const int odd,
                         __m512i *sum)
{
    const size_t array = place->array;
    sum[0] = sum[1] = weights->bias;
    for (int ky = 0; ky < side + rows - 1; ky++) {
        const uint8_t *from = place->rows[ky] + (odd ? 2 * array : 0);
        const __m512i first = load(from), second = load(from + array);
        if (ky < side)
            sum[0] = _mm512_dpbusd_epi32(sum[0], first, weights->part[2 * ky]);
        if (ky > 0 && rows > 1)
            sum[1] = _mm512_dpbusd_epi32(sum[1], first, weights->part[2 * ky - 2]);
        if (ky < side)
            sum[0] = _mm512_dpbusd_epi32(sum[0], second, weights->part[2 * ky + 1]);
        if (ky > 0 && rows > 1)
            sum[1] = _mm512_dpbusd_epi32(sum[1], second, weights->part[2 * ky - 1]);
    }
    for (int row = 0; row < rows; row++)
        sum[row] = _mm512_dpbusd_epi32(sum[row], load(place->reds[row] + (odd ? array : 0)), weights->part[2 * side]);
}

/* The first `count` - 16 * j lanes. */
QMT_INLINE __mmask16 lanes_of(int count, int j)
{
    const int left = count - j * lanes;
    return (__mmask16)(left >= lanes ? 0xffff : left <= 0 ? 0 : (1 << left) - 1);
}

/* relu: what is negative becomes 0 later, as bytes. */
QMT_INLINE void store_values(const struct weights *weights, __m512i sum, const bool relu, int8_t *to)
{
    __m512 value = _mm512_cvtepi32_ps(sum);
    if (relu) {
        value = _mm512_mul_ps(value, weights->factor);
    } else {
        const __mmask16 positive = _mm512_cmpgt_epi32_mask(sum, _mm512_setzero_si512());
        value = _mm512_mul_ps(value, _mm512_mask_blend_ps(positive, weights->negative, weights->factor));
        /* The order of operands sends a NaN to 127, as in C. */
        value = _mm512_max_ps(_mm512_min_ps(value, _mm512_set1_ps(127.0f)), _mm512_set1_ps(-127.0f));
    }
    _mm_store_si128((__m128i *)(void *)to, _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(value))); /* half to even */
}

/* Windows of two columns, over one row or two. */
QMT_INLINE void pool_two(const struct job *job, const int rows, const bool relu)
{
    const struct weights weights = weights_of(job->walk, job->channel);
    const int odd_lanes = job->walk->odd_lanes, end = job->end;
    struct place place = place_of(job, job->first);
    int8_t *values = job->values + (size_t)job->first * (block * lanes);
    for (int j = job->first; j < end; j++, step(&place), values += block * lanes) {
        __m512i even[2], odd[2];
        convolve(&place, &weights, rows, 0, even);
        convolve(&place, &weights, rows, 1, odd);
        if (rows > 1) {
            even[0] = _mm512_max_epi32(even[0], even[1]);
            odd[0] = _mm512_max_epi32(odd[0], odd[1]);
        }
        store_values(&weights, _mm512_mask_max_epi32(even[0], lanes_of(odd_lanes, j), even[0], odd[0]), relu, values);
    }
}

/* Windows of three columns, over the row or two that come after the kept one; that becomes their last row.
 * begin: there is none yet, and nothing is finished. */
QMT_INLINE void pool_three(const struct job *job, const int rows, const bool relu, const bool begin)
{
    const struct walk *walk = job->walk;
    const struct weights weights = weights_of(walk, job->channel);
    const __m512i shift = count_from(walk->pictures);
    const int vectors = walk->vectors, odd_lanes = walk->odd_lanes, next_lanes = walk->next_lanes;
    /* The third column of a vector's windows may lie in the next vector. */
    const int even_vectors = (next_lanes + walk->pictures + lanes - 1) / lanes;
    struct place place = place_of(job, 0), next_place = place_of(job, 1);
    __m512i *kept = job->kept;
    int8_t *values = job->values;
    __m512i even[2], odd[2], next[2], window[2];
    convolve(&place, &weights, rows, 0, even);
    next[0] = next[1] = even[0];
    for (int j = 0; j < vectors; j++, step(&place), step(&next_place), values += block * lanes) {
        const __mmask16 second = lanes_of(odd_lanes, j), third = lanes_of(next_lanes, j);
        convolve(&place, &weights, rows, 1, odd);
        if (j + 1 < even_vectors)
            convolve(&next_place, &weights, rows, 0, next);
        for (int row = 0; row < rows; row++) {
            const __m512i right = neighbors(even[row], shift, next[row]);
            window[row] = _mm512_mask_max_epi32(even[row], second, even[row], odd[row]);
            window[row] = _mm512_mask_max_epi32(window[row], third, window[row], right);
            even[row] = next[row];
        }
        if (!begin) {
            __m512i largest = load(kept + j);
            for (int row = 0; row < rows; row++)
                largest = _mm512_max_epi32(largest, window[row]);
            store_values(&weights, largest, relu, values);
        }
        if (rows > 0)
            store(kept + j, window[rows - 1]);
    }
}

/* The same where no row is left. */
QMT_INLINE void finish_kept(const struct job *job, const bool relu)
{
    const struct weights weights = weights_of(job->walk, job->channel);
    for (int j = 0; j < job->walk->vectors; j++)
        store_values(&weights, load(job->kept + j), relu, job->values + (size_t)j * (block * lanes));
}

static void pool_rows(const struct job *job, int rows, bool begin)
{
    const qmt_packed_layer *packed = job->walk->packed;
    const bool relu = packed->finish == QMT_FINISH_RELU;
    if (packed->pool_kernel == 2)
        switch (2 * rows + relu) {
        case 2: pool_two(job, 1, false); break;
        case 3: pool_two(job, 1, true); break;
        case 4: pool_two(job, 2, false); break;
        default: pool_two(job, 2, true); break;
        }
    else if (begin)
        pool_three(job, 1, true, true);
    else
        switch (2 * rows + relu) {
        case 0: finish_kept(job, false); break;
        case 1: finish_kept(job, true); break;
        case 2: pool_three(job, 1, false, false); break;
        case 3: pool_three(job, 1, true, false); break;
        case 4: pool_three(job, 2, false, false); break;
        default: pool_three(job, 2, true, false); break;
        }
}

/* ---- Output ------------------------------------------------------------------------------------- */

/* Four channels of 16 pixels, [channel][pixel], to four bytes a pixel: lane 4 * i + j has those of pixel 4 * j + i. */
QMT_INLINE __m512i four_channels(const int8_t *values, __m512i least)
{
    const __m512i lane = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i turn = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    /* Every fourth pixel to neighboring bytes, these to the pixel's quarter, and channels together. */
    const __m512i bytes = _mm512_max_epi8(load(values), least);
    return _mm512_shuffle_epi8(_mm512_permutexvar_epi32(lane, _mm512_shuffle_epi8(bytes, turn)), turn);
}

/* 16 channels of 16 pixels to four vectors of four pixels. */
QMT_INLINE void transpose(const int8_t *values, __m512i least, __m512i *pixels)
{
    const __m512i a = four_channels(values, least), b = four_channels(values + 4 * lanes, least);
    const __m512i c = four_channels(values + 8 * lanes, least), d = four_channels(values + 12 * lanes, least);
    const __m512i ab_low = _mm512_unpacklo_epi32(a, b), ab_high = _mm512_unpackhi_epi32(a, b);
    const __m512i cd_low = _mm512_unpacklo_epi32(c, d), cd_high = _mm512_unpackhi_epi32(c, d);
    pixels[0] = _mm512_unpacklo_epi64(ab_low, cd_low);
    pixels[1] = _mm512_unpackhi_epi64(ab_low, cd_low);
    pixels[2] = _mm512_unpacklo_epi64(ab_high, cd_high);
    pixels[3] = _mm512_unpackhi_epi64(ab_high, cd_high);
}

QMT_INLINE void store_four(__m512i four, char *output, size_t pixel)
{
    _mm_storeu_si128((__m128i *)(void *)output, _mm512_castsi512_si128(four));
    _mm_storeu_si128((__m128i *)(void *)(output + pixel), _mm512_extracti32x4_epi32(four, 1));
    _mm_storeu_si128((__m128i *)(void *)(output + 2 * pixel), _mm512_extracti32x4_epi32(four, 2));
    _mm_storeu_si128((__m128i *)(void *)(output + 3 * pixel), _mm512_extracti32x4_epi32(four, 3));
}

/* Writes a block of channels of the pixels of vectors [first, end). */
static void store_pixels(const struct walk *walk, int first, int end, char *output)
{
    const __m512i least = _mm512_set1_epi8(walk->packed->finish == QMT_FINISH_RELU ? 0 : -128);
    const size_t pixel = (size_t)walk->packed->out_padded;
    const int count = walk->strip->output_width * walk->pictures;
    for (int j = first; j < end; j++) {
        __m512i pixels[4];
        char narrow[lanes * block];
        char *to = output + (size_t)j * lanes * pixel;
        transpose(walk->values + (size_t)j * (block * lanes), least, pixels);
        if ((j + 1) * lanes > count) {
            for (int i = 0; i < 4; i++)
                _mm512_storeu_si512((void *)(narrow + i * vector_bytes), pixels[i]);
            for (int i = 0; j * lanes + i < count; i++)
                memcpy(to + (size_t)i * pixel, narrow + i * block, block);
        } else if (pixel == block) {
            for (int i = 0; i < 4; i++)
                _mm512_storeu_si512((void *)(to + i * vector_bytes), pixels[i]);
        } else {
            for (int i = 0; i < 4; i++)
                store_four(pixels[i], to + (size_t)(4 * i) * pixel, pixel);
        }
    }
}

/* ---- Rows --------------------------------------------------------------------------------------- */

/* What channels do with `rows` rows of convolution output, from y on. */
static struct job job_of(struct walk *walk, int y, int rows)
{
    struct job job = {.walk = walk, .end = walk->vectors};
    if (rows > 0)
        make_inputs(walk, y + rows - 1);
    for (int i = 0; i <= side; i++)
        job.rows[i] = row_array(walk, y + i);
    for (int i = 0; i < 2; i++)
        job.reds[i] = red_array(walk, y + i);
    return job;
}

/* The first row of convolution output, for windows of three. */
static void keep_first(struct walk *walk)
{
    struct job job = job_of(walk, 0, 1);
    for (; job.channel < walk->packed->out_channels; job.channel++) {
        job.kept = walk->kept + job.channel * walk->vectors;
        pool_rows(&job, 1, true);
    }
}

/* Row y of output. */
static void output_row(struct walk *walk, int y, char *output)
{
    const qmt_packed_layer *packed = walk->packed;
    const int size = packed->pool_kernel, left = walk->strip->convolution_height - 2 * y;
    const int skip = size == 3; /* rows that are kept[] */
    const int rows = (left < size ? left : size) - skip;
    const int step = size == 2 ? chunk : walk->vectors;
    struct job job = job_of(walk, 2 * y + skip, rows);
    for (job.first = 0; job.first < walk->vectors; job.first = job.end)
        for (int channel = 0; channel < packed->out_padded; channel += block) {
            job.end = job.first + step < walk->vectors ? job.first + step : walk->vectors;
            for (int c = 0; c < block && channel + c < packed->out_channels; c++) {
                job.channel = channel + c;
                job.kept = walk->kept + job.channel * walk->vectors;
                job.values = walk->values + c * lanes;
                pool_rows(&job, rows, false);
            }
            store_pixels(walk, job.first, job.end, output + channel);
        }
}

void qmt_avx512_picture_run(const qmt_packed_layer *packed, const qmt_avx512_picture_channel *channels,
                            const qmt_strip *strip)
{
    struct walk walk;
    start(&walk, packed, channels, strip);
    const size_t row = (size_t)strip->output_width * (size_t)walk.pictures * (size_t)packed->out_padded;
    memset(walk.values, 0, (size_t)walk.vectors * block * lanes);
    if (packed->pool_kernel == 3)
        keep_first(&walk);
    for (int y = 0; y < strip->output_rows; y++)
        output_row(&walk, y, (char *)strip->output + (size_t)y * row);
}
#endif
