/* Landmark lists in their three forms, joined to a data set. */
#include "fuzz.h"
#include "toolkit/data/dataset.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char faces[] = "a/1.jpg\n2\n10 20 100 100 0 0 0 0 0 0\n200 20 80 90 0 0 0 0 0 0\n000001.jpg\n0\n";
    char list[256];
    const char *const lists[] = {list};
    const qmt_dataset_options options = {.landmark_lists = lists, .landmark_list_count = 1};
    qmtcnn_error error = {0};
    qmt_dataset *dataset = NULL;
    fuzz_file("WIDER_train/images/mark", "", 0);
    fuzz_file("wider_face_split/wider_face_train_bbx_gt.txt", faces, sizeof faces - 1);
    snprintf(list, sizeof list, "%s", fuzz_file("list.txt", data, size));
    qmtcnn_status status = qmt_dataset_open(fuzz_folder(), "train", &options, &dataset, &error);
    fuzz_check_message(status, &error);
    qmt_dataset_free(dataset);
    return 0;
}
