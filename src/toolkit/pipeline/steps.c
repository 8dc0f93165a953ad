#include "toolkit/pipeline/steps.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "toolkit/base/file.h"

enum { state_limit = 4096 };

/* Where the top-level section `name` of `length` characters starts in YAML text, and its bytes. NULL: not there. */
static const char *find_section(const char *text, const char *name, size_t length, size_t *bytes)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, name, length) != 0 || line[length] != ':')
            continue;
        const char *end = line;
        do {
            const char *newline = strchr(end, '\n');
            end = newline ? newline + 1 : end + strlen(end);
        } while (*end == ' ' || *end == '#' || *end == '\n');
        *bytes = (size_t)(end - line);
        return line;
    }
    return NULL;
}

uint64_t qmt_step_key_for(qmt_steps *steps, const char *config_text, const char *name, const char *sections)
{
    uint64_t parts[3] = {steps->chain, qmt_hash(name, strlen(name)), 0};
    for (const char *at = sections; *at;) {
        size_t length = strcspn(at, ","), bytes = 0;
        const char *section = find_section(config_text, at, length, &bytes);
        uint64_t both[2] = {parts[2], section ? qmt_hash(section, bytes) : 0};
        parts[2] = qmt_hash(both, sizeof both);
        at += length + (at[length] == ',');
    }
    steps->chain = qmt_hash(parts, sizeof parts);
    return steps->chain;
}

uint64_t qmt_step_key(qmt_steps *steps, const char *name, const char *sections)
{
    return qmt_step_key_for(steps, steps->config_text, name, sections);
}

void qmt_step_mix(qmt_steps *steps, uint64_t value)
{
    const uint64_t both[2] = {steps->chain, value};
    steps->chain = qmt_hash(both, sizeof both);
}

static char *state_path(const qmt_steps *steps, const char *name)
{
    return qmt_format("%s/steps/%s.json", steps->workdir, name);
}

/* The step's state; NULL where there is none or it can't be read (then the step runs again). */
static json_t *read_state(const qmt_steps *steps, const char *name)
{
    void *data = NULL;
    size_t size;
    json_t *state = NULL;
    char *path = state_path(steps, name);
    if (path && qmt_file_read(path, state_limit, &data, &size, NULL) == QMTCNN_OK)
        state = json_loadb(data, size, 0, NULL);
    qmt_free(data);
    qmt_free(path);
    return state;
}

static bool has_key(const json_t *state, uint64_t key)
{
    char wanted[17];
    const char *found = json_string_value(json_object_get(state, "key"));
    snprintf(wanted, sizeof wanted, "%016" PRIx64, key);
    return found && strcmp(found, wanted) == 0;
}

static qmtcnn_status write_state(const qmt_steps *steps, const char *name, const char *text, qmtcnn_error *error)
{
    char *path = state_path(steps, name);
    qmtcnn_status status = path && text ? qmt_file_write(path, text, strlen(text), error)
                                        : qmt_fail_memory(error, state_limit, "a step's state");
    qmt_free(path);
    return status;
}

bool qmt_step_was_started(const qmt_steps *steps, const char *name, uint64_t key)
{
    char *begun = qmt_format("%s.begun", name);
    json_t *state = begun ? read_state(steps, begun) : NULL;
    bool started = has_key(state, key);
    json_decref(state);
    qmt_free(begun);
    return started;
}

qmtcnn_status qmt_step_start(const qmt_steps *steps, const char *name, uint64_t key, qmtcnn_error *error)
{
    char *begun = qmt_format("%s.begun", name), *text = qmt_format("{\"key\": \"%016" PRIx64 "\"}\n", key);
    qmtcnn_status status =
        begun && text ? write_state(steps, begun, text, error) : qmt_fail_memory(error, state_limit, "a step's state");
    qmt_free(text);
    qmt_free(begun);
    return status;
}

bool qmt_step_done(const qmt_steps *steps, const char *name, uint64_t key, const char *output)
{
    json_t *state = read_state(steps, name);
    char *path = qmt_path_join(steps->workdir, output);
    bool done = has_key(state, key) && path && (qmt_file_exists(path) || qmt_folder_exists(path));
    qmt_free(path);
    json_decref(state);
    return done;
}

qmtcnn_status qmt_step_finish(const qmt_steps *steps, const char *name, uint64_t key, double seconds,
                              qmtcnn_error *error)
{
    char *text = qmt_format("{\"key\": \"%016" PRIx64 "\", \"seconds\": %.3f}\n", key, seconds);
    qmtcnn_status status = write_state(steps, name, text, error);
    qmt_free(text);
    return status;
}

double qmt_step_seconds(const qmt_steps *steps, const char *name)
{
    json_t *state = read_state(steps, name);
    const json_t *seconds = json_object_get(state, "seconds");
    double value = json_is_number(seconds) ? json_number_value(seconds) : -1;
    json_decref(state);
    return value;
}
