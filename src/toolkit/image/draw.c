#include "toolkit/image/font.h"
#include "toolkit/image/image.h"

#include <math.h>
#include <string.h>

static void set_pixel(qmt_image *image, int x, int y, qmt_color color)
{
    if (x < 0 || y < 0 || x >= image->width || y >= image->height)
        return;
    uint8_t *p = image->data + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
    p[0] = color.r;
    p[1] = color.g;
    p[2] = color.b;
}

/* Any float, also NaN or a far too large one, as a pixel position that sums can be taken of. */
static int to_pixel(float value)
{
    enum { far = 1 << 24 };
    if (!(value > -(float)far))
        return -far;
    return value < (float)far ? (int)lrintf(value) : far;
}

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* Pixels [x1, x2) x [y1, y2). */
static void fill(qmt_image *image, int x1, int y1, int x2, int y2, qmt_color color)
{
    x1 = clamp(x1, 0, image->width);
    x2 = clamp(x2, 0, image->width);
    y1 = clamp(y1, 0, image->height);
    y2 = clamp(y2, 0, image->height);
    for (int y = y1; y < y2; y++)
        for (int x = x1; x < x2; x++)
            set_pixel(image, x, y, color);
}

void qmt_draw_box(qmt_image *image, float x, float y, float width, float height, int thickness, qmt_color color)
{
    int x1 = to_pixel(x), y1 = to_pixel(y), x2 = to_pixel(x + width), y2 = to_pixel(y + height);
    thickness = clamp(thickness, 1, 1024);
    if (x2 <= x1 || y2 <= y1)
        return;
    fill(image, x1, y1, x2, y1 + thickness < y2 ? y1 + thickness : y2, color);
    fill(image, x1, y2 - thickness > y1 ? y2 - thickness : y1, x2, y2, color);
    fill(image, x1, y1, x1 + thickness < x2 ? x1 + thickness : x2, y2, color);
    fill(image, x2 - thickness > x1 ? x2 - thickness : x1, y1, x2, y2, color);
}

void qmt_draw_dot(qmt_image *image, float x, float y, float radius, qmt_color color)
{
    if (!isfinite(x) || !isfinite(y) || !(radius >= 0))
        return;
    int x1 = clamp(to_pixel(x - radius), 0, image->width), x2 = clamp(to_pixel(x + radius) + 1, 0, image->width);
    int y1 = clamp(to_pixel(y - radius), 0, image->height), y2 = clamp(to_pixel(y + radius) + 1, 0, image->height);
    float reach = radius > 0.7f ? radius : 0.7f; /* so that the smallest dot is at least one pixel */
    for (int py = y1; py < y2; py++) {
        for (int px = x1; px < x2; px++) {
            float dx = (float)px + 0.5f - x, dy = (float)py + 0.5f - y;
            if (dx * dx + dy * dy <= reach * reach)
                set_pixel(image, px, py, color);
        }
    }
}

/* Cuts the line p + t d, t in [low, high], to 0 <= p + t d <= limit along one axis (Liang and Barsky). */
static bool cut(float p, float d, float limit, float *low, float *high)
{
    if (d == 0)
        return p >= 0 && p <= limit;
    float a = -p / d, b = (limit - p) / d;
    *low = fmaxf(*low, fminf(a, b));
    *high = fminf(*high, fmaxf(a, b));
    return *low <= *high;
}

void qmt_draw_line(qmt_image *image, float x1, float y1, float x2, float y2, qmt_color color)
{
    float dx = x2 - x1, dy = y2 - y1, low = 0, high = 1;
    if (!isfinite(x1) || !isfinite(y1) || !isfinite(dx) || !isfinite(dy) ||
        !cut(x1, dx, (float)image->width, &low, &high) || !cut(y1, dy, (float)image->height, &low, &high))
        return;
    int steps = to_pixel(ceilf(fmaxf(fabsf(dx), fabsf(dy)) * (high - low)));
    for (int i = 0; i <= steps; i++) {
        float t = steps > 0 ? low + (high - low) * (float)i / (float)steps : low;
        set_pixel(image, to_pixel(floorf(x1 + t * dx)), to_pixel(floorf(y1 + t * dy)), color);
    }
}

void qmt_draw_text(qmt_image *image, int x, int y, int scale, const char *text, qmt_color color)
{
    scale = clamp(scale, 1, 1024);
    x = clamp(x, -(1 << 24), 1 << 24);
    y = clamp(y, -(1 << 24), 1 << 24);
    for (; *text && x < image->width; text++, x += (qmt_glyph_width + 1) * scale) {
        for (int gy = 0; gy < qmt_glyph_height; gy++)
            for (int gx = 0; gx < qmt_glyph_width; gx++)
                if (qmt_glyph_pixel(*text, gx, gy))
                    fill(image, x + gx * scale, y + gy * scale, x + (gx + 1) * scale, y + (gy + 1) * scale, color);
    }
}

void qmt_draw_image(qmt_image *image, int x, int y, const qmt_image *source)
{
    if (x >= image->width || y >= image->height || x <= -source->width || y <= -source->height)
        return;
    int skip = x < 0 ? -x : 0, columns = source->width - skip;
    if (columns > image->width - (x + skip))
        columns = image->width - (x + skip);
    for (int row = y < 0 ? -y : 0; row < source->height && row < image->height - y; row++)
        memcpy(image->data + ((size_t)(y + row) * (size_t)image->width + (size_t)(x + skip)) * 3,
               source->data + ((size_t)row * (size_t)source->width + (size_t)skip) * 3, (size_t)columns * 3);
}
