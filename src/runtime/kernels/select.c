#include "runtime/base/cpu.h"
#include "runtime/kernels/packed.h"

#include <string.h>

int qmt_kernels_list(qmt_kernels_entry entries[qmt_max_kernel_tables])
{
    const qmt_cpu cpu = qmt_cpu_detect();
    int count = 0;
    (void)cpu; /* the C kernels ask for nothing */
#ifdef QMT_KERNELS_AVX512VNNI
    entries[count++] = (qmt_kernels_entry){qmt_kernels_avx512vnni(), cpu.avx512_vnni && cpu.avx2 && cpu.fma};
#endif
#ifdef QMT_KERNELS_AVXVNNI
    entries[count++] = (qmt_kernels_entry){qmt_kernels_avxvnni(), cpu.avx_vnni && cpu.fma};
#endif
#ifdef QMT_KERNELS_AVX2
    entries[count++] = (qmt_kernels_entry){qmt_kernels_avx2(), cpu.avx2 && cpu.fma};
#endif
#ifdef QMT_KERNELS_NEONDOT
    entries[count++] = (qmt_kernels_entry){qmt_kernels_neondot(), cpu.neon_dot};
#endif
#ifdef QMT_KERNELS_NEON
    entries[count++] = (qmt_kernels_entry){qmt_kernels_neon(), cpu.neon};
#endif
    entries[count++] = (qmt_kernels_entry){qmt_kernels_c(), true};
    return count;
}

const qmt_kernels *qmt_kernels_select(const char *name)
{
    qmt_kernels_entry entries[qmt_max_kernel_tables];
    const int count = qmt_kernels_list(entries);
    for (int i = 0; i < count; i++)
        if (entries[i].usable && (!name || strcmp(entries[i].kernels->name, name) == 0))
            return entries[i].kernels;
    return NULL;
}
