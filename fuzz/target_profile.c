/* Tensor names in YAML, for export. */
#include "fuzz.h"
#include "toolkit/deploy/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qmtcnn_error error = {0};
    qmt_profile profile;
    fuzz_check_message(qmt_profile_load(fuzz_file("names.yaml", data, size), &profile, &error), &error);
    return 0;
}
