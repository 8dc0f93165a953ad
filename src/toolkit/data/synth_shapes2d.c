/* Flat shapes of synthetic scenes. */
#include "toolkit/data/synth_scene.h"

#include <math.h>

/* The rows and columns of the canvas that a shape may touch. */
typedef struct area {
    int x1, y1, x2, y2;
} area;

static area find_area(const qmt_canvas *canvas, float x, float y, float reach)
{
    float w = (float)canvas->image.width, h = (float)canvas->image.height;
    return (area){(int)qmt_clamp(x - reach, 0, w), (int)qmt_clamp(y - reach, 0, h), (int)qmt_clamp(x + reach + 2, 0, w),
                  (int)qmt_clamp(y + reach + 2, 0, h)};
}

void qmt_scene_ellipse(qmt_canvas *canvas, const qmt_ellipse *e)
{
    area a = find_area(canvas, e->x, e->y, fmaxf(e->rx, e->ry));
    float c = qmt_synth_cosine(e->angle), s = qmt_synth_sine(e->angle);
    float rim = fmaxf(e->soft, 1 / fmaxf(fminf(e->rx, e->ry), 1));
    for (int py = a.y1; py < a.y2; py++) {
        for (int px = a.x1; px < a.x2; px++) {
            float dx = (float)px + 0.5f - e->x, dy = (float)py + 0.5f - e->y;
            float u = (c * dx + s * dy) / e->rx, v = (c * dy - s * dx) / e->ry, r2 = u * u + v * v;
            if (r2 >= 1)
                continue;
            float r = sqrtf(r2),
                  light = 1 + e->relief * (0.6f * sqrtf(1 - r2) - 0.5f * (dx / e->rx + dy / e->ry) - 0.3f);
            qmt_canvas_cover(canvas, px, py, qmt_scale(e->color, light), e->alpha * qmt_clamp((1 - r) / rim, 0, 1), 0);
        }
    }
}

void qmt_scene_slab(qmt_canvas *canvas, const qmt_slab *b)
{
    area a = find_area(canvas, b->x, b->y, b->half_width + b->half_height);
    float c = qmt_synth_cosine(b->angle), s = qmt_synth_sine(b->angle);
    for (int py = a.y1; py < a.y2; py++) {
        for (int px = a.x1; px < a.x2; px++) {
            float dx = (float)px + 0.5f - b->x, dy = (float)py + 0.5f - b->y;
            float u = c * dx + s * dy, v = c * dy - s * dx;
            float inside = fminf(b->half_width - fabsf(u), b->half_height - fabsf(v)) + 0.5f;
            if (inside <= 0)
                continue;
            int stripe = (int)((u / b->half_width + 1) * 0.5f * (float)b->stripes);
            qmt_canvas_cover(canvas, px, py, stripe % 2 ? b->color2 : b->color, b->alpha * qmt_clamp(inside, 0, 1), 0);
        }
    }
}
