#include "toolkit/base/random.h"

#include <math.h>

static uint64_t rotate_left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

/* splitmix64 (Steele, Lea, Flood 2014): turns any counter into well mixed bits. */
static uint64_t mix(uint64_t *counter)
{
    uint64_t z = *counter += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

qmt_random qmt_random_stream(uint64_t seed, uint64_t a, uint64_t b)
{
    qmt_random random;
    uint64_t counter = seed;
    counter = mix(&counter) ^ a;
    counter = mix(&counter) ^ b;
    for (int i = 0; i < 4; i++)
        random.state[i] = mix(&counter);
    return random;
}

uint64_t qmt_random_next(qmt_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

float qmt_random_float(qmt_random *random)
{
    return (float)(qmt_random_next(random) >> 40) * 0x1p-24f;
}

float qmt_random_range(qmt_random *random, float low, float high)
{
    return low + (high - low) * qmt_random_float(random);
}

uint64_t qmt_random_below(qmt_random *random, uint64_t bound)
{
    if (bound < 2)
        return 0;
    /* Numbers under 2^64 mod bound would make some results likelier than others. */
    uint64_t reject = (0 - bound) % bound, x;
    do
        x = qmt_random_next(random);
    while (x < reject);
    return x % bound;
}

float qmt_random_normal(qmt_random *random)
{
    float x, y, square;
    do {
        x = qmt_random_range(random, -1, 1);
        y = qmt_random_range(random, -1, 1);
        square = x * x + y * y;
    } while (square >= 1 || square == 0);
    return x * sqrtf(-2 * logf(square) / square);
}

void qmt_random_shuffle(qmt_random *random, uint32_t *order, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = (uint32_t)qmt_random_below(random, i), kept = order[j];
        order[j] = order[i - 1];
        order[i - 1] = kept;
    }
}

/* Uniform values kept with a chance of low / value. */
float qmt_random_log_uniform(qmt_random *random, float low, float high)
{
    enum { most_draws = 1000 };
    float value = low;
    for (int i = 0; i < most_draws && low < high; i++) {
        value = qmt_random_range(random, low, high);
        if (qmt_random_float(random) * value < low)
            break;
    }
    return value;
}
