/* One model shared by several threads, each with a context of its own: the way to use many cores on many pictures.
 *
 *   example_detect_threads models/mtcnn_qat a.ppm b.ppm c.ppm ... */
#include <qmtcnn/qmtcnn.h>

#include "ppm.h"

#include <pthread.h>

enum { thread_count = 2 };

/* What a thread gets: every thread_count-th picture. */
struct job {
    const qmtcnn_model *model; /* const: nothing that a thread does changes it */
    char **paths;
    int count, first, failures;
};

static void detect_picture(qmtcnn_context *context, const char *path, struct job *job)
{
    qmtcnn_error error;
    const qmtcnn_face *faces;
    size_t count;
    int width, height;
    uint8_t *pixels = read_ppm(path, &width, &height);
    qmtcnn_image image = {pixels, width, height, 3 * (ptrdiff_t)width, QMTCNN_RGB, NULL, 0};
    if (!pixels) {
        fprintf(stderr, "%s: not a PPM picture (P6)\n", path);
        job->failures++;
    } else if (qmtcnn_detect(context, &image, &faces, &count, &error) != QMTCNN_OK) {
        fprintf(stderr, "%s: %s\n", path, error.message);
        job->failures++;
    } else {
        printf("%s: %zu faces\n", path, count);
    }
    free(pixels);
}

static void *run(void *argument)
{
    struct job *job = (struct job *)argument;
    qmtcnn_error error;
    qmtcnn_context *context;
    /* Memory is taken with the first pictures and then reused. */
    if (qmtcnn_context_create(job->model, NULL, &context, &error) != QMTCNN_OK) {
        fprintf(stderr, "%s\n", error.message);
        job->failures++;
        return NULL;
    }
    for (int i = job->first; i < job->count; i += thread_count)
        detect_picture(context, job->paths[i], job);
    qmtcnn_context_free(context);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s MODELS PICTURE.ppm...\n", argv[0]);
        return 2;
    }
    qmtcnn_error error;
    qmtcnn_model *model;
    if (qmtcnn_model_open(argv[1], QMTCNN_PRECISION_AUTO, &model, &error) != QMTCNN_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    struct job jobs[thread_count];
    pthread_t threads[thread_count];
    int started = 0, failures = 0;
    for (int i = 0; i < thread_count; i++) {
        jobs[i] = (struct job){model, argv + 2, argc - 2, i, 0};
        if (pthread_create(&threads[i], NULL, run, &jobs[i]) != 0)
            break;
        started++;
    }
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        failures += jobs[i].failures;
    }
    qmtcnn_model_close(model); /* after all contexts */
    return failures > 0 || started < thread_count;
}
