/* WIDER FACE submission files. */
#include "fuzz.h"
#include "toolkit/evaluate/detections.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qmtcnn_error error = {0};
    qmt_detections *detections = NULL;
    fuzz_file("0--Parade/file.txt", data, size);
    qmtcnn_status status = qmt_submission_read(fuzz_folder(), &detections, &error);
    fuzz_check_message(status, &error);
    if (status != QMTCNN_OK)
        return 0;
    for (size_t p = 0; p < detections->count; p++)
        for (size_t i = 0; i < detections->pictures[p].count; i++)
            fuzz_check(isfinite(detections->pictures[p].boxes[i].score), "a score that is no number");
    qmt_detections_free(detections);
    return 0;
}
