#include "data_files.h"

#include <stdio.h>
#include <stdlib.h>

static void expect_box(const qmt_label *label, float x1, float y1, float x2, float y2)
{
    assert_true(label->box.x1 == x1 && label->box.y1 == y1 && label->box.x2 == x2 && label->box.y2 == y2);
}

/* CRLF, blanks at line ends, empty lines, a byte order mark, no newline at the end, backslashes: one text has all. */
static void test_oddities(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    qmt_dataset *d = open_text(
        folder,
        "\xef\xbb\xbf"
        "a/one.jpg \r\n2\r\n1 2 30 40 1 0 1 0 2 1 \r\n5 6 7.5 8 0 0 0 1 0 0\r\n"
        "a/zero_of_one.jpg\n1\n0 0 0 0 0 0 0 0 0 0 \n"
        "\n"
        "b/none_with_row.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n"
        "b/none.jpg\n0\n"
        "b\\sizes with blanks.jpg\n4\n10 10 0 5 0 0 0 0 0 0\n-3 -4 20 20\n7 7 -2 9 0 0 0 0 0 0\nnan 1 2 3 0 0 0 0 0 0",
        NULL);
    assert_int_equal(d->picture_count, 5);
    assert_int_equal(d->label_count, 6);
    assert_string_equal(d->pictures[0].name, "a/one.jpg");
    assert_int_equal(d->pictures[0].label_count, 2);
    expect_box(&d->labels[0], 1, 2, 31, 42);
    expect_box(&d->labels[1], 5, 6, 12.5f, 14);
    assert_true(!d->labels[0].ignore && d->labels[1].ignore && d->labels[1].invalid == 1);
    assert_true(d->labels[0].blur == 1 && d->labels[0].illumination == 1 && d->labels[0].occlusion == 2 &&
                d->labels[0].pose == 1);
    assert_int_equal(d->labels[1].line, 4);
    for (int i = 1; i < 4; i++)
        assert_int_equal(d->pictures[i].label_count, 0);
    assert_int_equal(d->pictures[3].line, 12);
    assert_string_equal(d->pictures[4].name, "b/sizes with blanks.jpg");
    assert_true(d->labels[2].ignore && !d->labels[3].ignore && d->labels[4].ignore && d->labels[5].ignore);
    expect_box(&d->labels[3], -3, -4, 17, 16);
    expect_box(&d->labels[5], 0, 0, 0, 0);
    qmt_dataset_free(d);
    test_remove_folder(folder);
}

static void test_limits(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    qmt_dataset_options options = {.limit = 1, .min_face = 20};
    qmt_dataset *d = open_text(folder, "a.jpg\n2\n0 0 30 19\n0 0 20 30\nb.jpg\n1\n0 0 9 9\n", &options);
    assert_int_equal(d->picture_count, 1);
    assert_true(d->labels[0].ignore && !d->labels[1].ignore);
    qmt_dataset_free(d);
    test_remove_folder(folder);
}

/* Each broken text gives an error that names the file and this line. */
static void test_errors_name_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line;
    } cases[] = {
        {"a.jpg\n3\n1 1 5 5\n2 2 5 5\nb.jpg\n1\n1 1 5 5\n", 5}, /* a count too large: a name comes instead */
        {"a.jpg\n1\n1 1 5 5\n2 2 5 5\nb.jpg\n0\n", 4},          /* too small */
        {"a.jpg\n0\n2 2 5 5\n", 3},                             /* none, but there is one */
        {"a.jpg\n2\n1 1 5 5\n", 3},                             /* the file ends */
        {"a.jpg\n", 1},
        {"a.jpg\nmany\n", 2},
        {"a.jpg\n-1\n", 2},
        {"a.jpg\n99999999999999999999\n", 2},
        {"a.jpg\n1\n1 2 3\n", 3},
        {"a.jpg\n1\n1 2 3 4 5 6 7 8 9 10 11\n", 3},
        {"a.jpg\n1\n1 2 x 4\n", 3},
        {"../a.jpg\n0\n", 1},
        {"/etc/a.jpg\n0\n", 1},
        {"ok.jpg\n0\na\\..\\..\\b.jpg\n0\n", 3},
    };
    char *folder = test_make_folder();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qmtcnn_error error = {0};
        qmt_dataset *d;
        char place[128];
        put_text(folder, annotation_name, cases[i].text);
        assert_int_equal(qmt_dataset_open(folder, "train", NULL, &d, &error), QMTCNN_ERROR_FORMAT);
        snprintf(place, sizeof place, "wider_face_train_bbx_gt.txt:%d:", cases[i].line);
        if (!strstr(error.message, place))
            print_error("expected %s in: %s\n", place, error.message);
        assert_non_null(strstr(error.message, place));
        assert_null(d);
    }
    test_remove_folder(folder);
}

static int compare_pictures(const void *a, const void *b)
{
    return strcmp(((const qmt_picture *)a)->name, ((const qmt_picture *)b)->name);
}

static void compare_with_text(const char *split, size_t pictures, size_t faces)
{
    char *official = test_shared("data/wider_official"), *folder = test_make_folder();
    char name[64], *from, *to;
    void *data;
    size_t size;
    qmtcnn_error error;
    qmt_dataset *text, *mat;
    snprintf(name, sizeof name, "wider_face_%s.mat", split);
    from = qmt_path_join(official, name);
    to = qmt_path_join(folder, name);
    assert_ok(qmt_file_read(from, 1 << 24, &data, &size, &error), &error);
    assert_ok(qmt_file_write(to, data, size, &error), &error);
    assert_ok(qmt_dataset_open(official, split, NULL, &text, &error), &error);
    assert_ok(qmt_dataset_open(folder, split, NULL, &mat, &error), &error);
    assert_non_null(strstr(text->annotation_path, ".txt"));
    assert_non_null(strstr(mat->annotation_path, ".mat"));
    assert_int_equal(text->picture_count, pictures);
    assert_int_equal(mat->picture_count, pictures);
    assert_int_equal(text->label_count, faces);
    assert_int_equal(mat->label_count, faces);
    qsort(text->pictures, pictures, sizeof *text->pictures, compare_pictures);
    qsort(mat->pictures, pictures, sizeof *mat->pictures, compare_pictures);
    for (size_t i = 0; i < pictures; i++) {
        const qmt_picture *a = &text->pictures[i], *b = &mat->pictures[i];
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->label_count, b->label_count);
        for (size_t k = 0; k < a->label_count; k++) {
            const qmt_label *x = &text->labels[a->first_label + k], *y = &mat->labels[b->first_label + k];
            assert_memory_equal(&x->box, &y->box, sizeof x->box);
            assert_true(x->blur == y->blur && x->expression == y->expression && x->illumination == y->illumination &&
                        x->invalid == y->invalid && x->occlusion == y->occlusion && x->pose == y->pose);
        }
    }
    qmt_dataset_free(text);
    qmt_dataset_free(mat);
    qmt_free(data);
    qmt_free(from);
    qmt_free(to);
    free(official);
    test_remove_folder(folder);
}

static void test_mat_equals_text_val(void **state)
{
    (void)state;
    compare_with_text("val", 3226, 39704);
}

static void test_mat_equals_text_train(void **state)
{
    (void)state;
    compare_with_text("train", 12880, 159420);
}

static void test_mat_that_is_none(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    qmtcnn_error error;
    qmt_dataset *d;
    put_text(folder, "wider_face_train.mat", "MATLAB 5.0 MAT-file, or so it says");
    assert_int_equal(qmt_dataset_open(folder, "train", NULL, &d, &error), QMTCNN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "wider_face_train.mat"));
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oddities),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_errors_name_the_line),
        cmocka_unit_test(test_mat_equals_text_val),
        cmocka_unit_test(test_mat_equals_text_train),
        cmocka_unit_test(test_mat_that_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
