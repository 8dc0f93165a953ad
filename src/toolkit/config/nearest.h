/* The nearest valid name for a mistyped one. */
#ifndef QMT_CONFIG_NEAREST_H
#define QMT_CONFIG_NEAREST_H

#include <stdbool.h>

/* Insertions, deletions, replacements and swaps of neighbors that turn `a` into `b`; hyphens equal underscores, and
 * letters' case counts. Only the first 63 characters are looked at. */
int qmt_edit_distance(const char *a, const char *b);

/* A search for the candidate nearest to a word. Start with qmt_nearest_start(). */
typedef struct qmt_nearest {
    const char *word;
    int distance; /* of the best candidate so far */
    char best[64];
} qmt_nearest;
void qmt_nearest_start(qmt_nearest *nearest, const char *word);
void qmt_nearest_try(qmt_nearest *nearest, const char *candidate);
/* The best candidate, or NULL where none is near enough to be what was meant. */
const char *qmt_nearest_found(const qmt_nearest *nearest);

#endif
