/* Every allocation made to fail in turn, and none after the first picture, over all that a program does with the
 * library: open, create, detect, free. The linker sends the library's calls of malloc and its kin to the __wrap_
 * functions below (see CMakeLists.txt). */
#include "runtime/detector.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifdef QMT_WRAP_MALLOC

/* ---- Allocations that fail ------------------------------------------------------------------------ */

/* Numbered from 0 over all threads. The wrapped functions get no state of the caller's, so it stands at file scope. */
static struct {
    atomic_bool watched;
    atomic_long made, alive;
    long fail_at; /* -1: none fails */
    bool all;     /* ... and all after it */
    atomic_bool failed;
} heap = {.fail_at = -1};

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
void __real_free(void *memory);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
void __wrap_free(void *memory);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);

static bool refused(void)
{
    if (!heap.watched)
        return false;
    long number = atomic_fetch_add(&heap.made, 1);
    if (heap.fail_at < 0 || (heap.all ? number < heap.fail_at : number != heap.fail_at))
        return false;
    heap.failed = true;
    return true;
}

static void *count(void *memory)
{
    if (memory && heap.watched)
        heap.alive++;
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t items, size_t size)
{
    return refused() ? NULL : count(__real_calloc(items, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (refused())
        return NULL;
    return memory ? __real_realloc(memory, size) : count(__real_realloc(NULL, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return refused() ? NULL : count(__real_aligned_alloc(alignment, size));
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
    if (refused())
        return 12; /* ENOMEM */
    int result = __real_posix_memalign(memory, alignment, size);
    if (result == 0)
        count(*memory);
    return result;
}

void __wrap_free(void *memory)
{
    if (memory && heap.watched)
        heap.alive--;
    __real_free(memory);
}

/* A thread needs memory, too. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    return refused() ? 11 /* EAGAIN */ : __real_pthread_create(thread, attributes, run, argument);
}

/* ---- What fails ----------------------------------------------------------------------------------- */

struct use {
    const char *folder; /* NULL: from memory */
    qmtcnn_buffer networks[3];
    qmtcnn_precision precision;
    int threads;
    qmtcnn_image image;
    size_t faces; /* how many there are with enough memory */
};

/* A picture takes its room a second time when it is larger, and in another format. */
static qmtcnn_status detect_both(qmtcnn_context *context, const struct use *use, size_t *faces, qmtcnn_error *error)
{
    qmtcnn_image small = use->image;
    const qmtcnn_face *found;
    small.width /= 2;
    small.height /= 2;
    qmtcnn_status status = qmtcnn_detect(context, &small, &found, faces, error);
    if (status == QMTCNN_OK)
        status = qmtcnn_detect(context, &use->image, &found, faces, error);
    if (status != QMTCNN_OK)
        assert_true(!found && *faces == 0);
    return status;
}

/* All that a program does, once. */
static qmtcnn_status use_all(const struct use *use, size_t *faces, qmtcnn_error *error)
{
    qmtcnn_model *model = (qmtcnn_model *)1;
    qmtcnn_context *context = NULL;
    qmtcnn_options options;
    qmtcnn_status status = use->folder ? qmtcnn_model_open(use->folder, use->precision, &model, error)
                                       : qmtcnn_model_open_memory(use->networks, use->precision, &model, error);
    if (status != QMTCNN_OK) {
        assert_null(model);
        return status;
    }
    qmtcnn_options_default(model, &options);
    options.threads = use->threads;
    for (int i = 0; i < 3; i++)
        options.thresholds[i] = 0;
    context = (qmtcnn_context *)1;
    status = qmtcnn_context_create(model, &options, &context, error);
    if (status != QMTCNN_OK)
        assert_null(context);
    else
        status = detect_both(context, use, faces, error);
    if (status != QMTCNN_OK && context) { /* with memory the same context goes on as if nothing had been */
        qmtcnn_error later = {0};
        heap.watched = false;
        long before = heap.fail_at;
        heap.fail_at = -1;
        heap.watched = true;
        assert_ok(detect_both(context, use, faces, &later), &later);
        assert_int_equal(*faces, use->faces);
        heap.fail_at = before;
    }
    qmtcnn_context_free(context);
    qmtcnn_model_close(model);
    return status;
}

/* One use with allocation `fail_at` (and all after it) failing. Returns whether it got so far. */
static bool fail_one(const struct use *use, long fail_at, bool all)
{
    qmtcnn_error error = {0};
    size_t faces = 0;
    heap.made = 0;
    heap.alive = 0;
    heap.fail_at = fail_at;
    heap.all = all;
    heap.failed = false;
    heap.watched = true;
    qmtcnn_status status = use_all(use, &faces, &error);
    heap.watched = false;
    if (heap.alive != 0)
        fail_msg("allocation %ld failed: %ld blocks are left", fail_at, (long)heap.alive);
    if (heap.failed) {
        if (status != QMTCNN_ERROR_MEMORY)
            fail_msg("allocation %ld failed: the status is \"%s\" (%s)", fail_at, qmtcnn_status_name(status),
                     error.message);
        assert_int_equal(error.status, status);
        assert_true(strlen(error.message) > 10);
    } else {
        assert_ok(status, &error);
        assert_int_equal(faces, use->faces);
    }
    return heap.failed;
}

/* Threads may share the work otherwise each time, so the number of allocations is known only when none failed. */
static void fail_all(struct use *use)
{
    qmtcnn_error error = {0};
    assert_ok(use_all(use, &use->faces, &error), &error);
    assert_true(use->faces > 0);
    long number = 0;
    while (fail_one(use, number, false))
        number += TEST_SANITIZED ? 1 + number % 3 : 1;
    assert_true(number > 60 && number < 10000);
    print_message("%s, %d threads, %s: %ld allocations\n", use->precision == QMTCNN_PRECISION_INT8 ? "int8" : "fp32",
                  use->threads, use->folder ? "files" : "memory", number);
    /* And no memory at all from some point on; most of them lie in reading files, where they are much alike. */
    for (long from = 0; from < number; from += from < number - 200 ? 13 : 1 + 2 * TEST_SANITIZED)
        fail_one(use, from, true);
}

/* The design's shapes with few channels: most of the time goes into reading them, thousands of times. */
static const test_table thin[qmt_net_count] = {
    {3, {{4, 3, 2, 2}, {4, 3, 0, 0}, {4, 3, 0, 0}}},
    {4, {{4, 3, 3, 2}, {4, 3, 3, 2}, {4, 2, 0, 0}, {4, 3, 0, 0}}},
    {5, {{4, 3, 3, 2}, {4, 3, 3, 2}, {4, 3, 2, 2}, {4, 2, 0, 0}, {4, 3, 0, 0}}}};

static void write_networks(const char *folder, struct use *use)
{
    for (int i = 0; i < 3; i++) {
        const bool int8 = use->precision == QMTCNN_PRECISION_INT8;
        char path[1024];
        qmtcnn_error error = {0};
        qmt_model *model = test_make_model_of(&thin[i], (qmt_net_id)i, int8, QMT_ACTIVATION_PRELU, 7);
        assert_ok(qmt_model_set_metadata(model, "qmtcnn.threshold", "0.5", &error), &error);
        use->networks[i] = test_detector_write(model, int8);
        snprintf(path, sizeof path, "%s/%s.onnx", folder, qmt_net_name((qmt_net_id)i));
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(use->networks[i].data, 1, use->networks[i].size, file), use->networks[i].size);
        assert_int_equal(fclose(file), 0);
    }
}

static void free_networks(struct use *use)
{
    for (int i = 0; i < 3; i++)
        qmt_free((void *)(uintptr_t)use->networks[i].data);
}

static void every_allocation_can_fail(void **state)
{
    enum { width = 70, height = 60 };
    static uint8_t pixels[4 * width * height];
    test_random random = {3};
    (void)state;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)test_bits(&random);
    for (int int8 = 0; int8 < 2; int8++) {
        char *folder = test_make_folder();
        struct use use = {.precision = int8 ? QMTCNN_PRECISION_INT8 : QMTCNN_PRECISION_FP32,
                          .image = {pixels, width, height, 4 * width, QMTCNN_BGRA, NULL, 0}};
        write_networks(folder, &use);
        for (int threads = 1; threads <= 3; threads += 2) {
            use.threads = threads;
            use.folder = threads == 1 ? folder : NULL;
            fail_all(&use);
        }
        free_networks(&use);
        test_remove_folder(folder);
    }
}

/* Once a context has seen the largest picture, it takes no more. */
static void no_allocation_after_the_first_picture(void **state)
{
    enum { width = 200, height = 150, rounds = 5 };
    static uint8_t pixels[4 * width * height];
    test_random random = {4};
    qmtcnn_error error = {0};
    char *folder = test_make_folder();
    struct use use = {.precision = QMTCNN_PRECISION_INT8,
                      .image = {pixels, width, height, 4 * width, QMTCNN_BGRA, NULL, 0}};
    qmtcnn_model *model;
    qmtcnn_context *context;
    qmtcnn_options options;
    qmtcnn_timing timing;
    (void)state;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)test_bits(&random);
    write_networks(folder, &use);
    assert_ok(qmtcnn_model_open_memory(use.networks, use.precision, &model, &error), &error);
    qmtcnn_options_default(model, &options);
    for (int i = 0; i < 3; i++)
        options.thresholds[i] = 0.1f;
    assert_ok(qmtcnn_context_create(model, &options, &context, &error), &error);
    assert_ok(detect_both(context, &use, &use.faces, &error), &error);
    assert_true(use.faces > 0);
    const size_t bytes = qmtcnn_context_bytes(context);
    size_t faces = 0;
    heap.made = 0;
    heap.fail_at = -1;
    heap.watched = true;
    for (int i = 0; i < rounds; i++)
        assert_ok(detect_both(context, &use, &faces, &error), &error);
    heap.watched = false;
    assert_int_equal(heap.made, 0);
    assert_int_equal(faces, use.faces);
    assert_int_equal(qmtcnn_context_bytes(context), bytes);
    assert_true(bytes > 3 * width * height);
    qmtcnn_context_timing(context, &timing);
    assert_int_equal(timing.faces, faces);
    assert_true(timing.total_ms > 0 && timing.levels > 0 && timing.proposals >= timing.refined);
    qmtcnn_context_free(context);
    qmtcnn_model_close(model);
    free_networks(&use);
    test_remove_folder(folder);
}

#else

static void no_wrapping(void)
{
    print_message("skipped: the linker here can't wrap functions\n");
    skip();
}

static void every_allocation_can_fail(void **state)
{
    (void)state;
    no_wrapping();
}

static void no_allocation_after_the_first_picture(void **state)
{
    (void)state;
    no_wrapping();
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_can_fail),
                                       cmocka_unit_test(no_allocation_after_the_first_picture)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
