/* What stands in front of faces, and what a camera does to a picture. */
#include "toolkit/data/synth_scene.h"

#include <string.h>

static void draw_hand(qmt_canvas *canvas, qmt_random *random, const qmt_synth_face *face, float x, float y, float size)
{
    float lean = qmt_random_range(random, -0.6f, 0.6f);
    qmt_vec skin = qmt_scale(face->skin, qmt_random_range(random, 0.75f, 1));
    qmt_slab arm = {x + 0.9f * size * lean, y + 1.6f * size, 0.3f * size, 1.2f * size, lean * -0.3f, skin, skin, 0, 1};
    qmt_scene_slab(canvas, &arm);
    qmt_ellipse palm = {x, y + 0.35f * size, 0.42f * size, 0.46f * size, lean, skin, 1, 0.25f, 0.05f};
    qmt_scene_ellipse(canvas, &palm);
    for (int i = 0; i < 4; i++) {
        float angle = lean + ((float)i - 1.5f) * 0.16f;
        qmt_ellipse finger = {x + 0.21f * size * ((float)i - 1.5f) - 0.2f * size * qmt_synth_sine(-angle),
                              y - 0.25f * size,
                              0.1f * size,
                              0.42f * size,
                              angle,
                              qmt_scale(skin, 0.9f + 0.05f * (float)i),
                              1,
                              0.35f,
                              0.1f};
        qmt_scene_ellipse(canvas, &finger);
    }
}

static void draw_microphone(qmt_canvas *canvas, float x, float y, float size)
{
    qmt_vec black = {0.08f, 0.08f, 0.09f};
    qmt_slab stick = {x, y + 0.9f * size, 0.09f * size, 0.8f * size, 0.1f, black, black, 0, 1};
    qmt_scene_slab(canvas, &stick);
    qmt_ellipse head = {x, y, 0.2f * size, 0.24f * size, 0, {0.3f, 0.3f, 0.32f}, 1, 0.7f, 0.05f};
    qmt_scene_ellipse(canvas, &head);
}

static void draw_leaves(qmt_canvas *canvas, qmt_random *random, float x, float y, float size)
{
    for (int i = 0; i < 14; i++) {
        float light = qmt_random_range(random, 0.2f, 0.7f);
        qmt_ellipse leaf = {x + qmt_random_range(random, -0.8f, 0.8f) * size,
                            y + qmt_random_range(random, -0.8f, 0.8f) * size,
                            0.22f * size,
                            0.09f * size,
                            qmt_random_range(random, -1.5f, 1.5f),
                            {0.5f * light, light, 0.3f * light},
                            1,
                            0.2f,
                            0.1f};
        qmt_scene_ellipse(canvas, &leaf);
    }
}

void qmt_scene_occlude(qmt_canvas *canvas, qmt_random *random, const qmt_synth_face *face, qmt_box box)
{
    float size = box.x2 - box.x1, x = (box.x1 + box.x2) / 2, y = (box.y1 + box.y2) / 2;
    x += qmt_random_range(random, -0.5f, 0.5f) * size;
    y += qmt_random_range(random, -0.1f, 0.7f) * size;
    float light = qmt_random_range(random, 0.05f, 0.9f), angle = qmt_random_range(random, -0.5f, 0.5f);
    qmt_vec color = {light, light * qmt_random_range(random, 0.7f, 1), qmt_random_range(random, 0.05f, 0.9f)};
    qmt_slab phone = {x, y, 0.22f * size, 0.42f * size, angle, color, color, 0, 1};
    switch (qmt_random_below(random, 5)) {
    case 0: draw_hand(canvas, random, face, x, y, size * 0.7f); break;
    case 1: draw_microphone(canvas, x, y + 0.1f * size, size); break;
    case 2: draw_leaves(canvas, random, x, y, size * 0.6f); break;
    case 3: qmt_scene_slab(canvas, &phone); break;
    default:
        phone = (qmt_slab){x, y, 0.09f * size, 3 * size, angle * 0.3f, color, color, 0, 1};
        qmt_scene_slab(canvas, &phone);
        break;
    }
}

/* (a + 2 b + c) / 4 over `count` pixels that lie `step` bytes apart, the ends repeated. */
static void blur_line(uint8_t *pixels, int count, size_t step, uint8_t *copy)
{
    for (int i = 0; i < count; i++)
        memcpy(copy + 3 * i, pixels + (size_t)i * step, 3);
    for (int i = 0; i < count; i++) {
        const uint8_t *b = copy + 3 * i, *a = i > 0 ? b - 3 : b, *c = i + 1 < count ? b + 3 : b;
        for (int k = 0; k < 3; k++)
            pixels[(size_t)i * step + (size_t)k] = (uint8_t)((a[k] + 2 * b[k] + c[k] + 2) / 4);
    }
}

qmtcnn_status qmt_scene_blur(qmt_image *image, int passes, qmtcnn_error *error)
{
    size_t longest = (size_t)(image->width > image->height ? image->width : image->height),
           stride = 3 * (size_t)image->width;
    uint8_t *copy = qmt_alloc(longest, 3);
    if (!copy)
        return qmt_fail_memory(error, longest * 3, "a line of pixels");
    for (int pass = 0; pass < passes; pass++) {
        for (int y = 0; y < image->height; y++)
            blur_line(image->data + (size_t)y * stride, image->width, 3, copy);
        for (int x = 0; x < image->width; x++)
            blur_line(image->data + 3 * (size_t)x, image->height, stride, copy);
    }
    qmt_free(copy);
    return QMTCNN_OK;
}

/* A curve for each channel: contrast about the middle, brightness, and a cast. */
static void make_curves(qmt_random *random, uint8_t curves[3][256])
{
    float contrast = qmt_random_range(random, 0.75f, 1.15f), light = qmt_random_range(random, -0.1f, 0.1f);
    bool gray_world = qmt_random_float(random) < 0.5f;
    for (int c = 0; c < 3; c++) {
        float gain = gray_world ? 1 : qmt_random_range(random, 0.85f, 1.12f), lift = qmt_random_range(random, 0, 0.04f);
        for (int i = 0; i < 256; i++) {
            float value = ((float)i / 255 * gain - 0.5f) * contrast + 0.5f + light + lift;
            curves[c][i] = (uint8_t)(255 * qmt_clamp(value, 0, 1) + 0.5f);
        }
    }
}

qmtcnn_status qmt_scene_expose(qmt_image *image, qmt_random *random, qmtcnn_error *error)
{
    uint8_t curves[3][256];
    qmtcnn_status status = qmt_scene_blur(image, (int)qmt_random_below(random, 3), error);
    if (status != QMTCNN_OK)
        return status;
    make_curves(random, curves);
    bool gray = qmt_random_float(random) < 0.06f;
    int strength = qmt_random_float(random) < 0.25f ? 0 : 1 + (int)qmt_random_below(random, 12);
    size_t count = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < count; i++) {
        uint8_t *p = image->data + 3 * i;
        uint64_t bits = qmt_random_next(random);
        if (gray)
            p[0] = p[1] = p[2] = (uint8_t)((77 * p[0] + 150 * p[1] + 29 * p[2]) >> 8);
        for (int c = 0; c < 3; c++, bits >>= 16) {
            int noise = (int)(bits & 255) - (int)(bits >> 8 & 255); /* a triangle of deviation 104 */
            int value = curves[c][p[c]] + noise * strength / 128;
            p[c] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
        }
    }
    return QMTCNN_OK;
}
