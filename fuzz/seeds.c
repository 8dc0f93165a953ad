/* Writes first inputs for the fuzz targets: fuzz_seeds FOLDER makes FOLDER/TARGET/NAME, about 100 KB in all. They are
 * small and made here, so that the repository holds no binary files. */
#include "runtime/model/onnx.h"
#include "toolkit/base/file.h"
#include "toolkit/data/store_manifest.h"
#include "toolkit/data/store_rows.h"
#include "toolkit/image/image.h"
#include "toolkit/net/net.h"

#include <matio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Seeds come from sound data: any failure is the program's end. */
static void need(qmtcnn_status status, const qmtcnn_error *error)
{
    if (status == QMTCNN_OK)
        return;
    fprintf(stderr, "fuzz_seeds: %s\n", error->message);
    exit(1);
}

static char *path_of(const char *out, const char *name)
{
    char *path = qmt_path_join(out, name);
    if (!path)
        exit(1);
    return path;
}

static void put(const char *out, const char *name, const void *data, size_t size)
{
    qmtcnn_error error;
    char *path = path_of(out, name);
    need(qmt_file_write(path, data, size, &error), &error);
    qmt_free(path);
}

static void put_text(const char *out, const char *name, const char *text)
{
    put(out, name, text, strlen(text));
}

/* ---- Texts ----------------------------------------------------------------------------------- */

static void put_texts(const char *out)
{
    static const char *const texts[][2] = {
        {"wider/faces", "0--Parade/a.jpg\n2\n10 20 30 40 0 0 0 0 0 0\n-5 0 9 9 2 1 1 1 2 1\n"},
        {"wider/none", "0--Parade/a.jpg\n0\n0 0 0 0 0 0 0 0 0 0\r\n1--B/c d.jpg\n1\n1.5 2 3e1 4\n"},
        {"landmarks/own", "a/1.jpg 10 20 100 100 35 50 75 50 55 70 40 90 70 90\n"},
        {"landmarks/lfw", "a\\1.jpg 10 110 20 120 35 50 75 50 55 70 40 90 70 90\n"},
        {"landmarks/celeba", "1\nlefteye_x lefteye_y\n000001.jpg 35 50 75 50 55 70 40 90 70 90\n"},
        {"config/settings", "run: {workdir: \"a b\", seed: 7}\ntrain:\n  epochs: 3\n  ratio: [3, 1, 1, 2]\n  pnet:\n"
                            "    batch: 64 # small\nexport:\n  profile: caffe\n"},
        {"config/quotes", "data: {landmarks: ['a', \"b\\n\"], dir: >\n  x\n  y\n  }\n"},
        {"profile/names", "input: data\nface: [a, b, c]\nbox: box\nlandmarks: points\nlandmark_order: planar\n"},
        {"submission/boxes", "0--Parade/file.jpg\n2\n10 20 30 40 0.99\n1.5 2.5 3e1 4 -0.5\n"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        put_text(out, texts[i][0], texts[i][1]);
}

/* ---- Pictures -------------------------------------------------------------------------------- */

/* "Exif", a TIFF header, and one directory with an orientation. */
static const uint8_t exif[] = {'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                               1,   18,  0,   3,   0, 0, 0,   1,   0, 6,  0, 0, 0, 0, 0, 0};

static void put_pictures(const char *out)
{
    enum { width = 17, height = 11, before = 2, mark = 4 };
    qmtcnn_error error;
    qmt_image image;
    void *jpeg, *png;
    size_t jpeg_size, png_size;
    need(qmt_image_create(width, height, &image, &error), &error);
    for (int i = 0; i < width * height * 3; i++)
        image.data[i] = (uint8_t)(i * 37);
    need(qmt_image_encode_jpeg(&image, 80, &jpeg, &jpeg_size, &error), &error);
    need(qmt_image_encode_png(&image, &png, &png_size, &error), &error);
    put(out, "image/jpeg", jpeg, jpeg_size);
    put(out, "image/png", png, png_size);
    put(out, "exif/turned", exif, sizeof exif);
    /* The same JPEG with an APP1 segment behind its first marker. */
    uint8_t *turned = qmt_alloc(jpeg_size + mark + sizeof exif, 1);
    if (!turned)
        exit(1);
    const uint8_t head[mark] = {0xff, 0xe1, 0, (uint8_t)(2 + sizeof exif)};
    memcpy(turned, jpeg, before);
    memcpy(turned + before, head, mark);
    memcpy(turned + before + mark, exif, sizeof exif);
    memcpy(turned + before + mark + sizeof exif, (const uint8_t *)jpeg + before, jpeg_size - before);
    put(out, "image/turned", turned, jpeg_size + mark + sizeof exif);
    qmt_free(turned);
    qmt_free(jpeg);
    qmt_free(png);
    qmt_image_clear(&image);
}

/* ---- Networks -------------------------------------------------------------------------------- */

static void init_layer(qmt_layer *layer, const char *name, int in, int out, int kernel, qmt_activation activation)
{
    qmtcnn_error error;
    need(qmt_layer_init(layer, name, in, out, kernel, kernel, activation, &error), &error);
    for (size_t i = 0; i < (size_t)out * qmt_layer_taps(layer); i++)
        layer->weight[i] = 0.01f * (float)((i * 7) % 21) - 0.1f;
    for (int c = 0; activation == QMT_ACTIVATION_PRELU && c < out; c++)
        layer->slope[c] = 0.25f;
}

static void put_network(const char *out, const char *name, bool int8, qmt_activation activation)
{
    static const int channels[] = {2, 4, 10};
    static const char *const heads[] = {"face", "box", "landmarks"};
    const qmt_onnx_options options = {0};
    qmtcnn_error error;
    qmt_model *model;
    void *data;
    size_t size;
    char path[64];
    need(qmt_model_create(QMT_PNET, 3, &model, &error), &error);
    init_layer(&model->layers[0], "conv1", 3, 2, 3, activation);
    model->layers[0].pool_kernel = model->layers[0].pool_stride = 2;
    init_layer(&model->layers[1], "conv2", 2, 3, 3, activation);
    init_layer(&model->layers[2], "conv3", 3, 4, 3, activation);
    for (int head = 0; head < qmt_head_count; head++)
        init_layer(&model->heads[head], heads[head], 4, channels[head], 1, QMT_ACTIVATION_NONE);
    for (int i = 0; int8 && i < 3; i++)
        need(qmt_layer_quantize(&model->layers[i], i == 0 ? qmt_input_scale() : 0.02f, NULL, &error), &error);
    for (int head = 0; int8 && head < qmt_head_count; head++)
        need(qmt_layer_quantize(&model->heads[head], 0.03f, NULL, &error), &error);
    need(qmt_model_set_metadata(model, "thresholds", "0.6,0.7,0.7", &error), &error);
    need(qmt_onnx_write(model, &options, &data, &size, &error), &error);
    snprintf(path, sizeof path, "onnx/%s", name);
    put(out, path, data, size);
    snprintf(path, sizeof path, "lint/%s", name);
    put(out, path, data, size);
    qmt_free(data);
    qmt_model_free(model);
}

/* ---- Samples and checkpoints ----------------------------------------------------------------- */

static void put_checkpoint(const char *out)
{
    qmtcnn_error error;
    qmt_net *net;
    qmt_tensors_writer *writer;
    const qmt_net_table table = qmt_net_table_for(QMT_PNET, QMT_ACTIVATION_RELU, true);
    char *path = path_of(out, "safetensors/checkpoint");
    need(qmt_net_create(&table, 1, &net, &error), &error);
    need(qmt_tensors_writer_create(&writer, &error), &error);
    need(qmt_net_save(net, writer, &error), &error);
    need(qmt_tensors_write(writer, path, &error), &error);
    qmt_tensors_writer_free(writer);
    qmt_net_free(net);
    qmt_free(path);
}

static void put_store(const char *out)
{
    enum { side = 12, samples = 4 };
    static const uint8_t pixels[3 * side * side];
    static const char key[] = "0123456789abcdef";
    qmtcnn_error error;
    qmt_sample_block block;
    qmt_shard_info shard;
    char *path = path_of(out, "safetensors/shard"), *folder = path_of(out, "manifest");
    char *from = path_of(folder, "manifest.json"), *to = path_of(folder, "store");
    need(qmt_sample_block_create(side, samples, &block, &error), &error);
    for (int i = 0; i < samples; i++) {
        const qmt_sample sample = {.pixels = pixels, .sample_class = (qmt_sample_class)i, .iou = 0.5f};
        qmt_sample_block_add(&block, &sample);
    }
    need(qmt_sample_block_write(&block, path, key, &error), &error);
    need(qmt_shard_measure(path, &shard, &error), &error);
    shard.samples = samples;
    qmt_manifest manifest = {.net = QMT_PNET, .side = side, .counts = {1, 1, 1, 1}, .shards = &shard, .shard_count = 1};
    snprintf(manifest.key, sizeof manifest.key, "%s", key);
    const qmt_manifest_facts facts = {.config = "", .data_set = "seed", .split = "train"};
    need(qmt_folder_make(folder, &error), &error);
    need(qmt_manifest_write(folder, &manifest, &facts, &error), &error);
    rename(from, to);
    qmt_sample_block_clear(&block);
    qmt_free(to);
    qmt_free(from);
    qmt_free(folder);
    qmt_free(path);
}

/* ---- MATLAB ---------------------------------------------------------------------------------- */

static matvar_t *cell_of(const char *name, matvar_t *entry)
{
    size_t one[2] = {1, 1};
    matvar_t *cell = Mat_VarCreate(name, MAT_C_CELL, MAT_T_CELL, 2, one, NULL, 0);
    Mat_VarSetCell(cell, 0, entry);
    return cell;
}

static matvar_t *text_of(const char *text)
{
    char copy[32]; /* the library copies it again, but asks for memory that may change */
    size_t dims[2] = {1, (size_t)snprintf(copy, sizeof copy, "%s", text)};
    return Mat_VarCreate(NULL, MAT_C_CHAR, MAT_T_UINT8, 2, dims, copy, 0);
}

static matvar_t *numbers_of(double *numbers, size_t rows, size_t columns)
{
    size_t dims[2] = {rows, columns};
    return Mat_VarCreate(NULL, MAT_C_DOUBLE, MAT_T_DOUBLE, 2, dims, numbers, 0);
}

/* One event with one picture with two faces, as annotations and as ground truth. */
static void put_mat(const char *out, const char *name, enum matio_compression compression)
{
    double boxes[] = {10, 50, 20, 60, 30, 30, 40, 40}, listed[] = {1, 2};
    qmtcnn_error error;
    char *folder = path_of(out, "mat"), *path = path_of(folder, name);
    need(qmt_folder_make(folder, &error), &error);
    mat_t *file = Mat_CreateVer(path, NULL, MAT_FT_MAT5);
    if (!file)
        exit(1);
    matvar_t *variables[] = {
        cell_of("event_list", text_of("0--Parade")),
        cell_of("file_list", cell_of(NULL, text_of("a"))),
        cell_of("face_bbx_list", cell_of(NULL, numbers_of(boxes, 2, 4))),
        cell_of("gt_list", cell_of(NULL, numbers_of(listed, 2, 1))),
        cell_of("invalid_label_list", cell_of(NULL, numbers_of(listed, 2, 1))),
    };
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        Mat_VarWrite(file, variables[i], compression);
        Mat_VarFree(variables[i]);
    }
    Mat_Close(file);
    qmt_free(path);
    qmt_free(folder);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
        return 2;
    }
    put_texts(argv[1]);
    put_pictures(argv[1]);
    put_network(argv[1], "fp32", false, QMT_ACTIVATION_PRELU);
    put_network(argv[1], "int8", true, QMT_ACTIVATION_RELU);
    put_checkpoint(argv[1]);
    put_store(argv[1]);
    put_mat(argv[1], "plain", MAT_COMPRESSION_NONE);
    put_mat(argv[1], "compressed", MAT_COMPRESSION_ZLIB);
    return 0;
}
