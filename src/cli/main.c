#include "cli/command.h"
#include "toolkit/base/stop.h"
#include "toolkit/config/nearest.h"

#include <stdio.h>
#include <string.h>

/* In the order of use. */
static const qmt_command *const commands[] = {
    &qmt_command_run,    &qmt_command_synth,    &qmt_command_prepare,  &qmt_command_train,
    &qmt_command_export, &qmt_command_quantize, &qmt_command_validate, &qmt_command_eval,
    &qmt_command_detect, &qmt_command_bench,    &qmt_command_info,     &qmt_command_selftest,
};

static int print_help(FILE *stream)
{
    fprintf(stream, "Usage: qmtcnn COMMAND [OPTION]... [ARGUMENT]...\n\n"
                    "Trains, quantizes, checks and runs the MTCNN face detector.\n\nCommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(stream, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(stream, "\nOptions:\n"
                    "  --help         show this text\n"
                    "  --help-config  list all settings of the configuration\n"
                    "  --version      show the version\n\n"
                    "`qmtcnn COMMAND --help` tells more of a command. Results go to standard output, all else to\n"
                    "standard error. Exit status: 0 done, 1 failed, 2 wrong use.\n");
    return qmt_exit_done;
}

static int print_settings(void)
{
    char *help = qmt_config_help();
    if (!help) {
        fprintf(stderr, "qmtcnn: out of memory\n");
        return qmt_exit_failed;
    }
    fputs(help, stdout);
    qmt_free(help);
    return qmt_exit_done;
}

static int unknown_command(const char *name)
{
    qmt_nearest nearest;
    qmt_nearest_start(&nearest, name);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        qmt_nearest_try(&nearest, commands[i]->name);
    const char *found = qmt_nearest_found(&nearest);
    if (found)
        fprintf(stderr, "qmtcnn: unknown command '%s'; did you mean '%s'?\n", name, found);
    else
        fprintf(stderr, "qmtcnn: unknown command '%s'; `qmtcnn --help` lists all\n", name);
    return qmt_exit_usage;
}

/* Results that could not be written (a full disk, a closed pipe) are a failure, though the command thought them done.
 */
static int finish(int result)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && result == qmt_exit_done) {
        fprintf(stderr, "qmtcnn: can't write to standard output\n");
        return qmt_exit_failed;
    }
    return result;
}

int main(int argc, char **argv)
{
    qmt_stop_watch();
    if (argc < 2) {
        print_help(stderr);
        return qmt_exit_usage;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return finish(print_help(stdout));
    if (strcmp(name, "--help-config") == 0 || strcmp(name, "--help_config") == 0)
        return finish(print_settings());
    if (strcmp(name, "--version") == 0) {
        printf("qmtcnn %s\n", qmtcnn_version());
        return finish(qmt_exit_done);
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(name, commands[i]->name) == 0)
            return finish(commands[i]->run(argc - 1, argv + 1));
    }
    return unknown_command(name);
}
