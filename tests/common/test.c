#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include "common/test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void test_assert_ok(qmtcnn_status status, const qmtcnn_error *error, const char *file, int line)
{
    if (status != QMTCNN_OK) {
        print_error("%s:%d: %s: %s\n", file, line, qmtcnn_status_name(status), error ? error->message : "");
        _fail(file, line);
    }
}

char *test_make_folder(void)
{
    const char *base = getenv("TMPDIR");
    char path[512];
    snprintf(path, sizeof path, "%s/qmtcnn-test-XXXXXX", base && *base ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    return strdup(path);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

void test_remove_folder(char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

char *test_shared(const char *path)
{
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", QMT_SHARED_DIR, path);
    if (access(full, R_OK) != 0) {
        print_message("skipped: no %s\n", full);
        skip();
    }
    return strdup(full);
}
