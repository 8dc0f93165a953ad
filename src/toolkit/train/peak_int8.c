/* The most 8-bit products, summed in 32 bits, that this processor can do a second. */
#include "toolkit/train/peak.h"

#include "runtime/base/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* 12 chains hide the latency of dot products; half of them that of additions, and leave registers free. */
enum { chains = 12, few_chains = chains / 2, rounds = 20000 };

/* Every loop here is of these instructions; `products` in one of them. */
struct choice {
    qmt_peak_loop loop;
    int products;
    const char *instructions;
};

#if defined(__x86_64__)
/* Macros, since a function can't be compiled for several instruction sets. The first hides from the compiler that a
 * value is the same each time, so that it multiplies each time. */
#define HIDE(value) __asm__ volatile("" : "+x"(value))
#define SUM_256(sums, count)                                                                                           \
    for (int i = 1; i < (count); i++)                                                                                  \
        (sums)[0] = _mm256_add_epi32((sums)[0], (sums)[i]);                                                            \
    return (float)_mm256_extract_epi32((sums)[0], 0)

__attribute__((target("avx2"))) static float loop_avx2(float seed)
{
    __m256i sums[few_chains], weights = _mm256_set1_epi8((char)(1 + (int)seed)), ones = _mm256_set1_epi16(1);
    __m256i inputs = weights;
    for (int i = 0; i < few_chains; i++)
        sums[i] = _mm256_set1_epi32(i);
    for (int round = 0; round < 2 * rounds; round++)
        for (int i = 0; i < few_chains; i++) {
            HIDE(inputs);
            sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(_mm256_maddubs_epi16(inputs, weights), ones));
        }
    SUM_256(sums, few_chains);
}

#if defined(__clang__) || __GNUC__ >= 11
__attribute__((target("avx2,avxvnni"))) static float loop_avx_vnni(float seed)
{
    __m256i sums[chains], weights = _mm256_set1_epi8((char)(1 + (int)seed));
    for (int i = 0; i < chains; i++)
        sums[i] = _mm256_set1_epi32(i);
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < chains; i++)
            sums[i] = _mm256_dpbusd_avx_epi32(sums[i], sums[i], weights);
    SUM_256(sums, chains);
}
#define HAVE_AVX_VNNI 1
#endif

__attribute__((target("avx512f,avx512bw,avx512vnni"))) static float loop_avx512_vnni(float seed)
{
    __m512i sums[chains], weights = _mm512_set1_epi8((char)(1 + (int)seed));
    for (int i = 0; i < chains; i++)
        sums[i] = _mm512_set1_epi32(i);
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < chains; i++)
            sums[i] = _mm512_dpbusd_epi32(sums[i], sums[i], weights);
    for (int i = 1; i < chains; i++)
        sums[0] = _mm512_add_epi32(sums[0], sums[i]);
    return (float)_mm512_reduce_add_epi32(sums[0]);
}

static struct choice best_loop(const qmt_cpu *cpu)
{
    if (cpu->avx512_vnni)
        return (struct choice){loop_avx512_vnni, 64, "VPDPBUSD, 512 bits"};
#ifdef HAVE_AVX_VNNI
    if (cpu->avx_vnni)
        return (struct choice){loop_avx_vnni, 32, "VPDPBUSD, 256 bits"};
#endif
    if (cpu->avx2)
        return (struct choice){loop_avx2, 32, "VPMADDUBSW + VPMADDWD + VPADDD, 256 bits"};
    return (struct choice){0};
}
#elif defined(__aarch64__)
static float loop_neon(float seed)
{
    int32x4_t sums[chains];
    int8x8_t weights = vdup_n_s8((int8_t)(1 + (int)seed));
    for (int i = 0; i < chains; i++)
        sums[i] = vdupq_n_s32(i);
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < chains; i++)
            sums[i] = vpadalq_s16(sums[i], vmull_s8(vget_low_s8(vreinterpretq_s8_s32(sums[i])), weights));
    for (int i = 1; i < chains; i++)
        sums[0] = vaddq_s32(sums[0], sums[i]);
    return (float)vaddvq_s32(sums[0]);
}

#if defined(__clang__) || __GNUC__ >= 8
#ifdef __clang__
#define DOT_TARGET "dotprod"
#else
#define DOT_TARGET "arch=armv8.2-a+dotprod"
#endif
__attribute__((target(DOT_TARGET))) static float loop_dot(float seed)
{
    int32x4_t sums[chains];
    int8x16_t weights = vdupq_n_s8((int8_t)(1 + (int)seed));
    for (int i = 0; i < chains; i++)
        sums[i] = vdupq_n_s32(i);
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < chains; i++)
            __asm__("sdot %0.4s, %0.16b, %1.16b" : "+w"(sums[i]) : "w"(weights));
    for (int i = 1; i < chains; i++)
        sums[0] = vaddq_s32(sums[0], sums[i]);
    return (float)vaddvq_s32(sums[0]);
}
#define HAVE_DOT 1
#endif

static struct choice best_loop(const qmt_cpu *cpu)
{
#ifdef HAVE_DOT
    if (cpu->neon_dot)
        return (struct choice){loop_dot, 16, "SDOT"};
#endif
    return (struct choice){loop_neon, 8, "SMULL + SADALP"};
}
#else
static struct choice best_loop(const qmt_cpu *cpu)
{
    (void)cpu;
    return (struct choice){0};
}
#endif

double qmt_measure_int8_peak(qmt_pool *pool, double seconds, const char **instructions)
{
    const qmt_cpu cpu = qmt_cpu_detect();
    const struct choice choice = best_loop(&cpu);
    if (instructions)
        *instructions = choice.loop ? choice.instructions : "none";
    return choice.loop ? qmt_measure_loop(pool, choice.loop, (double)rounds * chains * choice.products, seconds) : 0;
}
