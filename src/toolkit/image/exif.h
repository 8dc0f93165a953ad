/* The orientation in a JPEG's EXIF data. */
#ifndef QMT_IMAGE_EXIF_H
#define QMT_IMAGE_EXIF_H

#include "toolkit/image/image.h"

/* EXIF's orientation, 1 (upright) to 8, from the payload of an APP1 segment ("Exif", two zero bytes, a TIFF header).
 * 1 where there is none or where the data makes no sense: a camera's faulty note is no reason to refuse its picture. */
int qmt_exif_orientation(const uint8_t *data, size_t size);

/* Turns and mirrors a picture stored in this orientation so that it stands upright; 5 to 8 swap width and height. */
qmtcnn_status qmt_image_turn(qmt_image *image, int orientation, qmtcnn_error *error);

#endif
