#include "toolkit/report/plot.h"

#include "toolkit/report/canvas.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { plot_height = 240, left = 50, right = 12, top = 26, bottom = 40, most_ticks = 6 };
static const double letter_width = 6.3; /* about, at 12 units */

/* Maps values to places. */
struct axis {
    double low, high; /* values at both ends; logarithms where log is set */
    double from, to;  /* places */
    bool log;
};

static double place(const struct axis *axis, double value)
{
    double at = axis->log ? log10(value) : value;
    return axis->from + (at - axis->low) / (axis->high - axis->low) * (axis->to - axis->from);
}

static bool on_axis(const struct axis *axis, double value)
{
    return isfinite(value) && !(axis->log && value <= 0);
}

/* The next larger of 1, 2, 5 times a power of ten. */
static double nice_step(double range, int ticks)
{
    double raw = range / ticks, power = pow(10, floor(log10(raw)));
    double share = raw / power;
    return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
}

static void fit_axis(struct axis *axis, double low, double high)
{
    if (axis->log) {
        low = log10(low);
        high = log10(high);
    }
    if (!isfinite(low) || !isfinite(high)) {
        low = 0;
        high = 1;
    }
    if (high - low < 1e-12 * fmax(1, fabs(high))) {
        low -= low == 0 ? 0 : 0.5 * fabs(low);
        high += high == 0 ? 1 : 0.5 * fabs(high);
    }
    axis->low = low;
    axis->high = high;
}

static void format_tick(double value, double step, char text[32])
{
    int digits = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    if (fabs(value) >= 1e5 || (value != 0 && fabs(value) < 1e-4))
        snprintf(text, 32, "%.0e", value);
    else
        snprintf(text, 32, "%.*f", digits > 6 ? 6 : digits, value);
}

/* ---- Axes ------------------------------------------------------------------------------------ */

static void x_tick(qmt_canvas *canvas, const struct axis *y, double at, const char *text)
{
    qmt_canvas_gray(canvas, 0.18);
    qmt_canvas_line(canvas, at, y->from, at, y->to, 1);
    qmt_canvas_words(canvas, at, y->from + 14, QMT_ANCHOR_MIDDLE, true, text);
}

static void x_ticks(qmt_canvas *canvas, const struct axis *x, const struct axis *y)
{
    char text[32];
    /* Under two thirds of a power of ten there may be no power and no 2 or 5: then even steps, as on a plain axis. */
    bool even = !x->log || x->high - x->low < 0.67;
    if (!even) {
        /* Whole powers of ten; over less than one and a half of them also 2 and 5 times these. */
        static const double factors[] = {1, 2, 5};
        int count = x->high - x->low < 1.5 ? 3 : 1;
        for (double power = floor(x->low); power <= x->high + 1e-9; power++) {
            for (int i = 0; i < count; i++) {
                double value = factors[i] * pow(10, power);
                snprintf(text, sizeof text, "%g", value);
                if (log10(value) >= x->low - 1e-9 && log10(value) <= x->high + 1e-9)
                    x_tick(canvas, y, place(x, value), text);
            }
        }
        return;
    }
    double low = x->log ? pow(10, x->low) : x->low, high = x->log ? pow(10, x->high) : x->high;
    double step = nice_step(high - low, most_ticks);
    for (double value = ceil(low / step - 1e-9) * step; value <= high + 1e-9 * step; value += step) {
        format_tick(fabs(value) < 1e-9 * step ? 0 : value, step, text);
        x_tick(canvas, y, place(x, value), text);
    }
}

static void y_ticks(qmt_canvas *canvas, const struct axis *x, const struct axis *y)
{
    char text[32];
    double step = nice_step(y->high - y->low, most_ticks - 1);
    for (double value = ceil(y->low / step - 1e-9) * step; value <= y->high + 1e-9 * step; value += step) {
        double at = place(y, value);
        qmt_canvas_gray(canvas, 0.18);
        qmt_canvas_line(canvas, x->from, at, x->to, at, 1);
        format_tick(fabs(value) < 1e-9 * step ? 0 : value, step, text);
        qmt_canvas_words(canvas, x->from - 5, at + 3.5, QMT_ANCHOR_END, true, text);
    }
}

static void frame(qmt_canvas *canvas, const struct axis *x, const struct axis *y, const char *x_label,
                  const char *y_label)
{
    qmt_canvas_gray(canvas, 0.8);
    qmt_canvas_line(canvas, x->from, y->from, x->to, y->from, 1);
    qmt_canvas_line(canvas, x->from, y->from, x->from, y->to, 1);
    if (x_label)
        qmt_canvas_words(canvas, (x->from + x->to) / 2, y->from + 32, QMT_ANCHOR_MIDDLE, false, x_label);
    if (y_label)
        qmt_canvas_words_upright(canvas, 12, (y->from + y->to) / 2, y_label);
}

static double legend_entry(qmt_canvas *canvas, double at, int color, const char *name)
{
    qmt_canvas_color(canvas, color, 1);
    qmt_canvas_bar(canvas, at, 7, 9, 9);
    qmt_canvas_words(canvas, at + 13, 15.5, QMT_ANCHOR_START, false, name);
    return at + 13 + letter_width * (double)strlen(name) + 12;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static void ranges(const qmt_line_plot *plot, double *x_low, double *x_high, double *y_low, double *y_high)
{
    *x_low = *y_low = INFINITY;
    *x_high = *y_high = -INFINITY;
    for (size_t s = 0; s < plot->count; s++) {
        for (size_t i = 0; i < plot->series[s].count; i++) {
            double x = plot->series[s].x[i], y = plot->series[s].y[i];
            if (!isfinite(x) || !isfinite(y) || (plot->log_x && x <= 0))
                continue;
            *x_low = fmin(*x_low, x);
            *x_high = fmax(*x_high, x);
            *y_low = fmin(*y_low, y);
            *y_high = fmax(*y_high, y);
        }
    }
    *x_low = isnan(plot->x_min) ? *x_low : plot->x_min;
    *x_high = isnan(plot->x_max) ? *x_high : plot->x_max;
    *y_low = isnan(plot->y_min) ? *y_low : plot->y_min;
    *y_high = isnan(plot->y_max) ? *y_high : plot->y_max;
}

static double clamp(double value, double a, double b)
{
    double low = fmin(a, b), high = fmax(a, b);
    return value < low ? low : value > high ? high : value;
}

/* Points past the axes are drawn at the border. */
static void draw_series(qmt_canvas *canvas, const qmt_series *series, const struct axis *x, const struct axis *y)
{
    static const double dashes[2] = {5, 3};
    bool down = false;
    size_t drawn = 0;
    double last_x = 0, last_y = 0;
    qmt_canvas_color(canvas, series->color, 1);
    cairo_set_line_width(canvas->cairo, 1.8);
    cairo_set_line_join(canvas->cairo, CAIRO_LINE_JOIN_ROUND);
    cairo_set_dash(canvas->cairo, dashes, series->dashed ? 2 : 0, 0);
    for (size_t i = 0; i < series->count; i++) {
        if (!on_axis(x, series->x[i]) || !on_axis(y, series->y[i])) {
            down = false;
            continue;
        }
        last_x = clamp(place(x, series->x[i]), x->from, x->to);
        last_y = clamp(place(y, series->y[i]), y->from, y->to);
        if (down)
            cairo_line_to(canvas->cairo, last_x, last_y);
        else
            cairo_move_to(canvas->cairo, last_x, last_y);
        down = true;
        drawn++;
    }
    cairo_stroke(canvas->cairo);
    cairo_set_dash(canvas->cairo, dashes, 0, 0);
    if (drawn == 1) /* a line of one point would not be seen */
        qmt_canvas_bar(canvas, last_x - 2, last_y - 2, 4, 4);
}

qmtcnn_status qmt_plot_lines(const qmt_line_plot *plot, char **svg, qmtcnn_error *error)
{
    qmt_canvas canvas;
    double x_low, x_high, y_low, y_high, legend = left;
    struct axis x = {.from = left, .to = qmt_plot_width - right, .log = plot->log_x};
    struct axis y = {.from = plot_height - bottom, .to = top};
    *svg = NULL;
    qmtcnn_status status = qmt_canvas_create(qmt_plot_width, plot_height, &canvas, error);
    if (status != QMTCNN_OK)
        return status;
    ranges(plot, &x_low, &x_high, &y_low, &y_high);
    fit_axis(&x, x_low, x_high);
    fit_axis(&y, y_low, y_high);
    x_ticks(&canvas, &x, &y);
    y_ticks(&canvas, &x, &y);
    frame(&canvas, &x, &y, plot->x_label, plot->y_label);
    if (on_axis(&x, plot->mark_x) && place(&x, plot->mark_x) >= x.from && place(&x, plot->mark_x) <= x.to) {
        qmt_canvas_gray(&canvas, 0.9);
        qmt_canvas_line(&canvas, place(&x, plot->mark_x), y.from, place(&x, plot->mark_x), y.to, 1);
        qmt_canvas_words(&canvas, place(&x, plot->mark_x), y.to - 2, QMT_ANCHOR_MIDDLE, true,
                         plot->mark_label ? plot->mark_label : "");
    }
    for (size_t s = 0; s < plot->count; s++)
        draw_series(&canvas, &plot->series[s], &x, &y);
    for (size_t s = 0; s < plot->count; s++)
        legend = legend_entry(&canvas, legend, plot->series[s].color, plot->series[s].name);
    return qmt_canvas_finish(&canvas, plot->description, svg, error);
}

/* ---- Bars ------------------------------------------------------------------------------------ */

static void draw_group(qmt_canvas *canvas, const qmt_bar_plot *plot, size_t group, const struct axis *x,
                       const struct axis *y)
{
    double slot = (x->to - x->from) / (double)plot->group_count;
    double room = fmin(0.8 * slot, 46 * (double)plot->bar_count), width = room / (double)plot->bar_count;
    double start = x->from + slot * ((double)group + 0.5) - room / 2;
    for (size_t i = 0; i < plot->bar_count; i++) {
        char text[32];
        double value = plot->values[group * plot->bar_count + i];
        double at = start + width * (double)i, height;
        if (!isfinite(value))
            continue;
        height = clamp(place(y, value), y->from, y->to);
        qmt_canvas_color(canvas, plot->colors[plot->bar_count == 1 ? group : i], 1);
        qmt_canvas_bar(canvas, at + 1, height, width - 2, y->from - height);
        snprintf(text, sizeof text, "%.*f", plot->digits, value);
        if (letter_width * (double)strlen(text) <= width)
            qmt_canvas_words(canvas, at + width / 2, height - 3, QMT_ANCHOR_MIDDLE, true, text);
    }
    qmt_canvas_words(canvas, x->from + slot * ((double)group + 0.5), y->from + 14, QMT_ANCHOR_MIDDLE, true,
                     plot->groups[group]);
}

qmtcnn_status qmt_plot_bars(const qmt_bar_plot *plot, char **svg, qmtcnn_error *error)
{
    qmt_canvas canvas;
    double highest = 0, legend = left;
    struct axis x = {.low = 0, .high = 1, .from = left, .to = qmt_plot_width - right};
    struct axis y = {.from = plot_height - bottom + 12, .to = top + 10};
    *svg = NULL;
    qmtcnn_status status = qmt_canvas_create(qmt_plot_width, plot_height, &canvas, error);
    if (status != QMTCNN_OK)
        return status;
    for (size_t i = 0; i < plot->group_count * plot->bar_count; i++)
        if (isfinite(plot->values[i]))
            highest = fmax(highest, plot->values[i]);
    if (isnan(plot->y_max) && highest > 0) { /* up to the tick over the highest bar */
        double step = nice_step(highest, most_ticks - 1);
        highest = step * ceil(highest / step - 1e-9);
    }
    fit_axis(&y, 0, isnan(plot->y_max) ? highest : plot->y_max);
    y_ticks(&canvas, &x, &y);
    for (size_t group = 0; group < plot->group_count; group++)
        draw_group(&canvas, plot, group, &x, &y);
    frame(&canvas, &x, &y, NULL, plot->y_label);
    for (size_t i = 0; plot->bars && i < plot->bar_count; i++)
        legend = legend_entry(&canvas, legend, plot->colors[i], plot->bars[i]);
    return qmt_canvas_finish(&canvas, plot->description, svg, error);
}

qmtcnn_status qmt_plot_rows(const qmt_row_plot *plot, char **svg, qmtcnn_error *error)
{
    enum { row = 18, names = 118, numbers = 64 };
    qmt_canvas canvas;
    double largest = 0, room = qmt_plot_width - names - numbers;
    *svg = NULL;
    qmtcnn_status status = qmt_canvas_create(qmt_plot_width, (double)(row * plot->count + 8), &canvas, error);
    if (status != QMTCNN_OK)
        return status;
    for (size_t i = 0; i < plot->count; i++)
        if (isfinite(plot->rows[i].value))
            largest = fmax(largest, plot->rows[i].value);
    for (size_t i = 0; i < plot->count; i++) {
        double at = (double)(row * i + 4), value = plot->rows[i].value;
        double share = isinf(value) ? 1 : largest > 0 && isfinite(value) ? clamp(value / largest, 0, 1) : 0;
        char text[48];
        qmt_canvas_words(&canvas, names - 6, at + 12, QMT_ANCHOR_END, false, plot->rows[i].name);
        qmt_canvas_gray(&canvas, 0.12);
        qmt_canvas_bar(&canvas, names, at + 2, room, row - 5);
        qmt_canvas_color(&canvas, plot->rows[i].color, 1);
        qmt_canvas_bar(&canvas, names, at + 2, room * share, row - 5);
        if (isnan(value))
            snprintf(text, sizeof text, "-");
        else if (isinf(value))
            snprintf(text, sizeof text, "exact");
        else
            snprintf(text, sizeof text, "%.*f %s", plot->digits, value, plot->unit);
        qmt_canvas_words(&canvas, names + room + 6, at + 12, QMT_ANCHOR_START, true, text);
    }
    return qmt_canvas_finish(&canvas, plot->description, svg, error);
}
