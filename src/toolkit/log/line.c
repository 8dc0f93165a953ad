#include "toolkit/log/line.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { number_size = 40, rate_size = number_size + 8, part_size = 256, most_bar = 30, least_bar = 6 };

void qmt_format_duration(double seconds, char *text, size_t size)
{
    if (!(seconds >= 0))
        seconds = 0;
    if (seconds > 1e9)
        seconds = 1e9;
    long long whole = (long long)(seconds + 0.5);
    int s = (int)(whole % 60), m = (int)(whole / 60 % 60), h = (int)(whole / 3600);
    if (whole < 3600)
        snprintf(text, size, "%d:%02d", m, s);
    else if (h < 48)
        snprintf(text, size, "%d:%02d:%02d", h, m, s);
    else
        snprintf(text, size, "%d d %02d:%02d", h / 24, h % 24, m);
}

/* "1,234,567": whole units, thousands apart. */
static void format_count(double value, char *text, size_t size)
{
    char digits[number_size];
    if (!(fabs(value) < 1e15))
        value = 0;
    int length = snprintf(digits, sizeof digits, "%.0f", floor(value));
    size_t at = 0;
    for (int i = 0; i < length && at + 2 < size; i++) {
        if (i > 0 && digits[i - 1] != '-' && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = 0;
}

/* Three digits that matter: "0.0123/s", "12.3/s", "1,234/s". */
static void format_rate(double rate, char *text, size_t size)
{
    char number[number_size];
    if (rate >= 1000)
        format_count(rate, number, sizeof number);
    else if (rate >= 100)
        snprintf(number, sizeof number, "%.0f", rate);
    else
        snprintf(number, sizeof number, "%.3g", rate);
    snprintf(text, size, "%s/s", number);
}

static double share_done(const qmt_progress_view *view)
{
    double share = view->total > 0 ? view->done / view->total : 0;
    return share < 0 || isnan(share) ? 0 : share > 1 ? 1 : share;
}

/* "1,234/5,000 pictures  123.4/s  0:32 left  note" */
static void format_tail(const qmt_progress_view *view, char *text, size_t size)
{
    char done[number_size], total[number_size], rate[rate_size], left[number_size];
    format_count(view->done, done, sizeof done);
    format_count(view->total, total, sizeof total);
    size_t at = (size_t)snprintf(text, size, "%s%s%s %s", done, view->total > 0 ? "/" : "",
                                 view->total > 0 ? total : "", view->unit);
    if (view->rate > 0 && at < size) {
        format_rate(view->rate, rate, sizeof rate);
        at += (size_t)snprintf(text + at, size - at, "  %s", rate);
        if (view->total > 0 && at < size) {
            qmt_format_duration((view->total - view->done) / view->rate, left, sizeof left);
            at += (size_t)snprintf(text + at, size - at, "  %s left", left);
        }
    }
    if (view->note[0] && at < size)
        snprintf(text + at, size - at, "  %s", view->note);
}

/* Cuts to `width` bytes, not within a UTF-8 character. */
static void cut(char *line, int width)
{
    size_t length = strlen(line), end = width > 0 ? (size_t)width : 0;
    if (length <= end)
        return;
    while (end > 0 && ((unsigned char)line[end] & 0xC0) == 0x80)
        end--;
    line[end] = 0;
}

void qmt_format_bar(const qmt_progress_view *view, int width, char *line, size_t size)
{
    char tail[part_size], bar[most_bar + 1];
    format_tail(view, tail, sizeof tail);
    double share = share_done(view);
    int room = width - (int)strlen(view->title) - (int)strlen(tail) - 12; /* brackets, percent, spaces */
    int cells = room > most_bar ? most_bar : room;
    if (view->total <= 0) {
        snprintf(line, size, "[%s] %s", view->title, tail);
    } else if (cells < least_bar) {
        snprintf(line, size, "[%s] %3d %% %s", view->title, (int)(share * 100), tail);
    } else {
        for (int i = 0; i < cells; i++)
            bar[i] = i < (int)(share * cells) ? '=' : ' ';
        bar[cells] = 0;
        snprintf(line, size, "[%s] %3d %% |%s| %s", view->title, (int)(share * 100), bar, tail);
    }
    cut(line, width);
}

void qmt_format_plain(const qmt_progress_view *view, char *line, size_t size)
{
    char tail[part_size];
    format_tail(view, tail, sizeof tail);
    if (view->total > 0)
        snprintf(line, size, "[%s] %3d %% %s", view->title, (int)(share_done(view) * 100), tail);
    else
        snprintf(line, size, "[%s] %s", view->title, tail);
}

void qmt_format_summary(const qmt_progress_view *view, char *line, size_t size)
{
    char done[number_size], total[number_size], rate[rate_size + 8] = "", time[number_size];
    format_count(view->done, done, sizeof done);
    format_count(view->total, total, sizeof total);
    qmt_format_duration(view->elapsed, time, sizeof time);
    if (view->rate > 0) {
        char plain[rate_size];
        format_rate(view->rate, plain, sizeof plain);
        snprintf(rate, sizeof rate, " (%s)", plain);
    }
    snprintf(line, size, "[%s] %s%s%s %s in %s%s%s%s", view->title, done, view->done < view->total ? " of " : "",
             view->done < view->total ? total : "", view->unit, time, rate, view->note[0] ? "  " : "", view->note);
}
