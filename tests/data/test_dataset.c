#include "data_files.h"

#include <stdio.h>

static void test_official_layout(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    put_picture(folder, "WIDER_train/images/e/a.jpg", 8, 8, 1);
    qmt_dataset *d = open_text(folder, "e/a.jpg\n1\n1 1 5 5\n", NULL);
    assert_true(qmt_file_exists(d->pictures[0].path));
    assert_string_equal(d->split, "train");
    assert_string_equal(d->folder, folder);
    assert_string_equal(d->pictures[0].file, d->annotation_path);
    qmt_dataset_free(d);
    test_remove_folder(folder);
}

/* images/SPLIT, with events below or all in one folder. */
static void test_common_layout(void **state)
{
    (void)state;
    for (int flat = 0; flat <= 1; flat++) {
        char *folder = test_make_folder();
        qmtcnn_error error;
        qmt_dataset *d;
        put_picture(folder, flat ? "images/val/a.jpg" : "images/val/e/a.jpg", 8, 8, 1);
        put_picture(folder, flat ? "images/val/b.jpg" : "images/val/e/b.jpg", 8, 8, 1);
        put_text(folder, flat ? "labels/val.txt" : "wider_face_split/wider_face_val_bbx_gt.txt",
                 "e/a.jpg\n1\n1 1 5 5\ne/b.jpg\n0\n");
        assert_ok(qmt_dataset_open(folder, "val", NULL, &d, &error), &error);
        assert_int_equal(d->picture_count, 2);
        assert_string_equal(d->pictures[1].name, "e/b.jpg");
        for (int i = 0; i < 2; i++)
            assert_true(qmt_file_exists(d->pictures[i].path));
        qmt_dataset_free(d);
        test_remove_folder(folder);
    }
}

static void test_nothing_there(void **state)
{
    (void)state;
    char *folder = test_make_folder(), *none = qmt_path_join(folder, "none");
    qmtcnn_error error;
    qmt_dataset *d;
    assert_int_equal(qmt_dataset_open(folder, "train", NULL, &d, &error), QMTCNN_ERROR_IO);
    assert_non_null(strstr(error.message, "wider_face_split/wider_face_train_bbx_gt.txt"));
    assert_int_equal(qmt_dataset_open(none, "train", NULL, &d, &error), QMTCNN_ERROR_IO);
    assert_int_equal(qmt_dataset_open(folder, "../x", NULL, &d, &error), QMTCNN_ERROR_ARGUMENT);
    assert_int_equal(qmt_dataset_open("", "train", NULL, &d, &error), QMTCNN_ERROR_ARGUMENT);
    assert_null(d);
    qmt_dataset_free(NULL);
    qmt_free(none);
    test_remove_folder(folder);
}

/* Training goes without the folders that are left out; validation has nothing else. */
static void test_leave_out(void **state)
{
    (void)state;
    static const char *const folders[] = {"b", "c/"};
    static const char text[] =
        "a/1.jpg\n1\n1 2 5 5\nb/2.jpg\n2\n2 2 5 5\n3 2 5 5\nbb/3.jpg\n1\n4 2 5 5\nc/d/4.jpg\n0\n";
    qmt_dataset_options options = {.leave_out = folders, .leave_out_count = 2};
    char *folder = test_make_folder();
    qmtcnn_error error;
    qmt_dataset *d = open_text(folder, text, &options);
    assert_int_equal(d->picture_count, 2);
    assert_string_equal(d->pictures[1].name, "bb/3.jpg");
    assert_int_equal(d->label_count, 2);
    assert_true(d->labels[d->pictures[0].first_label].box.x1 == 1);
    assert_true(d->labels[d->pictures[1].first_label].box.x1 == 4);
    qmt_dataset_free(d);
    put_text(folder, "wider_face_split/wider_face_val_bbx_gt.txt", text);
    assert_ok(qmt_dataset_open(folder, "val", &options, &d, &error), &error);
    assert_int_equal(d->picture_count, 2);
    assert_string_equal(d->pictures[0].name, "b/2.jpg");
    assert_string_equal(d->pictures[1].name, "c/d/4.jpg");
    assert_int_equal(d->label_count, 2);
    assert_true(d->labels[d->pictures[0].first_label + 1].box.x1 == 3);
    qmt_dataset_free(d);
    static const char *const none[] = {"nowhere"}, *const all[] = {"a", "b", "bb", "c"};
    options = (qmt_dataset_options){.leave_out = none, .leave_out_count = 1};
    assert_int_equal(qmt_dataset_open(folder, "train", &options, &d, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "no pictures of split 'train'"));
    assert_int_equal(qmt_dataset_open(folder, "val", &options, &d, &error), QMTCNN_ERROR_ARGUMENT);
    options = (qmt_dataset_options){.leave_out = all, .leave_out_count = 4};
    assert_int_equal(qmt_dataset_open(folder, "train", &options, &d, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "all pictures of split 'train'"));
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_official_layout),
        cmocka_unit_test(test_common_layout),
        cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_leave_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
