#include "toolkit/data/augment.h"
#include "toolkit/data/augment_math.h"
#include "toolkit/data/augment_steps.h"

#include <math.h>
#include <string.h>

enum { lowest_quality = 30, highest_quality = 90 };

/* A sample under way. */
struct work {
    const qmt_augment_config *config;
    int side;
    const qmt_sample *sample;
    qmt_random *random;
    uint8_t *pixels;
    float *box, *landmarks;
    void *scratch; /* qmt_blur_floats() floats */
    const double *logarithms;
    unsigned made;
};

void qmt_augmenter_clear(qmt_augmenter *augmenter)
{
    qmt_free(augmenter->memory);
    memset(augmenter, 0, sizeof *augmenter);
}

const char *qmt_augmentation_name(qmt_augmentation augmentation)
{
    switch (augmentation) {
    case QMT_MIRROR: return "mirror";
    case QMT_COLOR: return "color";
    case QMT_GAMMA: return "gamma";
    case QMT_GRAY: return "gray";
    case QMT_BLUR: return "blur";
    case QMT_JPEG: return "jpeg";
    case QMT_ROTATE: return "rotate";
    case QMT_NOISE: return "noise";
    case QMT_OCCLUDE: return "occlude";
    }
    return "unknown";
}

static bool happens(struct work *work, float chance, qmt_augmentation augmentation)
{
    if (chance <= 0 || qmt_random_float(work->random) >= chance)
        return false;
    work->made |= (unsigned)augmentation;
    return true;
}

static size_t crop_bytes(const struct work *work)
{
    return (size_t)work->side * (size_t)work->side * 3;
}

/* Mirror and rotation: pixels and targets. */
static void move(struct work *work)
{
    bool has_box = work->sample->sample_class != QMT_NEGATIVE;
    bool has_landmarks = work->sample->sample_class == QMT_LANDMARK;
    if (happens(work, work->config->mirror, QMT_MIRROR)) {
        qmt_crop_mirror(work->side, work->sample->pixels, work->pixels);
        if (has_box)
            qmt_box_mirror(work->box);
        if (has_landmarks)
            qmt_landmarks_mirror(work->landmarks);
    } else {
        memcpy(work->pixels, work->sample->pixels, crop_bytes(work));
    }
    if (happens(work, work->config->rotate, QMT_ROTATE)) {
        qmt_rotation rotation;
        float limit = work->config->rotate_degrees > 45 ? 45 : work->config->rotate_degrees;
        qmt_sine_cosine(qmt_random_range(work->random, -limit, limit), &rotation.sine, &rotation.cosine);
        memcpy(work->scratch, work->pixels, crop_bytes(work));
        qmt_crop_rotate(&rotation, work->side, work->scratch, work->pixels);
        if (has_box)
            qmt_box_rotate(&rotation, work->box);
        if (has_landmarks)
            qmt_landmarks_rotate(&rotation, work->landmarks);
    }
}

/* A side of the patch: up to `strength` of the crop's. */
static int patch_side(struct work *work)
{
    const float most = work->config->occlude_strength;
    int side = (int)(qmt_random_range(work->random, fminf(0.1f, most), most) * (float)work->side);
    return side < 1 ? 1 : side > work->side ? work->side : side;
}

static void occlude(struct work *work)
{
    if (!happens(work, work->config->occlude, QMT_OCCLUDE))
        return;
    uint8_t color[3];
    int width = patch_side(work), height = patch_side(work);
    int x = (int)qmt_random_below(work->random, (uint64_t)(work->side - width + 1));
    int y = (int)qmt_random_below(work->random, (uint64_t)(work->side - height + 1));
    for (int c = 0; c < 3; c++)
        color[c] = (uint8_t)qmt_random_below(work->random, 256);
    qmt_crop_patch(work->side, work->pixels, x, y, width, height, color);
}

static void recolor(struct work *work)
{
    const qmt_augment_config *config = work->config;
    if (happens(work, config->color, QMT_COLOR)) {
        float factors[3];
        for (int i = 0; i < 3; i++)
            factors[i] = 1 + qmt_random_range(work->random, -config->color_strength, config->color_strength);
        qmt_crop_color(work->side, work->pixels, factors[0], factors[1], factors[2]);
    }
    if (happens(work, config->gamma, QMT_GAMMA)) {
        float factor = 1 + qmt_random_range(work->random, 0, config->gamma_strength);
        bool darker = qmt_random_below(work->random, 2) == 1;
        qmt_crop_gamma(work->side, work->pixels, darker ? factor : 1 / factor, work->logarithms);
    }
    if (happens(work, config->gray, QMT_GRAY))
        qmt_crop_gray(work->side, work->pixels);
}

/* What lens, sensor and compression do. */
static qmtcnn_status degrade(struct work *work, qmtcnn_error *error)
{
    const qmt_augment_config *config = work->config;
    if (happens(work, config->blur, QMT_BLUR)) {
        /* The strength is for a 48-pixel crop: a smaller one shows the same face with fewer pixels. */
        float most = config->blur_strength * (float)work->side / 48;
        float sigma = qmt_random_range(work->random, 0.1f * most, most);
        if (sigma > 0)
            qmt_crop_blur(work->side, work->pixels, sigma, work->scratch);
    }
    if (happens(work, config->noise, QMT_NOISE))
        qmt_crop_noise(work->side, work->pixels, qmt_random_range(work->random, 0, config->noise_strength),
                       work->random);
    if (!happens(work, config->jpeg, QMT_JPEG))
        return QMTCNN_OK;
    int quality = lowest_quality + (int)qmt_random_below(work->random, highest_quality - lowest_quality + 1);
    return qmt_crop_jpeg(work->side, work->pixels, quality, error);
}

static qmtcnn_status make_room(qmt_augmenter *augmenter, int side, qmtcnn_error *error)
{
    size_t needed = qmt_blur_floats(side) * sizeof(float);
    if (augmenter->size >= needed)
        return QMTCNN_OK;
    void *memory = qmt_alloc(needed, 1);
    if (!memory)
        return qmt_fail_memory(error, needed, "augmentation");
    if (!augmenter->memory)
        qmt_pixel_logarithms(augmenter->logarithms);
    qmt_free(augmenter->memory);
    augmenter->memory = memory;
    augmenter->size = needed;
    return QMTCNN_OK;
}

qmtcnn_status qmt_augment(qmt_augmenter *augmenter, const qmt_augment_config *config, int side,
                          const qmt_sample *sample, qmt_random *random, uint8_t *pixels, float box[4],
                          float landmarks[10], unsigned *made, qmtcnn_error *error)
{
    qmtcnn_status status = make_room(augmenter, side, error);
    if (status != QMTCNN_OK)
        return status;
    struct work work = {.config = config,
                        .side = side,
                        .sample = sample,
                        .random = random,
                        .pixels = pixels,
                        .box = box,
                        .landmarks = landmarks,
                        .scratch = augmenter->memory,
                        .logarithms = augmenter->logarithms};
    memcpy(box, sample->box, sizeof sample->box);
    memcpy(landmarks, sample->landmarks, sizeof sample->landmarks);
    move(&work);
    occlude(&work);
    recolor(&work);
    status = degrade(&work, error);
    if (made)
        *made = work.made;
    return status;
}
