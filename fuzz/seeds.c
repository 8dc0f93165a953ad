/* Writes first inputs for the fuzz targets: fuzz_seeds FOLDER makes FOLDER/TARGET/NAME, under 200 KB in all. They are
 * small and made here, so that the repository holds no binary files. */
#include "common/matlab_file.h"
#include "networks.h"
#include "toolkit/base/file.h"
#include "toolkit/data/store_manifest.h"
#include "toolkit/data/store_rows.h"
#include "toolkit/image/image.h"
#include "toolkit/net/net.h"

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
    enum { width = 37, height = 31, before = 2, mark = 4 };
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
    put(out, "detect/jpeg", jpeg, jpeg_size);
    put(out, "detect/png", png, png_size);
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

static void put_network(const char *out, const char *name, qmt_net_id net, bool int8, qmt_activation activation)
{
    static const char *const targets[] = {"onnx", "lint"};
    void *data;
    size_t size;
    char path[64];
    fuzz_network(net, int8, activation, &data, &size);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        snprintf(path, sizeof path, "%s/%s", targets[i], name);
        put(out, path, data, size);
    }
    /* Behind the number of the place that it takes. */
    uint8_t *placed = qmt_alloc(size + 1, 1);
    if (!placed)
        exit(1);
    placed[0] = (uint8_t)net;
    memcpy(placed + 1, data, size);
    snprintf(path, sizeof path, "model/%s", name);
    put(out, path, placed, size + 1);
    qmt_free(placed);
    qmt_free(data);
}

static void put_networks(const char *out)
{
    put_network(out, "fp32", QMT_PNET, false, QMT_ACTIVATION_PRELU);
    put_network(out, "int8", QMT_PNET, true, QMT_ACTIVATION_RELU);
    put_network(out, "rnet", QMT_RNET, true, QMT_ACTIVATION_PRELU);
    put_network(out, "onet", QMT_ONET, false, QMT_ACTIVATION_RELU);
    qmtcnn_options options;
    qmtcnn_options_default(NULL, &options);
    for (int i = 0; i < 3; i++)
        options.thresholds[i] = 0.3f;
    uint8_t bytes[sizeof options + 8];
    for (uint8_t format = 0; format < 6; format++) {
        const uint8_t view[8] = {60, 50, format, 5, format % 2, 1, 3, 0};
        char path[32];
        memcpy(bytes, &options, sizeof options);
        memcpy(bytes + sizeof options, view, sizeof view);
        snprintf(path, sizeof path, "options/format%d", format);
        put(out, path, bytes, sizeof bytes);
    }
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

static void put_matlab(const char *out)
{
    matlab_file plain, packed;
    matlab_wider(&plain, 1);
    put(out, "mat/big_endian", plain.bytes, plain.size);
    matlab_wider(&plain, 0);
    put(out, "mat/plain", plain.bytes, plain.size);
    if (!matlab_compress(&plain, &packed))
        exit(1);
    put(out, "mat/compressed", packed.bytes, packed.size);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
        return 2;
    }
    put_texts(argv[1]);
    put_pictures(argv[1]);
    put_networks(argv[1]);
    put_checkpoint(argv[1]);
    put_store(argv[1]);
    put_matlab(argv[1]);
    return 0;
}
