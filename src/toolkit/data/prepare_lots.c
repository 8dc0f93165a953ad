#include "toolkit/data/prepare_lots.h"

#include "toolkit/base/file.h"

#include <string.h>

enum { bin_shift = 52 }; /* of a lot's 64 bits, the upper 12 */
_Static_assert(qmt_lot_bins == 1 << (64 - bin_shift), "a bin for each value of the upper bits");

uint64_t qmt_lots_limit(const qmt_prepare_config *prepare, qmt_sample_class sample_class)
{
    const int most[qmt_class_count] = {prepare->max_negatives, prepare->max_positives, prepare->max_parts,
                                       prepare->max_landmarks};
    return most[sample_class] > 0 ? (uint64_t)most[sample_class] : UINT64_MAX;
}

void qmt_lots_init(qmt_lots *lots, const qmt_prepare_config *prepare)
{
    for (int k = 0; k < qmt_class_count; k++) {
        lots->limits[k] = qmt_lots_limit(prepare, (qmt_sample_class)k);
        atomic_init(&lots->last_bin[k], qmt_lot_bins - 1);
        for (int bin = 0; bin < qmt_lot_bins; bin++)
            atomic_init(&lots->counts[k][bin], 0);
    }
}

uint64_t qmt_lot_draw(uint64_t seed, qmt_net_id net, uint32_t picture, uint64_t number)
{
    const uint64_t words[4] = {seed, (uint64_t)net, picture, number};
    return qmt_hash(words, sizeof words);
}

bool qmt_lots_take(qmt_lots *lots, qmt_sample_class sample_class, uint64_t lot)
{
    const int bin = (int)(lot >> bin_shift);
    if (lots->limits[sample_class] == UINT64_MAX)
        return true;
    if (bin > atomic_load_explicit(&lots->last_bin[sample_class], memory_order_relaxed))
        return false;
    atomic_fetch_add_explicit(&lots->counts[sample_class][bin], 1, memory_order_relaxed);
    return true;
}

/* The last bin that matters once more than the limit were taken: the first sample that goes must be among them, too. */
static int last_bin(const qmt_lots *lots, int k)
{
    uint64_t sum = 0;
    for (int bin = 0; bin < qmt_lot_bins; bin++) {
        sum += atomic_load_explicit(&lots->counts[k][bin], memory_order_relaxed);
        if (sum > lots->limits[k])
            return bin;
    }
    return qmt_lot_bins - 1;
}

void qmt_lots_tighten(qmt_lots *lots)
{
    for (int k = 0; k < qmt_class_count; k++) {
        if (lots->limits[k] != UINT64_MAX) /* of two threads, either may write last: both bounds hold */
            atomic_store_explicit(&lots->last_bin[k], last_bin(lots, k), memory_order_relaxed);
    }
}
