/* WIDER FACE's annotations as text. */
#include "fuzz.h"
#include "toolkit/base/file.h"
#include "toolkit/data/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const qmt_dataset_options options = {.min_face = 10};
    qmtcnn_error error = {0};
    qmt_dataset *dataset = NULL;
    fuzz_file("WIDER_train/images/mark", "", 0);
    fuzz_file("wider_face_split/wider_face_train_bbx_gt.txt", data, size);
    qmtcnn_status status = qmt_dataset_open(fuzz_folder(), "train", &options, &dataset, &error);
    fuzz_check_message(status, &error);
    fuzz_check((status == QMTCNN_OK) == (dataset != NULL), "a data set after a failure, or none");
    for (size_t i = 0; dataset && i < dataset->picture_count; i++) {
        const qmt_picture *picture = &dataset->pictures[i];
        fuzz_check(picture->first_label + picture->label_count <= dataset->label_count, "faces beyond the last");
    }
    qmt_dataset_free(dataset);
    return 0;
}
