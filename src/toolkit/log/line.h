/* The text of a progress line, apart from where and when it is shown. */
#ifndef QMT_LOG_LINE_H
#define QMT_LOG_LINE_H

#include <stddef.h>

typedef struct qmt_progress_view {
    const char *title, *unit, *note; /* note "": none */
    double total, done;              /* total 0: unknown */
    double rate;                     /* units a second; 0: unknown */
    double elapsed;                  /* seconds */
} qmt_progress_view;

/* "0:32", "12:05", "3:04:05", "2 d 03:04". */
void qmt_format_duration(double seconds, char *text, size_t size);
/* "[title]  42 % |====      | 1,234/5,000 pictures  123.4/s  0:32 left  note", at most `width` columns: the bar shrinks
 * first. */
void qmt_format_bar(const qmt_progress_view *view, int width, char *line, size_t size);
/* The same without a bar, for files. */
void qmt_format_plain(const qmt_progress_view *view, char *line, size_t size);
/* "[title] 5,000 pictures in 0:41 (121.9/s)  note". */
void qmt_format_summary(const qmt_progress_view *view, char *line, size_t size);

#endif
