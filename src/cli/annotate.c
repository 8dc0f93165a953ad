#include "cli/annotate.h"

#include "toolkit/base/file.h"

#include <stdio.h>
#include <string.h>

static void draw_face(qmt_image *image, const qmtcnn_face *face)
{
    const qmt_color green = {40, 220, 60}, yellow = {255, 220, 0};
    const float side = face->width < face->height ? face->width : face->height;
    const int thickness = side > 200 ? 3 : side > 60 ? 2 : 1;
    const int scale = side > 160 ? 2 : 1;
    char text[16];
    qmt_draw_box(image, face->x, face->y, face->width, face->height, thickness, green);
    for (int i = 0; i < 5; i++)
        qmt_draw_dot(image, face->landmarks[i][0], face->landmarks[i][1], side / 50 < 1 ? 1 : side / 50, yellow);
    snprintf(text, sizeof text, "%.2f", (double)face->score);
    int y = (int)face->y - 9 * scale;
    qmt_draw_text(image, (int)face->x, y < 0 ? (int)face->y + 2 : y, scale, text, green);
}

/* Where an input's annotated picture goes: its path below the folder; only its last part where the path is absolute or
 * climbs up, so that nothing is written elsewhere. It ends in .jpg or .png. */
static char *annotated_path(const char *folder, const char *name)
{
    const char *last = strrchr(name, '/');
    if (strcmp(name, "-") == 0)
        name = "stdin";
    else if (last && (name[0] == '/' || strstr(name, "..")))
        name = last + 1;
    char *path = qmt_path_join(folder, name);
    if (path && !qmt_is_picture_name(path)) {
        char *longer = qmt_format("%s.jpg", path);
        qmt_free(path);
        path = longer;
    }
    return path;
}

/* ---- Names written so far ------------------------------------------------------------------------ */

/* *taken: the path was noted before. */
static qmtcnn_status note(json_t *written, const char *path, bool *taken, qmtcnn_error *error)
{
    *taken = json_object_get(written, path) != NULL;
    if (!*taken && json_object_set_new_nocheck(written, path, json_true()) != 0) /* no check: not all names are UTF-8 */
        return qmt_fail_memory(error, strlen(path), "names of pictures");
    return QMTCNN_OK;
}

/* "a/b-2.jpg" for the second "a/b.jpg". */
static char *numbered(const char *path, int number)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    const int stem = (int)(dot && (!slash || dot > slash) ? dot - path : (ptrdiff_t)strlen(path));
    return qmt_format("%.*s-%d%s", stem, path, number, path + stem);
}

/* A path that no other picture of this run was written to; for qmt_free(). */
static qmtcnn_status free_path(json_t *written, const char *folder, const char *name, char **result,
                               qmtcnn_error *error)
{
    char *wanted = annotated_path(folder, name), *path = wanted ? qmt_copy_string(wanted) : NULL;
    bool taken = true;
    qmtcnn_status status = path ? note(written, path, &taken, error) : QMTCNN_OK;
    for (int number = 2; status == QMTCNN_OK && path && taken; number++) {
        qmt_free(path);
        path = numbered(wanted, number);
        if (path)
            status = note(written, path, &taken, error);
    }
    if (!path)
        status = qmt_fail_memory(error, strlen(folder) + strlen(name), "a file name");
    qmt_free(wanted);
    *result = path;
    return status;
}

qmtcnn_status qmt_write_annotated(json_t *written, const char *folder, const qmt_picture *picture, qmt_image *image,
                                  const qmtcnn_face *faces, size_t count, qmtcnn_error *error)
{
    char *path = NULL;
    qmtcnn_status status = free_path(written, folder, picture->name, &path, error);
    if (status == QMTCNN_OK && qmt_is_same_file(path, picture->path))
        status = qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                          "%s would be written over by its annotated copy; give another folder (--annotate)", path);
    if (status == QMTCNN_OK) {
        for (size_t i = count; i-- > 0;) /* the best on top */
            draw_face(image, &faces[i]);
        status = qmt_image_write(image, path, error);
    }
    qmt_free(path);
    return status;
}
