/* WIDER FACE's annotations as text: a picture's name, how many boxes follow, and a line for each box
 * (x y w h blur expression illumination invalid occlusion pose). */
#include "toolkit/data/dataset_build.h"
#include "toolkit/data/dataset_lines.h"

enum { row_numbers = 10, least_numbers = 4 };

static bool all_zero(const double *row, int count)
{
    for (int i = 0; i < count; i++)
        if (row[i] != 0)
            return false;
    return true;
}

/* Is this line a box, where a name should be? Tells a count that is too small. */
static bool looks_like_row(const char *line)
{
    double row[row_numbers];
    return qmt_parse_numbers(line, row, row_numbers) >= least_numbers;
}

static qmtcnn_status read_rows(qmt_dataset *dataset, qmt_lines *lines, long count, int count_line, qmtcnn_error *error)
{
    const char *name = dataset->pictures[dataset->picture_count - 1].name;
    for (long i = 0; i < count; i++) {
        const char *line = qmt_lines_next(lines);
        if (!line)
            return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                            "%s:%d: the file ends after box %ld of %ld of '%s' (the count is in line %d)", lines->path,
                            lines->number, i, count, name, count_line);
        double row[row_numbers];
        int numbers = qmt_parse_numbers(line, row, row_numbers);
        if (numbers < least_numbers)
            return qmt_fail(
                error, QMTCNN_ERROR_FORMAT,
                "%s:%d: expected box %ld of %ld of '%s' (x y w h and up to six attributes), found '%s'; is the "
                "count in line %d right?",
                lines->path, lines->number, i + 1, count, name, qmt_quote_text(line).text, count_line);
        /* WIDER FACE's pictures without a face have one box of zeros. */
        if (count == 1 && all_zero(row, least_numbers))
            return QMTCNN_OK;
        qmtcnn_status status = qmt_dataset_add_face(dataset, lines->number, row, numbers, error);
        if (status != QMTCNN_OK)
            return status;
    }
    return QMTCNN_OK;
}

/* A count of 0 is followed by a row of zeros in some editions, and by the next name in others. */
static void skip_zero_row(qmt_lines *lines)
{
    const char *line = qmt_lines_next(lines);
    double row[row_numbers];
    int numbers = line ? qmt_parse_numbers(line, row, row_numbers) : -1;
    if (line && !(numbers >= least_numbers && all_zero(row, numbers)))
        qmt_lines_unread(lines);
}

static qmtcnn_status read_picture(qmt_dataset *dataset, qmt_lines *lines, const char *name, const char *pictures,
                                  qmtcnn_error *error)
{
    enum { most_faces = 1000000 };
    if (looks_like_row(name))
        return qmt_fail(error, QMTCNN_ERROR_FORMAT,
                        "%s:%d: expected a picture's name, found a box ('%s'); is the count before it too small?",
                        lines->path, lines->number, qmt_quote_text(name).text);
    qmtcnn_status status = qmt_dataset_add_picture(dataset, name, pictures, lines->path, lines->number, error);
    if (status != QMTCNN_OK)
        return status;
    const char *line = qmt_lines_next(lines);
    long count;
    if (!line || !qmt_parse_count(line, most_faces, &count))
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s:%d: expected the number of boxes of '%s', found %s%s%s",
                        lines->path, lines->number, dataset->pictures[dataset->picture_count - 1].name,
                        line ? "'" : "the end of the file", line ? qmt_quote_text(line).text : "", line ? "'" : "");
    if (count == 0) {
        skip_zero_row(lines);
        return QMTCNN_OK;
    }
    return read_rows(dataset, lines, count, lines->number, error);
}

qmtcnn_status qmt_read_wider_text(qmt_dataset *dataset, const char *path, const char *pictures, int limit,
                                  qmtcnn_error *error)
{
    qmt_lines lines;
    qmtcnn_status status = qmt_lines_open(path, &lines, error);
    const char *name;
    for (int i = 0; status == QMTCNN_OK && (limit == 0 || i < limit) && (name = qmt_lines_next(&lines)); i++)
        status = read_picture(dataset, &lines, name, pictures, error);
    qmt_lines_close(&lines);
    return status;
}
