#include "runtime/model/onnx_builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { max_inputs = 4, max_attributes = 5, block_size = 64 * 1024 };

/* Memory that is freed all at once. */
struct qmt_onnx_block {
    qmt_onnx_block *next;
    size_t used, size;
};

/* ---- Memory -------------------------------------------------------------------------------------- */

void *qmt_onnx_take(qmt_onnx_builder *builder, size_t bytes)
{
    const size_t head = (sizeof(qmt_onnx_block) + 15) / 16 * 16;
    qmt_onnx_block *block = builder->blocks;
    if (builder->status != QMTCNN_OK)
        return NULL;
    bytes = (bytes + 15) / 16 * 16;
    if (!block || block->size - block->used < bytes) {
        size_t size = bytes > block_size ? bytes : block_size;
        block = qmt_alloc_zero(head + size, 1);
        if (!block) {
            builder->status = qmt_fail_memory(builder->error, size, "an ONNX file");
            return NULL;
        }
        *block = (qmt_onnx_block){builder->blocks, 0, size};
        builder->blocks = block;
    }
    void *memory = (char *)block + head + block->used;
    block->used += bytes;
    return memory;
}

void qmt_onnx_release(qmt_onnx_builder *builder)
{
    while (builder->blocks) {
        qmt_onnx_block *next = builder->blocks->next;
        qmt_free(builder->blocks);
        builder->blocks = next;
    }
}

QMT_PRINTF(2, 3) char *qmt_onnx_text(qmt_onnx_builder *builder, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *result = qmt_onnx_take(builder, (size_t)length + 1);
    if (result) {
        va_start(arguments, format);
        vsnprintf(result, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    return result;
}

/* ---- Tensors ------------------------------------------------------------------------------------- */

/* Values of 1 or 4 bytes in ONNX's byte order, little-endian whatever this processor's is. */
static void to_little_endian(uint8_t *to, const void *values, size_t count, size_t size)
{
    if (size == 1) {
        memcpy(to, values, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, (const char *)values + 4 * i, 4);
        for (int byte = 0; byte < 4; byte++)
            to[4 * i + (size_t)byte] = (uint8_t)(bits >> 8 * byte);
    }
}

char *qmt_onnx_add_tensor(qmt_onnx_builder *builder, char *name, int type, const int64_t *dims, size_t dim_count,
                          const void *values)
{
    size_t count = 1, size = type == QMT_ONNX_INT8 || type == QMT_ONNX_UINT8 ? 1 : 4;
    QmtOnnx__Tensor *tensor = qmt_onnx_take(builder, sizeof *tensor);
    int64_t *own_dims = qmt_onnx_take(builder, (dim_count + 1) * sizeof *own_dims);
    for (size_t i = 0; i < dim_count; i++)
        count *= (size_t)dims[i]; /* at most qmt_max_weights: qmt_model_check() */
    uint8_t *bytes = qmt_onnx_take(builder, count * size);
    if (builder->status != QMTCNN_OK)
        return NULL;
    qmt_onnx__tensor__init(tensor);
    if (dim_count)
        memcpy(own_dims, dims, dim_count * sizeof *dims);
    if (values)
        to_little_endian(bytes, values, count, size);
    tensor->name = name;
    tensor->data_type = type;
    tensor->n_dims = dim_count;
    tensor->dims = own_dims;
    tensor->raw_data = (ProtobufCBinaryData){count * size, bytes};
    builder->initializers[builder->initializer_count++] = tensor;
    return name;
}

/* ---- Nodes --------------------------------------------------------------------------------------- */

QmtOnnx__Node *qmt_onnx_add_node(qmt_onnx_builder *builder, const char *kind, char *name, char *const *inputs,
                                 size_t count, char *output)
{
    QmtOnnx__Node *node = qmt_onnx_take(builder, sizeof *node);
    char **own_inputs = qmt_onnx_take(builder, max_inputs * sizeof *own_inputs);
    char **outputs = qmt_onnx_take(builder, sizeof *outputs);
    QmtOnnx__Attribute **attributes = qmt_onnx_take(builder, max_attributes * sizeof *attributes);
    char *op_type = qmt_onnx_text(builder, "%s", kind);
    if (builder->status != QMTCNN_OK)
        return NULL;
    qmt_onnx__node__init(node);
    memcpy(own_inputs, inputs, count * sizeof *inputs);
    outputs[0] = output;
    node->op_type = op_type;
    node->name = name;
    node->n_input = count;
    node->input = own_inputs;
    node->n_output = 1;
    node->output = outputs;
    node->attribute = attributes;
    builder->nodes[builder->node_count++] = node;
    return node;
}

static QmtOnnx__Attribute *add_attribute(qmt_onnx_builder *builder, QmtOnnx__Node *node, const char *name, int type)
{
    QmtOnnx__Attribute *attribute = qmt_onnx_take(builder, sizeof *attribute);
    char *own_name = qmt_onnx_text(builder, "%s", name);
    if (builder->status != QMTCNN_OK || !node)
        return NULL;
    qmt_onnx__attribute__init(attribute);
    attribute->name = own_name;
    attribute->type = type;
    node->attribute[node->n_attribute++] = attribute;
    return attribute;
}

void qmt_onnx_add_int(qmt_onnx_builder *builder, QmtOnnx__Node *node, const char *name, int64_t value)
{
    QmtOnnx__Attribute *attribute = add_attribute(builder, node, name, QMT_ONNX_ATTRIBUTE_INT);
    if (attribute)
        attribute->i = value;
}

void qmt_onnx_add_ints(qmt_onnx_builder *builder, QmtOnnx__Node *node, const char *name, size_t count, int64_t first,
                       int64_t second)
{
    int64_t *values = qmt_onnx_take(builder, count * sizeof *values);
    QmtOnnx__Attribute *attribute = add_attribute(builder, node, name, QMT_ONNX_ATTRIBUTE_INTS);
    if (!attribute)
        return;
    for (size_t i = 0; i < count; i++)
        values[i] = i % 2 ? second : first;
    attribute->n_ints = count;
    attribute->ints = values;
}
