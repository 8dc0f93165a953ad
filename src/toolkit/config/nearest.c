#include "toolkit/config/nearest.h"

#include <stdio.h>
#include <string.h>

enum { longest = 63 };

static char canonical(char c)
{
    return c == '-' ? '_' : c;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: Levenshtein's distance plus swaps of neighbors, the commonest slip of a typist. */
int qmt_edit_distance(const char *a, const char *b)
{
    int rows[3][longest + 1];
    int length_a = (int)strnlen(a, longest), length_b = (int)strnlen(b, longest);
    int *before = rows[0], *last = rows[1], *row = rows[2];
    for (int j = 0; j <= length_b; j++)
        last[j] = j;
    for (int i = 1; i <= length_a; i++) {
        row[0] = i;
        for (int j = 1; j <= length_b; j++) {
            bool same = canonical(a[i - 1]) == canonical(b[j - 1]);
            int best = smaller(smaller(last[j], row[j - 1]) + 1, last[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && canonical(a[i - 1]) == canonical(b[j - 2]) &&
                canonical(a[i - 2]) == canonical(b[j - 1]))
                best = smaller(best, before[j - 2] + 1);
            row[j] = best;
        }
        int *next = before;
        before = last;
        last = row;
        row = next;
    }
    return last[length_b];
}

void qmt_nearest_start(qmt_nearest *nearest, const char *word)
{
    nearest->word = word;
    nearest->distance = longest + 1;
    nearest->best[0] = 0;
}

void qmt_nearest_try(qmt_nearest *nearest, const char *candidate)
{
    int distance = qmt_edit_distance(nearest->word, candidate);
    if (distance < nearest->distance) {
        nearest->distance = distance;
        snprintf(nearest->best, sizeof nearest->best, "%s", candidate);
    }
}

const char *qmt_nearest_found(const qmt_nearest *nearest)
{
    int length = (int)strnlen(nearest->word, longest);
    int allowed = length / 3 > 2 ? length / 3 : 2;
    return nearest->best[0] && nearest->distance <= allowed && nearest->distance < length ? nearest->best : NULL;
}
