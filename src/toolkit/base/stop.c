#define _XOPEN_SOURCE 700
#include "toolkit/base/stop.h"

#include <signal.h>
#include <string.h>

/* A signal handler can reach nothing but a file-scope variable. */
static volatile sig_atomic_t stop_requested;

static void note_signal(int number)
{
    stop_requested = 1;
    signal(number, SIG_DFL);
}

void qmt_stop_watch(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = note_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool qmt_stop_requested(void)
{
    return stop_requested != 0;
}
