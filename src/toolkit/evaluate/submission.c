/* WIDER FACE's submission folders: EVENT/FILE.txt with the picture's name, the number of boxes, and a line a box. */
#include "toolkit/base/file.h"
#include "toolkit/evaluate/detections.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { max_file_bytes = 256 * 1024 * 1024, max_event_folders = 100000 };
static const double max_magnitude = 1e9; /* products of two such sides are still exact enough to compare */

/* ---- Writing --------------------------------------------------------------------------------- */

/* A name that would leave the folder, such as "../x" or "/x", is not one of a data set. */
static bool name_is_safe(const char *name)
{
    if (!*name || *name == '/' || strchr(name, '\\') || strchr(name, '\n'))
        return false;
    for (const char *part = name; part; part = strchr(part, '/')) {
        if (*part == '/')
            part++;
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == 0))
            return false;
    }
    return true;
}

static size_t length_without_ending(const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *dot = strrchr(name, '.');
    return dot && dot > (slash ? slash : name) ? (size_t)(dot - name) : strlen(name);
}

static qmtcnn_status write_picture(const qmt_found *found, const char *folder, qmtcnn_error *error)
{
    if (!found->name || !name_is_safe(found->name))
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "%s: not a picture's name for a submission",
                        found->name ? found->name : "(no name)");
    qmt_writer *writer = NULL;
    char *path = qmt_format("%s/%.*s.txt", folder, (int)length_without_ending(found->name), found->name);
    if (!path)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: the path for %s", found->name);
    qmtcnn_status status = qmt_writer_open(path, &writer, error);
    if (status == QMTCNN_OK)
        status = qmt_writer_print(writer, error, "%s\n%zu\n", found->name, found->count);
    for (size_t i = 0; status == QMTCNN_OK && i < found->count; i++) {
        const qmt_detection *box = &found->boxes[i];
        status = qmt_writer_print(writer, error, "%.17g %.17g %.17g %.17g %.17g\n", box->x, box->y, box->width,
                                  box->height, box->score);
    }
    if (status == QMTCNN_OK)
        status = qmt_writer_commit(writer, error);
    else
        qmt_writer_abandon(writer);
    qmt_free(path);
    return status;
}

static int compare_stems(const void *left, const void *right)
{
    const char *a = *(const char *const *)left, *b = *(const char *const *)right;
    const size_t a_length = length_without_ending(a), b_length = length_without_ending(b);
    const int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

/* A submission has one file for pictures whose names differ only in their ending. */
static qmtcnn_status check_names(const qmt_detections *detections, qmtcnn_error *error)
{
    size_t count = 0;
    qmtcnn_status status = QMTCNN_OK;
    const char **names = qmt_alloc(detections->count, sizeof *names);
    if (!names)
        return qmt_fail_memory(error, detections->count * sizeof *names, "names of pictures");
    for (size_t i = 0; i < detections->count; i++)
        if (detections->pictures[i].name)
            names[count++] = detections->pictures[i].name;
    qsort(names, count, sizeof *names, compare_stems);
    for (size_t i = 1; i < count && status == QMTCNN_OK; i++)
        if (compare_stems(&names[i - 1], &names[i]) == 0)
            status = qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                              "a submission can't tell %s from %s, whose names are the same without their endings; "
                              "rename one of them",
                              names[i - 1], names[i]);
    qmt_free(names);
    return status;
}

qmtcnn_status qmt_submission_write(const qmt_detections *detections, const char *folder, qmtcnn_error *error)
{
    qmtcnn_status status = check_names(detections, error);
    if (status == QMTCNN_OK)
        status = qmt_folder_make(folder, error);
    for (size_t i = 0; status == QMTCNN_OK && i < detections->count; i++)
        status = write_picture(&detections->pictures[i], folder, error);
    return status;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Lines of a file in memory. */
struct lines {
    char *next;
    const char *path;
    int number;
};

/* The next line without its end, or NULL. */
static char *next_line(struct lines *lines)
{
    char *line = lines->next;
    if (!line || !*line)
        return NULL;
    char *end = strchr(line, '\n');
    lines->next = end ? end + 1 : NULL;
    if (!end)
        end = line + strlen(line);
    else
        *end = 0;
    while (end > line && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t'))
        *--end = 0;
    lines->number++;
    return line;
}

/* Five numbers; ten more are five points, a common extension. */
static qmtcnn_status parse_box(const struct lines *lines, const char *line, qmt_detection *box, qmtcnn_error *error)
{
    enum { box_numbers = 5, all_numbers = 15 };
    double values[all_numbers];
    const char *at = line + strspn(line, " \t");
    int count = 0;
    for (; count < all_numbers && *at; count++) {
        char *end;
        values[count] = strtod(at, &end);
        if (end == at || (*end && *end != ' ' && *end != '\t'))
            break;
        if (!isfinite(values[count]) || fabs(values[count]) > max_magnitude)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: number %d is not finite or over 1e9: \"%.60s\"",
                            lines->path, lines->number, count + 1, line);
        at = end + strspn(end, " \t");
    }
    if (*at || (count != box_numbers && count != all_numbers))
        return qmt_fail(
            error, QMTCNN_ERROR_FORMAT,
            "%s:%d: want five numbers `x y w h score`, or fifteen with five points after them, got \"%.60s\"",
            lines->path, lines->number, line);
    *box = (qmt_detection){values[0], values[1], values[2], values[3], values[4], count == all_numbers, {{0}}};
    for (int i = 0; i < 10 && count == all_numbers; i++)
        box->landmarks[i / 2][i % 2] = (float)values[box_numbers + i];
    return QMTCNN_OK;
}

static qmtcnn_status parse_count(const struct lines *lines, const char *line, size_t size, size_t *count,
                                 qmtcnn_error *error)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = line && *line >= '0' && *line <= '9' ? strtoull(line, &end, 10) : 0;
    if (!end || *end || errno)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: want the number of boxes, got \"%.60s\"", lines->path,
                        lines->number, line ? line : "");
    /* A box takes at least ten bytes ("0 0 1 1 1" and a line's end), so a larger count is a lie about the file. */
    if (value > size / 10 + 1)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: %llu boxes can't be in %zu bytes", lines->path,
                        lines->number, value, size);
    *count = (size_t)value;
    return QMTCNN_OK;
}

static qmtcnn_status parse_boxes(struct lines *lines, qmt_detection *boxes, size_t count, qmtcnn_error *error)
{
    for (size_t i = 0; i < count; i++) {
        char *line = next_line(lines);
        if (!line)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: the file ends after %zu of %zu boxes", lines->path,
                            lines->number, i, count);
        qmtcnn_status status = parse_box(lines, line, &boxes[i], error);
        if (status != QMTCNN_OK)
            return status;
    }
    for (char *line = next_line(lines); line; line = next_line(lines))
        if (*line)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: more lines than the %zu boxes that line 2 says",
                            lines->path, lines->number, count);
    return QMTCNN_OK;
}

static qmtcnn_status read_picture(const char *path, const char *name, size_t picture, qmt_detections *detections,
                                  qmtcnn_error *error)
{
    void *data = NULL;
    size_t size = 0, count = 0;
    qmt_detection *boxes = NULL;
    qmtcnn_status status = qmt_file_read(path, max_file_bytes, &data, &size, error);
    if (status != QMTCNN_OK)
        return status;
    struct lines lines = {data, path, 0};
    if (memchr(data, 0, size)) {
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: holds a zero byte, so it is no text file", path);
        goto done;
    }
    if (!next_line(&lines)) {
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:1: want the picture's name, got an empty file", path);
        goto done;
    }
    status = parse_count(&lines, next_line(&lines), size, &count, error);
    if (status != QMTCNN_OK)
        goto done;
    boxes = qmt_alloc(count, sizeof *boxes);
    if (!boxes) {
        status = qmt_fail_memory(error, count * sizeof *boxes, path);
        goto done;
    }
    status = parse_boxes(&lines, boxes, count, error);
    if (status == QMTCNN_OK)
        status = qmt_detections_set(detections, picture, name, boxes, count, error);
done:
    qmt_free(boxes);
    qmt_free(data);
    return status;
}

/* Names of all files below a folder: "event/file" or "file". */
struct listing {
    char **names;
    size_t count, capacity;
};

static bool ends_in_txt(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".txt") == 0;
}

static qmtcnn_status add_name(struct listing *listing, const char *event, const char *file, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_grow((void **)&listing->names, &listing->capacity, listing->count, listing->count + 1,
                                    sizeof *listing->names, error);
    if (status != QMTCNN_OK)
        return status;
    int length = (int)strlen(file) - 4;
    char *name = event ? qmt_format("%s/%.*s", event, length, file) : qmt_format("%.*s", length, file);
    if (!name)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: the name %s", file);
    listing->names[listing->count++] = name;
    return QMTCNN_OK;
}

/* Takes in FOLDER's files, and (at the top, where `event` is NULL) those of its folders. */
static qmtcnn_status list_folder(struct listing *listing, const char *folder, const char *event, qmtcnn_error *error)
{
    char **names = NULL;
    size_t count = 0;
    qmtcnn_status status = qmt_folder_list(folder, &names, &count, error);
    if (status != QMTCNN_OK)
        return status;
    if (count > max_event_folders && !event)
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: %zu entries: not a submission folder", folder, count);
    for (size_t i = 0; status == QMTCNN_OK && i < count; i++) {
        char *path = qmt_path_join(folder, names[i]);
        if (!path)
            status = qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: the path of %s", names[i]);
        else if (!event && qmt_folder_exists(path))
            status = list_folder(listing, path, names[i], error);
        else if (ends_in_txt(names[i]))
            status = add_name(listing, event, names[i], error);
        qmt_free(path);
    }
    qmt_names_free(names, count);
    return status;
}

qmtcnn_status qmt_submission_read(const char *folder, qmt_detections **result, qmtcnn_error *error)
{
    struct listing listing = {0};
    qmt_detections *detections = NULL;
    *result = NULL;
    qmtcnn_status status = list_folder(&listing, folder, NULL, error);
    if (status == QMTCNN_OK && listing.count == 0)
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: no submission: want EVENT/FILE.txt below it", folder);
    if (status == QMTCNN_OK)
        status = qmt_detections_create(listing.count, &detections, error);
    for (size_t i = 0; status == QMTCNN_OK && i < listing.count; i++) {
        char *path = qmt_format("%s/%s.txt", folder, listing.names[i]);
        status = path ? read_picture(path, listing.names[i], i, detections, error)
                      : qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: the path of %s", listing.names[i]);
        qmt_free(path);
    }
    for (size_t i = 0; i < listing.count; i++)
        qmt_free(listing.names[i]);
    qmt_free(listing.names);
    if (status == QMTCNN_OK)
        *result = detections;
    else
        qmt_detections_free(detections);
    return status;
}
