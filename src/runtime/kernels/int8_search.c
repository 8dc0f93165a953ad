#include "runtime/kernels/int8_search.h"

#include <string.h>

void qmt_search_add_weights(const int weights[4], int16_t *positive, int16_t *negative)
{
    for (int i = 0; i < 4; i++) {
        positive[i / 2] = (int16_t)(positive[i / 2] + (weights[i] > 0 ? weights[i] : 0));
        negative[i / 2] = (int16_t)(negative[i / 2] + (weights[i] < 0 ? -weights[i] : 0));
    }
}

int qmt_search_largest(const int16_t *bound, int bounds)
{
    int most = 0;
    for (int i = 0; i < bounds; i++)
        most = bound[i] > most ? bound[i] : most;
    return most;
}

/* How full a run would be: the fullest bounds count most. Negative: too full. */
static float fullness(const qmt_run_search *search, const int16_t *run, const int16_t *more)
{
    float sum = 0;
    int over = 0;
    for (int i = 0; i < search->bounds; i++) {
        const int bound = run[i] + more[i];
        const float square = (float)(bound * bound);
        over |= bound > search->most_bound;
        sum += square * square;
    }
    return over ? -1 : sum;
}

/* The group that is left and fills a run least, -1: none. */
static int best_addition(const qmt_run_search *search, const int16_t *run)
{
    int best = -1;
    float least = 0;
    for (int i = 0; i < search->count; i++) {
        if (search->used[i])
            continue;
        const float full = fullness(search, run, search->bound[i]);
        if (full >= 0 && (best < 0 || full < least)) {
            best = i;
            least = full;
        }
    }
    return best;
}

static int hardest(const qmt_run_search *search)
{
    int best = -1;
    for (int i = 0; i < search->count; i++)
        if (!search->used[i] && (best < 0 || search->largest[i] > search->largest[best]))
            best = i;
    return best;
}

/* Each run begins with the hardest group that is left, and takes what fills it least. */
void qmt_search_runs(qmt_run_search *search)
{
    int placed = 0;
    search->run_count = 0;
    for (int i = 0; i < search->count; i++) {
        search->used[i] = false;
        search->largest[i] = qmt_search_largest(search->bound[i], search->bounds);
    }
    for (int next = hardest(search); next >= 0; next = hardest(search)) {
        int16_t run[qmt_search_bounds] = {0};
        int length = 0;
        while (next >= 0) {
            search->used[next] = true;
            search->order[placed++] = next;
            length++;
            for (int i = 0; i < search->bounds; i++)
                run[i] = (int16_t)(run[i] + search->bound[next][i]);
            next = length < search->longest ? best_addition(search, run) : -1;
        }
        search->length[search->run_count++] = length;
    }
}
