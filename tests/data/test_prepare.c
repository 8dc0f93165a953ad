#define _XOPEN_SOURCE 700 /* kill, waitpid, setrlimit */
#include "data/scenes.h"
#include "toolkit/data/prepare_job.h"
#include "toolkit/data/store.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { pictures = 40 }; /* three parts */

struct fixture {
    char *folder;
    scene_set set;
    qmt_config config;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->folder = test_make_folder();
    scene_set_make(fixture->folder, pictures, &fixture->set);
    qmt_config_default(&fixture->config);
    for (int net = 0; net < qmt_net_count; net++)
        fixture->config.prepare[net].shard_samples = 1000;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    scene_set_free(&fixture->set);
    test_remove_folder(fixture->folder);
    free(fixture);
    return 0;
}

static char *store_in(const struct fixture *fixture, const char *name)
{
    char *path = qmt_path_join(fixture->folder, name);
    assert_non_null(path);
    return path;
}

static qmtcnn_status prepare(const struct fixture *fixture, const char *out, int threads, bool resume,
                             qmtcnn_error *error)
{
    qmt_prepare_options options = {.net = QMT_PNET, .out = out, .threads = threads, .resume = resume, .seed = 5};
    return qmt_prepare(&fixture->set.dataset, &fixture->config, &options, NULL, error);
}

static void assert_same_folders(const char *a, const char *b)
{
    char **names, **others;
    size_t count, other_count;
    qmtcnn_error error;
    assert_ok(qmt_folder_list(a, &names, &count, &error), &error);
    assert_ok(qmt_folder_list(b, &others, &other_count, &error), &error);
    assert_int_equal(count, other_count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = 0, other = 1;
        char *path = qmt_path_join(a, names[i]), *other_path = qmt_path_join(b, others[i]);
        assert_string_equal(names[i], others[i]);
        assert_ok(qmt_file_hash(path, &hash, &error), &error);
        assert_ok(qmt_file_hash(other_path, &other, &error), &error);
        if (hash != other)
            fail_msg("%s differs from %s", path, other_path);
        qmt_free(path);
        qmt_free(other_path);
    }
    qmt_names_free(names, count);
    qmt_names_free(others, other_count);
}

static void test_any_number_of_threads(void **state)
{
    struct fixture *fixture = *state;
    qmtcnn_error error;
    char *paths[3];
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "store%d", i);
        paths[i] = store_in(fixture, name);
        assert_ok(prepare(fixture, paths[i], i + 1, false, &error), &error);
        assert_same_folders(paths[0], paths[i]);
    }
    for (int i = 0; i < 3; i++)
        qmt_free(paths[i]);
}

static json_t *read_manifest(const qmt_store *store)
{
    json_t *root = json_loads(qmt_store_manifest(store), 0, NULL);
    assert_non_null(root);
    return root;
}

static json_int_t number_at(const json_t *root, const char *object, const char *name)
{
    const json_t *value = json_object_get(json_object_get(root, object), name);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* The manifest's counts and histograms, from the pixels: they tell where each crop was cut. */
static void test_manifest_tells_the_truth(void **state)
{
    struct fixture *fixture = *state;
    qmtcnn_error error;
    qmt_store *store;
    char *path = store_in(fixture, "store");
    assert_ok(prepare(fixture, path, 2, false, &error), &error);
    assert_ok(qmt_store_open(path, &store, &error), &error);
    assert_ok(qmt_store_verify(store, &error), &error);
    json_t *root = read_manifest(store);
    for (int k = 0; k < qmt_class_count; k++) {
        const char *name = qmt_class_name((qmt_sample_class)k);
        size_t count = qmt_store_count(store, (qmt_sample_class)k);
        json_int_t bins[10] = {0};
        uint32_t last = 0;
        for (size_t i = 0; i < count; i++) {
            qmt_sample sample;
            qmt_store_get(store, (qmt_sample_class)k, i, &sample);
            assert_true(sample.picture < pictures && sample.picture >= last); /* in the order of pictures */
            last = sample.picture;
            const qmt_label *labels = fixture->set.labels + 3 * sample.picture;
            qmt_box box = scene_where(sample.pixels, 12);
            double iou = fmax(scene_iou(box, labels[0].box), scene_iou(box, labels[1].box));
            assert_true(fabs(iou - sample.iou) < 0.1);
            if (k == QMT_NEGATIVE)
                assert_true(scene_iou(box, labels[2].box) < 0.4);
            bins[(int)(sample.iou * 10) > 9 ? 9 : (int)(sample.iou * 10)]++;
        }
        assert_true(number_at(root, "counts", name) == (json_int_t)count);
        assert_true(number_at(root, "made", name) == (json_int_t)count);
        const json_t *histogram = json_object_get(json_object_get(root, "iou_histogram"), name);
        assert_int_equal(json_array_size(histogram), 10);
        for (size_t bin = 0; bin < 10; bin++)
            assert_true(json_integer_value(json_array_get(histogram, bin)) == bins[bin]);
    }
    assert_int_equal(number_at(root, "data", "pictures"), pictures);
    assert_int_equal(number_at(root, "data", "faces"), 2 * pictures);
    /* No folder of this machine, and nothing of threads. */
    assert_null(strstr(qmt_store_manifest(store), fixture->folder));
    assert_null(strstr(qmt_store_manifest(store), "threads"));
    assert_non_null(strstr(json_string_value(json_object_get(root, "config")), "negatives_per_picture"));
    json_decref(root);
    qmt_store_close(store);
    qmt_free(path);
}

/* Limits keep exactly so many, from the whole set, and the kept ones are among those of a run without limits. */
static void test_limits(void **state)
{
    struct fixture *fixture = *state;
    qmtcnn_error error;
    qmt_store *all, *some;
    char *all_path = store_in(fixture, "all"), *some_path = store_in(fixture, "some");
    assert_ok(prepare(fixture, all_path, 2, false, &error), &error);
    fixture->config.prepare[QMT_PNET].max_negatives = 777;
    fixture->config.prepare[QMT_PNET].max_landmarks = 1;
    fixture->config.prepare[QMT_PNET].max_parts = 1000000;
    assert_ok(prepare(fixture, some_path, 2, false, &error), &error);
    assert_ok(qmt_store_open(all_path, &all, &error), &error);
    assert_ok(qmt_store_open(some_path, &some, &error), &error);
    assert_int_equal(qmt_store_count(some, QMT_NEGATIVE), 777);
    assert_int_equal(qmt_store_count(some, QMT_LANDMARK), 1);
    assert_int_equal(qmt_store_count(some, QMT_PART), qmt_store_count(all, QMT_PART));
    assert_int_equal(qmt_store_count(some, QMT_POSITIVE), qmt_store_count(all, QMT_POSITIVE));
    size_t at = 0, by_quarter[4] = {0};
    for (size_t i = 0; i < 777; i++) {
        qmt_sample sample, other;
        qmt_store_get(some, QMT_NEGATIVE, i, &sample);
        by_quarter[sample.picture / (pictures / 4)]++;
        do {
            assert_true(at < qmt_store_count(all, QMT_NEGATIVE));
            qmt_store_get(all, QMT_NEGATIVE, at++, &other);
        } while (memcmp(sample.pixels, other.pixels, 12 * 12 * 3) != 0);
    }
    for (int i = 0; i < 4; i++)
        assert_true(by_quarter[i] > 777 / 4 - 20 && by_quarter[i] < 777 / 4 + 20);
    qmt_store_close(some);
    qmt_store_close(all);
    qmt_free(some_path);
    qmt_free(all_path);
}

/* Runs prepare in a child and kills it after `milliseconds`. Says whether it was still running. */
static bool run_and_kill(const struct fixture *fixture, const char *out, long milliseconds)
{
    int result = 0;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(prepare(fixture, out, 2, true, NULL) == QMTCNN_OK ? 0 : 1);
    struct timespec wait = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&wait, NULL);
    kill(child, SIGKILL);
    assert_true(waitpid(child, &result, 0) == child);
    if (!WIFSIGNALED(result))
        assert_int_equal(WEXITSTATUS(result), 0);
    return WIFSIGNALED(result);
}

static void test_killed_and_resumed(void **state)
{
    struct fixture *fixture = *state;
    qmtcnn_error error;
    int killed = 0;
    fixture->config.prepare[QMT_PNET].max_negatives = 300; /* what is written depends on when, what stays doesn't */
    char *whole = store_in(fixture, "whole"), *broken = store_in(fixture, "broken");
    assert_ok(prepare(fixture, whole, 1, false, &error), &error);
    for (int i = 0; i < 20; i++)
        killed += run_and_kill(fixture, broken, 5 + 7 * i);
    assert_true(killed >= 2);
    assert_ok(prepare(fixture, broken, 3, true, &error), &error);
    assert_same_folders(whole, broken);
    /* A finished store is left as it is. */
    assert_ok(prepare(fixture, broken, 1, true, &error), &error);
    assert_same_folders(whole, broken);
    qmt_free(broken);
    qmt_free(whole);
}

/* Kills a run as soon as it has written the shard called `name`. Says whether that was before its end. */
static bool run_until_shard(const struct fixture *fixture, const char *out, const char *name)
{
    int result = 0;
    char *path = qmt_path_join(out, name);
    fflush(NULL);
    pid_t child = fork(), ended = 0;
    assert_true(child >= 0);
    if (child == 0)
        _exit(prepare(fixture, out, 2, true, NULL) == QMTCNN_OK ? 0 : 1);
    while (!qmt_file_exists(path) && (ended = waitpid(child, &result, WNOHANG)) == 0) {
        struct timespec wait = {0, 200000};
        nanosleep(&wait, NULL);
    }
    if (ended == 0) {
        kill(child, SIGKILL);
        assert_true(waitpid(child, &result, 0) == child);
    }
    qmt_free(path);
    return WIFSIGNALED(result);
}

/* Killed twice while it merges, the second time with parts gone. On a busy machine the signal may come too late: false.
 */
static bool kill_merges(const struct fixture *fixture, const char *out)
{
    char *manifest = qmt_path_join(out, "manifest.json");
    char *part = qmt_path_join(out, "parts/part-000000-0000.safetensors");
    (void)run_until_shard(fixture, out, "shard-00003.safetensors");
    bool merging = !qmt_file_exists(manifest);
    (void)run_until_shard(fixture, out, "shard-00040.safetensors");
    merging = merging && !qmt_file_exists(manifest) && !qmt_file_exists(part);
    qmt_free(part);
    qmt_free(manifest);
    return merging;
}

/* A store in such a state; its folder is for qmt_free(). */
static char *killed_while_merging(const struct fixture *fixture)
{
    char *broken = NULL;
    bool merging = false;
    for (int i = 0; i < 10 && !merging; i++) {
        qmt_free(broken);
        broken = qmt_format("%s/broken%d", fixture->folder, i);
        merging = kill_merges(fixture, broken);
    }
    assert_true(merging);
    return broken;
}

static void test_killed_while_merging(void **state)
{
    struct fixture *fixture = *state;
    qmtcnn_error error;
    char *whole = store_in(fixture, "whole");
    fixture->config.prepare[QMT_PNET].shard_samples = 60;
    fixture->config.prepare[QMT_PNET].max_parts = 1000;
    assert_ok(prepare(fixture, whole, 1, false, &error), &error);
    char *broken = killed_while_merging(fixture);
    assert_ok(prepare(fixture, broken, 3, true, &error), &error);
    assert_same_folders(whole, broken);
    qmt_free(broken);
    qmt_free(whole);
}

static void resume_is_refused(const struct fixture *fixture, const char *out, qmtcnn_status expected, const char *part)
{
    qmtcnn_error error;
    assert_int_equal(prepare(fixture, out, 2, true, &error), expected);
    if (!strstr(error.message, part) || !strstr(error.message, "run prepare without --resume"))
        fail_msg("'%s'", error.message);
}

/* Writes `text` with the character at `at` changed. */
static void write_changed(const char *path, const char *text, const char *at, char character)
{
    qmtcnn_error error;
    const size_t length = strlen(text);
    char *changed = malloc(length + 1);
    assert_non_null(changed);
    memcpy(changed, text, length + 1);
    changed[at - text] = character;
    assert_ok(qmt_file_write(path, changed, length, &error), &error);
    free(changed);
}

/* What a run chose, damaged or lost once pieces are gone, ends in an error and never in other samples. */
static void test_damaged_choice(void **state)
{
    struct fixture *fixture = *state;
    qmtcnn_error error;
    char *whole = store_in(fixture, "whole");
    void *data = NULL;
    size_t size;
    fixture->config.prepare[QMT_PNET].shard_samples = 60;
    fixture->config.prepare[QMT_PNET].max_negatives = 1200;
    assert_ok(prepare(fixture, whole, 1, false, &error), &error);
    char *broken = killed_while_merging(fixture);
    char *path = qmt_path_join(broken, "parts/part-choice.json");
    assert_ok(qmt_file_read(path, 1 << 20, &data, &size, &error), &error);
    const char *text = data, *kept = strstr(text, "\"kept\":["), *lots = strstr(text, "\"first_lots\":[\"");
    assert_true(kept && lots);
    const char *last = strchr(kept, ']') - 1;
    write_changed(path, text, last, *last == '9' ? '8' : (char)(*last + 1));
    resume_is_refused(fixture, broken, QMTCNN_ERROR_FORMAT, "part-choice.json says");
    write_changed(path, text, strchr(lots, '[') + 2, '0');
    resume_is_refused(fixture, broken, QMTCNN_ERROR_FORMAT, "part-choice.json says");
    write_changed(path, text, strstr(text, "\"pieces\":") + 11, 'x');
    resume_is_refused(fixture, broken, QMTCNN_ERROR_IO, "part-000000-0000.safetensors is missing");
    write_changed(path, text, last, 'x');
    resume_is_refused(fixture, broken, QMTCNN_ERROR_IO, "is missing");
    remove(path);
    resume_is_refused(fixture, broken, QMTCNN_ERROR_IO, "is missing");
    assert_ok(qmt_file_write(path, text, size, &error), &error);
    assert_ok(prepare(fixture, broken, 3, true, &error), &error);
    assert_same_folders(whole, broken);
    qmt_free(data);
    qmt_free(path);
    qmt_free(broken);
    qmt_free(whole);
}

/* A marker that counts other samples than it says were made is no marker: the part is made again. */
static void test_markers_are_checked(void **state)
{
    struct fixture *fixture = *state;
    qmtcnn_error error;
    qmt_prepare_job job = {.dataset = &fixture->set.dataset, .parts = fixture->folder};
    uint64_t counts[1][qmt_class_count] = {{5, 1, 2, 0}};
    qmt_part part = {.file_count = 1, .counts = counts, .made = {5, 2, 2, 0}}, back;
    strcpy(job.key, "0123456789abcdef");
    assert_ok(qmt_part_write_marker(&job, 3, &part, &error), &error);
    assert_ok(qmt_part_read_marker(&job, 3, &back, &error), &error);
    assert_memory_equal(back.made, part.made, sizeof part.made);
    assert_memory_equal(back.counts[0], counts[0], sizeof counts[0]);
    qmt_part_clear(&back);
    part.made[QMT_POSITIVE] = 0;
    assert_ok(qmt_part_write_marker(&job, 3, &part, &error), &error);
    assert_int_equal(qmt_part_read_marker(&job, 3, &back, &error), QMTCNN_ERROR_FORMAT);
}

/* As on a full disk: files can't grow past a limit that parts keep and shards don't. */
static void test_no_room_for_a_file(void **state)
{
    struct fixture *fixture = *state;
    qmtcnn_error error;
    int result = 0;
    char *whole = store_in(fixture, "whole"), *broken = store_in(fixture, "broken");
    fixture->config.prepare[QMT_PNET].shard_samples = 3000;
    assert_ok(prepare(fixture, whole, 1, false, &error), &error);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {1200000, 1200000}; /* a part has 0.9 MB, a shard 1.5 */
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        qmtcnn_status status = prepare(fixture, broken, 2, false, &error);
        bool clear = status == QMTCNN_ERROR_IO && strstr(error.message, "shard-00000") && strlen(error.message) > 20;
        _exit(clear ? 7 : 8);
    }
    assert_true(waitpid(child, &result, 0) == child);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 7);
    qmt_store *store;
    assert_int_equal(qmt_store_open(broken, &store, &error), QMTCNN_ERROR_IO);
    assert_ok(prepare(fixture, broken, 2, true, &error), &error);
    assert_same_folders(whole, broken);
    qmt_free(broken);
    qmt_free(whole);
}

static void test_other_settings_start_anew(void **state)
{
    struct fixture *fixture = *state;
    qmtcnn_error error;
    char *fresh = store_in(fixture, "fresh"), *again = store_in(fixture, "again");
    assert_ok(prepare(fixture, again, 2, false, &error), &error);
    run_and_kill(fixture, again, 3);
    fixture->config.prepare[QMT_PNET].negatives_per_picture = 10;
    assert_ok(prepare(fixture, fresh, 2, false, &error), &error);
    assert_ok(prepare(fixture, again, 2, true, &error), &error);
    assert_same_folders(fresh, again);
    /* What a network trains with is no part of its samples. */
    fixture->config.train[QMT_PNET].epochs = 77;
    assert_ok(prepare(fixture, again, 2, true, &error), &error);
    assert_same_folders(fresh, again);
    qmt_free(again);
    qmt_free(fresh);
}

static void test_unreadable_pictures(void **state)
{
    struct fixture *fixture = *state;
    qmtcnn_error error;
    qmt_store *store;
    char *path = store_in(fixture, "store");
    assert_ok(qmt_file_write(fixture->set.pictures[17].path, "no picture", 10, &error), &error);
    remove(fixture->set.pictures[33].path);
    assert_ok(prepare(fixture, path, 2, false, &error), &error);
    assert_ok(qmt_store_open(path, &store, &error), &error);
    json_t *root = read_manifest(store);
    const json_t *names = json_object_get(json_object_get(root, "data"), "unreadable");
    assert_int_equal(json_array_size(names), 2);
    assert_string_equal(json_string_value(json_array_get(names, 0)), "picture-17.png");
    assert_string_equal(json_string_value(json_array_get(names, 1)), "picture-33.png");
    json_decref(root);
    qmt_store_close(store);
    for (int i = 1; i < 30; i++)
        remove(fixture->set.pictures[i].path);
    assert_int_equal(prepare(fixture, path, 2, false, &error), QMTCNN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "30 of 40 pictures"));
    for (int i = 0; i < pictures; i++)
        remove(fixture->set.pictures[i].path);
    assert_int_equal(prepare(fixture, path, 2, false, &error), QMTCNN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "picture-"));
    qmt_free(path);
}

static void test_wrong_use(void **state)
{
    struct fixture *fixture = *state;
    qmtcnn_error error;
    char *path = store_in(fixture, "store");
    qmt_prepare_options options = {.net = QMT_RNET, .out = path, .threads = 1, .seed = 5};
    fixture->config.prepare[QMT_RNET].mine = true;
    assert_int_equal(qmt_prepare(&fixture->set.dataset, &fixture->config, &options, NULL, &error),
                     QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "pnet.onnx"));
    options.models = fixture->folder;
    assert_int_equal(qmt_prepare(&fixture->set.dataset, &fixture->config, &options, NULL, &error), QMTCNN_ERROR_IO);
    assert_non_null(strstr(error.message, "pnet.onnx"));
    assert_false(qmt_folder_exists(path));
    options.models = NULL;
    fixture->config.prepare[QMT_RNET].mine = false;
    assert_ok(qmt_prepare(&fixture->set.dataset, &fixture->config, &options, NULL, &error), &error);
    qmt_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_any_number_of_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_manifest_tells_the_truth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_and_resumed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_while_merging, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_choice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_markers_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room_for_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_settings_start_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreadable_pictures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_use, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
