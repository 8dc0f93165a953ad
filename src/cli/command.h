/* cli: one file a command. A command parses its options, calls the toolkit, and prints: results on standard output, all
 * else on standard error. Exit status 0: done, 1: failed, 2: wrong use. */
#ifndef QMT_COMMAND_H
#define QMT_COMMAND_H

#include "toolkit/config/config.h"

enum { qmt_exit_done = 0, qmt_exit_failed = 1, qmt_exit_usage = 2 };

typedef struct qmt_command {
    const char *name;
    const char *summary;               /* one line for `qmtcnn --help` */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
} qmt_command;

extern const qmt_command qmt_command_run, qmt_command_synth, qmt_command_prepare, qmt_command_train, qmt_command_export,
    qmt_command_validate, qmt_command_eval, qmt_command_detect, qmt_command_bench, qmt_command_info,
    qmt_command_selftest, qmt_command_quantize;

typedef enum qmt_option_kind {
    QMT_OPTION_FLAG,   /* bool */
    QMT_OPTION_INT,    /* int */
    QMT_OPTION_UINT64, /* uint64_t */
    QMT_OPTION_FLOAT,  /* float */
    QMT_OPTION_FLOATS, /* float[count], comma-separated, all of them */
    QMT_OPTION_TEXT,   /* const char *, into argv */
    QMT_OPTION_CHOICE, /* const char *, one of `choices` */
    QMT_OPTION_CONFIG  /* the configuration's value at `key` */
} qmt_option_kind;

/* One long option. Tables end with an entry whose name is NULL. */
typedef struct qmt_option {
    const char *name; /* without the two hyphens; hyphens and underscores are the same when parsed */
    qmt_option_kind kind;
    void *value;          /* where to put it; CONFIG: the qmt_config */
    const char *argument; /* shown in help: "DIR"; NULL for flags */
    const char *help;
    const char *choices; /* CHOICE: "pnet|rnet|onet|all" */
    const char *key;     /* CONFIG: dotted key */
    int count;           /* FLOATS */
    bool required;
} qmt_option;

typedef struct qmt_usage {
    const char *synopsis; /* "qmtcnn train --model pnet|rnet|onet|all [OPTION]..." */
    const char *text;     /* what it does, and "Example:" with one or more; lines of at most 100 columns */
    const qmt_option *options;
    qmt_config *config; /* not NULL: also takes --config FILE and --section.key VALUE for every setting; --config is
                           read first, whatever the order */
    int min_inputs, max_inputs; /* arguments that are no options; max -1: any number */
    bool config_input;          /* the first of them is a YAML file and read as --config's is */
} qmt_usage;

typedef enum qmt_parse_result {
    QMT_PARSED,
    QMT_PARSED_HELP,  /* asked for and shown */
    QMT_PARSED_WRONG, /* the command line is wrong */
    QMT_PARSED_FAILED /* the configuration file is: missing, damaged, or with values that don't go together */
} qmt_parse_result;

/* Parses argv[1..]; "--name VALUE" and "--name=VALUE"; "--" ends options. Inputs are moved to argv[1 .. *inputs].
 * Prints help (--help) or a message (with the nearest valid option) itself. */
qmt_parse_result qmt_parse_options(int argc, char **argv, const qmt_usage *usage, int *inputs);

/* The exit status for a result other than QMT_PARSED. */
int qmt_parse_exit(qmt_parse_result result);

/* Prints "qmtcnn COMMAND: MESSAGE" on standard error and returns the exit status for a library status. */
int qmt_command_failed(const char *command, qmtcnn_status status, const qmtcnn_error *error);

#endif
