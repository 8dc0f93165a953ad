#define _XOPEN_SOURCE 700
#include "toolkit/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void qmt_names_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        qmt_free(names[i]);
    qmt_free(names);
}

static qmtcnn_status add_name(char ***names, size_t *capacity, size_t *count, const char *name, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_grow((void **)names, capacity, *count, *count + 1, sizeof **names, error);
    if (status != QMTCNN_OK)
        return status;
    (*names)[*count] = qmt_copy_string(name);
    if (!(*names)[*count])
        return qmt_fail_memory(error, strlen(name) + 1, "a file name");
    (*count)++;
    return QMTCNN_OK;
}

qmtcnn_status qmt_folder_list(const char *path, char ***result, size_t *result_count, qmtcnn_error *error)
{
    char **names = NULL;
    size_t capacity = 0, count = 0;
    qmtcnn_status status = QMTCNN_OK;
    const struct dirent *entry;
    *result = NULL;
    *result_count = 0;
    DIR *folder = opendir(path);
    if (!folder)
        return qmt_fail(error, QMTCNN_ERROR_IO, "can't read the folder '%s': %s", path, strerror(errno));
    while (status == QMTCNN_OK && (entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = add_name(&names, &capacity, &count, entry->d_name, error);
    closedir(folder);
    if (status != QMTCNN_OK) {
        qmt_names_free(names, count);
        return status;
    }
    if (count > 0)
        qsort(names, count, sizeof *names, compare_names);
    *result = names;
    *result_count = count;
    return QMTCNN_OK;
}
