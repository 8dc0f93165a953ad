/* The shortest way from a picture to faces, in C.
 *
 *   example_detect models/mtcnn_qat photo.ppm */
#include <qmtcnn/qmtcnn.h>

#include "ppm.h"

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s MODELS PICTURE.ppm\n", argv[0]);
        return 2;
    }

    int width, height;
    uint8_t *pixels = read_ppm(argv[2], &width, &height);
    if (!pixels) {
        fprintf(stderr, "%s: not a PPM picture (P6)\n", argv[2]);
        return 1;
    }

    /* A model is opened once; a context holds the scratch memory of one thread. */
    qmtcnn_error error;
    qmtcnn_model *model = NULL;
    qmtcnn_context *context = NULL;
    const qmtcnn_face *faces = NULL;
    size_t count = 0;
    qmtcnn_image image = {pixels, width, height, 3 * (ptrdiff_t)width, QMTCNN_RGB, NULL, 0};

    int failed = qmtcnn_model_open(argv[1], QMTCNN_PRECISION_AUTO, &model, &error) != QMTCNN_OK ||
                 qmtcnn_context_create(model, NULL, &context, &error) != QMTCNN_OK ||
                 qmtcnn_detect(context, &image, &faces, &count, &error) != QMTCNN_OK;
    if (failed)
        fprintf(stderr, "%s\n", error.message);

    /* The faces belong to the context and hold until its next call. */
    for (size_t i = 0; i < count; i++)
        printf("%.1f %.1f %.1f x %.1f score %.3f\n", (double)faces[i].x, (double)faces[i].y, (double)faces[i].width,
               (double)faces[i].height, (double)faces[i].score);

    qmtcnn_context_free(context);
    qmtcnn_model_close(model);
    free(pixels);
    return failed;
}
