/* The search for runs: which groups of INT8 weights may be summed together in 16 bits (int8_runs.h, int8_picture.h).
 *
 * A group has bounds: for each pair of inputs that one instruction adds up, the sum of its positive weights and that of
 * its negative ones. Groups may share a run if none of their bounds adds up to more than a limit. Finding the fewest
 * runs is bin packing with many dimensions; this search is greedy. Private to runtime/kernels. */
#ifndef QMT_INT8_SEARCH_H
#define QMT_INT8_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

enum {
    qmt_search_groups = 128, /* most groups of a search: its time grows with their square */
    qmt_search_bounds = 32   /* most bounds of a group */
};

typedef struct qmt_run_search {
    /* Given: */
    int count, bounds; /* groups; bounds of each */
    int most_bound;    /* limit of a bound's sum; no group has more by itself. Up to 258 */
    int longest;       /* most groups of a run */
    int16_t bound[qmt_search_groups][qmt_search_bounds];
    /* Found: */
    int run_count;
    int order[qmt_search_groups];  /* groups, run by run */
    int length[qmt_search_groups]; /* of each run */
    /* On the way: */
    int largest[qmt_search_groups]; /* bound of each group */
    bool used[qmt_search_groups];
} qmt_run_search;

/* Adds four weights, two pairs of inputs, to a group's bounds: positive[0, 1] and negative[0, 1]. */
void qmt_search_add_weights(const int weights[4], int16_t *positive, int16_t *negative);
/* The largest of a group's bounds: 0 if it has no weights. */
int qmt_search_largest(const int16_t *bound, int bounds);
/* Puts each group into a run. */
void qmt_search_runs(qmt_run_search *search);

#endif
