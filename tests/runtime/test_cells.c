/* The few cells that a network gives out, against all of its map. */
#include "runtime/models.h"

#include "runtime/kernels/network.h"

#include <string.h>

struct rig {
    qmt_network *network;
    qmt_workspace *workspace;
    uint8_t *pixels;
    int height, width, rows, columns;
    float *face, *box;
    qmt_face_cell *found;
};

static void rig_open(struct rig *rig, bool int8)
{
    qmtcnn_error error = {0};
    test_random random = {5};
    qmt_model *model = test_make_model(QMT_PNET, int8, QMT_ACTIVATION_RELU, 9);
    *rig = (struct rig){.height = 93, .width = 120};
    assert_ok(qmt_network_create(model, QMTCNN_PRECISION_AUTO, NULL, &rig->network, &error), &error);
    assert_ok(qmt_workspace_create(&rig->workspace, &error), &error);
    assert_true(qmt_network_output_size(rig->network, rig->height, rig->width, &rig->rows, &rig->columns));
    const size_t pixels = 3 * (size_t)rig->height * (size_t)rig->width;
    const size_t map = (size_t)rig->rows * (size_t)rig->columns;
    rig->pixels = malloc(pixels);
    rig->face = malloc(map * sizeof(float));
    rig->box = malloc(4 * map * sizeof(float));
    rig->found = malloc(map * sizeof *rig->found);
    assert_true(rig->pixels && rig->face && rig->box && rig->found);
    for (size_t i = 0; i < pixels; i++)
        rig->pixels[i] = (uint8_t)test_below(&random, 256);
    const qmt_outputs outputs = {.face = rig->face, .box = rig->box};
    assert_ok(qmt_network_run(rig->network, rig->workspace, rig->pixels, 3 * rig->width, 1, rig->height, rig->width,
                              &outputs, NULL, NULL, &error),
              &error);
    qmt_model_free(model);
}

static void rig_close(struct rig *rig)
{
    free(rig->found);
    free(rig->box);
    free(rig->face);
    free(rig->pixels);
    qmt_workspace_free(rig->workspace);
    qmt_network_free(rig->network);
}

static size_t find(struct rig *rig, float threshold, size_t room)
{
    qmtcnn_error error = {0};
    qmt_face_cells cells = {.threshold = threshold, .found = rig->found, .room = room};
    const qmt_outputs outputs = {.cells = &cells};
    assert_ok(qmt_network_run(rig->network, rig->workspace, rig->pixels, 3 * rig->width, 1, rig->height, rig->width,
                              &outputs, NULL, NULL, &error),
              &error);
    return cells.count;
}

static void check_threshold(struct rig *rig, float threshold)
{
    const int map = rig->rows * rig->columns;
    const size_t count = find(rig, threshold, (size_t)map);
    size_t next = 0;
    for (int i = 0; i < map; i++) {
        if (!(rig->face[i] > threshold))
            continue;
        assert_true(next < count);
        const qmt_face_cell *cell = &rig->found[next++];
        assert_int_equal(cell->row, i / rig->columns);
        assert_int_equal(cell->column, i % rig->columns);
        assert_memory_equal(&cell->face, &rig->face[i], sizeof(float));
        assert_memory_equal(cell->box, rig->box + 4 * i, sizeof cell->box);
    }
    assert_int_equal(next, count);
}

static void test_cells_are_those_over_the_threshold(void **state)
{
    const float thresholds[] = {0, 1e-30f, 1e-6f, 0.1f, 0.3f, 0.5f, 0.6f, 0.7f, 0.9f, 0.999f, 0.9999999f};
    (void)state;
    for (int int8 = 0; int8 < 2; int8++) {
        struct rig rig;
        rig_open(&rig, int8);
        for (size_t i = 0; i < sizeof thresholds / sizeof *thresholds; i++)
            check_threshold(&rig, thresholds[i]);
        /* A cell's own probability: it is not over itself, and just over the number below. */
        for (int i = 0; i < rig.rows * rig.columns; i += 97) {
            check_threshold(&rig, rig.face[i]);
            check_threshold(&rig, nextafterf(rig.face[i], 0));
        }
        rig_close(&rig);
    }
}

static void test_room_is_kept(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, true);
    memset(rig.found, 0x5a, (size_t)rig.rows * (size_t)rig.columns * sizeof *rig.found);
    assert_int_equal(find(&rig, 0, 10), 10);
    assert_int_equal(rig.found[9].column, 9);
    assert_int_equal(rig.found[10].column, 0x5a5a5a5a);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells_are_those_over_the_threshold),
        cmocka_unit_test(test_room_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
