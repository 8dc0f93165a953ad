/* Text files of numbers, line by line. */
#ifndef QMT_DATASET_LINES_H
#define QMT_DATASET_LINES_H

#include "runtime/base/status.h"

/* A text file in memory. Lines lose their ends (LF or CRLF) and blanks at both ends. */
typedef struct qmt_lines {
    const char *path;
    char *data, *next, *end;
    int number; /* of the line read last, from 1 */
    char *last; /* that line */
    bool again; /* give it once more */
} qmt_lines;

/* At most 1 GiB; a zero byte in it is an error. Free with qmt_lines_close(), also after a failure. */
qmtcnn_status qmt_lines_open(const char *path, qmt_lines *lines, qmtcnn_error *error);
void qmt_lines_close(qmt_lines *lines);
/* The next line that is not empty, to be changed at will; NULL at the end. */
char *qmt_lines_next(qmt_lines *lines);
/* The next call gives the same line again. */
void qmt_lines_unread(qmt_lines *lines);

/* The line's numbers, at most `most`. -1 if there is anything else in it, or more of them. */
int qmt_parse_numbers(const char *line, double *numbers, int most);
/* One number of 0 to `most` and nothing else. */
bool qmt_parse_count(const char *line, long most, long *count);
/* Cuts the last `count` numbers off a line, so that the name in front of them is left, blanks and all. */
bool qmt_cut_numbers(char *line, double *numbers, int count);

/* Text of a file in an error message: short and printable. */
typedef struct qmt_quote {
    char text[64];
} qmt_quote;
qmt_quote qmt_quote_text(const char *text);

#endif
