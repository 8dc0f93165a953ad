#include "runtime/kernels/int8_walk.h"

#include <string.h>

enum { lanes = qmt_channel_step };

/* ---- Packing ------------------------------------------------------------------------------------ */

/* The byte of four inputs of 16 outputs where lane's input i lies. */
static size_t place(size_t lane, size_t i, bool in_pairs)
{
    return in_pairs ? i / 2 * (2 * lanes) + 2 * lane + i % 2 : 4 * lane + i;
}

static void pack_weights(qmt_packed_layer *packed, const qmt_layer *layer, bool in_pairs)
{
    int8_t *weight = packed->weight;
    const size_t taps = qmt_layer_taps(layer), kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    const size_t channels = (size_t)layer->in_channels, outputs = (size_t)layer->out_channels;
    for (size_t block = 0; block < outputs; block += lanes)
        for (size_t tap = 0; tap < kernel; tap++)
            for (size_t in = 0; in < channels; in += 4, weight += 4 * lanes)
                for (size_t lane = 0; lane < lanes && block + lane < outputs; lane++)
                    for (size_t i = 0; i < 4 && in + i < channels; i++)
                        weight[place(lane, i, in_pairs)] =
                            layer->weight_int8[(block + lane) * taps + (in + i) * kernel + tap];
}

/* The pool may take the largest sum before requantization: no factor turns the order around. */
static bool pools_sums(const qmt_packed_layer *packed)
{
    bool allowed =
        packed->output_scale > 0 && packed->pool_stride == 2 && (packed->pool_kernel == 2 || packed->pool_kernel == 3);
    for (int c = 0; c < packed->out_channels && allowed; c++)
        allowed = packed->factor[c] >= 0 && packed->negative_factor[c] >= 0;
    return allowed;
}

qmtcnn_status qmt_tile_pack(const qmt_layer *layer, const qmt_pack_options *options, bool unsigned_input, bool in_pairs,
                            qmt_packed_layer **packed, qmtcnn_error *error)
{
    const size_t padded = (size_t)qmt_padded_channels(layer->out_channels, false);
    const size_t kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    const size_t bytes = padded * kernel * (((size_t)layer->in_channels + 3) / 4 * 4);
    qmtcnn_status status = qmt_packed_create(layer, options, bytes, packed, error);
    if (status != QMTCNN_OK)
        return status;
    pack_weights(*packed, layer, in_pairs);
    if (unsigned_input && options->signed_input)
        qmt_packed_subtract_offset(*packed, layer);
    (*packed)->pools_sums = pools_sums(*packed);
    (*packed)->interleaves = (*packed)->pools_sums || layer->pool_kernel == 0;
    return QMTCNN_OK;
}

/* ---- Scratch ------------------------------------------------------------------------------------ */

static size_t align_size(size_t bytes)
{
    enum { line = 64 };
    return (bytes + line - 1) / line * line;
}

static bool converts(const qmt_packed_layer *packed, const qmt_tile_kernels *kernels)
{
    return packed->signed_input && kernels->unsigned_input;
}

/* Bytes of the input rows with 128 added: as many as the kernel is high. */
static size_t converted_size(const qmt_packed_layer *packed, const qmt_tile_kernels *kernels, int input_width)
{
    if (!converts(packed, kernels))
        return 0;
    return align_size((size_t)packed->kernel_height * (size_t)input_width * (size_t)packed->in_padded);
}

size_t qmt_tile_scratch_size(const qmt_packed_layer *packed, const qmt_tile_kernels *kernels, int input_width)
{
    const size_t converted = converted_size(packed, kernels, input_width);
    if (packed->pools_sums) /* one row of sums; the pool makes it narrower, a picture's has at least two pixels */
        return converted + (size_t)input_width * (size_t)packed->out_padded * sizeof(int32_t);
    return converted + qmt_packed_scratch_size(packed, input_width);
}

/* ---- Rows --------------------------------------------------------------------------------------- */

/* A strip being walked. */
struct walk {
    const qmt_packed_layer *packed;
    const qmt_tile_kernels *kernels;
    int pictures; /* side by side */
    const char *input;
    size_t input_row; /* bytes */
    int width;        /* pixels of a row of convolution output, of a picture */
    int output_width; /* the same after the pool */
    uint8_t *converted;
    int converted_end; /* input rows below it are converted, or gone */
    const uint8_t *rows[qmt_max_kernel];
};

/* Points walk->rows at the input rows of row `y` of convolution output. */
static void find_rows(struct walk *walk, int y)
{
    const int height = walk->packed->kernel_height;
    for (int ky = 0; ky < height; ky++) {
        const char *row = walk->input + (size_t)(y + ky) * walk->input_row;
        if (!walk->converted) {
            walk->rows[ky] = (const uint8_t *)row;
            continue;
        }
        uint8_t *to = walk->converted + (size_t)((y + ky) % height) * walk->input_row;
        if (y + ky >= walk->converted_end) {
            qmt_add_128(row, to, walk->input_row);
            walk->converted_end = y + ky + 1;
        }
        walk->rows[ky] = to;
    }
}

/* As many blocks at a time as the table has registers for, with `pixels` (or its best tile's) pixels each. */
static int choose_blocks(const qmt_tile_kernels *kernels, int blocks, int pixels, int *most)
{
    int size = 0;
    for (int i = 1; i < qmt_tile_block_sizes; i++) {
        const bool narrower = kernels->most_pixels[i] < kernels->most_pixels[i - 1];
        if (1 << i > blocks || (narrower && kernels->most_pixels[i] < pixels))
            break;
        size = i;
    }
    *most = kernels->most_pixels[size];
    return 1 << size;
}

/* Pictures side by side are one wide row here. */
static void plain_row(const struct walk *walk, char *output)
{
    const qmt_packed_layer *packed = walk->packed;
    const size_t input_pixel = (size_t)packed->in_padded, output_pixel = qmt_packed_output_pixel(packed);
    const int width = walk->width * walk->pictures;
    qmt_tile_input input = {
        .rows = walk->rows, .pixel_step = input_pixel, .column_step = input_pixel * (size_t)walk->pictures};
    int32_t sums[qmt_tile_sums];
    int blocks, most;
    for (int channel = 0; channel < packed->out_padded; channel += blocks * lanes) {
        blocks = choose_blocks(walk->kernels, (packed->out_padded - channel) / lanes, width, &most);
        const int step = qmt_tile_share(width, most);
        for (int x = 0; x < width; x += step) {
            const int pixels = step < width - x ? step : width - x;
            input.offset = (size_t)x * input_pixel;
            walk->kernels->sum(packed, channel, &input, pixels, blocks, sums);
            walk->kernels->finish(packed, channel, sums, pixels, blocks, output + (size_t)x * output_pixel);
        }
    }
}

/* A picture's row of convolution output into the windows that `row` stands for. */
static void pooled_row(const struct walk *walk, int picture, const qmt_tile_pool *row, int output_width)
{
    const qmt_packed_layer *packed = walk->packed;
    const size_t input_pixel = (size_t)packed->in_padded, input_step = input_pixel * (size_t)walk->pictures;
    const int overlap = packed->pool_kernel - packed->pool_stride;
    qmt_tile_input input = {.rows = walk->rows, .pixel_step = input_step, .column_step = input_step};
    int32_t sums[qmt_tile_sums];
    qmt_tile_pool pool = *row;
    int most;
    for (int channel = 0; channel < packed->out_padded; channel += pool.blocks * lanes) {
        pool.blocks = choose_blocks(walk->kernels, (packed->out_padded - channel) / lanes, walk->width, &most);
        const int step = qmt_tile_share(output_width, most > overlap + 2 ? (most - overlap) / 2 : 1);
        for (int i = 0; i < output_width; i += step) {
            const int x = 2 * i, left = walk->width - x;
            pool.windows = step < output_width - i ? step : output_width - i;
            pool.pixels = 2 * pool.windows + overlap < left ? 2 * pool.windows + overlap : left;
            pool.largest = row->largest + (size_t)i * (size_t)packed->out_padded;
            pool.output = row->output + (size_t)i * row->output_step;
            input.offset = (size_t)x * input_step + (size_t)picture * input_pixel;
            walk->kernels->sum(packed, channel, &input, pool.pixels, pool.blocks, sums);
            walk->kernels->pool(packed, channel, sums, &pool);
        }
    }
}

/* ---- Strips ------------------------------------------------------------------------------------- */

/* Pools sums: each row of convolution output is computed once, and only one row of sums is kept. */
static void run_pooled(struct walk *walk, const qmt_strip *strip, int32_t *largest)
{
    const qmt_packed_layer *packed = walk->packed;
    const int kernel = packed->pool_kernel, stride = packed->pool_stride;
    const size_t pixel = (size_t)packed->out_padded, step = pixel * (size_t)walk->pictures;
    const size_t map_row = (size_t)strip->output_width * pixel;
    int end = (strip->output_rows - 1) * stride + kernel;
    end = end < strip->convolution_height ? end : strip->convolution_height;
    for (int y = 0; y < end; y++) {
        /* The earliest window that still needs this row; with overlap its last row is the next one's first. */
        const int window = y < kernel ? 0 : (y - kernel) / stride + 1;
        const int last = window * stride + kernel < end ? window * stride + kernel - 1 : end - 1;
        qmt_tile_pool pool = {.output_step = step, .merge = y > window * stride, .finish = y == last};
        pool.keep = !pool.finish || (kernel > stride && window + 1 < strip->output_rows);
        find_rows(walk, y);
        for (int n = 0; n < walk->pictures; n++) {
            pool.largest = largest + (size_t)n * map_row;
            pool.output = (char *)strip->output + (size_t)window * map_row * (size_t)walk->pictures + (size_t)n * pixel;
            pooled_row(walk, n, &pool, strip->output_width);
        }
    }
}

static void convolve(void *state, int y, void *output)
{
    struct walk *walk = state;
    find_rows(walk, y);
    plain_row(walk, output);
}

/* Any other pool, over finished values of one picture. */
static void pool(void *state, const void *const *rows, int row_count, void *output)
{
    const struct walk *walk = state;
    qmt_pool_row_c(walk->packed, rows, row_count, walk->width, output, walk->output_width);
}

void qmt_tile_run(const qmt_packed_layer *packed, const qmt_strip *strip, const qmt_tile_kernels *kernels)
{
    const int pictures = strip->pictures > 1 ? strip->pictures : 1;
    const size_t converted = converted_size(packed, kernels, pictures * strip->input_width);
    struct walk walk = {.packed = packed,
                        .kernels = kernels,
                        .pictures = pictures,
                        .input = strip->input,
                        .input_row = (size_t)pictures * (size_t)strip->input_width * (size_t)packed->in_padded,
                        .width = strip->input_width - packed->kernel_width + 1,
                        .output_width = strip->output_width,
                        .converted = converted ? strip->scratch : NULL};
    char *scratch = (char *)strip->scratch + converted;
    if (packed->pools_sums) {
        run_pooled(&walk, strip, (int32_t *)(void *)scratch);
        return;
    }
    const qmt_row_steps steps = {.state = &walk, .convolve = convolve, .pool = pool, .ring = scratch};
    qmt_walk_rows(packed, strip, &steps);
}
