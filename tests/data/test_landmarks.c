#include "data_files.h"

#include <math.h>
#include <stdlib.h>

/* Five points of a face in the box 100 100 50 60. */
#define points "115 125 135 126 125 138 117 148 133 149"
#define annotation "e/a.jpg\n2\n10 10 50 60\n102 101 50 60\ne/b.jpg\n0\n"

static qmt_dataset *open_with_list(const char *folder, const char *list, const char *split)
{
    qmtcnn_error error;
    qmt_dataset *d;
    char *path = qmt_path_join(folder, list);
    const char *lists[1] = {path};
    qmt_dataset_options options = {.landmark_lists = lists, .landmark_list_count = 1};
    assert_ok(qmt_dataset_open(folder, split, &options, &d, &error), &error);
    qmt_free(path);
    return d;
}

static void expect_points(const qmt_label *label)
{
    const float expected[10] = {115, 125, 135, 126, 125, 138, 117, 148, 133, 149};
    assert_true(label->has_landmarks);
    assert_memory_equal(label->landmarks, expected, sizeof expected);
}

static void test_own_form(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    put_text(folder, "landmarks_train.txt", "e/a.jpg 100 100 50 60 " points "\r\n");
    qmt_dataset *d = open_text(folder, annotation, NULL);
    assert_false(d->labels[0].has_landmarks);
    expect_points(&d->labels[1]);
    assert_int_equal(d->picture_count, 2);
    qmt_dataset_free(d);
    test_remove_folder(folder);
}

/* The same numbers as x1 x2 y1 y2; a picture that only the list names comes with its face, and is marked. */
static void test_lfw_form(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    put_text(folder, annotation_name, annotation);
    put_text(folder, "lists/trainImageList.txt",
             "e\\a.jpg 100 150 100 160 " points "\r\nlfw_5590\\x.jpg 100 150 100 160 " points "\r\n");
    put_picture(folder, "lists/e/a.jpg", 8, 8, 1);
    qmt_dataset *d = open_with_list(folder, "lists/trainImageList.txt", "train");
    assert_int_equal(d->picture_count, 3);
    expect_points(&d->labels[1]);
    expect_points(&d->labels[2]);
    assert_string_equal(d->pictures[2].name, "lfw_5590/x.jpg");
    assert_non_null(strstr(d->pictures[2].path, "/lists/lfw_5590/x.jpg"));
    assert_true(d->pictures[2].faces_unlabeled && !d->pictures[0].faces_unlabeled);
    assert_true(d->labels[2].box.x2 == 150 && d->labels[2].box.y2 == 160);
    assert_int_equal(d->pictures[2].line, 2);
    qmt_dataset_free(d);
    test_remove_folder(folder);
}

static void test_celeba_with_boxes(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    put_text(folder, annotation_name, annotation);
    put_text(
        folder, "Anno/list_landmarks_celeba.txt",
        "2\nlefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y\n"
        "000001.jpg  " points "\n000002.jpg  " points "\n");
    put_text(folder, "Anno/list_bbox_celeba.txt",
             "2\nimage_id x_1 y_1 width height\n000001.jpg 100 100 50 60\n000002.jpg 1 2 0 0\n");
    put_text(folder, "Anno/list_eval_partition.txt", "000001.jpg 0\n000002.jpg 1\n");
    put_picture(folder, "Img/img_celeba/000001.jpg", 8, 8, 1);
    qmt_dataset *d = open_with_list(folder, "Anno/list_landmarks_celeba.txt", "train");
    assert_int_equal(d->picture_count, 3); /* the second is CelebA's validation */
    assert_non_null(strstr(d->pictures[2].path, "Img/img_celeba/000001.jpg"));
    expect_points(&d->labels[2]);
    assert_true(d->labels[2].box.x1 == 100 && d->labels[2].box.y2 == 160);
    qmt_dataset_free(d);
    test_remove_folder(folder);
}

/* Without boxes they come from the points; on these they must be near a face's. */
static void test_celeba_aligned(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    put_text(folder, annotation_name, annotation);
    put_text(folder, "list_landmarks_align_celeba.txt",
             "1\nnames of columns\n000001.jpg 69 109 106 113 77 142 73 152 108 154\n");
    qmt_dataset *d = open_with_list(folder, "list_landmarks_align_celeba.txt", "train");
    assert_int_equal(d->picture_count, 3);
    assert_true(d->pictures[2].faces_unlabeled);
    qmt_box box = d->labels[2].box;
    float width = box.x2 - box.x1, height = box.y2 - box.y1;
    assert_true(fabsf(width / height - 0.746f) < 0.01f);
    assert_true(box.x1 > 30 && box.x2 < 145 && box.y1 > 50 && box.y2 < 190 && width > 80);
    qmt_dataset_free(d);
    d = open_with_list(folder, "list_landmarks_align_celeba.txt", "train");
    qmt_dataset_free(d);
    test_remove_folder(folder);
}

static void test_errors(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"e/a.jpg 1 2 3 4 5\n", "list.txt:1:"},
        {"e/a.jpg 100 100 50 60 " points "\ne/b.jpg 100 100 50 60 x " points "\n", "list.txt:2:"},
        {"3\nheader\n000001.jpg " points "\n", "list.txt:3:"},
        {"1\n", "list.txt:1:"},
        {"../a.jpg 100 100 50 60 " points "\n", "list.txt:1:"},
    };
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "list.txt");
    const char *lists[1] = {path};
    qmt_dataset_options options = {.landmark_lists = lists, .landmark_list_count = 1};
    put_text(folder, annotation_name, annotation);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qmtcnn_error error = {0};
        qmt_dataset *d;
        put_text(folder, "list.txt", cases[i][0]);
        qmtcnn_status status = qmt_dataset_open(folder, "train", &options, &d, &error);
        assert_int_equal(status, QMTCNN_ERROR_FORMAT);
        assert_non_null(strstr(error.message, cases[i][1]));
    }
    qmt_free(path);
    test_remove_folder(folder);
}

static void test_real_lists(void **state)
{
    (void)state;
    /* The list first: without it the test is skipped, and with it there is the folder. */
    char *list = test_shared("data/wider_official/lfw_net_testImageList.txt"), *folder = test_shared("data");
    const char *lists[1] = {list};
    qmtcnn_error error;
    qmt_dataset *d;
    size_t with = 0;
    qmt_dataset_options options = {.landmark_lists = lists, .landmark_list_count = 1};
    assert_ok(qmt_dataset_open(folder, "train", &options, &d, &error), &error);
    assert_int_equal(d->picture_count, 4686 + 3466);
    for (size_t i = 0; i < d->label_count; i++)
        with += d->labels[i].has_landmarks;
    assert_int_equal(with, 1823 + 3466);
    qmt_dataset_free(d);
    assert_ok(qmt_dataset_open(folder, "val", &options, &d, &error), &error);
    assert_int_equal(d->picture_count, 422); /* nothing is added to val */
    qmt_dataset_free(d);
    free(folder);
    free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_form),
        cmocka_unit_test(test_lfw_form),
        cmocka_unit_test(test_celeba_with_boxes),
        cmocka_unit_test(test_celeba_aligned),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_real_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
