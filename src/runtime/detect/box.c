#include "runtime/detect/box.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

float qmt_box_area(qmt_box box)
{
    float width = box.x2 - box.x1, height = box.y2 - box.y1;
    return width > 0 && height > 0 ? width * height : 0.0f;
}

float qmt_box_intersection(qmt_box a, qmt_box b)
{
    qmt_box both = {a.x1 > b.x1 ? a.x1 : b.x1, a.y1 > b.y1 ? a.y1 : b.y1, a.x2 < b.x2 ? a.x2 : b.x2,
                    a.y2 < b.y2 ? a.y2 : b.y2};
    return qmt_box_area(both);
}

float qmt_box_iou(qmt_box a, qmt_box b)
{
    float both = qmt_box_intersection(a, b);
    return both > 0 ? both / (qmt_box_area(a) + qmt_box_area(b) - both) : 0.0f;
}

void qmt_regress(qmt_candidate *candidate)
{
    qmt_box *box = &candidate->box;
    float width = box->x2 - box->x1, height = box->y2 - box->y1;
    box->x1 += candidate->offset[0] * width;
    box->y1 += candidate->offset[1] * height;
    box->x2 += candidate->offset[2] * width;
    box->y2 += candidate->offset[3] * height;
}

qmt_box qmt_square(qmt_box box)
{
    float width = box.x2 - box.x1, height = box.y2 - box.y1;
    float side = width > height ? width : height;
    float x1 = box.x1 + 0.5f * (width - side), y1 = box.y1 + 0.5f * (height - side);
    return (qmt_box){x1, y1, x1 + side, y1 + side};
}

/* ---- Sorting --------------------------------------------------------------------------------- */

static bool is_better(const qmt_candidate *a, const qmt_candidate *b)
{
    return a->score > b->score || (a->score == b->score && a->order < b->order);
}

/* Moves items[at] down until no child comes later in the order. */
static void sift_down(const qmt_candidate *candidates, int *items, size_t at, size_t count)
{
    int item = items[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_better(&candidates[items[child]], &candidates[items[child + 1]]))
            child++;
        if (!is_better(&candidates[item], &candidates[items[child]]))
            break;
        items[at] = items[child];
    }
    items[at] = item;
}

/* Heap sort: takes no memory (qsort() may) and has no bad case. */
static void sort_few(const qmt_candidate *candidates, size_t count, int *items)
{
    for (size_t i = 0; i < count; i++)
        items[i] = (int)i;
    for (size_t i = count / 2; i-- > 0;)
        sift_down(candidates, items, i, count);
    for (size_t last = count; last-- > 1;) {
        int worst = items[0];
        items[0] = items[last];
        items[last] = worst;
        sift_down(candidates, items, 0, last);
    }
}

enum {
    digit_bits = 11,
    digits = 1 << digit_bits,
    sort_ints = 3 /* of scratch memory a candidate */
};

/* One step of a radix sort: items by a digit of their keys, those with equal digits in the order that they had. */
static void sort_digit(const uint32_t *keys, const int *from, int *to, size_t count, int shift)
{
    size_t place[digits] = {0};
    for (size_t i = 0; i < count; i++)
        place[keys[i] >> shift & (digits - 1)]++;
    for (size_t digit = 0, before = 0; digit < digits; digit++) {
        const size_t here = place[digit];
        place[digit] = before;
        before += here;
    }
    for (size_t i = 0; i < count; i++)
        to[place[keys[from[i]] >> shift & (digits - 1)]++] = from[i];
}

/* By keys, smallest first. Three digits hold 32 bits. */
static void sort_keys(const uint32_t *keys, int **items, int **other, size_t count)
{
    for (int shift = 0; shift < 32; shift += digit_bits) {
        sort_digit(keys, *items, *other, count, shift);
        int *sorted = *other;
        *other = *items;
        *items = sorted;
    }
}

/* A number that grows with `order`. */
static uint32_t order_key(int order)
{
    return (uint32_t)order ^ 0x80000000u;
}

/* A number that shrinks as the score grows. */
static uint32_t score_key(float score)
{
    const float positive_zero = score + 0.0f; /* -0 equals 0 */
    uint32_t bits;
    memcpy(&bits, &positive_zero, sizeof bits);
    return bits >> 31 ? bits : ~bits & 0x7fffffffu;
}

/* Radix sort, first by what breaks ties. Returns the sorted items, in one of three parts of `scratch`. */
static int *sort_many(const qmt_candidate *candidates, size_t count, int *scratch)
{
    int *items = scratch, *other = scratch + count;
    uint32_t *keys = (uint32_t *)(void *)(scratch + 2 * count);
    bool ordered = true;
    for (size_t i = 0; i < count; i++) {
        items[i] = (int)i;
        keys[i] = order_key(candidates[i].order);
        ordered = ordered && (i == 0 || keys[i - 1] <= keys[i]);
    }
    if (!ordered)
        sort_keys(keys, &items, &other, count);
    for (size_t i = 0; i < count; i++)
        keys[i] = score_key(candidates[i].score);
    sort_keys(keys, &items, &other, count);
    return items;
}

/* Sorts numbers, then moves each candidate once. */
static void sort_candidates(qmt_candidate *candidates, size_t count, int *scratch)
{
    enum { many = 256 };
    int *items = scratch;
    if (count < many)
        sort_few(candidates, count, items);
    else
        items = sort_many(candidates, count, scratch);
    for (size_t start = 0; start < count; start++) {
        if (items[start] == (int)start)
            continue;
        qmt_candidate held = candidates[start];
        size_t at = start;
        for (size_t from; (from = (size_t)items[at]) != start; at = from) {
            candidates[at] = candidates[from];
            items[at] = (int)at;
        }
        candidates[at] = held;
        items[at] = (int)at;
    }
}

/* ---- Suppression ----------------------------------------------------------------------------- */

/* Kept boxes lie in hashed grids, one for each size class (widths and heights up to a power of two), each in the cell
 * of its upper left corner. Boxes that overlap enough have corners near each other, so that only few cells have to be
 * searched for those that a new box overlaps. */
enum {
    size_classes = 40, /* a side in (2^(k - 1), 2^k], k - 12 in 0 .. 39: from 2^-12 to 2^27 */
    smallest_class = 12,
    buckets = 4096,
    few = 24 /* so many boxes are compared at once without a grid */
};

/* A kept box, as the grids need it. */
struct entry {
    qmt_box box;
    float area;
    int next; /* in the same bucket, -1 at the end */
};
static_assert(sizeof(struct entry) == (qmt_suppress_ints - sort_ints) * sizeof(int), "room for an entry");

struct grid {
    struct entry *kept; /* ordinary ones */
    int count;
    float threshold;
    qmt_overlap overlap;
    double reach; /* corners of overlapping boxes are at most so far apart, over the side of one or the other */
    int halvings; /* of a class's largest side, for its cells: smaller ones where the reach is short */
    uint64_t used[size_classes]; /* bit y of used[x]: the class has boxes */
    int head[buckets];
};

static bool overlaps(const struct grid *grid, qmt_box box, float area, const struct entry *other)
{
    float both = qmt_box_intersection(box, other->box);
    if (both <= 0)
        return false;
    float whole =
        grid->overlap == QMT_OVERLAP_SMALLER ? (area < other->area ? area : other->area) : area + other->area - both;
    return both > grid->threshold * whole;
}

/* 2^exponent, |exponent| < 1023. */
static double power_of_two(int exponent)
{
    const uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* In double, where the difference of two corners is exact enough never to fall into the class below. */
static int size_class(float low, float high)
{
    const double side = (double)high - (double)low;
    uint64_t bits;
    memcpy(&bits, &side, sizeof bits);
    const bool whole_power = (bits & 0xfffffffffffffu) == 0;
    const int k = (int)(bits >> 52) - 1022 - whole_power + smallest_class;
    return k < 0 ? 0 : k;
}

static uint32_t bucket_of(int class_x, int class_y, int64_t x, int64_t y)
{
    uint64_t key = (uint64_t)x * 0x9e3779b97f4a7c15u ^ (uint64_t)y * 0xc2b2ae3d27d4eb4fu ^
                   (uint64_t)(class_x * size_classes + class_y) * 0x165667b19e3779f9u;
    key ^= key >> 29;
    key *= 0xbf58476d1ce4e5b9u;
    return (uint32_t)(key >> 40) % buckets;
}

/* The largest side of a class. */
static double class_side(int class)
{
    return power_of_two(class - smallest_class);
}

/* The number of the cell that holds a coordinate. */
static int64_t cell_of(const struct grid *grid, double x, int class)
{
    const double cells = x * power_of_two(smallest_class + grid->halvings - class);
    const int64_t whole = (int64_t)cells; /* toward zero */
    return whole - (cells < (double)whole);
}

/* Can the grid hold a box? Boxes of no size, or not finite, or absurdly far out overlap nothing that matters. */
static bool is_ordinary(qmt_box box)
{
    const float far = 134217728.0f; /* 2^27 */
    return box.x2 > box.x1 && box.y2 > box.y1 && box.x1 >= -far && box.y1 >= -far && box.x2 <= far && box.y2 <= far &&
           box.x2 - box.x1 <= far && box.y2 - box.y1 <= far;
}

static void insert(struct grid *grid, qmt_box box, float area)
{
    const int cx = size_class(box.x1, box.x2), cy = size_class(box.y1, box.y2);
    const uint32_t bucket = bucket_of(cx, cy, cell_of(grid, (double)box.x1, cx), cell_of(grid, (double)box.y1, cy));
    grid->kept[grid->count] = (struct entry){box, area, grid->head[bucket]};
    grid->used[cx] |= (uint64_t)1 << cy;
    grid->head[bucket] = grid->count++;
}

/* The plain way: all kept boxes. */
static bool overlaps_any(const struct grid *grid, qmt_box box, float area)
{
    for (int i = 0; i < grid->count; i++) {
        if (overlaps(grid, box, area, &grid->kept[i]))
            return true;
    }
    return false;
}

/* Areas that differ by more than the threshold can't have an IoU over it. A little room for rounding. */
static bool class_matters(const struct grid *grid, float area, int cx, int cy)
{
    if (grid->overlap == QMT_OVERLAP_SMALLER)
        return true;
    const double most = class_side(cx) * class_side(cy) * 1.001, threshold = (double)grid->threshold;
    const bool bounded = cx > 0 && cy > 0; /* class 0 holds all smaller sides */
    return most >= threshold * (double)area && (!bounded || (double)area * 1.001 >= threshold * most * 0.249);
}

/* Cells where boxes of a class may begin that overlap a box. */
struct cells {
    int64_t x1, y1, x2, y2;
};

/* An IoU over the threshold means that the shared part is wider than threshold * width of either box; so the other's
 * left side is less than (1 - threshold) * its width before this box's, and less than (1 - threshold) * this box's
 * width behind it. Of the smaller box's share nothing of the kind follows. */
static struct cells cells_around(const struct grid *grid, qmt_box box, int cx, int cy)
{
    const double x1 = (double)box.x1, y1 = (double)box.y1, width = (double)box.x2 - x1, height = (double)box.y2 - y1;
    return (struct cells){cell_of(grid, x1 - grid->reach * class_side(cx), cx),
                          cell_of(grid, y1 - grid->reach * class_side(cy), cy),
                          cell_of(grid, x1 + grid->reach * width, cx), cell_of(grid, y1 + grid->reach * height, cy)};
}

static bool overlaps_class(const struct grid *grid, qmt_box box, float area, const struct cells *cells, int cx, int cy)
{
    for (int64_t y = cells->y1; y <= cells->y2; y++) {
        for (int64_t x = cells->x1; x <= cells->x2; x++) {
            for (int i = grid->head[bucket_of(cx, cy, x, y)]; i >= 0; i = grid->kept[i].next) {
                if (overlaps(grid, box, area, &grid->kept[i]))
                    return true;
            }
        }
    }
    return false;
}

static bool is_suppressed(const struct grid *grid, qmt_box box, float area)
{
    if (grid->count <= few)
        return overlaps_any(grid, box, area);
    for (int cx = 0; cx < size_classes; cx++) {
        uint64_t used = grid->used[cx];
        for (int cy = 0; used; cy++, used >>= 1) {
            if (!(used & 1) || !class_matters(grid, area, cx, cy))
                continue;
            struct cells cells = cells_around(grid, box, cx, cy);
            if ((double)(cells.x2 - cells.x1 + 1) * (double)(cells.y2 - cells.y1 + 1) > (double)grid->count)
                return overlaps_any(grid, box, area);
            if (overlaps_class(grid, box, area, &cells, cx, cy))
                return true;
        }
    }
    return false;
}

size_t qmt_suppress(qmt_candidate *candidates, size_t count, float threshold, qmt_overlap overlap, int *scratch)
{
    const double rounding = 1e-5; /* far more than that of areas */
    struct entry *entries = (struct entry *)(void *)(scratch + sort_ints * count);
    struct grid grid = {.kept = entries, .threshold = threshold, .overlap = overlap};
    size_t kept = 0;
    grid.reach = overlap == QMT_OVERLAP_UNION ? 1 - (double)threshold + rounding : 1;
    grid.halvings = grid.reach < 0.75;
    sort_candidates(candidates, count, scratch);
    memset(grid.head, -1, sizeof grid.head);
    for (size_t i = 0; i < count; i++) {
        const qmt_box box = candidates[i].box;
        const float area = qmt_box_area(box);
        const bool ordinary = is_ordinary(box);
        if (ordinary && is_suppressed(&grid, box, area))
            continue;
        if (kept != i)
            candidates[kept] = candidates[i];
        kept++;
        if (ordinary)
            insert(&grid, box, area);
    }
    return kept;
}

/* ---- Voting ---------------------------------------------------------------------------------- */

static void add_vote(const struct grid *grid, int number, const qmt_candidate *voter, qmt_vote_sums *sums)
{
    if (!(qmt_box_iou(voter->box, grid->kept[number].box) >= grid->threshold))
        return;
    const double weight = (double)voter->score;
    const float *landmarks = voter->landmarks[0];
    qmt_vote_sums *sum = &sums[number];
    sum->weight += weight;
    sum->box[0] += weight * (double)voter->box.x1;
    sum->box[1] += weight * (double)voter->box.y1;
    sum->box[2] += weight * (double)voter->box.x2;
    sum->box[3] += weight * (double)voter->box.y2;
    for (int i = 0; i < 10; i++)
        sum->landmarks[i] += weight * (double)landmarks[i];
}

/* An IoU of at least the threshold needs sides that differ by no more. */
static bool side_matters(const struct grid *grid, double side, int class)
{
    const double most = class_side(class) * 1.001, threshold = (double)grid->threshold;
    return most >= threshold * side && (class == 0 || side * 1.001 >= threshold * most * 0.499);
}

/* Buckets are shared by cells: only boxes of this very cell count, each in its own. */
static void vote_in_cell(const struct grid *grid, const qmt_candidate *voter, int cx, int cy, int64_t x, int64_t y,
                         qmt_vote_sums *sums)
{
    for (int i = grid->head[bucket_of(cx, cy, x, y)]; i >= 0; i = grid->kept[i].next) {
        const qmt_box box = grid->kept[i].box;
        if (size_class(box.x1, box.x2) == cx && size_class(box.y1, box.y2) == cy &&
            cell_of(grid, (double)box.x1, cx) == x && cell_of(grid, (double)box.y1, cy) == y)
            add_vote(grid, i, voter, sums);
    }
}

static void vote_in_class(const struct grid *grid, const qmt_candidate *voter, int cx, int cy, qmt_vote_sums *sums)
{
    const struct cells cells = cells_around(grid, voter->box, cx, cy);
    if ((double)(cells.x2 - cells.x1 + 1) * (double)(cells.y2 - cells.y1 + 1) > (double)grid->count) {
        for (int i = 0; i < grid->count; i++) {
            const qmt_box box = grid->kept[i].box;
            if (size_class(box.x1, box.x2) == cx && size_class(box.y1, box.y2) == cy)
                add_vote(grid, i, voter, sums);
        }
        return;
    }
    for (int64_t y = cells.y1; y <= cells.y2; y++) {
        for (int64_t x = cells.x1; x <= cells.x2; x++)
            vote_in_cell(grid, voter, cx, cy, x, y, sums);
    }
}

static void vote(const struct grid *grid, const qmt_candidate *voter, qmt_vote_sums *sums)
{
    const qmt_box box = voter->box;
    const double width = (double)box.x2 - (double)box.x1, height = (double)box.y2 - (double)box.y1;
    if (grid->count <= few) {
        for (int i = 0; i < grid->count; i++)
            add_vote(grid, i, voter, sums);
        return;
    }
    for (int cx = 0; cx < size_classes; cx++) {
        uint64_t used = grid->used[cx];
        for (int cy = 0; used && side_matters(grid, width, cx); cy++, used >>= 1) {
            if (used & 1 && side_matters(grid, height, cy))
                vote_in_class(grid, voter, cx, cy, sums);
        }
    }
}

static void take_mean(qmt_candidate *candidate, const qmt_vote_sums *sum)
{
    float *landmarks = candidate->landmarks[0];
    candidate->box = (qmt_box){(float)(sum->box[0] / sum->weight), (float)(sum->box[1] / sum->weight),
                               (float)(sum->box[2] / sum->weight), (float)(sum->box[3] / sum->weight)};
    for (int i = 0; i < 10; i++)
        landmarks[i] = (float)(sum->landmarks[i] / sum->weight);
}

void qmt_vote(qmt_candidate *kept, size_t count, const qmt_candidate *voters, size_t voter_count, float threshold,
              qmt_vote_sums *sums, int *scratch)
{
    struct grid grid = {.kept = (struct entry *)(void *)scratch, .threshold = threshold, .overlap = QMT_OVERLAP_UNION};
    grid.reach = 1 - (double)threshold + 1e-5;
    grid.halvings = grid.reach < 0.75;
    memset(grid.head, -1, sizeof grid.head);
    memset(sums, 0, count * sizeof *sums);
    for (size_t i = 0; i < count; i++) {
        if (is_ordinary(kept[i].box))
            insert(&grid, kept[i].box, 0);
        else
            grid.kept[grid.count++] = (struct entry){kept[i].box, 0, -1}; /* in no bucket: nothing votes for it */
    }
    for (size_t i = 0; i < voter_count; i++) {
        if (is_ordinary(voters[i].box))
            vote(&grid, &voters[i], sums);
    }
    for (size_t i = 0; i < count; i++) {
        if (sums[i].weight > 0)
            take_mean(&kept[i], &sums[i]);
    }
}

/* ---- Scores ---------------------------------------------------------------------------------- */

static double odds_of(float score)
{
    const double nearest = 0x1p-24, value = (double)score;
    const double inside = value < nearest ? nearest : value > 1 - nearest ? 1 - nearest : value;
    return inside / (1 - inside);
}

float qmt_fuse_scores(float rnet, float onet, float weight, float odds)
{
    const double r = odds_of(rnet), o = odds_of(onet);
    double both = o;
    switch ((int)(4 * weight)) {
    case 1: both = sqrt(o * sqrt(r * o)); break;
    case 2: both = sqrt(r * o); break;
    case 3: both = sqrt(r * sqrt(r * o)); break;
    case 4: both = r; break;
    default: break;
    }
    both *= (double)odds;
    return (float)(both / (1 + both));
}
