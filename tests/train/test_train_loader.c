/* What is in a batch: class ratios, passes, held-out pictures, and the same bytes for any number of threads. */
#include "train/synthetic.h"

#include "toolkit/train/loader.h"

#include <math.h>
#include <stdlib.h>

static const uint32_t store_counts[qmt_class_count] = {900, 300, 250, 400};

typedef struct fixture {
    char *folder;
    qmt_store *store;
    qmt_split split;
    qmt_augment_config plain, augment;
} fixture;

static int set_up(void **state)
{
    qmtcnn_error error;
    qmt_config config;
    fixture *made = calloc(1, sizeof *made);
    made->folder = test_make_folder();
    synthetic_store(made->folder, store_counts);
    assert_ok(qmt_store_open(made->folder, &made->store, &error), &error);
    assert_ok(qmt_split_create(made->store, 0.2, 0, &made->split, &error), &error);
    qmt_config_default(&config);
    made->augment = config.augment;
    *state = made;
    return 0;
}

static int tear_down(void **state)
{
    fixture *made = *state;
    qmt_split_clear(&made->split);
    qmt_store_close(made->store);
    test_remove_folder(made->folder);
    free(made);
    return 0;
}

static qmt_loader *loader_for(const fixture *made, const qmt_augment_config *augment, int threads, int first_group,
                              int groups)
{
    qmtcnn_error error;
    qmt_loader *loader = NULL;
    qmt_loader_options options = {.store = made->store,
                                  .training = made->split.training,
                                  .augment = augment,
                                  .counts = {27, 9, 9, 19},
                                  .first_group = first_group,
                                  .groups = groups,
                                  .seed = 5,
                                  .threads = threads};
    assert_ok(qmt_loader_create(&options, &loader, &error), &error);
    return loader;
}

enum { group_floats = 3 * synthetic_side * synthetic_side * qmt_lanes, batch_groups = 4 };

/* A batch copied. */
typedef struct copy {
    float input[batch_groups * group_floats];
    qmt_label labels[batch_groups * qmt_lanes];
} copy;

static void take(qmt_loader *loader, int64_t step, int groups, copy *to)
{
    qmtcnn_error error;
    qmt_batch batch;
    assert_ok(qmt_loader_next(loader, &batch, &error), &error);
    assert_int_equal(batch.step, step);
    memset(to, 0, sizeof *to);
    memcpy(to->input, batch.input, (size_t)groups * group_floats * sizeof(float));
    for (int i = 0; i < groups * qmt_lanes; i++) { /* member by member: there may be padding */
        to->labels[i].sample_class = batch.labels[i].sample_class;
        memcpy(to->labels[i].box, batch.labels[i].box, sizeof to->labels[i].box);
        memcpy(to->labels[i].landmarks, batch.labels[i].landmarks, sizeof to->labels[i].landmarks);
    }
}

static void any_threads_give_the_same_batches(void **state)
{
    const fixture *made = *state;
    qmtcnn_error error;
    enum { steps = 40 };
    copy *expected = malloc(steps * sizeof *expected), *got = malloc(sizeof *got);
    for (int threads = 1; threads <= 3; threads++) {
        qmt_loader *loader = loader_for(made, &made->augment, threads, 0, batch_groups);
        assert_ok(qmt_loader_seek(loader, 0, &error), &error);
        for (int step = 0; step < steps; step++) {
            take(loader, step, batch_groups, got);
            if (threads == 1)
                expected[step] = *got;
            assert_memory_equal(&expected[step], got, sizeof *got);
        }
        /* Back and forth: a batch depends on its step alone. */
        const int64_t jumps[4] = {7, 33, 6, 0};
        for (int i = 0; i < 4; i++) {
            assert_ok(qmt_loader_seek(loader, jumps[i], &error), &error);
            for (int64_t step = jumps[i]; step < jumps[i] + 3; step++) {
                take(loader, step, batch_groups, got);
                assert_memory_equal(&expected[step], got, sizeof *got);
            }
        }
        qmt_loader_free(loader);
    }
    assert_memory_not_equal(&expected[0], &expected[1], sizeof *got);
    free(got);
    free(expected);
}

/* Two ranks' halves are the whole. */
static void ranks_share_a_batch(void **state)
{
    const fixture *made = *state;
    qmtcnn_error error;
    copy *whole = malloc(sizeof *whole), *half = malloc(sizeof *half);
    qmt_loader *loaders[3] = {loader_for(made, &made->augment, 1, 0, 4), loader_for(made, &made->augment, 1, 0, 2),
                              loader_for(made, &made->augment, 1, 2, 2)};
    for (int i = 0; i < 3; i++)
        assert_ok(qmt_loader_seek(loaders[i], 11, &error), &error);
    take(loaders[0], 11, 4, whole);
    for (int i = 0; i < 2; i++) {
        take(loaders[1 + i], 11, 2, half);
        assert_memory_equal(half->input, whole->input + 2 * i * group_floats, 2 * group_floats * sizeof(float));
        assert_memory_equal(half->labels, whole->labels + 2 * i * qmt_lanes, 2 * qmt_lanes * sizeof *half->labels);
    }
    for (int i = 0; i < 3; i++)
        qmt_loader_free(loaders[i]);
    free(half);
    free(whole);
}

/* Which sample of the store is in a lane? By its pixels, without augmentation. */
static int find_sample(const copy *batch, int at, qmt_sample_class sample_class, uint32_t count)
{
    const float *lane = batch->input + (size_t)(at / qmt_lanes) * group_floats + at % qmt_lanes;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t pixels[synthetic_bytes];
        qmt_sample sample;
        synthetic_sample(sample_class, i, pixels, &sample);
        bool same = true;
        for (int k = 0; same && k < synthetic_side * synthetic_side; k++)
            for (int c = 0; c < 3; c++)
                same = same && lane[(c * synthetic_side * synthetic_side + k) * qmt_lanes] ==
                                   ((float)pixels[3 * k + c] - 127.5f) / 128;
        if (same)
            return (int)i;
    }
    return -1;
}

/* Every pass over a class shows each training sample once, in another order, and never a held-out one. */
static void a_pass_shows_each_sample_once(void **state)
{
    const fixture *made = *state;
    qmtcnn_error error;
    copy *batch = malloc(sizeof *batch);
    qmt_loader *loader = loader_for(made, &made->plain, 2, 0, batch_groups);
    assert_ok(qmt_loader_seek(loader, 0, &error), &error);
    uint32_t count = made->split.training[QMT_PART].count;
    assert_true(count > 150 && count < 230);
    int seen[250] = {0}, order[2] = {-1, -1};
    for (uint32_t i = 0; i < 2 * count; i++) {
        if (i % 9 == 0)
            take(loader, i / 9, batch_groups, batch);
        int at = 36 + (int)(i % 9); /* parts come after 27 negatives and 9 positives */
        assert_int_equal(batch->labels[at].sample_class, QMT_PART);
        int sample = find_sample(batch, at, QMT_PART, store_counts[QMT_PART]);
        assert_true(sample >= 0);
        assert_false(qmt_picture_held_out((uint32_t)sample % 200, 0.2));
        assert_int_equal(seen[sample], i / count);
        seen[sample]++;
        if (i % count == 0)
            order[i / count] = sample;
    }
    assert_int_not_equal(order[0], order[1]);
    qmt_loader_free(loader);
    free(batch);
}

static void batches_keep_the_ratio(void **state)
{
    const fixture *made = *state;
    qmtcnn_error error;
    copy *batch = malloc(sizeof *batch);
    qmt_loader *loader = loader_for(made, &made->augment, 1, 0, batch_groups);
    assert_ok(qmt_loader_seek(loader, 0, &error), &error);
    for (int step = 0; step < 5; step++) {
        int counts[qmt_class_count] = {0};
        take(loader, step, batch_groups, batch);
        for (int i = 0; i < batch_groups * qmt_lanes; i++)
            counts[batch->labels[i].sample_class]++;
        assert_true(counts[0] == 27 && counts[1] == 9 && counts[2] == 9 && counts[3] == 19);
    }
    qmt_loader_free(loader);
    free(batch);
}

static void counts_of(const float ratio[4], const uint32_t available[4], int batch, const int expected[4])
{
    qmtcnn_error error;
    int counts[qmt_class_count];
    assert_ok(qmt_batch_counts(ratio, available, batch, counts, &error), &error);
    for (int c = 0; c < qmt_class_count; c++)
        assert_int_equal(counts[c], expected[c]);
}

static void batch_counts(void **state)
{
    (void)state;
    const float ratio[4] = {3, 1, 1, 2}, no_parts[4] = {3, 1, 0, 0};
    const uint32_t all[4] = {9, 9, 9, 9}, no_landmarks[4] = {9, 9, 9, 0}, no_positives[4] = {9, 0, 9, 9};
    counts_of(ratio, all, 448, (int[4]){192, 64, 64, 128});
    counts_of(ratio, all, 512, (int[4]){220, 73, 73, 146}); /* 219.4 73.1 73.1 146.3 */
    counts_of(ratio, all, 16, (int[4]){7, 2, 2, 5});        /* 6.9 2.3 2.3 4.6 */
    counts_of(ratio, no_landmarks, 80, (int[4]){48, 16, 16, 0});
    counts_of(no_parts, all, 64, (int[4]){48, 16, 0, 0});
    const float steep[4] = {100, 1, 1, 1};
    counts_of(steep, all, 16, (int[4]){13, 1, 1, 1}); /* none goes without */
    int counts[qmt_class_count];
    qmtcnn_error error;
    assert_int_equal(qmt_batch_counts(ratio, no_positives, 16, counts, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "positive"));
}

static void holdout_is_by_picture(void **state)
{
    const fixture *made = *state;
    for (int c = 0; c < qmt_class_count; c++) {
        uint32_t training = made->split.training[c].count, validation = made->split.validation[c].count;
        assert_int_equal(training + validation, store_counts[c]);
        assert_true(validation > store_counts[c] / 10 && validation < store_counts[c] * 3 / 10);
        for (int side = 0; side < 2; side++) {
            const qmt_indices *list = side ? &made->split.validation[c] : &made->split.training[c];
            for (uint32_t i = 0; i < list->count; i++) {
                qmt_sample sample;
                qmt_store_get(made->store, (qmt_sample_class)c, list->items[i], &sample);
                assert_int_equal(qmt_picture_held_out(sample.picture, 0.2), side);
            }
        }
    }
    for (uint32_t first = 0; first < 5000; first += 97) { /* also in small parts */
        int held_out = 0;
        for (uint32_t picture = first; picture < first + 100; picture++)
            held_out += qmt_picture_held_out(picture, 0.05);
        assert_in_range(held_out, 4, 6);
    }
    for (uint32_t picture = 0; picture < 1000; picture++) { /* a larger share holds out more, none other */
        assert_false(qmt_picture_held_out(picture, 0));
        assert_true(qmt_picture_held_out(picture, 1));
        assert_true(!qmt_picture_held_out(picture, 0.1) || qmt_picture_held_out(picture, 0.2));
    }
}

static void impossible_options(void **state)
{
    const fixture *made = *state;
    qmtcnn_error error;
    qmt_loader *loader = NULL;
    qmt_loader_options options = {.store = made->store,
                                  .training = made->split.training,
                                  .augment = &made->plain,
                                  .counts = {16, 8, 8, 0},
                                  .first_group = 1,
                                  .groups = 2,
                                  .threads = 1};
    assert_int_equal(qmt_loader_create(&options, &loader, &error), QMTCNN_ERROR_ARGUMENT);
    options.groups = 1;
    options.threads = 0;
    assert_int_equal(qmt_loader_create(&options, &loader, &error), QMTCNN_ERROR_ARGUMENT);
    options.threads = 1;
    assert_ok(qmt_loader_create(&options, &loader, &error), &error);
    assert_int_equal(qmt_loader_seek(loader, -1, &error), QMTCNN_ERROR_ARGUMENT);
    qmt_loader_free(loader); /* with nothing ever asked of it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_threads_give_the_same_batches),
        cmocka_unit_test(ranks_share_a_batch),
        cmocka_unit_test(a_pass_shows_each_sample_once),
        cmocka_unit_test(batches_keep_the_ratio),
        cmocka_unit_test(batch_counts),
        cmocka_unit_test(holdout_is_by_picture),
        cmocka_unit_test(impossible_options),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
