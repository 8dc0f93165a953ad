#include "data_files.h"
#include "toolkit/data/synth.h"
#include "toolkit/data/synth_face.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const qmt_synth_config small = {
    .images = 4, .val_images = 2, .width = 160, .height = 120, .max_faces = 3, .min_face = 20, .max_face = 60};

/* All bytes below a folder. */
static uint64_t hash_folder(const char *folder)
{
    qmtcnn_error error;
    char **names;
    size_t count;
    uint64_t hash = 1, one;
    assert_ok(qmt_folder_list(folder, &names, &count, &error), &error);
    for (size_t i = 0; i < count; i++) {
        char *path = qmt_path_join(folder, names[i]);
        if (qmt_folder_exists(path))
            one = hash_folder(path);
        else
            assert_ok(qmt_file_hash(path, &one, &error), &error);
        hash = hash * 1000003 + one + qmt_hash(names[i], strlen(names[i]));
        qmt_free(path);
    }
    qmt_names_free(names, count);
    return hash;
}

static void test_same_bytes(void **state)
{
    (void)state;
    uint64_t hashes[4];
    qmtcnn_error error;
    for (int i = 0; i < 3; i++) {
        char *folder = test_make_folder();
        assert_ok(qmt_synth_write(&small, 7, folder, i + 1, &error), &error);
        hashes[i] = hash_folder(folder);
        test_remove_folder(folder);
    }
    /* Stopped after one picture, with its part, then gone on with. */
    char *folder = test_make_folder();
    qmt_synth_config first = small;
    first.images = 1;
    first.val_images = 0;
    assert_ok(qmt_synth_write(&first, 7, folder, 1, &error), &error);
    assert_ok(qmt_synth_write(&small, 7, folder, 2, &error), &error);
    hashes[3] = hash_folder(folder);
    assert_int_equal(qmt_synth_write(&small, 8, folder, 1, &error), QMTCNN_ERROR_ARGUMENT); /* another seed */
    assert_int_equal(hash_folder(folder), hashes[3]);
    test_remove_folder(folder);
    for (int i = 1; i < 4; i++)
        assert_true(hashes[i] == hashes[0]);
}

/* What was written reads back as what was drawn. */
static void test_reads_back(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_dataset *d;
    qmt_check_summary summary;
    char *folder = test_make_folder();
    assert_ok(qmt_synth_write(&small, 3, folder, 2, &error), &error);
    assert_ok(qmt_dataset_open(folder, "train", NULL, &d, &error), &error);
    assert_int_equal(d->picture_count, 4);
    size_t at = 0;
    for (size_t i = 0; i < 4; i++) {
        qmt_label labels[qmt_synth_max_faces];
        qmt_image image;
        int count;
        assert_ok(qmt_synth_picture(&small, 3, i, &image, labels, NULL, &count, &error), &error);
        assert_int_equal(d->pictures[i].label_count, count);
        for (int k = 0; k < count; k++, at++) {
            assert_memory_equal(&d->labels[at].box, &labels[k].box, sizeof labels[k].box);
            assert_int_equal(d->labels[at].has_landmarks, labels[k].has_landmarks);
            assert_int_equal(d->labels[at].ignore, labels[k].ignore);
        }
        qmt_image_clear(&image);
    }
    assert_ok(qmt_dataset_check(d, true, 1, NULL, NULL, &summary, &error), &error);
    qmt_dataset_free(d);
    test_remove_folder(folder);
}

static void test_labels_make_sense(void **state)
{
    (void)state;
    const qmt_synth_config config = {.width = 200, .height = 160, .max_faces = 4, .min_face = 24, .max_face = 80};
    int faces = 0, ahead = 0;
    for (uint64_t number = 0; number < 40; number++) {
        qmt_label labels[qmt_synth_max_faces];
        bool frontal[qmt_synth_max_faces];
        qmt_image image;
        qmtcnn_error error;
        int count;
        assert_ok(qmt_synth_picture(&config, 11, number, &image, labels, frontal, &count, &error), &error);
        assert_true(count <= 4);
        for (int i = 0; i < count; i++) {
            const qmt_box *b = &labels[i].box;
            float side = fminf(b->x2 - b->x1, b->y2 - b->y1);
            assert_true(side >= 23 && side <= 81.5f);
            faces++;
            ahead += frontal[i];
            for (int p = 0; p < 5 && frontal[i]; p++)
                assert_true(labels[i].landmarks[p][0] > b->x1 && labels[i].landmarks[p][0] < b->x2 &&
                            labels[i].landmarks[p][1] > b->y1 && labels[i].landmarks[p][1] < b->y2);
            if (frontal[i]) /* left is left, and eyes are above the mouth */
                assert_true(labels[i].landmarks[0][0] < labels[i].landmarks[1][0] &&
                            labels[i].landmarks[3][0] < labels[i].landmarks[4][0] &&
                            labels[i].landmarks[0][1] < labels[i].landmarks[3][1] &&
                            labels[i].landmarks[1][1] < labels[i].landmarks[4][1]);
        }
        qmt_image_clear(&image);
    }
    assert_true(faces > 40 && ahead > faces / 3);
}

/* A bald head alone: the pixels that show its face must reach to all four edges of its box, and not past them. */
static void test_box_is_what_is_drawn(void **state)
{
    (void)state;
    enum { side = 200 };
    qmtcnn_error error;
    for (uint64_t number = 0; number < 24; number++) {
        qmt_canvas canvas = {.owner = qmt_alloc_zero(side, side)};
        qmt_random random = qmt_random_stream(5, number, 0);
        qmt_synth_face face;
        int pixels, x1 = side, y1 = side, x2 = 0, y2 = 0, seen = 0;
        assert_ok(qmt_image_create(side, side, &canvas.image, &error), &error);
        qmt_face_random(&face, &random, 0.5f);
        face.hair = QMT_HAIR_NONE;
        face.hair_volume = 0;
        face.x = face.y = side / 2;
        face.scale = 60;
        assert_ok(qmt_face_draw(&face, &canvas, 9, &pixels, &error), &error);
        for (int i = 0; i < side * side; i++) {
            if (canvas.owner[i] != 9)
                continue;
            int x = i % side, y = i / side;
            seen++;
            x1 = x < x1 ? x : x1;
            x2 = x + 1 > x2 ? x + 1 : x2;
            y1 = y < y1 ? y : y1;
            y2 = y + 1 > y2 ? y + 1 : y2;
        }
        qmt_box box = qmt_face_box(&face);
        assert_int_equal(seen, pixels);
        if (fabsf(box.x1 - (float)x1) > 3 || fabsf(box.x2 - (float)x2) > 3 || fabsf(box.y1 - (float)y1) > 3 ||
            fabsf(box.y2 - (float)y2) > 3)
            print_error("face %d: box %g %g %g %g, drawn %d %d %d %d, yaw %g pitch %g roll %g\n", (int)number, box.x1,
                        box.y1, box.x2, box.y2, x1, y1, x2, y2, face.yaw, face.pitch, face.roll);
        assert_true(fabsf(box.x1 - (float)x1) <= 3 && fabsf(box.x2 - (float)x2) <= 3);
        assert_true(fabsf(box.y1 - (float)y1) <= 3 && fabsf(box.y2 - (float)y2) <= 3);
        qmt_image_clear(&canvas.image);
        qmt_free(canvas.owner);
    }
}

static void test_sine(void **state)
{
    (void)state;
    for (float angle = -4; angle <= 4; angle += 0.01f) {
        assert_true(fabs(qmt_synth_sine(angle) - sin(angle)) < 1e-6);
        if (fabsf(angle) < 2.4f)
            assert_true(fabs(qmt_synth_cosine(angle) - cos(angle)) < 1e-6);
    }
}

static void test_bad_settings(void **state)
{
    (void)state;
    qmt_synth_config bad[4] = {small, small, small, small};
    bad[0].max_faces = 65;
    bad[1].width = 0;
    bad[2].min_face = 100;
    bad[3].max_faces = 0;
    for (int i = 0; i < 4; i++) {
        qmt_label labels[qmt_synth_max_faces];
        qmt_image image;
        qmtcnn_error error;
        int count;
        assert_int_equal(qmt_synth_picture(&bad[i], 1, 1, &image, labels, NULL, &count, &error), QMTCNN_ERROR_ARGUMENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_reads_back),
        cmocka_unit_test(test_labels_make_sense),
        cmocka_unit_test(test_box_is_what_is_drawn),
        cmocka_unit_test(test_sine),
        cmocka_unit_test(test_bad_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
