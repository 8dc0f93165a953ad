/* WIDER FACE's files: the official ground truth, and submission folders, sound and hostile. */
#include "common/test.h"

#include "toolkit/base/file.h"
#include "toolkit/base/random.h"
#include "toolkit/evaluate/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static qmt_detection random_box(qmt_random *random)
{
    return (qmt_detection){(double)qmt_random_float(random) * 1000.0 / 3,
                           (double)qmt_random_float(random) * 700 - 50,
                           (double)qmt_random_float(random) * 90,
                           (double)qmt_random_float(random) * 90,
                           (double)qmt_random_float(random) / 7,
                           false,
                           {{0}}};
}

/* What is written is read back, to the last bit. */
static void round_trip(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    const char *const names[] = {"0--Parade/a.b_1.jpg", "0--Parade/c.jpg", "9--Press/x y.png"};
    qmt_random random = qmt_random_stream(3, 0, 0);
    qmt_detections *written, *read;
    qmtcnn_error error;
    assert_ok(qmt_detections_create(3, &written, &error), &error);
    for (size_t i = 0; i < 3; i++) {
        qmt_detection boxes[5];
        for (int k = 0; k < 5; k++)
            boxes[k] = random_box(&random);
        assert_ok(qmt_detections_set(written, i, names[i], boxes, i == 1 ? 0 : 5, &error), &error);
    }
    assert_ok(qmt_submission_write(written, folder, &error), &error);
    assert_ok(qmt_submission_read(folder, &read, &error), &error);
    assert_int_equal(read->count, 3);
    assert_string_equal(read->pictures[0].name, "0--Parade/a.b_1");
    assert_string_equal(read->pictures[2].name, "9--Press/x y");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read->pictures[i].count, written->pictures[i].count);
        for (size_t k = 0; k < read->pictures[i].count; k++) {
            const qmt_detection *a = &read->pictures[i].boxes[k], *b = &written->pictures[i].boxes[k];
            assert_true(a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height);
            assert_true(a->score == b->score);
            assert_true(k == 0 || a->score <= read->pictures[i].boxes[k - 1].score);
        }
    }
    qmt_detections_free(read);
    qmt_detections_free(written);
    test_remove_folder(folder);
}

/* Pictures whose names differ only in their ending keep their own boxes; a submission has one file for both. */
static void equal_but_for_the_ending(void **state)
{
    (void)state;
    static const char *const names[] = {"a/p.jpg", "a/p.jpeg", "a/q.png", "a/p.png"};
    qmt_truth_picture pictures[5] = {{.key = (char *)"a/p.jpeg"},
                                     {.key = (char *)"a/p.png"},
                                     {.key = (char *)"a/p.jpg"},
                                     {.key = (char *)"a/q"},
                                     {.key = (char *)"a/r.jpg"}};
    const qmt_truth truth = {pictures, 5, QMT_SETTING_ALL};
    char *folder = test_make_folder();
    qmt_detections *found;
    qmtcnn_error error;
    size_t index[5], missing;
    assert_ok(qmt_detections_create(4, &found, &error), &error);
    for (size_t i = 0; i < 4; i++)
        assert_ok(qmt_detections_set(found, i, names[i], NULL, 0, &error), &error);
    assert_ok(qmt_truth_align(&truth, found, index, &missing, &error), &error);
    assert_int_equal(index[0], 1);
    assert_int_equal(index[1], 3);
    assert_int_equal(index[2], 0);
    assert_int_equal(index[3], 2);
    assert_true(index[4] == SIZE_MAX);
    assert_int_equal(missing, 1);
    assert_int_equal(qmt_submission_write(found, folder, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "a/p."));
    qmt_detections_free(found);
    test_remove_folder(folder);
}

static void names_may_not_leave_the_folder(void **state)
{
    (void)state;
    static const char *const bad[] = {"../x.jpg", "/etc/x.jpg", "a/../../x.jpg", "", "a\\..\\x.jpg", "a\nb.jpg"};
    char *folder = test_make_folder();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        qmt_detections *detections;
        qmtcnn_error error;
        assert_ok(qmt_detections_create(1, &detections, &error), &error);
        assert_ok(qmt_detections_set(detections, 0, bad[i], NULL, 0, &error), &error);
        assert_int_equal(qmt_submission_write(detections, folder, &error), QMTCNN_ERROR_ARGUMENT);
        qmt_detections_free(detections);
    }
    test_remove_folder(folder);
}

/* Without waiting for the disk, as qmt_file_write() does: there are hundreds. */
static void write_plain(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static qmtcnn_status read_text(const char *folder, const void *text, size_t size, qmtcnn_error *error)
{
    qmt_detections *detections = NULL;
    char *event = qmt_path_join(folder, "event"), *path = qmt_path_join(event, "file.txt");
    qmtcnn_status status;
    assert_ok(qmt_folder_make(event, error), error);
    write_plain(path, text, size);
    status = qmt_submission_read(folder, &detections, error);
    if (status == QMTCNN_OK) {
        assert_int_equal(detections->count, 1);
        for (size_t i = 0; i < detections->pictures[0].count; i++)
            assert_true(isfinite(detections->pictures[0].boxes[i].score));
    } else {
        assert_null(detections);
    }
    qmt_detections_free(detections);
    qmt_free(path);
    qmt_free(event);
    return status;
}

static void forms_that_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "file\n0\n",         "file\n0", "event/file.jpg\r\n1\r\n1 2 3 4 0.5\r\n\r\n", "file\n1\n 1.5e1\t-2 3 4 .5 \n",
        "\n1\n1 2 3 4 99\n",
    };
    char *folder = test_make_folder();
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        qmtcnn_error error;
        assert_ok(read_text(folder, good[i], strlen(good[i]), &error), &error);
    }
    test_remove_folder(folder);
}

static void points_after_the_score(void **state)
{
    (void)state;
    static const char text[] = "file\n2\n1 2 3 4 0.9 10 20 30 40 50 60 70 80 90 100\n1 2 3 4 0.5\n";
    char *folder = test_make_folder();
    qmt_detections *detections;
    qmtcnn_error error;
    assert_ok(read_text(folder, text, strlen(text), &error), &error);
    assert_ok(qmt_submission_read(folder, &detections, &error), &error);
    const qmt_detection *boxes = detections->pictures[0].boxes;
    assert_true(boxes[0].has_landmarks);
    for (int i = 0; i < 10; i++)
        assert_true(boxes[0].landmarks[i / 2][i % 2] == (float)(10 * (i + 1)));
    assert_false(boxes[1].has_landmarks);
    qmt_detections_free(detections);
    test_remove_folder(folder);
}

/* Each is an error that names the file and, where there is one, the line. */
static void forms_that_are_not(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "file.txt:1"},
        {"file\n", "file.txt:1"},
        {"file\nmany\n", "file.txt:2"},
        {"file\n-1\n", "file.txt:2"},
        {"file\n99999999999999999999\n1 2 3 4 5\n", "file.txt:2"},
        {"file\n4000000000\n1 2 3 4 5\n", "file.txt:2"},
        {"file\n2\n1 2 3 4 0.5\n", "ends after 1 of 2"},
        {"file\n1\n1 2 3 4 0.5\n1 2 3 4 0.5\n", "file.txt:4"},
        {"file\n1\n1 2 3 4\n", "file.txt:3"},
        {"file\n1\n1 2 3 4 nan\n", "file.txt:3"},
        {"file\n1\n1 2 inf 4 1\n", "file.txt:3"},
        {"file\n1\n1 2 3e300 4 1\n", "file.txt:3"},
        {"file\n1\n1 2 3 4 5 6\n", "file.txt:3"},
        {"file\n1\n1 2 3 4 5 1 2 3 4 5 6 7 8 9\n", "file.txt:3"},
        {"file\n1\n1 2 3 4 5 1 2 3 4 5 6 7 8 9 10 11\n", "file.txt:3"},
        {"file\n1\n1,2,3,4,5\n", "file.txt:3"},
        {"file\n1\n1 2 3 4 0.5x\n", "file.txt:3"},
    };
    char *folder = test_make_folder();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        qmtcnn_error error = {0};
        assert_int_equal(read_text(folder, bad[i].text, strlen(bad[i].text), &error), QMTCNN_ERROR_FORMAT);
        assert_non_null(strstr(error.message, bad[i].says));
        assert_null(strchr(error.message, '\n'));
    }
    qmtcnn_error error;
    assert_int_equal(read_text(folder, "file\n1\n1 2\0 3 4 5\n", 18, &error), QMTCNN_ERROR_FORMAT);
    test_remove_folder(folder);
    qmt_detections *none;
    assert_int_not_equal(qmt_submission_read("/no/such/folder", &none, &error), QMTCNN_OK);
}

/* Hundreds of damaged files: a status each time, and never more than that. */
static void mutations(void **state)
{
    (void)state;
    static const char sound[] = "0--Parade/file.jpg\n3\n10 20 30 40 0.99\n1.5 2.5 3.5 4.5 0.5\n7 8 9 10 0.1\n";
    static const char letters[] = "0123456789.-+eE \n\r\t\0x/nai";
    char *folder = test_make_folder();
    qmt_random random = qmt_random_stream(11, 0, 0);
    int refused = 0;
    for (int i = 0; i < 400; i++) {
        char text[sizeof sound];
        size_t size = sizeof sound - 1;
        qmtcnn_error error = {0};
        memcpy(text, sound, sizeof sound);
        for (uint64_t changes = 1 + qmt_random_below(&random, 4); changes > 0; changes--)
            text[qmt_random_below(&random, size)] = letters[qmt_random_below(&random, sizeof letters - 1)];
        if (i % 3 == 0)
            size = qmt_random_below(&random, size);
        qmtcnn_status status = read_text(folder, text, size, &error);
        assert_true(status == QMTCNN_OK || status == QMTCNN_ERROR_FORMAT);
        assert_true(status == QMTCNN_OK || strlen(error.message) > 0);
        refused += status != QMTCNN_OK;
    }
    assert_true(refused > 100 && refused < 400);
    test_remove_folder(folder);
}

/* ---- The official ground truth ----------------------------------------------------------------- */

static qmt_truth *read_official(char **folder)
{
    qmt_truth *truth;
    qmtcnn_error error;
    char *file = test_shared("data/wider_official/wider_easy_val.mat");
    *strrchr(file, '/') = 0;
    assert_true(qmt_truth_has_mat(file));
    assert_ok(qmt_truth_read_mat(file, &truth, &error), &error);
    *folder = file;
    return truth;
}

/* The published numbers: 3,226 pictures with 39,708 boxes (39,708 lines in the text form), of which 7,211 are easy,
 * 13,319 medium and 31,958 hard. The first picture's first box is 345 211 4 4. */
static void official_counts(void **state)
{
    (void)state;
    char *folder;
    size_t boxes = 0;
    qmt_truth *truth = read_official(&folder);
    assert_int_equal(truth->count, 3226);
    for (size_t i = 0; i < truth->count; i++)
        boxes += truth->pictures[i].count;
    assert_int_equal(boxes, 39708);
    assert_int_equal(qmt_truth_faces(truth, QMT_SETTING_EASY), 7211);
    assert_int_equal(qmt_truth_faces(truth, QMT_SETTING_MEDIUM), 13319);
    assert_int_equal(qmt_truth_faces(truth, QMT_SETTING_HARD), 31958);
    assert_string_equal(truth->pictures[0].key, "0--Parade/0_Parade_marchingband_1_465");
    assert_int_equal(truth->pictures[0].count, 126);
    const qmt_truth_face *face = &truth->pictures[0].faces[0];
    assert_true(face->x == 345 && face->y == 211 && face->width == 4 && face->height == 4);
    /* Each list lies within the next. */
    for (size_t i = 0; i < truth->count; i++) {
        for (size_t k = 0; k < truth->pictures[i].count; k++) {
            unsigned in = truth->pictures[i].faces[k].settings;
            assert_true(!(in & QMT_SETTING_EASY) || in & QMT_SETTING_MEDIUM);
        }
    }
    qmt_truth_free(truth);
    free(folder);
}

/* The boxes of the ground truth, for its first `pictures` pictures. *easy: how many of them are easy. */
static qmt_detections *perfect(const qmt_truth *truth, size_t pictures, size_t *easy)
{
    qmt_detections *detections;
    qmtcnn_error error;
    *easy = 0;
    assert_ok(qmt_detections_create(pictures, &detections, &error), &error);
    for (size_t i = 0; i < pictures; i++) {
        const qmt_truth_picture *picture = &truth->pictures[i];
        qmt_detection *boxes = qmt_alloc(picture->count, sizeof *boxes);
        for (size_t k = 0; k < picture->count; k++) {
            const qmt_truth_face *face = &picture->faces[k];
            boxes[k] =
                (qmt_detection){face->x, face->y, face->width, face->height, 0.5 + (double)(k % 7) / 20, false, {{0}}};
            *easy += (face->settings & QMT_SETTING_EASY) != 0;
        }
        assert_ok(qmt_detections_set(detections, i, picture->key, boxes, picture->count, &error), &error);
        qmt_free(boxes);
    }
    return detections;
}

/* Nothing missed, nothing false. (Not quite 1: the ground truth has a few boxes twice, which must find one face each.)
 */
static void perfect_predictions(void **state)
{
    (void)state;
    char *ground_truth;
    size_t easy;
    qmt_truth *truth = read_official(&ground_truth);
    qmt_detections *detections = perfect(truth, truth->count, &easy);
    qmt_evaluation *evaluation = qmt_alloc(1, sizeof *evaluation);
    qmtcnn_error error;
    qmt_evaluation_init(evaluation);
    assert_ok(qmt_evaluation_add_wider(evaluation, truth, detections, &error), &error);
    assert_int_equal(evaluation->faces_hard, 31958);
    assert_true(evaluation->ap_easy > 0.99 && evaluation->ap_medium > 0.99 && evaluation->ap_hard > 0.99);
    assert_true(evaluation->ap_easy <= 1 + 1e-12 && evaluation->ap_hard <= 1 + 1e-12);
    qmt_free(evaluation);
    qmt_detections_free(detections);
    qmt_truth_free(truth);
    free(ground_truth);
}

/* Files for a part of the pictures: recall, and AP with it, is the share of faces in them. Then the truth of that part.
 */
static void a_part_of_the_files(void **state)
{
    (void)state;
    enum { part = 60 };
    char *ground_truth;
    size_t easy;
    qmt_truth *truth = read_official(&ground_truth); /* may skip the test, and comes before what is to be freed */
    char *folder = test_make_folder();
    qmt_detections *detections = perfect(truth, part, &easy);
    qmt_evaluation *evaluation = qmt_alloc(1, sizeof *evaluation);
    qmtcnn_error error;
    assert_true(easy > 0);
    assert_ok(qmt_submission_write(detections, folder, &error), &error);
    assert_ok(qmt_evaluate_predictions(folder, ground_truth, evaluation, &error), &error);
    assert_int_equal(evaluation->missing, 3226 - part);
    assert_float_equal(evaluation->ap_easy, (double)easy / 7211, 0.002);
    assert_ok(qmt_truth_restrict(truth, detections, &error), &error);
    assert_int_equal(truth->count, part);
    qmt_evaluation_init(evaluation);
    assert_ok(qmt_evaluation_add_wider(evaluation, truth, detections, &error), &error);
    assert_int_equal(evaluation->faces_easy, easy);
    assert_true(evaluation->ap_easy > 0.99);
    json_t *json = qmt_evaluation_json(evaluation);
    assert_true(json_is_number(json_object_get(json, "ap_hard")));
    assert_true(json_is_null(json_object_get(json, "ap")) && json_is_null(json_object_get(json, "precision")));
    json_decref(json);
    qmt_free(evaluation);
    qmt_detections_free(detections);
    qmt_truth_free(truth);
    test_remove_folder(folder);
    free(ground_truth);
}

/* A .mat file cut short or overwritten in places must not be taken for ground truth, nor do harm. */
static void damaged_mat(void **state)
{
    (void)state;
    char *easy = test_shared("data/wider_official/wider_easy_val.mat"), *folder = test_make_folder();
    char *path = qmt_format("%s/wider_easy_val.mat", folder);
    static const size_t sizes[] = {0, 1, 100, 128, 200, 5000, 200000};
    void *data;
    size_t size;
    qmtcnn_error error;
    qmt_truth *truth;
    assert_ok(qmt_file_read(easy, 1 << 24, &data, &size, &error), &error);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        write_plain(path, data, sizes[i]);
        assert_int_not_equal(qmt_truth_read_mat(folder, &truth, &error), QMTCNN_OK);
        assert_null(truth);
    }
    assert_int_equal(qmt_truth_read_mat("/no/such/folder", &truth, &error), QMTCNN_ERROR_IO);
    qmt_free(data);
    qmt_free(path);
    test_remove_folder(folder);
    free(easy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(names_may_not_leave_the_folder),
        cmocka_unit_test(equal_but_for_the_ending),
        cmocka_unit_test(forms_that_are_taken),
        cmocka_unit_test(points_after_the_score),
        cmocka_unit_test(forms_that_are_not),
        cmocka_unit_test(mutations),
        cmocka_unit_test(official_counts),
        cmocka_unit_test(perfect_predictions),
        cmocka_unit_test(a_part_of_the_files),
        cmocka_unit_test(damaged_mat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
