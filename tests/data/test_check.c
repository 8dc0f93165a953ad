#include "data_files.h"

#include <stdio.h>
#include <stdlib.h>

enum { most_found = 64 };

typedef struct found {
    int count;
    struct {
        char file[256];
        int line;
        char text[256];
    } items[most_found];
} found;

static void keep(void *state, const qmt_problem *problem)
{
    found *f = state;
    assert_true(f->count < most_found);
    snprintf(f->items[f->count].file, sizeof f->items->file, "%s", problem->file);
    snprintf(f->items[f->count].text, sizeof f->items->text, "%s", problem->text);
    f->items[f->count++].line = problem->line;
}

static void expect(const found *f, const char *file, int line, const char *text)
{
    for (int i = 0; i < f->count; i++)
        if (f->items[i].line == line && strstr(f->items[i].file, file) && strstr(f->items[i].text, text))
            return;
    for (int i = 0; i < f->count; i++)
        print_error("%s:%d: %s\n", f->items[i].file, f->items[i].line, f->items[i].text);
    print_error("not found: %s:%d: %s\n", file, line, text);
    fail();
}

static void plant_problems(const char *folder)
{
    put_text(folder, annotation_name,
             "e/good.jpg\n2\n10 10 20 25 0 0 0 0 0 0\n50 40 30 30 0 0 0 0 0 0\n" /* 1 */
             "e/sizes.jpg\n3\n10 10 0 5\n10 10 5 -5\ninf 1 2 3\n"                /* 5 */
             "e/outside.jpg\n3\n200 10 20 20\n90 10 20 20\n95 70 6 6\n"          /* 10 */
             "e/missing.jpg\n1\n1 1 20 20\n"                                     /* 15 */
             "e/broken.jpg\n1\n1 1 20 20\n"                                      /* 18 */
             "e/twice.jpg\n3\n1 1 20 20\n40 40 20 20\n1 1 20 20\n"               /* 21 */
             "e/good.jpg\n1\n10 10 20 25\n"                                      /* 26 */
             "e/copy.jpg\n0\n");                                                 /* 29 */
    put_text(folder, "landmarks_train.txt",
             "e/good.jpg 10 10 20 25 14 18 24 18 19 24 15 30 23 30\n"
             "e/good.jpg 50 40 30 30 14 18 24 18 19 24 15 30 23 30\n"
             "e/good.jpg 10 10 20 25 14 18 24 18 19 24 15 30 23 30\n"
             "e/good.jpg 70 5 20 20 75 8 80 8 78 12 75 18 80 18\n"
             "e/nowhere.jpg 10 10 20 25 14 18 24 18 19 24 15 30 23 30\n"
             "e/twice.jpg 40 40 20 20 nan 45 55 45 50 50 45 55 55 55\n");
    put_picture(folder, "WIDER_train/images/e/good.jpg", 100, 80, 10);
    put_picture(folder, "WIDER_train/images/e/sizes.jpg", 100, 80, 20);
    put_picture(folder, "WIDER_train/images/e/outside.jpg", 100, 80, 30);
    put_picture(folder, "WIDER_train/images/e/twice.jpg", 100, 80, 40);
    put_picture(folder, "WIDER_train/images/e/copy.jpg", 100, 80, 10);
    put_text(folder, "WIDER_train/images/e/broken.jpg", "\xff\xd8\xff\xe0 no picture");
}

static void test_finds_each_problem(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    qmtcnn_error error;
    qmt_dataset *d;
    qmt_check_summary summary;
    static found f, other;
    f.count = other.count = 0;
    plant_problems(folder);
    assert_ok(qmt_dataset_open(folder, "train", NULL, &d, &error), &error);
    assert_ok(qmt_dataset_check(d, true, 3, keep, &f, &summary, &error), &error);
    const char *gt = "wider_face_train_bbx_gt.txt", *list = "landmarks_train.txt";
    expect(&f, gt, 7, "zero size");
    expect(&f, gt, 8, "negative size");
    expect(&f, gt, 9, "no number");
    expect(&f, gt, 12, "outside the picture");
    expect(&f, gt, 13, "10 pixels past");
    expect(&f, gt, 15, "missing");
    expect(&f, gt, 18, "unreadable");
    expect(&f, gt, 25, "duplicate row: box 1 1 20 20 is in line 23");
    expect(&f, gt, 26, "listed in line 1");
    expect(&f, gt, 29, "same content as 'e/good.jpg'");
    expect(&f, list, 2, "landmarks outside the face");
    expect(&f, list, 3, "duplicate");
    expect(&f, list, 4, "no labeled face");
    expect(&f, list, 5, "isn't in the data set");
    expect(&f, list, 6, "no numbers");
    assert_int_equal(f.count, 15); /* and nothing else: a box one pixel past the border is no problem */
    assert_int_equal(summary.problems, 15);
    assert_int_equal(summary.pictures, 8);
    assert_int_equal(summary.empty_pictures, 1);
    assert_int_equal(summary.faces, 11);
    assert_int_equal(summary.ignored, 3);
    assert_int_equal(summary.with_landmarks, 1);
    for (int i = 1; i < f.count; i++) /* in the order of files and lines */
        assert_true(strcmp(f.items[i - 1].file, f.items[i].file) != 0 || f.items[i - 1].line <= f.items[i].line);
    assert_ok(qmt_dataset_check(d, true, 1, keep, &other, &summary, &error), &error);
    assert_memory_equal(&f, &other, sizeof f);
    qmt_dataset_free(d);
    test_remove_folder(folder);
}

static void test_real_pictures_are_clean(void **state)
{
    (void)state;
    char *folder = test_shared("data");
    qmtcnn_error error;
    qmt_dataset *d;
    qmt_check_summary summary;
    assert_ok(qmt_dataset_open(folder, "val", NULL, &d, &error), &error);
    assert_ok(qmt_dataset_check(d, true, 2, NULL, NULL, &summary, &error), &error);
    assert_int_equal(summary.pictures, 422);
    assert_int_equal(summary.faces, 866);
    assert_int_equal(summary.with_landmarks, 159);
    assert_int_equal(summary.problems, 0);
    size_t sized = 0;
    for (int i = 0; i < 6; i++)
        sized += summary.by_size[i];
    assert_int_equal(sized, 866);
    qmt_dataset_free(d);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_each_problem),
        cmocka_unit_test(test_real_pictures_are_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
