#define _XOPEN_SOURCE 700 /* posix_openpt */
#include "common/test.h"

#include "toolkit/log/line.h"
#include "toolkit/log/progress.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_duration(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0:00"},
                 {59.4, "0:59"},
                 {59.6, "1:00"},
                 {754, "12:34"},
                 {3600, "1:00:00"},
                 {36061, "10:01:01"},
                 {2 * 86400 + 3 * 3600 + 4 * 60, "2 d 03:04"},
                 {-5, "0:00"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        qmt_format_duration(cases[i].seconds, text, sizeof text);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_lines(void **state)
{
    (void)state;
    char line[512];
    qmt_progress_view view = {"prepare", "pictures", "", 5000, 1250, 50, 25};
    qmt_format_plain(&view, line, sizeof line);
    assert_string_equal(line, "[prepare]  25 % 1,250/5,000 pictures  50/s  1:15 left");
    qmt_format_bar(&view, 120, line, sizeof line);
    assert_string_equal(line, "[prepare]  25 % |=======                       | 1,250/5,000 pictures  50/s  1:15 left");
    qmt_format_bar(&view, 60, line, sizeof line);
    assert_true(strlen(line) <= 60);
    qmt_format_bar(&view, 20, line, sizeof line);
    assert_true(strlen(line) <= 20);
    view.total = 0;
    view.rate = 0;
    view.note = "loss 0.5";
    qmt_format_plain(&view, line, sizeof line);
    assert_string_equal(line, "[prepare] 1,250 pictures  loss 0.5");
    view.total = 1250;
    view.rate = 1234.5;
    qmt_format_summary(&view, line, sizeof line);
    assert_string_equal(line, "[prepare] 1,250 pictures in 0:25 (1,234/s)  loss 0.5");
    view.total = 5000;
    view.rate = 0;
    qmt_format_summary(&view, line, sizeof line);
    assert_string_equal(line, "[prepare] 1,250 of 5,000 pictures in 0:25  loss 0.5");
    view.note = "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9";
    for (int width = 1; width < 60; width++) { /* never half a character at the end */
        qmt_format_bar(&view, width, line, sizeof line);
        size_t length = strlen(line);
        assert_true(length == 0 || (unsigned char)line[length - 1] != 0xC3);
    }
}

static void *work(void *argument)
{
    qmt_progress *progress = argument;
    for (int i = 0; i < 1000; i++) {
        qmt_progress_add(progress, 1);
        if (i % 250 == 0)
            qmt_log_info("note %d", i);
    }
    return NULL;
}

/* What comes out of standard error, on a terminal or in a file. */
static char *capture(bool terminal)
{
    char *text = calloc(1, 1 << 16);
    pthread_t threads[4];
    int saved = dup(STDERR_FILENO), master = -1, slave, ends[2] = {-1, -1};
    if (terminal) {
        master = posix_openpt(O_RDWR | O_NOCTTY);
        assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
        slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    } else {
        assert_int_equal(pipe(ends), 0);
        master = ends[0];
        slave = ends[1];
    }
    fflush(stderr);
    dup2(slave, STDERR_FILENO);
    qmt_progress *progress = qmt_progress_start("train", "steps", 4000);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, progress), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    qmt_log_warning("careful");
    qmt_progress_finish(progress);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    fcntl(master, F_SETFL, O_NONBLOCK);
    for (size_t at = 0; at < (1 << 16) - 1;) {
        ssize_t got = read(master, text + at, (1 << 16) - 1 - at);
        if (got <= 0)
            break;
        at += (size_t)got;
    }
    close(slave);
    close(master);
    return text;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        count++;
    return count;
}

static void test_plain(void **state)
{
    (void)state;
    char *text = capture(false);
    assert_int_equal(count_of(text, "note "), 16);
    assert_int_equal(count_of(text, "\n"), 18); /* 16 notes, the warning, the summary: nothing else within 10 seconds */
    assert_non_null(strstr(text, "\nwarning: careful\n"));
    assert_non_null(strstr(text, "\n[train] 4,000 steps in 0:00"));
    assert_null(strchr(text, '\r'));
    assert_null(strchr(text, '\033'));
    free(text);
}

static void test_terminal(void **state)
{
    (void)state;
    char *text = capture(true);
    assert_non_null(strstr(text, "[train]   0 % |"));
    assert_int_equal(count_of(text, "note "), 16);
    /* Each message starts on a wiped line and ends its own. */
    assert_int_equal(count_of(text, "\r\033[Knote "), 16);
    assert_non_null(strstr(text, "\r\033[Kwarning: careful\r\n"));
    assert_non_null(strstr(text, "\r\033[K[train] 4,000 steps in 0:00"));
    free(text);
}

static void test_null(void **state)
{
    (void)state;
    qmt_progress_set(NULL, 1, "x");
    qmt_progress_add(NULL, 1);
    qmt_progress_finish(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_duration), cmocka_unit_test(test_lines),
                                       cmocka_unit_test(test_plain), cmocka_unit_test(test_terminal),
                                       cmocka_unit_test(test_null)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
