/* Which samples stay where a class has more than its limit: each draws a lot, a number that depends on the seed and on
 * which sample it is, and those with the smallest stay. So the choice is the same whatever is made first, and what
 * can't stay any more need not be written. */
#ifndef QMT_PREPARE_LOTS_H
#define QMT_PREPARE_LOTS_H

#include "toolkit/config/config.h"
#include "toolkit/data/store.h"

#include <stdatomic.h>

enum { qmt_lot_bins = 4096 };

/* Lots that were drawn in this process, for all its threads. */
typedef struct qmt_lots {
    uint64_t limits[qmt_class_count];                            /* UINT64_MAX: none */
    atomic_uint_least64_t counts[qmt_class_count][qmt_lot_bins]; /* taken, by the lots' upper bits */
    atomic_int last_bin[qmt_class_count];                        /* what lies in later bins is not among the smallest */
} qmt_lots;

/* Most samples that stay of a class; UINT64_MAX: all. */
uint64_t qmt_lots_limit(const qmt_prepare_config *prepare, qmt_sample_class sample_class);
/* Without samples yet. */
void qmt_lots_init(qmt_lots *lots, const qmt_prepare_config *prepare);

/* The lot of a picture's sample `number`, counted over all classes and copies in the order in which they are made. */
uint64_t qmt_lot_draw(uint64_t seed, qmt_net_id net, uint32_t picture, uint64_t number);

/* Counts a sample that is written; false where it is certain not to stay. For any thread. */
bool qmt_lots_take(qmt_lots *lots, qmt_sample_class sample_class, uint64_t lot);
/* Brings last_bin up to date with the counts. For any thread; now and then is enough. */
void qmt_lots_tighten(qmt_lots *lots);

#endif
