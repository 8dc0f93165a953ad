#include "runtime/detect/box.h"

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

/* Heap sort: takes no memory (qsort() may) and has no bad case. Sorts numbers, then moves each candidate once. */
static void sort_candidates(qmt_candidate *candidates, size_t count, int *items)
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
 * of its upper left corner. A cell is as large as the class's largest box, so that a box can only reach into its own
 * cell and the next ones, and only few cells have to be searched for those that a new box overlaps. */
enum {
    size_classes = 40, /* a side in (2^(k - 1), 2^k], k - 12 in 0 .. 39: from 2^-12 to 2^27 */
    smallest_class = 12,
    buckets = 4096,
    few = 24 /* so many boxes are compared at once without a grid */
};

struct grid {
    const qmt_candidate *kept;
    size_t count;
    int *next; /* the next box in the same bucket, -1 at the end */
    float threshold;
    qmt_overlap overlap;
    uint64_t used[size_classes]; /* bit y of used[x]: the class has boxes */
    int head[buckets];
};

static bool overlaps(const struct grid *grid, qmt_box a, qmt_box b)
{
    float both = qmt_box_intersection(a, b);
    if (both <= 0)
        return false;
    float area_a = qmt_box_area(a), area_b = qmt_box_area(b);
    float whole = grid->overlap == QMT_OVERLAP_SMALLER ? (area_a < area_b ? area_a : area_b) : area_a + area_b - both;
    return both > grid->threshold * whole;
}

/* In double, where the difference of two corners is exact enough never to fall into the class below. */
static int size_class(float low, float high)
{
    int exponent;
    double mantissa = frexp((double)high - (double)low, &exponent); /* side = mantissa * 2^exponent, in [0.5, 1) */
    int k = exponent - (mantissa == 0.5) + smallest_class;
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

static double cell_side(int class)
{
    return ldexp(1.0, class - smallest_class);
}

/* Can the grid hold a box? Boxes of no size, or not finite, or absurdly far out overlap nothing that matters. */
static bool is_ordinary(qmt_box box)
{
    const float far = 134217728.0f; /* 2^27 */
    return box.x2 > box.x1 && box.y2 > box.y1 && box.x1 >= -far && box.y1 >= -far && box.x2 <= far && box.y2 <= far &&
           box.x2 - box.x1 <= far && box.y2 - box.y1 <= far;
}

static void insert(struct grid *grid, size_t index)
{
    qmt_box box = grid->kept[index].box;
    int cx = size_class(box.x1, box.x2), cy = size_class(box.y1, box.y2);
    uint32_t bucket = bucket_of(cx, cy, (int64_t)floor(box.x1 / cell_side(cx)), (int64_t)floor(box.y1 / cell_side(cy)));
    grid->used[cx] |= (uint64_t)1 << cy;
    grid->next[index] = grid->head[bucket];
    grid->head[bucket] = (int)index;
}

/* The plain way: all kept boxes. */
static bool overlaps_any(const struct grid *grid, qmt_box box)
{
    for (size_t i = 0; i < grid->count; i++) {
        if (is_ordinary(grid->kept[i].box) && overlaps(grid, box, grid->kept[i].box))
            return true;
    }
    return false;
}

/* Areas that differ by more than the threshold can't have an IoU over it. A little room for rounding. */
static bool class_matters(const struct grid *grid, qmt_box box, int cx, int cy)
{
    if (grid->overlap == QMT_OVERLAP_SMALLER)
        return true;
    double area = qmt_box_area(box), most = cell_side(cx) * cell_side(cy) * 1.001;
    bool bounded = cx > 0 && cy > 0; /* class 0 holds all smaller sides */
    return most >= grid->threshold * area && (!bounded || area * 1.001 >= grid->threshold * most * 0.249);
}

/* Cells where boxes of a class may begin that overlap a box. */
struct cells {
    int64_t x1, y1, x2, y2;
};

static struct cells cells_around(qmt_box box, int cx, int cy)
{
    double side_x = cell_side(cx), side_y = cell_side(cy);
    return (struct cells){(int64_t)floor(box.x1 / side_x) - 1, (int64_t)floor(box.y1 / side_y) - 1,
                          (int64_t)floor(box.x2 / side_x), (int64_t)floor(box.y2 / side_y)};
}

static bool overlaps_class(const struct grid *grid, qmt_box box, const struct cells *cells, int cx, int cy)
{
    for (int64_t y = cells->y1; y <= cells->y2; y++) {
        for (int64_t x = cells->x1; x <= cells->x2; x++) {
            for (int i = grid->head[bucket_of(cx, cy, x, y)]; i >= 0; i = grid->next[i]) {
                if (overlaps(grid, box, grid->kept[i].box))
                    return true;
            }
        }
    }
    return false;
}

static bool is_suppressed(const struct grid *grid, qmt_box box)
{
    if (grid->count <= few)
        return overlaps_any(grid, box);
    for (int cx = 0; cx < size_classes; cx++) {
        uint64_t used = grid->used[cx];
        for (int cy = 0; used; cy++, used >>= 1) {
            if (!(used & 1) || !class_matters(grid, box, cx, cy))
                continue;
            struct cells cells = cells_around(box, cx, cy);
            if ((double)(cells.x2 - cells.x1 + 1) * (double)(cells.y2 - cells.y1 + 1) > (double)grid->count)
                return overlaps_any(grid, box);
            if (overlaps_class(grid, box, &cells, cx, cy))
                return true;
        }
    }
    return false;
}

size_t qmt_suppress(qmt_candidate *candidates, size_t count, float threshold, qmt_overlap overlap, int *scratch)
{
    struct grid grid = {.kept = candidates, .next = scratch, .threshold = threshold, .overlap = overlap};
    sort_candidates(candidates, count, scratch);
    memset(grid.head, -1, sizeof grid.head);
    for (size_t i = 0; i < count; i++) {
        bool ordinary = is_ordinary(candidates[i].box);
        if (ordinary && is_suppressed(&grid, candidates[i].box))
            continue;
        candidates[grid.count] = candidates[i];
        if (ordinary)
            insert(&grid, grid.count);
        grid.count++;
    }
    return grid.count;
}
