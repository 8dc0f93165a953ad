#include "cli/command.h"
#include "toolkit/config/nearest.h"
#include "toolkit/config/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { name_size = 128 };

/* One pass over argv. */
struct parsing {
    const qmt_usage *usage;
    const char *command; /* "qmtcnn train", for messages */
    bool settings;       /* the second pass: everything but --config and --help, which the first pass took */
    int inputs;
    uint64_t seen;    /* bit i: option i was there */
    const char *file; /* the last configuration file */
};

static int count_options(const qmt_option *options)
{
    int count = 0;
    while (options && options[count].name)
        count++;
    return count;
}

static qmt_parse_result wrong(const struct parsing *parsing, const char *format, ...) QMT_PRINTF(2, 3);

static qmt_parse_result wrong(const struct parsing *parsing, const char *format, ...)
{
    char message[QMTCNN_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s: %s\nTry '%s --help'.\n", parsing->command, message, parsing->command);
    return QMT_PARSED_WRONG;
}

static bool parse_number(const char *text, double *number)
{
    char *end;
    if (!text[0] || text[strspn(text, "0123456789+-.eE")])
        return false;
    *number = strtod(text, &end);
    return !*end && isfinite(*number);
}

static bool parse_int(const char *text, int *value)
{
    char *end;
    errno = 0;
    long long parsed = strtoll(text, &end, 10);
    if (end == text || *end || errno || parsed < INT32_MIN || parsed > INT32_MAX)
        return false;
    *value = (int)parsed;
    return true;
}

static bool parse_uint64(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    if (!text[0] || text[strspn(text, "0123456789")])
        return false;
    *value = strtoull(text, &end, 10);
    return !*end && !errno;
}

/* Exactly `count` numbers between commas. */
static bool parse_floats(const char *text, int count, float *values)
{
    for (int i = 0; i < count; i++) {
        char one[64];
        double number;
        size_t length = strcspn(text, ",");
        if (length >= sizeof one || (text[length] == ',') != (i < count - 1))
            return false;
        snprintf(one, sizeof one, "%.*s", (int)length, text);
        if (!parse_number(one, &number))
            return false;
        values[i] = (float)number;
        text += length + (text[length] == ',');
    }
    return true;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t length = strlen(value);
    for (const char *start = choices;; start++) {
        size_t size = strcspn(start, "|");
        if (size == length && strncmp(start, value, size) == 0)
            return true;
        start += size;
        if (!*start)
            return false;
    }
}

static qmt_parse_result take_flag(const struct parsing *parsing, const qmt_option *option, const char *value)
{
    if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        return wrong(parsing, "option --%s takes no value but true or false; got '%s'", option->name, value);
    *(bool *)option->value = !value || strcmp(value, "true") == 0;
    return QMT_PARSED;
}

static qmt_parse_result take_value(const struct parsing *parsing, const qmt_option *option, const char *value)
{
    qmtcnn_error error;
    double number;
    switch (option->kind) {
    case QMT_OPTION_FLAG: return take_flag(parsing, option, value);
    case QMT_OPTION_INT:
        if (!parse_int(value, option->value))
            return wrong(parsing, "option --%s takes an integer; got '%s'", option->name, value);
        break;
    case QMT_OPTION_UINT64:
        if (!parse_uint64(value, option->value))
            return wrong(parsing, "option --%s takes an integer from 0 to %" PRIu64 "; got '%s'", option->name,
                         UINT64_MAX, value);
        break;
    case QMT_OPTION_FLOAT:
        if (!parse_number(value, &number) || !isfinite((float)number))
            return wrong(parsing, "option --%s takes a number; got '%s'", option->name, value);
        *(float *)option->value = (float)number;
        break;
    case QMT_OPTION_FLOATS:
        if (!parse_floats(value, option->count, option->value))
            return wrong(parsing, "option --%s takes %d numbers with commas between; got '%s'", option->name,
                         option->count, value);
        break;
    case QMT_OPTION_TEXT: *(const char **)option->value = value; break;
    case QMT_OPTION_CHOICE:
        if (!is_choice(option->choices, value))
            return wrong(parsing, "option --%s takes one of %s; got '%s'", option->name, option->choices, value);
        *(const char **)option->value = value;
        break;
    case QMT_OPTION_CONFIG:
        if (qmt_config_set(option->value, option->key, value, &error) != QMTCNN_OK)
            return wrong(parsing, "option --%s: %s", option->name, error.message);
        break;
    }
    return QMT_PARSED;
}

static qmt_parse_result unknown_option(const struct parsing *parsing, const char *name)
{
    const qmt_usage *usage = parsing->usage;
    qmt_nearest nearest;
    qmtcnn_error error;
    if (usage->config && strchr(name, '.')) {
        qmt_unknown_key(name, &error);
        return wrong(parsing, "%s", error.message);
    }
    qmt_nearest_start(&nearest, name);
    for (const qmt_option *option = usage->options; option && option->name; option++)
        qmt_nearest_try(&nearest, option->name);
    if (usage->config)
        qmt_nearest_try(&nearest, "config");
    qmt_nearest_try(&nearest, "help-config");
    qmt_nearest_try(&nearest, "help");
    const char *found = qmt_nearest_found(&nearest);
    if (found)
        return wrong(parsing, "unknown option --%s; did you mean --%s?", name, found);
    return wrong(parsing, "unknown option --%s", name);
}

static qmt_parse_result read_config(struct parsing *parsing, const char *path)
{
    qmtcnn_error error;
    parsing->file = path;
    if (qmt_config_read(path, parsing->usage->config, &error) == QMTCNN_OK)
        return QMT_PARSED;
    fprintf(stderr, "%s: %s\n", parsing->command, error.message);
    return QMT_PARSED_FAILED;
}

/* The option NAME. *value is what stood behind "=", or NULL; then *next may be taken, and is cleared if it was. */
static qmt_parse_result take_option(struct parsing *parsing, const char *name, const char *value, const char **next)
{
    const qmt_usage *usage = parsing->usage;
    const qmt_option *option = NULL;
    int count = count_options(usage->options);
    for (int i = 0; i < count && !option; i++) {
        if (qmt_same_key(usage->options[i].name, name)) {
            option = &usage->options[i];
            parsing->seen |= (uint64_t)1 << i;
        }
    }
    bool is_config = !option && usage->config && strcmp(name, "config") == 0;
    bool is_setting = !option && usage->config && qmt_config_has(name);
    if (!option && !is_config && !is_setting)
        return unknown_option(parsing, name);
    if (!value && !(option && option->kind == QMT_OPTION_FLAG)) {
        value = *next;
        if (!value)
            return wrong(parsing, "option --%s needs a value", name);
        *next = NULL;
    }
    qmtcnn_error error;
    if (is_config && !parsing->settings)
        return read_config(parsing, value);
    if (is_config || !parsing->settings)
        return QMT_PARSED;
    if (is_setting && qmt_config_set(usage->config, name, value, &error) != QMTCNN_OK)
        return wrong(parsing, "option --%s: %s", name, error.message);
    return is_setting ? QMT_PARSED : take_value(parsing, option, value);
}

static void print_help(const qmt_usage *usage);

static qmt_parse_result print_config_help(void)
{
    char *help = qmt_config_help();
    if (help)
        fputs(help, stdout);
    qmt_free(help);
    return QMT_PARSED_HELP;
}

static qmt_parse_result take_input(struct parsing *parsing, char **argv, char *argument)
{
    parsing->inputs++;
    if (parsing->settings)
        argv[parsing->inputs] = argument;
    else if (parsing->usage->config_input && parsing->inputs == 1)
        return read_config(parsing, argument);
    return QMT_PARSED;
}

static qmt_parse_result pass(struct parsing *parsing, int argc, char **argv)
{
    bool options_end = false;
    for (int i = 1; i < argc; i++) {
        char *argument = argv[i];
        if (options_end || argument[0] != '-' || !argument[1]) {
            qmt_parse_result result = take_input(parsing, argv, argument);
            if (result != QMT_PARSED)
                return result;
            continue;
        }
        if (strcmp(argument, "--") == 0) {
            options_end = true;
            continue;
        }
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            print_help(parsing->usage);
            return QMT_PARSED_HELP;
        }
        if (qmt_same_key(argument, "--help-config"))
            return print_config_help();
        if (argument[1] != '-')
            return wrong(parsing, "unknown option %s; options have two hyphens", argument);
        char name[name_size];
        const char *equals = strchr(argument, '='), *next = i + 1 < argc ? argv[i + 1] : NULL;
        size_t length = equals ? (size_t)(equals - argument - 2) : strlen(argument + 2);
        if (length >= sizeof name)
            return wrong(parsing, "unknown option %.60s...", argument);
        snprintf(name, sizeof name, "%.*s", (int)length, argument + 2);
        bool had_next = next != NULL;
        qmt_parse_result result = take_option(parsing, name, equals ? equals + 1 : NULL, &next);
        if (result != QMT_PARSED)
            return result;
        i += had_next && !next;
    }
    return QMT_PARSED;
}

/* What no single option shows. `sound`: the configuration was, before options changed it. */
static qmt_parse_result check_whole(const struct parsing *parsing, char **argv, bool sound)
{
    const qmt_usage *usage = parsing->usage;
    qmtcnn_error error;
    for (int i = 0; i < count_options(usage->options); i++) {
        if (usage->options[i].required && !(parsing->seen >> i & 1))
            return wrong(parsing, "option --%s is missing", usage->options[i].name);
    }
    if (parsing->inputs < usage->min_inputs)
        return wrong(parsing, "%s", parsing->inputs ? "arguments are missing" : "an argument is missing");
    if (usage->max_inputs >= 0 && parsing->inputs > usage->max_inputs)
        return wrong(parsing, "unexpected argument '%s'", argv[usage->max_inputs + 1]);
    if (!usage->config || qmt_config_check(usage->config, &error) == QMTCNN_OK)
        return QMT_PARSED;
    if (sound)
        return wrong(parsing, "%s", error.message);
    fprintf(stderr, "%s: %s: %s\n", parsing->command, parsing->file, error.message);
    return QMT_PARSED_FAILED;
}

qmt_parse_result qmt_parse_options(int argc, char **argv, const qmt_usage *usage, int *inputs)
{
    char command[64];
    qmtcnn_error error;
    snprintf(command, sizeof command, "qmtcnn %s", argc > 0 ? argv[0] : "");
    struct parsing parsing = {.usage = usage, .command = command};
    *inputs = 0;
    qmt_parse_result result = pass(&parsing, argc, argv);
    if (result != QMT_PARSED)
        return result;
    bool sound = !parsing.file || qmt_config_check(usage->config, &error) == QMTCNN_OK;
    parsing.settings = true;
    parsing.inputs = 0;
    result = pass(&parsing, argc, argv);
    if (result == QMT_PARSED)
        result = check_whole(&parsing, argv, sound);
    if (result == QMT_PARSED)
        *inputs = parsing.inputs;
    return result;
}

int qmt_parse_exit(qmt_parse_result result)
{
    switch (result) {
    case QMT_PARSED:
    case QMT_PARSED_HELP: return qmt_exit_done;
    case QMT_PARSED_WRONG: return qmt_exit_usage;
    case QMT_PARSED_FAILED: return qmt_exit_failed;
    }
    return qmt_exit_failed;
}

int qmt_command_failed(const char *command, qmtcnn_status status, const qmtcnn_error *error)
{
    const char *message = error && error->message[0] ? error->message : qmtcnn_status_name(status);
    fprintf(stderr, "qmtcnn %s: %s\n", command, message);
    return qmt_exit_failed;
}

/* ---- Help ---- */

enum { help_width = 100, help_indent = 2, widest_left = 34 };

/* Words of `text` from `column` on, broken at help_width. */
static void print_wrapped(const char *text, int column)
{
    int at = column;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (at > column && at + 1 + length > help_width) {
            printf("\n%*s", column, "");
            at = column;
        }
        at += printf("%s%.*s", at > column ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    printf("\n");
}

static int print_left(const char *name, const char *argument, bool dry)
{
    int length = 2 + (int)strlen(name) + (argument ? 1 + (int)strlen(argument) : 0);
    if (!dry)
        printf("%*s--%s%s%s", help_indent, "", name, argument ? " " : "", argument ? argument : "");
    return length;
}

static void print_entry(const char *name, const char *argument, const char *help, int column)
{
    int at = help_indent + print_left(name, argument, false);
    if (at + 2 > column) {
        printf("\n");
        at = 0;
    }
    printf("%*s", column - at, "");
    print_wrapped(help ? help : "", column);
}

/* An option's argument as help shows it. */
static const char *shown_argument(const qmt_option *option)
{
    return option->choices ? option->choices : option->argument;
}

static void print_help(const qmt_usage *usage)
{
    int widest = 6;
    for (const qmt_option *option = usage->options; option && option->name; option++) {
        int length = print_left(option->name, shown_argument(option), true);
        if (length > widest && length <= widest_left)
            widest = length;
    }
    if (usage->config)
        widest = widest > 21 ? widest : 21;
    int column = help_indent + widest + 2;
    printf("Usage: %s\n\n%s\n\nOptions:\n", usage->synopsis, usage->text);
    for (const qmt_option *option = usage->options; option && option->name; option++)
        print_entry(option->name, shown_argument(option), option->help, column);
    if (usage->config) {
        print_entry("config", "FILE", "settings from a YAML file; options win over it", column);
        print_entry("SECTION.KEY", "VALUE", "any setting, such as --train.epochs 5", column);
        print_entry("help-config", NULL, "list all settings", column);
    }
    print_entry("help", NULL, "show this text", column);
}
