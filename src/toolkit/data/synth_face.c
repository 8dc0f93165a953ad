#include "toolkit/data/synth_face.h"

#include <math.h>

/* What a line of sight meets. */
typedef enum kind { KIND_NOTHING, KIND_FACE, KIND_SKIN, KIND_EAR, KIND_HAIR, KIND_BRIM } kind;

typedef struct sample {
    qmt_vec color;
    kind kind;
} sample;

static qmt_vec shade(const qmt_synth_face *face, qmt_vec color, qmt_vec head_normal, float wrap, float shine)
{
    qmt_vec normal = qmt_face_to_view(face, head_normal);
    float facing = qmt_dot(normal, face->light), diffuse = qmt_clamp((facing + wrap) / (1 + wrap), 0, 1);
    /* Light from the sky above and a little from the ground. */
    float ambient = face->ambient * (0.88f - 0.18f * normal.y);
    qmt_vec light = qmt_add((qmt_vec){ambient, ambient, ambient}, qmt_scale(face->light_color, diffuse));
    qmt_vec half = qmt_unit_vector(qmt_add(face->light, (qmt_vec){0, 0, 1}));
    float gloss = qmt_clamp(qmt_dot(normal, half), 0, 1);
    gloss *= gloss;
    gloss *= gloss;
    gloss *= gloss;
    gloss = gloss * gloss * shine;
    return qmt_add(qmt_multiply(color, light), qmt_scale(face->light_color, gloss));
}

static qmt_vec shade_skin(const qmt_synth_face *face, const qmt_hit *hit, float pixel)
{
    const qmt_vec p = hit->point;
    float shine = 0, slope_x = 0, slope_y = 0, hair = 0;
    qmt_vec color = face->skin, normal = hit->normal;
    if (p.z > -0.05f) {
        color = qmt_face_color(face, p.x, p.y, pixel, &shine);
        qmt_face_relief(face, p.x, p.y, &slope_x, &slope_y);
        float flat = qmt_clamp(p.z * 4, 0, 1);
        normal = qmt_unit_vector(qmt_add(normal, (qmt_vec){-slope_x * flat, -slope_y * flat, 0}));
    }
    /* Hair throws a soft shadow on the skin just below it. */
    for (int i = 1; i <= 3 && face->hair != QMT_HAIR_NONE; i++)
        hair += (float)qmt_face_is_hair(face, (qmt_vec){p.x, p.y - 0.05f * (float)i, p.z - 0.03f * (float)i}) / 3;
    return qmt_scale(shade(face, color, normal, 0.25f, shine), 1 - 0.3f * hair);
}

static bool hit_ear(const qmt_synth_face *face, float x, float y, qmt_hit *hit)
{
    bool found = false;
    for (int side = -1; side <= 1; side += 2) {
        qmt_hit ear = {.depth = 0};
        qmt_vec center = {0.745f * (float)side, -0.06f, -0.1f};
        if (qmt_face_hit_ellipsoid(face, x, y, center, (qmt_vec){0.1f, 0.24f, 0.15f}, &ear) &&
            (!found || ear.depth > hit->depth)) {
            *hit = ear;
            found = true;
        }
    }
    return found;
}

static qmt_vec shade_ear(const qmt_synth_face *face, const qmt_hit *hit)
{
    float inner = qmt_bell(hit->point.y + 0.08f, hit->point.z + 0.08f, 0.15f, 0.1f);
    qmt_vec color = qmt_multiply(face->skin, (qmt_vec){1, 0.9f, 0.88f});
    return shade(face, qmt_scale(color, 0.92f - 0.4f * inner), hit->normal, 0.25f, 0);
}

static bool shows_ears(const qmt_synth_face *face)
{
    return face->hair != QMT_HAIR_LONG && face->hair != QMT_HAIR_SCARF && face->hair != QMT_HAIR_CURLY &&
           face->hair != QMT_HAIR_FRINGE;
}

/* No hair hangs over the middle of the face. */
static bool may_be_under_hair(qmt_vec point)
{
    return point.z < 0.5f || point.y < -0.35f;
}

static sample look(const qmt_synth_face *face, float x, float y, float pixel)
{
    sample s = {.kind = KIND_NOTHING};
    qmt_hit skin = {.depth = 0}, ear = {.depth = 0}, cap;
    float depth = -1e9f;
    bool under = true;
    if (qmt_face_hit(face, x, y, 0, &skin)) {
        depth = skin.depth;
        under = may_be_under_hair(skin.point);
    }
    if (under && face->hair_volume > 0 && qmt_face_hit(face, x, y, face->hair_volume, &cap) && cap.depth > depth &&
        qmt_face_is_hair(face, cap.point)) {
        s = (sample){shade(face, qmt_face_hair_color(face, cap.point), cap.normal, 0.3f, 0.12f), KIND_HAIR};
        depth = cap.depth;
    } else if (depth > -1e9f && under && qmt_face_is_hair(face, skin.point)) {
        s = (sample){shade(face, qmt_face_hair_color(face, skin.point), skin.normal, 0.3f, 0.1f), KIND_HAIR};
    } else if (depth > -1e9f) {
        s = (sample){shade_skin(face, &skin, pixel), skin.point.z >= 0 && skin.point.y >= -1 ? KIND_FACE : KIND_SKIN};
    }
    if (under && shows_ears(face) && hit_ear(face, x, y, &ear) && ear.depth > depth) {
        s = (sample){shade_ear(face, &ear), KIND_EAR};
        depth = ear.depth;
    }
    if (face->hair == QMT_HAIR_CAP &&
        qmt_face_hit_ellipsoid(face, x, y, (qmt_vec){0, -0.82f, 0.7f}, (qmt_vec){0.6f, 0.07f, 0.52f}, &cap) &&
        cap.depth > depth)
        s = (sample){shade(face, qmt_scale(face->cloth2, 0.9f), cap.normal, 0.2f, 0.05f), KIND_BRIM};
    return s;
}

static sample look_at(const qmt_synth_face *face, float px, float py)
{
    float pixel = 1 / face->scale;
    return look(face, (px - face->x) * pixel, (py - face->y) * pixel, pixel);
}

/* Covers a pixel with the mean of n x n lines of sight. Returns whether it is mostly face. */
static bool cover_finely(const qmt_synth_face *face, qmt_canvas *canvas, int px, int py, int n, uint8_t owner)
{
    int faces = 0, hits = 0;
    qmt_vec sum = {0, 0, 0};
    for (int i = 0; i < n * n; i++) {
        sample s = look_at(face, (float)px + ((float)(i % n) + 0.5f) / (float)n,
                           (float)py + ((float)(i / n) + 0.5f) / (float)n);
        if (s.kind == KIND_NOTHING)
            continue;
        sum = qmt_add(sum, s.color);
        hits++;
        faces += s.kind == KIND_FACE;
    }
    if (hits == 0)
        return false;
    bool is_face = 2 * faces >= n * n;
    qmt_canvas_cover(canvas, px, py, qmt_scale(sum, 1 / (float)hits), (float)hits / (float)(n * n),
                     is_face ? owner : 0);
    return is_face;
}

/* A rectangle of pixels with what their middles show. */
typedef struct window {
    int x1, y1, width, height;
    sample *samples;
} window;

static const sample *sample_at(const window *w, int x, int y)
{
    static const sample nothing = {.kind = KIND_NOTHING};
    return x < 0 || y < 0 || x >= w->width || y >= w->height ? &nothing
                                                             : &w->samples[(size_t)y * (size_t)w->width + (size_t)x];
}

/* Edges need more lines of sight; inside, the painted features are smooth already. */
static bool is_edge(const window *w, int x, int y)
{
    kind here = sample_at(w, x, y)->kind;
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++)
            if (sample_at(w, x + dx, y + dy)->kind != here)
                return true;
    return false;
}

static window find_window(const qmt_synth_face *face, const qmt_canvas *canvas)
{
    float reach = (1.25f + 1.3f * face->hair_volume) * face->scale, x, y;
    qmt_face_project(face, (qmt_vec){0, -0.2f, 0}, &x, &y);
    int x1 = (int)qmt_clamp(x - reach, 0, (float)canvas->image.width),
        y1 = (int)qmt_clamp(y - reach, 0, (float)canvas->image.height);
    int x2 = (int)qmt_clamp(x + reach + 1, 0, (float)canvas->image.width);
    int y2 = (int)qmt_clamp(y + reach + 1, 0, (float)canvas->image.height);
    return (window){x1, y1, x2 - x1, y2 - y1, NULL};
}

qmtcnn_status qmt_face_draw(const qmt_synth_face *face, qmt_canvas *canvas, uint8_t owner, int *pixels,
                            qmtcnn_error *error)
{
    qmt_face_draw_body(face, canvas);
    window w = find_window(face, canvas);
    size_t count = (size_t)w.width * (size_t)w.height;
    w.samples = qmt_alloc(count, sizeof *w.samples);
    if (!w.samples)
        return qmt_fail_memory(error, count * sizeof *w.samples, "a synthetic face");
    for (size_t i = 0; i < count; i++)
        w.samples[i] = look_at(face, (float)(w.x1 + (int)(i % (size_t)w.width)) + 0.5f,
                               (float)(w.y1 + (int)(i / (size_t)w.width)) + 0.5f);
    int n = face->scale < 60 ? 3 : 2;
    *pixels = 0;
    for (int y = 0; y < w.height; y++) {
        for (int x = 0; x < w.width; x++) {
            const sample *s = sample_at(&w, x, y);
            if (face->scale < 22 || is_edge(&w, x, y)) {
                *pixels += cover_finely(face, canvas, w.x1 + x, w.y1 + y, n, owner);
            } else if (s->kind != KIND_NOTHING) {
                qmt_canvas_cover(canvas, w.x1 + x, w.y1 + y, s->color, 1, s->kind == KIND_FACE ? owner : 0);
                *pixels += s->kind == KIND_FACE;
            }
        }
    }
    qmt_free(w.samples);
    return QMTCNN_OK;
}
