/* TensorBoard event files: TFRecord framing (masked CRC-32C) around Event messages. */
#ifndef QMT_LOG_EVENTS_H
#define QMT_LOG_EVENTS_H

#include "toolkit/image/image.h"

typedef struct qmt_events qmt_events;

/* Makes FOLDER/events.out.tfevents.TIME.qmtcnn (a resumed run adds a file, as TensorBoard expects). NULL folder: a sink
 * that drops all. */
qmtcnn_status qmt_events_open(const char *folder, qmt_events **events, qmtcnn_error *error);
void qmt_events_close(qmt_events *events);
qmtcnn_status qmt_events_scalar(qmt_events *events, int64_t step, const char *tag, float value, qmtcnn_error *error);
/* A histogram of `count` values in TensorBoard's exponential buckets. */
qmtcnn_status qmt_events_histogram(qmt_events *events, int64_t step, const char *tag, const float *values, size_t count,
                                   qmtcnn_error *error);
qmtcnn_status qmt_events_image(qmt_events *events, int64_t step, const char *tag, const qmt_image *image,
                               qmtcnn_error *error);
qmtcnn_status qmt_events_text(qmt_events *events, int64_t step, const char *tag, const char *markdown,
                              qmtcnn_error *error);
qmtcnn_status qmt_events_flush(qmt_events *events, qmtcnn_error *error);

#endif
