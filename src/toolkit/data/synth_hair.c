/* Hair, hats and scarves on the head, and what is below it: neck and clothes. */
#include "toolkit/data/synth_face.h"

#include <math.h>

/* The lower edge of the hair over the forehead. */
static float front_edge(const qmt_synth_face *face, float x)
{
    float ragged = qmt_synth_noise(x * 9, 1, face->seed + 11) - 0.5f,
          fine = qmt_synth_noise(x * 40, 2, face->seed + 12) - 0.5f;
    switch (face->hair) {
    case QMT_HAIR_FRINGE: return -0.62f + 0.18f * ragged + 0.1f * fine;
    case QMT_HAIR_CURLY: return face->hairline + 0.2f * ragged + 0.08f * fine;
    case QMT_HAIR_HAT: return -0.74f;
    case QMT_HAIR_CAP: return -0.8f;
    case QMT_HAIR_SCARF: return -0.86f + 0.35f * x * x;
    default: return face->hairline + 0.08f * ragged + 0.03f * fine;
    }
}

bool qmt_face_is_hair(const qmt_synth_face *face, qmt_vec p)
{
    if (face->hair == QMT_HAIR_NONE)
        return false;
    if (p.y < front_edge(face, p.x))
        return true;
    float ragged = 0.1f * (qmt_synth_noise(p.y * 9, p.z * 9, face->seed + 13) - 0.5f);
    if (face->hair == QMT_HAIR_SCARF)
        return p.z < 0.34f - 0.1f * p.y || p.y > 0.99f;
    if (face->hair == QMT_HAIR_LONG)
        return p.z + ragged < 0.36f - 0.22f * p.y && p.x * p.x > 0.16f * qmt_smooth(0.3f, 0.9f, p.y);
    if (face->hair == QMT_HAIR_CURLY || face->hair == QMT_HAIR_FRINGE)
        return p.z + ragged < 0.2f && p.y + ragged < 0.5f;
    /* Short: temples, sideburns, and down to the nape behind the ears. */
    float burn = p.z < 0.16f ? face->side_length : -0.45f;
    return (p.z + ragged < 0.26f && p.y + ragged < burn) || (p.z < -0.2f && p.y < 0.55f);
}

qmt_vec qmt_face_hair_color(const qmt_synth_face *face, qmt_vec p)
{
    bool covered = face->hair == QMT_HAIR_HAT || face->hair == QMT_HAIR_CAP;
    if (covered && p.y < front_edge(face, p.x) + 0.02f) {
        float u = p.x * 22, rib = u + 64 - (float)(int)(u + 64);
        float weave = face->hair == QMT_HAIR_HAT ? 1 - 0.25f * qmt_bell(rib - 0.5f, 0, 0.5f, 1) : 1;
        return qmt_scale(face->cloth, weave * (p.y > front_edge(face, p.x) - 0.12f ? 0.82f : 1));
    }
    if (face->hair == QMT_HAIR_SCARF)
        return qmt_scale(face->cloth,
                         0.82f + 0.3f * qmt_synth_noise(p.x * 3 + p.y, p.y * 5 + p.z * 6, face->seed + 14));
    bool curls = face->hair == QMT_HAIR_CURLY;
    float strand = curls ? qmt_synth_noise(p.x * 16, (p.y + p.z) * 16, face->seed + 15)
                         : qmt_synth_noise(p.x * 34, (p.y + 0.6f * p.z) * 4, face->seed + 15);
    float lock = qmt_synth_noise(p.x * 8, (p.y + p.z) * 3, face->seed + 16);
    qmt_vec color = qmt_scale(face->hair_color, 0.5f + 0.7f * strand + 0.25f * lock);
    return qmt_add(color, (qmt_vec){0.02f * strand, 0.02f * strand, 0.02f * strand});
}

void qmt_canvas_cover(qmt_canvas *canvas, int x, int y, qmt_vec color, float alpha, uint8_t owner)
{
    if (x < 0 || y < 0 || x >= canvas->image.width || y >= canvas->image.height || !(alpha > 0))
        return;
    size_t at = (size_t)y * (size_t)canvas->image.width + (size_t)x;
    uint8_t *p = canvas->image.data + 3 * at;
    const float c[3] = {color.x, color.y, color.z};
    alpha = alpha > 1 ? 1 : alpha;
    for (int i = 0; i < 3; i++)
        p[i] = (uint8_t)(qmt_clamp(qmt_blend(p[i], 255 * c[i], alpha), 0, 255) + 0.5f);
    if (alpha >= 0.5f)
        canvas->owner[at] = owner;
}

static float edge(float inside, float pixel)
{
    return qmt_clamp(inside / pixel + 0.5f, 0, 1);
}

static qmt_vec lit(const qmt_synth_face *face, qmt_vec color, qmt_vec normal)
{
    float diffuse = qmt_clamp(0.15f + 0.85f * qmt_dot(qmt_unit_vector(normal), face->light), 0, 1);
    qmt_vec light =
        qmt_add((qmt_vec){face->ambient, face->ambient, face->ambient}, qmt_scale(face->light_color, diffuse));
    return qmt_multiply(color, light);
}

static qmt_vec cloth_color(const qmt_synth_face *face, float x, float y)
{
    float u = (face->cloth_pattern == 2 ? x : y) * 7 + 64, v = x * 7 + 64;
    bool stripe = (int)u % 2 == 0, check = ((int)u + (int)v) % 2 == 0;
    qmt_vec color = face->cloth;
    if (((face->cloth_pattern == 1 || face->cloth_pattern == 2) && stripe) || (face->cloth_pattern == 3 && check))
        color = face->cloth2;
    return qmt_scale(color, 0.72f + 0.5f * qmt_synth_noise(x * 2.2f + y, y * 1.6f - x, face->seed + 17));
}

/* Color and cover of the body at a view position; x is from the middle of the neck. */
static float body_at(const qmt_synth_face *face, float x, float y, float pixel, qmt_vec *color)
{
    float side = x < 0 ? -x : x, width = face->shoulder_width;
    float u = side / width, slope = 0.22f * u + 0.75f * qmt_smooth(0.7f, 1.05f, u);
    float down = y - face->shoulder_y - slope, sleeve = width * (1 + 0.05f * (y - 1)) - side;
    float torso = edge(down < sleeve ? down : sleeve, pixel) * edge(5.5f - y, pixel);
    float neck = edge(0.40f + 0.1f * qmt_smooth(1.1f, 1.6f, y) - side, pixel);
    float collar = 0.34f - 0.5f * (y - face->shoulder_y) * (face->cloth_pattern % 2 == 0 ? 1 : 3);
    bool bare = side < collar && face->hair != QMT_HAIR_SCARF;
    if (torso > 0 && !bare) {
        float bulge = x / width;
        *color = lit(face, cloth_color(face, x, y), (qmt_vec){0.8f * bulge, -0.25f + 0.5f * (0.3f - down), 0.8f});
        *color = qmt_scale(*color, 0.75f + 0.25f * qmt_smooth(0.3f, 0.5f, side - collar + 0.34f));
        return torso;
    }
    if (y > face->shoulder_y + 0.9f)
        return 0;
    bool scarf = face->hair == QMT_HAIR_SCARF;
    qmt_vec skin = scarf ? qmt_face_hair_color(face, (qmt_vec){x, y, 0}) : qmt_scale(face->skin, 0.95f);
    *color = lit(face, skin, (qmt_vec){x / 0.45f, 0, 0.7f});
    /* The head's shadow. */
    *color = qmt_scale(*color, 0.5f + 0.5f * qmt_smooth(0.95f, 1.7f, y + 0.3f * side));
    return scarf ? edge(0.62f + 0.3f * qmt_smooth(0.9f, 1.7f, y) - side, pixel) : neck;
}

/* Long hair falls behind the neck. */
static void draw_back_hair(const qmt_synth_face *face, qmt_canvas *canvas)
{
    float pixel = 1 / face->scale, reach = 1.0f + face->hair_volume;
    for (int row = (int)(-1 * face->scale); row < (int)(2.1f * face->scale); row++) {
        for (int column = (int)(-reach * face->scale); column <= (int)(reach * face->scale); column++) {
            float x = (float)column * pixel, y = (float)row * pixel, side = x < 0 ? -x : x;
            float ragged = 0.25f * qmt_synth_noise(x * 12, 3, face->seed + 18);
            float crown = y < 0 ? sqrtf(fmaxf(1 - 0.85f * y * y, 0)) : 1 + 0.08f * y;
            float inside =
                fminf((0.78f + 0.7f * face->hair_volume) * crown - side, 1.5f + face->side_length * 2 + ragged - y);
            float alpha = edge(inside, pixel);
            if (alpha <= 0)
                continue;
            qmt_vec color = lit(face, qmt_face_hair_color(face, (qmt_vec){x, y, 0}), (qmt_vec){x, 0.2f, 0.5f});
            qmt_canvas_cover(canvas, (int)face->x + column, (int)face->y + row, qmt_scale(color, 0.8f), alpha, 0);
        }
    }
}

void qmt_face_draw_body(const qmt_synth_face *face, qmt_canvas *canvas)
{
    if (face->hair == QMT_HAIR_LONG)
        draw_back_hair(face, canvas);
    float pixel = 1 / face->scale, neck_x, neck_y;
    qmt_face_project(face, (qmt_vec){0, 0.55f, -0.35f}, &neck_x, &neck_y);
    float lean = (neck_x - face->x) * pixel, top = (neck_y - face->y) * pixel;
    int first = (int)(face->y + top * face->scale), last = (int)(face->y + 5.6f * face->scale);
    for (int py = first < 0 ? 0 : first; py <= last && py < canvas->image.height; py++) {
        float y = ((float)py + 0.5f - face->y) * pixel;
        float middle = lean * (1 - 0.6f * qmt_smooth(top, 1.6f, y));
        for (int px = (int)(face->x - 2.6f * face->scale); px <= (int)(face->x + 2.6f * face->scale); px++) {
            qmt_vec color;
            float alpha = body_at(face, ((float)px + 0.5f - face->x) * pixel - middle, y, pixel, &color);
            if (alpha > 0)
                qmt_canvas_cover(canvas, px, py, color, alpha, 0);
        }
    }
}
