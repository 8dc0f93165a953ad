#include "toolkit/data/augment_steps.h"

#include <math.h>
#include <string.h>

void qmt_crop_mirror(int side, const uint8_t *source, uint8_t *target)
{
    for (int y = 0; y < side; y++) {
        const uint8_t *from = source + (size_t)y * (size_t)side * 3 + (size_t)(side - 1) * 3;
        uint8_t *to = target + (size_t)y * (size_t)side * 3;
        for (int x = 0; x < side; x++, from -= 3, to += 3) {
            to[0] = from[0];
            to[1] = from[1];
            to[2] = from[2];
        }
    }
}

/* Offsets are measured from the crop's own corners: the left one becomes the right one, seen from the other side. */
void qmt_box_mirror(float box[4])
{
    float left = box[0];
    box[0] = -box[2];
    box[2] = -left;
}

static void swap_points(float *a, float *b)
{
    for (int i = 0; i < 2; i++) {
        float kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

void qmt_landmarks_mirror(float landmarks[10])
{
    for (int i = 0; i < 5; i++)
        landmarks[2 * i] = 1 - landmarks[2 * i];
    swap_points(landmarks, landmarks + 2);     /* eyes */
    swap_points(landmarks + 6, landmarks + 8); /* corners of the mouth */
}

static double clamp(double value, double high)
{
    return value < 0 ? 0 : value > high ? high : value;
}

void qmt_crop_rotate(const qmt_rotation *rotation, int side, const uint8_t *source, uint8_t *target)
{
    double center = 0.5 * (side - 1);
    size_t stride = (size_t)side * 3;
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++, target += 3) {
            /* Where this pixel comes from: turned back. */
            double dx = x - center, dy = y - center;
            double sx = clamp(center + rotation->cosine * dx + rotation->sine * dy, side - 1);
            double sy = clamp(center - rotation->sine * dx + rotation->cosine * dy, side - 1);
            int x0 = (int)sx, y0 = (int)sy;
            float fx = (float)(sx - x0), fy = (float)(sy - y0);
            const uint8_t *top = source + (size_t)y0 * stride + (size_t)x0 * 3;
            const uint8_t *bottom = y0 + 1 < side ? top + stride : top;
            size_t right = x0 + 1 < side ? 3 : 0;
            for (size_t c = 0; c < 3; c++) {
                float above = (float)top[c] + fx * ((float)top[right + c] - (float)top[c]);
                float below = (float)bottom[c] + fx * ((float)bottom[right + c] - (float)bottom[c]);
                target[c] = (uint8_t)(above + fy * (below - above) + 0.5f);
            }
        }
    }
}

/* Turns a point, in sides of the crop, about the center. */
static void rotate_point(const qmt_rotation *rotation, double *x, double *y)
{
    double dx = *x - 0.5, dy = *y - 0.5;
    *x = 0.5 + rotation->cosine * dx - rotation->sine * dy;
    *y = 0.5 + rotation->sine * dx + rotation->cosine * dy;
}

/* The box around turned corners would grow with every degree although the face does not. A face is nearer to the
 * ellipse in its box, whose turned extent is sqrt((a cos)^2 + (b sin)^2) by sqrt((a sin)^2 + (b cos)^2). */
void qmt_box_rotate(const qmt_rotation *rotation, float box[4])
{
    double x1 = box[0], y1 = box[1], x2 = 1 + (double)box[2], y2 = 1 + (double)box[3];
    double x = 0.5 * (x1 + x2), y = 0.5 * (y1 + y2), a = 0.5 * (x2 - x1), b = 0.5 * (y2 - y1);
    double ac = a * rotation->cosine, as = a * rotation->sine, bc = b * rotation->cosine, bs = b * rotation->sine;
    double half_width = sqrt(ac * ac + bs * bs), half_height = sqrt(as * as + bc * bc);
    rotate_point(rotation, &x, &y);
    box[0] = (float)(x - half_width);
    box[1] = (float)(y - half_height);
    box[2] = (float)(x + half_width - 1);
    box[3] = (float)(y + half_height - 1);
}

void qmt_landmarks_rotate(const qmt_rotation *rotation, float landmarks[10])
{
    for (int i = 0; i < 5; i++) {
        double x = landmarks[2 * i], y = landmarks[2 * i + 1];
        rotate_point(rotation, &x, &y);
        landmarks[2 * i] = (float)x;
        landmarks[2 * i + 1] = (float)y;
    }
}
