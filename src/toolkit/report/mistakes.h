/* Contact sheets of what a detector gets wrong, to see causes: faces that look like nothing in training, background
 * that looks like a face, labels that are missing. */
#ifndef QMT_MISTAKES_H
#define QMT_MISTAKES_H

#include "toolkit/evaluate/evaluate.h"

typedef enum qmt_mistake_kind { QMT_MISTAKE_FALSE_ALARM, QMT_MISTAKE_MISS } qmt_mistake_kind;

typedef struct qmt_mistake {
    qmt_mistake_kind kind;
    size_t picture; /* in the data set */
    double x, y, width, height;
    double score; /* a false alarm's; a miss: of the best box on the face, 0 where there is none */
} qmt_mistake;

/* All mistakes of a kind at config->evaluate.iou. False alarms: best scored first. Misses: faces with no box, or with
 * one that scores under config->detect.thresholds[2], lowest score first; of equal ones the largest face first. Ties go
 * by the order of the data set. *mistakes is for qmt_free(). */
qmtcnn_status qmt_mistakes_find(const qmt_dataset *dataset, const qmt_detections *detections, const qmt_config *config,
                                qmt_mistake_kind kind, qmt_mistake **mistakes, size_t *count, qmtcnn_error *error);

/* FOLDER/false_alarms.png and misses.png: the first mistakes of each kind with their surroundings, score and size in
 * pixels. The mistaken box is orange or red, labels green, ignored ones gray. */
qmtcnn_status qmt_mistakes_write(const qmt_dataset *dataset, const qmt_detections *detections, const qmt_config *config,
                                 const char *folder, qmtcnn_error *error);

#endif
