/* Which steps of a pipeline are done. */
#ifndef QMT_PIPELINE_STEPS_H
#define QMT_PIPELINE_STEPS_H

#include "runtime/base/status.h"

#include <stdint.h>

/* The steps below one working folder. Each has a key: a hash over its settings and the keys of all steps before it. */
typedef struct qmt_steps {
    const char *workdir;
    const char *config_text; /* YAML, as qmt_config_text() gives it */
    uint64_t chain;          /* over all steps so far; starts at 0 */
} qmt_steps;

/* Takes the next step into the chain. `sections`: comma-separated top-level sections of the configuration that it
 * depends on. Returns its key. */
uint64_t qmt_step_key(qmt_steps *steps, const char *name, const char *sections);
/* The same from other text, for a step that does not depend on all of a section. */
uint64_t qmt_step_key_for(qmt_steps *steps, const char *config_text, const char *name, const char *sections);
/* Takes a number that all later steps depend on into the chain, such as a hash over the data. */
void qmt_step_mix(qmt_steps *steps, uint64_t value);
/* Was it finished with this key, and is `output` (below the working folder) still there? */
bool qmt_step_done(const qmt_steps *steps, const char *name, uint64_t key, const char *output);
/* Was it last started with this key, so that it may be resumed? false where it never was, or other settings were in
 * force then. */
bool qmt_step_was_started(const qmt_steps *steps, const char *name, uint64_t key);
/* Notes that the step starts with this key. */
qmtcnn_status qmt_step_start(const qmt_steps *steps, const char *name, uint64_t key, qmtcnn_error *error);
/* Marks it finished. */
qmtcnn_status qmt_step_finish(const qmt_steps *steps, const char *name, uint64_t key, double seconds,
                              qmtcnn_error *error);
/* Seconds that it took when it last ran; -1 where unknown. */
double qmt_step_seconds(const qmt_steps *steps, const char *name);

#endif
