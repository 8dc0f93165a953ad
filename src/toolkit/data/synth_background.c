/* Backgrounds: a soft base of noise, and layers of clutter, some of it colored or shaped like faces that have none. */
#include "toolkit/data/synth_scene.h"

static qmt_vec any_color(qmt_random *random)
{
    float light = qmt_random_range(random, 0.1f, 0.95f), spread = qmt_random_range(random, 0, 0.5f);
    return (qmt_vec){qmt_clamp(light + qmt_random_range(random, -spread, spread), 0, 1),
                     qmt_clamp(light + qmt_random_range(random, -spread, spread), 0, 1),
                     qmt_clamp(light + qmt_random_range(random, -spread, spread), 0, 1)};
}

static qmt_vec skin_color(qmt_random *random)
{
    float light = qmt_random_range(random, 0.25f, 0.95f);
    return (qmt_vec){light, light * qmt_random_range(random, 0.65f, 0.85f),
                     light * qmt_random_range(random, 0.5f, 0.72f)};
}

typedef struct place {
    float x, y, size;
} place;

static place any_place(const qmt_canvas *canvas, qmt_random *random)
{
    float w = (float)canvas->image.width, h = (float)canvas->image.height, u = qmt_random_float(random);
    return (place){qmt_random_range(random, -0.1f, 1.1f) * w, qmt_random_range(random, -0.1f, 1.1f) * h,
                   (0.02f + 0.4f * u * u) * (w < h ? w : h)};
}

/* Fractal noise between colors, worked out on every fourth pixel and interpolated. */
static qmtcnn_status paint_base(qmt_canvas *canvas, qmt_random *random, qmtcnn_error *error)
{
    enum { step = 4 };
    int width = canvas->image.width, height = canvas->image.height, columns = width / step + 2,
        rows = height / step + 2;
    float *grid = qmt_alloc((size_t)columns * (size_t)rows, sizeof *grid);
    if (!grid)
        return qmt_fail_memory(error, (size_t)columns * (size_t)rows * sizeof *grid, "a synthetic background");
    uint32_t seed = (uint32_t)qmt_random_next(random);
    float scale = qmt_random_range(random, 0.004f, 0.05f), stretch = qmt_random_range(random, 0.3f, 3);
    float rough = qmt_random_range(random, 0.05f, 1);
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
            float x = (float)c * step * scale * stretch, y = (float)r * step * scale, sum = 0, weight = 0.5f;
            for (int octave = 0; octave < 4; octave++, x *= 2.1f, y *= 2.1f, weight *= 0.55f)
                sum += weight * (qmt_synth_noise(x, y, seed + (uint32_t)octave) - 0.5f);
            grid[(size_t)r * (size_t)columns + (size_t)c] = sum * rough * 2;
        }
    }
    qmt_vec top = any_color(random), bottom = any_color(random), other = any_color(random);
    for (int py = 0; py < height; py++) {
        const float *row = grid + (size_t)(py / step) * (size_t)columns, *below = row + columns;
        float fy = (float)(py % step) / step;
        qmt_vec base = qmt_mix(top, bottom, (float)py / (float)height);
        for (int px = 0; px < width; px++) {
            int c = px / step;
            float fx = (float)(px % step) / step;
            float noise = qmt_blend(qmt_blend(row[c], row[c + 1], fx), qmt_blend(below[c], below[c + 1], fx), fy);
            qmt_canvas_cover(canvas, px, py, qmt_mix(base, other, qmt_clamp(0.3f + noise, 0, 1)), 1, 0);
        }
    }
    qmt_free(grid);
    return QMTCNN_OK;
}

static void paint_blocks(qmt_canvas *canvas, qmt_random *random)
{
    int count = 3 + (int)qmt_random_below(random, 14);
    bool upright = qmt_random_float(random) < 0.6f;
    for (int i = 0; i < count; i++) {
        place at = any_place(canvas, random);
        qmt_slab slab = {.x = at.x, .y = at.y, .color = any_color(random), .color2 = any_color(random)};
        slab.half_width = at.size * qmt_random_range(random, 0.2f, 1);
        slab.half_height = at.size * qmt_random_range(random, 0.2f, 1);
        slab.angle = upright ? 0 : qmt_random_range(random, -1.5f, 1.5f);
        slab.stripes = qmt_random_float(random) < 0.3f ? 2 + (int)qmt_random_below(random, 20) : 0;
        slab.alpha = qmt_random_range(random, 0.5f, 1);
        qmt_scene_slab(canvas, &slab);
    }
}

/* A wall of windows or shelves. */
static void paint_grid(qmt_canvas *canvas, qmt_random *random)
{
    place at = any_place(canvas, random);
    qmt_vec frame = any_color(random), pane = any_color(random);
    float cell = 8 + at.size * 0.5f, fill = qmt_random_range(random, 0.3f, 0.46f);
    int columns = 2 + (int)qmt_random_below(random, 7), rows = 2 + (int)qmt_random_below(random, 6);
    for (int i = 0; i < columns * rows; i++) {
        float x = at.x + (float)(i % columns) * cell, y = at.y + (float)(i / columns) * cell * 1.2f;
        qmt_slab slab = {x, y, cell * 0.5f, cell * 0.6f, 0, frame, frame, 0, 1};
        qmt_scene_slab(canvas, &slab);
        slab = (qmt_slab){
            x, y, cell * fill, cell * 1.2f * fill, 0, qmt_scale(pane, qmt_random_range(random, 0.6f, 1.2f)), pane,
            0, 1};
        qmt_scene_slab(canvas, &slab);
    }
}

static void paint_leaves(qmt_canvas *canvas, qmt_random *random)
{
    place at = any_place(canvas, random);
    float spread = 40 + 2 * at.size, leaf = qmt_random_range(random, 3, 12);
    int count = 100 + (int)qmt_random_below(random, 250);
    for (int i = 0; i < count; i++) {
        float light = qmt_random_range(random, 0.15f, 0.7f);
        qmt_ellipse e = {.x = at.x + qmt_random_range(random, -spread, spread),
                         .y = at.y + qmt_random_range(random, -spread, spread)};
        e.rx = leaf * qmt_random_range(random, 0.5f, 1.5f);
        e.ry = e.rx * qmt_random_range(random, 0.25f, 0.7f);
        e.angle = qmt_random_range(random, -1.5f, 1.5f);
        e.color = (qmt_vec){light * qmt_random_range(random, 0.3f, 0.9f), light,
                            light * qmt_random_range(random, 0.15f, 0.5f)};
        e.alpha = 0.9f;
        qmt_scene_ellipse(canvas, &e);
    }
}

static void paint_lights(qmt_canvas *canvas, qmt_random *random)
{
    int count = 5 + (int)qmt_random_below(random, 30);
    for (int i = 0; i < count; i++) {
        place at = any_place(canvas, random);
        qmt_ellipse e = {at.x, at.y, 2 + at.size * 0.2f, 2 + at.size * 0.2f, 0, any_color(random), 0.5f, 0, 0.4f};
        e.alpha = qmt_random_range(random, 0.2f, 0.8f);
        qmt_scene_ellipse(canvas, &e);
    }
}

static void paint_signs(qmt_canvas *canvas, qmt_random *random)
{
    int lines = 1 + (int)qmt_random_below(random, 8), scale = 1 + (int)qmt_random_below(random, 5);
    place at = any_place(canvas, random);
    qmt_vec ink = any_color(random), paper = any_color(random);
    float width = (float)(6 * scale) * 9, height = (float)(lines * 9 * scale);
    qmt_slab slab = {at.x + width / 2, at.y + height / 2, width * 0.56f, height * 0.6f + 2, 0, paper, paper, 0, 1};
    qmt_scene_slab(canvas, &slab);
    for (int i = 0; i < lines; i++) {
        char text[10];
        int length = 2 + (int)qmt_random_below(random, sizeof text - 2);
        for (int c = 0; c < length; c++)
            text[c] = (char)(33 + qmt_random_below(random, 94));
        text[length - 1] = 0;
        qmt_draw_text(&canvas->image, (int)at.x, (int)at.y + i * 9 * scale, scale, text,
                      (qmt_color){(uint8_t)(255 * ink.x), (uint8_t)(255 * ink.y), (uint8_t)(255 * ink.z)});
    }
}

/* Skin-colored round things without features: arms, balls, lamps. A detector must not take them for faces. */
static void paint_decoys(qmt_canvas *canvas, qmt_random *random)
{
    int count = 1 + (int)qmt_random_below(random, 5);
    for (int i = 0; i < count; i++) {
        place at = any_place(canvas, random);
        qmt_ellipse e = {at.x,
                         at.y,
                         6 + at.size * 0.4f,
                         6 + at.size * 0.5f,
                         qmt_random_range(random, -1.5f, 1.5f),
                         skin_color(random),
                         1,
                         qmt_random_range(random, 0.1f, 0.6f),
                         0.03f};
        if (qmt_random_float(random) < 0.4f)
            e.rx *= qmt_random_range(random, 0.2f, 0.6f);
        qmt_scene_ellipse(canvas, &e);
        int marks = (int)qmt_random_below(random, 4);
        for (int m = 0; m < marks; m++) {
            float angle = qmt_random_range(random, -3, 3), far = qmt_random_range(random, 0.1f, 0.6f);
            qmt_ellipse mark = {e.x + far * e.rx * qmt_synth_cosine(angle),
                                e.y + far * e.ry * qmt_synth_sine(angle),
                                e.rx * 0.2f,
                                e.rx * qmt_random_range(random, 0.06f, 0.2f),
                                angle,
                                qmt_scale(e.color, qmt_random_range(random, 0.2f, 1.3f)),
                                0.9f,
                                0,
                                0.2f};
            qmt_scene_ellipse(canvas, &mark);
        }
    }
}

qmtcnn_status qmt_scene_background(qmt_canvas *canvas, qmt_random *random, qmtcnn_error *error)
{
    static void (*const layers[])(qmt_canvas *, qmt_random *) = {paint_blocks, paint_grid,  paint_leaves,
                                                                 paint_lights, paint_signs, paint_decoys};
    qmtcnn_status status = paint_base(canvas, random, error);
    int count = 1 + (int)qmt_random_below(random, 7);
    for (int i = 0; i < count && status == QMTCNN_OK; i++)
        layers[qmt_random_below(random, sizeof layers / sizeof *layers)](canvas, random);
    if (status == QMTCNN_OK && qmt_random_float(random) < 0.4f)
        status = qmt_scene_blur(&canvas->image, 1 + (int)qmt_random_below(random, 6), error);
    return status;
}
