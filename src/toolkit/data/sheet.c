#include "toolkit/data/sheet.h"
#include "toolkit/base/file.h"
#include "toolkit/data/augment.h"

#include <string.h>

/* Pixels of a sheet. Boxes may reach past their crop, so each crop has a margin. */
enum {
    crop_side = 96,
    margin = 22,
    cell_side = crop_side + 2 * margin,
    title_height = 16,
    sheet_columns = 12,
    sheet_rows = 8
};

static const qmt_color background = {32, 32, 36}, white = {255, 255, 255}, box_color = {0, 255, 64};
static const qmt_color point_colors[5] = {{255, 64, 64}, {64, 160, 255}, {255, 255, 0}, {255, 0, 255}, {0, 255, 255}};

static qmtcnn_status create_sheet(int columns, int height, qmt_image *sheet, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_image_create(columns * cell_side, height, sheet, error);
    for (int i = 0; status == QMTCNN_OK && i < sheet->width * sheet->height; i++) {
        sheet->data[3 * i] = background.r;
        sheet->data[3 * i + 1] = background.g;
        sheet->data[3 * i + 2] = background.b;
    }
    return status;
}

/* Enlarges without smoothing, so that one sees the pixels that a network sees. The crop lies within the sheet. */
static void draw_crop(qmt_image *sheet, int left, int top, int side, const uint8_t *pixels)
{
    for (int y = 0; y < crop_side; y++) {
        uint8_t *to = sheet->data + ((size_t)(top + y) * (size_t)sheet->width + (size_t)left) * 3;
        const uint8_t *row = pixels + (size_t)(y * side / crop_side) * (size_t)side * 3;
        for (int x = 0; x < crop_side; x++)
            memcpy(to + 3 * x, row + (size_t)(x * side / crop_side) * 3, 3);
    }
}

/* A sample whose cell starts at x, y. */
static void draw_sample(qmt_image *sheet, int x, int y, int side, const qmt_sample *sample)
{
    const float *box = sample->box, scale = crop_side;
    float left = (float)(x + margin), top = (float)(y + margin);
    char text[16];
    draw_crop(sheet, x + margin, y + margin, side, sample->pixels);
    if (sample->sample_class != QMT_NEGATIVE)
        qmt_draw_box(sheet, left + box[0] * scale, top + box[1] * scale, (1 + box[2] - box[0]) * scale,
                     (1 + box[3] - box[1]) * scale, 1, box_color);
    for (int i = 0; sample->sample_class == QMT_LANDMARK && i < 5; i++)
        qmt_draw_dot(sheet, left + sample->landmarks[2 * i] * scale, top + sample->landmarks[2 * i + 1] * scale, 2.5f,
                     point_colors[i]);
    snprintf(text, sizeof text, "%.2f", (double)sample->iou);
    qmt_draw_text(sheet, x + margin, y + cell_side - margin + 3, 1, text, white);
}

/* Sample `index` of `wanted` that are spread evenly over a class. */
static void get_spread(const qmt_store *store, qmt_sample_class sample_class, size_t index, size_t wanted,
                       qmt_sample *sample)
{
    qmt_store_get(store, sample_class, index * qmt_store_count(store, sample_class) / wanted, sample);
}

qmtcnn_status qmt_sheet_class(const qmt_store *store, qmt_sample_class sample_class, int columns, int rows,
                              qmt_image *sheet, qmtcnn_error *error)
{
    size_t count = qmt_store_count(store, sample_class), wanted = (size_t)columns * (size_t)rows;
    char title[128];
    if (wanted > count)
        wanted = count;
    qmtcnn_status status = create_sheet(columns, title_height + rows * cell_side, sheet, error);
    if (status != QMTCNN_OK)
        return status;
    snprintf(title, sizeof title, "%s %s: %zu of %zu samples, with the IoU with the nearest face",
             qmt_net_name(qmt_store_net(store)), qmt_class_name(sample_class), wanted, count);
    qmt_draw_text(sheet, margin, 4, 1, title, white);
    for (size_t i = 0; i < wanted; i++) {
        qmt_sample sample;
        get_spread(store, sample_class, i, wanted, &sample);
        draw_sample(sheet, (int)(i % (size_t)columns) * cell_side,
                    title_height + (int)(i / (size_t)columns) * cell_side, qmt_store_side(store), &sample);
    }
    return QMTCNN_OK;
}

/* Only this augmentation, always. */
static qmt_augment_config only(const qmt_augment_config *config, qmt_augmentation augmentation)
{
    qmt_augment_config result = *config;
    float *const chances[] = {&result.mirror, &result.color,  &result.gamma, &result.gray,   &result.blur,
                              &result.jpeg,   &result.rotate, &result.noise, &result.occlude};
    for (int i = 0; i < (int)(sizeof chances / sizeof *chances); i++)
        *chances[i] = (1 << i) == (int)augmentation ? 1 : 0;
    return result;
}

/* A row of samples and below it the same ones, augmented. */
static qmtcnn_status draw_pair(const qmt_store *store, qmt_augmenter *augmenter, const qmt_augment_config *config,
                               qmt_augmentation augmentation, uint64_t seed, int top, qmt_image *sheet,
                               qmtcnn_error *error)
{
    qmt_sample_class sample_class = qmt_store_count(store, QMT_LANDMARK) > 0 ? QMT_LANDMARK : QMT_POSITIVE;
    size_t wanted = qmt_store_count(store, sample_class);
    int side = qmt_store_side(store);
    uint8_t pixels[48 * 48 * 3];
    qmt_augment_config alone = only(config, augmentation);
    if (wanted > sheet_columns)
        wanted = sheet_columns;
    qmt_draw_text(sheet, margin, top + 4, 1, qmt_augmentation_name(augmentation), white);
    for (size_t i = 0; i < wanted; i++) {
        qmt_sample sample, changed;
        qmt_random random = qmt_random_stream(seed, i, (uint64_t)augmentation);
        get_spread(store, sample_class, i, wanted, &sample);
        changed = sample;
        qmtcnn_status status =
            qmt_augment(augmenter, &alone, side, &sample, &random, pixels, changed.box, changed.landmarks, NULL, error);
        if (status != QMTCNN_OK)
            return status;
        changed.pixels = pixels;
        draw_sample(sheet, (int)i * cell_side, top + title_height, side, &sample);
        draw_sample(sheet, (int)i * cell_side, top + title_height + cell_side, side, &changed);
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_sheet_augment(const qmt_store *store, const qmt_augment_config *config, uint64_t seed,
                                qmt_image *sheet, qmtcnn_error *error)
{
    const int height = title_height + 2 * cell_side;
    qmt_augmenter augmenter = {0};
    int count = 0;
    while ((QMT_MIRROR << count) <= QMT_OCCLUDE)
        count++;
    qmtcnn_status status = create_sheet(sheet_columns, count * height, sheet, error);
    for (int i = 0; status == QMTCNN_OK && i < count; i++)
        status =
            draw_pair(store, &augmenter, config, (qmt_augmentation)(QMT_MIRROR << i), seed, i * height, sheet, error);
    qmt_augmenter_clear(&augmenter);
    return status;
}

/* Draws sheet `number`: a class, or after the classes the augmentations. */
static qmtcnn_status write_sheet(const qmt_store *store, const char *folder, int number,
                                 const qmt_augment_config *config, uint64_t seed, qmtcnn_error *error)
{
    qmt_image sheet = {0};
    qmtcnn_status status = QMTCNN_OK;
    bool is_class = number < qmt_class_count;
    char *path = qmt_format("%s/%s.png", folder, is_class ? qmt_class_name((qmt_sample_class)number) : "augment");
    if (!path)
        return qmt_fail_memory(error, strlen(folder), "a path");
    if (!qmt_file_exists(path)) {
        status = is_class ? qmt_sheet_class(store, (qmt_sample_class)number, sheet_columns, sheet_rows, &sheet, error)
                          : qmt_sheet_augment(store, config, seed, &sheet, error);
        if (status == QMTCNN_OK)
            status = qmt_image_write(&sheet, path, error);
    }
    qmt_image_clear(&sheet);
    qmt_free(path);
    return status;
}

qmtcnn_status qmt_sheets_write(const char *folder, const qmt_augment_config *config, uint64_t seed, qmtcnn_error *error)
{
    qmt_store *store = NULL;
    qmtcnn_status status = qmt_store_open(folder, &store, error);
    for (int i = 0; status == QMTCNN_OK && i <= qmt_class_count; i++)
        status = write_sheet(store, folder, i, config, seed, error);
    qmt_store_close(store);
    return status;
}
