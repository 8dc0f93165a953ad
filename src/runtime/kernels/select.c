#include "runtime/base/cpu.h"
#include "runtime/kernels/packed.h"

#include <string.h>

const qmt_kernels *qmt_kernels_select(const char *name)
{
    const qmt_kernels *best_first[4];
    int count = 0;
#ifdef QMT_KERNELS_AVX2
    qmt_cpu cpu = qmt_cpu_detect();
    if (cpu.avx2 && cpu.fma)
        best_first[count++] = qmt_kernels_avx2();
#endif
    best_first[count++] = qmt_kernels_c();
    for (int i = 0; i < count; i++)
        if (!name || strcmp(best_first[i]->name, name) == 0)
            return best_first[i];
    return NULL;
}
