/* The manifest of a store of samples. */
#include "fuzz.h"
#include "toolkit/data/store_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qmtcnn_error error = {0};
    qmt_manifest manifest;
    qmt_store *store = NULL;
    char *text = NULL;
    fuzz_file("manifest.json", data, size);
    qmtcnn_status status = qmt_manifest_read(fuzz_folder(), &manifest, &text, &error);
    fuzz_check_message(status, &error);
    if (status != QMTCNN_OK)
        return 0;
    qmt_manifest_clear(&manifest);
    qmt_free(text);
    status = qmt_store_open(fuzz_folder(), &store, &error);
    fuzz_check_message(status, &error);
    if (status == QMTCNN_OK)
        qmt_store_close(store);
    return 0;
}
