/* Limits of networks in files: what claims too much is refused before it costs memory or time. */
#include "runtime/onnx_edit.h"

#include <sys/resource.h>
#include <time.h>

static QmtOnnx__Model *unpack(void)
{
    qmt_model *model = test_make_model(QMT_PNET, true, QMT_ACTIVATION_PRELU, 31);
    QmtOnnx__Model *file = test_unpack(model, NULL);
    qmt_model_free(model);
    return file;
}

/* Packs, frees and reads a file; on success the model is freed, too. */
static qmtcnn_status read_edited(QmtOnnx__Model *file, qmtcnn_error *error)
{
    qmt_model *model = (qmt_model *)1;
    *error = (qmtcnn_error){0};
    qmtcnn_status status = test_read_edited(file, &model, error);
    assert_true(status == QMTCNN_OK || (!model && strncmp(error->message, "test.onnx: ", 11) == 0));
    if (status == QMTCNN_OK)
        qmt_model_free(model);
    return status;
}

/* Every constant in turn claims 10 GB (2.5 billion values of 4 bytes, or 10 billion of 1); at most 32 MB may be taken.
 */
static void ten_gigabytes_cost_nothing(void **state)
{
    struct rlimit before, tight;
    QmtOnnx__Model *file = unpack();
    size_t constants = file->graph->n_initializer, refused = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    long pages = 0;
    (void)state;
    qmt_onnx__model__free_unpacked(file, NULL);
    assert_true(statm == NULL || fscanf(statm, "%ld", &pages) == 1);
    if (statm)
        fclose(statm);
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    tight = before;
    if (pages > 0 && !TEST_SANITIZED)
        tight.rlim_cur = (rlim_t)pages * 4096 + (32 << 20);
    assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
    for (size_t i = 0; i < constants; i++) {
        qmtcnn_error error;
        file = unpack();
        QmtOnnx__Tensor *tensor = file->graph->initializer[i];
        if (tensor->n_dims == 0) { /* a scalar gets a dimension */
            tensor->dims = malloc(sizeof *tensor->dims);
            tensor->n_dims = 1;
        }
        for (size_t d = 0; d < tensor->n_dims; d++)
            tensor->dims[d] = d == 0 ? 2500000000 * (tensor->data_type == 1 ? 1 : 4) : 1;
        qmtcnn_status status = read_edited(file, &error);
        refused += status == QMTCNN_ERROR_FORMAT || status == QMTCNN_ERROR_UNSUPPORTED;
    }
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(refused, constants);
}

static void scales_that_are_none(void **state)
{
    static const float scales[] = {0, -0.0f, -1, INFINITY, -INFINITY, NAN, 1e30f, 1e-30f, 1e7f, 1e-21f};
    static const char *const names[] = {"conv2_weight_scale", "input_scale"};
    qmtcnn_error error;
    (void)state;
    assert_int_equal(read_edited(unpack(), &error), QMTCNN_OK);
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
            QmtOnnx__Model *file = unpack();
            QmtOnnx__Tensor *tensor = test_find_tensor(file, names[n]);
            assert_true(tensor->data_type == 1 && tensor->raw_data.len >= 4);
            for (size_t k = 0; k < tensor->raw_data.len / 4; k++)
                memcpy(tensor->raw_data.data + 4 * k, &scales[i], 4);
            if (read_edited(file, &error) != QMTCNN_ERROR_NUMERIC || !strstr(error.message, "scale"))
                fail_msg("%s = %g: %s", names[n], (double)scales[i], error.message);
        }
}

static void numbers_that_are_none(void **state)
{
    static const char *const names[] = {"conv2_weight", "conv2_bias", "conv2_slope"};
    static const float values[] = {NAN, INFINITY, -INFINITY};
    qmtcnn_error error;
    (void)state;
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            QmtOnnx__Model *file = unpack();
            QmtOnnx__Tensor *tensor = test_find_tensor(file, names[n]);
            memcpy(tensor->raw_data.data + tensor->raw_data.len - 4, &values[i], 4);
            if (read_edited(file, &error) != QMTCNN_ERROR_NUMERIC)
                fail_msg("%s = %g: %s", names[n], (double)values[i], error.message);
        }
}

/* Every whole number of every attribute, replaced by each of these: refused, or without effect. */
static void huge_attributes(void **state)
{
    static const int64_t values[] = {INT64_MIN, INT64_MAX, -1, 0, (int64_t)1 << 40, 65537};
    qmtcnn_error error;
    size_t refused = 0, tried = 0;
    QmtOnnx__Model *file = unpack();
    size_t nodes = file->graph->n_node;
    (void)state;
    qmt_onnx__model__free_unpacked(file, NULL);
    for (size_t n = 0; n < nodes; n++)
        for (size_t a = 0; a < 8; a++)
            for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
                file = unpack();
                const QmtOnnx__Node *node = file->graph->node[n];
                if (a >= node->n_attribute) {
                    qmt_onnx__model__free_unpacked(file, NULL);
                    continue;
                }
                node->attribute[a]->i = values[i];
                for (size_t k = 0; k < node->attribute[a]->n_ints; k++)
                    node->attribute[a]->ints[k] = values[i];
                refused += read_edited(file, &error) != QMTCNN_OK;
                tried++;
            }
    assert_true(tried > 30 && refused > tried / 2);
}

static void huge_inputs(void **state)
{
    static const int64_t sizes[] = {INT64_MIN, INT64_MAX, -2, 65537, (int64_t)1 << 32, 6};
    qmtcnn_error error;
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        QmtOnnx__Model *file = unpack();
        for (size_t d = 2; d < 4; d++) {
            QmtOnnx__Dimension *dimension = file->graph->input[0]->type->tensor_type->shape->dim[d];
            if (dimension->value_case == QMT_ONNX__DIMENSION__VALUE_DIM_PARAM)
                free(dimension->dim_param);
            dimension->value_case = QMT_ONNX__DIMENSION__VALUE_DIM_VALUE;
            dimension->dim_value = sizes[i];
        }
        assert_int_not_equal(read_edited(file, &error), QMTCNN_OK);
    }
}

static void insert_identities(QmtOnnx__Model *file, size_t count)
{
    QmtOnnx__Graph *graph = file->graph;
    QmtOnnx__Node *user = test_find_node(file, "conv2");
    graph->node = realloc(graph->node, (graph->n_node + count) * sizeof *graph->node);
    assert_non_null(graph->node);
    for (size_t i = 0; i < count; i++) {
        char name[32];
        QmtOnnx__Node *node = malloc(sizeof *node);
        qmt_onnx__node__init(node);
        snprintf(name, sizeof name, "identity%zu", i);
        node->name = strdup(name);
        node->op_type = strdup("Identity");
        node->n_input = node->n_output = 1;
        node->input = malloc(sizeof *node->input);
        node->output = malloc(sizeof *node->output);
        node->input[0] = user->input[0];
        node->output[0] = strdup(name);
        user->input[0] = strdup(name);
        graph->node[graph->n_node++] = node;
    }
}

/* A chain of thousands of nodes is read in no time; more are refused. */
static void thousands_of_nodes(void **state)
{
    qmtcnn_error error;
    clock_t start = clock();
    QmtOnnx__Model *file = unpack();
    (void)state;
    insert_identities(file, 4000);
    assert_ok(read_edited(file, &error), &error);
    file = unpack();
    insert_identities(file, 5000);
    assert_int_equal(read_edited(file, &error), QMTCNN_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "nodes"));
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_gigabytes_cost_nothing),
        cmocka_unit_test(scales_that_are_none),
        cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(huge_attributes),
        cmocka_unit_test(huge_inputs),
        cmocka_unit_test(thousands_of_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
