/* Numbers in an ONNX tensor, whose fields may contradict each other. */
#include "toolkit/deploy/lint.h"

enum { external_location = 1 };

static size_t type_bytes(int32_t type)
{
    switch (type) {
    case QMT_ONNX_UINT8:
    case QMT_ONNX_INT8: return 1;
    case QMT_ONNX_FLOAT16: return 2;
    case QMT_ONNX_FLOAT:
    case QMT_ONNX_INT32: return 4;
    case QMT_ONNX_INT64:
    case QMT_ONNX_DOUBLE: return 8;
    default: return 0;
    }
}

/* How many values lie in the field that a type uses, where there are no raw bytes. */
static size_t typed_count(const QmtOnnx__Tensor *tensor)
{
    switch (tensor->data_type) {
    case QMT_ONNX_FLOAT: return tensor->n_float_data;
    case QMT_ONNX_DOUBLE: return tensor->n_double_data;
    case QMT_ONNX_INT64: return tensor->n_int64_data;
    default: return tensor->n_int32_data;
    }
}

bool qmt_lint_is_external(const QmtOnnx__Tensor *tensor)
{
    return tensor->data_location == external_location;
}

bool qmt_lint_elements(const QmtOnnx__Tensor *tensor, size_t *count)
{
    size_t elements = 1, bytes, size = type_bytes(tensor->data_type);
    for (size_t i = 0; i < tensor->n_dims; i++) {
        if (tensor->dims[i] < 0 || !qmt_size_multiply(elements, (size_t)tensor->dims[i], &elements))
            return false;
    }
    *count = elements;
    if (qmt_lint_is_external(tensor) || !size)
        return true;
    if (!qmt_size_multiply(elements, size, &bytes))
        return false;
    return tensor->raw_data.len ? tensor->raw_data.len == bytes : typed_count(tensor) == elements;
}

static double raw_number(int32_t type, const uint8_t *bytes)
{
    float real;
    double wide;
    uint64_t bits = 0;
    for (size_t i = 0; i < type_bytes(type); i++)
        bits |= (uint64_t)bytes[i] << (8 * i); /* little endian, as ONNX stores it */
    uint32_t low = (uint32_t)bits;
    switch (type) {
    case QMT_ONNX_FLOAT: memcpy(&real, &low, sizeof real); return real;
    case QMT_ONNX_DOUBLE: memcpy(&wide, &bits, sizeof wide); return wide;
    case QMT_ONNX_INT8: return (int8_t)bits;
    case QMT_ONNX_INT32: return (int32_t)low;
    case QMT_ONNX_INT64: return (double)(int64_t)bits;
    default: return (double)bits;
    }
}

bool qmt_lint_number(const QmtOnnx__Tensor *tensor, size_t index, double *number)
{
    size_t count, size = type_bytes(tensor->data_type);
    if (!size || tensor->data_type == QMT_ONNX_FLOAT16 || qmt_lint_is_external(tensor) ||
        !qmt_lint_elements(tensor, &count) || index >= count)
        return false;
    if (tensor->raw_data.len)
        *number = raw_number(tensor->data_type, tensor->raw_data.data + index * size);
    else if (tensor->data_type == QMT_ONNX_FLOAT)
        *number = tensor->float_data[index];
    else if (tensor->data_type == QMT_ONNX_DOUBLE)
        *number = tensor->double_data[index];
    else if (tensor->data_type == QMT_ONNX_INT64)
        *number = (double)tensor->int64_data[index];
    else
        *number = tensor->int32_data[index];
    return true;
}
