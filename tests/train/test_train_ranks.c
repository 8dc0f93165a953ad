/* Two processes (MPI) end with the same checkpoints, byte for byte, as one. This program is also what mpirun starts. */
#define _DEFAULT_SOURCE
#include "train/synthetic.h"

#include "toolkit/train/train.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { exit_one_rank = 77 };

static qmtcnn_status train(const char *store, const char *checkpoints, qmt_ranks *ranks, qmtcnn_error *error)
{
    qmt_config config;
    qmt_config_default(&config);
    qmt_train_config *train = &config.train[QMT_PNET];
    train->epochs = 3;
    train->steps_per_epoch = 4;
    train->batch = 96; /* 6 groups: the tree over them is not a power of two */
    train->warmup_steps = 2;
    config.quantize.start_epoch = 1;
    config.quantize.freeze_observers_epoch = 2;
    config.quantize.freeze_batch_norm_epoch = 2;
    config.quantize.calibration_batches = 2;
    qmt_train_options options = {.net = QMT_PNET, .store = store, .checkpoints = checkpoints, .threads = 1, .seed = 3};
    return qmt_train(&config, &options, ranks, error);
}

/* What mpirun starts: PROGRAM STORE CHECKPOINTS. */
static int train_as_rank(char **argv)
{
    qmt_ranks *ranks = NULL;
    qmtcnn_error error;
    qmtcnn_status status = qmt_ranks_create(&ranks, &error);
    int size = qmt_ranks_size(ranks);
    if (status == QMTCNN_OK && size == 2)
        status = train(argv[1], argv[2], ranks, &error);
    if (status != QMTCNN_OK)
        fprintf(stderr, "%s\n", error.message);
    qmt_ranks_free(ranks);
    return status != QMTCNN_OK ? 1 : size == 2 ? 0 : exit_one_rank;
}

static void assert_same_file(const char *base, const char *name)
{
    qmtcnn_error error;
    void *data[2];
    size_t sizes[2];
    for (int i = 0; i < 2; i++) {
        char *path = qmt_format("%s/%s/pnet/%s.safetensors", base, i ? "two" : "one", name);
        assert_ok(qmt_file_read(path, 1 << 26, &data[i], &sizes[i], &error), &error);
        qmt_free(path);
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(data[0], data[1], sizes[0]);
    qmt_free(data[0]);
    qmt_free(data[1]);
}

static void two_ranks_are_as_one(void **state)
{
    (void)state;
    const uint32_t counts[qmt_class_count] = {300, 150, 150, 200};
    const char *names[] = {"fp32", "ptq", "qat", "step-00000004", "step-00000008", "step-00000012"};
    qmtcnn_error error;
    char self[1024] = "", *base = test_make_folder();
    if (strcmp(qmt_ranks_library(), "none") == 0) {
        test_remove_folder(base);
        print_message("skipped: built without MPI\n");
        skip();
    }
    if (system("command -v mpirun >/dev/null 2>&1") != 0 || readlink("/proc/self/exe", self, sizeof self - 1) < 0) {
        test_remove_folder(base);
        print_message("skipped: no mpirun\n");
        skip();
    }
    char *store = qmt_path_join(base, "store"), *one = qmt_path_join(base, "one");
    assert_ok(qmt_folder_make(store, &error), &error);
    synthetic_store(store, counts);
    assert_ok(train(store, one, NULL, &error), &error);
    char *command =
        qmt_format("mpirun --allow-run-as-root --oversubscribe -np 2 '%s' '%s' '%s/two'", self, store, base);
    int status = system(command);
    bool one_rank = WIFEXITED(status) && WEXITSTATUS(status) == exit_one_rank;
    if (!one_rank)
        assert_int_equal(status, 0);
    for (size_t i = 0; !one_rank && i < sizeof names / sizeof *names; i++)
        assert_same_file(base, names[i]);
    qmt_free(command);
    qmt_free(one);
    qmt_free(store);
    test_remove_folder(base);
    if (one_rank)
        skip(); /* mpirun doesn't work here */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_ranks_are_as_one)};
    return argc == 3 ? train_as_rank(argv) : cmocka_run_group_tests(tests, NULL, NULL);
}
