/* The detector over a data set, and FP32 against INT8, on small random networks. */
#include "common/test.h"
#include "runtime/models.h"

#include "runtime/model/onnx.h"
#include "toolkit/base/file.h"
#include "toolkit/base/random.h"
#include "toolkit/evaluate/compare.h"
#include "toolkit/evaluate/stage.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { picture_count = 6, few_proposals = 20 };

/* FOLDER/{pnet,rnet,onet}.onnx, whose scores lie on both sides of the thresholds. */
static void write_models(const char *folder, bool int8)
{
    for (int net = 0; net < qmt_net_count; net++) {
        void *data;
        size_t size;
        qmtcnn_error error;
        const qmt_onnx_options options = {0};
        qmt_model *model = test_make_model((qmt_net_id)net, false, QMT_ACTIVATION_RELU, 77 + (uint64_t)net);
        qmt_layer *face = &model->heads[QMT_HEAD_FACE];
        for (size_t i = 0; i < 2 * (size_t)face->in_channels; i++)
            face->weight[i] *= 0.1F; /* probabilities near one half */
        for (int i = 0; i < 4; i++)
            model->heads[QMT_HEAD_BOX].bias[i] = 0;
        for (int i = 0; int8 && i < model->layer_count; i++)
            assert_ok(qmt_layer_quantize(&model->layers[i], i ? 6.0F / 127 : qmt_input_scale(), NULL, &error), &error);
        for (int i = 0; int8 && i < qmt_head_count; i++)
            assert_ok(qmt_layer_quantize(&model->heads[i], 6.0F / 127, NULL, &error), &error);
        assert_ok(qmt_onnx_write(model, &options, &data, &size, &error), &error);
        char *path = qmt_format("%s/%s.onnx", folder, qmt_net_name((qmt_net_id)net));
        assert_ok(qmt_file_write(path, data, size, &error), &error);
        qmt_free(path);
        qmt_free(data);
        qmt_model_free(model);
    }
}

/* A data set in WIDER FACE's layout: blocks of random colors, with two labels each; the last picture is damaged. */
static void write_pictures(const char *folder)
{
    qmt_random random = qmt_random_stream(9, 0, 0);
    qmt_writer *writer;
    qmtcnn_error error;
    char *path = qmt_format("%s/wider_face_split/wider_face_val_bbx_gt.txt", folder);
    assert_ok(qmt_writer_open(path, &writer, &error), &error);
    for (int i = 0; i < picture_count; i++) {
        qmt_image image;
        char *file = qmt_format("%s/WIDER_val/images/event/p%d.png", folder, i);
        assert_ok(qmt_image_create(90 + 8 * i, 80, &image, &error), &error);
        for (int y = 0; y < image.height; y += 10)
            for (int x = 0; x < image.width; x += 10) {
                uint64_t bits = qmt_random_next(&random);
                for (int k = 0; k < 100; k++)
                    if (x + k % 10 < image.width && y + k / 10 < image.height)
                        for (int c = 0; c < 3; c++)
                            image.data[3 * ((y + k / 10) * image.width + x + k % 10) + c] = (uint8_t)(bits >> 8 * c);
            }
        assert_ok(qmt_image_write(&image, file, &error), &error);
        if (i == picture_count - 1)
            assert_ok(qmt_file_write(file, "\x89PNG\r\n\x1a\nno more", 15, &error), &error);
        assert_ok(
            qmt_writer_print(writer, &error, "event/p%d.png\n2\n5 5 30 30 0 0 0 0 0 0\n50 40 25 28 0 0 0 0 0 0\n", i),
            &error);
        qmt_image_clear(&image);
        qmt_free(file);
    }
    assert_ok(qmt_writer_commit(writer, &error), &error);
    qmt_free(path);
}

struct world {
    char *folder, *fp32, *int8;
    qmt_dataset *dataset;
    qmt_config config;
};

static int set_up(void **state)
{
    static struct world world;
    const qmt_dataset_options options = {0};
    qmtcnn_error error;
    world.folder = test_make_folder();
    world.fp32 = qmt_path_join(world.folder, "fp32");
    world.int8 = qmt_path_join(world.folder, "int8");
    write_models(world.fp32, false);
    write_models(world.int8, true);
    write_pictures(world.folder);
    qmt_config_default(&world.config);
    for (int i = 0; i < 3; i++)
        world.config.evaluate.thresholds[i] = 0.45F;
    world.config.detect.thresholds[QMT_ONET] = 0.5F;
    world.config.evaluate.bootstrap = 50;
    assert_ok(qmt_dataset_open(world.folder, "val", &options, &world.dataset, &error), &error);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    qmt_dataset_free(world->dataset);
    qmt_free(world->int8);
    qmt_free(world->fp32);
    test_remove_folder(world->folder);
    return 0;
}

static void run_detector(const struct world *world, qmt_net_id last, int threads, qmt_detections **detections)
{
    const qmtcnn_options options = qmt_evaluate_options(&world->config);
    qmt_network_source sources[qmt_net_count];
    qmt_detector *detector;
    qmtcnn_error error;
    qmt_sources_all(sources, world->int8, QMTCNN_PRECISION_INT8);
    assert_ok(qmt_detector_open(sources, last, &detector, &error), &error);
    assert_string_equal(qmt_detector_precision(detector), "int8");
    assert_ok(qmt_detector_run(detector, world->dataset, &options, threads, "test", detections, &error), &error);
    qmt_detector_close(detector);
}

static size_t count_boxes(const qmt_detections *detections)
{
    size_t count = 0;
    for (size_t i = 0; i < detections->count; i++)
        count += detections->pictures[i].count;
    return count;
}

/* The same boxes for any number of threads, and the damaged picture kept, without boxes. */
static void threads_change_nothing(void **state)
{
    const struct world *world = *state;
    for (int last = QMT_PNET; last <= QMT_ONET; last++) {
        qmt_detections *one, *three;
        run_detector(world, (qmt_net_id)last, 1, &one);
        run_detector(world, (qmt_net_id)last, 3, &three);
        assert_int_equal(one->count, picture_count);
        assert_true(count_boxes(one) > 0);
        for (size_t i = 0; i < one->count; i++) {
            assert_string_equal(one->pictures[i].name, three->pictures[i].name);
            assert_int_equal(one->pictures[i].count, three->pictures[i].count);
            for (size_t k = 0; k < one->pictures[i].count; k++) {
                const qmt_detection *a = &one->pictures[i].boxes[k], *b = &three->pictures[i].boxes[k];
                assert_true(a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height);
                assert_true(a->score == b->score && a->has_landmarks == (last == QMT_ONET));
            }
        }
        assert_true(one->pictures[picture_count - 1].unreadable);
        assert_int_equal(one->pictures[picture_count - 1].count, 0);
        qmt_detections_free(three);
        qmt_detections_free(one);
    }
}

/* The public API finds what the evaluation evaluates. */
static void same_as_the_api(void **state)
{
    const struct world *world = *state;
    const qmtcnn_options wanted = qmt_evaluate_options(&world->config);
    qmt_network_source sources[qmt_net_count];
    qmt_detector *detector;
    qmtcnn_model *model;
    qmtcnn_context *context;
    qmt_detections *detections;
    qmtcnn_error error;
    run_detector(world, QMT_ONET, 2, &detections);
    qmt_sources_all(sources, world->int8, QMTCNN_PRECISION_INT8);
    assert_ok(qmt_detector_open(sources, QMT_ONET, &detector, &error), &error);
    const qmtcnn_options options = qmt_detector_options(detector, &wanted);
    qmt_detector_close(detector);
    assert_ok(qmtcnn_model_open(world->int8, QMTCNN_PRECISION_INT8, &model, &error), &error);
    assert_ok(qmtcnn_context_create(model, &options, &context, &error), &error);
    for (size_t i = 0; i + 1 < world->dataset->picture_count; i++) {
        const qmtcnn_face *faces;
        size_t count;
        qmt_image image;
        assert_ok(qmt_image_read(world->dataset->pictures[i].path, QMT_AS_STORED, &image, &error), &error);
        const qmtcnn_image view = {image.data, image.width, image.height, 3 * image.width, QMTCNN_RGB, NULL, 0};
        assert_ok(qmtcnn_detect(context, &view, &faces, &count, &error), &error);
        assert_int_equal(count, detections->pictures[i].count);
        for (size_t k = 0; k < count; k++) {
            const qmt_detection *box = &detections->pictures[i].boxes[k];
            assert_true(box->x == (double)faces[k].x && box->y == (double)faces[k].y);
            assert_float_equal(box->width, faces[k].width, 1e-4); /* the API's are FP32 */
            assert_float_equal(box->height, faces[k].height, 1e-4);
            assert_true(box->score == (double)faces[k].score);
            assert_memory_equal(box->landmarks, faces[k].landmarks, sizeof box->landmarks);
        }
        qmt_image_clear(&image);
    }
    qmtcnn_context_free(context);
    qmtcnn_model_close(model);
    qmt_detections_free(detections);
}

static const qmt_layer_difference *find_layer(const qmt_layer_differences *layers, qmt_net_id net, int order)
{
    for (size_t i = 0; i < layers->count; i++)
        if (layers->layers[i].net == net && layers->layers[i].order == order)
            return &layers->layers[i];
    return NULL;
}

static void whole_comparison(void **state)
{
    struct world *world = *state;
    qmt_comparison *comparison;
    qmtcnn_error error;
    const qmt_compare_options options = {
        .fp32 = world->fp32, .int8 = world->int8, .ptq = world->int8, .stages = true, .min_retention = 0, .threads = 2};
    assert_ok(qmt_compare(world->dataset, &world->config, &options, &comparison, &error), &error);
    assert_string_equal(comparison->fp32.precision, "fp32");
    assert_string_equal(comparison->int8.precision, "int8");
    assert_int_equal(comparison->int8.pictures, picture_count);
    assert_int_equal(comparison->int8.faces, 2 * picture_count);
    assert_int_equal(comparison->int8.unreadable, 1);
    assert_true(comparison->ptq.ap == comparison->int8.ap);
    assert_true(comparison->mixes.ap[0] == comparison->fp32.ap && comparison->mixes.ap[7] == comparison->int8.ap);
    assert_true(comparison->ptq_mixes.ap[3] == comparison->mixes.ap[3]);
    assert_true(comparison->cost.network_bytes[1] < comparison->cost.network_bytes[0]);
    assert_int_equal(comparison->cost.pictures, picture_count - 1);

    /* INT8 and FP32 hold the same weights here, so both references are one; the first layer, fed the same pixels, is
     * close; later ones are worse than it, but not noise. */
    const qmt_layer_differences *layers = &comparison->layers;
    assert_int_equal(layers->count, 3 + 4 + 5 + 3 * qmt_head_count);
    for (size_t i = 0; i < layers->count; i++) {
        const qmt_layer_difference *layer = &layers->layers[i];
        assert_true(layer->sqnr > 5 && layer->cosine > 0.8);
        assert_float_equal(layer->sqnr, layer->sqnr_fp32, 0.01); /* the file keeps FP32 weights */
        assert_true(i == 0 || layer->sqnr >= layers->layers[i - 1].sqnr);
        assert_true(layer->dead <= layer->channels);
    }
    const qmt_layer_difference *first = find_layer(layers, QMT_PNET, 0);
    assert_true(first && first->sqnr > 20 && first->int8 && first->saturation >= 0);

    json_t *json = qmt_comparison_json(comparison);
    assert_int_equal(json_array_size(json_object_get(json, "layers")), layers->count);
    assert_true(json_is_number(json_object_get(json_object_get(json, "int8"), "ap")));
    assert_true(json_is_null(json_object_get(json_object_get(json, "int8"), "ap_easy")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(json, "int8"), "precision")), "int8");
    json_decref(json);
    char *text = qmt_comparison_text(comparison);
    assert_non_null(strstr(text, "P8 R32 O8"));
    qmt_free(text);
    qmt_comparison_free(comparison);
}

/* A layer whose outputs are all 0 in INT8 is told as dead; one that saturates, as saturated. */
static void dead_and_saturated(void **state)
{
    struct world *world = *state;
    char *folder = qmt_path_join(world->folder, "bad");
    char *path = qmt_format("%s/pnet.onnx", folder);
    const qmtcnn_options detect = qmt_evaluate_options(&world->config);
    const qmt_onnx_options options = {0};
    qmt_layer_differences layers;
    qmt_model *model;
    qmtcnn_error error;
    void *data;
    size_t size;
    write_models(folder, true);
    assert_ok(qmt_onnx_read_file(path, &model, &error), &error);
    qmt_layer *layer = &model->layers[0];
    for (size_t i = 0; i < 2 * 27; i++)
        layer->weight[i] = 0;             /* the first two channels: bias alone ... */
    layer->bias[0] = layer->bias[1] = -1; /* ... which ReLU cuts off */
    assert_ok(qmt_layer_quantize(layer, qmt_input_scale(), NULL, &error), &error);
    assert_ok(qmt_layer_quantize(&model->layers[1], 0.01F / 127, NULL, &error), &error); /* far too small a range */
    assert_ok(qmt_onnx_write(model, &options, &data, &size, &error), &error);
    assert_ok(qmt_file_write(path, data, size, &error), &error);
    assert_ok(qmt_compare_layers(world->dataset, world->fp32, folder, &detect, 3, &layers, &error), &error);
    const qmt_layer_difference *first = find_layer(&layers, QMT_PNET, 0);
    assert_non_null(first);
    assert_true(first->dead >= 2 && first->dead_fp32 >= 2);
    assert_true(first->saturation > 0.3);
    assert_true(first->sqnr < 5);
    qmt_layer_differences_clear(&layers);
    qmt_free(data);
    qmt_model_free(model);
    qmt_free(path);
    qmt_free(folder);
}

/* ---- Sensitivity ----------------------------------------------------------------------------- */

static const char bad_name[] = "conv2";

/* Copies the INT8 networks into another folder, with a far too small range before R-Net's second layer, and with only
 * those layers quantized that `which` names: "rnet/conv2" and so on, or all ("*"), or all but one ("!rnet/conv2"). */
static void write_mixed(const struct world *world, const char *folder, const char *which, qmt_onnx_form form)
{
    qmtcnn_error error;
    for (int net = 0; net < qmt_net_count; net++) {
        const qmt_onnx_options options = {.form = form};
        char *from = qmt_format("%s/%s.onnx", world->int8, qmt_net_name((qmt_net_id)net));
        char *to = qmt_format("%s/%s.onnx", folder, qmt_net_name((qmt_net_id)net));
        qmt_model *model;
        void *data;
        size_t size;
        assert_ok(qmt_onnx_read_file(from, &model, &error), &error);
        for (int i = 0; i < model->layer_count + qmt_head_count; i++) {
            bool head = i >= model->layer_count;
            qmt_layer *layer = head ? &model->heads[i - model->layer_count] : &model->layers[i];
            char name[80];
            if (layer->out_channels == 0)
                continue;
            snprintf(name, sizeof name, "%s/%s", qmt_net_name((qmt_net_id)net), head ? "heads" : layer->name);
            if (net == QMT_RNET && strcmp(layer->name, bad_name) == 0)
                assert_ok(qmt_layer_quantize(layer, 0.02F / 127, NULL, &error), &error);
            if (which[0] == '!' ? strcmp(which + 1, name) == 0 : which[0] != '*' && strcmp(which, name) != 0)
                qmt_layer_dequantize(layer);
        }
        assert_ok(qmt_onnx_write(model, &options, &data, &size, &error), &error);
        assert_ok(qmt_file_write(to, data, size, &error), &error);
        qmt_free(data);
        qmt_model_free(model);
        qmt_free(to);
        qmt_free(from);
    }
}

static double ap_of(const struct world *world, const char *folder)
{
    qmt_evaluation *evaluation = qmt_alloc(1, sizeof *evaluation);
    qmtcnn_error error;
    assert_ok(
        qmt_evaluate_models(folder, QMTCNN_PRECISION_AUTO, world->dataset, &world->config, evaluation, NULL, &error),
        &error);
    double ap = evaluation->ap;
    qmt_free(evaluation);
    return ap;
}

static qmt_sensitivity *measure(const struct world *world, const char *fp32, const char *int8, int pictures,
                                int threads)
{
    qmt_sensitivity *sensitivity;
    qmtcnn_error error;
    assert_ok(
        qmt_sensitivity_measure(world->dataset, fp32, int8, &world->config, pictures, threads, &sensitivity, &error),
        &error);
    return sensitivity;
}

/* The layer that was spoiled is found, and the figures are those of files in which just these layers are quantized. */
static void sensitivity(void **state)
{
    struct world few = *(struct world *)*state, *world = &few;
    few.config.detect.max_proposals = few_proposals;
    char *spoiled = qmt_path_join(world->folder, "spoiled"), *mixed = qmt_path_join(world->folder, "mixed");
    write_mixed(world, spoiled, "*", QMT_ONNX_TENSORRT);
    qmt_sensitivity *one = measure(world, world->fp32, spoiled, 0, 1),
                    *three = measure(world, world->fp32, spoiled, 0, 3);
    assert_int_equal(one->count, 3 + 4 + 5 + qmt_net_count);
    assert_int_equal(one->pictures, picture_count);
    assert_int_equal(one->faces, 2 * picture_count);
    assert_true(one->ap_fp32 == ap_of(world, world->fp32) && one->ap_int8 == ap_of(world, spoiled));
    const qmt_layer_sensitivity *least = NULL;
    double macs[qmt_net_count] = {0};
    for (size_t i = 0; i < one->count; i++) {
        const qmt_layer_sensitivity *layer = &one->layers[i], *same = &three->layers[i];
        char name[96];
        assert_true(i == 0 || layer->alone.difference >= one->layers[i - 1].alone.difference);
        assert_string_equal(layer->name, same->name);
        assert_true(layer->ap_alone == same->ap_alone && layer->ap_kept == same->ap_kept && layer->sqnr == same->sqnr);
        assert_true(layer->alone.low == same->alone.low && layer->kept.high == same->kept.high);
        assert_true(layer->alone.low <= layer->alone.difference && layer->alone.difference <= layer->alone.high);
        assert_float_equal(layer->alone.difference, layer->ap_alone - one->ap_fp32, 1e-12);
        assert_false(layer->rounded_before);
        macs[layer->net] += layer->macs;
        least = !least || layer->sqnr < least->sqnr ? layer : least;
        if (layer->net != QMT_RNET || (strcmp(layer->name, bad_name) != 0 && strcmp(layer->name, "heads") != 0))
            continue;
        snprintf(name, sizeof name, "rnet/%s", layer->name);
        write_mixed(world, mixed, name, QMT_ONNX_TENSORRT);
        assert_true(layer->ap_alone == ap_of(world, mixed));
        snprintf(name, sizeof name, "!rnet/%s", layer->name);
        write_mixed(world, mixed, name, QMT_ONNX_TENSORRT);
        assert_true(layer->ap_kept == ap_of(world, mixed));
    }
    assert_true(least->net == QMT_RNET && strcmp(least->name, bad_name) == 0);
    assert_true(least->sqnr < 10 && least->sqnr_won > 3);
    for (int net = 0; net < qmt_net_count; net++)
        assert_float_equal(macs[net], 1, 1e-9);
    qmt_sensitivity_free(three);
    qmt_sensitivity_free(one);
    qmt_free(mixed);
    qmt_free(spoiled);
}

/* Files that hold integers: the FP32 folder lends the weights that were rounded, and where it holds none it is said
 * that only inputs are measured. Without rounding of its weights a first layer does less harm. */
static void sensitivity_of_integer_files(void **state)
{
    struct world few = *(struct world *)*state, *world = &few;
    few.config.detect.max_proposals = few_proposals;
    char *folder = qmt_path_join(world->folder, "integers");
    qmtcnn_error error;
    write_mixed(world, folder, "*", QMT_ONNX_ONNXRUNTIME);
    qmt_sensitivity *lent = measure(world, world->fp32, folder, 3, 2), *own = measure(world, folder, folder, 3, 2);
    assert_int_equal(lent->pictures, 3);
    assert_int_equal(lent->of_pictures, picture_count);
    for (size_t i = 0; i < lent->count; i++)
        for (size_t k = 0; k < own->count; k++) {
            const qmt_layer_sensitivity *a = &lent->layers[i], *b = &own->layers[k];
            assert_true(!a->rounded_before && b->rounded_before);
            if (a->net == b->net && strcmp(a->name, "conv1") == 0 && strcmp(b->name, "conv1") == 0)
                assert_true(b->sqnr > a->sqnr + 0.5); /* a picture is nearly on its grid */
        }
    qmt_sensitivity *none;
    assert_int_equal(qmt_sensitivity_measure(world->dataset, folder, world->fp32, &world->config, 3, 1, &none, &error),
                     QMTCNN_ERROR_UNSUPPORTED);
    assert_null(none);
    few.config.evaluate.bootstrap = 0;
    none = measure(world, world->fp32, folder, 1, 1);
    assert_int_equal(none->layers[0].alone.resamplings, 0);
    assert_false(qmt_difference_stands_out(&none->layers[0].alone));
    qmt_sensitivity_free(none);
    qmt_sensitivity_free(own);
    qmt_sensitivity_free(lent);
    qmt_free(folder);
}

/* What is said of losses inside and outside of the noise. */
static void advice_on_sensitivity(void **state)
{
    (void)state;
    qmt_layer_sensitivity layers[2] = {
        {.net = QMT_ONET, .name = "fc", .macs = 0.02, .time = 1.1, .alone = {-0.02, -0.03, -0.01, 1, 1, 1, 100}},
        {.net = QMT_PNET, .name = "conv1", .macs = 0.6, .time = 1.5, .alone = {0.001, -0.002, 0.004, 1, 1, 1, 100}}};
    layers[0].kept = (qmt_difference){0.015, 0.005, 0.025, 1, 1, 1, 100};
    layers[1].kept = (qmt_difference){-0.001, -0.005, 0.004, 1, 1, 1, 100};
    qmt_sensitivity all = {.layers = layers, .count = 2, .pictures = 50, .all = layers[0].alone};
    char *text = qmt_sensitivity_advice(&all);
    assert_non_null(strstr(text, "1 of 2 layers lose more than the noise of these 50 pictures"));
    assert_non_null(strstr(text, "quantize.keep_fp32: \"onet/fc\" wins back most, +0.0150 AP"));
    assert_non_null(strstr(text, "more than noise."));
    qmt_free(text);
    layers[0].alone.high = 0.001;
    layers[0].kept.low = -0.001;
    text = qmt_sensitivity_advice(&all);
    assert_non_null(strstr(text, "No layer's loss rises above the noise"));
    assert_non_null(strstr(text, "The largest is that of onet/fc, -0.0200 AP"));
    assert_non_null(strstr(text, "within the noise: no reason to use it"));
    qmt_free(text);
    json_t *json = qmt_sensitivity_json(&all);
    assert_string_equal(json_string_value(json_object_get(json, "keep_fp32")), "onet/fc");
    assert_int_equal(json_array_size(json_object_get(json, "layers")), 2);
    json_decref(json);
    layers[0].kept.difference = -0.001;
    text = qmt_sensitivity_advice(&all);
    assert_non_null(strstr(text, "leave quantize.keep_fp32 empty"));
    qmt_free(text);
}

static void stages(void **state)
{
    struct world *world = *state;
    const qmtcnn_options options = qmt_evaluate_options(&world->config);
    qmt_network_source sources[qmt_net_count];
    qmtcnn_error error;
    qmt_sources_all(sources, world->fp32, QMTCNN_PRECISION_AUTO);
    for (int net = 0; net < qmt_net_count; net++) {
        qmt_stage_result result;
        assert_ok(
            qmt_stage_evaluate(sources, (qmt_net_id)net, world->dataset, &world->config, &options, 2, &result, &error),
            &error);
        assert_int_equal(result.faces, 2 * picture_count);
        assert_true(result.points[0].proposals > 0);
        for (int t = 1; t < qmt_stage_thresholds; t++) {
            assert_true(result.points[t].proposals <= result.points[t - 1].proposals);
            assert_true(result.points[t].recall[0] <= result.points[t - 1].recall[0]);
            assert_true(result.points[t].recall[1] <= result.points[t].recall[0]);
        }
    }
}

static void wrong_folders(void **state)
{
    struct world *world = *state;
    qmt_network_source sources[qmt_net_count];
    qmt_detector *detector;
    qmtcnn_error error;
    qmt_sources_all(sources, world->folder, QMTCNN_PRECISION_AUTO);
    assert_int_equal(qmt_detector_open(sources, QMT_ONET, &detector, &error), QMTCNN_ERROR_IO);
    assert_null(detector);
    qmt_sources_all(sources, world->fp32, QMTCNN_PRECISION_INT8);
    assert_int_not_equal(qmt_detector_open(sources, QMT_ONET, &detector, &error), QMTCNN_OK);
    assert_non_null(strstr(error.message, "pnet.onnx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(same_as_the_api),
        cmocka_unit_test(whole_comparison),
        cmocka_unit_test(dead_and_saturated),
        cmocka_unit_test(stages),
        cmocka_unit_test(wrong_folders),
        cmocka_unit_test(sensitivity),
        cmocka_unit_test(sensitivity_of_integer_files),
        cmocka_unit_test(advice_on_sensitivity),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
