/* Hundreds of damaged files of each kind straight to their readers, where the tests of those folders have none: a
 * status and a message each time, and never a crash (run under sanitizers, too). */
#include "common/test.h"

#include "toolkit/base/file.h"
#include "toolkit/base/random.h"
#include "toolkit/data/dataset.h"
#include "toolkit/deploy/profile.h"
#include "toolkit/train/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { rounds = 400 };

/* Reads the damaged file; `context` as given to mutate(). */
typedef qmtcnn_status (*reader)(const char *path, const void *context, qmtcnn_error *error);

/* Damages bytes [0, size) of `copy`; returns the new size, at most twice as many. */
static size_t damage(uint8_t *copy, size_t size, bool text, int round)
{
    static const char letters[] = "0123456789.-+eE \n\r\t,:/\\[]{}\"'#&*!|>%@\xff\0na";
    qmt_random random = qmt_random_stream(5, (uint64_t)round, size);
    size_t most = size < 600 || round % 2 ? size : 600;
    memcpy(copy + size, copy, size);
    if (round % 5 == 0)
        return (size_t)qmt_random_below(&random, size);
    for (uint64_t changes = 1 + qmt_random_below(&random, 5); changes > 0; changes--) {
        uint8_t *at = &copy[qmt_random_below(&random, most)];
        *at = text ? (uint8_t)letters[qmt_random_below(&random, sizeof letters - 1)]
                   : (uint8_t)(*at ^ (1 + qmt_random_below(&random, 255)));
    }
    return round % 5 == 1 ? size + (size_t)qmt_random_below(&random, size) : size;
}

/* Without fsync and rename, which hundreds of files would wait for. */
static void write_plainly(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The file comes back as it was. At least `least` of the rounds must be refused: the damage was real. */
static void mutate(const char *path, bool text, int least, reader read, const void *context)
{
    qmtcnn_error error;
    void *sound;
    size_t size;
    int refused = 0;
    assert_ok(qmt_file_read(path, 1 << 24, &sound, &size, &error), &error);
    assert_ok(read(path, context, &error), &error);
    uint8_t *copy = malloc(2 * size);
    assert_non_null(copy);
    for (int round = 0; round < rounds; round++) {
        memcpy(copy, sound, size);
        size_t length = damage(copy, size, text, round);
        write_plainly(path, copy, length);
        memset(&error, 0, sizeof error);
        if (read(path, context, &error) == QMTCNN_OK)
            continue;
        refused++;
        if (!error.message[0] || strpbrk(error.message, "\n\r\033"))
            fail_msg("round %d: not one clear line: '%s'", round, error.message);
    }
    if (refused < least)
        fail_msg("only %d of %d rounds refused", refused, (int)rounds);
    write_plainly(path, sound, size);
    assert_ok(read(path, context, &error), &error);
    free(copy);
    qmt_free(sound);
}

/* A file of FOLDER with this text; its path is for qmt_free(). */
static char *put(const char *folder, const char *name, const char *text)
{
    qmtcnn_error error;
    char *path = qmt_path_join(folder, name);
    assert_ok(qmt_file_write(path, text, strlen(text), &error), &error);
    return path;
}

static const char annotation[] = "wider_face_split/wider_face_train_bbx_gt.txt";

static qmtcnn_status read_dataset(const char *path, const void *context, qmtcnn_error *error)
{
    const char *lists[] = {path};
    const bool list = strstr(path, "list") != NULL;
    const qmt_dataset_options options = {.landmark_lists = lists, .landmark_list_count = list ? 1 : 0};
    qmt_dataset *dataset;
    qmtcnn_status status = qmt_dataset_open(context, "train", &options, &dataset, error);
    qmt_dataset_free(dataset);
    return status;
}

static void test_annotations(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    char *path = put(folder, annotation,
                     "0--Parade/a.jpg\n2\n10 20 30 40 0 0 0 0 0 0\n-5 0 9 9 2 1 1 1 2 1\n0--Parade/b.jpg\n0\n"
                     "0 0 0 0 0 0 0 0 0 0\n1--B/c d.jpg\n1\n1.5 2 3e1 4\n");
    mutate(path, true, rounds / 4, read_dataset, folder);
    qmt_free(path);
    test_remove_folder(folder);
}

static void test_landmark_lists(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "a/1.jpg 10 20 100 100 35 50 75 50 55 70 40 90 70 90\na/2.jpg 10 20 100 100 35 50 75 50 55 70 40 90 70 90\n",
        "a\\1.jpg 10 110 20 120 35 50 75 50 55 70 40 90 70 90\r\n\r\na\\3.jpg 1 11 2 12 3 5 7 5 5 7 4 9 7 9\r\n",
        "2\nlefteye_x lefteye_y\n000001.jpg 35 50 75 50 55 70 40 90 70 90\n000002.jpg 35 50 75 50 55 70 40 90 70 90\n"};
    char *folder = test_make_folder();
    qmt_free(put(folder, annotation, "a/1.jpg\n1\n10 20 100 100 0 0 0 0 0 0\n"));
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        char *path = put(folder, "list.txt", lists[i]);
        mutate(path, true, rounds / 4, read_dataset, folder);
        qmt_free(path);
    }
    char *path = put(folder, "list_landmarks_celeba.txt", lists[2]);
    char *boxes =
        put(folder, "list_bbox_celeba.txt", "2\nimage_id x_1\n000001.jpg 10 20 100 100\n000002.jpg 1 2 30 40\n");
    mutate(path, true, rounds / 4, read_dataset, folder);
    qmt_free(boxes);
    qmt_free(path);
    test_remove_folder(folder);
}

static qmtcnn_status read_profile(const char *path, const void *context, qmtcnn_error *error)
{
    (void)context;
    qmt_profile profile;
    return qmt_profile_load(path, &profile, error);
}

static void test_profiles(void **state)
{
    (void)state;
    char *folder = test_make_folder();
    char *path = put(folder, "names.yaml",
                     "input: data\nface: [a, b, c]\nbox: box\nlandmarks: points\nlandmark_order: planar\n");
    mutate(path, true, rounds / 4, read_profile, NULL);
    qmt_free(path);
    test_remove_folder(folder);
}

/* What checkpoints are read into. */
struct resume {
    qmt_origin origin;
    qmt_net *net;
    qmt_optimizer *optimizer;
};

static qmtcnn_status read_checkpoint(const char *path, const void *context, qmtcnn_error *error)
{
    const struct resume *resume = context;
    qmt_position position;
    return qmt_checkpoint_read(path, &resume->origin, 3, &position, resume->net, resume->optimizer, error);
}

static void test_checkpoints(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_config config;
    char *folder = test_make_folder(), *path = qmt_path_join(folder, "step-00000007.safetensors");
    qmt_config_default(&config);
    char *text = qmt_training_config_text(&config, QMT_PNET, 1);
    const qmt_net_table table = qmt_net_table_for(QMT_PNET, QMT_ACTIVATION_RELU, true);
    struct resume resume = {.origin = {.net = "pnet", .config = text, .samples = 9, .manifest = "{}"}};
    const qmt_position position = {.step = 7, .qat_start = -1, .epochs = 3, .best_epoch = {-1, -1}};
    assert_ok(qmt_net_create(&table, 1, &resume.net, &error), &error);
    int count;
    const qmt_parameter *parameters = qmt_net_parameters(resume.net, &count);
    assert_ok(qmt_optimizer_create(&config.train[QMT_PNET], parameters, count, &resume.optimizer, &error), &error);
    assert_ok(qmt_checkpoint_write(folder, &resume.origin, &position, resume.net, resume.optimizer, &error), &error);
    mutate(path, false, rounds / 4, read_checkpoint, &resume);
    qmt_optimizer_free(resume.optimizer);
    qmt_net_free(resume.net);
    qmt_free(text);
    qmt_free(path);
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_annotations), cmocka_unit_test(test_landmark_lists),
                                       cmocka_unit_test(test_profiles), cmocka_unit_test(test_checkpoints)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
