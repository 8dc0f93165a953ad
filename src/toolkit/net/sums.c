#include "toolkit/net/net_internal.h"

/* Halves the range: a rank that holds one half of the groups builds exactly one half of the tree. */
void qmt_sum_floats(float *items, size_t stride, size_t count, int groups)
{
    if (groups <= 1)
        return;
    int half = groups / 2;
    float *right = items + (size_t)half * stride;
    qmt_sum_floats(items, stride, count, half);
    qmt_sum_floats(right, stride, count, groups - half);
    for (size_t i = 0; i < count; i++)
        items[i] += right[i];
}

void qmt_sum_doubles(double *items, size_t stride, size_t count, int groups)
{
    if (groups <= 1)
        return;
    int half = groups / 2;
    double *right = items + (size_t)half * stride;
    qmt_sum_doubles(items, stride, count, half);
    qmt_sum_doubles(right, stride, count, groups - half);
    for (size_t i = 0; i < count; i++)
        items[i] += right[i];
}
