/* `qmtcnn bench detect --profile`: where the time and the bytes go, by stage and by layer, float against INT8. */
#include "cli/bench_profile.h"

#include "runtime/base/clock.h"
#include "runtime/detect/cascade.h"
#include "runtime/detect/view.h"
#include "runtime/model/onnx.h"
#include "toolkit/base/file.h"
#include "toolkit/base/random.h"
#include "toolkit/train/peak.h"

#include <stdlib.h>
#include <string.h>

enum { least_runs = 5, batch = 32 /* crops at a time */ };

struct profile {
    const qmt_bench_request *request;
    qmt_profile_result result;
    qmt_model *models[qmt_net_count];
    qmt_network *networks[qmt_profile_precisions][qmt_net_count]; /* NULL: not in INT8 */
    qmt_workspace *workspace;
    uint8_t *pixels; /* noise, as many as the largest input */
    qmt_face_cell *cells;
    size_t cell_count;
    float *values;
    qmt_tile *tiles;
    size_t tiles_size, tile_count;
};

/* Keeps the shorter time of several runs, milliseconds: what disturbs a run makes it longer. 0: none yet. */
static void keep_fastest(double *ms, double now)
{
    if (*ms == 0 || now < *ms)
        *ms = now;
}

/* ---- Networks, layer by layer -------------------------------------------------------------------------- */

static int crops_of(const struct profile *profile, qmt_net_id net)
{
    return net == QMT_RNET ? profile->request->rnet_crops : profile->request->onet_crops;
}

/* One run over all that a net gets. */
static qmtcnn_status run_net(struct profile *profile, const qmt_network *network, qmt_net_id net, qmtcnn_error *error)
{
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

/* The fastest of many runs, step by step. */
static qmtcnn_status time_net(struct profile *profile, int precision, qmt_net_id net, qmtcnn_error *error)
{
    const qmt_network *network = profile->networks[precision][net];
    qmt_profile_net *rows = &profile->result.nets[net];
    qmtcnn_status status = run_net(profile, network, net, error);
    const double start = qmt_seconds();
    for (int runs = 0;
         status == QMTCNN_OK && (runs < least_runs || qmt_seconds() - start < (double)profile->request->seconds);
         runs++) {
        qmt_step_times steps = {0};
        qmt_workspace_time(profile->workspace, &steps);
        status = run_net(profile, network, net, error);
        qmt_workspace_time(profile->workspace, NULL);
        keep_fastest(&rows->rows[0].cost[precision].ms, 1e3 * steps.pixels);
        for (int i = 1; i < rows->count - 1; i++)
            keep_fastest(&rows->rows[i].cost[precision].ms, 1e3 * steps.layers[i - 1]);
        keep_fastest(&rows->rows[rows->count - 1].cost[precision].ms, 1e3 * steps.heads);
    }
    return status;
}

static bool runs_int8(const qmt_layer *layer, int precision)
{
    return precision == qmt_profile_int8 && layer->weight_int8;
}

/* Adds the products and bytes (input and output once, and the weights with the first picture) of a network on a
 * picture. */
static void add_costs(const struct profile *profile, qmt_net_id net, int height, int width, bool first,
                      qmt_profile_net *rows)
{
    const qmt_model *model = profile->models[net];
    const double picture = 3.0 * height * width;
    for (int p = 0; p < qmt_profile_precisions; p++)
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
        const double sums =
            (double)(height - layer->kernel_height + 1) * (width - layer->kernel_width + 1) * layer->out_channels;
        qmt_profile_row *row = &rows->rows[head ? rows->count - 1 : i + 1];
        for (int p = 0; p < qmt_profile_precisions; p++) {
            const double in = runs_int8(layer, p) ? 1 : 4, out = next && runs_int8(next, p) ? 1 : 4;
            /* The heads read their input together. */
            const double read = head && i > model->layer_count ? 0 : in * height * width * layer->in_channels;
            row->cost[p].macs += sums * (double)qmt_layer_taps(layer);
            row->cost[p].bytes += read + (first ? in * layer->out_channels * (double)qmt_layer_taps(layer) : 0) +
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
    qmt_profile_net *rows = &profile->result.nets[net];
    rows->count = model->layer_count + 2;
    rows->crops = net == QMT_PNET ? 0 : crops_of(profile, net);
    rows->rows[0].name = "normalize";
    for (int i = 0; i < model->layer_count; i++)
        rows->rows[i + 1].name = model->layers[i].name;
    rows->rows[rows->count - 1].name = "heads";
    for (size_t i = 0; net == QMT_PNET && i < profile->tile_count; i++)
        add_costs(profile, net, profile->tiles[i].height, profile->tiles[i].level_width, i == 0, rows);
    for (int i = 0; net != QMT_PNET && i < crops_of(profile, net); i++)
        add_costs(profile, net, qmt_net_side(net), qmt_net_side(net), i == 0, rows);
}

/* ---- Stages of the whole picture ------------------------------------------------------------------------- */

/* The fastest times of the cascade's stages, as it reports them itself. */
static qmtcnn_status time_stages(struct profile *profile, int precision, qmtcnn_error *error)
{
    const qmt_bench_request *request = profile->request;
    qmtcnn_model *model = NULL;
    qmtcnn_context *context = NULL;
    qmtcnn_options options;
    const qmtcnn_image view = {.pixels = request->picture,
                               .width = request->width,
                               .height = request->height,
                               .stride = 3 * (ptrdiff_t)request->width,
                               .format = QMTCNN_RGB};
    qmtcnn_status status = qmtcnn_model_open(
        request->models, precision == qmt_profile_int8 ? QMTCNN_PRECISION_INT8 : QMTCNN_PRECISION_FP32, &model, error);
    if (status == QMTCNN_OK) {
        qmtcnn_options_default(model, &options); /* as a program uses these models; one thread */
        options.min_face = request->options->min_face;
        status = qmtcnn_context_create(model, &options, &context, error);
    }
    const double start = qmt_seconds();
    qmtcnn_timing timing = {0};
    for (int runs = -1; status == QMTCNN_OK && /* the first takes memory and isn't counted */
                        (runs < least_runs || qmt_seconds() - start < (double)request->seconds);
         runs++) {
        const qmtcnn_face *faces;
        size_t count;
        status = qmtcnn_detect(context, &view, &faces, &count, error);
        qmtcnn_context_timing(context, &timing);
        const double parts[qmt_profile_stages] = {0,
                                                  timing.resize_ms,
                                                  timing.pnet_ms,
                                                  timing.crop_ms,
                                                  timing.rnet_ms,
                                                  timing.onet_ms,
                                                  timing.nms_ms,
                                                  timing.total_ms};
        for (int s = QMT_STAGE_RESIZE; s < qmt_profile_stages && runs >= 0; s++)
            keep_fastest(&profile->result.stages[s].cost[precision].ms, parts[s]);
    }
    profile->result.levels = timing.levels;
    profile->result.proposals = timing.proposals;
    profile->result.refined = timing.refined;
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
    double fastest = 0;
    qmtcnn_status status = QMTCNN_OK;
    for (int runs = 0; status == QMTCNN_OK && runs < 20; runs++) {
        qmt_pixels pixels;
        const double start = qmt_seconds();
        status = qmt_view_pixels(&view, NULL, &buffer, &pixels, error);
        keep_fastest(&fastest, 1e3 * (qmt_seconds() - start));
    }
    for (int p = 0; p < qmt_profile_precisions; p++)
        profile->result.stages[QMT_STAGE_CONVERT].cost[p].ms = fastest;
    qmt_free(buffer.memory);
    return status;
}

/* Bytes that a stage can't do without: pixels read and written once each; what the networks' steps move. */
static void count_stages(struct profile *profile)
{
    static const char *const names[qmt_profile_stages] = {"convert", "resize", "P-Net", "crops",
                                                          "R-Net",   "O-Net",  "NMS",   "picture"};
    const double picture = 3.0 * profile->request->width * profile->request->height;
    double levels = 0;
    for (size_t i = 0; i < profile->tile_count; i++)
        levels += 3.0 * profile->tiles[i].level_width * profile->tiles[i].height;
    for (int s = 0; s < qmt_profile_stages; s++)
        profile->result.stages[s].name = names[s];
    for (int p = 0; p < qmt_profile_precisions; p++) {
        double bytes[qmt_profile_stages] = {[QMT_STAGE_CONVERT] = 2 * picture, [QMT_STAGE_RESIZE] = picture + levels};
        bytes[QMT_STAGE_CROPS] =
            2.0 * 3 * (24.0 * 24 * profile->result.proposals + 48.0 * 48 * profile->result.refined);
        for (int i = 0; i < profile->result.nets[QMT_PNET].count; i++)
            bytes[QMT_STAGE_PNET] += profile->result.nets[QMT_PNET].rows[i].cost[p].bytes;
        const struct {
            qmt_net_id net;
            qmt_profile_stage stage;
            int crops;
        } others[] = {{QMT_RNET, QMT_STAGE_RNET, profile->result.proposals},
                      {QMT_ONET, QMT_STAGE_ONET, profile->result.refined}};
        for (int k = 0; k < 2; k++) {
            const int measured = crops_of(profile, others[k].net);
            for (int i = 0; i < profile->result.nets[others[k].net].count && measured > 0; i++)
                bytes[others[k].stage] +=
                    profile->result.nets[others[k].net].rows[i].cost[p].bytes * others[k].crops / measured;
        }
        bytes[QMT_STAGE_NMS] = (double)sizeof(qmt_candidate) * (profile->result.proposals + profile->result.refined);
        for (int s = 0; s < QMT_STAGE_TOTAL; s++) {
            profile->result.stages[s].cost[p].bytes = bytes[s];
            if (s != QMT_STAGE_CONVERT)
                profile->result.stages[QMT_STAGE_TOTAL].cost[p].bytes += bytes[s];
        }
    }
}

/* ---- All together ------------------------------------------------------------------------------------------ */

static qmtcnn_status load_net(struct profile *profile, qmt_net_id net, qmtcnn_error *error)
{
    char *path = qmt_format("%s/%s.onnx", profile->request->models, qmt_net_name(net));
    if (!path)
        return qmt_fail_memory(error, strlen(profile->request->models), "a path");
    qmtcnn_status status = qmt_onnx_read_file(path, &profile->models[net], error);
    qmt_free(path);
    for (int p = 0; p < qmt_profile_precisions && status == QMTCNN_OK; p++) {
        status = qmt_network_create(profile->models[net],
                                    p == qmt_profile_int8 ? QMTCNN_PRECISION_INT8 : QMTCNN_PRECISION_FP32, NULL,
                                    &profile->networks[p][net], error);
        if (p == qmt_profile_int8 && status == QMTCNN_ERROR_UNSUPPORTED)
            status = QMTCNN_OK;
        profile->result.has[p] = (net == QMT_PNET || profile->result.has[p]) && profile->networks[p][net];
    }
    return status;
}

static qmtcnn_status prepare(struct profile *profile, qmtcnn_error *error)
{
    enum { values = batch * (1 + 4 + 10) };
    const qmt_bench_request *request = profile->request;
    qmt_backend backend = {0};
    qmt_random random = qmt_random_stream(1, 0, 0);
    size_t pixels = batch * 3 * 48 * 48;
    qmtcnn_status status = QMTCNN_OK;
    for (int net = 0; net < qmt_net_count && status == QMTCNN_OK; net++)
        status = load_net(profile, (qmt_net_id)net, error);
    if (status == QMTCNN_OK)
        status = qmt_workspace_create(&profile->workspace, error);
    if (status == QMTCNN_OK)
        status =
            qmt_backend_create((const qmt_network *const *)profile->networks[qmt_profile_fp32], 1, &backend, error);
    if (status == QMTCNN_OK)
        status = qmt_pyramid_tiles(&backend, request->width, request->height, request->options, 1, &profile->tiles,
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
        for (int p = 0; p < qmt_profile_precisions; p++)
            qmt_network_free(profile->networks[p][net]);
        qmt_model_free(profile->models[net]);
    }
}

qmtcnn_status qmt_bench_profile(const qmt_bench_request *request, qmtcnn_error *error)
{
    static const double peak_seconds = 0.2;
    struct profile profile = {.request = request, .result = {.width = request->width, .height = request->height}};
    qmtcnn_status status = prepare(&profile, error);
    if (status != QMTCNN_OK)
        goto done;
    profile.result.peak[qmt_profile_fp32] = qmt_measure_peak(NULL, peak_seconds);
    profile.result.peak[qmt_profile_int8] = qmt_measure_int8_peak(NULL, peak_seconds, &profile.result.instructions);
    for (int net = 0; net < qmt_net_count; net++)
        name_rows(&profile, (qmt_net_id)net);
    /* Turn about, so that a machine that slows down slows both. */
    for (int net = 0; net < qmt_net_count; net++)
        for (int p = 0; p < qmt_profile_precisions && status == QMTCNN_OK; p++)
            if (profile.result.has[p])
                status = time_net(&profile, p, (qmt_net_id)net, error);
    for (int p = 0; p < qmt_profile_precisions && status == QMTCNN_OK; p++)
        if (profile.result.has[p])
            status = time_stages(&profile, p, error);
    if (status == QMTCNN_OK)
        status = time_convert(&profile, error);
    if (status != QMTCNN_OK)
        goto done;
    count_stages(&profile);
    status = qmt_profile_print(&profile.result, request->json, error);
done:
    clear(&profile);
    return status;
}
