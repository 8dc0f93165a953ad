#define _XOPEN_SOURCE 700
#include "fuzz.h"

#include "toolkit/base/file.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libFuzzer's entry point takes no state, so the folder's name is the one thing at file scope. */
static char folder[64];

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *walk)
{
    (void)facts;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_folder(void)
{
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "%s/qmtcnn-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        if (!mkdtemp(folder)) {
            perror(folder);
            exit(1);
        }
        atexit(remove_folder);
    }
    return folder;
}

const char *fuzz_file(const char *name, const void *data, size_t size)
{
    static char path[256];
    qmtcnn_error error;
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    /* The plain way first: no fsync and no rename, thousands of times a second. */
    FILE *file = fopen(path, "wb");
    if (!file) {
        if (qmt_file_write(path, data, size, &error) == QMTCNN_OK)
            return path;
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    bool whole = fwrite(data, 1, size, file) == size;
    whole = fclose(file) == 0 && whole;
    if (!whole) {
        perror(path);
        exit(1);
    }
    return path;
}

void fuzz_check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "finding: %s\n", what);
    abort();
}

void fuzz_check_message(qmtcnn_status status, const qmtcnn_error *error)
{
    fuzz_check(status == QMTCNN_OK || error->message[0], "a failure without a message");
}

void fuzz_check_faces(const qmtcnn_face *faces, size_t count, const qmtcnn_image *image, const qmtcnn_options *options)
{
    for (size_t i = 0; i < count; i++) {
        const qmtcnn_face *face = &faces[i];
        fuzz_check(isfinite(face->x) && isfinite(face->y) && face->width > 0 && face->height > 0 &&
                       isfinite(face->width) && isfinite(face->height),
                   "a box that is none");
        fuzz_check(face->score >= 0 && face->score <= 1 && (i == 0 || face->score <= faces[i - 1].score),
                   "scores out of range or order");
        for (int k = 0; k < 5; k++)
            fuzz_check(isfinite(face->landmarks[k][0]) && isfinite(face->landmarks[k][1]), "a landmark that is none");
        if (options->clip == QMTCNN_CLIP_IMAGE)
            fuzz_check(face->x >= 0 && face->y >= 0 && (double)face->x + (double)face->width <= image->width &&
                           (double)face->y + (double)face->height <= image->height,
                       "a box outside the picture");
    }
}
