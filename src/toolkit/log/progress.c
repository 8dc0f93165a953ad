#define _DEFAULT_SOURCE /* TIOCGWINSZ */
#include "toolkit/log/progress.h"

#include "runtime/base/clock.h"
#include "toolkit/log/line.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifdef _WIN32
#include <io.h>
#else
#include <sys/ioctl.h>
#include <unistd.h>
#endif

enum { line_size = 512, default_width = 80 };

static const double terminal_seconds = 0.1; /* between drawings */
static const double plain_seconds = 10;

struct qmt_progress {
    char title[64], unit[24], note[160];
    double total, done;
    double start;                   /* seconds */
    double base_done, base_seconds; /* where the rate counts from: what a resumed step found done was not done now */
    bool moved;
    double shown; /* when it was last written */
    qmt_progress *outer;
};

/* Standard error is one for the whole process, so what is shown on it is too: this is the place where a message finds
 * the bar that it must wipe and draw again. All else here belongs to callers. */
static struct {
    pthread_mutex_t lock;
    qmt_progress *bar; /* the innermost */
} terminal = {PTHREAD_MUTEX_INITIALIZER, NULL};

static bool is_terminal(void)
{
#ifdef _WIN32
    return _isatty(2);
#else
    return isatty(STDERR_FILENO);
#endif
}

static int terminal_width(void)
{
#ifdef TIOCGWINSZ
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
#endif
    return default_width;
}

static void wipe(void)
{
    if (terminal.bar && is_terminal())
        fputs("\r\033[K", stderr);
}

static void view_of(const qmt_progress *progress, double now, qmt_progress_view *view)
{
    double seconds = now - progress->base_seconds, done = progress->done - progress->base_done;
    view->title = progress->title;
    view->unit = progress->unit;
    view->note = progress->note;
    view->total = progress->total;
    view->done = progress->done;
    view->rate = seconds > 0 && done > 0 ? done / seconds : 0;
    view->elapsed = now - progress->start;
}

static void draw(qmt_progress *progress, double now)
{
    char line[line_size];
    qmt_progress_view view;
    view_of(progress, now, &view);
    progress->shown = now;
    if (is_terminal()) {
        qmt_format_bar(&view, terminal_width() - 1, line, sizeof line);
        fprintf(stderr, "\r%s\033[K", line);
    } else {
        qmt_format_plain(&view, line, sizeof line);
        fprintf(stderr, "%s\n", line);
    }
    fflush(stderr);
}

static void message(const char *kind, const char *format, va_list arguments) QMT_PRINTF(2, 0);

static void message(const char *kind, const char *format, va_list arguments)
{
    pthread_mutex_lock(&terminal.lock);
    wipe();
    fputs(kind, stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    if (terminal.bar && is_terminal())
        draw(terminal.bar, qmt_seconds());
    pthread_mutex_unlock(&terminal.lock);
}

void qmt_log_info(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    message("", format, arguments);
    va_end(arguments);
}

void qmt_log_warning(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    message("warning: ", format, arguments);
    va_end(arguments);
}

qmt_progress *qmt_progress_start(const char *title, const char *unit, double total)
{
    qmt_progress *progress = qmt_alloc_zero(1, sizeof *progress);
    if (!progress)
        return NULL;
    snprintf(progress->title, sizeof progress->title, "%s", title);
    snprintf(progress->unit, sizeof progress->unit, "%s", unit);
    progress->total = total;
    pthread_mutex_lock(&terminal.lock);
    progress->start = progress->base_seconds = progress->shown = qmt_seconds();
    progress->outer = terminal.bar;
    terminal.bar = progress;
    if (is_terminal())
        draw(progress, progress->start);
    pthread_mutex_unlock(&terminal.lock);
    return progress;
}

/* Under the lock. */
static void show_if_due(qmt_progress *progress, double now)
{
    if (terminal.bar == progress && now - progress->shown >= (is_terminal() ? terminal_seconds : plain_seconds))
        draw(progress, now);
}

void qmt_progress_set(qmt_progress *progress, double done, const char *note)
{
    if (!progress)
        return;
    pthread_mutex_lock(&terminal.lock);
    double now = qmt_seconds();
    if (!progress->moved) {
        progress->base_done = done;
        progress->base_seconds = now;
    }
    progress->moved = true;
    progress->done = done;
    if (note)
        snprintf(progress->note, sizeof progress->note, "%s", note);
    show_if_due(progress, now);
    pthread_mutex_unlock(&terminal.lock);
}

void qmt_progress_add(qmt_progress *progress, double more)
{
    if (!progress)
        return;
    pthread_mutex_lock(&terminal.lock);
    progress->moved = true;
    progress->done += more;
    show_if_due(progress, qmt_seconds());
    pthread_mutex_unlock(&terminal.lock);
}

/* Under the lock: out of the chain, wherever it is. */
static void take_out(const qmt_progress *progress)
{
    for (qmt_progress **link = &terminal.bar; *link; link = &(*link)->outer) {
        if (*link == progress) {
            *link = progress->outer;
            return;
        }
    }
}

void qmt_progress_finish(qmt_progress *progress)
{
    char line[line_size];
    qmt_progress_view view;
    if (!progress)
        return;
    pthread_mutex_lock(&terminal.lock);
    view_of(progress, qmt_seconds(), &view);
    qmt_format_summary(&view, line, sizeof line);
    wipe();
    take_out(progress);
    fprintf(stderr, "%s\n", line);
    if (terminal.bar && is_terminal())
        draw(terminal.bar, qmt_seconds());
    pthread_mutex_unlock(&terminal.lock);
    qmt_free(progress);
}
