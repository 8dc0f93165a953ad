/* Options and the description of a picture as any bytes: refused with a message, or faces that keep the rules. The
 * pixels lie in a block of exactly the bytes that the description tells of. */
#include "fuzz.h"
#include "networks.h"

#include <stdlib.h>
#include <string.h>

struct input {
    qmtcnn_options options;
    uint8_t width, height, format, pad, flip, own_chroma, chroma_pad;
};

static int pixel_bytes(int format)
{
    return format == QMTCNN_RGB || format == QMTCNN_BGR ? 3 : format == QMTCNN_RGBA || format == QMTCNN_BGRA ? 4 : 1;
}

/* The picture that an input tells of. Returns the block that it lies in, for free(). */
static uint8_t *make_image(const struct input *input, qmtcnn_image *image)
{
    int width = 1 + input->width, height = 1 + input->height, format = input->format % 7; /* 6 is none */
    size_t row = (size_t)width * (size_t)pixel_bytes(format) + input->pad, luma = row * (size_t)height;
    size_t pair_row = 2 * (((size_t)width + 1) / 2) + input->chroma_pad, chroma_rows = ((size_t)height + 1) / 2;
    bool nv12 = format == QMTCNN_NV12, flip = input->flip % 2, own = input->own_chroma % 2;
    size_t chroma = !nv12 ? 0 : own ? pair_row * chroma_rows : row * chroma_rows;
    uint8_t *block = malloc(luma + chroma);
    fuzz_check(block != NULL, "no memory for pixels");
    for (size_t i = 0; i < luma + chroma; i++)
        block[i] = (uint8_t)(i * i >> 4);
    *image = (qmtcnn_image){.pixels = flip ? block + luma - row : block,
                            .width = width,
                            .height = height,
                            .stride = flip ? -(ptrdiff_t)row : (ptrdiff_t)row,
                            .format = (qmtcnn_format)format};
    if (nv12 && own) {
        image->chroma = block + luma;
        image->chroma_stride = (ptrdiff_t)pair_row;
    }
    return block;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static qmtcnn_model *model; /* kept for all inputs */
    qmtcnn_error error = {0};
    qmtcnn_context *context = NULL;
    struct input input = {0};
    qmtcnn_image image;
    const qmtcnn_face *faces = NULL;
    size_t count = 0;
    if (!model)
        fuzz_check(fuzz_detector(NULL, QMT_PNET, &model, &error) == QMTCNN_OK, error.message);
    memcpy(&input, data, size < sizeof input ? size : sizeof input);
    qmtcnn_status status = qmtcnn_context_create(model, &input.options, &context, &error);
    fuzz_check_message(status, &error);
    fuzz_check(status == QMTCNN_OK || !context, "a context after a failure");
    if (status != QMTCNN_OK)
        return 0;
    uint8_t *block = make_image(&input, &image);
    status = qmtcnn_detect(context, &image, &faces, &count, &error);
    fuzz_check_message(status, &error);
    fuzz_check(status == QMTCNN_OK || status == QMTCNN_ERROR_ARGUMENT, error.message);
    fuzz_check_faces(faces, count, &image, &input.options);
    free(block);
    qmtcnn_context_free(context);
    return 0;
}
