#include "toolkit/net/net_kernels.h"

#include <string.h>

const qmt_net_kernels *qmt_net_kernels_baseline(void);
#ifdef QMT_NET_X86_VARIANTS
const qmt_net_kernels *qmt_net_kernels_avx2(void);
const qmt_net_kernels *qmt_net_kernels_avx512(void);
#endif

const qmt_net_kernels *qmt_net_kernels_named(const char *name)
{
    if (strcmp(name, "baseline") == 0)
        return qmt_net_kernels_baseline();
#ifdef QMT_NET_X86_VARIANTS
    if (strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return qmt_net_kernels_avx2();
    if (strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return qmt_net_kernels_avx512();
#endif
    return NULL;
}

const qmt_net_kernels *qmt_net_kernels_best(void)
{
    const char *const names[] = {"avx512", "avx2"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const qmt_net_kernels *kernels = qmt_net_kernels_named(names[i]);
        if (kernels)
            return kernels;
    }
    return qmt_net_kernels_baseline();
}

int qmt_block_count(int channels, int block)
{
    return (channels + block - 1) / block;
}

int qmt_block_start(int channels, int block, int index)
{
    return (int)((int64_t)channels * index / qmt_block_count(channels, block));
}

size_t qmt_net_scratch(const qmt_conv_shape *shape)
{
    size_t taps = (size_t)shape->in_channels * (size_t)shape->kernel * (size_t)shape->kernel;
    size_t row = (size_t)shape->out_side * 16, outputs = (size_t)shape->out_channels;
    /* Where taps are, then sums of 16 outputs, a turned row of dy of 16 channels and a row of zeros; or 16 lanes of 4
     * outputs and a strip of dy of 4 channels. */
    size_t gradient = taps + 16 + (taps + 3) * 64 + 17 * row + 4096;
    return gradient > 32 * outputs ? gradient : 32 * outputs;
}
