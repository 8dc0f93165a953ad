#include "toolkit/train/monitor.h"

#include <math.h>
#include <stdio.h>

enum { grid_columns = 8, grid_rows = 6, tile = 96, tile_gap = 2 };

typedef struct named_value {
    const char *name;
    double value;
} named_value;

/* Scalars "PREFIX/NAME" of those values that are numbers. */
static qmtcnn_status add_scalars(qmt_events *events, int64_t step, const char *prefix, const named_value *values,
                                 size_t count, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    for (size_t i = 0; status == QMTCNN_OK && i < count; i++) {
        char tag[128];
        snprintf(tag, sizeof tag, "%s/%s", prefix, values[i].name);
        if (!isnan(values[i].value))
            status = qmt_events_scalar(events, step, tag, (float)values[i].value, error);
    }
    return status;
}

qmtcnn_status qmt_monitor_step(qmt_events *events, int64_t step, const qmt_step_figures *figures, qmtcnn_error *error)
{
    const named_value losses[] = {{"total", figures->losses->total},
                                  {"class", figures->losses->classes},
                                  {"box", figures->losses->box},
                                  {"landmark", figures->losses->landmarks}};
    const named_value train[] = {{"learning_rate", figures->learning_rate}, {"gradient_norm", figures->gradient_norm}};
    const named_value speed[] = {{"samples_per_second", figures->samples_per_second},
                                 {"loader_wait_ms", 1000 * figures->loader_wait}};
    qmtcnn_status status = add_scalars(events, step, "loss", losses, sizeof losses / sizeof *losses, error);
    if (status == QMTCNN_OK)
        status = add_scalars(events, step, "train", train, sizeof train / sizeof *train, error);
    if (status == QMTCNN_OK)
        status = add_scalars(events, step, "speed", speed, sizeof speed / sizeof *speed, error);
    return status;
}

qmtcnn_status qmt_monitor_quantization(qmt_events *events, int64_t step, const qmt_net *net, const qmt_pass *pass,
                                       qmtcnn_error *error)
{
    qmt_layer_quant_stats stats[qmt_net_max_layers];
    int count = qmt_net_quant_stats(net, pass, stats);
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; status == QMTCNN_OK && i < count; i++) {
        char prefix[64];
        const named_value values[] = {{"input_range", (double)stats[i].input_range},
                                      {"input_saturation", (double)stats[i].input_saturation},
                                      {"weight_range", (double)stats[i].weight_range},
                                      {"dead_channels", (double)stats[i].dead_channels}};
        snprintf(prefix, sizeof prefix, "quant/%s", stats[i].name);
        status = add_scalars(events, step, prefix, values, sizeof values / sizeof *values, error);
    }
    return status;
}

qmtcnn_status qmt_monitor_weights(qmt_events *events, int64_t step, qmt_net *net, qmtcnn_error *error)
{
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(net, &count);
    qmtcnn_status status = QMTCNN_OK;
    for (int i = 0; status == QMTCNN_OK && i < count; i++) {
        char tag[128];
        snprintf(tag, sizeof tag, "weights/%s", parameters[i].name);
        status = qmt_events_histogram(events, step, tag, parameters[i].value, parameters[i].count, error);
    }
    return status;
}

qmtcnn_status qmt_monitor_validation(qmt_events *events, int64_t step, const char *kind, const qmt_figures *figures,
                                     qmtcnn_error *error)
{
    const named_value values[] = {{"score", figures->score},
                                  {"accuracy_negative", figures->accuracy[0]},
                                  {"accuracy_positive", figures->accuracy[1]},
                                  {"face_share_part", figures->face_share[0]},
                                  {"face_share_landmark", figures->face_share[1]},
                                  {"average_precision", figures->average_precision},
                                  {"recall_at_90", figures->recall_at_90},
                                  {"recall_at_97", figures->recall_at_97},
                                  {"box_iou", figures->box_iou},
                                  {"part_iou", figures->part_iou},
                                  {"landmark_error", figures->landmark_error}};
    char prefix[64];
    snprintf(prefix, sizeof prefix, "validation/%s", kind);
    return add_scalars(events, step, prefix, values, sizeof values / sizeof *values, error);
}

/* A sample, as normalized floats, becomes a tile of whole pixels. */
static void paint_sample(qmt_image *image, int left, int top, const float *input, int lane, int side)
{
    int zoom = tile / side;
    for (int y = 0; y < side * zoom; y++)
        for (int x = 0; x < side * zoom; x++)
            for (int channel = 0; channel < 3; channel++) {
                int at = (channel * side + y / zoom) * side + x / zoom;
                float value = input[at * qmt_lanes + lane] * 128 + 127.5f;
                image->data[3 * ((size_t)(top + y) * (size_t)image->width + (size_t)(left + x)) + (size_t)channel] =
                    (uint8_t)(value < 0     ? 0
                              : value > 255 ? 255
                                            : value);
            }
}

/* Draws within the tile only: a wild prediction must not cross its neighbors. */
static float inside(float offset)
{
    return !(offset > 0) ? 0 : offset > 1 ? tile - 1 : offset * (tile - 1);
}

static void paint_box(qmt_image *image, int left, int top, const float box[4], qmt_color color)
{
    float x1 = inside(box[0]), y1 = inside(box[1]), x2 = inside(1 + box[2]), y2 = inside(1 + box[3]);
    if (x2 > x1 && y2 > y1)
        qmt_draw_box(image, (float)left + x1, (float)top + y1, x2 - x1, y2 - y1, 1, color);
}

static void paint_points(qmt_image *image, int left, int top, const float points[10], qmt_color color)
{
    for (int i = 0; i < 5; i++)
        qmt_draw_dot(image, (float)left + inside(points[2 * i]), (float)top + inside(points[2 * i + 1]), 1.5f, color);
}

static void paint_labels(qmt_image *image, int left, int top, const qmt_label *label, const float *output, int lane)
{
    const qmt_color truth = {255, 255, 255}, found = {40, 220, 60}, missed = {230, 60, 60};
    float heads[qmt_head_channels];
    for (int i = 0; i < qmt_head_channels; i++)
        heads[i] = output[i * qmt_lanes + lane];
    double score = 1 / (1 + exp((double)heads[0] - (double)heads[1]));
    if (label->sample_class == QMT_POSITIVE || label->sample_class == QMT_PART) {
        paint_box(image, left, top, label->box, truth);
        paint_box(image, left, top, heads + 2, found);
    }
    if (label->sample_class == QMT_LANDMARK) {
        paint_points(image, left, top, label->landmarks, truth);
        paint_points(image, left, top, heads + 6, found);
    }
    char text[16];
    snprintf(text, sizeof text, "%.2f", score);
    bool right = (label->sample_class != QMT_NEGATIVE) == (score >= 0.5);
    qmt_draw_text(image, left + 2, top + tile - 10, 1, text, right ? found : missed);
}

qmtcnn_status qmt_monitor_samples(qmt_events *events, int64_t step, const qmt_batch *batch, const qmt_pass *pass,
                                  int groups, int side, qmtcnn_error *error)
{
    qmt_image image = {0};
    size_t group_floats = 3 * (size_t)side * (size_t)side * qmt_lanes;
    qmtcnn_status status =
        qmt_image_create(grid_columns * (tile + tile_gap), grid_rows * (tile + tile_gap), &image, error);
    if (status != QMTCNN_OK)
        return status;
    /* Evenly spread over the batch, whose classes lie one after the other. */
    for (int i = 0; i < grid_columns * grid_rows; i++) {
        int at = i * groups * qmt_lanes / (grid_columns * grid_rows), group = at / qmt_lanes, lane = at % qmt_lanes;
        int left = i % grid_columns * (tile + tile_gap), top = i / grid_columns * (tile + tile_gap);
        paint_sample(&image, left, top, batch->input + (size_t)group * group_floats, lane, side);
        paint_labels(&image, left, top, &batch->labels[at], qmt_pass_output(pass, group), lane);
    }
    status = qmt_events_image(events, step, "samples", &image, error);
    qmt_image_clear(&image);
    return status;
}
