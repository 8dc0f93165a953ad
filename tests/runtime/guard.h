/* Memory between two pages that nothing may touch: a byte read or written too far is a fault, at once. */
#ifndef TEST_RUNTIME_GUARD_H
#define TEST_RUNTIME_GUARD_H

#include "common/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { guard_value = 0x5a, guard_checked = 256 };

typedef struct guard_arena {
    char *memory; /* a forbidden page, `size` bytes, a forbidden page */
    size_t size, page;
    char *data; /* the buffer in use */
    size_t used;
} guard_arena;

static inline void guard_create(guard_arena *arena, size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    arena->page = page;
    arena->size = (size + page - 1) / page * page;
    arena->memory = aligned_alloc(page, arena->size + 2 * page);
    assert_non_null(arena->memory);
    assert_int_equal(mprotect(arena->memory, page, PROT_NONE), 0);
    assert_int_equal(mprotect(arena->memory + page + arena->size, page, PROT_NONE), 0);
}

static inline void guard_free(guard_arena *arena)
{
    assert_int_equal(mprotect(arena->memory, arena->size + 2 * arena->page, PROT_READ | PROT_WRITE), 0);
    free(arena->memory);
}

/* A buffer of `size` bytes that ends `gap` bytes before the page after it, or (gap < 0) begins behind the one before
 * it; its place is a multiple of `alignment`. Guard bytes fill the gap and the other side. */
static inline void *guard_take(guard_arena *arena, size_t size, size_t alignment, int gap)
{
    char *start = arena->memory + arena->page, *end = start + arena->size;
    assert_true(size + guard_checked + alignment <= arena->size);
    arena->data = gap < 0 ? start : start + (arena->size - size - (size_t)gap) / alignment * alignment;
    arena->used = size;
    for (char *c = arena->data; c > start && arena->data - c < guard_checked; c--)
        c[-1] = guard_value;
    for (char *c = arena->data + size; c < end && c < arena->data + size + guard_checked; c++)
        *c = guard_value;
    memset(arena->data, guard_value ^ 0xff, size);
    return arena->data;
}

/* Were the guard bytes left alone? */
static inline bool guard_intact(const guard_arena *arena)
{
    const char *start = arena->memory + arena->page, *end = start + arena->size;
    bool intact = true;
    for (const char *c = arena->data; c > start && arena->data - c < guard_checked; c--)
        intact = intact && c[-1] == guard_value;
    for (const char *c = arena->data + arena->used; c < end && c < arena->data + arena->used + guard_checked; c++)
        intact = intact && *c == guard_value;
    return intact;
}

#endif
