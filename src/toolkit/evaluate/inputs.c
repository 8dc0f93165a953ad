#include "toolkit/evaluate/inputs.h"

#include <math.h>

enum { crops_per_picture = 8, max_level_side = 640 };

struct feeder {
    const qmtcnn_options *options;
    qmt_finder *finders[2]; /* stop after P-Net, after R-Net */
    qmt_resizer resizer;
    uint8_t *pixels;
    size_t pixels_capacity;
    qmt_input_sink sink;
    void *state;
    size_t *inputs;
};

static qmtcnn_status cut(struct feeder *feeder, const qmt_image *image, double x, double y, double width, double height,
                         int out_width, int out_height, qmtcnn_error *error)
{
    const qmt_pixels source = qmt_image_pixels(image);
    size_t size = 3 * (size_t)out_width * (size_t)out_height;
    qmtcnn_status status = qmt_grow((void **)&feeder->pixels, &feeder->pixels_capacity, 0, size, 1, error);
    if (status == QMTCNN_OK)
        status = qmt_resize(&feeder->resizer, &source, x, y, width, height, feeder->pixels, out_width, out_height,
                            3 * (ptrdiff_t)out_width, error);
    return status;
}

static qmtcnn_status give(struct feeder *feeder, qmt_net_id net, int height, int width, qmtcnn_error *error)
{
    qmtcnn_status status = feeder->sink(feeder->state, net, feeder->pixels, height, width, error);
    feeder->inputs[net] += status == QMTCNN_OK;
    return status;
}

/* One level of the pyramid: another one for each picture, so that all scales are seen. */
static qmtcnn_status feed_level(struct feeder *feeder, const qmt_image *image, int number, qmtcnn_error *error)
{
    double scales[qmt_max_levels];
    int levels = qmt_pyramid_scales(image->width, image->height, feeder->options, scales);
    if (levels <= 0)
        return QMTCNN_OK;
    double scale = scales[number % levels];
    int width = (int)fmin(max_level_side, ceil(image->width * scale));
    int height = (int)fmin(max_level_side, ceil(image->height * scale));
    if (width < qmt_net_side(QMT_PNET) || height < qmt_net_side(QMT_PNET))
        return QMTCNN_OK;
    qmtcnn_status status = cut(feeder, image, 0, 0, fmin(image->width, width / scale),
                               fmin(image->height, height / scale), width, height, error);
    return status == QMTCNN_OK ? give(feeder, QMT_PNET, height, width, error) : status;
}

/* Proposals of the network before `net`, spread over their scores. */
static qmtcnn_status feed_crops(struct feeder *feeder, const qmt_image *image, qmt_finder *finder, qmt_net_id net,
                                qmtcnn_error *error)
{
    const qmt_detection *boxes = NULL;
    size_t count = 0;
    double milliseconds;
    int side = qmt_net_side(net);
    qmtcnn_status status = qmt_finder_run(finder, image, feeder->options, &boxes, &count, &milliseconds, error);
    size_t crops = count < crops_per_picture ? count : crops_per_picture;
    for (size_t i = 0; status == QMTCNN_OK && i < crops; i++) {
        const qmt_detection *box = &boxes[i * count / crops];
        status = cut(feeder, image, box->x, box->y, box->width, box->height, side, side, error);
        if (status == QMTCNN_OK)
            status = give(feeder, net, side, side, error);
    }
    return status;
}

static qmtcnn_status feed_pictures(struct feeder *feeder, const qmt_dataset *dataset, int pictures, qmtcnn_error *error)
{
    size_t count = dataset->picture_count < (size_t)pictures ? dataset->picture_count : (size_t)pictures;
    qmtcnn_status status = QMTCNN_OK;
    for (size_t i = 0; status == QMTCNN_OK && i < count; i++) {
        qmt_image image = {0};
        const qmt_picture *picture = &dataset->pictures[i * dataset->picture_count / count];
        if (qmt_image_read(picture->path, QMT_AS_STORED, &image, NULL) != QMTCNN_OK)
            continue; /* reported when the detector met it */
        status = feed_level(feeder, &image, (int)i, error);
        for (int k = 0; status == QMTCNN_OK && k < 2; k++)
            status = feed_crops(feeder, &image, feeder->finders[k], (qmt_net_id)(QMT_RNET + k), error);
        qmt_image_clear(&image);
    }
    return status;
}

qmtcnn_status qmt_feed_inputs(const qmt_dataset *dataset, const qmt_detector *detector, const qmtcnn_options *options,
                              int pictures, qmt_input_sink sink, void *state, size_t inputs[qmt_net_count],
                              qmtcnn_error *error)
{
    struct feeder feeder = {.options = options, .sink = sink, .state = state, .inputs = inputs};
    qmtcnn_status status = QMTCNN_OK;
    for (int net = 0; net < qmt_net_count; net++)
        inputs[net] = 0;
    for (int k = 0; status == QMTCNN_OK && k < 2; k++)
        status = qmt_finder_create_until(detector, (qmt_net_id)(QMT_PNET + k), &feeder.finders[k], error);
    if (status == QMTCNN_OK)
        status = feed_pictures(&feeder, dataset, pictures, error);
    for (int k = 0; k < 2; k++)
        qmt_finder_free(feeder.finders[k]);
    qmt_resizer_clear(&feeder.resizer);
    qmt_free(feeder.pixels);
    return status;
}
