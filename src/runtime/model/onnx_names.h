/* Numbers and words that the ONNX reader and writer share. Private to runtime/model. */
#ifndef QMT_ONNX_NAMES_H
#define QMT_ONNX_NAMES_H

/* TensorProto.DataType. */
enum {
    QMT_ONNX_FLOAT = 1,
    QMT_ONNX_UINT8 = 2,
    QMT_ONNX_INT8 = 3,
    QMT_ONNX_INT32 = 6,
    QMT_ONNX_INT64 = 7,
    QMT_ONNX_FLOAT16 = 10,
    QMT_ONNX_DOUBLE = 11
};

/* AttributeProto.AttributeType. */
enum {
    QMT_ONNX_ATTRIBUTE_FLOAT = 1,
    QMT_ONNX_ATTRIBUTE_INT = 2,
    QMT_ONNX_ATTRIBUTE_STRING = 3,
    QMT_ONNX_ATTRIBUTE_TENSOR = 4,
    QMT_ONNX_ATTRIBUTE_FLOATS = 6,
    QMT_ONNX_ATTRIBUTE_INTS = 7
};

/* The metadata entry that tells how the ten landmark channels lie; files without it have them planar, as all networks
 * born in Caffe do. It becomes qmt_model.landmarks_planar. */
#define QMT_ONNX_LANDMARK_KEY "landmark_order"
#define QMT_ONNX_LANDMARK_PLANAR "planar"
#define QMT_ONNX_LANDMARK_PAIRS "pairs"

#endif
