#include "toolkit/train/showcase.h"

#include "runtime/detect/cascade.h"
#include "runtime/model/onnx.h"
#include "toolkit/base/file.h"
#include "toolkit/data/dataset.h"
#include "toolkit/log/progress.h"

#include <stdio.h>
#include <string.h>

enum { picture_count = 4, shown_side = 640 };

struct shown_picture {
    qmt_image image;
    qmt_label *labels;
    size_t label_count;
};

struct qmt_showcase {
    qmt_net_id net;
    qmt_cascade_options options;
    qmt_network *before[qmt_net_count];
    struct shown_picture pictures[picture_count];
    int count;
};

/* ---- Opening --------------------------------------------------------------------------------- */

static bool has_face(const qmt_dataset *dataset, size_t picture)
{
    const qmt_picture *one = &dataset->pictures[picture];
    for (size_t i = 0; i < one->label_count; i++)
        if (!dataset->labels[one->first_label + i].ignore)
            return true;
    return false;
}

static qmtcnn_status add_picture(qmt_showcase *showcase, const qmt_dataset *dataset, size_t number, qmtcnn_error *error)
{
    const qmt_picture *from = &dataset->pictures[number];
    struct shown_picture *to = &showcase->pictures[showcase->count++];
    to->labels = qmt_alloc(from->label_count, sizeof *to->labels);
    if (!to->labels)
        return qmt_fail_memory(error, from->label_count * sizeof *to->labels, "labels");
    to->label_count = from->label_count;
    memcpy(to->labels, dataset->labels + from->first_label, from->label_count * sizeof *to->labels);
    return qmt_image_read(from->path, QMT_AS_STORED, &to->image, error);
}

static qmtcnn_status pick_pictures(qmt_showcase *showcase, const qmt_data_config *data, const char *folder,
                                   qmtcnn_error *error)
{
    qmt_dataset *dataset = NULL;
    qmtcnn_status status = qmt_dataset_open_as(data, folder, "val", &dataset, error);
    if (status != QMTCNN_OK)
        status = qmt_dataset_open_as(data, folder, "train", &dataset, error);
    if (status != QMTCNN_OK)
        return status;
    size_t next = 0;
    for (size_t i = 0; status == QMTCNN_OK && i < picture_count; i++) {
        size_t start = i * dataset->picture_count / picture_count;
        next = next > start ? next : start;
        while (next < dataset->picture_count && !has_face(dataset, next))
            next++;
        if (next < dataset->picture_count)
            status = add_picture(showcase, dataset, next++, error);
    }
    qmt_dataset_free(dataset);
    return status;
}

static qmtcnn_status load_before(qmt_showcase *showcase, const char *models, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    for (int net = 0; status == QMTCNN_OK && net < (int)showcase->net; net++) {
        qmt_model *model = NULL;
        char *path = qmt_format("%s/%s.onnx", models ? models : ".", qmt_net_name((qmt_net_id)net));
        status = path ? qmt_onnx_read_file(path, &model, error) : qmt_fail_memory(error, qmt_path_size, "a path");
        if (status == QMTCNN_OK && (int)model->net != net)
            status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s is not a %s", path, qmt_net_name((qmt_net_id)net));
        if (status == QMTCNN_OK)
            status = qmt_network_create(model, QMTCNN_PRECISION_AUTO, NULL, &showcase->before[net], error);
        qmt_model_free(model);
        qmt_free(path);
    }
    return status;
}

static void set_options(const qmt_detect_config *detect, qmt_net_id net, qmt_cascade_options *options)
{
    qmtcnn_options_default(NULL, &options->detect);
    options->detect.min_face = detect->min_face;
    options->detect.max_face = detect->max_face;
    options->detect.scale_factor = detect->scale_factor;
    options->detect.max_proposals = detect->max_proposals;
    options->detect.threads = 1;
    memcpy(options->detect.thresholds, detect->thresholds, sizeof options->detect.thresholds);
    memcpy(options->detect.nms, detect->nms, sizeof options->detect.nms);
    options->last = net;
}

void qmt_showcase_open(const qmt_config *config, const char *folder, const char *models, qmt_net_id net,
                       qmt_showcase **result)
{
    qmtcnn_error error = {0};
    *result = NULL;
    qmt_showcase *showcase = qmt_alloc_zero(1, sizeof *showcase);
    qmtcnn_status status = showcase ? QMTCNN_OK : qmt_fail_memory(&error, sizeof *showcase, "pictures to show");
    if (status == QMTCNN_OK) {
        showcase->net = net;
        set_options(&config->detect, net, &showcase->options);
        status = load_before(showcase, models, &error);
    }
    if (status == QMTCNN_OK)
        status = pick_pictures(showcase, &config->data, folder, &error);
    if (status == QMTCNN_OK) {
        *result = showcase;
        return;
    }
    qmt_log_warning("TensorBoard gets no pictures with detections: %s", error.message);
    qmt_showcase_close(showcase);
}

void qmt_showcase_close(qmt_showcase *showcase)
{
    if (!showcase)
        return;
    for (int i = 0; i < showcase->count; i++) {
        qmt_image_clear(&showcase->pictures[i].image);
        qmt_free(showcase->pictures[i].labels);
    }
    for (int i = 0; i < qmt_net_count; i++)
        qmt_network_free(showcase->before[i]);
    qmt_free(showcase);
}

/* ---- Drawing --------------------------------------------------------------------------------- */

static void draw_box(qmt_image *image, double scale, qmt_box box, int thickness, qmt_color color)
{
    qmt_draw_box(image, (float)(scale * (double)box.x1), (float)(scale * (double)box.y1),
                 (float)(scale * (double)(box.x2 - box.x1)), (float)(scale * (double)(box.y2 - box.y1)), thickness,
                 color);
}

static void draw_found(qmt_image *image, double scale, const qmt_candidate *found, bool landmarks)
{
    const qmt_color green = {40, 220, 60};
    char text[16];
    draw_box(image, scale, found->box, 1, green);
    for (int i = 0; landmarks && i < 5; i++)
        qmt_draw_dot(image, (float)(scale * (double)found->landmarks[i][0]),
                     (float)(scale * (double)found->landmarks[i][1]), 1.5f, green);
    snprintf(text, sizeof text, "%.2f", (double)found->score);
    qmt_draw_text(image, (int)(scale * (double)found->box.x1) + 2, (int)(scale * (double)found->box.y1) + 2, 1, text,
                  green);
}

static qmtcnn_status show(const qmt_showcase *showcase, qmt_events *events, int64_t step, int number, bool int8,
                          const qmt_candidate *found, size_t count, qmtcnn_error *error)
{
    const qmt_color white = {255, 255, 255}, gray = {150, 150, 150};
    const struct shown_picture *picture = &showcase->pictures[number];
    qmt_image image = {0};
    double scale;
    char tag[32], text[96];
    qmtcnn_status status = qmt_image_shrink(&picture->image, shown_side, &image, &scale, error);
    if (status != QMTCNN_OK)
        return status;
    for (size_t i = 0; i < picture->label_count; i++)
        draw_box(&image, scale, picture->labels[i].box, 1, picture->labels[i].ignore ? gray : white);
    for (size_t i = count; i-- > 0;) /* the best on top */
        draw_found(&image, scale, &found[i], showcase->net == QMT_ONET);
    snprintf(text, sizeof text, "up to %s (%s): %zu boxes over %.2f", qmt_net_name(showcase->net),
             int8 ? "int8" : "fp32", count, (double)showcase->options.detect.thresholds[showcase->net]);
    qmt_draw_text(&image, 4, image.height - 12, 1, text, white);
    snprintf(tag, sizeof tag, "detections/%d", number + 1);
    status = qmt_events_image(events, step, tag, &image, error);
    qmt_image_clear(&image);
    return status;
}

qmtcnn_status qmt_showcase_write(qmt_showcase *showcase, qmt_events *events, int64_t step, const qmt_model *model,
                                 qmtcnn_error *error)
{
    qmt_backend backend = {0};
    qmt_cascade *cascade = NULL;
    qmt_network *newest = NULL;
    if (!showcase)
        return QMTCNN_OK;
    const qmt_network *networks[qmt_net_count] = {showcase->before[0], showcase->before[1], showcase->before[2]};
    qmtcnn_status status = qmt_network_create(model, QMTCNN_PRECISION_AUTO, NULL, &newest, error);
    if (status != QMTCNN_OK)
        return status;
    networks[showcase->net] = newest;
    status = qmt_backend_create(networks, 1, &backend, error);
    if (status == QMTCNN_OK)
        status = qmt_cascade_create(&backend, NULL, &cascade, error);
    for (int i = 0; status == QMTCNN_OK && i < showcase->count; i++) {
        const qmt_candidate *found = NULL;
        size_t count = 0;
        const qmt_pixels pixels = qmt_image_pixels(&showcase->pictures[i].image);
        status = qmt_cascade_run(cascade, &pixels, &showcase->options, &found, &count, NULL, error);
        if (status == QMTCNN_OK)
            status = show(showcase, events, step, i, qmt_network_is_int8(newest), found, count, error);
    }
    qmt_cascade_free(cascade);
    qmt_backend_free(&backend);
    qmt_network_free(newest);
    return status;
}
