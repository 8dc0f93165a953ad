/* The orientation in EXIF data. */
#include "fuzz.h"
#include "toolkit/image/exif.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int orientation = qmt_exif_orientation(data, size);
    fuzz_check(orientation >= 1 && orientation <= 8, "an orientation that there is not");
    return 0;
}
