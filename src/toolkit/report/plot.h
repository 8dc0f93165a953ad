/* Plots as SVG to stand in a page: shapes by Cairo, words as SVG text, so that they take the page's font and color
 * (light and dark) and can be read aloud. A plot is 360 units wide, so that its words keep their size on a phone. */
#ifndef QMT_PLOT_H
#define QMT_PLOT_H

#include "runtime/base/status.h"

enum { qmt_plot_width = 360, qmt_plot_colors = 6 };

/* A line. Points with a NAN or an infinity are gaps. */
typedef struct qmt_series {
    const char *name;
    const double *x, *y;
    size_t count;
    int color; /* 0 .. qmt_plot_colors - 1 */
    bool dashed;
} qmt_series;

typedef struct qmt_line_plot {
    const char *description; /* for those who can't see it */
    const char *x_label, *y_label;
    bool log_x;                        /* points with x <= 0 are gaps */
    double x_min, x_max, y_min, y_max; /* NAN: from the points */
    const qmt_series *series;
    size_t count;
    double mark_x;          /* a vertical line there, NAN: none ... */
    const char *mark_label; /* ... with this word */
} qmt_line_plot;

/* *svg is for qmt_free(). A plot without any point shows empty axes. */
qmtcnn_status qmt_plot_lines(const qmt_line_plot *plot, char **svg, qmtcnn_error *error);

/* Groups of upright bars. */
typedef struct qmt_bar_plot {
    const char *description, *y_label;
    const char *const *groups;
    size_t group_count;
    const char *const *bars; /* names of the bars of each group, in the legend */
    size_t bar_count;        /* 1 to qmt_plot_colors */
    const double *values;    /* [group_count][bar_count]; NAN: no bar */
    const int *colors;       /* [bar_count], or [group_count] where a group is one bar */
    double y_max;            /* NAN: from the values */
    int digits;              /* behind the point, over each bar where there is room */
} qmt_bar_plot;
qmtcnn_status qmt_plot_bars(const qmt_bar_plot *plot, char **svg, qmtcnn_error *error);

/* A list of bars lying down, one a row: for many names. */
typedef struct qmt_plot_row {
    char name[96];
    double value; /* >= 0; INFINITY: a full bar; NAN: none */
    int color;
} qmt_plot_row;
typedef struct qmt_row_plot {
    const char *description, *unit;
    const qmt_plot_row *rows;
    size_t count;
    int digits;
} qmt_row_plot;
qmtcnn_status qmt_plot_rows(const qmt_row_plot *plot, char **svg, qmtcnn_error *error);

#endif
