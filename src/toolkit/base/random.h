/* toolkit/base: what all of the toolkit stands on. It owns random numbers, files that appear whole or not at all,
 * safetensors, hashes, Ctrl-C, and ranks (MPI). */
#ifndef QMT_TOOLKIT_RANDOM_H
#define QMT_TOOLKIT_RANDOM_H

#include <stdint.h>

/* A stream of random numbers, a plain value that can be saved and copied. xoshiro256** (Blackman and Vigna, 2018),
 * seeded by splitmix64. Streams for (seed, a, b) are independent of each other, so that a picture's or a sample's
 * numbers do not depend on which thread draws them, or when. */
typedef struct qmt_random {
    uint64_t state[4];
} qmt_random;

qmt_random qmt_random_stream(uint64_t seed, uint64_t a, uint64_t b);
uint64_t qmt_random_next(qmt_random *random);
/* Uniform in [0, 1), 24 bits. */
float qmt_random_float(qmt_random *random);
/* Uniform in [low, high). */
float qmt_random_range(qmt_random *random, float low, float high);
/* Uniform in the logarithm over [low, high), low > 0. No libm, which differs between machines, decides about bytes. */
float qmt_random_log_uniform(qmt_random *random, float low, float high);
/* Uniform in [0, bound); 0 for a bound of 0 or 1. No bias. */
uint64_t qmt_random_below(qmt_random *random, uint64_t bound);
/* Normal, mean 0, deviation 1: sums of uniform numbers would be cheaper, but this one is exact (polar method). */
float qmt_random_normal(qmt_random *random);
/* A random order of 0 .. count - 1 (Fisher and Yates). */
void qmt_random_shuffle(qmt_random *random, uint32_t *order, uint32_t count);

#endif
