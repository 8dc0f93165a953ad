/* Who a synthetic person is: all that is drawn by chance. */
#include "toolkit/data/synth_face.h"

static const qmt_vec skin_tones[] = {{0.98f, 0.83f, 0.74f}, {0.94f, 0.76f, 0.65f}, {0.89f, 0.69f, 0.55f},
                                     {0.81f, 0.60f, 0.46f}, {0.70f, 0.49f, 0.36f}, {0.56f, 0.38f, 0.27f},
                                     {0.42f, 0.28f, 0.21f}, {0.31f, 0.21f, 0.16f}};
static const qmt_vec hair_colors[] = {{0.06f, 0.05f, 0.05f}, {0.13f, 0.09f, 0.07f}, {0.24f, 0.15f, 0.10f},
                                      {0.36f, 0.23f, 0.14f}, {0.55f, 0.38f, 0.20f}, {0.80f, 0.66f, 0.42f},
                                      {0.48f, 0.20f, 0.09f}, {0.55f, 0.54f, 0.53f}, {0.86f, 0.86f, 0.85f}};
static const qmt_vec iris_colors[] = {
    {0.20f, 0.11f, 0.06f}, {0.32f, 0.19f, 0.10f}, {0.35f, 0.36f, 0.18f}, {0.30f, 0.45f, 0.58f}, {0.42f, 0.46f, 0.47f}};

enum {
    skin_count = sizeof skin_tones / sizeof *skin_tones,
    hair_count = sizeof hair_colors / sizeof *hair_colors,
    iris_count = sizeof iris_colors / sizeof *iris_colors
};

static bool chance(qmt_random *random, float probability)
{
    return qmt_random_float(random) < probability;
}

/* In [middle - reach, middle + reach], the middle likelier. */
static float around(qmt_random *random, float middle, float reach)
{
    float a = qmt_random_float(random), b = qmt_random_float(random);
    return middle + reach * (a + b - 1);
}

static qmt_vec any_color(qmt_random *random)
{
    qmt_vec color = {qmt_random_float(random), qmt_random_float(random), qmt_random_float(random)};
    float gray = (color.x + color.y + color.z) / 3, share = qmt_random_range(random, 0.2f, 0.9f);
    return qmt_scale(qmt_mix((qmt_vec){gray, gray, gray}, color, share), qmt_random_range(random, 0.4f, 1));
}

static void choose_colors(qmt_synth_face *face, qmt_random *random)
{
    float tone = qmt_random_float(random) * (skin_count - 1.001f);
    int i = (int)tone;
    float fraction = tone - (float)i;
    face->skin = qmt_mix(skin_tones[i], skin_tones[i + 1], fraction);
    /* Light hair is likelier with light skin. */
    int choices = tone < 2.5f ? hair_count : 4;
    face->hair_color = hair_colors[qmt_random_below(random, (uint64_t)choices)];
    if (choices == 4 && chance(random, 0.1f))
        face->hair_color = hair_colors[7 + qmt_random_below(random, 2)];
    face->hair_color = qmt_scale(face->hair_color, around(random, 1, 0.2f));
    face->iris = iris_colors[qmt_random_below(random, tone < 3 ? iris_count : 2)];
    qmt_vec lip = qmt_multiply(face->skin, (qmt_vec){0.92f, 0.66f, 0.66f});
    face->lip =
        chance(random, 0.25f) ? qmt_mix(lip, (qmt_vec){0.72f, 0.16f, 0.2f}, qmt_random_range(random, 0.3f, 0.9f)) : lip;
    face->cloth = any_color(random);
    face->cloth2 = chance(random, 0.5f) ? (qmt_vec){0.82f, 0.88f, 0.93f} : any_color(random);
    face->cloth_pattern = (int)qmt_random_below(random, 6);
    face->shine = qmt_random_range(random, 0.02f, 0.22f);
    face->blush = qmt_random_range(random, 0.1f, 0.7f);
}

static void choose_features(qmt_synth_face *face, qmt_random *random)
{
    face->age = chance(random, 0.3f) ? qmt_random_range(random, 0.4f, 1) : qmt_random_range(random, 0, 0.3f);
    face->eye_x = around(random, 0.312f, 0.03f);
    face->eye_y = around(random, -0.2f, 0.04f);
    face->eye_width = around(random, 0.155f, 0.025f);
    face->eye_open = chance(random, 0.06f) ? 0.012f : around(random, 0.072f, 0.028f);
    face->gaze_x = around(random, 0, 0.04f);
    face->gaze_y = around(random, -0.008f, 0.015f);
    face->brow_y = face->eye_y - around(random, 0.175f, 0.03f);
    face->brow_arch = around(random, 0.045f, 0.04f);
    face->brow_tilt = around(random, 0.012f, 0.03f);
    face->brow_thick = around(random, 0.036f, 0.018f);
    face->brow_dark = qmt_random_range(random, 0.55f, 0.95f);
    face->nose_y = around(random, 0.16f, 0.045f);
    face->nose_size = around(random, 1, 0.25f);
    face->nose_wide = around(random, 1.05f, 0.25f);
    face->mouth_y = around(random, 0.525f, 0.03f);
    face->mouth_width = around(random, 0.262f, 0.045f);
    face->lip_upper = around(random, 0.052f, 0.022f);
    face->lip_lower = around(random, 0.082f, 0.03f);
    face->smile = chance(random, 0.5f) ? qmt_random_range(random, 0.02f, 0.085f) : around(random, 0, 0.02f);
    face->mouth_open = chance(random, face->smile > 0.03f ? 0.6f : 0.15f) ? qmt_random_range(random, 0.03f, 0.11f) : 0;
    if (face->smile > 0.02f)
        face->mouth_width += 0.035f;
}

static void choose_hair(qmt_synth_face *face, qmt_random *random)
{
    static const float volumes[qmt_hair_style_count] = {0, 0.09f, 0.13f, 0.14f, 0.27f, 0.09f, 0.09f, 0.1f};
    static const float shares[qmt_hair_style_count] = {0.07f, 0.33f, 0.14f, 0.24f, 0.06f, 0.05f, 0.06f, 0.05f};
    float at = qmt_random_float(random);
    face->hair = QMT_HAIR_SHORT;
    for (int i = 0; i < qmt_hair_style_count; at -= shares[i++]) {
        if (at < shares[i]) {
            face->hair = (qmt_hair_style)i;
            break;
        }
    }
    face->hair_volume = volumes[face->hair] * around(random, 1, 0.4f);
    face->hairline = -1 + around(random, 0.02f, 0.08f);
    face->side_length = qmt_random_range(random, -0.15f, 0.25f);
    bool beardless = face->hair == QMT_HAIR_LONG || face->hair == QMT_HAIR_SCARF || face->hair == QMT_HAIR_FRINGE;
    if (!beardless && chance(random, 0.45f)) {
        face->stubble = qmt_random_range(random, 0, 0.8f);
        face->beard = chance(random, 0.35f) ? qmt_random_range(random, 0.4f, 1) : 0;
        face->moustache = face->beard > 0 || chance(random, 0.2f) ? qmt_random_range(random, 0.4f, 0.95f) : 0;
    }
    float wear = qmt_random_float(random);
    face->eyewear = wear < 0.16f ? QMT_GLASSES : wear < 0.21f ? QMT_SUNGLASSES : QMT_EYES_FREE;
    face->mask = chance(random, 0.05f);
}

void qmt_face_random(qmt_synth_face *face, qmt_random *random, float extreme)
{
    *face = (qmt_synth_face){.seed = (uint32_t)qmt_random_next(random)};
    face->yaw = around(random, 0, 0.25f + 0.75f * extreme);
    face->pitch = around(random, 0, 0.12f + 0.3f * extreme);
    face->roll = around(random, 0, 0.15f + 0.4f * extreme);
    qmt_face_shape(face, around(random, 1, 0.08f), around(random, 1, 0.9f), around(random, 1, 0.8f));
    choose_colors(face, random);
    choose_features(face, random);
    choose_hair(face, random);
    face->shoulder_y = around(random, 1.42f, 0.1f);
    face->shoulder_width = around(random, 1.75f, 0.3f);
    face->light = (qmt_vec){0, -0.4f, 0.9f};
    face->light_color = (qmt_vec){0.7f, 0.7f, 0.7f};
    face->ambient = 0.45f;
}
