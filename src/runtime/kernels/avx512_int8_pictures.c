/* Pictures, one or several side by side, under a 3 x 3 kernel and a pool of 3 x 3: R- and O-Net's first layer.
 *
 * A row of the picture is kept as the parts of its even columns and its odd ones, [column / 2][picture]; a row of reds
 * belongs to each row of convolution output. The first of a window's three rows is the last of the window above it,
 * whose largest sums are kept; its third column is the first of the window to the right, so that vectors run from right
 * to left. */
#ifdef QMT_KERNELS_AVX512VNNI
#include "runtime/kernels/avx512_int8_picture.h"

enum {
    lanes = qmt_picture_lanes,
    side = qmt_picture_kernel,
    block = qmt_picture_block,
    vector_bytes = qmt_picture_vector,
    spare = 2,                    /* vectors behind a row: the last window's columns may reach further */
    row_ring = side + 1,          /* rows of the picture that two rows of convolution output need */
    row_bytes = 4 * vector_bytes, /* of a vector's parts */
    red_bytes = 2 * vector_bytes  /* of its reds */
};

/* The largest sums so far of 16 windows, without their first column of the window to the right. */
struct edge {
    __m512i even, low_even; /* first columns: of both rows, and of the lower one */
};

/* A strip on its way, and its scratch. */
struct walk {
    const qmt_packed_layer *packed;
    const qmt_avx512_picture_channel *channels;
    const qmt_strip *strip;
    int pictures;
    int vectors;               /* of a row of windows, and of the column behind them */
    int odd_lanes, next_lanes; /* windows that have a second column, and a third */
    size_t array;              /* vectors of a row's array */
    char *rows, *reds;         /* a ring; two rows */
    int rows_end;              /* what has been made of the ring */
    char *columns[2];          /* a row's even and odd columns */
    __m512i *kept;             /* [vector][channel]: the largest sums of the lowest row */
    struct edge *edges;        /* [channel]: of the vector to the right */
    int8_t *values;            /* [vector][block]: qmt_picture_values bytes */
};

bool qmt_avx512_pictures_takes(int pictures)
{
    return pictures <= lanes;
}

/* Vectors that rows of `pixels` have at most: two columns or more a window, and one column more. */
static size_t most_vectors(size_t pixels)
{
    return (pixels + 1) / 2 / lanes + 2;
}

size_t qmt_avx512_pictures_scratch_size(const qmt_packed_layer *packed, size_t pixels)
{
    const size_t vectors = most_vectors(pixels), channels = (size_t)packed->out_padded;
    const size_t inputs = (vectors + spare) * (row_ring * row_bytes + 2 * red_bytes + 2 * vector_bytes);
    return inputs + vectors * channels * (vector_bytes + 2 * lanes) + channels * sizeof(struct edge);
}

static void start(struct walk *walk, const qmt_packed_layer *packed, const qmt_avx512_picture_channel *channels,
                  const qmt_strip *strip)
{
    const int pictures = strip->pictures > 1 ? strip->pictures : 1, width = strip->input_width - side + 1;
    const size_t padded = (size_t)packed->out_padded;
    *walk = (struct walk){.packed = packed, .channels = channels, .strip = strip, .pictures = pictures};
    walk->vectors = ((strip->output_width + 1) * pictures + lanes - 1) / lanes;
    walk->odd_lanes = width / 2 * pictures;
    walk->next_lanes = (width - 1) / 2 * pictures;
    walk->array = (size_t)walk->vectors + spare;
    walk->rows = strip->scratch;
    walk->reds = walk->rows + walk->array * row_ring * row_bytes;
    walk->columns[0] = walk->reds + walk->array * 2 * red_bytes;
    walk->columns[1] = walk->columns[0] + walk->array * vector_bytes;
    walk->kept = (__m512i *)(void *)(walk->columns[1] + walk->array * vector_bytes);
    walk->edges = (struct edge *)(void *)(walk->kept + (size_t)walk->vectors * padded);
    walk->values = (int8_t *)(walk->edges + padded);
    memset(walk->values, 0, (size_t)walk->vectors * padded * (2 * lanes));
}

/* ---- Inputs ------------------------------------------------------------------------------------- */

QMT_INLINE void store(void *at, __m512i value)
{
    _mm512_store_si512(at, value);
}

/* 16 neighbors of two vectors, from the lane that `first` begins with. */
QMT_INLINE __m512i neighbors(__m512i low, __m512i first, __m512i high)
{
    return _mm512_permutex2var_epi32(low, first, high);
}

QMT_INLINE __m512i lanes_from(int first)
{
    return _mm512_add_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                            _mm512_set1_epi32(first));
}

/* A row's even and odd columns, and zeros behind them. */
static void split_columns(const struct walk *walk, const char *row)
{
    const size_t column = (size_t)walk->pictures * qmt_picture_channels;
    for (int odd = 0; odd < 2; odd++) {
        char *to = walk->columns[odd];
        for (int x = odd; x < walk->strip->input_width; x += 2, to += column)
            if (column == 32) /* a size that the compiler knows */
                memcpy(to, row + (size_t)x * column, 32);
            else
                memcpy(to, row + (size_t)x * column, column);
        memset(to, 0, walk->array * vector_bytes - (size_t)(to - walk->columns[odd]));
    }
}

/* A row's parts, with 128 added. */
static void make_row(const struct walk *walk, char *to)
{
    const __m512i shift = lanes_from(walk->pictures), sign = _mm512_set1_epi32(0x00808080);
    const char *evens = walk->columns[0], *odds = walk->columns[1];
    __m512i even = _mm512_xor_si512(qmt_picture_load(evens), sign);
    __m512i odd = _mm512_xor_si512(qmt_picture_load(odds), sign);
    for (int j = 0; j <= walk->vectors; j++, to += row_bytes) {
        const size_t next = (size_t)(j + 1) * vector_bytes;
        const __m512i next_even = _mm512_xor_si512(qmt_picture_load(evens + next), sign);
        const __m512i next_odd = _mm512_xor_si512(qmt_picture_load(odds + next), sign);
        const __m512i second = neighbors(even, shift, next_even), third = neighbors(odd, shift, next_odd);
        __m512i part[4];
        qmt_picture_parts_of(even, odd, second, part);
        qmt_picture_parts_of(odd, second, third, part + 2);
        for (int i = 0; i < 4; i++)
            store(to + i * vector_bytes, part[i]);
        even = next_even;
        odd = next_odd;
    }
}

static char *row_array(const struct walk *walk, int y)
{
    return walk->rows + (size_t)(y % row_ring) * walk->array * row_bytes;
}

/* Of a vector of three rows. */
QMT_INLINE __m512i reds_of(const char *const *rows, size_t at)
{
    return qmt_picture_reds_of(qmt_picture_load(rows[0] + at), qmt_picture_load(rows[1] + at),
                               qmt_picture_load(rows[2] + at));
}

/* The last reds of row y of convolution output: those two columns further of three rows. */
static void make_reds(const struct walk *walk, int y, char *to)
{
    enum { odd_parts = 2 * vector_bytes };
    const char *rows[side] = {row_array(walk, y), row_array(walk, y + 1), row_array(walk, y + 2)};
    const __m512i shift = lanes_from(walk->pictures);
    __m512i even = reds_of(rows, 0), odd = reds_of(rows, odd_parts);
    for (size_t j = 0; j < (size_t)walk->vectors; j++, to += red_bytes) {
        const size_t next = (j + 1) * row_bytes;
        const __m512i next_even = reds_of(rows, next), next_odd = reds_of(rows, next + odd_parts);
        store(to, neighbors(even, shift, next_even));
        store(to + vector_bytes, neighbors(odd, shift, next_odd));
        even = next_even;
        odd = next_odd;
    }
}

/* Makes the inputs of `rows` rows of convolution output, from row y on. */
static void make_inputs(struct walk *walk, int y, int rows)
{
    const size_t input_row = (size_t)walk->strip->input_width * (size_t)walk->pictures * qmt_picture_channels;
    for (; walk->rows_end < y + rows + side - 1; walk->rows_end++) {
        split_columns(walk, (const char *)walk->strip->input + (size_t)walk->rows_end * input_row);
        make_row(walk, row_array(walk, walk->rows_end));
    }
    for (int i = 0; i < rows; i++)
        make_reds(walk, y + i, walk->reds + (size_t)i * walk->array * red_bytes);
}

QMT_INLINE void load_inputs(const struct walk *walk, int y, int j, const int rows, qmt_picture_inputs *inputs)
{
    QMT_UNROLL
    for (int i = 0; i < 4 * (side + rows - 1); i++)
        inputs->part[i / 4][i % 4] =
            qmt_picture_load(row_array(walk, y + i / 4) + (size_t)j * row_bytes + (size_t)(i % 4) * vector_bytes);
    QMT_UNROLL
    for (int i = 0; i < 2 * rows; i++)
        inputs->reds[i / 2][i % 2] = qmt_picture_load(
            walk->reds + ((size_t)(i / 2) * walk->array + (size_t)j) * red_bytes + (size_t)(i % 2) * vector_bytes);
}

/* ---- Rows --------------------------------------------------------------------------------------- */

/* A vector of windows over the row or two of convolution output that come after the kept one. */
struct vector {
    qmt_picture_inputs inputs;
    __m512i shift;           /* for the windows to the right */
    __mmask16 second, third; /* windows that have these columns */
    __m512i *kept;           /* [channel] */
};

/* A channel's values. Its lowest row is kept. begin: there is none to be kept yet, and no values. */
QMT_INLINE __m512i pool_channel(const struct walk *walk, const struct vector *vector, int channel, const int rows,
                                const bool relu, const bool begin)
{
    __m512i sum[2][2];
    qmt_picture_sums(&vector->inputs, &walk->channels[channel], walk->packed->bias_int32[channel], rows, sum);
    const __m512i low_even = sum[rows - 1][0], low_odd = sum[rows - 1][1];
    const __m512i even = rows > 1 ? _mm512_max_epi32(sum[0][0], low_even) : low_even;
    const __m512i odd = rows > 1 ? _mm512_max_epi32(sum[0][1], low_odd) : low_odd;
    struct edge *edge = walk->edges + channel;
    __m512i *kept = vector->kept + channel;
    __m512i window = _mm512_mask_max_epi32(even, vector->second, even, odd);
    __m512i low = _mm512_mask_max_epi32(low_even, vector->second, low_even, low_odd);
    window = _mm512_mask_max_epi32(window, vector->third, window, neighbors(even, vector->shift, edge->even));
    low = _mm512_mask_max_epi32(low, vector->third, low, neighbors(low_even, vector->shift, edge->low_even));
    const __m512i largest = begin ? window : _mm512_max_epi32(window, *kept);
    *edge = (struct edge){even, low_even};
    *kept = low;
    return begin ? largest : qmt_picture_requantize(walk->packed, channel, largest, relu);
}

/* Rows from y on. */
QMT_INLINE void pool_row(const struct walk *walk, int y, const int rows, const bool relu, const bool begin)
{
    const size_t padded = (size_t)walk->packed->out_padded;
    struct vector vector = {.shift = lanes_from(walk->pictures)};
    for (int j = walk->vectors - 1; j >= 0; j--) {
        int8_t *values = walk->values + (size_t)j * padded * (2 * lanes);
        vector.second = qmt_picture_mask(walk->odd_lanes, j);
        vector.third = qmt_picture_mask(walk->next_lanes, j);
        vector.kept = walk->kept + (size_t)j * padded;
        load_inputs(walk, y, j, rows, &vector.inputs);
        for (int c = 0; c < walk->packed->out_channels; c += 2, values += vector_bytes) {
            const __m512i first = pool_channel(walk, &vector, c, rows, relu, begin);
            const __m512i second = pool_channel(walk, &vector, c + 1, rows, relu, begin);
            if (!begin)
                qmt_picture_keep(first, second, values);
        }
    }
}

/* The same where no row is left. */
QMT_INLINE void finish_kept(const struct walk *walk, const bool relu)
{
    const int padded = walk->packed->out_padded;
    for (int i = 0; i < walk->vectors * padded; i += 2)
        if (i % padded < walk->packed->out_channels)
            qmt_picture_keep(qmt_picture_requantize(walk->packed, i % padded, walk->kept[i], relu),
                             qmt_picture_requantize(walk->packed, i % padded + 1, walk->kept[i + 1], relu),
                             walk->values + (size_t)i * (2 * lanes));
}

/* Stores four pixels, of which `count` are there, four apart. */
QMT_INLINE void store_four(__m512i four, int count, char *output, size_t pixel)
{
    if (count > 0)
        _mm_storeu_si128((__m128i *)(void *)output, _mm512_castsi512_si128(four));
    if (count > 4)
        _mm_storeu_si128((__m128i *)(void *)(output + 4 * pixel), _mm512_extracti32x4_epi32(four, 1));
    if (count > 8)
        _mm_storeu_si128((__m128i *)(void *)(output + 8 * pixel), _mm512_extracti32x4_epi32(four, 2));
    if (count > 12)
        _mm_storeu_si128((__m128i *)(void *)(output + 12 * pixel), _mm512_extracti32x4_epi32(four, 3));
}

/* Stores a row of output. */
static void store_row(const struct walk *walk, char *output, const bool relu)
{
    const size_t pixel = (size_t)walk->packed->out_padded;
    const int count = walk->strip->output_width * walk->pictures;
    const int8_t *values = walk->values;
    for (int from = 0; from < count; from += lanes)
        for (size_t channel = 0; channel < pixel; channel += block, values += qmt_picture_values) {
            char *to = output + (size_t)from * pixel + channel;
            __m512i pixels[4];
            qmt_picture_transpose(values, relu, pixels);
            for (int i = 0; i < 4; i++)
                store_four(pixels[i], count - from - i, to + (size_t)i * pixel, pixel);
        }
}

/* Row y of output. */
QMT_INLINE void output_row(struct walk *walk, int y, char *output, const bool relu)
{
    const int left = walk->strip->convolution_height - 2 * y - 1, rows = left < side ? left : side - 1;
    make_inputs(walk, 2 * y + 1, rows);
    if (rows == 2)
        pool_row(walk, 2 * y + 1, 2, relu, false);
    else if (rows == 1)
        pool_row(walk, 2 * y + 1, 1, relu, false);
    else
        finish_kept(walk, relu);
    store_row(walk, output, relu);
}

void qmt_avx512_pictures_run(const qmt_packed_layer *packed, const qmt_avx512_picture_channel *channels,
                             const qmt_strip *strip)
{
    struct walk walk;
    start(&walk, packed, channels, strip);
    const size_t row = (size_t)strip->output_width * (size_t)walk.pictures * (size_t)packed->out_padded;
    make_inputs(&walk, 0, 1);
    pool_row(&walk, 0, 1, true, true);
    for (int y = 0; y < strip->output_rows; y++)
        if (packed->finish == QMT_FINISH_RELU)
            output_row(&walk, y, (char *)strip->output + (size_t)y * row, true);
        else
            output_row(&walk, y, (char *)strip->output + (size_t)y * row, false);
}
#endif
