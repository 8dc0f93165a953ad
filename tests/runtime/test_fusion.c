/* Scores of two networks as one, and boxes that vote: against plain arithmetic. */
#include "common/test.h"

#include "runtime/detect/advice.h"
#include "runtime/detect/box.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static float uniform(uint32_t *state, float low, float high)
{
    return low + (high - low) * ((float)next_random(state) / 16777216.0f);
}

/* ---- Fusion ------------------------------------------------------------------------------------ */

/* Odds 4 and 1: powers of two by hand. */
static void test_fusion_by_hand(void **state)
{
    (void)state;
    assert_float_equal(qmt_fuse_scores(0.8f, 0.5f, 0.5f, 1), 2.0 / 3, 1e-7);
    assert_float_equal(qmt_fuse_scores(0.8f, 0.5f, 0.25f, 1), 1.41421356 / 2.41421356, 1e-7);
    assert_float_equal(qmt_fuse_scores(0.8f, 0.5f, 0.75f, 1), 2.82842712 / 3.82842712, 1e-7);
    assert_float_equal(qmt_fuse_scores(0.8f, 0.5f, 0, 1), 0.5, 1e-7);
    assert_float_equal(qmt_fuse_scores(0.8f, 0.5f, 1, 1), 0.8, 1e-7);
    assert_float_equal(qmt_fuse_scores(0.8f, 0.5f, 0.5f, 0.5f), 0.5, 1e-7);
    assert_float_equal(qmt_fuse_scores(0.5f, 0.8f, 0.5f, 4), 8.0 / 9, 1e-7);
}

/* The sigmoid of the mean of logits, with libm in long double: rounded to FP32, at most one step beside it. */
static void test_fusion_is_the_mean_of_logits(void **state)
{
    uint32_t seed = 3;
    (void)state;
    for (int i = 0; i < 200000; i++) {
        const float r = uniform(&seed, 0, 1), o = uniform(&seed, 0, 1);
        const int quarters = 1 + (int)(next_random(&seed) % 3);
        if (r <= 0x1p-24f || o <= 0x1p-24f)
            continue;
        const long double weight = quarters / 4.0L, lr = logl(r / (1.0L - r)), lo = logl(o / (1.0L - o));
        const float wanted = (float)(1 / (1 + expl(-(weight * lr + (1 - weight) * lo))));
        const float found = qmt_fuse_scores(r, o, (float)quarters / 4, 1);
        assert_true(found == wanted || nextafterf(found, wanted) == wanted);
    }
}

/* Also where a network is as sure as FP32 can say. */
static void test_fusion_at_the_ends(void **state)
{
    (void)state;
    const float ends[] = {0, 0x1p-149f, 0x1p-30f, 0.3f, 0.5f, 0.9f, 1 - 0x1p-24f, 1};
    const int count = sizeof ends / sizeof *ends;
    for (int w = 1; w <= 3; w++) {
        const float weight = (float)w / 4;
        for (int i = 0; i < count; i++) {
            for (int j = 0; j < count; j++) {
                const float score = qmt_fuse_scores(ends[i], ends[j], weight, 1);
                assert_true(score > 0 && score < 1);
                if (i + 1 < count)
                    assert_true(qmt_fuse_scores(ends[i + 1], ends[j], weight, 1) >= score);
                if (j + 1 < count)
                    assert_true(qmt_fuse_scores(ends[i], ends[j + 1], weight, 1) >= score);
            }
        }
        assert_float_equal(qmt_fuse_scores(0, 1, 0.5f, 1), 0.5, 0);
        assert_true(qmt_fuse_scores(1, 1, weight, 1) == 1 - 0x1p-24f);
        assert_float_equal(qmt_fuse_scores(0, 0, weight, 1), 0x1p-24, 1e-14);
    }
}

/* Bits that a processor of another kind must give too. */
static void test_fusion_bits(void **state)
{
    uint32_t seed = 77, hash = 2166136261u;
    (void)state;
    for (int i = 0; i < 10000; i++) {
        const float r = uniform(&seed, 0, 1), o = uniform(&seed, 0, 1), weight = (float)(i % 4) / 4;
        const float score = qmt_fuse_scores(r, o, weight, 1.25f);
        uint32_t bits;
        memcpy(&bits, &score, sizeof bits);
        hash = (hash ^ bits) * 16777619u;
    }
    assert_int_equal(hash, 0xd65cd328u);
}

/* ---- Voting ------------------------------------------------------------------------------------ */

static void test_votes_by_hand(void **state)
{
    (void)state;
    int scratch[2 * qmt_suppress_ints];
    qmt_vote_sums sums[2];
    /* IoU with the first: 1, 9/11 = 0.818, 1/3, 0. */
    qmt_candidate voters[4] = {{.box = {0, 0, 10, 10}, .score = 0.75f},
                               {.box = {1, 0, 11, 10}, .score = 0.25f},
                               {.box = {5, 0, 15, 10}, .score = 0.5f},
                               {.box = {100, 0, 110, 10}, .score = 0.5f}};
    voters[0].landmarks[2][0] = 4;
    voters[1].landmarks[2][0] = 8;
    voters[3].landmarks[4][1] = 7;
    qmt_candidate kept[2] = {voters[0], voters[3]};
    qmt_vote(kept, 2, voters, 4, 0.5f, sums, scratch);
    assert_float_equal(kept[0].box.x1, 0.25, 0);
    assert_float_equal(kept[0].box.x2, 10.25, 0);
    assert_float_equal(kept[0].box.y2, 10, 0);
    assert_float_equal(kept[0].landmarks[2][0], 5, 0);
    assert_float_equal(kept[0].score, 0.75, 0);
    assert_float_equal(kept[1].box.x1, 100, 0);
    assert_float_equal(kept[1].landmarks[4][1], 7, 0);
    kept[0] = voters[0];
    qmt_vote(kept, 1, voters, 4, 0.3f, sums, scratch); /* now the third votes too */
    assert_float_equal(kept[0].box.x1, (0.25 + 2.5) / 1.5, 1e-6);
    kept[0] = voters[0];
    qmt_vote(kept, 1, voters, 4, 1, sums, scratch);
    assert_float_equal(kept[0].box.x2, 10, 0);
}

/* Every voter against every box. */
static void plain_vote(qmt_candidate *kept, size_t count, const qmt_candidate *voters, size_t voter_count,
                       float threshold)
{
    for (size_t i = 0; i < count; i++) {
        double weight = 0, box[4] = {0}, landmarks[10] = {0};
        for (size_t v = 0; v < voter_count; v++) {
            if (qmt_box_iou(kept[i].box, voters[v].box) < threshold)
                continue;
            const double w = voters[v].score;
            weight += w;
            box[0] += w * voters[v].box.x1;
            box[1] += w * voters[v].box.y1;
            box[2] += w * voters[v].box.x2;
            box[3] += w * voters[v].box.y2;
            for (int k = 0; k < 10; k++)
                landmarks[k] += w * voters[v].landmarks[k / 2][k % 2];
        }
        kept[i].box = (qmt_box){(float)(box[0] / weight), (float)(box[1] / weight), (float)(box[2] / weight),
                                (float)(box[3] / weight)};
        for (int k = 0; k < 10; k++)
            kept[i].landmarks[k / 2][k % 2] = (float)(landmarks[k] / weight);
    }
}

/* Clusters of candidates (`spread` pixels), of many sizes. */
static void check_votes(size_t count, float spread, float low, float high, float nms, float threshold, uint32_t seed)
{
    qmt_candidate *voters = calloc(count, sizeof *voters), *ours = calloc(count, sizeof *ours);
    qmt_candidate *plain = calloc(count, sizeof *plain);
    qmt_vote_sums *sums = malloc(count * sizeof *sums);
    int *scratch = malloc(count * qmt_suppress_ints * sizeof *scratch);
    assert_true(voters && ours && plain && sums && scratch);
    for (size_t i = 0; i < count; i++) {
        const float x = 90 * (float)(next_random(&seed) % 20) + uniform(&seed, 0, spread);
        const float y = 90 * (float)(next_random(&seed) % 10) + uniform(&seed, 0, spread);
        const float w = uniform(&seed, low, high), h = w * uniform(&seed, 0.7f, 1.4f);
        voters[i] = (qmt_candidate){
            .box = {x, y, x + w, y + h}, .score = uniform(&seed, 0.1f, 1), .order = (int)i, .landmarks = {{0}, {x, h}}};
    }
    memcpy(ours, voters, count * sizeof *ours);
    const size_t kept = qmt_suppress(ours, count, nms, QMT_OVERLAP_UNION, scratch);
    memcpy(plain, ours, kept * sizeof *plain);
    qmt_vote(ours, kept, voters, count, threshold, sums, scratch);
    plain_vote(plain, kept, voters, count, threshold);
    for (size_t i = 0; i < kept; i++)
        assert_memory_equal(&ours[i], &plain[i], sizeof *ours);
    free(scratch);
    free(sums);
    free(plain);
    free(ours);
    free(voters);
}

static void test_votes_as_plain(void **state)
{
    (void)state;
    check_votes(10, 8, 30, 60, 0.4f, 0.5f, 1);
    check_votes(500, 8, 30, 60, 0.4f, 0.5f, 2);
    check_votes(2000, 90, 30, 60, 0.4f, 0.4f, 3);
    check_votes(2000, 90, 10, 400, 0.7f, 0.2f, 4);
    check_votes(2000, 90, 2, 2000, 0.9f, 0.8f, 5);
    check_votes(1000, 90, 30, 60, 1, 1, 6);
    check_votes(5000, 90, 12, 300, 0.4f, 0.5f, 7);
}

/* Ten thousand faces that overlap nothing but their neighbors, ten candidates each: all pairs would be 10^9. */
static void test_many_votes_stay_fast(void **state)
{
    enum { faces = 10000, each = 10, count = faces * each };
    (void)state;
    qmt_candidate *voters = calloc(count, sizeof *voters), *kept = calloc(faces, sizeof *kept);
    qmt_vote_sums *sums = malloc(faces * sizeof *sums);
    int *scratch = malloc(faces * qmt_suppress_ints * sizeof *scratch);
    uint32_t seed = 5;
    assert_true(voters && kept && sums && scratch);
    for (int i = 0; i < count; i++) {
        const int face = i % faces;
        const float x = (float)(face % 100) * 30 + uniform(&seed, 0, 2), y = (float)(face / 100) * 30;
        voters[i] = (qmt_candidate){.box = {x, y, x + 25, y + 25}, .score = 0.5f};
        if (i < faces)
            kept[i] = voters[i];
    }
    const clock_t start = clock();
    qmt_vote(kept, faces, voters, count, 0.5f, sums, scratch);
    assert_true(clock() - start < 2 * CLOCKS_PER_SEC);
    for (int i = 0; i < faces; i++)
        assert_float_equal(sums[i].weight, 0.5 * each, 0);
    free(scratch);
    free(sums);
    free(kept);
    free(voters);
}

/* Boxes that can't be compared stay as they are and disturb none. */
static void test_votes_of_odd_boxes(void **state)
{
    enum { count = 40 };
    (void)state;
    int scratch[count * qmt_suppress_ints];
    qmt_vote_sums sums[count];
    qmt_candidate kept[count];
    for (int i = 0; i < count; i++) {
        const float x = 20 * (float)i;
        kept[i] = (qmt_candidate){.box = {x, 0, x + 10, 10}, .score = 0.5f};
        if (i % 3 == 1)
            kept[i].box.x1 = NAN;
        if (i % 3 == 2)
            kept[i].box.x2 = x - 5;
    }
    qmt_candidate before[count];
    memcpy(before, kept, sizeof kept);
    qmt_vote(kept, count, before, count, 0.5f, sums, scratch);
    for (int i = 0; i < count; i += 3)
        assert_float_equal(sums[i].weight, 0.5, 0);
    assert_memory_equal(kept, before, sizeof kept);
}

/* ---- What files recommend ---------------------------------------------------------------------- */

static qmtcnn_status read_one(qmt_net_id net, const char *key, const char *value, qmt_advice *advice,
                              qmtcnn_error *error)
{
    qmt_model *model;
    qmt_advice_default(advice);
    assert_ok(qmt_model_create(net, 1, &model, error), error);
    assert_ok(qmt_model_set_metadata(model, key, value, error), error);
    qmtcnn_status status = qmt_advice_read(model, "file.onnx", advice, error);
    qmt_model_free(model);
    return status;
}

static void test_advice(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"qmtcnn.fusion", "0.3"},
                                         {"qmtcnn.fusion", "1"},
                                         {"qmtcnn.fusion", "-0.25"},
                                         {"qmtcnn.fusion", "nan"},
                                         {"qmtcnn.fusion.odds", "1e3"},
                                         {"qmtcnn.fusion.odds", "99999999"},
                                         {"qmtcnn.vote", "0.1"},
                                         {"qmtcnn.vote", "1.5"},
                                         {"qmtcnn.last_nms", "0.4"},
                                         {"qmtcnn.last_nms", "union:"},
                                         {"qmtcnn.last_nms", "union:2"},
                                         {"qmtcnn.last_nms", "max:0.4"},
                                         {"qmtcnn.last_nms", "min:0.4x"},
                                         {"qmtcnn.threshold", "1"},
                                         {"qmtcnn.refined_nms.pnet", "0.4"},
                                         {"qmtcnn.refined_nms.rnet", "1.01"}};
    qmt_advice advice;
    qmtcnn_error error = {0};
    assert_ok(read_one(QMT_ONET, "qmtcnn.fusion", "0.50", &advice, &error), &error);
    assert_float_equal(advice.fusion, 0.5, 0);
    assert_false(advice.has_last_nms);
    assert_ok(read_one(QMT_ONET, "qmtcnn.fusion.odds", "0.220645577", &advice, &error), &error);
    assert_float_equal(advice.fusion_odds, 0.220645577, 1e-8);
    assert_ok(read_one(QMT_ONET, "qmtcnn.last_nms", "union:0.4", &advice, &error), &error);
    assert_true(advice.has_last_nms && advice.last_overlap == QMTCNN_OVERLAP_UNION);
    assert_float_equal(advice.last_nms, 0.4, 1e-7);
    assert_ok(read_one(QMT_ONET, "qmtcnn.last_nms", "min:0.65", &advice, &error), &error);
    assert_true(advice.has_last_nms && advice.last_overlap == QMTCNN_OVERLAP_SMALLER);
    assert_ok(read_one(QMT_ONET, "qmtcnn.vote", "0", &advice, &error), &error);
    assert_float_equal(advice.vote, 0, 0);
    assert_ok(read_one(QMT_ONET, "qmtcnn.refined_nms.rnet", "0.9", &advice, &error), &error);
    assert_true(advice.refined_nms[0] == 0 && advice.refined_nms[1] == 0.9f);
    assert_ok(read_one(QMT_PNET, "qmtcnn.fusion", "nonsense", &advice, &error), &error); /* not P-Net's to say */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_one(QMT_ONET, bad[i][0], bad[i][1], &advice, &error), QMTCNN_ERROR_FORMAT);
        assert_non_null(strstr(error.message, bad[i][0]));
        assert_non_null(strstr(error.message, "file.onnx"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fusion_by_hand),
        cmocka_unit_test(test_fusion_is_the_mean_of_logits),
        cmocka_unit_test(test_fusion_at_the_ends),
        cmocka_unit_test(test_fusion_bits),
        cmocka_unit_test(test_votes_by_hand),
        cmocka_unit_test(test_votes_as_plain),
        cmocka_unit_test(test_votes_of_odd_boxes),
        cmocka_unit_test(test_many_votes_stay_fast),
        cmocka_unit_test(test_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
