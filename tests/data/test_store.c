#include "common/test.h"
#include "toolkit/base/file.h"
#include "toolkit/base/random.h"
#include "toolkit/data/store_manifest.h"
#include "toolkit/data/store_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { side = 12, pixel_bytes = side * side * 3, shard_count = 2, shard_rows = 6 };

/* Sample `number` of the test store; every value follows from the number. */
static void make_sample(int number, uint8_t *pixels, qmt_sample *sample)
{
    memset(sample, 0, sizeof *sample);
    for (int i = 0; i < pixel_bytes; i++)
        pixels[i] = (uint8_t)(number * 31 + i);
    sample->pixels = pixels;
    sample->sample_class = (qmt_sample_class)(number % qmt_class_count);
    sample->picture = 4000000000u + (uint32_t)number;
    sample->iou = (float)number / 16;
    for (int i = 0; i < 4; i++)
        sample->box[i] = (float)(number + i) / 64;
    for (int i = 0; i < 10; i++)
        sample->landmarks[i] = (float)(number * i) / 128;
}

static char *path_in(const char *folder, const char *name)
{
    char *path = qmt_path_join(folder, name);
    assert_non_null(path);
    return path;
}

static void write_shard(const char *folder, size_t index, const qmt_sample_block *block, qmt_manifest *manifest)
{
    qmtcnn_error error;
    char name[32];
    qmt_shard_name(index, name);
    char *path = path_in(folder, name);
    assert_ok(qmt_sample_block_write(block, path, manifest->key, &error), &error);
    assert_ok(qmt_shard_measure(path, &manifest->shards[index], &error), &error);
    manifest->shards[index].samples = block->count;
    for (int k = 0; k < qmt_class_count; k++)
        manifest->counts[k] += block->class_counts[k];
    qmt_free(path);
}

static void write_store(const char *folder)
{
    qmtcnn_error error;
    qmt_sample_block block;
    qmt_shard_info shards[shard_count];
    qmt_manifest manifest = {
        .net = QMT_PNET, .side = side, .key = "0123456789abcdef", .shards = shards, .shard_count = shard_count};
    qmt_manifest_facts facts = {.config = "prepare:\n", .data_set = "faces", .split = "train", .seed = UINT64_MAX};
    assert_ok(qmt_sample_block_create(side, shard_rows, &block, &error), &error);
    for (int i = 0; i < shard_count; i++) {
        for (int row = 0; row < shard_rows; row++) {
            uint8_t pixels[pixel_bytes];
            qmt_sample sample;
            make_sample(i * shard_rows + row, pixels, &sample);
            qmt_sample_block_add(&block, &sample);
        }
        write_shard(folder, (size_t)i, &block, &manifest);
        qmt_sample_block_empty(&block);
    }
    assert_ok(qmt_manifest_write(folder, &manifest, &facts, &error), &error);
    qmt_sample_block_clear(&block);
}

static int setup(void **state)
{
    char *folder = test_make_folder();
    write_store(folder);
    *state = folder;
    return 0;
}

static int teardown(void **state)
{
    test_remove_folder(*state);
    return 0;
}

static void test_round_trip(void **state)
{
    qmtcnn_error error;
    qmt_store *store;
    assert_ok(qmt_store_open(*state, &store, &error), &error);
    assert_int_equal(qmt_store_net(store), QMT_PNET);
    assert_int_equal(qmt_store_side(store), side);
    for (int number = 0; number < shard_count * shard_rows; number++) {
        uint8_t pixels[pixel_bytes];
        qmt_sample wanted, sample;
        make_sample(number, pixels, &wanted);
        /* Classes go round in order, so that sample n is the n / 4th of its class. */
        qmt_store_get(store, wanted.sample_class, (size_t)number / qmt_class_count, &sample);
        assert_memory_equal(sample.pixels, pixels, pixel_bytes);
        assert_memory_equal(sample.box, wanted.box, sizeof wanted.box);
        assert_memory_equal(sample.landmarks, wanted.landmarks, sizeof wanted.landmarks);
        assert_int_equal(sample.sample_class, wanted.sample_class);
        assert_true(sample.picture == wanted.picture);
        assert_true(sample.iou == wanted.iou);
    }
    for (int k = 0; k < qmt_class_count; k++)
        assert_int_equal(qmt_store_count(store, (qmt_sample_class)k), 3);
    assert_non_null(strstr(qmt_store_manifest(store), "\"seed\": \"18446744073709551615\""));
    assert_ok(qmt_store_verify(store, &error), &error);
    qmt_store_close(store);
}

/* Changes one byte of a file, counted from the end if `offset` is negative. */
static void change_byte(const char *path, long offset, uint8_t change)
{
    qmtcnn_error error;
    void *data;
    size_t size;
    assert_ok(qmt_file_read(path, 1 << 24, &data, &size, &error), &error);
    ((uint8_t *)data)[offset < 0 ? (size_t)((long)size + offset) : (size_t)offset] ^= change;
    assert_ok(qmt_file_write(path, data, size, &error), &error);
    qmt_free(data);
}

static void assert_open_fails(const char *folder, qmtcnn_status expected, const char *words)
{
    qmtcnn_error error;
    qmt_store *store;
    assert_int_equal(qmt_store_open(folder, &store, &error), expected);
    assert_null(store);
    if (!strstr(error.message, words))
        fail_msg("no '%s' in: %s", words, error.message);
}

static void test_damage_is_found(void **state)
{
    qmtcnn_error error;
    qmt_store *store;
    char *shard = path_in(*state, "shard-00001.safetensors");
    /* The classes come last, the pixels before them. */
    change_byte(shard, -shard_rows - 5, 1);
    assert_ok(qmt_store_open(*state, &store, &error), &error);
    assert_int_equal(qmt_store_verify(store, &error), QMTCNN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "shard-00001"));
    qmt_store_close(store);
    change_byte(shard, -1, 0x80);
    assert_open_fails(*state, QMTCNN_ERROR_FORMAT, "impossible class");
    change_byte(shard, -1, 0x80);
    change_byte(shard, -1, 0x01);
    assert_open_fails(*state, QMTCNN_ERROR_FORMAT, "the manifest says");
    change_byte(shard, -1, 0x01);
    change_byte(shard, 30, 1);
    assert_open_fails(*state, QMTCNN_ERROR_FORMAT, "not the file that manifest.json describes");
    remove(shard);
    assert_open_fails(*state, QMTCNN_ERROR_IO, "shard-00001");
    qmt_free(shard);
}

static void test_without_manifest(void **state)
{
    char *path = path_in(*state, "manifest.json");
    remove(path);
    assert_open_fails(*state, QMTCNN_ERROR_IO, "qmtcnn prepare");
    qmt_free(path);
}

static void test_impossible_labels(void **state)
{
    qmtcnn_error error;
    qmt_sample_block block;
    qmt_sample_rows rows;
    uint8_t pixels[pixel_bytes];
    char *path = path_in(*state, "rows.safetensors");
    assert_ok(qmt_sample_block_create(side, 1, &block, &error), &error);
    for (int fault = 0; fault < 4; fault++) {
        qmt_sample sample;
        make_sample(3, pixels, &sample);
        switch (fault) {
        case 0: sample.iou = NAN; break;
        case 1: sample.iou = 1.5f; break;
        case 2: sample.box[2] = 1e9f; break;
        case 3: sample.landmarks[9] = -INFINITY; break;
        }
        qmt_sample_block_empty(&block);
        qmt_sample_block_add(&block, &sample);
        assert_ok(qmt_sample_block_write(&block, path, "key", &error), &error);
        assert_int_equal(qmt_sample_rows_open(path, side, &rows, &error), QMTCNN_ERROR_FORMAT);
    }
    qmt_sample_block_empty(&block);
    block.count = 1;
    block.pictures[0] = -1;
    block.classes[0] = 0;
    assert_ok(qmt_sample_block_write(&block, path, "key", &error), &error);
    assert_int_equal(qmt_sample_rows_open(path, side, &rows, &error), QMTCNN_ERROR_FORMAT);
    block.pictures[0] = 1;
    memset(block.boxes, 0, 16);
    memset(block.landmarks, 0, 40);
    block.ious[0] = 0;
    assert_ok(qmt_sample_block_write(&block, path, "key", &error), &error);
    assert_int_equal(qmt_sample_rows_open(path, 24, &rows, &error), QMTCNN_ERROR_FORMAT);
    assert_ok(qmt_sample_rows_open(path, side, &rows, &error), &error);
    assert_string_equal(qmt_sample_rows_key(&rows), "key");
    assert_null(rows.lots);
    qmt_sample_rows_close(&rows);
    assert_ok(qmt_sample_block_add_lots(&block, &error), &error);
    block.lots[0] = UINT64_MAX - 5;
    assert_ok(qmt_sample_block_write(&block, path, "key", &error), &error);
    assert_ok(qmt_sample_rows_open(path, side, &rows, &error), &error);
    assert_true(rows.lots && qmt_sample_rows_lot(&rows, 0) == UINT64_MAX - 5);
    qmt_sample_rows_close(&rows);
    qmt_sample_block_clear(&block);
    qmt_free(path);
}

/* Random damage of a file: bytes changed, cut off, doubled. Whatever comes, opening ends with a status. */
static void mutate(const char *folder, const char *name, int rounds)
{
    qmtcnn_error error;
    void *original;
    size_t size;
    int refused = 0;
    char *path = path_in(folder, name);
    assert_ok(qmt_file_read(path, 1 << 24, &original, &size, &error), &error);
    uint8_t *changed = malloc(2 * size);
    assert_non_null(changed);
    for (int round = 0; round < rounds; round++) {
        qmt_random random = qmt_random_stream(7, (uint64_t)round, size);
        size_t length = size;
        memcpy(changed, original, size);
        memcpy(changed + size, original, size);
        if (round % 5 == 1)
            length = (size_t)qmt_random_below(&random, size);
        if (round % 5 == 2)
            length = size + (size_t)qmt_random_below(&random, size);
        for (int i = 0; round % 5 != 1 && i <= round % 3; i++)
            changed[qmt_random_below(&random, round % 2    ? size
                                              : size < 700 ? size
                                                           : 700)] ^= (uint8_t)(1 + qmt_random_below(&random, 255));
        assert_ok(qmt_file_write(path, changed, length, &error), &error);
        qmt_store *store = NULL;
        if (qmt_store_open(folder, &store, &error) == QMTCNN_OK) {
            qmt_store_close(store);
        } else {
            assert_null(store);
            assert_true(strlen(error.message) > 0);
            refused++;
        }
    }
    assert_true(refused > rounds / 4);
    assert_ok(qmt_file_write(path, original, size, &error), &error);
    free(changed);
    qmt_free(original);
    qmt_free(path);
}

static void test_hostile_files(void **state)
{
    mutate(*state, "manifest.json", 300);
    mutate(*state, "shard-00000.safetensors", 300);
}

/* Well-formed JSON that lies. */
static void test_lying_manifests(void **state)
{
    static const char *const changes[][2] = {
        {"\"samples\": 6", "\"samples\": 5"},
        {"shard-00000.safetensors", "../../../etc/passwd.safe"},
        {"\"net\": \"pnet\"", "\"net\": \"rnet\""},
        {"\"side\": 12", "\"side\": -1"},
        {"\"negative\": 3", "\"negative\": 99999999999"},
        {"\"version\": 1", "\"version\": 2"},
        {"\"key\": \"0", "\"key\": \""},
        {"\"shards\": [", "\"shards\": [[[1]],"},
        {"qmtcnn samples", "other samples"},
    };
    qmtcnn_error error;
    void *data;
    size_t size;
    char *path = path_in(*state, "manifest.json");
    assert_ok(qmt_file_read(path, 1 << 24, &data, &size, &error), &error);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char *text = data;
        char *at = strstr(text, changes[i][0]);
        /* counts come before made in sorted keys; the first "negative" is that of the counts */
        assert_non_null(at);
        char *lie = qmt_format("%.*s%s%s", (int)(at - text), text, changes[i][1], at + strlen(changes[i][0]));
        assert_ok(qmt_file_write(path, lie, strlen(lie), &error), &error);
        qmt_store *store;
        if (qmt_store_open(*state, &store, &error) == QMTCNN_OK)
            fail_msg("took '%s'", changes[i][1]);
        qmt_free(lie);
    }
    qmt_free(data);
    qmt_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_manifest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_impossible_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lying_manifests, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
