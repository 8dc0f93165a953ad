/* WIDER FACE's annotations and ground truth as MATLAB files. */
#include "fuzz.h"
#include "toolkit/data/dataset.h"
#include "toolkit/evaluate/truth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const qmt_dataset_options options = {0};
    qmtcnn_error error = {0};
    qmt_dataset *dataset = NULL;
    qmt_truth *truth = NULL;
    fuzz_file("WIDER_train/images/mark", "", 0);
    fuzz_file("wider_face_split/wider_face_train.mat", data, size);
    fuzz_check_message(qmt_dataset_open(fuzz_folder(), "train", &options, &dataset, &error), &error);
    qmt_dataset_free(dataset);
    fuzz_file("wider_easy_val.mat", data, size);
    fuzz_file("wider_medium_val.mat", data, size);
    fuzz_file("wider_hard_val.mat", data, size);
    fuzz_check_message(qmt_truth_read_mat(fuzz_folder(), &truth, &error), &error);
    qmt_truth_free(truth);
    return 0;
}
