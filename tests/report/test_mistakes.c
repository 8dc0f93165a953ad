/* Which boxes and faces count as mistakes, in which order, and that the sheets show them. */
#include "common/test.h"

#include "toolkit/base/file.h"
#include "toolkit/image/image.h"
#include "toolkit/report/mistakes.h"

#include <string.h>

enum { side = 200 };

typedef struct world {
    char *folder, *paths[2], names[2][8], split[4];
    qmt_picture pictures[2];
    qmt_label labels[4];
    qmt_dataset dataset;
    qmt_detections *detections;
    qmt_config config;
} world;

static qmt_label face(float x, float y, float size, bool ignore)
{
    qmt_label label;
    memset(&label, 0, sizeof label);
    label.box = (qmt_box){x, y, x + size, y + size};
    label.ignore = ignore;
    return label;
}

/* Picture 0: faces of 40 (found at .9), 30 (found at .4) and 50 (not found); picture 1: an ignored face (found). False
 * alarms at .8 and .3, and a second box on the first face at .2. */
static void make(world *w)
{
    qmtcnn_error error;
    qmt_image image;
    memset(w, 0, sizeof *w);
    qmt_config_default(&w->config);
    w->folder = test_make_folder();
    strcpy(w->split, "val");
    strcpy(w->names[0], "e/0.png");
    strcpy(w->names[1], "e/1.png");
    assert_ok(qmt_image_create(side, side, &image, &error), &error);
    memset(image.data, 77, (size_t)side * side * 3);
    for (int i = 0; i < 2; i++) {
        w->paths[i] = qmt_format("%s/%d.png", w->folder, i);
        assert_ok(qmt_image_write(&image, w->paths[i], &error), &error);
        w->pictures[i] = (qmt_picture){.name = w->names[i], .path = w->paths[i]};
    }
    qmt_image_clear(&image);
    w->labels[0] = face(10, 10, 40, false);
    w->labels[1] = face(100, 10, 30, false);
    w->labels[2] = face(100, 100, 50, false);
    w->labels[3] = face(20, 20, 60, true);
    w->pictures[0].label_count = 3;
    w->pictures[1].first_label = 3;
    w->pictures[1].label_count = 1;
    w->dataset = (qmt_dataset){.folder = w->folder,
                               .split = w->split,
                               .pictures = w->pictures,
                               .picture_count = 2,
                               .labels = w->labels,
                               .label_count = 4};
    const qmt_detection first[] = {{.x = 10, .y = 10, .width = 40, .height = 40, .score = 0.9},
                                   {.x = 100, .y = 10, .width = 30, .height = 30, .score = 0.4},
                                   {.x = 10, .y = 140, .width = 30, .height = 30, .score = 0.3},
                                   {.x = 11, .y = 11, .width = 40, .height = 40, .score = 0.2}};
    const qmt_detection second[] = {{.x = 20, .y = 20, .width = 60, .height = 60, .score = 0.95},
                                    {.x = 120, .y = 120, .width = 40, .height = 40, .score = 0.8}};
    assert_ok(qmt_detections_create(2, &w->detections, &error), &error);
    assert_ok(qmt_detections_set(w->detections, 0, "e/0.png", first, 4, &error), &error);
    assert_ok(qmt_detections_set(w->detections, 1, "e/1.png", second, 2, &error), &error);
}

static void release(world *w)
{
    qmt_detections_free(w->detections);
    for (int i = 0; i < 2; i++)
        qmt_free(w->paths[i]);
    test_remove_folder(w->folder);
}

static void order(void **state)
{
    (void)state;
    world w;
    qmtcnn_error error;
    qmt_mistake *mistakes;
    size_t count;
    make(&w);
    assert_ok(
        qmt_mistakes_find(&w.dataset, w.detections, &w.config, QMT_MISTAKE_FALSE_ALARM, &mistakes, &count, &error),
        &error);
    assert_int_equal(count, 3);
    assert_true(mistakes[0].score == 0.8 && mistakes[0].picture == 1 && mistakes[0].x == 120);
    assert_true(mistakes[1].score == 0.3 && mistakes[1].picture == 0);
    assert_true(mistakes[2].score == 0.2 && mistakes[2].x == 11);
    qmt_free(mistakes);
    assert_ok(qmt_mistakes_find(&w.dataset, w.detections, &w.config, QMT_MISTAKE_MISS, &mistakes, &count, &error),
              &error);
    assert_int_equal(count, 2); /* by the default threshold of .7 the face at .4 is missed */
    assert_true(mistakes[0].score == 0 && mistakes[0].width == 50);
    assert_true(mistakes[1].score == 0.4 && mistakes[1].width == 30);
    qmt_free(mistakes);
    w.config.detect.thresholds[QMT_ONET] = 0.4f;
    assert_ok(qmt_mistakes_find(&w.dataset, w.detections, &w.config, QMT_MISTAKE_MISS, &mistakes, &count, &error),
              &error);
    assert_true(count == 2 && mistakes[1].score == 0.4); /* 0.4f lies a little over 0.4 */
    qmt_free(mistakes);
    w.config.evaluate.min_face = 60;
    assert_ok(qmt_mistakes_find(&w.dataset, w.detections, &w.config, QMT_MISTAKE_MISS, &mistakes, &count, &error),
              &error);
    assert_int_equal(count, 0);
    assert_null(mistakes);
    release(&w);
}

static size_t pixels_of(const qmt_image *image, uint8_t r, uint8_t g, uint8_t b)
{
    size_t count = 0;
    for (int i = 0; i < image->width * image->height; i++)
        count += image->data[3 * i] == r && image->data[3 * i + 1] == g && image->data[3 * i + 2] == b;
    return count;
}

static void sheets(void **state)
{
    (void)state;
    world w;
    qmtcnn_error error;
    qmt_image sheet;
    make(&w);
    assert_ok(qmt_mistakes_write(&w.dataset, w.detections, &w.config, w.folder, &error), &error);
    char *path = qmt_path_join(w.folder, "false_alarms.png");
    assert_ok(qmt_image_read(path, QMT_AS_STORED, &sheet, &error), &error);
    /* Three boxes of 60 pixels a side in the sheet, one pixel thick: 4 x 60 - 4 of orange each. */
    assert_in_range(pixels_of(&sheet, 255, 150, 20), 3 * 230, 3 * 245);
    assert_true(pixels_of(&sheet, 77, 77, 77) > 2 * 120 * 60);
    qmt_image_clear(&sheet);
    qmt_free(path);
    path = qmt_path_join(w.folder, "misses.png");
    assert_ok(qmt_image_read(path, QMT_AS_STORED, &sheet, &error), &error);
    assert_in_range(pixels_of(&sheet, 235, 50, 50), 2 * 230, 2 * 245);
    qmt_image_clear(&sheet);
    qmt_free(path);
    /* A picture that is gone is an error that names it. */
    assert_int_equal(remove(w.paths[1]), 0);
    assert_int_equal(qmt_mistakes_write(&w.dataset, w.detections, &w.config, w.folder, &error), QMTCNN_ERROR_IO);
    assert_non_null(strstr(error.message, "1.png"));
    release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order), cmocka_unit_test(sheets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
