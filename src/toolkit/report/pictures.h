/* Pictures with what was found and what was missed drawn on them. */
#ifndef QMT_PICTURES_H
#define QMT_PICTURES_H

#include "toolkit/evaluate/evaluate.h"

/* Draws over `image`, whose pixels are `scale` times the labels': labels that were found green, missed ones red, false
 * alarms orange with their score, boxes on found labels blue, labels that count neither way (and boxes on them) gray,
 * landmarks as dots. Only boxes with at least `score`. Returns a summary in *found, *missed, *false_alarms. */
qmtcnn_status qmt_annotate(qmt_image *image, double scale, const qmt_truth_picture *truth, const qmt_found *boxes,
                           double iou, double score, int *found, int *missed, int *false_alarms, qmtcnn_error *error);

typedef struct qmt_example {
    char *caption;
    void *jpeg;
    size_t size;
    bool worst; /* else one of the best */
} qmt_example;

typedef struct qmt_examples {
    qmt_example *items;
    size_t count;
} qmt_examples;

/* The pictures with the most missed faces and false alarms, and those with the most found faces and no mistake, made
 * small for a page. Ties go by the order of the data set. `min_face` and the scores are those of `config`. */
qmtcnn_status qmt_examples_make(const qmt_dataset *dataset, const qmt_detections *detections, const qmt_config *config,
                                int worst, int best, qmt_examples *examples, qmtcnn_error *error);
void qmt_examples_clear(qmt_examples *examples);

#endif
