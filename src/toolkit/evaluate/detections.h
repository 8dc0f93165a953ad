/* What a detector found on a set of pictures. All figures are computed from this record, wherever it came from: our own
 * cascade or anyone's WIDER FACE submission. */
#ifndef QMT_DETECTIONS_H
#define QMT_DETECTIONS_H

#include "runtime/base/status.h"

/* One box, in pixels of its picture. Doubles, since submissions are text and are compared at exact limits. */
typedef struct qmt_detection {
    double x, y, width, height;
    double score; /* finite; 0 to 1 for our detector, anything for others */
    bool has_landmarks;
    float landmarks[5][2]; /* left eye, right eye, nose, left and right mouth corner as seen in the picture */
} qmt_detection;

/* One picture's boxes, best first; boxes of equal score stay in the order given. */
typedef struct qmt_found {
    char *name; /* "event/file", with or without an ending */
    qmt_detection *boxes;
    size_t count;
    double milliseconds; /* spent by the detector; 0 where unknown */
    bool unreadable;     /* the picture could not be decoded: no boxes */
} qmt_found;

typedef struct qmt_detections {
    qmt_found *pictures;
    size_t count;
} qmt_detections;

/* Pictures without names or boxes; fill them with qmt_detections_set(). */
qmtcnn_status qmt_detections_create(size_t pictures, qmt_detections **detections, qmtcnn_error *error);
void qmt_detections_free(qmt_detections *detections);
/* Copies a picture's name and boxes, and sorts the boxes. Different pictures may be set by different threads at once.
 */
qmtcnn_status qmt_detections_set(qmt_detections *detections, size_t picture, const char *name,
                                 const qmt_detection *boxes, size_t count, qmtcnn_error *error);

/* Writes FOLDER/event/file.txt for each picture in WIDER FACE's submission form: the name, the number of boxes, then
 * `x y w h score` a line, with all the digits that a reader needs to get the same numbers back. */
qmtcnn_status qmt_submission_write(const qmt_detections *detections, const char *folder, qmtcnn_error *error);
/* Reads such a folder: one level of events, or files right in it. A picture's name is the path of its file without
 * ".txt". Ten more numbers after the score are five points, x and y each. Damaged files are errors that name file and
 * line. */
qmtcnn_status qmt_submission_read(const char *folder, qmt_detections **detections, qmtcnn_error *error);

#endif
