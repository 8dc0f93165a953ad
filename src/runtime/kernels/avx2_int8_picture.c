/* The picture under a 3 x 3 kernel and a pool: the first layer of all three networks. Pixels are the lanes, of one
 * picture or of several side by side, so that none is wasted on channels that aren't there, and the pool takes the
 * largest sum before any is requantized. Weights come in runs (int8_picture.h).
 *
 * A row of the picture becomes two rows of parts, and three rows one of the last reds: an array of four bytes a pixel
 * each, of which eight neighbors, a vector, are 32 bytes. Row of output by row, each channel's sums of a row of
 * convolution output lie in memory until they are pooled. */
#if defined(__AVX2__)
#include "runtime/kernels/avx2_int8_finish.h"

enum {
    lanes = 8, /* pixels of a vector */
    vector_bytes = 32,
    side = qmt_picture_kernel,
    spare = 4,          /* vectors behind a row: windows may begin in the last pixels */
    row_ring = 5,       /* rows of the picture that three rows of convolution output need */
    red_ring = 3,       /* ... and of the last reds */
    row_arrays = 3,     /* of a row of the picture: its bytes, and two parts */
    least_pictures = 4, /* side by side, where the pool's windows overlap: fewer would waste lanes */
    block = qmt_channel_step
};

/* ---- Convolution -------------------------------------------------------------------------------- */

/* What a pass over a row of convolution output adds to it. */
struct pass {
    const uint8_t *from[2 * qmt_picture_longest]; /* the inputs of each group */
    const int8_t *weights;
    int32_t *sums;
    int vectors;
};

/* The sums of a run of `length` groups. */
QMT_INLINE __m256i run_sum(const uint8_t *const *from, const __m256i *weight, size_t at, const int length)
{
    __m256i run = _mm256_setzero_si256();
    for (int i = 0; i < length; i++) {
        const __m256i input = _mm256_load_si256((const __m256i *)(const void *)(from[i] + at));
        const __m256i products = _mm256_maddubs_epi16(input, weight[i]);
        run = i == 0 ? products : qmt_avx2_in_order(_mm256_add_epi16(run, products));
    }
    return _mm256_madd_epi16(run, _mm256_set1_epi16(1));
}

/* Two runs, of a and b groups, added to what is there (first: to nothing); up to a vector more than asked for. The
 * lengths are constants after inlining, so that weights and pointers stay in registers. */
QMT_INLINE void add_runs(const struct pass *pass, const int a, const int b, const bool first)
{
    __m256i weight[2 * qmt_picture_longest];
    const uint8_t *from[2 * qmt_picture_longest];
    for (int i = 0; i < a + b; i++) {
        int32_t four;
        memcpy(&four, pass->weights + 4 * i, sizeof four);
        weight[i] = _mm256_set1_epi32(four);
        from[i] = pass->from[i];
    }
    const size_t end = (size_t)pass->vectors * vector_bytes;
    char *sums = (char *)pass->sums;
    for (size_t at = 0; at < end; at += 2 * vector_bytes)
        for (size_t i = 0; i < 2; i++) {
            const size_t here = at + i * vector_bytes;
            __m256i *to = (__m256i *)(void *)(sums + here);
            __m256i sum = run_sum(from, weight, here, a);
            if (b > 0)
                sum = _mm256_add_epi32(sum, run_sum(from + a, weight + a, here, b));
            _mm256_store_si256(to, first ? sum : _mm256_add_epi32(sum, _mm256_load_si256(to)));
        }
}

QMT_INLINE void run_pass(const struct pass *pass, int a, int b, const bool first)
{
    switch (5 * a + b) {
    case 5: add_runs(pass, 1, 0, first); break;
    case 6: add_runs(pass, 1, 1, first); break;
    case 10: add_runs(pass, 2, 0, first); break;
    case 11: add_runs(pass, 2, 1, first); break;
    case 12: add_runs(pass, 2, 2, first); break;
    case 15: add_runs(pass, 3, 0, first); break;
    case 16: add_runs(pass, 3, 1, first); break;
    case 17: add_runs(pass, 3, 2, first); break;
    case 18: add_runs(pass, 3, 3, first); break;
    case 20: add_runs(pass, 4, 0, first); break;
    case 21: add_runs(pass, 4, 1, first); break;
    case 22: add_runs(pass, 4, 2, first); break;
    case 23: add_runs(pass, 4, 3, first); break;
    default: add_runs(pass, 4, 4, first); break;
    }
}

/* A channel's sums of a row of convolution output, without its bias. parts[part]: the row's inputs. Two runs at a time
 * go over the row: so what they need stays in registers, and the branches by their lengths are few. */
static void convolve_row(const qmt_picture_channel *channel, const uint8_t *const *parts, int vectors, int32_t *sums)
{
    struct pass pass = {.weights = channel->weights[0], .sums = sums, .vectors = vectors};
    const uint8_t *part = channel->parts;
    for (int run = 0; run < channel->run_count; run += 2) {
        const int a = channel->lengths[run], b = channel->lengths[run + 1];
        for (int i = 0; i < a + b; i++)
            pass.from[i] = parts[*part++];
        if (run == 0)
            run_pass(&pass, a, b, true);
        else
            run_pass(&pass, a, b, false);
        pass.weights += 4 * (a + b);
    }
    for (int i = 0; i < vectors && channel->run_count == 0; i++)
        _mm256_store_si256((__m256i *)(void *)(sums + i * lanes), _mm256_setzero_si256());
}

/* ---- Inputs ------------------------------------------------------------------------------------- */

QMT_INLINE __m256i load(const void *at)
{
    return _mm256_loadu_si256((const __m256i *)at);
}

QMT_INLINE void store(void *at, __m256i value)
{
    _mm256_store_si256((__m256i *)at, value);
}

/* `pixels` of q become q + 128, and 0 up to `end`; the fourth channel is 0. */
static void fill_bytes(const int8_t *input, size_t pixels, size_t end, uint8_t *bytes)
{
    const __m256i sign = _mm256_set1_epi32(0x00808080), colors = _mm256_set1_epi32(0x00ffffff);
    size_t i = 0;
    for (; i + lanes <= pixels; i += lanes)
        store(bytes + 4 * i, _mm256_and_si256(_mm256_xor_si256(load(input + 4 * i), sign), colors));
    memset(bytes + 4 * i, 0, 4 * (end - i));
    for (; i < pixels; i++)
        for (size_t c = 0; c < 3; c++)
            bytes[4 * i + c] = (uint8_t)(input[4 * i + c] + 128);
}

/* The two parts of a row. `step`: bytes from a pixel to its right neighbor. */
static void fill_parts(const uint8_t *bytes, size_t step, int vectors, uint8_t *first, uint8_t *second)
{
    const __m256i even = _mm256_set1_epi32((int32_t)0x80028001u), odd = _mm256_set1_epi32((int32_t)0x02800180u);
    const __m256i pixel =
        _mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c, 0, 0x04040404, 0x08080808, 0x0c0c0c0c);
    const __m256i to_even = _mm256_or_si256(even, pixel), to_odd = _mm256_or_si256(odd, pixel);
    for (size_t i = 0; i < (size_t)vectors * vector_bytes; i += vector_bytes) {
        const __m256i here = load(bytes + i), right = load(bytes + i + step), next = load(bytes + i + 2 * step);
        store(first + i, _mm256_or_si256(here, _mm256_slli_epi32(right, 24)));
        store(second + i, _mm256_or_si256(_mm256_shuffle_epi8(right, to_even), _mm256_shuffle_epi8(next, to_odd)));
    }
}

/* The reds two pixels to the right, of three rows. */
static void fill_reds(const uint8_t *const rows[side], size_t step, int vectors, uint8_t *reds)
{
    const __m256i red = _mm256_set1_epi32(0x000000ff);
    for (size_t i = 0; i < (size_t)vectors * vector_bytes; i += vector_bytes) {
        const __m256i a = _mm256_and_si256(load(rows[0] + i + 2 * step), red);
        const __m256i b = _mm256_slli_epi32(_mm256_and_si256(load(rows[1] + i + 2 * step), red), 8);
        const __m256i c = _mm256_slli_epi32(_mm256_and_si256(load(rows[2] + i + 2 * step), red), 16);
        store(reds + i, _mm256_or_si256(_mm256_or_si256(a, b), c));
    }
}

/* ---- Pool and requantization -------------------------------------------------------------------- */

/* How a channel's sums become bytes. */
struct finish {
    __m256i bias;
    __m256 factor, negative;
};

QMT_INLINE struct finish finish_of(const qmt_packed_layer *packed, const qmt_picture_channel *channel, int number)
{
    return (struct finish){_mm256_set1_epi32(channel->bias), _mm256_set1_ps(packed->factor[number]),
                           _mm256_set1_ps(packed->negative_factor[number])};
}

/* relu: what is negative becomes 0 later, as bytes. */
QMT_INLINE __m256i requantize(const struct finish *finish, __m256i sum, const bool relu)
{
    sum = _mm256_add_epi32(sum, finish->bias);
    return relu ? qmt_avx2_relu(sum, finish->factor) : qmt_avx2_byte(sum, finish->factor, finish->negative);
}

/* The largest of a window's pixels in one row or two, for eight windows: of one picture, whose neighbors are lanes. The
 * windows' order is 0, 1, 4, 5, 2, 3, 6, 7. */
QMT_INLINE __m256i window_of_one(const int32_t *upper, const int32_t *lower, int vector)
{
    const int32_t *up = upper + 2 * vector * lanes, *down = lower + 2 * vector * lanes;
    const __m256 low = _mm256_castsi256_ps(_mm256_max_epi32(load(up), load(down)));
    const __m256 high = _mm256_castsi256_ps(_mm256_max_epi32(load(up + lanes), load(down + lanes)));
    return _mm256_max_epi32(_mm256_castps_si256(_mm256_shuffle_ps(low, high, 0x88)),
                            _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xdd)));
}

/* The same in one row of several pictures, whose neighbors lie as many lanes apart as there are pictures. */
QMT_INLINE __m256i window_of_several(const int32_t *sums, int x, int pictures)
{
    const int32_t *at = sums + 2 * x * pictures;
    return _mm256_max_epi32(_mm256_max_epi32(load(at), load(at + pictures)), load(at + 2 * pictures));
}

/* Four channels of eight pixels to a pixel's four bytes in each lane, none under `least`. */
QMT_INLINE __m256i four_channels(const __m256i *values, __m256i least)
{
    const __m256i transpose = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5,
                                               9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m256i bytes =
        _mm256_packs_epi16(_mm256_packs_epi32(values[0], values[1]), _mm256_packs_epi32(values[2], values[3]));
    return _mm256_shuffle_epi8(_mm256_max_epi8(bytes, least), transpose);
}

QMT_INLINE void store_two(__m256i two, int8_t *low, int8_t *high)
{
    _mm_storeu_si128((__m128i *)(void *)low, _mm256_castsi256_si128(two));
    _mm_storeu_si128((__m128i *)(void *)high, _mm256_extracti128_si256(two, 1));
}

/* Sixteen channels of eight pixels, `pixel` bytes apart. `order`: as window_of_one() has them. */
QMT_INLINE void store_eight(const __m256i *values, __m256i least, bool order, int8_t *output, size_t pixel)
{
    const __m256i a = four_channels(values, least), b = four_channels(values + 4, least);
    const __m256i c = four_channels(values + 8, least), d = four_channels(values + 12, least);
    const __m256i ab_low = _mm256_unpacklo_epi32(a, b), ab_high = _mm256_unpackhi_epi32(a, b);
    const __m256i cd_low = _mm256_unpacklo_epi32(c, d), cd_high = _mm256_unpackhi_epi32(c, d);
    int8_t *middle = output + (order ? 4 : 2) * pixel, *right = output + (order ? 2 : 4) * pixel;
    store_two(_mm256_unpacklo_epi64(ab_low, cd_low), output, right);
    store_two(_mm256_unpackhi_epi64(ab_low, cd_low), output + pixel, right + pixel);
    store_two(_mm256_unpacklo_epi64(ab_high, cd_high), middle, output + 6 * pixel);
    store_two(_mm256_unpackhi_epi64(ab_high, cd_high), middle + pixel, output + 7 * pixel);
}

/* Writes `count` pixels of a block of channels, from vectors of eight: of one picture's pixels, or of the same pixel of
 * several. */
static void store_row(const __m256i *values, int count, int pictures, bool relu, int8_t *output, size_t pixel)
{
    const __m256i least = _mm256_set1_epi8(relu ? 0 : -128);
    const int step = pictures > 1 ? pictures : lanes;
    for (int x = 0; x < count; x += step, values += block) {
        int8_t narrow[lanes * block];
        int8_t *to = output + (size_t)x * pixel;
        if (x + lanes <= count) {
            store_eight(values, least, pictures == 1, to, pixel);
            continue;
        }
        store_eight(values, least, pictures == 1, narrow, block);
        for (int i = 0; i < step && x + i < count; i++)
            memcpy(to + (size_t)i * pixel, narrow + i * block, block);
    }
}

/* ---- A strip ------------------------------------------------------------------------------------ */

/* A strip on its way, and its scratch. */
struct walk {
    const qmt_packed_layer *packed;
    const qmt_picture_channel *channels;
    const qmt_strip *strip;
    int pictures;
    size_t input_row, step;      /* bytes: a row of input, and a pixel to its right neighbor */
    int input_pixels, convolved; /* pixels of a row of input and of convolution output, of all pictures */
    int vectors, windows;        /* of a row of convolution output, and of the pool's (eight pixels each) */
    size_t array;                /* bytes of a row's array */
    uint8_t *rows, *reds;
    int rows_end, reds_end; /* what has been made of each */
    int32_t *sums[side];    /* a row of convolution output each */
    __m256i *kept;          /* [channel][window]: the pool's lowest row, which the next output needs too */
    __m256i *values;        /* [window][channel of the block] */
    const uint8_t *parts[side][qmt_picture_parts];
};

static size_t align_size(size_t bytes)
{
    enum { line = 64 };
    return (bytes + line - 1) / line * line;
}

static size_t vectors_of(size_t pixels)
{
    return (pixels + lanes - 1) / lanes;
}

/* Bytes of each array, of which a window may lie two pixels further right: with a tile more than needed, as they are
 * computed. */
static size_t array_bytes(size_t pixels)
{
    return align_size((vectors_of(pixels) + spare) * vector_bytes);
}

/* Vectors of a row of pooled values, at most: one for each window of several pictures. */
static size_t most_windows(const qmt_packed_layer *packed, size_t pixels)
{
    return pixels / (packed->pool_kernel == 2 ? 2 * lanes : 2 * least_pictures) + 1;
}

bool qmt_avx2_picture_takes(const qmt_packed_layer *packed, int pictures)
{
    return packed->pool_kernel == 2 ? pictures == 1 : pictures >= least_pictures && pictures <= lanes;
}

size_t qmt_avx2_picture_scratch_size(const qmt_packed_layer *packed, size_t pixels)
{
    const size_t arrays = row_ring * row_arrays + red_ring + side;
    const size_t channels = block + (packed->pool_kernel == 3 ? (size_t)packed->out_padded : 0);
    return arrays * array_bytes(pixels) + channels * most_windows(packed, pixels) * vector_bytes;
}

static uint8_t *row_array(const struct walk *walk, int y, int which)
{
    return walk->rows + (size_t)(y % row_ring * row_arrays + which) * walk->array;
}

static void start(struct walk *walk, const qmt_packed_layer *packed, const qmt_picture_channel *channels,
                  const qmt_strip *strip)
{
    const int pictures = strip->pictures > 1 ? strip->pictures : 1;
    const size_t pixels = (size_t)pictures * (size_t)strip->input_width;
    *walk = (struct walk){.packed = packed,
                          .channels = channels,
                          .strip = strip,
                          .pictures = pictures,
                          .input_row = pixels * qmt_picture_channels,
                          .step = (size_t)pictures * qmt_picture_channels,
                          .input_pixels = (int)pixels,
                          .convolved = pictures * (strip->input_width - side + 1),
                          .array = array_bytes(pixels)};
    walk->vectors = (int)vectors_of((size_t)walk->convolved);
    walk->windows = pictures > 1 ? strip->output_width : (int)vectors_of((size_t)strip->output_width);
    walk->rows = strip->scratch;
    walk->reds = walk->rows + row_ring * row_arrays * walk->array;
    uint8_t *sums = walk->reds + red_ring * walk->array;
    for (int i = 0; i < side; i++, sums += walk->array)
        walk->sums[i] = (int32_t *)(void *)sums;
    walk->values = (__m256i *)(void *)sums;
    walk->kept = walk->values + block * walk->windows;
}

/* Makes the inputs of row y of convolution output, and says where they are. */
static void make_inputs(struct walk *walk, int y, const uint8_t **parts)
{
    const uint8_t *bytes[side];
    for (; walk->rows_end < y + side; walk->rows_end++) {
        const int row = walk->rows_end;
        fill_bytes((const int8_t *)walk->strip->input + (size_t)row * walk->input_row, (size_t)walk->input_pixels,
                   walk->array / 4, row_array(walk, row, 0));
        fill_parts(row_array(walk, row, 0), walk->step, walk->vectors, row_array(walk, row, 1),
                   row_array(walk, row, 2));
    }
    for (int ky = 0; ky < side; ky++) {
        bytes[ky] = row_array(walk, y + ky, 0);
        parts[2 * ky] = row_array(walk, y + ky, 1);
        parts[2 * ky + 1] = row_array(walk, y + ky, 2);
    }
    uint8_t *reds = walk->reds + (size_t)(y % red_ring) * walk->array;
    if (walk->reds_end <= y) {
        fill_reds(bytes, walk->step, walk->vectors, reds);
        walk->reds_end = y + 1;
    }
    parts[2 * side] = reds;
}

/* A channel's sums of a row of convolution output, with the least number behind them: windows may end there. */
static void convolve(const struct walk *walk, int channel, int row)
{
    int32_t *sums = walk->sums[row];
    convolve_row(&walk->channels[channel], walk->parts[row], walk->vectors, sums);
    const __m256i least = _mm256_set1_epi32(INT32_MIN);
    for (int i = 0; i < 2 * walk->pictures; i += lanes)
        _mm256_storeu_si256((__m256i *)(void *)(sums + walk->convolved + i), least);
}

/* Pools a channel's rows of sums, requantizes, and writes values[window * block]. */
QMT_INLINE void pool_two(const struct walk *walk, const struct finish *finish, int rows, __m256i *values,
                         const bool relu)
{
    const int32_t *upper = walk->sums[0], *lower = walk->sums[rows - 1];
    const int windows = walk->windows;
    for (int x = 0; x < windows; x++)
        store(values + x * block, requantize(finish, window_of_one(upper, lower, x), relu));
}

/* The same for windows of three. Their first row is kept[], which gets the third's. */
QMT_INLINE void pool_three(const struct walk *walk, const struct finish *finish, int rows, __m256i *kept,
                           __m256i *values, const bool relu)
{
    /* Rows that aren't there repeat the one before: a maximum does not mind. */
    const int32_t *second = walk->sums[0], *third = walk->sums[rows > 2];
    const int windows = walk->windows, pictures = walk->pictures;
    for (int x = 0; x < windows; x++) {
        const __m256i low = rows > 1 ? window_of_several(third, x, pictures) : kept[x];
        __m256i largest = _mm256_max_epi32(kept[x], low);
        if (rows > 2)
            largest = _mm256_max_epi32(largest, window_of_several(second, x, pictures));
        kept[x] = low;
        store(values + x * block, requantize(finish, largest, relu));
    }
}

static void pool(const struct walk *walk, int channel, int rows, __m256i *values)
{
    const struct finish finish = finish_of(walk->packed, &walk->channels[channel], channel);
    const bool relu = walk->packed->finish == QMT_FINISH_RELU, two = walk->packed->pool_kernel == 2;
    __m256i *kept = walk->kept + channel * walk->windows;
    if (two && relu)
        pool_two(walk, &finish, rows, values, true);
    else if (two)
        pool_two(walk, &finish, rows, values, false);
    else if (relu)
        pool_three(walk, &finish, rows, kept, values, true);
    else
        pool_three(walk, &finish, rows, kept, values, false);
}

/* The first row of convolution output, for windows of three. */
static void keep_first(struct walk *walk)
{
    make_inputs(walk, 0, walk->parts[0]);
    for (int c = 0; c < walk->packed->out_channels; c++) {
        convolve(walk, c, 0);
        for (int x = 0; x < walk->windows; x++)
            walk->kept[c * walk->windows + x] = window_of_several(walk->sums[0], x, walk->pictures);
    }
}

/* Row y of output. */
static void make_row(struct walk *walk, int y, int8_t *output)
{
    const qmt_packed_layer *packed = walk->packed;
    const int size = packed->pool_kernel, left = walk->strip->convolution_height - 2 * y;
    const int rows = left < size ? left : size, skip = size == 3; /* rows that are kept[] */
    for (int i = skip; i < rows; i++)
        make_inputs(walk, 2 * y + i, walk->parts[i - skip]);
    for (int first = 0; first < packed->out_padded; first += block) {
        for (int c = first; c < first + block; c++) {
            __m256i *values = walk->values + (c - first);
            for (int x = 0; x < walk->windows && c >= packed->out_channels; x++)
                store(values + x * block, _mm256_setzero_si256());
            if (c >= packed->out_channels)
                continue;
            for (int i = skip; i < rows; i++)
                convolve(walk, c, i - skip);
            pool(walk, c, rows, values);
        }
        store_row(walk->values, walk->strip->output_width * walk->pictures, walk->pictures,
                  packed->finish == QMT_FINISH_RELU, output + first, (size_t)packed->out_padded);
    }
}

void qmt_avx2_picture_run(const qmt_packed_layer *packed, const qmt_picture_channel *channels, const qmt_strip *strip)
{
    struct walk walk;
    start(&walk, packed, channels, strip);
    const size_t row = (size_t)strip->output_width * (size_t)walk.pictures * (size_t)packed->out_padded;
    if (packed->pool_kernel == 3)
        keep_first(&walk);
    for (int y = 0; y < strip->output_rows; y++)
        make_row(&walk, y, (int8_t *)strip->output + (size_t)y * row);
}
#endif
