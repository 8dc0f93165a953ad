#include "toolkit/deploy/lint.h"

#include <stdlib.h>

/* Rules look at so many readers of a tensor and outputs of a graph: no sound file has more, and a hostile one must not
 * take time that grows with its square. */
enum { most_looked_at = 1000 };

static int compare_entries(const void *a, const void *b)
{
    const qmt_lint_entry *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    if (order != 0)
        return order;
    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

/* The first entry whose name is not less than `name` (after: is more). */
static size_t bound(const qmt_lint_entry *entries, size_t total, const char *name, bool after)
{
    size_t low = 0, high = total;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(entries[middle].name, name);
        if (order < 0 || (after && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const qmt_lint_entry *find(const qmt_lint_entry *entries, size_t total, const char *name, size_t *count)
{
    size_t first = bound(entries, total, name, false);
    *count = bound(entries, total, name, true) - first;
    return entries + first;
}

static const QmtOnnx__Tensor *constant_value(const QmtOnnx__Node *node)
{
    const QmtOnnx__Attribute *value = qmt_lint_is(node, "Constant") ? qmt_lint_attribute(node, "value") : NULL;
    return value ? value->t : NULL;
}

qmtcnn_status qmt_lint_index(qmt_lint *lint, qmtcnn_error *error)
{
    const QmtOnnx__Graph *graph = lint->graph;
    size_t inputs = 0, outputs = 0;
    for (size_t i = 0; i < graph->n_node; i++) {
        inputs += graph->node[i]->n_input; /* each took memory, so the sums fit */
        outputs += graph->node[i]->n_output;
    }
    lint->constants = qmt_alloc(graph->n_initializer + graph->n_node, sizeof *lint->constants);
    lint->makers = qmt_alloc(outputs, sizeof *lint->makers);
    lint->readers = qmt_alloc(inputs, sizeof *lint->readers);
    if (!lint->constants || !lint->makers || !lint->readers)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: %zu nodes", graph->n_node);
    for (size_t i = 0; i < graph->n_initializer; i++)
        lint->constants[lint->constant_count++] = (qmt_lint_entry){graph->initializer[i]->name, i, 0};
    for (size_t i = 0; i < graph->n_node; i++) {
        const QmtOnnx__Node *node = graph->node[i];
        for (size_t slot = 0; slot < node->n_input; slot++) {
            if (node->input[slot][0]) /* "" stands for an input that is left out */
                lint->readers[lint->reader_count++] = (qmt_lint_entry){node->input[slot], i, slot};
        }
        for (size_t slot = 0; slot < node->n_output; slot++) {
            if (node->output[slot][0])
                lint->makers[lint->maker_count++] = (qmt_lint_entry){node->output[slot], i, slot};
        }
        if (constant_value(node) && node->n_output > 0)
            lint->constants[lint->constant_count++] = (qmt_lint_entry){node->output[0], graph->n_initializer + i, 0};
    }
    qsort(lint->constants, lint->constant_count, sizeof *lint->constants, compare_entries);
    qsort(lint->makers, lint->maker_count, sizeof *lint->makers, compare_entries);
    qsort(lint->readers, lint->reader_count, sizeof *lint->readers, compare_entries);
    return QMTCNN_OK;
}

void qmt_lint_clear(qmt_lint *lint)
{
    qmt_free(lint->readers);
    qmt_free(lint->makers);
    qmt_free(lint->constants);
}

const QmtOnnx__Tensor *qmt_lint_constant(const qmt_lint *lint, const char *name)
{
    size_t count, initializers = lint->graph->n_initializer;
    const qmt_lint_entry *entry = find(lint->constants, lint->constant_count, name, &count);
    if (!count || !name[0])
        return NULL;
    return entry->node < initializers ? lint->graph->initializer[entry->node]
                                      : constant_value(lint->graph->node[entry->node - initializers]);
}

const QmtOnnx__Node *qmt_lint_maker(const qmt_lint *lint, const char *name)
{
    size_t count;
    const qmt_lint_entry *entry = find(lint->makers, lint->maker_count, name, &count);
    return count ? lint->graph->node[entry->node] : NULL;
}

const qmt_lint_entry *qmt_lint_readers(const qmt_lint *lint, const char *name, size_t *count)
{
    const qmt_lint_entry *first = find(lint->readers, lint->reader_count, name, count);
    if (*count > most_looked_at)
        *count = most_looked_at;
    return first;
}

bool qmt_lint_is_output(const qmt_lint *lint, const char *name)
{
    for (size_t i = 0; i < lint->graph->n_output && i < most_looked_at; i++) {
        if (strcmp(lint->graph->output[i]->name, name) == 0)
            return true;
    }
    return false;
}

const char *qmt_lint_input(const QmtOnnx__Node *node, size_t index)
{
    return index < node->n_input ? node->input[index] : "";
}

const char *qmt_lint_output(const QmtOnnx__Node *node, size_t index)
{
    return index < node->n_output ? node->output[index] : "";
}

const QmtOnnx__Attribute *qmt_lint_attribute(const QmtOnnx__Node *node, const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++) {
        if (strcmp(node->attribute[i]->name, name) == 0)
            return node->attribute[i];
    }
    return NULL;
}

int64_t qmt_lint_int(const QmtOnnx__Node *node, const char *name, int64_t fallback)
{
    const QmtOnnx__Attribute *attribute = qmt_lint_attribute(node, name);
    return attribute ? attribute->i : fallback;
}

bool qmt_lint_is(const QmtOnnx__Node *node, const char *kind)
{
    return node && strcmp(node->op_type, kind) == 0;
}
