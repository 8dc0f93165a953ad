/* `qmtcnn bench detect --profile`: where the time and the bytes go, by stage and by layer, float against INT8. */
#include "cli/bench.h"

#include "cli/results.h"
#include "runtime/base/clock.h"
#include "runtime/base/cpu.h"
#include "runtime/detect/cascade.h"
#include "runtime/detect/view.h"
#include "runtime/model/onnx.h"
#include "toolkit/base/file.h"
#include "toolkit/base/random.h"
#include "toolkit/train/peak.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { fp32, int8, precisions, most_runs = 200, least_runs = 5, most_rows = qmt_max_layers + 2 };

static const char *const precision_names[precisions] = {"fp32", "int8"};

/* A layer, or a stage of the whole picture, in one precision. */
struct cost {
    double ms, bytes, macs;
};

struct row {
    const char *name; /* of a layer: in the model */
    struct cost cost[precisions];
};

/* One network's steps: pixels, layers, heads. */
struct net_rows {
    int count;
    struct row rows[most_rows];
};

enum stage { stage_convert, stage_resize, stage_pnet, stage_crops, stage_rnet, stage_onet, stage_nms, stage_total, stages };

struct profile {
    const qmt_bench_request *request;
    qmt_model *models[qmt_net_count];
    qmt_network *networks[precisions][qmt_net_count]; /* NULL: not in INT8 */
    bool has[precisions];
    qmt_workspace *workspace;
    uint8_t *pixels; /* noise, as many as the largest input */
    qmt_face_cell *cells;
    size_t cell_count;
    float *values;
    qmt_tile *tiles;
    size_t tiles_size, tile_count;
    struct net_rows nets[qmt_net_count];
    struct row stages[stages];
    int levels, proposals, refined;
    double peak[precisions]; /* multiply-adds a second */
    const char *instructions;
};

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

/* ---- Networks, layer by layer -------------------------------------------------------------------------- */

static int crops_of(const struct profile *profile, qmt_net_id net)
{
    return net == QMT_RNET ? profile->request->rnet_crops : profile->request->onet_crops;
}

/* One run over all that a net gets. */
static qmtcnn_status run_net(struct profile *profile, const qmt_network *network, qmt_net_id net, qmtcnn_error *error)
{
    enum { batch = 32 };
    const int side = qmt_net_side(net);
    qmtcnn_status status = QMTCNN_OK;
    if (net == QMT_PNET) {
        for (size_t i = 0; i < profile->tile_count && status == QMTCNN_OK; i++) {
            const qmt_tile *tile = &profile->tiles[i];
            qmt_face_cells cells = {.threshold = profile->request->options->thresholds[QMT_PNET],
                                    .found = profile->cells,
                                    .room = profile->cell_count};
            const qmt_outputs outputs = {.cells = &cells};
            status = qmt_network_run(network, profile->workspace, profile->pixels, 3 * (ptrdiff_t)tile->level_width, 1,
                                     tile->height, tile->level_width, &outputs, NULL, NULL, error);
        }
        return status;
    }
    const qmt_outputs outputs = {.face = profile->values,
                                 .box = profile->values + batch,
                                 .landmarks = net == QMT_ONET ? profile->values + 5 * batch : NULL};
    for (int left = crops_of(profile, net); left > 0 && status == QMTCNN_OK; left -= batch)
        status = qmt_network_run(network, profile->workspace, profile->pixels, 3 * (ptrdiff_t)side,
                                 left < batch ? left : batch, side, side, &outputs, NULL, NULL, error);
    return status;
}

/* The median of each step over many runs. */
static qmtcnn_status time_net(struct profile *profile, int precision, qmt_net_id net, qmtcnn_error *error)
{
    static const int heads_behind = 1;
    const qmt_network *network = profile->networks[precision][net];
    struct net_rows *rows = &profile->nets[net];
    double(*times)[most_runs] = qmt_alloc_zero(most_rows, sizeof *times);
    if (!times)
        return qmt_fail_memory(error, most_rows * sizeof *times, "times");
    qmtcnn_status status = run_net(profile, network, net, error);
    const double start = qmt_seconds();
    int runs = 0;
    while (status == QMTCNN_OK && runs < most_runs &&
           (runs < least_runs || qmt_seconds() - start < (double)profile->request->seconds)) {
        qmt_step_times steps = {0};
        qmt_workspace_time(profile->workspace, &steps);
        status = run_net(profile, network, net, error);
        qmt_workspace_time(profile->workspace, NULL);
        times[0][runs] = steps.pixels;
        for (int i = 0; i < rows->count - 1 - heads_behind; i++)
            times[i + 1][runs] = steps.layers[i];
        times[rows->count - 1][runs] = steps.heads;
        runs++;
    }
    for (int i = 0; i < rows->count && status == QMTCNN_OK; i++)
        rows->rows[i].cost[precision].ms = 1e3 * median(times[i], runs);
    qmt_free(times);
    return status;
}

static bool runs_int8(const qmt_layer *layer, int precision)
{
    return precision == int8 && layer->weight_int8;
}

/* Adds the products and bytes (input, weights and output, each once) of a network on one picture. */
static void add_costs(const struct profile *profile, qmt_net_id net, int height, int width, struct net_rows *rows)
{
    const qmt_model *model = profile->models[net];
    const double picture = 3.0 * height * width;
    for (int p = 0; p < precisions; p++)
        rows->rows[0].cost[p].bytes += picture + picture * (runs_int8(&model->layers[0], p) ? 1 : 4);
    for (int i = 0; i < model->layer_count + qmt_head_count; i++) {
        const bool head = i >= model->layer_count;
        const qmt_layer *layer = head ? &model->heads[i - model->layer_count] : &model->layers[i];
        const qmt_layer *next = head                         ? NULL
                                : i + 1 < model->layer_count ? &model->layers[i + 1]
                                                             : &model->heads[QMT_HEAD_FACE];
        int out_height, out_width;
        if (layer->out_channels == 0 || !qmt_layer_output_size(layer, height, width, &out_height, &out_width))
            continue;
        const double sums = (double)(height - layer->kernel_height + 1) * (width - layer->kernel_width + 1) *
                            layer->out_channels;
        struct row *row = &rows->rows[head ? rows->count - 1 : i + 1];
        for (int p = 0; p < precisions; p++) {
            const double in = runs_int8(layer, p) ? 1 : 4, out = next && runs_int8(next, p) ? 1 : 4;
            /* The heads read their input together. */
            const double read = head && i > model->layer_count ? 0 : in * height * width * layer->in_channels;
            row->cost[p].macs += sums * (double)qmt_layer_taps(layer);
            row->cost[p].bytes += read + in * layer->out_channels * (double)qmt_layer_taps(layer) +
                                  out * out_height * out_width * layer->out_channels;
        }
        if (!head) {
            height = out_height;
            width = out_width;
        }
    }
}

static void name_rows(struct profile *profile, qmt_net_id net)
{
    const qmt_model *model = profile->models[net];
    struct net_rows *rows = &profile->nets[net];
    rows->count = model->layer_count + 2;
    rows->rows[0].name = "normalize";
    for (int i = 0; i < model->layer_count; i++)
        rows->rows[i + 1].name = model->layers[i].name;
    rows->rows[rows->count - 1].name = "heads";
    for (size_t i = 0; net == QMT_PNET && i < profile->tile_count; i++)
        add_costs(profile, net, profile->tiles[i].height, profile->tiles[i].level_width, rows);
    for (int i = 0; net != QMT_PNET && i < crops_of(profile, net); i++)
        add_costs(profile, net, qmt_net_side(net), qmt_net_side(net), rows);
}

/* ---- Stages of the whole picture ------------------------------------------------------------------------- */

/* Median times of the cascade's stages, as it reports them itself. */
static qmtcnn_status time_stages(struct profile *profile, int precision, qmtcnn_error *error)
{
    const qmt_bench_request *request = profile->request;
    qmtcnn_model *model = NULL;
    qmtcnn_context *context = NULL;
    qmtcnn_options options = *request->options, defaults;
    double times[stages][most_runs] = {{0}};
    const qmtcnn_image view = {.pixels = request->picture,
                               .width = request->width,
                               .height = request->height,
                               .stride = 3 * (ptrdiff_t)request->width,
                               .format = QMTCNN_RGB};
    options.threads = 1;
    qmtcnn_status status =
        qmtcnn_model_open(request->models, precision == int8 ? QMTCNN_PRECISION_INT8 : QMTCNN_PRECISION_FP32, &model,
                          error);
    if (status == QMTCNN_OK) {
        qmtcnn_options_default(model, &defaults);
        memcpy(options.thresholds, defaults.thresholds, sizeof options.thresholds);
        status = qmtcnn_context_create(model, &options, &context, error);
    }
    const double start = qmt_seconds();
    int runs = -1; /* the first takes memory and isn't counted */
    qmtcnn_timing timing = {0};
    while (status == QMTCNN_OK && runs < most_runs &&
           (runs < least_runs || qmt_seconds() - start < (double)request->seconds)) {
        const qmtcnn_face *faces;
        size_t count;
        status = qmtcnn_detect(context, &view, &faces, &count, error);
        qmtcnn_context_timing(context, &timing);
        const double parts[stages] = {0,
                                      timing.resize_ms,
                                      timing.pnet_ms,
                                      timing.crop_ms,
                                      timing.rnet_ms,
                                      timing.onet_ms,
                                      timing.nms_ms,
                                      timing.total_ms};
        for (int s = 0; s < stages && runs >= 0; s++)
            times[s][runs] = parts[s];
        runs++;
    }
    for (int s = stage_resize; s < stages && status == QMTCNN_OK; s++)
        profile->stages[s].cost[precision].ms = median(times[s], runs);
    profile->levels = timing.levels;
    profile->proposals = timing.proposals;
    profile->refined = timing.refined;
    qmtcnn_context_free(context);
    qmtcnn_model_close(model);
    return status;
}

/* Turning BGR into RGB: what a picture in another order costs; RGB costs nothing. */
static qmtcnn_status time_convert(struct profile *profile, qmtcnn_error *error)
{
    const qmt_bench_request *request = profile->request;
    const qmtcnn_image view = {.pixels = request->picture,
                               .width = request->width,
                               .height = request->height,
                               .stride = 3 * (ptrdiff_t)request->width,
                               .format = QMTCNN_BGR};
    qmt_view_buffer buffer = {0};
    double times[most_runs];
    int runs = 0;
    qmtcnn_status status = QMTCNN_OK;
    for (; status == QMTCNN_OK && runs < 20; runs++) {
        qmt_pixels pixels;
        const double start = qmt_seconds();
        status = qmt_view_pixels(&view, NULL, &buffer, &pixels, error);
        times[runs] = 1e3 * (qmt_seconds() - start);
    }
    for (int p = 0; p < precisions && status == QMTCNN_OK; p++)
        profile->stages[stage_convert].cost[p].ms = median(times, runs);
    qmt_free(buffer.memory);
    return status;
}

/* Bytes that a stage can't do without: pixels read and written once each; what the networks' steps move. */
static void count_stages(struct profile *profile)
{
    static const char *const names[stages] = {"convert", "resize", "P-Net", "crops",
                                              "R-Net",   "O-Net",  "NMS",   "picture"};
    const double picture = 3.0 * profile->request->width * profile->request->height;
    double levels = 0;
    for (size_t i = 0; i < profile->tile_count; i++)
        levels += 3.0 * profile->tiles[i].level_width * profile->tiles[i].height;
    for (int s = 0; s < stages; s++)
        profile->stages[s].name = names[s];
    for (int p = 0; p < precisions; p++) {
        double bytes[stages] = {[stage_convert] = 2 * picture, [stage_resize] = picture + levels};
        bytes[stage_crops] = 2.0 * 3 * (24.0 * 24 * profile->proposals + 48.0 * 48 * profile->refined);
        for (int i = 0; i < profile->nets[QMT_PNET].count; i++)
            bytes[stage_pnet] += profile->nets[QMT_PNET].rows[i].cost[p].bytes;
        const struct {
            qmt_net_id net;
            enum stage stage;
            int crops;
        } others[] = {{QMT_RNET, stage_rnet, profile->proposals}, {QMT_ONET, stage_onet, profile->refined}};
        for (int k = 0; k < 2; k++) {
            const int measured = crops_of(profile, others[k].net);
            for (int i = 0; i < profile->nets[others[k].net].count && measured > 0; i++)
                bytes[others[k].stage] +=
                    profile->nets[others[k].net].rows[i].cost[p].bytes * others[k].crops / measured;
        }
        bytes[stage_nms] = (double)sizeof(qmt_candidate) * (profile->proposals + profile->refined);
        for (int s = 0; s < stage_total; s++) {
            profile->stages[s].cost[p].bytes = bytes[s];
            if (s != stage_convert)
                profile->stages[stage_total].cost[p].bytes += bytes[s];
        }
    }
}

/* ---- Output ----------------------------------------------------------------------------------------------- */

static double share_of_peak(const struct profile *profile, const struct cost *cost, int precision)
{
    return cost->ms > 0 && profile->peak[precision] > 0 ? cost->macs / (1e-3 * cost->ms) / profile->peak[precision] : 0;
}

static void print_cost(const struct profile *profile, const struct cost *cost, int precision)
{
    if (!profile->has[precision])
        return;
    printf(" | %8.3f ms %8.2f MB", cost->ms, cost->bytes / 1e6);
    if (cost->macs > 0 && cost->ms > 0)
        printf(" %6.1f GMAC/s %4.0f %%", cost->macs / cost->ms / 1e6, 100 * share_of_peak(profile, cost, precision));
    else
        printf("                    ");
}

static void print_row(const struct profile *profile, const struct row *row)
{
    printf("  %-12s", row->name);
    for (int p = 0; p < precisions; p++)
        print_cost(profile, &row->cost[p], p);
    if (profile->has[fp32] && profile->has[int8] && row->cost[int8].ms > 0)
        printf(" | %5.2f x", row->cost[fp32].ms / row->cost[int8].ms);
    printf("\n");
}

static struct row sum_rows(const struct net_rows *rows)
{
    struct row sum = {.name = "sum"};
    for (int i = 0; i < rows->count; i++)
        for (int p = 0; p < precisions; p++) {
            sum.cost[p].ms += rows->rows[i].cost[p].ms;
            sum.cost[p].bytes += rows->rows[i].cost[p].bytes;
            sum.cost[p].macs += rows->rows[i].cost[p].macs;
        }
    return sum;
}

static void print_text(const struct profile *profile)
{
    static const char *const titles[qmt_net_count] = {"P-Net, all levels", "R-Net", "O-Net"};
    const qmt_bench_request *request = profile->request;
    char cpu[256];
    qmt_cpu_name(cpu, sizeof cpu);
    printf("%s, 1 thread; peak: FP32 %.1f GMAC/s, INT8 %.1f GMAC/s (%s)\n", cpu, profile->peak[fp32] / 1e9,
           profile->peak[int8] / 1e9, profile->instructions);
    printf("columns: %s%s; bytes are those that must move once\n", profile->has[fp32] ? "fp32 " : "",
           profile->has[int8] ? "int8, times faster" : "");
    printf("\nwhole picture, %d x %d, %d levels, %d + %d crops (convert: a BGR picture, not in the sum)\n", request->width,
           request->height, profile->levels, profile->proposals, profile->refined);
    for (int s = 0; s < stages; s++)
        print_row(profile, &profile->stages[s]);
    for (int net = 0; net < qmt_net_count; net++) {
        const struct row sum = sum_rows(&profile->nets[net]);
        printf("\n%s", titles[net]);
        if (net != QMT_PNET)
            printf(", %d crops", crops_of(profile, (qmt_net_id)net));
        printf(", %.1f MMAC\n", sum.cost[fp32].macs / 1e6);
        for (int i = 0; i < profile->nets[net].count; i++)
            print_row(profile, &profile->nets[net].rows[i]);
        print_row(profile, &sum);
    }
}

static json_t *cost_json(const struct profile *profile, const struct cost *cost, int precision)
{
    if (!profile->has[precision])
        return json_null();
    json_t *object = json_pack("{s:f,s:f}", "ms", cost->ms, "bytes", cost->bytes);
    if (object && cost->macs > 0) {
        json_object_set_new(object, "macs", json_real(cost->macs));
        json_object_set_new(object, "gmac_s", json_real(cost->ms > 0 ? cost->macs / cost->ms / 1e6 : 0));
        json_object_set_new(object, "peak_fraction", json_real(share_of_peak(profile, cost, precision)));
    }
    return object;
}

static void append_row(const struct profile *profile, const struct row *row, json_t *list)
{
    json_t *object = json_pack("{s:s}", "name", row->name);
    for (int p = 0; p < precisions && object; p++)
        json_object_set_new(object, precision_names[p], cost_json(profile, &row->cost[p], p));
    json_array_append_new(list, object);
}

static qmtcnn_status print_json(const struct profile *profile, qmtcnn_error *error)
{
    char cpu[256];
    json_t *rows = json_array(), *layers = json_object();
    qmt_cpu_name(cpu, sizeof cpu);
    for (int s = 0; s < stages; s++)
        append_row(profile, &profile->stages[s], rows);
    for (int net = 0; net < qmt_net_count; net++) {
        json_t *list = json_array();
        for (int i = 0; i < profile->nets[net].count; i++)
            append_row(profile, &profile->nets[net].rows[i], list);
        json_object_set_new(layers, qmt_net_name((qmt_net_id)net), list);
    }
    return qmt_print_json(json_pack("{s:{s:s,s:i,s:i,s:f,s:f,s:s,s:o,s:o}}", "profile", "cpu", cpu, "proposals",
                                    profile->proposals, "refined", profile->refined, "fp32_peak",
                                    profile->peak[fp32] / 1e9, "int8_peak", profile->peak[int8] / 1e9,
                                    "int8_instructions", profile->instructions, "stages", rows, "layers", layers),
                          NULL, error);
}

/* ---- All together ------------------------------------------------------------------------------------------ */

static qmtcnn_status load_net(struct profile *profile, qmt_net_id net, qmtcnn_error *error)
{
    char *path = qmt_format("%s/%s.onnx", profile->request->models, qmt_net_name(net));
    if (!path)
        return qmt_fail_memory(error, strlen(profile->request->models), "a path");
    qmtcnn_status status = qmt_onnx_read_file(path, &profile->models[net], error);
    qmt_free(path);
    for (int p = 0; p < precisions && status == QMTCNN_OK; p++) {
        status = qmt_network_create(profile->models[net], p == int8 ? QMTCNN_PRECISION_INT8 : QMTCNN_PRECISION_FP32,
                                    NULL, &profile->networks[p][net], error);
        if (p == int8 && status == QMTCNN_ERROR_UNSUPPORTED)
            status = QMTCNN_OK;
        profile->has[p] = (net == QMT_PNET || profile->has[p]) && profile->networks[p][net];
    }
    return status;
}

static qmtcnn_status prepare(struct profile *profile, qmtcnn_error *error)
{
    enum { values = 32 * (1 + 4 + 10) };
    const qmt_bench_request *request = profile->request;
    qmt_backend backend = {0};
    qmt_random random = qmt_random_stream(1, 0, 0);
    size_t pixels = 32 * 3 * 48 * 48;
    qmtcnn_status status = QMTCNN_OK;
    for (int net = 0; net < qmt_net_count && status == QMTCNN_OK; net++)
        status = load_net(profile, (qmt_net_id)net, error);
    if (status == QMTCNN_OK)
        status = qmt_workspace_create(&profile->workspace, error);
    if (status == QMTCNN_OK)
        status = qmt_backend_create((const qmt_network *const *)profile->networks[fp32], 1, &backend, error);
    if (status == QMTCNN_OK)
        status = qmt_pyramid_tiles(&backend, request->width, request->height, request->options, &profile->tiles,
                                   &profile->tiles_size, &profile->tile_count, error);
    qmt_backend_free(&backend);
    if (status != QMTCNN_OK)
        return status;
    for (size_t i = 0; i < profile->tile_count; i++) {
        const qmt_tile *tile = &profile->tiles[i];
        const size_t size = 3 * (size_t)tile->level_width * (size_t)tile->height;
        const size_t cells = (size_t)tile->cell_rows * (size_t)tile->cell_columns;
        pixels = size > pixels ? size : pixels;
        profile->cell_count = cells > profile->cell_count ? cells : profile->cell_count;
    }
    profile->pixels = qmt_alloc(pixels, 1);
    profile->cells = qmt_alloc(profile->cell_count, sizeof *profile->cells);
    profile->values = qmt_alloc(values, sizeof *profile->values);
    if (!profile->pixels || !profile->cells || !profile->values)
        return qmt_fail_memory(error, pixels, "random pixels");
    for (size_t i = 0; i < pixels; i++)
        profile->pixels[i] = (uint8_t)qmt_random_next(&random);
    return QMTCNN_OK;
}

static void clear(struct profile *profile)
{
    qmt_free(profile->tiles);
    qmt_free(profile->values);
    qmt_free(profile->cells);
    qmt_free(profile->pixels);
    qmt_workspace_free(profile->workspace);
    for (int net = 0; net < qmt_net_count; net++) {
        for (int p = 0; p < precisions; p++)
            qmt_network_free(profile->networks[p][net]);
        qmt_model_free(profile->models[net]);
    }
}

qmtcnn_status qmt_bench_profile(const qmt_bench_request *request, qmtcnn_error *error)
{
    static const double peak_seconds = 0.2;
    struct profile profile = {.request = request};
    qmtcnn_status status = prepare(&profile, error);
    if (status != QMTCNN_OK)
        goto done;
    profile.peak[fp32] = qmt_measure_peak(NULL, peak_seconds);
    profile.peak[int8] = qmt_measure_int8_peak(NULL, peak_seconds, &profile.instructions);
    for (int net = 0; net < qmt_net_count; net++)
        name_rows(&profile, (qmt_net_id)net);
    /* Turn about, so that a machine that slows down slows both. */
    for (int net = 0; net < qmt_net_count; net++)
        for (int p = 0; p < precisions && status == QMTCNN_OK; p++)
            if (profile.has[p])
                status = time_net(&profile, p, (qmt_net_id)net, error);
    for (int p = 0; p < precisions && status == QMTCNN_OK; p++)
        if (profile.has[p])
            status = time_stages(&profile, p, error);
    if (status == QMTCNN_OK)
        status = time_convert(&profile, error);
    if (status != QMTCNN_OK)
        goto done;
    count_stages(&profile);
    if (request->json)
        status = print_json(&profile, error);
    else
        print_text(&profile);
done:
    clear(&profile);
    return status;
}
