#include "toolkit/train/peak.h"

#include "runtime/base/clock.h"

#include <math.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* 12 chains hide a latency of 4 cycles on two or three ports. */
enum { chains = 12, rounds = 20000, max_turns = 64 };
/* A measurement's loops: many a thread, so that one that wakes up late takes fewer instead of making the others wait.
 */
enum { loops_per_thread = 32 };

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static float loop_avx512(float factor)
{
    __m512 sums[chains], by = _mm512_set1_ps(factor), plus = _mm512_set1_ps(1.0f);
    for (int i = 0; i < chains; i++)
        sums[i] = _mm512_set1_ps((float)i);
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < chains; i++)
            sums[i] = _mm512_fmadd_ps(sums[i], by, plus);
    for (int i = 1; i < chains; i++)
        sums[0] = _mm512_add_ps(sums[0], sums[i]);
    return _mm512_reduce_add_ps(sums[0]);
}

__attribute__((target("avx2,fma"))) static float loop_avx2(float factor)
{
    __m256 sums[chains], by = _mm256_set1_ps(factor), plus = _mm256_set1_ps(1.0f);
    float lanes[8], total = 0;
    for (int i = 0; i < chains; i++)
        sums[i] = _mm256_set1_ps((float)i);
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < chains; i++)
            sums[i] = _mm256_fmadd_ps(sums[i], by, plus);
    for (int i = 1; i < chains; i++)
        sums[0] = _mm256_add_ps(sums[0], sums[i]);
    _mm256_storeu_ps(lanes, sums[0]);
    for (int i = 0; i < 8; i++)
        total += lanes[i];
    return total;
}
#elif defined(__aarch64__)
static float loop_neon(float factor)
{
    float32x4_t sums[chains], by = vdupq_n_f32(factor), plus = vdupq_n_f32(1.0f);
    for (int i = 0; i < chains; i++)
        sums[i] = vdupq_n_f32((float)i);
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < chains; i++)
            sums[i] = vfmaq_f32(plus, sums[i], by);
    for (int i = 1; i < chains; i++)
        sums[0] = vaddq_f32(sums[0], sums[i]);
    return vaddvq_f32(sums[0]);
}
#endif

#if !defined(__aarch64__)
/* For processors without the above: whatever the compiler makes of it, 4 lanes a chain. */
static float loop_plain(float factor)
{
    float sums[4 * chains], total = 0;
    for (int i = 0; i < 4 * chains; i++)
        sums[i] = (float)i;
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < 4 * chains; i++)
            sums[i] = sums[i] * factor + 1.0f;
    for (int i = 0; i < 4 * chains; i++)
        total += sums[i];
    return total;
}
#endif

static qmt_peak_loop widest_loop(int *lanes)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        *lanes = 16;
        return loop_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        *lanes = 8;
        return loop_avx2;
    }
#elif defined(__aarch64__)
    *lanes = 4;
    return loop_neon;
#endif
#if !defined(__aarch64__)
    *lanes = 4;
    return loop_plain;
#endif
}

typedef struct peak_turn {
    qmt_peak_loop loop;
    float *results; /* one a worker */
} peak_turn;

static void run_loop(void *state, int index, int worker)
{
    peak_turn *turn = state;
    (void)index;
    turn->results[worker] += turn->loop(0.5f + 0.001f * turn->results[worker] / (1 + fabsf(turn->results[worker])));
}

double qmt_measure_loop(qmt_pool *pool, qmt_peak_loop loop, double operations, double seconds)
{
    int threads = qmt_pool_threads(pool);
    float *results = qmt_alloc_zero((size_t)threads, sizeof *results);
    if (!results)
        return 0;
    peak_turn turn = {loop, results};
    double best = 0, start = qmt_seconds();
    for (int i = 0; i < max_turns && (i < 2 || qmt_seconds() - start < seconds); i++) {
        double before = qmt_seconds();
        qmt_pool_run(pool, threads * loops_per_thread, run_loop, &turn);
        double took = qmt_seconds() - before;
        double done = (double)threads * loops_per_thread * operations;
        if (took > 0 && done / took > best)
            best = done / took;
    }
    qmt_free(results);
    return best;
}

double qmt_measure_peak(qmt_pool *pool, double seconds)
{
    int lanes;
    qmt_peak_loop loop = widest_loop(&lanes);
    return qmt_measure_loop(pool, loop, (double)rounds * chains * lanes, seconds);
}
