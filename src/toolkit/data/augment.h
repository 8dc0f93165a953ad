/* Random changes to a sample as it is loaded. */
#ifndef QMT_AUGMENT_H
#define QMT_AUGMENT_H

#include "toolkit/base/random.h"
#include "toolkit/config/config.h"
#include "toolkit/data/store.h"

/* Which changes were made, for contact sheets. */
typedef enum qmt_augmentation {
    QMT_MIRROR = 1,
    QMT_COLOR = 2,
    QMT_GAMMA = 4,
    QMT_GRAY = 8,
    QMT_BLUR = 16,
    QMT_JPEG = 32,
    QMT_ROTATE = 64,
    QMT_NOISE = 128,
    QMT_OCCLUDE = 256
} qmt_augmentation;

/* Scratch of one thread; zero before first use. */
typedef struct qmt_augmenter {
    void *memory;
    size_t size;
    double logarithms[256]; /* of qmt_pixel_logarithms(), once there is memory */
} qmt_augmenter;
void qmt_augmenter_clear(qmt_augmenter *augmenter);

/* Copies sample's pixels to `pixels` ([side][side][3]) with random changes, and its box and landmarks: mirrored, their
 * left and right points are swapped; rotated, they move along. `random` alone decides. Returns the changes made (bits
 * of qmt_augmentation) in *made (may be NULL). A box that is rotated is taken for the ellipse inside it: the new box is
 * the smallest around the rotated ellipse. Negatives keep their zero box, and samples other than landmark ones their
 * landmarks. The order: mirror, rotation, patch, color, gamma, gray, blur, noise, JPEG, as a camera would make them. */
qmtcnn_status qmt_augment(qmt_augmenter *augmenter, const qmt_augment_config *config, int side,
                          const qmt_sample *sample, qmt_random *random, uint8_t *pixels, float box[4],
                          float landmarks[10], unsigned *made, qmtcnn_error *error);

/* "mirror", "color", ...; one bit. */
const char *qmt_augmentation_name(qmt_augmentation augmentation);

#endif
