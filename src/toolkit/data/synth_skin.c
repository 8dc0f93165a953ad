/* What is on the skin: relief, brows, eyes, nose, lips, beard, glasses, mask. */
#include "toolkit/data/synth_face.h"

#include <math.h>

/* How much of a pixel lies inside an edge at signed distance `inside`. */
static float cover(float inside, float pixel)
{
    return qmt_clamp(inside / pixel + 0.5f, 0, 1);
}

float qmt_face_nose(const qmt_synth_face *face, float x, float y)
{
    if (x < -0.3f || x > 0.3f || y < -0.45f || y > 0.5f)
        return 0;
    float size = face->nose_size, wide = face->nose_wide;
    return size * (0.15f * qmt_bell(x, y - face->nose_y + 0.14f, 0.15f * wide, 0.36f) +
                   0.20f * qmt_bell(x, y - face->nose_y + 0.01f, 0.17f * wide, 0.15f));
}

/* One bump of the relief: height * (1 - r^2)^2, its slopes added. */
static void add_bump(float dx, float dy, float rx, float ry, float height, float *slope_x, float *slope_y)
{
    float u = 1 - dx * dx / (rx * rx) - dy * dy / (ry * ry);
    if (u <= 0)
        return;
    *slope_x -= 4 * height * u * dx / (rx * rx);
    *slope_y -= 4 * height * u * dy / (ry * ry);
}

void qmt_face_relief(const qmt_synth_face *face, float x, float y, float *slope_x, float *slope_y)
{
    float side = x < 0 ? -x : x, sx = 0, sy = 0; /* the face is the same on both sides */
    add_bump(side - face->eye_x, y - face->eye_y + 0.02f, 0.26f, 0.19f, -0.075f, &sx, &sy);
    add_bump(side - face->eye_x, y - face->eye_y, 0.17f, 0.13f, 0.045f, &sx, &sy); /* the eyeball */
    add_bump(side - 0.27f, y - face->brow_y, 0.34f, 0.15f, 0.04f, &sx, &sy);
    add_bump(side - 0.46f, y - 0.12f, 0.30f, 0.28f, 0.045f + 0.3f * face->smile, &sx, &sy);
    add_bump(side - 0.135f * face->nose_wide, y - face->nose_y - 0.035f, 0.10f, 0.10f, 0.05f, &sx, &sy);
    add_bump(side, y - face->mouth_y, 0.40f, 0.32f, 0.06f, &sx, &sy);
    add_bump(side, y - face->mouth_y + 0.05f, 0.24f, 0.06f, 0.02f, &sx, &sy);
    add_bump(side, y - face->mouth_y - 0.08f, 0.21f, 0.08f, 0.03f, &sx, &sy);
    add_bump(side, y - face->mouth_y - 0.2f, 0.2f, 0.08f, -0.025f, &sx, &sy);
    add_bump(side, y - 0.87f, 0.24f, 0.17f, 0.05f, &sx, &sy);
    add_bump(side, y - face->mouth_y + 0.16f, 0.05f, 0.1f, -0.012f, &sx, &sy);
    *slope_x = x < 0 ? -sx : sx;
    *slope_y = sy;
}

static qmt_vec eye_color(const qmt_synth_face *face, float dx, float dy, float pixel, float *shine)
{
    float gx = dx - face->gaze_x, gy = dy - face->gaze_y, radius = 0.082f, r = sqrtf(gx * gx + gy * gy);
    float rim = qmt_smooth(0, 0.17f, dx < 0 ? -dx : dx);
    qmt_vec color = qmt_mix((qmt_vec){0.93f, 0.91f, 0.89f}, (qmt_vec){0.72f, 0.58f, 0.55f}, 0.6f * rim);
    qmt_vec iris = qmt_mix(face->iris, (qmt_vec){0.05f, 0.04f, 0.04f}, qmt_smooth(0.6f * radius, radius, r) * 0.7f);
    color = qmt_mix(color, iris, cover(radius - r, pixel));
    color = qmt_mix(color, (qmt_vec){0.02f, 0.02f, 0.02f}, cover(0.038f - r, pixel));
    /* The lids' shadow. */
    color = qmt_scale(color, 1 - 0.4f * qmt_smooth(0.01f, -face->eye_open, dy));
    float hx = gx + 0.03f, hy = gy + 0.03f;
    color = qmt_mix(color, (qmt_vec){1, 1, 1}, 0.9f * cover(0.018f - sqrtf(hx * hx + hy * hy), pixel));
    *shine = 0.1f;
    return color;
}

/* The eye whose middle is at 0, 0; dx grows toward the ear. */
static qmt_vec paint_eye(const qmt_synth_face *face, qmt_vec color, float dx, float dy, bool left, float pixel,
                         float *shine)
{
    const float w = face->eye_width;
    float reach = 1 - dx * dx / (w * w), tilt = -0.1f * dx; /* the outer corner is a little higher */
    float at = dy - tilt;
    if (reach < -0.9f || at < -0.3f || at > 0.25f)
        return color;
    float arch = reach > 0 ? reach : 0, upper = -face->eye_open * sqrtf(arch) * 1.05f,
          lower = 0.75f * face->eye_open * arch;
    /* The crease above the lid, the lid, and the bag below. */
    float crease = at - upper + 0.055f;
    color = qmt_scale(color, 1 - 0.3f * qmt_bell(crease, 0, 0.03f, 1) * qmt_smooth(-0.3f, 0.3f, reach));
    color = qmt_scale(color, 1 - 0.18f * face->age * qmt_bell(at - lower - 0.08f, 0, 0.035f, 1) * arch);
    float inside = fminf(at - upper, lower - at);
    float opened = reach > 0 ? cover(inside, pixel) : 0;
    if (opened > 0) {
        float ignored, *own = opened > 0.5f ? shine : &ignored;
        color = qmt_mix(color, eye_color(face, left ? -dx : dx, dy, pixel, own), opened);
    }
    /* Lashes: a dark line along the upper lid, thicker outside, and a faint one below. */
    float thick = 0.022f + 0.012f * qmt_clamp(dx / w, -1, 1);
    float lash = cover(thick - fabsf(at - upper), pixel) * qmt_smooth(-0.12f, 0.1f, reach);
    color = qmt_mix(color, (qmt_vec){0.09f, 0.06f, 0.05f}, 0.85f * lash);
    lash = cover(0.011f - fabsf(at - lower), pixel) * qmt_smooth(0, 0.4f, reach);
    return qmt_mix(color, qmt_scale(face->skin, 0.45f), 0.6f * lash);
}

static qmt_vec paint_brow(const qmt_synth_face *face, qmt_vec color, float side, float y, float pixel)
{
    float dx = (side - face->eye_x - 0.02f) / 0.235f;
    if (dx < -1 || dx > 1)
        return color;
    float middle = face->brow_y + face->brow_tilt * dx - face->brow_arch * (1 - (dx - 0.1f) * (dx - 0.1f));
    float thick = face->brow_thick * (dx < 0 ? 1 : 1 - 0.75f * dx) * sqrtf(fmaxf(1 - dx * dx * dx * dx, 0));
    float hairs = 0.75f + 0.5f * qmt_synth_noise(side * 60 + y * 40, y * 14, face->seed + 3);
    float share = cover(thick - fabsf(y - middle), pixel > 0.02f ? pixel : 0.02f) * qmt_clamp(hairs, 0, 1);
    return qmt_mix(color, qmt_scale(face->hair_color, 0.7f), face->brow_dark * share);
}

static qmt_vec paint_nose(const qmt_synth_face *face, qmt_vec color, float side, float y, float pixel)
{
    float wide = face->nose_wide, dy = y - face->nose_y;
    color = qmt_scale(color, 1 - 0.28f * qmt_bell(side, dy - 0.12f, 0.2f * wide, 0.08f));
    color = qmt_scale(color, 1 - 0.2f * qmt_bell(side - 0.19f * wide, dy - 0.04f, 0.05f, 0.12f)); /* the wing's fold */
    float nostril = qmt_bell(side - 0.075f * wide, dy - 0.085f, 0.06f * wide, 0.036f);
    return qmt_mix(color, qmt_scale(face->skin, 0.2f), qmt_smooth(0.05f, 0.5f + pixel, nostril) * 0.85f);
}

static qmt_vec mouth_inside(const qmt_synth_face *face, float side, float below_upper, float gap)
{
    qmt_vec dark = {0.2f, 0.06f, 0.06f};
    if (below_upper > 0.62f * gap || side > 0.8f * face->mouth_width)
        return dark;
    float u = side * 14, tooth = u - (float)(int)u; /* the gaps between teeth */
    float white = 0.86f - 0.12f * qmt_bell(tooth - 0.5f, 0, 0.5f, 1) - 0.3f * qmt_smooth(0.1f, 0.25f, side);
    return (qmt_vec){white, 0.96f * white, 0.88f * white};
}

static qmt_vec paint_mouth(const qmt_synth_face *face, qmt_vec color, float side, float y, float pixel, float *shine)
{
    float w = face->mouth_width, u = side / w, dy = y - face->mouth_y;
    if (u > 1.35f || dy < -0.25f || dy > 0.4f)
        return color;
    float arch = fmaxf(1 - u * u, 0), line = -face->smile * u * u, gap = face->mouth_open * arch;
    float bow = 1 - 0.3f * qmt_bell(u, 0, 0.35f, 1);
    float top = line - face->lip_upper * arch * bow, middle = line + gap;
    float bottom = middle + face->lip_lower * sqrtf(arch) * (0.4f + 0.6f * arch);
    color = qmt_scale(color, 1 - 0.16f * qmt_bell(side, dy - bottom - 0.05f, 0.2f, 0.06f));
    color = qmt_scale(color, 1 - 0.25f * qmt_bell(u - 1.03f, dy + face->smile, 0.14f, 0.05f)); /* the corners */
    float upper = fminf(dy - top, line - dy), lower = fminf(dy - middle, bottom - dy);
    if (u < 1) {
        qmt_vec lip = qmt_scale(face->lip, 0.86f);
        float grain = 0.92f + 0.16f * qmt_synth_noise(side * 50, y * 8, face->seed + 5);
        color = qmt_mix(color, qmt_scale(lip, grain), cover(upper, pixel));
        color = qmt_mix(color, qmt_scale(face->lip, grain + 0.06f), cover(lower, pixel));
        if (lower > 0)
            *shine += 0.15f;
        if (gap > 0)
            color =
                qmt_mix(color, mouth_inside(face, side, dy - line, gap), cover(fminf(dy - line, middle - dy), pixel));
    }
    /* The line between the lips reaches a little past them. */
    float thick = 0.013f * (1.1f - qmt_clamp(u, 0, 1));
    float dark = cover(thick + 0.004f - fabsf(dy - line), pixel) * qmt_smooth(1.12f, 0.95f, u);
    return qmt_mix(color, qmt_scale(face->lip, 0.3f), 0.8f * dark);
}

static qmt_vec paint_beard(const qmt_synth_face *face, qmt_vec color, float side, float y)
{
    if (y < -0.1f || face->stubble + face->beard + face->moustache <= 0)
        return color;
    float edge = 0.1f * (qmt_synth_noise(side * 9, y * 9, face->seed + 7) - 0.5f);
    float jaw = qmt_smooth(0.26f, 0.42f, y + edge + 0.55f * qmt_smooth(0.3f, 0.62f, side) - 0.1f) *
                (1 - qmt_bell(side, y - face->mouth_y, 1.25f * face->mouth_width, 0.16f));
    jaw *= qmt_smooth(0.30f, 0.36f, side + 0.5f * qmt_smooth(face->mouth_y + 0.08f, face->mouth_y + 0.2f, y));
    float lip = qmt_smooth(0.05f, 0.35f,
                           qmt_bell(side, y - face->mouth_y + 0.17f + edge * 0.3f, 1.15f * face->mouth_width, 0.13f)) *
                qmt_smooth(face->mouth_y - 0.03f, face->mouth_y - 0.08f, y);
    float hairs = 0.55f + 0.6f * qmt_synth_noise(side * 55, y * 28, face->seed + 9);
    float share =
        fmaxf(fmaxf(jaw, lip) * face->stubble * 0.45f, fmaxf(jaw * face->beard, lip * face->moustache)) * hairs;
    return qmt_mix(color, qmt_scale(face->hair_color, 0.75f), qmt_clamp(share, 0, 0.95f));
}

static qmt_vec paint_eyewear(const qmt_synth_face *face, qmt_vec color, float side, float y, float pixel, float *shine)
{
    if (face->eyewear == QMT_EYES_FREE || y < face->eye_y - 0.4f || y > face->eye_y + 0.4f)
        return color;
    bool dark = face->eyewear == QMT_SUNGLASSES;
    const float rx = dark ? 0.26f : 0.235f, ry = dark ? 0.2f : 0.175f;
    float dx = (side - face->eye_x - 0.01f) / rx, dy = (y - face->eye_y - 0.03f) / ry;
    float r2 = dx * dx * dx * dx + dy * dy * dy * dy, inside = (1 - sqrtf(sqrtf(r2))) * ry; /* rounded rectangles */
    qmt_vec frame = qmt_mix((qmt_vec){0.05f, 0.05f, 0.06f}, face->cloth2, (float)(face->seed % 5 == 0));
    if (dark) {
        qmt_vec lens = qmt_mix((qmt_vec){0.04f, 0.04f, 0.05f}, (qmt_vec){0.25f, 0.27f, 0.3f},
                               qmt_smooth(0.6f, -1, dy + 0.5f * dx));
        color = qmt_mix(color, lens, 0.95f * cover(inside, pixel));
        if (inside > 0)
            *shine = 0.3f;
    } else if (inside > 0) {
        color = qmt_mix(color, (qmt_vec){1, 1, 1}, 0.16f * qmt_smooth(0.1f, 0.0f, fabsf(dx - 0.6f * dy - 0.2f)));
    }
    color = qmt_mix(color, frame, cover(0.019f - fabsf(inside), pixel));
    float bridge = face->eye_x - rx;
    if (side < bridge + 0.02f || dx > 1)
        color = qmt_mix(color, frame, cover(0.017f - fabsf(y - face->eye_y + (dx > 1 ? 0.05f : 0.02f)), pixel));
    return color;
}

static qmt_vec paint_mask(const qmt_synth_face *face, qmt_vec color, float side, float y, float pixel)
{
    if (!face->mask)
        return color;
    float top = face->nose_y - 0.2f + 0.32f * side * side, bottom = 1.05f;
    float fold = y * 7, pleat = fold - (float)(int)(fold + 8) + 8;
    qmt_vec cloth = qmt_scale(face->cloth2, 1 - 0.14f * qmt_smooth(0.7f, 1, pleat) * (float)(y > face->nose_y + 0.1f));
    color = qmt_mix(color, cloth, cover(fminf(fminf(y - top, bottom - y), 0.62f - side + 0.1f * y), pixel));
    float strap = fabsf(y - top - (side - 0.5f) * -0.3f);
    return side > 0.55f ? qmt_mix(color, cloth, cover(0.015f - strap, pixel)) : color;
}

qmt_vec qmt_face_color(const qmt_synth_face *face, float x, float y, float pixel, float *shine)
{
    float side = x < 0 ? -x : x;
    float mottle = qmt_synth_noise(x * 7 + 3, y * 7, face->seed),
          pores = qmt_synth_noise(x * 38, y * 38, face->seed + 1);
    qmt_vec color = qmt_scale(face->skin, 0.93f + 0.09f * mottle + 0.05f * pores);
    qmt_vec red = {1.08f, 0.8f, 0.78f};
    float blush = qmt_bell(side - 0.42f, y - 0.18f, 0.32f, 0.3f) + 0.6f * qmt_bell(x, y - face->nose_y, 0.18f, 0.16f);
    color = qmt_mix(color, qmt_multiply(color, red), qmt_clamp(face->blush * blush, 0, 1));
    float socket = qmt_bell(side - face->eye_x + 0.03f, y - face->eye_y + 0.05f, 0.25f, 0.17f);
    color = qmt_mix(color, qmt_multiply(color, (qmt_vec){0.66f, 0.6f, 0.6f}), 0.6f * socket);
    color = qmt_scale(color, 1 - 0.12f * qmt_bell(side - face->eye_x, y - face->eye_y - 0.15f, 0.2f, 0.07f));
    /* The fold from the nose to the corner of the mouth, and lines on the brow. */
    float fold = side - 0.2f * face->nose_wide - 0.42f * (y - face->nose_y) - 0.4f * face->smile;
    color = qmt_scale(color, 1 - (0.07f + 0.2f * face->age + 1.2f * face->smile) *
                                     qmt_bell(fold, y - face->nose_y - 0.18f, 0.05f, 0.26f));
    color = qmt_scale(color, 1 - 0.12f * face->age * qmt_bell(side, y + 0.7f, 0.5f, 0.2f) *
                                     qmt_smooth(0.6f, 0.9f, qmt_synth_noise(x, y * 18, face->seed + 2)));
    *shine = face->shine * (0.6f + 0.8f * pores);
    color = paint_nose(face, color, side, y, pixel);
    color = paint_beard(face, color, side, y);
    color = paint_mouth(face, color, side, y, pixel, shine);
    color = paint_eye(face, color, side - face->eye_x, y - face->eye_y, x < 0, pixel, shine);
    color = paint_brow(face, color, side, y, pixel);
    color = paint_mask(face, color, side, y, pixel);
    return paint_eyewear(face, color, side, y, pixel, shine);
}
