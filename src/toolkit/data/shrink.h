/* Pictures made smaller: the same faces with fewer pixels, and new pixels around them. Data sets hold few small faces
 * that are labeled well; large ones shrunk are. */
#ifndef QMT_SHRINK_H
#define QMT_SHRINK_H

#include "toolkit/data/crop.h"
#include "toolkit/image/image.h"

/* A shrunk copy; zero it before its first use and keep it for the next picture. Belongs to one thread. */
typedef struct qmt_shrunk {
    qmt_scene scene; /* valid until the next call */
    /* private */
    qmt_resizer resizer;
    uint8_t *pixels;
    size_t pixels_size;
    qmt_label *labels;
    size_t labels_size;
} qmt_shrunk;

/* How much copy number `copy` (from 1) of a picture is shrunk: uniform in the logarithm over [least, 1), by the seed.
 */
float qmt_shrink_factor(uint64_t seed, uint32_t picture, int copy, float least);

/* Makes shrunk->scene: pixels by qmt_resize(), labels scaled. Faces whose smaller side falls under `min_face` pixels
 * become ignored. *usable: false where the copy would be under 24 pixels a side. */
qmtcnn_status qmt_shrink(qmt_shrunk *shrunk, const qmt_scene *scene, float factor, int min_face, bool *usable,
                         qmtcnn_error *error);
void qmt_shrunk_clear(qmt_shrunk *shrunk);

#endif
