#include "data/scenes.h"
#include "toolkit/data/crop.h"

#include <math.h>

/* Samples that a cropper gave. */
typedef struct gathered {
    qmt_sample *samples;
    qmt_box *boxes; /* where each was cut, by its pixels */
    size_t count, capacity;
    int side;
} gathered;

static qmtcnn_status gather(void *state, const qmt_sample *sample, qmtcnn_error *error)
{
    gathered *all = state;
    (void)error;
    if (all->count == all->capacity) {
        all->capacity = 2 * all->capacity + 64;
        all->samples = realloc(all->samples, all->capacity * sizeof *all->samples);
        all->boxes = realloc(all->boxes, all->capacity * sizeof *all->boxes);
        assert_non_null(all->samples);
        assert_non_null(all->boxes);
    }
    all->boxes[all->count] = scene_where(sample->pixels, all->side);
    all->samples[all->count++] = *sample;
    return QMTCNN_OK;
}

static void release(gathered *all)
{
    free(all->samples);
    free(all->boxes);
    memset(all, 0, sizeof *all);
}

static qmt_prepare_config recipe(void)
{
    static qmt_config config;
    qmt_config_default(&config);
    return config.prepare[QMT_PNET];
}

/* Cuts one picture with these labels. */
static void cut(const qmt_prepare_config *config, qmt_net_id net, uint64_t seed, const qmt_label *labels, size_t count,
                bool unlabeled, gathered *all)
{
    qmtcnn_error error;
    qmt_image image;
    scene_paint(&image);
    memset(all, 0, sizeof *all);
    all->side = qmt_net_side(net);
    qmt_cropper cropper = {.config = config, .net = net, .seed = seed, .sink = gather, .sink_state = all};
    qmt_scene scene = {.pixels = qmt_image_pixels(&image),
                       .labels = labels,
                       .label_count = count,
                       .picture = 7,
                       .faces_unlabeled = unlabeled};
    assert_ok(qmt_crop_picture(&cropper, &scene, &error), &error);
    qmt_cropper_clear(&cropper);
    qmt_image_clear(&image);
}

static size_t count_of(const gathered *all, qmt_sample_class sample_class)
{
    size_t n = 0;
    for (size_t i = 0; i < all->count; i++)
        n += all->samples[i].sample_class == sample_class;
    return n;
}

static double nearest(qmt_box box, const qmt_label *labels, size_t count)
{
    double best = 0;
    for (size_t i = 0; i < count; i++) {
        if (!labels[i].ignore)
            best = fmax(best, scene_iou(box, labels[i].box));
    }
    return best;
}

/* IoU of a face with its crop from the targets alone: the crop is the unit square. */
static double target_iou(const qmt_sample *sample)
{
    qmt_box face = {sample->box[0], sample->box[1], 1 + sample->box[2], 1 + sample->box[3]};
    return scene_iou(face, (qmt_box){0, 0, 1, 1});
}

static void test_labels_match_pixels(void **state)
{
    (void)state;
    const qmt_label labels[] = {scene_face_with_points(40, 30, 50, 60), scene_face(140, 120, 80, 90)};
    for (int net = 0; net < qmt_net_count; net++) {
        gathered all;
        qmt_prepare_config config = recipe();
        cut(&config, (qmt_net_id)net, 3, labels, 2, false, &all);
        assert_int_equal(count_of(&all, QMT_NEGATIVE), 50 + 2 * 5);
        assert_int_equal(count_of(&all, QMT_LANDMARK), 10);
        assert_true(count_of(&all, QMT_POSITIVE) >= 8 && count_of(&all, QMT_PART) >= 2);
        assert_true(count_of(&all, QMT_POSITIVE) + count_of(&all, QMT_PART) <= 40);
        for (size_t i = 0; i < all.count; i++) {
            const qmt_sample *sample = &all.samples[i];
            double iou = nearest(all.boxes[i], labels, 2);
            assert_true(fabs(iou - sample->iou) < 0.08); /* half a pixel of a small crop */
            assert_int_equal(sample->picture, 7);
            if (sample->sample_class == QMT_NEGATIVE) {
                assert_true(sample->iou < 0.3f);
                assert_true(sample->box[0] == 0 && sample->box[3] == 0);
            } else {
                assert_true(fabs(target_iou(sample) - sample->iou) < 1e-4);
                assert_true(sample->iou >= (sample->sample_class == QMT_PART ? 0.4f : 0.65f));
                assert_true(sample->sample_class != QMT_PART || sample->iou < 0.65f);
            }
        }
        release(&all);
    }
}

/* The targets, laid on the crop that the pixels tell of, give the face and its points back. */
static void test_targets_invert(void **state)
{
    gathered all;
    (void)state;
    const qmt_label label = scene_face_with_points(60, 50, 90, 100);
    qmt_prepare_config config = recipe();
    cut(&config, QMT_ONET, 3, &label, 1, false, &all);
    for (size_t i = 0; i < all.count; i++) {
        const qmt_sample *sample = &all.samples[i];
        qmt_box crop = all.boxes[i];
        double width = crop.x2 - crop.x1, height = crop.y2 - crop.y1;
        assert_true(crop.x1 > -1 && crop.y1 > -1 && crop.x2 < scene_side + 1 && crop.y2 < scene_side + 1);
        assert_true(fabs(width - height) < 2);
        if (sample->sample_class == QMT_NEGATIVE)
            continue;
        assert_true(fabs(crop.x1 + sample->box[0] * width - 60) < 1.5);
        assert_true(fabs(crop.y1 + sample->box[1] * height - 50) < 1.5);
        assert_true(fabs(crop.x2 + sample->box[2] * width - 150) < 1.5);
        assert_true(fabs(crop.y2 + sample->box[3] * height - 150) < 1.5);
        for (int k = 0; k < 5 && sample->sample_class == QMT_LANDMARK; k++) {
            assert_true(sample->landmarks[2 * k] > 0 && sample->landmarks[2 * k] < 1);
            assert_true(fabs(crop.x1 + sample->landmarks[2 * k] * width - label.landmarks[k][0]) < 1.5);
            assert_true(fabs(crop.y1 + sample->landmarks[2 * k + 1] * height - label.landmarks[k][1]) < 1.5);
        }
    }
    release(&all);
}

static void test_ignored_regions_are_no_negatives(void **state)
{
    gathered all;
    (void)state;
    qmt_label labels[] = {scene_face(30, 30, 60, 60), scene_face(100, 0, 156, 256), scene_face(40, 150, 15, 15)};
    labels[1].ignore = true;
    labels[2].ignore = true;
    qmt_prepare_config config = recipe();
    config.negatives_per_picture = 400;
    cut(&config, QMT_RNET, 5, labels, 3, false, &all);
    assert_true(count_of(&all, QMT_NEGATIVE) > 100);
    for (size_t i = 0; i < all.count; i++) {
        qmt_box box = all.boxes[i];
        double area = (double)(box.x2 - box.x1) * (double)(box.y2 - box.y1);
        double covered = fmax(0, fmin(256, box.x2) - fmax(100, box.x1)) * (box.y2 - box.y1);
        if (all.samples[i].sample_class != QMT_NEGATIVE)
            continue;
        assert_true(covered / area < 0.3 + 0.1);
        assert_true(scene_iou(box, labels[2].box) < 0.3 + 0.1);
    }
    release(&all);

    /* The whole picture is ignored: nothing is left. */
    qmt_label crowd = scene_face(0, 0, 256, 256);
    crowd.ignore = true;
    cut(&config, QMT_PNET, 5, &crowd, 1, false, &all);
    assert_int_equal(all.count, 0);
    release(&all);
}

static void test_which_faces_make_samples(void **state)
{
    gathered all;
    (void)state;
    qmt_label small = scene_face(100, 100, 19, 40), outside = scene_face(-5, 100, 60, 60),
              ignored = scene_face(100, 100, 50, 50), good = scene_face_with_points(100, 100, 50, 50);
    qmt_prepare_config config = recipe();
    ignored.ignore = true;
    const qmt_label *const none[] = {&small, &outside, &ignored};
    for (int i = 0; i < 3; i++) {
        cut(&config, QMT_PNET, 5, none[i], 1, false, &all);
        assert_true(all.count > 0);
        assert_int_equal(count_of(&all, QMT_NEGATIVE), all.count);
        /* A small face and one at the border are faces all the same. */
        for (size_t k = 0; k < all.count && i < 2; k++)
            assert_true(nearest(all.boxes[k], none[i], 1) < 0.3 + 0.12);
        release(&all);
    }
    /* Where other faces may be unlabeled, only the labeled ones are used. */
    cut(&config, QMT_PNET, 5, &good, 1, true, &all);
    assert_int_equal(count_of(&all, QMT_NEGATIVE), 0);
    assert_true(count_of(&all, QMT_POSITIVE) > 0 && count_of(&all, QMT_LANDMARK) == 10);
    release(&all);
}

/* Every octave of the pyramid gets its share: 12 to 256 pixels are 4.4 octaves. */
static void test_sizes_are_even_in_the_logarithm(void **state)
{
    gathered all;
    double octaves[4] = {0};
    (void)state;
    qmt_prepare_config config = recipe();
    config.negatives_per_picture = 4000;
    cut(&config, QMT_ONET, 11, NULL, 0, false, &all);
    assert_int_equal(all.count, 4000);
    for (size_t i = 0; i < all.count; i++) {
        double size = all.boxes[i].x2 - all.boxes[i].x1;
        for (int k = 0; k < 4; k++)
            octaves[k] += size >= 16 << k && size < 32 << k;
    }
    double wanted = 4000 / log2(256 / 12.0);
    for (int k = 0; k < 4; k++) /* half a pixel of error at 16 moves 4 % of an octave over its edge */
        assert_true(fabs(octaves[k] - wanted) < 0.12 * wanted);
    release(&all);
}

static void test_seeds(void **state)
{
    gathered a, b, c, d;
    (void)state;
    const qmt_label label = scene_face_with_points(60, 50, 90, 100);
    qmt_prepare_config config = recipe();
    cut(&config, QMT_PNET, 3, &label, 1, false, &a);
    cut(&config, QMT_PNET, 3, &label, 1, false, &b);
    cut(&config, QMT_PNET, 4, &label, 1, false, &c);
    cut(&config, QMT_RNET, 3, &label, 1, false, &d);
    assert_int_equal(a.count, b.count);
    assert_memory_equal(a.boxes, b.boxes, a.count * sizeof *a.boxes);
    assert_memory_not_equal(a.boxes, c.boxes, 20 * sizeof *a.boxes);
    assert_true(fabs(a.boxes[0].x1 - d.boxes[0].x1) > 1 || fabs(a.boxes[0].y1 - d.boxes[0].y1) > 1);
    release(&a);
    release(&b);
    release(&c);
    release(&d);
}

static qmt_candidate candidate(float x, float y, float size, float score)
{
    qmt_candidate result;
    memset(&result, 0, sizeof result);
    result.box = (qmt_box){x, y, x + size, y + size};
    result.score = score;
    return result;
}

static void cut_candidates(const qmt_prepare_config *config, const qmt_candidate *candidates, size_t count,
                           const qmt_label *labels, size_t label_count, gathered *all)
{
    qmtcnn_error error;
    qmt_image image;
    scene_paint(&image);
    memset(all, 0, sizeof *all);
    all->side = 24;
    qmt_cropper cropper = {.config = config, .net = QMT_RNET, .seed = 1, .sink = gather, .sink_state = all};
    qmt_scene scene = {.pixels = qmt_image_pixels(&image), .labels = labels, .label_count = label_count};
    assert_ok(qmt_crop_candidates(&cropper, &scene, candidates, count, &error), &error);
    qmt_cropper_clear(&cropper);
    qmt_image_clear(&image);
}

static void test_candidates_by_class(void **state)
{
    gathered all;
    (void)state;
    qmt_label labels[] = {scene_face(100, 100, 60, 60), scene_face(10, 180, 60, 60), scene_face(200, 200, 15, 15)};
    labels[1].ignore = true;
    const qmt_candidate candidates[] = {
        candidate(10, 10, 40, 0.9f),   /* negative */
        candidate(105, 100, 60, 0.8f), /* positive: 55 / 65 = 0.846 */
        candidate(120, 100, 60, 0.7f), /* part: 40 / 80 = 0.5 */
        candidate(130, 100, 60, 0.6f), /* nothing: 30 / 90 = 0.333 */
        candidate(10, 180, 58, 0.5f),  /* ignored */
        candidate(200, 200, 15, 0.4f), /* a face too small for samples */
        candidate(-30, -30, 90, 0.3f), /* negative past the border, black outside */
        candidate(50, 50, 0, 0.2f),    /* empty */
    };
    qmt_prepare_config config = recipe();
    cut_candidates(&config, candidates, 8, labels, 3, &all);
    assert_int_equal(all.count, 4);
    assert_int_equal(all.samples[0].sample_class, QMT_NEGATIVE);
    assert_true(fabs(all.boxes[0].x1 - 10) < 1);
    assert_int_equal(all.samples[1].sample_class, QMT_NEGATIVE);
    assert_int_equal(all.samples[2].sample_class, QMT_POSITIVE);
    assert_true(fabs(all.samples[2].iou - 55.0 / 65) < 1e-5);
    assert_true(fabs(all.samples[2].box[0] + 5.0 / 60) < 1e-6);
    assert_int_equal(all.samples[3].sample_class, QMT_PART);
    assert_true(fabs(all.samples[3].iou - 0.5) < 1e-5);
    release(&all);
}

/* Of many negatives: the best scored half for certain, the others from anywhere, none twice. */
static void test_candidates_are_capped(void **state)
{
    enum { many = 100 };
    qmt_candidate candidates[many];
    gathered all;
    int seen[many] = {0}, rest = 0;
    (void)state;
    for (int i = 0; i < many; i++)
        candidates[i] = candidate((float)(i % 10) * 20, (float)(i / 10) * 20, 40, 1 - (float)i / 200);
    qmt_prepare_config config = recipe();
    config.mine_negatives = 20;
    cut_candidates(&config, candidates, many, NULL, 0, &all);
    assert_int_equal(all.count, 20);
    for (size_t i = 0; i < all.count; i++) {
        int index = (int)lround(all.boxes[i].x1 / 20) + 10 * (int)lround(all.boxes[i].y1 / 20);
        seen[index]++;
        rest += index >= 20;
    }
    for (int i = 0; i < many; i++)
        assert_true(seen[i] <= 1 && (i >= 10 || seen[i] == 1));
    assert_true(rest > 0);
    release(&all);
    config.mine_negatives = 0;
    cut_candidates(&config, candidates, many, NULL, 0, &all);
    assert_int_equal(all.count, 0);
    release(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_match_pixels),
        cmocka_unit_test(test_targets_invert),
        cmocka_unit_test(test_ignored_regions_are_no_negatives),
        cmocka_unit_test(test_which_faces_make_samples),
        cmocka_unit_test(test_sizes_are_even_in_the_logarithm),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_candidates_by_class),
        cmocka_unit_test(test_candidates_are_capped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
