/* Many pictures of mixed sizes through detectors that threads share, for a while: memory stays flat, and a picture
 * always has the same faces. test_soak [--seconds N] [--models FOLDER]     longer than the tests do, and with other
 * networks */
#define _POSIX_C_SOURCE 200809L
#include "runtime/base/clock.h"
#include "runtime/detector.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { users = 2, threads_a_user = 2, picture_count = 24, samples = 4096 };

struct settings {
    double seconds;
    const char *models; /* NULL: random networks */
};

struct soak {
    qmtcnn_image images[picture_count];
    uint64_t expected[picture_count];
    const char *models;
    double end;
    atomic_long done, wrong, faces;
};

/* Megabytes that the process has in memory; 0 where the system doesn't tell. */
static double resident_mb(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return 0;
    if (fscanf(file, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1048576;
}

static qmtcnn_model *open_model(const char *folder, bool int8)
{
    qmtcnn_error error = {0};
    qmtcnn_model *model;
    if (!folder)
        return test_detector_open(int8);
    assert_ok(qmtcnn_model_open(folder, QMTCNN_PRECISION_AUTO, &model, &error), &error);
    return model;
}

static qmtcnn_context *open_context(const qmtcnn_model *model, const char *folder, int threads)
{
    qmtcnn_error error = {0};
    qmtcnn_context *context;
    qmtcnn_options options;
    qmtcnn_options_default(model, &options);
    options.threads = threads;
    options.max_proposals = 64;
    for (int i = 0; i < 3 && !folder; i++)
        options.thresholds[i] = i == 0 ? 0.55f : 0.3f;
    assert_ok(qmtcnn_context_create(model, &options, &context, &error), &error);
    return context;
}

/* The faces of a picture as a number; 0 where it failed. */
static uint64_t find(qmtcnn_context *context, const qmtcnn_image *image, size_t *count)
{
    const qmtcnn_face *faces;
    if (qmtcnn_detect(context, image, &faces, count, NULL) != QMTCNN_OK)
        return 0;
    return test_hash_faces(faces, *count);
}

/* Detects until the time is over. Contexts are made anew now and then, and models, too. */
static void *use_detector(void *argument)
{
    enum { pictures_a_context = 97, contexts_a_model = 5 };
    struct soak *soak = argument;
    test_random random = {(uint64_t)(uintptr_t)&random};
    while (qmt_seconds() < soak->end) {
        qmtcnn_model *model = open_model(soak->models, true);
        for (int c = 0; c < contexts_a_model && qmt_seconds() < soak->end; c++) {
            qmtcnn_context *context = open_context(model, soak->models, threads_a_user);
            for (int i = 0; i < pictures_a_context && qmt_seconds() < soak->end; i++) {
                int which = test_below(&random, picture_count);
                size_t count = 0;
                if (find(context, &soak->images[which], &count) != soak->expected[which])
                    soak->wrong++;
                soak->done++;
                soak->faces += (long)count;
            }
            qmtcnn_context_free(context);
        }
        qmtcnn_model_close(model);
    }
    return NULL;
}

static void make_pictures(struct soak *soak)
{
    test_random random = {11};
    qmtcnn_model *model = open_model(soak->models, true);
    for (int i = 0; i < picture_count; i++) {
        int width = 1 << test_below(&random, 10), height = 1 << test_below(&random, 10);
        width += test_below(&random, width);
        height += test_below(&random, height);
        qmtcnn_context *context = open_context(model, soak->models, 1);
        size_t count;
        soak->images[i] =
            (qmtcnn_image){test_picture(&random, width, height), width, height, 3 * width, QMTCNN_BGR, NULL, 0};
        soak->expected[i] = find(context, &soak->images[i], &count);
        qmtcnn_context_free(context);
    }
    qmtcnn_model_close(model);
}

static void memory_stays_flat(void **state)
{
    const struct settings *settings = *state;
    static struct soak soak;
    static double resident[samples];
    pthread_t threads[users];
    double step = settings->seconds / 200, worst_early = 0, worst_late = 0;
    int count = 0;
    soak.models = settings->models;
    make_pictures(&soak);
    soak.end = qmt_seconds() + settings->seconds;
    for (int i = 0; i < users; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_detector, &soak), 0);
    while (qmt_seconds() < soak.end && count < samples) {
        const struct timespec pause = {(time_t)step, (long)(1e9 * (step - floor(step)))};
        nanosleep(&pause, NULL);
        resident[count++] = resident_mb();
    }
    for (int i = 0; i < users; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    /* The first fifth fills what grows with the largest picture. */
    for (int i = 0; i < count; i++) {
        double *worst = i < count / 5 + 1 ? &worst_early : &worst_late;
        *worst = resident[i] > *worst ? resident[i] : *worst;
    }
    print_message("%.0f s, %d x %d threads: %ld pictures, %ld faces, %ld wrong; resident MB: %.1f at first, %.1f at "
                  "most in the first fifth, %.1f at most later, %.1f at last\n",
                  settings->seconds, users, threads_a_user, (long)soak.done, (long)soak.faces, (long)soak.wrong,
                  resident[0], worst_early, worst_late, resident[count - 1]);
    assert_int_equal(soak.wrong, 0);
    assert_true(soak.done > 0 && (soak.faces > 0 || soak.models));
    /* AddressSanitizer keeps freed memory for a while, on purpose. */
    if (!TEST_SANITIZED)
        assert_true(worst_late <= worst_early + 8);
    for (int i = 0; i < picture_count; i++)
        free((void *)(uintptr_t)soak.images[i].pixels);
}

int main(int argc, char **argv)
{
    struct settings settings = {.seconds = 20};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0)
            settings.seconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--models") == 0)
            settings.models = argv[i + 1];
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(memory_stays_flat, &settings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
