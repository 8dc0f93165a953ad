/* Detects with kernels of one's choice, also those that are emulated (see tests/emulation), and prints what `qmtcnn
 * detect
 * --format json` prints but for the time: detect_kernels KERNELS MODELS MIN_FACE PICTURE... */
#include "runtime/detect/api.h"
#include "toolkit/image/image.h"

#ifdef TEST_EMULATED
#include "emulation/emulated.h"
#endif

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const qmt_kernels *find_kernels(const char *name)
{
#ifdef TEST_EMULATED
    if (strcmp(name, "emulated-avx512vnni") == 0)
        return test_kernels_avx512vnni();
    if (strcmp(name, "emulated-avxvnni") == 0)
        return test_kernels_avxvnni();
#endif
    return qmt_kernels_select(name);
}

static void print_faces(const char *path, const qmt_image *image, const qmtcnn_face *faces, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const qmtcnn_face *face = &faces[i];
        json_t *landmarks = json_array();
        for (int k = 0; k < 5; k++)
            json_array_append_new(landmarks,
                                  json_pack("[f,f]", (double)face->landmarks[k][0], (double)face->landmarks[k][1]));
        json_array_append_new(list, json_pack("{s:[f,f,f,f],s:f,s:o}", "box", (double)face->x, (double)face->y,
                                              (double)face->width, (double)face->height, "score", (double)face->score,
                                              "landmarks", landmarks));
    }
    json_t *line =
        json_pack("{s:s,s:i,s:i,s:o}", "file", path, "width", image->width, "height", image->height, "faces", list);
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(7));
    putchar('\n');
    json_decref(line);
}

int main(int argc, char **argv)
{
    qmtcnn_error error = {0};
    qmtcnn_model *model = NULL;
    qmtcnn_context *context = NULL;
    qmtcnn_options options;
    if (argc < 5)
        return fprintf(stderr, "usage: detect_kernels KERNELS MODELS MIN_FACE PICTURE...\n"), 2;
    const qmt_kernels *kernels = find_kernels(argv[1]);
    if (!kernels)
        return fprintf(stderr, "no kernels called %s here\n", argv[1]), 3;
    qmtcnn_status status = qmt_api_open(argv[2], QMTCNN_PRECISION_INT8, kernels, &model, &error);
    qmtcnn_options_default(model, &options);
    options.min_face = atoi(argv[3]);
    if (status == QMTCNN_OK)
        status = qmtcnn_context_create(model, &options, &context, &error);
    for (int i = 4; i < argc && status == QMTCNN_OK; i++) {
        qmt_image image = {0};
        const qmtcnn_face *faces;
        size_t count;
        status = qmt_image_read(argv[i], QMT_UPRIGHT, &image, &error);
        if (status == QMTCNN_OK) {
            qmtcnn_image view = {.pixels = image.data,
                                 .width = image.width,
                                 .height = image.height,
                                 .stride = 3 * (ptrdiff_t)image.width,
                                 .format = QMTCNN_RGB};
            status = qmtcnn_detect(context, &view, &faces, &count, &error);
        }
        if (status == QMTCNN_OK)
            print_faces(argv[i], &image, faces, count);
        qmt_image_clear(&image);
    }
    if (status != QMTCNN_OK)
        fprintf(stderr, "detect_kernels: %s\n", error.message);
    qmtcnn_context_free(context);
    qmtcnn_model_close(model);
    return status == QMTCNN_OK ? 0 : 1;
}
