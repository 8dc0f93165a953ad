/* Stands in for the compiler's <immintrin.h> where AVX-512 and VNNI kernels are built for processors without them:
 * SIMDe computes each of their instructions with others. Only for tests: it is slow. */
#ifndef TEST_EMULATION_IMMINTRIN_H
#define TEST_EMULATION_IMMINTRIN_H

#include_next <immintrin.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/avx512/dpbusd.h>

/* AVX-VNNI's is the same instruction in another encoding. */
#define _mm256_dpbusd_avx_epi32(sum, a, b) simde_mm256_dpbusd_epi32(sum, a, b)

/* What SIMDe 0.7.4 lacks. */
static inline __m512 test_mm512_cvtepi32_ps(__m512i a)
{
    int32_t from[16];
    float to[16];
    simde_mm512_storeu_si512(from, a);
    for (int i = 0; i < 16; i++)
        to[i] = (float)from[i];
    return simde_mm512_loadu_ps(to);
}
#undef _mm512_cvtepi32_ps
#define _mm512_cvtepi32_ps(a) test_mm512_cvtepi32_ps(a)

static inline __m512i test_mm512_cvtps_epi32(__m512 a)
{
    float from[16];
    int32_t to[16];
    simde_mm512_storeu_ps(from, a);
    for (int i = 0; i < 16; i++)
        to[i] = _mm_cvtss_si32(_mm_set_ss(from[i])); /* half to even */
    return simde_mm512_loadu_si512(to);
}
static inline __m512 test_mm512_shuffle_f32x4(__m512 a, __m512 b, int which)
{
    float from[2][16], to[16];
    simde_mm512_storeu_ps(from[0], a);
    simde_mm512_storeu_ps(from[1], b);
    for (int i = 0; i < 16; i++)
        to[i] = from[i / 8][4 * (which >> (i / 4 * 2) & 3) + i % 4];
    return simde_mm512_loadu_ps(to);
}
#undef _mm512_shuffle_f32x4
#define _mm512_shuffle_f32x4(a, b, which) test_mm512_shuffle_f32x4(a, b, which)

#undef _mm512_cvtps_epi32
#define _mm512_cvtps_epi32(a) test_mm512_cvtps_epi32(a)

#endif
