#include "toolkit/evaluate/verdicts.h"

qmtcnn_status qmt_judge_create(const qmt_truth *truth, const qmt_detections *detections, qmt_judge *judge,
                               qmtcnn_error *error)
{
    size_t boxes = 0, faces = 0;
    for (size_t i = 0; i < detections->count; i++)
        if (detections->pictures[i].count > boxes)
            boxes = detections->pictures[i].count;
    for (size_t i = 0; i < truth->count; i++)
        if (truth->pictures[i].count > faces)
            faces = truth->pictures[i].count;
    judge->verdicts = qmt_alloc(boxes, sizeof *judge->verdicts);
    judge->matched = qmt_alloc(boxes, sizeof *judge->matched);
    judge->taken = qmt_alloc(faces, 1);
    if (!judge->verdicts || !judge->matched || !judge->taken)
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: matching %zu boxes with %zu faces", boxes, faces);
    return QMTCNN_OK;
}

void qmt_judge_clear(qmt_judge *judge)
{
    qmt_free(judge->taken);
    qmt_free(judge->matched);
    qmt_free(judge->verdicts);
}
