/* Mining with a network that is made by hand: it takes red for a face. */
#include "data/scenes.h"
#include "runtime/model/onnx.h"
#include "toolkit/data/mine.h"
#include "toolkit/data/prepare.h"

#include <jansson.h>
#include <math.h>

enum { channels = 8, wide = 320, high = 240 };

/* A layer whose output channel 0 is the mean over the kernel of input channel 0 less that of channel 1, over 2. */
static void set_mean_layer(qmt_layer *layer, const char *name, int in, int kernel, bool first, int pool)
{
    qmtcnn_error error;
    assert_ok(qmt_layer_init(layer, name, in, channels, kernel, kernel, QMT_ACTIVATION_RELU, &error), &error);
    for (int i = 0; i < kernel * kernel; i++) {
        layer->weight[i] = 1.0f / (float)(kernel * kernel);
        if (first) /* red is +1, gray 0: (r - g) / 2 of values in [-1, 1] */
            layer->weight[i] /= 2;
        if (first)
            layer->weight[kernel * kernel + i] = -0.5f / (float)(kernel * kernel);
    }
    layer->pool_kernel = pool;
    layer->pool_stride = pool;
}

/* The face logit is 20 (red - 0.5), the box stays where it is. */
static void set_heads(qmt_model *model)
{
    qmtcnn_error error;
    assert_ok(qmt_layer_init(&model->heads[QMT_HEAD_FACE], "face", channels, 2, 1, 1, QMT_ACTIVATION_NONE, &error),
              &error);
    assert_ok(qmt_layer_init(&model->heads[QMT_HEAD_BOX], "box", channels, 4, 1, 1, QMT_ACTIVATION_NONE, &error),
              &error);
    model->heads[QMT_HEAD_FACE].weight[channels] = 20;
    model->heads[QMT_HEAD_FACE].bias[1] = -10;
}

static void write_model(qmt_model *model, const char *folder, const char *name)
{
    qmtcnn_error error;
    qmt_onnx_options options = {0};
    void *data;
    size_t size;
    char *path = qmt_path_join(folder, name);
    assert_ok(qmt_onnx_write(model, &options, &data, &size, &error), &error);
    assert_ok(qmt_file_write(path, data, size, &error), &error);
    qmt_free(data);
    qmt_free(path);
    qmt_model_free(model);
}

static void set_names(qmt_model *model)
{
    qmt_free(model->input_name);
    qmt_free(model->output_names[0]);
    qmt_free(model->output_names[1]);
    model->input_name = qmt_copy_string("input");
    model->output_names[0] = qmt_copy_string("face");
    model->output_names[1] = qmt_copy_string("box");
}

static void write_pnet(const char *folder)
{
    qmtcnn_error error;
    qmt_model *model;
    assert_ok(qmt_model_create(QMT_PNET, 3, &model, &error), &error);
    set_mean_layer(&model->layers[0], "conv1", 3, 3, true, 2);
    set_mean_layer(&model->layers[1], "conv2", channels, 3, false, 0);
    set_mean_layer(&model->layers[2], "conv3", channels, 3, false, 0);
    set_heads(model);
    set_names(model);
    write_model(model, folder, "pnet.onnx");
}

/* 24 -> 22 -> 11 -> 9 -> 1. */
static void write_rnet(const char *folder)
{
    qmtcnn_error error;
    qmt_model *model;
    assert_ok(qmt_model_create(QMT_RNET, 3, &model, &error), &error);
    model->input_height = model->input_width = 24;
    set_mean_layer(&model->layers[0], "conv1", 3, 3, true, 2);
    set_mean_layer(&model->layers[1], "conv2", channels, 3, false, 0);
    set_mean_layer(&model->layers[2], "fc", channels, 9, false, 0);
    set_heads(model);
    set_names(model);
    write_model(model, folder, "rnet.onnx");
}

static void paint(qmt_image *image, qmt_box box, qmt_color color)
{
    for (int y = (int)box.y1; y < (int)box.y2; y++) {
        for (int x = (int)box.x1; x < (int)box.x2; x++) {
            image->data[3 * (y * wide + x)] = color.r;
            image->data[3 * (y * wide + x) + 1] = color.g;
            image->data[3 * (y * wide + x) + 2] = color.b;
        }
    }
}

/* Gray, with a red face, a gray one that the network can't see, a red thing that is no face, and a red ignored one. */
static void make_scene(const char *folder, scene_set *set)
{
    const qmt_color red = {255, 0, 0}, gray = {127, 127, 127};
    qmtcnn_error error;
    qmt_image image;
    scene_set_make(folder, 2, set);
    assert_ok(qmt_image_create(wide, high, &image, &error), &error);
    paint(&image, (qmt_box){0, 0, wide, high}, gray);
    for (size_t i = 0; i < 2; i++) {
        qmt_label *labels = set->labels + 3 * i;
        labels[0] = scene_face(30, 40, 64, 64);
        labels[1] = scene_face(150, 20, 50, 50);
        labels[2] = scene_face(230, 150, 60, 60);
        labels[2].ignore = true;
        paint(&image, labels[0].box, red);
        paint(&image, labels[2].box, red);
        paint(&image, (qmt_box){40, 150, 100, 210}, red);
        assert_ok(qmt_image_write(&image, set->pictures[i].path, &error), &error);
    }
    qmt_image_clear(&image);
}

static void test_recall_by_hand(void **state)
{
    qmt_label labels[4] = {scene_face(0, 0, 40, 40), scene_face(100, 100, 30, 30), scene_face(200, 0, 19, 30),
                           scene_face(0, 100, 50, 50)};
    qmt_candidate candidates[3];
    qmt_mining_recall recall = {10, 5};
    (void)state;
    labels[3].ignore = true;
    memset(candidates, 0, sizeof candidates);
    candidates[0].box = (qmt_box){0, 0, 40, 20.5f};    /* IoU 0.51 */
    candidates[1].box = (qmt_box){115, 100, 145, 130}; /* IoU 1/3 */
    candidates[2].box = (qmt_box){200, 0, 219, 30};    /* a face too small to count */
    qmt_scene scene = {.labels = labels, .label_count = 4};
    qmt_count_recall(&scene, 20, candidates, 3, &recall);
    assert_int_equal(recall.faces, 12);
    assert_int_equal(recall.found, 6);
    qmt_count_recall(&scene, 10, candidates, 3, &recall);
    assert_int_equal(recall.faces, 15);
    assert_int_equal(recall.found, 8);
}

/* How red a sample is, 0 to 1. */
static double redness(const qmt_sample *sample, int side)
{
    double sum = 0;
    for (int i = 0; i < side * side; i++)
        sum += (sample->pixels[3 * i] - sample->pixels[3 * i + 1]) / 255.0;
    return sum / (side * side);
}

static double read_recall(const qmt_store *store, const char *network)
{
    json_t *root = json_loads(qmt_store_manifest(store), 0, NULL);
    const json_t *mining = json_object_get(root, "mining");
    assert_non_null(mining);
    assert_string_equal(json_string_value(json_object_get(mining, "network")), network);
    assert_int_equal(json_integer_value(json_object_get(mining, "faces")), 4);
    assert_int_equal(json_integer_value(json_object_get(mining, "faces_found")), 2);
    double recall = json_real_value(json_object_get(mining, "recall"));
    json_decref(root);
    return recall;
}

/* With no random negatives all negatives are mined: the red thing, and boxes half on red faces, never the ignored one.
 */
static void mine(qmt_net_id net, const char *folder, const scene_set *set, const char *out, int threads)
{
    static qmt_config config;
    qmtcnn_error error;
    qmt_store *store;
    int side = qmt_net_side(net);
    qmt_config_default(&config);
    config.prepare[net].negatives_per_picture = 0;
    config.prepare[net].negatives_per_face = 0;
    config.prepare[net].tries_per_face = 0;
    config.prepare[net].mine = true;
    qmt_prepare_options options = {.net = net, .out = out, .models = folder, .threads = threads, .seed = 1};
    assert_ok(qmt_prepare(&set->dataset, &config, &options, NULL, &error), &error);
    assert_ok(qmt_store_open(out, &store, &error), &error);
    assert_true(fabs(read_recall(store, net == QMT_RNET ? "pnet" : "rnet") - 0.5) < 1e-9);
    size_t negatives = qmt_store_count(store, QMT_NEGATIVE);
    assert_true(negatives >= 2 && negatives <= 60);
    assert_true(qmt_store_count(store, QMT_POSITIVE) + qmt_store_count(store, QMT_PART) >= 2);
    assert_int_equal(qmt_store_count(store, QMT_LANDMARK), 0);
    for (int k = 0; k < qmt_class_count; k++) {
        for (size_t i = 0; i < qmt_store_count(store, (qmt_sample_class)k); i++) {
            qmt_sample sample;
            qmt_store_get(store, (qmt_sample_class)k, i, &sample);
            assert_true(redness(&sample, side) > 0.2); /* what the network passes is red */
            if (k == QMT_POSITIVE || k == QMT_PART)
                assert_true(sample.iou >= 0.4f && fabsf(sample.box[0]) < 1.2f);
        }
    }
    qmt_store_close(store);
}

static void test_mining(void **state)
{
    qmtcnn_error error;
    scene_set set;
    uint64_t hashes[3];
    char *folder = test_make_folder();
    (void)state;
    make_scene(folder, &set);
    write_pnet(folder);
    write_rnet(folder);
    for (int i = 0; i < 3; i++) {
        char *out = qmt_format("%s/out%d", folder, i), *shard = qmt_format("%s/shard-00000.safetensors", out);
        mine(i < 2 ? QMT_RNET : QMT_ONET, folder, &set, out, i + 1);
        assert_ok(qmt_file_hash(shard, &hashes[i], &error), &error);
        qmt_free(shard);
        qmt_free(out);
    }
    assert_true(hashes[0] == hashes[1]);
    scene_set_free(&set);
    test_remove_folder(folder);
}

static void test_wrong_models(void **state)
{
    static qmt_config config;
    qmtcnn_error error;
    qmt_miner *miner;
    char *folder = test_make_folder();
    (void)state;
    qmt_config_default(&config);
    write_pnet(folder);
    assert_int_equal(qmt_miner_open(folder, QMT_ONET, &config, 1, &miner, &error), QMTCNN_ERROR_IO);
    assert_non_null(strstr(error.message, "rnet.onnx"));
    assert_null(miner);
    /* An FP32 network can't mine in INT8. */
    snprintf(config.prepare[QMT_RNET].mine_precision, sizeof config.prepare[QMT_RNET].mine_precision, "int8");
    assert_true(qmt_miner_open(folder, QMT_RNET, &config, 1, &miner, &error) != QMTCNN_OK);
    assert_non_null(strstr(error.message, "pnet.onnx"));
    /* P-Net's file under R-Net's name. */
    char *from = qmt_path_join(folder, "pnet.onnx"), *to = qmt_path_join(folder, "rnet.onnx");
    void *data;
    size_t size;
    assert_ok(qmt_file_read(from, 1 << 24, &data, &size, &error), &error);
    assert_ok(qmt_file_write(to, data, size, &error), &error);
    assert_int_equal(qmt_miner_open(folder, QMT_ONET, &config, 1, &miner, &error), QMTCNN_ERROR_FORMAT);
    qmt_free(data);
    qmt_free(to);
    qmt_free(from);
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recall_by_hand),
        cmocka_unit_test(test_mining),
        cmocka_unit_test(test_wrong_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
